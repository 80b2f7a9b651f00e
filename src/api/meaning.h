/* What a message says, in a spelling of its own: equal for messages that mean the same, however
 * clients set white space, order the members of arguments or cut texts into blocks. */
#ifndef GS_API_MEANING_H
#define GS_API_MEANING_H

#include "base/buf.h"
#include "genset/chat.h"

struct gs_meaning {
    struct gs_buf said;      /* texts and calls */
    struct gs_buf reasoning; /* apart: clients may leave it out */
    struct gs_buf calls;     /* in the making */
};

void gs_meaning_init(struct gs_meaning *m);
void gs_meaning_clear(struct gs_meaning *m);
/* Empty it, keeping its memory. */
void gs_meaning_reset(struct gs_meaning *m);

/* A whole block: its text; of a tool call its name and arguments. */
void gs_meaning_add(struct gs_meaning *m, const struct gs_block *block);
/* No more blocks. False: no memory. */
bool gs_meaning_finish(struct gs_meaning *m);

#endif
