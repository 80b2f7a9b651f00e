/* Python's two ways of formatting: printf-style "%" and str.format(). Both end in the presentations
 * of jinja_spec.c. */
#include "jinja/jinja_format.h"

#include <string.h>

#include "base/slice.h"
#include "jinja/jinja_text.h"

#define GS_JINJA_MAX_WIDTH     100000
#define GS_JINJA_MAX_PRECISION 300

static void put_text(struct gs_buf *b, struct gs_slice text, bool escape)
{
    if (escape)
        gs_jinja_put_escaped(b, text);
    else
        gs_buf_slice(b, text);
}

/* repr() in ASCII. */
static void put_ascii(struct gs_buf *b, struct gs_slice repr)
{
    for (size_t i = 0; i < repr.len;) {
        uint32_t cp;
        i += gs_utf8_decode(repr, i, &cp);
        if (cp < 0x80)
            gs_buf_putc(b, (char)cp);
        else
            gs_buf_printf(b,
                          cp < 0x100     ? "\\x%02x"
                          : cp < 0x10000 ? "\\u%04x"
                                         : "\\U%08x",
                          (unsigned)cp);
    }
}

/* str(), repr() or ascii() of a value as `conversion` says: 's', 'r', 'a'. */
static bool convert(struct jrun *r, struct jval v, char conversion, struct jval *out)
{
    const size_t mark = gs_jinja_scratch_begin(r);
    struct gs_slice repr;

    if (conversion == 's')
        return gs_jinja_to_str(r, v, out);
    if (!gs_jinja_repr(r, v, &repr))
        return false;
    if (conversion == 'r')
        return gs_jinja_str(r, repr, out);
    put_ascii(&r->scratch, repr);
    return gs_jinja_scratch_end(r, mark, out);
}

/* ---- percent ---- */

struct percent {
    struct jrun *r;
    struct gs_slice f;
    size_t pos;
    bool safe;
    const struct jval *args;
    size_t n_args;
    size_t used;
    bool is_single;      /* the value was no tuple */
    struct jval mapping; /* a dict, or missing */
};

static bool next_arg(struct percent *p, struct jval *out)
{
    if (p->used >= p->n_args)
        return gs_jinja_fail(p->r, "not enough arguments for format string");
    *out = p->args[p->used++];
    return true;
}

static char peek(const struct percent *p)
{
    return p->pos < p->f.len ? p->f.ptr[p->pos] : '\0';
}

static bool percent_key(struct percent *p, struct jval *out)
{
    const size_t start = ++p->pos;
    const struct jval *found;
    int depth = 1;

    for (; p->pos < p->f.len && depth > 0; p->pos++)
        depth += (peek(p) == '(') - (peek(p) == ')');
    if (depth > 0)
        return gs_jinja_fail(p->r, "incomplete format key");
    const struct gs_slice key = gs_slice_sub(p->f, start, p->pos - 1);
    if (p->mapping.kind != JV_DICT)
        return gs_jinja_fail(p->r, "format requires a mapping");
    found = gs_jinja_dict_text(p->r, p->mapping.u.dict, key);
    if (!found)
        return gs_jinja_fail(p->r, "'%.*s'", (int)key.len, key.ptr);
    *out = *found;
    return true;
}

static bool percent_number(struct percent *p, int *out)
{
    struct jval v;

    if (peek(p) == '*') {
        p->pos++;
        if (!next_arg(p, &v))
            return false;
        if (!jv_is_whole(v))
            return gs_jinja_fail(p->r, "* wants int");
        const int64_t n = jv_integer(v);
        *out = (int)GS_MIN(GS_MAX(n, (int64_t)-GS_JINJA_MAX_WIDTH), (int64_t)GS_JINJA_MAX_WIDTH);
        return true;
    }
    *out = 0;
    for (; peek(p) >= '0' && peek(p) <= '9'; p->pos++)
        *out = GS_MIN(*out * 10 + (peek(p) - '0'), GS_JINJA_MAX_WIDTH);
    return true;
}

static bool percent_flags(struct percent *p, struct jspec *spec)
{
    int precision;

    *spec = (struct jspec){.align = '>', .precision = -1};
    for (;; p->pos++) {
        const char c = peek(p);
        if (c == '-')
            spec->align = '<';
        else if (c == '+' || (c == ' ' && spec->sign != '+'))
            spec->sign = c;
        else if (c == '#')
            spec->alternate = true;
        else if (c == '0')
            spec->fill = '0';
        else if (c != ' ')
            break;
    }
    if (!percent_number(p, &spec->width))
        return false;
    if (spec->width < 0) {
        spec->align = '<';
        spec->width = -spec->width;
    }
    if (peek(p) == '.') {
        p->pos++;
        if (!percent_number(p, &precision))
            return false;
        spec->precision = GS_MIN(GS_MAX(precision, 0), GS_JINJA_MAX_WIDTH);
    }
    while (peek(p) == 'h' || peek(p) == 'l' || peek(p) == 'L')
        p->pos++;
    return true;
}

static bool percent_whole(struct percent *p, struct jval v, struct jspec *spec)
{
    int64_t i;

    if (v.kind == JV_UNDEFINED)
        return gs_jinja_fail_undefined(p->r, v);
    if (!jv_is_number(v) || (v.kind == JV_FLOAT && strchr("xXo", spec->type)))
        return gs_jinja_fail(p->r, "%%%c format: %s is required, not %s", spec->type,
                             strchr("xXo", spec->type) ? "an integer" : "a real number",
                             gs_jinja_type(v));
    if (v.kind != JV_FLOAT)
        i = jv_integer(v);
    else if (!gs_jinja_truncate(p->r, v.u.real, &i))
        return false;
    if (strchr("iu", spec->type))
        spec->type = 'd';
    spec->precision = GS_MIN(spec->precision, GS_JINJA_MAX_PRECISION);
    return gs_jinja_put_number(p->r, &p->r->scratch, jv_int(i), spec);
}

static bool percent_text(struct percent *p, struct jval v, const struct jspec *spec)
{
    const size_t mark = gs_jinja_scratch_begin(p->r);
    struct jval text;

    if (!convert(p->r, v, spec->type, &text))
        return false;
    if (p->safe && !v.safe) {
        put_text(&p->r->scratch, jv_slice(text), true);
        if (!gs_jinja_scratch_end(p->r, mark, &text))
            return false;
    }
    gs_jinja_put_padded(&p->r->scratch, jv_slice(text), spec);
    return true;
}

static bool percent_value(struct percent *p, struct jval v, struct jspec *spec)
{
    const char type = spec->type;

    if (spec->align == '<' || strchr("srac", type ? type : 's'))
        spec->fill = 0;
    if (type == 's' || type == 'r' || type == 'a')
        return percent_text(p, v, spec);
    if (spec->fill == '0')
        spec->align = '=';
    if (type == 'c')
        spec->precision = -1;
    if (type == 'c' && v.kind == JV_STR) {
        if (gs_jinja_chars(v) != 1)
            return gs_jinja_fail(p->r, "%%c requires int or char");
        gs_jinja_put_padded(&p->r->scratch, jv_slice(v), spec);
        return true;
    }
    if (type == 'c' && jv_is_whole(v))
        return gs_jinja_put_number(p->r, &p->r->scratch, v, spec);
    if (type && strchr("diuxXo", type))
        return percent_whole(p, v, spec);
    if (type && strchr("eEfFgG", type)) {
        if (v.kind == JV_UNDEFINED)
            return gs_jinja_fail_undefined(p->r, v);
        if (!jv_is_number(v))
            return gs_jinja_fail(p->r, "must be real number, not %s", gs_jinja_type(v));
        return gs_jinja_put_number(p->r, &p->r->scratch, v, spec);
    }
    return gs_jinja_fail(p->r, "unsupported format character '%c'", type ? type : ' ');
}

static bool percent_directive(struct percent *p)
{
    struct jspec spec;
    struct jval v = {0};
    const bool keyed = peek(p) == '(';

    if (keyed && !percent_key(p, &v))
        return false;
    if (!percent_flags(p, &spec))
        return false;
    if (p->pos >= p->f.len)
        return gs_jinja_fail(p->r, "incomplete format");
    spec.type = p->f.ptr[p->pos++];
    if (spec.type == '%') {
        gs_buf_putc(&p->r->scratch, '%');
        return true;
    }
    if (!keyed && !next_arg(p, &v))
        return false;
    return percent_value(p, v, &spec);
}

static bool percent(struct percent *p, struct jval *out)
{
    const size_t mark = gs_jinja_scratch_begin(p->r);

    while (p->pos < p->f.len) {
        const char *hit = memchr(p->f.ptr + p->pos, '%', p->f.len - p->pos);
        const size_t to = hit ? (size_t)(hit - p->f.ptr) : p->f.len;
        gs_buf_slice(&p->r->scratch, gs_slice_sub(p->f, p->pos, to));
        p->pos = to + 1;
        if (hit && (!gs_jinja_steps(p->r, 1) || !percent_directive(p)))
            return false;
    }
    const enum jkind first = p->is_single ? p->args[0].kind : JV_STR;
    const bool may_ignore = /* what can be subscripted like a mapping */
        first == JV_DICT || first == JV_LIST || first == JV_RANGE || first == JV_UNDEFINED;
    if (p->used < p->n_args && !may_ignore)
        return gs_jinja_fail(p->r, "not all arguments converted during string formatting");
    if (!gs_jinja_scratch_end(p->r, mark, out))
        return false;
    out->safe = p->safe;
    return true;
}

bool gs_jinja_percent(struct jrun *r, struct jval format, struct jval v, struct jval *out)
{
    struct percent p = {.r = r, .f = jv_slice(format), .safe = format.safe};

    if (v.kind == JV_TUPLE) {
        p.args = v.u.list->items;
        p.n_args = v.u.list->len;
    } else {
        p.args = &v;
        p.n_args = 1;
        p.is_single = true;
        p.mapping = v.kind == JV_DICT ? v : (struct jval){0};
    }
    return percent(&p, out);
}

static bool keywords_dict(struct jrun *r, const struct jargs *args, struct jval *out)
{
    struct jdict *d;
    struct jval key;

    if (!gs_jinja_dict(r, args->n_kw, &d))
        return false;
    for (size_t i = 0; i < args->n_kw; i++) {
        if (!gs_jinja_str(r, args->kw[i].name, &key) ||
            !gs_jinja_dict_put(r, d, key, args->kw[i].value))
            return false;
    }
    *out = jv_dict(d);
    return true;
}

bool gs_jinja_percent_args(struct jrun *r, struct jval format, const struct jargs *args,
                           struct jval *out)
{
    const struct jlist list = {.items = args->pos, .len = args->n_pos};
    struct jval mapping = {0};

    if (args->n_pos && args->n_kw)
        return gs_jinja_fail(r, "can't handle positional and keyword arguments at the same time");
    if (args->n_kw)
        return keywords_dict(r, args, &mapping) && gs_jinja_percent(r, format, mapping, out);
    return gs_jinja_percent(r, format, jv_tuple(&list), out);
}

/* ---- str.format ---- */

struct formatter {
    struct jrun *r;
    const struct jargs *args;
    bool safe;
    bool automatic; /* "{}" was seen */
    bool manual;    /* "{0}" was seen */
    size_t next;
};

static bool put_formatted(struct formatter *f, struct jval v, struct gs_slice spec_text)
{
    struct jrun *r = f->r;
    struct jspec spec;

    if (spec_text.len == 0) {
        struct gs_slice text;
        if (!gs_jinja_text(r, v, &text))
            return false;
        put_text(&r->scratch, text, f->safe && !v.safe);
        return true;
    }
    if (v.kind != JV_STR && !jv_is_number(v))
        return gs_jinja_fail(r, "unsupported format string passed to %s.__format__",
                             gs_jinja_type(v));
    if (!gs_jinja_parse_spec(r, spec_text, v, &spec))
        return false;
    if (v.kind != JV_STR)
        return gs_jinja_put_number(r, &r->scratch, v, &spec);
    const size_t mark = gs_jinja_scratch_begin(r);
    gs_jinja_put_padded(&r->scratch, jv_slice(v), &spec);
    struct jval text;
    if (!gs_jinja_scratch_end(r, mark, &text))
        return false;
    put_text(&r->scratch, jv_slice(text), f->safe && !v.safe);
    return true;
}

static bool argument(struct formatter *f, struct gs_slice name, struct jval *out)
{
    const struct jargs *a = f->args;
    int64_t index = 0;

    const bool numbered = name.len > 0 && gs_slice_to_i64(name, &index) && index >= 0;
    if (name.len == 0 || numbered) {
        f->automatic = f->automatic || name.len == 0;
        f->manual = f->manual || numbered;
        if (f->automatic && f->manual)
            return gs_jinja_fail(f->r,
                                 "cannot switch between manual and automatic field numbering");
        const size_t i = numbered ? (size_t)index : f->next++;
        if (i >= a->n_pos)
            return gs_jinja_fail(f->r,
                                 "replacement index %zu out of range for positional args tuple", i);
        *out = a->pos[i];
        return true;
    }
    for (size_t i = 0; i < a->n_kw; i++) {
        if (gs_slice_eq(a->kw[i].name, name)) {
            *out = a->kw[i].value;
            return true;
        }
    }
    return gs_jinja_fail(f->r, "'%.*s'", (int)name.len, name.ptr);
}

/* "name.attr[key]..." */
static bool field_value(struct formatter *f, struct gs_slice field, struct jval *out)
{
    size_t i = 0;

    while (i < field.len && field.ptr[i] != '.' && field.ptr[i] != '[')
        i++;
    if (!argument(f, gs_slice_sub(field, 0, i), out))
        return false;
    while (i < field.len) {
        const char kind = field.ptr[i++];
        const size_t start = i;
        while (i < field.len &&
               (kind == '[' ? field.ptr[i] != ']' : field.ptr[i] != '.' && field.ptr[i] != '['))
            i++;
        const struct gs_slice part = gs_slice_sub(field, start, i);
        const struct jval object = *out;
        struct jval key = {0};
        int64_t index;
        if (kind == '.') {
            const struct jmethods methods = gs_jinja_find_methods(part);
            if (!gs_jinja_getattr(f->r, object, part, &methods, out))
                return false;
            continue;
        }
        if (kind != '[' || i >= field.len)
            return gs_jinja_fail(f->r, "malformed field name in format string");
        i++;
        if (gs_slice_to_i64(part, &index) && index >= 0)
            key = jv_int(index);
        else if (!gs_jinja_str(f->r, part, &key))
            return false;
        if (!gs_jinja_getitem(f->r, object, key, out))
            return false;
    }
    return true;
}

static bool put_template(struct formatter *f, struct gs_slice s, unsigned depth);

/* "{field!conversion:spec}" without its braces. */
static bool put_field(struct formatter *f, struct gs_slice s, unsigned depth)
{
    size_t i = 0;
    struct jval v = {0};
    struct jval spec = {0};
    bool bracket = false;

    while (i < s.len && (bracket || (s.ptr[i] != '!' && s.ptr[i] != ':'))) {
        bracket = s.ptr[i] == '[' || (bracket && s.ptr[i] != ']');
        i++;
    }
    if (!field_value(f, gs_slice_sub(s, 0, i), &v))
        return false;
    if (i < s.len && s.ptr[i] == '!') {
        const char conversion = i + 1 < s.len ? s.ptr[i + 1] : '\0';
        if (conversion != 's' && conversion != 'r' && conversion != 'a')
            return gs_jinja_fail(f->r, "unknown conversion in format string");
        const bool safe = v.safe && conversion == 's';
        if (!convert(f->r, v, conversion, &v))
            return false;
        v.safe = safe;
        i += 2;
        if (i < s.len && s.ptr[i] != ':')
            return gs_jinja_fail(f->r, "expected ':' after conversion specifier");
    }
    if (i >= s.len)
        return put_formatted(f, v, (struct gs_slice){0});
    const size_t mark = gs_jinja_scratch_begin(f->r);
    if (!put_template(f, gs_slice_sub(s, i + 1, s.len), depth + 1) ||
        !gs_jinja_scratch_end(f->r, mark, &spec))
        return false;
    return put_formatted(f, v, jv_slice(spec));
}

static bool put_template(struct formatter *f, struct gs_slice s, unsigned depth)
{
    if (depth > 2)
        return gs_jinja_fail(f->r, "max string recursion exceeded");
    for (size_t i = 0; i < s.len; i++) {
        const char c = s.ptr[i];
        if (!gs_jinja_steps(f->r, 1))
            return false;
        if ((c == '{' || c == '}') && i + 1 < s.len && s.ptr[i + 1] == c) {
            gs_buf_putc(&f->r->scratch, c);
            i++;
            continue;
        }
        if (c == '}')
            return gs_jinja_fail(f->r, "single '}' encountered in format string");
        if (c != '{') {
            gs_buf_putc(&f->r->scratch, c);
            continue;
        }
        const size_t start = i + 1;
        int open = 1;
        for (i = start; i < s.len && open > 0; i++)
            open += (s.ptr[i] == '{') - (s.ptr[i] == '}');
        if (open > 0)
            return gs_jinja_fail(f->r, "expected '}' before end of string");
        i--;
        if (!put_field(f, gs_slice_sub(s, start, i), depth))
            return false;
    }
    return true;
}

bool gs_jinja_str_format(struct jrun *r, struct jval format, const struct jargs *args,
                         struct jval *out)
{
    struct formatter f = {.r = r, .args = args, .safe = format.safe};
    const size_t mark = gs_jinja_scratch_begin(r);

    if (!put_template(&f, jv_slice(format), 0) || !gs_jinja_scratch_end(r, mark, out))
        return false;
    out->safe = format.safe;
    return true;
}
