/* Signatures of reasoning, which only who made them can read. A client hands them back with what it
 * was told, whoever is asked then; so one that was made elsewhere than in the client's own API
 * begins with its maker's name: "genset:NAME:". Google signs calls, too. Requests that go out as
 * they came are looked through, and what is not by whom they are for is taken out of them. */
#include "base/error.h"
#include "base/limits.h"
#include "base/slice.h"
#include "dialect/anthropic.h"
#include "dialect/client.h"
#include "dialect/reader.h"
#include "dialect/writer.h"
#include "json/json.h"

bool gs_dialect_sign(const char *maker, struct gs_slice signature, struct gs_arena *a,
                     struct gs_slice *out)
{
    struct gs_buf b;

    gs_buf_init(&b, GS_MAX_TEXT_BYTES);
    gs_buf_printf(&b, "%.*s%s:", (int)GS_DIALECT_MARK.len, GS_DIALECT_MARK.ptr, maker);
    gs_buf_slice(&b, signature);
    const bool is_fine = gs_buf_ok(&b) && gs_arena_dup(a, gs_buf_view(&b), out);
    gs_buf_clear(&b);
    return is_fine;
}

bool gs_dialect_signed_by(struct gs_slice signature, struct gs_slice *out_maker,
                          struct gs_slice *out_theirs)
{
    const size_t from = GS_DIALECT_MARK.len;
    const size_t colon = gs_slice_find(signature, GS_SLICE_LIT(":"), from);

    if (!gs_slice_starts(signature, GS_DIALECT_MARK) || colon == SIZE_MAX)
        return false;
    *out_maker = gs_slice_sub(signature, from, colon);
    *out_theirs = gs_slice_sub(signature, colon + 1, signature.len);
    return true;
}

bool gs_dialect_is_signed(struct gs_slice signature)
{
    struct gs_slice maker, theirs;

    return gs_dialect_signed_by(signature, &maker, &theirs) && theirs.len > 0;
}

/* ---- calls ---- */

struct gs_slice gs_dialect_call_signature(const struct gs_json *call)
{
    const struct gs_json *google = gs_json_get(gs_json_get(call, "extra_content"), "google");

    return gs_dialect_peek_string(google, "thought_signature");
}

bool gs_dialect_wants_signed_call(const struct gs_dialect_to *to)
{
    const struct gs_slice name = GS_SLICE_LIT("gemini-");
    const size_t at = gs_slice_find(to->model, name, 0);

    if (!to->wants_signed_calls || at == SIZE_MAX || at + name.len == to->model.len)
        return false;
    return to->model.ptr[at + name.len] != '1' && to->model.ptr[at + name.len] != '2';
}

/* ---- redacted thinking ---- */

struct gs_slice gs_dialect_anthropic_redacted(struct gs_dialect_reader *r, struct gs_slice data)
{
    const struct gs_slice made = gs_arena_printf(r->a, "%s%.*s", GS_DIALECT_REDACTED.ptr,
                                                 (int)data.len, data.len ? data.ptr : "");

    if (!made.ptr)
        gs_dialect_reader_nomem(r);
    return made;
}

void gs_dialect_anthropic_thinking(struct gs_buf *b, struct gs_slice text,
                                   struct gs_slice signature)
{
    if (gs_slice_starts(signature, GS_DIALECT_REDACTED)) {
        gs_buf_puts(b, "{\"type\":\"redacted_thinking\",");
        gs_dialect_write_member(b, "data",
                                gs_slice_sub(signature, GS_DIALECT_REDACTED.len, signature.len));
    } else {
        gs_buf_puts(b, "{\"type\":\"thinking\",");
        gs_dialect_write_member(b, "thinking", text);
        gs_buf_putc(b, ',');
        gs_dialect_write_member(b, "signature", signature);
    }
    gs_buf_putc(b, '}');
}

/* ---- requests that go out as they came ---- */

struct walk {
    const struct gs_dialect_to *to;
    struct gs_arena a;
    struct gs_dialect_reader r;
    unsigned n_changes;
    bool is_to_sign; /* the next call */
};

/* Append what stands in the place of `text`; false: nothing does. */
typedef bool put_fn(struct walk *w, struct gs_slice text, struct gs_buf *b);

static bool put_items(struct walk *w, struct gs_slice array, put_fn *put, struct gs_buf *b)
{
    struct gs_slice item;
    size_t n = 0;
    size_t pos = 0;

    gs_buf_putc(b, '[');
    while (gs_json_next_item(array, &pos, &item)) {
        const size_t before = b->len;
        if (n > 0)
            gs_buf_putc(b, ',');
        if (put(w, item, b))
            n++;
        else if (gs_buf_ok(b))
            b->len = before;
    }
    gs_buf_putc(b, ']');
    return n > 0;
}

static struct gs_slice find_string(struct walk *w, struct gs_slice object, const char *key)
{
    struct gs_slice text;
    struct gs_json v;

    if (!gs_json_find_member(object, key, &text))
        return gs_slice(NULL, 0);
    const enum gs_status st = gs_json_parse(text, &w->a, &v, NULL);
    if (st == GS_ENOMEM)
        gs_dialect_reader_nomem(&w->r);
    return st == GS_OK && v.kind == GS_JSON_STRING ? v.u.string : gs_slice(NULL, 0);
}

/* What becomes of reasoning that is signed so. */
enum fate { STAYS, CHANGES, GOES };

static enum fate judge(struct walk *w, struct gs_slice signature, struct gs_slice *out_theirs,
                       struct gs_slice *out_text)
{
    struct gs_slice made = signature;

    *out_text = gs_slice(NULL, 0);
    *out_theirs = gs_slice(NULL, 0);
    gs_dialect_open_signature(&w->r, &made, out_text);
    if (!w->to->is_theirs(w->to->ud, made, out_theirs) || out_theirs->len == 0)
        return GOES;
    return gs_slice_eq(*out_theirs, signature) ? STAYS : CHANGES;
}

/* Anthropic: {"type":"thinking","thinking":...,"signature":...}; what nobody signed stays. */
static bool put_block(struct walk *w, struct gs_slice block, struct gs_buf *b)
{
    const struct gs_slice type = find_string(w, block, "type");
    const bool is_redacted = gs_slice_eq_str(type, "redacted_thinking");
    struct gs_slice signature, theirs, hidden;

    if (is_redacted)
        signature = gs_dialect_anthropic_redacted(&w->r, find_string(w, block, "data"));
    else if (gs_slice_eq_str(type, "thinking"))
        signature = find_string(w, block, "signature");
    else
        signature = gs_slice(NULL, 0);
    const enum fate fate = signature.len ? judge(w, signature, &theirs, &hidden) : STAYS;
    w->n_changes += fate != STAYS;
    if (fate == STAYS) {
        gs_buf_slice(b, block);
    } else if (fate == CHANGES) {
        const struct gs_slice text = find_string(w, block, "thinking");
        gs_dialect_anthropic_thinking(b, text.len ? text : hidden, theirs);
    }
    return fate != GOES;
}

/* Chat Completions: {"type":"reasoning.encrypted","data":...}, of reasoning_details; others there
 * have a signature, or none. */
static bool put_detail(struct walk *w, struct gs_slice detail, struct gs_buf *b)
{
    const struct gs_slice data = find_string(w, detail, "data");
    const struct gs_slice signature = data.len ? data : find_string(w, detail, "signature");
    struct gs_slice theirs, text;
    const bool goes = signature.len && judge(w, signature, &theirs, &text) != STAYS;

    w->n_changes += goes;
    gs_buf_slice(b, detail);
    return !goes;
}

static void put_name(struct gs_buf *b, const char *between, struct gs_slice name)
{
    gs_buf_printf(b, "%s\"", between);
    gs_buf_slice(b, name);
    gs_buf_puts(b, "\":");
}

/* Chat Completions: a call, which Google signs. */
static bool put_call(struct walk *w, struct gs_slice call, struct gs_buf *b)
{
    const bool is_to_sign = w->is_to_sign;
    const char *between = is_to_sign ? "," : "";
    struct gs_json v = {.kind = GS_JSON_NULL};
    struct gs_slice name, value, theirs, text;
    size_t pos = 0;

    w->is_to_sign = false;
    if (gs_json_parse(call, &w->a, &v, NULL) == GS_ENOMEM)
        gs_dialect_reader_nomem(&w->r);
    const struct gs_slice signature = gs_dialect_call_signature(&v);
    if (v.kind != GS_JSON_OBJECT ||
        (signature.len ? judge(w, signature, &theirs, &text) == STAYS : !is_to_sign)) {
        gs_buf_slice(b, call);
        return true;
    }
    w->n_changes++;
    gs_buf_puts(b, is_to_sign ? "{" GS_DIALECT_UNSIGNED_CALL : "{");
    while (gs_json_next_member(call, &pos, &name, &value)) {
        if (gs_slice_eq_str(name, "extra_content"))
            continue;
        put_name(b, between, name);
        gs_buf_slice(b, value);
        between = ",";
    }
    gs_buf_putc(b, '}');
    return true;
}

/* A member of a message; false: nothing is left of it. */
static bool put_member(struct walk *w, struct gs_slice name, struct gs_slice value,
                       struct gs_buf *b)
{
    const bool is_list = value.len > 0 && value.ptr[0] == '[';
    const unsigned before = w->n_changes;

    put_name(b, "", name);
    if (is_list && gs_slice_eq_str(name, "content"))
        return put_items(w, value, put_block, b) || w->n_changes == before;
    if (is_list && gs_slice_eq_str(name, "reasoning_details"))
        return put_items(w, value, put_detail, b) || w->n_changes == before;
    if (is_list && gs_slice_eq_str(name, "tool_calls")) {
        w->is_to_sign = gs_dialect_wants_signed_call(w->to);
        return put_items(w, value, put_call, b) || w->n_changes == before;
    }
    gs_buf_slice(b, value);
    w->n_changes += gs_slice_eq_str(name, GS_DIALECT_OLLAMA_SIGNATURE); /* Ollama signs nothing */
    return w->n_changes == before;
}

/* A message that has nothing to say any more goes too. */
static bool put_message(struct walk *w, struct gs_slice message, struct gs_buf *b)
{
    const size_t start = b->len;
    const unsigned before = w->n_changes;
    struct gs_slice name, value;
    const char *between = "{";
    bool is_left = true;
    size_t pos = 0;

    while (gs_json_next_member(message, &pos, &name, &value)) {
        const size_t at = b->len;
        gs_buf_puts(b, between);
        if (put_member(w, name, value, b)) {
            between = ",";
            continue;
        }
        is_left = is_left && !gs_slice_eq_str(name, "content");
        if (gs_buf_ok(b))
            b->len = at;
    }
    gs_buf_puts(b, between[0] == '{' ? "{}" : "}");
    if (w->n_changes == before && gs_buf_ok(b)) {
        b->len = start;
        gs_buf_slice(b, message);
    }
    return is_left;
}

/* "rs_0123_4": an item that was made here, and is not known elsewhere. */
static bool is_our_item(struct gs_slice id)
{
    return gs_slice_starts(id, GS_SLICE_LIT("rs_")) &&
           gs_slice_find(id, GS_SLICE_LIT("_"), 3) != SIZE_MAX;
}

/* Responses: {"type":"reasoning","encrypted_content":...}. */
static bool put_response_item(struct walk *w, struct gs_slice item, struct gs_buf *b)
{
    const struct gs_slice content = find_string(w, item, "encrypted_content");
    struct gs_slice theirs, text, value;
    enum fate fate = STAYS;

    if (gs_slice_eq_str(find_string(w, item, "type"), "reasoning"))
        fate = content.len                               ? judge(w, content, &theirs, &text)
               : is_our_item(find_string(w, item, "id")) ? GOES
                                                         : STAYS;
    w->n_changes += fate != STAYS;
    if (fate == CHANGES && gs_json_find_member(item, "encrypted_content", &value)) {
        const size_t at = (size_t)(value.ptr - item.ptr);
        gs_buf_slice(b, gs_slice_sub(item, 0, at));
        gs_json_write_string(b, theirs);
        item = gs_slice_sub(item, at + value.len, item.len);
    }
    gs_buf_slice(b, item);
    return fate != GOES;
}

static bool may_pass(const struct gs_message *m, const struct gs_dialect_to *to)
{
    bool is_to_sign = gs_dialect_wants_signed_call(to);
    struct gs_slice theirs;

    for (size_t i = 0; i < m->n_blocks; i++) {
        const struct gs_slice signature = m->blocks[i].signature;
        const bool is_call = m->blocks[i].kind == GS_BLOCK_TOOL_CALL;
        if (signature.len > 0 &&
            (!to->is_theirs(to->ud, signature, &theirs) || !gs_slice_eq(theirs, signature)))
            return false;
        if (is_call && is_to_sign && !signature.len)
            return false;
        is_to_sign = is_to_sign && !is_call;
    }
    return true;
}

bool gs_dialect_may_pass(const struct gs_chat *chat, const struct gs_dialect_to *to)
{
    for (size_t i = 0; i < chat->n_messages; i++)
        if (!may_pass(&chat->messages[i], to))
            return false;
    return true;
}

static void put_body(struct walk *w, struct gs_slice body, struct gs_buf *b)
{
    const char *between = "{";
    struct gs_slice name, value;
    size_t pos = 0;

    while (gs_json_next_member(body, &pos, &name, &value)) {
        const bool is_list = value.len > 0 && value.ptr[0] == '[';
        put_name(b, between, name);
        if (is_list && gs_slice_eq_str(name, "messages"))
            (void)put_items(w, value, put_message, b);
        else if (is_list && gs_slice_eq_str(name, "input"))
            (void)put_items(w, value, put_response_item, b);
        else
            gs_buf_slice(b, value);
        between = ",";
    }
    gs_buf_puts(b, between[0] == '{' ? "{}" : "}");
}

enum gs_status gs_dialect_mend_signed(struct gs_slice body, const struct gs_dialect_to *to,
                                      struct gs_buf *b, struct gs_error *err)
{
    struct walk w = {.to = to};
    const size_t start = b->len;
    struct gs_json v;

    gs_arena_init(&w.a, GS_MAX_REQUEST_BYTES);
    w.r = (struct gs_dialect_reader){.a = &w.a, .err = err};
    put_body(&w, body, b);
    enum gs_status st = w.r.status;
    if (st == GS_OK && !gs_buf_ok(b))
        st = gs_error_nomem(err, "write the request");
    const bool is_changed =
        st == GS_OK && w.n_changes > 0 && gs_json_parse(body, &w.a, &v, NULL) == GS_OK;
    gs_arena_clear(&w.a);
    if (!is_changed && gs_buf_ok(b))
        b->len = start; /* also where it is no JSON: that is for others to say */
    return st;
}
