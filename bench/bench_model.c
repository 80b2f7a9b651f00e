/* Lists the tensors of a model, then writes metadata and random data. Names: of the llama family
 * and, of delta nets and experts, as llama.cpp's converters give them. */
#include "bench_model.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/rng.h"
#include "base/slice.h"
#include "bench_blocks.h"
#include "bench_vocab.h"

#define WEIGHT_SD   0.02F
#define CHUNK_BYTES GS_MIB
#define MAX_TENSORS 512
#define DELTA_DIM   128 /* of a head of a delta net */
#define DELTA_TAPS  4   /* of its convolution */
#define DELTA_EVERY 4   /* one layer of so many is attention */

enum content { RANDOM, NEAR_ONE, NEAR_MINUS_ONE, ROPE_FREQS };

struct tensor {
    char name[64];
    enum gs_type type;
    uint64_t dims[3]; /* values of a row, rows, matrices */
    enum content content;
};

struct model {
    const struct gs_bench_shape *shape;
    const struct gs_bench_mix *mix;
    struct tensor tensors[MAX_TENSORS];
    size_t n_tensors;
};

/* ---- what the model consists of ---- */

static struct tensor *add(struct model *m, const char *name, enum gs_type type, uint64_t cols,
                          uint64_t rows)
{
    struct tensor *t = &m->tensors[m->n_tensors++];

    *t = (struct tensor){.type = type, .dims = {cols, rows, 1}};
    snprintf(t->name, sizeof(t->name), "%s", name);
    return t;
}

static void add_vector(struct model *m, const char *name, uint64_t n, enum content content)
{
    add(m, name, GS_TYPE_F32, n, 1)->content = content;
}

/* A layer being added. */
struct layer {
    struct model *m;
    uint32_t idx;
    enum gs_type body, more;
};

static const char *in_layer(const struct layer *l, const char *part)
{
    static char name[64];

    snprintf(name, sizeof(name), "blk.%u.%s", l->idx, part);
    return name;
}

static void add_norm(const struct layer *l, const char *part, uint64_t n)
{
    add_vector(l->m, in_layer(l, part), n, NEAR_ONE);
}

static void add_matrix(const struct layer *l, const char *part, enum gs_type type, uint64_t cols,
                       uint64_t rows)
{
    add(l->m, in_layer(l, part), type, cols, rows);
}

static void add_attention(const struct layer *l)
{
    const struct gs_bench_shape *s = l->m->shape;
    const uint64_t n_q = (uint64_t)s->n_head * s->head_dim;
    const uint64_t n_kv = (uint64_t)s->n_head_kv * s->head_dim;
    const bool gated = s->n_delta_v > 0;

    add_matrix(l, "attn_q.weight", l->body, s->n_embd, gated ? 2 * n_q : n_q);
    add_matrix(l, "attn_k.weight", l->body, s->n_embd, n_kv);
    add_matrix(l, "attn_v.weight", l->more, s->n_embd, n_kv);
    add_matrix(l, "attn_output.weight", l->body, n_q, s->n_embd);
    if (s->qk_norm) {
        add_norm(l, "attn_q_norm.weight", s->head_dim);
        add_norm(l, "attn_k_norm.weight", s->head_dim);
    }
}

static void add_delta_net(const struct layer *l)
{
    const struct gs_bench_shape *s = l->m->shape;
    const uint64_t n_v = (uint64_t)s->n_delta_v * DELTA_DIM;
    const uint64_t n_qkv = 2 * (uint64_t)s->n_delta_k * DELTA_DIM + n_v;

    add_matrix(l, "attn_qkv.weight", l->m->mix->qkv, s->n_embd, n_qkv);
    add_matrix(l, "attn_gate.weight", l->body, s->n_embd, n_v);
    add_matrix(l, "ssm_alpha.weight", l->body, s->n_embd, s->n_delta_v);
    add_matrix(l, "ssm_beta.weight", l->body, s->n_embd, s->n_delta_v);
    add_matrix(l, "ssm_conv1d.weight", GS_TYPE_F32, DELTA_TAPS, n_qkv);
    add_vector(l->m, in_layer(l, "ssm_a"), s->n_delta_v, NEAR_MINUS_ONE);
    add_vector(l->m, in_layer(l, "ssm_dt.bias"), s->n_delta_v, RANDOM);
    add_norm(l, "ssm_norm.weight", DELTA_DIM);
    add_matrix(l, "ssm_out.weight", l->body, n_v, s->n_embd);
}

static void add_dense(const struct layer *l)
{
    const struct gs_bench_shape *s = l->m->shape;

    add_matrix(l, "ffn_gate.weight", l->body, s->n_embd, s->n_ff);
    add_matrix(l, "ffn_up.weight", l->body, s->n_embd, s->n_ff);
    add_matrix(l, "ffn_down.weight", l->more, s->n_ff, s->n_embd);
}

static void add_experts(const struct layer *l)
{
    const struct gs_bench_shape *s = l->m->shape;
    struct model *m = l->m;

    add_matrix(l, "ffn_gate_inp.weight", GS_TYPE_F32, s->n_embd, s->n_expert);
    add(m, in_layer(l, "ffn_gate_exps.weight"), l->body, s->n_embd, s->n_ff)->dims[2] = s->n_expert;
    add(m, in_layer(l, "ffn_up_exps.weight"), l->body, s->n_embd, s->n_ff)->dims[2] = s->n_expert;
    add(m, in_layer(l, "ffn_down_exps.weight"), l->more, s->n_ff, s->n_embd)->dims[2] = s->n_expert;
}

static void add_layer(struct model *m, uint32_t il)
{
    const struct gs_bench_shape *s = m->shape;
    const bool needs_more = gs_bench_layer_needs_more(il, s->n_layers);
    const struct layer l = {m, il, m->mix->body, needs_more ? m->mix->more : m->mix->body};
    const bool hybrid = s->n_delta_v > 0;

    add_norm(&l, "attn_norm.weight", s->n_embd);
    if (hybrid && (il + 1) % DELTA_EVERY != 0)
        add_delta_net(&l);
    else
        add_attention(&l);
    add_norm(&l, hybrid ? "post_attention_norm.weight" : "ffn_norm.weight", s->n_embd);
    if (s->n_expert > 0)
        add_experts(&l);
    else
        add_dense(&l);
}

static void add_tensors(struct model *m)
{
    const struct gs_bench_shape *s = m->shape;

    add(m, "token_embd.weight", s->tied ? m->mix->output : m->mix->body, s->n_embd, s->n_vocab);
    if (!s->tied)
        add(m, "output.weight", m->mix->output, s->n_embd, s->n_vocab);
    add_vector(m, "output_norm.weight", s->n_embd, NEAR_ONE);
    if (s->rope_factor > 0)
        add_vector(m, "rope_freqs.weight", s->head_dim / 2, ROPE_FREQS);
    for (uint32_t il = 0; il < s->n_layers; il++)
        add_layer(m, il);
}

/* ---- metadata ---- */

static const char *arch_key(const struct gs_bench_shape *s, const char *name)
{
    static char key[96];

    snprintf(key, sizeof(key), "%s.%s", s->arch, name);
    return key;
}

static void write_delta_metadata(struct gs_gguf_writer *w, const struct gs_bench_shape *s)
{
    static const int32_t sections[] = {11, 11, 10, 0}; /* of time, height, width */

    gs_gguf_writer_array(w, arch_key(s, "rope.dimension_sections"), GS_GGUF_I32, sections,
                         GS_COUNT_OF(sections));
    gs_gguf_writer_u32(w, arch_key(s, "full_attention_interval"), DELTA_EVERY);
    gs_gguf_writer_u32(w, arch_key(s, "ssm.conv_kernel"), DELTA_TAPS);
    gs_gguf_writer_u32(w, arch_key(s, "ssm.state_size"), DELTA_DIM);
    gs_gguf_writer_u32(w, arch_key(s, "ssm.group_count"), s->n_delta_k);
    gs_gguf_writer_u32(w, arch_key(s, "ssm.time_step_rank"), s->n_delta_v);
    gs_gguf_writer_u32(w, arch_key(s, "ssm.inner_size"), s->n_delta_v * DELTA_DIM);
}

static void write_expert_metadata(struct gs_gguf_writer *w, const struct gs_bench_shape *s)
{
    gs_gguf_writer_u32(w, arch_key(s, "expert_count"), s->n_expert);
    gs_gguf_writer_u32(w, arch_key(s, "expert_used_count"), s->n_expert_used);
    gs_gguf_writer_u32(w, arch_key(s, "expert_feed_forward_length"), s->n_ff);
}

static void write_metadata(struct gs_gguf_writer *w, const struct gs_bench_shape *s,
                           const struct gs_bench_mix *mix)
{
    char name[96];

    snprintf(name, sizeof(name), "%s with random weights", s->name);
    gs_gguf_writer_string(w, "general.architecture", gs_slice_str(s->arch));
    gs_gguf_writer_string(w, "general.name", gs_slice_str(name));
    gs_gguf_writer_u32(w, "general.file_type", mix->file_type);
    gs_gguf_writer_u32(w, arch_key(s, "vocab_size"), s->n_vocab);
    gs_gguf_writer_u32(w, arch_key(s, "context_length"), s->ctx_tokens);
    gs_gguf_writer_u32(w, arch_key(s, "embedding_length"), s->n_embd);
    gs_gguf_writer_u32(w, arch_key(s, "block_count"), s->n_layers);
    gs_gguf_writer_u32(w, arch_key(s, "feed_forward_length"), s->n_ff);
    gs_gguf_writer_u32(w, arch_key(s, "attention.head_count"), s->n_head);
    gs_gguf_writer_u32(w, arch_key(s, "attention.head_count_kv"), s->n_head_kv);
    gs_gguf_writer_u32(w, arch_key(s, "attention.key_length"), s->head_dim);
    gs_gguf_writer_u32(w, arch_key(s, "attention.value_length"), s->head_dim);
    gs_gguf_writer_f32(w, arch_key(s, "attention.layer_norm_rms_epsilon"), s->eps);
    gs_gguf_writer_f32(w, arch_key(s, "rope.freq_base"), s->rope_base);
    gs_gguf_writer_u32(w, arch_key(s, "rope.dimension_count"), s->n_rope ? s->n_rope : s->head_dim);
    if (s->n_delta_v > 0)
        write_delta_metadata(w, s);
    if (s->n_expert > 0)
        write_expert_metadata(w, s);
}

/* ---- data ---- */

/* Divisor of the angle of pair i in llama 3: long waves are stretched by `rope_factor`, short ones
 * left, those between blended (Llama 3.1 reference code, apply_scaling). */
static float rope_divisor(const struct gs_bench_shape *s, uint64_t i)
{
    const double low = 1;
    const double high = 4;
    const double ctx_orig = 8192;
    const double wave = 6.283185307179586 * pow(s->rope_base, 2.0 * (double)i / s->head_dim);

    if (wave < ctx_orig / high)
        return 1;
    if (wave > ctx_orig / low)
        return s->rope_factor;
    const double blend = (ctx_orig / wave - low) / (high - low);
    return (float)(1 / ((1 - blend) / s->rope_factor + blend));
}

static void fill(const struct gs_bench_shape *s, const struct tensor *t, uint8_t *chunk,
                 size_t n_blocks, struct gs_rng *rng)
{
    gs_bench_fill_blocks(t->type, chunk, n_blocks, WEIGHT_SD, rng);
    for (size_t i = 0; t->content != RANDOM && i < n_blocks; i++) { /* vectors are F32 */
        float v;
        memcpy(&v, chunk + i * sizeof(v), sizeof(v));
        v = t->content == ROPE_FREQS ? rope_divisor(s, i) : t->content == NEAR_ONE ? 1 + v : v - 1;
        memcpy(chunk + i * sizeof(v), &v, sizeof(v));
    }
}

static enum gs_status write_data(struct gs_gguf_writer *w, const struct model *m, uint64_t seed,
                                 struct gs_error *err)
{
    uint8_t *chunk = gs_alloc(CHUNK_BYTES);
    enum gs_status st = GS_OK;
    struct gs_rng rng;

    if (!chunk)
        return gs_error_nomem(err, "write random weights");
    gs_rng_seed(&rng, seed);
    for (size_t i = 0; i < m->n_tensors && st == GS_OK; i++) {
        const struct tensor *t = &m->tensors[i];
        const size_t block_bytes = gs_type_block_bytes(t->type);
        uint64_t left = t->dims[0] / gs_type_block_len(t->type) * t->dims[1] * t->dims[2];
        while (left > 0 && st == GS_OK) {
            const size_t n = (size_t)GS_MIN(left, CHUNK_BYTES / block_bytes);
            fill(m->shape, t, chunk, n, &rng);
            st = gs_gguf_writer_data(w, chunk, n * block_bytes, err);
            left -= n;
        }
    }
    gs_free(chunk);
    return st;
}

enum gs_status gs_bench_model_write(const struct gs_bench_shape *shape,
                                    const struct gs_bench_mix *mix, uint64_t seed, const char *path,
                                    struct gs_error *err)
{
    const char *pre = strcmp(shape->arch, "llama") == 0 ? "llama-bpe"
                      : shape->n_delta_v > 0            ? "qwen35"
                                                        : "qwen2";
    struct model m = {.shape = shape, .mix = mix};
    struct gs_gguf_writer *w;
    enum gs_status st = gs_gguf_writer_create(&w, err);

    if (st != GS_OK)
        return st;
    write_metadata(w, shape, mix);
    st = gs_bench_write_vocab(w, shape->n_vocab, pre, err);
    add_tensors(&m);
    for (size_t i = 0; i < m.n_tensors; i++) {
        const struct tensor *t = &m.tensors[i];
        const uint32_t n_dims = t->dims[2] > 1 ? 3 : t->dims[1] > 1 ? 2 : 1;
        gs_gguf_writer_tensor(w, t->name, t->type, t->dims, n_dims);
    }
    if (st == GS_OK)
        st = gs_gguf_writer_begin(w, path, err);
    if (st == GS_OK)
        st = write_data(w, &m, seed, err);
    if (st == GS_OK)
        st = gs_gguf_writer_end(w, err);
    gs_gguf_writer_free(w);
    return st;
}
