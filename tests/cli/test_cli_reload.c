/* The configuration file changes under a running program. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/os.h"
#include "base/slice.h"
#include "cli/reload.h"
#include "cmocka_headers.h"

#define WAIT_MS 20000 /* passes only if something is lost */

struct fixture {
    char folder[64];
    int log_fds[2];
    const char *argv[2];
    struct gs_log log;
    struct gs_config c;
    struct gs_cli_reload *r;
};

static const char *get_env(void *ud, const char *name)
{
    (void)ud;
    (void)name;
    return NULL;
}

static void write_file(const char *name, const char *text)
{
    struct gs_error err;

    assert_int_equal(gs_os_write_file(name, text, strlen(text), &err), GS_OK);
}

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){.folder = "/tmp/genset-test-XXXXXX",
                         .argv = {"--config", "genset.yaml"},
                         .log = {.level = GS_LOG_WARN}};
    *state = &f;
    if (!mkdtemp(f.folder) || chdir(f.folder) != 0 || pipe(f.log_fds) != 0)
        return -1;
    f.log.fd = f.log_fds[1];
    return 0;
}

static bool remove_folder(const char *folder)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -r %s", folder);
    return system(command) == 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    gs_cli_reload_free(f->r);
    gs_config_clear(&f->c);
    close(f->log_fds[0]);
    close(f->log_fds[1]);
    return chdir("/") == 0 && remove_folder(f->folder) ? 0 : -1;
}

static void start(struct fixture *f, const char *text)
{
    const struct gs_config_source source = {
        .command = GS_COMMAND_SERVE, .argv = f->argv, .argc = 2, .env = get_env};
    struct gs_error err;
    struct gs_buf report;

    write_file("genset.yaml", text);
    gs_buf_init(&report, GS_MAX_CONFIG_BYTES);
    assert_int_equal(gs_config_load(&f->c, &source, &report), GS_OK);
    gs_buf_clear(&report);
    assert_int_equal(gs_cli_reload_create(&f->c, &f->log, &f->r, &err), GS_OK);
}

/* Wait for routes; the first provider there is must be called so. */
static void assert_taken(struct fixture *f, const char *provider)
{
    struct pollfd fd = {gs_cli_reload_fd(f->r), POLLIN, 0};
    struct gs_config_routes routes;
    struct gs_arena arena;

    do
        assert_int_equal(poll(&fd, 1, WAIT_MS), 1);
    while (!gs_cli_reload_take(f->r, &arena, &routes));
    assert_string_equal(routes.providers[1].name, provider);
    gs_arena_clear(&arena);
}

static void assert_logged(struct fixture *f, const char *words)
{
    struct gs_buf got;

    gs_buf_init(&got, GS_MIB);
    do {
        struct pollfd fd = {f->log_fds[0], POLLIN, 0};
        char chunk[4096];
        assert_int_equal(poll(&fd, 1, WAIT_MS), 1);
        const ssize_t n = read(fd.fd, chunk, sizeof(chunk));
        assert_true(n > 0);
        gs_buf_put(&got, chunk, (size_t)n);
    } while (gs_slice_find(gs_buf_view(&got), gs_slice_str(words), 0) == SIZE_MAX);
    gs_buf_clear(&got);
}

static void test_changes_are_seen(void **state)
{
    struct fixture *f = *state;
    struct gs_config_routes routes;
    struct gs_arena arena;

    start(f, "providers: {a: http://h}\n");
    assert_taken(f, "a");
    assert_false(gs_cli_reload_take(f->r, &arena, &routes));
    write_file("other.yaml", "providers: {b: http://h}\n");
    assert_int_equal(rename("other.yaml", "genset.yaml"), 0);
    assert_taken(f, "b");
    write_file("genset.yaml", "providers: {c: http://h}\n"); /* in place */
    assert_taken(f, "c");
}

static void test_mistakes_change_nothing(void **state)
{
    struct fixture *f = *state;
    struct gs_config_routes routes;
    struct gs_arena arena;

    start(f, "providers: {a: http://h}\n");
    assert_taken(f, "a");
    write_file("other.yaml", "providers: {b: ftp://h}\n");
    assert_int_equal(rename("other.yaml", "genset.yaml"), 0);
    assert_logged(f, "the routes stay as they were");
    assert_false(gs_cli_reload_take(f->r, &arena, &routes));
    write_file("other.yaml", "providers: {c: {url: http://h, key: env:NOT_SET}}\n");
    assert_int_equal(rename("other.yaml", "genset.yaml"), 0);
    assert_logged(f, "environment variable NOT_SET is not set");
    assert_taken(f, "c");
}

static void test_hangup(void **state)
{
    struct fixture *f = *state;

    start(f, "providers: {a: http://h}\n");
    assert_taken(f, "a");
    assert_int_equal(raise(SIGHUP), 0);
    assert_taken(f, "a");
}

/* As dotfile managers and Kubernetes have it. */
static void test_links(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(mkdir("v1", 0700), 0);
    assert_int_equal(mkdir("v2", 0700), 0);
    write_file("v1/real.yaml", "providers: {b: http://h}\n");
    write_file("v2/real.yaml", "providers: {c: http://h}\n");
    assert_int_equal(symlink("v1", "..data"), 0);
    assert_int_equal(symlink("..data/real.yaml", "genset.yaml"), 0);
    start(f, "providers: {a: http://h}\n"); /* through the links */
    assert_taken(f, "a");
    write_file("v1/new.yaml", "providers: {b: http://h}\n");
    assert_int_equal(rename("v1/new.yaml", "v1/real.yaml"), 0);
    assert_taken(f, "b");
    assert_int_equal(symlink("v2", "..data_tmp"), 0);
    assert_int_equal(rename("..data_tmp", "..data"), 0);
    assert_taken(f, "c");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_changes_are_seen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_mistakes_change_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_hangup, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_links, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
