/* Answers that broke off anywhere and are gone on with: what was there and what comes are one valid
 * answer, and with greedy sampling the answer that was cut. */
#include "cmocka_headers.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/os.h"
#include "base/slice.h"
#include "genset/genset.h"
#include "standin/standin.h"
#include "json/json.h"

#define STORIES    GENSET_SHARED "/models/stories260K.gguf"
#define MAX_ANSWER ((size_t)1 << 16)

/* ---- models ---- */

static char standin_path[] = "/tmp/genset-test-resume-XXXXXX";
static gs_llm *standin;
static gs_llm *stories; /* NULL: not on this machine */

static gs_llm *open_model(const char *path)
{
    struct gs_llm_options opt;
    gs_llm *llm = NULL;

    gs_llm_options_init(&opt);
    opt.n_threads = 1;
    opt.ctx_tokens = 512;
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
    standin = open_model(standin_path);
    stories = open_model(STORIES);
    return standin ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    gs_llm_close(standin);
    gs_llm_close(stories);
    return unlink(standin_path);
}

/* ---- one answer ---- */

/* Events as text: "T" begins a text, "R" reasoning, "C" a call; "]" ends a block. */
struct record {
    struct gs_buf b;
    uint32_t n_blocks; /* that began */
    bool open;
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
    if (chat->broke_off) {
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
        talk_break(&t, gs_slice_sub(text, 0, cut));
        answer(llm, &t.chat, &r);
        assert_int_equal(r.code, GS_OK);
        if (!gs_slice_starts(gs_slice_str(r.b.ptr), rest)) {
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
    assert_int_equal(count_others(stories, 120), 0);
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
        cmocka_unit_test(what_cannot_be_gone_on_with_is_refused),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
