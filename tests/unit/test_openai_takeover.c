/* An answer that another server began and we go on with, as a client reads it. For every stream of
 * tests/data/dialect/hear that is sound, and every place between two of its frames: the frames
 * before it go to the client as they are, what they mean through our writer with its output
 * dropped, and what comes then from our writer. The client must read one answer: the ids of the
 * beginning, nothing twice, one end. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/os.h"
#include "base/slice.h"
#include "cmocka_headers.h"
#include "dialect/client.h"
#include "json/json.h"

#define DIR_HEAR   GENSET_TEST_DATA "/dialect/hear"
#define MAX_BYTES  ((size_t)1 << 20)
#define MAX_EVENTS 64
#define MAX_FRAMES 64
#define MAX_ITEMS  8

/* ---- a stream, heard ---- */

struct heard {
    const struct gs_dialect_client *client;
    struct gs_arena a;
    struct gs_event events[MAX_EVENTS];
    size_t n_events;
    struct gs_slice raw[MAX_FRAMES];
    size_t first[MAX_FRAMES + 1]; /* event of each frame */
    size_t n_frames;
    size_t finish; /* the frame that tells why it ends */
    bool is_sound;
};

static struct gs_slice keep(struct heard *h, struct gs_slice s)
{
    struct gs_slice out;

    assert_true(gs_arena_dup(&h->a, s, &out));
    return out;
}

static enum gs_flow on_event(void *ud, const struct gs_event *ev)
{
    struct heard *h = ud;
    struct gs_event *e = &h->events[h->n_events++];

    assert_true(h->n_events <= MAX_EVENTS);
    *e = *ev;
    e->text = keep(h, ev->text);
    e->id = keep(h, ev->id);
    e->name = keep(h, ev->name);
    e->signature = keep(h, ev->signature);
    e->answer_id = keep(h, ev->answer_id);
    e->model = keep(h, ev->model);
    e->item_id = keep(h, ev->item_id);
    e->stop_sequence = keep(h, ev->stop_sequence);
    e->logprob = NULL;
    e->n_logprob = 0;
    return GS_FLOW_CONTINUE;
}

static void hear(struct heard *h, const struct gs_dialect_client *c, struct gs_slice stream)
{
    struct gs_dialect_frames frames;
    struct gs_dialect_frame frame;
    void *state = gs_alloc_zero(c->state_bytes);
    enum gs_dialect_effect effect = GS_DIALECT_NOTHING;
    enum gs_fault fault;
    struct gs_error err;

    *h = (struct heard){.client = c, .finish = SIZE_MAX};
    assert_non_null(state);
    gs_dialect_frames_init(&frames, c->framing, MAX_BYTES);
    assert_int_equal(gs_dialect_frames_feed(&frames, stream, NULL), GS_OK);
    while (effect != GS_DIALECT_FAILED && gs_dialect_frames_next(&frames, &frame)) {
        assert_true(h->n_frames < MAX_FRAMES);
        h->raw[h->n_frames] = keep(h, frame.raw);
        h->first[h->n_frames] = h->n_events;
        effect = c->read_frame(state, &frame, on_event, h, &fault, &err);
        if (h->finish == SIZE_MAX && (effect == GS_DIALECT_FINISH || effect == GS_DIALECT_END))
            h->finish = h->n_frames;
        h->n_frames++;
    }
    h->first[h->n_frames] = h->n_events;
    h->is_sound = effect != GS_DIALECT_FAILED &&
                  c->read_end(state, on_event, h, &fault, &err) == GS_DIALECT_END;
    gs_dialect_frames_clear(&frames);
    c->clear_state(state);
    gs_free(state);
}

/* ---- what the client should have: the texts of an answer's events ---- */

struct message {
    struct gs_buf text, reasoning, calls; /* calls: "ID NAME(ARGS);" */
};

static void message_init(struct message *m)
{
    gs_buf_init(&m->text, MAX_BYTES);
    gs_buf_init(&m->reasoning, MAX_BYTES);
    gs_buf_init(&m->calls, MAX_BYTES);
}

static void message_clear(struct message *m)
{
    gs_buf_clear(&m->text);
    gs_buf_clear(&m->reasoning);
    gs_buf_clear(&m->calls);
}

static void note(struct message *m, const struct gs_event *ev)
{
    struct gs_buf *of[] = {&m->text, &m->reasoning, &m->calls};

    if (ev->kind == GS_EVENT_DELTA)
        gs_buf_slice(of[ev->block], ev->text);
    if (ev->block != GS_BLOCK_TOOL_CALL)
        return;
    if (ev->kind == GS_EVENT_END)
        gs_buf_puts(&m->calls, ");");
    if (ev->kind != GS_EVENT_BEGIN)
        return;
    gs_buf_slice(&m->calls, ev->id);
    gs_buf_putc(&m->calls, ' ');
    gs_buf_slice(&m->calls, ev->name);
    gs_buf_putc(&m->calls, '(');
}

static void expect(const char *where, const struct gs_buf *got, const struct gs_buf *want)
{
    if (!gs_slice_eq(gs_buf_view(got), gs_buf_view(want)))
        fail_msg("%s: expected \"%.*s\", read \"%.*s\"", where, (int)want->len,
                 want->len ? want->ptr : "", (int)got->len, got->len ? got->ptr : "");
}

/* ---- clients ---- */

struct call {
    struct gs_buf id, name, args;
    bool is_custom;
};

/* What a client has read; `where` names the stream and the place of the cut. */
struct reader {
    const char *where;
    struct gs_arena a;
    struct message m;
    struct gs_slice id, model;
    bool has_ended;
    unsigned n_ends;
    struct call calls[MAX_ITEMS]; /* chat */
    size_t n_calls;
    struct item {
        struct gs_slice id, type;
        struct gs_buf text, head;
        struct gs_buf said; /* the same, with empty lines between parts */
        unsigned n_parts;
        bool has_part; /* one is open */
        bool is_done;
    } items[MAX_ITEMS]; /* Responses */
    size_t n_items;
    size_t n_events; /* numbers that were told */
    size_t n_theirs; /* frames to come that are the server's own, whose numbers may jump */
};

#define CHECK(r, what)                                                                             \
    do {                                                                                           \
        if (!(what))                                                                               \
            fail_msg("%s: not %s", (r)->where, #what);                                             \
    } while (0)

static struct gs_slice text_of(const struct gs_json *v, const char *key)
{
    const struct gs_json *m = gs_json_get(v, key);

    return m && m->kind == GS_JSON_STRING ? m->u.string : gs_slice(NULL, 0);
}

static size_t int_of(const struct gs_json *v, const char *key)
{
    int64_t n = 0;

    assert_true(gs_json_get_int(v, key, &n, NULL) && n >= 0);
    return (size_t)n;
}

/* The same in every frame. */
static void same(struct reader *r, struct gs_slice *known, struct gs_slice now)
{
    if (!known->len)
        *known = now;
    if (!gs_slice_eq(*known, now))
        fail_msg("%s: \"%.*s\" became \"%.*s\"", r->where, (int)known->len, known->ptr,
                 (int)now.len, now.ptr);
}

static void read_chat_call(struct reader *r, const struct gs_json *v)
{
    const struct gs_json *custom = gs_json_get(v, "custom");
    const struct gs_json *f = custom ? custom : gs_json_get(v, "function");
    const size_t idx = int_of(v, "index");

    CHECK(r, idx <= r->n_calls && idx < MAX_ITEMS);
    struct call *c = &r->calls[idx];
    if (idx == r->n_calls) {
        r->n_calls++;
        gs_buf_init(&c->id, MAX_BYTES);
        gs_buf_init(&c->name, MAX_BYTES);
        gs_buf_init(&c->args, MAX_BYTES);
        gs_buf_slice(&c->id, text_of(v, "id"));
    }
    gs_buf_slice(&c->name, text_of(f, "name"));
    gs_buf_slice(&c->args, text_of(f, custom ? "input" : "arguments"));
    c->is_custom |= custom != NULL;
}

static void read_chat(struct reader *r, const struct gs_json *chunk)
{
    const struct gs_json *choices = gs_json_get(chunk, "choices");

    CHECK(r, choices && !gs_json_get(chunk, "error"));
    if (choices->u.array.len == 0)
        return;
    same(r, &r->id, text_of(chunk, "id"));
    same(r, &r->model, text_of(chunk, "model"));
    const struct gs_json *choice = &choices->u.array.items[0];
    const struct gs_json *delta = gs_json_get(choice, "delta");
    const struct gs_json *calls = gs_json_get(delta, "tool_calls");
    const struct gs_slice reasoning = text_of(delta, "reasoning_content");
    CHECK(r, !r->has_ended);
    gs_buf_slice(&r->m.reasoning, reasoning.len ? reasoning : text_of(delta, "reasoning"));
    gs_buf_slice(&r->m.text, text_of(delta, "content"));
    gs_buf_slice(&r->m.text, text_of(delta, "refusal"));
    for (size_t i = 0; calls && i < calls->u.array.len; i++)
        read_chat_call(r, &calls->u.array.items[i]);
    r->has_ended = text_of(choice, "finish_reason").len > 0;
}

static bool is(struct gs_slice type, const char *name)
{
    return gs_slice_eq_str(type, name);
}

/* Everything an item says, as it is told whole. */
static void whole_of(const struct gs_json *item, struct gs_buf *out)
{
    const char *const lists[] = {"content", "summary"};

    for (size_t l = 0; l < GS_COUNT_OF(lists); l++) {
        const struct gs_json *list = gs_json_get(item, lists[l]);
        for (size_t i = 0; list && list->kind == GS_JSON_ARRAY && i < list->u.array.len; i++) {
            gs_buf_slice(out, text_of(&list->u.array.items[i], "text"));
            gs_buf_slice(out, text_of(&list->u.array.items[i], "refusal"));
        }
    }
    gs_buf_slice(out, text_of(item, "arguments"));
    gs_buf_slice(out, text_of(item, "input"));
}

static void read_item_done(struct reader *r, struct item *item, const struct gs_json *v)
{
    struct gs_buf whole;

    CHECK(r, !item->is_done);
    CHECK(r, gs_slice_eq(item->id, text_of(v, "id")));
    item->is_done = true;
    gs_buf_init(&whole, MAX_BYTES);
    whole_of(v, &whole);
    expect(r->where, &whole, &item->text);
    gs_buf_clear(&whole);
}

static void add_item(struct reader *r, const struct gs_json *event)
{
    const struct gs_json *v = gs_json_get(event, "item");
    struct item *item = &r->items[r->n_items++];

    CHECK(r, int_of(event, "output_index") + 1 == r->n_items);
    item->id = text_of(v, "id");
    item->type = text_of(v, "type");
    gs_buf_init(&item->text, MAX_BYTES);
    gs_buf_init(&item->head, MAX_BYTES);
    gs_buf_init(&item->said, MAX_BYTES);
    gs_buf_slice(&item->head, text_of(v, "call_id"));
    gs_buf_putc(&item->head, ' ');
    gs_buf_slice(&item->head, text_of(v, "name"));
}

static void read_piece(struct reader *r, struct gs_slice type, const struct gs_json *event)
{
    const size_t idx = int_of(event, "output_index");
    const size_t part = int_of(event, "content_index") + int_of(event, "summary_index");

    CHECK(r, idx < r->n_items);
    struct item *item = &r->items[idx];
    const bool is_call = is(item->type, "function_call") || is(item->type, "custom_tool_call");
    if (is(type, "response.output_item.done")) {
        read_item_done(r, item, gs_json_get(event, "item"));
        return;
    }
    CHECK(r, gs_slice_eq(item->id, text_of(event, "item_id")));
    CHECK(r, !item->is_done);
    if (gs_slice_ends(type, GS_SLICE_LIT("part.done")))
        item->has_part = false;
    if (gs_slice_ends(type, GS_SLICE_LIT("part.added"))) {
        CHECK(r, part == item->n_parts++);
        CHECK(r, !item->has_part);
        item->has_part = true;
        gs_buf_puts(&item->said, part > 0 ? "\n\n" : "");
    } else
        CHECK(r, is_call || part < item->n_parts || is(item->type, "web_search_call"));
    if (gs_slice_ends(type, GS_SLICE_LIT(".delta"))) {
        CHECK(r, item->has_part || !is(item->type, "reasoning"));
        gs_buf_slice(&item->text, text_of(event, "delta"));
        gs_buf_slice(&item->said, text_of(event, "delta"));
    }
}

static void read_response(struct reader *r, const struct gs_json *event)
{
    const struct gs_slice type = text_of(event, "type");
    const struct gs_json *response = gs_json_get(event, "response");

    CHECK(r, !r->has_ended);
    if (gs_json_get(event, "sequence_number")) {
        CHECK(r, r->n_theirs > 0 || int_of(event, "sequence_number") >= r->n_events);
        r->n_events = GS_MAX(r->n_events, int_of(event, "sequence_number") + 1);
    }
    CHECK(r, r->id.len || is(type, "response.created"));
    if (response) {
        same(r, &r->id, text_of(response, "id"));
        same(r, &r->model, text_of(response, "model"));
    }
    if (is(type, "response.completed") || is(type, "response.incomplete")) {
        r->has_ended = true;
        r->n_ends++;
    } else if (is(type, "response.output_item.added")) {
        add_item(r, event);
    } else if (!response) {
        read_piece(r, type, event);
    }
}

/* In brackets; the input of a custom tool as a model tells it. */
static void put_args(struct gs_buf *b, const struct gs_buf *args, bool is_custom)
{
    gs_buf_puts(b, is_custom ? "({\"input\":" : "(");
    if (is_custom)
        gs_json_write_string(b, gs_buf_view(args));
    else
        gs_buf_slice(b, gs_buf_view(args));
    gs_buf_puts(b, is_custom ? "});" : ");");
}

/* The message that the pieces make. */
static void join(struct reader *r)
{
    for (size_t i = 0; i < r->n_calls; i++) {
        gs_buf_slice(&r->m.calls, gs_buf_view(&r->calls[i].id));
        gs_buf_putc(&r->m.calls, ' ');
        gs_buf_slice(&r->m.calls, gs_buf_view(&r->calls[i].name));
        put_args(&r->m.calls, &r->calls[i].args, r->calls[i].is_custom);
        gs_buf_clear(&r->calls[i].id);
        gs_buf_clear(&r->calls[i].name);
        gs_buf_clear(&r->calls[i].args);
    }
    for (size_t i = 0; i < r->n_items; i++) {
        struct item *item = &r->items[i];
        CHECK(r, item->is_done || is(item->type, "web_search_call"));
        if (is(item->type, "function_call") || is(item->type, "custom_tool_call")) {
            gs_buf_slice(&r->m.calls, gs_buf_view(&item->head));
            put_args(&r->m.calls, &item->text, is(item->type, "custom_tool_call"));
        } else {
            gs_buf_slice(is(item->type, "reasoning") ? &r->m.reasoning : &r->m.text,
                         gs_buf_view(&item->said));
        }
        gs_buf_clear(&item->said);
        gs_buf_clear(&item->text);
        gs_buf_clear(&item->head);
    }
}

static void read_answer(const char *where, bool is_chat, size_t n_theirs, struct gs_slice stream,
                        const struct message *want)
{
    struct reader r = {.where = where, .n_theirs = n_theirs};
    struct gs_dialect_frames frames;
    struct gs_dialect_frame frame;

    gs_arena_init(&r.a, 0);
    message_init(&r.m);
    gs_dialect_frames_init(&frames, GS_DIALECT_SSE, MAX_BYTES);
    assert_int_equal(gs_dialect_frames_feed(&frames, stream, NULL), GS_OK);
    while (gs_dialect_frames_next(&frames, &frame)) {
        struct gs_json v;
        if (!frame.data.len)
            continue;
        if (gs_slice_eq_str(frame.data, "[DONE]")) {
            r.n_ends++;
            continue;
        }
        CHECK(&r, r.n_ends == 0);
        assert_int_equal(gs_json_parse(frame.data, &r.a, &v, NULL), GS_OK);
        if (is_chat)
            read_chat(&r, &v);
        else
            read_response(&r, &v);
        r.n_theirs -= r.n_theirs > 0;
    }
    CHECK(&r, r.has_ended && r.n_ends == 1);
    join(&r);
    expect(where, &r.m.text, &want->text);
    expect(where, &r.m.reasoning, &want->reasoning);
    expect(where, &r.m.calls, &want->calls);
    gs_dialect_frames_clear(&frames);
    message_clear(&r.m);
    gs_arena_clear(&r.a);
}

/* ---- going on ---- */

struct taker {
    const struct gs_dialect *d;
    struct gs_dialect_context ctx;
    void *state;
    struct gs_buf out;
    struct message want;
    struct gs_event last; /* of a block */
    bool is_custom;       /* its calls are of custom tools */
    bool has_started;
};

static void say(struct taker *t, const struct gs_event *ev, struct gs_buf *out)
{
    t->d->write_event(t->state, &t->ctx, ev, out);
    note(&t->want, ev);
    t->has_started |= ev->kind == GS_EVENT_START;
    if (ev->kind == GS_EVENT_BEGIN || ev->kind == GS_EVENT_DELTA || ev->kind == GS_EVENT_END)
        t->last = *ev;
}

/* More of the open block, or a text after the last. */
static void say_more(struct taker *t)
{
    struct gs_event ev = {.kind = GS_EVENT_START, .block = t->last.block};

    if (!t->has_started)
        say(t, &ev, &t->out);
    ev.block_idx = t->last.block_idx;
    if (t->last.kind == GS_EVENT_END || t->last.kind == GS_EVENT_START) {
        ev.kind = GS_EVENT_BEGIN;
        ev.block = GS_BLOCK_TEXT;
        ev.block_idx += t->last.kind == GS_EVENT_END;
        say(t, &ev, &t->out);
    }
    if (t->last.is_gap && !t->last.text.len) /* it goes on in another part */
        gs_buf_puts(&t->want.reasoning, "\n\n");
    ev.kind = GS_EVENT_DELTA;
    ev.text = t->is_custom && ev.block == GS_BLOCK_TOOL_CALL ? GS_SLICE_LIT(" and on\"}")
                                                             : GS_SLICE_LIT(" and on");
    say(t, &ev, &t->out);
    ev.kind = GS_EVENT_END;
    ev.text.len = 0;
    say(t, &ev, &t->out);
    ev.kind = GS_EVENT_STOP;
    say(t, &ev, &t->out);
}

static bool has(const char *name, const char *word)
{
    return gs_slice_find(gs_slice_str(name), gs_slice_str(word), 0) != SIZE_MAX;
}

/* What was asked, as far as the answer's spelling depends on it. */
static void read_request(struct taker *t, const char *path, bool is_custom, bool has_summary,
                         struct gs_arena *a)
{
    struct gs_dialect_context ctx = {0};
    struct gs_chat chat;
    char body[512];

    snprintf(body, sizeof(body),
             "{\"model\":\"m\",\"store\":false,\"input\":\"x\",\"messages\":[{\"role\":\"user\","
             "\"content\":\"x\"}]%s%s}",
             is_custom ? ",\"tools\":[{\"type\":\"custom\",\"name\":\"apply_patch\",\"custom\":{"
                         "\"name\":\"run\"}}]"
                       : "",
             has_summary ? ",\"reasoning\":{\"summary\":\"auto\"}" : "");
    assert_int_equal(t->d->read_request(&chat, &ctx, gs_slice_str(body), path, a, NULL), GS_OK);
    t->ctx.own = ctx.own;
}

/* The frames before `cut` from there, then the rest: as it would have come, or another. */
static void take_over(const char *name, const struct heard *h, size_t cut, bool is_same)
{
    struct taker t = {.d = h->client->server,
                      .ctx = {.model = GS_SLICE_LIT("as-asked"),
                              .request_id = GS_SLICE_LIT("req_ours"),
                              .stream = true,
                              .include_usage = true}};
    char where[256];
    struct gs_buf dropped;
    struct gs_arena a;

    gs_arena_init(&a, 0);
    t.is_custom = has(name, "custom");
    read_request(&t, h->client->path, t.is_custom, has(name, "summary"), &a);
    snprintf(where, sizeof(where), "%s, taken over at %zu, %s", name, cut,
             is_same ? "the same" : "more");
    t.state = gs_alloc_zero(t.d->state_bytes);
    assert_non_null(t.state);
    gs_buf_init(&t.out, MAX_BYTES);
    gs_buf_init(&dropped, MAX_BYTES);
    message_init(&t.want);
    for (size_t i = 0; i < cut; i++)
        gs_buf_slice(&t.out, h->raw[i]);
    for (size_t i = 0; i < h->first[cut]; i++)
        say(&t, &h->events[i], &dropped);
    for (size_t i = h->first[cut]; is_same && i < h->n_events; i++) {
        if (!h->events[i].is_passed_over) /* the client has not seen that item */
            say(&t, &h->events[i], &t.out);
    }
    if (!is_same)
        say_more(&t);
    assert_true(gs_buf_ok(&t.out));
    read_answer(where, h->client == &gs_dialect_client_openai_chat, cut, gs_buf_view(&t.out),
                &t.want);
    t.d->clear_state(t.state);
    gs_free(t.state);
    message_clear(&t.want);
    gs_arena_clear(&a);
    gs_buf_clear(&dropped);
    gs_buf_clear(&t.out);
}

/* What this cannot say: calls of tools that the request would have named as another kind, answers
 * that no client but the server's own reads. */
static bool is_beyond(const char *name)
{
    static const char *const names[] = {"legacy_function", "mistral",    "gemini",
                                        "two_choices",     "shell_call", "namespace",
                                        "bare_deltas",     "only_done",  "twice"};

    for (size_t i = 0; i < GS_COUNT_OF(names); i++) {
        if (has(name, names[i]))
            return true;
    }
    return false;
}

static int check_file(const char *name, const struct gs_dialect_client *c)
{
    char path[512];
    struct gs_buf stream;
    struct heard *h = calloc(1, sizeof(*h));
    int n = 0;

    assert_non_null(h);
    snprintf(path, sizeof(path), "%s/%s", DIR_HEAR, name);
    gs_buf_init(&stream, MAX_BYTES);
    assert_int_equal(gs_os_read_file(path, &stream, NULL), GS_OK);
    hear(h, c, gs_buf_view(&stream));
    for (size_t cut = 0; h->is_sound && cut <= h->finish; cut++) {
        take_over(name, h, cut, true);
        take_over(name, h, cut, false);
        n++;
    }
    gs_arena_clear(&h->a);
    gs_buf_clear(&stream);
    free(h);
    return n;
}

static void check(const struct gs_dialect_client *c)
{
    DIR *dir = opendir(DIR_HEAR);
    char ending[64];
    int n = 0;

    assert_non_null(dir);
    snprintf(ending, sizeof(ending), ".%s.sse", c->name);
    for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        if (gs_slice_ends(gs_slice_str(e->d_name), gs_slice_str(ending)) && !is_beyond(e->d_name))
            n += check_file(e->d_name, c);
    }
    closedir(dir);
    assert_true(n > 20);
}

static void test_chat(void **state)
{
    (void)state;
    check(&gs_dialect_client_openai_chat);
}

static void test_responses(void **state)
{
    (void)state;
    check(&gs_dialect_client_openai_responses);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chat),
        cmocka_unit_test(test_responses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
