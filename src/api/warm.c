/* A file in the page cache only has to be entered into our page tables, which is done on a second
 * processor while the first reads the vocabulary, and left to the lanes after that. A file on disk
 * is read to its end before the first answer: forwards, which is fast, and with progress, while the
 * lanes would wait for it here and there and say nothing. */
#include "api/warm.h"

#include "base/limits.h"
#include "base/os.h"
#include "base/thread.h"
#include "gguf/gguf.h"

#define STEP_BYTES (8 * GS_MIB)
#define COLD_BELOW 0.9 /* part of the file in memory */

static void step(struct gs_llm_warm *w)
{
    gs_gguf_touch(w->file, w->at, GS_MIN(STEP_BYTES, w->n - w->at));
    w->at += GS_MIN(STEP_BYTES, w->n - w->at);
}

static void run(void *arg)
{
    struct gs_llm_warm *w = arg;

    while (w->at < w->n && !atomic_load(&w->stopped))
        step(w);
}

void gs_llm_warm_start(struct gs_llm_warm *w, const struct gs_gguf *file)
{
    const size_t bytes = gs_gguf_bytes(file);

    /* More than fits would push out what is there. */
    *w = (struct gs_llm_warm){.file = file};
    if (gs_os_memory_available_beside(bytes) == 0)
        return;
    w->n = bytes;
    w->is_cold = gs_gguf_resident(file) < COLD_BELOW;
    w->has_thread = gs_thread_start(&w->thread, GS_THREAD_LOCAL, run, w, NULL) == GS_OK;
}

void gs_llm_warm_stop(struct gs_llm_warm *w)
{
    if (!w->has_thread)
        return;
    atomic_store(&w->stopped, true);
    pthread_join(w->thread, NULL);
    w->has_thread = false;
}

void gs_llm_warm_finish(struct gs_llm_warm *w, void (*on_part)(void *ud, double part), void *ud)
{
    gs_llm_warm_stop(w);
    while (w->is_cold && w->at < w->n) {
        on_part(ud, (double)w->at / (double)w->n);
        step(w);
    }
}
