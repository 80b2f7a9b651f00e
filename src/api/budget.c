/* How much context and KV memory a model gets.
 *
 *     given      --ctx                         as asked, or an error
 *     context    otherwise                     the model's own, as far as the KV memory holds it
 *     given      --kv-memory                   as asked
 *     KV memory  otherwise                     half of what the machine has left after the weights
 *                                              and what sequences need however short they are
 *                                              (recurrent state, layers that see a window), but one
 *                                              context as asked at least, and no more than all
 *                                              sequences can use
 *     sequences                                as many as asked, as far as that need leaves room
 *
 * Where this is too much and the caller takes less, it is tried again with half the context, for
 * one conversation, and so on; at the end with a smaller number format.
 *
 * Reserving touches nothing: KV pages become memory when tokens are written to them. */
#include <inttypes.h>

#include "api/llm.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/os.h"
#include "compute/tensor.h"
#include "gguf/type.h"
#include "model/exec.h"
#include "model/model.h"

/* A conversation shorter than this is of no use, however short memory is. */
#define LEAST_CTX_TOKENS 4096
/* Where the machine does not say how much memory is free. */
#define ASSUMED_FREE_BYTES (8 * GS_GIB)
/* What each sequence needs however short it is (recurrent state, windows) takes this part of free
 * memory at most, all sequences together: 64 of them are 10 GB on a recurrent 27B model. */
#define FIXED_SHARE 4

enum gs_type gs_llm_kv_type(enum gs_kv_type t)
{
    switch (t) {
    case GS_KV_F16:
        return GS_TYPE_F16;
    case GS_KV_F32:
        return GS_TYPE_F32;
    case GS_KV_Q8_0:
        return GS_TYPE_Q8_0;
    }
    return GS_TYPE_F16;
}

static uint64_t free_bytes(size_t weight_bytes)
{
    const int64_t available = gs_os_memory_available_beside(weight_bytes);

    if (available >= 0)
        return (uint64_t)available;
    return ASSUMED_FREE_BYTES > weight_bytes ? ASSUMED_FREE_BYTES - weight_bytes : 0;
}

static uint64_t saturating_mul(uint64_t a, uint64_t b)
{
    uint64_t product;

    return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

static uint64_t own_ctx(const struct gs_model *m)
{
    const uint64_t train = gs_model_params(m)->ctx_train_tokens;

    return train > 0 ? train : LEAST_CTX_TOKENS;
}

/* No less is tried by itself. */
static uint64_t least_ctx(const struct gs_model *m, const struct gs_llm_options *opt)
{
    return GS_MIN(own_ctx(m), (uint64_t)GS_MAX(opt->least_ctx_tokens, (int64_t)LEAST_CTX_TOKENS));
}

/* There is nothing less to ask for: it is had, however slow. */
static bool is_least(const struct gs_model *m, const struct gs_llm_options *opt)
{
    return opt->ctx_tokens > 0 && (uint64_t)opt->ctx_tokens <= least_ctx(m, opt) &&
           opt->kv_type == GS_KV_Q8_0;
}

static enum gs_status too_large(uint64_t ctx, uint64_t needed, uint64_t available,
                                struct gs_error *err)
{
    gs_error_set(err, GS_ENOMEM,
                 "a context of %" PRIu64 " tokens needs %" PRIu64 " MiB of KV cache, %" PRIu64
                 " MiB are available",
                 ctx, needed / GS_MIB, available / GS_MIB);
    gs_error_hint(err, "Ask for a smaller context (--ctx), or store the KV cache in a smaller "
                       "number format (--kv-type q8_0).");
    gs_error_amounts(err, (long long)GS_MIN(needed, INT64_MAX), (long long)available);
    return GS_ENOMEM;
}

enum gs_status gs_llm_budget_plan(const struct gs_model *m, size_t weight_bytes,
                                  const struct gs_llm_options *opt, struct gs_llm_budget *out,
                                  struct gs_error *err)
{
    const enum gs_type kv_type = gs_llm_kv_type(opt->kv_type);
    const uint64_t per_token = GS_MAX(1, gs_exec_kv_bytes_per_token(m, kv_type));
    const uint64_t most_ctx = opt->ctx_tokens > 0 ? (uint64_t)opt->ctx_tokens : own_ctx(m);
    const uint64_t least_bytes =
        saturating_mul(opt->ctx_tokens > 0 ? most_ctx : least_ctx(m, opt), per_token);
    const struct gs_exec_options window_opt = {
        .kv_type = kv_type,
        .batch_rows = (uint32_t)opt->batch_tokens,
        .ctx_tokens = most_ctx,
    };
    const uint64_t window = gs_exec_window_bytes(m, &window_opt);
    const uint64_t fixed = GS_MAX(1, window + gs_exec_state_bytes(m));
    const uint64_t after_weights = free_bytes(weight_bytes);
    const uint64_t sequences =
        GS_MAX(1, GS_MIN((uint64_t)opt->max_sequences, after_weights / FIXED_SHARE / fixed));
    const uint64_t most_bytes = saturating_mul(most_ctx, saturating_mul(sequences, per_token));
    const uint64_t all_fixed = saturating_mul(sequences, fixed);
    const uint64_t all_free = after_weights > all_fixed ? after_weights - all_fixed : 0;
    uint64_t kv_bytes = (uint64_t)opt->kv_bytes;

    if (opt->kv_bytes <= 0) {
        kv_bytes = GS_MIN(GS_MAX(all_free / 2, least_bytes), most_bytes);
        if (opt->ctx_tokens > 0 && kv_bytes > all_free && kv_bytes == least_bytes)
            return too_large(most_ctx, least_bytes, all_free, err);
    } else if (opt->ctx_tokens > 0 && kv_bytes < least_bytes) {
        return too_large(most_ctx, least_bytes, kv_bytes, err);
    } else if (opt->takes_less && kv_bytes > all_free && !is_least(m, opt)) {
        return too_large(GS_MIN(most_ctx, kv_bytes / per_token), kv_bytes, all_free, err);
    }
    const uint64_t kv_tokens = GS_MAX(1, kv_bytes / per_token);
    const struct gs_exec_options exec_opt = {
        .kv_type = kv_type,
        .batch_rows = (uint32_t)opt->batch_tokens,
        .output_rows = (uint32_t)GS_MIN(sequences, (uint64_t)opt->batch_tokens),
        .max_sequences = (uint32_t)sequences,
        .kv_tokens = kv_tokens,
        .ctx_tokens = GS_MIN(most_ctx, kv_tokens),
    };
    *out = (struct gs_llm_budget){
        .ctx_tokens = exec_opt.ctx_tokens,
        .kv_tokens = kv_tokens,
        .kv_bytes = saturating_mul(kv_tokens, per_token) + saturating_mul(sequences, window),
        .max_sequences = exec_opt.max_sequences,
        .scratch_bytes = gs_exec_scratch_bytes(m, &exec_opt),
    };
    return GS_OK;
}

bool gs_llm_budget_shrink(const struct gs_model *m, struct gs_llm_options *opt)
{
    const uint64_t least = least_ctx(m, opt);
    const uint64_t had = opt->ctx_tokens > 0 ? (uint64_t)opt->ctx_tokens : own_ctx(m);
    const uint64_t ctx = had > least ? GS_MAX(had / 2, least) : had;

    if (!opt->takes_less || (ctx == had && opt->kv_type == GS_KV_Q8_0))
        return false;
    if (ctx == had)
        opt->kv_type = GS_KV_Q8_0;
    const uint64_t bytes =
        saturating_mul(ctx, GS_MAX(1, gs_exec_kv_bytes_per_token(m, gs_llm_kv_type(opt->kv_type))));
    opt->ctx_tokens = (int64_t)ctx;
    opt->kv_bytes = (int64_t)GS_MIN(bytes, (uint64_t)INT64_MAX);
    opt->max_sequences = GS_MAX(1, opt->max_sequences / 4);
    return true;
}
