/* Budgets of reasoning: the stand-in model with a template that opens a block of reasoning, which
 * it would never end by itself. */
#include "cmocka_headers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/os.h"
#include "base/slice.h"
#include "genset/genset.h"
#include "standin/standin.h"
#include "json/json.h"

#define TEMPLATE_BEGIN "{% for m in messages "
#define TEMPLATE_REST                                                                              \
    "%}{{ m.content }}\n{% endfor %}{% if add_generation_prompt %}{# </think> #}<think>{% endif "  \
    "%}"

static char path[] = "/tmp/genset-test-thinking-XXXXXX";
static gs_llm *llm;

/* The file with another template of the same length. */
static bool write_model(void)
{
    const struct gs_slice file = gs_slice((const char *)gs_standin_gguf, gs_standin_gguf_bytes);
    const size_t begin = gs_slice_find(file, GS_SLICE_LIT(TEMPLATE_BEGIN), 0);
    const size_t end = gs_slice_find(file, GS_SLICE_LIT("{% endif %}"), begin) + 11;
    struct gs_buf b;

    gs_buf_init(&b, file.len);
    gs_buf_slice(&b, gs_slice_sub(file, 0, begin));
    gs_buf_puts(&b, TEMPLATE_BEGIN);
    while (b.len < end - strlen(TEMPLATE_REST))
        gs_buf_putc(&b, ' ');
    gs_buf_puts(&b, TEMPLATE_REST);
    gs_buf_slice(&b, gs_slice_sub(file, end, file.len));
    const bool ok =
        gs_buf_ok(&b) && b.len == file.len && gs_os_write_file(path, b.ptr, b.len, NULL) == GS_OK;
    gs_buf_clear(&b);
    return ok;
}

static int set_up(void **state)
{
    struct gs_llm_options opt;
    const int fd = mkstemp(path);

    (void)state;
    if (fd < 0)
        return -1;
    close(fd);
    gs_llm_options_init(&opt);
    opt.n_threads = 1;
    opt.ctx_tokens = 4096;
    return write_model() && gs_llm_open(path, &opt, &llm, NULL) == GS_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    gs_llm_close(llm);
    unlink(path);
    return 0;
}

struct record {
    struct gs_buf reasoning, text;
    struct gs_usage usage;
};

static enum gs_flow on_event(void *ud, const struct gs_event *ev)
{
    struct record *r = ud;

    if (ev->kind == GS_EVENT_DELTA)
        gs_buf_slice(ev->block == GS_BLOCK_REASONING ? &r->reasoning : &r->text, ev->text);
    if (ev->kind == GS_EVENT_STOP)
        r->usage = ev->usage;
    return GS_FLOW_CONTINUE;
}

static void answer(int64_t budget, struct gs_format format, struct record *r)
{
    static const struct gs_block hello[] = {{.kind = GS_BLOCK_TEXT, .text = GS_SLICE_LIT("Hello")}};
    static const struct gs_message messages[] = {
        {.role = GS_ROLE_USER, .blocks = hello, .n_blocks = 1}};
    struct gs_chat chat = {.messages = messages,
                           .n_messages = 1,
                           .max_tokens = 200,
                           .max_reasoning_tokens = budget,
                           .format = format};
    gs_answer *a;

    gs_sampling_init(&chat.sampling);
    chat.sampling.temperature = 0;
    *r = (struct record){.usage = {0}};
    gs_buf_init(&r->reasoning, (size_t)1 << 20);
    gs_buf_init(&r->text, (size_t)1 << 20);
    assert_int_equal(gs_llm_answer(llm, &chat, on_event, r, &a, NULL), GS_OK);
    gs_answer_wait(a);
    gs_answer_free(a);
}

static void clear(struct record *r)
{
    gs_buf_clear(&r->reasoning);
    gs_buf_clear(&r->text);
}

/* ---- tests ---- */

static const struct gs_format any = {GS_FORMAT_TEXT, {NULL, 0}};

static void without_a_budget_it_goes_on(void **state)
{
    struct record r;

    (void)state;
    answer(0, any, &r);
    assert_int_equal(r.text.len, 0);
    assert_true(r.usage.reasoning_tokens > 10);
    clear(&r);
}

static void a_budget_ends_it_and_the_answer_follows(void **state)
{
    struct record r;

    (void)state;
    answer(3, any, &r);
    assert_true(
        gs_slice_eq_str(gs_buf_view(&r.reasoning), "I am the stand-in model that comes with"));
    assert_true(gs_slice_starts(gs_buf_view(&r.text), GS_SLICE_LIT("I am the stand-in")));
    assert_in_range(r.usage.reasoning_tokens, 4, 3 + strlen("</think>"));
    clear(&r);
}

static void what_follows_keeps_its_format(void **state)
{
    const struct gs_format format = {GS_FORMAT_REGEX, GS_SLICE_LIT("[0-9]{3}-(yes|no)")};
    struct record r;

    (void)state;
    answer(5, format, &r);
    assert_true(r.reasoning.len > 20);
    assert_in_range(r.text.len, 6, 7);
    assert_int_equal(r.text.ptr[3], '-');
    clear(&r);
}

/* The model says all it knows and would end its turn, but owes an answer. */
static void an_owed_answer_follows_without_a_budget(void **state)
{
    const struct gs_format format = {GS_FORMAT_REGEX, GS_SLICE_LIT("[0-9]{3}-(yes|no)")};
    struct record r;

    (void)state;
    answer(0, format, &r);
    assert_true(gs_slice_ends(gs_buf_view(&r.reasoning), GS_SLICE_LIT("model.gguf")));
    assert_in_range(r.text.len, 6, 7);
    clear(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_budget_it_goes_on),
        cmocka_unit_test(a_budget_ends_it_and_the_answer_follows),
        cmocka_unit_test(what_follows_keeps_its_format),
        cmocka_unit_test(an_owed_answer_follows_without_a_budget),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
