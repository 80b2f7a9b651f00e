/* Answers that broke off anywhere and are gone on with: what was there and what comes are one valid
 * answer, and with greedy sampling the answer that was cut. */
#include "cmocka_headers.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/os.h"
#include "base/slice.h"
#include "genset/genset.h"
#include "gguf/gguf_write.h"
#include "standin/standin.h"
#include "json/json.h"

#define STORIES    GENSET_SHARED "/models/stories260K.gguf"
#define MAX_ANSWER ((size_t)1 << 16)

/* ---- models ---- */

static char standin_path[] = "/tmp/genset-test-resume-XXXXXX";
static gs_llm *standin;
static gs_llm *stories; /* NULL: not on this machine */

static gs_llm *open_model(const char *path, int64_t ctx_tokens)
{
    struct gs_llm_options opt;
    gs_llm *llm = NULL;

    gs_llm_options_init(&opt);
    opt.n_threads = 1;
    opt.ctx_tokens = ctx_tokens;
    return gs_llm_open(path, &opt, &llm, NULL) == GS_OK ? llm : NULL;
}

static int set_up(void **state)
{
    const int fd = mkstemp(standin_path);

    (void)state;
    if (fd < 0)
        return -1;
    close(fd);
    if (gs_os_write_file(standin_path, gs_standin_gguf, gs_standin_gguf_bytes, NULL) != GS_OK)
        return -1;
    standin = open_model(standin_path, 1024);
    stories = open_model(STORIES, 512);
    return standin ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    gs_llm_close(standin);
    gs_llm_close(stories);
    return unlink(standin_path);
}

/* The stand-in with another template, as its family speaks; NULL: not on this machine. */
static gs_llm *open_family(const char *template_name)
{
    static const char *const key = "tokenizer.chat_template";
    char path[] = "/tmp/genset-test-resume-XXXXXX";
    char template_path[512];
    struct gs_gguf_writer *w = NULL;
    struct gs_gguf *f = NULL;
    struct gs_buf source;
    gs_llm *llm = NULL;

    snprintf(template_path, sizeof(template_path), "%s/golden/template/%s.jinja", GENSET_SHARED,
             template_name);
    gs_buf_init(&source, MAX_ANSWER);
    if (gs_os_read_file(template_path, &source, NULL) != GS_OK) {
        gs_buf_clear(&source);
        return NULL;
    }
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(
        gs_gguf_open_memory("stand-in", gs_standin_gguf, gs_standin_gguf_bytes, &f, NULL), GS_OK);
    assert_int_equal(gs_gguf_writer_create(&w, NULL), GS_OK);
    for (size_t i = 0; i < gs_gguf_value_count(f); i++)
        if (!gs_slice_eq_str(gs_gguf_value_at(f, i)->key, key))
            gs_gguf_writer_copy(w, gs_gguf_value_at(f, i));
    gs_gguf_writer_string(w, key, gs_buf_view(&source));
    for (size_t i = 0; i < gs_gguf_tensor_count(f); i++) {
        const struct gs_gguf_tensor *t = gs_gguf_tensor_at(f, i);
        char name[128];
        snprintf(name, sizeof(name), "%.*s", (int)t->name.len, t->name.ptr);
        gs_gguf_writer_tensor(w, name, t->type, t->dims, t->n_dims);
    }
    struct gs_error err = {0};
    if (gs_gguf_writer_begin(w, path, &err) != GS_OK)
        fail_msg("%s", err.msg);
    for (size_t i = 0; i < gs_gguf_tensor_count(f); i++) {
        const struct gs_gguf_tensor *t = gs_gguf_tensor_at(f, i);
        assert_int_equal(gs_gguf_writer_data(w, t->data, t->n_bytes, NULL), GS_OK);
    }
    assert_int_equal(gs_gguf_writer_end(w, NULL), GS_OK);
    gs_gguf_writer_free(w);
    gs_gguf_close(f);
    gs_buf_clear(&source);
    llm = open_model(path, 4096);
    assert_non_null(llm);
    unlink(path);
    return llm;
}

/* ---- one answer ---- */

/* Events as text: "T" begins a text, "R" reasoning, "C" a call; "]" ends a block. */
struct record {
    struct gs_buf b;
    uint32_t n_blocks; /* that began */
    bool open;
    size_t first_end; /* of b: where the first block to end did */
    enum gs_stop_reason stop;
    struct gs_usage usage;
    enum gs_status code;
    bool is_over;
};

static enum gs_flow on_event(void *ud, const struct gs_event *ev)
{
    struct record *r = ud;

    assert_false(r->is_over);
    switch (ev->kind) {
    case GS_EVENT_START:
    case GS_EVENT_PROGRESS:
        break;
    case GS_EVENT_BEGIN:
        assert_false(r->open);
        assert_int_equal(ev->block_idx, r->n_blocks);
        r->n_blocks++;
        r->open = true;
        gs_buf_putc(&r->b, "TRC"[ev->block]);
        gs_buf_putc(&r->b, '[');
        break;
    case GS_EVENT_DELTA:
        assert_true(r->open);
        assert_int_equal(ev->block_idx, r->n_blocks - 1);
        gs_buf_slice(&r->b, ev->text);
        break;
    case GS_EVENT_END:
        assert_true(r->open);
        assert_int_equal(ev->block_idx, r->n_blocks - 1);
        r->open = false;
        if (r->first_end == 0)
            r->first_end = r->b.len + 1;
        gs_buf_putc(&r->b, ']');
        break;
    case GS_EVENT_STOP:
        assert_false(r->open);
        r->stop = ev->stop;
        r->usage = ev->usage;
        r->is_over = true;
        break;
    case GS_EVENT_ERROR:
        r->code = ev->error->code;
        r->is_over = true;
        break;
    case GS_EVENT_VECTOR:
        fail();
    }
    return GS_FLOW_CONTINUE;
}

/* Answer `chat`, whose last message is the partial one if it broke off. */
static void answer(gs_llm *llm, const struct gs_chat *chat, struct record *r)
{
    struct gs_error err = {0};
    gs_answer *a = NULL;

    *r = (struct record){.open = false};
    gs_buf_init(&r->b, MAX_ANSWER);
    if (chat->broke_off && !chat->prefill_only) {
        r->n_blocks = (uint32_t)chat->messages[chat->n_messages - 1].n_blocks;
        r->open = true;
    }
    if (gs_llm_answer(llm, chat, on_event, r, &a, &err) != GS_OK)
        fail_msg("%s", err.msg);
    gs_answer_wait(a);
    gs_answer_free(a);
    assert_true(r->is_over);
    gs_buf_putc(&r->b, '\0');
    assert_true(gs_buf_ok(&r->b));
}

static const struct gs_block ask = {.kind = GS_BLOCK_TEXT, .text = {"Once upon a time", 16}};

struct talk {
    struct gs_block partial;
    struct gs_message messages[2];
    struct gs_chat chat;
};

static void talk_init(struct talk *t, int64_t max_tokens)
{
    t->messages[0] = (struct gs_message){GS_ROLE_USER, &ask, 1};
    t->messages[1] = (struct gs_message){GS_ROLE_ASSISTANT, &t->partial, 1};
    t->chat = (struct gs_chat){.messages = t->messages, .n_messages = 1, .max_tokens = max_tokens};
    gs_sampling_init(&t->chat.sampling);
    t->chat.sampling.temperature = 0;
}

/* The answer's text so far. */
static void talk_break(struct talk *t, struct gs_slice text)
{
    t->partial = (struct gs_block){.kind = GS_BLOCK_TEXT, .text = text};
    t->chat.n_messages = 2;
    t->chat.broke_off = true;
}

#define SEEN_TOKENS 12 /* of the rest; now and then it is all of it */

/* The greedy answer of `n` tokens, cut at every byte, is gone on with as it was. */
static size_t count_others(gs_llm *llm, int64_t n)
{
    struct record whole;
    struct talk t;
    size_t n_others = 0;

    talk_init(&t, n);
    answer(llm, &t.chat, &whole);
    const struct gs_slice text = gs_slice(whole.b.ptr + 2, whole.b.len - 4);
    for (size_t cut = 0; cut <= text.len; cut++) {
        const struct gs_slice rest = gs_slice_sub(text, cut, text.len);
        struct record r;
        if (rest.len > 0 && ((unsigned char)rest.ptr[0] & 0xc0) == 0x80)
            continue;
        t.chat.max_tokens = cut % 16 == 0 ? n : SEEN_TOKENS;
        talk_break(&t, gs_slice_sub(text, 0, cut));
        answer(llm, &t.chat, &r);
        assert_int_equal(r.code, GS_OK);
        const struct gs_slice got = gs_slice_sub(gs_buf_view(&r.b), 0, r.first_end - 1);
        if (!gs_slice_starts(rest, got) && !gs_slice_starts(got, rest)) {
            n_others++;
            print_message("%zu: \"%.*s\", not \"%.*s\"\n", cut, (int)rest.len, r.b.ptr,
                          (int)rest.len, rest.ptr);
        }
        gs_buf_clear(&r.b);
    }
    gs_buf_clear(&whole.b);
    return n_others;
}

static void need_stories(void)
{
    if (!stories) {
        print_message("no %s: skipped\n", STORIES);
        skip();
    }
}

static void a_greedy_answer_goes_on_as_it_was(void **state)
{
    (void)state;
    need_stories();
    assert_int_equal(count_others(stories, 64), 0);
}

/* The stand-in knows no half words: what it says then is its own, but in order. */
static void what_is_there_is_not_said_again(void **state)
{
    const struct gs_slice text = GS_SLICE_LIT("It says <|im_end|> and <think> in ca\xc3\xb1");
    struct talk t;

    (void)state;
    talk_init(&t, 5);
    for (size_t cut = 0; cut <= text.len; cut++) {
        struct record r;
        if (cut < text.len && ((unsigned char)text.ptr[cut] & 0xc0) == 0x80)
            continue;
        talk_break(&t, gs_slice_sub(text, 0, cut));
        answer(standin, &t.chat, &r);
        assert_int_equal(r.code, GS_OK);
        assert_int_equal(r.n_blocks, 1);
        assert_int_equal(r.stop, GS_STOP_LENGTH);
        assert_int_equal(r.usage.answer_tokens, 5);
        gs_buf_clear(&r.b);
    }
}

static void stop_strings_lie_across_the_seam(void **state)
{
    const struct gs_slice stops[] = {GS_SLICE_LIT("little girl"), GS_SLICE_LIT("was a")};
    struct record r;
    struct talk t;

    (void)state;
    need_stories();
    talk_init(&t, 50);
    t.chat.stops = stops;
    t.chat.n_stops = 1;
    talk_break(&t, GS_SLICE_LIT("there was a litt"));
    answer(stories, &t.chat, &r);
    assert_string_equal(r.b.ptr, "]");
    assert_int_equal(r.stop, GS_STOP_SEQUENCE);
    gs_buf_clear(&r.b);
    t.chat.n_stops = 2; /* the other was over before */
    answer(stories, &t.chat, &r);
    assert_string_equal(r.b.ptr, "]");
    gs_buf_clear(&r.b);
    t.chat.stops = &stops[1]; /* none lies across */
    t.chat.n_stops = 1;
    answer(stories, &t.chat, &r);
    assert_true(gs_slice_starts(gs_buf_view(&r.b), GS_SLICE_LIT("le girl")));
    gs_buf_clear(&r.b);
}

static void formats_go_on(void **state)
{
    const struct gs_slice text =
        GS_SLICE_LIT("{\"na\\u00e4me\": -12.5, \"list\": [true, \"a b\"]}");
    struct talk t;

    (void)state;
    talk_init(&t, 300);
    t.chat.format.kind = GS_FORMAT_JSON;
    for (size_t cut = 0; cut <= text.len; cut++) {
        struct record r;
        struct gs_json v;
        struct gs_arena a;
        struct gs_buf all;
        talk_break(&t, gs_slice_sub(text, 0, cut));
        answer(standin, &t.chat, &r);
        gs_arena_init(&a, 0);
        gs_buf_init(&all, MAX_ANSWER);
        gs_buf_slice(&all, gs_slice_sub(text, 0, cut));
        gs_buf_put(&all, r.b.ptr, r.b.len - 2);
        if (r.stop == GS_STOP_END && gs_json_parse(gs_buf_view(&all), &a, &v, NULL) != GS_OK)
            fail_msg("%zu: %s", cut, r.b.ptr);
        gs_buf_clear(&all);
        gs_arena_clear(&a);
        gs_buf_clear(&r.b);
    }
}

/* ---- reasoning ---- */

/* The events of an answer in which `text`, in a block of this kind, is cut. */
static void check_block(gs_llm *llm, enum gs_block_kind kind, struct gs_slice text, bool reasons)
{
    struct record r;
    struct talk t;

    talk_init(&t, 24);
    talk_break(&t, text);
    t.partial.kind = kind;
    answer(llm, &t.chat, &r);
    assert_int_equal(r.code, GS_OK);
    assert_true(r.n_blocks >= 1);
    if (kind == GS_BLOCK_REASONING && !reasons) { /* it ends at once, and text follows */
        if (r.b.len > 2)
            assert_true(gs_slice_starts(gs_buf_view(&r.b), GS_SLICE_LIT("]T[")));
        else
            assert_string_equal(r.b.ptr, "]");
    }
    gs_buf_clear(&r.b);
}

static void reasoning_goes_on_where_there_is_any(void **state)
{
    static const struct {
        const char *name;
        bool reasons;
    } rows[] = {{"Qwen-Qwen3-0.6B", true},
                {"deepseek-ai-DeepSeek-R1-Distill-Qwen-32B", true},
                {"mistralai-Ministral-3-14B-Reasoning-2512", true},
                {"google-gemma-4-31B-it", true},
                {"openai-gpt-oss-120b", true},
                {"meta-llama-Llama-3.1-8B-Instruct", false},
                {"google-gemma-2-2b-it", false}};
    const struct gs_slice text = GS_SLICE_LIT("So </think> is wh\xc3\xa4t?\n\n");

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(rows); i++) {
        gs_llm *llm = open_family(rows[i].name);
        if (!llm) {
            print_message("no template %s: skipped\n", rows[i].name);
            skip();
        }
        for (size_t cut = 0; cut <= text.len; cut++) {
            if (cut < text.len && ((unsigned char)text.ptr[cut] & 0xc0) == 0x80)
                continue;
            check_block(llm, GS_BLOCK_REASONING, gs_slice_sub(text, 0, cut), rows[i].reasons);
            check_block(llm, GS_BLOCK_TEXT, gs_slice_sub(text, 0, cut), rows[i].reasons);
        }
        gs_llm_close(llm);
    }
}

/* ---- calls ---- */

static const struct gs_tool run_tool = {
    .name = {"run", 3},
    .description = {"Runs a command.", 15},
    .parameters = GS_SLICE_LIT(
        "{\"type\":\"object\",\"properties\":{\"command\":{\"type\":\"string\",\"maxLength\":40},"
        "\"steps\":{\"type\":\"array\",\"maxItems\":4,\"items\":{\"type\":\"object\","
        "\"properties\":{"
        "\"what\":{\"type\":\"string\",\"maxLength\":12},\"state\":{\"enum\":[\"done\",\"open\"]}},"
        "\"required\":[\"what\",\"state\"],\"additionalProperties\":false}},"
        "\"seconds\":{\"type\":\"integer\"},\"quiet\":{\"type\":\"boolean\"}},"
        "\"required\":[\"command\",\"steps\"],\"additionalProperties\":false}")};

/* As somebody else would write it: in another order, with its own white space and escapes. */
static const struct gs_slice own_args = GS_SLICE_LIT(
    "{\"seconds\":  12 ,\r\n\t\"steps\": [{\"state\": \"done\", \"what\": \"a \\\"b\\u00e4\"},"
    "{\"what\":\"\\ud83d\\ude00\",\"state\":\"open\" } ],\"quiet\": false,"
    " \"command\": \"echo \\\\ ca\xc3\xb1\xe2\x82\xac\\n\"}");

static bool is_state(const struct gs_json *v)
{
    return v && v->kind == GS_JSON_STRING &&
           (gs_slice_eq_str(v->u.string, "done") || gs_slice_eq_str(v->u.string, "open"));
}

/* What the schema above says. */
static bool fits_schema(const struct gs_json *v)
{
    const struct gs_json *command = gs_json_get(v, "command");
    const struct gs_json *steps = gs_json_get(v, "steps");
    const struct gs_json *seconds = gs_json_get(v, "seconds");
    const struct gs_json *quiet = gs_json_get(v, "quiet");
    const size_t n =
        (size_t)(command != NULL) + (steps != NULL) + (seconds != NULL) + (quiet != NULL);

    if (!command || command->kind != GS_JSON_STRING || !steps || steps->kind != GS_JSON_ARRAY ||
        (seconds && seconds->kind != GS_JSON_INT) || (quiet && quiet->kind != GS_JSON_BOOL) ||
        v->u.object.len != n || steps->u.array.len > 4)
        return false;
    for (size_t i = 0; i < steps->u.array.len; i++) {
        const struct gs_json *step = &steps->u.array.items[i];
        const struct gs_json *what = gs_json_get(step, "what");
        if (!what || what->kind != GS_JSON_STRING || !is_state(gs_json_get(step, "state")))
            return false;
    }
    return true;
}

struct call_talk {
    struct gs_block blocks[3];
    struct gs_message messages[2];
    struct gs_chat chat;
};

/* The call is the last of three blocks, its arguments cut anywhere. */
static void call_talk_init(struct call_talk *t, struct gs_slice args, int64_t max_tokens)
{
    t->blocks[0] = (struct gs_block){.kind = GS_BLOCK_REASONING,
                                     .text = GS_SLICE_LIT("I should <|im_end|> look.")};
    t->blocks[1] = (struct gs_block){.kind = GS_BLOCK_TEXT, .text = GS_SLICE_LIT("Looking.")};
    t->blocks[2] = (struct gs_block){.kind = GS_BLOCK_TOOL_CALL,
                                     .id = GS_SLICE_LIT("call_1"),
                                     .name = GS_SLICE_LIT("run"),
                                     .args = args};
    t->messages[0] = (struct gs_message){GS_ROLE_USER, &ask, 1};
    t->messages[1] = (struct gs_message){GS_ROLE_ASSISTANT, t->blocks, GS_COUNT_OF(t->blocks)};
    t->chat = (struct gs_chat){.messages = t->messages,
                               .n_messages = 2,
                               .tools = &run_tool,
                               .n_tools = 1,
                               .max_tokens = max_tokens,
                               .broke_off = true};
    gs_sampling_init(&t->chat.sampling);
    t->chat.sampling.has_seed = true;
}

static void check_call(gs_llm *llm, struct gs_slice args)
{
    struct call_talk t;
    struct record r;
    struct gs_json v;
    struct gs_arena a;
    struct gs_buf all;

    call_talk_init(&t, args, 400);
    answer(llm, &t.chat, &r);
    gs_arena_init(&a, 0);
    gs_buf_init(&all, MAX_ANSWER);
    gs_buf_slice(&all, args);
    gs_buf_slice(&all, gs_slice_sub(gs_buf_view(&r.b), 0, r.first_end - 1));
    assert_int_equal(r.code, GS_OK);
    if (gs_json_parse(gs_buf_view(&all), &a, &v, NULL) != GS_OK || !fits_schema(&v))
        fail_msg("%.*s | %s", (int)args.len, args.ptr, r.b.ptr);
    gs_buf_clear(&all);
    gs_arena_clear(&a);
    gs_buf_clear(&r.b);
}

static void calls_are_completed_in_every_family(void **state)
{
    static const char *const names[] = {"Qwen-Qwen3-0.6B",
                                        "Qwen3.5-4B",
                                        "meta-llama-Llama-3.1-8B-Instruct",
                                        "Mistral-Small-3.2-24B-Instruct-2506",
                                        "mistralai-Ministral-3-14B-Reasoning-2512",
                                        "GLM-4.7-Flash",
                                        "google-gemma-4-31B-it",
                                        "google-gemma-2-2b-it",
                                        "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B",
                                        "openai-gpt-oss-120b"};

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(names); i++) {
        gs_llm *llm = open_family(names[i]);
        if (!llm) {
            print_message("no template %s: skipped\n", names[i]);
            skip();
        }
        print_message("%s\n", names[i]);
        for (size_t cut = i % 8; cut <= own_args.len; cut += i == 0 ? 1 : 8)
            if (cut == own_args.len || ((unsigned char)own_args.ptr[cut] & 0xc0) != 0x80)
                check_call(llm, gs_slice_sub(own_args, 0, cut));
        gs_llm_close(llm);
    }
}

static void no_memory_refuses_or_ends(void **state)
{
    int n_failed = 0;

    (void)state;
    for (long n = 1;; n++) {
        struct record r = {.open = true, .n_blocks = 3};
        struct call_talk t;
        gs_answer *a = NULL;
        gs_buf_init(&r.b, MAX_ANSWER);
        call_talk_init(&t, gs_slice_sub(own_args, 0, 60), 4);
        gs_alloc_fail_at(n);
        const enum gs_status st = gs_llm_answer(standin, &t.chat, on_event, &r, &a, NULL);
        if (a)
            gs_answer_wait(a);
        const bool was_hit = gs_alloc_count() >= n;
        gs_alloc_fail_at(0);
        gs_answer_free(a);
        assert_true(st == GS_OK ? r.is_over : st == GS_ENOMEM && r.b.len == 0);
        n_failed += st != GS_OK || r.code != GS_OK;
        gs_buf_clear(&r.b);
        if (!was_hit)
            break;
    }
    assert_true(n_failed > 20);
}

/* ---- beforehand ---- */

static void a_prompt_is_read_beforehand(void **state)
{
    struct record r;
    struct talk t;

    (void)state;
    talk_init(&t, 5);
    t.chat.prefill_only = true;
    answer(standin, &t.chat, &r);
    assert_string_equal(r.b.ptr, "");
    assert_int_equal(r.usage.answer_tokens, 0);
    gs_buf_clear(&r.b);
    talk_break(&t, GS_SLICE_LIT("I am"));
    t.chat.prefill_only = false; /* it broke off, and was expected to */
    answer(standin, &t.chat, &r);
    assert_true(r.usage.cached_tokens > 0 && r.usage.cached_tokens >= r.usage.prompt_tokens - 3);
    gs_buf_clear(&r.b);
    t.chat.prefill_only = true;
    answer(standin, &t.chat, &r);
    gs_buf_clear(&r.b);
}

static void what_cannot_be_gone_on_with_is_refused(void **state)
{
    struct gs_error err = {0};
    struct record r;
    gs_answer *a = NULL;
    struct talk t;

    (void)state;
    talk_init(&t, 5);
    talk_break(&t, GS_SLICE_LIT("I am"));
    t.chat.n_messages = 1;
    assert_int_equal(gs_llm_answer(standin, &t.chat, on_event, &r, &a, &err), GS_EINVAL);
    t.chat.n_messages = 2;
    t.chat.n_answers = 2;
    assert_int_equal(gs_llm_answer(standin, &t.chat, on_event, &r, &a, &err), GS_EUNSUPPORTED);
    t.chat.n_answers = 1;
    t.chat.is_raw = true;
    assert_int_equal(gs_llm_answer(standin, &t.chat, on_event, &r, &a, &err), GS_EUNSUPPORTED);
    assert_null(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_greedy_answer_goes_on_as_it_was),
        cmocka_unit_test(what_is_there_is_not_said_again),
        cmocka_unit_test(stop_strings_lie_across_the_seam),
        cmocka_unit_test(formats_go_on),
        cmocka_unit_test(reasoning_goes_on_where_there_is_any),
        cmocka_unit_test(calls_are_completed_in_every_family),
        cmocka_unit_test(no_memory_refuses_or_ends),
        cmocka_unit_test(a_prompt_is_read_beforehand),
        cmocka_unit_test(what_cannot_be_gone_on_with_is_refused),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
