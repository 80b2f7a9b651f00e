/* The feed-forward half of an encoder's layer, with or without a gate. The gate may be rows of
 * its own or the first half of the rows of W_up. */
#include "model/block_encoder.h"

#include <stdio.h>

#include "gguf/gguf.h"

static uint64_t count_up_rows(const struct gs_loader *ld)
{
    char name[GS_LOAD_NAME_BYTES];

    snprintf(name, sizeof(name), "%sffn_up.weight", ld->scope);
    const struct gs_gguf_tensor *t = gs_gguf_tensor_find(ld->file, name);
    return t ? t->dims[1] : 0;
}

void gs_block_encoder_ffn_load(struct gs_loader *ld, enum gs_encoder_act act,
                               struct gs_encoder_ffn *out)
{
    const uint64_t d = ld->model->params.n_embd;
    const uint64_t ff = gs_load_u32(ld, "feed_forward_length", 1, GS_LOAD_MAX_DIM);

    *out = (struct gs_encoder_ffn){.act = act};
    if (!gs_load_has(ld, "ffn_gate.weight") && count_up_rows(ld) == 2 * ff) {
        const float *bias = gs_load_vector_opt(ld, "ffn_up.bias", 2 * ff);
        out->gate = gs_load_matrix_part(ld, "ffn_up.weight", d, 2 * ff, 0, ff);
        out->up = gs_load_matrix_part(ld, "ffn_up.weight", d, 2 * ff, ff, ff);
        out->gate_bias = bias;
        out->up_bias = bias ? bias + ff : NULL;
    } else {
        if (act == GS_ENCODER_SILU || gs_load_has(ld, "ffn_gate.weight"))
            out->gate = gs_load_matrix(ld, "ffn_gate.weight", d, ff);
        out->up = gs_load_matrix(ld, "ffn_up.weight", d, ff);
        out->gate_bias = gs_load_vector_opt(ld, "ffn_gate.bias", ff);
        out->up_bias = gs_load_vector_opt(ld, "ffn_up.bias", ff);
    }
    out->down = gs_load_matrix(ld, "ffn_down.weight", ff, d);
    out->down_bias = gs_load_vector_opt(ld, "ffn_down.bias", d);
}

struct acts {
    struct gs_act x;
    struct gs_rows up, gate; /* [row][ff]; the gate only if there is one */
    struct gs_act h;
};

static struct acts take(const struct gs_encoder_ffn *f, struct gs_work *w, struct gs_rows x)
{
    struct acts t = {.x = gs_work_act(w, x)};

    t.up = gs_work_rows(w, w->n_rows, f->up->ne[1]);
    if (f->gate)
        t.gate = gs_work_rows(w, w->n_rows, f->gate->ne[1]);
    t.h = gs_work_act(w, t.up);
    return t;
}

void gs_block_encoder_ffn_plan(const struct gs_encoder_ffn *f, struct gs_work w, size_t n_embd)
{
    take(f, &w, gs_rows(NULL, w.n_rows, n_embd));
}

void gs_block_encoder_ffn(struct gs_lane *lane, const struct gs_encoder_ffn *f, struct gs_rows out,
                          struct gs_rows x, struct gs_work w)
{
    struct acts t = take(f, &w, x);
    const struct gs_matmul in[] = {{.out = t.up, .w = f->up, .bias = f->up_bias},
                                   {.out = t.gate, .w = f->gate, .bias = f->gate_bias}};
    const struct gs_matmul down = {.out = out, .w = f->down, .bias = f->down_bias};

    gs_op_matmul(lane, &t.x, in, f->gate ? 2 : 1);
    if (f->act == GS_ENCODER_SILU)
        gs_op_swiglu(lane, t.up, t.gate, t.up);
    else
        gs_op_gelu_half(lane, t.up, f->gate ? t.gate : t.up, f->gate ? t.up : (struct gs_rows){0});
    gs_op_matmul(lane, &t.h, &down, 1);
}
