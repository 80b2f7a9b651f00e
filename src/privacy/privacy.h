/* What must not leave the machine: found in a request, taken out of it, and put back into the
 * answer. Pure functions of their arguments; an error means that nothing is known of the request,
 * and whoever asked keeps it here.
 *
 *     judge:   body, chat -> how strict to be, and what was found (never the secret itself)
 *     redact:  {"text": "mail ann@corp.eu"}  ->  {"text": "mail [REDACTED_EMAIL_1]"}, names
 *     restore: events with [REDACTED_EMAIL_1], names -> events with ann@corp.eu
 *
 * Placeholders count up in the order in which secrets appear in the body, and the same secret has
 * the same one: the same conversation gives the same bytes, so that a provider's cache of it holds,
 * and no state is kept between turns. What each detector finds: docs/routes.md. */
#ifndef GS_PRIVACY_PRIVACY_H
#define GS_PRIVACY_PRIVACY_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "config/routes.h"
#include "genset/chat.h"
#include "genset/slice.h"
#include "genset/status.h"

#define GS_PRIVACY_DETECTORS (GS_DETECT_IP + 1) /* of enum gs_detector, which begins with NONE */

/* The rules of a route that redacts, where the configuration has none. */
const struct gs_config_secret_rule *gs_privacy_default_rules(size_t *out_n);

struct gs_privacy_findings {
    enum gs_privacy privacy; /* the strictest class of what was found; what was found where it
                              * cannot be taken out is local-only */
    uint32_t n_found[GS_PRIVACY_DETECTORS]; /* by enum gs_detector; NONE: paths in tool calls */
};

/* Look through every string of a JSON body, keys and JSON within call arguments included, and
 * through the chat's tool calls for paths. `chat` is what the body says; it is needed if a rule is
 * of a path. Rules of class any exempt what they find. errors: GS_EFORMAT (the body is no JSON),
 * GS_ELIMIT (nested too deeply), GS_EINVAL, GS_ENOMEM. */
GS_MUST_CHECK enum gs_status gs_privacy_judge(const struct gs_config_secret_rule *rules,
                                              size_t n_rules, struct gs_slice body,
                                              const struct gs_chat *chat,
                                              struct gs_privacy_findings *out_findings,
                                              struct gs_error *err);

/* The name of a detector as in the configuration ("api-key"); of NONE "path". */
const char *gs_privacy_detector_name(enum gs_detector detector);

#endif
