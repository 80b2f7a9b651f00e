/* Kernels over rows of floats. */
#include "compute/cpu/ref/ref.h"

#include <math.h>

static float sum_squares(const float *x, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    return (float)sum;
}

static float max(const float *x, size_t n)
{
    float m = x[0];

    for (size_t i = 1; i < n; i++)
        m = x[i] > m ? x[i] : m;
    return m;
}

static float exp_sum(float *x, size_t n, float max)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++) {
        x[i] = expf(x[i] - max);
        sum += (double)x[i];
    }
    return (float)sum;
}

static void scale(float *out, const float *x, const float *w, float s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = s * x[i] * (w ? w[i] : 1);
}

static void blend(float *out, float a, const float *x, float b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = a * out[i] + b * x[i];
}

static float sigmoid(float x)
{
    return 1 / (1 + expf(-x));
}

static void swiglu(float *out, const float *g, const float *u, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = g[i] * sigmoid(g[i]) * u[i];
}

static void sigmoid_mul(float *out, const float *x, const float *g, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = x[i] * sigmoid(g[i]);
}

static void softcap(float *x, size_t n, float cap)
{
    for (size_t i = 0; i < n; i++)
        x[i] = cap * tanhf(x[i] / cap);
}

void gs_kernels_init_vector_ref(struct gs_kernels *k)
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
