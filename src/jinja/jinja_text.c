/* UTF-8 text by characters: counting, searching, stripping, case. */
#include "jinja/jinja_text.h"

#include <string.h>

#include "base/slice.h"
#include "jinja/jinja_run.h"

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

size_t gs_jinja_chars(struct jval s)
{
    struct jstr *str = s.u.str;
    size_t n = 0;

    if (str->n_chars != SIZE_MAX)
        return str->n_chars;
    for (size_t i = 0; i < str->len; i++)
        n += !is_continuation(str->ptr[i]);
    str->n_chars = n;
    return n;
}

size_t gs_jinja_char_off(struct jval s, size_t idx)
{
    const struct jstr *str = s.u.str;
    size_t off = 0;

    if (gs_jinja_chars(s) == str->len)
        return idx;
    if (idx >= str->n_chars)
        return str->len;
    if (idx > str->n_chars / 2) { /* from the end */
        off = str->len;
        for (size_t n = str->n_chars; n > idx; n--)
            off -= gs_jinja_char_before(jv_slice(s), off);
        return off;
    }
    for (; idx > 0; idx--) {
        off++;
        while (off < str->len && is_continuation(str->ptr[off]))
            off++;
    }
    return off;
}

size_t gs_jinja_char_before(struct gs_slice s, size_t off)
{
    size_t n = off > 0;

    while (n < off && is_continuation(s.ptr[off - n]))
        n++;
    return n;
}

/* The worst case of the plain search is charged in advance. */
static bool charge_search(struct jrun *r, struct gs_slice s, struct gs_slice needle)
{
    return gs_jinja_steps(r, (s.len / 64 + 1) * (needle.len / 64 + 1));
}

bool gs_jinja_find(struct jrun *r, struct gs_slice s, struct gs_slice needle, size_t from,
                   size_t *out)
{
    *out = gs_slice_find(s, needle, from);
    return charge_search(r, gs_slice_sub(s, from, *out), needle);
}

bool gs_jinja_rfind(struct jrun *r, struct gs_slice s, struct gs_slice needle, size_t *out)
{
    *out = SIZE_MAX;
    if (needle.len > s.len)
        return true;
    for (size_t off = s.len - needle.len + 1; off-- > 0;) {
        if (gs_slice_eq(gs_slice(s.ptr + off, needle.len), needle)) {
            *out = off;
            break;
        }
    }
    return charge_search(r, s, needle);
}

static bool in_set(struct gs_slice set, uint32_t cp)
{
    uint32_t c;

    if (!set.ptr)
        return gs_jinja_is(cp, GS_UNI_SPACE);
    for (size_t i = 0; i < set.len; i += gs_utf8_decode(set, i, &c)) {
        gs_utf8_decode(set, i, &c);
        if (c == cp)
            return true;
    }
    return false;
}

struct gs_slice gs_jinja_strip(struct gs_slice s, struct gs_slice set, enum gs_strip sides)
{
    uint32_t cp;

    while ((sides & GS_STRIP_LEFT) && s.len > 0) {
        const size_t n = gs_utf8_decode(s, 0, &cp);
        if (!in_set(set, cp))
            break;
        s = gs_slice_sub(s, n, s.len);
    }
    while ((sides & GS_STRIP_RIGHT) && s.len > 0) {
        const size_t n = gs_jinja_char_before(s, s.len);
        gs_utf8_decode(s, s.len - n, &cp);
        if (!in_set(set, cp))
            break;
        s.len -= n;
    }
    return s;
}

void gs_jinja_put_char(struct gs_buf *b, uint32_t cp)
{
    char utf8[4];

    gs_buf_put(b, utf8, gs_utf8_encode(cp, utf8));
}

/* A capital sigma becomes a final one at the end of a word (Unicode, table 3-17). */
static bool is_final_sigma(struct gs_slice s, size_t off)
{
    uint32_t cp = 0;
    bool before = false;

    for (size_t i = off; i > 0;) {
        i -= gs_jinja_char_before(s, i);
        gs_utf8_decode(s, i, &cp);
        if (!gs_jinja_is(cp, GS_UNI_CASE_IGNORABLE)) {
            before = gs_jinja_is(cp, GS_UNI_CASED);
            break;
        }
    }
    for (size_t i = off + 2; before && i < s.len;) {
        i += gs_utf8_decode(s, i, &cp);
        if (!gs_jinja_is(cp, GS_UNI_CASE_IGNORABLE))
            return !gs_jinja_is(cp, GS_UNI_CASED);
    }
    return before;
}

void gs_jinja_put_case_part(struct gs_buf *b, struct gs_slice s, size_t from, size_t end,
                            enum gs_jinja_case to)
{
    for (size_t i = from; i < end;) {
        const unsigned char c = (unsigned char)s.ptr[i];
        uint32_t cp;
        uint32_t mapped[3];
        if (c < 0x80) {
            const bool down = to == GS_CASE_LOWER || to == GS_CASE_FOLD;
            const bool letter = down ? c >= 'A' && c <= 'Z' : c >= 'a' && c <= 'z';
            gs_buf_putc(b, (char)(letter ? c ^ 0x20 : c));
            i++;
            continue;
        }
        const size_t at = i;
        i += gs_utf8_decode(s, i, &cp);
        if (cp == 0x3A3 && to == GS_CASE_LOWER) {
            gs_jinja_put_char(b, is_final_sigma(s, at) ? 0x3C2 : 0x3C3);
            continue;
        }
        const unsigned n = gs_jinja_case_map(to, cp, mapped);
        for (unsigned k = 0; k < n; k++)
            gs_jinja_put_char(b, mapped[k]);
    }
}

void gs_jinja_put_case(struct gs_buf *b, struct gs_slice s, enum gs_jinja_case to)
{
    gs_jinja_put_case_part(b, s, 0, s.len, to);
}

void gs_jinja_put_capitalized(struct gs_buf *b, struct gs_slice s)
{
    uint32_t cp;
    const size_t first = s.len ? gs_utf8_decode(s, 0, &cp) : 0;

    gs_jinja_put_case_part(b, s, 0, first, GS_CASE_TITLE);
    gs_jinja_put_case_part(b, s, first, s.len, GS_CASE_LOWER);
}

bool gs_jinja_put_replaced(struct jrun *r, struct gs_buf *b, struct gs_slice s, struct gs_slice old,
                           struct gs_slice with, int64_t max)
{
    size_t from = 0;

    for (int64_t n = 0; max < 0 || n < max; n++) {
        size_t hit = from;
        if (old.len > 0) {
            if (!gs_jinja_find(r, s, old, from, &hit))
                return false;
            if (hit == SIZE_MAX)
                break;
            gs_buf_slice(b, gs_slice_sub(s, from, hit));
            gs_buf_slice(b, with);
            from = hit + old.len;
        } else { /* the empty string is before every character and at the end */
            uint32_t cp;
            gs_buf_slice(b, with);
            if (from == s.len)
                break;
            const size_t next = from + gs_utf8_decode(s, from, &cp);
            gs_buf_slice(b, gs_slice_sub(s, from, next));
            from = next;
        }
        if (!gs_jinja_steps(r, 1 + with.len / 64))
            return false;
    }
    gs_buf_slice(b, gs_slice_sub(s, from, s.len));
    return gs_buf_ok(b) || gs_jinja_fail_nomem(r);
}

void gs_jinja_put_escaped(struct gs_buf *b, struct gs_slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        switch (s.ptr[i]) {
        case '&':
            gs_buf_puts(b, "&amp;");
            break;
        case '<':
            gs_buf_puts(b, "&lt;");
            break;
        case '>':
            gs_buf_puts(b, "&gt;");
            break;
        case '\'':
            gs_buf_puts(b, "&#39;");
            break;
        case '"':
            gs_buf_puts(b, "&#34;");
            break;
        default:
            gs_buf_putc(b, s.ptr[i]);
            break;
        }
    }
}

void gs_jinja_put_fill(struct gs_buf *b, struct gs_slice fill, size_t n)
{
    for (; n > 0 && gs_buf_ok(b); n--)
        gs_buf_slice(b, fill);
}

/* Does the character end a line for splitlines()? */
static bool ends_line(uint32_t cp)
{
    return (cp >= 0x0A && cp <= 0x0D) || (cp >= 0x1C && cp <= 0x1E) || cp == 0x85 || cp == 0x2028 ||
           cp == 0x2029;
}

bool gs_jinja_line(struct gs_slice *s, struct gs_slice *out_line, size_t *out_end)
{
    size_t i = 0;

    if (s->len == 0)
        return false;
    *out_end = 0;
    while (i < s->len && *out_end == 0) {
        uint32_t cp;
        const size_t n = gs_utf8_decode(*s, i, &cp);
        if (ends_line(cp))
            *out_end = cp == '\r' && i + 1 < s->len && s->ptr[i + 1] == '\n' ? 2 : n;
        else
            i += n;
    }
    *out_line = gs_slice_sub(*s, 0, i);
    *s = gs_slice_sub(*s, i + *out_end, s->len);
    return true;
}
