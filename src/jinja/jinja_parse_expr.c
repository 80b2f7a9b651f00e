/* Expressions, by the precedence of Jinja's grammar, loosest first:
 *
 *   a if b else c · or · and · not · compare, in · + - · ~ · * / // % · ** · unary · | is ()
 *
 * Unlike in Python, "~" binds tighter than "+", "**" groups to the left, and filters and tests
 * bind tighter than every operator but the sign. */
#include <string.h>

#include "base/error.h"
#include "base/slice.h"
#include "jinja/jinja_parse.h"
#include "jinja/jinja_run.h"

static struct jnode *parse_or(struct jparser *p);
static struct jnode *parse_unary(struct jparser *p, bool with_filters);

static size_t here(const struct jparser *p)
{
    return gs_jinja_parse_token(p)->off;
}

static struct jnode *binary(struct jparser *p, enum jnode_kind kind, enum joperator op, size_t off,
                            struct jnode *left, struct jnode *right)
{
    struct jnode *n = gs_jinja_parse_node(p, kind, off);

    if (!n)
        return NULL;
    n->u.binary.op = op;
    n->u.binary.left = left;
    n->u.binary.right = right;
    gs_jinja_parse_adopt(p, n, left);
    gs_jinja_parse_adopt(p, n, right);
    return n;
}

static struct jnode *group(struct jparser *p, enum jnode_kind kind, size_t off,
                           const struct jnode_list *items)
{
    struct jnode *n = gs_jinja_parse_node(p, kind, off);

    if (!n)
        return NULL;
    n->u.items = gs_jinja_parse_done(items);
    for (size_t i = 0; i < items->len; i++)
        gs_jinja_parse_adopt(p, n, items->items[i]);
    return n;
}

static struct jnode *constant(struct jparser *p, size_t off, struct jval v)
{
    struct jnode *n = gs_jinja_parse_node(p, JN_CONST, off);

    if (n)
        n->u.constant = v;
    return n;
}

/* ---- primaries ---- */

static struct jnode *parse_string(struct jparser *p)
{
    const size_t off = here(p);
    size_t from = p->pos;
    size_t len = 0;

    while (gs_jinja_parse_is(p, TK_STRING)) {
        len += gs_jinja_parse_token(p)->text.len;
        gs_jinja_parse_next(p);
    }
    struct jstr *s = gs_arena_alloc(&p->tpl->arena, sizeof(*s));
    char *text = gs_arena_alloc(&p->tpl->arena, len + 1);
    if (!s || !text)
        return gs_jinja_parse_nomem(p);
    *s = (struct jstr){.ptr = text, .len = len};
    for (; from < p->pos; from++) {
        const struct gs_slice piece = p->tokens.items[from].text;
        if (piece.len)
            memcpy(text, piece.ptr, piece.len);
        text += piece.len;
    }
    for (size_t i = 0; i < len; i++)
        s->n_chars += ((unsigned char)s->ptr[i] & 0xC0) != 0x80;
    return constant(p, off, jv_str(s));
}

static struct jnode *parse_word(struct jparser *p)
{
    const struct jtoken *t = gs_jinja_parse_token(p);
    const struct gs_slice w = t->text;

    gs_jinja_parse_next(p);
    if (gs_slice_eq_str(w, "true") || gs_slice_eq_str(w, "True"))
        return constant(p, t->off, jv_bool(true));
    if (gs_slice_eq_str(w, "false") || gs_slice_eq_str(w, "False"))
        return constant(p, t->off, jv_bool(false));
    if (gs_slice_eq_str(w, "none") || gs_slice_eq_str(w, "None"))
        return constant(p, t->off, jv_none());
    struct jnode *n = gs_jinja_parse_node(p, JN_NAME, t->off);
    return n && gs_jinja_parse_name(p, w, &n->u.name) ? n : NULL;
}

static struct jnode *parse_list(struct jparser *p)
{
    struct jnode_list items = {0};
    const size_t off = here(p);

    gs_jinja_parse_next(p);
    while (p->status == GS_OK && !gs_jinja_parse_is(p, TK_RBRACKET)) {
        if (items.len && !gs_jinja_parse_expect(p, TK_COMMA))
            return NULL;
        if (gs_jinja_parse_is(p, TK_RBRACKET))
            break;
        gs_jinja_parse_push(p, &items, gs_jinja_parse_expr(p));
    }
    return gs_jinja_parse_expect(p, TK_RBRACKET) ? group(p, JN_LIST, off, &items) : NULL;
}

static struct jnode *parse_dict(struct jparser *p)
{
    struct jnode_list items = {0};
    const size_t off = here(p);

    gs_jinja_parse_next(p);
    while (p->status == GS_OK && !gs_jinja_parse_is(p, TK_RBRACE)) {
        if (items.len && !gs_jinja_parse_expect(p, TK_COMMA))
            return NULL;
        if (gs_jinja_parse_is(p, TK_RBRACE))
            break;
        gs_jinja_parse_push(p, &items, gs_jinja_parse_expr(p));
        if (!gs_jinja_parse_expect(p, TK_COLON))
            return NULL;
        gs_jinja_parse_push(p, &items, gs_jinja_parse_expr(p));
    }
    return gs_jinja_parse_expect(p, TK_RBRACE) ? group(p, JN_DICT, off, &items) : NULL;
}

static struct jnode *parse_tuple_of(struct jparser *p, struct jnode *(*parse)(struct jparser *),
                                    const char *until, bool in_parentheses);

static struct jnode *parse_primary(struct jparser *p)
{
    const struct jtoken *t = gs_jinja_parse_token(p);
    struct jnode *n = NULL;

    switch (t->kind) {
    case TK_NAME:
        return parse_word(p);
    case TK_STRING:
        return parse_string(p);
    case TK_INT:
        gs_jinja_parse_next(p);
        return constant(p, t->off, jv_int(t->integer));
    case TK_FLOAT:
        gs_jinja_parse_next(p);
        return constant(p, t->off, jv_float(t->real));
    case TK_LPAREN:
        gs_jinja_parse_next(p);
        n = parse_tuple_of(p, gs_jinja_parse_expr, NULL, true);
        return gs_jinja_parse_expect(p, TK_RPAREN) ? n : NULL;
    case TK_LBRACKET:
        return parse_list(p);
    case TK_LBRACE:
        return parse_dict(p);
    default:
        return gs_jinja_parse_fail(p, t->off, "unexpected %s", gs_jinja_token_text(t->kind));
    }
}

/* ---- postfix: subscripts, calls, filters, tests ---- */

/* One index between brackets: an expression or start:stop:step. */
static struct jnode *parse_index(struct jparser *p)
{
    const size_t off = here(p);
    struct jnode *parts[3] = {NULL, NULL, NULL};

    if (!gs_jinja_parse_is(p, TK_COLON)) {
        parts[0] = gs_jinja_parse_expr(p);
        if (!gs_jinja_parse_is(p, TK_COLON))
            return parts[0];
    }
    for (int i = 1; i < 3 && gs_jinja_parse_skip(p, TK_COLON); i++) {
        if (!gs_jinja_parse_is(p, TK_COLON) && !gs_jinja_parse_is(p, TK_RBRACKET) &&
            !gs_jinja_parse_is(p, TK_COMMA))
            parts[i] = gs_jinja_parse_expr(p);
    }
    struct jnode *n = gs_jinja_parse_node(p, JN_SLICE, off);
    if (!n)
        return NULL;
    n->u.slice.start = parts[0];
    n->u.slice.stop = parts[1];
    n->u.slice.step = parts[2];
    for (int i = 0; i < 3; i++)
        gs_jinja_parse_adopt(p, n, parts[i]);
    return n;
}

static struct jnode *getitem(struct jparser *p, size_t off, struct jnode *object,
                             struct jnode *index)
{
    struct jnode *n = gs_jinja_parse_node(p, JN_GETITEM, off);

    if (!n)
        return NULL;
    n->u.getitem.object = object;
    n->u.getitem.index = index;
    gs_jinja_parse_adopt(p, n, object);
    gs_jinja_parse_adopt(p, n, index);
    return n;
}

static struct jnode *parse_subscript(struct jparser *p, struct jnode *object)
{
    const size_t off = here(p);
    struct jnode_list items = {0};

    if (gs_jinja_parse_skip(p, TK_DOT)) {
        const struct jtoken *t = gs_jinja_parse_token(p);
        if (t->kind == TK_INT) {
            gs_jinja_parse_next(p);
            return getitem(p, off, object, constant(p, t->off, jv_int(t->integer)));
        }
        if (!gs_jinja_parse_expect(p, TK_NAME))
            return NULL;
        struct jnode *n = gs_jinja_parse_node(p, JN_GETATTR, off);
        if (!n)
            return NULL;
        n->u.getattr.object = object;
        n->u.getattr.name = t->text;
        n->u.getattr.methods = gs_jinja_find_methods(t->text);
        gs_jinja_parse_adopt(p, n, object);
        return n;
    }
    gs_jinja_parse_next(p);
    while (p->status == GS_OK && !gs_jinja_parse_is(p, TK_RBRACKET)) {
        if (items.len && !gs_jinja_parse_expect(p, TK_COMMA))
            return NULL;
        gs_jinja_parse_push(p, &items, parse_index(p));
    }
    if (!gs_jinja_parse_expect(p, TK_RBRACKET))
        return NULL;
    return getitem(p, off, object,
                   items.len == 1 ? items.items[0] : group(p, JN_TUPLE, off, &items));
}

static bool parse_keyword(struct jparser *p, struct jcallargs *a, size_t *cap)
{
    const struct gs_slice name = gs_jinja_parse_token(p)->text;

    gs_jinja_parse_next(p);
    gs_jinja_parse_next(p);
    struct jnode *value = gs_jinja_parse_expr(p);
    for (size_t i = 0; i < a->n_kw; i++) {
        if (value && gs_slice_eq(a->kw[i].name, name))
            gs_jinja_parse_fail(p, value->off, "keyword argument '%.*s' is given twice",
                                (int)name.len, name.ptr);
    }
    if (a->n_kw == *cap) {
        const size_t more = *cap ? *cap * 2 : 4;
        struct jkwarg *kw = gs_arena_array(&p->tpl->arena, more, sizeof(*kw));
        if (!kw) {
            gs_jinja_parse_nomem(p);
            return false;
        }
        if (a->n_kw)
            memcpy(kw, a->kw, a->n_kw * sizeof(*kw));
        a->kw = kw;
        *cap = more;
    }
    a->kw[a->n_kw++] = (struct jkwarg){name, value};
    return p->status == GS_OK;
}

/* "(a, b, *c, k=d, **e)", recorded below `n`. */
static bool parse_call_args(struct jparser *p, struct jnode *n, struct jcallargs *a)
{
    struct jnode_list pos = {0};
    size_t cap = 0;
    bool first = true;
    bool valid = true;

    gs_jinja_parse_next(p);
    while (p->status == GS_OK && !gs_jinja_parse_is(p, TK_RPAREN)) {
        if (!first && (!gs_jinja_parse_expect(p, TK_COMMA) || gs_jinja_parse_is(p, TK_RPAREN)))
            break;
        first = false;
        const size_t off = here(p);
        if (gs_jinja_parse_skip(p, TK_MUL)) {
            valid = !a->dyn_pos && !a->dyn_kw;
            a->dyn_pos = gs_jinja_parse_expr(p);
        } else if (gs_jinja_parse_skip(p, TK_POW)) {
            valid = !a->dyn_kw;
            a->dyn_kw = gs_jinja_parse_expr(p);
        } else if (gs_jinja_parse_is(p, TK_NAME) && gs_jinja_parse_look(p)->kind == TK_ASSIGN) {
            valid = !a->dyn_kw && parse_keyword(p, a, &cap);
        } else {
            valid = !a->dyn_pos && !a->dyn_kw && !a->n_kw;
            gs_jinja_parse_push(p, &pos, gs_jinja_parse_expr(p));
        }
        if (!valid && p->status == GS_OK)
            gs_jinja_parse_fail(p, off, "argument out of place in a call");
    }
    a->pos = gs_jinja_parse_done(&pos);
    for (size_t i = 0; i < pos.len; i++)
        gs_jinja_parse_adopt(p, n, pos.items[i]);
    for (size_t i = 0; i < a->n_kw; i++)
        gs_jinja_parse_adopt(p, n, a->kw[i].value);
    gs_jinja_parse_adopt(p, n, a->dyn_pos);
    gs_jinja_parse_adopt(p, n, a->dyn_kw);
    return gs_jinja_parse_expect(p, TK_RPAREN);
}

static struct jnode *parse_call(struct jparser *p, struct jnode *callee)
{
    struct jnode *n = gs_jinja_parse_node(p, JN_CALL, callee ? callee->off : here(p));

    if (!n)
        return NULL;
    n->u.call.callee = callee;
    gs_jinja_parse_adopt(p, n, callee);
    return parse_call_args(p, n, &n->u.call.args) ? n : NULL;
}

/* A filter's or test's name: "name", or "a.b" as one. */
static bool parse_dotted(struct jparser *p, struct gs_slice *out)
{
    const struct jtoken *t = gs_jinja_parse_token(p);

    if (!gs_jinja_parse_expect(p, TK_NAME))
        return false;
    *out = t->text;
    while (gs_jinja_parse_skip(p, TK_DOT)) {
        t = gs_jinja_parse_token(p);
        if (!gs_jinja_parse_expect(p, TK_NAME))
            return false;
        out->len = (size_t)(t->text.ptr + t->text.len - out->ptr);
    }
    return true;
}

struct jnode *gs_jinja_parse_filters(struct jparser *p, struct jnode *value, bool inside)
{
    while (p->status == GS_OK && (inside || gs_jinja_parse_skip(p, TK_PIPE))) {
        inside = false;
        struct jnode *n = gs_jinja_parse_node(p, JN_FILTER, here(p));
        if (!n || !parse_dotted(p, &n->u.filter.name))
            return NULL;
        n->u.filter.def = gs_jinja_find_filter(n->u.filter.name);
        n->u.filter.value = value;
        gs_jinja_parse_adopt(p, n, value);
        if (gs_jinja_parse_is(p, TK_LPAREN) && !parse_call_args(p, n, &n->u.filter.args))
            return NULL;
        value = n;
    }
    return value;
}

static struct jnode *parse_postfix(struct jparser *p, struct jnode *n)
{
    while (p->status == GS_OK) {
        if (gs_jinja_parse_is(p, TK_DOT) || gs_jinja_parse_is(p, TK_LBRACKET))
            n = parse_subscript(p, n);
        else if (gs_jinja_parse_is(p, TK_LPAREN))
            n = parse_call(p, n);
        else
            break;
    }
    return n;
}

/* Does a test's argument without parentheses follow? */
static bool at_bare_argument(const struct jparser *p)
{
    switch (gs_jinja_parse_token(p)->kind) {
    case TK_STRING:
    case TK_INT:
    case TK_FLOAT:
    case TK_LBRACKET:
    case TK_LBRACE:
        return true;
    case TK_NAME:
        return !gs_jinja_parse_is_word(p, "else") && !gs_jinja_parse_is_word(p, "or") &&
               !gs_jinja_parse_is_word(p, "and");
    default:
        return false;
    }
}

static struct jnode *parse_test(struct jparser *p, struct jnode *value)
{
    struct jnode *n = gs_jinja_parse_node(p, JN_TEST, here(p));

    gs_jinja_parse_next(p);
    const bool negated = gs_jinja_parse_skip_word(p, "not");
    if (!n || !parse_dotted(p, &n->u.filter.name))
        return NULL;
    n->u.filter.def = gs_jinja_find_test(n->u.filter.name);
    n->u.filter.value = value;
    gs_jinja_parse_adopt(p, n, value);
    if (gs_jinja_parse_is(p, TK_LPAREN)) {
        if (!parse_call_args(p, n, &n->u.filter.args))
            return NULL;
    } else if (at_bare_argument(p)) {
        struct jnode_list args = {0};
        if (gs_jinja_parse_is_word(p, "is"))
            return gs_jinja_parse_fail(p, here(p), "tests cannot be chained with 'is'");
        gs_jinja_parse_push(p, &args, parse_postfix(p, parse_primary(p)));
        n->u.filter.args.pos = gs_jinja_parse_done(&args);
        if (args.len)
            gs_jinja_parse_adopt(p, n, args.items[0]);
    }
    return negated ? binary(p, JN_NOT, JOP_ADD, n->off, n, NULL) : n;
}

static struct jnode *parse_filters_and_tests(struct jparser *p, struct jnode *n)
{
    while (p->status == GS_OK) {
        if (gs_jinja_parse_is(p, TK_PIPE))
            n = gs_jinja_parse_filters(p, n, false);
        else if (gs_jinja_parse_is_word(p, "is"))
            n = parse_test(p, n);
        else if (gs_jinja_parse_is(p, TK_LPAREN))
            n = parse_call(p, n);
        else
            break;
    }
    return n;
}

/* ---- operators ---- */

static struct jnode *parse_unary(struct jparser *p, bool with_filters)
{
    const size_t off = here(p);
    struct jnode *n;

    if (!gs_jinja_parse_enter(p))
        return NULL;
    if (gs_jinja_parse_skip(p, TK_SUB))
        n = binary(p, JN_UNARY, JOP_SUB, off, parse_unary(p, false), NULL);
    else if (gs_jinja_parse_skip(p, TK_ADD))
        n = binary(p, JN_UNARY, JOP_ADD, off, parse_unary(p, false), NULL);
    else
        n = parse_primary(p);
    n = parse_postfix(p, n);
    if (with_filters)
        n = parse_filters_and_tests(p, n);
    p->depth--;
    return n;
}

static struct jnode *parse_operand(struct jparser *p)
{
    return parse_unary(p, true);
}

struct level {
    enum gs_jinja_token token;
    enum joperator op;
};

/* Left-associative operators of one level, over `operand`. */
static struct jnode *parse_level(struct jparser *p, const struct level *ops, size_t n_ops,
                                 struct jnode *(*operand)(struct jparser *))
{
    struct jnode *left = operand(p);

    while (p->status == GS_OK) {
        const size_t off = here(p);
        size_t i = 0;
        while (i < n_ops && !gs_jinja_parse_skip(p, ops[i].token))
            i++;
        if (i == n_ops)
            break;
        left = binary(p, JN_BINARY, ops[i].op, off, left, operand(p));
    }
    return left;
}

static struct jnode *parse_pow(struct jparser *p)
{
    static const struct level ops[] = {{TK_POW, JOP_POW}};

    return parse_level(p, ops, GS_COUNT_OF(ops), parse_operand);
}

static struct jnode *parse_product(struct jparser *p)
{
    static const struct level ops[] = {
        {TK_MUL, JOP_MUL}, {TK_DIV, JOP_DIV}, {TK_FLOORDIV, JOP_FLOORDIV}, {TK_MOD, JOP_MOD}};

    return parse_level(p, ops, GS_COUNT_OF(ops), parse_pow);
}

static struct jnode *parse_concat(struct jparser *p)
{
    struct jnode_list items = {0};
    const size_t off = here(p);

    gs_jinja_parse_push(p, &items, parse_product(p));
    while (p->status == GS_OK && gs_jinja_parse_skip(p, TK_TILDE))
        gs_jinja_parse_push(p, &items, parse_product(p));
    if (p->status != GS_OK)
        return NULL;
    return items.len == 1 ? items.items[0] : group(p, JN_CONCAT, off, &items);
}

static struct jnode *parse_sum(struct jparser *p)
{
    static const struct level ops[] = {{TK_ADD, JOP_ADD}, {TK_SUB, JOP_SUB}};

    return parse_level(p, ops, GS_COUNT_OF(ops), parse_concat);
}

static bool skip_comparison(struct jparser *p, enum joperator *out)
{
    static const struct level ops[] = {{TK_EQ, JOP_EQ}, {TK_NE, JOP_NE}, {TK_LT, JOP_LT},
                                       {TK_LE, JOP_LE}, {TK_GT, JOP_GT}, {TK_GE, JOP_GE}};

    for (size_t i = 0; i < GS_COUNT_OF(ops); i++) {
        if (gs_jinja_parse_skip(p, ops[i].token)) {
            *out = ops[i].op;
            return true;
        }
    }
    if (gs_jinja_parse_skip_word(p, "in")) {
        *out = JOP_IN;
        return true;
    }
    const struct jtoken *after = gs_jinja_parse_look(p);
    if (gs_jinja_parse_is_word(p, "not") && after->kind == TK_NAME &&
        gs_slice_eq_str(after->text, "in")) {
        gs_jinja_parse_next(p);
        gs_jinja_parse_next(p);
        *out = JOP_NOTIN;
        return true;
    }
    return false;
}

static struct jnode *parse_compare(struct jparser *p)
{
    struct jnode_list rest = {0};
    enum joperator ops[64];
    const size_t off = here(p);
    struct jnode *first = parse_sum(p);

    while (p->status == GS_OK && rest.len < GS_COUNT_OF(ops) && skip_comparison(p, &ops[rest.len]))
        gs_jinja_parse_push(p, &rest, parse_sum(p));
    if (p->status != GS_OK || rest.len == 0)
        return first;
    struct jnode *n = gs_jinja_parse_node(p, JN_COMPARE, off);
    enum joperator *copy = gs_arena_array(&p->tpl->arena, rest.len, sizeof(*copy));
    if (!n || !copy)
        return gs_jinja_parse_nomem(p);
    memcpy(copy, ops, rest.len * sizeof(*copy));
    n->u.compare.first = first;
    n->u.compare.ops = copy;
    n->u.compare.rest = gs_jinja_parse_done(&rest);
    gs_jinja_parse_adopt(p, n, first);
    for (size_t i = 0; i < rest.len; i++)
        gs_jinja_parse_adopt(p, n, rest.items[i]);
    return n;
}

static struct jnode *parse_not(struct jparser *p)
{
    const size_t off = here(p);

    if (!gs_jinja_parse_skip_word(p, "not"))
        return parse_compare(p);
    if (!gs_jinja_parse_enter(p))
        return NULL;
    struct jnode *n = binary(p, JN_NOT, JOP_ADD, off, parse_not(p), NULL);
    p->depth--;
    return n;
}

static struct jnode *parse_and(struct jparser *p)
{
    struct jnode *left = parse_not(p);

    for (size_t off = here(p); gs_jinja_parse_skip_word(p, "and"); off = here(p))
        left = binary(p, JN_AND, JOP_ADD, off, left, parse_not(p));
    return left;
}

static struct jnode *parse_or(struct jparser *p)
{
    struct jnode *left = parse_and(p);

    for (size_t off = here(p); gs_jinja_parse_skip_word(p, "or"); off = here(p))
        left = binary(p, JN_OR, JOP_ADD, off, left, parse_and(p));
    return left;
}

struct jnode *gs_jinja_parse_expr(struct jparser *p)
{
    if (!gs_jinja_parse_enter(p))
        return NULL;
    struct jnode *then = parse_or(p);
    for (size_t off = here(p); gs_jinja_parse_skip_word(p, "if"); off = here(p)) {
        struct jnode *n = gs_jinja_parse_node(p, JN_COND, off);
        struct jnode *test = parse_or(p);
        struct jnode *otherwise =
            gs_jinja_parse_skip_word(p, "else") ? gs_jinja_parse_expr(p) : NULL;
        if (!n)
            break;
        n->u.cond.test = test;
        n->u.cond.then = then;
        n->u.cond.otherwise = otherwise;
        gs_jinja_parse_adopt(p, n, test);
        gs_jinja_parse_adopt(p, n, then);
        gs_jinja_parse_adopt(p, n, otherwise);
        then = n;
    }
    p->depth--;
    return p->status == GS_OK ? then : NULL;
}

/* ---- tuples and targets ---- */

static bool at_tuple_end(const struct jparser *p, const char *until)
{
    return gs_jinja_parse_is(p, TK_VAR_END) || gs_jinja_parse_is(p, TK_BLOCK_END) ||
           gs_jinja_parse_is(p, TK_RPAREN) || (until && gs_jinja_parse_is_word(p, until));
}

static struct jnode *parse_tuple_of(struct jparser *p, struct jnode *(*parse)(struct jparser *),
                                    const char *until, bool in_parentheses)
{
    struct jnode_list items = {0};
    const size_t off = here(p);
    bool is_tuple = false;

    while (p->status == GS_OK && !at_tuple_end(p, until)) {
        gs_jinja_parse_push(p, &items, parse(p));
        if (!gs_jinja_parse_skip(p, TK_COMMA))
            break;
        is_tuple = true;
    }
    if (p->status != GS_OK)
        return NULL;
    if (!is_tuple && items.len == 1)
        return items.items[0];
    if (!is_tuple && !in_parentheses)
        return gs_jinja_parse_fail(p, here(p), "expected an expression, found %s",
                                   gs_jinja_token_text(gs_jinja_parse_token(p)->kind));
    return group(p, JN_TUPLE, off, &items);
}

struct jnode *gs_jinja_parse_tuple(struct jparser *p, bool conditional, const char *until)
{
    return parse_tuple_of(p, conditional ? gs_jinja_parse_expr : parse_or, until, false);
}

static bool check_target(struct jparser *p, const struct jnode *n)
{
    if (n->kind == JN_NAME || n->kind == JN_NSREF)
        return true;
    if (n->kind != JN_TUPLE) {
        gs_jinja_parse_fail(p, n->off, "cannot assign to this expression");
        return false;
    }
    for (size_t i = 0; i < n->u.items.len; i++) {
        if (!check_target(p, n->u.items.items[i]))
            return false;
    }
    return true;
}

static struct jnode *parse_target_item(struct jparser *p)
{
    const struct jtoken *t = gs_jinja_parse_token(p);

    if (t->kind != TK_NAME || gs_jinja_parse_look(p)->kind != TK_DOT)
        return parse_primary(p);
    struct jnode *n = gs_jinja_parse_node(p, JN_NSREF, t->off);
    gs_jinja_parse_next(p);
    gs_jinja_parse_next(p);
    const struct jtoken *attr = gs_jinja_parse_token(p);
    if (!n || !gs_jinja_parse_expect(p, TK_NAME) ||
        !gs_jinja_parse_name(p, t->text, &n->u.nsref.object))
        return NULL;
    n->u.nsref.attr = attr->text;
    return n;
}

struct jnode *gs_jinja_parse_target(struct jparser *p, const char *until, bool with_namespace)
{
    struct jnode *n =
        parse_tuple_of(p, with_namespace ? parse_target_item : parse_primary, until, false);

    return n && check_target(p, n) ? n : NULL;
}
