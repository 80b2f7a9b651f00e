/* Methods of strings. Positions are counted in characters. */
#include <string.h>

#include "base/slice.h"
#include "jinja/jinja_builtin.h"
#include "jinja/jinja_format.h"
#include "jinja/jinja_text.h"

#define MAX_FILL 1000000

/* A piece of the string, as safe as the string. */
static bool piece(struct jrun *r, const struct jcall *c, struct gs_slice s, struct jval *out)
{
    if (!gs_jinja_str(r, s, out))
        return false;
    out->safe = c->self.safe;
    return true;
}

/* ---- case ---- */

static bool with_case(struct jrun *r, const struct jcall *c, enum gs_jinja_case to,
                      struct jval *out)
{
    const size_t mark = gs_jinja_scratch_begin(r);

    gs_jinja_put_case(&r->scratch, jv_slice(c->self), to);
    return gs_jinja_scratch_str(r, mark, c->self.safe, out);
}

static bool s_upper(struct jrun *r, const struct jcall *c, struct jval *out)
{
    return with_case(r, c, GS_CASE_UPPER, out);
}

static bool s_lower(struct jrun *r, const struct jcall *c, struct jval *out)
{
    return with_case(r, c, GS_CASE_LOWER, out);
}

static bool s_capitalize(struct jrun *r, const struct jcall *c, struct jval *out)
{
    const size_t mark = gs_jinja_scratch_begin(r);

    gs_jinja_put_capitalized(&r->scratch, jv_slice(c->self));
    return gs_jinja_scratch_str(r, mark, c->self.safe, out);
}

static bool s_title(struct jrun *r, const struct jcall *c, struct jval *out)
{
    const size_t mark = gs_jinja_scratch_begin(r);
    const struct gs_slice s = jv_slice(c->self);
    bool inside = false;

    for (size_t i = 0; i < s.len;) {
        uint32_t cp;
        const size_t n = gs_utf8_decode(s, i, &cp);
        gs_jinja_put_case_part(&r->scratch, s, i, i + n, inside ? GS_CASE_LOWER : GS_CASE_TITLE);
        inside = gs_jinja_is(cp, GS_UNI_CASED);
        i += n;
    }
    return gs_jinja_scratch_str(r, mark, c->self.safe, out);
}

static bool s_swapcase(struct jrun *r, const struct jcall *c, struct jval *out)
{
    const size_t mark = gs_jinja_scratch_begin(r);
    const struct gs_slice s = jv_slice(c->self);

    for (size_t i = 0; i < s.len;) {
        uint32_t cp;
        const size_t n = gs_utf8_decode(s, i, &cp);
        gs_jinja_put_case_part(&r->scratch, s, i, i + n,
                               gs_jinja_is(cp, GS_UNI_UPPER) ? GS_CASE_LOWER : GS_CASE_UPPER);
        i += n;
    }
    return gs_jinja_scratch_str(r, mark, c->self.safe, out);
}

static bool s_casefold(struct jrun *r, const struct jcall *c, struct jval *out)
{
    return with_case(r, c, GS_CASE_FOLD, out);
}

/* ---- ends ---- */

static bool strip(struct jrun *r, const struct jcall *c, enum gs_strip sides, struct jval *out)
{
    struct gs_slice chars;

    return gs_jinja_arg_str_or_none(r, c, 0, &chars) &&
           gs_jinja_steps(r, c->self.u.str->len / 64) &&
           piece(r, c, gs_jinja_strip(jv_slice(c->self), chars, sides), out);
}

static bool s_strip(struct jrun *r, const struct jcall *c, struct jval *out)
{
    return strip(r, c, GS_STRIP_BOTH, out);
}

static bool s_lstrip(struct jrun *r, const struct jcall *c, struct jval *out)
{
    return strip(r, c, GS_STRIP_LEFT, out);
}

static bool s_rstrip(struct jrun *r, const struct jcall *c, struct jval *out)
{
    return strip(r, c, GS_STRIP_RIGHT, out);
}

static bool s_removeprefix(struct jrun *r, const struct jcall *c, struct jval *out)
{
    const struct gs_slice s = jv_slice(c->self);
    struct gs_slice prefix;

    if (!gs_jinja_arg_str(r, c, 0, &prefix))
        return false;
    return piece(r, c, gs_slice_starts(s, prefix) ? gs_slice_sub(s, prefix.len, s.len) : s, out);
}

static bool s_removesuffix(struct jrun *r, const struct jcall *c, struct jval *out)
{
    const struct gs_slice s = jv_slice(c->self);
    struct gs_slice suffix;

    if (!gs_jinja_arg_str(r, c, 0, &suffix))
        return false;
    return piece(r, c, gs_slice_ends(s, suffix) ? gs_slice_sub(s, 0, s.len - suffix.len) : s, out);
}

/* ---- searching ---- */

/* Bytes of self[start:end] by arguments 1 and 2; *out_has is false where start is past the end,
 * so that not even the empty string is there. */
static bool window(struct jrun *r, const struct jcall *c, size_t *out_from, size_t *out_to,
                   bool *out_has)
{
    int64_t start;
    int64_t end;

    if (c->a[1].kind == JV_MISSING) {
        *out_from = 0;
        *out_to = c->self.u.str->len;
        *out_has = true;
        return true;
    }
    const int64_t len = (int64_t)gs_jinja_chars(c->self);
    if (!gs_jinja_arg_int_or_none(r, c, 1, 0, &start) ||
        !gs_jinja_arg_int_or_none(r, c, 2, len, &end))
        return false;
    start = GS_MAX(start < 0 ? start + len : start, (int64_t)0);
    end = GS_MIN(GS_MAX(end < 0 ? end + len : end, (int64_t)0), len);
    *out_has = start <= end;
    *out_from = *out_has ? gs_jinja_char_off(c->self, (size_t)start) : 0;
    *out_to = *out_has ? gs_jinja_char_off(c->self, (size_t)end) : 0;
    return gs_jinja_steps(r, c->self.u.str->len / 64);
}

/* Position of the argument, or -1. */
static bool position(struct jrun *r, const struct jcall *c, bool from_end, int64_t *out)
{
    struct gs_slice needle;
    size_t from;
    size_t to;
    size_t off = SIZE_MAX;
    bool has;

    *out = -1;
    if (!gs_jinja_arg_str(r, c, 0, &needle) || !window(r, c, &from, &to, &has))
        return false;
    const struct gs_slice s = gs_slice_sub(jv_slice(c->self), from, to);
    if (has &&
        !(from_end ? gs_jinja_rfind(r, s, needle, &off) : gs_jinja_find(r, s, needle, 0, &off)))
        return false;
    if (off == SIZE_MAX)
        return true;
    *out = 0;
    for (size_t i = 0; i < from + off; i++)
        *out += ((unsigned char)c->self.u.str->ptr[i] & 0xC0) != 0x80;
    return gs_jinja_steps(r, (from + off) / 64);
}

static bool find(struct jrun *r, const struct jcall *c, bool from_end, bool must, struct jval *out)
{
    *out = jv_int(0);
    if (!position(r, c, from_end, &out->u.integer))
        return false;
    return !must || out->u.integer >= 0 || gs_jinja_fail(r, "substring not found");
}

static bool s_find(struct jrun *r, const struct jcall *c, struct jval *out)
{
    return find(r, c, false, false, out);
}

static bool s_rfind(struct jrun *r, const struct jcall *c, struct jval *out)
{
    return find(r, c, true, false, out);
}

static bool s_index(struct jrun *r, const struct jcall *c, struct jval *out)
{
    return find(r, c, false, true, out);
}

static bool s_rindex(struct jrun *r, const struct jcall *c, struct jval *out)
{
    return find(r, c, true, true, out);
}

static bool s_count(struct jrun *r, const struct jcall *c, struct jval *out)
{
    struct gs_slice needle;
    size_t from;
    size_t to;
    size_t hit;
    bool has;
    int64_t n = 0;

    if (!gs_jinja_arg_str(r, c, 0, &needle) || !window(r, c, &from, &to, &has))
        return false;
    struct jval part;
    const struct gs_slice s = gs_slice_sub(jv_slice(c->self), from, to);
    if (!gs_jinja_str(r, s, &part))
        return false;
    if (needle.len == 0) {
        *out = jv_int(has ? (int64_t)gs_jinja_chars(part) + 1 : 0);
        return true;
    }
    for (size_t at = 0;; at = hit + needle.len) {
        if (!gs_jinja_find(r, s, needle, at, &hit))
            return false;
        if (hit == SIZE_MAX)
            break;
        n++;
    }
    *out = jv_int(n);
    return true;
}

typedef bool end_test(struct gs_slice s, struct gs_slice part);

/* startswith, endswith: of a string or any of a tuple. */
static bool at_end(struct jrun *r, const struct jcall *c, end_test *test, struct jval *out)
{
    const struct jval *one = &c->a[0];
    size_t n = 1;
    size_t from;
    size_t to;
    bool has;
    bool yes = false;

    if (one->kind == JV_TUPLE) {
        n = one->u.list->len;
        one = one->u.list->items;
    }
    if (!window(r, c, &from, &to, &has))
        return false;
    for (size_t i = 0; i < n && !yes; i++) {
        if (one[i].kind == JV_UNDEFINED)
            return gs_jinja_fail(r, "%s first arg must be str or a tuple of str, not Undefined",
                                 c->def->name);
        if (one[i].kind != JV_STR)
            return gs_jinja_fail(r, "%s first arg must be str or a tuple of str, not %s",
                                 c->def->name, gs_jinja_type(one[i]));
        yes = has && test(gs_slice_sub(jv_slice(c->self), from, to), jv_slice(one[i]));
    }
    *out = jv_bool(yes);
    return true;
}

static bool s_startswith(struct jrun *r, const struct jcall *c, struct jval *out)
{
    return at_end(r, c, gs_slice_starts, out);
}

static bool s_endswith(struct jrun *r, const struct jcall *c, struct jval *out)
{
    return at_end(r, c, gs_slice_ends, out);
}

static bool s_replace(struct jrun *r, const struct jcall *c, struct jval *out)
{
    struct gs_slice old;
    struct gs_slice with;
    int64_t max;
    const size_t mark = gs_jinja_scratch_begin(r);

    if (!gs_jinja_arg_str(r, c, 0, &old) || !gs_jinja_arg_str(r, c, 1, &with) ||
        !gs_jinja_arg_int(r, c, 2, -1, &max))
        return false;
    if (c->self.safe && !c->a[1].safe) {
        struct jval escaped;
        gs_jinja_put_escaped(&r->scratch, with);
        if (!gs_jinja_scratch_end(r, mark, &escaped))
            return false;
        with = jv_slice(escaped);
    }
    return gs_jinja_put_replaced(r, &r->scratch, jv_slice(c->self), old, with, max) &&
           gs_jinja_scratch_str(r, mark, c->self.safe, out);
}

/* ---- splitting and joining ---- */

/* Pieces under construction; from the right they are turned round at the end. */
struct pieces {
    struct jval *items;
    size_t len;
    size_t cap;
};

static bool add_piece(struct jrun *r, const struct jcall *c, struct pieces *p, struct gs_slice s)
{
    if (p->len == p->cap) {
        const size_t cap = p->cap ? p->cap * 2 : 8;
        struct jval *items = gs_jinja_array(r, cap, sizeof(*items));
        if (!items)
            return false;
        if (p->len)
            memcpy(items, p->items, p->len * sizeof(*items));
        p->items = items;
        p->cap = cap;
    }
    return gs_jinja_steps(r, 1) && piece(r, c, s, &p->items[p->len++]);
}

static bool finish_pieces(struct jrun *r, const struct pieces *p, bool reversed, struct jval *out)
{
    struct jlist *l;
    struct jval *items;

    if (!gs_jinja_list(r, p->len, &l, &items))
        return false;
    for (size_t i = 0; i < p->len; i++)
        items[i] = p->items[reversed ? p->len - 1 - i : i];
    *out = jv_list(l);
    return true;
}

static bool split_at(struct jrun *r, const struct jcall *c, struct gs_slice separator, int64_t max,
                     bool from_end, struct pieces *p)
{
    struct gs_slice s = jv_slice(c->self);
    size_t off;

    if (separator.len == 0)
        return gs_jinja_fail(r, "empty separator");
    for (; max != 0; max--) {
        if (!(from_end ? gs_jinja_rfind(r, s, separator, &off)
                       : gs_jinja_find(r, s, separator, 0, &off)))
            return false;
        if (off == SIZE_MAX)
            break;
        const struct gs_slice before = gs_slice_sub(s, 0, off);
        const struct gs_slice after = gs_slice_sub(s, off + separator.len, s.len);
        if (!add_piece(r, c, p, from_end ? after : before))
            return false;
        s = from_end ? before : after;
    }
    return add_piece(r, c, p, s);
}

/* The first (or last) run of characters that are no white space; s has none at that end. */
static size_t word_len(struct gs_slice s, bool from_end)
{
    size_t off = from_end ? s.len : 0;
    uint32_t cp;

    while (from_end ? off > 0 : off < s.len) {
        const size_t n = from_end ? gs_jinja_char_before(s, off) : gs_utf8_decode(s, off, &cp);
        gs_utf8_decode(s, from_end ? off - n : off, &cp);
        if (gs_jinja_is(cp, GS_UNI_SPACE))
            break;
        off = from_end ? off - n : off + n;
    }
    return from_end ? s.len - off : off;
}

static bool split_words(struct jrun *r, const struct jcall *c, int64_t max, bool from_end,
                        struct pieces *p)
{
    const struct gs_slice white = {0};
    const enum gs_strip side = from_end ? GS_STRIP_RIGHT : GS_STRIP_LEFT;
    struct gs_slice s = gs_jinja_strip(jv_slice(c->self), white, side);

    for (; max != 0 && s.len > 0; max--) {
        const size_t n = word_len(s, from_end);
        const struct gs_slice word =
            from_end ? gs_slice_sub(s, s.len - n, s.len) : gs_slice_sub(s, 0, n);
        if (!add_piece(r, c, p, word))
            return false;
        s = from_end ? gs_slice_sub(s, 0, s.len - n) : gs_slice_sub(s, n, s.len);
        s = gs_jinja_strip(s, white, side);
    }
    return s.len == 0 || add_piece(r, c, p, s);
}

static bool split(struct jrun *r, const struct jcall *c, bool from_end, struct jval *out)
{
    struct gs_slice separator;
    struct pieces p = {0};
    int64_t max;

    if (!gs_jinja_arg_str_or_none(r, c, 0, &separator) || !gs_jinja_arg_int(r, c, 1, -1, &max) ||
        !gs_jinja_steps(r, c->self.u.str->len / 64))
        return false;
    const bool ok = gs_jinja_arg_given(c, 0) ? split_at(r, c, separator, max, from_end, &p)
                                             : split_words(r, c, max, from_end, &p);
    return ok && finish_pieces(r, &p, from_end, out);
}

static bool s_split(struct jrun *r, const struct jcall *c, struct jval *out)
{
    return split(r, c, false, out);
}

static bool s_rsplit(struct jrun *r, const struct jcall *c, struct jval *out)
{
    return split(r, c, true, out);
}

static bool s_splitlines(struct jrun *r, const struct jcall *c, struct jval *out)
{
    struct gs_slice s = jv_slice(c->self);
    struct gs_slice line;
    struct pieces p = {0};
    size_t end;
    bool keep;

    if (!gs_jinja_arg_bool(r, c, 0, &keep))
        return false;
    while (gs_jinja_line(&s, &line, &end)) {
        line.len += keep ? end : 0;
        if (!add_piece(r, c, &p, line))
            return false;
    }
    return gs_jinja_steps(r, c->self.u.str->len / 16) && finish_pieces(r, &p, false, out);
}

static bool partition(struct jrun *r, const struct jcall *c, bool from_end, struct jval *out)
{
    const struct gs_slice s = jv_slice(c->self);
    struct gs_slice separator;
    struct gs_slice parts[3] = {s, {0}, {0}};
    struct jlist *l;
    struct jval *items;
    size_t off;

    if (!gs_jinja_arg_str(r, c, 0, &separator))
        return false;
    if (separator.len == 0)
        return gs_jinja_fail(r, "empty separator");
    if (!(from_end ? gs_jinja_rfind(r, s, separator, &off)
                   : gs_jinja_find(r, s, separator, 0, &off)))
        return false;
    if (off != SIZE_MAX) {
        parts[0] = gs_slice_sub(s, 0, off);
        parts[1] = separator;
        parts[2] = gs_slice_sub(s, off + separator.len, s.len);
    } else if (from_end) {
        parts[0] = parts[1];
        parts[2] = s;
    }
    if (!gs_jinja_list(r, 3, &l, &items))
        return false;
    for (int i = 0; i < 3; i++) {
        if (!piece(r, c, parts[i], &items[i]))
            return false;
    }
    *out = jv_tuple(l);
    return true;
}

static bool s_partition(struct jrun *r, const struct jcall *c, struct jval *out)
{
    return partition(r, c, false, out);
}

static bool s_rpartition(struct jrun *r, const struct jcall *c, struct jval *out)
{
    return partition(r, c, true, out);
}

static bool s_join(struct jrun *r, const struct jcall *c, struct jval *out)
{
    struct jiter it;
    struct jval item;
    size_t n = 0;
    enum jnext next = JNEXT_END;

    if (!gs_jinja_iter(r, c->a[0], &it))
        return false;
    const size_t mark = gs_jinja_scratch_begin(r);
    for (next = gs_jinja_next(r, &it, &item); next == JNEXT_ITEM;
         next = gs_jinja_next(r, &it, &item), n++) {
        const bool escape = c->self.safe && !(item.kind == JV_STR && item.safe);
        struct gs_slice text;
        if (item.kind != JV_STR && !escape)
            return gs_jinja_fail(r, "sequence item %zu: expected str instance, %s found", n,
                                 gs_jinja_type(item));
        if (!gs_jinja_text(r, item, &text))
            return false;
        if (n > 0)
            gs_buf_slice(&r->scratch, jv_slice(c->self));
        if (escape)
            gs_jinja_put_escaped(&r->scratch, text);
        else
            gs_buf_slice(&r->scratch, text);
    }
    return next == JNEXT_END && gs_jinja_scratch_str(r, mark, c->self.safe, out);
}

/* ---- filling ---- */

static bool fill(struct jrun *r, const struct jcall *c, char align, struct jval *out)
{
    struct gs_slice with = GS_SLICE_LIT(" ");
    int64_t width;

    if (!gs_jinja_arg_int(r, c, 0, 0, &width) ||
        (c->a[1].kind != JV_MISSING && !gs_jinja_arg_str(r, c, 1, &with)))
        return false;
    if (c->a[1].kind != JV_MISSING && gs_jinja_chars(c->a[1]) != 1)
        return gs_jinja_fail(r, "the fill character must be exactly one character long");
    const int64_t len = (int64_t)gs_jinja_chars(c->self);
    if (width - len > MAX_FILL)
        return gs_jinja_fail_limit(r, "a padded string would be too wide");
    const int64_t pad = width > len ? width - len : 0;
    const int64_t left = align == '>'   ? pad
                         : align == '^' ? pad / 2 + (pad & width & 1) /* as CPython centers */
                                        : 0;
    const size_t mark = gs_jinja_scratch_begin(r);
    gs_jinja_put_fill(&r->scratch, with, (size_t)left);
    gs_buf_slice(&r->scratch, jv_slice(c->self));
    gs_jinja_put_fill(&r->scratch, with, (size_t)(pad - left));
    return gs_jinja_scratch_str(r, mark, c->self.safe, out);
}

static bool s_ljust(struct jrun *r, const struct jcall *c, struct jval *out)
{
    return fill(r, c, '<', out);
}

static bool s_rjust(struct jrun *r, const struct jcall *c, struct jval *out)
{
    return fill(r, c, '>', out);
}

static bool s_center(struct jrun *r, const struct jcall *c, struct jval *out)
{
    return fill(r, c, '^', out);
}

static bool s_zfill(struct jrun *r, const struct jcall *c, struct jval *out)
{
    struct gs_slice s = jv_slice(c->self);
    int64_t width;

    if (!gs_jinja_arg_int(r, c, 0, 0, &width))
        return false;
    const int64_t pad = width - (int64_t)gs_jinja_chars(c->self);
    if (pad > MAX_FILL)
        return gs_jinja_fail_limit(r, "a padded string would be too wide");
    const size_t mark = gs_jinja_scratch_begin(r);
    if (pad > 0 && s.len > 0 && (s.ptr[0] == '-' || s.ptr[0] == '+')) {
        gs_buf_putc(&r->scratch, s.ptr[0]);
        s = gs_slice_sub(s, 1, s.len);
    }
    gs_jinja_put_fill(&r->scratch, GS_SLICE_LIT("0"), (size_t)GS_MAX(pad, (int64_t)0));
    gs_buf_slice(&r->scratch, s);
    return gs_jinja_scratch_str(r, mark, c->self.safe, out);
}

static bool s_expandtabs(struct jrun *r, const struct jcall *c, struct jval *out)
{
    const struct gs_slice s = jv_slice(c->self);
    int64_t size;
    int64_t column = 0;

    if (!gs_jinja_arg_int(r, c, 0, 8, &size))
        return false;
    if (size > 1000)
        return gs_jinja_fail_limit(r, "a tab would be too wide");
    const size_t mark = gs_jinja_scratch_begin(r);
    for (size_t i = 0; i < s.len; i++) {
        const char ch = s.ptr[i];
        if (ch == '\t') {
            const int64_t n = size > 0 ? size - column % size : 0;
            gs_jinja_put_fill(&r->scratch, GS_SLICE_LIT(" "), (size_t)n);
            column += n;
            continue;
        }
        gs_buf_putc(&r->scratch, ch);
        column = ch == '\n' || ch == '\r' ? 0 : column + (((unsigned char)ch & 0xC0) != 0x80);
    }
    return gs_jinja_steps(r, s.len / 16) && gs_jinja_scratch_str(r, mark, c->self.safe, out);
}

static bool s_format(struct jrun *r, const struct jcall *c, struct jval *out)
{
    return gs_jinja_str_format(r, c->self, &c->raw, out);
}

static bool s_format_map(struct jrun *r, const struct jcall *c, struct jval *out)
{
    const struct jdict *d = c->a[0].u.dict;

    if (c->a[0].kind != JV_DICT)
        return gs_jinja_fail(r, "format_map() needs a mapping, not %s", gs_jinja_type(c->a[0]));
    struct jkw *kw = gs_jinja_array(r, d->len, sizeof(*kw));
    struct jargs args = {.kw = kw};
    if (!kw)
        return false;
    for (size_t i = 0; i < d->len; i++) {
        if (d->entries[i].key.kind == JV_STR)
            kw[args.n_kw++] = (struct jkw){jv_slice(d->entries[i].key), d->entries[i].value};
    }
    return gs_jinja_str_format(r, c->self, &args, out);
}

static bool s_encode(struct jrun *r, const struct jcall *c, struct jval *out)
{
    (void)out;
    return gs_jinja_fail(r, "%s() is not supported: templates have no bytes", c->def->name);
}

static const struct jbuiltin methods[] = {
    {"capitalize", "", s_capitalize},
    {"casefold", "", s_casefold},
    {"center", "width ?fillchar", s_center},
    {"count", "sub ?start end", s_count},
    {"encode", "*", s_encode},
    {"endswith", "suffix ?start end", s_endswith},
    {"expandtabs", "?tabsize", s_expandtabs},
    {"find", "sub ?start end", s_find},
    {"format", "*", s_format},
    {"format_map", "mapping", s_format_map},
    {"index", "sub ?start end", s_index},
    {"join", "iterable", s_join},
    {"ljust", "width ?fillchar", s_ljust},
    {"lower", "", s_lower},
    {"lstrip", "?chars", s_lstrip},
    {"partition", "sep", s_partition},
    {"removeprefix", "prefix", s_removeprefix},
    {"removesuffix", "suffix", s_removesuffix},
    {"replace", "old new ?count", s_replace},
    {"rfind", "sub ?start end", s_rfind},
    {"rindex", "sub ?start end", s_rindex},
    {"rjust", "width ?fillchar", s_rjust},
    {"rpartition", "sep", s_rpartition},
    {"rsplit", "?sep maxsplit", s_rsplit},
    {"rstrip", "?chars", s_rstrip},
    {"split", "?sep maxsplit", s_split},
    {"splitlines", "?keepends", s_splitlines},
    {"startswith", "prefix ?start end", s_startswith},
    {"strip", "?chars", s_strip},
    {"swapcase", "", s_swapcase},
    {"title", "", s_title},
    {"upper", "", s_upper},
    {"zfill", "width", s_zfill},
};

const struct jbuiltins gs_jinja_str_methods = {methods, GS_COUNT_OF(methods)};
