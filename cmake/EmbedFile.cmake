# cmake -DINPUT=file -DOUTPUT=file.c -DNAME=symbol -DHEADER=header.h -P EmbedFile.cmake
#
# Writes a C source that defines NAME[], the bytes of INPUT, and NAME_bytes, their number.
file(READ ${INPUT} hex HEX)
file(SIZE ${INPUT} bytes)
string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," hex "${hex}")
file(WRITE ${OUTPUT} "#include \"${HEADER}\"\n\n"
                     "const size_t ${NAME}_bytes = ${bytes};\n"
                     "const unsigned char ${NAME}[] __attribute__((aligned(64))) = {\n${hex}\n};\n")
