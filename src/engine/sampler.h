/* From a row of logits to the next token.
 *
 * Nothing but the arguments decides the token: not the batch, not the clock. The order is
 *
 *     logit bias -> repetition, frequency, presence penalty
 *     temperature 0: the largest, the lowest id on ties
 *     else:          top-k -> typical -> top-p -> min-p -> temperature -> one draw
 *
 * A NaN is never chosen, an infinite logit counts as the largest finite one. */
#ifndef GS_ENGINE_SAMPLER_H
#define GS_ENGINE_SAMPLER_H

#include <stdint.h>

#include "base/compiler.h"
#include "base/rng.h"
#include "compute/kernels.h"
#include "genset/chat.h"

#define GS_SAMPLER_MAX_TOP 20 /* alternatives reported with a token */

struct gs_sampler;

/* Scratch memory for rows of n_vocab logits; drawing allocates nothing. `k` outlives it. */
GS_MUST_CHECK enum gs_status gs_sampler_create(size_t n_vocab, const struct gs_kernels *k,
                                               struct gs_sampler **out_s, struct gs_error *err);
void gs_sampler_free(struct gs_sampler *s);

/* GS_EINVAL naming the first setting that is out of its range. */
GS_MUST_CHECK enum gs_status gs_sampler_check(const struct gs_sampling *how, size_t n_vocab,
                                              struct gs_error *err);

/* Choose a token from logits[n_vocab], among those whose bit in `mask` is set (NULL = all). `used`
 * are the sequence's tokens so far, latest last: the penalties look at the last `repeat_last_n` of
 * them. Takes one number from `rng` unless greedy. errors: GS_EFORMAT when no logit can be chosen.
 */
GS_MUST_CHECK enum gs_status gs_sampler_draw(struct gs_sampler *s, const struct gs_sampling *how,
                                             const float *logits, const uint64_t *mask,
                                             const int32_t *used, size_t n_used, struct gs_rng *rng,
                                             int32_t *out_id, struct gs_error *err);

/* Natural logarithm of the probability of `id` in the unfiltered distribution, and of the n_top
 * (<= GS_SAMPLER_MAX_TOP) likeliest tokens, likeliest first; *out_n_top is less where there are
 * fewer numbers. */
float gs_sampler_logprob(const struct gs_sampler *s, const float *logits, int32_t id,
                         struct gs_top_logprob *out_top, size_t n_top, size_t *out_n_top);

#endif
