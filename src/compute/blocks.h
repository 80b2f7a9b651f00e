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

extern const int8_t gs_kernels_iq4_values[16];
extern const int8_t gs_kernels_mxfp4_values[16];

#endif
