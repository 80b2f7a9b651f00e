/* How conversations with a model began, kept in a file between runs: a tool begins each of its own
 * with the same thousands of tokens, and a model that computes them while nobody asks answers the
 * first question sooner.
 *
 * thread: any, but creating and freeing. */
#ifndef GS_API_BEGINNINGS_H
#define GS_API_BEGINNINGS_H

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "genset/status.h"

struct gs_beginnings;
struct gs_engine;

/* Read `path`, if it is there, and have the engine compute what it says; a file that is damaged or
 * of another vocabulary is as none. owns: borrows the engine; free before it. errors: GS_ENOMEM. */
GS_MUST_CHECK enum gs_status gs_beginnings_create(const char *path, size_t n_vocab,
                                                  struct gs_engine *e, struct gs_beginnings **out_b,
                                                  struct gs_error *err);
void gs_beginnings_free(struct gs_beginnings *b);
/* A conversation begins with these tokens. The file is written when they are new, and long enough
 * to matter; what cannot be written is not kept. NULL is allowed. */
void gs_beginnings_note(struct gs_beginnings *b, const int32_t *tokens, size_t n);

#endif
