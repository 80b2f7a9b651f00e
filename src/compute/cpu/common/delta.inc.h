/* The gated delta rule. A slice of the state stays in the nearest cache for all tokens of a run;
 * one pass over it adds what the token before has left behind and takes the products with the
 * token's key and query. DELTA_VECTORS of channels at a time keep their sums in registers. */
#include <math.h>

#define LANES 16

/* n lanes; whole vectors when n is the constant 16. */
SIMD_INLINE vf load_lanes(const float *p, size_t n)
{
    return n < LANES ? vf_load_n(p, n) : vf_load(p);
}

SIMD_INLINE void store_lanes(float *p, vf v, size_t n)
{
    if (n < LANES)
        vf_store_n(p, v, n);
    else
        vf_store(p, v);
}

/* What a token leaves behind: s = alpha s + k u. */
struct delta_rest {
    const float *k; /* NULL: nothing */
    float alpha;
    vf u[DELTA_VECTORS];
};

/* Row i of `vecs` vectors of state at s, with the rest added. */
SIMD_INLINE void delta_row(float *s, const struct delta_rest *rest, bool has_rest, size_t i,
                           int vecs, size_t n, vf *row)
{
#pragma GCC unroll 4
    for (int j = 0; j < vecs; j++) {
        row[j] = load_lanes(s + LANES * j, n);
        if (has_rest) {
            const vf kept = vf_mul(vf_set(rest->alpha), row[j]);
            row[j] = vf_fma(vf_set(rest->k[i]), rest->u[j], kept);
            store_lanes(s + LANES * j, row[j], n);
        }
    }
}

/* sk = sum k[i] s[i] and sq = sum q[i] s[i], of the state with the rest added. */
SIMD_INLINE void delta_sums(const struct gs_delta *p, const struct delta_rest *rest, bool has_rest,
                            size_t t, size_t c, int vecs, size_t n, vf *sk, vf *sq)
{
    const float *q = p->q + t * p->q_stride;
    const float *k = p->k + t * p->k_stride;

#pragma GCC unroll 4
    for (int j = 0; j < vecs; j++)
        sk[j] = sq[j] = vf_zero();
    for (size_t i = 0; i < p->d_k; i++) {
        vf row[DELTA_VECTORS];
        delta_row(p->s + i * p->stride + c, rest, has_rest, i, vecs, n, row);
#pragma GCC unroll 4
        for (int j = 0; j < vecs; j++) {
            sk[j] = vf_fma(vf_set(k[i]), row[j], sk[j]);
            sq[j] = vf_fma(vf_set(q[i]), row[j], sq[j]);
        }
    }
}

SIMD_INLINE float delta_kq(const float *k, const float *q, size_t n)
{
    vf sum = vf_zero();
    size_t i = 0;

    for (; i + LANES <= n; i += LANES)
        sum = vf_fma(vf_load(k + i), vf_load(q + i), sum);
    if (i < n)
        sum = vf_fma(vf_load_n(k + i, n - i), vf_load_n(q + i, n - i), sum);
    return vf_sum(sum);
}

/* `vecs` vectors of channels at c, of which the last has n lanes; vecs is a constant. */
SIMD_INLINE void delta_channels(const struct gs_delta *p, size_t c, int vecs, size_t n)
{
    struct delta_rest rest = {0};

    for (size_t t = 0; t < p->n_tokens; t++) {
        const float *k = p->k + t * p->k_stride;
        const vf alpha = vf_set(expf(p->g[t * p->g_stride]));
        const vf beta = vf_set(p->beta[t * p->beta_stride]);
        const vf kq = vf_set(delta_kq(k, p->q + t * p->q_stride, p->d_k));
        vf sk[DELTA_VECTORS];
        vf sq[DELTA_VECTORS];
        if (rest.k)
            delta_sums(p, &rest, true, t, c, vecs, n, sk, sq);
        else
            delta_sums(p, &rest, false, t, c, vecs, n, sk, sq);
#pragma GCC unroll 4
        for (int j = 0; j < vecs; j++) {
            const vf v = load_lanes(p->v + t * p->v_stride + c + LANES * (size_t)j, n);
            const vf u = vf_mul(beta, vf_sub(v, vf_mul(alpha, sk[j])));
            const vf out = vf_fma(u, kq, vf_mul(alpha, sq[j]));
            store_lanes(p->out + t * p->out_stride + c + LANES * (size_t)j,
                        vf_mul(vf_set(p->scale), out), n);
            rest.u[j] = u;
        }
        rest.k = k;
        rest.alpha = expf(p->g[t * p->g_stride]);
    }
    for (size_t i = 0; rest.k && i < p->d_k; i++) {
        vf row[DELTA_VECTORS];
        delta_row(p->s + i * p->stride + c, &rest, true, i, vecs, n, row);
    }
}

static void delta(const struct gs_delta *p)
{
    size_t c = 0;

    for (; c + LANES * DELTA_VECTORS <= p->n; c += LANES * DELTA_VECTORS)
        delta_channels(p, c, DELTA_VECTORS, LANES);
    for (; c + LANES <= p->n; c += LANES)
        delta_channels(p, c, 1, LANES);
    if (c < p->n)
        delta_channels(p, c, 1, p->n - c);
}

static void init_delta(struct gs_kernels *k)
{
    k->delta = delta;
}
