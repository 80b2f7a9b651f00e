/* The parser's state, shared by its statements (jinja_parse.c) and expressions
 * (jinja_parse_expr.c). After the first error it is sticky: nodes are NULL and nothing advances. */
#ifndef GS_JINJA_PARSE_H
#define GS_JINJA_PARSE_H

#include "base/buf.h"
#include "base/map.h"
#include "jinja/jinja_ast.h"
#include "jinja/jinja_lex.h"

struct jparser {
    struct gs_template *tpl;
    struct jtokens tokens;
    size_t pos;
    struct gs_map ids;   /* identifier -> its struct jname */
    struct gs_buf names; /* of slices: id -> identifier */
    unsigned depth;
    unsigned loops; /* loops of the current function around the current place */
    enum gs_status status;
    struct gs_error *err;
};

/* Parse, resolve names, fill `tpl`. */
GS_MUST_CHECK enum gs_status gs_jinja_compile(struct gs_template *tpl, struct gs_error *err);
/* Second half: names to slots, filters to functions. */
GS_MUST_CHECK enum gs_status gs_jinja_resolve(struct gs_template *tpl, const struct gs_slice *names,
                                              size_t n_names, struct gs_error *err);

/* A list of nodes under construction. */
struct jnode_list {
    struct jnode **items;
    size_t len;
    size_t cap;
};

struct jnode *gs_jinja_parse_fail(struct jparser *p, size_t off, const char *fmt, ...)
    GS_PRINTF(3, 4); /* always NULL */
struct jnode *gs_jinja_parse_nomem(struct jparser *p);
/* Beyond a limit of nesting: false. Pair with p->depth--. */
bool gs_jinja_parse_enter(struct jparser *p);

const struct jtoken *gs_jinja_parse_token(const struct jparser *p);
const struct jtoken *gs_jinja_parse_look(const struct jparser *p); /* the one after */
bool gs_jinja_parse_is(const struct jparser *p, enum gs_jinja_token kind);
bool gs_jinja_parse_is_word(const struct jparser *p, const char *word);
bool gs_jinja_parse_skip(struct jparser *p, enum gs_jinja_token kind);
bool gs_jinja_parse_skip_word(struct jparser *p, const char *word);
bool gs_jinja_parse_expect(struct jparser *p, enum gs_jinja_token kind);
void gs_jinja_parse_next(struct jparser *p);

struct jnode *gs_jinja_parse_node(struct jparser *p, enum jnode_kind kind, size_t off);
/* Record that `child` (may be NULL) is below `n`. */
void gs_jinja_parse_adopt(struct jparser *p, struct jnode *n, const struct jnode *child);
void gs_jinja_parse_push(struct jparser *p, struct jnode_list *l, struct jnode *n);
struct jnodes gs_jinja_parse_done(const struct jnode_list *l);
bool gs_jinja_parse_name(struct jparser *p, struct gs_slice text, struct jname *out);

/* ---- expressions ---- */

struct jnode *gs_jinja_parse_expr(struct jparser *p);
/* One expression, or several with commas between: a tuple. `until`: a word that ends it. */
struct jnode *gs_jinja_parse_tuple(struct jparser *p, bool conditional, const char *until);
/* What can be assigned to: names, tuples of them, and namespace attributes. */
struct jnode *gs_jinja_parse_target(struct jparser *p, const char *until, bool with_namespace);
struct jnode *gs_jinja_parse_filters(struct jparser *p, struct jnode *value, bool inside);

#endif
