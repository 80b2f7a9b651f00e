/* Chunks (a word, a gap, or a part of a word up to a hyphen) are put on a line while they fit.
 * Gaps at the ends of lines go; a word longer than a line is cut. */
#include "chat/jinja_wrap.h"

#include "base/slice.h"
#include "chat/jinja_unicode.h"

static bool is_gap(struct gs_slice s, size_t off)
{
    const char c = s.ptr[off];

    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_word(struct gs_slice s, size_t off)
{
    uint32_t cp;

    if (off >= s.len)
        return false;
    gs_utf8_decode(s, off, &cp);
    return cp == '_' || gs_jinja_is(cp, GS_UNI_ALNUM);
}

static bool is_letter(struct gs_slice s, size_t off)
{
    return is_word(s, off) && (s.ptr[off] < '0' || s.ptr[off] > '9');
}

static size_t back(struct gs_slice s, size_t off)
{
    do
        off--;
    while (off > 0 && ((unsigned char)s.ptr[off] & 0xC0) == 0x80);
    return off;
}

/* May a line end after the hyphen at off? Two characters of a word before it, two after. */
static bool breaks_at(struct gs_slice s, size_t start, size_t off)
{
    uint32_t cp;

    if (off < start + 2 || off + 2 >= s.len)
        return false;
    const size_t before = back(s, off);
    if (before <= start || !is_letter(s, before) || !is_word(s, back(s, before)))
        return false;
    if (!is_word(s, off + 1))
        return false;
    return is_letter(s, off + 1 + gs_utf8_decode(s, off + 1, &cp));
}

static size_t chunk_end(struct gs_slice s, size_t start, bool hyphens)
{
    const bool gap = is_gap(s, start);
    size_t end = start;

    while (end < s.len && is_gap(s, end) == gap) {
        if (!gap && hyphens && s.ptr[end] == '-' && breaks_at(s, start, end))
            return end + 1;
        end++;
    }
    return end;
}

static int64_t chars(struct gs_slice s, size_t from, size_t to)
{
    int64_t n = 0;

    for (; from < to; from++)
        n += ((unsigned char)s.ptr[from] & 0xC0) != 0x80;
    return n;
}

/* Where to cut a long word so that n characters (at least one) remain on the line. */
static size_t cut(struct gs_slice s, size_t start, size_t end, int64_t n, bool hyphens)
{
    size_t at = start;
    uint32_t cp;

    for (n = GS_MAX(n, (int64_t)1); n > 0 && at < end; n--)
        at += gs_utf8_decode(s, at, &cp);
    for (size_t i = at; hyphens && i > start + 1; i--) {
        if (s.ptr[i - 1] == '-' && s.ptr[i - 2] != '-')
            return i;
    }
    return at;
}

void gs_jinja_put_wrapped(struct gs_buf *b, struct gs_slice s, const struct jwrap *w)
{
    size_t pos = 0;
    bool first = true;

    while (pos < s.len) {
        int64_t used = 0;
        size_t start = pos;
        if (!first && is_gap(s, pos))
            start = pos = chunk_end(s, pos, false);
        while (pos < s.len) {
            const size_t end = chunk_end(s, pos, w->break_hyphens);
            const int64_t n = chars(s, pos, end);
            if (used + n <= w->width) {
                used += n;
                pos = end;
                continue;
            }
            if (n > w->width && w->break_words)
                pos = cut(s, pos, end, w->width - used, w->break_hyphens);
            else if (pos == start)
                pos = end;
            break;
        }
        size_t stop = pos;
        while (stop > start && is_gap(s, stop - 1))
            stop--;
        if (stop > start) {
            if (!first)
                gs_buf_slice(b, w->newline);
            gs_buf_slice(b, gs_slice_sub(s, start, stop));
            first = false;
        }
    }
}
