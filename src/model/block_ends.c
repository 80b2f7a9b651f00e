/* Where a batch enters and leaves the network: the token embedding, and the head
 * logits = W_out RMS(x; output_norm) of the rows that are asked for, or the states
 * RMS(x; output_norm) alone. Some families scale the one
 * or the other, or cap logits softly: cap tanh(logits / cap). */
#include "model/block.h"

#include "gguf/gguf.h"

/* The vocabulary's size is the embedding's, not a key's. */
static uint64_t count_vocab(const struct gs_loader *ld)
{
    const struct gs_gguf_tensor *t = gs_gguf_tensor_find(ld->file, "token_embd.weight");

    return t ? t->dims[1] : 0;
}

void gs_block_ends_load(struct gs_loader *ld, struct gs_ends *out)
{
    struct gs_model_params *p = &ld->model->params;
    const uint64_t n_vocab = count_vocab(ld);
    const uint64_t d = p->n_embd;

    out->eps = gs_load_f32(ld, "attention.layer_norm_rms_epsilon", 0, 1);
    out->token_embd = gs_load_matrix(ld, "token_embd.weight", d, n_vocab);
    if (n_vocab < 1 || n_vocab > INT32_MAX)
        gs_load_fail(ld, GS_EFORMAT,
                     "tensor \"token_embd.weight\": the vocabulary is empty or "
                     "has more than 2147483647 tokens");
    p->n_vocab = (uint32_t)n_vocab;
    out->output_norm = gs_load_vector(ld, "output_norm.weight", d);
    out->output = gs_load_has(ld, "output.weight") ? gs_load_matrix(ld, "output.weight", d, n_vocab)
                                                   : out->token_embd;
    out->embed_scale = gs_load_f32_or(ld, "embedding_scale", 1, 1e-6f, 1e6f);
    out->logit_scale = gs_load_f32_or(ld, "logit_scale", 1, 1e-6f, 1e6f);
    out->softcap = gs_load_f32_or(ld, "final_logit_softcapping", 0, 0, 1e6f);
}

void gs_block_embed(struct gs_lane *lane, const struct gs_ends *e, const struct gs_batch *b,
                    struct gs_rows x)
{
    gs_op_embed(lane, x, e->token_embd, b->tokens);
    if (e->embed_scale != 1)
        gs_op_scale(lane, x, e->embed_scale);
}

struct gs_stream gs_block_stream_take(const struct gs_ends *e, const struct gs_rope *rope,
                                      struct gs_work *w)
{
    const size_t n_embd = e->token_embd->ne[0];
    struct gs_stream s;

    s.x = gs_work_rows(w, w->n_rows, n_embd);
    s.y = gs_work_rows(w, w->n_rows, n_embd);
    s.angles = gs_block_angles_take(rope, w);
    return s;
}

struct acts {
    struct gs_rows y; /* [out][D] */
    struct gs_act y_act;
};

static struct acts take(const struct gs_ends *e, struct gs_work *w, size_t n_out)
{
    struct acts a;

    a.y = gs_work_rows(w, n_out, e->token_embd->ne[0]);
    a.y_act = gs_work_act_normed(w, (struct gs_normed){a.y, e->output_norm, e->eps});
    return a;
}

void gs_block_head_plan(const struct gs_ends *e, struct gs_work w, size_t n_out)
{
    take(e, &w, n_out);
}

void gs_block_head(struct gs_lane *lane, const struct gs_ends *e, const struct gs_batch *b,
                   struct gs_rows x, struct gs_work w)
{
    struct acts a = take(e, &w, b->n_out);
    /* Gathering rows is embedding with the activations as the table. */
    const struct gs_tensor table = {
        .type = GS_TYPE_F32,
        .ne = {x.dim, x.n, 1, 1},
        .row_bytes = x.stride * sizeof(float),
        .data = (const uint8_t *)x.p,
        .n_bytes = x.n * x.stride * sizeof(float),
    };
    const struct gs_matmul logits = {
        .out = gs_rows(b->logits, b->n_out, e->output->ne[1]),
        .w = e->output,
    };

    if (b->n_out == 0)
        return;
    gs_op_embed(lane, a.y, &table, b->out_rows);
    if (b->states_only) {
        gs_op_rms_norm(lane, gs_rows(b->logits, b->n_out, x.dim), a.y, e->output_norm, e->eps);
        return;
    }
    gs_op_matmul(lane, &a.y_act, &logits, 1);
    if (e->logit_scale != 1)
        gs_op_scale(lane, logits.out, 1 / e->logit_scale);
    if (e->softcap > 0)
        gs_op_softcap(lane, logits.out, e->softcap);
}
