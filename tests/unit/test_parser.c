/* The parser of model text: events spelled as one line of text each, for every way of cutting the
 * input into pieces. */
#include "cmocka_headers.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/slice.h"
#include "chat/parser.h"

#define PLAIN                                                                                      \
    {                                                                                              \
        .syntax = GS_SYNTAX_HERMES                                                                 \
    }
#define THINKS(s)                                                                                  \
    {                                                                                              \
        .syntax = s, .reasoning = true, .think_begin = "<think>", .think_end = "</think>"          \
    }

struct record {
    struct gs_buf b;
    enum gs_block_kind open;
};

/* "T[text]", "R[reasoning]", "C name[args]"; deltas of one block run together. */
static enum gs_flow on_event(void *ud, const struct gs_event *ev)
{
    struct record *r = ud;

    switch (ev->kind) {
    case GS_EVENT_BEGIN:
        gs_buf_putc(&r->b, "TRC"[ev->block]);
        if (ev->block == GS_BLOCK_TOOL_CALL) {
            assert_true(ev->id.len > 8);
            gs_buf_putc(&r->b, ' ');
            gs_buf_slice(&r->b, ev->name);
        }
        gs_buf_putc(&r->b, '[');
        break;
    case GS_EVENT_DELTA:
        gs_buf_slice(&r->b, ev->text);
        break;
    case GS_EVENT_END:
        gs_buf_putc(&r->b, ']');
        break;
    case GS_EVENT_START:
    case GS_EVENT_PROGRESS:
    case GS_EVENT_VECTOR:
    case GS_EVENT_STOP:
    case GS_EVENT_ERROR:
        fail();
    }
    return GS_FLOW_CONTINUE;
}

struct parse_case {
    struct gs_prompt_traits traits;
    bool opens_reasoning;
    bool tools;
    const char *stop;
    const char *text;
    const char *expected;
};

static const struct gs_tool weather = {
    .name = {"weather", 7},
    .parameters = {"{\"type\":\"object\",\"properties\":{\"zip\":{\"type\":\"string\"},"
                   "\"days\":{\"type\":\"integer\"}}}",
                   86}};

static void run_case(const struct parse_case *c, size_t piece)
{
    const struct gs_slice stop = gs_slice_str(c->stop);
    struct gs_tool tool = weather;
    struct record r = {.open = GS_BLOCK_TEXT};
    struct gs_parser *p;
    struct gs_error err;

    tool.parameters = gs_slice_str(weather.parameters.ptr);
    const struct gs_parser_options opt = {.traits = &c->traits,
                                          .opens_reasoning = c->opens_reasoning,
                                          .tools = c->tools,
                                          .tool = &tool,
                                          .n_tools = 1,
                                          .stops = &stop,
                                          .n_stops = c->stop ? 1 : 0,
                                          .id_seed = 7};
    gs_buf_init(&r.b, GS_MAX_TEXT_BYTES);
    assert_int_equal(gs_parser_create(&opt, on_event, &r, &p, &err), GS_OK);
    const size_t len = strlen(c->text);
    for (size_t at = 0; at < len; at += piece)
        gs_parser_feed(p, gs_slice(c->text + at, GS_MIN(piece, len - at)), NULL, 0);
    gs_parser_finish(p);
    assert_false(gs_parser_failed(p));
    size_t n;
    char *got = gs_buf_take(&r.b, &n);
    if (strcmp(got, c->expected) != 0)
        print_message("pieces of %zu: %s\n", piece, c->text);
    assert_string_equal(got, c->expected);
    free(got);
    gs_parser_free(p);
}

static const struct parse_case cases[] = {
    {PLAIN, false, false, NULL, "Hello, world.", "T[Hello, world.]"},
    {PLAIN, false, false, NULL, "", ""},
    {PLAIN, false, false, NULL, "  spaced  ", "T[  spaced  ]"},
    {PLAIN, false, false, "STOP", "one STOP two", "T[one ]"},
    {PLAIN, false, false, "STOP", "STO and ST", "T[STO and ST]"},
    {PLAIN, false, false, "\n\n", "a\nb\n\nc", "T[a\nb]"},
    {PLAIN, false, false, NULL, "<tool_call>{\"name\":\"x\"}</tool_call>",
     "T[<tool_call>{\"name\":\"x\"}</tool_call>]"},
    {THINKS(GS_SYNTAX_HERMES), false, false, NULL, "<think>\nhm\n</think>\n\nyes", "R[hm]T[yes]"},
    {THINKS(GS_SYNTAX_HERMES), true, false, NULL, "hm\n</think>\n\nyes", "R[hm]T[yes]"},
    {THINKS(GS_SYNTAX_HERMES), true, false, NULL, "never ends", "R[never ends]"},
    {THINKS(GS_SYNTAX_HERMES), false, false, NULL, "<think>\n\n</think>\n\nyes", "T[yes]"},
    {THINKS(GS_SYNTAX_HERMES), false, false, NULL, "2 < 3 and <thin", "T[2 < 3 and <thin]"},
    {PLAIN, false, true, NULL,
     "Let me look.\n<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"zip\": \"01\"}}\n"
     "</tool_call>",
     "T[Let me look.]C weather[{\"zip\":\"01\"}]"},
    {PLAIN, false, true, NULL,
     "<tool_call>{\"name\":\"a\",\"arguments\":{}}</tool_call>\n"
     "<tool_call>{\"name\":\"b\",\"parameters\":{\"k\":[1,2.5]}}</tool_call>",
     "C a[{}]C b[{\"k\":[1,2.5]}]"},
    {PLAIN, false, true, "STOP", "<tool_call>{no STOP call}</tool_call> on", "T[<tool_call>{no ]"},
    {{.syntax = GS_SYNTAX_LLAMA_JSON},
     false,
     true,
     "STOP",
     "{\"a\": \"STOP\", \"b\": 1} on",
     "T[{\"a\": \"]"},
    {{.syntax = GS_SYNTAX_LLAMA_JSON}, false, true, "}\n", "{\"a\": 1}\n on", "T[{\"a\": 1]"},
    {{.syntax = GS_SYNTAX_LLAMA_JSON}, false, true, "STOP", "{\"a\": STOP", "T[{\"a\": ]"},
    {PLAIN, false, true, NULL, "<tool_call>{\"name\":\"a\",\"arguments\":\"{\\\"k\\\":1}\"}",
     "C a[{\"k\":1}]"},
    {PLAIN, false, true, NULL, "<tool_call>{broken</tool_call> on",
     "T[<tool_call>{broken</tool_call> on]"},
    {PLAIN, false, true, NULL, "<tool_call>{\"name\":\"a\"", "T[<tool_call>{\"name\":\"a\"]"},
    {{.syntax = GS_SYNTAX_LLAMA_JSON}, false, true, NULL, "a set {1}", "T[a set {1}]"},
    {{.syntax = GS_SYNTAX_HARMONY}, false, true, NULL, "  t", "T[  t]"},
    {{.syntax = GS_SYNTAX_QWEN_XML},
     false,
     true,
     NULL,
     "<function=weather>\n<parameter=days>\n3\n<parameter=zip>\n9\n</function>",
     "C weather[{\"days\":3,\"zip\":\"9\"}]"},
};

static void every_cut_gives_the_same_events(void **state)
{
    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(cases); i++)
        for (size_t piece = 1; piece <= 64; piece = piece < 8 ? piece + 1 : piece * 2)
            run_case(&cases[i], piece);
}

static void a_stop_string_is_reported(void **state)
{
    static const struct gs_prompt_traits traits = PLAIN;
    const struct gs_slice stops[] = {GS_SLICE_LIT("###"), GS_SLICE_LIT("END")};
    const struct gs_parser_options opt = {.traits = &traits, .stops = stops, .n_stops = 2};
    struct record r = {.open = GS_BLOCK_TEXT};
    struct gs_parser *p;
    struct gs_slice stop;

    (void)state;
    gs_buf_init(&r.b, GS_MAX_TEXT_BYTES);
    assert_int_equal(gs_parser_create(&opt, on_event, &r, &p, NULL), GS_OK);
    gs_parser_feed(p, GS_SLICE_LIT("a EN"), NULL, 0);
    assert_false(gs_parser_stopped(p, &stop));
    gs_parser_feed(p, GS_SLICE_LIT("D b"), NULL, 0);
    assert_true(gs_parser_stopped(p, &stop));
    assert_true(gs_slice_eq_str(stop, "END"));
    gs_parser_finish(p);
    assert_true(gs_slice_eq_str(gs_buf_view(&r.b), "T[a ]"));
    gs_buf_clear(&r.b);
    gs_parser_free(p);
}

/* Arguments come while they are written: after each piece of text, what has been sent. */
static void arguments_come_in_pieces(void **state)
{
    static const struct {
        struct gs_prompt_traits traits;
        const char *pieces[8]; /* text, events so far, text, events so far... */
    } rows[] = {
        {PLAIN,
         {"I look.<tool_call>{\"name\": \"weather\", \"arguments\":", "T[I look.", " {\"zip\": \"0",
          "T[I look.]C weather[{\"zip\":\"0", "1\"}", "T[I look.]C weather[{\"zip\":\"01\"}]",
          "}</tool_call>", "T[I look.]C weather[{\"zip\":\"01\"}]"}},
        {{.syntax = GS_SYNTAX_QWEN_XML},
         {"<tool_call>\n<function=weather>\n<parameter=zip", "", ">\nabc\n",
          "C weather[{\"zip\":\"abc", "d</para", "C weather[{\"zip\":\"abc\\nd",
          "meter><parameter=days>\n1</parameter></function>",
          "C weather[{\"zip\":\"abc\\nd\",\"days\":1}]"}},
        {{.syntax = GS_SYNTAX_GEMMA},
         {"<|tool_call>call:weather", "", "{days:1", "C weather[{\"days\":", ",zip:<|\"|>ab<|",
          "C weather[{\"days\":1,\"zip\":\"ab", "\"|>}", "C weather[{\"days\":1,\"zip\":\"ab\"}]"}},
    };

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(rows); i++) {
        struct gs_tool tool = weather;
        const struct gs_parser_options opt = {
            .traits = &rows[i].traits, .tools = true, .tool = &tool, .n_tools = 1};
        struct record r = {.open = GS_BLOCK_TEXT};
        struct gs_parser *p;
        tool.parameters = gs_slice_str(weather.parameters.ptr);
        gs_buf_init(&r.b, GS_MAX_TEXT_BYTES);
        assert_int_equal(gs_parser_create(&opt, on_event, &r, &p, NULL), GS_OK);
        for (size_t k = 0; k < 8; k += 2) {
            gs_parser_feed(p, gs_slice_str(rows[i].pieces[k]), NULL, 0);
            gs_buf_putc(&r.b, '\0');
            assert_string_equal(r.b.ptr, rows[i].pieces[k + 1]);
            r.b.len--;
        }
        gs_buf_clear(&r.b);
        gs_parser_free(p);
    }
}

static void one_call_ends_the_answer(void **state)
{
    static const struct {
        struct gs_prompt_traits traits;
        const char *text;
    } rows[] = {
        {PLAIN, "<tool_call>{\"name\": \"a\", \"arguments\": {}}</tool_call>"
                "<tool_call>{\"name\": \"b\", \"arguments\": {}}</tool_call>"},
        {PLAIN, "<tool_call>{\"arguments\": {}, \"name\": \"a\"}</tool_call> more"},
        {{.syntax = GS_SYNTAX_MISTRAL},
         "[TOOL_CALLS][{\"name\": \"a\", \"arguments\": {}}, {\"name\": \"b\", \"arguments\": "
         "{}}]"},
        {{.syntax = GS_SYNTAX_GLM}, "<tool_call>a</tool_call><tool_call>b</tool_call>"},
    };

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(rows); i++) {
        const struct gs_parser_options opt = {
            .traits = &rows[i].traits, .tools = true, .one_call = true};
        struct gs_slice stop = GS_SLICE_LIT("?");
        struct record r = {.open = GS_BLOCK_TEXT};
        struct gs_parser *p;
        gs_buf_init(&r.b, GS_MAX_TEXT_BYTES);
        assert_int_equal(gs_parser_create(&opt, on_event, &r, &p, NULL), GS_OK);
        gs_parser_feed(p, gs_slice_str(rows[i].text), NULL, 0);
        assert_true(gs_parser_stopped(p, &stop));
        assert_int_equal(stop.len, 0);
        gs_parser_finish(p);
        assert_true(gs_slice_eq_str(gs_buf_view(&r.b), "C a[{}]"));
        gs_buf_clear(&r.b);
        gs_parser_free(p);
    }
}

/* A limit leaves a command half written: it must not look as if it were whole. */
static void what_a_limit_cuts_off_stays_so(void **state)
{
    static const struct {
        struct gs_prompt_traits traits;
        const char *text, *finished, *cut;
    } rows[] = {
        {{.syntax = GS_SYNTAX_QWEN_XML},
         "<function=weather>\n<parameter=zip>\n01",
         "C weather[{\"zip\":\"01\"}]",
         "C weather[{\"zip\":\"01]"},
        {{.syntax = GS_SYNTAX_GLM}, "<tool_call>weat", "C weat[{}]", "T[<tool_call>weat]"},
        {PLAIN, "<tool_call>{\"name\":\"a\",\"arguments\":{}}", "C a[{}]", "C a[{}]"},
        {{.syntax = GS_SYNTAX_HARMONY}, "<|channel|>anal", "", ""},
    };

    (void)state;
    for (size_t i = 0; i < 2 * GS_COUNT_OF(rows); i++) {
        struct gs_tool tool = weather;
        const struct gs_parser_options opt = {
            .traits = &rows[i / 2].traits, .tools = true, .tool = &tool, .n_tools = 1};
        struct record r = {.open = GS_BLOCK_TEXT};
        struct gs_parser *p;
        tool.parameters = gs_slice_str(weather.parameters.ptr);
        gs_buf_init(&r.b, GS_MAX_TEXT_BYTES);
        assert_int_equal(gs_parser_create(&opt, on_event, &r, &p, NULL), GS_OK);
        gs_parser_feed(p, gs_slice_str(rows[i / 2].text), NULL, 0);
        if (i % 2)
            gs_parser_break_off(p);
        else
            gs_parser_finish(p);
        gs_buf_putc(&r.b, '\0');
        assert_string_equal(r.b.ptr, i % 2 ? rows[i / 2].cut : rows[i / 2].finished);
        gs_buf_clear(&r.b);
        gs_parser_free(p);
    }
}

static void another_call_in_the_region_is_not_waited_for(void **state)
{
    static const struct gs_prompt_traits traits = {.syntax = GS_SYNTAX_MISTRAL};
    const struct gs_parser_options opt = {.traits = &traits, .tools = true, .one_call = true};
    struct record r = {.open = GS_BLOCK_TEXT};
    struct gs_parser *p;

    (void)state;
    gs_buf_init(&r.b, GS_MAX_TEXT_BYTES);
    assert_int_equal(gs_parser_create(&opt, on_event, &r, &p, NULL), GS_OK);
    gs_parser_feed(
        p, GS_SLICE_LIT("[TOOL_CALLS][{\"name\": \"a\", \"arguments\": {}}, {\"name\": "), NULL, 0);
    assert_false(gs_parser_stopped(p, NULL));
    assert_false(gs_parser_dropped_calls(p));
    gs_parser_feed(p, GS_SLICE_LIT("\"b\", \"arguments\": {\"k\""), NULL, 0);
    assert_true(gs_parser_stopped(p, NULL));
    assert_true(gs_parser_dropped_calls(p));
    gs_parser_finish(p);
    assert_true(gs_slice_eq_str(gs_buf_view(&r.b), "C a[{}]"));
    gs_buf_clear(&r.b);
    gs_parser_free(p);
}

static enum gs_flow count_logprobs(void *ud, const struct gs_event *ev)
{
    size_t *n = ud;

    if (ev->kind == GS_EVENT_DELTA) {
        *n += ev->n_logprob;
        for (size_t i = 0; i < ev->n_logprob; i++)
            assert_int_equal(ev->logprob[i].top[0].token, ev->logprob[i].token);
    }
    return GS_FLOW_CONTINUE;
}

static void logprobs_wait_for_their_text(void **state)
{
    static const struct gs_prompt_traits traits = PLAIN;
    const struct gs_slice stop = GS_SLICE_LIT("stop");
    const struct gs_parser_options opt = {.traits = &traits, .stops = &stop, .n_stops = 1};
    struct gs_parser *p;
    size_t n = 0;

    (void)state;
    assert_int_equal(gs_parser_create(&opt, count_logprobs, &n, &p, NULL), GS_OK);
    for (int32_t i = 0; i < 3; i++) {
        struct gs_top_logprob top = {.token = i};
        const struct gs_logprob lp = {.token = i, .top = &top, .n_top = 1};
        gs_parser_feed(p, gs_slice(&"sto"[i], 1), &lp, 1);
        assert_int_equal(n, 0);
        top.token = -1;
    }
    gs_parser_finish(p);
    assert_int_equal(n, 3);
    gs_parser_free(p);
}

/* Where each token holds its last letter back, none is lost however many come. */
static void logprobs_may_wait_for_ever(void **state)
{
    static const struct gs_prompt_traits traits = PLAIN;
    const struct gs_slice stop = GS_SLICE_LIT("ab");
    const struct gs_parser_options opt = {.traits = &traits, .stops = &stop, .n_stops = 1};
    struct gs_parser *p;
    size_t n = 0;

    (void)state;
    assert_int_equal(gs_parser_create(&opt, count_logprobs, &n, &p, NULL), GS_OK);
    for (int32_t i = 0; i < 1000; i++) {
        const struct gs_top_logprob top = {.token = i};
        const struct gs_logprob lp = {.token = i, .top = &top, .n_top = 1};
        gs_parser_feed(p, GS_SLICE_LIT("a"), &lp, 1);
        assert_int_equal(n, i);
    }
    gs_parser_finish(p);
    assert_int_equal(n, 1000);
    gs_parser_free(p);
}

/* The texts of the tokens that came with each block: "T[Hello]". */
static enum gs_flow spell_logprobs(void *ud, const struct gs_event *ev)
{
    static const char kinds[] = {
        [GS_BLOCK_TEXT] = 'T', [GS_BLOCK_REASONING] = 'R', [GS_BLOCK_TOOL_CALL] = 'C'};
    struct gs_buf *b = ud;

    if (ev->kind == GS_EVENT_BEGIN)
        gs_buf_printf(b, "%c[", kinds[ev->block]);
    for (size_t i = 0; ev->kind == GS_EVENT_DELTA && i < ev->n_logprob; i++)
        gs_buf_slice(b, ev->logprob[i].text);
    if (ev->kind == GS_EVENT_END)
        gs_buf_putc(b, ']');
    return GS_FLOW_CONTINUE;
}

static void logprobs_of_markup_are_dropped(void **state)
{
    static const struct gs_prompt_traits traits = {.syntax = GS_SYNTAX_HERMES,
                                                   .reasoning = true,
                                                   .think_begin = "<think>",
                                                   .think_end = "</think>"};
    static const char *const tokens[] = {
        "<think>", "\n",           "Hm",   ".",  "\n", "</think>",    "\n\n", "~",
        "~",       "Hello",        " <",   "b>", "\n", "<tool_call>", "\n",   "{}",
        "\n",      "</tool_call>", "stop", " x"};
    const struct gs_slice stop = GS_SLICE_LIT("op");
    const struct gs_parser_options opt = {
        .traits = &traits, .tools = true, .stops = &stop, .n_stops = 1};
    struct gs_parser *p;
    struct gs_buf b;

    (void)state;
    gs_buf_init(&b, 4096);
    assert_int_equal(gs_parser_create(&opt, spell_logprobs, &b, &p, NULL), GS_OK);
    for (size_t i = 0; i < GS_COUNT_OF(tokens); i++) {
        const struct gs_logprob lp = {.text = gs_slice_str(tokens[i])};
        const bool is_half = lp.text.ptr[0] == '~'; /* of a character */
        gs_parser_feed(p, is_half ? gs_slice("", 0) : lp.text, &lp, 1);
    }
    gs_parser_finish(p);
    gs_buf_putc(&b, '\0');
    assert_string_equal(b.ptr, "R[Hm.]T[~~Hello <b><tool_call>\n{}\n</tool_call>]");
    gs_buf_clear(&b);
    gs_parser_free(p);
}

static void markup_is_told_from_scaffolding(void **state)
{
    static const struct gs_prompt_traits hermes = PLAIN;
    static const struct gs_prompt_traits harmony = {.syntax = GS_SYNTAX_HARMONY};

    (void)state;
    assert_true(gs_parser_reads_token(&hermes, GS_SLICE_LIT("<tool_call>")));
    assert_false(gs_parser_reads_token(&hermes, GS_SLICE_LIT("<|im_start|>")));
    assert_false(gs_parser_reads_token(&hermes, GS_SLICE_LIT("<|channel|>")));
    assert_true(gs_parser_reads_token(&harmony, GS_SLICE_LIT("<|channel|>")));
    assert_false(gs_parser_reads_token(&harmony, GS_SLICE_LIT("<|startoftext|>")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cut_gives_the_same_events),
        cmocka_unit_test(a_stop_string_is_reported),
        cmocka_unit_test(arguments_come_in_pieces),
        cmocka_unit_test(one_call_ends_the_answer),
        cmocka_unit_test(what_a_limit_cuts_off_stays_so),
        cmocka_unit_test(another_call_in_the_region_is_not_waited_for),
        cmocka_unit_test(logprobs_wait_for_their_text),
        cmocka_unit_test(logprobs_may_wait_for_ever),
        cmocka_unit_test(logprobs_of_markup_are_dropped),
        cmocka_unit_test(markup_is_told_from_scaffolding),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
