/* Statements: from tokens to the tree. */
#include "jinja/jinja_parse.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/slice.h"

#define MAX_DEPTH  200 /* of the parser's own recursion */
#define MAX_HEIGHT 400 /* of a tree, which is the evaluator's recursion */

/* ---- errors, tokens, nodes ---- */

struct jnode *gs_jinja_parse_fail(struct jparser *p, size_t off, const char *fmt, ...)
{
    char msg[GS_ERROR_MSG_BYTES];
    va_list ap;

    if (p->status != GS_OK)
        return NULL;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof(msg), fmt, ap);
    va_end(ap);
    p->status = gs_error_set(p->err, GS_ETEMPLATE, "%s", msg);
    gs_error_pos_in(p->err, p->tpl->name, p->tpl->text, off);
    return NULL;
}

struct jnode *gs_jinja_parse_nomem(struct jparser *p)
{
    if (p->status == GS_OK)
        p->status = gs_error_nomem(p->err, "compile the template");
    return NULL;
}

static void fail_nesting(struct jparser *p, size_t off)
{
    if (p->status != GS_OK)
        return;
    p->status = gs_error_set(p->err, GS_ELIMIT, "template is nested too deeply");
    gs_error_pos_in(p->err, p->tpl->name, p->tpl->text, off);
}

bool gs_jinja_parse_enter(struct jparser *p)
{
    if (p->depth >= MAX_DEPTH)
        fail_nesting(p, gs_jinja_parse_token(p)->off);
    if (p->status != GS_OK)
        return false;
    p->depth++;
    return true;
}

const struct jtoken *gs_jinja_parse_token(const struct jparser *p)
{
    return &p->tokens.items[p->pos];
}

const struct jtoken *gs_jinja_parse_look(const struct jparser *p)
{
    return &p->tokens.items[GS_MIN(p->pos + 1, p->tokens.len - 1)];
}

bool gs_jinja_parse_is(const struct jparser *p, enum gs_jinja_token kind)
{
    return p->status == GS_OK && gs_jinja_parse_token(p)->kind == kind;
}

bool gs_jinja_parse_is_word(const struct jparser *p, const char *word)
{
    return gs_jinja_parse_is(p, TK_NAME) && gs_slice_eq_str(gs_jinja_parse_token(p)->text, word);
}

void gs_jinja_parse_next(struct jparser *p)
{
    if (p->status == GS_OK && p->pos + 1 < p->tokens.len)
        p->pos++;
}

bool gs_jinja_parse_skip(struct jparser *p, enum gs_jinja_token kind)
{
    const bool hit = gs_jinja_parse_is(p, kind);

    if (hit)
        gs_jinja_parse_next(p);
    return hit;
}

bool gs_jinja_parse_skip_word(struct jparser *p, const char *word)
{
    const bool hit = gs_jinja_parse_is_word(p, word);

    if (hit)
        gs_jinja_parse_next(p);
    return hit;
}

static void fail_expected(struct jparser *p, const char *what)
{
    const struct jtoken *t = gs_jinja_parse_token(p);

    if (t->kind == TK_NAME)
        gs_jinja_parse_fail(p, t->off, "expected %s, found '%.*s'", what, (int)t->text.len,
                            t->text.ptr);
    else
        gs_jinja_parse_fail(p, t->off, "expected %s, found %s", what, gs_jinja_token_text(t->kind));
}

bool gs_jinja_parse_expect(struct jparser *p, enum gs_jinja_token kind)
{
    if (gs_jinja_parse_skip(p, kind))
        return true;
    fail_expected(p, gs_jinja_token_text(kind));
    return false;
}

struct jnode *gs_jinja_parse_node(struct jparser *p, enum jnode_kind kind, size_t off)
{
    if (p->status != GS_OK)
        return NULL;
    struct jnode *n = gs_arena_alloc(&p->tpl->arena, sizeof(*n));
    if (!n)
        return gs_jinja_parse_nomem(p);
    n->kind = kind;
    n->off = (uint32_t)off;
    return n;
}

void gs_jinja_parse_adopt(struct jparser *p, struct jnode *n, const struct jnode *child)
{
    if (!child || child->height + 1 <= n->height)
        return;
    n->height = child->height + 1;
    if (n->height > MAX_HEIGHT)
        fail_nesting(p, n->off);
}

void gs_jinja_parse_push(struct jparser *p, struct jnode_list *l, struct jnode *n)
{
    if (!n || p->status != GS_OK)
        return;
    if (l->len == l->cap) {
        const size_t cap = l->cap ? l->cap * 2 : 4;
        struct jnode **items = gs_arena_array(&p->tpl->arena, cap, sizeof(void *));
        if (!items) {
            gs_jinja_parse_nomem(p);
            return;
        }
        if (l->len)
            memcpy(items, l->items, l->len * sizeof(void *));
        l->items = items;
        l->cap = cap;
    }
    l->items[l->len++] = n;
}

struct jnodes gs_jinja_parse_done(const struct jnode_list *l)
{
    return (struct jnodes){l->items, l->len};
}

bool gs_jinja_parse_name(struct jparser *p, struct gs_slice text, struct jname *out)
{
    struct jname *name = gs_map_get(&p->ids, text);

    if (!name) {
        name = gs_arena_alloc(&p->tpl->arena, sizeof(*name));
        gs_buf_put(&p->names, &text, sizeof(text));
        if (!name || !gs_buf_ok(&p->names) || !gs_map_put(&p->ids, text, name)) {
            gs_jinja_parse_nomem(p);
            return false;
        }
        *name = (struct jname){.text = text, .id = (uint32_t)p->ids.len - 1};
    }
    *out = *name;
    return true;
}

/* ---- bodies ---- */

static void parse_statement(struct jparser *p, struct jnode_list *out);

/* Words that may end a body, up to three; the rest NULL. */
struct ends {
    const char *words[3];
};

static bool at_end_word(const struct jparser *p, const struct ends *ends)
{
    for (size_t i = 0; i < GS_COUNT_OF(ends->words) && ends->words[i]; i++) {
        if (gs_jinja_parse_is_word(p, ends->words[i]))
            return true;
    }
    return false;
}

static void parse_print(struct jparser *p, struct jnode_list *out)
{
    struct jnode *n = gs_jinja_parse_node(p, JN_PRINT, gs_jinja_parse_token(p)->off);
    struct jnode_list items = {0};

    gs_jinja_parse_next(p);
    gs_jinja_parse_push(p, &items, gs_jinja_parse_tuple(p, true, NULL));
    if (!n || !gs_jinja_parse_expect(p, TK_VAR_END) || items.len == 0)
        return;
    n->u.items = gs_jinja_parse_done(&items);
    gs_jinja_parse_adopt(p, n, items.items[0]);
    gs_jinja_parse_push(p, out, n);
}

/* Text, prints and statements up to one of the end words (left as the current token) or, without
 * `ends`, the end of the template. */
static struct jnodes parse_body(struct jparser *p, const struct ends *ends)
{
    struct jnode_list body = {0};

    while (p->status == GS_OK && !gs_jinja_parse_is(p, TK_EOF)) {
        const struct jtoken *t = gs_jinja_parse_token(p);
        if (t->kind == TK_DATA) {
            struct jnode *n = gs_jinja_parse_node(p, JN_TEXT, t->off);
            if (n)
                n->u.text = t->text;
            gs_jinja_parse_push(p, &body, n);
            gs_jinja_parse_next(p);
        } else if (t->kind == TK_VAR_BEGIN) {
            parse_print(p, &body);
        } else {
            gs_jinja_parse_next(p);
            if (ends && at_end_word(p, ends))
                return gs_jinja_parse_done(&body);
            parse_statement(p, &body);
            gs_jinja_parse_expect(p, TK_BLOCK_END);
        }
    }
    if (ends)
        gs_jinja_parse_fail(p, gs_jinja_parse_token(p)->off,
                            "unexpected end of template, '%s' is missing", ends->words[0]);
    return gs_jinja_parse_done(&body);
}

/* The body of a statement whose head has been read. */
static struct jnodes parse_block(struct jparser *p, struct ends ends)
{
    gs_jinja_parse_skip(p, TK_COLON);
    if (!gs_jinja_parse_expect(p, TK_BLOCK_END))
        return (struct jnodes){0};
    return parse_body(p, &ends);
}

/* The same, closed by one word. */
static struct jnodes parse_closed_block(struct jparser *p, const char *end)
{
    const struct jnodes body = parse_block(p, (struct ends){{end, NULL, NULL}});

    gs_jinja_parse_next(p);
    return body;
}

/* ---- statements: the current token is the tag's name ---- */

static struct jnode *begin(struct jparser *p, enum jnode_kind kind)
{
    struct jnode *n = gs_jinja_parse_node(p, kind, gs_jinja_parse_token(p)->off);

    gs_jinja_parse_next(p);
    return n;
}

static struct jnode *parse_if(struct jparser *p)
{
    static const struct ends ends = {{"endif", "elif", "else"}};
    struct jnode *n = begin(p, JN_IF);
    struct jnode *part = n;
    struct jnode_list elifs = {0};

    while (part) {
        part->u.branch.test = gs_jinja_parse_tuple(p, false, NULL);
        part->u.branch.body = parse_block(p, ends);
        const bool is_elif = gs_jinja_parse_is_word(p, "elif");
        const bool is_else = gs_jinja_parse_is_word(p, "else");
        part = is_elif ? begin(p, JN_IF) : NULL;
        if (is_elif) {
            gs_jinja_parse_push(p, &elifs, part);
        } else {
            gs_jinja_parse_next(p);
            if (is_else)
                n->u.branch.otherwise = parse_closed_block(p, "endif");
        }
    }
    if (n)
        n->u.branch.elifs = gs_jinja_parse_done(&elifs);
    return n;
}

static struct jnode *parse_for(struct jparser *p)
{
    struct jnode *n = begin(p, JN_FOR);
    struct jfor *f = n ? gs_arena_alloc(&p->tpl->arena, sizeof(*f)) : NULL;

    if (!f)
        return gs_jinja_parse_nomem(p);
    n->u.loop = f;
    const size_t target = p->pos;
    f->target = gs_jinja_parse_target(p, "in", false);
    if (!gs_jinja_parse_skip_word(p, "in")) {
        fail_expected(p, "'in'");
        return NULL;
    }
    f->iter = gs_jinja_parse_tuple(p, false, "recursive");
    if (gs_jinja_parse_skip_word(p, "if")) {
        f->test = gs_jinja_parse_expr(p);
        const size_t after = p->pos;
        if (p->status == GS_OK) { /* the target again, for the test's own variables */
            p->pos = target;
            f->test_target = gs_jinja_parse_target(p, "in", false);
            p->pos = after;
        }
    }
    f->recursive = gs_jinja_parse_skip_word(p, "recursive");
    p->loops++;
    f->body = parse_block(p, (struct ends){{"endfor", "else", NULL}});
    p->loops--;
    const bool has_else = gs_jinja_parse_is_word(p, "else");
    gs_jinja_parse_next(p);
    if (has_else) { /* a recursive loop is a function: no outer loop can be left from inside */
        const unsigned loops = p->loops;
        p->loops = f->recursive ? 0 : loops;
        f->otherwise = parse_closed_block(p, "endfor");
        p->loops = loops;
    }
    return n;
}

static struct jnode *parse_set(struct jparser *p)
{
    struct jnode *n = begin(p, JN_SET);

    if (!n)
        return NULL;
    n->u.set.target = gs_jinja_parse_target(p, NULL, true);
    if (gs_jinja_parse_skip(p, TK_ASSIGN)) {
        n->u.set.value = gs_jinja_parse_tuple(p, true, NULL);
        return n;
    }
    n->kind = JN_SET_BLOCK;
    n->u.set.filter = gs_jinja_parse_filters(p, NULL, false);
    n->u.set.body = parse_closed_block(p, "endset");
    return n;
}

/* "(a, b=1)" */
static void parse_signature(struct jparser *p, struct jmacro *m)
{
    struct jnode_list params = {0};
    struct jnode_list defaults = {0};

    gs_jinja_parse_expect(p, TK_LPAREN);
    while (p->status == GS_OK && !gs_jinja_parse_is(p, TK_RPAREN)) {
        if (params.len)
            gs_jinja_parse_expect(p, TK_COMMA);
        const struct jtoken *t = gs_jinja_parse_token(p);
        struct jnode *param = gs_jinja_parse_node(p, JN_NAME, t->off);
        if (!gs_jinja_parse_expect(p, TK_NAME) || !param ||
            !gs_jinja_parse_name(p, t->text, &param->u.name))
            break;
        for (size_t i = 0; i < params.len; i++) {
            if (params.items[i]->u.name.id == param->u.name.id)
                gs_jinja_parse_fail(p, t->off, "parameter '%.*s' is given twice", (int)t->text.len,
                                    t->text.ptr);
        }
        gs_jinja_parse_push(p, &params, param);
        if (gs_jinja_parse_skip(p, TK_ASSIGN))
            gs_jinja_parse_push(p, &defaults, gs_jinja_parse_expr(p));
        else if (defaults.len)
            gs_jinja_parse_fail(p, t->off, "parameter without a default after one with a default");
    }
    gs_jinja_parse_expect(p, TK_RPAREN);
    m->params = gs_jinja_parse_done(&params);
    m->defaults = gs_jinja_parse_done(&defaults);
}

static struct jnodes parse_macro_body(struct jparser *p, const char *end)
{
    const unsigned loops = p->loops;

    p->loops = 0;
    const struct jnodes body = parse_closed_block(p, end);
    p->loops = loops;
    return body;
}

static struct jnode *parse_macro(struct jparser *p)
{
    struct jnode *n = begin(p, JN_MACRO);
    struct jmacro *m = n ? gs_arena_alloc(&p->tpl->arena, sizeof(*m)) : NULL;
    const struct gs_slice name = gs_jinja_parse_token(p)->text;

    if (!m)
        return gs_jinja_parse_nomem(p);
    n->u.macro = m;
    if (!gs_jinja_parse_expect(p, TK_NAME) || !gs_jinja_parse_name(p, name, &m->name))
        return NULL;
    parse_signature(p, m);
    m->body = parse_macro_body(p, "endmacro");
    return n;
}

static struct jnode *parse_call_block(struct jparser *p)
{
    struct jnode *n = begin(p, JN_CALL_BLOCK);
    struct jmacro *m = n ? gs_arena_alloc(&p->tpl->arena, sizeof(*m)) : NULL;

    if (!m)
        return gs_jinja_parse_nomem(p);
    n->u.call_block.caller = m;
    if (gs_jinja_parse_is(p, TK_LPAREN))
        parse_signature(p, m);
    struct jnode *call = gs_jinja_parse_expr(p);
    if (call && call->kind != JN_CALL)
        return gs_jinja_parse_fail(p, call->off, "expected a call");
    n->u.call_block.call = call;
    m->body = parse_macro_body(p, "endcall");
    return n;
}

static struct jnode *parse_filter_block(struct jparser *p)
{
    struct jnode *n = begin(p, JN_FILTER_BLOCK);

    if (!n)
        return NULL;
    n->u.set.filter = gs_jinja_parse_filters(p, NULL, true);
    n->u.set.body = parse_closed_block(p, "endfilter");
    return n;
}

static struct jnode *parse_with(struct jparser *p)
{
    struct jnode *n = begin(p, JN_WITH);
    struct jnode_list targets = {0};
    struct jnode_list values = {0};

    while (n && p->status == GS_OK && !gs_jinja_parse_is(p, TK_BLOCK_END)) {
        if (targets.len)
            gs_jinja_parse_expect(p, TK_COMMA);
        gs_jinja_parse_push(p, &targets, gs_jinja_parse_target(p, NULL, false));
        gs_jinja_parse_expect(p, TK_ASSIGN);
        gs_jinja_parse_push(p, &values, gs_jinja_parse_expr(p));
    }
    if (!n)
        return NULL;
    n->u.with.targets = gs_jinja_parse_done(&targets);
    n->u.with.values = gs_jinja_parse_done(&values);
    n->u.with.body = parse_closed_block(p, "endwith");
    return n;
}

static struct jnode *parse_print_tag(struct jparser *p)
{
    struct jnode *n = begin(p, JN_PRINT);
    struct jnode_list items = {0};

    while (p->status == GS_OK && !gs_jinja_parse_is(p, TK_BLOCK_END)) {
        if (items.len)
            gs_jinja_parse_expect(p, TK_COMMA);
        gs_jinja_parse_push(p, &items, gs_jinja_parse_expr(p));
    }
    if (n)
        n->u.items = gs_jinja_parse_done(&items);
    return n;
}

static struct jnode *parse_do(struct jparser *p)
{
    struct jnode *n = begin(p, JN_DO);

    if (n)
        n->u.binary.left = gs_jinja_parse_tuple(p, true, NULL);
    return n;
}

/* Marks the assistant's text for training; passes through. */
static struct jnode *parse_generation(struct jparser *p)
{
    struct jnode *n = begin(p, JN_SCOPE);

    if (n)
        n->u.set.body = parse_macro_body(p, "endgeneration");
    return n;
}

static struct jnode *parse_named_block(struct jparser *p)
{
    struct jnode *n = begin(p, JN_SCOPE);
    const struct gs_slice name = gs_jinja_parse_token(p)->text;

    if (!n || !gs_jinja_parse_expect(p, TK_NAME))
        return NULL;
    n->u.set.is_block = !gs_jinja_parse_skip_word(p, "scoped");
    n->u.set.body = parse_macro_body(p, "endblock");
    if (gs_jinja_parse_is(p, TK_NAME) && gs_slice_eq(gs_jinja_parse_token(p)->text, name))
        gs_jinja_parse_next(p);
    return n;
}

static struct jnode *parse_loop_control(struct jparser *p)
{
    const struct jtoken *t = gs_jinja_parse_token(p);
    const bool is_break = gs_slice_eq_str(t->text, "break");

    if (p->loops == 0)
        return gs_jinja_parse_fail(p, t->off, "'%.*s' outside of a loop", (int)t->text.len,
                                   t->text.ptr);
    return begin(p, is_break ? JN_BREAK : JN_CONTINUE);
}

/* "autoescape false" is how it is anyway. */
static struct jnode *parse_autoescape(struct jparser *p)
{
    const size_t off = gs_jinja_parse_token(p)->off;
    struct jnode *n = begin(p, JN_SCOPE);
    const struct jnode *option = gs_jinja_parse_expr(p);

    if (!n || !option)
        return NULL;
    if (option->kind != JN_CONST || option->u.constant.kind != JV_BOOL ||
        option->u.constant.u.boolean)
        return gs_jinja_parse_fail(p, off, "tag 'autoescape' is supported with 'false' only");
    n->u.set.body = parse_closed_block(p, "endautoescape");
    return n;
}

static struct jnode *parse_refused(struct jparser *p)
{
    const struct jtoken *t = gs_jinja_parse_token(p);

    gs_jinja_parse_fail(p, t->off, "tag '%.*s' is not supported: a chat template is one file",
                        (int)t->text.len, t->text.ptr);
    return NULL;
}

static void parse_statement(struct jparser *p, struct jnode_list *out)
{
    static const struct {
        const char *name;
        struct jnode *(*parse)(struct jparser *);
    } tags[] = {
        {"if", parse_if},
        {"for", parse_for},
        {"set", parse_set},
        {"macro", parse_macro},
        {"call", parse_call_block},
        {"filter", parse_filter_block},
        {"with", parse_with},
        {"print", parse_print_tag},
        {"do", parse_do},
        {"generation", parse_generation},
        {"block", parse_named_block},
        {"break", parse_loop_control},
        {"continue", parse_loop_control},
        {"autoescape", parse_autoescape},
        {"extends", parse_refused},
        {"include", parse_refused},
        {"import", parse_refused},
        {"from", parse_refused},
    };
    const struct jtoken *t = gs_jinja_parse_token(p);

    if (!gs_jinja_parse_is(p, TK_NAME)) {
        fail_expected(p, "the name of a tag");
        return;
    }
    for (size_t i = 0; i < GS_COUNT_OF(tags); i++) {
        if (!gs_slice_eq_str(t->text, tags[i].name))
            continue;
        if (!gs_jinja_parse_enter(p))
            return;
        gs_jinja_parse_push(p, out, tags[i].parse(p));
        p->depth--;
        return;
    }
    gs_jinja_parse_fail(p, t->off, "unknown tag '%.*s'", (int)t->text.len, t->text.ptr);
}

enum gs_status gs_jinja_compile(struct gs_template *tpl, struct gs_error *err)
{
    struct jparser p = {.tpl = tpl, .err = err};

    gs_map_init(&p.ids, 0);
    gs_buf_init(&p.names, GS_MAX_TEXT_BYTES);
    p.status = gs_jinja_lex(tpl->name, tpl->text, &tpl->arena, &p.tokens, err);
    if (p.status == GS_OK)
        tpl->body = parse_body(&p, NULL);
    if (p.status == GS_OK)
        p.status = gs_jinja_resolve(tpl, (const struct gs_slice *)(const void *)p.names.ptr,
                                    p.ids.len, err);
    gs_buf_clear(&p.names);
    gs_map_clear(&p.ids);
    gs_free(p.tokens.items);
    return p.status;
}
