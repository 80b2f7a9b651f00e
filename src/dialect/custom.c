#include "dialect/custom.h"

#include "base/arena.h"
#include "base/limits.h"
#include "base/slice.h"
#include "dialect/writer.h"
#include "json/json.h"

void gs_dialect_custom_begin(struct gs_dialect_custom *c)
{
    gs_dialect_writer_ready(&c->args);
    gs_dialect_writer_ready(&c->input);
    gs_buf_reset(&c->args);
    gs_buf_reset(&c->input);
    c->at = 0;
    c->is_over = false;
}

void gs_dialect_custom_clear(struct gs_dialect_custom *c)
{
    gs_buf_clear(&c->args);
    gs_buf_clear(&c->input);
}

/* Where the text begins in {"input":"..."; 0: not, or not yet. */
static size_t begin_of(struct gs_slice args)
{
    static const char *const marks[] = {"{", "\"input\"", ":", "\""};
    struct gs_slice rest = args;

    for (size_t i = 0; i < GS_COUNT_OF(marks); i++) {
        const struct gs_slice mark = gs_slice_str(marks[i]);
        while (rest.len > 0 && (rest.ptr[0] == ' ' || rest.ptr[0] == '\n'))
            rest = gs_slice_sub(rest, 1, rest.len);
        if (!gs_slice_starts(rest, mark))
            return 0;
        rest = gs_slice_sub(rest, mark.len, rest.len);
    }
    return args.len - rest.len;
}

/* Bytes of the escape that begins `s`; 0: it is not all there. The halves of a character beyond the
 * first 65536 go together. */
static size_t escape_len(struct gs_slice s)
{
    if (s.len < 2)
        return 0;
    if (s.ptr[1] != 'u')
        return 2;
    if (s.len < 6)
        return 0;
    const bool is_half = (s.ptr[2] | 0x20) == 'd' &&
                         gs_slice_find(GS_SLICE_LIT("89abAB"), gs_slice_sub(s, 3, 4), 0) < SIZE_MAX;
    if (!is_half)
        return 6;
    return s.len >= 12 ? 12 : 0;
}

/* How much of what is to be told is whole. */
static size_t whole_len(struct gs_dialect_custom *c, struct gs_slice s)
{
    size_t n = 0;

    while (n < s.len && s.ptr[n] != '"') {
        const size_t step = s.ptr[n] == '\\' ? escape_len(gs_slice_sub(s, n, s.len)) : 1;
        if (step == 0)
            return n;
        n += step;
    }
    c->is_over = n < s.len;
    return c->is_over ? n : n - gs_utf8_incomplete_tail(gs_slice_sub(s, 0, n));
}

/* What is no JSON is told as it stands. */
static void decode(struct gs_dialect_custom *c, struct gs_slice s)
{
    struct gs_buf quoted;
    struct gs_arena a;
    struct gs_json v;

    gs_arena_init(&a, GS_MAX_TEXT_BYTES);
    gs_buf_init(&quoted, GS_MAX_RESPONSE_BYTES);
    gs_buf_putc(&quoted, '"');
    gs_buf_slice(&quoted, s);
    gs_buf_putc(&quoted, '"');
    gs_dialect_writer_check(&quoted, &c->input);
    const enum gs_status st = gs_json_parse(gs_buf_view(&quoted), &a, &v, NULL);
    if (st == GS_ENOMEM)
        c->input.failed = true;
    gs_buf_slice(&c->input, st == GS_OK && v.kind == GS_JSON_STRING ? v.u.string : s);
    gs_buf_clear(&quoted);
    gs_arena_clear(&a);
}

struct gs_slice gs_dialect_custom_feed(struct gs_dialect_custom *c, struct gs_slice args)
{
    const size_t before = c->input.len;

    gs_buf_slice(&c->args, args);
    const struct gs_slice all = gs_buf_view(&c->args);
    if (c->at == 0)
        c->at = begin_of(all);
    if (c->at > 0 && !c->is_over) {
        const size_t n = whole_len(c, gs_slice_sub(all, c->at, all.len));
        if (n > 0)
            decode(c, gs_slice_sub(all, c->at, c->at + n));
        c->at += n;
    }
    return gs_slice_sub(gs_buf_view(&c->input), before, c->input.len);
}

/* Of arguments that did not begin so: the member, or all of them. */
static void tell_late(struct gs_dialect_custom *c)
{
    struct gs_slice input = gs_buf_view(&c->args);
    struct gs_arena a;
    struct gs_json v;

    gs_arena_init(&a, GS_MAX_TEXT_BYTES);
    const enum gs_status st = gs_json_parse(input, &a, &v, NULL);
    if (st == GS_ENOMEM)
        c->input.failed = true;
    if (st != GS_OK || !gs_json_get_string(&v, "input", &input, NULL))
        input = gs_buf_view(&c->args);
    gs_buf_slice(&c->input, input);
    gs_arena_clear(&a);
}

struct gs_slice gs_dialect_custom_end(struct gs_dialect_custom *c)
{
    const size_t before = c->input.len;

    gs_dialect_writer_check(&c->args, &c->input);
    if (c->at == 0)
        tell_late(c);
    else if (!c->is_over)
        decode(c, gs_slice_sub(gs_buf_view(&c->args), c->at, c->args.len));
    c->is_over = true;
    return gs_slice_sub(gs_buf_view(&c->input), before, c->input.len);
}
