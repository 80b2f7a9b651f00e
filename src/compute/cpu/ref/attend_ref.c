/* Kernels of attention and of the delta rule. */
#include "compute/cpu/ref/ref.h"

#include <math.h>

#include "compute/blocks.h"

#define QUERIES GS_ATTEND_QUERIES

static float bend(const struct gs_attend *a, size_t i, size_t j, float score)
{
    if (a->softcap > 0)
        score = a->softcap * tanhf(score / a->softcap);
    if (a->slope > 0)
        score -= a->slope * fabsf((float)j - a->pos[i]);
    return score;
}

/* One query. */
static void attend_query(const struct gs_attend *a, size_t i)
{
    const float end = a->end ? a->end[i] : (float)a->n_keys;
    const float first = a->first ? a->first[i] : 0;
    const float old = a->max[i];
    float scores[GS_ATTEND_KEYS];

    for (size_t j = 0; j < a->n_keys; j++) {
        float score = 0;
        for (size_t d = 0; d < a->d_k; d++)
            score += a->k[j * a->k_stride + d] * a->q[d * QUERIES + i];
        scores[j] = (float)j >= first && (float)j < end ? bend(a, i, j, score) : -INFINITY;
        a->max[i] = fmaxf(a->max[i], scores[j]);
    }
    const float keep = expf(old - a->max[i]);
    a->sum[i] *= keep;
    for (size_t j = 0; j < a->n_keys; j++) {
        scores[j] = expf(scores[j] - a->max[i]);
        a->sum[i] += scores[j];
    }
    for (size_t d = 0; d < a->d_v; d++) {
        float *out = a->out + d * QUERIES + i;
        *out *= keep;
        for (size_t j = 0; j < a->n_keys; j++)
            *out += scores[j] * a->v[j * a->v_stride + d];
    }
}

static void attend(const struct gs_attend *a)
{
    for (size_t i = 0; i < QUERIES; i++)
        attend_query(a, i);
}

/* ---- rows of the cache, unpacked by PART values, a multiple of every block ---- */

#define PART 32

struct cache_type {
    gs_dequant_fn *dequant;
    size_t part_bytes;
};

static void score(const struct cache_type *t, const struct gs_score *s)
{
    float part[PART];

    for (size_t j = 0; j < s->n_keys; j++) {
        for (size_t i = 0; i < s->n_q; i++)
            s->out[i * s->out_stride + j] = 0;
        for (size_t c = 0; c < s->n; c += PART) {
            const size_t n = GS_MIN(s->n - c, (size_t)PART);
            t->dequant(s->k + j * s->k_stride + c / PART * t->part_bytes, part, n);
            for (size_t i = 0; i < s->n_q; i++)
                for (size_t d = 0; d < n; d++)
                    s->out[i * s->out_stride + j] += part[d] * s->q[i * s->q_stride + c + d];
        }
    }
}

static void mix(const struct cache_type *t, const struct gs_mix *m)
{
    float part[PART];

    for (size_t j = 0; j < m->n_v; j++) {
        for (size_t c = 0; c < m->n; c += PART) {
            const size_t n = GS_MIN(m->n - c, (size_t)PART);
            t->dequant(m->v + j * m->v_stride + c / PART * t->part_bytes, part, n);
            for (size_t i = 0; i < m->n_o; i++)
                for (size_t d = 0; d < n; d++)
                    m->o[i * m->o_stride + c + d] += m->p[i * m->p_stride + j] * part[d];
        }
    }
}

#define CACHE_TYPE(name, bytes)                                                                    \
    static const struct cache_type type_##name = {gs_kernels_dequant_##name##_ref, bytes};         \
    static void score_##name(const struct gs_score *s)                                             \
    {                                                                                              \
        score(&type_##name, s);                                                                    \
    }                                                                                              \
    static void mix_##name(const struct gs_mix *m)                                                 \
    {                                                                                              \
        mix(&type_##name, m);                                                                      \
    }

CACHE_TYPE(f32, PART * 4)
CACHE_TYPE(f16, PART * 2)
CACHE_TYPE(q8_0, sizeof(struct gs_block_q8_0))

/* ---- delta rule ---- */

static void delta_token(const struct gs_delta *p, size_t t)
{
    const float *q = p->q + t * p->q_stride;
    const float *k = p->k + t * p->k_stride;
    const float *v = p->v + t * p->v_stride;
    const float alpha = expf(p->g[t * p->g_stride]);
    const float beta = p->beta[t * p->beta_stride];
    float sk[GS_DELTA_SLICE] = {0};
    float sq[GS_DELTA_SLICE] = {0};
    float kq = 0;

    for (size_t i = 0; i < p->d_k; i++) {
        kq += k[i] * q[i];
        for (size_t c = 0; c < p->n; c++) {
            sk[c] += k[i] * p->s[i * p->stride + c];
            sq[c] += q[i] * p->s[i * p->stride + c];
        }
    }
    for (size_t c = 0; c < p->n; c++) {
        const float u = beta * (v[c] - alpha * sk[c]);
        p->out[t * p->out_stride + c] = p->scale * (alpha * sq[c] + u * kq);
        for (size_t i = 0; i < p->d_k; i++)
            p->s[i * p->stride + c] = alpha * p->s[i * p->stride + c] + k[i] * u;
    }
}

static void delta(const struct gs_delta *p)
{
    for (size_t t = 0; t < p->n_tokens; t++)
        delta_token(p, t);
}

void gs_kernels_init_attend_ref(struct gs_kernels *k)
{
    k->attend = attend;
    k->score[GS_TYPE_F32] = score_f32;
    k->score[GS_TYPE_F16] = score_f16;
    k->score[GS_TYPE_Q8_0] = score_q8_0;
    k->mix[GS_TYPE_F32] = mix_f32;
    k->mix[GS_TYPE_F16] = mix_f16;
    k->mix[GS_TYPE_Q8_0] = mix_q8_0;
    k->delta = delta;
}
