/* The library from outside: the stand-in model, and files that are less than a model. */
#include "cmocka_headers.h"

#include <math.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/llm.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/os.h"
#include "base/slice.h"
#include "genset/genset.h"
#include "standin/standin.h"
#include "tiny_gguf.h"

#define SHARED_VOCAB GENSET_SHARED "/golden/tokenizer/qwen2.gguf"
#define SHARED_OTHER                                                                               \
    GENSET_SHARED "/golden/tokenizer/falcon.gguf" /* an architecture we do not have */

static char standin_path[] = "/tmp/genset-test-api-XXXXXX";
static gs_llm *llm;

static int set_up(void **state)
{
    struct gs_llm_options opt;
    struct gs_error err = {0};
    const int fd = mkstemp(standin_path);

    (void)state;
    if (fd < 0)
        return -1;
    close(fd);
    if (gs_os_write_file(standin_path, gs_standin_gguf, gs_standin_gguf_bytes, &err) != GS_OK)
        return -1;
    gs_llm_options_init(&opt);
    opt.cpu = getenv("GENSET_CPU");
    opt.n_threads = 1;
    opt.ctx_tokens = 1024;
    return gs_llm_open(standin_path, &opt, &llm, &err) == GS_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    gs_llm_close(llm);
    unlink(standin_path);
    return 0;
}

/* ---- a receiver that checks the order of events ---- */

struct receiver {
    struct gs_buf text; /* of text blocks */
    int n_events, n_starts, n_begins, n_deltas, n_ends;
    atomic_int n_last; /* STOP or ERROR */
    bool open;
    enum gs_stop_reason stop;
    enum gs_status code;
    char message[GS_ERROR_MSG_BYTES];
    char sequence[32];
    struct gs_usage usage;
    size_t n_logprobs;
    int cancel_at; /* event; 0 = never */
    bool pauses;   /* at every event */
    sem_t paused;
};

static void receiver_init(struct receiver *r)
{
    *r = (struct receiver){0};
    gs_buf_init(&r->text, (size_t)1 << 20);
    sem_init(&r->paused, 0, 0);
}

static void receiver_clear(struct receiver *r)
{
    gs_buf_clear(&r->text);
    sem_destroy(&r->paused);
}

static void take_block_event(struct receiver *r, const struct gs_event *ev)
{
    assert_int_equal(ev->block, GS_BLOCK_TEXT);
    assert_int_equal(ev->block_idx, 0);
    r->n_begins += ev->kind == GS_EVENT_BEGIN;
    r->n_deltas += ev->kind == GS_EVENT_DELTA;
    r->n_ends += ev->kind == GS_EVENT_END;
    assert_true(r->open == (ev->kind != GS_EVENT_BEGIN));
    r->open = ev->kind != GS_EVENT_END;
    gs_buf_slice(&r->text, ev->text);
    for (size_t i = 0; i < ev->n_logprob; i++) {
        assert_true(ev->logprob[i].logprob <= 0);
        assert_int_equal(ev->logprob[i].n_top, 3);
        assert_true(ev->logprob[i].text.len > 0 && ev->logprob[i].top[0].text.len > 0);
    }
    r->n_logprobs += ev->n_logprob;
}

static enum gs_flow on_event(void *ud, const struct gs_event *ev)
{
    struct receiver *r = ud;

    assert_int_equal(r->n_last, 0);
    assert_true((r->n_events == 0) == (ev->kind == GS_EVENT_START));
    r->n_events++;
    switch (ev->kind) {
    case GS_EVENT_START:
        r->n_starts++;
        r->usage = ev->usage;
        break;
    case GS_EVENT_PROGRESS:
        assert_true(ev->done > 0 && ev->done < ev->total && r->n_begins == 0);
        break;
    case GS_EVENT_BEGIN:
    case GS_EVENT_DELTA:
    case GS_EVENT_END:
        take_block_event(r, ev);
        break;
    case GS_EVENT_STOP:
        assert_false(r->open);
        assert_int_equal(ev->usage.prompt_tokens, r->usage.prompt_tokens);
        r->n_last++;
        r->stop = ev->stop;
        r->usage = ev->usage;
        snprintf(r->sequence, sizeof(r->sequence), "%.*s", (int)ev->stop_sequence.len,
                 ev->stop_sequence.ptr ? ev->stop_sequence.ptr : "");
        break;
    case GS_EVENT_VECTOR:
        fail();
        break;
    case GS_EVENT_ERROR:
        r->n_last++;
        r->code = ev->error->code;
        snprintf(r->message, sizeof(r->message), "%s", ev->error->msg);
        break;
    }
    if (r->n_events == r->cancel_at)
        return GS_FLOW_CANCEL;
    if (r->pauses) {
        sem_post(&r->paused);
        return GS_FLOW_PAUSE;
    }
    return GS_FLOW_CONTINUE;
}

static const struct gs_block hello = {.kind = GS_BLOCK_TEXT, .text = {"Hello there", 11}};
static const struct gs_message messages[] = {{GS_ROLE_USER, &hello, 1}};

static struct gs_chat make_chat(void)
{
    struct gs_chat chat = {.messages = messages, .n_messages = 1};

    gs_sampling_init(&chat.sampling);
    chat.sampling.temperature = 0;
    return chat;
}

static void answer(const struct gs_chat *chat, struct receiver *r)
{
    struct gs_error err = {0};
    gs_answer *a;

    receiver_init(r);
    if (gs_llm_answer(llm, chat, on_event, r, &a, &err) != GS_OK)
        fail_msg("%s", err.msg);
    gs_answer_wait(a);
    gs_answer_free(a);
}

static bool text_is(const struct receiver *r, const char *text)
{
    return gs_slice_eq_str(gs_buf_view(&r->text), text);
}

/* ---- tests ---- */

static void test_answer(void **state)
{
    struct gs_chat chat = make_chat();
    struct receiver r;
    struct receiver again;
    int64_t n_prompt;

    (void)state;
    answer(&chat, &r);
    assert_true(gs_slice_starts(gs_buf_view(&r.text), GS_SLICE_LIT("I am the stand-in model")));
    assert_int_equal(r.stop, GS_STOP_END);
    assert_int_equal(r.n_last, 1);
    assert_int_equal(r.n_begins, 1);
    assert_int_equal(r.n_ends, 1);
    assert_int_equal(gs_llm_count(llm, &chat, &n_prompt, NULL), GS_OK);
    assert_int_equal(r.usage.prompt_tokens, n_prompt);
    assert_true(r.usage.answer_tokens > 5);
    answer(&chat, &again);
    assert_true(gs_slice_eq(gs_buf_view(&r.text), gs_buf_view(&again.text)));
    receiver_clear(&again);

    chat.max_tokens = 3;
    answer(&chat, &again);
    assert_int_equal(again.stop, GS_STOP_LENGTH);
    assert_int_equal(again.usage.answer_tokens, 3);
    assert_true(gs_slice_starts(gs_buf_view(&r.text), gs_buf_view(&again.text)));
    receiver_clear(&again);
    receiver_clear(&r);
}

static void test_stop_string(void **state)
{
    const struct gs_slice stops[] = {GS_SLICE_LIT("nowhere"), GS_SLICE_LIT("in mo")};
    struct gs_chat chat = make_chat();
    struct receiver r;

    (void)state;
    chat.stops = stops;
    chat.n_stops = 2;
    answer(&chat, &r);
    assert_int_equal(r.stop, GS_STOP_SEQUENCE);
    assert_string_equal(r.sequence, "in mo");
    assert_true(text_is(&r, "I am the stand-"));
    receiver_clear(&r);
}

static void test_raw_prompt(void **state)
{
    struct gs_chat chat = make_chat();
    struct receiver r;

    (void)state;
    chat.is_raw = true;
    chat.raw_prompt = gs_slice_str("<|im_start|>assistant\nI am the");
    answer(&chat, &r);
    assert_int_equal(r.n_last, 1);
    assert_int_equal(r.code, GS_OK);
    receiver_clear(&r);
}

static void test_logprobs(void **state)
{
    struct gs_chat chat = make_chat();
    struct receiver r;

    (void)state;
    chat.logprobs = true;
    chat.n_top_logprobs = 3;
    chat.max_tokens = 6;
    answer(&chat, &r);
    assert_int_equal(r.n_logprobs, 6);
    receiver_clear(&r);
}

static void test_cancel_and_pause(void **state)
{
    struct gs_chat chat = make_chat();
    struct gs_error err = {0};
    struct receiver r;
    gs_answer *a;

    (void)state;
    for (int at = 1; at <= 5; at++) { /* by the receiver: nothing comes afterwards */
        receiver_init(&r);
        r.cancel_at = at;
        assert_int_equal(gs_llm_answer(llm, &chat, on_event, &r, &a, &err), GS_OK);
        gs_answer_wait(a);
        gs_answer_free(a);
        assert_int_equal(r.n_events, at);
        assert_int_equal(r.n_last, 0);
        receiver_clear(&r);
    }
    receiver_init(&r); /* by the caller, while it is paused */
    r.pauses = true;
    assert_int_equal(gs_llm_answer(llm, &chat, on_event, &r, &a, &err), GS_OK);
    sem_wait(&r.paused);
    gs_answer_cancel(a);
    gs_answer_wait(a);
    gs_answer_free(a);
    assert_int_equal(r.n_events, 1);
    receiver_clear(&r);

    receiver_init(&r); /* paused and resumed to the end */
    r.pauses = true;
    chat.max_tokens = 4;
    assert_int_equal(gs_llm_answer(llm, &chat, on_event, &r, &a, &err), GS_OK);
    do {
        sem_wait(&r.paused);
        gs_answer_resume(a);
    } while (r.n_last == 0);
    gs_answer_wait(a);
    gs_answer_free(a);
    assert_int_equal(r.n_last, 1);
    assert_int_equal(r.stop, GS_STOP_LENGTH);
    receiver_clear(&r);
    gs_answer_free(NULL);
}

static void expect_refusal(const struct gs_chat *chat, enum gs_status code, const char *words)
{
    struct gs_error err = {0};
    gs_answer *a = NULL;

    assert_int_equal(gs_llm_answer(llm, chat, on_event, NULL, &a, &err), code);
    assert_non_null(strstr(err.msg, words));
    assert_null(a);
}

static void test_refusals(void **state)
{
    struct gs_slice stops[100];
    struct gs_chat chat = make_chat();
    char *text = malloc(200000);

    (void)state;
    assert_non_null(text);
    memset(text, 'a', 200000);
    for (size_t i = 0; i < 200000; i += 3)
        text[i] = ' ';
    chat.is_raw = true;
    chat.raw_prompt = gs_slice(text, 200000);
    expect_refusal(&chat, GS_ECONTEXT, "tokens > 1024 maximum");
    chat.raw_prompt = gs_slice("", 0);
    expect_refusal(&chat, GS_EINVAL, "prompt is empty");
    chat = make_chat();
    chat.sampling.top_p = -1;
    expect_refusal(&chat, GS_EINVAL, "top_p");
    chat = make_chat();
    chat.stops = stops;
    chat.n_stops = 100;
    expect_refusal(&chat, GS_ELIMIT, "stop");
    free(text);
}

static void test_closing_tells_the_answers(void **state)
{
    struct gs_chat chat = make_chat();
    struct gs_llm_options opt;
    struct receiver r;
    gs_llm *other;
    gs_answer *a;

    (void)state;
    gs_llm_options_init(&opt);
    opt.cpu = getenv("GENSET_CPU");
    opt.n_threads = 1;
    assert_int_equal(gs_llm_open(standin_path, &opt, &other, NULL), GS_OK);
    receiver_init(&r);
    r.pauses = true;
    assert_int_equal(gs_llm_answer(other, &chat, on_event, &r, &a, NULL), GS_OK);
    sem_wait(&r.paused);
    gs_llm_close(other);
    assert_int_equal(r.n_last, 1);
    assert_int_equal(r.code, GS_ECANCELLED);
    gs_answer_free(a);
    receiver_clear(&r);
}

static void test_info(void **state)
{
    struct gs_llm_info info;
    struct gs_tensor_info tensor;
    const char *key;
    const char *type;
    char value[64];
    size_t n = 0;
    bool found = false;

    (void)state;
    gs_llm_info(llm, &info);
    assert_string_equal(info.arch, "qwen3");
    assert_int_equal(info.ctx_tokens, 1024);
    assert_true(info.kv_bytes >= 1024 * info.kv_bytes_per_token);
    assert_true(info.n_params > 100000 && info.file_bytes == (int64_t)gs_standin_gguf_bytes);
    assert_true(strlen(info.chat_template) > 20 && strlen(info.cpu) > 0 && info.n_threads == 1);
    while (gs_llm_meta(llm, n, 3, value, sizeof(value), &key, &type)) {
        assert_true(strlen(value) < sizeof(value));
        if (strcmp(key, "general.architecture") == 0) {
            assert_string_equal(value, "qwen3");
            assert_string_equal(type, "string");
        }
        if (strcmp(key, "tokenizer.ggml.tokens") == 0) {
            found = strstr(value, "... of ") != NULL;
            assert_string_equal(type, "array");
        }
        n++;
    }
    assert_true(found);
    for (n = 0; gs_llm_tensor(llm, n, &tensor); n++)
        assert_true(strlen(tensor.name) > 0 && tensor.bytes > 0 && tensor.dims[0] > 0);
    assert_true(n > 5);
    assert_true(strlen(gs_version()) > 0);
}

static void test_dequant(void **state)
{
    struct gs_tensor_info t;
    struct gs_error err = {0};
    float all[256];
    float some[256];

    (void)state;
    assert_true(gs_llm_tensor(llm, 0, &t));
    assert_int_equal(gs_llm_dequant(llm, t.name, 256, all, NULL), GS_OK);
    for (size_t n = 0; n < 100; n += 33) {
        some[n] = 12345;
        assert_int_equal(gs_llm_dequant(llm, t.name, n, some, NULL), GS_OK);
        assert_memory_equal(some, all, n * sizeof(float));
        assert_true(some[n] == 12345);
    }
    assert_int_equal(gs_llm_dequant(llm, "nothing", 1, some, &err), GS_ENOTFOUND);
    assert_non_null(strstr(err.msg, "\"nothing\""));
    assert_int_equal(gs_llm_dequant(llm, t.name, (size_t)1 << 40, some, &err), GS_EINVAL);
}

static void test_tokens(void **state)
{
    const struct gs_slice text = GS_SLICE_LIT("Hello <|im_start|> wörld\n");
    struct gs_buf joined;
    int32_t *ids;
    size_t n;
    size_t n_plain;

    (void)state;
    gs_buf_init(&joined, 1000);
    assert_int_equal(gs_llm_tokenize(llm, text, GS_TOKENIZE_PARSE_SPECIAL, &ids, &n, NULL), GS_OK);
    for (size_t i = 0; i < n; i++)
        gs_buf_slice(&joined, gs_llm_token_text(llm, ids[i]));
    assert_true(gs_slice_eq(gs_buf_view(&joined), text));
    gs_free_tokens(ids);
    assert_int_equal(gs_llm_tokenize(llm, text, 0, &ids, &n_plain, NULL), GS_OK);
    assert_true(n_plain > n);
    gs_free_tokens(ids);
    assert_int_equal(gs_llm_token_text(llm, -1).len, 0);
    assert_int_equal(gs_llm_token_text(llm, 1 << 30).len, 0);
    gs_buf_clear(&joined);
}

static void test_render(void **state)
{
    const struct gs_chat chat = make_chat();
    struct gs_error err = {0};
    char *text;
    size_t len;

    (void)state;
    assert_int_equal(gs_llm_render(llm, &chat, &text, &len, NULL), GS_OK);
    assert_string_equal(text, "<|im_start|>user\nHello there<|im_end|>\n<|im_start|>assistant\n");
    assert_int_equal(len, strlen(text));
    gs_free_text(text);

    const struct gs_slice source = GS_SLICE_LIT("{{ a }}-{{ strftime_now('%Y-%m-%d %H:%M') }}");
    assert_int_equal(gs_render_template("t", source, GS_SLICE_LIT("{\"a\": [1, 2]}"),
                                        "2026-01-15T09:30:00", &text, &len, &err),
                     GS_OK);
    assert_string_equal(text, "[1, 2]-2026-01-15 09:30");
    gs_free_text(text);
    assert_int_equal(gs_render_template("t", GS_SLICE_LIT("a\n{% if %}"), GS_SLICE_LIT("{}"), NULL,
                                        &text, &len, &err),
                     GS_ETEMPLATE);
    assert_int_equal(err.line, 2);
    assert_int_equal(gs_render_template("t", source, GS_SLICE_LIT("[1]"), NULL, &text, &len, &err),
                     GS_EINVAL);
    assert_int_equal(gs_render_template("t", source, GS_SLICE_LIT("{"), NULL, &text, &len, &err),
                     GS_EFORMAT);
    static const char *const times[] = {
        "2026-01-15", "2026-13-15T09:30:00", "2026-01-15T09:30:00+1", "2026-01-15T24:30:00", "",
        "x"};
    for (size_t i = 0; i < GS_COUNT_OF(times); i++)
        assert_int_equal(
            gs_render_template("t", source, GS_SLICE_LIT("{}"), times[i], &text, &len, &err),
            GS_EINVAL);
}

static void test_session(void **state)
{
    static const int32_t tokens[] = {5, 6, 7, 8, 9, 10};
    struct gs_llm_info info;
    struct gs_error err = {0};
    gs_session *s;

    (void)state;
    gs_llm_info(llm, &info);
    const size_t row = (size_t)info.n_vocab;
    assert_int_equal(gs_session_create(llm, 8, &s, &err), GS_OK);
    assert_int_equal(gs_session_feed(s, tokens, 6, 6, &err), GS_OK);
    float *all = malloc(6 * row * sizeof(float));
    assert_non_null(all);
    memcpy(all, gs_session_logits(s), 6 * row * sizeof(float));
    gs_session_reset(s);
    assert_int_equal(gs_session_feed(s, tokens, 3, 0, &err), GS_OK);
    assert_int_equal(gs_session_feed(s, tokens + 3, 3, 2, &err), GS_OK);
    const float *last = gs_session_logits(s);
    for (size_t i = 0; i < 2 * row; i++)
        assert_float_equal(last[i], all[4 * row + i], 1e-3);
    assert_int_equal(gs_session_feed(s, tokens, 3, 1, &err), GS_ECONTEXT);
    assert_int_equal(err.needed, 9);
    assert_int_equal(err.available, 8);
    assert_int_equal(gs_session_feed(s, tokens, 1, 2, &err), GS_EINVAL);
    const int32_t bad = info.n_vocab;
    assert_int_equal(gs_session_feed(s, &bad, 1, 1, &err), GS_EINVAL);
    assert_int_equal(gs_session_feed(s, tokens, 2, 1, &err), GS_OK);
    gs_session_free(s);
    gs_session_free(NULL);
    free(all);
}

static void test_budget(void **state)
{
    struct gs_llm_options opt;
    struct gs_llm_info info;
    struct gs_error err = {0};
    gs_llm *other = NULL;

    (void)state;
    gs_llm_info(llm, &info);
    gs_llm_options_init(&opt);
    opt.cpu = getenv("GENSET_CPU");
    opt.n_threads = 1;
    opt.kv_bytes = 100 * info.kv_bytes_per_token;
    opt.ctx_tokens = 101;
    assert_int_equal(gs_llm_open(standin_path, &opt, &other, &err), GS_ENOMEM);
    assert_true(err.needed > err.available);
    opt.ctx_tokens = 0; /* the model's own, as far as it fits */
    assert_int_equal(gs_llm_open(standin_path, &opt, &other, &err), GS_OK);
    gs_llm_info(other, &info);
    assert_int_equal(info.ctx_tokens, 100);
    gs_llm_close(other);
    opt.kv_bytes = 0;
    opt.kv_type = GS_KV_Q8_0;
    assert_int_equal(gs_llm_open(standin_path, &opt, &other, &err), GS_OK);
    gs_llm_info(other, &info);
    assert_int_equal(info.ctx_tokens, info.ctx_train_tokens);
    gs_llm_close(other);
    opt.ctx_tokens = INT64_MAX / 2;
    assert_int_equal(gs_llm_open(standin_path, &opt, &other, &err), GS_ENOMEM);
    opt.cpu = "abacus";
    opt.ctx_tokens = 0;
    assert_int_equal(gs_llm_open(standin_path, &opt, &other, &err), GS_EINVAL);
    opt.cpu = NULL;
    assert_int_equal(gs_llm_open("/nowhere/x.gguf", &opt, &other, &err), GS_ENOTFOUND);
}

/* What nobody has memory for is had smaller, as far as the caller takes it. */
static void test_takes_less(void **state)
{
    struct gs_llm_options opt;
    struct gs_llm_info info;
    struct gs_error err = {0};
    gs_llm *other = NULL;

    (void)state;
    gs_llm_options_init(&opt);
    opt.cpu = getenv("GENSET_CPU");
    opt.n_threads = 1;
    opt.takes_less = true;
    assert_int_equal(gs_llm_open(standin_path, &opt, &other, &err), GS_OK);
    gs_llm_info(other, &info);
    assert_false(info.is_short);
    gs_llm_close(other);
    opt.ctx_tokens = INT64_MAX / 2;
    opt.least_ctx_tokens = 5000;
    assert_int_equal(gs_llm_open(standin_path, &opt, &other, &err), GS_OK);
    gs_llm_info(other, &info);
    assert_true(info.is_short && info.kv_type == GS_KV_F16);
    assert_true(info.ctx_tokens >= 5000 && info.ctx_tokens < opt.ctx_tokens);
    gs_llm_close(other);
    opt.ctx_tokens = 300; /* and little that is refused is not made more */
    opt.kv_bytes = info.kv_bytes_per_token;
    assert_int_equal(gs_llm_open(standin_path, &opt, &other, &err), GS_OK);
    gs_llm_info(other, &info);
    assert_true(info.is_short && info.kv_type == GS_KV_Q8_0);
    assert_int_equal(info.ctx_tokens, 300);
    gs_llm_close(other);
}

/* By halves to what is needed, then in the smallest format, then no more. */
static void test_shrinking_ends(void **state)
{
    struct gs_llm_options opt;
    struct gs_llm_budget budget;
    int64_t had = 0;
    int n = 0;

    (void)state;
    gs_llm_options_init(&opt);
    assert_false(gs_llm_budget_shrink(llm->model, &opt));
    opt.takes_less = true;
    opt.kv_type = GS_KV_F32;
    opt.least_ctx_tokens = 10000;
    while (gs_llm_budget_shrink(llm->model, &opt)) {
        assert_true(++n < 64);
        assert_true(opt.ctx_tokens >= 10000 && opt.max_sequences >= 1);
        assert_true(opt.kv_bytes > 0 && (n == 1 || opt.kv_bytes < had));
        had = opt.kv_bytes;
        /* where weights take all memory only the least is had, because that ends in an answer */
        const bool is_least = opt.ctx_tokens == 10000 && opt.kv_type == GS_KV_Q8_0;
        assert_int_equal(gs_llm_budget_plan(llm->model, SIZE_MAX, &opt, &budget, NULL),
                         is_least ? GS_OK : GS_ENOMEM);
    }
    assert_int_equal(opt.ctx_tokens, 10000);
    assert_int_equal(opt.kv_type, GS_KV_Q8_0);
}

/* A file that has less than a model is still shown, and asked for more says what is missing. */
static void test_weights_only(void **state)
{
    const struct gs_chat chat = make_chat();
    struct gs_llm_options opt;
    struct gs_llm_info info;
    struct gs_error err = {0};
    gs_session *s;
    gs_answer *a;
    gs_llm *other;
    char path[] = "/tmp/genset-test-api-XXXXXX";
    const int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    close(fd);
    gs_llm_options_init(&opt);
    opt.cpu = getenv("GENSET_CPU");
    opt.weights_only = true;
    const struct tiny_edit foreign = {"general.architecture", TINY_STRING, .text = "starfish"};
    assert_int_equal(tiny_write(path, &tiny_shapes[0], &foreign, 1), GS_OK);
    assert_int_equal(gs_llm_open(path, &opt, &other, &err), GS_OK);
    gs_llm_info(other, &info);
    assert_string_equal(info.arch, "starfish");
    assert_string_equal(info.quant, "F32");
    assert_int_equal(gs_llm_answer(other, &chat, on_event, NULL, &a, &err), GS_EINVAL);
    assert_int_equal(gs_session_create(other, 0, &s, &err), GS_EINVAL);
    int32_t *ids;
    size_t n;
    assert_int_equal(gs_llm_tokenize(other, GS_SLICE_LIT("x"), 0, &ids, &n, &err), GS_ENOTFOUND);
    gs_llm_close(other);
    opt.weights_only = false;
    assert_int_equal(gs_llm_open(path, &opt, &other, &err), GS_EUNSUPPORTED);
    assert_non_null(strstr(err.msg, "starfish"));

    /* no vocabulary: logits, but no text */
    assert_int_equal(tiny_write(path, &tiny_shapes[0], NULL, 0), GS_OK);
    opt.n_threads = 1;
    assert_int_equal(gs_llm_open(path, &opt, &other, &err), GS_OK);
    assert_int_equal(gs_session_create(other, 0, &s, &err), GS_OK);
    assert_int_equal(gs_session_feed(s, &(const int32_t){1}, 1, 1, &err), GS_OK);
    gs_session_free(s);
    assert_int_equal(gs_llm_answer(other, &chat, on_event, NULL, &a, &err), GS_ENOTFOUND);
    gs_llm_close(other);
    unlink(path);
}

static void test_shared_files(void **state)
{
    struct gs_llm_options opt;
    struct gs_error err = {0};
    gs_llm *other;
    int32_t *ids;
    size_t n;

    (void)state;
    if (access(SHARED_VOCAB, R_OK) != 0 || access(SHARED_OTHER, R_OK) != 0) {
        print_message("%s is absent: skipped\n", GENSET_SHARED "/golden");
        skip();
    }
    gs_llm_options_init(&opt);
    opt.cpu = getenv("GENSET_CPU");
    opt.weights_only = true;
    assert_int_equal(gs_llm_open(SHARED_VOCAB, &opt, &other, &err), GS_OK);
    assert_int_equal(gs_llm_tokenize(other, GS_SLICE_LIT("hello"), 0, &ids, &n, &err), GS_OK);
    assert_true(n >= 1);
    gs_free_tokens(ids);
    gs_llm_close(other);
    assert_int_equal(gs_llm_open(SHARED_OTHER, &opt, &other, &err), GS_OK);
    gs_llm_close(other);
    opt.weights_only = false;
    assert_int_equal(gs_llm_open(SHARED_OTHER, &opt, &other, &err), GS_EUNSUPPORTED);
    assert_non_null(strstr(err.msg, "falcon"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answer),
        cmocka_unit_test(test_stop_string),
        cmocka_unit_test(test_raw_prompt),
        cmocka_unit_test(test_logprobs),
        cmocka_unit_test(test_cancel_and_pause),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_closing_tells_the_answers),
        cmocka_unit_test(test_info),
        cmocka_unit_test(test_dequant),
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_render),
        cmocka_unit_test(test_session),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_takes_less),
        cmocka_unit_test(test_shrinking_ends),
        cmocka_unit_test(test_weights_only),
        cmocka_unit_test(test_shared_files),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
