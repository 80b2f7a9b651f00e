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
    GS_CPU_LIMIT
};

bool gs_cpu_has(enum gs_cpu_level level); /* this machine and this build */
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
    GS_ACT_Q8K = 2 /* struct gs_q8k, for weight blocks of 256 */
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
    const void *x; /* panels, padded with tokens of zeros */
    float *out;    /* [token][row] */
    size_t out_stride;
    const float *bias; /* [n_rows] or NULL */
    void *scratch;     /* 64-aligned, for n_rows rounded up to GS_PANEL_GRAIN */
};

/* o[i][c] += sum_j p[i][j] v[j][c], for i < n_o, j < n_v, c < n; j in order. */
struct gs_mix {
    float *o;
    const float *p;
    const float *v;
    size_t o_stride, p_stride, v_stride; /* floats */
    size_t n_o, n_v, n;
};

/* One token of the delta rule for channels [0, n) of the values: s[i][c] is i < d_k rows of state
 * `stride` floats apart. With p = sum k[i] s[i], r = sum q[i] s[i]:
 * u = beta (v - alpha p); out = scale (alpha r + u (k . q)); s[i] = alpha s[i] + k[i] u. */
struct gs_delta_step {
    float *s;
    size_t stride;
    size_t d_k;
    size_t n; /* <= GS_DELTA_SLICE */
    const float *q, *k, *v;
    float alpha, beta, scale;
    float *out;
};
#define GS_DELTA_SLICE 32

typedef void gs_dot_fn(const struct gs_dot *d);
typedef void gs_panel_fn(const struct gs_panel *p);
/* 16 gs_q8 or gs_q8k, one of each token, to the panel of their group. */
typedef void gs_panel_of_fn(const void *rows, void *panel);
typedef void gs_dequant_fn(const void *row, float *out, size_t n);
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
    void (*mix)(const struct gs_mix *m);
    void (*delta_step)(const struct gs_delta_step *p);
};

/* `level` is one that gs_cpu_has(). */
void gs_kernels_init(struct gs_kernels *k, enum gs_cpu_level level);
/* The reference alone: complete by itself. */
void gs_kernels_init_ref(struct gs_kernels *k);

/* The form in which products with weights of type t read their input. */
enum gs_act_form gs_kernels_act_form(enum gs_type t);

#endif
