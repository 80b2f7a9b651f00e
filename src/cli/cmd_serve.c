/* genset serve: models over HTTP until a signal says stop. The port is bound before the model is
 * opened, so that a port in use is told at once; requests wait until it is there. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/os.h"
#include "base/slice.h"
#include "cli/launch.h"
#include "cli/reload.h"
#include "http/http.h"
#include "ledger/ledger.h"
#include "provider/local.h"
#include "server/server.h"

#define MAX_LEDGER_ROWS    1000000 /* some 200 MB */
#define MAX_LEDGER_WAITING 16384
#define MAX_FILES          8192 /* a connection of each client, and one for it */

static struct gs_server *running; /* for the signal handler, the only reader */

static void on_signal(int sig)
{
    (void)sig;
    gs_server_stop(running);
}

/* NULL gives the signals their own effect back. */
static void handle_signals(struct gs_server *server)
{
    struct sigaction act = {.sa_handler = server ? on_signal : SIG_DFL};

    if (server)
        running = server;
    sigemptyset(&act.sa_mask);
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
}

static void show_progress(void *ud, double done)
{
    (void)ud;
    fprintf(stderr, done < 1 ? "\rloading the model: %d%%" : "\r\033[K", (int)(done * 100));
    fflush(stderr);
}

/* By a tool that was launched for this server. */
static bool is_held(void *ud)
{
    return gs_cli_launch_is_held(ud, gs_server_port(running));
}

static void warn_loss(void *ud, const struct gs_error *err, uint64_t n_lost)
{
    gs_log_write(ud, GS_LOG_WARN, "ledger", "%" PRIu64 " requests were not recorded: %s", n_lost,
                 err->msg);
}

/* The ledger, or NULL: a server without a record is better than none. */
static struct gs_ledger *open_ledger(const struct gs_config *c, const struct gs_log *log)
{
    char path[4096];
    const struct gs_ledger_options opt = {
        .path = path,
        .keep_days = c->ledger_days,
        .keep_rows = MAX_LEDGER_ROWS,
        .max_waiting = MAX_LEDGER_WAITING,
        .on_loss = warn_loss,
        .ud = (void *)(uintptr_t)log,
    };
    struct gs_ledger *l = NULL;
    struct gs_error err;

    if (!c->ledger)
        return NULL;
    enum gs_status st = gs_cli_ledger_path(c, path, sizeof(path), &err);
    if (st == GS_OK)
        st = gs_os_make_dirs(c->data_dir, &err);
    if (st == GS_OK)
        st = gs_ledger_open(&opt, &l, &err);
    if (st != GS_OK)
        gs_log_write(log, GS_LOG_WARN, "ledger", "requests are not recorded: %s", err.msg);
    return l;
}

/* Whether there is more than pilot, or it was asked for by name. Pilot is opened when it is asked.
 */
static bool has_model(const struct gs_config *c, const char *path)
{
    char pilot[4096];

    return c->args.len > 0 || gs_cli_pilot_path(c, pilot, sizeof(pilot), NULL) != GS_OK ||
           strcmp(path, pilot) != 0;
}

static enum gs_status create_server(const struct gs_config *c, const char *path,
                                    struct gs_local *local, struct gs_ledger *ledger,
                                    struct gs_cli_reload *reload, const struct gs_log *log,
                                    struct gs_server **out_server, struct gs_error *err)
{
    struct gs_server_options opt;
    struct gs_cli_keys keys = {0};
    struct gs_arena arena;
    char host[256];
    int port;

    gs_server_options_init(&opt);
    enum gs_status st = gs_config_address_split(c->listen, host, sizeof(host), &port, err);
    if (st != GS_OK)
        return st;
    gs_arena_init(&arena, GS_MAX_TEXT_BYTES);
    st = gs_cli_keys(c, &arena, &keys, err);
    opt.api_keys = keys.keys;
    opt.key_names = keys.names;
    opt.n_api_keys = keys.n;
    opt.host = host;
    opt.port = port;
    opt.tls_cert = c->tls_cert;
    opt.tls_key = c->tls_key;
    opt.origins = c->cors_origins.items;
    opt.n_origins = c->cors_origins.len;
    opt.log = log;
    opt.ledger = ledger;
    opt.routes_fd = gs_cli_reload_fd(reload);
    opt.take_routes = gs_cli_reload_take;
    opt.read_routes = gs_cli_reload_ask;
    opt.routes_ud = reload;
    opt.sysfs = c->sysfs;
    opt.keepalive_ms = c->keepalive_ms;
    opt.idle_exit_ms = c->idle_exit_ms;
    opt.is_needed = is_held;
    opt.needed_ud = (void *)(uintptr_t)c;
    opt.has_local = has_model(c, path);
    gs_switch_backend_local(&opt.backend, local);
    if (st == GS_OK)
        st = gs_server_create(&opt, out_server, err);
    gs_arena_clear(&arena);
    return st;
}

/* "http://[::1]:8484" */
static void log_address(const struct gs_config *c, const struct gs_server *server)
{
    const struct gs_log log = {GS_LOG_INFO, (enum gs_log_format)c->log_format, STDERR_FILENO};
    const int host_len = (int)(strrchr(c->listen, ':') - c->listen);

    gs_log_write(&log, GS_LOG_INFO, "server", "listening on %s://%.*s:%d",
                 c->tls_cert ? "https" : "http", host_len, c->listen, gs_server_port(server));
}

/* Say why the best kernels are not used, unless others were asked for. */
static void log_kernels(const struct gs_llm_options *llm, const struct gs_log *log)
{
    const char *problem = llm->cpu ? NULL : gs_llm_cpu_problem();

    if (problem)
        gs_log_write(log, GS_LOG_WARN, "compute", "%s", problem);
}

/* Give up the network, if that is asked for. What is served beyond this machine is reached by
 * answering, so it must not be. */
static enum gs_status become_hermit(const struct gs_config *c, const struct gs_log *log,
                                    struct gs_error *err)
{
    char host[256];
    bool is_loopback;
    int port;

    if (!c->hermit)
        return GS_OK;
    enum gs_status st = gs_config_address_split(c->listen, host, sizeof(host), &port, err);
    if (st == GS_OK)
        st = gs_http_is_loopback(host, &is_loopback, err);
    if (st != GS_OK)
        return st;
    if (!is_loopback) {
        gs_error_set(err, GS_EINVAL, "a hermit is not served beyond this machine, at \"%s\"", host);
        gs_error_hint(err, "Listen on 127.0.0.1, or leave out --hermit.");
        return GS_EINVAL;
    }
    st = gs_os_forbid_network(err);
    if (st == GS_OK)
        gs_log_write(log, GS_LOG_INFO, "server", "hermit: the kernel refuses every connection out");
    return st;
}

int gs_cli_serve(struct gs_config *c, struct gs_buf *out)
{
    const struct gs_log log = {(enum gs_log_level)c->log_level, (enum gs_log_format)c->log_format,
                               STDERR_FILENO};
    struct gs_llm_options llm;
    struct gs_server *server = NULL;
    struct gs_local *local = NULL;
    struct gs_cli_reload *reload = NULL;
    struct gs_error err;
    char path[4096];
    char beginnings[4096];
    int code = GS_EXIT_OK;

    (void)out; /* everything is said in the log */
    gs_os_allow_files(MAX_FILES);
    if (become_hermit(c, &log, &err) != GS_OK)
        return gs_cli_fail(&err, err.code == GS_EINVAL ? GS_EXIT_USAGE : GS_EXIT_FAILED);
    if (gs_cli_model_find(c, c->args.len ? c->args.items[0] : NULL, path, sizeof(path), &err) !=
        GS_OK)
        return gs_cli_fail_model(&err);
    gs_cli_llm_options(c, &llm);
    if (c->warm && c->cache_dir) {
        snprintf(beginnings, sizeof(beginnings), "%s/beginnings", c->cache_dir);
        llm.beginnings_dir = beginnings;
    }
    if (isatty(STDERR_FILENO))
        llm.on_progress = show_progress;
    if (gs_cli_local_create(c, &llm, path, path, &local, &err) != GS_OK)
        return gs_cli_fail_model(&err);
    struct gs_ledger *ledger = open_ledger(c, &log);
    if (gs_cli_reload_create(c, &log, &reload, &err) != GS_OK ||
        create_server(c, path, local, ledger, reload, &log, &server, &err) != GS_OK) {
        code = gs_cli_fail(&err, err.code == GS_EINVAL ? GS_EXIT_USAGE : GS_EXIT_FAILED);
        goto out;
    }
    if (has_model(c, path) && gs_local_preload(local, path, &err) != GS_OK) {
        code = gs_cli_fail_model(&err);
        goto out;
    }
    handle_signals(server);
    log_kernels(&llm, &log);
    log_address(c, server);
    if (gs_server_run(server, &err) != GS_OK)
        code = gs_cli_fail(&err, GS_EXIT_FAILED);
    handle_signals(NULL);
out:
    gs_server_free(server);
    gs_cli_reload_free(reload);
    gs_local_free(local);
    gs_ledger_close(ledger);
    return code;
}
