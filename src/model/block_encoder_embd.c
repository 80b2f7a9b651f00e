/* Where a text enters and leaves an encoder: the sum of its tables of tokens, segments and
 * positions, and the states of the rows that are asked for. */
#include "model/block_encoder.h"

#include <stdio.h>

#include "gguf/gguf.h"

struct gs_norm gs_block_norm_load(struct gs_loader *ld, const char *name, uint64_t n)
{
    char weight[GS_LOAD_NAME_BYTES];
    char bias[GS_LOAD_NAME_BYTES];

    snprintf(weight, sizeof(weight), "%s.weight", name);
    snprintf(bias, sizeof(bias), "%s.bias", name);
    return (struct gs_norm){gs_load_vector(ld, weight, n), gs_load_vector_opt(ld, bias, n)};
}

struct gs_norm gs_block_norm_load_opt(struct gs_loader *ld, const char *name, uint64_t n)
{
    char weight[GS_LOAD_NAME_BYTES];

    snprintf(weight, sizeof(weight), "%s.weight", name);
    return gs_load_has(ld, weight) ? gs_block_norm_load(ld, name, n) : (struct gs_norm){0};
}

void gs_block_norm(struct gs_lane *lane, struct gs_rows out, struct gs_rows x, struct gs_norm norm,
                   float eps)
{
    gs_op_layer_norm(lane, out, x, norm.weight, norm.bias, eps);
}

/* A table of embeddings: as many rows as the file has. */
static const struct gs_tensor *load_table(struct gs_loader *ld, const char *name)
{
    const struct gs_gguf_tensor *t = gs_gguf_tensor_find(ld->file, name);

    if (t && (t->dims[1] < 1 || t->dims[1] > INT32_MAX))
        gs_load_fail(ld, GS_EFORMAT, "tensor \"%s\" has no rows, or more than 2147483647", name);
    return gs_load_matrix(ld, name, ld->model->params.n_embd, t ? t->dims[1] : 1);
}

void gs_block_encoder_embd_load(struct gs_loader *ld, const char *eps_key,
                                struct gs_encoder_embd *out)
{
    struct gs_model_params *p = &ld->model->params;

    *out = (struct gs_encoder_embd){.eps = gs_load_f32(ld, eps_key, 0, 1)};
    out->token = load_table(ld, "token_embd.weight");
    if (gs_load_has(ld, "token_types.weight"))
        out->type = load_table(ld, "token_types.weight");
    if (gs_load_has(ld, "position_embd.weight"))
        out->position = load_table(ld, "position_embd.weight");
    out->norm = gs_block_norm_load_opt(ld, "token_embd_norm", p->n_embd);
    if (ld->st != GS_OK)
        return;
    p->is_encoder = true;
    p->n_vocab = (uint32_t)out->token->ne[1];
    p->n_segments = out->type ? (uint32_t)out->type->ne[1] : 1;
    if (out->position)
        p->ctx_train_tokens = GS_MIN(p->ctx_train_tokens, out->position->ne[1]);
}

void gs_block_encoder_embd(struct gs_lane *lane, const struct gs_encoder_embd *e,
                           const struct gs_batch *b, struct gs_rows x, struct gs_rows y)
{
    gs_op_embed(lane, x, e->token, b->tokens);
    if (e->type) {
        gs_op_embed(lane, y, e->type, b->segments);
        gs_op_add(lane, x, y);
    }
    if (e->position) {
        gs_op_embed(lane, y, e->position, b->pos);
        gs_op_add(lane, x, y);
    }
    if (e->norm.weight)
        gs_block_norm(lane, x, x, e->norm, e->eps);
}

void gs_block_encoder_out(struct gs_lane *lane, const struct gs_batch *b, struct gs_rows x)
{
    /* Gathering rows is embedding with the activations as the table. */
    const struct gs_tensor table = {
        .type = GS_TYPE_F32,
        .ne = {x.dim, x.n, 1, 1},
        .row_bytes = x.stride * sizeof(float),
        .data = (const uint8_t *)x.p,
        .n_bytes = x.n * x.stride * sizeof(float),
    };

    gs_op_embed(lane, gs_rows(b->logits, b->n_out, x.dim), &table, b->out_rows);
}
