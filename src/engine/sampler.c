/* Nothing sorts the vocabulary: the filters keep a prefix of some order, so they take candidates
 * from a heap only as far as that prefix goes.
 *
 * Top-p: Holtzman et al. 2020 (arXiv:1904.09751). Typical: Meister et al. 2022 (arXiv:2202.00666).
 * Min-p: Nguyen et al. 2024 (arXiv:2407.01082). Repetition penalty: Keskar et al. 2019
 * (arXiv:1909.05858); frequency and presence penalty as the OpenAI API defines them. */
#include "engine/sampler.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

struct candidate {
    float logit;
    int32_t id;
};

struct gs_sampler {
    const struct gs_kernels *k;
    size_t n_vocab;
    float *row;             /* [n_vocab] adjusted logits */
    uint32_t *count;        /* [n_vocab] uses of a token; zero between calls */
    struct candidate *list; /* [n_vocab] candidates still in play */
    struct candidate *work; /* [n_vocab] */
    float *weight;          /* [n_vocab] */
};

void gs_sampling_init(struct gs_sampling *s)
{
    *s = (struct gs_sampling){
        .temperature = 1.0F,
        .top_p = 1.0F,
        .typical_p = 1.0F,
        .repeat_penalty = 1.0F,
        .repeat_last_n = 64,
    };
}

enum gs_status gs_sampler_create(size_t n_vocab, const struct gs_kernels *k,
                                 struct gs_sampler **out_s, struct gs_error *err)
{
    struct gs_sampler *s = gs_alloc_zero(sizeof(*s));

    if (!s)
        return gs_error_nomem(err, "create a sampler");
    s->k = k;
    s->n_vocab = n_vocab;
    s->row = gs_alloc_array(n_vocab, sizeof(*s->row));
    s->count = gs_alloc_array(n_vocab, sizeof(*s->count));
    s->list = gs_alloc_array(n_vocab, sizeof(*s->list));
    s->work = gs_alloc_array(n_vocab, sizeof(*s->work));
    s->weight = gs_alloc_array(n_vocab, sizeof(*s->weight));
    if (!s->row || !s->count || !s->list || !s->work || !s->weight) {
        gs_sampler_free(s);
        return gs_error_nomem(err, "create a sampler");
    }
    *out_s = s;
    return GS_OK;
}

void gs_sampler_free(struct gs_sampler *s)
{
    if (!s)
        return;
    gs_free(s->row);
    gs_free(s->count);
    gs_free(s->list);
    gs_free(s->work);
    gs_free(s->weight);
    gs_free(s);
}

/* ---- settings ---- */

static enum gs_status check_range(const char *name, float value, float low, float high,
                                  struct gs_error *err)
{
    if (value >= low && value <= high)
        return GS_OK;
    if (high < FLT_MAX)
        return gs_error_set(err, GS_EINVAL, "%s: expected a number from %g to %g, found %g", name,
                            (double)low, (double)high, (double)value);
    return gs_error_set(err, GS_EINVAL, "%s: expected a number from %g, found %g", name,
                        (double)low, (double)value);
}

enum gs_status gs_sampler_check(const struct gs_sampling *how, size_t n_vocab, struct gs_error *err)
{
    const struct {
        const char *name;
        float value, low, high;
    } ranges[] = {
        {"temperature", how->temperature, 0, FLT_MAX},
        {"top_p", how->top_p, 0, 1},
        {"min_p", how->min_p, 0, 1},
        {"typical_p", how->typical_p, 0, 1},
        {"repeat_penalty", how->repeat_penalty, 0.01F, 100},
        {"frequency_penalty", how->frequency_penalty, -100, 100},
        {"presence_penalty", how->presence_penalty, -100, 100},
    };

    for (size_t i = 0; i < GS_COUNT_OF(ranges); i++) {
        const enum gs_status st =
            check_range(ranges[i].name, ranges[i].value, ranges[i].low, ranges[i].high, err);
        if (st != GS_OK)
            return st;
    }
    for (size_t i = 0; i < how->n_logit_bias; i++) {
        const struct gs_logit_bias *b = &how->logit_bias[i];
        if (b->token < 0 || (size_t)b->token >= n_vocab)
            return gs_error_set(err, GS_EINVAL,
                                "logit_bias: token %d is not in the vocabulary of %zu", b->token,
                                n_vocab);
        if (isnan(b->bias))
            return gs_error_set(err, GS_EINVAL, "logit_bias: the bias of token %d is not a number",
                                b->token);
    }
    return GS_OK;
}

/* ---- adjusted logits ---- */

/* Minus infinity stands for "never": NaN becomes it, plus infinity the largest finite number. */
static float usable(float logit)
{
    const float x = logit > -INFINITY ? logit : -INFINITY;

    return x < FLT_MAX ? x : FLT_MAX;
}

static bool has_penalties(const struct gs_sampling *how)
{
    return how->repeat_penalty != 1 || how->frequency_penalty != 0 || how->presence_penalty != 0;
}

static void penalise(struct gs_sampler *s, const struct gs_sampling *how, const int32_t *used,
                     size_t n_used)
{
    if (!has_penalties(how))
        return;
    if (how->repeat_last_n >= 0 && (size_t)how->repeat_last_n < n_used) {
        used += n_used - (size_t)how->repeat_last_n;
        n_used = (size_t)how->repeat_last_n;
    }
    for (size_t i = 0; i < n_used; i++)
        s->count[used[i]]++;
    for (size_t i = 0; i < n_used; i++) {
        const size_t id = (size_t)used[i];
        if (s->count[id] == 0) /* done: it occurred before */
            continue;
        float x = s->row[id];
        x = x > 0 ? x / how->repeat_penalty : x * how->repeat_penalty;
        x -= (float)s->count[id] * how->frequency_penalty + how->presence_penalty;
        s->row[id] = usable(x);
        s->count[id] = 0;
    }
}

static void adjust(struct gs_sampler *s, const struct gs_sampling *how, const float *logits,
                   const int32_t *used, size_t n_used)
{
    for (size_t i = 0; i < s->n_vocab; i++)
        s->row[i] = usable(logits[i]);
    for (size_t i = 0; i < how->n_logit_bias; i++) {
        float *x = &s->row[how->logit_bias[i].token];
        *x = usable(*x + how->logit_bias[i].bias);
    }
    penalise(s, how, used, n_used);
}

static void forbid(struct gs_sampler *s, const uint64_t *mask)
{
    for (size_t i = 0; i < s->n_vocab; i++)
        if (!(mask[i / 64] >> (i % 64) & 1))
            s->row[i] = -INFINITY;
}

/* The largest of n numbers, NaN being none. */
static float largest_of(const float *row, size_t n)
{
    float max[16];
    float best = -INFINITY;
    size_t i = 0;

    for (size_t k = 0; k < GS_COUNT_OF(max); k++)
        max[k] = best;
    for (; i + GS_COUNT_OF(max) <= n; i += GS_COUNT_OF(max))
        for (size_t k = 0; k < GS_COUNT_OF(max); k++)
            max[k] = row[i + k] > max[k] ? row[i + k] : max[k];
    for (; i < n; i++)
        max[0] = row[i] > max[0] ? row[i] : max[0];
    for (size_t k = 0; k < GS_COUNT_OF(max); k++)
        best = max[k] > best ? max[k] : best;
    return best;
}

/* Index of the largest, the lowest on ties, 0 if none is above minus infinity: its block first. */
static size_t largest(const float *row, size_t n)
{
    const size_t block = 1024;
    float best = -INFINITY;
    size_t at = 0;

    for (size_t i = 0; i < n; i += block) {
        const float max = largest_of(row + i, GS_MIN(n - i, block));
        if (max > best) {
            best = max;
            at = i;
        }
    }
    while (best > -INFINITY && row[at] != best)
        at++;
    return at;
}

/* ---- heap of candidates ---- */

/* Total order: larger logit first, then lower id. */
static bool before(struct candidate a, struct candidate b)
{
    return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
}

static void sift_down(struct candidate *heap, size_t n, size_t i)
{
    const struct candidate moved = heap[i];

    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= n)
            break;
        if (child + 1 < n && before(heap[child + 1], heap[child]))
            child++;
        if (!before(heap[child], moved))
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = moved;
}

static void heap_build(struct candidate *heap, size_t n)
{
    for (size_t i = n / 2; i-- > 0;)
        sift_down(heap, n, i);
}

/* The first of the order; the heap has n - 1 candidates afterwards. */
static struct candidate heap_pop(struct candidate *heap, size_t n)
{
    const struct candidate top = heap[0];

    heap[0] = heap[n - 1];
    sift_down(heap, n - 1, 0);
    return top;
}

/* ---- filters: each keeps some of list[0, n) and returns how many ---- */

static size_t keep_possible(struct gs_sampler *s)
{
    size_t n = 0;

    for (size_t i = 0; i < s->n_vocab; i++) {
        s->list[n] = (struct candidate){s->row[i], (int32_t)i};
        n += s->row[i] > -INFINITY;
    }
    return n;
}

/* The reverse order, so that the root of a heap is the worst candidate. */
static struct candidate reversed(struct candidate c)
{
    return (struct candidate){-c.logit, -c.id};
}

static size_t keep_top_k(struct gs_sampler *s, size_t n, size_t k)
{
    if (k >= n)
        return n;
    for (size_t i = 0; i < k; i++)
        s->work[i] = reversed(s->list[i]);
    heap_build(s->work, k);
    for (size_t i = k; i < n; i++) {
        const struct candidate c = reversed(s->list[i]);
        if (before(s->work[0], c)) {
            s->work[0] = c;
            sift_down(s->work, k, 0);
        }
    }
    for (size_t left = k; left > 0; left--)
        s->list[left - 1] = reversed(heap_pop(s->work, left));
    return k;
}

static float max_logit(struct gs_sampler *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        s->weight[i] = s->list[i].logit;
    return s->k->max(s->weight, n);
}

/* Sum of exp((logit - max) / temperature), which become the weights. */
static double mass_of(struct gs_sampler *s, size_t n, float max, float temperature)
{
    for (size_t i = 0; i < n; i++)
        s->weight[i] = (s->list[i].logit - max) / temperature;
    return (double)s->k->exp_sum(s->weight, n, 0);
}

/* The likeliest is kept also when `least` was rounded up past it. */
static size_t keep_above(struct gs_sampler *s, size_t n, float least)
{
    const float max = max_logit(s, n);
    size_t kept = 0;

    least = fminf(least, max);
    for (size_t i = 0; i < n; i++)
        if (s->list[i].logit >= least)
            s->list[kept++] = s->list[i];
    return kept;
}

/* Those whose surprise -log p is nearest to the entropy, until they make up p of the mass. */
static size_t keep_typical(struct gs_sampler *s, size_t n, float p)
{
    const float max = max_logit(s, n);
    const double mass = mass_of(s, n, max, 1);
    double entropy = log(mass);
    double sum = 0;
    size_t kept = 0;

    for (size_t i = 0; i < n; i++) {
        const float x = s->list[i].logit - max;
        if (x > -FLT_MAX)
            entropy -= (double)x * (double)s->weight[i] / mass;
    }
    for (size_t i = 0; i < n; i++) {
        const double surprise = log(mass) - (double)(s->list[i].logit - max);
        s->work[i] = (struct candidate){(float)-fabs(surprise - entropy), s->list[i].id};
    }
    heap_build(s->work, n);
    do {
        const int32_t id = heap_pop(s->work, n - kept).id;
        s->list[kept] = (struct candidate){s->row[id], id};
        sum += (double)expf(s->row[id] - max);
        kept++;
    } while (kept < n && sum < (double)p * mass);
    return kept;
}

/* The likeliest that make up p of the mass. Tokens lighter than (1 - p) / n of the mass do not make
 * up 1 - p of it even together, so they are never among them: mostly that leaves few to sort. */
static size_t keep_top_p(struct gs_sampler *s, size_t n, float p)
{
    const float max = max_logit(s, n);
    const double mass = mass_of(s, n, max, 1);
    double sum = 0;
    size_t kept = 0;

    n = keep_above(s, n, max + (float)log((1 - (double)p) * mass / (double)n));
    heap_build(s->list, n);
    do {
        s->work[kept] = heap_pop(s->list, n - kept);
        sum += (double)expf(s->work[kept].logit - max);
        kept++;
    } while (kept < n && sum < (double)p * mass);
    memcpy(s->list, s->work, kept * sizeof(*s->list));
    return kept;
}

static double sum_of(const float *x, size_t n)
{
    double sums[8] = {0};
    double sum = 0;

    for (size_t i = 0; i < n; i += GS_COUNT_OF(sums))
        for (size_t k = 0; k < GS_COUNT_OF(sums); k++)
            sums[k] += (double)x[i + k];
    for (size_t k = 0; k < GS_COUNT_OF(sums); k++)
        sum += sums[k];
    return sum;
}

/* The one at which the running sum of weights passes a random share of them: its block first. */
static int32_t draw_from(struct gs_sampler *s, size_t n, float temperature, struct gs_rng *rng)
{
    const size_t block = 256;
    double left = gs_rng_double(rng) * mass_of(s, n, max_logit(s, n), temperature);
    size_t i = 0;

    for (; i + block < n; i += block) {
        const double sum = sum_of(s->weight + i, block);
        if (left < sum)
            break;
        left -= sum;
    }
    for (; i < n; i++) {
        left -= (double)s->weight[i];
        if (left < 0)
            return s->list[i].id;
    }
    while (s->weight[n - 1] <= 0) /* sums are rounded: the last that has a weight */
        n--;
    return s->list[n - 1].id;
}

enum gs_status gs_sampler_draw(struct gs_sampler *s, const struct gs_sampling *how,
                               const float *logits, const uint64_t *mask, const int32_t *used,
                               size_t n_used, struct gs_rng *rng, int32_t *out_id,
                               struct gs_error *err)
{
    const bool as_is =
        how->temperature <= 0 && !mask && how->n_logit_bias == 0 && !has_penalties(how);
    const float *row = as_is ? logits : s->row;

    if (!as_is)
        adjust(s, how, logits, used, n_used);
    if (mask)
        forbid(s, mask);
    const size_t best = largest(row, s->n_vocab);
    if (!(row[best] > -INFINITY) && mask)
        return gs_error_set(err, GS_EFORMAT, "no token fits what the answer must be");
    if (!(row[best] > -INFINITY)) {
        gs_error_set(err, GS_EFORMAT, "the model computed no usable logit");
        gs_error_hint(err, "The weights may be damaged; compare the file with its source.");
        return GS_EFORMAT;
    }
    if (how->temperature <= 0) {
        *out_id = (int32_t)best;
        return GS_OK;
    }
    size_t n = keep_possible(s);
    if (how->top_k > 0)
        n = keep_top_k(s, n, (size_t)how->top_k);
    if (how->typical_p < 1)
        n = keep_typical(s, n, how->typical_p);
    if (how->top_p < 1)
        n = keep_top_p(s, n, how->top_p);
    if (how->min_p > 0) /* at least min_p times as likely as the likeliest */
        n = keep_above(s, n, max_logit(s, n) + logf(how->min_p));
    *out_id = draw_from(s, n, how->temperature, rng);
    return GS_OK;
}

/* ---- log-probabilities ---- */

float gs_sampler_logprob(const struct gs_sampler *s, const float *logits, int32_t id,
                         struct gs_top_logprob *out_top, size_t n_top, size_t *out_n_top)
{
    size_t n = 0;
    float max = -INFINITY;

    for (size_t i = 0; i < s->n_vocab; i++) {
        const float x = usable(logits[i]);
        max = x > max ? x : max;
        if (n_top == 0 || x == -INFINITY || (n == n_top && x <= out_top[n - 1].logprob))
            continue;
        size_t at = n < n_top ? n++ : n - 1;
        for (; at > 0 && out_top[at - 1].logprob < x; at--)
            out_top[at] = out_top[at - 1];
        out_top[at] = (struct gs_top_logprob){.token = (int32_t)i, .logprob = x};
    }
    for (size_t i = 0; i < s->n_vocab; i++)
        s->weight[i] = usable(logits[i]);
    const float log_mass = max + logf(s->k->exp_sum(s->weight, s->n_vocab, max));
    for (size_t i = 0; i < n; i++)
        out_top[i].logprob -= log_mass;
    *out_n_top = n;
    return usable(logits[id]) - log_mass;
}
