#include "dialect/details.h"

#include "base/arena.h"
#include "base/limits.h"
#include "base/slice.h"
#include "dialect/client.h"
#include "dialect/reader.h"
#include "dialect/writer.h"

#define MARK GS_SLICE_LIT("details:")

/* ---- as they come ---- */

void gs_dialect_details_clear(struct gs_dialect_details *d)
{
    gs_buf_clear(&d->list);
    gs_buf_clear(&d->type);
    gs_buf_clear(&d->text);
    gs_buf_clear(&d->signature);
    gs_buf_clear(&d->id);
    gs_buf_clear(&d->format);
}

/* What is told again counts as it was told last. */
static void set(struct gs_buf *b, struct gs_slice s)
{
    if (s.len == 0)
        return;
    gs_buf_reset(b);
    gs_buf_slice(b, s);
}

static void put(struct gs_dialect_details *d, const char *key, const struct gs_buf *value)
{
    if (value->len > 0 || !gs_buf_ok(value)) {
        gs_buf_putc(&d->list, ',');
        gs_dialect_write_member(&d->list, key, gs_buf_view(value));
    }
    gs_dialect_writer_check(value, &d->list);
}

/* The last one is complete. */
static void finish(struct gs_dialect_details *d)
{
    if (!d->member)
        return;
    gs_buf_puts(&d->list, d->list.len > MARK.len + 1 ? ",{" : "{");
    gs_dialect_write_member(&d->list, "type", gs_buf_view(&d->type));
    put(d, d->member, &d->text);
    put(d, "signature", &d->signature);
    put(d, "id", &d->id);
    put(d, "format", &d->format);
    if (d->index >= 0)
        gs_buf_printf(&d->list, ",\"index\":%lld", (long long)d->index);
    gs_buf_putc(&d->list, '}');
    d->member = NULL;
}

static void begin(struct gs_dialect_details *d, const char *member, struct gs_slice type,
                  int64_t index)
{
    struct gs_buf *const all[] = {&d->list, &d->type, &d->text, &d->signature, &d->id, &d->format};

    finish(d);
    for (size_t i = 0; i < GS_COUNT_OF(all); i++) {
        if (all[i]->max == 0)
            gs_buf_init(all[i], GS_MAX_TEXT_BYTES / 4);
        else if (i > 0 || d->is_taken)
            gs_buf_reset(all[i]);
    }
    d->is_taken = false;
    if (d->list.len == 0) {
        gs_buf_slice(&d->list, MARK);
        gs_buf_putc(&d->list, '[');
    }
    set(&d->type, type);
    d->member = member;
    d->index = index;
}

struct gs_slice gs_dialect_detail_signature(const struct gs_json *item)
{
    const struct gs_slice data = gs_dialect_peek_string(item, "data");

    return data.len ? data : gs_dialect_peek_string(item, "signature");
}

static void add(struct gs_dialect_details *d, const struct gs_json *item)
{
    const struct gs_slice type = gs_dialect_peek_string(item, "type");
    const struct gs_slice signature = gs_dialect_peek_string(item, "signature");
    const bool is_data = gs_slice_eq_str(type, "reasoning.encrypted");
    const char *member = is_data                                      ? "data"
                         : gs_slice_eq_str(type, "reasoning.text")    ? "text"
                         : gs_slice_eq_str(type, "reasoning.summary") ? "summary"
                                                                      : NULL;
    int64_t index = -1;

    if (!gs_json_get_int(item, "index", &index, NULL))
        index = -1;
    if (!member)
        return;
    if (is_data || d->member != member || d->index != index)
        begin(d, member, type, index);
    gs_buf_slice(&d->text, gs_dialect_peek_string(item, member));
    set(&d->signature, signature);
    set(&d->id, gs_dialect_peek_string(item, "id"));
    set(&d->format, gs_dialect_peek_string(item, "format"));
    d->is_signed = d->is_signed || is_data || signature.len > 0;
}

void gs_dialect_details_add(struct gs_dialect_details *d, const struct gs_json *list)
{
    for (size_t i = 0; list && list->kind == GS_JSON_ARRAY && i < list->u.array.len; i++)
        add(d, &list->u.array.items[i]);
}

bool gs_dialect_details_take(struct gs_dialect_details *d, struct gs_slice *out_signature)
{
    finish(d);
    if (d->list.len == 0 || d->is_taken)
        return false;
    gs_buf_putc(&d->list, ']');
    const bool is_signed = d->is_signed && gs_buf_ok(&d->list);
    if (is_signed)
        *out_signature = gs_buf_view(&d->list);
    d->is_taken = true;
    d->is_signed = false;
    return is_signed;
}

/* ---- back ---- */

bool gs_dialect_is_details(struct gs_slice signature)
{
    return gs_slice_starts(signature, MARK);
}

/* A client may hand back what it likes: what is no list is left out. */
static bool write_list(struct gs_slice list, bool is_first, struct gs_buf *b)
{
    struct gs_arena a;
    struct gs_json v;

    gs_arena_init(&a, GS_MAX_REQUEST_BYTES);
    const bool is_list =
        gs_json_parse(list, &a, &v, NULL) == GS_OK && v.kind == GS_JSON_ARRAY && v.u.array.len > 0;
    for (size_t i = 0; is_list && i < v.u.array.len; i++) {
        gs_buf_puts(b, !is_first || i > 0 ? "," : ",\"reasoning_details\":[");
        gs_json_write(b, &v.u.array.items[i]);
    }
    gs_arena_clear(&a);
    return is_list;
}

void gs_dialect_each_signed(struct gs_slice signature,
                            void (*fn)(void *ud, struct gs_slice signature), void *ud)
{
    struct gs_arena a;
    struct gs_json v = {.kind = GS_JSON_NULL};

    if (!gs_dialect_is_details(signature)) {
        fn(ud, signature);
        return;
    }
    gs_arena_init(&a, GS_MAX_REQUEST_BYTES);
    if (gs_json_parse(gs_slice_sub(signature, MARK.len, signature.len), &a, &v, NULL) == GS_OK &&
        v.kind == GS_JSON_ARRAY)
        for (size_t i = 0; i < v.u.array.len; i++)
            fn(ud, gs_dialect_detail_signature(&v.u.array.items[i]));
    gs_arena_clear(&a);
}

bool gs_dialect_write_details(const struct gs_dialect_to *to, const struct gs_message *m,
                              struct gs_buf *b)
{
    bool has_any = false;

    for (size_t i = 0; to->is_theirs && i < m->n_blocks; i++) {
        const struct gs_block *block = &m->blocks[i];
        struct gs_slice theirs;
        if (block->kind == GS_BLOCK_REASONING && block->signature.len > 0 &&
            to->is_theirs(to->ud, block->signature, &theirs) && gs_dialect_is_details(theirs))
            has_any |= write_list(gs_slice_sub(theirs, MARK.len, theirs.len), !has_any, b);
    }
    if (has_any)
        gs_buf_putc(b, ']');
    return has_any;
}
