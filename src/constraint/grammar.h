/* A grammar over bytes: rules whose bodies are graphs of nodes.
 *
 * A graph is built from its end to its start: every function takes the node that follows and
 * returns the node that goes before, so nothing is patched. A rule may call itself, but not before
 * it has read a byte. Failures (memory, size) are remembered: check gs_grammar_ok() once, at the
 * end. */
#ifndef GS_CONSTRAINT_GRAMMAR_H
#define GS_CONSTRAINT_GRAMMAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "genset/slice.h"
#include "genset/status.h"

#define GS_GRAMMAR_MAX_NODES ((uint32_t)4 << 20)
#define GS_GRAMMAR_MANY      UINT32_MAX /* no upper bound of a repetition */
#define GS_CODE_POINT_LAST   0x10ffff

enum gs_node_kind {
    GS_NODE_END,    /* of a rule */
    GS_NODE_FAIL,   /* matches nothing */
    GS_NODE_BYTE,   /* a = the byte */
    GS_NODE_SET,    /* a = index of a byte set */
    GS_NODE_FORK,   /* either a or next */
    GS_NODE_CALL,   /* a = rule */
    GS_NODE_REPEAT, /* a = index of a repetition */
};

/* The nodes that exist from the start. */
#define GS_GRAMMAR_END  0
#define GS_GRAMMAR_FAIL 1

struct gs_node {
    uint32_t kind; /* enum gs_node_kind */
    uint32_t a;
    uint32_t next;
};

struct gs_byte_set {
    uint64_t bits[4];
};

struct gs_repeat {
    uint32_t rule;
    uint32_t min, max;
};

struct gs_grammar {
    struct gs_node *nodes;
    uint32_t n_nodes, cap_nodes;
    struct gs_byte_set *sets;
    uint32_t n_sets, cap_sets;
    struct gs_repeat *repeats;
    uint32_t n_repeats, cap_repeats;
    uint32_t *rules; /* first node of each */
    uint32_t n_rules, cap_rules;
    uint32_t root; /* rule */
    bool failed;
};

static inline bool gs_byte_set_has(const struct gs_byte_set *s, uint8_t byte)
{
    return s->bits[byte >> 6] >> (byte & 63) & 1;
}

void gs_grammar_init(struct gs_grammar *g);
void gs_grammar_clear(struct gs_grammar *g);
/* GS_ENOMEM or GS_ELIMIT if something was lost; GS_EUNSUPPORTED for a rule that calls itself before
 * it reads anything. */
GS_MUST_CHECK enum gs_status gs_grammar_check(const struct gs_grammar *g, struct gs_error *err);

/* Take away the nodes from which no end can be reached, so that whatever is allowed can be
 * completed. False: no memory. */
GS_MUST_CHECK bool gs_grammar_prune(struct gs_grammar *g);

uint32_t gs_grammar_byte(struct gs_grammar *g, uint8_t byte, uint32_t next);
uint32_t gs_grammar_set(struct gs_grammar *g, uint8_t lo, uint8_t hi, uint32_t next);
uint32_t gs_grammar_text(struct gs_grammar *g, struct gs_slice text, uint32_t next);
/* One character of [lo, hi], in UTF-8; surrogates are left out. */
uint32_t gs_grammar_char(struct gs_grammar *g, uint32_t lo, uint32_t hi, uint32_t next);
/* Either of the two. */
uint32_t gs_grammar_fork(struct gs_grammar *g, uint32_t a, uint32_t b);
/* Any of n, FAIL for none. */
uint32_t gs_grammar_any(struct gs_grammar *g, const uint32_t *nodes, size_t n);
/* Any of n texts, which are sorted; they share nodes as far as they begin alike. */
uint32_t gs_grammar_texts(struct gs_grammar *g, struct gs_slice *texts, size_t n, uint32_t next);

/* A rule without a body yet. */
uint32_t gs_grammar_rule(struct gs_grammar *g);
void gs_grammar_define(struct gs_grammar *g, uint32_t rule, uint32_t first);
uint32_t gs_grammar_call(struct gs_grammar *g, uint32_t rule, uint32_t next);
/* The rule min..max times. */
uint32_t gs_grammar_repeat(struct gs_grammar *g, uint32_t rule, uint32_t min, uint32_t max,
                           uint32_t next);

#endif
