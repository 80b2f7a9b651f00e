/* Every string of a JSON text, decoded, without building a tree. What a client sends is an API's
 * structure with data in it: what a model gets to read, tool calls' arguments (JSON within a string
 * in some APIs), schemas. Names, ids and signatures of the structure are passed over, as are
 * images. */
#ifndef GS_PRIVACY_WALK_H
#define GS_PRIVACY_WALK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "genset/slice.h"
#include "genset/status.h"

/* How far a string was followed, in its decoded form and as it stands. */
struct gs_privacy_cursor {
    struct gs_slice raw; /* without its quotes */
    size_t begin;        /* of `raw`, in the text that was walked */
    size_t at, text_at;
};

struct gs_privacy_string {
    struct gs_slice text; /* decoded; of a number its spelling */
    struct gs_slice key;  /* of the member whose value it is, as it stands; empty: of none */
    bool is_fixed;        /* to change it would break the request */
    bool is_name;         /* of a member of the API's structure */
    bool is_turn;         /* among the messages, which grow from request to request */
    struct gs_privacy_cursor own;
    struct gs_privacy_cursor *outer; /* of the string that the JSON is in, or NULL */
};

/* A status but GS_OK ends the walk. The string is valid during the call. */
typedef enum gs_status gs_privacy_string_fn(void *ud, struct gs_privacy_string *s);

/* `is_data`: it is no API's structure, every string is told.
 * errors: GS_EFORMAT (no JSON), GS_ELIMIT (nested too deeply), GS_ENOMEM, those of `fn`. */
GS_MUST_CHECK enum gs_status gs_privacy_walk(struct gs_slice body, bool is_data,
                                             gs_privacy_string_fn *fn, void *ud,
                                             struct gs_error *err);

/* Where byte `off` of the decoded text stands in the body. During the call only, and with `off` not
 * falling from one question to the next. */
size_t gs_privacy_place(struct gs_privacy_string *s, size_t off);

#endif
