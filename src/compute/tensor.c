#include "compute/tensor.h"

#include "compute/cpu/ref/ref.h"

static gs_dequant_fn *const dequant[GS_TYPE_LIMIT] = {
#define TENSOR_DEQUANT(type, name, form) [type] = gs_kernels_dequant_##name##_ref,
    GS_KERNEL_TYPE_MAP(TENSOR_DEQUANT)
#undef TENSOR_DEQUANT
};

bool gs_compute_type_supported(enum gs_type t)
{
    return (unsigned)t < GS_TYPE_LIMIT && dequant[t];
}

void gs_compute_dequant_row(enum gs_type t, const void *row, float *out, size_t n)
{
    dequant[t](row, out, n);
}
