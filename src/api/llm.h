/* What a gs_llm is made of; shared by the files of this room. */
#ifndef GS_API_LLM_H
#define GS_API_LLM_H

#include <pthread.h>
#include <stdbool.h>

#include "api/heal.h"
#include "base/arena.h"
#include "base/buf.h"
#include "genset/genset.h"
#include "token/token.h"

struct gs_beginnings;
struct gs_compute;
struct gs_constraint_vocab;
struct gs_encoder;
struct gs_engine;
struct gs_gguf;
struct gs_model;
struct gs_prompter;
struct gs_replay_store;

/* Memory and context of the engine; see budget.c. */
struct gs_llm_budget {
    uint64_t ctx_tokens; /* of one sequence */
    uint64_t kv_tokens;  /* of all sequences */
    uint64_t kv_bytes;
    uint64_t scratch_bytes;
    uint32_t max_sequences; /* as asked, or fewer where memory is short */
};

struct gs_llm {
    struct gs_llm_options opt;
    struct gs_arena a; /* texts below, zero-terminated */
    struct gs_slice arch, name, chat_template, bos_text, eos_text;
    struct gs_slice *keys, *tensor_names; /* of the file, in its order */
    struct gs_gguf *file;
    struct gs_tokenizer *tok; /* NULL: tok_err says why */
    struct gs_error tok_err;
    struct gs_replay_store *replays;
    struct gs_prompter *prompter; /* NULL: prompter_err says why */
    struct gs_error prompter_err;
    struct gs_model *model; /* NULL: weights_only, and an architecture we do not have */
    struct gs_llm_budget budget;
    bool is_short;              /* and it is of less than was asked for */
    struct gs_compute *compute; /* NULL, as the engine: weights_only */
    struct gs_engine *engine;
    struct gs_beginnings *beginnings;  /* NULL: not wanted */
    pthread_mutex_t embed_lock;        /* guards the next two */
    struct gs_encoder *encoder;        /* NULL: not yet needed */
    struct gs_compute *embed_compute;  /* lanes apart from the engine's; NULL: `compute` */
    pthread_mutex_t vocab_lock;        /* guards the next */
    struct gs_constraint_vocab *vocab; /* NULL: not yet needed */
    int32_t *end_tokens;
    size_t n_end_tokens;
    struct gs_sampling suggested;
};

/* errors: GS_ENOMEM with amounts when what the options ask for does not fit the machine. */
GS_MUST_CHECK enum gs_status gs_llm_budget_plan(const struct gs_model *m, size_t weight_bytes,
                                                const struct gs_llm_options *opt,
                                                struct gs_llm_budget *out, struct gs_error *err);
/* Ask for less, where `opt` allows it, after what it says was too much. False: there is no less. */
GS_MUST_CHECK bool gs_llm_budget_shrink(const struct gs_model *m, struct gs_llm_options *opt);
enum gs_type gs_llm_kv_type(enum gs_kv_type t);

struct gs_prompt_shape;

/* Append the prompt of `chat` as text; shape as of gs_prompter_shape(). */
GS_MUST_CHECK enum gs_status gs_llm_prompt_text(const struct gs_llm *llm,
                                                const struct gs_chat *chat,
                                                struct gs_prompt_shape *shape, struct gs_buf *b,
                                                struct gs_error *err);

/* A chat as tokens: what the model wrote before stands in it as it wrote it. */
struct gs_llm_prompt {
    struct gs_token_ids ids;
    bool opens_reasoning;  /* as of gs_prompter_render() */
    bool knows_opening;    /* the answer can be kept for replay */
    struct gs_buf opening; /* what stands between the header of the model's turn and the answer */
    size_t answer_at;      /* what follows these tokens is of the answer, which broke off */
    struct gs_heal heal;   /* of its last word */
};

/* What is there of the answer to `chat`, which broke off; NULL: nothing. */
const struct gs_message *gs_llm_partial(const struct gs_chat *chat);

GS_MUST_CHECK enum gs_status gs_llm_prompt_make(const struct gs_llm *llm,
                                                const struct gs_chat *chat,
                                                struct gs_llm_prompt *out_p, struct gs_error *err);
void gs_llm_prompt_clear(struct gs_llm_prompt *p);
GS_MUST_CHECK enum gs_status gs_llm_append_tokens(struct gs_token_ids *ids, const int32_t *tokens,
                                                  size_t n, struct gs_error *err);
/* Where turns of a prompt begin that other prompts are likely to share all before: the second and
 * third, and the last two, ascending; without turns, all but the last token. */
#define GS_TURN_MARKS 4
void gs_llm_turn_marks(const struct gs_llm *llm, const struct gs_token_ids *ids,
                       size_t out_marks[GS_TURN_MARKS], size_t *out_n);
/* True if the model may call tools in its answer to `chat`. */
bool gs_llm_chat_has_tools(const struct gs_chat *chat);
/* GS_OK, or the reason why there is no tokenizer. */
GS_MUST_CHECK enum gs_status gs_llm_need_tokenizer(const struct gs_llm *llm, struct gs_error *err);

#endif
