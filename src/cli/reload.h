/* Routes while the program runs: read at the start, and again when the configuration file changes
 * or a SIGHUP comes, on a thread of its own. What is wrong is logged, and the last good ones hold.
 *
 *     gs_cli_reload_create(c, &log, &r, &err);      // the first ones can be taken at once
 *     ... whenever gs_cli_reload_fd(r) is readable, on the loop:
 *     if (gs_cli_reload_take(r, &arena, &routes)) ... they are the caller's ...
 *     gs_cli_reload_free(r); */
#ifndef GS_CLI_RELOAD_H
#define GS_CLI_RELOAD_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/compiler.h"
#include "config/config.h"

struct gs_log;
struct gs_cli_reload;

/* `c` was loaded from c->source, which is read again each time; both, and the log, must live as
 * long. Takes SIGHUP. errors: GS_ENOMEM, GS_EIO; GS_ECONFIG, logged, if the file is wrong by now.
 */
GS_MUST_CHECK enum gs_status gs_cli_reload_create(const struct gs_config *c,
                                                  const struct gs_log *log,
                                                  struct gs_cli_reload **out_r,
                                                  struct gs_error *err);
/* NULL is allowed. */
void gs_cli_reload_free(struct gs_cli_reload *r);
/* Read them again, as by SIGHUP. thread: any. */
void gs_cli_reload_ask(void *reload);
/* Readable when there are routes to take. */
int gs_cli_reload_fd(const struct gs_cli_reload *r);
/* Take the newest ones, with their keys, and the arena they live in; false if there are none that
 * were not taken. thread: any, one at a time. */
GS_MUST_CHECK bool gs_cli_reload_take(void *reload, struct gs_arena *out_arena,
                                      struct gs_config_routes *out_routes);

#endif
