/* Any bytes as a model: if they open as GGUF and load, three tokens are computed on one lane, and
 * become a vector. The corpus is written by tests/unit/test_model_corpus.c. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "compute/lane.h"
#include "gguf/gguf.h"
#include "model/encoder.h"
#include "model/exec.h"
#include "model/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Of a model that may claim anything about itself: refuse what takes more than this. */
#define MAX_SCRATCH_BYTES ((uint64_t)64 << 20)

static void compute(const struct gs_model *m, struct gs_compute *pool)
{
    const struct gs_exec_options opt = {
        .kv_type = GS_TYPE_F16,
        .batch_rows = 3,
        .output_rows = 2,
        .max_sequences = 1,
        .kv_tokens = 32,
        .ctx_tokens = 32,
    };
    const int32_t tokens[] = {0, (int32_t)gs_model_params(m)->n_vocab - 1, 0};
    struct gs_exec *e = NULL;
    struct gs_seq *s = NULL;
    const float *logits = NULL;
    struct gs_error err;

    if (gs_exec_scratch_bytes(m, &opt) > MAX_SCRATCH_BYTES ||
        gs_exec_create(m, pool, &opt, &e, &err) != GS_OK)
        return;
    if (gs_seq_create(e, 3, &s, &err) != GS_OK ||
        gs_exec_forward(e, &(struct gs_run){s, tokens, 2, 1, 0}, 1, &logits, &err) != GS_OK ||
        gs_exec_forward(e, &(struct gs_run){s, tokens + 2, 1, 1, 0}, 1, &logits, &err) != GS_OK)
        abort();
    gs_seq_free(s);
    gs_exec_free(e);
}

static void encode(const struct gs_model *m, struct gs_compute *pool)
{
    const struct gs_exec_options opt = {.kv_type = GS_TYPE_F32,
                                        .batch_rows = 512,
                                        .output_rows = 512,
                                        .max_sequences = 64,
                                        .kv_tokens = 4096,
                                        .ctx_tokens = 512,
                                        .states_only = true};
    const int32_t tokens[] = {0, (int32_t)gs_model_params(m)->n_vocab - 1, 0};
    const struct gs_encoder_text text = {.tokens = tokens, .n = 3, .segment_at = 2};
    const size_t n_pooled = gs_model_params(m)->n_pooled;
    struct gs_encoder *e = NULL;
    float *out;
    struct gs_error err;

    if (gs_exec_scratch_bytes(m, &opt) > MAX_SCRATCH_BYTES ||
        gs_encoder_create(m, pool, &e, &err) != GS_OK)
        return;
    out = calloc(n_pooled, sizeof(*out));
    if (out &&
        gs_encoder_run(e, &(struct gs_encoder_job){.texts = &text, .n = 1}, out, &err) != GS_OK &&
        err.code != GS_ENOMEM && err.code != GS_ECONTEXT)
        abort();
    free(out);
    gs_encoder_free(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gs_compute *pool = NULL;
    struct gs_gguf *f = NULL;
    struct gs_model *m = NULL;
    struct gs_error err;

    if (gs_gguf_open_memory("fuzz", data, size, &f, &err) != GS_OK)
        return 0;
    if (gs_model_load(f, &m, &err) == GS_OK && gs_compute_create(1, NULL, &pool, &err) == GS_OK)
        encode(m, pool);
    if (pool && !gs_model_params(m)->is_encoder)
        compute(m, pool);
    gs_compute_free(pool);
    gs_model_free(m);
    gs_gguf_close(f);
    return 0;
}
