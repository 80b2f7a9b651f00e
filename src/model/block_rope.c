/* Rotary embedding from metadata: rope.dimension_count dimensions at rope.freq_base, scaled by
 * rope.scaling.* (linear, YaRN) or by one divisor per frequency: in rope_freqs.weight (Llama 3.1),
 * or in two tensors for contexts up to and beyond the original one (LongRoPE: Ding et al. 2024).
 * Keys: ggml docs/gguf.md; YaRN: Peng et al. 2023. */
#include "model/block.h"

#include <math.h>

#include <stdio.h>

#include "base/slice.h"
#include "gguf/gguf.h"

#define MAX_FACTOR 1e6f

static struct gs_slice scaling_type(struct gs_loader *ld)
{
    char name[GS_LOAD_NAME_BYTES];
    struct gs_slice s = GS_SLICE_LIT("linear"); /* a factor without a type means this */

    snprintf(name, sizeof(name), "%s.rope.scaling.type", ld->model->arch->name);
    if (ld->st == GS_OK && !gs_gguf_get_string(ld->file, name, &s, ld->err))
        ld->st = ld->err->code;
    return s;
}

float gs_block_rope_stretch(float factor, float mul)
{
    return factor > 1 ? 1 + 0.1f * mul * logf(factor) : 1;
}

static void load_yarn(struct gs_loader *ld, struct gs_rope *r)
{
    const float factor = r->p.freq_scale > 0 ? 1 / r->p.freq_scale : 1;

    r->p.ext_factor = 1.0f;
    r->p.beta_fast = gs_load_f32_or(ld, "rope.scaling.yarn_beta_fast", 32.0f, 0, MAX_FACTOR);
    r->p.beta_slow = gs_load_f32_or(ld, "rope.scaling.yarn_beta_slow", 1.0f, 0, MAX_FACTOR);
    r->factor = factor;
    r->log_mul = gs_load_f32_or(ld, "rope.scaling.yarn_log_multiplier", 0, 0, MAX_FACTOR);
    /* The models that have the multiplier ask for stretch(1) / stretch(multiplier). */
    r->p.attn_factor /= gs_block_rope_stretch(factor, r->log_mul);
}

static void load_scaling(struct gs_loader *ld, struct gs_rope *r)
{
    const struct gs_slice type = scaling_type(ld);
    const float old_factor = gs_load_f32_or(ld, "rope.scale_linear", 1.0f, 0, MAX_FACTOR);
    const float factor = gs_load_f32_or(ld, "rope.scaling.factor", old_factor, 0, MAX_FACTOR);
    const bool is_long = gs_slice_eq_str(type, "longrope") && r->long_factors;

    if (gs_slice_eq_str(type, "none") || is_long)
        return;
    if (!gs_slice_eq_str(type, "linear") && !gs_slice_eq_str(type, "yarn")) {
        gs_load_fail(ld, GS_EUNSUPPORTED, "rope scaling type \"%.*s\" is not supported",
                     (int)GS_MIN(type.len, 64), type.ptr);
        return;
    }
    if (factor > 0)
        r->p.freq_scale = 1.0f / factor;
    if (gs_slice_eq_str(type, "yarn"))
        load_yarn(ld, r);
}

/* Without a key for it a whole head is rotated. */
static uint32_t load_n_rot(struct gs_loader *ld)
{
    uint32_t n_head = 1;

    if (gs_load_has_key(ld, "rope.dimension_count"))
        return gs_load_u32(ld, "rope.dimension_count", 2, GS_LOAD_MAX_HEAD_DIM);
    if (!gs_load_has_key(ld, "attention.key_length"))
        n_head = gs_load_u32_at(ld, "attention.head_count", 0, 1, GS_LOAD_MAX_HEADS);
    return gs_block_head_dim(ld, "attention.key_length", n_head);
}

void gs_block_rope_load(struct gs_loader *ld, enum gs_rope_pairs pairs, struct gs_rope *out)
{
    const uint32_t ctx = (uint32_t)ld->model->params.ctx_train_tokens;
    const uint32_t n_rot = load_n_rot(ld);

    *out = (struct gs_rope){
        .p = {.pairs = pairs,
              .n_rot = n_rot,
              .freq_base = gs_load_f32_or(ld, "rope.freq_base", 10000.0f, 1.0f, 1e12f),
              .freq_scale = 1.0f,
              .attn_factor = gs_load_f32_or(ld, "rope.scaling.attn_factor", 1, 0, MAX_FACTOR),
              .beta_fast = 32.0f,
              .beta_slow = 1.0f,
              .ctx_orig =
                  gs_load_u32_or(ld, "rope.scaling.original_context_length", ctx, 1, INT32_MAX)},
        .long_factors = gs_load_vector_opt(ld, "rope_factors_long.weight", n_rot / 2),
        .factor = 1,
    };
    if (n_rot % 2 != 0)
        gs_load_fail(ld, GS_EFORMAT, "cannot rotate %u dimensions: pairs are needed", n_rot);
    out->p.freq_factors = gs_load_vector_opt(
        ld, out->long_factors ? "rope_factors_short.weight" : "rope_freqs.weight", n_rot / 2);
    load_scaling(ld, out);
}

float *gs_block_angles_take(const struct gs_rope *rope, struct gs_work *w)
{
    return gs_work_rows(w, w->n_rows, rope->p.n_rot).p;
}

void gs_block_angles(struct gs_lane *lane, const struct gs_rope *rope, const struct gs_batch *b,
                     float *angles)
{
    struct gs_rope_params p = rope->p;

    if (rope->long_factors && b->ctx_tokens > p.ctx_orig)
        p.freq_factors = rope->long_factors;
    gs_op_rope_table(lane, angles, &p, b->pos, b->n_rows);
}
