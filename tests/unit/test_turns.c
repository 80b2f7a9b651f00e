/* Claude Code's conversations as they were captured: the next turn's prompt begins with the one
 * before it and its answer, although the accounting line changes, system messages stand in the
 * middle and reasoning comes back respelled. Reads shared/; skipped where that is absent. */
#include "cmocka_headers.h"

#include <stdio.h>
#include <string.h>

#include "api/replay.h"
#include "base/buf.h"
#include "base/limits.h"
#include "base/os.h"
#include "base/slice.h"
#include "chat/prompt.h"
#include "dialect/dialect.h"
#include "json/json.h"

#define DIR_CAPTURES GENSET_SHARED "/captures/claude-code"
#define TEMPLATE     GENSET_SHARED "/golden/template/Qwen-Qwen3-0.6B.jinja"
#define VERSION      GS_SLICE_LIT("cc_version=2.1.329.")

static const struct gs_slice ends[] = {GS_SLICE_LIT("<|im_end|>")};

static void read_body(struct gs_slice body, struct gs_arena *a, struct gs_chat *out)
{
    struct gs_dialect_context ctx = {0};
    struct gs_error err = {.code = GS_OK};

    if (gs_dialect_anthropic.read_request(out, &ctx, body, "/v1/messages", a, &err) != GS_OK)
        fail_msg("%s", err.msg);
}

/* The prompt; *out_opening: of the answer to it. */
static void render(const struct gs_prompter *p, const struct gs_chat *chat,
                   struct gs_prompt_replay *replay, struct gs_buf *b, struct gs_slice *out_opening)
{
    struct gs_prompt_shape shape = {
        .ends = ends, .n_ends = 1, .replays = replay, .n_replays = replay ? 1 : 0};
    struct gs_error err = {.code = GS_OK};

    gs_buf_init(b, GS_MAX_PROMPT_BYTES);
    if (gs_prompter_shape(p, chat, 0, &shape, b, &err) != GS_OK)
        fail_msg("%s", err.msg);
    assert_true(shape.opening_at <= b->len);
    *out_opening = gs_slice_sub(gs_buf_view(b), shape.opening_at, b->len);
}

/* Keep `answer`, a message of a later turn, as what the model said to `chat`. */
static void keep(struct gs_replay_store *s, const struct gs_chat *chat, struct gs_slice opening,
                 const struct gs_message *answer)
{
    struct gs_replay *r;

    assert_int_equal(gs_replay_begin(s, chat, opening, &r, NULL), GS_OK);
    for (size_t i = 0; i < answer->n_blocks; i++) {
        const struct gs_block *b = &answer->blocks[i];
        struct gs_event ev = {
            .kind = GS_EVENT_BEGIN, .block = b->kind, .id = b->id, .name = b->name};
        gs_replay_take_event(r, &ev);
        ev.kind = GS_EVENT_DELTA;
        ev.text = b->kind == GS_BLOCK_TOOL_CALL ? b->args : b->text;
        gs_replay_take_event(r, &ev);
        ev.kind = GS_EVENT_END;
        gs_replay_take_event(r, &ev);
    }
    gs_replay_keep(s, r);
}

/* A turn with `later` as its body, and the turn before it, when accounting said something else. */
static void check_turn(const struct gs_prompter *p, struct gs_slice later, struct gs_arena *a)
{
    struct gs_slice earlier;
    struct gs_chat before, after;
    struct gs_buf first, second;
    struct gs_slice opening;
    struct gs_replay_store *s;
    struct gs_replay_match *m;
    size_t n;

    assert_true(gs_arena_dup(a, later, &earlier));
    const size_t nonce = gs_slice_find(earlier, VERSION, 0) + VERSION.len;
    assert_true(nonce < earlier.len);
    memcpy((char *)earlier.ptr + nonce, "e7e", 3);
    read_body(earlier, a, &before);
    read_body(later, a, &after);
    size_t answer = after.n_messages - 1;
    while (after.messages[answer].role != GS_ROLE_ASSISTANT)
        answer--;
    before.n_messages = answer;
    render(p, &before, NULL, &first, &opening);
    assert_int_equal(gs_replay_store_create(GS_MIB, &s, NULL), GS_OK);
    keep(s, &before, opening, &after.messages[answer]);
    assert_int_equal(gs_replay_find(s, &after, a, &m, &n, NULL), GS_OK);
    assert_int_equal(n, 1);
    struct gs_prompt_replay replay = {.message_idx = m->message_idx, .opening = m->opening};
    render(p, &after, &replay, &second, &opening);
    assert_int_equal(replay.message_idx, answer);
    assert_int_equal(replay.at, first.len);
    assert_memory_equal(second.ptr, first.ptr, first.len);
    assert_true(gs_slice_starts(gs_slice_sub(gs_buf_view(&second), replay.at, second.len),
                                GS_SLICE_LIT("<|im_end|>\n")));
    gs_replay_release(s, m, n);
    gs_replay_store_free(s);
    gs_buf_clear(&first);
    gs_buf_clear(&second);
}

static void turns_begin_with_the_turn_before(void **state)
{
    static const int numbers[] = {3, 5, 6, 17, 18};
    struct gs_prompter *p;
    struct gs_buf source;

    (void)state;
    gs_buf_init(&source, GS_MAX_TEMPLATE_BYTES);
    if (gs_os_read_file(TEMPLATE, &source, NULL) != GS_OK) {
        print_message("no %s: skipped\n", TEMPLATE);
        skip();
    }
    assert_int_equal(gs_prompter_create(gs_buf_view(&source), gs_slice("", 0),
                                        GS_SLICE_LIT("<|im_end|>"), &p, NULL),
                     GS_OK);
    for (size_t i = 0; i < GS_COUNT_OF(numbers); i++) {
        struct gs_json capture;
        struct gs_buf text;
        struct gs_arena a;
        char path[512];

        print_message("request %d\n", numbers[i]);
        snprintf(path, sizeof(path), "%s/request-%d.json", DIR_CAPTURES, numbers[i]);
        gs_arena_init(&a, 0);
        gs_buf_init(&text, GS_MAX_REQUEST_BYTES);
        assert_int_equal(gs_os_read_file(path, &text, NULL), GS_OK);
        assert_int_equal(gs_json_parse(gs_buf_view(&text), &a, &capture, NULL), GS_OK);
        gs_buf_reset(&text);
        gs_json_write(&text, gs_json_get(&capture, "body"));
        check_turn(p, gs_buf_view(&text), &a);
        gs_buf_clear(&text);
        gs_arena_clear(&a);
    }
    gs_prompter_free(p);
    gs_buf_clear(&source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(turns_begin_with_the_turn_before),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
