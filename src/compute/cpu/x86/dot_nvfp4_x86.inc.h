/* Products with NVFP4: blocks of 64 with four scales, and activations in struct gs_q8. They share
 * the loop of dot_rows.inc.h. */
#include "compute/cpu/common/dot_rows.inc.h"
#include "compute/cpu/x86/load_nvfp4_x86.inc.h"

SIMD_INLINE void nvfp4_row(const struct gs_dot *d, const uint8_t *w, size_t t0, int n_t, vf *acc)
{
    const struct gs_block_nvfp4 *b = (const struct gs_block_nvfp4 *)w;

    for (size_t i = 0; i < d->n / 64; i++, b++) {
        const vb v = nvfp4_values(b);
        const vf scales = vf_quads(load_4_e4m3(b->d));
        prefetch_ahead(b->d, sizeof(*b));
#pragma GCC unroll 8
        for (int t = 0; t < n_t; t++) {
            const struct gs_q8 *x = (const struct gs_q8 *)d->x[t0 + (size_t)t] + i / 4;
            const vi sums = vb_dot(vb_abs(v), vb_sign(vb_load(x->q + i % 4 * 64), v));
            const vf dx = vf_pair(_mm256_loadu_ps(x->d), (int)(i % 4));
            acc[t] = vf_fma(vf_from_vi(sums), vf_mul(scales, dx), acc[t]);
        }
    }
}

DOT_ENTRY(nvfp4)

static void init_dot_nvfp4(struct gs_kernels *k)
{
    k->dot[GS_TYPE_NVFP4] = dot_nvfp4;
}
