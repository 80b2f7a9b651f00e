# Toolchain file: Linux on AArch64, from Debian's cross compiler; programs run under qemu, whose default
# processor has every extension. Kernel tests are run once more for each of GENSET_TEST_CPUS.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -L /usr/aarch64-linux-gnu)
set(GENSET_TEST_CPUS cortex-a57 neoverse-n1) # v8.0; v8.2 with dot products
