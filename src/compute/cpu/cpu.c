/* Which instruction sets this machine has, and their names. */
#include "compute/kernels.h"

#include <string.h>

#include "base/error.h"

static const char *const level_names[] = {"scalar", "avx2", "avx512", "avx512vnni"};

const char *gs_cpu_level_name(enum gs_cpu_level level)
{
    return level_names[level];
}

enum gs_status gs_cpu_level_parse(const char *name, enum gs_cpu_level *out_level,
                                  struct gs_error *err)
{
    for (size_t i = 0; i < GS_COUNT_OF(level_names); i++) {
        if (strcmp(name, level_names[i]) == 0) {
            *out_level = (enum gs_cpu_level)i;
            return GS_OK;
        }
    }
    gs_error_set(err, GS_EINVAL, "unknown instruction set \"%s\"", name);
    gs_error_hint(err, "Use scalar, avx2, avx512 or avx512vnni.");
    return GS_EINVAL;
}

#if GS_ARCH_X86 && !defined(GENSET_NOSIMD)

#include <cpuid.h>

/* Register state that the system saves: bits 1, 2 = SSE, AVX; 5..7 = AVX-512. */
static unsigned saved_state(void)
{
    unsigned eax;
    unsigned edx;

    __asm__("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
    return eax;
}

enum gs_cpu_level gs_cpu_detect(void)
{
    const unsigned avx2_leaf1 = bit_FMA | bit_F16C | bit_OSXSAVE | bit_AVX;
    const unsigned avx512_leaf7 = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
    unsigned a;
    unsigned b;
    unsigned c;
    unsigned d;

    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & avx2_leaf1) != avx2_leaf1)
        return GS_CPU_SCALAR;
    const unsigned state = saved_state();
    if ((state & 0x06) != 0x06 || !__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & bit_AVX2))
        return GS_CPU_SCALAR;
    if ((state & 0xe6) != 0xe6 || (b & avx512_leaf7) != avx512_leaf7)
        return GS_CPU_AVX2;
    return c & bit_AVX512VNNI ? GS_CPU_AVX512VNNI : GS_CPU_AVX512;
}

#else

enum gs_cpu_level gs_cpu_detect(void)
{
    return GS_CPU_SCALAR;
}

#endif
