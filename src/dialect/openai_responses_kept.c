/* OpenAI Responses, what was kept: answers that a request builds on, items that it names, and the
 * list of what led to an answer (https://platform.openai.com/docs/api-reference/responses).
 *
 * An item of ours tells by its id where it is: "msg_0123_4" is of the output of "resp_0123",
 * "item_0123_4" is the fifth of its input. */
#include <stdio.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/slice.h"
#include "dialect/openai_responses.h"

#define ITEM_ID_BYTES 96
#define LIST_LIMIT    20 /* items listed, unless asked for more */
#define LIST_MAX      100

/* ---- records ---- */

/* The value if it is an array, else an empty one. */
static const struct gs_json *array_of(const struct gs_json *v)
{
    static const struct gs_json none = {.kind = GS_JSON_ARRAY};

    return v && v->kind == GS_JSON_ARRAY ? v : &none;
}

static struct gs_dialect_responses_kept *parse_record(struct gs_dialect_reader *r,
                                                      const struct gs_dialect_record *record)
{
    struct gs_dialect_responses_kept *kept = gs_arena_alloc(r->a, sizeof(*kept));
    struct gs_json *values = gs_arena_array(r->a, 2, sizeof(*values));

    if (!kept || !values) {
        gs_dialect_reader_nomem(r);
        return NULL;
    }
    r->status = gs_json_parse(record->input, r->a, &values[0], r->err);
    if (r->status == GS_OK)
        r->status = gs_json_parse(record->body, r->a, &values[1], r->err);
    if (r->status != GS_OK)
        return NULL;
    *kept = (struct gs_dialect_responses_kept){
        .id = record->id,
        .previous = record->previous,
        .input = array_of(&values[0]),
        .output = array_of(gs_json_get(&values[1], "output")),
    };
    return kept;
}

/* NULL: not there, or a failure. */
static struct gs_dialect_responses_kept *find(struct gs_dialect_responses_keeper *k,
                                              struct gs_slice id)
{
    struct gs_dialect_responses_kept *kept = gs_map_get(&k->by_id, id);
    struct gs_dialect_reader *r = k->r;
    struct gs_dialect_record record;

    if (kept || r->status != GS_OK || !k->store)
        return kept;
    const enum gs_status st = k->store->find(k->store->self, id, r->a, &record);
    if (st == GS_OK)
        kept = parse_record(r, &record);
    if (st == GS_ENOMEM || (kept && !gs_map_put(&k->by_id, kept->id, kept))) {
        gs_dialect_reader_nomem(r);
        return NULL;
    }
    return kept;
}

const struct gs_dialect_responses_kept *
gs_dialect_responses_chain(struct gs_dialect_responses_keeper *k, struct gs_slice id,
                           bool *out_whole)
{
    struct gs_dialect_responses_kept *first = NULL;
    struct gs_dialect_responses_kept *kept = find(k, id);

    for (; kept && !kept->is_listed; kept = find(k, id)) {
        kept->is_listed = true;
        kept->next = first;
        first = kept;
        id = kept->previous;
        if (!id.len)
            break;
    }
    *out_whole = first && !first->previous.len;
    return first;
}

/* ---- items ---- */

/* "0123" of "resp_0123". */
static struct gs_slice tail_of(struct gs_slice id)
{
    const size_t bar = gs_slice_find(id, GS_SLICE_LIT("_"), 0);

    return bar == SIZE_MAX ? id : gs_slice_sub(id, bar + 1, id.len);
}

/* The id an item has, or that of its place in the input of `kept`. */
static struct gs_slice item_id(const struct gs_dialect_responses_kept *kept, size_t idx,
                               const struct gs_json *item, char of[ITEM_ID_BYTES])
{
    const struct gs_slice id = gs_dialect_peek_string(item, "id");
    const struct gs_slice tail = tail_of(kept->id);

    if (id.len)
        return id;
    snprintf(of, ITEM_ID_BYTES, "item_%.*s_%zu", (int)GS_MIN(tail.len, 60), tail.ptr, idx);
    return gs_slice_str(of);
}

static const struct gs_json *find_in(const struct gs_dialect_responses_kept *kept,
                                     const struct gs_json *items, struct gs_slice id)
{
    char of[ITEM_ID_BYTES];

    for (size_t i = 0; i < items->u.array.len; i++) {
        const struct gs_json *item = &items->u.array.items[i];
        if (gs_slice_eq(item_id(kept, i, item, of), id))
            return item;
    }
    return NULL;
}

const struct gs_json *gs_dialect_responses_item(struct gs_dialect_responses_keeper *k,
                                                struct gs_slice id)
{
    const struct gs_slice rest = tail_of(id);
    const size_t end = gs_slice_find(rest, GS_SLICE_LIT("_"), 0);
    char response[ITEM_ID_BYTES];

    if (end == SIZE_MAX || end > 60)
        return NULL;
    snprintf(response, sizeof(response), "resp_%.*s", (int)end, rest.ptr);
    const struct gs_dialect_responses_kept *kept = find(k, gs_slice_str(response));
    if (!kept)
        return NULL;
    const struct gs_json *item = find_in(kept, kept->output, id);
    return item ? item : find_in(kept, kept->input, id);
}

/* ---- the list ---- */

struct entry {
    const struct gs_json *item;
    struct gs_slice id;
};

/* The value of `key` in "a=1&b=2"; empty if it is not there. */
static struct gs_slice query_get(struct gs_slice query, const char *key)
{
    for (size_t at = 0; at < query.len;) {
        const size_t end = gs_slice_find(query, GS_SLICE_LIT("&"), at);
        const struct gs_slice pair = gs_slice_sub(query, at, end);
        const size_t eq = gs_slice_find(pair, GS_SLICE_LIT("="), 0);
        if (gs_slice_eq_str(gs_slice_sub(pair, 0, eq), key))
            return eq == SIZE_MAX ? gs_slice(NULL, 0) : gs_slice_sub(pair, eq + 1, pair.len);
        at = end == SIZE_MAX ? query.len : end + 1;
    }
    return gs_slice(NULL, 0);
}

static void add_entries(struct gs_dialect_reader *r, const struct gs_dialect_responses_kept *kept,
                        const struct gs_json *items, struct entry *entries, size_t *n)
{
    char of[ITEM_ID_BYTES];

    for (size_t i = 0; i < items->u.array.len; i++) {
        const struct gs_json *item = &items->u.array.items[i];
        struct entry *e = &entries[(*n)++];
        e->item = item;
        if (!gs_arena_dup(r->a, item_id(kept, i, item, of), &e->id))
            gs_dialect_reader_nomem(r);
    }
}

/* What led to the last response of the chain, in its order. */
static struct entry *list_entries(struct gs_dialect_reader *r,
                                  const struct gs_dialect_responses_kept *chain, size_t *out_n)
{
    size_t n = 0;

    for (const struct gs_dialect_responses_kept *k = chain; k; k = k->next)
        n += k->input->u.array.len + k->output->u.array.len;
    struct entry *entries = gs_arena_array(r->a, n, sizeof(*entries));
    if (!entries) {
        gs_dialect_reader_nomem(r);
        return NULL;
    }
    n = 0;
    for (const struct gs_dialect_responses_kept *k = chain; k; k = k->next) {
        add_entries(r, k, k->input, entries, &n);
        if (k->next)
            add_entries(r, k, k->output, entries, &n);
    }
    *out_n = n;
    return entries;
}

static void write_entry(const struct entry *e, struct gs_buf *b)
{
    if (gs_dialect_peek_string(e->item, "id").len || e->item->kind != GS_JSON_OBJECT) {
        gs_json_write(b, e->item);
        return;
    }
    gs_buf_puts(b, "{\"id\":");
    gs_json_write_string(b, e->id);
    for (size_t i = 0; i < e->item->u.object.len; i++) {
        const struct gs_json_member *m = &e->item->u.object.members[i];
        gs_buf_putc(b, ',');
        gs_json_write_string(b, m->key);
        gs_buf_putc(b, ':');
        gs_json_write(b, &m->value);
    }
    gs_buf_putc(b, '}');
}

static void write_list(const struct entry *entries, size_t n, struct gs_slice query,
                       struct gs_buf *b)
{
    const bool is_asc = gs_slice_eq_str(query_get(query, "order"), "asc");
    const struct gs_slice after = query_get(query, "after");
    int64_t limit = LIST_LIMIT;
    size_t from = 0;

    if (!gs_slice_to_i64(query_get(query, "limit"), &limit) || limit < 1 || limit > LIST_MAX)
        limit = LIST_LIMIT;
    for (size_t i = 0; after.len && i < n; i++) {
        if (gs_slice_eq(entries[is_asc ? i : n - 1 - i].id, after))
            from = i + 1;
    }
    const size_t to = GS_MIN(n, from + (size_t)limit);
    gs_buf_puts(b, "{\"object\":\"list\",\"data\":[");
    for (size_t i = from; i < to; i++) {
        if (i > from)
            gs_buf_putc(b, ',');
        write_entry(&entries[is_asc ? i : n - 1 - i], b);
    }
    gs_buf_puts(b, "],\"first_id\":");
    if (from < to)
        gs_json_write_string(b, entries[is_asc ? from : n - 1 - from].id);
    else
        gs_buf_puts(b, "null");
    gs_buf_puts(b, ",\"last_id\":");
    if (from < to)
        gs_json_write_string(b, entries[is_asc ? to - 1 : n - to].id);
    else
        gs_buf_puts(b, "null");
    gs_buf_printf(b, ",\"has_more\":%s}", to < n ? "true" : "false");
}

enum gs_status gs_dialect_responses_list(const struct gs_dialect_store *store, struct gs_slice id,
                                         struct gs_slice query, struct gs_buf *b,
                                         struct gs_error *err)
{
    struct gs_arena a;
    struct gs_dialect_reader r = {.a = &a, .err = err};
    struct gs_dialect_responses_keeper k = {.r = &r, .store = store};
    struct entry *entries = NULL;
    bool is_whole; /* what was deleted is not listed */
    size_t n = 0;

    gs_arena_init(&a, 16 * GS_MAX_REQUEST_BYTES);
    gs_map_init(&k.by_id, 0);
    const struct gs_dialect_responses_kept *chain = gs_dialect_responses_chain(&k, id, &is_whole);
    if (chain)
        entries = list_entries(&r, chain, &n);
    else if (r.status == GS_OK)
        r.status = gs_error_set(err, GS_ENOTFOUND, "there is no response \"%.*s\"",
                                (int)GS_MIN(id.len, 100), id.ptr);
    if (r.status == GS_OK)
        write_list(entries, n, query, b);
    gs_map_clear(&k.by_id);
    gs_arena_clear(&a);
    return r.status;
}
