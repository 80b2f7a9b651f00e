/* Filters over text. Each takes str(value); what was Markup stays so where Jinja keeps it. */
#include <string.h>

#include "base/slice.h"
#include "jinja/jinja_builtin.h"
#include "jinja/jinja_format.h"
#include "jinja/jinja_text.h"
#include "jinja/jinja_wrap.h"

static bool with_case(struct jrun *r, const struct jcall *c, enum gs_jinja_case to,
                      struct jval *out)
{
    const size_t mark = gs_jinja_scratch_begin(r);
    struct jval s;

    if (!gs_jinja_soft_str(r, c->self, &s))
        return false;
    gs_jinja_put_case(&r->scratch, jv_slice(s), to);
    return gs_jinja_scratch_str(r, mark, s.safe, out);
}

static bool f_upper(struct jrun *r, const struct jcall *c, struct jval *out)
{
    return with_case(r, c, GS_CASE_UPPER, out);
}

static bool f_lower(struct jrun *r, const struct jcall *c, struct jval *out)
{
    return with_case(r, c, GS_CASE_LOWER, out);
}

static bool f_capitalize(struct jrun *r, const struct jcall *c, struct jval *out)
{
    const size_t mark = gs_jinja_scratch_begin(r);
    struct jval s;

    if (!gs_jinja_soft_str(r, c->self, &s))
        return false;
    gs_jinja_put_capitalized(&r->scratch, jv_slice(s));
    return gs_jinja_scratch_str(r, mark, s.safe, out);
}

/* Words begin after white space and any of -({[< */
static bool begins_word_after(uint32_t cp)
{
    return (cp < 0x80 && cp > 0 && strchr("-({[<", (int)cp)) || gs_jinja_is(cp, GS_UNI_SPACE);
}

static bool f_title(struct jrun *r, const struct jcall *c, struct jval *out)
{
    struct jval v;

    if (!gs_jinja_soft_str(r, c->self, &v))
        return false;
    const size_t mark = gs_jinja_scratch_begin(r);
    const struct gs_slice s = jv_slice(v);
    for (size_t i = 0; i < s.len;) {
        const size_t start = i;
        uint32_t cp;
        const size_t first = gs_utf8_decode(s, i, &cp);
        const bool is_gap = begins_word_after(cp);
        for (i += first; i < s.len;) { /* to the end of the word, or of the gap */
            const size_t n = gs_utf8_decode(s, i, &cp);
            if (begins_word_after(cp) != is_gap)
                break;
            i += n;
        }
        gs_jinja_put_case(&r->scratch, gs_slice_sub(s, start, start + first), GS_CASE_UPPER);
        gs_jinja_put_case(&r->scratch, gs_slice_sub(s, start + first, i), GS_CASE_LOWER);
    }
    return gs_jinja_scratch_str(r, mark, false, out);
}

static bool f_trim(struct jrun *r, const struct jcall *c, struct jval *out)
{
    struct gs_slice chars;
    struct jval s;

    if (!gs_jinja_soft_str(r, c->self, &s) || !gs_jinja_arg_str_or_none(r, c, 0, &chars) ||
        !gs_jinja_str(r, gs_jinja_strip(jv_slice(s), chars, GS_STRIP_BOTH), out))
        return false;
    out->safe = s.safe;
    return gs_jinja_steps(r, s.u.str->len / 64);
}

static bool f_replace(struct jrun *r, const struct jcall *c, struct jval *out)
{
    struct gs_slice s;
    struct gs_slice old;
    struct gs_slice with;
    int64_t max;

    if (!gs_jinja_text(r, c->self, &s) || !gs_jinja_text(r, c->a[0], &old) ||
        !gs_jinja_text(r, c->a[1], &with) || !gs_jinja_arg_int_or_none(r, c, 2, -1, &max))
        return false;
    const size_t mark = gs_jinja_scratch_begin(r);
    return gs_jinja_put_replaced(r, &r->scratch, s, old, with, max) &&
           gs_jinja_scratch_end(r, mark, out);
}

static bool f_string(struct jrun *r, const struct jcall *c, struct jval *out)
{
    return gs_jinja_soft_str(r, c->self, out);
}

static bool f_safe(struct jrun *r, const struct jcall *c, struct jval *out)
{
    if (!gs_jinja_to_str(r, c->self, out))
        return false;
    out->safe = true;
    return true;
}

static bool f_forceescape(struct jrun *r, const struct jcall *c, struct jval *out)
{
    struct gs_slice s;

    if (!gs_jinja_text(r, c->self, &s))
        return false;
    const size_t mark = gs_jinja_scratch_begin(r);
    gs_jinja_put_escaped(&r->scratch, s);
    return gs_jinja_scratch_str(r, mark, true, out);
}

static bool f_escape(struct jrun *r, const struct jcall *c, struct jval *out)
{
    if (c->self.kind != JV_STR || !c->self.safe)
        return f_forceescape(r, c, out);
    *out = c->self;
    return true;
}

static bool f_center(struct jrun *r, const struct jcall *c, struct jval *out)
{
    int64_t width;
    struct jval s;

    if (!gs_jinja_soft_str(r, c->self, &s) || !gs_jinja_arg_int(r, c, 0, 80, &width))
        return false;
    const int64_t len = (int64_t)gs_jinja_chars(s);
    const int64_t pad = GS_MAX(width - len, (int64_t)0);
    const int64_t left = pad / 2 + (pad & width & 1);
    if (pad > 1000000)
        return gs_jinja_fail_limit(r, "a centered string would be too wide");
    const size_t mark = gs_jinja_scratch_begin(r);
    gs_jinja_put_fill(&r->scratch, GS_SLICE_LIT(" "), (size_t)left);
    gs_buf_slice(&r->scratch, jv_slice(s));
    gs_jinja_put_fill(&r->scratch, GS_SLICE_LIT(" "), (size_t)(pad - left));
    return gs_jinja_scratch_str(r, mark, s.safe, out);
}

/* How filters that need a real string refuse others. */
static bool need_str(struct jrun *r, const struct jcall *c)
{
    if (c->self.kind == JV_UNDEFINED)
        return gs_jinja_fail_undefined(r, c->self);
    return c->self.kind == JV_STR || gs_jinja_fail(r, "filter '%s' needs a string, not %s",
                                                   c->def->name, gs_jinja_type(c->self));
}

struct indenter {
    struct gs_slice unit;
    size_t times;
    bool first; /* indent the first line */
    bool blank; /* indent empty lines */
};

static void put_indented(struct gs_buf *b, const struct indenter *in, size_t number,
                         struct gs_slice line)
{
    if (number > 0)
        gs_buf_putc(b, '\n');
    if (number == 0 ? in->first : in->blank || line.len > 0)
        gs_jinja_put_fill(b, in->unit, in->times);
    gs_buf_slice(b, line);
}

static bool f_indent(struct jrun *r, const struct jcall *c, struct jval *out)
{
    struct indenter in = {.unit = GS_SLICE_LIT(" "), .times = 1};
    struct gs_slice line;
    int64_t times = 1;
    size_t number = 0;
    size_t end = 1;

    if (!need_str(r, c) || !gs_jinja_arg_bool(r, c, 1, &in.first) ||
        !gs_jinja_arg_bool(r, c, 2, &in.blank))
        return false;
    if (c->a[0].kind == JV_STR)
        in.unit = jv_slice(c->a[0]);
    else if (!gs_jinja_arg_int(r, c, 0, 4, &times))
        return false;
    if (times > 10000)
        return gs_jinja_fail_limit(r, "an indentation would be too wide");
    in.times = (size_t)GS_MAX(times, (int64_t)0);
    struct gs_slice s = jv_slice(c->self);
    const size_t mark = gs_jinja_scratch_begin(r);
    const bool lone_cr = s.len > 0 && s.ptr[s.len - 1] == '\r';
    while (gs_jinja_line(&s, &line, &end)) {
        put_indented(&r->scratch, &in, number++, line);
        if (!gs_jinja_steps(r, 1))
            return false;
    }
    if (end > 0 && !lone_cr) /* a line end at the end has an empty line after it */
        put_indented(&r->scratch, &in, number, (struct gs_slice){0});
    return gs_jinja_scratch_str(r, mark, c->self.safe, out);
}

static bool f_truncate(struct jrun *r, const struct jcall *c, struct jval *out)
{
    struct jval end = c->a[2];
    int64_t length;
    int64_t leeway;
    int64_t end_len;
    int64_t len;
    bool kill_words;
    bool has_len;

    if (!gs_jinja_arg_int(r, c, 0, 255, &length) || !gs_jinja_arg_bool(r, c, 1, &kill_words) ||
        !gs_jinja_arg_int_or_none(r, c, 3, 5, &leeway) ||
        (end.kind == JV_MISSING && !gs_jinja_str(r, GS_SLICE_LIT("..."), &end)))
        return false;
    if (end.kind != JV_STR)
        return gs_jinja_fail(r, "truncate() needs a string to end with");
    end_len = (int64_t)gs_jinja_chars(end);
    if (length < end_len)
        return gs_jinja_fail(r, "expected length >= %lld, got %lld", (long long)end_len,
                             (long long)length);
    if (leeway < 0)
        return gs_jinja_fail(r, "expected leeway >= 0, got %lld", (long long)leeway);
    if (!gs_jinja_len(r, c->self, &has_len, &len))
        return false;
    *out = c->self;
    if (has_len && len - length <= leeway)
        return true;
    if (!need_str(r, c))
        return false;
    struct gs_slice kept =
        gs_slice_sub(jv_slice(c->self), 0, gs_jinja_char_off(c->self, (size_t)(length - end_len)));
    size_t space = SIZE_MAX;
    if (!kill_words && !gs_jinja_rfind(r, kept, GS_SLICE_LIT(" "), &space))
        return false;
    if (space != SIZE_MAX)
        kept.len = space;
    const size_t mark = gs_jinja_scratch_begin(r);
    gs_buf_slice(&r->scratch, kept);
    gs_buf_slice(&r->scratch, jv_slice(end));
    return gs_jinja_scratch_str(r, mark, c->self.safe, out);
}

static bool f_wordwrap(struct jrun *r, const struct jcall *c, struct jval *out)
{
    struct jwrap w = {.break_words = true, .break_hyphens = true};
    struct gs_slice newline = GS_SLICE_LIT("\n");
    struct gs_slice line;
    size_t end;
    bool first = true;

    if (!need_str(r, c) || !gs_jinja_arg_int(r, c, 0, 79, &w.width) ||
        (c->a[1].kind != JV_MISSING && !gs_jinja_arg_bool(r, c, 1, &w.break_words)) ||
        (gs_jinja_arg_given(c, 2) && !gs_jinja_arg_str(r, c, 2, &newline)) ||
        (c->a[3].kind != JV_MISSING && !gs_jinja_arg_bool(r, c, 3, &w.break_hyphens)))
        return false;
    if (w.width <= 0)
        return gs_jinja_fail(r, "invalid width %lld (must be > 0)", (long long)w.width);
    w.newline = newline;
    const size_t mark = gs_jinja_scratch_begin(r);
    struct gs_slice s = jv_slice(c->self);
    while (gs_jinja_line(&s, &line, &end)) {
        if (!first)
            gs_buf_slice(&r->scratch, newline);
        first = false;
        gs_jinja_put_wrapped(&r->scratch, line, &w);
        if (!gs_jinja_steps(r, 1 + line.len))
            return false;
    }
    return gs_jinja_scratch_end(r, mark, out);
}

static bool f_wordcount(struct jrun *r, const struct jcall *c, struct jval *out)
{
    struct gs_slice s;
    int64_t words = 0;
    bool inside = false;

    if (!gs_jinja_text(r, c->self, &s))
        return false;
    for (size_t i = 0; i < s.len;) {
        uint32_t cp;
        i += gs_utf8_decode(s, i, &cp);
        const bool word = cp == '_' || gs_jinja_is(cp, GS_UNI_ALNUM);
        words += word && !inside;
        inside = word;
    }
    *out = jv_int(words);
    return gs_jinja_steps(r, s.len / 16);
}

static bool f_format(struct jrun *r, const struct jcall *c, struct jval *out)
{
    struct jval s;

    return gs_jinja_soft_str(r, c->self, &s) && gs_jinja_percent_args(r, s, &c->raw, out);
}

/* Without everything from `open` to `close`, each time. */
static void put_without(struct gs_buf *b, struct gs_slice s, struct gs_slice open,
                        struct gs_slice close)
{
    size_t from = 0;

    for (;;) {
        const size_t start = gs_slice_find(s, open, from);
        const size_t end = start == SIZE_MAX ? SIZE_MAX : gs_slice_find(s, close, start);
        if (end == SIZE_MAX)
            break;
        gs_buf_slice(b, gs_slice_sub(s, from, start));
        from = end + close.len;
    }
    gs_buf_slice(b, gs_slice_sub(s, from, s.len));
}

/* One entity at s[i] == '&' that HTML knows everywhere; its length, or 0. */
static size_t put_entity(struct gs_buf *b, struct gs_slice s)
{
    static const struct {
        const char *name;
        uint32_t cp;
    } entities[] = {{"&amp;", '&'},  {"&lt;", '<'},    {"&gt;", '>'},
                    {"&quot;", '"'}, {"&apos;", '\''}, {"&nbsp;", 0xA0}};
    uint32_t cp = 0;
    size_t i = 2;

    for (size_t e = 0; e < GS_COUNT_OF(entities); e++) {
        if (gs_slice_starts(s, gs_slice_str(entities[e].name))) {
            gs_jinja_put_char(b, entities[e].cp);
            return strlen(entities[e].name);
        }
    }
    if (s.len < 4 || s.ptr[1] != '#')
        return 0;
    const bool hex = (s.ptr[2] | 0x20) == 'x';
    i += hex;
    for (; i < s.len && i < 12 && s.ptr[i] != ';'; i++) {
        const char c = s.ptr[i];
        const char lower = (char)(c | 0x20);
        if (c >= '0' && c <= '9')
            cp = cp * (hex ? 16 : 10) + (uint32_t)(c - '0');
        else if (hex && lower >= 'a' && lower <= 'f')
            cp = cp * 16 + (uint32_t)(lower - 'a' + 10);
        else
            return 0;
        if (cp > 0x10FFFF)
            return 0;
    }
    if (i >= s.len || s.ptr[i] != ';' || cp == 0)
        return 0;
    gs_jinja_put_char(b, cp);
    return i + 1;
}

static bool f_striptags(struct jrun *r, const struct jcall *c, struct jval *out)
{
    struct gs_slice s;
    struct jval v;
    bool gap = false;
    bool any = false;

    if (!gs_jinja_text(r, c->self, &s))
        return false;
    const size_t mark = gs_jinja_scratch_begin(r);
    put_without(&r->scratch, s, GS_SLICE_LIT("<!--"), GS_SLICE_LIT("-->"));
    if (!gs_jinja_scratch_end(r, mark, &v))
        return false;
    put_without(&r->scratch, jv_slice(v), GS_SLICE_LIT("<"), GS_SLICE_LIT(">"));
    if (!gs_jinja_scratch_end(r, mark, &v))
        return false;
    s = jv_slice(v);
    for (size_t i = 0; i < s.len;) {
        uint32_t cp;
        const size_t n = gs_utf8_decode(s, i, &cp);
        if (gs_jinja_is(cp, GS_UNI_SPACE)) {
            gap = true;
            i += n;
            continue;
        }
        if (gap && any)
            gs_buf_putc(&r->scratch, ' ');
        gap = false;
        any = true;
        const size_t entity = cp == '&' ? put_entity(&r->scratch, gs_slice_sub(s, i, s.len)) : 0;
        if (!entity)
            gs_buf_put(&r->scratch, s.ptr + i, n);
        i += entity ? entity : n;
    }
    return gs_jinja_steps(r, s.len / 16) && gs_jinja_scratch_end(r, mark, out);
}

static void put_quoted(struct gs_buf *b, struct gs_slice s, bool in_query)
{
    for (size_t i = 0; i < s.len; i++) {
        const unsigned char c = (unsigned char)s.ptr[i];
        if (c < 0x80 && c > 0 &&
            (gs_jinja_is(c, GS_UNI_ALNUM) || strchr("_.-~", c) || (c == '/' && !in_query)))
            gs_buf_putc(b, (char)c);
        else if (c == ' ' && in_query)
            gs_buf_putc(b, '+');
        else
            gs_buf_printf(b, "%%%02X", c);
    }
}

static bool put_query_pair(struct jrun *r, struct gs_buf *b, struct jval key, struct jval value)
{
    struct gs_slice k;
    struct gs_slice v;

    if (!gs_jinja_text(r, key, &k) || !gs_jinja_text(r, value, &v))
        return false;
    put_quoted(b, k, true);
    gs_buf_putc(b, '=');
    put_quoted(b, v, true);
    return true;
}

static bool f_urlencode(struct jrun *r, const struct jcall *c, struct jval *out)
{
    const struct jlist *items;
    struct jval pairs = c->self;
    struct gs_slice s;

    if (c->self.kind == JV_STR || !gs_jinja_is_iterable(c->self)) {
        if (!gs_jinja_text(r, c->self, &s))
            return false;
        const size_t at = gs_jinja_scratch_begin(r);
        put_quoted(&r->scratch, s, false);
        return gs_jinja_scratch_end(r, at, out);
    }
    if (pairs.kind == JV_DICT) {
        pairs.kind = JV_VIEW;
        pairs.view = JVIEW_ITEMS;
    }
    if (!gs_jinja_to_list(r, pairs, &items))
        return false;
    const size_t mark = gs_jinja_scratch_begin(r);
    for (size_t i = 0; i < items->len; i++) {
        const struct jval pair = items->items[i];
        if (!jv_is_list(pair) || pair.u.list->len != 2)
            return gs_jinja_fail(r, "filter 'urlencode' needs pairs");
        if (i)
            gs_buf_putc(&r->scratch, '&');
        if (!put_query_pair(r, &r->scratch, pair.u.list->items[0], pair.u.list->items[1]))
            return false;
    }
    return gs_jinja_scratch_end(r, mark, out);
}

static void put_escaped_value(struct gs_buf *b, struct gs_slice s, bool safe)
{
    if (safe)
        gs_buf_slice(b, s);
    else
        gs_jinja_put_escaped(b, s);
}

static bool is_attribute_name(struct gs_slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '\0' || strchr(" \t\n\v\f\r/>=", s.ptr[i]))
            return false;
    }
    return true;
}

static bool f_xmlattr(struct jrun *r, const struct jcall *c, struct jval *out)
{
    const struct jdict *d = c->self.u.dict;
    bool autospace = true;
    bool any = false;

    if (c->self.kind != JV_DICT)
        return gs_jinja_fail(r, "filter 'xmlattr' needs a mapping, not %s", gs_jinja_type(c->self));
    if (c->a[0].kind != JV_MISSING && !gs_jinja_arg_bool(r, c, 0, &autospace))
        return false;
    const size_t mark = gs_jinja_scratch_begin(r);
    for (size_t i = 0; i < d->len; i++) {
        const struct jval key = d->entries[i].key;
        const struct jval value = d->entries[i].value;
        struct gs_slice text;
        if (value.kind == JV_NONE || value.kind == JV_UNDEFINED)
            continue;
        if (key.kind != JV_STR || !is_attribute_name(jv_slice(key)))
            return gs_jinja_fail(r, "invalid character in attribute name");
        if (!gs_jinja_text(r, value, &text))
            return false;
        if (any || autospace)
            gs_buf_putc(&r->scratch, ' ');
        any = true;
        put_escaped_value(&r->scratch, jv_slice(key), key.safe);
        gs_buf_puts(&r->scratch, "=\"");
        put_escaped_value(&r->scratch, text, value.kind == JV_STR && value.safe);
        gs_buf_putc(&r->scratch, '"');
    }
    return gs_jinja_scratch_end(r, mark, out);
}

static bool f_urlize(struct jrun *r, const struct jcall *c, struct jval *out)
{
    (void)out;
    return gs_jinja_fail(r, "filter '%s' is not supported: a prompt is not HTML", c->def->name);
}

static const struct jbuiltin filters[] = {
    {"capitalize", "", f_capitalize},
    {"center", "?width", f_center},
    {"e", "", f_escape},
    {"escape", "", f_escape},
    {"forceescape", "", f_forceescape},
    {"format", "*", f_format},
    {"indent", "?width first blank", f_indent},
    {"lower", "", f_lower},
    {"replace", "old new ?count", f_replace},
    {"safe", "", f_safe},
    {"string", "", f_string},
    {"striptags", "", f_striptags},
    {"title", "", f_title},
    {"trim", "?chars", f_trim},
    {"truncate", "?length killwords end leeway", f_truncate},
    {"upper", "", f_upper},
    {"urlencode", "", f_urlencode},
    {"urlize", "*", f_urlize},
    {"wordcount", "", f_wordcount},
    {"wordwrap", "?width break_long_words wrapstring break_on_hyphens", f_wordwrap},
    {"xmlattr", "?autospace", f_xmlattr},
};

const struct jbuiltins gs_jinja_text_filters = {filters, GS_COUNT_OF(filters)};
