/* Filling the table of kernels. */
#include "compute/kernels.h"

#include "compute/cpu/ref/ref.h"
#include "compute/cpu/x86/x86.h"
#include "compute/cpu/arm/arm.h"

enum gs_act_form gs_kernels_act_form(enum gs_type t)
{
    static const uint8_t forms[GS_TYPE_LIMIT] = {
#define KERNEL_FORM(type, name, form) [type] = (form),
        GS_KERNEL_TYPE_MAP(KERNEL_FORM)
#undef KERNEL_FORM
    };

    return (enum gs_act_form)forms[t];
}

void gs_kernels_init_ref(struct gs_kernels *k)
{
    *k = (struct gs_kernels){.level = GS_CPU_SCALAR};
#define KERNEL_DEQUANT(type, name, form) k->dequant[type] = gs_kernels_dequant_##name##_ref;
    GS_KERNEL_TYPE_MAP(KERNEL_DEQUANT)
#undef KERNEL_DEQUANT
    gs_kernels_init_attend_ref(k);
    gs_kernels_init_dot_ref(k);
    gs_kernels_init_quantise_ref(k);
    gs_kernels_init_vector_ref(k);
}

void gs_kernels_init(struct gs_kernels *k, enum gs_cpu_level level)
{
    gs_kernels_init_ref(k);
#if GS_ARCH_X86 && !defined(GENSET_NOSIMD)
    gs_kernels_init_x86(k, level);
#endif
#if GS_ARCH_ARM && !defined(GENSET_NOSIMD)
    gs_kernels_init_arm(k, level);
#endif
    k->level = level;
}
