/* The model as its architecture sees it, and what an architecture is: a name, how to load it, what
 * memory one forward takes, and the forward itself, a straight line of ops run by every lane.
 *
 * Adding one: a file arch_NAME.c defining a struct gs_arch, and a line in the table of model.c. */
#ifndef GS_MODEL_ARCH_H
#define GS_MODEL_ARCH_H

#include <stdbool.h>

#include "base/arena.h"
#include "compute/ops.h"
#include "model/model.h"
#include "model/work.h"

struct gs_loader;
struct gs_pool_head;

/* Attention layers are of two kinds: those that keep every token, and those that see only a window
 * of the last ones and keep little more than that. */
enum gs_kv_kind { GS_KV_FULL, GS_KV_WINDOW };
#define GS_KV_KINDS 2

/* An attention layer: its kind, and its index among the layers of that kind. */
struct gs_kv_at {
    enum gs_kv_kind kind;
    uint32_t idx;
};

struct gs_batch_kv {
    const struct gs_kv_layer *layers; /* [layer of this kind] */
    const struct gs_kv_run *runs;     /* [run] */
};

/* Giving up a step while it is computed. Lane 0 asks before each layer what all follow before the
 * next one, behind barriers; so they agree. */
struct gs_abandon {
    bool (*asked)(void *ud); /* NULL: never */
    void *ud;
    bool answers[2]; /* of even and odd layers */
    bool done;
};

/* One batch of tokens; its rows are the runs one after another. */
struct gs_batch {
    size_t n_rows;
    const int32_t *tokens; /* [row] */
    const int32_t *pos;    /* [row] position in its sequence */
    size_t n_runs;
    uint64_t ctx_tokens; /* of a sequence at most */
    struct gs_batch_kv kv[GS_KV_KINDS];
    const struct gs_state_run *states; /* [recurrent layer][run] */
    const int32_t *segments;           /* [row] of its text, 0 or 1; read by encoders */
    size_t n_out;
    const int32_t *out_rows; /* [n_out] rows whose logits are wanted */
    bool states_only;        /* not logits, but the states they would be made of */
    float *logits;           /* [n_out][n_vocab], or [n_out][D] */
    struct gs_abandon *abandon;
};

/* Before each layer, which has a barrier: true, on all lanes, if the step is given up. */
bool gs_exec_is_abandoned(struct gs_lane *lane, const struct gs_batch *b, uint32_t layer);

struct gs_arch {
    const char *name; /* general.architecture */
    /* Fill m->body; errors stay in the loader. */
    void (*load)(struct gs_loader *ld, struct gs_model *m);
    /* Take from w what forward() takes. */
    void (*plan)(const struct gs_model *m, struct gs_work w, size_t n_out);
    void (*forward)(struct gs_lane *lane, const struct gs_model *m, const struct gs_batch *b,
                    struct gs_work w);
};

/* What a sequence keeps for one layer. */
struct gs_kv_shape {
    uint32_t n_head_kv;
    uint32_t d_k, d_v;
    bool v_in_k; /* a V row is the beginning of its K row */
};

struct gs_kv_layers {
    struct gs_kv_shape *shapes; /* [layer of this kind] */
    size_t n;
};

struct gs_state_shape {
    size_t conv_floats;  /* [taps - 1][channels] */
    size_t delta_floats; /* [n_v][d_k][d_v] */
};

struct gs_model {
    const struct gs_gguf *file;
    const struct gs_arch *arch;
    struct gs_model_params params;
    struct gs_arena arena; /* everything below */
    void *body;            /* the architecture's own */
    struct gs_kv_layers kv[GS_KV_KINDS];
    uint32_t kv_window; /* tokens that layers with a window see at most; 0 without such layers */
    struct gs_state_shape *states; /* [recurrent layer] */
    size_t n_states;
    size_t lane_scratch_bytes; /* of the widest attention */
    struct gs_pool_head *pool_head;
};

extern const struct gs_arch gs_arch_llama;
extern const struct gs_arch gs_arch_granite;
extern const struct gs_arch gs_arch_smollm3;
extern const struct gs_arch gs_arch_mistral3;
extern const struct gs_arch gs_arch_qwen2;
extern const struct gs_arch gs_arch_qwen3;
extern const struct gs_arch gs_arch_qwen3moe;
extern const struct gs_arch gs_arch_phi3;
extern const struct gs_arch gs_arch_glm4moe;
extern const struct gs_arch gs_arch_gpt_oss;
extern const struct gs_arch gs_arch_gemma2;
extern const struct gs_arch gs_arch_gemma3;
extern const struct gs_arch gs_arch_gemma4;
extern const struct gs_arch gs_arch_glm4;
extern const struct gs_arch gs_arch_deepseek2;
extern const struct gs_arch gs_arch_qwen35;
extern const struct gs_arch gs_arch_qwen35moe;
extern const struct gs_arch gs_arch_bert;
extern const struct gs_arch gs_arch_nomic_bert;
extern const struct gs_arch gs_arch_jina_bert_v2;
extern const struct gs_arch gs_arch_modern_bert;
extern const struct gs_arch gs_arch_gemma_embedding;

#endif
