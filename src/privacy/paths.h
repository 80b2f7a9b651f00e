/* Rules of paths: files that the tool calls of a chat name. */
#ifndef GS_PRIVACY_PATHS_H
#define GS_PRIVACY_PATHS_H

#include <stdbool.h>

#include "privacy/privacy.h"

/* Add what the rules of paths find. A path that a rule of class any fits is exempt.
 * errors: GS_ENOMEM, GS_ELIMIT. */
GS_MUST_CHECK enum gs_status gs_privacy_paths(const struct gs_config_secret_rule *rules,
                                              size_t n_rules, const struct gs_chat *chat,
                                              struct gs_privacy_findings *findings,
                                              struct gs_error *err);

/* Does a pattern fit a path? '*' stands for a run of characters without '/', "**" for any, '?' for
 * one; "~" for a home folder, or for any of the shape /home/NAME, /Users/NAME, /root. The path is
 * as in a tool call: a relative pattern fits at any depth of it; "." and ".." are followed. Case
 * does not matter, '\\' is '/'. */
bool gs_privacy_path_fits(const char *pattern, struct gs_slice path);

#endif
