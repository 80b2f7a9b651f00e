/* Weight blocks of NVFP4: 64 signed values, and four scales. */
#ifndef GS_COMPUTE_CPU_X86_LOAD_NVFP4_X86_INC_H
#define GS_COMPUTE_CPU_X86_LOAD_NVFP4_X86_INC_H

#include "compute/blocks.h"

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

SIMD_INLINE vb nvfp4_values(const struct gs_block_nvfp4 *b)
{
    return vb_lookup(load_128(gs_kernels_mxfp4_values),
                     vb_join(nibbles_of_16(b->qs), nibbles_of_16(b->qs + 16)));
}

#endif
