/* How another computer is asked to go on with an answer, and what of its events the client gets. */
#include <string.h>

#include "base/alloc.h"
#include "base/slice.h"
#include "cmocka_headers.h"
#include "switch/resume.h"
#include "switch/splice.h"

/* ---- what is said, on one line ---- */

struct told {
    char line[512];
    size_t len;
};

static void add(struct told *t, const char *text, size_t len)
{
    assert_true(t->len + len < sizeof(t->line));
    memcpy(t->line + t->len, text, len);
    t->len += len;
    t->line[t->len] = '\0';
}

/* "[2call " begins, "text" is a delta, "2]" ends, "." stops. */
static enum gs_flow on_event(void *ud, const struct gs_event *ev)
{
    static const char kinds[] = {'t', 'r', 'c'};
    struct told *t = ud;
    const char number = (char)('0' + ev->block_idx);

    if (ev->kind == GS_EVENT_BEGIN) {
        add(t, "[", 1);
        add(t, &number, 1);
        add(t, &kinds[ev->block], 1);
        add(t, " ", 1);
    } else if (ev->kind == GS_EVENT_DELTA) {
        add(t, ev->text.ptr, ev->text.len);
    } else if (ev->kind == GS_EVENT_END) {
        add(t, &number, 1);
        add(t, "]", 1);
    } else if (ev->kind == GS_EVENT_STOP) {
        add(t, ev->stop == GS_STOP_SEQUENCE ? "!" : ".", 1);
    }
    return GS_FLOW_CONTINUE;
}

static void say(struct gs_splice *s, enum gs_event_kind kind, enum gs_block_kind block,
                const char *text)
{
    const struct gs_event ev = {.kind = kind,
                                .block = block,
                                .text = gs_slice_str(kind == GS_EVENT_DELTA ? text : ""),
                                .name = gs_slice_str(kind == GS_EVENT_BEGIN ? text : "")};

    gs_splice_event(s, &ev);
}

/* A block in pieces of two bytes. */
static void say_block(struct gs_splice *s, enum gs_block_kind block, const char *name,
                      const char *text)
{
    say(s, GS_EVENT_BEGIN, block, name);
    for (size_t at = 0; at < strlen(text); at += 2) {
        char piece[3] = {text[at], text[at + 1], '\0'};
        say(s, GS_EVENT_DELTA, block, piece);
    }
    say(s, GS_EVENT_END, block, "");
}

#define TEXT      GS_BLOCK_TEXT
#define REASONING GS_BLOCK_REASONING
#define CALL      GS_BLOCK_TOOL_CALL

struct given {
    enum gs_block_kind kind;
    const char *text;
};

/* What the client gets of an answer of reasoning "hm", `text` and a call of "f" with `args` (either
 * may be NULL), where it has `given`. */
static struct told splice(enum gs_seam_kind kind, const struct given *given, size_t n,
                          bool is_fresh, const char *text, const char *args,
                          enum gs_seam_state want)
{
    static const struct gs_slice stops[] = {GS_SLICE_LIT("</x>")};
    const struct gs_chat chat = {.stops = stops, .n_stops = 1};
    struct gs_block blocks[4] = {{.kind = TEXT}};
    const struct gs_message had = {.role = GS_ROLE_ASSISTANT, .blocks = blocks, .n_blocks = n};
    struct told t = {.len = 0};
    struct gs_splice s;

    for (size_t i = 0; i < n; i++) {
        blocks[i].kind = given[i].kind;
        *(given[i].kind == CALL ? &blocks[i].args : &blocks[i].text) = gs_slice_str(given[i].text);
        blocks[i].name = gs_slice_str(given[i].kind == CALL ? "f" : "");
    }
    gs_splice_init(&s, kind, &chat, &had, is_fresh, on_event, &t);
    say(&s, GS_EVENT_START, TEXT, "");
    say_block(&s, REASONING, "", "hm");
    if (text)
        say_block(&s, TEXT, "", text);
    if (args)
        say_block(&s, CALL, "f", args);
    say(&s, GS_EVENT_STOP, TEXT, "");
    if (gs_splice_state(&s) != want)
        fail_msg("state %d, told %s", (int)gs_splice_state(&s), t.line);
    gs_splice_clear(&s);
    return t;
}

#define EXPECT_TOLD(want, kind, is_fresh, text, args, ...)                                         \
    do {                                                                                           \
        const struct given given_[] = {__VA_ARGS__};                                               \
        const struct told t_ =                                                                     \
            splice(kind, given_, GS_COUNT_OF(given_), is_fresh, text, args, GS_SEAM_STOPPED);      \
        assert_string_equal(t_.line, want);                                                        \
    } while (0)

#define EXPECT_APART(kind, is_fresh, text, args, ...)                                              \
    do {                                                                                           \
        const struct given given_[] = {__VA_ARGS__};                                               \
        const struct told t_ =                                                                     \
            splice(kind, given_, GS_COUNT_OF(given_), is_fresh, text, args, GS_SEAM_APART);        \
        assert_int_equal(t_.len, 0);                                                               \
    } while (0)

#define WORDS "one two three four"

static void text_goes_on(void **state)
{
    (void)state;
    EXPECT_TOLD(" five0].", GS_SEAM_OPEN, false, " five", NULL, {TEXT, WORDS});
    EXPECT_TOLD(" five0][1c {}1].", GS_SEAM_OPEN, false, " five", "{}", {TEXT, WORDS});
    EXPECT_TOLD("0][1c {}1].", GS_SEAM_OPEN, false, NULL, "{}", {TEXT, WORDS});
    EXPECT_TOLD(" five1].", GS_SEAM_ANCHOR, false, WORDS " five", NULL, {REASONING, "hm"},
                {TEXT, WORDS});
    EXPECT_TOLD("0].", GS_SEAM_ANCHOR, false, WORDS, NULL, {TEXT, WORDS});
    EXPECT_TOLD("0][1c {}1].", GS_SEAM_ANCHOR, false, WORDS, "{}", {TEXT, WORDS});
    EXPECT_TOLD(" five0].", GS_SEAM_SKIP, false, WORDS " five", NULL, {TEXT, WORDS});
    EXPECT_APART(GS_SEAM_ANCHOR, false, "Sorry?", NULL, {TEXT, WORDS});
    EXPECT_APART(GS_SEAM_ANCHOR, false, NULL, "{}", {TEXT, WORDS});
    EXPECT_APART(GS_SEAM_SKIP, false, "one too", NULL, {TEXT, WORDS});
}

/* A block that was complete is followed by one that the client does not have yet. */
static void complete_blocks(void **state)
{
    (void)state;
    EXPECT_TOLD(" five1].", GS_SEAM_OPEN, true, " five", NULL, {TEXT, WORDS}, {TEXT, ""});
    EXPECT_TOLD(" five1].", GS_SEAM_SKIP, true, WORDS " five", NULL, {TEXT, WORDS}, {TEXT, ""});
    EXPECT_TOLD("1][2c {}2].", GS_SEAM_SKIP, true, WORDS, "{}", {TEXT, WORDS}, {TEXT, ""});
}

/* Reasoning begins anew, in silence; the block that was open is ended by what follows it. */
static void reasoning_alone(void **state)
{
    (void)state;
    EXPECT_TOLD("0][1t Hi1].", GS_SEAM_SKIP, false, "Hi", NULL, {REASONING, "h"});
    EXPECT_TOLD("0][1c {}1].", GS_SEAM_SKIP, false, NULL, "{}", {REASONING, "h"});
    EXPECT_TOLD("1][2t Hi2].", GS_SEAM_SKIP, true, "Hi", NULL, {REASONING, "hm"}, {TEXT, ""});
}

static void calls_are_said_again(void **state)
{
    (void)state;
    EXPECT_TOLD(":1}0].", GS_SEAM_SKIP, false, NULL, "{\"a\":1}", {CALL, "{\"a\""});
    EXPECT_TOLD(":1}2].", GS_SEAM_SKIP, false, WORDS, "{\"a\":1}", {REASONING, "hm"}, {TEXT, WORDS},
                {CALL, "{\"a\""});
    EXPECT_TOLD("{\"a\":1}1].", GS_SEAM_SKIP, false, WORDS, "{\"a\":1}", {TEXT, WORDS}, {CALL, ""});
    EXPECT_APART(GS_SEAM_SKIP, false, NULL, "{\"b\":1}", {CALL, "{\"a\""});
    EXPECT_APART(GS_SEAM_SKIP, false, WORDS, NULL, {CALL, "{\"a\""});
    EXPECT_APART(GS_SEAM_SKIP, false, WORDS "!", "{\"a\":1}", {TEXT, WORDS}, {CALL, "{\"a\""});
    EXPECT_APART(GS_SEAM_SKIP, false, "one", "{\"a\":1}", {TEXT, WORDS}, {CALL, "{\"a\""});
}

static void a_stop_sequence_across_the_seam(void **state)
{
    (void)state;
    EXPECT_TOLD("0]!", GS_SEAM_OPEN, false, "/x> and more", "{}", {TEXT, WORDS "<"});
    EXPECT_TOLD("/x and more0].", GS_SEAM_OPEN, false, "/x and more", NULL, {TEXT, WORDS "<"});
}

/* ---- how it is asked ---- */

static void kinds_of_asking(void **state)
{
    const struct gs_config_provider anthropic = {.kind = GS_PROVIDER_ANTHROPIC},
                                    out = {.kind = GS_PROVIDER_OPENAI},
                                    near = {.kind = GS_PROVIDER_OPENAI, .is_near = true},
                                    ollama = {.kind = GS_PROVIDER_OLLAMA};
    const struct gs_slice old = GS_SLICE_LIT("claude-sonnet-4-5"), any = GS_SLICE_LIT("qwen3"),
                          newer = GS_SLICE_LIT("claude-opus-4-8");
    const struct gs_block open = {.kind = TEXT, .text = GS_SLICE_LIT("words")};
    const struct gs_message had = {.blocks = &open, .n_blocks = 1};

    (void)state;
    assert_int_equal(gs_resume_kind(&anthropic, &gs_dialect_client_anthropic, old, false),
                     GS_SEAM_TRIMMED);
    assert_int_equal(gs_resume_kind(&anthropic, &gs_dialect_client_anthropic, old, true),
                     GS_SEAM_ANCHOR);
    assert_int_equal(gs_resume_kind(&anthropic, &gs_dialect_client_anthropic, newer, false),
                     GS_SEAM_ANCHOR);
    assert_int_equal(gs_resume_kind(&out, &gs_dialect_client_openai_chat, any, false),
                     GS_SEAM_ANCHOR);
    assert_int_equal(gs_resume_kind(&near, &gs_dialect_client_openai_chat, any, false),
                     GS_SEAM_GUESSED);
    assert_int_equal(gs_resume_kind(&near, &gs_dialect_client_openai_responses, any, false),
                     GS_SEAM_ANCHOR);
    assert_int_equal(gs_resume_kind(&ollama, &gs_dialect_client_ollama, any, false), GS_SEAM_OPEN);
    /* only the same again will do */
    assert_int_equal(gs_splice_kind(&(struct gs_chat){.max_tokens = 0}, &had, false), GS_SEAM_OPEN);
    assert_int_equal(
        gs_splice_kind(&(struct gs_chat){.format = {GS_FORMAT_JSON, {NULL, 0}}}, &had, false),
        GS_SEAM_SKIP);
    assert_int_equal(
        gs_splice_kind(&(struct gs_chat){.tool_choice = GS_TOOL_CHOICE_ANY}, &had, false),
        GS_SEAM_SKIP);
    assert_int_equal(gs_splice_kind(&(struct gs_chat){.continue_last = true}, &had, false),
                     GS_SEAM_SKIP);
}

static bool make(enum gs_seam_kind kind, struct gs_arena *a, struct gs_resume *out)
{
    static const struct gs_block hello = {.kind = TEXT, .text = {"hello", 5}};
    static const struct gs_block blocks[] = {{.kind = REASONING, .text = {"hm", 2}},
                                             {.kind = TEXT, .text = {"Dear ", 5}},
                                             {.kind = TEXT, .text = {"reader, I", 9}}};
    static const struct gs_message messages[] = {
        {.role = GS_ROLE_USER, .blocks = &hello, .n_blocks = 1},
        {.role = GS_ROLE_ASSISTANT, .blocks = blocks, .n_blocks = 3}};
    const struct gs_chat chat = {.messages = messages, .n_messages = 1, .max_tokens = 100};
    const struct gs_chat handed = {.messages = messages, .n_messages = 2, .max_tokens = 90};

    return gs_resume_make(kind, &chat, &handed, gs_seam_anchor(blocks[2].text), a, out);
}

static void what_is_asked(void **state)
{
    struct gs_arena a;
    struct gs_resume r;

    (void)state;
    gs_arena_init(&a, 0);
    assert_true(make(GS_SEAM_SKIP, &a, &r));
    assert_false(r.has_turns);
    assert_int_equal(r.chat.n_messages, 1);
    assert_int_equal(r.chat.max_tokens, 100);
    assert_true(make(GS_SEAM_OPEN, &a, &r));
    assert_true(r.has_turns && r.chat.broke_off && r.chat.continue_last);
    assert_int_equal(r.chat.n_messages, 2);
    assert_int_equal(r.chat.max_tokens, 90);
    assert_true(gs_slice_eq_str(r.turns.said, "Dear reader, I"));
    assert_int_equal(r.turns.reply.len, 0);
    assert_true(make(GS_SEAM_ANCHOR, &a, &r));
    assert_false(r.chat.broke_off || r.chat.continue_last);
    assert_int_equal(r.chat.n_messages, 3);
    assert_int_equal(r.chat.messages[1].n_blocks, 1); /* reasoning stays here */
    assert_true(gs_slice_ends(r.turns.reply, GS_SLICE_LIT("have:\n\nreader, I")));
    assert_int_equal(r.chat.max_tokens, 90 + 5);
    gs_arena_clear(&a);
}

static void memory_runs_out(void **state)
{
    struct gs_resume r;
    bool is_made = false;

    (void)state;
    for (long n = 1; !is_made; n++) {
        struct gs_arena a;
        gs_arena_init(&a, 0);
        gs_alloc_fail_at(n);
        is_made = make(GS_SEAM_ANCHOR, &a, &r);
        gs_alloc_fail_at(0);
        gs_arena_clear(&a);
        assert_true(n < 20);
    }
    struct gs_slice fresh;
    struct gs_seam s;
    gs_seam_init(&s, GS_SEAM_SKIP, GS_SLICE_LIT("abc"), NULL, 0);
    gs_alloc_fail_at(1);
    assert_int_equal(gs_seam_feed(&s, GS_SLICE_LIT("a"), &fresh), GS_SEAM_APART);
    gs_alloc_fail_at(0);
    gs_seam_clear(&s);
}

static void refusals(void **state)
{
    static struct gs_resume_refusals r;
    const struct gs_slice p = GS_SLICE_LIT("p"), m = GS_SLICE_LIT("m"), q = GS_SLICE_LIT("q");
    const int64_t hour = INT64_C(3600000000);

    (void)state;
    assert_false(gs_resume_is_refused(&r, p, m, 5));
    gs_resume_refused(&r, p, m, 5);
    assert_true(gs_resume_is_refused(&r, p, m, hour));
    assert_false(gs_resume_is_refused(&r, q, m, 6));
    assert_false(gs_resume_is_refused(&r, p, q, 6));
    assert_false(gs_resume_is_refused(&r, p, m, hour + 5));
    for (int i = 0; i < GS_RESUME_REFUSALS; i++) /* the oldest one goes */
        gs_resume_refused(&r, q, q, 7);
    assert_false(gs_resume_is_refused(&r, p, m, 8));
    assert_true(gs_resume_is_refused(&r, q, q, 8));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_goes_on),
        cmocka_unit_test(complete_blocks),
        cmocka_unit_test(reasoning_alone),
        cmocka_unit_test(calls_are_said_again),
        cmocka_unit_test(a_stop_sequence_across_the_seam),
        cmocka_unit_test(kinds_of_asking),
        cmocka_unit_test(what_is_asked),
        cmocka_unit_test(memory_runs_out),
        cmocka_unit_test(refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
