/* Formats and demanded calls from outside: the stand-in model, which knows nothing of JSON, writes
 * what it is made to write. */
#include "cmocka_headers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/llm.h"
#include "base/buf.h"
#include "base/os.h"
#include "base/slice.h"
#include "chat/prompt.h"
#include "genset/genset.h"
#include "standin/standin.h"
#include "json/json.h"

static char path[] = "/tmp/genset-test-guide-XXXXXX";
static gs_llm *llm;

static int set_up(void **state)
{
    struct gs_llm_options opt;
    const int fd = mkstemp(path);

    (void)state;
    if (fd < 0)
        return -1;
    close(fd);
    if (gs_os_write_file(path, gs_standin_gguf, gs_standin_gguf_bytes, NULL) != GS_OK)
        return -1;
    gs_llm_options_init(&opt);
    opt.n_threads = 1;
    opt.ctx_tokens = 4096;
    return gs_llm_open(path, &opt, &llm, NULL) == GS_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    gs_llm_close(llm);
    unlink(path);
    return 0;
}

/* ---- one answer ---- */

struct record {
    struct gs_buf text, args, ignored;
    char name[32];
    int n_calls;
    enum gs_stop_reason stop;
    enum gs_status code;
};

static enum gs_flow on_event(void *ud, const struct gs_event *ev)
{
    struct record *r = ud;

    if (ev->kind == GS_EVENT_START)
        gs_buf_slice(&r->ignored, ev->ignored);
    if (ev->kind == GS_EVENT_BEGIN && ev->block == GS_BLOCK_TOOL_CALL) {
        r->n_calls++;
        snprintf(r->name, sizeof(r->name), "%.*s", (int)ev->name.len, ev->name.ptr);
    }
    if (ev->kind == GS_EVENT_DELTA)
        gs_buf_slice(ev->block == GS_BLOCK_TOOL_CALL ? &r->args : &r->text, ev->text);
    if (ev->kind == GS_EVENT_STOP)
        r->stop = ev->stop;
    if (ev->kind == GS_EVENT_ERROR)
        r->code = ev->error->code;
    return GS_FLOW_CONTINUE;
}

static const struct gs_block hello[] = {{.kind = GS_BLOCK_TEXT, .text = GS_SLICE_LIT("Hello")}};
static const struct gs_message messages[] = {
    {.role = GS_ROLE_USER, .blocks = hello, .n_blocks = 1}};

static struct gs_chat new_chat(void)
{
    struct gs_chat chat = {.messages = messages, .n_messages = 1, .max_tokens = 2000};

    gs_sampling_init(&chat.sampling);
    chat.sampling.has_seed = true;
    chat.sampling.seed = 3;
    return chat;
}

static enum gs_status answer(const struct gs_chat *chat, struct record *r, struct gs_error *err)
{
    gs_answer *a;

    *r = (struct record){.n_calls = 0};
    gs_buf_init(&r->text, (size_t)1 << 20);
    gs_buf_init(&r->args, (size_t)1 << 20);
    gs_buf_init(&r->ignored, (size_t)1 << 20);
    const enum gs_status st = gs_llm_answer(llm, chat, on_event, r, &a, err);
    if (st == GS_OK) {
        gs_answer_wait(a);
        gs_answer_free(a);
    }
    return st;
}

static void clear(struct record *r)
{
    gs_buf_clear(&r->text);
    gs_buf_clear(&r->args);
    gs_buf_clear(&r->ignored);
}

/* ---- tests ---- */

#define POINT                                                                                      \
    "{\"type\":\"object\",\"properties\":{\"color\":{\"enum\":[\"red\",\"blue\"]},\"n\":{"         \
    "\"type\":"                                                                                    \
    "\"integer\",\"minimum\":10,\"maximum\":20}},\"required\":[\"color\",\"n\"]}"

static void assert_point(struct gs_slice text)
{
    struct gs_arena a;
    struct gs_json v;
    int64_t n = 0;

    gs_arena_init(&a, 0);
    assert_int_equal(gs_json_parse(text, &a, &v, NULL), GS_OK);
    assert_true(gs_json_get_int(&v, "n", &n, NULL));
    assert_in_range(n, 10, 20);
    const struct gs_json *color = gs_json_get(&v, "color");
    assert_non_null(color);
    assert_true(gs_slice_eq_str(color->u.string, "red") ||
                gs_slice_eq_str(color->u.string, "blue"));
    gs_arena_clear(&a);
}

static void a_schema_shapes_the_answer(void **state)
{
    struct gs_chat chat = new_chat();
    struct gs_error err = {0};
    struct record r;

    (void)state;
    chat.format = (struct gs_format){GS_FORMAT_SCHEMA, GS_SLICE_LIT(POINT)};
    for (int pass = 0; pass < 3; pass++) {
        chat.sampling.temperature = (float)pass;
        assert_int_equal(answer(&chat, &r, &err), GS_OK);
        assert_int_equal(r.code, GS_OK);
        assert_int_equal(r.stop, GS_STOP_END);
        assert_point(gs_buf_view(&r.text));
        clear(&r);
    }
}

static void expressions_and_grammars_do_too(void **state)
{
    struct gs_chat chat = new_chat();
    struct record r;

    (void)state;
    chat.format = (struct gs_format){GS_FORMAT_REGEX, GS_SLICE_LIT("[0-9]{3}-(yes|no)")};
    assert_int_equal(answer(&chat, &r, NULL), GS_OK);
    assert_true(r.text.len == 6 || r.text.len == 7);
    assert_int_equal(r.text.ptr[3], '-');
    clear(&r);
    chat.format = (struct gs_format){GS_FORMAT_GBNF, GS_SLICE_LIT("root ::= \"ab\" \"c\"")};
    assert_int_equal(answer(&chat, &r, NULL), GS_OK);
    assert_true(gs_slice_eq_str(gs_buf_view(&r.text), "abc"));
    clear(&r);
}

/* A grammar that goes on in 2^20 ways is too much to follow: what is no longer held to it is no
 * answer. */
static void what_cannot_be_held_to_ends(void **state)
{
    struct gs_chat chat = new_chat();
    struct gs_buf grammar;
    struct record r;

    (void)state;
    gs_buf_init(&grammar, (size_t)1 << 20);
    gs_buf_puts(&grammar, "root ::= \"a\" x0\n");
    for (int i = 0; i < 20; i++)
        gs_buf_printf(&grammar, "x%d ::= \"e\" x%d \"c\" | \"e\" x%d \"d\"\n", i, i + 1, i + 1);
    gs_buf_puts(&grammar, "x20 ::= \"f\"\n");
    chat.format = (struct gs_format){GS_FORMAT_GBNF, gs_buf_view(&grammar)};
    assert_int_equal(answer(&chat, &r, NULL), GS_OK);
    assert_int_equal(r.code, GS_ELIMIT);
    assert_true(r.text.len < 20);
    for (size_t i = 1; i < r.text.len; i++)
        assert_int_equal(r.text.ptr[i], 'e');
    clear(&r);
    gs_buf_clear(&grammar);
}

static void what_cannot_be_enforced_is_said(void **state)
{
    struct gs_chat chat = new_chat();
    struct gs_error err = {0};
    struct record r;

    (void)state;
    chat.format = (struct gs_format){GS_FORMAT_SCHEMA,
                                     GS_SLICE_LIT("{\"enum\":[1,2],\"not\":{\"const\":1}}")};
    assert_int_equal(answer(&chat, &r, &err), GS_OK);
    assert_true(gs_slice_eq_str(gs_buf_view(&r.ignored), "not"));
    clear(&r);
    chat.format = (struct gs_format){GS_FORMAT_SCHEMA, GS_SLICE_LIT("{\"type\":\"x\"}")};
    assert_int_equal(answer(&chat, &r, &err), GS_EFORMAT);
    assert_non_null(strstr(err.msg, "unknown type"));
    clear(&r);
}

static const struct gs_tool tools[] = {
    {.name = GS_SLICE_LIT("draw"), .parameters = GS_SLICE_LIT(POINT)},
    {.name = GS_SLICE_LIT("stop"), .parameters = GS_SLICE_LIT("{\"enum\":[{}]}")},
};

static void a_demanded_call_is_made(void **state)
{
    struct gs_chat chat = new_chat();
    struct record r;

    (void)state;
    chat.tools = tools;
    chat.n_tools = 2;
    chat.tool_choice = GS_TOOL_CHOICE_NAMED;
    chat.tool_choice_name = GS_SLICE_LIT("draw");
    assert_int_equal(answer(&chat, &r, NULL), GS_OK);
    assert_true(r.n_calls >= 1);
    assert_string_equal(r.name, "draw");
    if (r.n_calls == 1)
        assert_point(gs_buf_view(&r.args));
    assert_int_equal(r.text.len, 0);
    clear(&r);
    chat.tool_choice_name = GS_SLICE_LIT("dance");
    assert_int_equal(answer(&chat, &r, NULL), GS_EINVAL);
    clear(&r);
    chat.tool_choice = GS_TOOL_CHOICE_ANY;
    assert_int_equal(answer(&chat, &r, NULL), GS_OK);
    assert_true(r.n_calls >= 1);
    clear(&r);
    for (int i = 0; i < 2; i++) { /* of both only one is allowed */
        chat.allowed_tools = &tools[i].name;
        chat.n_allowed_tools = 1;
        assert_int_equal(answer(&chat, &r, NULL), GS_OK);
        assert_true(r.n_calls >= 1);
        assert_true(gs_slice_eq_str(tools[i].name, r.name));
        clear(&r);
    }
}

/* Whatever a family writes arguments in, they are those of the schema. */
static void every_family_keeps_to_the_schema(void **state)
{
    static const char *const signs[] = {"<function= <parameter=", "<arg_key>",
                                        "<|tool_call>call:",      "<|channel|>analysis",
                                        "[TOOL_CALLS]",           "<｜tool▁call▁begin｜>",
                                        "<|tool_call|>",          "<function="};
    struct gs_prompter *own = llm->prompter;
    struct gs_chat chat = new_chat();
    struct gs_error err = {0};
    char source[1024];

    (void)state;
    chat.tools = tools;
    chat.n_tools = 2;
    chat.one_tool_call = true;
    chat.tool_choice = GS_TOOL_CHOICE_NAMED;
    chat.tool_choice_name = GS_SLICE_LIT("draw");
    for (size_t i = 0; i < 2 * GS_COUNT_OF(signs); i++) {
        struct record r;
        snprintf(
            source, sizeof(source),
            "{# %s #}{%% for t in tools or [] %%}{{ t | tojson }}{%% endfor %%}"
            "{%% for m in messages %%}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n"
            "{%% endfor %%}{%% if add_generation_prompt %%}<|im_start|>assistant\n{%% endif %%}",
            signs[i / 2]);
        chat.sampling.temperature = (float)(i % 2);
        if (gs_prompter_create(gs_slice_str(source), llm->bos_text, llm->eos_text, &llm->prompter,
                               &err) != GS_OK)
            fail_msg("%s", err.msg);
        if (answer(&chat, &r, &err) != GS_OK)
            fail_msg("%s", err.msg);
        print_message("%s: %.*s\n", signs[i / 2], (int)r.args.len, r.args.ptr);
        assert_int_equal(r.n_calls, 1);
        assert_string_equal(r.name, "draw");
        assert_int_equal(r.stop, GS_STOP_TOOL_CALL);
        assert_int_equal(r.ignored.len, 0);
        assert_point(gs_buf_view(&r.args));
        clear(&r);
        gs_prompter_free(llm->prompter);
    }
    llm->prompter = own;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_schema_shapes_the_answer),
        cmocka_unit_test(expressions_and_grammars_do_too),
        cmocka_unit_test(what_cannot_be_held_to_ends),
        cmocka_unit_test(what_cannot_be_enforced_is_said),
        cmocka_unit_test(a_demanded_call_is_made),
        cmocka_unit_test(every_family_keeps_to_the_schema),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
