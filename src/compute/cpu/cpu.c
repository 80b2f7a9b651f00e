/* Which sets of kernels this machine can run, and their names. */
#include "compute/kernels.h"

#include <string.h>

#include "base/error.h"
#include "base/os.h"

static const char *const level_names[] = {"scalar", "avx2", "avxvnni", "avx512", "avx512vnni",
                                          "amx",    "neon", "dotprod", "i8mm"};

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
    gs_error_hint(err,
                  "Use scalar, avx2, avxvnni, avx512, avx512vnni, amx, neon, dotprod or i8mm.");
    return GS_EINVAL;
}

#define AMX_REFUSED (1u << GS_CPU_LIMIT) /* beside the levels of a machine */

enum gs_cpu_level gs_cpu_best(enum gs_cpu_level most)
{
    while (!gs_cpu_has(most))
        most = (enum gs_cpu_level)(most - 1);
    return most;
}

#if GS_ARCH_X86 && !defined(GENSET_NOSIMD)

#include <cpuid.h>

#define AVX_STATE    0x06    /* register state that the system saves: SSE, AVX */
#define AVX512_STATE 0xe6    /* and AVX-512 */
#define TILE_STATE   0x60000 /* AMX */

static unsigned saved_state(void)
{
    unsigned eax;
    unsigned edx;

    __asm__("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
    return eax;
}

/* Levels as bits. */
static unsigned levels_of_machine(void)
{
    const unsigned avx2_leaf1 = bit_FMA | bit_F16C | bit_OSXSAVE | bit_AVX;
    const unsigned avx512_leaf7 = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
    const unsigned avxvnni_leaf7_1 = 1u << 4;
    const unsigned amx_leaf7 = 1u << 24 | 1u << 25; /* TILE, INT8 */
    unsigned levels = 1u << GS_CPU_SCALAR;
    unsigned a;
    unsigned b;
    unsigned c;
    unsigned d;

    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & avx2_leaf1) != avx2_leaf1)
        return levels;
    const unsigned state = saved_state();
    if ((state & AVX_STATE) != AVX_STATE || !__get_cpuid_count(7, 0, &a, &b, &c, &d) ||
        !(b & bit_AVX2))
        return levels;
    levels |= 1u << GS_CPU_AVX2;
    if ((state & AVX512_STATE) == AVX512_STATE && (b & avx512_leaf7) == avx512_leaf7)
        levels |= 1u << GS_CPU_AVX512 | (c & bit_AVX512VNNI ? 1u << GS_CPU_AVX512VNNI : 0);
    if ((levels & 1u << GS_CPU_AVX512VNNI) && (state & TILE_STATE) == TILE_STATE &&
        (d & amx_leaf7) == amx_leaf7)
        levels |= gs_os_cpu_has(GS_OS_CPU_TILES) ? 1u << GS_CPU_AMX : AMX_REFUSED;
    const unsigned subleaves = a;
    if (subleaves >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & avxvnni_leaf7_1))
        levels |= 1u << GS_CPU_AVXVNNI;
    return levels;
}

#elif GS_ARCH_ARM && !defined(GENSET_NOSIMD)

static unsigned levels_of_machine(void)
{
    unsigned levels = 1u << GS_CPU_SCALAR | 1u << GS_CPU_NEON;

    if (gs_os_cpu_has(GS_OS_CPU_DOTPROD)) {
        levels |= 1u << GS_CPU_DOTPROD;
        levels |= gs_os_cpu_has(GS_OS_CPU_I8MM) ? 1u << GS_CPU_I8MM : 0;
    }
    return levels;
}

#else

static unsigned levels_of_machine(void)
{
    return 1u << GS_CPU_SCALAR;
}

#endif

bool gs_cpu_has(enum gs_cpu_level level)
{
    return levels_of_machine() >> level & 1;
}

bool gs_cpu_amx_refused(void)
{
    return levels_of_machine() & AMX_REFUSED;
}
