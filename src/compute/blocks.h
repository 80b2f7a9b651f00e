/* Quantised blocks as they lie in a GGUF file, little-endian and unaligned (all members are bytes).
 *
 * A block stores 32 or 256 values. "d" and "dmin" are float16. In the pictures value i of the
 * block is x[i]; q[i] is its small integer. Layouts: ggml's public format (ggml-common.h); the
 * K formats by Kawrakow (llama.cpp pull request 1684); MXFP4: OCP Microscaling Formats 1.0. */
#ifndef GS_COMPUTE_BLOCKS_H
#define GS_COMPUTE_BLOCKS_H

#include <stdint.h>

#define GS_BLOCK_K  256 /* values of a K block and of IQ4_XS */
#define GS_BLOCK_32 32  /* values of the others */

/* ---- blocks of 32: the low nibbles of qs are values 0..15, the high nibbles 16..31 ---- */

struct gs_block_q4_0 { /* x = d (q - 8) */
    uint8_t d[2];
    uint8_t qs[16];
};

struct gs_block_q4_1 { /* x = d q + m */
    uint8_t d[2];
    uint8_t m[2];
    uint8_t qs[16];
};

struct gs_block_q5_0 { /* x = d (q - 16); bit i of qh is the fifth bit of q[i] */
    uint8_t d[2];
    uint8_t qh[4];
    uint8_t qs[16];
};

struct gs_block_q5_1 { /* x = d q + m */
    uint8_t d[2];
    uint8_t m[2];
    uint8_t qh[4];
    uint8_t qs[16];
};

struct gs_block_q8_0 { /* x = d q */
    uint8_t d[2];
    int8_t qs[32];
};

struct gs_block_iq4_nl { /* x = d gs_kernels_iq4_values[q] */
    uint8_t d[2];
    uint8_t qs[16];
};

struct gs_block_mxfp4 { /* x = 2^(e - 128) gs_kernels_mxfp4_values[q] (the table is doubled) */
    uint8_t e;
    uint8_t qs[16];
};

/* ---- blocks of 256 ---- */

/* 16 groups of 16 values; x = d (scales & 15) q - dmin (scales >> 4).
 * Each half of 128 values has 32 bytes of qs: bits 2k, 2k+1 of byte l are q[32 k + l]. */
struct gs_block_q2_k {
    uint8_t scales[16];
    uint8_t qs[64];
    uint8_t d[2];
    uint8_t dmin[2];
};

/* 16 groups of 16; x = d (scale - 32) (q - 4). Low two bits as in Q2_K; the third bit of
 * q[32 k + l] is bit k of hmask[l]. Scale j: low nibble j < 8 of scales[j], high nibble j >= 8 of
 * scales[j - 8]; its bits 4, 5 are bits 2 (j / 4).. of scales[8 + j % 4]. */
struct gs_block_q3_k {
    uint8_t hmask[32];
    uint8_t qs[64];
    uint8_t scales[12];
    uint8_t d[2];
};

/* 8 groups of 32; x = d scale q - dmin min. Each 64 values have 32 bytes of qs: low nibbles, then
 * high nibbles. Six-bit scales and mins:
 *     j < 4:  scale = scales[j] & 63                             min = scales[j + 4] & 63
 *     j >= 4: scale = scales[j+4] & 15 | (scales[j-4] >> 6) << 4
 *             min   = scales[j+4] >> 4 | (scales[j] >> 6) << 4 */
struct gs_block_q4_k {
    uint8_t d[2];
    uint8_t dmin[2];
    uint8_t scales[12];
    uint8_t qs[128];
};

/* Q4_K with a fifth bit: bit j of qh[l] belongs to q[32 j + l]. */
struct gs_block_q5_k {
    uint8_t d[2];
    uint8_t dmin[2];
    uint8_t scales[12];
    uint8_t qh[32];
    uint8_t qs[128];
};

/* 16 groups of 16; x = d scale (q - 32). Each half of 128 values has 64 bytes of ql, low nibbles
 * then high nibbles, and 32 of qh: bits 2k, 2k+1 of byte l are bits 4, 5 of q[32 k + l]. */
struct gs_block_q6_k {
    uint8_t ql[128];
    uint8_t qh[64];
    int8_t scales[16];
    uint8_t d[2];
};

/* 8 groups of 32 laid out as in IQ4_NL; x = d (scale - 32) gs_kernels_iq4_values[q]. Scale j:
 * nibble j of scales_l, and bits 2j, 2j+1 of scales_h as its bits 4, 5. */
struct gs_block_iq4_xs {
    uint8_t d[2];
    uint8_t scales_h[2];
    uint8_t scales_l[4];
    uint8_t qs[128];
};

/* ---- blocks of 256 out of codebooks: an index stands for 8 or 4 values (iq_grids.h) ----
 *
 * Multi-byte members are little-endian words. "Seven signs" are bits 0..6 for values 0..6 of eight,
 * set for minus; the sign of value 7 makes their number even. By Kawrakow (llama.cpp pull requests
 * 4773, 4856, 5676 and those they link). */

/* 8 groups of 32; x = d (2 scale + 1) / 8 grid. Per group four indices of 8 bits, then a word of
 * four times seven signs and, in its top nibble, the scale. */
struct gs_block_iq2_xxs {
    uint8_t d[2];
    uint8_t qs[64];
};

/* 16 groups of 16, otherwise like IQ2_XXS. qs are 32 words: 9 bits of index, seven signs. Scale j
 * is nibble j of scales. */
struct gs_block_iq2_xs {
    uint8_t d[2];
    uint8_t qs[64];
    uint8_t scales[8];
};

/* Like IQ2_XS with indices of 10 bits, the top two in qh: bits 2k, 2k+1 of byte j belong to index
 * 4 j + k. A sign bit per value. */
struct gs_block_iq2_s {
    uint8_t d[2];
    uint8_t qs[32];
    uint8_t signs[32];
    uint8_t qh[8];
    uint8_t scales[8];
};

/* 8 groups of 32; x = d (2 scale + 1) / 4 grid. An index of 8 bits per 4 values; per group a word
 * of signs and scale as in IQ2_XXS. */
struct gs_block_iq3_xxs {
    uint8_t d[2];
    uint8_t qs[64];
    uint8_t signs[32];
};

/* 8 groups of 32; x = d (2 scale + 1) grid. An index of 9 bits per 4 values, the ninth in qh. A
 * sign bit per value. Scale j is nibble j of scales. */
struct gs_block_iq3_s {
    uint8_t d[2];
    uint8_t qs[64];
    uint8_t qh[8];
    uint8_t signs[32];
    uint8_t scales[4];
};

/* 8 groups of 32; x = d (2 scale + 1) (grid +- 1/8). An index of 11 bits per 8 values. The words qh
 * hold, per group: four times the top 3 bits of an index, 3 bits of scale, 1 bit set for - 1/8. */
struct gs_block_iq1_s {
    uint8_t d[2];
    uint8_t qs[32];
    uint8_t qh[16];
};

/* 16 groups of 16, otherwise like IQ1_S. A nibble of qh per 8 values: the top 3 bits of the index,
 * 1 bit set for - 1/8. Each of the four words of scales holds four scales of 3 bits and, in its top
 * nibble, the next nibble of d. */
struct gs_block_iq1_m {
    uint8_t qs[32];
    uint8_t qh[16];
    uint8_t scales[8];
};

/* ---- blocks of 256 trits: x = d (q - 1) ---- */

/* Five values per byte: b / 256 in base 3 is 0.q0 q1 q2 q3 q4. The k-th digits of 32 bytes of qs
 * are q[32 k ..], those of the other 16 are q[160 + 16 k ..], and of qh (four digits) q[240 + 4 k
 * ..]. */
struct gs_block_tq1_0 {
    uint8_t qs[48];
    uint8_t qh[4];
    uint8_t d[2];
};

/* Two bits per value, laid out as in Q2_K. */
struct gs_block_tq2_0 {
    uint8_t qs[64];
    uint8_t d[2];
};

/* ---- blocks of 64 ---- */

/* 4 groups of 16: low nibbles of 8 bytes, then high nibbles; x = e(d) / 2
 * gs_kernels_mxfp4_values[q] (the table is doubled). e is an unsigned E4M3 (exponent bias 7, no
 * sign); 0x7f, its NaN, counts as 0. */
struct gs_block_nvfp4 {
    uint8_t d[4];
    uint8_t qs[32];
};

extern const int8_t gs_kernels_iq4_values[16];
extern const int8_t gs_kernels_mxfp4_values[16];

#endif
