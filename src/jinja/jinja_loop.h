/* Statements that other files complete: loops (jinja_loop.c) and macros (jinja_macro.c). */
#ifndef GS_JINJA_LOOP_H
#define GS_JINJA_LOOP_H

#include "jinja/jinja_run.h"

enum jflow { JFLOW_FAIL, JFLOW_NEXT, JFLOW_BREAK, JFLOW_CONTINUE };

GS_MUST_CHECK enum jflow gs_jinja_exec_body(struct jrun *r, struct jscope *s, struct jnodes body);
/* Run a body for its text. *out is set on JFLOW_NEXT only. */
GS_MUST_CHECK enum jflow gs_jinja_capture(struct jrun *r, struct jscope *s, struct jnodes body,
                                          struct jval *out);
/* A scope of the frame with its loads done; NULL on failure. */
struct jscope *gs_jinja_scope(struct jrun *r, const struct jframe *f, struct jscope *parent);
void gs_jinja_scope_fill(struct jrun *r, struct jscope *s, const struct jframe *f);
GS_MUST_CHECK bool gs_jinja_assign(struct jrun *r, struct jscope *s, const struct jnode *target,
                                   struct jval v);

GS_MUST_CHECK enum jflow gs_jinja_exec_for(struct jrun *r, struct jscope *s, const struct jfor *f);
/* The macro as a value, closed over the scope it is defined in. */
GS_MUST_CHECK bool gs_jinja_macro(struct jrun *r, const struct jmacro *def, struct jscope *outer,
                                  struct jval *out);

#endif
