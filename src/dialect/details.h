/* OpenRouter's reasoning_details, in which it hands on what others sign of their reasoning, one
 * form for each of them (https://openrouter.ai/docs/use-cases/reasoning-tokens). It wants them back
 * as they came, so the whole list is kept where APIs of clients have a signature: "details:[...]".
 * Private to dialect/. */
#ifndef GS_DIALECT_DETAILS_H
#define GS_DIALECT_DETAILS_H

#include "base/buf.h"
#include "genset/chat.h"
#include "json/json.h"

struct gs_dialect_to;

/* Of one piece of reasoning, as they come. Zeroed at first. */
struct gs_dialect_details {
    struct gs_buf list; /* as it is handed back */
    const char *member; /* that holds the last one's text; NULL: there is none */
    int64_t index;
    struct gs_buf type, text, signature, id, format; /* of the last one */
    bool is_signed;
    bool is_taken; /* the list: what comes now begins another */
};

void gs_dialect_details_clear(struct gs_dialect_details *d);
/* A list's next pieces; those of one text are put together. */
void gs_dialect_details_add(struct gs_dialect_details *d, const struct gs_json *list);
/* The list is done. True: they are signed; *out_signature is valid until the next
 * call. Without memory they are not. */
bool gs_dialect_details_take(struct gs_dialect_details *d, struct gs_slice *out_signature);

/* Of one item of such a list; empty: it has none. */
struct gs_slice gs_dialect_detail_signature(const struct gs_json *item);
/* Whether a signature is such a list. */
bool gs_dialect_is_details(struct gs_slice signature);
/* `,"reasoning_details":[...]`: those of a message that are by whom the request is for. False:
 * there are none. */
bool gs_dialect_write_details(const struct gs_dialect_to *to, const struct gs_message *m,
                              struct gs_buf *b);

#endif
