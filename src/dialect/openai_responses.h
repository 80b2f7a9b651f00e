/* The parts of the OpenAI Responses dialect meet here: the request (openai_responses_read), its
 * items (openai_responses_items) and the answer (openai_responses_write). Private to dialect/. */
#ifndef GS_DIALECT_OPENAI_RESPONSES_H
#define GS_DIALECT_OPENAI_RESPONSES_H

#include "base/map.h"
#include "dialect/dialect.h"
#include "dialect/reader.h"

/* A tool as the client knows it, by the one name that the model knows it by. */
struct gs_dialect_responses_tool {
    struct gs_slice flat;
    struct gs_slice name, space; /* space: of a tool in a namespace, else empty */
    bool is_custom;              /* its input is text, not JSON */
};

/* What the reader leaves for the writer: `own` of the context. */
struct gs_dialect_responses_request {
    struct gs_slice echo;     /* members that the answer repeats: `"tools":[],"top_p":1` */
    struct gs_slice previous; /* id of the answer this builds on; may be empty */
    struct gs_slice input;    /* the items of this request, an array; only if is_kept */
    const struct gs_dialect_responses_tool *tools;
    size_t n_tools;
    bool is_kept;       /* "store" */
    bool builds_on;     /* what was kept earlier: it is part of the chat */
    bool has_limit;     /* "max_output_tokens" */
    bool has_encrypted; /* by "include": reasoning comes back even where its text does not */
    bool has_summary;   /* reasoning goes out as its summary, else as its text */
};

enum gs_status gs_dialect_openai_responses_read(struct gs_chat *out_chat,
                                                struct gs_dialect_context *out_ctx,
                                                struct gs_slice text, const char *path,
                                                struct gs_arena *a, struct gs_error *err);

/* The name a model knows a tool by: "space__name". */
struct gs_slice gs_dialect_responses_flat(struct gs_dialect_reader *r, struct gs_slice space,
                                          struct gs_slice name);

/* Append the messages of what was kept up to `own->previous`, then those of "input"; set
 * own->input. */
void gs_dialect_responses_items(struct gs_dialect_reader *r, const struct gs_dialect_store *store,
                                const struct gs_json *body,
                                struct gs_dialect_responses_request *own);

/* ---- what was kept: openai_responses_kept.c ---- */

/* A record of the store, parsed. */
struct gs_dialect_responses_kept {
    struct gs_slice id, previous;
    const struct gs_json *input, *output;   /* arrays */
    struct gs_dialect_responses_kept *next; /* in the order of a conversation */
    bool is_listed;
};

/* Records are parsed once, however often they are named. */
struct gs_dialect_responses_keeper {
    struct gs_dialect_reader *r;          /* gets the failures */
    const struct gs_dialect_store *store; /* may be NULL */
    struct gs_map by_id;
};

/* The conversation that ends with the response `id`, once per keeper, from its beginning or, if
 * not *out_whole, as far back as it is there. NULL: the response is not, or a failure. */
const struct gs_dialect_responses_kept *
gs_dialect_responses_chain(struct gs_dialect_responses_keeper *k, struct gs_slice id,
                           bool *out_whole);
/* The item of this id. NULL: not there, or a failure. */
const struct gs_json *gs_dialect_responses_item(struct gs_dialect_responses_keeper *k,
                                                struct gs_slice id);

#endif
