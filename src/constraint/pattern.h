/* Patterns of characters: what regular expressions and GBNF rules are parsed to. */
#ifndef GS_CONSTRAINT_PATTERN_H
#define GS_CONSTRAINT_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "constraint/grammar.h"

#define GS_PATTERN_MAX_DEPTH  200
#define GS_PATTERN_MAX_REPEAT 100000

struct gs_char_range {
    uint32_t lo, hi;
};

/* A list that grows in an arena. */
struct gs_char_ranges {
    struct gs_char_range *items;
    size_t n, cap;
};

enum gs_pattern_kind {
    GS_PATTERN_CHARS,  /* one character of the ranges */
    GS_PATTERN_SEQ,    /* the children one after the other; none: the empty text */
    GS_PATTERN_ALT,    /* one of the children */
    GS_PATTERN_REPEAT, /* the child min..max times */
    GS_PATTERN_RULE,   /* a rule of the grammar */
    GS_PATTERN_BEGIN,  /* ^ */
    GS_PATTERN_END,    /* $ */
};

struct gs_pattern {
    enum gs_pattern_kind kind;
    struct gs_char_ranges chars;
    struct gs_pattern *child, *last; /* list */
    struct gs_pattern *sibling;
    uint32_t min, max; /* max GS_GRAMMAR_MANY: no bound */
    uint32_t rule;
};

/* How characters are written. */
enum gs_pattern_form {
    GS_PATTERN_PLAIN,
    GS_PATTERN_JSON, /* within a JSON string: escaped where they must be */
};

/* NULL when memory is short; all accept NULL where a pattern is given, and return NULL then. */
struct gs_pattern *gs_pattern_new(struct gs_arena *a, enum gs_pattern_kind kind);
bool gs_pattern_add_range(struct gs_arena *a, struct gs_pattern *p, uint32_t lo, uint32_t hi);
/* The characters that are not among those of p. */
bool gs_pattern_negate(struct gs_arena *a, struct gs_pattern *p);
void gs_pattern_add(struct gs_pattern *parent, struct gs_pattern *child);
struct gs_pattern *gs_pattern_repeat(struct gs_arena *a, struct gs_pattern *child, uint32_t min,
                                     uint32_t max);

/* The nodes that read p and go on at next. Anchors must be gone. */
uint32_t gs_pattern_emit(struct gs_grammar *g, const struct gs_pattern *p,
                         enum gs_pattern_form form, uint32_t next);

/* ECMA-262, without look-around and back references. With `search`, anything may stand before and
 * behind, but where the expression says ^ or $. errors: GS_EFORMAT, GS_EUNSUPPORTED, GS_ENOMEM. */
GS_MUST_CHECK enum gs_status gs_pattern_from_regex(struct gs_slice text, bool search,
                                                   struct gs_arena *a, struct gs_pattern **out_p,
                                                   struct gs_error *err);

#endif
