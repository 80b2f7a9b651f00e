/* The local provider: models on this machine, opened when asked for, answering chats and turning
 * texts into vectors and scores.
 *
 * It owns three threads: on one ("local") models are opened, prompts rendered and tokenised, on
 * another ("texts") vectors are computed, and the third ("disk") looks after the files, so that the
 * loop never waits for any of it.
 *
 * A name a client gives means, in this order: the model of this path; the model of this name,
 * whatever the case, with or without ".gguf" or ":latest" at the end or an organisation before the
 * last '/', ':' standing for '-' ("qwen3:0.6b"); the only model whose name begins so; the default
 * model, if the name is empty or any_name is set. Where that one is made for something else than
 * what is asked for, it is a model made for this, one that is loaded if there is. For a name that
 * is not known the folders are searched anew; files elsewhere have no name. */
#ifndef GS_PROVIDER_LOCAL_H
#define GS_PROVIDER_LOCAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "genset/genset.h"
#include "genset/models.h"

struct gs_local;
struct gs_local_call;

struct gs_local_options {
    const char *const *paths; /* GGUF files, or folders searched for them */
    size_t n_paths;
    const char *own_folder;    /* searched too, if it is there; new models are put there, or NULL */
    const char *default_model; /* name or path; NULL: a model that is loaded, else the first */
    struct gs_llm_options llm; /* how models are opened */
    bool any_name; /* names nobody has (claude-*, gpt-*) are answered by the default model */
};

/* Find models; none is opened yet. Folders are searched two levels deep; of a split model the first
 * file counts; files named mmproj (projectors of images) do not. Strings are copied.
 * errors: GS_ENOTFOUND (a path or the default model is not there), GS_EIO, GS_ENOMEM. */
GS_MUST_CHECK enum gs_status gs_local_create(const struct gs_local_options *opt,
                                             struct gs_local **out_l, struct gs_error *err);
/* Ends all calls: those that run get GS_EVENT_ERROR with GS_ECANCELLED. Calls are still freed with
 * gs_local_call_free(), before or after, but not meanwhile. NULL is allowed. */
void gs_local_free(struct gs_local *l);

/* Models found so far, by name; until the next call. Never waits. thread: any, one at a time. */
size_t gs_local_models(const struct gs_local *l, const struct gs_local_model **out_models);
/* Open the model now (blocking), as the first request for it would. Not from the local thread. */
GS_MUST_CHECK enum gs_status gs_local_preload(struct gs_local *l, const char *name,
                                              struct gs_error *err);

/* Answer a chat. Everything reaches on_event, errors too (as GS_EVENT_ERROR), on other threads
 * than the caller's; it must not block. `chat` and what it points to must live until
 * gs_local_call_free(). What is only to be read ahead (prefill_only) opens no model while another is
 * open. errors here: GS_EBUSY (too many waiting), GS_ENOMEM; no event then. */
GS_MUST_CHECK enum gs_status gs_local_answer(struct gs_local *l, const struct gs_chat *chat,
                                             gs_event_fn *on_event, void *ud,
                                             struct gs_local_call **out_call, struct gs_error *err);
/* Count the prompt's tokens: START with usage.prompt_tokens, then STOP. */
GS_MUST_CHECK enum gs_status gs_local_count(struct gs_local *l, const struct gs_chat *chat,
                                            gs_event_fn *on_event, void *ud,
                                            struct gs_local_call **out_call, struct gs_error *err);
/* Turn texts into vectors, or documents into scores: VECTOR for each, then STOP. A model that is
 * not made for it is refused by name. `texts` must live as `chat` does. */
GS_MUST_CHECK enum gs_status gs_local_embed(struct gs_local *l, const struct gs_texts *texts,
                                            gs_event_fn *on_event, void *ud,
                                            struct gs_local_call **out_call, struct gs_error *err);
/* Run an errand: its results are in it at STOP. `errand` must live as `chat` does. */
GS_MUST_CHECK enum gs_status gs_local_errand(struct gs_local *l, struct gs_errand *errand,
                                             gs_event_fn *on_event, void *ud,
                                             struct gs_local_call **out_call, struct gs_error *err);
/* Hand over a piece of what GS_ERRAND_BLOB_ADD takes: the first after the errand was started, each
 * other after PROGRESS, which, as STOP or ERROR, says that `bytes` may go. thread: any, one at a
 * time. */
void gs_local_call_feed(struct gs_local_call *c, struct gs_slice bytes, bool is_last);
void gs_local_call_resume(struct gs_local_call *c); /* thread: any */
void gs_local_call_cancel(struct gs_local_call *c); /* takes effect within one token; thread: any */
/* Cancel and release. Returns at once: the rest is done on the local thread, after which
 * `on_free(ud)` is called there (may be NULL) and chat's memory may go. No event comes after
 * on_free. thread: any but the engine's. */
void gs_local_call_free(struct gs_local_call *c, void (*on_free)(void *ud), void *ud);

#endif
