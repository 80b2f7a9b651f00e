/* Products with NVFP4: blocks of 64 with four scales, and activations in struct gs_q8. They share
 * the loop of dot_rows.inc.h. */
#include "compute/blocks.h"
#include "compute/cpu/common/dot_rows.inc.h"

/* Low nibbles of 8 bytes, their high nibbles; the same of the next 8. */
SIMD_INLINE __m256i nibbles_of_16(const uint8_t *p)
{
    const __m256i v = _mm256_permute4x64_epi64(_mm256_castsi128_si256(load_128(p)), 0x50);

    return _mm256_and_si256(_mm256_srlv_epi64(v, _mm256_setr_epi64x(0, 4, 0, 4)),
                            _mm256_set1_epi8(15));
}

/* Halves of four E4M3, as in cpu/ref/half.h. */
SIMD_INLINE __m128 load_4_e4m3(const uint8_t *p)
{
    const __m128i e = _mm_cvtepu8_epi32(_mm_cvtsi32_si128((int)load_u32(p)));
    const __m128i nan = _mm_cmpeq_epi32(e, _mm_set1_epi32(0x7f));
    const __m128i fields = _mm_slli_epi32(_mm_and_si128(e, _mm_set1_epi32(0x7f)), 20);

    return _mm_mul_ps(_mm_castsi128_ps(_mm_andnot_si128(nan, fields)), _mm_set1_ps(0x1p119f));
}

SIMD_INLINE void nvfp4_row(const struct gs_dot *d, const uint8_t *w, size_t t0, int n_t, vf *acc)
{
    const __m128i table = load_128(gs_kernels_mxfp4_values);
    const struct gs_block_nvfp4 *b = (const struct gs_block_nvfp4 *)w;

    for (size_t i = 0; i < d->n / 64; i++, b++) {
        const vb v = vb_lookup(table, vb_join(nibbles_of_16(b->qs), nibbles_of_16(b->qs + 16)));
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
