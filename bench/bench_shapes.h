/* Shapes of real models, and how a file of a given type mixes block formats. */
#ifndef GS_BENCH_SHAPES_H
#define GS_BENCH_SHAPES_H

#include <stdbool.h>
#include <stdint.h>

#include "gguf/type.h"

struct gs_bench_shape {
    const char *name;
    const char *arch; /* general.architecture */
    uint32_t n_layers;
    uint32_t n_embd;
    uint32_t n_ff;
    uint32_t n_head, n_head_kv, head_dim;
    uint32_t n_rope; /* dimensions of a head that are rotated; 0: all */
    uint32_t n_vocab;
    uint32_t ctx_tokens;
    bool tied;    /* token_embd is the output matrix too */
    bool qk_norm; /* queries and keys are normalised */
    float rope_base;
    float rope_factor; /* of llama 3's rope_freqs; 0 without */
    float eps;
    uint32_t n_expert, n_expert_used; /* 0: dense; else n_ff is the width of one */
    uint32_t n_delta_k, n_delta_v;    /* heads of 128 of the delta nets in all layers but every
                                         fourth, whose attention is gated; 0: none */
};

/* Block formats by role, as llama.cpp's quantise chooses them without an importance matrix. */
struct gs_bench_mix {
    const char *name;
    uint32_t file_type; /* general.file_type */
    enum gs_type body;
    enum gs_type more; /* attn_v and ffn_down of the layers that need more bits */
    enum gs_type qkv;  /* queries, keys and values in one matrix */
    enum gs_type output;
};

/* NULL for a name there is not. */
const struct gs_bench_shape *gs_bench_shape_find(const char *name);
const struct gs_bench_mix *gs_bench_mix_find(const char *name);
/* By index, NULL past the end. */
const struct gs_bench_shape *gs_bench_shape_at(unsigned idx);
const struct gs_bench_mix *gs_bench_mix_at(unsigned idx);

/* Does layer `idx` need more bits: the first and last eighth, and every third between. */
bool gs_bench_layer_needs_more(uint32_t idx, uint32_t n_layers);

#endif
