/* Kernels over rows of floats. A tail of fewer than 16 values goes through the same operations as
 * the body. */

/* exp, relative error below 2e-7; 0 below -104, infinity above 89, NaN stays NaN.
 * x = n ln 2 + r, |r| <= ln 2 / 2; e^r by its Taylor series to r^7 (error 5e-9); 2^n in two
 * factors, so that subnormal results are rounded once. */
SIMD_INLINE vf vf_exp(vf x)
{
    x = vf_min(vf_set(89), vf_max(vf_set(-104), x));
    const vf n = vf_round(vf_mul(x, vf_set(1.44269504f)));
    vf r = vf_fma(n, vf_set(-0.693359375f), x); /* ln 2 in two parts, the first exact times n */
    r = vf_fma(n, vf_set(2.12194440e-4f), r);
    vf p = vf_set(1.0f / 5040);
    p = vf_fma(p, r, vf_set(1.0f / 720));
    p = vf_fma(p, r, vf_set(1.0f / 120));
    p = vf_fma(p, r, vf_set(1.0f / 24));
    p = vf_fma(p, r, vf_set(1.0f / 6));
    p = vf_fma(p, r, vf_set(0.5f));
    p = vf_fma(p, r, vf_set(1));
    p = vf_fma(p, r, vf_set(1));
    const vf half = vf_round(vf_mul(n, vf_set(0.5f)));
    return vf_mul(vf_mul(p, vf_exp2_whole(half)), vf_exp2_whole(vf_sub(n, half)));
}

SIMD_INLINE vf vf_sigmoid(vf x)
{
    return vf_div(vf_set(1), vf_add(vf_set(1), vf_exp(vf_sub(vf_zero(), x))));
}

/* Run `body` with vectors at i, then with the first n - i lanes of the tail: LOAD, STORE. */
#define FOR_VECTORS(n, body)                                                                       \
    {                                                                                              \
        size_t i = 0;                                                                              \
        for (; i + 16 <= (n); i += 16) {                                                           \
            body(vf_load, vf_store)                                                                \
        }                                                                                          \
        if (i < (n)) {                                                                             \
            body(LOAD_TAIL, STORE_TAIL)                                                            \
        }                                                                                          \
    }
#define LOAD_TAIL(p)     vf_load_n(p, n - i)
#define STORE_TAIL(p, v) vf_store_n(p, v, n - i)

static float sum_squares(const float *x, size_t n)
{
    vf sum = vf_zero();

#define BODY(LOAD, STORE)                                                                          \
    const vf v = LOAD(x + i);                                                                      \
    sum = vf_fma(v, v, sum);
    FOR_VECTORS(n, BODY)
#undef BODY
    return vf_sum(sum);
}

static float max(const float *x, size_t n)
{
    float m = x[0];
    vf v = vf_set(m);
    size_t i = 0;

    for (; i + 16 <= n; i += 16)
        v = vf_max(vf_load(x + i), v);
    m = vf_max_lane(v);
    for (; i < n; i++)
        m = x[i] > m ? x[i] : m;
    return m;
}

static float exp_sum(float *x, size_t n, float max)
{
    const vf from = vf_set(max);
    vf sum = vf_zero();
    size_t i = 0;

    for (; i + 16 <= n; i += 16) {
        const vf e = vf_exp(vf_sub(vf_load(x + i), from));
        vf_store(x + i, e);
        sum = vf_add(sum, e);
    }
    if (i < n) {
        vf_store_n(x + i, vf_exp(vf_sub(vf_load_n(x + i, n - i), from)), n - i);
        sum = vf_add(sum, vf_load_n(x + i, n - i));
    }
    return vf_sum(sum);
}

static void scale(float *out, const float *x, const float *w, float s, size_t n)
{
    const vf by = vf_set(s);

    if (w) {
#define BODY(LOAD, STORE) STORE(out + i, vf_mul(vf_mul(by, LOAD(x + i)), LOAD(w + i)));
        FOR_VECTORS(n, BODY)
#undef BODY
    } else {
#define BODY(LOAD, STORE) STORE(out + i, vf_mul(by, LOAD(x + i)));
        FOR_VECTORS(n, BODY)
#undef BODY
    }
}

static void blend(float *out, float a, const float *x, float b, size_t n)
{
    const vf by_a = vf_set(a);
    const vf by_b = vf_set(b);

#define BODY(LOAD, STORE)                                                                          \
    STORE(out + i, vf_add(vf_mul(by_a, LOAD(out + i)), vf_mul(by_b, LOAD(x + i))));
    FOR_VECTORS(n, BODY)
#undef BODY
}

static void swiglu(float *out, const float *g, const float *u, size_t n)
{
#define BODY(LOAD, STORE)                                                                          \
    const vf v = LOAD(g + i);                                                                      \
    STORE(out + i, vf_mul(vf_mul(v, vf_sigmoid(v)), LOAD(u + i)));
    FOR_VECTORS(n, BODY)
#undef BODY
}

static void sigmoid_mul(float *out, const float *x, const float *g, size_t n)
{
#define BODY(LOAD, STORE) STORE(out + i, vf_mul(LOAD(x + i), vf_sigmoid(LOAD(g + i))));
    FOR_VECTORS(n, BODY)
#undef BODY
}

/* n lanes; whole vectors when n is the constant 16. */
SIMD_INLINE vf load_lanes(const float *p, size_t n)
{
    return n < 16 ? vf_load_n(p, n) : vf_load(p);
}

SIMD_INLINE void store_lanes(float *p, vf v, size_t n)
{
    if (n < 16)
        vf_store_n(p, v, n);
    else
        vf_store(p, v);
}

/* ---- mix ---- */

/* Rows [i, i + rows) of o and `cols` vectors at c, of which the last has n lanes; rows and cols are
 * constants that leave the sums in registers. */
SIMD_INLINE void mix_tile(const struct gs_mix *m, size_t i, int rows, size_t c, int cols, size_t n)
{
    float *o = m->o + i * m->o_stride + c;
    const float *p = m->p + i * m->p_stride;
    vf acc[4][4];

#pragma GCC unroll 4
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int k = 0; k < cols; k++)
            acc[r][k] = load_lanes(o + (size_t)r * m->o_stride + 16 * k, n);
    for (size_t j = 0; j < m->n_v; j++) {
#pragma GCC unroll 4
        for (int k = 0; k < cols; k++) {
            const vf v = load_lanes(m->v + j * m->v_stride + c + 16 * k, n);
#pragma GCC unroll 4
            for (int r = 0; r < rows; r++)
                acc[r][k] = vf_fma(vf_set(p[(size_t)r * m->p_stride + j]), v, acc[r][k]);
        }
    }
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int k = 0; k < cols; k++)
            store_lanes(o + (size_t)r * m->o_stride + 16 * k, acc[r][k], n);
}

SIMD_INLINE void mix_rows(const struct gs_mix *m, size_t i, int rows)
{
    const int cols = rows == 1 ? 4 : SIMD_TILE / rows;
    size_t c = 0;

    for (; c + 16 * (size_t)cols <= m->n; c += 16 * (size_t)cols)
        mix_tile(m, i, rows, c, cols, 16);
    for (; c + 16 <= m->n; c += 16)
        mix_tile(m, i, rows, c, 1, 16);
    if (c < m->n)
        mix_tile(m, i, rows, c, 1, m->n - c);
}

static void mix(const struct gs_mix *m)
{
    size_t i = 0;

    for (; i + 4 <= m->n_o; i += 4)
        mix_rows(m, i, 4);
    for (; i + 2 <= m->n_o; i += 2)
        mix_rows(m, i, 2);
    if (i < m->n_o)
        mix_rows(m, i, 1);
}

/* ---- delta rule ---- */

/* `cols` vectors of channels at c, of which the last has n lanes; cols is a constant. */
SIMD_INLINE void delta_channels(const struct gs_delta_step *p, float kq, size_t c, int cols,
                                size_t n)
{
    const vf alpha = vf_set(p->alpha);
    vf sk[2];
    vf sq[2];
    vf u[2];

#pragma GCC unroll 2
    for (int j = 0; j < cols; j++)
        sk[j] = sq[j] = vf_zero();
    for (size_t i = 0; i < p->d_k; i++) {
#pragma GCC unroll 2
        for (int j = 0; j < cols; j++) {
            const vf s = load_lanes(p->s + i * p->stride + c + 16 * j, n);
            sk[j] = vf_fma(vf_set(p->k[i]), s, sk[j]);
            sq[j] = vf_fma(vf_set(p->q[i]), s, sq[j]);
        }
    }
#pragma GCC unroll 2
    for (int j = 0; j < cols; j++) {
        const vf v = load_lanes(p->v + c + 16 * j, n);
        u[j] = vf_mul(vf_set(p->beta), vf_sub(v, vf_mul(alpha, sk[j])));
        const vf out = vf_fma(u[j], vf_set(kq), vf_mul(alpha, sq[j]));
        store_lanes(p->out + c + 16 * j, vf_mul(vf_set(p->scale), out), n);
    }
    for (size_t i = 0; i < p->d_k; i++) {
#pragma GCC unroll 2
        for (int j = 0; j < cols; j++) {
            float *s = p->s + i * p->stride + c + 16 * j;
            store_lanes(s, vf_fma(vf_set(p->k[i]), u[j], vf_mul(alpha, load_lanes(s, n))), n);
        }
    }
}

static void delta_step(const struct gs_delta_step *p)
{
    vf sum = vf_zero();
    size_t n = p->d_k;

#define BODY(LOAD, STORE) sum = vf_fma(LOAD(p->k + i), LOAD(p->q + i), sum);
    FOR_VECTORS(n, BODY)
#undef BODY
    const float kq = vf_sum(sum);
    size_t c = 0;
    for (; c + 32 <= p->n; c += 32)
        delta_channels(p, kq, c, 2, 16);
    for (; c + 16 <= p->n; c += 16)
        delta_channels(p, kq, c, 1, 16);
    if (c < p->n)
        delta_channels(p, kq, c, 1, p->n - c);
}

static void init_vector(struct gs_kernels *k)
{
    k->sum_squares = sum_squares;
    k->max = max;
    k->exp_sum = exp_sum;
    k->scale = scale;
    k->blend = blend;
    k->swiglu = swiglu;
    k->sigmoid_mul = sigmoid_mul;
    k->mix = mix;
    k->delta_step = delta_step;
}
