/* JSON values (RFC 8259): immutable trees in an arena.
 *
 * Object members keep their order (prompts depend on it); of duplicate keys the last wins, in the
 * first's place. Whole numbers that fit int64 are INT, all others REAL. */
#ifndef GS_JSON_JSON_H
#define GS_JSON_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "genset/slice.h"
#include "genset/status.h"

enum gs_json_kind {
    GS_JSON_NULL,
    GS_JSON_BOOL,
    GS_JSON_INT,
    GS_JSON_REAL,
    GS_JSON_STRING,
    GS_JSON_ARRAY,
    GS_JSON_OBJECT,
};

struct gs_json_member;

struct gs_json {
    enum gs_json_kind kind;
    union {
        bool boolean;
        int64_t integer;
        double real;
        struct gs_slice string; /* UTF-8, may hold NUL; zero-terminated after its end */
        struct {
            const struct gs_json *items;
            size_t len;
        } array;
        struct {
            const struct gs_json_member *members;
            size_t len;
        } object;
    } u;
};

struct gs_json_member {
    struct gs_slice key;
    struct gs_json value;
};

/* Parse a whole document (any kind at the top). Everything is copied into `a`.
 * errors: GS_EFORMAT with line and column; GS_ELIMIT beyond GS_MAX_JSON_DEPTH; GS_ENOMEM. */
GS_MUST_CHECK enum gs_status gs_json_parse(struct gs_slice text, struct gs_arena *a,
                                           struct gs_json *out, struct gs_error *err);

/* The bytes of a member's value within the text of an object, as they stand; of several of that
 * name the last one. Names with escapes are not recognised. False: it is not there. What lies
 * behind it may be no JSON at all. */
GS_MUST_CHECK bool gs_json_find_member(struct gs_slice text, const char *key,
                                       struct gs_slice *out_value);

/* The items of an array and the members of an object, one after the other, as they stand; `*pos` is
 * 0 at first. False: there are no more, or what comes is no JSON. */
GS_MUST_CHECK bool gs_json_next_item(struct gs_slice text, size_t *pos, struct gs_slice *out_item);
GS_MUST_CHECK bool gs_json_next_member(struct gs_slice text, size_t *pos, struct gs_slice *out_name,
                                       struct gs_slice *out_value);

/* The member's value, or NULL if `v` is NULL, no object, or has no such member. */
const struct gs_json *gs_json_get(const struct gs_json *v, const char *key);

/* Typed reads of a member. Absent or null: true, *out untouched. Of another kind: false and err
 * (GS_EINVAL, "temperature: expected a number, found a string"). */
GS_MUST_CHECK bool gs_json_get_bool(const struct gs_json *v, const char *key, bool *out,
                                    struct gs_error *err);
GS_MUST_CHECK bool gs_json_get_int(const struct gs_json *v, const char *key, int64_t *out,
                                   struct gs_error *err); /* takes 5 and 5.0 */
GS_MUST_CHECK bool gs_json_get_double(const struct gs_json *v, const char *key, double *out,
                                      struct gs_error *err);
GS_MUST_CHECK bool gs_json_get_string(const struct gs_json *v, const char *key,
                                      struct gs_slice *out, struct gs_error *err);

const char *gs_json_kind_name(enum gs_json_kind kind); /* "a string", "an object"... */

/* ---- writing ---- */

/* Compact ("{"a":1}"). Reals print shortest and always with '.', 'e', so they read back as REAL;
 * NaN and infinity print as null. */
void gs_json_write(struct gs_buf *b, const struct gs_json *v);
/* A string literal with its quotes. Bytes that are not UTF-8 become U+FFFD. */
void gs_json_write_string(struct gs_buf *b, struct gs_slice s);
void gs_json_write_double(struct gs_buf *b, double v);

#endif
