/* The table of kernels: the inner loops of the operations, one set per instruction set.
 *
 * Kernels know neither lanes nor shapes of models; they get plain rows. gs_kernels_init() fills
 * the table with the reference (cpu/ref), then every instruction set the level allows overwrites
 * entries. Pointers to weights and floats need no alignment; activations in gs_q8 and gs_q8k are
 * 64-aligned. No kernel reads or writes outside the rows it was given. */
#ifndef GS_COMPUTE_KERNELS_H
#define GS_COMPUTE_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "genset/status.h"
#include "gguf/type.h"

/* Sets of kernels, the better ones later. A machine need not have all below its best. */
enum gs_cpu_level {
    GS_CPU_SCALAR,
    GS_CPU_AVX2,       /* AVX2, FMA, F16C */
    GS_CPU_AVXVNNI,    /* AVX2 and AVX-VNNI */
    GS_CPU_AVX512,     /* AVX2 and AVX-512 F, BW, DQ, VL */
    GS_CPU_AVX512VNNI, /* AVX-512 and its VNNI */
    GS_CPU_AMX,        /* and AMX-TILE, AMX-INT8 */
    GS_CPU_NEON,       /* AArch64 as every machine has it */
    GS_CPU_DOTPROD,    /* NEON and products of bytes */
    GS_CPU_I8MM,       /* and matrices of bytes */
    GS_CPU_LIMIT
};

bool gs_cpu_has(enum gs_cpu_level level); /* this machine and this build */
bool gs_cpu_amx_refused(void);            /* the machine has it, the system does not lend it */
/* The best it has that is not above `most`. */
enum gs_cpu_level gs_cpu_best(enum gs_cpu_level most);
const char *gs_cpu_level_name(enum gs_cpu_level level);
/* errors: GS_EINVAL for a name it does not know. */
GS_MUST_CHECK enum gs_status gs_cpu_level_parse(const char *name, enum gs_cpu_level *out_level,
                                                struct gs_error *err);

/* ---- quantised activations: groups of 256 values, the last one padded with zeros ---- */

enum gs_act_form {
    GS_ACT_F32 = 0,
    GS_ACT_Q8 = 1, /* struct gs_q8, for weight blocks of 32 */
    GS_ACT_Q8K = 2 /* struct gs_q8k, for weight blocks of 256, Q4_0 and IQ4_NL */
};

#define GS_ACT_GROUP 256

struct gs_q8 {
    int8_t q[GS_ACT_GROUP]; /* -127..127 */
    float d[8];             /* x = d q, per 32 values */
    float s[8];             /* d * sum of q */
};

struct gs_q8k {
    int8_t q[GS_ACT_GROUP]; /* -127..127 */
    int16_t sums[16];       /* of q, per 16 values */
    float d;                /* x = d q */
    float pad[7];
};

/* ---- entries ---- */

#define GS_DOT_TOKENS 8

/* out[t][r] = weight row r . activation row t, over n values. */
struct gs_dot {
    const uint8_t *w;
    size_t w_stride; /* bytes between rows */
    size_t n_rows;
    size_t n;
    size_t n_tokens;              /* 1..GS_DOT_TOKENS */
    const void *x[GS_DOT_TOKENS]; /* rows in the form gs_kernels_act_form(type) says */
    float *out[GS_DOT_TOKENS];
};

/* The same for many tokens, which lie in panels: of 16 tokens and 256 values each, GS_PANEL_BYTES
 * apart, all groups of values of 16 tokens before those of the next. What a panel holds is between
 * the kernels of one level. The weights are unpacked to `scratch` before all tokens pass by. */
#define GS_PANEL_TOKENS    16
#define GS_PANEL_BYTES     (GS_PANEL_TOKENS * sizeof(struct gs_q8k))
#define GS_PANEL_MAX_ROWS  48  /* of weights in a call */
#define GS_PANEL_GRAIN     12  /* rows that scratch is counted in */
#define GS_PANEL_ROW_BYTES 384 /* of scratch, per row and group of 256 values */

struct gs_panel {
    const uint8_t *w;
    size_t w_stride; /* bytes between rows */
    size_t n_rows;   /* 1..GS_PANEL_MAX_ROWS */
    size_t n;
    size_t n_tokens;
    const void *x;   /* panels, padded with tokens of zeros; for float weights, rows of floats */
    size_t x_stride; /* floats between these */
    float *out;      /* [token][row] */
    size_t out_stride;
    const float *bias;   /* [n_rows] or NULL */
    const uint8_t *next; /* what will be read after these weights; NULL: those that follow */
    void *scratch;       /* 64-aligned, for n_rows rounded up to GS_PANEL_GRAIN */
};

/* Attention, many queries: a panel of queries against a tile of keys, whose values are mixed into
 * what came before. Lanes are queries; unused ones hold zeros. With score = q . k:
 * score = softcap tanh(score / softcap) (softcap > 0), then score -= slope |key - pos| (slope > 0).
 * m = max(max, all scores); out = out e^(max - m) + sum_j e^(score_j - m) v_j; sum likewise. */
#define GS_ATTEND_QUERIES 32
#define GS_ATTEND_KEYS    32       /* at most */
#define GS_ATTEND_NONE    (-1e30f) /* max of a query that has seen no key */

struct gs_attend {
    const float *q; /* [d_k][GS_ATTEND_QUERIES], times the scale of scores */
    const float *k; /* [n_keys][d_k], k_stride floats apart */
    const float *v; /* [n_keys][d_v] */
    size_t k_stride, v_stride;
    size_t n_keys, d_k, d_v;
    const float *first, *end; /* query i sees keys [first[i], end[i]) of the tile; NULL: all */
    const float *pos;         /* of each query, counted from the first key; with slope */
    float softcap, slope;     /* 0: none */
    float *out;               /* [d_v][GS_ATTEND_QUERIES] */
    float *max, *sum;         /* [GS_ATTEND_QUERIES] */
};

/* Attention, few queries: rows of keys and values as they lie in the cache, of type F32, F16 or
 * Q8_0. `next` (or NULL) will be read after this, in the same way. */

/* out[i][j] = q[i] . key j; a result does not depend on the others. */
struct gs_score {
    const uint8_t *k, *next;
    const float *q;
    float *out;
    size_t k_stride;             /* bytes */
    size_t q_stride, out_stride; /* floats */
    size_t n_q, n_keys, n;
};

/* o[i][c] += sum_j p[i][j] v[j][c], for i < n_o, j < n_v, c < n; j in order. */
struct gs_mix {
    const uint8_t *v, *next;
    const float *p;
    float *o;
    size_t v_stride;           /* bytes */
    size_t p_stride, o_stride; /* floats */
    size_t n_o, n_v, n;
};

/* The delta rule for the tokens of a run and channels [0, n) of the values: s[i][c] is i < d_k rows
 * of state `stride` floats apart. Per token, with alpha = e^g, p = sum k[i] s[i], r = sum q[i]
 * s[i]: u = beta (v - alpha p); out = scale (alpha r + u (k . q)); s[i] = alpha s[i] + k[i] u. */
#define GS_DELTA_SLICE 64

struct gs_delta {
    float *s;
    size_t stride;
    size_t d_k;
    size_t n; /* <= GS_DELTA_SLICE */
    size_t n_tokens;
    const float *q, *k, *v, *g, *beta; /* of the first token */
    size_t q_stride, k_stride, v_stride, g_stride, beta_stride;
    float scale;
    float *out;
    size_t out_stride;
};

typedef void gs_dot_fn(const struct gs_dot *d);
typedef void gs_panel_fn(const struct gs_panel *p);
/* 16 gs_q8 or gs_q8k, one of each token, to the panel of their group. */
typedef void gs_panel_of_fn(const void *rows, void *panel);
typedef void gs_dequant_fn(const void *row, float *out, size_t n);
typedef void gs_score_fn(const struct gs_score *s);
typedef void gs_mix_fn(const struct gs_mix *m);
typedef void gs_quantise_fn(const float *x, void *out, size_t n);

struct gs_kernels {
    enum gs_cpu_level level;
    gs_dequant_fn *dequant[GS_TYPE_LIMIT]; /* n: a multiple of the block length */
    gs_dot_fn *dot[GS_TYPE_LIMIT];         /* NULL: type not supported */
    gs_panel_fn *panel[GS_TYPE_LIMIT];     /* NULL: only dot */
    gs_panel_of_fn *panel_of_q8, *panel_of_q8k;
    gs_quantise_fn *quantise_q8;  /* to struct gs_q8[ceil(n / 256)] */
    gs_quantise_fn *quantise_q8k; /* to struct gs_q8k[ceil(n / 256)] */
    gs_quantise_fn *to_f16;       /* to uint16_t[n] */
    gs_quantise_fn *to_q8_0;      /* to struct gs_block_q8_0[n / 32] */

    float (*sum_squares)(const float *x, size_t n);
    float (*max)(const float *x, size_t n); /* n >= 1 */
    /* x[i] = exp(x[i] - max); returns their sum. */
    float (*exp_sum)(float *x, size_t n, float max);
    /* out = s * x * w; w may be NULL (ones), out may be x. */
    void (*scale)(float *out, const float *x, const float *w, float s, size_t n);
    /* out = a out + b x */
    void (*blend)(float *out, float a, const float *x, float b, size_t n);
    /* out = silu(g) * u; out may be g or u. */
    void (*swiglu)(float *out, const float *g, const float *u, size_t n);
    /* out = x * sigmoid(g); out may be x or g. */
    void (*sigmoid_mul)(float *out, const float *x, const float *g, size_t n);
    /* x = cap tanh(x / cap) */
    void (*softcap)(float *x, size_t n, float cap);
    void (*attend)(const struct gs_attend *a);
    gs_score_fn *score[GS_TYPE_LIMIT]; /* of the types of the cache */
    gs_mix_fn *mix[GS_TYPE_LIMIT];
    void (*delta)(const struct gs_delta *p);
};

/* `level` is one that gs_cpu_has(). */
void gs_kernels_init(struct gs_kernels *k, enum gs_cpu_level level);
/* The reference alone: complete by itself. */
void gs_kernels_init_ref(struct gs_kernels *k);
/* The best level that is not above the one of that name (NULL: any). AMX is left out where it does
 * not do what it should.
 *
 * errors: GS_EINVAL for a name it does not know; GS_EUNSUPPORTED for "amx" where that is not there
 *         or left out. */
GS_MUST_CHECK enum gs_status gs_kernels_choose(struct gs_kernels *k, const char *name,
                                               struct gs_error *err);
/* Why the AMX of this machine is left out; NULL: it is not, or there is none. */
const char *gs_kernels_amx_problem(void);
/* Whether all products from panels have the same bits with both. */
bool gs_kernels_agree(const struct gs_kernels *a, const struct gs_kernels *b);

/* The form in which products with weights of type t read their input. */
enum gs_act_form gs_kernels_act_form(enum gs_type t);

#endif
