/* Kernels over rows of floats. A tail of fewer than 16 values goes through the same operations as
 * the body. */
#include "compute/cpu/common/exp.inc.h"

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

static void softcap(float *x, size_t n, float cap)
{
#define BODY(LOAD, STORE) STORE(x + i, vf_softcap(LOAD(x + i), cap));
    FOR_VECTORS(n, BODY)
#undef BODY
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
    k->softcap = softcap;
}
