/* What the files of filters, tests, methods and globals share: their tables and the reading of
 * arguments. */
#ifndef GS_JINJA_BUILTIN_H
#define GS_JINJA_BUILTIN_H

#include "jinja/jinja_run.h"

struct jbuiltins {
    const struct jbuiltin *items;
    size_t len;
};

extern const struct jbuiltins gs_jinja_text_filters;
extern const struct jbuiltins gs_jinja_value_filters;
extern const struct jbuiltins gs_jinja_list_filters;
extern const struct jbuiltins gs_jinja_lazy_filters;
extern const struct jbuiltins gs_jinja_str_methods;
extern const struct jbuiltins gs_jinja_str_predicates;

const struct jbuiltin *gs_jinja_find_builtin(const struct jbuiltins *table, struct gs_slice name);

/* Argument i of the call, or the default where it is absent (or none, for *_or_none). */
GS_MUST_CHECK bool gs_jinja_arg_int(struct jrun *r, const struct jcall *c, size_t i, int64_t absent,
                                    int64_t *out);
GS_MUST_CHECK bool gs_jinja_arg_int_or_none(struct jrun *r, const struct jcall *c, size_t i,
                                            int64_t absent, int64_t *out);
GS_MUST_CHECK bool gs_jinja_arg_bool(struct jrun *r, const struct jcall *c, size_t i, bool *out);
GS_MUST_CHECK bool gs_jinja_arg_str(struct jrun *r, const struct jcall *c, size_t i,
                                    struct gs_slice *out);
GS_MUST_CHECK bool gs_jinja_arg_str_or_none(struct jrun *r, const struct jcall *c, size_t i,
                                            struct gs_slice *out);
bool gs_jinja_arg_given(const struct jcall *c, size_t i); /* and not none */

/* v as it is if it is a string, else str(v). */
GS_MUST_CHECK bool gs_jinja_soft_str(struct jrun *r, struct jval v, struct jval *out);
/* scratch_end, marked as safe or not. */
GS_MUST_CHECK bool gs_jinja_scratch_str(struct jrun *r, size_t mark, bool safe, struct jval *out);

/* "a.b.0": how filters reach into items. */
struct jpath {
    const struct jval *parts;
    size_t len;
};
GS_MUST_CHECK bool gs_jinja_path(struct jrun *r, struct jval attribute, struct jpath *out);
/* `absent` replaces what is undefined, unless it is missing or none. */
GS_MUST_CHECK bool gs_jinja_path_get(struct jrun *r, const struct jpath *path, struct jval absent,
                                     struct jval item, struct jval *out);
/* Strings in lower case, for comparing; the rest as it is. */
GS_MUST_CHECK bool gs_jinja_fold_case(struct jrun *r, struct jval v, struct jval *out);

#endif
