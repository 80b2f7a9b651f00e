/* Finding the server a tool talks to, or starting one.
 *
 * A server that was started for a tool is not tied to that tool: others may use it meanwhile. It
 * ends by itself when nobody has asked for a while and nobody holds on to it. What holds is a lock
 * of the process that launched: it outlives exec(), so that the tool itself holds it, and is gone
 * with it however it ends; its own children do not have it. */
#define _XOPEN_SOURCE 700 /* realpath() */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/os.h"
#include "base/slice.h"
#include "cli/launch.h"
#include "http/ask.h"
#include "json/json.h"

#define IDLE_EXIT       "10m"
#define ASK_MS          2000
#define WAIT_MS         100
#define MAX_WAIT_MS     INT64_C(600000)
#define LOG_SHOWN_BYTES 2000
#define NO_KEY          "local"

/* ---- asking ---- */

static enum gs_status ask(const struct gs_cli_launch *l, const char *path, const char *json,
                          int *out_status, struct gs_buf *body, struct gs_error *err)
{
    const struct gs_http_question q = {
        .host = l->host,
        .port = l->port,
        .path = path,
        .json = json,
        .key = l->has_key ? l->place.key : NULL,
        .tls_cert = l->config->tls_cert,
        .timeout_ms = json ? MAX_WAIT_MS : ASK_MS,
    };

    return gs_http_ask(&q, out_status, body, err);
}

/* GS_OK: a genset answers there. GS_ENOTFOUND: nobody listens. GS_EBUSY: somebody who is silent. */
static enum gs_status probe(const struct gs_cli_launch *l, struct gs_error *err)
{
    struct gs_buf body;
    int status;

    gs_buf_init(&body, GS_MAX_RESPONSE_BYTES);
    enum gs_status st = ask(l, "/", NULL, &status, &body, err);
    const bool is_ours =
        st == GS_OK && gs_slice_starts(gs_buf_view(&body), GS_SLICE_LIT("genset is running"));
    gs_buf_clear(&body);
    if (is_ours || st == GS_ENOTFOUND || st == GS_EBUSY || st == GS_ENOMEM)
        return st;
    gs_error_set(err, GS_EIO, "what answers at %s is not genset", l->place.url);
    gs_error_hint(err, "Choose another address with --listen.");
    return GS_EIO;
}

/* The same; a server that is silent is waited for, as it may be opening a large model. */
static enum gs_status probe_patiently(const struct gs_cli_launch *l, struct gs_error *err)
{
    const int64_t until_us = gs_clock_mono_us() + MAX_WAIT_MS * 1000;
    enum gs_status st = probe(l, err);

    if (st == GS_EBUSY)
        gs_cli_note("genset: waiting for the server at %s", l->place.url);
    while (st == GS_EBUSY && gs_clock_mono_us() < until_us)
        st = probe(l, err);
    return st;
}

/* Ask with JSON, or with nothing, for JSON. */
static enum gs_status ask_json(const struct gs_cli_launch *l, const char *path, const char *json,
                               struct gs_arena *a, struct gs_json *out, struct gs_error *err)
{
    struct gs_buf body;
    int status;

    gs_buf_init(&body, GS_MAX_RESPONSE_BYTES);
    enum gs_status st = ask(l, path, json, &status, &body, err);
    if (st == GS_OK && status == 401) {
        st = gs_error_set(err, GS_EINVAL, "the server at %s wants another API key", l->place.url);
        gs_error_hint(err, "Set GENSET_API_KEY, --api-key-file, or api_key in the configuration.");
    } else if (st == GS_OK && status != 200) {
        st = gs_error_set(err, GS_EIO, "the server at %s answers %s with status %d", l->place.url,
                          path, status);
    } else if (st == GS_OK) {
        st = gs_json_parse(gs_buf_view(&body), a, out, err);
    }
    gs_buf_clear(&body);
    return st;
}

/* ---- models ---- */

/* The name a server gives the model in a file. */
static struct gs_slice name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    struct gs_slice name = gs_slice_str(slash ? slash + 1 : path);

    if (gs_slice_ends(name, GS_SLICE_LIT(".gguf")))
        name.len -= strlen(".gguf");
    return name;
}

/* It goes into the environment and into the files of tools as it is. */
static enum gs_status set_model(struct gs_cli_launch *l, struct gs_slice name, struct gs_error *err)
{
    for (size_t i = 0; i < name.len; i++) {
        const unsigned char c = (unsigned char)name.ptr[i];
        if (c < ' ' || c == 0x7F || c == '"' || c == '\\')
            return gs_error_set(err, GS_EUNSUPPORTED,
                                "the name of model \"%.*s\" has characters that tools do not take",
                                (int)GS_MIN(name.len, 100), name.ptr);
    }
    if (name.len >= sizeof(l->place.model))
        return gs_error_set(err, GS_EUNSUPPORTED, "the name of the model is too long");
    memmove(l->place.model, name.ptr, name.len); /* it may be the same */
    l->place.model[name.len] = '\0';
    return GS_OK;
}

/* The first of a list of objects, or the one whose `key` is `name`. */
static const struct gs_json *find_entry(const struct gs_json *list, const char *key,
                                        struct gs_slice name)
{
    if (!list || list->kind != GS_JSON_ARRAY)
        return NULL;
    for (size_t i = 0; i < list->u.array.len; i++) {
        const struct gs_json *id = gs_json_get(&list->u.array.items[i], key);
        if (id && id->kind == GS_JSON_STRING && (!name.len || gs_slice_eq(id->u.string, name)))
            return &list->u.array.items[i];
    }
    return NULL;
}

static enum gs_status no_such_model(const struct gs_cli_launch *l, const struct gs_json *list,
                                    struct gs_slice wanted, struct gs_error *err)
{
    struct gs_slice id = {NULL, 0};
    char hint[GS_ERROR_HINT_BYTES] = "";
    size_t len = 0;

    gs_error_set(err, GS_ENOTFOUND, "the server at %s has no model \"%.*s\"", l->place.url,
                 (int)GS_MIN(wanted.len, 100), wanted.ptr);
    for (size_t i = 0; list && i < list->u.array.len && len < sizeof(hint); i++) {
        if (gs_json_get_string(&list->u.array.items[i], "id", &id, NULL))
            len += (size_t)snprintf(hint + len, sizeof(hint) - len, "%s%.*s",
                                    i ? ", " : "Models there: ", (int)GS_MIN(id.len, 100), id.ptr);
    }
    gs_error_hint(err, "%.*s.", (int)sizeof(hint) - 2, hint);
    return GS_ENOTFOUND;
}

/* The model a running server answers with, and what a conversation may use of it: the one wanted,
 * else one that is loaded, else its first. */
static enum gs_status choose_model(struct gs_cli_launch *l, struct gs_slice wanted,
                                   struct gs_error *err)
{
    const struct gs_json *entry = NULL;
    struct gs_json loaded, all;
    struct gs_arena a;

    gs_arena_init(&a, GS_MAX_RESPONSE_BYTES);
    enum gs_status st = ask_json(l, "/api/ps", NULL, &a, &loaded, err);
    if (st == GS_OK)
        st = ask_json(l, "/v1/models", NULL, &a, &all, err);
    if (st != GS_OK)
        goto out;
    if (!wanted.len)
        entry = find_entry(gs_json_get(&loaded, "models"), "name", wanted);
    if (entry)
        wanted = gs_json_get(entry, "name")->u.string;
    const struct gs_json *list = gs_json_get(&all, "data");
    entry = find_entry(list, "id", wanted);
    if (!entry) {
        st = no_such_model(l, list && list->kind == GS_JSON_ARRAY ? list : NULL, wanted, err);
        goto out;
    }
    l->is_loaded = find_entry(gs_json_get(&loaded, "models"), "name", wanted) != NULL;
    st = set_model(l, gs_json_get(entry, "id")->u.string, err);
    if (!gs_json_get_int(entry, "max_input_tokens", &l->place.ctx_tokens, err))
        st = GS_EFORMAT;
out:
    gs_arena_clear(&a);
    return st;
}

/* ---- preparing ---- */

/* Of several keys the first. */
static enum gs_status fill_key(struct gs_cli_launch *l, struct gs_error *err)
{
    struct gs_cli_keys keys = {0};
    struct gs_arena a;

    gs_arena_init(&a, GS_MAX_TEXT_BYTES);
    enum gs_status st = gs_cli_keys(l->config, &a, &keys, err);
    if (st == GS_OK && keys.n > 0 && strlen(keys.keys[0]) >= sizeof(l->place.key))
        st = gs_error_set(err, GS_EINVAL, "the API key is too long for tools");
    l->has_key = st == GS_OK && keys.n > 0;
    if (st == GS_OK)
        snprintf(l->place.key, sizeof(l->place.key), "%s", keys.n > 0 ? keys.keys[0] : NO_KEY);
    gs_arena_clear(&a);
    return st;
}

static enum gs_status fill_place(struct gs_cli_launch *l, struct gs_error *err)
{
    const struct gs_config *c = l->config;
    enum gs_status st = gs_cli_server_address(c->listen, l->host, sizeof(l->host), &l->port, err);

    if (st == GS_OK)
        st = fill_key(l, err);
    if (st != GS_OK)
        return st;
    if (l->port == 0) {
        gs_error_set(err, GS_EINVAL, "launching a tool needs an address with a port");
        gs_error_hint(err, "Set --listen to that of the server, such as 127.0.0.1:8484.");
        return GS_EINVAL;
    }
    snprintf(l->place.url, sizeof(l->place.url),
             strchr(l->host, ':') ? "%s://[%s]:%d" : "%s://%s:%d", c->tls_cert ? "https" : "http",
             l->host, l->port);
    if (c->tls_cert && !realpath(c->tls_cert, l->place.ca))
        return gs_error_errno(err, GS_ENOTFOUND, errno, "could not find certificate file \"%s\"",
                              c->tls_cert);
    if (!c->state_dir || (size_t)snprintf(l->place.folder, sizeof(l->place.folder), "%s/launch/%s",
                                          c->state_dir, l->tool->name) >= sizeof(l->place.folder)) {
        gs_error_set(err, GS_ENOTFOUND, "there is no state folder to keep a log in");
        gs_error_hint(err, "Set HOME or XDG_STATE_HOME.");
        return GS_ENOTFOUND;
    }
    return GS_OK;
}

int gs_cli_launch_prepare(const struct gs_config *c, const char *tool, struct gs_cli_launch *l)
{
    const char *wanted = c->model;
    struct gs_error err = {0};
    enum gs_status st;

    *l = (struct gs_cli_launch){.config = c, .tool = gs_cli_tool_find(tool)};
    if (!l->tool)
        return GS_EXIT_USAGE;
    if (l->tool->refusal) {
        gs_error_set(&err, GS_EUNSUPPORTED, "%s", l->tool->refusal);
        return gs_cli_fail(&err, GS_EXIT_FAILED);
    }
    st = fill_place(l, &err);
    if (st != GS_OK)
        return gs_cli_fail(&err, st == GS_EINVAL ? GS_EXIT_USAGE : GS_EXIT_FAILED);
    st = probe_patiently(l, &err);
    if (st == GS_OK) {
        l->is_running = true;
        st = choose_model(l, wanted ? name_of(wanted) : (struct gs_slice){NULL, 0}, &err);
        return st == GS_OK ? GS_EXIT_OK : gs_cli_fail_model(&err);
    }
    if (st != GS_ENOTFOUND)
        return gs_cli_fail(&err, GS_EXIT_FAILED);
    st = gs_cli_model_find(c, NULL, l->model_path, sizeof(l->model_path), &err);
    if (st == GS_OK)
        st = set_model(l, name_of(l->model_path), &err);
    return st == GS_OK ? GS_EXIT_OK : gs_cli_fail_model(&err);
}

/* ---- starting ---- */

void gs_cli_launch_serve_args(const struct gs_cli_launch *l, const char *argv[GS_CLI_LAUNCH_ARGS])
{
    const struct gs_config *c = l->config;
    const char *const first[] = {"genset",  "serve",       l->model_path, "--listen",
                                 c->listen, "--idle-exit", IDLE_EXIT,     "--warm"};
    size_t n = GS_COUNT_OF(first);

    memcpy(argv, first, sizeof(first));
    if (c->config_path) {
        argv[n++] = "--config";
        argv[n++] = c->config_path;
    }
    const struct {
        enum gs_option option;
        const char *flag, *value;
    } files[] = {
        {GS_OPTION_api_key_path, "--api-key-file", c->api_key_path},
        {GS_OPTION_tls_cert, "--tls-cert", c->tls_cert},
        {GS_OPTION_tls_key, "--tls-key", c->tls_key},
    };
    for (size_t i = 0; i < GS_COUNT_OF(files); i++) {
        if (c->origin[files[i].option] != GS_ORIGIN_FLAG)
            continue;
        argv[n++] = files[i].flag;
        argv[n++] = files[i].value;
    }
    /* what was not given as a flag the server finds where we found it */
    for (size_t i = 0; i < c->models.len && c->origin[GS_OPTION_models] == GS_ORIGIN_FLAG &&
                       n + 3 < GS_CLI_LAUNCH_ARGS;
         i++) {
        argv[n++] = "--models";
        argv[n++] = c->models.items[i];
    }
    argv[n] = NULL;
}

static void log_path(const struct gs_cli_launch *l, char *path, size_t cap)
{
    snprintf(path, cap, "%s/serve-%d.log", l->config->state_dir, l->port);
}

/* The child that becomes the server: away from the terminal, its words in the log. */
static void become_server(const struct gs_cli_launch *l, int log_fd)
{
    const char *argv[GS_CLI_LAUNCH_ARGS];
    const int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    setsid();
    signal(SIGPIPE, SIG_DFL);
    if (null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 || dup2(log_fd, STDOUT_FILENO) < 0 ||
        dup2(log_fd, STDERR_FILENO) < 0)
        _exit(GS_EXIT_FAILED);
    if (GS_CONFIG_IS_SET(l->config, api_key))
        setenv("GENSET_API_KEY", l->config->api_key, 1); /* where nobody can list it */
    gs_cli_launch_serve_args(l, argv);
    execv("/proc/self/exe", (char *const *)argv);
    fprintf(stderr, "genset: error: could not start genset: %s\n", strerror(errno));
    _exit(GS_EXIT_FAILED);
}

/* The server ended before it answered: what it said last. */
static int tell_log(const char *path, int status)
{
    struct gs_error err = {0};
    struct gs_buf text;

    gs_buf_init(&text, GS_MAX_TEXT_BYTES);
    if (gs_os_read_file(path, &text, &err) == GS_OK) {
        const struct gs_slice said = gs_slice_trim(gs_buf_view(&text));
        const size_t from = said.len > LOG_SHOWN_BYTES ? said.len - LOG_SHOWN_BYTES : 0;
        gs_cli_note("%.*s", (int)(said.len - from), said.ptr ? said.ptr + from : "");
    }
    gs_buf_clear(&text);
    gs_error_set(&err, GS_EIO, "the server could not be started");
    gs_error_hint(&err, "Its log is %s.", path);
    gs_cli_fail(&err, GS_EXIT_FAILED);
    return WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : GS_EXIT_FAILED;
}

/* Until it answers, or has ended while nobody else answers in its place. */
static int wait_for_server(struct gs_cli_launch *l, pid_t server, const char *log)
{
    const struct timespec pause = {.tv_nsec = WAIT_MS * 1000000L};
    struct gs_error err = {0};
    bool has_ended = false;
    int status = 0;

    for (;;) {
        has_ended = has_ended || waitpid(server, &status, WNOHANG) == server;
        /* once ours has ended, whoever is there is another's, which had the address first */
        const enum gs_status st = has_ended ? probe_patiently(l, &err) : probe(l, &err);
        if (st == GS_OK)
            break;
        if (st == GS_ENOTFOUND && has_ended)
            return tell_log(log, status);
        if (has_ended || (st != GS_ENOTFOUND && st != GS_EBUSY))
            return gs_cli_fail(&err, GS_EXIT_FAILED);
        nanosleep(&pause, NULL);
    }
    enum gs_status st = choose_model(l, gs_slice_str(l->place.model), &err);
    if (st == GS_ENOTFOUND) /* the file's name is not all of it, or another server was first */
        st = choose_model(l, (struct gs_slice){NULL, 0}, &err);
    if (st != GS_OK)
        return gs_cli_fail_model(&err);
    l->is_running = true;
    return GS_EXIT_OK;
}

int gs_cli_launch_serve(struct gs_cli_launch *l)
{
    struct gs_error err = {0};
    char path[4200];

    log_path(l, path, sizeof(path));
    if (gs_os_make_dirs(l->config->state_dir, &err) != GS_OK)
        return gs_cli_fail(&err, GS_EXIT_FAILED);
    const int log_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    if (log_fd < 0) {
        gs_error_errno(&err, GS_EIO, errno, "could not create file \"%s\"", path);
        return gs_cli_fail(&err, GS_EXIT_FAILED);
    }
    const pid_t server = fork();
    if (server == 0)
        become_server(l, log_fd);
    close(log_fd);
    if (server < 0) {
        gs_error_errno(&err, GS_EIO, errno, "could not start a process");
        return gs_cli_fail(&err, GS_EXIT_FAILED);
    }
    gs_cli_note("genset: started a server at %s, process %ld, with model %s", l->place.url,
                (long)server, l->place.model);
    gs_cli_note("genset: it ends %s after its last tool and request; its log is %s", IDLE_EXIT,
                path);
    return wait_for_server(l, server, path);
}

int gs_cli_launch_load(struct gs_cli_launch *l)
{
    char json[sizeof(l->place.model) + 32]; /* the name has nothing to be escaped */
    struct gs_error err = {0};
    struct gs_json answer;
    struct gs_arena a;

    if (l->is_loaded)
        return GS_EXIT_OK;
    gs_cli_note("genset: loading model %s", l->place.model);
    gs_arena_init(&a, GS_MAX_RESPONSE_BYTES);
    snprintf(json, sizeof(json), "{\"model\":\"%s\",\"stream\":false}", l->place.model);
    enum gs_status st = ask_json(l, "/api/generate", json, &a, &answer, &err);
    if (st == GS_OK)
        st = choose_model(l, gs_slice_str(l->place.model), &err);
    gs_arena_clear(&a);
    return st == GS_OK ? GS_EXIT_OK : gs_cli_fail(&err, GS_EXIT_FAILED);
}

/* ---- holding on ---- */

static int open_hold(const struct gs_config *c, int port, int flags)
{
    char path[4200];

    if (!c->state_dir || (size_t)snprintf(path, sizeof(path), "%s/serve-%d.lock", c->state_dir,
                                          port) >= sizeof(path))
        return -1;
    return open(path, flags, 0600);
}

void gs_cli_launch_hold(const struct gs_cli_launch *l)
{
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    const int fd = open_hold(l->config, l->port, O_RDWR | O_CREAT);

    if (fd >= 0)
        fcntl(fd, F_SETLK, &lock); /* without it the server ends ten minutes after a request */
}

bool gs_cli_launch_is_held(const struct gs_config *c, int port)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    const int fd = open_hold(c, port, O_RDWR | O_CLOEXEC);

    if (fd < 0)
        return false;
    const bool is_held = fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    close(fd);
    return is_held;
}
