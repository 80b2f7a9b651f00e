/* The compiled template: a tree of nodes in one arena, with every name resolved to a slot.
 *
 * A frame is what Jinja gives its own variables: the template, a macro, a loop body, a "with"...
 * At run time each entry of a frame makes a scope (an array of slots with a parent), filled by the
 * frame's loads. A name is then "go up so many scopes, take that slot". */
#ifndef GS_JINJA_AST_H
#define GS_JINJA_AST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "jinja/jinja_value.h"

enum jnode_kind {
    /* expressions */
    JN_CONST,
    JN_NAME,
    JN_TUPLE,
    JN_LIST,
    JN_DICT,
    JN_COND,
    JN_OR,
    JN_AND,
    JN_NOT,
    JN_UNARY,
    JN_BINARY,
    JN_CONCAT,
    JN_COMPARE,
    JN_GETATTR,
    JN_GETITEM,
    JN_SLICE,
    JN_CALL,
    JN_FILTER,
    JN_TEST,
    JN_NSREF, /* only as a target */
    /* statements */
    JN_TEXT,
    JN_PRINT,
    JN_DO,
    JN_IF,
    JN_FOR,
    JN_MACRO,
    JN_CALL_BLOCK,
    JN_FILTER_BLOCK,
    JN_WITH,
    JN_SET,
    JN_SET_BLOCK,
    JN_SCOPE, /* a block, or the inside of "generation" */
    JN_BREAK,
    JN_CONTINUE,
};

enum joperator {
    JOP_ADD,
    JOP_SUB,
    JOP_MUL,
    JOP_DIV,
    JOP_FLOORDIV,
    JOP_MOD,
    JOP_POW,
    JOP_EQ,
    JOP_NE,
    JOP_LT,
    JOP_LE,
    JOP_GT,
    JOP_GE,
    JOP_IN,
    JOP_NOTIN,
};

struct jnode;

struct jnodes {
    struct jnode **items;
    size_t len;
};

struct jkwarg {
    struct gs_slice name;
    struct jnode *value;
};

struct jcallargs {
    struct jnodes pos;
    struct jkwarg *kw;
    size_t n_kw;
    struct jnode *dyn_pos; /* *args, or NULL */
    struct jnode *dyn_kw;  /* **kwargs, or NULL */
};

struct jbuiltin;

/* What the types with methods have under one name; NULL where nothing. */
struct jmethods {
    const struct jbuiltin *on_str;
    const struct jbuiltin *on_list;
    const struct jbuiltin *on_dict;
    bool mutates_list; /* there in Python, forbidden in the sandbox */
    bool mutates_dict;
};

/* What a slot holds when its frame is entered. */
enum jload_kind {
    JLOAD_PARAM,   /* set by whoever enters the frame */
    JLOAD_CONTEXT, /* a variable of the render call, or a global */
    JLOAD_ALIAS,   /* a copy of a slot further out */
    JLOAD_MISSING,
};

struct jload {
    enum jload_kind kind;
    uint32_t slot;
    uint32_t hops; /* JLOAD_ALIAS: from the scope entered */
    uint32_t from; /* JLOAD_ALIAS: slot; JLOAD_CONTEXT: index of a context name */
};

struct jframe {
    uint32_t n_slots;
    uint32_t n_loads;
    struct jload *loads; /* of all slots but parameters */
};

struct jname {
    struct gs_slice text;
    uint32_t id;   /* same name, same id */
    uint32_t hops; /* resolved */
    uint32_t slot;
};

/* Macro or call block. */
struct jmacro {
    struct jname name;      /* empty for a call block */
    struct jnodes params;   /* JN_NAME */
    struct jnodes defaults; /* of the last params */
    struct jnodes body;
    struct jframe frame;
    bool wants_caller; /* the body names it and no parameter is called so */
    bool wants_kwargs;
    bool wants_varargs;
    bool explicit_caller; /* a parameter is called "caller" */
    uint32_t caller_slot;
    uint32_t kwargs_slot;
    uint32_t varargs_slot;
};

struct jfor {
    struct jnode *target;
    struct jnode *test_target; /* the same target, resolved in the test's frame; or NULL */
    struct jnode *iter;
    struct jnode *test; /* or NULL */
    struct jnodes body;
    struct jnodes otherwise;
    struct jframe frame;
    struct jframe test_frame;
    struct jframe else_frame;
    uint32_t loop_slot;
    bool recursive;
    bool uses_loop; /* the body names "loop" */
};

struct jnode {
    enum jnode_kind kind;
    uint32_t off;    /* in the source */
    uint32_t height; /* of the tree below; bounds recursion */
    union {
        struct jval constant;
        struct jname name;
        struct jnodes items; /* TUPLE, LIST, CONCAT, PRINT; DICT: key, value, key, value... */
        struct {
            struct jnode *test;
            struct jnode *then;
            struct jnode *otherwise; /* or NULL */
        } cond;
        struct {
            enum joperator op; /* UNARY: JOP_ADD, JOP_SUB */
            struct jnode *left;
            struct jnode *right; /* not in NOT, UNARY */
        } binary;                /* also OR, AND, NOT, UNARY, DO */
        struct {
            struct jnode *first;
            enum joperator *ops;
            struct jnodes rest;
        } compare;
        struct {
            struct jnode *object;
            struct gs_slice name;
            struct jmethods methods; /* what types have of that name */
        } getattr;
        struct {
            struct jnode *object;
            struct jnode *index;
        } getitem;
        struct {
            struct jnode *start; /* each may be NULL */
            struct jnode *stop;
            struct jnode *step;
        } slice;
        struct {
            struct jnode *callee;
            struct jcallargs args;
        } call;
        struct {
            struct jnode *value;        /* NULL: the block's text */
            const struct jbuiltin *def; /* NULL if there is none: an error when reached */
            struct gs_slice name;
            struct jcallargs args;
        } filter; /* and TEST */
        struct {
            struct jname object;
            struct gs_slice attr;
        } nsref;
        struct gs_slice text;
        struct {
            struct jnode *test;
            struct jnodes body;
            struct jnodes elifs; /* IF nodes without elifs or else */
            struct jnodes otherwise;
        } branch;
        struct jfor *loop;
        struct jmacro *macro;
        struct {
            struct jnode *call;
            struct jmacro *caller;
        } call_block;
        struct {
            struct jnode *target;
            struct jnode *value;  /* SET */
            struct jnode *filter; /* SET_BLOCK, FILTER_BLOCK; or NULL */
            struct jnodes body;   /* SET_BLOCK, FILTER_BLOCK, SCOPE */
            struct jframe frame;
            bool is_block; /* SCOPE: sees the template's variables only */
        } set;
        struct {
            struct jnodes targets;
            struct jnodes values;
            struct jnodes body;
            struct jframe frame;
        } with;
    } u;
};

struct gs_template {
    char *name;
    struct gs_slice source; /* as given */
    struct gs_slice text;   /* what was lexed: '\n' line ends, no final one */
    struct gs_arena arena;  /* everything else */
    struct jnodes body;
    struct jframe frame;
    struct gs_slice *context_names; /* what the template asks of the render call */
    size_t n_context_names;
};

#endif
