/* Files, memory, processors, events, threads and clocks of this machine. */
#include "cmocka_headers.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/os.h"
#include "base/slice.h"
#include "base/thread.h"

static char folder[] = "/tmp/genset-test-XXXXXX";

static int enter_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? chdir(folder) : -1;
}

static int leave_folder(void **state)
{
    (void)state;
    return chdir("/") == 0 ? rmdir(folder) : -1;
}

/* ---- files ---- */

static void files_are_written_read_and_mapped(void **state)
{
    static char content[200000];
    struct gs_error err = {0};
    struct gs_buf b;
    struct gs_os_map m;
    (void)state;

    for (size_t i = 0; i < sizeof(content); i++)
        content[i] = (char)(i % 251);
    assert_int_equal(gs_os_write_file("f", content, sizeof(content), &err), GS_OK);
    gs_buf_init(&b, GS_MIB);
    gs_buf_puts(&b, "x"); /* reading appends */
    assert_int_equal(gs_os_read_file("f", &b, &err), GS_OK);
    assert_int_equal(b.len, sizeof(content) + 1);
    assert_memory_equal(b.ptr + 1, content, sizeof(content));
    gs_buf_clear(&b);

    assert_int_equal(gs_os_map_file("f", &m, &err), GS_OK);
    assert_int_equal(m.len, sizeof(content));
    assert_memory_equal(m.ptr, content, sizeof(content));
    gs_os_map_touch(&m, 0, m.len);
    gs_os_map_touch(&m, 5, SIZE_MAX);
    gs_os_map_touch(&m, m.len + 5, 1);
    assert_true(gs_os_map_resident(&m) > 0.9);
    if (gs_os_map_lock(&m, &err) != GS_OK) /* may be refused */
        assert_int_equal(err.code, GS_ENOMEM);
    gs_os_unmap(&m);
    assert_null(m.ptr);
    gs_os_unmap(&m);
    gs_os_unmap(NULL);
    unlink("f");
}

static void empty_files_are_files(void **state)
{
    struct gs_error err = {0};
    struct gs_os_map m = {(const uint8_t *)"x", 1};
    struct gs_buf b;
    (void)state;

    assert_int_equal(gs_os_write_file("f", NULL, 0, &err), GS_OK);
    assert_int_equal(gs_os_map_file("f", &m, &err), GS_OK);
    assert_true(!m.ptr && m.len == 0);
    gs_os_map_touch(&m, 0, 1);
    assert_true(gs_os_map_resident(&m) > 0.9);
    assert_int_equal(gs_os_map_lock(&m, &err), GS_OK);
    gs_os_unmap(&m);
    gs_buf_init(&b, 10);
    assert_int_equal(gs_os_read_file("f", &b, &err), GS_OK);
    assert_int_equal(b.len, 0);
    unlink("f");
}

static void file_errors_are_told(void **state)
{
    struct gs_error err = {0};
    struct gs_os_map m;
    struct gs_buf b;
    (void)state;

    gs_buf_init(&b, 10);
    assert_int_equal(gs_os_read_file("none", &b, &err), GS_ENOTFOUND);
    assert_string_equal(err.msg, "could not open file \"none\": No such file or directory");
    assert_int_equal(gs_os_map_file("none", &m, &err), GS_ENOTFOUND);
    assert_int_equal(gs_os_map_file(".", &m, &err), GS_EIO);
    assert_string_equal(err.msg, "\".\" is not a regular file");
    assert_int_equal(gs_os_read_file(".", &b, &err), GS_EIO);
    assert_string_equal(err.msg, "could not read file \".\": Is a directory");
    assert_int_equal(gs_os_write_file("no/such", "x", 1, &err), GS_EIO);
    assert_int_equal(gs_os_write_file("f", "01234567890", 11, &err), GS_OK);
    assert_int_equal(gs_os_read_file("f", &b, &err), GS_ELIMIT);
    assert_string_equal(err.msg, "file \"f\" is larger than 10 bytes");
    unlink("f");
    if (access("/dev/full", W_OK) == 0) {
        assert_int_equal(gs_os_write_file("/dev/full", "x", 1, &err), GS_EIO);
        assert_string_equal(err.msg, "could not write file \"/dev/full\": No space left on device");
    }
    gs_buf_clear(&b);
}

static void a_failed_allocation_is_no_limit(void **state)
{
    struct gs_error err = {0};
    struct gs_buf b;
    (void)state;

    gs_buf_init(&b, GS_MIB);
    assert_int_equal(gs_os_write_file("f", "x", 1, &err), GS_OK);
    gs_alloc_fail_at(1);
    assert_int_equal(gs_os_read_file("f", &b, &err), GS_ENOMEM);
    gs_alloc_fail_at(0);
    gs_buf_clear(&b);
    unlink("f");
}

static void folders_are_made(void **state)
{
    struct gs_error err = {0};
    char longest[5000];
    (void)state;

    assert_int_equal(gs_os_make_dirs("a/b//c/", &err), GS_OK);
    assert_int_equal(gs_os_make_dirs("a/b", &err), GS_OK);
    assert_true(gs_os_is_dir("a/b/c"));
    assert_false(gs_os_is_dir("a/x"));
    assert_int_equal(gs_os_write_file("a/f", "x", 1, &err), GS_OK);
    assert_false(gs_os_is_dir("a/f"));
    assert_int_equal(gs_os_make_dirs("a/f", &err), GS_EIO);
    assert_int_equal(gs_os_make_dirs("a/f/g", &err), GS_EIO);
    assert_int_equal(gs_os_make_dirs("", &err), GS_EINVAL);
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    assert_int_equal(gs_os_make_dirs(longest, &err), GS_EINVAL);
    unlink("a/f");
    assert_true(rmdir("a/b/c") == 0 && rmdir("a/b") == 0 && rmdir("a") == 0);
}

/* ---- memory and processors ---- */

static void memory_is_reserved_and_discarded(void **state)
{
    const size_t n = 64 * GS_MIB;
    unsigned char *p = gs_os_reserve(n);
    (void)state;

    assert_non_null(p);
    assert_int_equal(p[n - 1], 0);
    p[0] = 7;
    gs_os_discard(p, gs_os_page_bytes());
    assert_int_equal(p[0], 0);
    gs_os_release(p, n);
    gs_os_release(NULL, n);
    assert_null(gs_os_reserve(SIZE_MAX / 2));
}

static void files_are_copied_into_huge_pages(void **state)
{
    static char content[3 << 20];
    struct gs_error err = {0};
    struct gs_os_map m;
    (void)state;

    for (size_t i = 0; i < sizeof(content); i++)
        content[i] = (char)(i % 253);
    assert_int_equal(gs_os_write_file("f", content, sizeof(content), &err), GS_OK);
    const enum gs_status st = gs_os_map_copy_huge("f", &m, &err);
    if (st == GS_OK) {
        assert_int_equal(m.len, sizeof(content));
        assert_memory_equal(m.ptr, content, sizeof(content));
        gs_os_unmap(&m);
        assert_int_equal(gs_os_map_copy_huge("none", &m, &err), GS_ENOTFOUND);
        assert_int_equal(gs_os_map_copy_huge(".", &m, &err), GS_EIO);
        assert_int_equal(gs_os_write_file("f", "", 0, &err), GS_OK);
        assert_int_equal(gs_os_map_copy_huge("f", &m, &err), GS_OK);
        assert_null(m.ptr);
    } else {
        assert_int_equal(st, GS_EUNSUPPORTED); /* switched off here */
        assert_string_equal(err.msg, "the system has huge pages switched off");
        assert_true(err.hint[0] != '\0');
    }
    unlink("f");
}

static void a_file_beyond_memory_is_not_copied(void **state)
{
    struct gs_error err = {0};
    struct gs_os_map m;
    (void)state;

    assert_int_equal(gs_os_write_file("f", "x", 1, &err), GS_OK);
    if (truncate("f", (off_t)1 << 42) == 0) { /* sparse; not every file system has such */
        const enum gs_status st = gs_os_map_copy_huge("f", &m, &err);
        assert_true(st == GS_ENOMEM || st == GS_EUNSUPPORTED);
        assert_true(st != GS_ENOMEM || err.needed == (long long)1 << 42);
    }
    unlink("f");
}

/* A page that is not there cannot be locked: how a refusal reads. */
static void refused_locks_are_told(void **state)
{
    const size_t page = gs_os_page_bytes();
    struct gs_error err = {0};
    uint8_t *p = gs_os_reserve(page);
    const struct gs_os_map gone = {p, page};
    (void)state;

    gs_os_release(p, page);
    assert_int_equal(gs_os_map_lock(&gone, &err), GS_ENOMEM);
    assert_string_equal(err.msg, "could not lock 0 MiB in memory: Cannot allocate memory");
    assert_non_null(strstr(err.hint, "ulimit -l"));
}

static void memory_is_spread_where_there_are_nodes(void **state)
{
    struct gs_error err = {0};
    (void)state;

    if (gs_os_memory_spread(&err) != GS_OK) {
        assert_int_equal(err.code, GS_EUNSUPPORTED);
        assert_non_null(strstr(err.msg, "NUMA"));
    }
    gs_os_memory_gather();
}

static void the_machine_is_described(void **state)
{
    struct gs_os_usage usage;
    (void)state;
    assert_true(gs_os_page_bytes() >= 4096);
    assert_true(gs_os_memory_total_bytes() > (int64_t)GS_MIB);
    assert_true(gs_os_memory_available_bytes() > 0);
    assert_true(gs_os_memory_available_bytes() <= gs_os_memory_total_bytes());
    gs_os_usage(&usage);
    assert_true(usage.anon_bytes > 0 && usage.anon_bytes <= usage.rss_bytes);
    assert_true(usage.peak_bytes >= usage.rss_bytes);
    assert_true(gs_os_core_count() >= 1);
}

/* ---- waiting, threads, time ---- */

static bool readable(int fd)
{
    struct pollfd p = {fd, POLLIN, 0};

    return poll(&p, 1, 0) == 1;
}

static void events_stay_until_drained(void **state)
{
    int fd;
    (void)state;

    assert_int_equal(gs_os_event_create(&fd, NULL), GS_OK);
    assert_false(readable(fd));
    gs_os_event_drain(fd); /* does not wait */
    gs_os_event_signal(fd);
    gs_os_event_signal(fd);
    assert_true(readable(fd));
    gs_os_event_drain(fd);
    assert_false(readable(fd));
    close(fd);
}

static uint32_t futex;

static void change_and_wake(void *arg)
{
    sigset_t blocked;

    assert_int_equal(gs_thread_current(), GS_THREAD_POOL);
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    *(bool *)arg = sigismember(&blocked, SIGINT) == 1; /* signals belong to the main thread */
    __atomic_store_n(&futex, 1, __ATOMIC_RELEASE);
    gs_os_futex_wake(&futex, 1);
}

static void futexes_wake(void **state)
{
    pthread_t thread;
    bool blocked = false;
    (void)state;

    gs_os_futex_wait(&futex, 5); /* differs: returns at once */
    assert_int_equal(gs_thread_start(&thread, GS_THREAD_POOL, change_and_wake, &blocked, NULL),
                     GS_OK);
    while (__atomic_load_n(&futex, __ATOMIC_ACQUIRE) == 0)
        gs_os_futex_wait(&futex, 0);
    pthread_join(thread, NULL);
    assert_true(blocked);
    assert_int_equal(gs_thread_current(), GS_THREAD_NONE);
    gs_alloc_fail_at(1);
    assert_int_equal(gs_thread_start(&thread, GS_THREAD_POOL, change_and_wake, &blocked, NULL),
                     GS_ENOMEM);
    gs_alloc_fail_at(0);
}

static void defer(void *arg)
{
    const int nice = getpriority(PRIO_PROCESS, 0);

    (void)gs_os_thread_defer();
    assert_false(gs_os_thread_defer()); /* again */
    *(bool *)arg = getpriority(PRIO_PROCESS, 0) == nice;
}

static void who_defers_keeps_its_share(void **state)
{
    pthread_t thread;
    bool is_kept = false;
    (void)state;

    assert_int_equal(gs_thread_start(&thread, GS_THREAD_POOL, defer, &is_kept, NULL), GS_OK);
    pthread_join(thread, NULL);
    assert_true(is_kept);
}

static void random_bytes_differ(void **state)
{
    unsigned char bytes[300] = {0};
    size_t zeros = 0;
    (void)state;

    gs_os_random_bytes(bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++)
        zeros += bytes[i] == 0;
    assert_true(zeros < 30);
    assert_true(gs_os_random_u64() != gs_os_random_u64());
    gs_os_random_bytes(NULL, 0);
}

static void clocks_run(void **state)
{
    char text[40];
    (void)state;

    const int64_t a = gs_clock_mono_us();
    assert_true(gs_clock_mono_us() >= a);
    assert_true(gs_clock_wall_s() > 1600000000);
    assert_true(gs_clock_wall_us() / 1000000 >= gs_clock_wall_s() - 1);
    gs_clock_format_us(0, text, sizeof(text));
    assert_string_equal(text, "1970-01-01T00:00:00Z");
    gs_clock_format_us(1768469400123456, text, sizeof(text));
    assert_string_equal(text, "2026-01-15T09:30:00.123Z");
    gs_clock_iso8601(text, sizeof(text));
    assert_int_equal(strlen(text), 24);
    gs_clock_iso8601(text, 5);
    assert_int_equal(strlen(text), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_written_read_and_mapped),
        cmocka_unit_test(empty_files_are_files),
        cmocka_unit_test(file_errors_are_told),
        cmocka_unit_test(a_failed_allocation_is_no_limit),
        cmocka_unit_test(folders_are_made),
        cmocka_unit_test(memory_is_reserved_and_discarded),
        cmocka_unit_test(files_are_copied_into_huge_pages),
        cmocka_unit_test(a_file_beyond_memory_is_not_copied),
        cmocka_unit_test(refused_locks_are_told),
        cmocka_unit_test(memory_is_spread_where_there_are_nodes),
        cmocka_unit_test(the_machine_is_described),
        cmocka_unit_test(events_stay_until_drained),
        cmocka_unit_test(futexes_wake),
        cmocka_unit_test(who_defers_keeps_its_share),
        cmocka_unit_test(random_bytes_differ),
        cmocka_unit_test(clocks_run),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
