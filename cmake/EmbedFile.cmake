# cmake -DINPUT=file -DOUTPUT=file.c -DNAME=symbol -DHEADER=header.h -P EmbedFile.cmake
#
# Writes a C source that defines NAME[], the bytes of INPUT, NAME_bytes, their number, and NAME_hash[], the
# begin of their SHA-256 in hex. The assembler copies the bytes from INPUT.
file(SIZE ${INPUT} bytes)
file(SHA256 ${INPUT} hash)
string(SUBSTRING ${hash} 0 16 hash)
file(WRITE ${OUTPUT} "#include \"${HEADER}\"\n\n"
                     "const size_t ${NAME}_bytes = ${bytes};\n"
                     "const char ${NAME}_hash[] = \"${hash}\";\n"
                     "__asm__(\".pushsection .rodata\\n\"\n"
                     "        \".balign 64\\n\"\n"
                     "        \".globl ${NAME}\\n\"\n"
                     "        \".type ${NAME}, %object\\n\"\n"
                     "        \".size ${NAME}, ${bytes}\\n\"\n"
                     "        \"${NAME}: .incbin \\\"${INPUT}\\\"\\n\"\n"
                     "        \".popsection\\n\");\n")
