/* Messages and blocks grow by doubling in the arena: what they outgrow is dropped with it. */
#include "dialect/reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/slice.h"
#include "dialect/writer.h"

enum gs_status gs_dialect_parse(struct gs_slice body, struct gs_arena *a, struct gs_json *out,
                                struct gs_error *err)
{
    const enum gs_status st = gs_json_parse(body, a, out, err);

    if (st != GS_OK) {
        gs_error_prefix(err, "request body");
        return st;
    }
    if (out->kind != GS_JSON_OBJECT)
        return gs_error_set(err, GS_EINVAL, "request body: expected an object, found %s",
                            gs_json_kind_name(out->kind));
    return GS_OK;
}

void gs_dialect_reader_fail(struct gs_dialect_reader *r, const char *fmt, ...)
{
    char text[GS_ERROR_MSG_BYTES];
    va_list ap;

    if (r->status != GS_OK)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    r->status = gs_error_set(r->err, GS_EINVAL, "%s", text);
}

void gs_dialect_reader_at(struct gs_dialect_reader *r, const char *key, size_t idx)
{
    if (r->status == GS_EINVAL)
        gs_error_prefix(r->err, "%s[%zu]", key, idx);
}

void gs_dialect_reader_nomem(struct gs_dialect_reader *r)
{
    if (r->status == GS_OK)
        r->status = gs_error_nomem(r->err, "read the request");
}

/* Room for one more item of `item_bytes`; the array moves when it grows. */
static bool grow(struct gs_dialect_reader *r, void **items, size_t n, size_t *cap,
                 size_t item_bytes)
{
    if (r->status != GS_OK)
        return false;
    if (n < *cap)
        return true;
    const size_t more = *cap ? *cap * 2 : 4;
    void *p = gs_arena_array(r->a, more, item_bytes);
    if (!p) {
        gs_dialect_reader_nomem(r);
        return false;
    }
    if (n)
        memcpy(p, *items, n * item_bytes);
    *items = p;
    *cap = more;
    return true;
}

struct gs_block *gs_dialect_add_block(struct gs_dialect_reader *r, enum gs_block_kind kind)
{
    void *items = r->blocks;

    if (!grow(r, &items, r->n_blocks, &r->blocks_cap, sizeof(*r->blocks)))
        return NULL;
    r->blocks = items;
    struct gs_block *b = &r->blocks[r->n_blocks++];
    *b = (struct gs_block){.kind = kind};
    return b;
}

void gs_dialect_add_text(struct gs_dialect_reader *r, enum gs_block_kind kind, struct gs_slice text)
{
    struct gs_block *b = text.len ? gs_dialect_add_block(r, kind) : NULL;

    if (b)
        b->text = text;
}

void gs_dialect_read_content(struct gs_dialect_reader *r, const struct gs_json *content,
                             void (*read_part)(struct gs_dialect_reader *r,
                                               const struct gs_json *part))
{
    if (!content || content->kind == GS_JSON_NULL)
        return;
    if (content->kind == GS_JSON_STRING) {
        gs_dialect_add_text(r, GS_BLOCK_TEXT, content->u.string);
        return;
    }
    if (content->kind != GS_JSON_ARRAY) {
        gs_dialect_reader_fail(r, "content: expected a string or an array, found %s",
                               gs_json_kind_name(content->kind));
        return;
    }
    for (size_t i = 0; i < content->u.array.len && r->status == GS_OK; i++) {
        read_part(r, &content->u.array.items[i]);
        gs_dialect_reader_at(r, "content", i);
    }
}

void gs_dialect_add_image(struct gs_dialect_reader *r, struct gs_slice url)
{
    const size_t comma = gs_slice_find(url, GS_SLICE_LIT(","), 0);
    const size_t semicolon = gs_slice_find(gs_slice_sub(url, 0, comma), GS_SLICE_LIT(";"), 0);
    struct gs_block *b = gs_dialect_add_block(r, GS_BLOCK_IMAGE);

    if (!b)
        return;
    b->text = url;
    if (gs_slice_starts(url, GS_SLICE_LIT("data:")) && semicolon != SIZE_MAX) {
        b->name = gs_slice_sub(url, 5, semicolon);
        b->text = gs_slice_sub(url, comma + 1, url.len);
    }
}

void gs_dialect_open_signature(struct gs_dialect_reader *r, struct gs_slice *signature,
                               struct gs_slice *out_text)
{
    const struct gs_slice whole = *signature;
    const size_t dot = gs_slice_find(whole, GS_SLICE_LIT("."), 0);

    if (dot == SIZE_MAX || !gs_slice_starts(whole, GS_DIALECT_SIGNATURE))
        return;
    *out_text = gs_dialect_decode_base64(r, gs_slice_sub(whole, dot + 1, whole.len));
    *signature = gs_dialect_decode_base64(r, gs_slice_sub(whole, GS_DIALECT_SIGNATURE.len, dot));
}

void gs_dialect_add_reasoning(struct gs_dialect_reader *r, struct gs_slice text,
                              struct gs_slice signature)
{
    struct gs_slice hidden = {NULL, 0};

    gs_dialect_open_signature(r, &signature, &hidden);
    text = text.len ? text : hidden;
    struct gs_block *b =
        text.len || signature.len ? gs_dialect_add_block(r, GS_BLOCK_REASONING) : NULL;
    if (!b)
        return;
    b->text = text;
    b->signature = signature;
}

void gs_dialect_mark_block(struct gs_dialect_reader *r, size_t first, const struct gs_json *v)
{
    const struct gs_json *mark = gs_json_get(v, "cache_control");

    if (first < r->n_blocks && mark && mark->kind == GS_JSON_OBJECT)
        r->blocks[first].cache = gs_dialect_json_text(r, mark);
}

void gs_dialect_end_message(struct gs_dialect_reader *r, enum gs_role role)
{
    void *items = r->messages;

    if (!grow(r, &items, r->n_messages, &r->messages_cap, sizeof(*r->messages)))
        return;
    r->messages = items;
    r->messages[r->n_messages++] =
        (struct gs_message){.role = role, .blocks = r->blocks, .n_blocks = r->n_blocks};
    r->blocks = NULL;
    r->n_blocks = 0;
    r->blocks_cap = 0;
}

/* Templates want a result's tool by name; clients give the id of the call. */
static void name_results(struct gs_dialect_reader *r)
{
    struct gs_map calls;

    gs_map_init(&calls, 0);
    for (size_t m = 0; m < r->n_messages && r->status == GS_OK; m++) {
        struct gs_block *blocks = (struct gs_block *)r->messages[m].blocks; /* ours, in the arena */
        for (size_t i = 0; i < r->messages[m].n_blocks; i++) {
            struct gs_block *b = &blocks[i];
            if (!b->id.len)
                continue;
            const struct gs_block *call = gs_map_get(&calls, b->id);
            if (b->kind == GS_BLOCK_TOOL_CALL && !gs_map_put(&calls, b->id, b))
                gs_dialect_reader_nomem(r);
            else if (b->kind == GS_BLOCK_TOOL_RESULT && !b->name.len && call)
                b->name = call->name;
        }
    }
    gs_map_clear(&calls);
}

enum gs_status gs_dialect_reader_finish(struct gs_dialect_reader *r, struct gs_chat *chat)
{
    if (r->status != GS_OK)
        return r->status;
    name_results(r);
    if (r->status != GS_OK)
        return r->status;
    chat->messages = r->messages;
    chat->n_messages = r->n_messages;
    if (r->n_messages > 0) {
        const struct gs_message *last = &r->messages[r->n_messages - 1];
        chat->continue_last = last->role == GS_ROLE_ASSISTANT && last->n_blocks > 0 &&
                              last->blocks[last->n_blocks - 1].kind == GS_BLOCK_TEXT;
    }
    return GS_OK;
}

/* ---- values ---- */

static void take(struct gs_dialect_reader *r, bool is_fine)
{
    if (!is_fine)
        r->status = GS_EINVAL;
}

void gs_dialect_get_bool(struct gs_dialect_reader *r, const struct gs_json *v, const char *key,
                         bool *out)
{
    if (r->status == GS_OK)
        take(r, gs_json_get_bool(v, key, out, r->err));
}

void gs_dialect_get_string(struct gs_dialect_reader *r, const struct gs_json *v, const char *key,
                           struct gs_slice *out)
{
    if (r->status == GS_OK)
        take(r, gs_json_get_string(v, key, out, r->err));
}

void gs_dialect_get_int(struct gs_dialect_reader *r, const struct gs_json *v, const char *key,
                        int64_t min, int64_t max, int64_t *out)
{
    int64_t n = *out;

    if (r->status != GS_OK || !gs_dialect_has(v, key))
        return;
    take(r, gs_json_get_int(v, key, &n, r->err));
    if (r->status == GS_OK && (n < min || n > max))
        gs_dialect_reader_fail(r, "%s: expected a whole number from %lld to %lld, found %lld", key,
                               (long long)min, (long long)max, (long long)n);
    else
        *out = n;
}

void gs_dialect_get_float(struct gs_dialect_reader *r, const struct gs_json *v, const char *key,
                          double min, double max, float *out)
{
    double x = *out;

    if (r->status != GS_OK || !gs_dialect_has(v, key))
        return;
    take(r, gs_json_get_double(v, key, &x, r->err));
    if (r->status == GS_OK && !(x >= min && x <= max))
        gs_dialect_reader_fail(r, "%s: expected a number from %g to %g, found %g", key, min, max,
                               x);
    else
        *out = (float)x;
}

const struct gs_json *gs_dialect_get_array(struct gs_dialect_reader *r, const struct gs_json *v,
                                           const char *key)
{
    const struct gs_json *m = gs_json_get(v, key);

    if (!m || m->kind == GS_JSON_NULL || r->status != GS_OK)
        return NULL;
    if (m->kind == GS_JSON_ARRAY)
        return m;
    gs_dialect_reader_fail(r, "%s: expected an array, found %s", key, gs_json_kind_name(m->kind));
    return NULL;
}

struct gs_slice gs_dialect_peek_string(const struct gs_json *v, const char *key)
{
    const struct gs_json *m = gs_json_get(v, key);

    return m && m->kind == GS_JSON_STRING ? m->u.string : gs_slice(NULL, 0);
}

bool gs_dialect_peek_bool(const struct gs_json *v, const char *key)
{
    const struct gs_json *m = gs_json_get(v, key);

    return m && m->kind == GS_JSON_BOOL && m->u.boolean;
}

bool gs_dialect_has(const struct gs_json *v, const char *key)
{
    const struct gs_json *m = gs_json_get(v, key);

    return m && m->kind != GS_JSON_NULL;
}

uint32_t gs_dialect_left_open(const struct gs_json *settings)
{
    static const struct {
        const char *key;
        enum gs_sampling_setting bit;
    } known[] = {
        {"temperature", GS_SAMPLING_TEMPERATURE},
        {"top_k", GS_SAMPLING_TOP_K},
        {"top_p", GS_SAMPLING_TOP_P},
        {"min_p", GS_SAMPLING_MIN_P},
        {"repeat_penalty", GS_SAMPLING_REPEAT_PENALTY},
        {"repetition_penalty", GS_SAMPLING_REPEAT_PENALTY},
        {"repeat_last_n", GS_SAMPLING_REPEAT_LAST_N},
    };
    uint32_t chosen = 0, all = 0;

    for (size_t i = 0; i < GS_COUNT_OF(known); i++) {
        all |= known[i].bit;
        if (gs_dialect_has(settings, known[i].key))
            chosen |= known[i].bit;
    }
    return all & ~chosen;
}

void gs_dialect_read_stops(struct gs_dialect_reader *r, const struct gs_json *v, const char *key,
                           struct gs_chat *chat)
{
    const struct gs_json *m = gs_json_get(v, key);
    const bool is_one = m && m->kind == GS_JSON_STRING;
    const struct gs_json *list = is_one ? m : gs_dialect_get_array(r, v, key);
    const size_t n = !list ? 0 : is_one ? 1 : list->u.array.len;

    if (n == 0)
        return;
    if (n > GS_MAX_STOPS) {
        gs_dialect_reader_fail(r, "%s: %zu stop strings are more than %d", key, n, GS_MAX_STOPS);
        return;
    }
    struct gs_slice *stops = gs_arena_array(r->a, n, sizeof(*stops));
    if (!stops) {
        gs_dialect_reader_nomem(r);
        return;
    }
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        const struct gs_json *s = is_one ? list : &list->u.array.items[i];
        if (s->kind != GS_JSON_STRING) {
            gs_dialect_reader_fail(r, "%s[%zu]: expected a string, found %s", key, i,
                                   gs_json_kind_name(s->kind));
            return;
        }
        if (s->u.string.len > 0)
            stops[used++] = s->u.string;
    }
    chat->stops = stops;
    chat->n_stops = used;
}

void gs_dialect_read_tokens(struct gs_dialect_reader *r, const struct gs_json *list,
                            const char *key, struct gs_embed_input *out)
{
    const size_t n = list->u.array.len;
    int32_t *tokens = n > 0 ? gs_arena_array(r->a, n, sizeof(*tokens)) : NULL;

    if (n > 0 && !tokens)
        gs_dialect_reader_nomem(r);
    for (size_t i = 0; i < n && r->status == GS_OK; i++) {
        const struct gs_json *v = &list->u.array.items[i];
        if (v->kind == GS_JSON_INT && v->u.integer >= 0 && v->u.integer <= INT32_MAX)
            tokens[i] = (int32_t)v->u.integer;
        else
            gs_dialect_reader_fail(r, "%s%stoken %zu: expected a whole number from 0 on",
                                   key ? key : "", key ? ": " : "", i);
    }
    *out = (struct gs_embed_input){.tokens = tokens, .n_tokens = n};
}

bool gs_dialect_read_function(struct gs_dialect_reader *r, const struct gs_json *f,
                              struct gs_tool *out)
{
    const struct gs_json *parameters = gs_json_get(f, "parameters");
    struct gs_tool t = {0};

    if (!f)
        return false;
    gs_dialect_get_string(r, f, "name", &t.name);
    gs_dialect_get_string(r, f, "description", &t.description);
    if (parameters && parameters->kind == GS_JSON_OBJECT)
        t.parameters = gs_dialect_json_text(r, parameters);
    if (!t.name.len)
        gs_dialect_reader_fail(r, "function.name: a tool needs a name");
    *out = t;
    return true;
}

void gs_dialect_read_functions(struct gs_dialect_reader *r, const struct gs_json *tools,
                               struct gs_chat *chat)
{
    const size_t n = tools ? tools->u.array.len : 0;
    struct gs_tool *out = n ? gs_arena_array(r->a, n, sizeof(*out)) : NULL;
    size_t used = 0;

    if (n && !out)
        gs_dialect_reader_nomem(r);
    for (size_t i = 0; out && i < n && r->status == GS_OK; i++) {
        const struct gs_json *f = gs_json_get(&tools->u.array.items[i], "function");
        used += gs_dialect_read_function(r, f, &out[used]);
        gs_dialect_reader_at(r, "tools", i);
    }
    chat->tools = out;
    chat->n_tools = used;
}

/* Whether `text` is JSON for an object. */
static bool is_object_text(struct gs_dialect_reader *r, struct gs_slice text)
{
    struct gs_json v;

    return gs_json_parse(text, r->a, &v, NULL) == GS_OK && v.kind == GS_JSON_OBJECT;
}

struct gs_slice gs_dialect_read_args(struct gs_dialect_reader *r, const struct gs_json *v)
{
    if (!v || v->kind == GS_JSON_NULL || (v->kind == GS_JSON_STRING && !v->u.string.len))
        return GS_SLICE_LIT("{}");
    if (v->kind == GS_JSON_OBJECT)
        return gs_dialect_json_text(r, v);
    if (v->kind == GS_JSON_STRING && is_object_text(r, v->u.string))
        return v->u.string;
    const struct gs_json_member arguments = {.key = GS_SLICE_LIT("arguments"), .value = *v};
    const struct gs_json wrapped = {.kind = GS_JSON_OBJECT,
                                    .u.object = {.members = &arguments, .len = 1}};
    return gs_dialect_json_text(r, &wrapped);
}

void gs_dialect_set_effort(struct gs_chat *chat, struct gs_slice effort)
{
    if (!effort.len)
        return;
    if (gs_slice_eq_str(effort, "none") || gs_slice_eq_str(effort, "minimal")) {
        chat->thinking = GS_THINKING_OFF;
        return;
    }
    chat->thinking = GS_THINKING_ON;
    chat->effort = effort;
}

void gs_dialect_set_schema(struct gs_dialect_reader *r, struct gs_chat *chat,
                           const struct gs_json *schema)
{
    chat->format.kind = schema ? GS_FORMAT_SCHEMA : GS_FORMAT_JSON;
    if (schema)
        chat->format.spec = gs_dialect_json_text(r, schema);
}

struct gs_slice gs_dialect_keep(struct gs_dialect_reader *r, const struct gs_buf *b)
{
    struct gs_slice out = {NULL, 0};

    if (r->status == GS_OK && (!gs_buf_ok(b) || !gs_arena_dup(r->a, gs_buf_view(b), &out)))
        gs_dialect_reader_nomem(r);
    return out;
}

struct gs_slice gs_dialect_json_text(struct gs_dialect_reader *r, const struct gs_json *v)
{
    struct gs_buf b;

    gs_buf_init(&b, GS_MAX_TEXT_BYTES);
    gs_json_write(&b, v);
    const struct gs_slice out = gs_dialect_keep(r, &b);
    gs_buf_clear(&b);
    return out;
}

/* 0..63; -1 for what is no digit. */
static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

struct gs_slice gs_dialect_decode_base64(struct gs_dialect_reader *r, struct gs_slice text)
{
    char *out = gs_arena_alloc(r->a, text.len / 4 * 3 + 3);
    uint32_t bits = 0;
    size_t n = 0;

    if (!out) {
        gs_dialect_reader_nomem(r);
        return gs_slice(NULL, 0);
    }
    while (text.len > 0 && text.ptr[text.len - 1] == '=')
        text.len--;
    for (size_t i = 0; i < text.len; i++) {
        const int digit = base64_digit(text.ptr[i]);
        if (digit < 0)
            return gs_slice(NULL, 0);
        bits = bits << 6 | (uint32_t)digit;
        if (i % 4 > 0)
            out[n++] = (char)(bits >> (6 - 2 * (i % 4)) & 0xff);
    }
    return gs_utf8_valid(gs_slice(out, n)) ? gs_slice(out, n) : gs_slice(NULL, 0);
}
