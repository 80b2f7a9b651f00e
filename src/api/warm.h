/* Bringing a model's file into memory while it is opened. */
#ifndef GS_API_WARM_H
#define GS_API_WARM_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct gs_gguf;

struct gs_llm_warm {
    const struct gs_gguf *file;
    size_t n; /* bytes to bring in */
    size_t at;
    bool is_cold;
    atomic_bool stopped;
    pthread_t thread;
    bool has_thread;
};

/* Begin, beside the caller's work. No failure: what is not brought in comes when it is used. */
void gs_llm_warm_start(struct gs_llm_warm *w, const struct gs_gguf *file);
/* Leave off. */
void gs_llm_warm_stop(struct gs_llm_warm *w);
/* Complete it, if it has to come from disk; `on_part` hears how far it is, 0..1. */
void gs_llm_warm_finish(struct gs_llm_warm *w, void (*on_part)(void *ud, double part), void *ud);

#endif
