/* One render call: its memory, its limits, its output, its error.
 *
 * Functions that can fail return bool: false means that the run's error is set and everybody
 * returns at once. */
#ifndef GS_JINJA_RUN_H
#define GS_JINJA_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/compiler.h"
#include "jinja/jinja_ast.h"
#include "jinja/jinja_value.h"

struct jscope {
    struct jscope *parent;
    struct jval slots[];
};

struct jrun {
    const struct gs_template *tpl;
    struct gs_arena arena;
    struct gs_buf *out;
    size_t max_out;        /* length the output may reach */
    struct gs_buf scratch; /* for building strings; see gs_jinja_scratch_begin() */
    uint64_t steps_left;
    unsigned depth; /* nesting of C calls */
    uint64_t seed;  /* of dict hashes */
    int64_t now_us;
    struct jval *context; /* by context name; missing if not given */
    struct jscope *root;
    enum gs_status status;
    bool has_pos;
    struct gs_error *err;
};

GS_MUST_CHECK void *gs_jinja_alloc(struct jrun *r, size_t n);
GS_MUST_CHECK void *gs_jinja_array(struct jrun *r, size_t n, size_t item_bytes);

/* Record an error of the template; always false. */
bool gs_jinja_fail(struct jrun *r, const char *fmt, ...) GS_PRINTF(2, 3);
bool gs_jinja_fail_limit(struct jrun *r, const char *fmt, ...) GS_PRINTF(2, 3);
bool gs_jinja_fail_nomem(struct jrun *r);
/* The error of using an undefined value. */
bool gs_jinja_fail_undefined(struct jrun *r, struct jval v);

/* Account for n units of work. */
GS_MUST_CHECK bool gs_jinja_steps(struct jrun *r, size_t n);
/* Around anything that recurses. */
GS_MUST_CHECK bool gs_jinja_enter(struct jrun *r);
static inline void gs_jinja_leave(struct jrun *r)
{
    r->depth--;
}

GS_MUST_CHECK bool gs_jinja_emit(struct jrun *r, struct gs_slice s);

/* Build a string in the shared scratch buffer: begin gives a mark, append to r->scratch, end makes
 * a value of what came after the mark and drops it. They nest. */
size_t gs_jinja_scratch_begin(struct jrun *r);
GS_MUST_CHECK bool gs_jinja_scratch_end(struct jrun *r, size_t mark, struct jval *out);

/* ---- text of values ---- */

/* str(v) and repr(v), appended to b, which is checked by the caller. */
GS_MUST_CHECK bool gs_jinja_write_str(struct jrun *r, struct gs_buf *b, struct jval v);
GS_MUST_CHECK bool gs_jinja_write_repr(struct jrun *r, struct gs_buf *b, struct jval v);
GS_MUST_CHECK bool gs_jinja_to_str(struct jrun *r, struct jval v, struct jval *out); /* str(v) */
/* The same for a slice that lives as long as the run. */
GS_MUST_CHECK bool gs_jinja_text(struct jrun *r, struct jval v, struct gs_slice *out);
GS_MUST_CHECK bool gs_jinja_repr(struct jrun *r, struct jval v, struct gs_slice *out);
/* repr() of a string, of a float. */
void gs_jinja_write_quoted(struct gs_buf *b, struct gs_slice s);
void gs_jinja_write_float(struct gs_buf *b, double v);
#define GS_JINJA_FLOAT_CHARS 40
size_t gs_jinja_float_text(double v, char out[GS_JINJA_FLOAT_CHARS]);

struct jjson_options {
    bool ascii;
    bool sort_keys;
    bool pretty;
    struct gs_slice indent;
    struct gs_slice item_sep;
    struct gs_slice key_sep;
};
GS_MUST_CHECK bool gs_jinja_write_json(struct jrun *r, struct gs_buf *b, struct jval v,
                                       const struct jjson_options *opt);

/* ---- iteration ---- */

enum jnext { JNEXT_FAIL, JNEXT_END, JNEXT_ITEM };

struct jiter {
    enum jkind kind; /* LIST (and tuple), STR, DICT (and views), RANGE, ITER; NONE: empty */
    enum jview view;
    bool reverse; /* not ITER */
    size_t pos;   /* taken; STR: byte offset */
    size_t len;
    struct jval of;
};

/* A generator: `next` makes the next item. Embedded first in a struct with its state. */
struct jgen {
    const char *type; /* Python's name */
    enum jnext (*next)(struct jrun *r, struct jgen *g, struct jval *out);
    struct jiter src;
    bool done;
};

GS_MUST_CHECK bool gs_jinja_iter(struct jrun *r, struct jval v, struct jiter *out);
/* *out_has is false where Python's reversed() would raise. */
GS_MUST_CHECK bool gs_jinja_iter_reversed(struct jrun *r, struct jval v, bool *out_has,
                                          struct jiter *out);
GS_MUST_CHECK enum jnext gs_jinja_next(struct jrun *r, struct jiter *it, struct jval *out);
/* All items that are left. */
GS_MUST_CHECK bool gs_jinja_collect(struct jrun *r, struct jiter *it, const struct jlist **out);
GS_MUST_CHECK bool gs_jinja_to_list(struct jrun *r, struct jval v, const struct jlist **out);
bool gs_jinja_is_iterable(struct jval v);
/* The order of 0..n-1 that sorts the keys, stable. */
GS_MUST_CHECK bool gs_jinja_sort(struct jrun *r, const struct jval *keys, size_t n, bool reverse,
                                 const size_t **out_order);

/* ---- operators ---- */

GS_MUST_CHECK bool gs_jinja_binary(struct jrun *r, enum joperator op, struct jval a, struct jval b,
                                   struct jval *out);
GS_MUST_CHECK bool gs_jinja_unary(struct jrun *r, enum joperator op, struct jval v,
                                  struct jval *out);
GS_MUST_CHECK bool gs_jinja_compare(struct jrun *r, enum joperator op, struct jval a, struct jval b,
                                    bool *out);
/* round(v, digits) */
GS_MUST_CHECK bool gs_jinja_round(struct jrun *r, struct jval v, int64_t digits, struct jval *out);
/* A float to an int as int() does it. */
GS_MUST_CHECK bool gs_jinja_truncate(struct jrun *r, double f, int64_t *out);
/* int(text, base), float(text): false if malformed. *out_overflow: beyond 64 bits. */
bool gs_jinja_parse_int(struct gs_slice s, int base, int64_t *out, bool *out_overflow);
bool gs_jinja_parse_float(struct gs_slice s, double *out);

/* ---- looking into values ---- */

/* obj.name: attribute, then item. `methods`: gs_jinja_find_methods(name). */
GS_MUST_CHECK bool gs_jinja_getattr(struct jrun *r, struct jval obj, struct gs_slice name,
                                    const struct jmethods *methods, struct jval *out);
/* obj[key]: item, then attribute. */
GS_MUST_CHECK bool gs_jinja_getitem(struct jrun *r, struct jval obj, struct jval key,
                                    struct jval *out);
/* The attribute alone: *out is missing if there is none. */
GS_MUST_CHECK bool gs_jinja_attribute(struct jrun *r, struct jval obj, struct gs_slice name,
                                      const struct jmethods *methods, struct jval *out);
/* obj[start:stop:step]; missing bounds are none. */
GS_MUST_CHECK bool gs_jinja_slice(struct jrun *r, struct jval obj, struct jval start,
                                  struct jval stop, struct jval step, struct jval *out);

/* ---- calling ---- */

struct jkw {
    struct gs_slice name;
    struct jval value;
};

struct jargs {
    const struct jval *pos;
    size_t n_pos;
    const struct jkw *kw;
    size_t n_kw;
};

#define GS_JINJA_MAX_PARAMS 6

/* What a builtin sees: the value it is applied to and its arguments by the signature; absent ones
 * are missing. */
struct jcall {
    const struct jbuiltin *def;
    struct jval self; /* value filtered or tested, object of the method; missing for functions */
    struct jval a[GS_JINJA_MAX_PARAMS];
    struct jargs raw; /* all of them, where the signature says "*" */
};

typedef bool gs_jinja_fn(struct jrun *r, const struct jcall *c, struct jval *out);

/* `params`: names, separated by a space; those before '?' are required. "*": any arguments. */
struct jbuiltin {
    const char *name;
    const char *params;
    gs_jinja_fn *fn;
};

const struct jbuiltin *gs_jinja_find_filter(struct gs_slice name);
const struct jbuiltin *gs_jinja_find_test(struct gs_slice name);
struct jmethods gs_jinja_find_methods(struct gs_slice name);
/* A global function ("range"), or NULL. */
const struct jbuiltin *gs_jinja_find_global(struct gs_slice name);

/* Builtin objects with an identity. */
struct jobject {
    enum jkind kind;
    const struct jbuiltin *def; /* JV_FUNCTION, JV_METHOD */
    struct jval self;           /* JV_METHOD */
};

GS_MUST_CHECK bool gs_jinja_call_builtin(struct jrun *r, const struct jbuiltin *def,
                                         struct jval self, const struct jargs *args,
                                         struct jval *out);
GS_MUST_CHECK bool gs_jinja_call(struct jrun *r, struct jval callee, const struct jargs *args,
                                 struct jval *out);

/* Macros and loops. */
GS_MUST_CHECK bool gs_jinja_call_macro(struct jrun *r, struct jobject *macro,
                                       const struct jargs *args, struct jval *out);
GS_MUST_CHECK bool gs_jinja_call_loop(struct jrun *r, struct jobject *loop,
                                      const struct jargs *args, struct jval *out);
GS_MUST_CHECK bool gs_jinja_loop_attribute(struct jrun *r, struct jobject *loop,
                                           struct gs_slice name, struct jval *out);
GS_MUST_CHECK bool gs_jinja_macro_attribute(struct jrun *r, struct jobject *macro,
                                            struct gs_slice name, struct jval *out);
GS_MUST_CHECK bool gs_jinja_object_attribute(struct jrun *r, struct jval obj, struct gs_slice name,
                                             struct jval *out); /* cyclers: jinja_globals.c */
GS_MUST_CHECK bool gs_jinja_call_joiner(struct jrun *r, struct jobject *joiner, struct jval *out);
struct gs_slice gs_jinja_macro_name(const struct jobject *macro);

/* ---- evaluation ---- */

GS_MUST_CHECK bool gs_jinja_eval(struct jrun *r, struct jscope *s, const struct jnode *n,
                                 struct jval *out);
/* A call; `caller` is missing or passed as a keyword. */
GS_MUST_CHECK bool gs_jinja_eval_call(struct jrun *r, struct jscope *s, const struct jnode *n,
                                      struct jval caller, struct jval *out);
/* A filter over a block's text. */
GS_MUST_CHECK bool gs_jinja_eval_filter(struct jrun *r, struct jscope *s, const struct jnode *n,
                                        struct jval text, struct jval *out);
/* The template from its root. */
GS_MUST_CHECK bool gs_jinja_exec(struct jrun *r);

#endif
