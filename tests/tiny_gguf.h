/* Writes tiny GGUF models of every architecture we have, with random weights from a fixed seed, and
 * with edits, so that a test can say "the same file, but with zero heads". */
#ifndef GS_TESTS_TINY_GGUF_H
#define GS_TESTS_TINY_GGUF_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/rng.h"
#include "base/slice.h"
#include "gguf/gguf_write.h"

/* The sizes of a model; heads are of `head_dim`, the delta net's of `state_dim`. */
struct tiny_shape {
    const char *arch;
    bool experts;
    enum gs_type type; /* of matrices: F32 or Q8_0 */
    uint32_t n_vocab, n_embd, n_ff, n_layers;
    uint32_t n_head, n_head_kv, head_dim;
    uint32_t n_k, n_v, state_dim; /* qwen35: every second layer is a delta net */
};

enum tiny_action {
    TINY_DROP,   /* leave the key or tensor out */
    TINY_U32,    /* the key's value, or the tensor's second dimension */
    TINY_F32,    /* the key's value, or all values of a tensor that only edits bring */
    TINY_STRING, /* the key's value */
    TINY_ARRAY,  /* the key as an array of two such numbers */
    TINY_TYPE,   /* the tensor's type */
};

/* What to change about a key (without "ARCH.") or tensor. */
struct tiny_edit {
    const char *name;
    enum tiny_action action;
    uint32_t u32;
    float f32;
    const char *text;
};

#define TINY_MAX_TENSORS 256

/* Writes further keys, such as a vocabulary. */
typedef void tiny_more_fn(struct gs_gguf_writer *w);

struct tiny {
    const struct tiny_shape *shape;
    const struct tiny_edit *edits;
    size_t n_edits;
    struct gs_gguf_writer *w;
    struct {
        enum gs_type type;
        uint64_t n_values;
        bool is_norm;
        const float *fill; /* all its values, or NULL */
    } tensors[TINY_MAX_TENSORS];
    size_t n_tensors;
};

static inline const struct tiny_edit *tiny_find_edit(const struct tiny *t, const char *name)
{
    for (size_t i = 0; i < t->n_edits; i++) {
        if (strcmp(t->edits[i].name, name) == 0)
            return &t->edits[i];
    }
    return NULL;
}

/* Write the edited value; false if the key is not edited. */
static inline bool tiny_put_edit(struct tiny *t, const char *name, const char *key)
{
    const struct tiny_edit *e = tiny_find_edit(t, name);

    if (!e)
        return false;
    if (e->action == TINY_U32)
        gs_gguf_writer_u32(t->w, key, e->u32);
    if (e->action == TINY_F32)
        gs_gguf_writer_f32(t->w, key, e->f32);
    if (e->action == TINY_STRING)
        gs_gguf_writer_string(t->w, key, gs_slice_str(e->text));
    if (e->action == TINY_ARRAY)
        gs_gguf_writer_array(t->w, key, GS_GGUF_U32, (const uint32_t[]){e->u32, e->u32}, 2);
    return true;
}

static inline void tiny_u32(struct tiny *t, const char *name, uint32_t v)
{
    char key[128];

    snprintf(key, sizeof(key), "%s.%s", t->shape->arch, name);
    if (!tiny_put_edit(t, name, key))
        gs_gguf_writer_u32(t->w, key, v);
}

static inline void tiny_f32(struct tiny *t, const char *name, float v)
{
    char key[128];

    snprintf(key, sizeof(key), "%s.%s", t->shape->arch, name);
    if (!tiny_put_edit(t, name, key))
        gs_gguf_writer_f32(t->w, key, v);
}

static inline void tiny_tensor(struct tiny *t, const char *name, enum gs_type type, uint64_t in,
                               uint64_t out, uint64_t n_expert)
{
    const struct tiny_edit *e = tiny_find_edit(t, name);

    if (e && e->action == TINY_DROP)
        return;
    if (e && e->action == TINY_U32)
        out = e->u32;
    if (e && e->action == TINY_TYPE)
        type = (enum gs_type)e->u32;
    gs_gguf_writer_tensor(t->w, name, type, (const uint64_t[]){in, out, n_expert},
                          n_expert > 1 ? 3
                          : out > 1    ? 2
                                       : 1);
    t->tensors[t->n_tensors].type = type;
    t->tensors[t->n_tensors].n_values = in * out * n_expert;
    t->tensors[t->n_tensors].is_norm = strstr(name, "norm") != NULL;
    t->n_tensors++;
}

static inline void tiny_block_tensor(struct tiny *t, uint32_t layer, const char *name,
                                     enum gs_type type, uint64_t in, uint64_t out, uint64_t n)
{
    char full[128];

    snprintf(full, sizeof(full), "blk.%u.%s", layer, name);
    tiny_tensor(t, full, type, in, out, n);
}

/* A vector that is there only if an edit gives its value. */
static inline void tiny_block_optional(struct tiny *t, uint32_t layer, const char *name, uint64_t n)
{
    char full[128];

    snprintf(full, sizeof(full), "blk.%u.%s", layer, name);
    const struct tiny_edit *e = tiny_find_edit(t, full);
    if (!e)
        return;
    t->tensors[t->n_tensors].fill = &e->f32;
    tiny_tensor(t, full, GS_TYPE_F32, n, 1, 1);
}

static inline bool tiny_is(const struct tiny_shape *s, const char *arch)
{
    return strcmp(s->arch, arch) == 0;
}

static inline bool tiny_is_gemma(const struct tiny_shape *s)
{
    return strncmp(s->arch, "gemma", 5) == 0;
}

/* Norms on both sides of each block. */
static inline bool tiny_is_sandwich(const struct tiny_shape *s)
{
    return tiny_is_gemma(s) || tiny_is(s, "glm4");
}

static inline bool tiny_has_qk_norm(const struct tiny_shape *s)
{
    return strncmp(s->arch, "qwen3", 5) == 0 || tiny_is(s, "gemma3") || tiny_is(s, "gemma4");
}

static inline bool tiny_is_qwen35(const struct tiny_shape *s)
{
    return strncmp(s->arch, "qwen35", 6) == 0;
}

/* Latent attention: a rank of 16, heads of 8 without and 8 with position. */
static inline void tiny_mla(struct tiny *t, uint32_t i)
{
    const struct tiny_shape *s = t->shape;

    tiny_block_tensor(t, i, "attn_q_a.weight", s->type, s->n_embd, 12, 1);
    tiny_block_tensor(t, i, "attn_q_a_norm.weight", GS_TYPE_F32, 12, 1, 1);
    tiny_block_tensor(t, i, "attn_q_b.weight", s->type, 12, s->n_head * 16, 1);
    tiny_block_tensor(t, i, "attn_kv_a_mqa.weight", s->type, s->n_embd, 24, 1);
    tiny_block_tensor(t, i, "attn_kv_a_norm.weight", GS_TYPE_F32, 16, 1, 1);
    tiny_block_tensor(t, i, "attn_k_b.weight", s->type, 8, 16, s->n_head);
    tiny_block_tensor(t, i, "attn_v_b.weight", s->type, 16, 8, s->n_head);
    tiny_block_tensor(t, i, "attn_output.weight", s->type, s->n_head * 8, s->n_embd, 1);
}

static inline void tiny_attn(struct tiny *t, uint32_t i)
{
    const struct tiny_shape *s = t->shape;
    const uint64_t q = (uint64_t)s->n_head * s->head_dim;
    const uint64_t kv = (uint64_t)s->n_head_kv * s->head_dim;

    tiny_block_optional(t, i, "attn_q.scale", 1);
    if (tiny_is(s, "deepseek2")) {
        tiny_mla(t, i);
        return;
    }
    if (tiny_is(s, "phi3")) {
        tiny_block_tensor(t, i, "attn_qkv.weight", s->type, s->n_embd, q + 2 * kv, 1);
        tiny_block_tensor(t, i, "attn_output.weight", s->type, q, s->n_embd, 1);
        return;
    }
    tiny_block_tensor(t, i, "attn_q.weight", s->type, s->n_embd, tiny_is_qwen35(s) ? 2 * q : q, 1);
    tiny_block_tensor(t, i, "attn_k.weight", s->type, s->n_embd, kv, 1);
    tiny_block_tensor(t, i, "attn_v.weight", s->type, s->n_embd, kv, 1);
    tiny_block_tensor(t, i, "attn_output.weight", s->type, q, s->n_embd, 1);
    if (tiny_is(s, "gpt-oss"))
        tiny_block_tensor(t, i, "attn_sinks.weight", GS_TYPE_F32, s->n_head, 1, 1);
    if (tiny_is(s, "qwen2") || tiny_is(s, "gpt-oss")) {
        tiny_block_tensor(t, i, "attn_q.bias", GS_TYPE_F32, q, 1, 1);
        tiny_block_tensor(t, i, "attn_k.bias", GS_TYPE_F32, kv, 1, 1);
        tiny_block_tensor(t, i, "attn_v.bias", GS_TYPE_F16, kv, 1, 1);
    } else if (tiny_has_qk_norm(s)) {
        tiny_block_tensor(t, i, "attn_q_norm.weight", GS_TYPE_F32, s->head_dim, 1, 1);
        tiny_block_tensor(t, i, "attn_k_norm.weight", GS_TYPE_F32, s->head_dim, 1, 1);
    } else {
        tiny_block_optional(t, i, "attn_q.bias", q);
        tiny_block_optional(t, i, "attn_k.bias", kv);
        tiny_block_optional(t, i, "attn_v.bias", kv);
    }
    tiny_block_optional(t, i, "attn_output.bias", s->n_embd);
}

static inline void tiny_delta_net(struct tiny *t, uint32_t i)
{
    const struct tiny_shape *s = t->shape;
    const uint64_t v = (uint64_t)s->n_v * s->state_dim;
    const uint64_t channels = 2 * (uint64_t)s->n_k * s->state_dim + v;

    tiny_block_tensor(t, i, "attn_qkv.weight", s->type, s->n_embd, channels, 1);
    tiny_block_tensor(t, i, "attn_gate.weight", s->type, s->n_embd, v, 1);
    tiny_block_tensor(t, i, "ssm_alpha.weight", s->type, s->n_embd, s->n_v, 1);
    tiny_block_tensor(t, i, "ssm_beta.weight", s->type, s->n_embd, s->n_v, 1);
    tiny_block_tensor(t, i, "ssm_conv1d.weight", GS_TYPE_F32, 4, channels, 1);
    tiny_block_tensor(t, i, "ssm_a", GS_TYPE_F32, s->n_v, 1, 1);
    tiny_block_tensor(t, i, "ssm_dt.bias", GS_TYPE_F32, s->n_v, 1, 1);
    tiny_block_tensor(t, i, "ssm_norm.weight", GS_TYPE_F32, s->state_dim, 1, 1);
    tiny_block_tensor(t, i, "ssm_out.weight", s->type, v, s->n_embd, 1);
}

/* Leading dense layers, then experts of sigmoids beside a shared one. */
static inline bool tiny_has_shared(const struct tiny_shape *s)
{
    return tiny_is(s, "glm4moe") || tiny_is(s, "deepseek2");
}

/* What one family has of experts and another has not. */
static inline void tiny_expert_parts(struct tiny *t, uint32_t i)
{
    const struct tiny_shape *s = t->shape;
    const uint64_t d = s->n_embd;

    if (tiny_is(s, "gpt-oss")) {
        tiny_block_tensor(t, i, "ffn_gate_inp.bias", GS_TYPE_F32, 4, 1, 1);
        tiny_block_tensor(t, i, "ffn_gate_exps.bias", GS_TYPE_F32, s->n_ff, 4, 1);
        tiny_block_tensor(t, i, "ffn_up_exps.bias", GS_TYPE_F32, s->n_ff, 4, 1);
        tiny_block_tensor(t, i, "ffn_down_exps.bias", GS_TYPE_F32, d, 4, 1);
    }
    if (tiny_is(s, "gemma4")) {
        tiny_block_tensor(t, i, "ffn_gate_inp.scale", GS_TYPE_F32, d, 1, 1);
        tiny_block_tensor(t, i, "ffn_down_exps.scale", GS_TYPE_F32, 4, 1, 1);
        tiny_block_tensor(t, i, "pre_ffw_norm_2.weight", GS_TYPE_F32, d, 1, 1);
        tiny_block_tensor(t, i, "post_ffw_norm_1.weight", GS_TYPE_F32, d, 1, 1);
        tiny_block_tensor(t, i, "post_ffw_norm_2.weight", GS_TYPE_F32, d, 1, 1);
    }
    if (tiny_has_shared(s)) {
        tiny_block_tensor(t, i, "exp_probs_b.bias", GS_TYPE_F32, 4, 1, 1);
        tiny_block_tensor(t, i, "ffn_gate_shexp.weight", s->type, d, s->n_ff, 1);
        tiny_block_tensor(t, i, "ffn_up_shexp.weight", s->type, d, s->n_ff, 1);
        tiny_block_tensor(t, i, "ffn_down_shexp.weight", s->type, s->n_ff, d, 1);
    }
}

static inline void tiny_ffn(struct tiny *t, uint32_t i)
{
    const struct tiny_shape *s = t->shape;
    const uint64_t d = s->n_embd;

    if (tiny_is(s, "phi3") || tiny_is(s, "glm4")) {
        tiny_block_tensor(t, i, "ffn_up.weight", s->type, d, 2 * (uint64_t)s->n_ff, 1);
        tiny_block_tensor(t, i, "ffn_down.weight", s->type, s->n_ff, d, 1);
        return;
    }
    if (!s->experts || tiny_is(s, "gemma4") || (tiny_has_shared(s) && i == 0)) {
        tiny_block_tensor(t, i, "ffn_gate.weight", s->type, d, s->n_ff, 1);
        tiny_block_tensor(t, i, "ffn_up.weight", s->type, d, s->n_ff, 1);
        tiny_block_tensor(t, i, "ffn_down.weight", s->type, s->n_ff, d, 1);
        tiny_block_optional(t, i, "ffn_gate.bias", s->n_ff);
        tiny_block_optional(t, i, "ffn_up.bias", s->n_ff);
        tiny_block_optional(t, i, "ffn_down.bias", d);
        if (!s->experts || i == 0)
            return;
    }
    tiny_block_tensor(t, i, "ffn_gate_inp.weight", GS_TYPE_F32, d, 4, 1);
    tiny_block_tensor(t, i, "ffn_gate_exps.weight", s->type, d, s->n_ff, 4);
    tiny_block_tensor(t, i, "ffn_up_exps.weight", s->type, d, s->n_ff, 4);
    tiny_block_tensor(t, i, "ffn_down_exps.weight", s->type, s->n_ff, d, 4);
    tiny_expert_parts(t, i);
    if (tiny_is_qwen35(s)) {
        tiny_block_tensor(t, i, "ffn_gate_inp_shexp.weight", GS_TYPE_F32, d, 1, 1);
        tiny_block_tensor(t, i, "ffn_gate_shexp.weight", s->type, d, s->n_ff, 1);
        tiny_block_tensor(t, i, "ffn_up_shexp.weight", s->type, d, s->n_ff, 1);
        tiny_block_tensor(t, i, "ffn_down_shexp.weight", s->type, s->n_ff, d, 1);
    }
}

static inline void tiny_gemma4_keys(struct tiny *t)
{
    const struct tiny_shape *s = t->shape;
    uint8_t windows[16];

    for (uint32_t i = 0; i < 16; i++)
        windows[i] = i % 2 == 0;
    gs_gguf_writer_array(t->w, "gemma4.attention.sliding_window_pattern", GS_GGUF_BOOL, windows,
                         s->n_layers);
    tiny_u32(t, "attention.key_length_swa", s->head_dim);
    tiny_u32(t, "rope.dimension_count_swa", s->head_dim);
    tiny_u32(t, "attention.shared_kv_layers", s->experts ? 0 : 2);
    tiny_u32(t, "embedding_length_per_layer_input", s->experts ? 0 : 8);
}

/* Keys of single families. */
static inline void tiny_family_keys(struct tiny *t)
{
    const struct tiny_shape *s = t->shape;

    if (tiny_is_gemma(s) || tiny_is(s, "gpt-oss"))
        tiny_u32(t, "attention.sliding_window", 5);
    if (tiny_is(s, "gemma2"))
        tiny_f32(t, "attn_logit_softcapping", 50);
    if (tiny_is(s, "gemma2") || tiny_is(s, "gemma4"))
        tiny_f32(t, "final_logit_softcapping", 30);
    if (tiny_is(s, "gemma4"))
        tiny_gemma4_keys(t);
    if (tiny_is(s, "granite")) {
        tiny_f32(t, "embedding_scale", 12);
        tiny_f32(t, "residual_scale", 0.5f);
        tiny_f32(t, "logit_scale", 8);
    }
    if (tiny_is(s, "mistral3") || tiny_is(s, "deepseek2")) {
        gs_gguf_writer_string(t->w,
                              tiny_is(s, "mistral3") ? "mistral3.rope.scaling.type"
                                                     : "deepseek2.rope.scaling.type",
                              GS_SLICE_LIT("yarn"));
        tiny_f32(t, "rope.scaling.factor", 4);
        tiny_f32(t, "rope.scaling.yarn_log_multiplier", 0.1f);
        tiny_u32(t, "rope.scaling.original_context_length", 16);
    }
    if (tiny_is(s, "mistral3"))
        tiny_f32(t, "attention.temperature_scale", 0.1f);
    if (tiny_is(s, "deepseek2")) {
        tiny_u32(t, "attention.q_lora_rank", 12);
        tiny_u32(t, "attention.kv_lora_rank", 16);
        tiny_u32(t, "attention.key_length_mla", 16);
        tiny_u32(t, "attention.value_length_mla", 8);
        tiny_u32(t, "expert_group_count", 2);
        tiny_u32(t, "expert_group_used_count", 1);
    }
}

static inline void tiny_keys(struct tiny *t)
{
    const struct tiny_shape *s = t->shape;
    char key[128];

    if (!tiny_put_edit(t, "general.architecture", "general.architecture"))
        gs_gguf_writer_string(t->w, "general.architecture", gs_slice_str(s->arch));
    tiny_u32(t, "context_length", 256);
    tiny_u32(t, "embedding_length", s->n_embd);
    tiny_u32(t, "block_count", s->n_layers);
    tiny_u32(t, "feed_forward_length", s->n_ff);
    tiny_u32(t, "attention.head_count", s->n_head);
    tiny_u32(t, "attention.head_count_kv", s->n_head_kv);
    tiny_u32(t, "attention.key_length", s->head_dim);
    tiny_u32(t, "attention.value_length", s->head_dim);
    tiny_u32(t, "rope.dimension_count", s->head_dim / 2);
    tiny_f32(t, "rope.freq_base", 10000.0f);
    tiny_f32(t, "attention.layer_norm_rms_epsilon", 1e-6f);
    if (s->experts) {
        tiny_u32(t, "expert_count", 4);
        tiny_u32(t, "expert_used_count", 2);
        tiny_u32(t, "expert_feed_forward_length", s->n_ff);
    }
    if (tiny_is_qwen35(s)) {
        tiny_u32(t, "full_attention_interval", 2);
        tiny_u32(t, "ssm.conv_kernel", 4);
        tiny_u32(t, "ssm.state_size", s->state_dim);
        tiny_u32(t, "ssm.group_count", s->n_k);
        tiny_u32(t, "ssm.time_step_rank", s->n_v);
        tiny_u32(t, "ssm.inner_size", s->n_v * s->state_dim);
    }
    tiny_family_keys(t);
    /* Keys that only edits bring. */
    tiny_put_edit(t, "rope.scaling.type", "llama.rope.scaling.type");
    tiny_put_edit(t, "rope.scaling.factor", "llama.rope.scaling.factor");
    tiny_put_edit(t, "attention.scale", "llama.attention.scale");
    tiny_put_edit(t, "pooling_type", "qwen3.pooling_type");
    snprintf(key, sizeof(key), "%s.nextn_predict_layers", s->arch);
    tiny_put_edit(t, "nextn_predict_layers", key);
}

static inline const char *tiny_ffn_norm(const struct tiny_shape *s)
{
    return tiny_is_qwen35(s) || tiny_is(s, "glm4moe") || tiny_is(s, "gpt-oss")
               ? "post_attention_norm.weight"
               : "ffn_norm.weight";
}

static inline void tiny_post_norms(struct tiny *t, uint32_t i)
{
    const struct tiny_shape *s = t->shape;

    if (tiny_is_sandwich(s)) {
        tiny_block_tensor(t, i, "post_attention_norm.weight", GS_TYPE_F32, s->n_embd, 1, 1);
        tiny_block_tensor(t, i, "post_ffw_norm.weight", GS_TYPE_F32, s->n_embd, 1, 1);
    }
    if (tiny_is(s, "gemma4") && !s->experts) {
        tiny_block_tensor(t, i, "inp_gate.weight", s->type, s->n_embd, 8, 1);
        tiny_block_tensor(t, i, "proj.weight", s->type, 8, s->n_embd, 1);
        tiny_block_tensor(t, i, "post_norm.weight", GS_TYPE_F32, s->n_embd, 1, 1);
        tiny_block_tensor(t, i, "layer_output_scale.weight", GS_TYPE_F32, 1, 1, 1);
    }
}

/* Pooling by rank wants labels: "yes" and "no". */
static inline bool tiny_is_ranked(const struct tiny *t)
{
    const struct tiny_edit *pooling = tiny_find_edit(t, "pooling_type");

    return pooling && pooling->u32 == 4;
}

static inline void tiny_tensors(struct tiny *t)
{
    const struct tiny_shape *s = t->shape;

    if (tiny_is_ranked(t))
        tiny_tensor(t, "cls.output.weight", GS_TYPE_F32, s->n_embd, 2, 1);
    tiny_tensor(t, "token_embd.weight", s->type, s->n_embd, s->n_vocab, 1);
    tiny_tensor(t, "output_norm.weight", GS_TYPE_F32, s->n_embd, 1, 1);
    if (tiny_is(s, "gemma4") && !s->experts) {
        tiny_tensor(t, "per_layer_token_embd.weight", s->type, 8 * s->n_layers, s->n_vocab, 1);
        tiny_tensor(t, "per_layer_model_proj.weight", s->type, s->n_embd, 8 * s->n_layers, 1);
        tiny_tensor(t, "per_layer_proj_norm.weight", GS_TYPE_F32, 8, 1, 1);
    }
    for (uint32_t i = 0; i < s->n_layers; i++) {
        tiny_block_tensor(t, i, "attn_norm.weight", GS_TYPE_F32, s->n_embd, 1, 1);
        if (tiny_is_qwen35(s) && i % 2 == 0)
            tiny_delta_net(t, i);
        else
            tiny_attn(t, i);
        tiny_block_tensor(t, i, tiny_ffn_norm(s), GS_TYPE_F32, s->n_embd, 1, 1);
        tiny_post_norms(t, i);
        tiny_ffn(t, i);
    }
}

/* ---- encoders ---- */

#define TINY_ENCODER_CTX 64

static inline bool tiny_is_encoder(const struct tiny_shape *s)
{
    return strstr(s->arch, "bert") || tiny_is(s, "gemma-embedding");
}

static inline bool tiny_is_gemma_encoder(const struct tiny_shape *s)
{
    return tiny_is(s, "gemma-embedding");
}

static inline void tiny_encoder_keys(struct tiny *t)
{
    const struct tiny_shape *s = t->shape;
    char key[128];

    if (!tiny_put_edit(t, "general.architecture", "general.architecture"))
        gs_gguf_writer_string(t->w, "general.architecture", gs_slice_str(s->arch));
    snprintf(key, sizeof(key), "%s.attention.causal", s->arch);
    gs_gguf_writer_bool(t->w, key, false);
    tiny_u32(t, "context_length", TINY_ENCODER_CTX);
    tiny_u32(t, "embedding_length", s->n_embd);
    tiny_u32(t, "block_count", s->n_layers);
    tiny_u32(t, "feed_forward_length", s->n_ff);
    tiny_u32(t, "attention.head_count", s->n_head);
    tiny_u32(t, "attention.head_count_kv", s->n_head_kv);
    tiny_u32(t, "attention.key_length", s->head_dim);
    tiny_u32(t, "attention.sliding_window", 6);
    tiny_u32(t, "pooling_type", 1);
    tiny_f32(t, "rope.freq_base", 10000.0f);
    tiny_f32(t, "attention.layer_norm_epsilon", 1e-6f);
    tiny_f32(t, "attention.layer_norm_rms_epsilon", 1e-6f);
    snprintf(key, sizeof(key), "%s.rope.dimension_count", s->arch);
    tiny_put_edit(t, "rope.dimension_count", key);
    snprintf(key, sizeof(key), "%s.attention.max_alibi_bias", s->arch);
    tiny_put_edit(t, "attention.max_alibi_bias", key);
}

/* A matrix or norm with its bias. */
static inline void tiny_pair(struct tiny *t, const char *prefix, const char *name, uint64_t in,
                             uint64_t out)
{
    char full[128];

    snprintf(full, sizeof(full), "%s%s.weight", prefix, name);
    tiny_tensor(t, full, GS_TYPE_F32, in, out, 1);
    snprintf(full, sizeof(full), "%s%s.bias", prefix, name);
    tiny_tensor(t, full, GS_TYPE_F32, out > 1 ? out : in, 1, 1);
}

static inline void tiny_encoder_heads(struct tiny *t, uint32_t i, const char *prefix)
{
    const struct tiny_shape *s = t->shape;
    const uint64_t d = s->n_embd;
    const uint64_t q = (uint64_t)s->n_head * s->head_dim;
    const uint64_t kv = (uint64_t)s->n_head_kv * s->head_dim;

    if (tiny_is(s, "nomic-bert") || tiny_is(s, "modern-bert")) {
        tiny_block_tensor(t, i, "attn_qkv.weight", GS_TYPE_F32, d, q + 2 * kv, 1);
    } else if (tiny_is_gemma_encoder(s)) {
        tiny_block_tensor(t, i, "attn_q.weight", GS_TYPE_F32, d, q, 1);
        tiny_block_tensor(t, i, "attn_k.weight", GS_TYPE_F32, d, kv, 1);
        tiny_block_tensor(t, i, "attn_v.weight", GS_TYPE_F32, d, kv, 1);
        tiny_block_tensor(t, i, "attn_q_norm.weight", GS_TYPE_F32, s->head_dim, 1, 1);
        tiny_block_tensor(t, i, "attn_k_norm.weight", GS_TYPE_F32, s->head_dim, 1, 1);
    } else {
        tiny_pair(t, prefix, "attn_q", d, q);
        tiny_pair(t, prefix, "attn_k", d, kv);
        tiny_pair(t, prefix, "attn_v", d, kv);
    }
    tiny_block_tensor(t, i, "attn_output.weight", GS_TYPE_F32, q, d, 1);
}

static inline void tiny_encoder_norms(struct tiny *t, uint32_t i, const char *prefix)
{
    const struct tiny_shape *s = t->shape;
    const uint64_t d = s->n_embd;

    if (!tiny_is(s, "modern-bert") && !tiny_is_gemma_encoder(s)) {
        tiny_pair(t, prefix, "attn_output_norm", d, 1);
        tiny_pair(t, prefix, "layer_output_norm", d, 1);
        return;
    }
    if (i > 0 || tiny_is_gemma_encoder(s))
        tiny_block_tensor(t, i, "attn_norm.weight", GS_TYPE_F32, d, 1, 1);
    tiny_block_tensor(t, i, "ffn_norm.weight", GS_TYPE_F32, d, 1, 1);
    if (tiny_is_gemma_encoder(s)) {
        tiny_block_tensor(t, i, "post_attention_norm.weight", GS_TYPE_F32, d, 1, 1);
        tiny_block_tensor(t, i, "post_ffw_norm.weight", GS_TYPE_F32, d, 1, 1);
    }
}

static inline void tiny_encoder_layer(struct tiny *t, uint32_t i)
{
    const struct tiny_shape *s = t->shape;
    const uint64_t d = s->n_embd;
    const uint64_t up = tiny_is(s, "modern-bert") ? 2 * (uint64_t)s->n_ff : s->n_ff;
    char prefix[32];

    snprintf(prefix, sizeof(prefix), "blk.%u.", i);
    tiny_encoder_heads(t, i, prefix);
    tiny_encoder_norms(t, i, prefix);
    if (!tiny_is(s, "bert") && !tiny_is(s, "modern-bert"))
        tiny_block_tensor(t, i, "ffn_gate.weight", GS_TYPE_F32, d, s->n_ff, 1);
    tiny_block_tensor(t, i, "ffn_up.weight", GS_TYPE_F32, d, up, 1);
    tiny_block_tensor(t, i, "ffn_down.weight", GS_TYPE_F32, s->n_ff, d, 1);
}

static inline void tiny_encoder_tensors(struct tiny *t)
{
    const struct tiny_shape *s = t->shape;
    const uint64_t d = s->n_embd;

    tiny_tensor(t, "token_embd.weight", GS_TYPE_F32, d, s->n_vocab, 1);
    if (tiny_is(s, "bert")) {
        tiny_tensor(t, "token_types.weight", GS_TYPE_F32, d, 2, 1);
        tiny_tensor(t, "position_embd.weight", GS_TYPE_F32, d, TINY_ENCODER_CTX, 1);
    }
    if (!tiny_is_gemma_encoder(s))
        tiny_tensor(t, "token_embd_norm.weight", GS_TYPE_F32, d, 1, 1);
    for (uint32_t i = 0; i < s->n_layers; i++)
        tiny_encoder_layer(t, i);
    if (tiny_is(s, "modern-bert") || tiny_is_gemma_encoder(s))
        tiny_tensor(t, "output_norm.weight", GS_TYPE_F32, d, 1, 1);
    if (tiny_is_gemma_encoder(s)) {
        tiny_tensor(t, "dense_2.weight", GS_TYPE_F32, d, 2 * d, 1);
        tiny_tensor(t, "dense_3.weight", GS_TYPE_F32, 2 * d, d, 1);
    }
    if (tiny_is_ranked(t)) {
        tiny_pair(t, "", "cls", d, d);
        tiny_tensor(t, "cls.output.weight", GS_TYPE_F32, d, 1, 1);
    }
}

/* ---- files ---- */

/* Random data of one tensor: floats around 0 (norms: around 1), or blocks with a small scale. */
static inline enum gs_status tiny_data(struct tiny *t, size_t idx, struct gs_rng *rng)
{
    const enum gs_type type = t->tensors[idx].type;
    const uint64_t n_blocks = t->tensors[idx].n_values / gs_type_block_len(type);
    const float *fill = t->tensors[idx].fill;
    struct gs_rng aside = *rng; /* an optional tensor does not change the others */
    enum gs_status st = GS_OK;

    if (fill)
        rng = &aside;
    for (uint64_t i = 0; i < n_blocks && st == GS_OK; i++) {
        uint8_t block[512];
        const float normal = (float)gs_rng_normal(rng) * 0.2f;
        const float x = fill ? *fill : normal + (t->tensors[idx].is_norm ? 1.0f : 0.0f);

        for (size_t j = 0; j < gs_type_block_bytes(type); j++)
            block[j] = (uint8_t)gs_rng_u64(rng);
        if (type == GS_TYPE_F32)
            memcpy(block, &x, sizeof(x));
        else
            memcpy(block, "\x00\x14", 2); /* as a half: 0.00098 */
        st = gs_gguf_writer_data(t->w, block, gs_type_block_bytes(type), NULL);
    }
    return st;
}

static inline enum gs_status tiny_write_more(const char *path, const struct tiny_shape *shape,
                                             const struct tiny_edit *edits, size_t n_edits,
                                             tiny_more_fn *more)
{
    struct tiny t = {.shape = shape, .edits = edits, .n_edits = n_edits};
    struct gs_rng rng;
    enum gs_status st = gs_gguf_writer_create(&t.w, NULL);

    if (st != GS_OK)
        return st;
    gs_rng_seed(&rng, 7);
    if (more)
        more(t.w);
    if (tiny_is_encoder(shape)) {
        tiny_encoder_keys(&t);
        tiny_encoder_tensors(&t);
    } else {
        tiny_keys(&t);
        tiny_tensors(&t);
    }
    st = gs_gguf_writer_begin(t.w, path, NULL);
    for (size_t i = 0; i < t.n_tensors && st == GS_OK; i++)
        st = tiny_data(&t, i, &rng);
    if (st == GS_OK)
        st = gs_gguf_writer_end(t.w, NULL);
    gs_gguf_writer_free(t.w);
    return st;
}

static inline enum gs_status tiny_write(const char *path, const struct tiny_shape *shape,
                                        const struct tiny_edit *edits, size_t n_edits)
{
    return tiny_write_more(path, shape, edits, n_edits, NULL);
}

/* Write to a file without a name's trace: it is gone when it is closed. */
static inline struct gs_gguf *tiny_open(const struct tiny_shape *shape,
                                        const struct tiny_edit *edits, size_t n_edits)
{
    char path[] = "/tmp/genset-tiny-XXXXXX";
    const int fd = mkstemp(path);
    struct gs_gguf *f = NULL;
    struct gs_error err = {0};

    if (fd < 0)
        return NULL;
    close(fd);
    if (tiny_write(path, shape, edits, n_edits) != GS_OK || gs_gguf_open(path, &f, &err) != GS_OK) {
        fprintf(stderr, "tiny model: %s\n", err.msg);
        f = NULL;
    }
    unlink(path);
    return f;
}

/* One of each architecture, large enough to be interesting. */
static const struct tiny_shape tiny_shapes[] GS_UNUSED = {
    {"llama", false, GS_TYPE_F32, 48, 32, 48, 2, 4, 2, 16, 0, 0, 0},
    {"llama", true, GS_TYPE_F32, 48, 32, 32, 2, 2, 1, 32, 0, 0, 0},
    {"qwen2", false, GS_TYPE_F32, 48, 32, 32, 2, 2, 2, 32, 0, 0, 0},
    {"qwen3", false, GS_TYPE_Q8_0, 48, 64, 32, 2, 4, 2, 32, 0, 0, 0},
    {"qwen3moe", true, GS_TYPE_Q8_0, 48, 32, 32, 2, 2, 1, 32, 0, 0, 0},
    {"qwen35", false, GS_TYPE_F32, 48, 32, 32, 4, 2, 1, 32, 2, 4, 16},
    {"qwen35moe", true, GS_TYPE_F32, 48, 32, 32, 2, 4, 2, 32, 1, 3, 16},
    {"granite", false, GS_TYPE_F32, 48, 32, 48, 2, 4, 2, 16, 0, 0, 0},
    {"smollm3", false, GS_TYPE_F32, 48, 32, 48, 4, 4, 2, 16, 0, 0, 0},
    {"mistral3", false, GS_TYPE_F32, 48, 32, 48, 2, 4, 2, 16, 0, 0, 0},
    {"phi3", false, GS_TYPE_F32, 48, 32, 48, 2, 4, 2, 16, 0, 0, 0},
    {"glm4", false, GS_TYPE_F32, 48, 32, 48, 2, 4, 2, 16, 0, 0, 0},
    {"glm4moe", true, GS_TYPE_F32, 48, 32, 32, 2, 4, 2, 16, 0, 0, 0},
    {"gpt-oss", true, GS_TYPE_F32, 48, 32, 32, 3, 4, 2, 16, 0, 0, 0},
    {"gemma2", false, GS_TYPE_F32, 48, 32, 48, 3, 4, 2, 16, 0, 0, 0},
    {"gemma3", false, GS_TYPE_F32, 48, 32, 48, 7, 4, 2, 16, 0, 0, 0},
    {"gemma4", false, GS_TYPE_F32, 48, 32, 48, 4, 4, 2, 16, 0, 0, 0},
    {"gemma4", true, GS_TYPE_F32, 48, 32, 32, 2, 4, 2, 16, 0, 0, 0},
    {"deepseek2", true, GS_TYPE_F32, 48, 32, 32, 2, 4, 1, 16, 0, 0, 0},
};

/* The same of encoders. */
static const struct tiny_shape tiny_encoder_shapes[] GS_UNUSED = {
    {"bert", false, GS_TYPE_F32, 48, 32, 48, 2, 4, 4, 8, 0, 0, 0},
    {"nomic-bert", false, GS_TYPE_F32, 48, 32, 48, 2, 4, 4, 8, 0, 0, 0},
    {"jina-bert-v2", false, GS_TYPE_F32, 48, 32, 48, 2, 4, 4, 8, 0, 0, 0},
    {"modern-bert", false, GS_TYPE_F32, 48, 32, 48, 3, 4, 4, 8, 0, 0, 0},
    {"gemma-embedding", false, GS_TYPE_F32, 48, 32, 48, 7, 4, 2, 8, 0, 0, 0},
};

#endif
