/* The program: what its commands share. A command writes its answer to a buffer, which main()
 * prints in one piece; `run` alone prints as it goes. It returns an exit code and has told its own
 * errors. */
#ifndef GS_CLI_CLI_H
#define GS_CLI_CLI_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "config/config.h"
#include "genset/genset.h"

enum gs_cli_exit {
    GS_EXIT_OK = 0,
    GS_EXIT_FAILED = 1,
    GS_EXIT_USAGE = 2,
    GS_EXIT_MODEL = 3,
    GS_EXIT_INTERRUPTED = 130,
};

typedef int gs_cli_command_fn(struct gs_config *c, struct gs_buf *out);

gs_cli_command_fn gs_cli_run;
gs_cli_command_fn gs_cli_serve;
gs_cli_command_fn gs_cli_launch;
gs_cli_command_fn gs_cli_env;
gs_cli_command_fn gs_cli_show;
gs_cli_command_fn gs_cli_tokens;
gs_cli_command_fn gs_cli_prompt;
gs_cli_command_fn gs_cli_logits;
gs_cli_command_fn gs_cli_embed;
gs_cli_command_fn gs_cli_dequant;
gs_cli_command_fn gs_cli_bench;
gs_cli_command_fn gs_cli_doctor;
gs_cli_command_fn gs_cli_log;
gs_cli_command_fn gs_cli_status;
gs_cli_command_fn gs_cli_cost;
gs_cli_command_fn gs_cli_trace;
gs_cli_command_fn gs_cli_config;
gs_cli_command_fn gs_cli_completion;
gs_cli_command_fn gs_cli_version;
gs_cli_command_fn gs_cli_help;

/* ---- output ---- */

/* Print "genset: error: ..." and the hint; returns `code`. */
int gs_cli_fail(const struct gs_error *err, enum gs_cli_exit code);
/* The same with the code that fits the error: 3 for a model that is missing, damaged or not
 * supported, 2 for a wrong argument, 1 for the rest. */
int gs_cli_fail_model(const struct gs_error *err);
/* A usage error of our own words. */
int gs_cli_fail_usage(const char *msg, const char *hint);
/* A command that is none. */
int gs_cli_fail_command(const char *name);
/* Print bytes now; false after an error, which has been told. */
GS_MUST_CHECK bool gs_cli_write(struct gs_slice text);
/* A sentence on standard error that is no error. */
void gs_cli_note(const char *fmt, ...) GS_PRINTF(1, 2);

/* Text from a model or a file without what could steer a terminal: control characters but newline
 * and tab, and bytes that are no UTF-8, become U+FFFD. */
void gs_cli_put_harmless(struct gs_buf *b, struct gs_slice text);
/* "3.2 GiB" */
void gs_cli_put_size(struct gs_buf *b, int64_t n_bytes);
/* "3.2 B", "135 M" */
void gs_cli_put_count(struct gs_buf *b, int64_t n);
/* "2026-11-21 14:05:09", local. */
void gs_cli_put_when(struct gs_buf *b, int64_t wall_us);
/* ,"key":  with the comma unless it is the first of an object. */
void gs_cli_put_key(struct gs_buf *b, const char *key);

/* ---- models ---- */

struct gs_local;

/* Options as configured. */
void gs_cli_llm_options(const struct gs_config *c, struct gs_llm_options *opt);
/* The models of this machine. `extra` is one more path searched, or NULL; `default_model` may be
 * NULL. */
GS_MUST_CHECK enum gs_status gs_cli_local_create(const struct gs_config *c,
                                                 const struct gs_llm_options *llm,
                                                 const char *extra, const char *default_model,
                                                 struct gs_local **out_l, struct gs_error *err);
/* The file of a model given as a path or a name; NULL asks for the configured one, else the first
 * found, else pilot. "pilot" and "standin" are those inside the program, unless a file is called
 * so. */
GS_MUST_CHECK enum gs_status gs_cli_model_find(const struct gs_config *c, const char *name,
                                               char *path, size_t cap, struct gs_error *err);
/* Open it, with progress on a terminal. */
GS_MUST_CHECK enum gs_status gs_cli_model_open(const struct gs_config *c, const char *name,
                                               struct gs_llm_options *opt, gs_llm **out_llm,
                                               struct gs_error *err);
/* Write a model inside the program to the cache folder, unless it is there, in the place of those of
 * other versions that no process uses. It stays until this process ends. thread: main. */
GS_MUST_CHECK enum gs_status gs_cli_pilot_path(const struct gs_config *c, char *path, size_t cap,
                                               struct gs_error *err);
GS_MUST_CHECK enum gs_status gs_cli_standin_path(const struct gs_config *c, char *path, size_t cap,
                                                 struct gs_error *err);

/* ---- API keys ---- */

struct gs_arena;

struct gs_cli_keys {
    const char *const *keys;
    const char *const *names; /* of each of them, or NULL */
    size_t n;
};

/* All that are configured, held by `a`; none is fine. errors: GS_ENOTFOUND, GS_EIO, GS_EINVAL,
 * GS_ELIMIT, GS_ENOMEM. */
GS_MUST_CHECK enum gs_status gs_cli_keys(const struct gs_config *c, struct gs_arena *a,
                                         struct gs_cli_keys *out_keys, struct gs_error *err);

/* ---- the server ---- */

/* Where a server that listens at `listen` is asked: never at "every address". errors: GS_EINVAL. */
GS_MUST_CHECK enum gs_status gs_cli_server_address(const char *listen, char *host, size_t cap,
                                                   int *out_port, struct gs_error *err);
/* Append what the running server answers at `path`, which is JSON. Without one *out_is_running is
 * false. errors: GS_EINVAL (another key is wanted), GS_ENOTFOUND (nobody listens, or it has nothing
 *         there), and those of gs_http_ask(). */
GS_MUST_CHECK enum gs_status gs_cli_server_get(const struct gs_config *c, const char *path,
                                               struct gs_buf *out_text, bool *out_is_running,
                                               struct gs_error *err);

/* ---- files ---- */

/* Of the ledger. errors: GS_ENOTFOUND, without a data folder. */
GS_MUST_CHECK enum gs_status gs_cli_ledger_path(const struct gs_config *c, char *path, size_t cap,
                                                struct gs_error *err);

struct gs_arena;
struct gs_json;

GS_MUST_CHECK enum gs_status gs_cli_read_json(const char *path, struct gs_arena *a,
                                              struct gs_json *out, struct gs_error *err);

/* A JSON array of token ids, not empty; *out_ids is released with gs_free(). */
GS_MUST_CHECK enum gs_status gs_cli_read_tokens(const char *path, int32_t **out_ids, size_t *out_n,
                                                struct gs_error *err);

/* ---- measuring ---- */

/* Bytes per second that `n_threads` read from memory together, or 0 when it cannot be measured. */
double gs_cli_bandwidth(int n_threads);

#endif
