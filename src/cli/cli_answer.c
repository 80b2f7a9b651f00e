/* The engine's thread turns events into bytes to be shown; the main thread prints them, so that a
 * slow terminal never holds the engine up.
 *
 *     engine thread:  event -> shown, text, reasoning (under the lock) -> event_fd
 *     main thread:    event_fd -> takes shown -> standard output */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/os.h"
#include "base/slice.h"
#include "cli/answer.h"
#include "cli/cli.h"
#include "cli/interrupt.h"

#define DIM            "\033[2m"
#define PLAIN          "\033[0m"
#define LEAST_PROGRESS 512 /* tokens of a prompt whose reading is worth showing */
#define CLEAR_LINE     "\r\033[K"

struct stream {
    int event_fd;
    bool is_terminal;
    bool is_quiet;

    pthread_mutex_t lock; /* guards the rest and the answer, until the engine is done */
    struct gs_cli_answer *a;
    struct gs_buf shown; /* not printed yet */
    bool is_dim;         /* the text shown last was reasoning */
    bool has_ended;
    int percent; /* of the prompt read; -1: nothing to show */
    enum gs_status st;
    struct gs_error err;
};

/* ---- the engine's thread ---- */

static void show(struct stream *s, const struct gs_event *ev)
{
    const bool is_reasoning = ev->block == GS_BLOCK_REASONING;

    if (s->is_quiet || (is_reasoning && !s->is_terminal))
        return;
    if (is_reasoning != s->is_dim)
        gs_buf_puts(&s->shown, is_reasoning ? DIM : PLAIN "\n\n");
    s->is_dim = is_reasoning;
    if (s->is_terminal)
        gs_cli_put_harmless(&s->shown, ev->text);
    else
        gs_buf_slice(&s->shown, ev->text);
}

static void take_delta(struct stream *s, const struct gs_event *ev)
{
    if (ev->block == GS_BLOCK_TEXT)
        gs_buf_slice(&s->a->text, ev->text);
    else if (ev->block == GS_BLOCK_REASONING)
        gs_buf_slice(&s->a->reasoning, ev->text);
    else
        return;
    s->percent = -1;
    show(s, ev);
}

static void take_event(struct stream *s, const struct gs_event *ev)
{
    switch (ev->kind) {
    case GS_EVENT_START:
        s->a->usage = ev->usage;
        break;
    case GS_EVENT_PROGRESS:
        s->percent = ev->total < LEAST_PROGRESS || ev->done >= ev->total
                         ? -1
                         : (int)(ev->done * 100 / ev->total);
        break;
    case GS_EVENT_DELTA:
        take_delta(s, ev);
        break;
    case GS_EVENT_STOP:
        s->a->usage = ev->usage;
        s->a->stop = ev->stop;
        s->has_ended = true;
        break;
    case GS_EVENT_ERROR:
        s->err = *ev->error;
        s->st = ev->error->code;
        s->has_ended = true;
        break;
    case GS_EVENT_BEGIN:
    case GS_EVENT_END:
    case GS_EVENT_VECTOR:
        break;
    }
}

static enum gs_flow on_event(void *ud, const struct gs_event *ev)
{
    struct stream *s = ud;

    pthread_mutex_lock(&s->lock);
    take_event(s, ev);
    if (!gs_buf_ok(&s->a->text) || !gs_buf_ok(&s->a->reasoning) || !gs_buf_ok(&s->shown)) {
        s->st = gs_error_nomem(&s->err, "hold the answer");
        s->has_ended = true;
    }
    const bool failed = s->st != GS_OK;
    pthread_mutex_unlock(&s->lock);
    gs_os_event_signal(s->event_fd);
    return failed ? GS_FLOW_CANCEL : GS_FLOW_CONTINUE;
}

/* ---- the main thread ---- */

static void print_progress(const struct stream *s, int percent, int *shown)
{
    if (s->is_quiet || percent == *shown || !isatty(STDERR_FILENO))
        return;
    if (percent >= 0)
        fprintf(stderr, CLEAR_LINE "reading the prompt: %d%%", percent);
    else
        fputs(CLEAR_LINE, stderr);
    fflush(stderr);
    *shown = percent;
}

/* Print what has come. False once there is nothing more to wait for. */
static bool print_shown(struct stream *s, int *percent_shown)
{
    struct gs_buf taken;

    pthread_mutex_lock(&s->lock);
    taken = s->shown;
    gs_buf_init(&s->shown, GS_MAX_TEXT_BYTES);
    const bool has_ended = s->has_ended;
    const int percent = s->percent;
    pthread_mutex_unlock(&s->lock);
    print_progress(s, percent, percent_shown);
    if (taken.len > 0 && !s->a->write_failed)
        s->a->write_failed = !gs_cli_write(gs_buf_view(&taken));
    gs_buf_clear(&taken);
    return !has_ended && !s->a->write_failed;
}

/* After the last event: the rest, and the end of the line. */
static void print_end(struct stream *s, int *percent_shown)
{
    const struct gs_buf *text = &s->a->text;
    const bool is_open = text->len == 0 || text->ptr[text->len - 1] != '\n';

    s->percent = -1;
    if (s->is_dim)
        gs_buf_puts(&s->shown, PLAIN);
    if (!s->is_quiet && (is_open || s->is_dim))
        gs_buf_putc(&s->shown, '\n');
    print_shown(s, percent_shown);
}

enum gs_status gs_cli_answer_print(gs_llm *llm, const struct gs_chat *chat, int event_fd,
                                   bool is_quiet, struct gs_cli_answer *a, struct gs_error *err)
{
    struct stream s = {
        .event_fd = event_fd,
        .is_terminal = isatty(STDOUT_FILENO) == 1,
        .is_quiet = is_quiet,
        .a = a,
        .percent = -1,
        .st = GS_OK,
    };
    gs_answer *answer = NULL;
    int percent_shown = -1;

    *a = (struct gs_cli_answer){.stop = GS_STOP_END};
    gs_buf_init(&a->text, GS_MAX_TEXT_BYTES);
    gs_buf_init(&a->reasoning, GS_MAX_TEXT_BYTES);
    gs_buf_init(&s.shown, GS_MAX_TEXT_BYTES);
    pthread_mutex_init(&s.lock, NULL);
    (void)gs_cli_interrupt_take(); /* one that came too late for the answer before */
    enum gs_status st = gs_llm_answer(llm, chat, on_event, &s, &answer, err);
    if (st == GS_OK) {
        struct pollfd waiting = {.fd = event_fd, .events = POLLIN};
        do {
            poll(&waiting, 1, -1);
            gs_os_event_drain(event_fd);
            a->was_interrupted = gs_cli_interrupt_take();
        } while (print_shown(&s, &percent_shown) && !a->was_interrupted);
        gs_answer_free(answer); /* cancels, waits */
        print_end(&s, &percent_shown);
        st = s.st;
        if (st != GS_OK && err)
            *err = s.err;
    }
    gs_buf_clear(&s.shown);
    pthread_mutex_destroy(&s.lock);
    return st;
}

void gs_cli_answer_clear(struct gs_cli_answer *a)
{
    gs_buf_clear(&a->text);
    gs_buf_clear(&a->reasoning);
}
