/* Where a model's bytes are put: every way computes the same, and what the system refuses is told.
 */
#include "cmocka_headers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/os.h"
#include "genset/genset.h"
#include "standin/standin.h"

#define N_TOKENS  4
#define PAD_BYTES (128 * GS_MIB)

static char path[] = "/tmp/genset-test-load-XXXXXX";

static int set_up(void **state)
{
    struct gs_error err = {0};
    const int fd = mkstemp(path);

    (void)state;
    if (fd < 0)
        return -1;
    close(fd);
    return gs_os_write_file(path, gs_standin_gguf, gs_standin_gguf_bytes, &err) == GS_OK &&
                   chmod(path, 0644) == 0
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return unlink(path);
}

static struct gs_llm_options options(void)
{
    struct gs_llm_options opt;

    gs_llm_options_init(&opt);
    opt.n_threads = 2;
    opt.ctx_tokens = 256;
    opt.max_sequences = 1;
    return opt;
}

/* Logits after a few tokens; NULL if the model was refused. */
static float *logits_of(const struct gs_llm_options *opt, size_t *out_n, struct gs_error *err)
{
    const int32_t tokens[N_TOKENS] = {5, 6, 7, 8};
    struct gs_llm_info info;
    gs_session *s;
    gs_llm *llm;

    if (gs_llm_open(path, opt, &llm, err) != GS_OK)
        return NULL;
    gs_llm_info(llm, &info);
    *out_n = (size_t)info.n_vocab;
    float *copy = malloc(*out_n * sizeof(*copy));
    assert_non_null(copy);
    assert_int_equal(gs_session_create(llm, 64, &s, err), GS_OK);
    assert_int_equal(gs_session_feed(s, tokens, N_TOKENS, 1, err), GS_OK);
    memcpy(copy, gs_session_logits(s), *out_n * sizeof(*copy));
    gs_session_free(s);
    gs_llm_close(llm);
    return copy;
}

static void bytes_are_the_same_wherever_they_are(void **state)
{
    struct gs_error err = {0};
    struct gs_llm_options opt = options();
    size_t n;
    float *plain = logits_of(&opt, &n, &err);
    (void)state;

    assert_non_null(plain);
    for (int way = 1; way < 8; way++) {
        size_t n_here;
        opt.lock_memory = way & 1;
        opt.huge_pages = way & 2;
        opt.numa_spread = way & 4;
        float *here = logits_of(&opt, &n_here, &err);
        if (here) {
            assert_int_equal(n_here, n);
            assert_memory_equal(here, plain, n * sizeof(*plain));
        } else { /* this machine cannot: it has to say so */
            assert_true(err.code == GS_EUNSUPPORTED || err.code == GS_ENOMEM);
            assert_true(err.code != GS_ENOMEM || opt.lock_memory);
            assert_true(strstr(err.msg, "NUMA") || strstr(err.msg, "huge pages") ||
                        strstr(err.msg, "lock"));
        }
        free(here);
    }
    free(plain);
}

static void metadata_needs_none_of_it(void **state)
{
    struct gs_llm_options opt = options();
    struct gs_error err = {0};
    gs_llm *llm;
    (void)state;

    opt.weights_only = opt.lock_memory = opt.huge_pages = opt.numa_spread = true;
    assert_int_equal(gs_llm_open(path, &opt, &llm, &err), GS_OK);
    gs_llm_close(llm);
}

/* In a process that may lock nothing. */
static int open_without_permission(void)
{
    const struct rlimit none = {0, 0};
    struct gs_llm_options opt = options();
    struct gs_error err = {0};
    gs_llm *llm = NULL;

    if (setrlimit(RLIMIT_MEMLOCK, &none) != 0 || (geteuid() == 0 && setuid(65534) != 0))
        return 2;
    opt.lock_memory = true;
    const enum gs_status st = gs_llm_open(path, &opt, &llm, &err);
    return st == GS_ENOMEM && !llm && strstr(err.msg, "could not lock") &&
                   strstr(err.hint, "ulimit -l")
               ? 0
               : 1;
}

static void a_forbidden_lock_is_refused(void **state)
{
    int status;
    (void)state;

    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(open_without_permission());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 2) {
        print_message("cannot give up the permission to lock memory\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* A file of the model with so many bytes behind it. */
static bool pad_model(const char *to, off_t n)
{
    struct gs_buf b;

    gs_buf_init(&b, GS_GIB);
    const bool does = gs_os_read_file(path, &b, NULL) == GS_OK &&
                      gs_os_write_file(to, b.ptr, b.len, NULL) == GS_OK &&
                      truncate(to, (off_t)b.len + n) == 0;
    gs_buf_clear(&b);
    return does;
}

/* In a process whose address space has room for the weights and three quarters as much. */
static int open_in_little_space(const char *padded)
{
    struct gs_llm_options opt = options();
    struct rlimit limit;
    struct gs_error err = {0};
    unsigned long n_pages = 0;
    gs_llm *llm = NULL;

    FILE *fp = fopen("/proc/self/statm", "r");
    if (!fp || fscanf(fp, "%lu", &n_pages) != 1)
        return 2;
    fclose(fp);
    limit.rlim_cur = limit.rlim_max = n_pages * gs_os_page_bytes() + 7 * PAD_BYTES / 4;
    if (setrlimit(RLIMIT_AS, &limit) != 0)
        return 2;
    opt.ctx_tokens = 512;
    opt.n_threads = 1;
    const enum gs_status st = gs_llm_open(padded, &opt, &llm, &err);
    if (st != GS_OK)
        fprintf(stderr, "%s\n", err.msg);
    gs_llm_close(llm);
    return st == GS_OK ? 0 : 1;
}

/* A mapping has its address space already: it is not to fit once more. */
static void mapped_weights_count_once(void **state)
{
    char padded[64];
    int status;
    (void)state;

    snprintf(padded, sizeof(padded), "/tmp/genset-test-padded-%d.gguf", (int)getpid());
    assert_true(pad_model(padded, PAD_BYTES));
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(open_in_little_space(padded));
    assert_int_equal(waitpid(child, &status, 0), child);
    unlink(padded);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static double last_progress;

static void on_progress(void *ud, double done)
{
    assert_true(done >= last_progress && done <= 1);
    last_progress = done;
    ++*(int *)ud;
}

static void progress_ends_at_one(void **state)
{
    struct gs_llm_options opt = options();
    struct gs_error err = {0};
    gs_llm *llm;
    int calls = 0;
    (void)state;

    opt.on_progress = on_progress;
    opt.progress_ud = &calls;
    assert_int_equal(gs_llm_open(path, &opt, &llm, &err), GS_OK);
    gs_llm_close(llm);
    assert_true(calls >= 2 && last_progress == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_forbidden_lock_is_refused),
        cmocka_unit_test(mapped_weights_count_once),
        cmocka_unit_test(bytes_are_the_same_wherever_they_are),
        cmocka_unit_test(metadata_needs_none_of_it),
        cmocka_unit_test(progress_ends_at_one),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
