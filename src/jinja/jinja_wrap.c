/* Chunks (a word, a gap, a dash, or a part of a word up to a hyphen) are put on a line while they
 * fit. A blank chunk at the end or the beginning of a line goes; a word longer than a line is cut.
 * The rules for chunks are those of wordsep_re in Python's textwrap. */
#include "jinja/jinja_wrap.h"

#include <string.h>

#include "base/slice.h"
#include "jinja/jinja_unicode.h"

static bool is_gap(struct gs_slice s, size_t off)
{
    const char c = s.ptr[off];

    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Is the character at off one of \w? `excluded` properties apart. */
static bool is_word(struct gs_slice s, size_t off, unsigned excluded)
{
    uint32_t cp;

    if (off >= s.len)
        return false;
    gs_utf8_decode(s, off, &cp);
    return (cp == '_' || gs_jinja_is(cp, GS_UNI_ALNUM)) && !gs_jinja_is(cp, excluded);
}

static bool is_letter(struct gs_slice s, size_t off)
{
    return is_word(s, off, GS_UNI_DECIMAL);
}

static bool is_word_or_mark(struct gs_slice s, size_t off)
{
    return is_word(s, off, 0) || (s.ptr[off] && strchr("!\"'&.,?", s.ptr[off]));
}

/* Offset of the character before `off`, or SIZE_MAX. */
static size_t before(struct gs_slice s, size_t off)
{
    if (off == SIZE_MAX || off == 0)
        return SIZE_MAX;
    do
        off--;
    while (off > 0 && ((unsigned char)s.ptr[off] & 0xC0) == 0x80);
    return off;
}

static size_t after(struct gs_slice s, size_t off)
{
    uint32_t cp;

    return off < s.len ? off + gs_utf8_decode(s, off, &cp) : off;
}

/* May a line end after the hyphen at off? Two letters before it (or a letter, a hyphen and one
 * character), two letters after it (perhaps with a hyphen between). */
static bool breaks_at(struct gs_slice s, size_t off)
{
    const size_t one = before(s, off);
    const size_t two = before(s, one);
    const size_t three = before(s, two);
    size_t next = off + 1;

    if (two == SIZE_MAX)
        return false;
    if (!(is_letter(s, one) && is_letter(s, two)) &&
        !(is_word_or_mark(s, one) && s.ptr[two] == '-' && three != SIZE_MAX && is_letter(s, three)))
        return false;
    if (!is_letter(s, next))
        return false;
    next = after(s, next);
    if (next < s.len && s.ptr[next] == '-')
        next++;
    return is_letter(s, next);
}

/* The end of a dash of two or more hyphens at off between words, or off. */
static size_t dash_end(struct gs_slice s, size_t off)
{
    size_t end = off;

    while (end < s.len && s.ptr[end] == '-')
        end++;
    const bool is_dash =
        end - off >= 2 && off > 0 && is_word_or_mark(s, before(s, off)) && is_word(s, end, 0);
    return is_dash ? end : off;
}

static size_t chunk_end(struct gs_slice s, size_t start, bool hyphens)
{
    const bool gap = is_gap(s, start);
    size_t end = start;

    if (!gap && hyphens && dash_end(s, start) > start)
        return dash_end(s, start);
    while (end < s.len && is_gap(s, end) == gap) {
        if (!gap && hyphens && end > start && s.ptr[end] == '-') {
            if (breaks_at(s, end))
                return end + 1;
            if (dash_end(s, end) > end)
                return end;
        }
        end++;
    }
    return end;
}

static bool is_blank(struct gs_slice s, size_t from, size_t to)
{
    while (from < to) {
        uint32_t cp;
        from += gs_utf8_decode(s, from, &cp);
        if (!gs_jinja_is(cp, GS_UNI_SPACE))
            return false;
    }
    return true;
}

static int64_t chars(struct gs_slice s, size_t from, size_t to)
{
    int64_t n = 0;

    for (; from < to; from++)
        n += ((unsigned char)s.ptr[from] & 0xC0) != 0x80;
    return n;
}

/* Where to cut the long chunk at `start` so that n characters stay on the line. */
static size_t cut(struct gs_slice s, size_t start, size_t end, int64_t n, bool hyphens)
{
    size_t at = start;

    for (; n > 0 && at < end; n--)
        at = after(s, at);
    for (size_t i = at; hyphens && i > start + 1; i--) {
        if (s.ptr[i - 1] == '-')
            return s.ptr[start] == '-' && strspn(s.ptr + start, "-") >= i - 1 - start ? at : i;
    }
    return at;
}

void gs_jinja_put_wrapped(struct gs_buf *b, struct gs_slice s, const struct jwrap *w)
{
    size_t pos = 0;
    bool first = true;

    while (pos < s.len) {
        int64_t used = 0;
        size_t end = chunk_end(s, pos, w->break_hyphens);
        if (!first && is_blank(s, pos, end))
            pos = end;
        const size_t start = pos;
        size_t last = pos; /* beginning of the line's last chunk */
        while (pos < s.len) {
            end = chunk_end(s, pos, w->break_hyphens);
            const int64_t n = chars(s, pos, end);
            if (used + n > w->width) {
                const bool empty = pos == start;
                if (n > w->width && (w->break_words || empty)) {
                    last = pos;
                    pos =
                        w->break_words ? cut(s, pos, end, w->width - used, w->break_hyphens) : end;
                }
                break;
            }
            used += n;
            last = pos;
            pos = end;
        }
        const size_t stop = is_blank(s, last, pos) ? last : pos;
        if (stop > start) {
            if (!first)
                gs_buf_slice(b, w->newline);
            gs_buf_slice(b, gs_slice_sub(s, start, stop));
            first = false;
        }
    }
}
