/* The JSON Schema compiler's parts. A schema becomes a rule; bodies of rules wait in a queue, so
 * nesting and recursion cost no stack. */
#ifndef GS_CONSTRAINT_SCHEMA_H
#define GS_CONSTRAINT_SCHEMA_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"
#include "constraint/constraint.h"
#include "constraint/grammar.h"
#include "json/json.h"

#define GS_SCHEMA_EQUAL_COST 16
#define GS_SCHEMA_MAX_WAYS                                                                         \
    4096 /* to go on at one place: an automaton is in all of them at once                          \
          */

struct gs_schema_job;

struct gs_schema {
    struct gs_grammar g;
    struct gs_arena a;
    const struct gs_json *root;         /* for references */
    struct gs_map rules;                /* address of a schema -> its job */
    struct gs_map merges;               /* addresses of two schemas -> what holds where both do */
    struct gs_map pairs;                /* content of a slot -> the two schemas it stands for */
    struct gs_schema_job *first, *last; /* queue */
    size_t n_jobs, n_nested;
    size_t spent; /* of what compiling may cost */
    struct gs_buf *ignored;
    struct gs_error *err;
    enum gs_status st;
    uint32_t space, character, string, value; /* rules */
    const struct gs_json
        *arguments; /* the schema of a call's, whose optional pairs may come anywhere */
    const struct gs_constraint_notation *notation; /* NULL: the next two are not made */
    uint32_t notation_text, notation_value;        /* rules of schema_tagged.c */
};

/* ---- schema.c ---- */

enum gs_status gs_schema_fail(struct gs_schema *c, enum gs_status st, const char *fmt, ...)
    GS_PRINTF(3, 4);
void gs_schema_nomem(struct gs_schema *c);
/* Take `n` from what compiling may cost, a comparison of short texts being 1. False when that is
 * used up: what would cost it is left out, and named. */
bool gs_schema_afford(struct gs_schema *c, size_t n);
/* Name a keyword that is not enforced. */
void gs_schema_ignore(struct gs_schema *c, const char *keyword);
/* The rule of a schema (NULL: any value), compiled sooner or later. */
uint32_t gs_schema_rule(struct gs_schema *c, const struct gs_json *schema);
/* A call of that rule. */
uint32_t gs_schema_node(struct gs_schema *c, const struct gs_json *schema, uint32_t next);
/* Optional white space. */
uint32_t gs_schema_space(struct gs_schema *c, uint32_t next);
uint32_t gs_schema_text(struct gs_schema *c, const char *text, uint32_t next);
/* A regular expression of ours. */
uint32_t gs_schema_regex(struct gs_schema *c, const char *regex, uint32_t next);
/* A count: `key`, or `otherwise` if it is not there; at most GS_GRAMMAR_MANY. */
uint32_t gs_schema_count(struct gs_schema *c, const struct gs_json *schema, const char *key,
                         uint32_t otherwise);

/* ---- schema_merge.c ---- */

/* The schema a reference within the document means; NULL, and ignored, if it cannot be found. */
const struct gs_json *gs_schema_resolve(struct gs_schema *c, struct gs_slice ref);
/* What holds where both do; made once for two addresses. */
const struct gs_json *gs_schema_both(struct gs_schema *c, const struct gs_json *a,
                                     const struct gs_json *b);
/* Costs GS_SCHEMA_EQUAL_COST. */
bool gs_schema_equal(const struct gs_json *a, const struct gs_json *b);
/* The two schemas a slot stands for; false if it is a schema itself. */
bool gs_schema_pair(const struct gs_schema *c, const struct gs_json *slot,
                    const struct gs_json **out_a, const struct gs_json **out_b);
/* The schema without one of its keywords; and whether it says anything besides annotations. */
const struct gs_json *gs_schema_without(struct gs_schema *c, const struct gs_json *schema,
                                        const char *key);
bool gs_schema_says(const struct gs_json *schema);

/* ---- by type ---- */

/* An object in another notation than JSON's; c->root is its document. */
uint32_t gs_schema_tagged(struct gs_schema *c, const struct gs_json *schema,
                          const struct gs_constraint_notation *notation, uint32_t next);
uint32_t gs_schema_object(struct gs_schema *c, const struct gs_json *s, uint32_t next);
uint32_t gs_schema_array(struct gs_schema *c, const struct gs_json *s, uint32_t next);
uint32_t gs_schema_string(struct gs_schema *c, const struct gs_json *s, uint32_t next);
/* Whether lengths and bounds allow a constant. */
bool gs_schema_string_fits(struct gs_schema *c, const struct gs_json *s, struct gs_slice v);
bool gs_schema_number_fits(struct gs_schema *c, const struct gs_json *s, const struct gs_json *v);
uint32_t gs_schema_number(struct gs_schema *c, const struct gs_json *s, bool whole, uint32_t next);

#endif
