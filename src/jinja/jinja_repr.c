/* Values as text: Python's str() and repr(), and json.dumps(). */
#include <math.h>
#include <string.h>

#include "base/slice.h"
#include "jinja/jinja_run.h"
#include "jinja/jinja_text.h"

/* ---- str and repr ---- */

void gs_jinja_write_quoted(struct gs_buf *b, struct gs_slice s)
{
    const bool single = s.len && memchr(s.ptr, '\'', s.len);
    const bool twofold = s.len && memchr(s.ptr, '"', s.len);
    const char quote = single && !twofold ? '"' : '\'';

    gs_buf_putc(b, quote);
    for (size_t i = 0; i < s.len;) {
        uint32_t cp;
        const size_t n = gs_utf8_decode(s, i, &cp);
        if (cp == (uint32_t)quote || cp == '\\')
            gs_buf_printf(b, "\\%c", (int)cp);
        else if (cp == '\n' || cp == '\r' || cp == '\t')
            gs_buf_puts(b, cp == '\n' ? "\\n" : cp == '\r' ? "\\r" : "\\t");
        else if (gs_jinja_is(cp, GS_UNI_PRINTABLE))
            gs_buf_put(b, s.ptr + i, n);
        else
            gs_buf_printf(b,
                          cp < 0x100     ? "\\x%02x"
                          : cp < 0x10000 ? "\\u%04x"
                                         : "\\U%08x",
                          (unsigned)cp);
        i += n;
    }
    gs_buf_putc(b, quote);
}

static bool write_items(struct jrun *r, struct gs_buf *b, const struct jval *items, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (i)
            gs_buf_puts(b, ", ");
        if (!gs_jinja_write_repr(r, b, items[i]))
            return false;
    }
    return true;
}

static bool write_dict(struct jrun *r, struct gs_buf *b, const struct jdict *d)
{
    gs_buf_putc(b, '{');
    for (size_t i = 0; i < d->len; i++) {
        if (i)
            gs_buf_puts(b, ", ");
        if (!gs_jinja_write_repr(r, b, d->entries[i].key))
            return false;
        gs_buf_puts(b, ": ");
        if (!gs_jinja_write_repr(r, b, d->entries[i].value))
            return false;
    }
    gs_buf_putc(b, '}');
    return true;
}

static bool write_view(struct jrun *r, struct gs_buf *b, struct jval v)
{
    const struct jlist *items;

    if (!gs_jinja_to_list(r, v, &items))
        return false;
    gs_buf_printf(b, "%s([", gs_jinja_type(v));
    if (!write_items(r, b, items->items, items->len))
        return false;
    gs_buf_puts(b, "])");
    return true;
}

static void write_range(struct gs_buf *b, const struct jrange *range)
{
    gs_buf_printf(b, "range(%lld, %lld", (long long)range->start, (long long)range->stop);
    if (range->step != 1)
        gs_buf_printf(b, ", %lld", (long long)range->step);
    gs_buf_putc(b, ')');
}

static bool write_loop(struct jrun *r, struct gs_buf *b, struct jval v)
{
    struct jval index;
    struct jval length;

    if (!gs_jinja_loop_attribute(r, v.u.object, GS_SLICE_LIT("index"), &index) ||
        !gs_jinja_loop_attribute(r, v.u.object, GS_SLICE_LIT("length"), &length))
        return false;
    gs_buf_printf(b, "<LoopContext %lld/%lld>", (long long)index.u.integer,
                  (long long)length.u.integer);
    return true;
}

static void write_macro(struct gs_buf *b, const struct jobject *macro)
{
    const struct gs_slice name = gs_jinja_macro_name(macro);

    gs_buf_puts(b, "<Macro ");
    if (name.len)
        gs_jinja_write_quoted(b, name);
    else
        gs_buf_puts(b, "anonymous");
    gs_buf_putc(b, '>');
}

static bool write_list(struct jrun *r, struct gs_buf *b, struct jval v)
{
    const struct jlist *l = v.u.list;
    const bool is_list = v.kind == JV_LIST;

    gs_buf_putc(b, is_list ? '[' : '(');
    if (!write_items(r, b, l->items, l->len))
        return false;
    gs_buf_puts(b, is_list ? "]" : l->len == 1 ? ",)" : ")");
    return true;
}

static bool write_namespace(struct jrun *r, struct gs_buf *b, struct jval v)
{
    gs_buf_puts(b, "<Namespace ");
    if (!write_dict(r, b, v.u.dict))
        return false;
    gs_buf_putc(b, '>');
    return true;
}

static void write_string(struct gs_buf *b, struct jval v)
{
    gs_buf_puts(b, v.safe ? "Markup(" : "");
    gs_jinja_write_quoted(b, jv_slice(v));
    gs_buf_puts(b, v.safe ? ")" : "");
}

static bool write_value(struct jrun *r, struct gs_buf *b, struct jval v)
{
    switch (v.kind) {
    case JV_MISSING:
    case JV_UNDEFINED:
        gs_buf_puts(b, "Undefined");
        return true;
    case JV_NONE:
        gs_buf_puts(b, "None");
        return true;
    case JV_BOOL:
        gs_buf_puts(b, v.u.boolean ? "True" : "False");
        return true;
    case JV_INT:
        gs_buf_printf(b, "%lld", (long long)v.u.integer);
        return true;
    case JV_FLOAT:
        gs_jinja_write_float(b, v.u.real);
        return true;
    case JV_STR:
        write_string(b, v);
        return gs_jinja_steps(r, v.u.str->len / 64);
    case JV_LIST:
    case JV_TUPLE:
        return write_list(r, b, v);
    case JV_DICT:
        return write_dict(r, b, v.u.dict);
    case JV_VIEW:
        return write_view(r, b, v);
    case JV_RANGE:
        write_range(b, v.u.range);
        return true;
    case JV_NAMESPACE:
        return write_namespace(r, b, v);
    case JV_LOOP:
        return write_loop(r, b, v);
    case JV_MACRO:
        write_macro(b, v.u.object);
        return true;
    case JV_FUNCTION:
    case JV_METHOD:
        gs_buf_printf(b, "<%s %s>", gs_jinja_type(v), v.u.object->def->name);
        return true;
    case JV_ITER:
    case JV_CYCLER:
    case JV_JOINER:
        gs_buf_printf(b, "<%s object>", gs_jinja_type(v));
        return true;
    }
    return true;
}

bool gs_jinja_write_repr(struct jrun *r, struct gs_buf *b, struct jval v)
{
    if (!gs_jinja_enter(r))
        return false;
    const bool ok = write_value(r, b, v);
    gs_jinja_leave(r);
    return ok;
}

bool gs_jinja_write_str(struct jrun *r, struct gs_buf *b, struct jval v)
{
    if (v.kind == JV_STR) {
        gs_buf_slice(b, jv_slice(v));
        return gs_jinja_steps(r, v.u.str->len / 64);
    }
    return v.kind == JV_UNDEFINED || gs_jinja_write_repr(r, b, v);
}

bool gs_jinja_to_str(struct jrun *r, struct jval v, struct jval *out)
{
    if (v.kind == JV_STR) {
        *out = jv_str(v.u.str);
        return true;
    }
    const size_t mark = gs_jinja_scratch_begin(r);
    return gs_jinja_write_str(r, &r->scratch, v) && gs_jinja_scratch_end(r, mark, out);
}

bool gs_jinja_text(struct jrun *r, struct jval v, struct gs_slice *out)
{
    struct jval s;

    if (!gs_jinja_to_str(r, v, &s))
        return false;
    *out = jv_slice(s);
    return true;
}

bool gs_jinja_repr(struct jrun *r, struct jval v, struct gs_slice *out)
{
    const size_t mark = gs_jinja_scratch_begin(r);
    struct jval s;

    if (!gs_jinja_write_repr(r, &r->scratch, v) || !gs_jinja_scratch_end(r, mark, &s))
        return false;
    *out = jv_slice(s);
    return true;
}

/* ---- JSON ---- */

static void write_json_string(struct gs_buf *b, struct gs_slice s, bool ascii)
{
    static const char letters[] = "\"\\\n\r\t\b\f";
    static const char escapes[] = "\"\\nrtbf";
    size_t done = 0;

    gs_buf_putc(b, '"');
    for (size_t i = 0; i < s.len;) {
        const unsigned char c = (unsigned char)s.ptr[i];
        const char *special = c ? strchr(letters, (char)c) : NULL;
        uint32_t cp = c;
        const size_t n = c < 0x80 ? 1 : gs_utf8_decode(s, i, &cp);
        if (!special && c >= 0x20 && (c < 0x80 || !ascii)) {
            i += n;
            continue;
        }
        gs_buf_put(b, s.ptr + done, i - done);
        if (special)
            gs_buf_printf(b, "\\%c", escapes[special - letters]);
        else if (cp < 0x10000)
            gs_buf_printf(b, "\\u%04x", (unsigned)cp);
        else
            gs_buf_printf(b, "\\u%04x\\u%04x", (unsigned)(0xD7C0 + (cp >> 10)),
                          (unsigned)(0xDC00 | (cp & 0x3FF)));
        i += n;
        done = i;
    }
    if (s.len > done)
        gs_buf_put(b, s.ptr + done, s.len - done);
    gs_buf_putc(b, '"');
}

struct json_writer {
    struct jrun *r;
    struct gs_buf *b;
    const struct jjson_options *opt;
    size_t level;
};

static bool write_json(struct json_writer *w, struct jval v);

static void json_newline(const struct json_writer *w)
{
    if (!w->opt->pretty)
        return;
    gs_buf_putc(w->b, '\n');
    gs_jinja_put_fill(w->b, w->opt->indent, w->level);
}

static bool write_json_list(struct json_writer *w, const struct jlist *l)
{
    if (l->len == 0) {
        gs_buf_puts(w->b, "[]");
        return true;
    }
    gs_buf_putc(w->b, '[');
    w->level++;
    for (size_t i = 0; i < l->len; i++) {
        if (i)
            gs_buf_slice(w->b, w->opt->item_sep);
        json_newline(w);
        if (!write_json(w, l->items[i]))
            return false;
    }
    w->level--;
    json_newline(w);
    gs_buf_putc(w->b, ']');
    return true;
}

static void write_json_float(struct gs_buf *b, double v)
{
    if (isfinite(v))
        gs_jinja_write_float(b, v);
    else
        gs_buf_puts(b, isnan(v) ? "NaN" : v < 0 ? "-Infinity" : "Infinity");
}

static bool write_json_scalar(struct json_writer *w, struct jval v)
{
    switch (v.kind) {
    case JV_NONE:
        gs_buf_puts(w->b, "null");
        return true;
    case JV_BOOL:
        gs_buf_puts(w->b, v.u.boolean ? "true" : "false");
        return true;
    case JV_INT:
        gs_buf_printf(w->b, "%lld", (long long)v.u.integer);
        return true;
    case JV_FLOAT:
        write_json_float(w->b, v.u.real);
        return true;
    case JV_STR:
        write_json_string(w->b, jv_slice(v), w->opt->ascii);
        return gs_jinja_steps(w->r, v.u.str->len / 64);
    default:
        return gs_jinja_fail(w->r, "object of type %s is not JSON serializable", gs_jinja_type(v));
    }
}

static bool write_json_key(struct json_writer *w, struct jval key)
{
    if (key.kind == JV_STR)
        return write_json_scalar(w, key);
    if (key.kind != JV_NONE && !jv_is_number(key))
        return gs_jinja_fail(w->r, "keys must be str, int, float, bool or None, not %s",
                             gs_jinja_type(key));
    gs_buf_putc(w->b, '"');
    const bool ok = write_json_scalar(w, key);
    gs_buf_putc(w->b, '"');
    return ok;
}

static bool sorted_keys(struct jrun *r, const struct jdict *d, const size_t **out)
{
    struct jval *keys = gs_jinja_array(r, d->len, sizeof(*keys));

    if (!keys)
        return false;
    for (size_t i = 0; i < d->len; i++)
        keys[i] = d->entries[i].key;
    return gs_jinja_sort(r, keys, d->len, false, out);
}

static bool write_json_dict(struct json_writer *w, const struct jdict *d)
{
    const size_t *order = NULL;

    if (d->len == 0) {
        gs_buf_puts(w->b, "{}");
        return true;
    }
    if (w->opt->sort_keys && !sorted_keys(w->r, d, &order))
        return false;
    gs_buf_putc(w->b, '{');
    w->level++;
    for (size_t i = 0; i < d->len; i++) {
        const struct jentry *e = &d->entries[order ? order[i] : i];
        if (i)
            gs_buf_slice(w->b, w->opt->item_sep);
        json_newline(w);
        if (!write_json_key(w, e->key))
            return false;
        gs_buf_slice(w->b, w->opt->key_sep);
        if (!write_json(w, e->value))
            return false;
    }
    w->level--;
    json_newline(w);
    gs_buf_putc(w->b, '}');
    return true;
}

static bool write_json(struct json_writer *w, struct jval v)
{
    bool ok;

    if (!gs_jinja_enter(w->r))
        return false;
    if (jv_is_list(v))
        ok = write_json_list(w, v.u.list);
    else if (v.kind == JV_DICT)
        ok = write_json_dict(w, v.u.dict);
    else
        ok = write_json_scalar(w, v);
    gs_jinja_leave(w->r);
    return ok;
}

bool gs_jinja_write_json(struct jrun *r, struct gs_buf *b, struct jval v,
                         const struct jjson_options *opt)
{
    struct json_writer w = {.r = r, .b = b, .opt = opt};

    return write_json(&w, v);
}
