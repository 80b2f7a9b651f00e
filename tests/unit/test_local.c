/* The local provider over a folder with copies of the stand-in: which models there are, what a name
 * means, and that calls can end at any moment. */
#define _XOPEN_SOURCE 700 /* nftw */
#include "cmocka_headers.h"

#include <ftw.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/os.h"
#include "base/slice.h"
#include "provider/local.h"
#include "standin/standin.h"

static char folder[] = "/tmp/genset-test-local-XXXXXX";

static const char *const model_files[] = {"Alpha-1B-Q4_K_M.gguf", "alpha-7b.gguf",
                                          "deep/er/Gamma.GGUF"};
static const char *const other_files[] = {
    "deep/mmproj-Alpha.gguf",      "part-00002-of-00002.gguf", ".hidden.gguf", "notes.txt",
    "deep/er/too/deep/Delta.gguf", "Alpha-1B-Q4_K_M.gguf.part"};

static int write_file(const char *name, const void *bytes, size_t n)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return gs_os_write_file(path, bytes, n, NULL) == GS_OK ? 0 : -1;
}

static int set_up(void **state)
{
    char path[512];
    int failed = 0;

    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof(path), "%s/deep/er/too/deep", folder);
    if (gs_os_make_dirs(path, NULL) != GS_OK)
        return -1;
    for (size_t i = 0; i < GS_COUNT_OF(model_files); i++)
        failed |= write_file(model_files[i], gs_standin_gguf, gs_standin_gguf_bytes);
    for (size_t i = 0; i < GS_COUNT_OF(other_files); i++)
        failed |= write_file(other_files[i], gs_standin_gguf, gs_standin_gguf_bytes);
    failed |= write_file("broken.gguf", "GGUF\3", 5);
    return failed;
}

static int remove_one(const char *path, const struct stat *sb, int flag, struct FTW *ftw)
{
    (void)sb;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static int tear_down(void **state)
{
    (void)state;
    return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static struct gs_local_options make_options(const char *const *paths)
{
    struct gs_local_options opt = {.paths = paths, .n_paths = 1};

    gs_llm_options_init(&opt.llm);
    opt.llm.n_threads = 1;
    opt.llm.ctx_tokens = 512;
    opt.llm.max_sequences = 8;
    return opt;
}

static struct gs_local *create(const char *default_model, bool any_name)
{
    const char *paths[] = {folder};
    struct gs_local_options opt = make_options(paths);
    struct gs_error err = {0};
    struct gs_local *l = NULL;

    opt.default_model = default_model;
    opt.any_name = any_name;
    if (gs_local_create(&opt, &l, &err) != GS_OK)
        fail_msg("%s", err.msg);
    return l;
}

/* ---- calls ---- */

struct receiver {
    struct gs_chat chat;
    struct gs_buf text;
    int n_last;
    enum gs_status code;
    char message[GS_ERROR_MSG_BYTES];
    char hint[GS_ERROR_HINT_BYTES];
    struct gs_usage usage;
    bool pauses; /* at the first event */
    atomic_int n_events;
    sem_t last, paused, freed;
};

static const struct gs_block hello = {.kind = GS_BLOCK_TEXT, .text = {"Hello", 5}};
static const struct gs_message messages[] = {{GS_ROLE_USER, &hello, 1}};

static void receiver_init(struct receiver *r, const char *model)
{
    *r = (struct receiver){.chat = {.messages = messages, .n_messages = 1}};
    r->chat.model = gs_slice_str(model);
    gs_sampling_init(&r->chat.sampling);
    r->chat.max_tokens = 8;
    gs_buf_init(&r->text, (size_t)1 << 20);
    sem_init(&r->last, 0, 0);
    sem_init(&r->paused, 0, 0);
    sem_init(&r->freed, 0, 0);
}

static void receiver_clear(struct receiver *r)
{
    gs_buf_clear(&r->text);
    sem_destroy(&r->last);
    sem_destroy(&r->paused);
    sem_destroy(&r->freed);
}

static enum gs_flow on_event(void *ud, const struct gs_event *ev)
{
    struct receiver *r = ud;
    const int before = atomic_fetch_add(&r->n_events, 1);

    assert_int_equal(r->n_last, 0);
    if (ev->kind == GS_EVENT_DELTA)
        gs_buf_slice(&r->text, ev->text);
    if (ev->kind == GS_EVENT_START || ev->kind == GS_EVENT_STOP)
        r->usage = ev->usage;
    if (ev->kind == GS_EVENT_ERROR) {
        r->code = ev->error->code;
        snprintf(r->message, sizeof(r->message), "%s", ev->error->msg);
        snprintf(r->hint, sizeof(r->hint), "%s", ev->error->hint);
    }
    if (ev->kind == GS_EVENT_STOP || ev->kind == GS_EVENT_ERROR) {
        r->n_last++;
        sem_post(&r->last);
    }
    if (r->pauses && before == 0) {
        sem_post(&r->paused);
        return GS_FLOW_PAUSE;
    }
    return GS_FLOW_CONTINUE;
}

static void on_free(void *ud)
{
    struct receiver *r = ud;

    sem_post(&r->freed);
}

static struct gs_local_call *start(struct gs_local *l, struct receiver *r)
{
    struct gs_local_call *c;
    struct gs_error err = {0};

    if (gs_local_answer(l, &r->chat, on_event, r, &c, &err) != GS_OK)
        fail_msg("%s", err.msg);
    return c;
}

static void finish(struct gs_local_call *c, struct receiver *r)
{
    gs_local_call_free(c, on_free, r);
    sem_wait(&r->freed);
}

/* Ask `model` for an answer; GS_OK or the code of its error. */
static enum gs_status ask(struct gs_local *l, const char *model, struct receiver *r)
{
    receiver_init(r, model);
    struct gs_local_call *c = start(l, r);
    sem_wait(&r->last);
    finish(c, r);
    assert_int_equal(r->n_last, 1);
    return r->code;
}

static size_t loaded(const struct gs_local *l, const char **out_name)
{
    const struct gs_local_model *m;
    const size_t n = gs_local_models(l, &m);
    size_t n_loaded = 0;

    for (size_t i = 0; i < n; i++) {
        if (m[i].is_loaded) {
            n_loaded++;
            *out_name = m[i].name;
        }
    }
    return n_loaded;
}

/* ---- tests ---- */

static void test_models_found(void **state)
{
    static const char *const names[] = {"Alpha-1B-Q4_K_M", "alpha-7b", "broken", "Gamma"};
    const struct gs_local_model *m;
    struct gs_local *l = create(NULL, false);

    (void)state;
    assert_int_equal(gs_local_models(l, &m), 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(m[i].name, names[i]);
        assert_false(m[i].is_loaded);
        assert_true(m[i].modified_s > 0);
        if (i == 2)
            continue;
        assert_string_equal(m[i].arch, "qwen3");
        assert_true(strlen(m[i].quant) > 0 && m[i].n_params > 100000 && m[i].ctx_tokens > 0);
        assert_int_equal(m[i].file_bytes, gs_standin_gguf_bytes);
    }
    assert_string_equal(m[2].arch, "");
    gs_local_free(l);
}

static void test_bad_paths(void **state)
{
    const char *paths[] = {"/nowhere/at/all"};
    struct gs_local_options opt = make_options(paths);
    struct gs_error err = {0};
    struct gs_local *l = NULL;

    (void)state;
    assert_int_equal(gs_local_create(&opt, &l, &err), GS_ENOTFOUND);
    assert_non_null(strstr(err.msg, "/nowhere/at/all"));
    paths[0] = folder;
    opt.default_model = "nobody";
    assert_int_equal(gs_local_create(&opt, &l, &err), GS_ENOTFOUND);
    assert_non_null(strstr(err.msg, "nobody"));
    assert_null(l);
    gs_local_free(NULL);
}

static void test_names(void **state)
{
    static const struct {
        const char *asked, *opened; /* NULL: not found */
    } cases[] = {
        {"alpha-7b", "alpha-7b"},
        {"ALPHA-7B.gguf", "alpha-7b"},
        {"alpha:7b", "alpha-7b"},
        {"alpha-7b:latest", "alpha-7b"},
        {"org/alpha-7b", "alpha-7b"},
        {"alpha:1b", "Alpha-1B-Q4_K_M"},
        {"gam", "Gamma"},
        {"gamma-9", NULL},
        {"alpha", NULL}, /* two begin so */
        {"claude-opus", NULL},
        {"../../etc/passwd", NULL},
        {"/etc/passwd", NULL},
    };

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(cases); i++) {
        struct gs_local *l = create(NULL, false);
        struct receiver r;
        const char *name = NULL;
        const enum gs_status st = ask(l, cases[i].asked, &r);
        assert_int_equal(st, cases[i].opened ? GS_OK : GS_ENOTFOUND);
        assert_int_equal(loaded(l, &name), cases[i].opened ? 1 : 0);
        if (cases[i].opened) {
            assert_string_equal(name, cases[i].opened);
            assert_true(r.usage.load_us > 0);
            assert_true(r.text.len > 0);
        } else {
            assert_non_null(strstr(r.message, cases[i].asked));
            assert_non_null(strstr(r.hint, "Alpha-1B-Q4_K_M"));
        }
        receiver_clear(&r);
        gs_local_free(l);
    }
}

static void test_default_model(void **state)
{
    char path[512];
    const char *name = NULL;
    struct receiver r;

    (void)state;
    snprintf(path, sizeof(path), "%s/%s", folder, other_files[4]); /* found by nobody else */
    struct gs_local *l = create(path, true);
    assert_int_equal(ask(l, "claude-opus", &r), GS_OK);
    assert_int_equal(loaded(l, &name), 1);
    assert_string_equal(name, "Delta");
    receiver_clear(&r);
    assert_int_equal(ask(l, "", &r), GS_OK);
    assert_int_equal(r.usage.load_us, 0);
    receiver_clear(&r);
    gs_local_free(l);

    l = create("alpha-7b", false); /* only for requests that name none */
    assert_int_equal(ask(l, "", &r), GS_OK);
    receiver_clear(&r);
    assert_int_equal(ask(l, "gpt-5", &r), GS_ENOTFOUND);
    receiver_clear(&r);
    gs_local_free(l);
}

static void test_errors_are_events(void **state)
{
    struct gs_local *l = create(NULL, false);
    struct gs_error err = {0};
    struct receiver r;

    (void)state;
    assert_int_equal(ask(l, "broken", &r), GS_EFORMAT);
    receiver_clear(&r);
    receiver_init(&r, "gamma");
    r.chat.sampling.top_p = 7;
    struct gs_local_call *c = start(l, &r);
    sem_wait(&r.last);
    assert_int_equal(r.code, GS_EINVAL);
    finish(c, &r);
    receiver_clear(&r);
    assert_int_equal(gs_local_preload(l, "nobody", &err), GS_ENOTFOUND);
    assert_int_equal(gs_local_preload(l, "alpha-7b", &err), GS_OK);
    gs_local_free(l);
}

static void test_count(void **state)
{
    struct gs_local *l = create(NULL, true);
    struct gs_local_call *c;
    struct receiver r;
    struct receiver answered;

    (void)state;
    receiver_init(&r, "gamma");
    assert_int_equal(gs_local_count(l, &r.chat, on_event, &r, &c, NULL), GS_OK);
    sem_wait(&r.last);
    assert_int_equal(r.code, GS_OK);
    assert_int_equal(atomic_load(&r.n_events), 2);
    assert_int_equal(ask(l, "gamma", &answered), GS_OK);
    assert_int_equal(r.usage.prompt_tokens, answered.usage.prompt_tokens);
    finish(c, &r);
    receiver_clear(&r);
    receiver_clear(&answered);
    gs_local_free(l);
}

static enum gs_status read_ahead(struct gs_local *l, const char *model)
{
    struct receiver r;

    receiver_init(&r, model);
    r.chat.prefill_only = true;
    struct gs_local_call *c = start(l, &r);
    sem_wait(&r.last);
    finish(c, &r);
    receiver_clear(&r);
    return r.code;
}

/* What may be needed opens a model only where no other one is. */
static void test_reading_ahead_disturbs_nobody(void **state)
{
    struct gs_local *l = create(NULL, false);
    const char *name = "";

    (void)state;
    assert_int_equal(read_ahead(l, "nobody"), GS_ENOTFOUND);
    assert_int_equal(read_ahead(l, "gamma"), GS_OK);
    assert_int_equal(read_ahead(l, "gamma"), GS_OK);
    assert_int_equal(read_ahead(l, "alpha-7b"), GS_EBUSY);
    assert_int_equal(loaded(l, &name), 1);
    assert_string_equal(name, "Gamma");
    gs_local_free(l);
}

static void test_pause_and_resume(void **state)
{
    struct gs_local *l = create(NULL, true);
    struct receiver r;

    (void)state;
    receiver_init(&r, "gamma");
    r.pauses = true;
    struct gs_local_call *c = start(l, &r);
    sem_wait(&r.paused);
    assert_int_equal(atomic_load(&r.n_events), 1);
    gs_local_call_resume(c);
    sem_wait(&r.last);
    assert_int_equal(r.code, GS_OK);
    finish(c, &r);
    receiver_clear(&r);
    gs_local_free(l);
}

/* Calls are cancelled and freed before, while and after they are answered; memory of the chat is
 * used until on_free and not longer. */
static void test_free_at_any_moment(void **state)
{
    enum { N = 24 };
    struct gs_local *l = create(NULL, true);
    struct receiver r[N];
    struct gs_local_call *calls[N];

    (void)state;
    for (int i = 0; i < N; i++) {
        receiver_init(&r[i], i % 3 ? "alpha-7b" : "gamma");
        r[i].pauses = i % 5 == 0;
        calls[i] = start(l, &r[i]);
        for (int k = 0; k < i % 7; k++)
            sched_yield();
        if (i % 2)
            gs_local_call_cancel(calls[i]);
        if (i % 4 == 0)
            gs_local_call_resume(calls[i]);
        if (i % 8 == 6) { /* nobody waits for it */
            gs_local_call_free(calls[i], on_free, &r[i]);
            calls[i] = NULL;
        }
    }
    for (int i = 0; i < N; i++)
        if (calls[i])
            gs_local_call_free(calls[i], on_free, &r[i]);
    for (int i = 0; i < N; i++) {
        sem_wait(&r[i].freed);
        receiver_clear(&r[i]);
    }
    gs_local_free(l);
}

static void test_closing_ends_calls(void **state)
{
    struct gs_local *l = create(NULL, true);
    struct receiver r[3];
    struct gs_local_call *calls[3];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        receiver_init(&r[i], "gamma");
        r[i].pauses = i > 0;
        calls[i] = start(l, &r[i]);
    }
    sem_wait(&r[0].last);
    sem_wait(&r[1].paused);
    gs_local_free(l);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(r[i].n_last, 1);
        assert_int_equal(r[i].code, i == 0 ? GS_OK : GS_ECANCELLED);
        finish(calls[i], &r[i]);
        receiver_clear(&r[i]);
    }
}

static void test_too_many(void **state)
{
    enum { N = 600 };
    static struct receiver r;
    static struct gs_local_call *calls[N];
    struct gs_local *l = create(NULL, true);
    struct gs_error err = {0};
    size_t n = 0;

    (void)state;
    receiver_init(&r, "nobody-in-particular");
    r.chat.n_messages = 0;
    struct gs_local_call *first;
    r.pauses = true;
    assert_int_equal(gs_local_answer(l, &r.chat, on_event, &r, &first, &err), GS_OK);
    for (; n < N; n++) {
        if (gs_local_count(l, &r.chat, on_event, &r, &calls[n], &err) != GS_OK)
            break;
        gs_local_call_cancel(calls[n]);
    }
    assert_true(n < N);
    assert_int_equal(err.code, GS_EBUSY);
    for (size_t i = 0; i < n; i++)
        gs_local_call_free(calls[i], on_free, &r);
    for (size_t i = 0; i < n; i++)
        sem_wait(&r.freed);
    finish(first, &r);
    receiver_clear(&r);
    gs_local_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_models_found),
        cmocka_unit_test(test_bad_paths),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_default_model),
        cmocka_unit_test(test_errors_are_events),
        cmocka_unit_test(test_count),
        cmocka_unit_test(test_reading_ahead_disturbs_nobody),
        cmocka_unit_test(test_pause_and_resume),
        cmocka_unit_test(test_free_at_any_moment),
        cmocka_unit_test(test_closing_ends_calls),
        cmocka_unit_test(test_too_many),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
