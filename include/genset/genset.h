/* genset: run a GGUF language model inside your own program.
 *
 *     gs_llm *llm;
 *     struct gs_llm_options opt;
 *     gs_llm_options_init(&opt);
 *     if (gs_llm_open("model.gguf", &opt, &llm, &err) != GS_OK) ...
 *     gs_answer *answer;
 *     gs_llm_answer(llm, &chat, on_event, ud, &answer, &err);   // events arrive on on_event
 *     gs_answer_wait(answer);
 *     gs_answer_free(answer);
 *     gs_llm_close(llm);
 *
 * A gs_llm is a loaded model: weights, tokenizer, chat template, and an engine that serves many
 * answers at once. A gs_session is one growing list of tokens for programs that want logits
 * instead of text. Functions never print, never exit, and change no process-wide state.
 *
 * thread: unless said otherwise one handle is used by one thread at a time; a gs_llm may be
 * shared by threads. */
#ifndef GENSET_H
#define GENSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "genset/chat.h"
#include "genset/slice.h"
#include "genset/status.h"

typedef struct gs_llm gs_llm;
typedef struct gs_session gs_session;
typedef struct gs_answer gs_answer;

/* Version of the library, "0.1.0". */
GS_API const char *gs_version(void);
/* Why the best instruction set of this machine is not used; NULL: nothing speaks against it. */
GS_API const char *gs_llm_cpu_problem(void);

/* ---- model ---- */

enum gs_kv_type { GS_KV_F16, GS_KV_F32, GS_KV_Q8_0 };

struct gs_llm_options {
    size_t struct_size;
    int32_t n_threads;       /* 0 = as many as the machine gives this process */
    int64_t ctx_tokens;      /* context of one sequence at most; 0 = the model's, within memory */
    int64_t kv_bytes;        /* memory for KV that is used or kept; 0 = a share of what is free */
    enum gs_kv_type kv_type; /* default GS_KV_F16 */
    int32_t max_sequences;   /* answers computed at once, 1..64, fewer where memory is short */
    int32_t batch_tokens;    /* tokens of one step at most; default 512 */
    bool weights_only;       /* metadata, tensors, tokenizer, template: no engine is started */
    const char *cpu; /* the best set of kernels used ("avx2", "neon", ..: option cpu); NULL = all */
    void (*on_progress)(void *ud, double done); /* loading, 0..1; may be NULL */
    void *progress_ud;
    bool lock_memory; /* keep the weights in memory: GS_ENOMEM if that is not allowed */
    bool huge_pages;  /* copy the file into huge pages: GS_EUNSUPPORTED if there are none */
    bool numa_spread; /* take memory from all NUMA nodes in turn: GS_EUNSUPPORTED with one node */
    /* A folder for a file that says how conversations with the model began: what is in it is
     * computed when the model is open, before anybody asks. Read while opening; NULL = none. */
    const char *beginnings_dir;
    int64_t least_ctx_tokens; /* where memory decides about the context; 0, or less than 4096: 4096,
                               * but no more than the model's */
    bool takes_less; /* where memory is short: of context, down to least_ctx_tokens, and in the end
                      * KV as q8_0, whatever was asked for */
};

GS_API void gs_llm_options_init(struct gs_llm_options *opt);

/* Open `path` (a GGUF file, or the first file of a split model) and make it ready to answer.
 *
 * owns:   *out_llm is closed with gs_llm_close().
 * errors: GS_EIO, GS_EFORMAT (damaged file), GS_EUNSUPPORTED (architecture, tensor type or
 *         tokenizer we do not have, named), GS_ENOMEM. */
GS_API GS_MUST_CHECK enum gs_status gs_llm_open(const char *path, const struct gs_llm_options *opt,
                                                gs_llm **out_llm, struct gs_error *err);

/* Close the model; answers still running end with GS_ECANCELLED. NULL is allowed. */
GS_API void gs_llm_close(gs_llm *llm);

struct gs_llm_info {
    const char *arch;          /* "qwen3" */
    const char *name;          /* general.name, or the file's name */
    const char *quant;         /* "Q4_K_M", or the most used tensor type */
    const char *chat_template; /* source text, or "" */
    const char *bos_text, *eos_text;
    int64_t n_params;
    int64_t file_bytes;
    int64_t ctx_train_tokens; /* the model's own limit */
    int64_t ctx_tokens;       /* what one sequence may use here */
    int64_t kv_bytes_per_token;
    int64_t state_bytes_per_sequence; /* recurrent state */
    int64_t kv_bytes;                 /* reserved for all sequences */
    int64_t scratch_bytes;
    int32_t n_vocab, n_layers, n_embd, n_head, n_head_kv;
    int32_t n_threads;
    const char *cpu;     /* instruction set in use: "avx512vnni" */
    bool supports_tools; /* the template renders tools */
    bool supports_reasoning;
    bool supports_infill; /* answers between two texts */
    bool is_short;        /* of memory: it has less than was asked for (takes_less) */
    enum gs_kv_type kv_type;
};

/* Borrowed strings live as long as `llm`. */
GS_API void gs_llm_info(const gs_llm *llm, struct gs_llm_info *out_info);

/* Metadata pair `idx` as text; values of arrays are shortened to `max_items`. Returns false past
 * the end. The strings are written to buf (cap bytes, zero-terminated, cut at a character). */
GS_API bool gs_llm_meta(const gs_llm *llm, size_t idx, size_t max_items, char *buf, size_t cap,
                        const char **out_key, const char **out_type);

struct gs_tensor_info {
    const char *name;
    const char *type; /* "Q4_K" */
    int32_t n_dims;
    int64_t dims[4]; /* fastest first, as in the file */
    int64_t bytes;
    int64_t file_off;
};

/* Tensor `idx` in file order; false past the end. */
GS_API bool gs_llm_tensor(const gs_llm *llm, size_t idx, struct gs_tensor_info *out_info);

/* Write the first `n` values of a tensor, as float32, to out[n].
 * errors: GS_ENOTFOUND, GS_EINVAL (n beyond the tensor), GS_EUNSUPPORTED (type). */
GS_API GS_MUST_CHECK enum gs_status gs_llm_dequant(const gs_llm *llm, const char *tensor, size_t n,
                                                   float *out, struct gs_error *err);

/* ---- text and tokens ---- */

enum gs_tokenize_flags {
    GS_TOKENIZE_ADD_SPECIAL = 1,   /* BOS, EOS as the model wants them */
    GS_TOKENIZE_PARSE_SPECIAL = 2, /* "<|im_end|>" in the text becomes its token */
};

/* Tokenise. owns: *out_ids is released with gs_free_tokens(). */
GS_API GS_MUST_CHECK enum gs_status gs_llm_tokenize(const gs_llm *llm, struct gs_slice text,
                                                    unsigned flags, int32_t **out_ids,
                                                    size_t *out_n, struct gs_error *err);
GS_API void gs_free_tokens(int32_t *ids);

/* Bytes of one token; empty for ids outside the vocabulary. Borrowed from `llm`. */
GS_API struct gs_slice gs_llm_token_text(const gs_llm *llm, int32_t id);

/* Render the prompt of `chat` with the model's template. *out_text is released with
 * gs_free_text(). errors: GS_ETEMPLATE with line and column, GS_EUNSUPPORTED. */
GS_API GS_MUST_CHECK enum gs_status gs_llm_render(const gs_llm *llm, const struct gs_chat *chat,
                                                  char **out_text, size_t *out_len,
                                                  struct gs_error *err);

/* Tokens of the rendered prompt. */
GS_API GS_MUST_CHECK enum gs_status gs_llm_count(const gs_llm *llm, const struct gs_chat *chat,
                                                 int64_t *out_tokens, struct gs_error *err);

/* Render a Jinja chat template by itself. `vars_json` is a JSON object with the template's
 * variables (messages, tools, add_generation_prompt...); `now_iso` fixes strftime_now, NULL = the
 * clock. `name` is quoted in errors. */
GS_API GS_MUST_CHECK enum gs_status gs_render_template(const char *name, struct gs_slice source,
                                                       struct gs_slice vars_json,
                                                       const char *now_iso, char **out_text,
                                                       size_t *out_len, struct gs_error *err);
GS_API void gs_free_text(char *text);

/* ---- answers ---- */

/* Start answering `chat`. Rendering and tokenising happen on the calling thread; then events come
 * on the engine's thread until STOP or ERROR. `chat` is only read during the call.
 *
 * owns:   *out_answer is released with gs_answer_free().
 * errors: GS_ECONTEXT (needed/available set; nothing is cut silently), GS_ENOMEM (KV does not
 *         fit), GS_EBUSY (queue full), GS_ETEMPLATE, GS_EUNSUPPORTED. No event is sent then. */
GS_API GS_MUST_CHECK enum gs_status gs_llm_answer(gs_llm *llm, const struct gs_chat *chat,
                                                  gs_event_fn *on_event, void *ud,
                                                  gs_answer **out_answer, struct gs_error *err);

/* Stop computing within one token. No event comes after this returns... except one that is being
 * delivered; gs_answer_free() waits for that. thread: any. */
GS_API void gs_answer_cancel(gs_answer *a);

/* Go on after GS_FLOW_PAUSE. thread: any. */
GS_API void gs_answer_resume(gs_answer *a);

/* Wait until the last event was delivered or the cancel took effect. */
GS_API void gs_answer_wait(gs_answer *a);

/* Cancel if still running, wait, release. Must not be called from on_event. NULL is allowed. */
GS_API void gs_answer_free(gs_answer *a);

/* ---- embeddings and ranking: texts in, vectors or scores out ---- */

struct gs_embed_options {
    size_t struct_size;
    bool raw;      /* vectors at the length they have, not 1; scores as the model gives them */
    bool truncate; /* cut texts that do not fit the model's context, instead of an error */
    int32_t dims;  /* 0 = all; else the first so many values, for models trained to that */
    bool (*is_cancelled)(void *ud); /* asked between steps, on the calling thread; may be NULL */
    void *ud;
};

GS_API void gs_embed_options_init(struct gs_embed_options *opt);

struct gs_vectors {
    float *values; /* [n][dims] */
    size_t n, dims;
    int64_t n_tokens; /* of all inputs */
    size_t n_cut;     /* inputs that did not fit and were cut */
};

/* Turn texts into vectors, pooled as the model says. A reranker gives the scores of its labels
 * instead, which are never scaled.
 *
 * owns:   *out_vectors is released with gs_vectors_clear().
 * thread: any; calls wait for each other, not for answers.
 * errors: GS_EINVAL (an empty input, a token or `dims` out of range), GS_ECONTEXT (needed/available
 *         of the longest input), GS_ENOMEM, GS_ECANCELLED. */
GS_API GS_MUST_CHECK enum gs_status gs_llm_embed(gs_llm *llm, const struct gs_embed_input *inputs,
                                                 size_t n, const struct gs_embed_options *opt,
                                                 struct gs_vectors *out_vectors,
                                                 struct gs_error *err);

/* Score how well each document answers `query`: one value each, 0 (not at all) to 1. A model of
 * one label gives the sigmoid of its logit, `raw` the logit; one of the labels "yes" and "no" gives
 * the share of "yes". Documents are texts, not tokens; only they are cut.
 *
 * owns, thread, errors: as of gs_llm_embed(); GS_EUNSUPPORTED: the model is no reranker. */
GS_API GS_MUST_CHECK enum gs_status gs_llm_rerank(gs_llm *llm, struct gs_slice query,
                                                  const struct gs_embed_input *documents, size_t n,
                                                  const struct gs_embed_options *opt,
                                                  struct gs_vectors *out_scores,
                                                  struct gs_error *err);
GS_API void gs_vectors_clear(struct gs_vectors *v);

/* ---- sessions: tokens in, logits out ---- */

/* One sequence of at most `ctx_tokens` (0 = the llm's ctx_tokens), apart from the engine. */
GS_API GS_MUST_CHECK enum gs_status
gs_session_create(gs_llm *llm, int64_t ctx_tokens, gs_session **out_session, struct gs_error *err);
GS_API void gs_session_free(gs_session *s);

/* Append `n` tokens and compute them. Logits of the last `n_logits` of them (0..n) are kept until
 * the next call: gs_session_logits(s)[n_logits][n_vocab].
 * errors: GS_ECONTEXT if it would pass the context (session unchanged), GS_EINVAL (token id). */
GS_API GS_MUST_CHECK enum gs_status gs_session_feed(gs_session *s, const int32_t *tokens, size_t n,
                                                    size_t n_logits, struct gs_error *err);
GS_API const float *gs_session_logits(const gs_session *s);

/* Forget all tokens. */
GS_API void gs_session_reset(gs_session *s);

#endif
