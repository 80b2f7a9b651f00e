/* Dot products of weight rows and activations: the weights as dequantised, the activations as
 * quantised. One function serves all formats; values are taken 256 (the last time fewer) at a
 * time. */
#include "compute/cpu/ref/ref.h"

#include "compute/cpu/ref/half.h"

/* Group g of an activation row, as float. */
static void load_activations(enum gs_act_form form, const void *x, size_t g, size_t n, float *out)
{
    switch (form) {
    case GS_ACT_F32:
        memcpy(out, (const float *)x + g * GS_ACT_GROUP, n * sizeof(float));
        break;
    case GS_ACT_Q8: {
        const struct gs_q8 *b = (const struct gs_q8 *)x + g;
        for (size_t i = 0; i < n; i++)
            out[i] = b->d[i / 32] * (float)b->q[i];
        break;
    }
    case GS_ACT_Q8K: {
        const struct gs_q8k *b = (const struct gs_q8k *)x + g;
        for (size_t i = 0; i < n; i++)
            out[i] = b->d * (float)b->q[i];
        break;
    }
    }
}

static void dot(const struct gs_dot *p, enum gs_type type, gs_dequant_fn *dequant)
{
    const enum gs_act_form form = gs_kernels_act_form(type);
    const size_t group_bytes = GS_ACT_GROUP / gs_type_block_len(type) * gs_type_block_bytes(type);

    for (size_t r = 0; r < p->n_rows; r++) {
        double sums[GS_DOT_TOKENS] = {0};
        for (size_t g = 0; g * GS_ACT_GROUP < p->n; g++) {
            const size_t n = GS_MIN(p->n - g * GS_ACT_GROUP, (size_t)GS_ACT_GROUP);
            float w[GS_ACT_GROUP];
            float x[GS_ACT_GROUP];
            dequant(p->w + r * p->w_stride + g * group_bytes, w, n);
            for (size_t t = 0; t < p->n_tokens; t++) {
                load_activations(form, p->x[t], g, n, x);
                for (size_t i = 0; i < n; i++)
                    sums[t] += (double)(w[i] * x[i]);
            }
        }
        for (size_t t = 0; t < p->n_tokens; t++)
            p->out[t][r] = (float)sums[t];
    }
}

#define DOT_REF(type, name, form)                                                                  \
    static void dot_##name(const struct gs_dot *p)                                                 \
    {                                                                                              \
        dot(p, type, gs_kernels_dequant_##name##_ref);                                             \
    }
GS_KERNEL_TYPE_MAP(DOT_REF)
#undef DOT_REF

void gs_kernels_init_dot_ref(struct gs_kernels *k)
{
#define DOT_REF(type, name, form) k->dot[type] = dot_##name;
    GS_KERNEL_TYPE_MAP(DOT_REF)
#undef DOT_REF
}
