/* Two buffers: one is filled while the other is read; taking exchanges them, so that the lock is
 * held for no longer than it takes to copy a note. */
#include "ledger/ledger_inbox.h"

#include <stdalign.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/slice.h"

#define MAX_TEXTS       8
#define MAX_NAME_BYTES  256
#define MAX_ERROR_BYTES 512
#define MAX_KEY_BYTES   (2 * MAX_NAME_BYTES + 16) /* "provider/model" */
#define MAX_NOTE_BYTES                                                                             \
    (sizeof(struct gs_ledger_note) + MAX_ERROR_BYTES + MAX_TEXTS * MAX_NAME_BYTES)
#define KEEP_BYTES ((size_t)1 << 20) /* of a buffer that was read */

/* A note's slices, in the order of their texts. */
static size_t texts_of(struct gs_ledger_note *note, struct gs_slice *out_texts[MAX_TEXTS])
{
    struct gs_ledger_request *const r = &note->u.request;
    struct gs_ledger_attempt *const a = &note->u.attempt;
    size_t n = 0;

    switch (note->kind) {
    case GS_LEDGER_NOTE_REQUEST:
        out_texts[n++] = &r->error;
        out_texts[n++] = &r->id;
        out_texts[n++] = &r->api;
        out_texts[n++] = &r->model;
        out_texts[n++] = &r->served_by;
        out_texts[n++] = &r->privacy;
        out_texts[n++] = &r->found;
        out_texts[n++] = &r->key;
        break;
    case GS_LEDGER_NOTE_ATTEMPT:
        out_texts[n++] = &a->request;
        out_texts[n++] = &a->provider;
        out_texts[n++] = &a->model;
        out_texts[n++] = &a->key;
        break;
    case GS_LEDGER_NOTE_BREAKER:
        out_texts[n++] = &note->u.breaker.key;
        break;
    case GS_LEDGER_NOTE_SIGNED:
        break;
    }
    return n;
}

static size_t max_bytes(const struct gs_ledger_note *note, const struct gs_slice *text)
{
    if (note->kind == GS_LEDGER_NOTE_BREAKER)
        return MAX_KEY_BYTES;
    return text == &note->u.request.error ? MAX_ERROR_BYTES : MAX_NAME_BYTES;
}

void gs_ledger_inbox_init(struct gs_ledger_inbox *in, size_t max)
{
    pthread_condattr_t attr;

    *in = (struct gs_ledger_inbox){.max = max};
    gs_buf_init(&in->notes, max * MAX_NOTE_BYTES);
    pthread_mutex_init(&in->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&in->changed, &attr);
    pthread_condattr_destroy(&attr);
    pthread_cond_init(&in->done, NULL);
}

void gs_ledger_inbox_clear(struct gs_ledger_inbox *in)
{
    gs_buf_clear(&in->notes);
    pthread_cond_destroy(&in->done);
    pthread_cond_destroy(&in->changed);
    pthread_mutex_destroy(&in->lock);
}

static bool put_locked(struct gs_ledger_inbox *in, const struct gs_ledger_note *note,
                       struct gs_slice *const *texts, size_t n)
{
    if (in->is_closed || in->n == in->max)
        return false;
    char *at = gs_buf_reserve(&in->notes, note->bytes);
    in->notes.failed = false; /* the notes before are whole */
    if (!at)
        return false;
    memcpy(at, note, sizeof(*note));
    at += sizeof(*note);
    for (size_t i = 0; i < n; i++) {
        if (texts[i]->len > 0)
            memcpy(at, texts[i]->ptr, texts[i]->len);
        at += texts[i]->len;
    }
    gs_buf_grow(&in->notes, note->bytes);
    in->n++;
    in->n_put++;
    return true;
}

bool gs_ledger_inbox_put(struct gs_ledger_inbox *in, struct gs_ledger_note *note)
{
    struct gs_slice *texts[MAX_TEXTS];
    const size_t n = texts_of(note, texts);
    const size_t align = alignof(struct gs_ledger_note);
    size_t bytes = sizeof(*note) + align - 1;

    for (size_t i = 0; i < n; i++) {
        texts[i]->len = GS_MIN(texts[i]->len, max_bytes(note, texts[i]));
        bytes += texts[i]->len;
    }
    note->bytes = bytes / align * align;
    pthread_mutex_lock(&in->lock);
    const bool is_put = put_locked(in, note, texts, n);
    if (is_put && (in->n == 1 || in->n == in->enough))
        pthread_cond_signal(&in->changed);
    pthread_mutex_unlock(&in->lock);
    return is_put;
}

static void wait_locked(struct gs_ledger_inbox *in, int64_t gather_us)
{
    while (in->n == 0 && !in->is_closed)
        pthread_cond_wait(&in->changed, &in->lock);
    const int64_t until_us = gs_clock_mono_us() + gather_us;
    const struct timespec until = {.tv_sec = (time_t)(until_us / 1000000),
                                   .tv_nsec = (long)(until_us % 1000000) * 1000};
    int rc = 0;
    while (in->n < in->enough && !in->is_urgent && !in->is_closed && rc == 0)
        rc = pthread_cond_timedwait(&in->changed, &in->lock, &until);
}

bool gs_ledger_inbox_take(struct gs_ledger_inbox *in, int64_t gather_us, size_t enough,
                          struct gs_ledger_batch *batch)
{
    if (batch->notes.cap > KEEP_BYTES)
        gs_buf_clear(&batch->notes);
    gs_buf_reset(&batch->notes);
    batch->at = 0;
    pthread_mutex_lock(&in->lock);
    in->n_done += batch->n;
    pthread_cond_broadcast(&in->done);
    in->enough = GS_MIN(enough, in->max);
    wait_locked(in, gather_us);
    const struct gs_buf filled = in->notes;
    batch->notes.max = filled.max;
    in->notes = batch->notes;
    batch->notes = filled;
    batch->n = in->n;
    in->n = 0;
    in->is_urgent = false;
    pthread_mutex_unlock(&in->lock);
    return batch->n > 0;
}

void gs_ledger_inbox_flush(struct gs_ledger_inbox *in)
{
    pthread_mutex_lock(&in->lock);
    const uint64_t until = in->n_put;
    in->is_urgent = in->n > 0;
    pthread_cond_signal(&in->changed);
    while (in->n_done < until)
        pthread_cond_wait(&in->done, &in->lock);
    pthread_mutex_unlock(&in->lock);
}

void gs_ledger_inbox_close(struct gs_ledger_inbox *in)
{
    pthread_mutex_lock(&in->lock);
    in->is_closed = true;
    pthread_cond_signal(&in->changed);
    pthread_mutex_unlock(&in->lock);
}

void gs_ledger_batch_init(struct gs_ledger_batch *b)
{
    *b = (struct gs_ledger_batch){0};
}

void gs_ledger_batch_clear(struct gs_ledger_batch *b)
{
    gs_buf_clear(&b->notes);
}

const struct gs_ledger_note *gs_ledger_batch_next(struct gs_ledger_batch *b)
{
    struct gs_slice *texts[MAX_TEXTS];

    if (b->at == b->notes.len)
        return NULL;
    struct gs_ledger_note *const note = (void *)(b->notes.ptr + b->at);
    const char *text = (const char *)(note + 1);
    const size_t n = texts_of(note, texts);
    for (size_t i = 0; i < n; i++) {
        texts[i]->ptr = text;
        text += texts[i]->len;
    }
    b->at += note->bytes;
    return note;
}
