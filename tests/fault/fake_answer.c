/* Requests read, and answers planned with their faults. */
#include "fake_answer.h"

#include <ctype.h>
#include <time.h>

#include "base/buf.h"
#include "base/slice.h"
#include "fake_provider.h"
#include "json/json.h"

#define ASK_BYTES       ((size_t)64 << 20)
#define WORDS           8
#define BYTES_PER_TOKEN 4
#define GIANT_PIECE     "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define GIANT_PIECES    ((int64_t)(20 << 20) / 64)
#define LENGTH_OFF      100

/* ---- requests ---- */

static enum fake_api api_of(struct gs_slice method, struct gs_slice path)
{
    static const struct {
        const char *path;
        enum fake_api api;
    } apis[] = {
        {"/v1/messages/count_tokens", FAKE_API_COUNT},
        {"/v1/messages", FAKE_API_MESSAGES},
        {"/v1/chat/completions", FAKE_API_CHAT},
        {"/v1/responses", FAKE_API_RESPONSES},
        {"/api/chat", FAKE_API_OLLAMA},
        {"/v1/models", FAKE_API_MODELS},
        {"/api/tags", FAKE_API_MODELS},
    };

    if (gs_slice_eq_str(method, "CONNECT"))
        return FAKE_API_CONNECT;
    path = gs_slice_sub(path, 0, gs_slice_find(path, GS_SLICE_LIT("?"), 0));
    for (size_t i = 0; i < GS_COUNT_OF(apis); i++)
        if (gs_slice_ends(path, gs_slice_str(apis[i].path)))
            return apis[i].api;
    return FAKE_API_NONE;
}

static struct gs_slice string_of(const struct gs_json *v, const char *key)
{
    struct gs_slice s = {NULL, 0};

    return gs_json_get_string(v, key, &s, NULL) ? s : gs_slice(NULL, 0);
}

/* The last text of a message's content. */
static struct gs_slice text_of(const struct gs_json *message)
{
    const struct gs_json *content = gs_json_get(message, "content");
    struct gs_slice text = {NULL, 0};

    if (content && content->kind == GS_JSON_STRING)
        return content->u.string;
    for (size_t i = 0; content && content->kind == GS_JSON_ARRAY && i < content->u.array.len; i++) {
        const struct gs_slice found = string_of(&content->u.array.items[i], "text");
        if (found.len > 0)
            text = found;
    }
    return text;
}

/* The number that follows a word, or 0. */
static int64_t number_after(struct gs_slice text, struct gs_slice word)
{
    const size_t at = gs_slice_find(text, word, 0);
    int64_t n = 0;

    for (size_t i = at == SIZE_MAX ? text.len : at + word.len;
         i < text.len && isdigit((unsigned char)text.ptr[i]) && n < 1000000; i++)
        n = n * 10 + (text.ptr[i] - '0');
    return n;
}

static struct gs_slice name_after(struct gs_slice text, struct gs_slice word)
{
    const size_t at = gs_slice_find(text, word, 0);
    size_t end = at == SIZE_MAX ? text.len : at + word.len;
    const size_t begin = end;

    while (end < text.len && (isalnum((unsigned char)text.ptr[end]) || text.ptr[end] == '_'))
        end++;
    return gs_slice_sub(text, begin, end);
}

static bool says(struct gs_slice text, const char *word)
{
    return gs_slice_find(text, gs_slice_str(word), 0) != SIZE_MAX;
}

/* Does this item or message hand over what a tool found? */
static bool is_result(const struct gs_json *m)
{
    const struct gs_json *content = gs_json_get(m, "content");

    if (gs_slice_eq_str(string_of(m, "role"), "tool") ||
        gs_slice_eq_str(string_of(m, "type"), "function_call_output"))
        return true;
    for (size_t i = 0; content && content->kind == GS_JSON_ARRAY && i < content->u.array.len; i++)
        if (gs_slice_eq_str(string_of(&content->u.array.items[i], "type"), "tool_result"))
            return true;
    return false;
}

/* "...The last characters that I have:" and these, at the end. */
static bool asks_to_go_on(struct gs_slice user, struct gs_slice *out_anchor)
{
    const struct gs_slice words = GS_SLICE_LIT("The last characters that I have:\n\n");
    const size_t at = gs_slice_find(user, words, 0);

    if (at == SIZE_MAX)
        return false;
    *out_anchor = gs_slice_sub(user, at + words.len, user.len);
    return true;
}

/* Tools are called once. */
static void read_wish(struct fake_ask *ask, struct gs_slice user, bool was_called)
{
    const int64_t n = number_after(user, GS_SLICE_LIT("say "));

    ask->n_words = n > 0 ? n : WORDS;
    const size_t recital = gs_slice_find(user, GS_SLICE_LIT("recite "), 0);
    if (recital != SIZE_MAX)
        ask->recital = gs_slice_sub(user, recital + 7, user.len);
    else if (says(user, "confide"))
        ask->recital = gs_slice_str(FAKE_CONFIDED);
    if (!was_called)
        ask->call = name_after(user, GS_SLICE_LIT("call "));
    ask->thinks = says(user, "think");
    ask->signs = says(user, "sign");
    ask->is_greek = says(user, "greek");
}

void fake_ask_read(struct fake_ask *out, struct gs_slice method, struct gs_slice path,
                   struct gs_slice body, struct gs_arena *a)
{
    struct gs_json root = {.kind = GS_JSON_NULL};
    const struct gs_json *list = NULL;
    struct gs_slice user = {NULL, 0};
    bool was_called = false;

    *out = (struct fake_ask){.api = api_of(method, path), .n_words = WORDS};
    out->prompt_tokens = (int64_t)(body.len / BYTES_PER_TOKEN) + 1;
    if (body.len == 0 || gs_json_parse(body, a, &root, NULL) != GS_OK)
        return;
    out->model = string_of(&root, "model");
    out->stream = out->api == FAKE_API_OLLAMA; /* if not said */
    if (!gs_json_get_bool(&root, "stream", &out->stream, NULL) ||
        !gs_json_get_bool(gs_json_get(&root, "stream_options"), "include_usage", &out->wants_usage,
                          NULL) ||
        !gs_json_get_int(&root, "max_tokens", &out->max_tokens, NULL))
        return;
    out->sums_up = string_of(gs_json_get(&root, "reasoning"), "summary").len > 0;
    list = gs_json_get(&root, out->api == FAKE_API_RESPONSES ? "input" : "messages");
    if (list && list->kind == GS_JSON_STRING)
        user = list->u.string;
    for (size_t i = 0; list && list->kind == GS_JSON_ARRAY && i < list->u.array.len; i++) {
        const struct gs_json *m = &list->u.array.items[i];
        const struct gs_slice role = string_of(m, "role");
        const bool is_user = gs_slice_eq_str(role, "user");
        const bool is_own = gs_slice_eq_str(role, "assistant");
        if (is_user && asks_to_go_on(text_of(m), &out->anchor))
            out->had = out->partial;
        else if (!is_own)
            was_called = is_result(m);
        if (is_user && !out->had.len && !was_called && text_of(m).len > 0)
            user = text_of(m);
        out->partial = is_own ? text_of(m) : gs_slice(NULL, 0);
    }
    read_wish(out, user, was_called);
}

/* ---- plans ---- */

void fake_plan_add(struct fake_plan *p, enum fake_step_kind kind, struct gs_slice bytes, int64_t n)
{
    if (p->n_steps == p->cap) {
        const size_t cap = p->cap ? 2 * p->cap : 32;
        struct fake_step *more = gs_arena_array(&p->arena, cap, sizeof(*more));
        if (!more)
            return;
        for (size_t i = 0; i < p->n_steps; i++)
            more[i] = p->steps[i];
        p->steps = more;
        p->cap = cap;
    }
    p->steps[p->n_steps++] = (struct fake_step){.kind = kind, .bytes = bytes, .n = n};
}

static size_t sum_of(const struct fake_plan *p)
{
    size_t bytes = 0;

    for (size_t i = 0; i < p->n_steps; i++)
        bytes += p->steps[i].kind <= FAKE_STEP_FINISH ? p->steps[i].bytes.len : 0;
    return bytes;
}

/* Where the n-th frame with content has gone by: before the next one with content. */
static size_t place_after(const struct fake_plan *p, int n)
{
    for (size_t i = 0; i < p->n_steps; i++)
        if (p->steps[i].kind >= FAKE_STEP_FINISH ||
            (p->steps[i].kind == FAKE_STEP_CONTENT && n-- <= 0))
            return i;
    return p->n_steps;
}

static void insert_error(struct fake_plan *p, const struct fake_ask *ask,
                         const struct fake_fault *f)
{
    if (ask->stream)
        fake_spell_error(p, ask, f, f->broken);
    else
        fake_plan_add(p, FAKE_STEP_OPEN, GS_SLICE_LIT("\x01"), 0); /* JSON nowhere */
}

/* An event of 20 MiB. */
static void insert_giant(struct fake_plan *p, const struct fake_ask *ask)
{
    const bool is_line = ask->api == FAKE_API_OLLAMA || !ask->stream;

    fake_plan_add(p, FAKE_STEP_OPEN, gs_slice_str(is_line ? "{\"x\":\"" : "data: {\"x\":\""), 0);
    fake_plan_add(p, FAKE_STEP_REPEAT, gs_slice_str(GIANT_PIECE), GIANT_PIECES);
    fake_plan_add(p, FAKE_STEP_OPEN, gs_slice_str(is_line ? "\"}\n" : "\"}\n\n"), 0);
}

static void put_rest(struct fake_plan *p, const struct fake_step *rest, size_t n, bool drips)
{
    for (size_t i = 0; i < n; i++)
        fake_plan_add(p, drips && rest[i].kind == FAKE_STEP_CONTENT ? FAKE_STEP_DRIP : rest[i].kind,
                      rest[i].bytes, rest[i].n);
}

/* The plan of a good answer becomes that of one which goes wrong. */
static void break_plan(struct fake_plan *p, const struct fake_ask *ask, const struct fake_fault *f)
{
    const size_t at = place_after(p, f->after);
    const struct gs_slice last = at > 0 ? p->steps[at - 1].bytes : gs_slice(" ", 1);
    const size_t n_rest = p->n_steps - at;
    struct fake_step *rest = gs_arena_array(&p->arena, n_rest + 1, sizeof(*rest));
    bool goes_on = false;

    if (!rest)
        return;
    for (size_t i = 0; i < n_rest; i++)
        rest[i] = p->steps[at + i];
    p->n_steps = at;
    switch (f->broken) {
    case FAKE_BREAK_BARE:
        if (at > 0)
            p->steps[at - 1].bytes.len--;
        fake_plan_add(p, FAKE_STEP_FIN, gs_slice(NULL, 0), 0);
        break;
    case FAKE_BREAK_HALF:
        if (n_rest > 0)
            fake_plan_add(p, FAKE_STEP_OPEN, gs_slice(rest[0].bytes.ptr, rest[0].bytes.len / 2), 0);
        fake_plan_add(p, FAKE_STEP_FIN, gs_slice(NULL, 0), 0);
        break;
    case FAKE_BREAK_CUT:
        fake_plan_add(p, FAKE_STEP_FIN, gs_slice(NULL, 0), 0);
        break;
    case FAKE_BREAK_END:
        break;
    case FAKE_BREAK_RST:
        fake_plan_add(p, FAKE_STEP_RST, gs_slice(NULL, 0), 0);
        break;
    case FAKE_BREAK_STALL:
        fake_plan_add(p, FAKE_STEP_STALL, gs_slice(NULL, 0), 0);
        break;
    case FAKE_BREAK_HOLD:
        fake_plan_add(p, FAKE_STEP_HOLD, gs_slice(NULL, 0), 0);
        goes_on = true;
        break;
    case FAKE_BREAK_ERROR:
    case FAKE_BREAK_RATE:
    case FAKE_BREAK_FINISH_ERROR:
        insert_error(p, ask, f);
        p->whole_bytes = 0;
        break;
    case FAKE_BREAK_MALFORMED:
        insert_error(p, ask, f);
        goes_on = true;
        break;
    case FAKE_BREAK_GIANT:
        insert_giant(p, ask);
        goes_on = true;
        break;
    case FAKE_BREAK_LOOP:
        fake_plan_add(p, FAKE_STEP_REPEAT, last, -1);
        break;
    case FAKE_BREAK_COMMENTS:
    case FAKE_BREAK_PINGS:
        fake_plan_add(p, FAKE_STEP_PACED, fake_spell_ping(ask, f->broken == FAKE_BREAK_COMMENTS),
                      -1);
        break;
    case FAKE_BREAK_DRIP:
    case FAKE_BREAK_NONE:
    case FAKE_BREAK_RENAME:
        goes_on = true;
        break;
    }
    if (goes_on)
        put_rest(p, rest, n_rest, f->broken == FAKE_BREAK_DRIP);
}

static void make_content(struct fake_plan *p, const struct fake_ask *ask,
                         const struct fake_fault *f)
{
    const bool is_error =
        f->content == FAKE_CONTENT_ERROR_FIRST || f->content == FAKE_CONTENT_ERROR_OPEN ||
        (f->content == FAKE_CONTENT_FAILED && (ask->api != FAKE_API_RESPONSES || !ask->stream));

    if (f->content == FAKE_CONTENT_ZERO || f->content == FAKE_CONTENT_ZERO_CUT)
        return;
    if (is_error && (f->content == FAKE_CONTENT_ERROR_FIRST || !ask->stream)) {
        const struct fake_fault overloaded = {.status = 529};
        if (ask->stream)
            fake_spell_error(p, ask, f, FAKE_BREAK_ERROR);
        else
            fake_plan_add(p, FAKE_STEP_CONTENT, fake_spell_refusal(ask, &overloaded, &p->arena), 0);
        return;
    }
    if (ask->stream)
        fake_spell_stream(p, ask, f);
    else
        fake_spell_whole(p, ask, f);
    if (is_error) {
        p->n_steps = place_after(p, 0);
        fake_spell_error(p, ask, f, FAKE_BREAK_ERROR);
    }
    if (f->broken != FAKE_BREAK_END)
        p->whole_bytes = sum_of(p);
    if (f->broken != FAKE_BREAK_NONE)
        break_plan(p, ask, f);
    if (f->manners & FAKE_MANNER_TRAILING)
        fake_plan_add(p, FAKE_STEP_FINISH, GS_SLICE_LIT(": bye\n\ngarbage\n\n"), 0);
}

/* ---- heads ---- */

static const char *reason(int status)
{
    return status == 200   ? "OK"
           : status == 307 ? "Temporary Redirect"
           : status == 407 ? "Proxy Authentication Required"
           : status < 500  ? "Client Error"
                           : "Server Error";
}

static void put_wait(struct gs_buf *b, const struct fake_fault *f)
{
    char date[40];
    struct tm tm;

    if (f->wait == FAKE_WAIT_SECONDS)
        gs_buf_printf(b, "Retry-After: %d\r\n", f->wait_n);
    if (f->wait == FAKE_WAIT_MS)
        gs_buf_printf(b, "retry-after-ms: %d\r\n", f->wait_n);
    if (f->wait == FAKE_WAIT_XMS)
        gs_buf_printf(b, "x-ms-retry-after-ms: %d\r\n", f->wait_n);
    if (f->wait == FAKE_WAIT_DATE) {
        const time_t then = time(NULL) + f->wait_n;
        gmtime_r(&then, &tm);
        strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
        gs_buf_printf(b, "Retry-After: %s\r\n", date);
    }
    if (f->refusal == FAKE_REFUSAL_RETRY_NO)
        gs_buf_puts(b, "x-should-retry: false\r\n");
    if (f->status == 307)
        gs_buf_printf(b, "Location: http://127.0.0.1:%d/v1/messages\r\n", f->redirect_port);
    if (f->status == 401)
        gs_buf_puts(b, "WWW-Authenticate: Bearer\r\n");
    if (f->status == 407)
        gs_buf_puts(b, "Proxy-Authenticate: Basic realm=\"fake\"\r\n");
}

static const char *content_type(const struct fake_ask *ask, const struct fake_fault *f)
{
    if (f->refusal == FAKE_REFUSAL_HTML || f->manners & FAKE_MANNER_PORTAL)
        return "text/html; charset=utf-8";
    if (f->status || !ask->stream)
        return "application/json";
    return ask->api == FAKE_API_OLLAMA ? "application/x-ndjson"
                                       : "text/event-stream; charset=utf-8";
}

static void make_head(struct fake_plan *p, const struct fake_ask *ask, const struct fake_fault *f)
{
    const int status = f->status ? f->status : 200;
    size_t length = sum_of(p);
    struct gs_buf b;

    if (length < p->whole_bytes)
        length = p->whole_bytes;
    if (f->manners & FAKE_MANNER_LONG)
        length += LENGTH_OFF;
    if (f->manners & FAKE_MANNER_SHORT)
        length -= length < LENGTH_OFF ? length : LENGTH_OFF;
    gs_buf_init(&b, ASK_BYTES);
    if (f->manners & FAKE_MANNER_INTERIM)
        gs_buf_puts(&b,
                    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n");
    gs_buf_printf(&b,
                  "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nrequest-id: req_fake%llu\r\n"
                  "x-request-id: req_fake%llu\r\nanthropic-ratelimit-requests-remaining: 7\r\n"
                  "x-ratelimit-remaining-requests: 7\r\nopenai-processing-ms: 5\r\n"
                  "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n",
                  status, reason(status), content_type(ask, f), (unsigned long long)ask->number,
                  (unsigned long long)ask->number);
    put_wait(&b, f);
    if (f->manners & FAKE_MANNER_UNFRAMED)
        gs_buf_puts(&b, "Connection: close\r\n\r\n");
    else if (p->is_chunked)
        gs_buf_puts(&b, "Transfer-Encoding: chunked\r\n\r\n");
    else
        gs_buf_printf(&b, "Content-Length: %zu\r\n\r\n", length);
    if (!gs_arena_dup(&p->arena, gs_buf_view(&b), &p->head))
        p->head = gs_slice(NULL, 0);
    gs_buf_clear(&b);
}

void fake_plan_make(struct fake_plan *p, const struct fake_ask *ask, const struct fake_fault *f)
{
    const bool refuses = f->status || f->manners & FAKE_MANNER_PORTAL;
    const bool has_length = f->manners & (FAKE_MANNER_LONG | FAKE_MANNER_SHORT);

    gs_arena_init(&p->arena, 0);
    if (refuses)
        fake_plan_add(p, FAKE_STEP_CONTENT, fake_spell_refusal(ask, f, &p->arena), 0);
    else
        make_content(p, ask, f);
    p->is_chunked = (ask->stream || f->broken >= FAKE_BREAK_GIANT) && !refuses && !has_length &&
                    !(f->manners & FAKE_MANNER_UNFRAMED);
    p->closes = has_length || f->manners & FAKE_MANNER_UNFRAMED ||
                f->connection == FAKE_CONNECTION_EOF_IDLE || f->manners & FAKE_MANNER_PORTAL;
    p->splits = f->manners & FAKE_MANNER_SPLIT;
    make_head(p, ask, f);
    if (f->content == FAKE_CONTENT_ZERO_CUT)
        fake_plan_add(p, FAKE_STEP_FIN, gs_slice(NULL, 0), 0);
    fake_plan_add(p, FAKE_STEP_BODY_END, gs_slice(NULL, 0), 0);
}

void fake_plan_clear(struct fake_plan *p)
{
    gs_arena_clear(&p->arena);
    *p = (struct fake_plan){0};
}
