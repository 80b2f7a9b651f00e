/* Mixture of experts: which experts a token goes to, and with what weights. Grouped choice with a
 * bias: DeepSeek-AI 2024, "DeepSeek-V3 Technical Report", section 2.1.2. */
#include "compute/ops.h"

#include <assert.h>
#include <math.h>

#include "compute/kernels.h"

#define OUT       (-1.0f) /* in place of a weight: no longer to be chosen; weights are >= 0 */
#define LEAST_SUM 6.1e-5f /* of weights that are renormalised */

static void softmax(const struct gs_kernels *k, float *x, size_t n)
{
    const float sum = k->exp_sum(x, n, k->max(x, n));

    k->scale(x, x, NULL, 1 / sum, n);
}

static void sigmoid(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = 1 / (1 + expf(-x[i]));
}

/* By which experts are compared. */
static float score(const struct gs_moe *m, const float *p, uint32_t e)
{
    return m->choice_bias ? p[e] + m->choice_bias[e] : p[e];
}

/* Sum of the two largest scores of experts [begin, end). */
static float group_score(const struct gs_moe *m, const float *p, uint32_t begin, uint32_t end)
{
    float first = -INFINITY;
    float second = -INFINITY;

    for (uint32_t e = begin; e < end; e++) {
        const float s = score(m, p, e);
        second = s > first ? first : GS_MAX(second, s);
        first = GS_MAX(first, s);
    }
    return end - begin > 1 ? first + second : first;
}

/* Put all groups but the best ones out. */
static void limit_groups(float *p, const struct gs_moe *m)
{
    const uint32_t size = m->n_expert / m->n_group;
    float scores[GS_MOE_MAX_GROUPS];
    bool used[GS_MOE_MAX_GROUPS] = {false};

    assert(size > 0 && m->n_group <= GS_MOE_MAX_GROUPS);
    for (uint32_t g = 0; g < m->n_group; g++)
        scores[g] = group_score(m, p, g * size, (g + 1) * size);
    for (uint32_t i = 0; i < m->n_group_used; i++) {
        uint32_t best = m->n_group;
        for (uint32_t g = 0; g < m->n_group; g++)
            if (!used[g] && (best == m->n_group || scores[g] > scores[best]))
                best = g;
        used[best] = true;
    }
    for (uint32_t e = 0; e < m->n_expert; e++)
        if (!used[e / size])
            p[e] = OUT;
}

/* The best of those that are left; it is put out. */
static uint32_t take_best(float *p, const struct gs_moe *m, float *out_weight)
{
    uint32_t best = m->n_expert;

    for (uint32_t e = 0; e < m->n_expert; e++)
        if (p[e] != OUT && (best == m->n_expert || score(m, p, e) > score(m, p, best)))
            best = e;
    assert(best < m->n_expert);
    *out_weight = p[best];
    p[best] = OUT;
    return best;
}

static void choose(float *p, const struct gs_moe *m, int32_t *ids, float *weights)
{
    float sum = 0;

    for (uint32_t rank = 0; rank < m->n_used; rank++) {
        ids[rank] = (int32_t)take_best(p, m, &weights[rank]);
        sum += weights[rank];
    }
    const float scale = m->weight_scale * (m->renormalise ? 1 / GS_MAX(sum, LEAST_SUM) : 1);
    for (uint32_t rank = 0; rank < m->n_used; rank++)
        weights[rank] *= m->expert_scale ? scale * m->expert_scale[ids[rank]] : scale;
}

void gs_op_moe_route(struct gs_lane *lane, int32_t *ids, float *weights, struct gs_rows logits,
                     const struct gs_moe *m)
{
    size_t begin;
    size_t end;

    assert(m->n_used >= 1 && m->n_used <= m->n_expert);
    gs_lane_share(lane, logits.n, 1, &begin, &end);
    for (size_t r = begin; r < end; r++) {
        float *p = logits.p + r * logits.stride;
        if (m->sigmoid)
            sigmoid(p, m->n_expert);
        else
            softmax(lane->k, p, m->n_expert);
        if (m->n_group > 0)
            limit_groups(p, m);
        choose(p, m, ids + r * m->n_used, weights + r * m->n_used);
    }
    gs_lane_sync(lane);
}
