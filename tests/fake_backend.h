/* A backend for server tests: the model's name is the script it plays, each call on a thread of
 * its own.
 *
 *   hello     a short text        tool      a tool call           think   reasoning, then text
 *   hold      START, then nothing until cancelled                 silent  not even START
 *   big       FAKE_BIG_BYTES of text, pausing when told to        endless the same without an end
 *   later     START, then as hello when the test says so  laterbad   START, then an error so
 *   overlong  an ECONTEXT error   broken    half an answer, then an error
 *   picky     START naming what is ignored, then as hello
 *   sly       the same, with names that try to be header lines, FAKE_SLY_BYTES long
 *   choices   two answers, mixed
 *   words     what fault/fake_provider.h says to the same request; goes on with what broke off
 *   busy      refused at once        many   vectors of FAKE_MANY values     cut   a cut text */
#ifndef GS_TESTS_FAKE_BACKEND_H
#define GS_TESTS_FAKE_BACKEND_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/slice.h"
#include "provider/local.h"
#include "server/server.h"

#define FAKE_BIG_BYTES   ((size_t)6 << 20)
#define FAKE_DELTA_BYTES ((size_t)4096)
#define FAKE_MANY        4096
#define FAKE_SLY_BYTES   20000

struct fake {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int n_live; /* calls not yet released */
    int n_cancelled;
    int n_pauses;
    bool may_go_on; /* later, laterbad */
    bool is_slow;   /* prompts that are only read are never read to the end */
    int n_read;     /* such prompts, begun */
    int n_read_on;  /* of them, those of an answer that broke off */
    atomic_size_t n_answers;
};

struct fake_call {
    struct fake *fake;
    char script[32];
    bool is_count, has_called;
    const struct gs_chat *chat;   /* or NULL */
    const struct gs_texts *texts; /* or NULL */
    gs_event_fn *on_event;
    void *ud;
    bool is_cancelled, is_resumed; /* under the fake's lock */
    void (*on_free)(void *ud);
    void *free_ud;
};

/* ---- what a script does ---- */

static inline bool fake_wait_resumed(struct fake_call *c)
{
    pthread_mutex_lock(&c->fake->lock);
    c->fake->n_pauses++;
    pthread_cond_broadcast(&c->fake->changed);
    while (!c->is_resumed && !c->is_cancelled)
        pthread_cond_wait(&c->fake->changed, &c->fake->lock);
    const bool go_on = !c->is_cancelled;
    pthread_mutex_unlock(&c->fake->lock);
    return go_on;
}

static inline bool fake_is_cancelled(struct fake_call *c)
{
    pthread_mutex_lock(&c->fake->lock);
    const bool is_cancelled = c->is_cancelled;
    c->is_resumed = false; /* a resume that answers the pause to come is kept */
    pthread_mutex_unlock(&c->fake->lock);
    return is_cancelled;
}

/* False: stop playing. */
static inline bool fake_say(struct fake_call *c, const struct gs_event *ev)
{
    if (fake_is_cancelled(c))
        return false;
    const enum gs_flow flow = c->on_event(c->ud, ev);
    return flow == GS_FLOW_PAUSE ? fake_wait_resumed(c) : flow == GS_FLOW_CONTINUE;
}

static inline bool fake_block(struct fake_call *c, enum gs_block_kind kind, uint32_t idx,
                              const char *name, const char *text)
{
    struct gs_event ev = {.kind = GS_EVENT_BEGIN,
                          .block = kind,
                          .block_idx = idx,
                          .name = gs_slice_str(name),
                          .id = name ? GS_SLICE_LIT("call_1") : gs_slice(NULL, 0)};

    if (!fake_say(c, &ev))
        return false;
    ev.kind = GS_EVENT_DELTA;
    ev.text = gs_slice_str(text);
    if (!fake_say(c, &ev))
        return false;
    ev.kind = GS_EVENT_END;
    return fake_say(c, &ev);
}

static inline bool fake_long(struct fake_call *c, size_t bytes)
{
    char text[FAKE_DELTA_BYTES];
    struct gs_event ev = {.kind = GS_EVENT_BEGIN, .block = GS_BLOCK_TEXT};

    if (!fake_say(c, &ev))
        return false;
    ev.kind = GS_EVENT_DELTA;
    for (size_t at = 0; at < bytes; at += sizeof(text)) {
        memset(text, 'a' + (int)(at / sizeof(text) % 26), sizeof(text));
        ev.text = gs_slice(text, sizeof(text));
        if (!fake_say(c, &ev))
            return false;
    }
    ev.kind = GS_EVENT_END;
    return fake_say(c, &ev);
}

static inline void fake_wait_cancelled(struct fake_call *c)
{
    pthread_mutex_lock(&c->fake->lock);
    while (!c->is_cancelled)
        pthread_cond_wait(&c->fake->changed, &c->fake->lock);
    pthread_mutex_unlock(&c->fake->lock);
}

static inline bool fake_wait_let_go(struct fake_call *c)
{
    pthread_mutex_lock(&c->fake->lock);
    while (!c->is_cancelled && !c->fake->may_go_on)
        pthread_cond_wait(&c->fake->changed, &c->fake->lock);
    const bool go_on = !c->is_cancelled;
    pthread_mutex_unlock(&c->fake->lock);
    return go_on;
}

static inline void fake_let_go(struct fake *f)
{
    pthread_mutex_lock(&f->lock);
    f->may_go_on = true;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

static inline void fake_fail(struct fake_call *c, enum gs_status st, const char *msg)
{
    struct gs_error err = {0};
    const struct gs_event ev = {.kind = GS_EVENT_ERROR, .error = &err};

    gs_error_set(&err, st, "%s", msg);
    gs_error_amounts(&err, 9000, 8192);
    fake_say(c, &ev);
}

static inline bool fake_is(const struct fake_call *c, const char *script)
{
    return strcmp(c->script, script) == 0;
}

/* The vectors (i, 0.25) of texts, the scores i % 3 of documents; "many" are FAKE_MANY values long.
 */
static inline bool fake_vectors(struct fake_call *c)
{
    static const float many[FAKE_MANY] = {0};

    for (size_t i = 0; i < c->texts->n_inputs; i++) {
        const float vector[] = {(float)i, 0.25f};
        const float score = (float)(i % 3) / 4;
        struct gs_event ev = {.kind = GS_EVENT_VECTOR, .values = vector, .n_values = 2};
        if (c->texts->is_ranking)
            ev = (struct gs_event){.kind = GS_EVENT_VECTOR, .values = &score, .n_values = 1};
        else if (fake_is(c, "many"))
            ev = (struct gs_event){.kind = GS_EVENT_VECTOR, .values = many, .n_values = FAKE_MANY};
        if (!fake_say(c, &ev))
            return false;
    }
    return true;
}

/* The first answer's text around all of the second. */
static inline bool fake_choices(struct fake_call *c)
{
    static const struct gs_event events[] = {
        {.kind = GS_EVENT_BEGIN},
        {.kind = GS_EVENT_DELTA, .text = {"on", 2}},
        {.kind = GS_EVENT_BEGIN, .answer_idx = 1},
        {.kind = GS_EVENT_DELTA, .answer_idx = 1, .text = {"two", 3}},
        {.kind = GS_EVENT_END, .answer_idx = 1},
        {.kind = GS_EVENT_STOP, .answer_idx = 1, .n_left = 1},
        {.kind = GS_EVENT_DELTA, .text = {"e", 1}},
        {.kind = GS_EVENT_END},
    };

    for (size_t i = 0; i < GS_COUNT_OF(events); i++)
        if (!fake_say(c, &events[i]))
            return false;
    return true;
}

/* The rest of a block of which `given` (or NULL) is there already, word by word. */
static inline bool fake_rest(struct fake_call *c, enum gs_block_kind kind, uint32_t idx,
                             const struct gs_block *given, struct gs_slice text)
{
    const struct gs_slice had = !given                       ? gs_slice(NULL, 0)
                                : kind == GS_BLOCK_TOOL_CALL ? given->args
                                                             : given->text;
    struct gs_event ev = {
        .kind = GS_EVENT_BEGIN,
        .block = kind,
        .block_idx = idx,
        .name = kind == GS_BLOCK_TOOL_CALL ? GS_SLICE_LIT("get_weather") : gs_slice(NULL, 0),
        .id = kind == GS_BLOCK_TOOL_CALL ? GS_SLICE_LIT("call_1") : gs_slice(NULL, 0)};

    if (!given && !fake_say(c, &ev))
        return false;
    ev.kind = GS_EVENT_DELTA;
    for (size_t at = gs_slice_starts(text, had) ? had.len : 0; at < text.len; at += ev.text.len) {
        ev.text = gs_slice_sub(text, at, gs_slice_find(text, GS_SLICE_LIT(" "), at + 1));
        ev.usage.answer_tokens++;
        if (!fake_say(c, &ev))
            return false;
    }
    ev.kind = GS_EVENT_END;
    return fake_say(c, &ev);
}

/* "recite TEXT": that is to be said, and `args` a call with it. */
static inline bool fake_recite(struct gs_slice wish, struct gs_slice *said, char *args, size_t cap)
{
    const size_t at = gs_slice_find(wish, GS_SLICE_LIT("recite "), 0);

    if (at == SIZE_MAX)
        return false;
    *said = gs_slice_sub(wish, at + 7, wish.len);
    snprintf(args, cap, "{\"city\":\"%.*s\",\"days\":3}", (int)said->len, said->ptr);
    return true;
}

/* All blocks that the last user message asks for; those that an answer which broke off has are not
 * said again, its last one is gone on with. */
static inline bool fake_words(struct fake_call *c)
{
    static const char letters[] = "w0 w1 w2 w3 w4 w5 w6 w7 w8 w9";
    const struct gs_message *last = &c->chat->messages[c->chat->n_messages - 1];
    const struct gs_message *user = last;
    const size_t n_given = c->chat->broke_off ? last->n_blocks : 0;
    struct gs_slice wish = {"", 0};
    int64_t n_words = 8;

    while (user > c->chat->messages && user->role != GS_ROLE_USER)
        user--;
    for (size_t i = 0; i < user->n_blocks; i++)
        wish = user->blocks[i].kind == GS_BLOCK_TEXT ? user->blocks[i].text : wish;
    const size_t say = gs_slice_find(wish, GS_SLICE_LIT("say "), 0);
    if (say != SIZE_MAX && !gs_slice_to_i64(gs_slice_sub(wish, say + 4, say + 5), &n_words))
        n_words = 8;
    char args[512] = "{\"city\":\"w0 w1 w2 w3\",\"days\":3}";
    struct gs_slice said = gs_slice(letters, (size_t)(3 * n_words - 1));
    const bool recites = fake_recite(wish, &said, args, sizeof(args));
    const struct {
        enum gs_block_kind kind;
        struct gs_slice text;
        bool is_meant;
    } plan[] = {
        {GS_BLOCK_REASONING, recites ? said : GS_SLICE_LIT("t0 t1 t2"),
         gs_slice_find(wish, GS_SLICE_LIT("think"), 0) != SIZE_MAX},
        {GS_BLOCK_TEXT, said, true},
        {GS_BLOCK_TOOL_CALL, gs_slice_str(args),
         gs_slice_find(wish, GS_SLICE_LIT("call "), 0) != SIZE_MAX},
    };
    size_t at = 0;

    c->has_called = plan[2].is_meant;
    for (size_t i = 0; i < GS_COUNT_OF(plan); i++) {
        const struct gs_block *given = at < n_given ? &last->blocks[at] : NULL;
        if (!plan[i].is_meant || (given && given->kind != plan[i].kind && at + 1 < n_given))
            continue;
        if (given && given->kind == plan[i].kind && at + 1 < n_given) {
            at++; /* complete */
            continue;
        }
        if (given && given->kind != plan[i].kind && /* nothing is left to say in it */
            !fake_rest(c, given->kind, (uint32_t)at++, given, given->text))
            return false;
        given = at < n_given ? given : NULL;
        if (!fake_rest(c, plan[i].kind, (uint32_t)at++, given, plan[i].text))
            return false;
    }
    return at >= n_given || fake_rest(c, last->blocks[at].kind, (uint32_t)at, &last->blocks[at],
                                      last->blocks[at].text);
}

/* What comes between START and the end. False: play no further. */
static inline bool fake_body(struct fake_call *c)
{
    if (c->is_count)
        return true;
    if (c->texts)
        return fake_vectors(c);
    if (fake_is(c, "hold"))
        fake_wait_cancelled(c);
    if (fake_is(c, "hold") ||
        ((fake_is(c, "later") || fake_is(c, "laterbad")) && !fake_wait_let_go(c)))
        return false;
    if (fake_is(c, "laterbad"))
        return true;
    if (fake_is(c, "tool"))
        return fake_block(c, GS_BLOCK_TOOL_CALL, 0, "get_weather", "{\"city\":\"Paris\"}");
    if (fake_is(c, "think"))
        return fake_block(c, GS_BLOCK_REASONING, 0, NULL, "Hm.") &&
               fake_block(c, GS_BLOCK_TEXT, 1, NULL, "Hello");
    if (fake_is(c, "choices"))
        return fake_choices(c);
    if (fake_is(c, "words"))
        return c->chat->n_messages > 0 ? fake_words(c)
                                       : fake_block(c, GS_BLOCK_TEXT, 0, NULL, "w0 w1");
    if (fake_is(c, "big") || fake_is(c, "endless"))
        return fake_long(c, fake_is(c, "big") ? FAKE_BIG_BYTES : SIZE_MAX / 2);
    return fake_block(c, GS_BLOCK_TEXT, 0, NULL, "Hello world");
}

/* A prompt that is only read. False: it was not read to its end. */
static inline bool fake_read(struct fake_call *c)
{
    pthread_mutex_lock(&c->fake->lock);
    c->fake->n_read++;
    c->fake->n_read_on += c->chat->broke_off;
    pthread_cond_broadcast(&c->fake->changed);
    pthread_mutex_unlock(&c->fake->lock);
    if (c->fake->is_slow)
        fake_wait_cancelled(c);
    return !c->fake->is_slow;
}

static inline void fake_play(struct fake_call *c)
{
    struct gs_event ev = {.kind = GS_EVENT_START, .usage = {.prompt_tokens = 12}};
    char sly[FAKE_SLY_BYTES];

    if (fake_is(c, "words"))
        ev.served_by = GS_SLICE_LIT("local/words");
    if (fake_is(c, "picky"))
        ev.ignored = GS_SLICE_LIT("not");
    if (fake_is(c, "sly")) {
        memset(sly, 'k', sizeof(sly));
        memcpy(sly, "a\r\nx-sly: 1\n\xC3\xA9\x7F", 15);
        ev.ignored = gs_slice(sly, sizeof(sly));
    }
    if (fake_is(c, "silent"))
        fake_wait_cancelled(c);
    if (fake_is(c, "overlong")) {
        fake_fail(c, GS_ECONTEXT, "the prompt has 9000 tokens, the context 8192");
        return;
    }
    if (c->texts)
        ev.usage.cut_texts = c->texts->truncate && fake_is(c, "cut");
    else if (!fake_say(c, &ev))
        return;
    const bool reads = c->chat && c->chat->prefill_only;
    const bool go_on = reads ? fake_read(c) : fake_body(c);
    if (fake_is(c, "broken") || (go_on && fake_is(c, "laterbad"))) {
        fake_fail(c, GS_EINTERNAL, "the engine failed");
        return;
    }
    ev.kind = GS_EVENT_STOP;
    ev.stop = fake_is(c, "tool") || c->has_called ? GS_STOP_TOOL_CALL : GS_STOP_END;
    ev.usage.answer_tokens = 3;
    if (go_on)
        fake_say(c, &ev);
}

/* ---- the backend ---- */

static inline void *fake_thread(void *arg)
{
    struct fake_call *c = arg;
    struct fake *f = c->fake;

    fake_play(c);
    fake_wait_cancelled(c); /* until released */
    if (c->on_free)
        c->on_free(c->free_ud);
    free(c);
    pthread_mutex_lock(&f->lock);
    f->n_live--;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
    return NULL;
}

static inline enum gs_status fake_begin(struct fake *f, struct gs_slice model,
                                        struct fake_call what, gs_event_fn *on_event, void *ud,
                                        void **out_call, struct gs_error *err)
{
    struct fake_call *c = calloc(1, sizeof(*c));
    pthread_t thread;

    if (gs_slice_eq_str(model, "busy")) {
        free(c);
        return gs_error_set(err, GS_EBUSY, "too many requests are waiting");
    }
    *c = what;
    c->fake = f;
    c->on_event = on_event;
    c->ud = ud;
    if (model.len > 0)
        memcpy(c->script, model.ptr, model.len < 31 ? model.len : 31);
    pthread_mutex_lock(&f->lock);
    f->n_live++;
    pthread_mutex_unlock(&f->lock);
    atomic_fetch_add(&f->n_answers, 1);
    *out_call = c;
    pthread_create(&thread, NULL, fake_thread, c);
    pthread_detach(thread);
    return GS_OK;
}

static inline enum gs_status fake_answer(void *self, const struct gs_chat *chat,
                                         gs_event_fn *on_event, void *ud, void **out_call,
                                         struct gs_error *err)
{
    return fake_begin(self, chat->model, (struct fake_call){.chat = chat}, on_event, ud, out_call,
                      err);
}

static inline enum gs_status fake_count(void *self, const struct gs_chat *chat,
                                        gs_event_fn *on_event, void *ud, void **out_call,
                                        struct gs_error *err)
{
    return fake_begin(self, chat->model, (struct fake_call){.is_count = true}, on_event, ud,
                      out_call, err);
}

static inline enum gs_status fake_embed(void *self, const struct gs_texts *texts,
                                        gs_event_fn *on_event, void *ud, void **out_call,
                                        struct gs_error *err)
{
    return fake_begin(self, texts->model, (struct fake_call){.texts = texts}, on_event, ud,
                      out_call, err);
}

static inline void fake_resume(void *call)
{
    struct fake_call *c = call;

    pthread_mutex_lock(&c->fake->lock);
    c->is_resumed = true;
    pthread_cond_broadcast(&c->fake->changed);
    pthread_mutex_unlock(&c->fake->lock);
}

static inline void fake_free_call(void *call, void (*on_free)(void *ud), void *ud)
{
    struct fake_call *c = call;

    pthread_mutex_lock(&c->fake->lock);
    c->on_free = on_free;
    c->free_ud = ud;
    c->is_cancelled = true;
    c->fake->n_cancelled++;
    pthread_cond_broadcast(&c->fake->changed);
    pthread_mutex_unlock(&c->fake->lock);
}

static inline size_t fake_models(void *self, const struct gs_local_model **out_models)
{
    static const struct gs_local_model models[] = {
        {.name = "tiny-q8_0",
         .path = "/models/tiny-q8_0.gguf",
         .file_bytes = 1000,
         .modified_s = 1767225600,
         .arch = "llama",
         .quant = "Q8_0",
         .n_params = 1500000,
         .ctx_tokens = 2048,
         .is_loaded = true,
         .fit_tokens = 1024,
         .expires_us = INT64_MAX},
        {.name = "big \"4b\"",
         .path = "/models/big.gguf",
         .file_bytes = 2000000,
         .modified_s = 1767225601,
         .arch = "qwen3",
         .quant = "Q4_K_M",
         .n_params = 4000000000,
         .ctx_tokens = 32768},
    };

    (void)self;
    *out_models = models;
    return 2;
}

/* All models; what an errand asks of its model's name is done by it as by is_count. */
static inline enum gs_status fake_errand(void *self, struct gs_errand *errand,
                                         gs_event_fn *on_event, void *ud, void **out_call,
                                         struct gs_error *err)
{
    static const int32_t tokens[] = {1, 2};
    static const struct gs_slice pieces[] = {{"a", 1}, {"\xff", 1}};

    errand->n_models = fake_models(self, &errand->models);
    errand->metadata = GS_SLICE_LIT("{\"general.architecture\":\"llama\"}");
    errand->chat_template = GS_SLICE_LIT("{{ messages }}");
    errand->n_slots = 4;
    if (errand->kind == GS_ERRAND_TOKENIZE) {
        errand->tokens = tokens;
        errand->n_tokens = 2;
        errand->pieces = errand->wants_pieces ? pieces : NULL;
    }
    if (errand->kind == GS_ERRAND_DETOKENIZE || errand->kind == GS_ERRAND_RENDER)
        errand->text = GS_SLICE_LIT("some text");
    return fake_begin(self, errand->model, (struct fake_call){.is_count = true}, on_event, ud,
                      out_call, err);
}

static inline void fake_init(struct fake *f, struct gs_switch_backend *out)
{
    *f = (struct fake){0};
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->changed, NULL);
    *out = (struct gs_switch_backend){.self = f,
                                      .answer = fake_answer,
                                      .count = fake_count,
                                      .embed = fake_embed,
                                      .errand = fake_errand,
                                      .models = fake_models,
                                      .resume = fake_resume,
                                      .free_call = fake_free_call};
}

/* Wait until *what (under the lock) is at least n. */
static inline void fake_wait(struct fake *f, const int *what, int n)
{
    pthread_mutex_lock(&f->lock);
    while (*what < n)
        pthread_cond_wait(&f->changed, &f->lock);
    pthread_mutex_unlock(&f->lock);
}

/* Wait until every call was released. */
static inline void fake_clear(struct fake *f)
{
    pthread_mutex_lock(&f->lock);
    while (f->n_live > 0)
        pthread_cond_wait(&f->changed, &f->lock);
    pthread_mutex_unlock(&f->lock);
    pthread_cond_destroy(&f->changed);
    pthread_mutex_destroy(&f->lock);
}

#endif
