/* Each answer is one of its own, with its own job; what they say goes out under one START.
 *
 * An answer whose request is refused must not have been heard of, and the first may begin before
 * the last is there. So those that begin early are paused at their START, and go on when all
 * exist. */
#include "api/choices.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/limits.h"

struct choice {
    struct gs_choices *all;
    gs_answer *answer;
    uint32_t idx;
    bool counts_prompt; /* the first answer to its chat: the others share its prompt */
    struct gs_usage usage;
};

struct gs_choices {
    gs_event_fn *on_event;
    void *ud;
    atomic_bool is_over; /* ERROR was sent, or the receiver wants no more */

    pthread_mutex_t lock; /* guards the next three */
    bool is_ready;        /* all answers exist */
    bool has_failed;      /* before that */
    struct gs_error err;

    /* the engine's thread */
    uint32_t n_begun, n_left;
    bool has_started;
    struct gs_buf ignored;

    size_t n;
    struct choice choices[]; /* [n] */
};

/* ---- the engine's thread ---- */

static struct gs_usage sum(const struct gs_choices *c)
{
    struct gs_usage total = {0};

    for (size_t i = 0; i < c->n; i++) {
        const struct gs_usage *u = &c->choices[i].usage;
        total.prompt_tokens += c->choices[i].counts_prompt ? u->prompt_tokens : 0;
        total.cached_tokens += c->choices[i].counts_prompt ? u->cached_tokens : 0;
        total.answer_tokens += u->answer_tokens;
        total.reasoning_tokens += u->reasoning_tokens;
        total.prefill_us = GS_MAX(total.prefill_us, u->prefill_us);
        total.decode_us = GS_MAX(total.decode_us, u->decode_us);
    }
    return total;
}

/* Whether all answers exist; if not, an error is kept for whoever makes them. */
static bool is_ready(struct gs_choices *c, const struct gs_event *ev)
{
    pthread_mutex_lock(&c->lock);
    const bool ready = c->is_ready;
    if (!ready && ev->kind == GS_EVENT_ERROR && !c->has_failed) {
        c->has_failed = true;
        c->err = *ev->error;
    }
    pthread_mutex_unlock(&c->lock);
    return ready;
}

static void end_all(struct gs_choices *c)
{
    atomic_store(&c->is_over, true);
    for (size_t i = 0; i < c->n; i++)
        gs_answer_cancel(c->choices[i].answer);
}

static enum gs_flow tell(struct gs_choices *c, const struct gs_event *ev)
{
    if (atomic_load(&c->is_over))
        return GS_FLOW_CANCEL;
    const enum gs_flow flow = c->on_event(c->ud, ev);
    if (flow == GS_FLOW_CANCEL || ev->kind == GS_EVENT_ERROR)
        end_all(c);
    return flow;
}

static void begin(struct choice *one, const struct gs_event *ev)
{
    struct gs_choices *c = one->all;

    c->n_begun++;
    if (c->ignored.len == 0) /* of one request, so the same of all */
        gs_buf_slice(&c->ignored, ev->ignored);
}

/* All that began have said how long their prompts are: no token comes before. */
static enum gs_flow start(struct gs_choices *c)
{
    c->has_started = true;
    return tell(c, &(struct gs_event){.kind = GS_EVENT_START,
                                      .usage = sum(c),
                                      .ignored = gs_buf_view(&c->ignored)});
}

static enum gs_flow on_choice(void *ud, const struct gs_event *ev)
{
    struct choice *one = ud;
    struct gs_choices *c = one->all;
    struct gs_event told = *ev;
    enum gs_flow flow = GS_FLOW_CONTINUE;

    one->usage = ev->usage;
    if (ev->kind == GS_EVENT_START)
        begin(one, ev);
    if (!is_ready(c, ev))
        return GS_FLOW_PAUSE;
    if (ev->kind == GS_EVENT_ERROR)
        return tell(c, ev);
    if (!c->has_started && c->n_begun == c->n)
        flow = start(c);
    if (ev->kind == GS_EVENT_START || flow == GS_FLOW_CANCEL)
        return flow;
    if (ev->kind == GS_EVENT_STOP)
        told.n_left = --c->n_left;
    told.answer_idx = one->idx;
    told.usage = sum(c);
    const enum gs_flow last = tell(c, &told);
    return last == GS_FLOW_CONTINUE ? flow : last;
}

/* ---- the caller's thread ---- */

static enum gs_status count(const struct gs_chat *chat, size_t *out_n, struct gs_error *err)
{
    size_t n = 0;

    for (; chat && n <= GS_MAX_ANSWERS; chat = chat->next)
        n += (size_t)GS_MIN(GS_MAX(1, chat->n_answers), GS_MAX_ANSWERS + 1);
    if (n > GS_MAX_ANSWERS)
        return gs_error_set(err, GS_ELIMIT, "more than %d answers to one request", GS_MAX_ANSWERS);
    *out_n = n;
    return GS_OK;
}

/* Answer `idx`, the k-th to `chat`: the first draws as a single answer would. */
static enum gs_status create_one(struct gs_choices *c, gs_llm *llm, const struct gs_chat *chat,
                                 size_t idx, int32_t k, struct gs_error *err)
{
    struct choice *one = &c->choices[idx];
    struct gs_chat own = *chat;

    *one = (struct choice){.all = c, .idx = (uint32_t)idx, .counts_prompt = k == 0};
    own.n_answers = 1;
    own.next = NULL;
    own.sampling.seed += (uint64_t)k * 0x9E3779B97F4A7C15; /* the golden ratio: far apart */
    return gs_llm_answer(llm, &own, on_choice, one, &one->answer, err);
}

static enum gs_status create_all(struct gs_choices *c, gs_llm *llm, const struct gs_chat *chat,
                                 struct gs_error *err)
{
    size_t idx = 0;

    for (; chat; chat = chat->next) {
        for (int32_t k = 0; k < GS_MAX(1, chat->n_answers); k++) {
            const enum gs_status st = create_one(c, llm, chat, idx++, k, err);
            if (st != GS_OK)
                return st;
        }
    }
    pthread_mutex_lock(&c->lock);
    c->is_ready = !c->has_failed;
    pthread_mutex_unlock(&c->lock);
    if (c->is_ready)
        return GS_OK;
    if (err)
        *err = c->err;
    return c->err.code;
}

enum gs_status gs_choices_create(gs_llm *llm, const struct gs_chat *chat, gs_event_fn *on_event,
                                 void *ud, struct gs_choices **out_c, struct gs_error *err)
{
    size_t n = 0;
    enum gs_status st = count(chat, &n, err);

    if (st != GS_OK)
        return st;
    struct gs_choices *c = gs_alloc_zero(sizeof(*c) + n * sizeof(c->choices[0]));
    if (!c)
        return gs_error_nomem(err, "start answers");
    c->n = n;
    c->n_left = (uint32_t)n;
    c->on_event = on_event;
    c->ud = ud;
    pthread_mutex_init(&c->lock, NULL);
    gs_buf_init(&c->ignored, GS_MAX_TEXT_BYTES);
    st = create_all(c, llm, chat, err);
    if (st != GS_OK) {
        gs_choices_free(c);
        return st;
    }
    gs_choices_resume(c);
    *out_c = c;
    return GS_OK;
}

void gs_choices_cancel(struct gs_choices *c)
{
    end_all(c);
}

void gs_choices_resume(struct gs_choices *c)
{
    for (size_t i = 0; i < c->n; i++)
        gs_answer_resume(c->choices[i].answer);
}

void gs_choices_wait(struct gs_choices *c)
{
    for (size_t i = 0; i < c->n; i++)
        gs_answer_wait(c->choices[i].answer);
}

void gs_choices_free(struct gs_choices *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->n; i++)
        if (c->choices[i].answer)
            gs_answer_cancel(c->choices[i].answer);
    for (size_t i = 0; i < c->n; i++)
        gs_answer_free(c->choices[i].answer);
    pthread_mutex_destroy(&c->lock);
    gs_buf_clear(&c->ignored);
    gs_free(c);
}
