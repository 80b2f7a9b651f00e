/* genset-scripted SCRIPT.json [ROUTES.yaml]: a genset server on a free port of 127.0.0.1 whose
 * model follows a script; everything but the model is the real thing. Says on stderr where it
 * listens, as `genset serve` does, and on stdout what it was asked, a line of JSON for each
 * request.
 *
 *   {"model": "scripted", "ctx_tokens": 200000,   what /v1/models lists; any other name will do too
 *    "rules": [                                   the first that fits says the answer
 *     {"if": {"tool": "Bash", "calls": [0, 38]},
 *      "say": [{"think": "Hm."}, {"text": "Now:"}, {"call": "Bash", "args": {"command": "echo
 * %calls%"}}]},
 *     {"if": {"tokens": [9000, null], "times": 1}, "fail": "context"},
 *     {"say": [{"text": "Done."}]}]}
 *
 * if (all must hold)
 *   turns, calls, results, messages, tokens, tools   how many there are: of assistant turns, tool
 *                        calls, tool results, messages, tokens of the prompt, tools offered: N, or
 *                        [FROM, TO], null for no bound
 *   user, system, result the last user message, any system message, the last tool result has this
 * text tool                 a tool of this name is offered model                the name asked for
 *   format               true: JSON is demanded, false: it is not
 *   image                true: the conversation has an image, false: it has none
 *   asked                true: the user has the last word, false: a tool has
 *   times                the rule was followed less often than this
 * say     %calls% and %turns% stand for their numbers; none: an empty answer
 * piece   bytes of a delta, 8 if absent
 * stop    "length" or "context", where the answer shall end so
 * fail    "context", "busy", "unsupported" or "internal", after what is said; "hold" says nothing
 *         more, ever
 * words   of the failure
 *
 * An answer that broke off is gone on with: what is there already is not said again.
 *
 * Tokens are counted as bytes / 4. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/os.h"
#include "base/slice.h"
#include "genset/models.h"
#include "provider/local.h"
#include "routes_test.h"
#include "server/server.h"
#include "json/json.h"

#define BYTES_PER_TOKEN 4
#define MAX_RULES       1000
#define PIECE_BYTES     8

struct script {
    struct gs_json root;
    const struct gs_json *rules; /* array */
    int64_t times[MAX_RULES];    /* each was followed */
    int64_t n_chats, n_calls;
    struct gs_local_model model;
    struct gs_arena arena;
};

/* What rules look at. */
struct facts {
    const struct gs_chat *chat;
    int64_t messages, turns, calls, results, tokens, tools;
    struct gs_slice user, result, thought;
    bool has_image;
    bool is_asked; /* a tool's result is not the last message */
};

/* An answer: all its events, made at once, and how far they were sent. */
struct call {
    struct gs_arena arena;
    gs_event_fn *on_event;
    void *ud;
    struct gs_event *events;
    size_t n_events, cap, n_sent;
    uint32_t n_blocks;
    const struct gs_message *begun; /* an answer that broke off; or NULL */
    struct gs_usage usage;
    struct gs_error error;
};

static struct gs_slice string_of(const struct gs_json *v, const char *key)
{
    struct gs_slice s = {NULL, 0};

    return gs_json_get_string(v, key, &s, NULL) ? s : gs_slice(NULL, 0);
}

/* ---- what was asked ---- */

static struct facts look_at(const struct gs_chat *chat)
{
    struct facts f = {
        .chat = chat, .messages = (int64_t)chat->n_messages, .tools = (int64_t)chat->n_tools};
    size_t bytes = 0;

    for (size_t i = 0; i < chat->n_messages; i++) {
        const struct gs_message *m = &chat->messages[i];
        f.turns += m->role == GS_ROLE_ASSISTANT;
        f.is_asked |= m->role != GS_ROLE_ASSISTANT;
        for (size_t k = 0; k < m->n_blocks; k++) {
            const struct gs_block *b = &m->blocks[k];
            bytes += b->text.len + b->args.len + b->name.len + BYTES_PER_TOKEN;
            f.calls += b->kind == GS_BLOCK_TOOL_CALL;
            f.results += b->kind == GS_BLOCK_TOOL_RESULT;
            f.has_image |= b->kind == GS_BLOCK_IMAGE;
            f.is_asked &= b->kind != GS_BLOCK_TOOL_RESULT;
            if (b->kind == GS_BLOCK_TOOL_RESULT)
                f.result = b->text;
            else if (b->kind == GS_BLOCK_REASONING)
                f.thought = b->text;
            else if (m->role == GS_ROLE_USER && b->kind == GS_BLOCK_TEXT)
                f.user = b->text;
        }
    }
    for (size_t i = 0; i < chat->n_tools; i++)
        bytes += chat->tools[i].name.len + chat->tools[i].description.len +
                 chat->tools[i].parameters.len;
    f.tokens = (int64_t)(bytes / BYTES_PER_TOKEN) + 1;
    return f;
}

static bool contains(struct gs_slice text, struct gs_slice part)
{
    return gs_slice_find(text, part, 0) != SIZE_MAX;
}

static bool user_says(const struct facts *f, struct gs_slice part)
{
    const struct gs_message *last = NULL;

    for (size_t i = 0; i < f->chat->n_messages; i++)
        if (f->chat->messages[i].role == GS_ROLE_USER)
            last = &f->chat->messages[i];
    for (size_t k = 0; last && k < last->n_blocks; k++)
        if (contains(last->blocks[k].text, part))
            return true;
    return false;
}

static bool system_says(const struct facts *f, struct gs_slice part)
{
    for (size_t i = 0; i < f->chat->n_messages; i++) {
        const struct gs_message *m = &f->chat->messages[i];
        for (size_t k = 0; m->role == GS_ROLE_SYSTEM && k < m->n_blocks; k++)
            if (contains(m->blocks[k].text, part))
                return true;
    }
    return false;
}

static bool has_tool(const struct facts *f, struct gs_slice name)
{
    for (size_t i = 0; i < f->chat->n_tools; i++)
        if (gs_slice_eq(f->chat->tools[i].name, name))
            return true;
    return false;
}

/* ---- rules ---- */

static bool bound_holds(const struct gs_json *bound, int64_t n, int sign)
{
    return bound->kind != GS_JSON_INT || sign * n <= sign * bound->u.integer;
}

static bool number_fits(const struct gs_json *cond, const char *key, int64_t n)
{
    const struct gs_json *v = gs_json_get(cond, key);

    if (!v)
        return true;
    if (v->kind == GS_JSON_ARRAY && v->u.array.len == 2)
        return bound_holds(&v->u.array.items[0], n, -1) && bound_holds(&v->u.array.items[1], n, 1);
    return v->kind == GS_JSON_INT && v->u.integer == n;
}

static bool text_fits(const struct facts *f, const struct gs_json *cond, const char *key,
                      bool (*says)(const struct facts *f, struct gs_slice part))
{
    return !gs_json_get(cond, key) || says(f, string_of(cond, key));
}

static bool fits(const struct script *s, const struct facts *f, size_t rule)
{
    const struct gs_json *cond = gs_json_get(&s->rules->u.array.items[rule], "if");
    const bool is_json = f->chat->format.kind != GS_FORMAT_TEXT;
    bool wants_json = is_json;
    bool wants_image = f->has_image;
    bool wants_asked = f->is_asked;
    int64_t times = INT64_MAX;

    return gs_json_get_int(cond, "times", &times, NULL) && s->times[rule] < times &&
           gs_json_get_bool(cond, "format", &wants_json, NULL) && wants_json == is_json &&
           gs_json_get_bool(cond, "image", &wants_image, NULL) && wants_image == f->has_image &&
           gs_json_get_bool(cond, "asked", &wants_asked, NULL) && wants_asked == f->is_asked &&
           number_fits(cond, "turns", f->turns) && number_fits(cond, "calls", f->calls) &&
           number_fits(cond, "results", f->results) && number_fits(cond, "tokens", f->tokens) &&
           number_fits(cond, "messages", f->messages) && number_fits(cond, "tools", f->tools) &&
           text_fits(f, cond, "user", user_says) && text_fits(f, cond, "system", system_says) &&
           text_fits(f, cond, "tool", has_tool) && contains(f->result, string_of(cond, "result")) &&
           (!gs_json_get(cond, "model") || gs_slice_eq(f->chat->model, string_of(cond, "model")));
}

/* The first rule that fits; as many as there are: none does. */
static size_t choose(const struct script *s, const struct facts *f)
{
    for (size_t i = 0; i < s->rules->u.array.len; i++)
        if (fits(s, f, i))
            return i;
    return s->rules->u.array.len;
}

/* ---- the answer's events ---- */

static struct gs_event *add_event(struct call *c, enum gs_event_kind kind)
{
    if (c->n_events == c->cap) {
        const size_t cap = c->cap ? 2 * c->cap : 64;
        struct gs_event *events = gs_arena_array(&c->arena, cap, sizeof(*events));
        if (!events)
            abort();
        if (c->n_events)
            memcpy(events, c->events, c->n_events * sizeof(*events));
        c->events = events;
        c->cap = cap;
    }
    c->events[c->n_events] = (struct gs_event){
        .kind = kind, .usage = c->usage, .served_by = GS_SLICE_LIT("local/scripted")};
    return &c->events[c->n_events++];
}

/* Text with its numbers in their places. */
static struct gs_slice fill(struct call *c, const struct facts *f, struct gs_slice text)
{
    const struct {
        struct gs_slice name;
        int64_t n;
    } numbers[] = {{GS_SLICE_LIT("%calls%"), f->calls}, {GS_SLICE_LIT("%turns%"), f->turns}};
    struct gs_slice out = {NULL, 0};
    struct gs_buf b;

    gs_buf_init(&b, GS_MAX_TEXT_BYTES);
    for (size_t at = 0; at < text.len;) {
        const struct gs_slice rest = gs_slice_sub(text, at, text.len);
        size_t i = 0;
        while (i < GS_COUNT_OF(numbers) && !gs_slice_starts(rest, numbers[i].name))
            i++;
        if (i < GS_COUNT_OF(numbers)) {
            gs_buf_printf(&b, "%lld", (long long)numbers[i].n);
            at += numbers[i].name.len;
        } else {
            gs_buf_putc(&b, text.ptr[at++]);
        }
    }
    if (!gs_buf_ok(&b) || !gs_arena_dup(&c->arena, gs_buf_view(&b), &out))
        abort();
    gs_buf_clear(&b);
    return out;
}

/* What is there already of the next block, which is of this kind; NULL: nothing. A text may have
 * been opened for what was complete: it is closed as it is. */
static const struct gs_block *next_begun(struct call *c, enum gs_block_kind kind)
{
    const struct gs_message *m = c->begun;

    if (!m || c->n_blocks >= m->n_blocks)
        return NULL;
    const struct gs_block *b = &m->blocks[c->n_blocks];
    if (b->kind == kind)
        return b;
    struct gs_event *ev = add_event(c, GS_EVENT_END);
    ev->block = b->kind;
    ev->block_idx = c->n_blocks++;
    return NULL;
}

static void add_block(struct call *c, enum gs_block_kind kind, struct gs_slice id,
                      struct gs_slice name, struct gs_slice text, size_t piece)
{
    const struct gs_block *begun = next_begun(c, kind);
    const struct gs_slice had = !begun                       ? gs_slice(NULL, 0)
                                : kind == GS_BLOCK_TOOL_CALL ? begun->args
                                                             : begun->text;
    const uint32_t idx = c->n_blocks++;

    if (begun && c->n_blocks < c->begun->n_blocks)
        return; /* it is complete */
    if (!begun)
        *add_event(c, GS_EVENT_BEGIN) = (struct gs_event){.kind = GS_EVENT_BEGIN,
                                                          .block = kind,
                                                          .block_idx = idx,
                                                          .id = id,
                                                          .name = name,
                                                          .usage = c->usage};
    for (size_t at = gs_slice_starts(text, had) ? had.len : 0; at < text.len;) {
        size_t end = GS_MIN(at + piece, text.len);
        while (end < text.len && ((unsigned char)text.ptr[end] & 0xc0) == 0x80)
            end++; /* characters stay whole */
        struct gs_event *ev = add_event(c, GS_EVENT_DELTA);
        ev->block = kind;
        ev->block_idx = idx;
        ev->text = gs_slice_sub(text, at, end);
        at = end;
    }
    struct gs_event *ev = add_event(c, GS_EVENT_END);
    ev->block = kind;
    ev->block_idx = idx;
    c->usage.answer_tokens += (int64_t)(text.len / BYTES_PER_TOKEN) + 1;
    if (kind == GS_BLOCK_REASONING)
        c->usage.reasoning_tokens += (int64_t)(text.len / BYTES_PER_TOKEN) + 1;
}

static void add_part(struct script *s, struct call *c, const struct facts *f,
                     const struct gs_json *part, size_t piece)
{
    const struct gs_json *args = gs_json_get(part, "args");
    struct gs_slice none = {NULL, 0};

    if (gs_json_get(part, "think"))
        add_block(c, GS_BLOCK_REASONING, none, none, fill(c, f, string_of(part, "think")), piece);
    if (gs_json_get(part, "text"))
        add_block(c, GS_BLOCK_TEXT, none, none, fill(c, f, string_of(part, "text")), piece);
    if (gs_json_get(part, "call")) {
        struct gs_buf b;
        gs_buf_init(&b, GS_MAX_TEXT_BYTES);
        if (args)
            gs_json_write(&b, args);
        else
            gs_buf_puts(&b, "{}");
        const struct gs_slice text = fill(c, f, gs_buf_view(&b));
        gs_buf_clear(&b);
        add_block(c, GS_BLOCK_TOOL_CALL,
                  gs_arena_printf(&c->arena, "call_%lld", (long long)++s->n_calls),
                  string_of(part, "call"), text, piece);
    }
}

static enum gs_status code_of(struct gs_slice fail)
{
    if (gs_slice_eq_str(fail, "unsupported"))
        return GS_EUNSUPPORTED;
    return gs_slice_eq_str(fail, "busy") ? GS_EBUSY : GS_EINTERNAL;
}

static void add_end(const struct script *s, struct call *c, const struct gs_json *rule,
                    bool has_calls)
{
    const struct gs_slice fail = string_of(rule, "fail");
    const struct gs_slice stop = string_of(rule, "stop");
    struct gs_event *ev;

    if (gs_slice_eq_str(fail, "hold"))
        return;
    if (!fail.len) {
        ev = add_event(c, GS_EVENT_STOP);
        ev->stop = gs_slice_eq_str(stop, "length")    ? GS_STOP_LENGTH
                   : gs_slice_eq_str(stop, "context") ? GS_STOP_CONTEXT
                   : has_calls                        ? GS_STOP_TOOL_CALL
                                                      : GS_STOP_END;
        return;
    }
    if (gs_slice_eq_str(fail, "context")) {
        gs_error_set(&c->error, GS_ECONTEXT, "the prompt does not fit");
        gs_error_amounts(&c->error, c->usage.prompt_tokens, s->model.ctx_tokens);
    } else {
        const struct gs_slice words = string_of(rule, "words");
        gs_error_set(&c->error, code_of(fail), "%s", words.len ? words.ptr : "the script says so");
    }
    add_event(c, GS_EVENT_ERROR)->error = &c->error;
}

static void add_answer(struct script *s, struct call *c, const struct facts *f,
                       const struct gs_json *rule)
{
    const struct gs_json *say = gs_json_get(rule, "say");
    const size_t n = say && say->kind == GS_JSON_ARRAY ? say->u.array.len : 0;
    int64_t piece = PIECE_BYTES;
    bool has_calls = false;

    if (n > 0 || !gs_json_get(rule, "fail")) /* else it fails before anything is sent */
        add_event(c, GS_EVENT_START);
    if (!gs_json_get_int(rule, "piece", &piece, NULL) || piece < 1)
        piece = PIECE_BYTES;
    for (size_t i = 0; i < n; i++) {
        add_part(s, c, f, &say->u.array.items[i], (size_t)piece);
        has_calls |= gs_json_get(&say->u.array.items[i], "call") != NULL;
    }
    add_end(s, c, rule, has_calls);
}

/* ---- the log ---- */

static void write_text(struct gs_buf *b, const char *key, struct gs_slice text)
{
    gs_buf_printf(b, ",\"%s\":", key);
    gs_json_write_string(b, gs_slice_sub(text, 0, 1000));
}

static void log_chat(struct script *s, const struct facts *f, bool is_count, size_t rule)
{
    const struct gs_chat *chat = f->chat;
    struct gs_buf b;

    gs_buf_init(&b, GS_MAX_TEXT_BYTES);
    gs_buf_printf(&b,
                  "{\"n\":%lld,\"count\":%s,\"rule\":%zu,\"messages\":%lld,\"turns\":%lld,"
                  "\"calls\":%lld,\"results\":%lld,\"tokens\":%lld,\"max_tokens\":%lld",
                  (long long)s->n_chats++, is_count ? "true" : "false", rule,
                  (long long)f->messages, (long long)f->turns, (long long)f->calls,
                  (long long)f->results, (long long)f->tokens, (long long)chat->max_tokens);
    gs_buf_printf(&b,
                  ",\"stream\":%s,\"continued\":%s,\"thinking\":%d,\"tool_choice\":%d,"
                  "\"format\":%d",
                  chat->stream ? "true" : "false",
                  chat->continue_last || chat->broke_off ? "true" : "false", (int)chat->thinking,
                  (int)chat->tool_choice, (int)chat->format.kind);
    write_text(&b, "model", chat->model);
    write_text(&b, "effort", chat->effort);
    write_text(&b, "user", f->user);
    write_text(&b, "result", f->result);
    write_text(&b, "thought", f->thought);
    gs_buf_puts(&b, ",\"tools\":[");
    for (size_t i = 0; i < chat->n_tools; i++) {
        gs_buf_puts(&b, i ? "," : "");
        gs_json_write_string(&b, chat->tools[i].name);
    }
    gs_buf_puts(&b, "]}\n");
    if (!gs_buf_ok(&b) || fwrite(b.ptr, 1, b.len, stdout) != b.len || fflush(stdout) != 0)
        abort();
    gs_buf_clear(&b);
}

/* ---- the backend: all on the loop's thread ---- */

static void play(struct call *c)
{
    enum gs_flow flow = GS_FLOW_CONTINUE;

    while (c->n_sent < c->n_events && flow == GS_FLOW_CONTINUE)
        flow = c->on_event(c->ud, &c->events[c->n_sent++]);
    if (flow == GS_FLOW_CANCEL)
        c->n_sent = c->n_events;
}

static struct call *create_call(gs_event_fn *on_event, void *ud, struct gs_error *err)
{
    struct call *c = gs_alloc_zero(sizeof(*c));

    if (!c) {
        gs_error_nomem(err, "answer");
        return NULL;
    }
    gs_arena_init(&c->arena, 0);
    c->on_event = on_event;
    c->ud = ud;
    return c;
}

static enum gs_status begin(struct script *s, const struct gs_chat *chat, bool is_count,
                            gs_event_fn *on_event, void *ud, void **out_call, struct gs_error *err)
{
    const struct facts f = look_at(chat);
    const size_t rule = is_count ? s->rules->u.array.len : choose(s, &f);
    struct call *c = create_call(on_event, ud, err);

    if (!c)
        return GS_ENOMEM;
    c->usage.prompt_tokens = f.tokens;
    c->begun = chat->broke_off ? &chat->messages[chat->n_messages - 1] : NULL;
    log_chat(s, &f, is_count, rule);
    if (rule < s->rules->u.array.len) {
        s->times[rule]++;
        add_answer(s, c, &f, &s->rules->u.array.items[rule]);
    } else if (is_count) {
        add_event(c, GS_EVENT_START);
        add_event(c, GS_EVENT_STOP);
    } else {
        gs_error_set(&c->error, GS_EINTERNAL, "no rule of the script fits");
        add_event(c, GS_EVENT_ERROR)->error = &c->error;
    }
    *out_call = c;
    play(c);
    return GS_OK;
}

static enum gs_status answer(void *self, const struct gs_chat *chat, gs_event_fn *on_event,
                             void *ud, void **out_call, struct gs_error *err)
{
    return begin(self, chat, false, on_event, ud, out_call, err);
}

static enum gs_status count(void *self, const struct gs_chat *chat, gs_event_fn *on_event, void *ud,
                            void **out_call, struct gs_error *err)
{
    return begin(self, chat, true, on_event, ud, out_call, err);
}

static enum gs_status embed(void *self, const struct gs_texts *texts, gs_event_fn *on_event,
                            void *ud, void **out_call, struct gs_error *err)
{
    (void)self;
    (void)texts;
    (void)on_event;
    (void)ud;
    (void)out_call;
    return gs_error_set(err, GS_EUNSUPPORTED, "a script makes no vectors");
}

/* There is one model, whatever its name, but for those who look for what they would fetch. */
static enum gs_status errand(void *self, struct gs_errand *errand, gs_event_fn *on_event, void *ud,
                             void **out_call, struct gs_error *err)
{
    struct script *s = self;
    struct call *c = create_call(on_event, ud, err);

    if (!c)
        return GS_ENOMEM;
    errand->models = &s->model;
    errand->n_models = 1;
    errand->metadata = GS_SLICE_LIT("{\"general.architecture\":\"llama\"}");
    errand->calls_tools = errand->reasons = true;
    if (errand->kind == GS_ERRAND_FIND && !gs_slice_eq_str(errand->model, s->model.name)) {
        gs_error_set(&c->error, GS_ENOTFOUND, "a script has one model only");
        add_event(c, GS_EVENT_ERROR)->error = &c->error;
    } else {
        add_event(c, GS_EVENT_START);
        add_event(c, GS_EVENT_STOP);
    }
    *out_call = c;
    play(c);
    return GS_OK;
}

static size_t models(void *self, const struct gs_local_model **out_models)
{
    const struct script *s = self;

    *out_models = &s->model;
    return 1;
}

static void resume(void *call)
{
    play(call);
}

static void free_call(void *call, void (*on_free)(void *ud), void *ud)
{
    struct call *c = call;

    gs_arena_clear(&c->arena);
    gs_free(c);
    if (on_free)
        on_free(ud);
}

/* ---- main ---- */

static struct gs_server *running; /* for the signal handler */

static void on_signal(int sig)
{
    (void)sig;
    gs_server_stop(running);
}

static enum gs_status load(struct script *s, const char *path, struct gs_error *err)
{
    struct gs_slice name = GS_SLICE_LIT("scripted");
    struct gs_os_map file;

    gs_arena_init(&s->arena, 0);
    enum gs_status st = gs_os_map_file(path, &file, err);
    if (st != GS_OK)
        return st;
    st = gs_json_parse(gs_slice((const char *)file.ptr, file.len), &s->arena, &s->root, err);
    gs_os_unmap(&file);
    if (st != GS_OK)
        return st;
    s->rules = gs_json_get(&s->root, "rules");
    if (!s->rules || s->rules->kind != GS_JSON_ARRAY || s->rules->u.array.len > MAX_RULES)
        return gs_error_set(err, GS_EINVAL, "rules: expected an array of at most %d", MAX_RULES);
    s->model = (struct gs_local_model){.path = path,
                                       .file_bytes = 1000,
                                       .modified_s = 1767225600,
                                       .arch = "llama",
                                       .quant = "Q8_0",
                                       .n_params = 1000000,
                                       .ctx_tokens = 200000,
                                       .is_loaded = true,
                                       .expires_us = INT64_MAX};
    if (!gs_json_get_string(&s->root, "model", &name, err) ||
        !gs_json_get_int(&s->root, "ctx_tokens", &s->model.ctx_tokens, err))
        return GS_EINVAL;
    s->model.name = name.ptr; /* zero-terminated */
    return GS_OK;
}

/* Routes to other computers, of a configuration file. */
static enum gs_status offer(struct test_routes *r, const char *path, struct gs_error *err)
{
    struct gs_os_map file;
    struct gs_buf report;

    enum gs_status st = gs_os_map_file(path, &file, err);
    if (st != GS_OK)
        return st;
    gs_buf_init(&report, GS_MAX_TEXT_BYTES);
    st = test_routes_offer(r, gs_slice((const char *)file.ptr, file.len), &report);
    if (st != GS_OK)
        gs_error_set(err, st, "%.*s", (int)report.len, report.ptr);
    gs_buf_clear(&report);
    gs_os_unmap(&file);
    return st;
}

int main(int argc, char **argv)
{
    static struct script script;
    const struct gs_log log = {GS_LOG_INFO, GS_LOG_TEXT, 2};
    struct sigaction act = {.sa_handler = on_signal};
    struct gs_server_options opt;
    struct test_routes routes;
    struct gs_error err = {0};

    gs_server_options_init(&opt);
    opt.port = 0;
    opt.log = &log;
    opt.backend = (struct gs_switch_backend){.self = &script,
                                             .answer = answer,
                                             .count = count,
                                             .embed = embed,
                                             .errand = errand,
                                             .models = models,
                                             .resume = resume,
                                             .free_call = free_call};
    enum gs_status st = test_routes_init(&routes, &opt, &err);
    if (st == GS_OK)
        st = argc == 2 || argc == 3
                 ? load(&script, argv[1], &err)
                 : gs_error_set(&err, GS_EINVAL, "usage: genset-scripted SCRIPT [ROUTES]");
    if (st == GS_OK && argc == 3)
        st = offer(&routes, argv[2], &err);
    if (st == GS_OK)
        st = gs_server_create(&opt, &running, &err);
    if (st == GS_OK) {
        sigaction(SIGINT, &act, NULL);
        sigaction(SIGTERM, &act, NULL);
        gs_log_write(&log, GS_LOG_INFO, "server", "listening on http://127.0.0.1:%d",
                     gs_server_port(running));
        st = gs_server_run(running, &err);
    }
    if (st != GS_OK)
        fprintf(stderr, "genset-scripted: %s\n", err.msg);
    gs_server_free(running);
    test_routes_clear(&routes);
    gs_arena_clear(&script.arena);
    return st == GS_OK ? 0 : 1;
}
