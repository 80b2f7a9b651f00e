/* The sampling settings that a model's file suggests. */
#ifndef GS_API_SUGGEST_H
#define GS_API_SUGGEST_H

#include "genset/chat.h"

struct gs_gguf;

/* Settings, and in `open` the bits of those that the file has. What it says that is no such setting
 * counts as not said. */
void gs_suggest_read(const struct gs_gguf *f, struct gs_sampling *out);
/* Put them where `s` is left open. */
void gs_suggest_fill(const struct gs_sampling *suggested, struct gs_sampling *s);

#endif
