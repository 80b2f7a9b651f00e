/* From a grammar to a constraint, for the compilers. */
#ifndef GS_CONSTRAINT_COMPILE_H
#define GS_CONSTRAINT_COMPILE_H

#include "constraint/constraint.h"
#include "constraint/grammar.h"

/* owns: takes what the grammar holds, also when it fails. */
GS_MUST_CHECK enum gs_status
gs_constraint_create(struct gs_grammar *g, struct gs_constraint **out_c, struct gs_error *err);

#endif
