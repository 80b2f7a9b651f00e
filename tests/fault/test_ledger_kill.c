/* A process that is killed loses no row that was committed, and no row of an older ledger that it
 * was bringing up to date. */
#include "cmocka_headers.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/rng.h"
#include "ledger_test.h"

#define ROUNDS          16
#define MIGRATION_BYTES 40000 /* some, of what one writes */

static void say_written(void *ud, uint64_t n_written)
{
    const int *fd = ud;

    if (write(*fd, &n_written, sizeof(n_written)) != (ssize_t)sizeof(n_written))
        _exit(1);
}

/* In a child: write rows until it is killed, and say how many are committed. */
static void write_for_ever(const struct folder *f, int fd)
{
    const struct gs_ledger_options opt = {
        .path = f->path, .max_waiting = 64, .on_written = say_written, .ud = &fd};
    struct gs_ledger *l;

    if (gs_ledger_open(&opt, &l, NULL) != GS_OK)
        _exit(1);
    for (;;) {
        const struct gs_ledger_attempt a = an_attempt("a", GS_FAULT_NONE);
        gs_ledger_record_attempt(l, &a);
    }
}

static pid_t fork_writer(const struct folder *f, int *out_fd)
{
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(fds[0]);
        write_for_ever(f, fds[1]);
    }
    close(fds[1]);
    *out_fd = fds[0];
    return child;
}

static void kill_and_wait(pid_t child)
{
    int status;

    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
}

static void assert_sound(const struct folder *f)
{
    assert_int_equal(
        ask_number(f, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"),
        1);
}

static void committed_rows_survive_a_kill(void **state)
{
    const struct folder *f = *state;
    struct gs_rng rng;
    int64_t n_before = 0;

    gs_rng_seed(&rng, 6);
    for (int i = 0; i < ROUNDS; i++) {
        const uint64_t wanted = 1 + gs_rng_u64(&rng) % 2000;
        uint64_t n_written = 0;
        int fd;
        const pid_t child = fork_writer(f, &fd);
        while (n_written < wanted)
            assert_int_equal(read(fd, &n_written, sizeof(n_written)), sizeof(n_written));
        kill_and_wait(child);
        while (read(fd, &n_written, sizeof(n_written)) == (ssize_t)sizeof(n_written))
            continue;
        close(fd);
        assert_sound(f);
        const int64_t n = ask_number(f, "SELECT count(*) FROM attempt");
        assert_true(n >= n_before + (int64_t)n_written);
        assert_int_equal(ask_number(f, "SELECT sum(n) FROM spent"),
                         n); /* in the same transaction */
        n_before = n;
    }
}

/* Of the log that a transaction is written to before it holds. */
static int64_t log_bytes(const struct folder *f)
{
    char path[160];
    struct stat sb;

    snprintf(path, sizeof(path), "%s-wal", f->path);
    return stat(path, &sb) == 0 ? (int64_t)sb.st_size : 0;
}

/* Killed while it writes, at some page of what it writes. */
static void a_killed_migration_loses_nothing(void **state)
{
    const struct folder *f = *state;
    struct gs_rng rng;

    gs_rng_seed(&rng, 7);
    for (int i = 0; i < ROUNDS; i++) {
        const int64_t n_bytes = (int64_t)(gs_rng_u64(&rng) % MIGRATION_BYTES);
        struct pollfd written = {.events = POLLIN};
        int fd;
        run_sql(f, first_ledger_sql);
        const pid_t child = fork_writer(f, &fd);
        written.fd = fd;
        while (log_bytes(f) < n_bytes && poll(&written, 1, 0) == 0)
            continue;
        kill_and_wait(child);
        close(fd);
        assert_sound(f);
        assert_int_equal(ask_number(f, "SELECT count(*) FROM request"), 500);
        gs_ledger_close(open_ledger(f, 0, 0));
        assert_int_equal(ask_number(f, "SELECT sum(prompt_tokens) FROM request"), 500 * 501 / 2);
        assert_int_equal(ask_number(f, "PRAGMA user_version"), 4);
        run_sql(f, "PRAGMA journal_mode=DELETE"); /* folds the log in */
        assert_int_equal(unlink(f->path), 0);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        TEST(committed_rows_survive_a_kill),
        TEST(a_killed_migration_loses_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
