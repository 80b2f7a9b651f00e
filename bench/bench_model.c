/* Lists the tensors of a model of the llama family, then writes metadata and random data. */
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

enum content { RANDOM, NEAR_ONE, ROPE_FREQS };

struct tensor {
    char name[64];
    enum gs_type type;
    uint64_t cols; /* values of a row */
    uint64_t rows;
    enum content content;
};

struct model {
    const struct gs_bench_shape *shape;
    const struct gs_bench_mix *mix;
    struct tensor tensors[MAX_TENSORS];
    size_t n_tensors;
};

/* ---- what the model consists of ---- */

static void add(struct model *m, const char *name, enum gs_type type, uint64_t cols, uint64_t rows,
                enum content content)
{
    struct tensor *t = &m->tensors[m->n_tensors++];

    *t = (struct tensor){.type = type, .cols = cols, .rows = rows, .content = content};
    snprintf(t->name, sizeof(t->name), "%s.weight", name);
}

static void add_in_layer(struct model *m, uint32_t layer, const char *part, enum gs_type type,
                         uint64_t cols, uint64_t rows)
{
    char name[48];

    snprintf(name, sizeof(name), "blk.%u.%s", layer, part);
    add(m, name, type, cols, rows, rows == 1 ? NEAR_ONE : RANDOM);
}

static void add_layer(struct model *m, uint32_t il)
{
    const struct gs_bench_shape *s = m->shape;
    const enum gs_type body = m->mix->body;
    const enum gs_type more =
        gs_bench_layer_needs_more(il, s->n_layers) ? m->mix->more : m->mix->body;
    const uint64_t n_q = (uint64_t)s->n_head * s->head_dim;
    const uint64_t n_kv = (uint64_t)s->n_head_kv * s->head_dim;

    add_in_layer(m, il, "attn_norm", GS_TYPE_F32, s->n_embd, 1);
    add_in_layer(m, il, "attn_q", body, s->n_embd, n_q);
    add_in_layer(m, il, "attn_k", body, s->n_embd, n_kv);
    add_in_layer(m, il, "attn_v", more, s->n_embd, n_kv);
    add_in_layer(m, il, "attn_output", body, n_q, s->n_embd);
    if (s->qk_norm) {
        add_in_layer(m, il, "attn_q_norm", GS_TYPE_F32, s->head_dim, 1);
        add_in_layer(m, il, "attn_k_norm", GS_TYPE_F32, s->head_dim, 1);
    }
    add_in_layer(m, il, "ffn_norm", GS_TYPE_F32, s->n_embd, 1);
    add_in_layer(m, il, "ffn_gate", body, s->n_embd, s->n_ff);
    add_in_layer(m, il, "ffn_up", body, s->n_embd, s->n_ff);
    add_in_layer(m, il, "ffn_down", more, s->n_ff, s->n_embd);
}

static void add_tensors(struct model *m)
{
    const struct gs_bench_shape *s = m->shape;

    add(m, "token_embd", s->tied ? m->mix->output : m->mix->body, s->n_embd, s->n_vocab, RANDOM);
    if (!s->tied)
        add(m, "output", m->mix->output, s->n_embd, s->n_vocab, RANDOM);
    add(m, "output_norm", GS_TYPE_F32, s->n_embd, 1, NEAR_ONE);
    if (s->rope_factor > 0)
        add(m, "rope_freqs", GS_TYPE_F32, s->head_dim / 2, 1, ROPE_FREQS);
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
    gs_gguf_writer_u32(w, arch_key(s, "rope.dimension_count"), s->head_dim);
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
        v = t->content == NEAR_ONE ? 1 + v : rope_divisor(s, i);
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
        uint64_t left = t->cols / gs_type_block_len(t->type) * t->rows;
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
    const char *pre = strcmp(shape->arch, "llama") == 0 ? "llama-bpe" : "qwen2";
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
        const uint64_t dims[] = {t->cols, t->rows};
        gs_gguf_writer_tensor(w, t->name, t->type, dims, t->content == RANDOM ? 2 : 1);
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
