/* Models whose weights have no room: who stands in for them, when nobody does, and contexts that
 * are smaller than they were to be. */
#define _XOPEN_SOURCE 700 /* truncate, mkdtemp */
#include "cmocka_headers.h"

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/os.h"
#include "base/slice.h"
#include "provider/local.h"
#include "standin/standin.h"

static char folder[] = "/tmp/genset-test-short-XXXXXX";
static const char *const names[] = {"large", "middle", "small"};

static void path_of(const char *name, char path[256])
{
    snprintf(path, 256, "%s/%s.gguf", folder, name);
}

static int set_up(void **state)
{
    char path[256];

    (void)state;
    if (!mkdtemp(folder))
        return -1;
    for (size_t i = 0; i < GS_COUNT_OF(names); i++) {
        path_of(names[i], path);
        if (gs_os_write_file(path, gs_standin_gguf, gs_standin_gguf_bytes, NULL) != GS_OK)
            return -1;
    }
    path_of("middle", path);
    return truncate(path, (off_t)gs_standin_gguf_bytes + 64);
}

static int tear_down(void **state)
{
    char path[256];

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(names); i++) {
        path_of(names[i], path);
        unlink(path);
    }
    return rmdir(folder);
}

/* More than this machine has; there are no blocks behind it. The file system may not have files so
 * large: then there is nothing to see. */
static void make_large(void)
{
    const int64_t bytes = GS_MAX(gs_os_memory_total_bytes(), (int64_t)0) + 64 * (int64_t)GS_GIB;
    char path[256];

    path_of("large", path);
    if (truncate(path, (off_t)bytes) != 0)
        skip();
}

static struct gs_local *create(int64_t ctx_tokens)
{
    const char *paths[] = {folder};
    struct gs_local_options opt = {
        .paths = paths, .n_paths = 1, .default_model = "large", .any_name = true};
    struct gs_error err = {0};
    struct gs_local *l = NULL;

    gs_llm_options_init(&opt.llm);
    opt.llm.n_threads = 1;
    opt.llm.ctx_tokens = ctx_tokens;
    opt.llm.max_sequences = 2;
    if (gs_local_create(&opt, &l, &err) != GS_OK)
        fail_msg("%s", err.msg);
    return l;
}

struct receiver {
    char served_by[64], short_of[256];
    struct gs_error err;
    struct gs_usage usage;
    sem_t last, freed;
};

static enum gs_flow on_event(void *ud, const struct gs_event *ev)
{
    struct receiver *r = ud;

    if (ev->kind == GS_EVENT_START) {
        snprintf(r->served_by, sizeof(r->served_by), "%.*s", (int)ev->served_by.len,
                 ev->served_by.ptr);
        snprintf(r->short_of, sizeof(r->short_of), "%.*s", (int)ev->short_of.len,
                 ev->short_of.len ? ev->short_of.ptr : "");
        r->usage = ev->usage;
    }
    if (ev->kind == GS_EVENT_ERROR)
        r->err = *ev->error;
    if (ev->kind == GS_EVENT_STOP || ev->kind == GS_EVENT_ERROR)
        sem_post(&r->last);
    return GS_FLOW_CONTINUE;
}

static void on_free(void *ud)
{
    struct receiver *r = ud;

    sem_post(&r->freed);
}

/* Have `model` asked for what a client that named `named` said. */
static struct receiver ask(struct gs_local *l, const char *model, const char *named, bool smaller,
                           struct gs_slice said)
{
    const struct gs_block block = {.kind = GS_BLOCK_TEXT, .text = said};
    const struct gs_message message = {GS_ROLE_USER, &block, 1};
    struct gs_chat chat = {.messages = &message, .n_messages = 1, .max_tokens = 2};
    struct receiver r = {.served_by = ""};
    struct gs_local_call *c;

    gs_sampling_init(&chat.sampling);
    chat.model = gs_slice_str(model);
    chat.named = gs_slice_str(named);
    chat.takes_smaller = smaller;
    sem_init(&r.last, 0, 0);
    sem_init(&r.freed, 0, 0);
    assert_int_equal(gs_local_answer(l, &chat, on_event, &r, &c, &r.err), GS_OK);
    sem_wait(&r.last);
    gs_local_call_free(c, on_free, &r);
    sem_wait(&r.freed);
    sem_destroy(&r.last);
    sem_destroy(&r.freed);
    return r;
}

static const struct gs_slice hello = {"Hello", 5};

static void the_next_smaller_one_stands_in(void **state)
{
    struct gs_local *l;
    (void)state;

    make_large();
    l = create(512);
    struct receiver r = ask(l, "claude-opus", "claude-opus", true, hello); /* the default */
    assert_string_equal(r.served_by, "local/middle");
    assert_string_equal(r.short_of, "\"middle\" stands in for \"large\"");
    assert_true(r.usage.load_us > 0);
    r = ask(l, "large", "gpt-5", true, hello); /* the target of a route */
    assert_string_equal(r.served_by, "local/middle");
    assert_int_equal(r.usage.load_us, 0);
    r = ask(l, "small", "gpt-5", true, hello);
    assert_string_equal(r.served_by, "local/small");
    assert_string_equal(r.short_of, "");
    gs_local_free(l);
}

/* What is open serves rather than another that would have to be opened. */
static void who_is_open_comes_first(void **state)
{
    struct gs_local *l;
    (void)state;

    make_large();
    l = create(512);
    struct receiver r = ask(l, "small", "small", true, hello);
    assert_string_equal(r.served_by, "local/small");
    r = ask(l, "large", "gpt-5", true, hello);
    assert_string_equal(r.served_by, "local/small");
    assert_int_equal(r.usage.load_us, 0);
    gs_local_free(l);
}

/* Whoever names it gets it, however slow it is, or an error: nobody else. */
static void who_is_named_is_not_replaced(void **state)
{
    static const char *const spelled[] = {"large", "LARGE.gguf", "org/large", "larg"};
    struct gs_local *l;
    (void)state;

    make_large();
    l = create(512);
    for (size_t i = 0; i < GS_COUNT_OF(spelled); i++) {
        struct receiver r = ask(l, spelled[i], spelled[i], true, hello);
        assert_true(r.err.code == GS_ENOMEM || strcmp(r.served_by, "local/large") == 0);
    }
    struct receiver r = ask(l, "large", "gpt-5", false, hello); /* another target is left */
    assert_true(r.err.code == GS_ENOMEM || strcmp(r.served_by, "local/large") == 0);
    gs_local_free(l);
}

static void contexts_are_as_large_as_they_can_be(void **state)
{
    struct gs_local *l = create((int64_t)1 << 50);
    (void)state;

    struct receiver r = ask(l, "small", "small", false, hello);
    assert_int_equal(r.err.code, GS_OK);
    assert_string_equal(r.served_by, "local/small");
    assert_non_null(strstr(r.short_of, "\"small\" has a context of "));
    struct gs_error err = {0};
    assert_int_equal(gs_local_preload(l, "middle", &err), GS_ENOMEM); /* at a start: as asked */
    assert_true(err.needed > err.available);
    gs_local_free(l);
}

/* What an idle model holds does not keep a larger one out for good. */
static void idle_memory_counts_as_free(void **state)
{
    struct gs_local *l;
    char path[256];
    (void)state;

    path_of("large", path);
    if (truncate(path, (off_t)(gs_os_memory_available_bytes() + (int64_t)GS_GIB)) != 0)
        skip();
    l = create((int64_t)1 << 50);
    struct receiver r = ask(l, "small", "small", false, hello); /* with all the memory there is */
    assert_non_null(strstr(r.short_of, "\"small\" has a context of "));
    r = ask(l, "large", "gpt-5", true, hello);
    assert_true(strcmp(r.served_by, "local/small") != 0 || r.usage.load_us > 0);
    gs_local_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_next_smaller_one_stands_in),
        cmocka_unit_test(who_is_open_comes_first),
        cmocka_unit_test(who_is_named_is_not_replaced),
        cmocka_unit_test(contexts_are_as_large_as_they_can_be),
        cmocka_unit_test(idle_memory_counts_as_free),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
