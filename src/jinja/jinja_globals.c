/* Global functions, and the objects they make. */
#include <string.h>

#include "base/slice.h"
#include "jinja/jinja_builtin.h"
#include "jinja/jinja_strftime.h"

#define MAX_RANGE 100000 /* as in Jinja's sandbox */

/* ---- range ---- */

static bool g_range(struct jrun *r, const struct jcall *c, struct jval *out)
{
    const bool one = c->a[1].kind == JV_MISSING;
    struct jrange *range = gs_jinja_alloc(r, sizeof(*range));
    int64_t start;
    int64_t stop;
    int64_t step;
    int64_t span;

    if (!range || !gs_jinja_arg_int(r, c, 0, 0, &start) || !gs_jinja_arg_int(r, c, 1, 0, &stop) ||
        !gs_jinja_arg_int(r, c, 2, 1, &step))
        return false;
    if (one) {
        stop = start;
        start = 0;
    }
    if (step == 0)
        return gs_jinja_fail(r, "range() arg 3 must not be zero");
    const bool wraps = __builtin_sub_overflow(stop, start, &span);
    const bool empty = step > 0 ? stop <= start : stop >= start;
    const uint64_t distance = span < 0 ? 0 - (uint64_t)span : (uint64_t)span;
    const uint64_t stride = step < 0 ? 0 - (uint64_t)step : (uint64_t)step;
    const uint64_t len = empty ? 0 : (distance - 1) / stride + 1;
    if ((wraps && !empty) || len > MAX_RANGE)
        return gs_jinja_fail(r,
                             "Range too big. The sandbox blocks ranges larger than MAX_RANGE "
                             "(%d).",
                             MAX_RANGE);
    *range = (struct jrange){.start = start, .stop = stop, .step = step, .len = (int64_t)len};
    *out = (struct jval){.kind = JV_RANGE, .u.range = range};
    return true;
}

/* ---- dict and namespace ---- */

static bool put_pair(struct jrun *r, struct jdict *d, struct jval pair)
{
    const struct jlist *l;

    if (!gs_jinja_is_iterable(pair))
        return gs_jinja_fail(r, "cannot convert dictionary update sequence element to a sequence");
    if (!gs_jinja_to_list(r, pair, &l))
        return false;
    if (l->len != 2)
        return gs_jinja_fail(r, "dictionary update sequence element has length %zu; 2 is required",
                             l->len);
    return gs_jinja_dict_put(r, d, l->items[0], l->items[1]);
}

/* dict(mapping or pairs, **entries): always a new one. */
static bool make_dict(struct jrun *r, const struct jcall *c, struct jdict **out)
{
    const struct jargs *a = &c->raw;
    const struct jlist *pairs;
    struct jdict *d;
    struct jval key;

    if (a->n_pos > 1)
        return gs_jinja_fail(r, "%s expected at most 1 argument, got %zu", c->def->name, a->n_pos);
    if (!gs_jinja_dict(r, a->n_kw + 4, &d))
        return false;
    if (a->n_pos == 1) {
        struct jval from = a->pos[0];
        if (from.kind == JV_DICT) {
            from.kind = JV_VIEW;
            from.view = JVIEW_ITEMS;
        }
        if (!gs_jinja_to_list(r, from, &pairs))
            return false;
        for (size_t i = 0; i < pairs->len; i++) {
            if (!put_pair(r, d, pairs->items[i]))
                return false;
        }
    }
    for (size_t i = 0; i < a->n_kw; i++) {
        if (!gs_jinja_str(r, a->kw[i].name, &key) || !gs_jinja_dict_put(r, d, key, a->kw[i].value))
            return false;
    }
    *out = d;
    return true;
}

static bool g_dict(struct jrun *r, const struct jcall *c, struct jval *out)
{
    *out = (struct jval){.kind = JV_DICT};
    return make_dict(r, c, &out->u.dict);
}

static bool g_namespace(struct jrun *r, const struct jcall *c, struct jval *out)
{
    *out = (struct jval){.kind = JV_NAMESPACE};
    return make_dict(r, c, &out->u.dict);
}

/* ---- cycler and joiner ---- */

struct jcycler {
    struct jobject head;
    struct jval *items;
    size_t len;
    size_t pos;
};

struct jjoiner {
    struct jobject head;
    struct jval separator;
    bool used;
};

static bool g_cycler(struct jrun *r, const struct jcall *c, struct jval *out)
{
    const size_t n = c->raw.n_pos;
    struct jcycler *cycler = gs_jinja_alloc(r, sizeof(*cycler));
    struct jval *items = cycler ? gs_jinja_array(r, n, sizeof(*items)) : NULL;

    if (!items)
        return false;
    if (c->raw.n_kw)
        return gs_jinja_fail(r, "cycler() takes no keyword arguments");
    if (n == 0)
        return gs_jinja_fail(r, "at least one item has to be provided");
    memcpy(items, c->raw.pos, n * sizeof(*items));
    *cycler = (struct jcycler){.head = {.kind = JV_CYCLER}, .items = items, .len = n};
    *out = (struct jval){.kind = JV_CYCLER, .u.object = &cycler->head};
    return true;
}

static struct jcycler *cycler_of(struct jval v)
{
    return (struct jcycler *)(void *)v.u.object;
}

static bool m_next(struct jrun *r, const struct jcall *c, struct jval *out)
{
    struct jcycler *cycler = cycler_of(c->self);

    (void)r;
    *out = cycler->items[cycler->pos];
    cycler->pos = (cycler->pos + 1) % cycler->len;
    return true;
}

static bool m_reset(struct jrun *r, const struct jcall *c, struct jval *out)
{
    (void)r;
    cycler_of(c->self)->pos = 0;
    *out = jv_none();
    return true;
}

bool gs_jinja_object_attribute(struct jrun *r, struct jval obj, struct gs_slice name,
                               struct jval *out)
{
    static const struct jbuiltin methods[] = {{"next", "", m_next}, {"reset", "", m_reset}};
    static const struct jbuiltins table = {methods, GS_COUNT_OF(methods)};

    if (obj.kind != JV_CYCLER)
        return true;
    if (gs_slice_eq_str(name, "current")) {
        *out = cycler_of(obj)->items[cycler_of(obj)->pos];
        return true;
    }
    const struct jbuiltin *def = gs_jinja_find_builtin(&table, name);
    if (!def)
        return true;
    struct jobject *m = gs_jinja_alloc(r, sizeof(*m));
    if (!m)
        return false;
    *m = (struct jobject){.kind = JV_METHOD, .def = def, .self = obj};
    *out = (struct jval){.kind = JV_METHOD, .u.object = m};
    return true;
}

static bool g_joiner(struct jrun *r, const struct jcall *c, struct jval *out)
{
    struct jjoiner *joiner = gs_jinja_alloc(r, sizeof(*joiner));

    if (!joiner)
        return false;
    *joiner = (struct jjoiner){.head = {.kind = JV_JOINER}, .separator = c->a[0]};
    *out = (struct jval){.kind = JV_JOINER, .u.object = &joiner->head};
    return c->a[0].kind != JV_MISSING || gs_jinja_str(r, GS_SLICE_LIT(", "), &joiner->separator);
}

bool gs_jinja_call_joiner(struct jrun *r, struct jobject *object, struct jval *out)
{
    struct jjoiner *joiner = (struct jjoiner *)(void *)object;
    const bool used = joiner->used;

    joiner->used = true;
    *out = joiner->separator;
    return used || gs_jinja_str(r, GS_SLICE_LIT(""), out);
}

/* ---- what Transformers adds, and what makes no sense here ---- */

static bool g_raise_exception(struct jrun *r, const struct jcall *c, struct jval *out)
{
    struct gs_slice message;

    (void)out;
    if (!gs_jinja_text(r, c->a[0], &message))
        return false;
    return gs_jinja_fail(r, "%.*s", (int)message.len, message.ptr);
}

static bool g_strftime_now(struct jrun *r, const struct jcall *c, struct jval *out)
{
    const size_t mark = gs_jinja_scratch_begin(r);
    struct gs_slice format;

    if (!gs_jinja_arg_str(r, c, 0, &format))
        return false;
    gs_jinja_strftime(&r->scratch, format, r->now_us);
    return gs_jinja_scratch_end(r, mark, out);
}

static bool g_lipsum(struct jrun *r, const struct jcall *c, struct jval *out)
{
    (void)out;
    return gs_jinja_fail(r, "function '%s' is not supported: a prompt must be reproducible",
                         c->def->name);
}

static const struct jbuiltin globals[] = {
    {"cycler", "*", g_cycler},
    {"dict", "*", g_dict},
    {"joiner", "?sep", g_joiner},
    {"lipsum", "*", g_lipsum},
    {"namespace", "*", g_namespace},
    {"raise_exception", "message", g_raise_exception},
    {"range", "start ?stop step", g_range},
    {"strftime_now", "format", g_strftime_now},
};

const struct jbuiltin *gs_jinja_find_global(struct gs_slice name)
{
    static const struct jbuiltins table = {globals, GS_COUNT_OF(globals)};

    return gs_jinja_find_builtin(&table, name);
}
