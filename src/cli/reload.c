/* A thread sleeps on the watched file and on an event that SIGHUP and the end signal; what it has
 * read waits in one place until the loop takes it, or something newer comes. */
#include "cli/reload.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/os.h"
#include "base/slice.h"
#include "base/thread.h"

struct gs_cli_reload {
    struct gs_config_source source;
    const struct gs_log *log;
    struct gs_os_watch watch;
    int wake_fd;  /* SIGHUP, or the end */
    int ready_fd; /* for who takes */
    bool is_on_terminal;
    atomic_bool is_ending;
    bool has_thread;
    pthread_t thread;

    pthread_mutex_t lock; /* guards what follows */
    bool has_routes;
    struct gs_config_routes routes;
    struct gs_arena arena;
};

static volatile sig_atomic_t hangup_fd = -1;

static void on_hangup(int sig)
{
    const int errnum = errno;

    (void)sig;
    gs_os_event_signal(hangup_fd); /* one write(2) */
    errno = errnum;
}

static void catch_hangup(int event_fd)
{
    struct sigaction act = {.sa_handler = event_fd >= 0 ? on_hangup : SIG_DFL,
                            .sa_flags = SA_RESTART};

    if (event_fd >= 0)
        hangup_fd = event_fd;
    sigemptyset(&act.sa_mask);
    sigaction(SIGHUP, &act, NULL);
}

/* ---- reading ---- */

static void log_lines(const struct gs_log *log, struct gs_slice text)
{
    while (text.len > 0) {
        const size_t end = GS_MIN(gs_slice_find(text, GS_SLICE_LIT("\n"), 0), text.len);
        gs_log_write(log, GS_LOG_WARN, "config", "%.*s", (int)end, text.ptr);
        text = gs_slice_sub(text, end + 1, text.len);
    }
}

/* One generation; what is wrong with it is logged. */
static enum gs_status read_routes(struct gs_cli_reload *r, struct gs_arena *out_arena,
                                  struct gs_config_routes *out_routes)
{
    struct gs_config fresh;
    struct gs_buf report;

    gs_buf_init(&report, GS_MAX_CONFIG_BYTES);
    enum gs_status st = gs_config_load(&fresh, &r->source, &report);
    if (st == GS_OK)
        st = gs_config_load_keys(&fresh.routes, r->source.env, r->source.env_ud, &fresh.arena,
                                 &report);
    log_lines(r->log, gs_buf_view(&report));
    if (st == GS_ENOMEM)
        gs_log_write(r->log, GS_LOG_WARN, "config", "not enough memory to read the configuration");
    gs_buf_clear(&report);
    if (st == GS_OK) {
        *out_routes = fresh.routes;
        *out_arena = fresh.arena;
    } else {
        gs_config_clear(&fresh);
    }
    return st;
}

static void offer(struct gs_cli_reload *r, struct gs_arena arena,
                  const struct gs_config_routes *routes)
{
    struct gs_arena old;

    pthread_mutex_lock(&r->lock);
    old = r->arena; /* empty, or of routes that nobody took */
    r->arena = arena;
    r->routes = *routes;
    r->has_routes = true;
    pthread_mutex_unlock(&r->lock);
    gs_arena_clear(&old);
    gs_os_event_signal(r->ready_fd);
}

static void read_again(struct gs_cli_reload *r)
{
    struct gs_config_routes routes;
    struct gs_arena arena;
    const enum gs_status st = read_routes(r, &arena, &routes);

    if (st != GS_OK) {
        gs_log_write(r->log, GS_LOG_WARN, "config", "the routes stay as they were");
        return;
    }
    gs_log_write(r->log, GS_LOG_INFO, "config",
                 "routes were read again; other settings hold from the next start");
    offer(r, arena, &routes);
}

static void run(void *arg)
{
    struct gs_cli_reload *r = arg;

    for (;;) {
        struct pollfd fds[] = {{r->wake_fd, POLLIN, 0}, {r->watch.fd, POLLIN, 0}};
        bool has_changed = false;
        if (poll(fds, GS_COUNT_OF(fds), -1) < 0 && errno != EINTR)
            return;
        if (fds[0].revents) {
            gs_os_event_drain(r->wake_fd);
            has_changed = true;
        }
        if (fds[1].revents)
            has_changed = gs_os_watch_read(&r->watch) || has_changed;
        if (atomic_load(&r->is_ending))
            return;
        if (fds[0].revents && r->is_on_terminal && !isatty(STDERR_FILENO)) {
            kill(getpid(), SIGTERM); /* the terminal was closed, and says so with SIGHUP too */
            return;
        }
        if (has_changed)
            read_again(r);
    }
}

/* ---- life ---- */

static enum gs_status start(struct gs_cli_reload *r, const struct gs_config *c,
                            struct gs_error *err)
{
    struct gs_config_routes routes;
    struct gs_arena arena;
    struct gs_error unwatched;

    enum gs_status st = gs_os_event_create(&r->wake_fd, err);
    if (st == GS_OK)
        st = gs_os_event_create(&r->ready_fd, err);
    if (st != GS_OK)
        return st;
    /* watched before it is read, so that no change is missed */
    if (c->file_wanted && gs_os_watch_open(&r->watch, c->file_wanted, &unwatched) != GS_OK)
        gs_log_write(r->log, GS_LOG_DEBUG, "config", "%s", unwatched.msg);
    st = read_routes(r, &arena, &routes);
    if (st != GS_OK)
        return gs_error_set(err, st, "the configuration cannot be read");
    offer(r, arena, &routes);
    st = gs_thread_start(&r->thread, GS_THREAD_RELOAD, run, r, err);
    r->has_thread = st == GS_OK;
    if (st == GS_OK)
        catch_hangup(r->wake_fd);
    return st;
}

enum gs_status gs_cli_reload_create(const struct gs_config *c, const struct gs_log *log,
                                    struct gs_cli_reload **out_r, struct gs_error *err)
{
    struct gs_cli_reload *r = gs_alloc(sizeof(*r));

    if (!r)
        return gs_error_nomem(err, "watch the configuration");
    *r = (struct gs_cli_reload){.source = c->source,
                                .log = log,
                                .watch.fd = -1,
                                .wake_fd = -1,
                                .ready_fd = -1,
                                .is_on_terminal = isatty(STDERR_FILENO)};
    pthread_mutex_init(&r->lock, NULL);
    const enum gs_status st = start(r, c, err);
    if (st != GS_OK) {
        gs_cli_reload_free(r);
        return st;
    }
    *out_r = r;
    return GS_OK;
}

void gs_cli_reload_free(struct gs_cli_reload *r)
{
    if (!r)
        return;
    if (r->has_thread) {
        catch_hangup(-1);
        atomic_store(&r->is_ending, true);
        gs_os_event_signal(r->wake_fd);
        pthread_join(r->thread, NULL);
    }
    gs_os_watch_close(&r->watch);
    if (r->wake_fd >= 0)
        close(r->wake_fd);
    if (r->ready_fd >= 0)
        close(r->ready_fd);
    gs_arena_clear(&r->arena);
    pthread_mutex_destroy(&r->lock);
    gs_free(r);
}

void gs_cli_reload_ask(void *reload)
{
    const struct gs_cli_reload *r = reload;

    gs_os_event_signal(r->wake_fd);
}

int gs_cli_reload_fd(const struct gs_cli_reload *r)
{
    return r->ready_fd;
}

bool gs_cli_reload_take(void *reload, struct gs_arena *out_arena,
                        struct gs_config_routes *out_routes)
{
    struct gs_cli_reload *r = reload;

    gs_os_event_drain(r->ready_fd);
    pthread_mutex_lock(&r->lock);
    const bool has_routes = r->has_routes;
    if (has_routes) {
        *out_arena = r->arena;
        *out_routes = r->routes;
        r->arena = (struct gs_arena){0};
        r->has_routes = false;
    }
    pthread_mutex_unlock(&r->lock);
    return has_routes;
}
