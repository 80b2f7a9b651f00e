/* What the files of the Anthropic dialect share. Private to dialect/. */
#ifndef GS_DIALECT_ANTHROPIC_H
#define GS_DIALECT_ANTHROPIC_H

#include "base/map.h"
#include "base/slice.h"
#include "dialect/dialect.h"
#include "dialect/reader.h"

struct gs_dialect_to;

/* Reading the messages of one request. */
struct gs_dialect_messages {
    struct gs_dialect_reader r;
    const struct gs_json *tools; /* array, or NULL */
    struct gs_map by_name;       /* of tools, deferred ones */
    bool in_system;              /* reading a system message */
};

enum gs_status gs_dialect_anthropic_read(struct gs_chat *out_chat,
                                         struct gs_dialect_context *out_ctx, struct gs_slice text,
                                         const char *path, struct gs_arena *a,
                                         struct gs_error *err);

/* As gs_dialect_client.write_request. */
enum gs_status gs_dialect_anthropic_ask(const struct gs_chat *chat, const struct gs_dialect_to *to,
                                        struct gs_buf *b, struct gs_error *err);

bool gs_dialect_anthropic_takes_open_turn(struct gs_slice model);

/* Whether a block is of this type. */
bool gs_dialect_anthropic_is(const struct gs_json *block, const char *type);
/* Append what a block says: a text, document, search result or reference to a tool; nothing of
 * other types. A document that cannot be read fails the reader. */
void gs_dialect_anthropic_text(struct gs_dialect_messages *m, const struct gs_json *block,
                               struct gs_buf *b);
/* The text of a tool result's `content`, in the arena; parts are joined by line breaks. */
struct gs_slice gs_dialect_anthropic_result(struct gs_dialect_messages *m,
                                            const struct gs_json *content);

/* What redacted thinking holds is a signature of reasoning without text that begins so: base64 has
 * no such sign. In the arena. */
#define GS_DIALECT_REDACTED GS_SLICE_LIT("redacted:")
struct gs_slice gs_dialect_anthropic_redacted(struct gs_dialect_reader *r, struct gs_slice data);
/* Append a block of thinking, redacted or not, as its maker signed it. */
void gs_dialect_anthropic_thinking(struct gs_buf *b, struct gs_slice text,
                                   struct gs_slice signature);

#endif
