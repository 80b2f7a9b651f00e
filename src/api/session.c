/* One sequence for programs that want logits: its own lanes and memory, apart from the engine. */
#include <string.h>

#include "api/llm.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/limits.h"
#include "compute/lane.h"
#include "gguf/type.h"
#include "model/exec.h"
#include "model/model.h"

/* Logits of one forward; more of them are computed in several. */
#define MAX_LOGIT_BYTES (64 * GS_MIB)

struct gs_session {
    struct gs_compute *compute;
    struct gs_exec *exec;
    struct gs_seq *seq;
    size_t n_vocab;
    uint64_t ctx_tokens;
    size_t batch_rows, output_rows; /* of one forward at most */
    float *logits;                  /* [n_logits of the last feed][n_vocab] */
    size_t cap_logits;
};

enum gs_status gs_session_create(gs_llm *llm, int64_t ctx_tokens, gs_session **out_session,
                                 struct gs_error *err)
{
    enum gs_status st;

    if (!llm->compute)
        return gs_error_set(err, GS_EINVAL, "model \"%s\" was opened without its weights",
                            llm->name.ptr);
    struct gs_session *s = gs_alloc_zero(sizeof(*s));
    if (!s)
        return gs_error_nomem(err, "create a session");
    s->n_vocab = gs_model_params(llm->model)->n_vocab;
    s->ctx_tokens = ctx_tokens > 0 ? (uint64_t)ctx_tokens : llm->budget.ctx_tokens;
    s->batch_rows = (size_t)llm->opt.batch_tokens;
    s->output_rows = GS_MAX(1, MAX_LOGIT_BYTES / (s->n_vocab * sizeof(float)));
    s->output_rows = GS_MIN(s->output_rows, s->batch_rows);
    const struct gs_exec_options opt = {
        .kv_type = gs_llm_kv_type(llm->opt.kv_type),
        .batch_rows = (uint32_t)s->batch_rows,
        .output_rows = (uint32_t)s->output_rows,
        .max_sequences = 1,
        .kv_tokens = s->ctx_tokens,
        .ctx_tokens = s->ctx_tokens,
    };
    st = gs_compute_create(llm->opt.n_threads, llm->opt.cpu, &s->compute, err);
    if (st == GS_OK)
        st = gs_exec_create(llm->model, s->compute, &opt, &s->exec, err);
    if (st == GS_OK)
        st = gs_seq_create(s->exec, s->ctx_tokens, &s->seq, err);
    if (st != GS_OK) {
        gs_session_free(s);
        return st;
    }
    *out_session = s;
    return GS_OK;
}

void gs_session_free(gs_session *s)
{
    if (!s)
        return;
    gs_seq_free(s->seq);
    gs_exec_free(s->exec);
    gs_compute_free(s->compute);
    gs_free(s->logits);
    gs_free(s);
}

static enum gs_status check_feed(const gs_session *s, const int32_t *tokens, size_t n,
                                 size_t n_logits, struct gs_error *err)
{
    const uint64_t len = gs_seq_len(s->seq);

    if (n_logits > n)
        return gs_error_set(err, GS_EINVAL, "logits of %zu tokens asked for, %zu given", n_logits,
                            n);
    for (size_t i = 0; i < n; i++)
        if (tokens[i] < 0 || (size_t)tokens[i] >= s->n_vocab)
            return gs_error_set(err, GS_EINVAL, "token %d is not in the vocabulary of %zu",
                                tokens[i], s->n_vocab);
    if (n <= s->ctx_tokens - len)
        return GS_OK;
    gs_error_set(err, GS_ECONTEXT, "%zu tokens do not fit the context of %llu, which holds %llu", n,
                 (unsigned long long)s->ctx_tokens, (unsigned long long)len);
    gs_error_hint(err, "Use a larger context (--ctx).");
    gs_error_amounts(err, (long long)len + (long long)n, (long long)s->ctx_tokens);
    return GS_ECONTEXT;
}

static enum gs_status reserve_logits(gs_session *s, size_t n_logits, struct gs_error *err)
{
    if (n_logits <= s->cap_logits)
        return GS_OK;
    float *logits = gs_alloc_array(n_logits, s->n_vocab * sizeof(float));
    if (!logits)
        return gs_error_nomem(err, "keep logits");
    gs_free(s->logits);
    s->logits = logits;
    s->cap_logits = n_logits;
    return GS_OK;
}

enum gs_status gs_session_feed(gs_session *s, const int32_t *tokens, size_t n, size_t n_logits,
                               struct gs_error *err)
{
    const size_t silent = n - n_logits; /* tokens before the first wanted logits */
    enum gs_status st = check_feed(s, tokens, n, n_logits, err);

    if (st == GS_OK)
        st = reserve_logits(s, n_logits, err);
    float *out = s->logits;
    for (size_t done = 0; st == GS_OK && done < n;) {
        const size_t quiet = done < silent ? silent - done : 0;
        const size_t rows = GS_MIN(GS_MIN(s->batch_rows, n - done), quiet + s->output_rows);
        const size_t wanted = rows > quiet ? rows - quiet : 0;
        const struct gs_run run = {
            .seq = s->seq,
            .tokens = tokens + done,
            .n_tokens = (uint32_t)rows,
            .n_logits = (uint32_t)wanted,
        };
        const float *logits;
        st = gs_exec_forward(s->exec, &run, 1, &logits, err);
        if (st == GS_OK && wanted > 0) {
            memcpy(out, logits, wanted * s->n_vocab * sizeof(float));
            out += wanted * s->n_vocab;
        }
        done += rows;
    }
    return st;
}

const float *gs_session_logits(const gs_session *s)
{
    return s->logits;
}

void gs_session_reset(gs_session *s)
{
    gs_seq_truncate(s->seq, 0);
}
