/* Constrained output: which bytes, and which tokens, may come next.
 *
 * A grammar is run as a set of stacks (a nondeterministic pushdown automaton). Stacks and sets are
 * interned, so a set is a small number, and what follows from it is remembered: the next set for
 * each byte, and the mask of tokens. Counters far from their bounds are taken for equal, so that a
 * long string does not ask for a new mask at every character.
 *
 * thread: one at a time; all calls but gs_constraint_vocab_* change the constraint. */
#ifndef GS_CONSTRAINT_CONSTRAINT_H
#define GS_CONSTRAINT_CONSTRAINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "genset/slice.h"
#include "genset/status.h"

struct gs_constraint;
struct gs_constraint_vocab;

/* ---- vocabulary: made once per model, immutable ---- */

/* The bytes of every token, in order of ids; an empty slice is a token that never matches (control
 * tokens). The slices are not kept. errors: GS_ENOMEM. */
GS_MUST_CHECK enum gs_status gs_constraint_vocab_create(const struct gs_slice *tokens, size_t n,
                                                        struct gs_constraint_vocab **out_v,
                                                        struct gs_error *err);
void gs_constraint_vocab_free(struct gs_constraint_vocab *v);

/* ---- compiling ---- */

/* A JSON Schema (2020-12, and what drafts 4 to 7 spell otherwise). Output is JSON with its
 * properties in the schema's order; where properties are declared, others need
 * `additionalProperties`. Keywords that are not enforced are appended to `ignored`, comma-separated
 * (NULL = not wanted); of a schema that is too large, or of which a part means itself, "schema" is,
 * and the output is any JSON. errors: GS_EFORMAT (no JSON, bad schema, nothing is allowed),
 * GS_ENOMEM. */
GS_MUST_CHECK enum gs_status gs_constraint_from_schema(struct gs_slice schema,
                                                       struct gs_buf *ignored,
                                                       struct gs_constraint **out_c,
                                                       struct gs_error *err);
/* How arguments are written that are no JSON: each parameter between tags, or with a quote
 * {K:V,...} where strings stand between two of that. The first character of a mark is in it once.
 */
struct gs_constraint_notation {
    const char *key_begin, *key_end;     /* not empty */
    const char *value_begin, *value_end; /* the first may be empty */
    const char *quote;                   /* not NULL: in place of all these */
};
/* Calls of tools: any number of them from one on, or exactly one. Arguments that are not required
 * may come anywhere. */
struct gs_constraint_call {
    struct gs_slice begin, end;                    /* what stands around the arguments */
    const struct gs_constraint_notation *notation; /* NULL: a JSON object */
    struct gs_slice schema; /* of the arguments; one that is bad, or beyond enforcing, is taken
                             * for any object, and named */
};
GS_MUST_CHECK enum gs_status gs_constraint_from_calls(const struct gs_constraint_call *calls,
                                                      size_t n, bool several,
                                                      struct gs_buf *ignored,
                                                      struct gs_constraint **out_c,
                                                      struct gs_error *err);
/* The rest of one call, JSON in any spelling: what may follow `args`, the beginning of its
 * arguments cut anywhere, and `end`. What is there need not follow the schema; what comes does, as
 * far as that is possible then. It begins there: there is no restart. errors: GS_EFORMAT (no
 * beginning of a JSON object), GS_ENOMEM. */
GS_MUST_CHECK enum gs_status
gs_constraint_from_begun_call(struct gs_slice schema, struct gs_slice args, struct gs_slice end,
                              struct gs_buf *ignored, struct gs_constraint **out_c,
                              struct gs_error *err);
/* Any JSON object. */
GS_MUST_CHECK enum gs_status gs_constraint_from_json(struct gs_constraint **out_c,
                                                     struct gs_error *err);
/* A grammar in GBNF (llama.cpp's notation), from rule "root". */
GS_MUST_CHECK enum gs_status
gs_constraint_from_gbnf(struct gs_slice text, struct gs_constraint **out_c, struct gs_error *err);
/* A regular expression for the whole output: ECMA-262 without look-around and back references. */
GS_MUST_CHECK enum gs_status gs_constraint_from_regex(struct gs_slice pattern,
                                                      struct gs_constraint **out_c,
                                                      struct gs_error *err);
void gs_constraint_free(struct gs_constraint *c);

/* ---- running ---- */

/* Back to the beginning. */
void gs_constraint_restart(struct gs_constraint *c);
/* Go on over `bytes`. False if they are not allowed here; the position is then undefined. */
bool gs_constraint_advance(struct gs_constraint *c, struct gs_slice bytes);
/* Whether `bytes` may come next. */
bool gs_constraint_allows(struct gs_constraint *c, struct gs_slice bytes);
/* No memory, or more ways to go on than are followed: nothing is allowed any more. */
bool gs_constraint_failed(const struct gs_constraint *c);
/* The output may end here; must end, if nothing else can follow. */
bool gs_constraint_may_end(const struct gs_constraint *c);
bool gs_constraint_must_end(const struct gs_constraint *c);
/* The tokens that may come next: bit i % 64 of word i / 64. Valid until the next call. NULL = no
 * memory, or more ways to go on than are followed: nothing is allowed from then on. */
const uint64_t *gs_constraint_mask(struct gs_constraint *c, const struct gs_constraint_vocab *v);

#endif
