/* Values of the template language: Python's, as far as a template can see them. Immutable, in the
 * arena of one render call (constants: of the template). */
#ifndef GS_JINJA_VALUE_H
#define GS_JINJA_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "genset/slice.h"

struct jrun;
struct jdict;
struct jgen;
struct jgrow;
struct jobject;

enum jkind {
    JV_MISSING, /* no value at all: an absent argument, a variable not yet set */
    JV_UNDEFINED,
    JV_NONE,
    JV_BOOL,
    JV_INT,
    JV_FLOAT,
    JV_STR,
    JV_LIST,
    JV_TUPLE,
    JV_DICT,
    JV_VIEW, /* keys(), values() or items() of a dict */
    JV_RANGE,
    JV_ITER, /* consumed by iterating: what map, select, reverse... return */
    JV_NAMESPACE,
    JV_LOOP,
    JV_MACRO,
    JV_FUNCTION,
    JV_METHOD,
    JV_CYCLER,
    JV_JOINER,
};

/* Strings are UTF-8. A string that is the newest piece of a `grow` buffer is appended to in place,
 * which makes building one by "a = a ~ b" linear; shorter ones go on seeing their own length. */
struct jstr {
    const char *ptr;
    size_t len;
    size_t n_chars; /* SIZE_MAX until counted */
    struct jgrow *grow;
};

struct jlist {
    const struct jval *items;
    size_t len;
    bool is_group; /* a tuple of groupby: also .grouper and .list */
};

struct jrange {
    int64_t start;
    int64_t step;
    int64_t len;
    int64_t stop;
};

enum jview { JVIEW_KEYS, JVIEW_VALUES, JVIEW_ITEMS };

/* Why something is undefined; the message is made when it is needed. */
struct jundefined {
    struct gs_slice hint;   /* the whole message, if not empty */
    struct gs_slice name;   /* else the name looked up */
    const struct jval *obj; /* in this, or among the variables if NULL */
    const struct jval *key; /* the key, if it was not a string */
};

struct jval {
    enum jkind kind;
    bool safe;       /* JV_STR: is Markup, "+" escapes what it meets */
    enum jview view; /* JV_VIEW */
    union {
        bool boolean;
        int64_t integer;
        double real;
        struct jstr *str;
        const struct jlist *list; /* and tuple */
        struct jdict *dict;       /* and view, namespace */
        const struct jrange *range;
        struct jgen *gen;
        const struct jundefined *undefined;
        struct jobject *object; /* loop, macro, function, method, cycler, joiner */
    } u;
};

struct jentry {
    struct jval key;
    struct jval value;
};

/* Insertion-ordered; small ones are searched, larger ones have an index. */
struct jdict {
    struct jentry *entries;
    size_t len;
    size_t cap;
    uint32_t *index; /* entry number + 1, or 0 */
    size_t index_cap;
};

static inline struct jval jv_none(void)
{
    return (struct jval){.kind = JV_NONE};
}

static inline struct jval jv_bool(bool b)
{
    return (struct jval){.kind = JV_BOOL, .u.boolean = b};
}

static inline struct jval jv_int(int64_t i)
{
    return (struct jval){.kind = JV_INT, .u.integer = i};
}

static inline struct jval jv_float(double f)
{
    return (struct jval){.kind = JV_FLOAT, .u.real = f};
}

static inline struct jval jv_list(const struct jlist *l)
{
    return (struct jval){.kind = JV_LIST, .u.list = l};
}

static inline struct jval jv_tuple(const struct jlist *l)
{
    return (struct jval){.kind = JV_TUPLE, .u.list = l};
}

static inline struct jval jv_dict(struct jdict *d)
{
    return (struct jval){.kind = JV_DICT, .u.dict = d};
}

static inline struct jval jv_str(struct jstr *s)
{
    return (struct jval){.kind = JV_STR, .u.str = s};
}

static inline struct gs_slice jv_slice(struct jval v)
{
    return (struct gs_slice){v.u.str->ptr, v.u.str->len};
}

static inline bool jv_is_list(struct jval v) /* or tuple */
{
    return v.kind == JV_LIST || v.kind == JV_TUPLE;
}

static inline bool jv_is_number(struct jval v) /* bool included, as in Python */
{
    return v.kind == JV_BOOL || v.kind == JV_INT || v.kind == JV_FLOAT;
}

static inline bool jv_is_whole(struct jval v)
{
    return v.kind == JV_BOOL || v.kind == JV_INT;
}

/* Of a whole number. */
static inline int64_t jv_integer(struct jval v)
{
    return v.kind == JV_BOOL ? v.u.boolean : v.u.integer;
}

/* Of a number. */
static inline double jv_real(struct jval v)
{
    return v.kind == JV_FLOAT ? v.u.real : (double)jv_integer(v);
}

/* ---- making ---- */

/* All return false after recording why in the run. Strings borrow their bytes. */
GS_MUST_CHECK bool gs_jinja_str(struct jrun *r, struct gs_slice s, struct jval *out);
GS_MUST_CHECK bool gs_jinja_str_copy(struct jrun *r, struct gs_slice s, struct jval *out);
GS_MUST_CHECK bool gs_jinja_strf(struct jrun *r, struct jval *out, const char *fmt, ...)
    GS_PRINTF(3, 4);
/* A list of n missing items, to be filled at once through *out_items. */
GS_MUST_CHECK bool gs_jinja_list(struct jrun *r, size_t n, struct jlist **out,
                                 struct jval **out_items);
GS_MUST_CHECK bool gs_jinja_pair(struct jrun *r, struct jval a, struct jval b, struct jval *out);
GS_MUST_CHECK bool gs_jinja_undefined(struct jrun *r, struct jundefined why, struct jval *out);
/* A NULL hint text means memory is short. */
GS_MUST_CHECK bool gs_jinja_undefined_hint(struct jrun *r, struct gs_slice hint, struct jval *out);
/* a's bytes, then b's; linear over a chain of appends. */
GS_MUST_CHECK bool gs_jinja_concat(struct jrun *r, struct jval a, struct gs_slice b,
                                   struct jval *out);

GS_MUST_CHECK bool gs_jinja_dict(struct jrun *r, size_t cap, struct jdict **out);
/* Put or replace. Fails for a key that has no hash. */
GS_MUST_CHECK bool gs_jinja_dict_put(struct jrun *r, struct jdict *d, struct jval key,
                                     struct jval value);
/* *out is NULL if there is none. Fails for a key that has no hash. */
GS_MUST_CHECK bool gs_jinja_dict_get(struct jrun *r, const struct jdict *d, struct jval key,
                                     const struct jval **out);
const struct jval *gs_jinja_dict_text(struct jrun *r, const struct jdict *d, struct gs_slice key);

/* ---- asking ---- */

/* "str", "list", "NoneType": Python's name of the type. */
const char *gs_jinja_type(struct jval v);
GS_MUST_CHECK bool gs_jinja_truth(struct jrun *r, struct jval v, bool *out);
GS_MUST_CHECK bool gs_jinja_equal(struct jrun *r, struct jval a, struct jval b, bool *out);
/* Python's "is". */
bool gs_jinja_same(struct jval a, struct jval b);
/* a < b, or for_ge: not (a < b) spelled so in the error. -1, 0, 1 in *out; 2 if unordered (NaN).
 * `op` is quoted when the types have no order. */
GS_MUST_CHECK bool gs_jinja_order(struct jrun *r, struct jval a, struct jval b, const char *op,
                                  int *out);
/* `needle in haystack`. */
GS_MUST_CHECK bool gs_jinja_contains(struct jrun *r, struct jval haystack, struct jval needle,
                                     bool *out);
/* len(v); *out_has is false where Python's len() would raise. */
GS_MUST_CHECK bool gs_jinja_len(struct jrun *r, struct jval v, bool *out_has, int64_t *out);
GS_MUST_CHECK bool gs_jinja_hash(struct jrun *r, struct jval v, uint64_t *out);

#endif
