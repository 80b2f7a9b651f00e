/* Answers that broke off, in every family's own words: what is written of them reads back as they
 * were, and gone on with at any byte they are whole again, nothing lost and nothing twice. */
#include "cmocka_headers.h"

#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/limits.h"
#include "base/slice.h"
#include "chat/parser.h"
#include "chat/partial.h"
#include "transcripts.h"
#include "json/json.h"

#define MAX_BLOCKS 8

/* ---- answers ---- */

struct said {
    struct gs_block blocks[MAX_BLOCKS]; /* names in `a`, texts in bufs */
    struct gs_buf bufs[MAX_BLOCKS];
    size_t n;
    bool open;
    struct gs_arena a;
};

static void said_init(struct said *s)
{
    *s = (struct said){.n = 0};
    for (size_t i = 0; i < MAX_BLOCKS; i++)
        gs_buf_init(&s->bufs[i], GS_MAX_TEXT_BYTES);
    gs_arena_init(&s->a, 0);
}

static void said_clear(struct said *s)
{
    for (size_t i = 0; i < MAX_BLOCKS; i++)
        gs_buf_clear(&s->bufs[i]);
    gs_arena_clear(&s->a);
}

static void said_begin(struct said *s, enum gs_block_kind kind, struct gs_slice name)
{
    assert_true(s->n < MAX_BLOCKS && !s->open);
    s->open = true;
    s->blocks[s->n].kind = kind;
    assert_true(gs_arena_dup(&s->a, name, &s->blocks[s->n++].name));
}

static struct gs_slice said_text(const struct said *s, size_t i)
{
    return gs_buf_view(&s->bufs[i]);
}

/* Its first n blocks, the last one cut. */
static struct gs_message message_of(struct said *s, size_t n, size_t cut)
{
    for (size_t i = 0; i < n; i++) {
        struct gs_block *b = &s->blocks[i];
        b->text = b->args = gs_slice("", 0);
        *(b->kind == GS_BLOCK_TOOL_CALL ? &b->args : &b->text) =
            gs_slice_sub(said_text(s, i), 0, i + 1 == n ? cut : SIZE_MAX);
    }
    return (struct gs_message){.role = GS_ROLE_ASSISTANT, .blocks = s->blocks, .n_blocks = n};
}

static enum gs_flow on_event(void *ud, const struct gs_event *ev)
{
    struct said *s = ud;

    if (ev->kind == GS_EVENT_BEGIN) {
        assert_int_equal(ev->block_idx, s->n);
        said_begin(s, ev->block, ev->name);
        return GS_FLOW_CONTINUE;
    }
    assert_true(s->open);
    assert_int_equal(ev->block_idx, s->n - 1);
    assert_int_equal(ev->block, s->blocks[s->n - 1].kind);
    s->open = ev->kind != GS_EVENT_END;
    gs_buf_slice(&s->bufs[s->n - 1], ev->text);
    return GS_FLOW_CONTINUE;
}

static void assert_same(const struct said *a, const struct said *b, size_t cut)
{
    assert_false(a->open);
    for (size_t i = 0; i < a->n && i < b->n; i++) {
        if (a->blocks[i].kind != b->blocks[i].kind ||
            !gs_slice_eq(a->blocks[i].name, b->blocks[i].name) ||
            !gs_slice_eq(said_text(a, i), said_text(b, i)))
            fail_msg("cut at %zu, block %zu: [%.*s], not [%.*s]", cut, i, (int)a->bufs[i].len,
                     a->bufs[i].ptr, (int)b->bufs[i].len, b->bufs[i].ptr);
    }
    assert_int_equal(a->n, b->n);
}

/* ---- one family ---- */

struct family {
    struct gs_prompt_traits traits;
    bool opens_reasoning, tools;
};

/* Read `text`, in pieces of `piece` bytes, behind `partial` if that is not NULL. */
static void parse(const struct family *f, const struct gs_message *partial, struct gs_slice text,
                  size_t piece, struct said *out)
{
    const struct gs_parser_options opt = {.traits = &f->traits,
                                          .opens_reasoning = f->opens_reasoning,
                                          .tools = f->tools,
                                          .tool = tools,
                                          .n_tools = GS_COUNT_OF(tools),
                                          .partial = partial};
    struct gs_parser *p;

    said_init(out);
    for (size_t i = 0; partial && i < partial->n_blocks; i++) {
        const struct gs_block *b = &partial->blocks[i];
        said_begin(out, b->kind, b->name);
        gs_buf_slice(&out->bufs[i], b->kind == GS_BLOCK_TOOL_CALL ? b->args : b->text);
        out->open = i + 1 == partial->n_blocks;
    }
    assert_int_equal(gs_parser_create(&opt, on_event, out, &p, NULL), GS_OK);
    for (size_t at = 0; at < text.len; at += piece)
        gs_parser_feed(p, gs_slice_sub(text, at, at + piece), NULL, 0);
    gs_parser_finish(p);
    assert_false(gs_parser_failed(p));
    gs_parser_free(p);
}

static void write_partial(const struct family *f, const struct gs_message *m, struct gs_buf *b)
{
    struct gs_chat_partial p;
    size_t from = 0;

    assert_int_equal(gs_chat_partial_write(&f->traits, m, f->opens_reasoning, &p, NULL), GS_OK);
    for (size_t i = 0; i < p.n_pieces; from = p.pieces[i++].end)
        assert_true(p.pieces[i].end > from);
    assert_int_equal(from, p.text.len);
    gs_buf_reset(b);
    gs_buf_slice(b, gs_buf_view(&p.text));
    gs_chat_partial_clear(&p);
}

/* What a model would write behind the first n blocks, of which the last is cut. */
static void write_rest(const struct family *f, struct said *whole, size_t n, size_t cut,
                       struct gs_buf *b)
{
    const struct gs_message m = message_of(whole, n, cut);
    const bool is_open = gs_chat_call_is_open(&m);
    struct gs_buf all;
    struct gs_buf begun;

    gs_buf_init(&all, GS_MAX_TEXT_BYTES);
    gs_buf_init(&begun, GS_MAX_TEXT_BYTES);
    gs_buf_reset(b);
    gs_buf_slice(b, gs_slice_sub(said_text(whole, n - 1), cut, SIZE_MAX));
    if (is_open)
        gs_buf_puts(b, gs_chat_call_spelling(&f->traits)->end);
    const struct gs_message ended = message_of(whole, n, SIZE_MAX);
    write_partial(f, &ended, &begun);
    const struct gs_message full = message_of(whole, whole->n, SIZE_MAX);
    write_partial(f, &full, &all);
    assert_true(gs_slice_starts(gs_buf_view(&all), gs_buf_view(&begun)));
    gs_buf_slice(b, gs_slice_sub(gs_buf_view(&all), begun.len, all.len));
    gs_buf_clear(&all);
    gs_buf_clear(&begun);
}

static void check_cuts(const struct family *f, struct said *whole)
{
    struct gs_buf rest;

    gs_buf_init(&rest, GS_MAX_TEXT_BYTES);
    for (size_t n = 1; n <= whole->n; n++) {
        const struct gs_slice text = said_text(whole, n - 1);
        for (size_t cut = 0; cut <= text.len; cut++) {
            struct said got;
            if (cut < text.len && ((unsigned char)text.ptr[cut] & 0xc0) == 0x80)
                continue;
            write_rest(f, whole, n, cut, &rest);
            for (size_t piece = 1; piece <= 7; piece += 6) {
                const struct gs_message m = message_of(whole, n, cut);
                parse(f, &m, gs_buf_view(&rest), piece, &got);
                assert_same(&got, whole, cut);
                said_clear(&got);
            }
        }
    }
    gs_buf_clear(&rest);
}

static bool has_odd_arguments(const struct said *s)
{
    struct gs_json v;
    struct gs_arena a;
    bool odd = false;

    gs_arena_init(&a, 0);
    for (size_t i = 0; i < s->n; i++)
        odd |= s->blocks[i].kind == GS_BLOCK_TOOL_CALL &&
               gs_json_parse(said_text(s, i), &a, &v, NULL) != GS_OK;
    gs_arena_clear(&a);
    return odd;
}

/* Between tags a text cannot hold the tag that ends it, and may lose a line break at its end. */
static bool can_be_written(const struct family *f, const struct said *s)
{
    const struct gs_tool_notation *n = gs_parser_notation(&f->traits);

    for (size_t i = 0; n && !n->quote && i < s->n; i++)
        if (s->blocks[i].kind == GS_BLOCK_TOOL_CALL &&
            (gs_slice_find(said_text(s, i), GS_SLICE_LIT("</"), 0) != SIZE_MAX ||
             gs_slice_find(said_text(s, i), GS_SLICE_LIT("\\n\""), 0) != SIZE_MAX))
            return false;
    return true;
}

static void check_transcript(const struct gs_json *v)
{
    const struct family f = {traits_of(v), flag_of(v, "opens_reasoning", false),
                             flag_of(v, "tools", true)};
    struct said whole;
    struct said again;
    struct gs_buf text;

    parse(&f, NULL, text_of(v, "text"), 1, &whole);
    if (whole.n == 0 || has_odd_arguments(&whole)) {
        said_clear(&whole);
        return;
    }
    gs_buf_init(&text, GS_MAX_TEXT_BYTES);
    const struct gs_message m = message_of(&whole, whole.n, SIZE_MAX);
    write_partial(&f, &m, &text);
    parse(&f, NULL, gs_buf_view(&text), 1, &again);
    if (can_be_written(&f, &whole))
        assert_same(&again, &whole, SIZE_MAX);
    said_clear(&again);
    gs_buf_clear(&text);
    check_cuts(&f, &whole);
    said_clear(&whole);
}

static void every_family_goes_on_from_every_byte(void **state)
{
    struct gs_json all;
    struct gs_arena a;
    struct gs_buf b;

    (void)state;
    gs_arena_init(&a, 0);
    read_file(GENSET_TEST_DATA "/transcripts.json", &b);
    assert_int_equal(gs_json_parse(gs_buf_view(&b), &a, &all, NULL), GS_OK);
    for (size_t i = 0; i < all.u.array.len; i++) {
        print_message("%s: %s\n", text_of(&all.u.array.items[i], "family").ptr,
                      text_of(&all.u.array.items[i], "says").ptr);
        check_transcript(&all.u.array.items[i]);
    }
    gs_buf_clear(&b);
    gs_arena_clear(&a);
}

int main(void)
{
    const struct CMUnitTest tests_of_file[] = {
        cmocka_unit_test(every_family_goes_on_from_every_byte),
    };

    return cmocka_run_group_tests(tests_of_file, NULL, NULL);
}
