/* Errands: models appear, are copied, created and deleted in genset's own folder and nowhere else;
 * a model's tokenizer and card; how long models stay open. */
#define _XOPEN_SOURCE 700 /* nftw */
#include "cmocka_headers.h"

#include <dirent.h>
#include <ftw.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/os.h"
#include "base/slice.h"
#include "provider/local.h"
#include "standin/standin.h"
#include "json/json.h"

static char folder[] = "/tmp/genset-test-errands-XXXXXX";
static char own[64], outside[64];

static void write_model(const char *name)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    assert_int_equal(gs_os_write_file(path, gs_standin_gguf, gs_standin_gguf_bytes, NULL), GS_OK);
}

static bool exists(const char *name)
{
    char path[256];
    struct stat sb;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return lstat(path, &sb) == 0;
}

static int remove_one(const char *path, const struct stat *sb, int flag, struct FTW *ftw)
{
    (void)sb;
    (void)flag;
    (void)ftw;
    return remove(path);
}

/* ---- one provider for each test ---- */

struct fixture {
    struct gs_local *l;
    struct gs_arena a;
    struct gs_errand e; /* the last one */
    struct gs_error err;
    sem_t last, freed;
    enum gs_status st;
    size_t n_blobs;
};

static int set_up(void **state)
{
    static struct fixture f;
    const char *paths[] = {outside};
    struct gs_local_options opt = {.paths = paths, .n_paths = 1, .own_folder = own};

    memcpy(folder + strlen(folder) - 6, "XXXXXX", 6);
    if (!mkdtemp(folder))
        return -1;
    snprintf(own, sizeof(own), "%s/own", folder);
    snprintf(outside, sizeof(outside), "%s/out", folder);
    if (gs_os_make_dirs(outside, NULL) != GS_OK)
        return -1;
    write_model("out/first.gguf");
    f = (struct fixture){0};
    gs_arena_init(&f.a, 0);
    sem_init(&f.last, 0, 0);
    sem_init(&f.freed, 0, 0);
    gs_llm_options_init(&opt.llm);
    opt.llm.n_threads = 1;
    opt.llm.ctx_tokens = 256;
    opt.llm.max_sequences = 3;
    *state = &f;
    return gs_local_create(&opt, &f.l, NULL) == GS_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    gs_local_free(f->l);
    gs_arena_clear(&f->a);
    sem_destroy(&f->last);
    sem_destroy(&f->freed);
    return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static enum gs_flow on_event(void *ud, const struct gs_event *ev)
{
    struct fixture *f = ud;

    f->st = GS_OK;
    if (ev->kind == GS_EVENT_ERROR) {
        f->err = *ev->error;
        f->st = ev->error->code;
    }
    if (ev->kind == GS_EVENT_ERROR || ev->kind == GS_EVENT_STOP || ev->kind == GS_EVENT_PROGRESS)
        sem_post(&f->last);
    return GS_FLOW_CONTINUE;
}

static void on_free(void *ud)
{
    struct fixture *f = ud;

    sem_post(&f->freed);
}

static enum gs_status run(struct fixture *f, struct gs_errand e)
{
    struct gs_local_call *c;

    f->e = e;
    f->e.arena = &f->a;
    f->err = (struct gs_error){0};
    assert_int_equal(gs_local_errand(f->l, &f->e, on_event, f, &c, NULL), GS_OK);
    sem_wait(&f->last);
    gs_local_call_free(c, on_free, f);
    sem_wait(&f->freed);
    return f->st;
}

static enum gs_status run_on(struct fixture *f, enum gs_errand_kind kind, const char *model)
{
    return run(f, (struct gs_errand){.kind = kind, .model = gs_slice_str(model)});
}

static enum gs_status copy(struct fixture *f, const char *model, const char *target)
{
    return run(f, (struct gs_errand){.kind = GS_ERRAND_COPY,
                                     .model = gs_slice_str(model),
                                     .target = gs_slice_str(target)});
}

/* The names there are, after a look at the folders. */
static const char *names(struct fixture *f)
{
    static char list[512];
    size_t len = 0;

    assert_int_equal(run_on(f, GS_ERRAND_LIST, ""), GS_OK);
    list[0] = '\0';
    for (size_t i = 0; i < f->e.n_models; i++)
        len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s", i ? " " : "",
                                f->e.models[i].name);
    return list;
}

static size_t n_loaded(struct fixture *f)
{
    const struct gs_local_model *m;
    const size_t n = gs_local_models(f->l, &m);
    size_t count = 0;

    for (size_t i = 0; i < n; i++)
        count += m[i].is_loaded;
    return count;
}

/* ---- files ---- */

static void test_files_come_and_go(void **state)
{
    struct fixture *f = *state;
    char path[128];

    assert_string_equal(names(f), "first");
    write_model("out/second.gguf");
    assert_string_equal(names(f), "first second");
    assert_int_equal(run_on(f, GS_ERRAND_FIND, "second:latest"), GS_OK);
    assert_string_equal(f->e.models[0].arch, "qwen3");
    write_model("out/third.gguf"); /* asked for before anybody listed it */
    assert_int_equal(run_on(f, GS_ERRAND_OPEN, "third"), GS_OK);
    assert_int_equal(n_loaded(f), 1);
    snprintf(path, sizeof(path), "%s/third.gguf", outside);
    assert_int_equal(unlink(path), 0);
    assert_string_equal(names(f), "first second");
    assert_int_equal(run_on(f, GS_ERRAND_OPEN, "third"), GS_ENOTFOUND);
    assert_int_equal(n_loaded(f), 0);
}

static void test_copy_and_delete(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(copy(f, "first", "me/Other:8b"), GS_OK);
    assert_true(exists("own/me/Other-8b.gguf"));
    assert_string_equal(names(f), "first me/Other-8b");
    assert_int_equal(run_on(f, GS_ERRAND_FIND, "me/other:8b"), GS_OK);
    assert_int_equal(run_on(f, GS_ERRAND_FIND, "other"), GS_ENOTFOUND);
    assert_int_equal(copy(f, "me/other:8b", "me/Other-8b:latest"), GS_OK); /* itself */
    assert_int_equal(copy(f, "me/other:8b", "plain"), GS_OK);
    assert_string_equal(names(f), "first me/Other-8b plain");
    assert_int_equal(run_on(f, GS_ERRAND_DELETE, "pl"), GS_ENOTFOUND); /* its whole name */
    assert_int_equal(run_on(f, GS_ERRAND_DELETE, "you/plain"), GS_ENOTFOUND);
    assert_string_equal(names(f), "first me/Other-8b plain");
    assert_int_equal(run_on(f, GS_ERRAND_DELETE, "me/other:8b"), GS_OK);
    assert_string_equal(names(f), "first plain");
    assert_int_equal(run_on(f, GS_ERRAND_OPEN, "plain"), GS_OK);
    assert_int_equal(run_on(f, GS_ERRAND_DELETE, "plain"), GS_OK);
    assert_int_equal(run_on(f, GS_ERRAND_DELETE, "plain"), GS_ENOTFOUND);
    assert_int_equal(run_on(f, GS_ERRAND_DELETE, "first"), GS_EUNSUPPORTED);
    assert_non_null(strstr(f->err.hint, "first.gguf"));
    assert_true(exists("out/first.gguf"));
    assert_int_equal(copy(f, "first", "First"), GS_EINVAL); /* not ours to replace */
    assert_int_equal(copy(f, "nobody", "x"), GS_ENOTFOUND);
}

static void test_hostile_names(void **state)
{
    static const char *const bad[] = {"",
                                      ".",
                                      "..",
                                      "../x",
                                      "/etc/passwd",
                                      "a/b/c",
                                      "a//b",
                                      "a/",
                                      "/a",
                                      ".hidden",
                                      "a/.b",
                                      ".b/a",
                                      "a b",
                                      "a\nb",
                                      "a\\b",
                                      "caf\xc3\xa9",
                                      "a\"b",
                                      ".blobs/x",
                                      "mmproj",
                                      "x%2fy",
                                      "$HOME",
                                      "x-00002-of-00003"};
    struct fixture *f = *state;
    char longest[400];

    for (size_t i = 0; i < GS_COUNT_OF(bad); i++) {
        if (copy(f, "first", bad[i]) != GS_EINVAL)
            fail_msg("\"%s\" was taken", bad[i]);
    }
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    assert_int_equal(copy(f, "first", longest), GS_EINVAL);
    assert_string_equal(names(f), "first");
}

static void test_split_models(void **state)
{
    struct fixture *f = *state;

    write_model("out/big-00001-of-00002.gguf");
    write_model("out/big-00002-of-00002.gguf");
    assert_int_equal(copy(f, "big", "bigger"), GS_OK);
    assert_true(exists("own/bigger-00001-of-00002.gguf"));
    assert_true(exists("own/bigger-00002-of-00002.gguf"));
    assert_string_equal(names(f), "big bigger first");
    assert_int_equal(run_on(f, GS_ERRAND_DELETE, "bigger"), GS_OK);
    assert_false(exists("own/bigger-00002-of-00002.gguf"));
    assert_true(exists("out/big-00002-of-00002.gguf"));
}

static void test_create(void **state)
{
    struct fixture *f = *state;
    const struct gs_errand from = {
        .kind = GS_ERRAND_CREATE, .model = GS_SLICE_LIT("first"), .target = GS_SLICE_LIT("mine")};
    struct gs_errand blob = {.kind = GS_ERRAND_CREATE,
                             .digest = GS_SLICE_LIT("sha256:../../../etc/passwd"),
                             .target = GS_SLICE_LIT("x")};

    assert_int_equal(run(f, from), GS_OK);
    assert_string_equal(names(f), "first mine");
    assert_int_equal(run(f, blob), GS_EINVAL);
    blob.digest =
        GS_SLICE_LIT("sha256:0123456789012345678901234567890123456789012345678901234567890123");
    assert_int_equal(run(f, blob), GS_ENOTFOUND);
    blob.kind = GS_ERRAND_BLOB_FIND;
    assert_int_equal(run(f, blob), GS_ENOTFOUND);
    blob.digest = GS_SLICE_LIT("md5:00");
    assert_int_equal(run(f, blob), GS_EINVAL);
}

/* ---- blobs ---- */

static const char blob_digest[] =
    "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"; /* of "abc" */

static size_t count_blobs(void)
{
    char path[128];
    size_t n = 0;

    snprintf(path, sizeof(path), "%s/.blobs", own);
    DIR *dir = opendir(path);
    for (const struct dirent *e = dir ? readdir(dir) : NULL; e; e = readdir(dir))
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    if (dir)
        closedir(dir);
    return n;
}

/* Send the pieces; GS_OK or the code of the error. f->n_blobs: how many there are when that is
 * told. */
static enum gs_status send_blob(struct fixture *f, const char *digest, const char *const *pieces,
                                size_t n)
{
    struct gs_local_call *c;

    f->e = (struct gs_errand){
        .kind = GS_ERRAND_BLOB_ADD, .arena = &f->a, .digest = gs_slice_str(digest)};
    f->err = (struct gs_error){0};
    f->st = GS_OK;
    assert_int_equal(gs_local_errand(f->l, &f->e, on_event, f, &c, NULL), GS_OK);
    for (size_t i = 0; i < n && f->st == GS_OK; i++) {
        gs_local_call_feed(c, gs_slice_str(pieces[i]), i + 1 == n);
        sem_wait(&f->last);
    }
    f->n_blobs = count_blobs();
    gs_local_call_free(c, on_free, f);
    sem_wait(&f->freed);
    return f->st;
}

static void test_blobs(void **state)
{
    static const char *const abc[] = {"a", "", "bc"};
    struct fixture *f = *state;
    struct gs_errand e = {.kind = GS_ERRAND_CREATE, .target = GS_SLICE_LIT("x")};

    assert_int_equal(send_blob(f, blob_digest, abc, 3), GS_OK);
    assert_int_equal(count_blobs(), 1);
    assert_int_equal(send_blob(f, blob_digest, abc, 3), GS_OK); /* once more */
    assert_int_equal(count_blobs(), 1);
    e.digest = gs_slice_str(blob_digest);
    assert_int_equal(run(f, e), GS_EFORMAT); /* no model */
    assert_string_equal(names(f), "first");
    e.kind = GS_ERRAND_BLOB_FIND;
    assert_int_equal(run(f, e), GS_OK);
}

static void test_blobs_that_are_not_kept(void **state)
{
    static const char *const abd[] = {"ab", "d"};
    struct fixture *f = *state;
    struct gs_local_call *c;

    assert_int_equal(send_blob(f, blob_digest, abd, 2), GS_EINVAL);
    assert_int_equal(f->n_blobs, 0);
    assert_int_equal(send_blob(f, "sha256:ABC", abd, 2), GS_EINVAL);
    assert_int_equal(count_blobs(), 0);
    f->e = (struct gs_errand){
        .kind = GS_ERRAND_BLOB_ADD, .arena = &f->a, .digest = gs_slice_str(blob_digest)};
    assert_int_equal(gs_local_errand(f->l, &f->e, on_event, f, &c, NULL), GS_OK);
    gs_local_call_feed(c, GS_SLICE_LIT("a"), false); /* and the client is gone */
    gs_local_call_free(c, on_free, f);
    sem_wait(&f->freed);
    assert_int_equal(count_blobs(), 0);
}

/* A full disk, as far as a process can have one of its own. */
static void test_a_full_disk(void **state)
{
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = RLIM_INFINITY};
    const struct rlimit any = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
    static const char *const abc[] = {"abc"};
    struct fixture *f = *state;

    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &none);
    assert_int_equal(send_blob(f, blob_digest, abc, 1), GS_EIO);
    setrlimit(RLIMIT_FSIZE, &any);
    assert_non_null(strstr(f->err.msg, "could not write the blob"));
    assert_int_equal(count_blobs(), 0);
    assert_int_equal(send_blob(f, blob_digest, abc, 1), GS_OK);
}

/* Where genset's folder should be there is a file. */
static void test_no_folder(void **state)
{
    static const char *const abc[] = {"abc"};
    struct fixture *f = *state;

    assert_int_equal(gs_os_write_file(own, "x", 1, NULL), GS_OK);
    assert_int_equal(send_blob(f, blob_digest, abc, 1), GS_EIO);
    assert_int_equal(copy(f, "first", "second"), GS_EIO);
    assert_string_equal(names(f), "first");
}

/* ---- what a model tells ---- */

static void test_card(void **state)
{
    struct fixture *f = *state;
    struct gs_json v;
    struct gs_slice arch = {0};

    assert_int_equal(run_on(f, GS_ERRAND_SHOW, "first"), GS_OK);
    assert_int_equal(gs_json_parse(f->e.metadata, &f->a, &v, NULL), GS_OK);
    assert_true(gs_json_get_string(&v, "general.architecture", &arch, NULL));
    assert_true(gs_slice_eq_str(arch, "qwen3"));
    assert_int_equal(gs_json_get(&v, "tokenizer.ggml.tokens")->kind, GS_JSON_NULL);
    assert_true(f->e.chat_template.len > 0);
    assert_int_equal(f->e.tensors.len, 0);
    assert_int_equal(run(f, (struct gs_errand){.kind = GS_ERRAND_SHOW, .wants_lists = true}),
                     GS_OK);
    assert_int_equal(gs_json_parse(f->e.metadata, &f->a, &v, NULL), GS_OK);
    assert_int_equal(gs_json_get(&v, "tokenizer.ggml.tokens")->kind, GS_JSON_ARRAY);
    assert_int_equal(gs_json_parse(f->e.tensors, &f->a, &v, NULL), GS_OK);
    assert_int_equal(run_on(f, GS_ERRAND_SHOW, "nobody"), GS_ENOTFOUND);
    assert_int_equal(n_loaded(f), 0); /* nothing of this opens a model */
}

static void test_tokenizer(void **state)
{
    struct fixture *f = *state;
    const int32_t beyond[] = {1 << 30};
    struct gs_errand e = {
        .kind = GS_ERRAND_TOKENIZE, .text = GS_SLICE_LIT("Hello there"), .wants_pieces = true};
    size_t bytes = 0;

    assert_int_equal(run(f, e), GS_OK);
    assert_true(f->e.n_tokens > 1);
    for (size_t i = 0; i < f->e.n_tokens; i++)
        bytes += f->e.pieces[i].len;
    assert_int_equal(bytes, strlen("Hello there"));
    e = (struct gs_errand){
        .kind = GS_ERRAND_DETOKENIZE, .tokens = f->e.tokens, .n_tokens = f->e.n_tokens};
    assert_int_equal(run(f, e), GS_OK);
    assert_true(gs_slice_eq_str(f->e.text, "Hello there"));
    e.tokens = beyond;
    e.n_tokens = 1;
    assert_int_equal(run(f, e), GS_EINVAL);
    assert_int_equal(run_on(f, GS_ERRAND_FACTS, ""), GS_OK);
    assert_string_equal(f->e.models[0].name, "first");
    assert_int_equal(f->e.models[0].fit_tokens, 256);
    assert_int_equal(f->e.n_slots, 3);
}

/* ---- memory ---- */

/* The errand with the n-th allocation from its start failing; GS_OK once nothing does. */
static enum gs_status run_short(struct fixture *f, struct gs_errand e, long n)
{
    struct gs_local_call *c;

    f->e = e;
    f->e.arena = &f->a;
    gs_alloc_fail_at(n);
    enum gs_status st = gs_local_errand(f->l, &f->e, on_event, f, &c, &f->err);
    if (st == GS_OK) {
        sem_wait(&f->last);
        gs_local_call_free(c, on_free, f);
        sem_wait(&f->freed);
        st = f->st;
    }
    const bool has_failed = gs_alloc_count() >= n;
    gs_alloc_fail_at(0);
    assert_true(st == GS_OK || (has_failed && st == GS_ENOMEM));
    gs_arena_clear(&f->a);
    return has_failed ? GS_ENOMEM : GS_OK;
}

static void test_memory(void **state)
{
    static const struct {
        struct gs_errand e;
        long step;
    } cases[] = {
        {{.kind = GS_ERRAND_LIST}, 1},
        {{.kind = GS_ERRAND_FIND, .model = GS_SLICE_LIT("first")}, 1},
        {{.kind = GS_ERRAND_SHOW, .model = GS_SLICE_LIT("first"), .wants_lists = true}, 5},
        {{.kind = GS_ERRAND_COPY, .model = GS_SLICE_LIT("first"), .target = GS_SLICE_LIT("second")},
         1},
        {{.kind = GS_ERRAND_FACTS}, 7},
        {{.kind = GS_ERRAND_TOKENIZE, .text = GS_SLICE_LIT("Hello"), .wants_pieces = true}, 1},
        {{.kind = GS_ERRAND_CLOSE}, 1},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < GS_COUNT_OF(cases); i++) {
        long n = 1;
        while (run_short(f, cases[i].e, n) != GS_OK)
            n += cases[i].step;
    }
}

/* ---- how long a model stays ---- */

static void open_for(struct fixture *f, bool is_set, int64_t ms)
{
    const struct gs_errand e = {.kind = GS_ERRAND_OPEN, .keep = {.is_set = is_set, .ms = ms}};

    assert_int_equal(run(f, e), GS_OK);
}

static void test_keep(void **state)
{
    struct fixture *f = *state;
    const struct gs_local_model *m;

    open_for(f, false, 0);
    gs_local_models(f->l, &m);
    assert_true(m[0].is_loaded && m[0].expires_us == INT64_MAX);
    open_for(f, true, 3600000);
    gs_local_models(f->l, &m);
    assert_true(m[0].is_loaded && m[0].expires_us > 0 && m[0].expires_us < INT64_MAX);
    open_for(f, true, -1);
    gs_local_models(f->l, &m);
    assert_true(m[0].expires_us == INT64_MAX);
    assert_int_equal(run_on(f, GS_ERRAND_CLOSE, "first"), GS_OK);
    assert_int_equal(run_on(f, GS_ERRAND_CLOSE, "first"), GS_OK); /* by now it is closed */
    assert_int_equal(n_loaded(f), 0);
    assert_int_equal(run_on(f, GS_ERRAND_CLOSE, "nobody"), GS_ENOTFOUND);
    open_for(f, true, 0);
    assert_int_equal(run_on(f, GS_ERRAND_CLOSE, "first"), GS_OK);
    assert_int_equal(n_loaded(f), 0);
    open_for(f, true, 1);
    while (n_loaded(f) > 0) /* it closes by itself */
        ;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_files_come_and_go, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_copy_and_delete, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_hostile_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_split_models, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_create, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_blobs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_blobs_that_are_not_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_full_disk, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_folder, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_card, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_tokenizer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_memory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_keep, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
