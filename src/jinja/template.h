/* Chat templates: a Jinja2 engine, sandboxed by limits on steps, output and depth. Semantics are
 * those of Jinja2 as Hugging Face Transformers sets it up (trim_blocks, lstrip_blocks, loop
 * controls, tojson without ASCII escaping or sorting, raise_exception, strftime_now). */
#ifndef GS_JINJA_TEMPLATE_H
#define GS_JINJA_TEMPLATE_H

#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "genset/slice.h"
#include "genset/status.h"

struct gs_json;
struct gs_template;

/* Compile. Immutable afterwards; may be shared by threads. `name` is quoted in errors.
 * errors: GS_ETEMPLATE with line and column, GS_ELIMIT, GS_ENOMEM. */
GS_MUST_CHECK enum gs_status gs_template_parse(const char *name, struct gs_slice source,
                                               struct gs_template **out_tpl, struct gs_error *err);
void gs_template_free(struct gs_template *t);
struct gs_slice gs_template_source(const struct gs_template *t);

/* Render with the members of the object `vars` as variables; append to b. `now_us` is the wall
 * clock that strftime_now sees. errors: GS_ETEMPLATE (raise_exception's message is err->msg),
 * GS_ELIMIT (steps, output, depth), GS_ENOMEM. */
GS_MUST_CHECK enum gs_status gs_template_render(const struct gs_template *t,
                                                const struct gs_json *vars, int64_t now_us,
                                                struct gs_buf *b, struct gs_error *err);

#endif
