/* Writing requests: what the clients of all APIs share. Private to dialect/. */
#ifndef GS_DIALECT_ASKER_H
#define GS_DIALECT_ASKER_H

#include <stdbool.h>

#include "base/buf.h"
#include "genset/chat.h"

struct gs_dialect_to;

/* Whether the chat's tool of this name may be called. */
bool gs_dialect_is_allowed(const struct gs_chat *chat, struct gs_slice name);
/* "image/png" of base64 that begins so; empty where it tells nothing. */
struct gs_slice gs_dialect_image_type(struct gs_slice base64);
/* Whether whom the request is for signed this reasoning, and how. */
bool gs_dialect_is_theirs(const struct gs_dialect_to *to, const struct gs_block *reasoning,
                          struct gs_slice *out_signature);
/* `"key":"..."`: a result's text, which says itself that it is an error: as the prompts of models here
 * have it, for APIs that have no other word for it. */
void gs_dialect_write_result(struct gs_buf *b, const char *key, const struct gs_block *result);
/* To seven digits, as people write it. */
void gs_dialect_write_setting(struct gs_buf *b, float x);

#endif
