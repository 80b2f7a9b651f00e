/* A request as its client spelled it, with turns behind those it has: what a server keeps of it for
 * later fits as far as it goes, and what only its own API can say stays said. */
#include <string.h>

#include "base/slice.h"
#include "dialect/client.h"
#include "dialect/writer.h"
#include "json/json.h"

#define MAX_EDITS 4

/* Bytes of the body that become others. */
struct edit {
    size_t from, to;
    struct gs_slice text;
};

struct edits {
    struct edit items[MAX_EDITS]; /* in the order of their places */
    size_t n;
};

static void add_edit(struct edits *e, struct gs_slice body, struct gs_slice old,
                     struct gs_slice text)
{
    const size_t from = (size_t)(old.ptr - body.ptr);
    size_t at = e->n++;

    for (; at > 0 && e->items[at - 1].from > from; at--)
        e->items[at] = e->items[at - 1];
    e->items[at] = (struct edit){from, from + old.len, text};
}

static void write_turn(struct gs_buf *b, const char *role, struct gs_slice text)
{
    gs_buf_printf(b, ",{\"role\":\"%s\",", role);
    gs_dialect_write_member(b, "content", text);
    gs_buf_putc(b, '}');
}

/* Before the bracket that ends the list of turns. */
static bool find_end(const struct gs_dialect_client *c, struct gs_slice body,
                     struct gs_slice *out_end)
{
    struct gs_slice list;

    if (!gs_json_find_member(body, c->turns, &list))
        return false;
    list = gs_slice_trim(list);
    if (!gs_slice_starts(list, GS_SLICE_LIT("[")) || !gs_slice_ends(list, GS_SLICE_LIT("]")) ||
        gs_slice_trim(gs_slice_sub(list, 1, list.len - 1)).len == 0)
        return false;
    *out_end = gs_slice(list.ptr + list.len - 1, 0);
    return true;
}

/* A limit that thinking has a share of is left as it is. */
static bool find_limit(const struct gs_dialect_client *c, struct gs_slice body,
                       struct gs_slice *out_old)
{
    struct gs_slice thinking;

    if (gs_json_find_member(body, "thinking", &thinking) ||
        (c->limits_in && !gs_json_find_member(body, c->limits_in, &body)))
        return false;
    for (size_t i = 0; i < GS_COUNT_OF(c->limits) && c->limits[i]; i++)
        if (gs_json_find_member(body, c->limits[i], out_old))
            return true;
    return false;
}

static void apply(const struct edits *e, struct gs_slice body, struct gs_buf *b)
{
    size_t at = 0;

    for (size_t i = 0; i < e->n; i++) {
        gs_buf_slice(b, gs_slice_sub(body, at, e->items[i].from));
        gs_buf_slice(b, e->items[i].text);
        at = e->items[i].to;
    }
    gs_buf_slice(b, gs_slice_sub(body, at, body.len));
}

bool gs_dialect_add_turns(const struct gs_dialect_client *c, struct gs_slice body,
                          const struct gs_dialect_to *to, const struct gs_dialect_turns *turns,
                          struct gs_buf *b)
{
    struct edits edits = {.n = 0};
    struct gs_buf more, model, limit;
    struct gs_slice end, old;

    if (!find_end(c, body, &end))
        return false;
    gs_buf_init(&more, turns->said.len * 6 + turns->reply.len * 6 + 256);
    gs_buf_init(&model, to->model.len * 6 + 2);
    gs_buf_init(&limit, 32);
    write_turn(&more, "assistant", turns->said);
    if (turns->reply.len)
        write_turn(&more, "user", turns->reply);
    gs_json_write_string(&model, to->model);
    gs_buf_int(&limit, turns->max_tokens);
    const size_t brace = gs_slice_find(body, GS_SLICE_LIT("{"), 0) + 1; /* there is a member */
    if (!turns->reply.len && c->goes_on && to->says_continue)
        add_edit(&edits, body, gs_slice(body.ptr + brace, 0), gs_slice_str(c->goes_on));
    add_edit(&edits, body, end, gs_buf_view(&more));
    if (gs_json_find_member(body, "model", &old))
        add_edit(&edits, body, old, gs_buf_view(&model));
    if (turns->max_tokens > 0 && find_limit(c, body, &old))
        add_edit(&edits, body, old, gs_buf_view(&limit));
    apply(&edits, body, b);
    gs_dialect_writer_check(&more, b);
    gs_dialect_writer_check(&model, b);
    gs_dialect_writer_check(&limit, b);
    gs_buf_clear(&more);
    gs_buf_clear(&model);
    gs_buf_clear(&limit);
    return true;
}
