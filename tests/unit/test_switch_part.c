/* What a client has of an answer that broke off, and what of another's events goes on with it. */
#include <string.h>

#include "base/slice.h"
#include "cmocka_headers.h"
#include "switch/switch_call.h"

static void note(struct gs_switch_part *p, enum gs_event_kind kind, enum gs_block_kind block,
                 uint32_t idx, const char *text)
{
    const struct gs_event ev = {.kind = kind,
                                .block = block,
                                .block_idx = idx,
                                .text = gs_slice_str(text),
                                .name = gs_slice_str(kind == GS_EVENT_BEGIN ? "tool" : ""),
                                .usage = {.prompt_tokens = kind == GS_EVENT_START ? 7 : 0}};
    gs_switch_part_note(p, &ev);
    if (kind == GS_EVENT_START)
        p->usage = ev.usage;
}

static struct gs_chat hand_over(struct gs_switch_part *p, struct gs_arena *a)
{
    static const struct gs_block hello = {.kind = GS_BLOCK_TEXT, .text = {"hello", 5}};
    static const struct gs_message user = {.role = GS_ROLE_USER, .blocks = &hello, .n_blocks = 1};
    const struct gs_chat chat = {.messages = &user, .n_messages = 1, .max_tokens = 100};
    struct gs_chat out;

    assert_true(gs_switch_part_hand_over(p, &chat, a, &out));
    assert_true(out.broke_off);
    assert_int_equal(out.n_messages, 2);
    assert_int_equal(out.messages[1].role, GS_ROLE_ASSISTANT);
    return out;
}

static struct gs_event adopt(struct gs_switch_part *p, enum gs_event_kind kind, uint32_t idx)
{
    struct gs_event out[2];
    const struct gs_event ev = {.kind = kind,
                                .block_idx = idx,
                                .text = GS_SLICE_LIT("x"),
                                .usage = {.prompt_tokens = 9, .answer_tokens = 3}};

    assert_int_equal(gs_switch_part_adopt(p, &ev, out), 1);
    return out[0];
}

/* A block that is open is gone on with, in its place; the next ones follow it. */
static void test_an_open_block(void **state)
{
    struct gs_switch_part p;
    struct gs_arena a;
    struct gs_event none[2];
    const struct gs_event start = {.kind = GS_EVENT_START};

    (void)state;
    gs_arena_init(&a, 0);
    gs_switch_part_init(&p);
    note(&p, GS_EVENT_START, 0, 0, "");
    note(&p, GS_EVENT_BEGIN, GS_BLOCK_REASONING, 0, "");
    note(&p, GS_EVENT_DELTA, GS_BLOCK_REASONING, 0, "hm");
    note(&p, GS_EVENT_END, GS_BLOCK_REASONING, 0, "");
    note(&p, GS_EVENT_BEGIN, GS_BLOCK_TEXT, 3, ""); /* upstreams may leave out numbers */
    note(&p, GS_EVENT_DELTA, GS_BLOCK_TEXT, 3, "gr\xc3\xbc");
    note(&p, GS_EVENT_DELTA, GS_BLOCK_TEXT, 3, "\xc3");
    const struct gs_chat chat = hand_over(&p, &a);
    assert_int_equal(chat.messages[1].n_blocks, 2);
    assert_true(gs_slice_eq_str(chat.messages[1].blocks[0].text, "hm"));
    assert_true(gs_slice_eq_str(chat.messages[1].blocks[1].text, "gr\xc3\xbc"));
    assert_int_equal(chat.max_tokens, 100 - p.answer_tokens);
    assert_int_equal(gs_switch_part_adopt(&p, &start, none), 0);
    assert_int_equal(adopt(&p, GS_EVENT_DELTA, 1).block_idx, 3);
    assert_int_equal(adopt(&p, GS_EVENT_END, 1).block_idx, 3);
    assert_int_equal(adopt(&p, GS_EVENT_BEGIN, 2).block_idx, 4);
    const struct gs_event stop = adopt(&p, GS_EVENT_STOP, 0);
    assert_int_equal(stop.usage.prompt_tokens, 7);
    assert_int_equal(stop.usage.answer_tokens, 3 + p.answer_tokens);
    gs_switch_part_clear(&p);
    gs_arena_clear(&a);
}

/* Where all blocks were complete a new one begins with the first content, and not before. */
static void test_a_fresh_block(void **state)
{
    struct gs_switch_part p;
    struct gs_arena a;
    struct gs_event out[2];
    struct gs_event ev = {.kind = GS_EVENT_DELTA, .block = GS_BLOCK_TEXT, .block_idx = 1};

    (void)state;
    gs_arena_init(&a, 0);
    gs_switch_part_init(&p);
    note(&p, GS_EVENT_START, 0, 0, "");
    note(&p, GS_EVENT_BEGIN, GS_BLOCK_TOOL_CALL, 0, "");
    note(&p, GS_EVENT_DELTA, GS_BLOCK_TOOL_CALL, 0, "{}");
    note(&p, GS_EVENT_END, GS_BLOCK_TOOL_CALL, 0, "");
    const struct gs_chat chat = hand_over(&p, &a);
    assert_int_equal(chat.messages[1].n_blocks, 2);
    assert_true(gs_slice_eq_str(chat.messages[1].blocks[0].args, "{}"));
    assert_int_equal(chat.messages[1].blocks[1].text.len, 0);
    assert_int_equal(gs_switch_part_adopt(&p, &ev, out), 2);
    assert_int_equal(out[0].kind, GS_EVENT_BEGIN);
    assert_int_equal(out[0].block_idx, 1);
    assert_int_equal(out[1].block_idx, 1);
    assert_int_equal(gs_switch_part_adopt(&p, &ev, out), 1);
    assert_int_equal(adopt(&p, GS_EVENT_BEGIN, 2).block_idx, 2);
    ev = (struct gs_event){.kind = GS_EVENT_STOP, .stop = GS_STOP_END};
    assert_int_equal(gs_switch_part_adopt(&p, &ev, out), 1);
    assert_int_equal(out[0].stop, GS_STOP_TOOL_CALL); /* there is one in the message */
    gs_switch_part_clear(&p);
    gs_arena_clear(&a);
}

/* A fresh block that stays empty never was: the next takes its place. */
static void test_a_fresh_block_without_content(void **state)
{
    struct gs_switch_part p;
    struct gs_arena a;
    struct gs_event out[2];
    const struct gs_event end = {.kind = GS_EVENT_END, .block_idx = 1};

    (void)state;
    gs_arena_init(&a, 0);
    gs_switch_part_init(&p);
    note(&p, GS_EVENT_START, 0, 0, "");
    note(&p, GS_EVENT_BEGIN, GS_BLOCK_TEXT, 0, "");
    note(&p, GS_EVENT_DELTA, GS_BLOCK_TEXT, 0, "done");
    note(&p, GS_EVENT_END, GS_BLOCK_TEXT, 0, "");
    hand_over(&p, &a);
    assert_int_equal(gs_switch_part_adopt(&p, &end, out), 0);
    assert_int_equal(adopt(&p, GS_EVENT_BEGIN, 2).block_idx, 1);
    assert_int_equal(adopt(&p, GS_EVENT_DELTA, 2).block_idx, 1);
    gs_switch_part_clear(&p);
    gs_arena_clear(&a);
}

/* What is longer than any model's context nobody goes on with, and it takes no memory. */
static void test_more_than_anybody_reads(void **state)
{
    static char text[64 * 1024 + 1];
    struct gs_switch_part p;

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    gs_switch_part_init(&p);
    note(&p, GS_EVENT_START, 0, 0, "");
    note(&p, GS_EVENT_BEGIN, GS_BLOCK_TEXT, 0, "");
    for (int i = 0; i < 16; i++)
        note(&p, GS_EVENT_DELTA, GS_BLOCK_TEXT, 0, text);
    assert_false(p.is_lost);
    assert_int_equal(p.blocks[0].text.len, 1 << 20);
    note(&p, GS_EVENT_DELTA, GS_BLOCK_TEXT, 0, "x");
    assert_true(p.is_lost);
    note(&p, GS_EVENT_DELTA, GS_BLOCK_TEXT, 0, text);
    assert_null(p.blocks[0].text.ptr);
    gs_switch_part_clear(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_open_block),
        cmocka_unit_test(test_a_fresh_block),
        cmocka_unit_test(test_a_fresh_block_without_content),
        cmocka_unit_test(test_more_than_anybody_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
