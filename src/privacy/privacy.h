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

/* ---- taking out ---- */

/* What the placeholders of one body stand for. */
struct gs_privacy_names;
void gs_privacy_names_free(struct gs_privacy_names *names); /* NULL is allowed */
size_t gs_privacy_names_count(const struct gs_privacy_names *names);

/* Append the body to `out_body` with a placeholder for whatever the rules of detectors find (class
 * any is left), there and, if it has at least 8 bytes, wherever else it stands; all else as it is,
 * byte for byte. Where nothing is found nothing is appended and *out_names is NULL: the body itself
 * may be sent. errors: GS_EUNSUPPORTED (it stands where it cannot be taken out, such as an
 * address), and those of gs_privacy_judge(). Then there is no body that may be sent. */
GS_MUST_CHECK enum gs_status gs_privacy_redact(const struct gs_config_secret_rule *rules,
                                               size_t n_rules, struct gs_slice body,
                                               struct gs_buf *out_body,
                                               struct gs_privacy_names **out_names,
                                               struct gs_error *err);

/* Whether a text that broke off ends within what one of them stands for: half of that may be found
 * by no rule, and whoever knows the placeholder only cannot go on with it. NULL has none. */
bool gs_privacy_names_tear(const struct gs_privacy_names *names, struct gs_slice text);

/* ---- putting back ---- */

/* Append a whole text of an answer with what its placeholders stand for; in arguments of a tool
 * call (GS_BLOCK_TOOL_CALL) that is escaped as JSON wants it. Check the buffer afterwards. */
void gs_privacy_restore(const struct gs_privacy_names *names, enum gs_block_kind kind,
                        struct gs_slice text, struct gs_buf *out);

/* The same for the events of an answer, in whatever pieces they come. Of a DELTA's text, what may
 * be the begin of a placeholder is kept until more comes, or the block's END, STOP or ERROR, which
 * are then preceded by a DELTA. Probabilities of tokens are dropped where their text changed. */
struct gs_privacy_restorer;

/* `names` has to outlive it. */
GS_MUST_CHECK enum gs_status gs_privacy_restorer_create(const struct gs_privacy_names *names,
                                                        struct gs_privacy_restorer **out_r,
                                                        struct gs_error *err);
void gs_privacy_restorer_free(struct gs_privacy_restorer *r); /* NULL is allowed */
/* Take an event; none, one or several go to `on_event` before this returns. All of them go there
 * even if it says GS_FLOW_PAUSE; after GS_FLOW_CANCEL none does.
 * errors: GS_ENOMEM, GS_ELIMIT, GS_ECANCELLED; the answer cannot be gone on with then. */
GS_MUST_CHECK enum gs_status gs_privacy_restorer_take(struct gs_privacy_restorer *r,
                                                      const struct gs_event *ev,
                                                      gs_event_fn *on_event, void *ud,
                                                      struct gs_error *err);

#endif
