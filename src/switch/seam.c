/* Matching is done on characters without their differences (struct line), each of which knows where
 * its bytes end. */
#include "switch/seam.h"

#include <string.h>

#include "base/limits.h"
#include "base/slice.h"

#define MAX_LINE      512 /* characters of either side that are compared */
#define MIN_OVERLAP   12
#define MAX_LEAD      8    /* characters before an overlap */
#define MAX_SURE_LEAD 64   /* before a sure one: "Sure, I go on:" */
#define MAX_ANCHOR    1024 /* bytes, white space and all */
#define MAX_STOP      256  /* of a stop sequence, before the seam */
#define WORD_REACH    16   /* how far an anchor reaches back for the begin of a word */

const char *gs_seam_word(enum gs_seam_kind k)
{
    static const char *const words[] = {
        [GS_SEAM_OPEN] = "prefill",  [GS_SEAM_TRIMMED] = "prefill", [GS_SEAM_GUESSED] = "prefill",
        [GS_SEAM_ANCHOR] = "anchor", [GS_SEAM_SKIP] = "skip",
    };

    return words[k];
}

/* ---- characters ---- */

struct line {
    size_t n;
    uint32_t chars[MAX_LINE];
    size_t ends[MAX_LINE]; /* of their bytes */
};

static bool is_space(uint32_t cp)
{
    return (cp >= 0x09 && cp <= 0x0d) || cp == 0x20 || cp == 0xa0 || cp == 0x202f || cp == 0x3000 ||
           (cp >= 0x2000 && cp <= 0x200a);
}

/* White space and quotes, whatever their kind. */
static uint32_t plain(uint32_t cp)
{
    static const uint32_t singles[] = {0x60, 0xb4, 0x2018, 0x2019, 0x201a, 0x2039, 0x203a};
    static const uint32_t doubles[] = {0xab, 0xbb, 0x201c, 0x201d, 0x201e, 0x300c, 0x300d};

    if (is_space(cp))
        return ' ';
    for (size_t i = 0; i < GS_COUNT_OF(singles); i++)
        if (cp == singles[i])
            return '\'';
    for (size_t i = 0; i < GS_COUNT_OF(doubles); i++)
        if (cp == doubles[i])
            return '"';
    return cp;
}

static struct gs_slice whole(struct gs_slice s)
{
    return gs_slice_sub(s, 0, s.len - gs_utf8_incomplete_tail(s));
}

/* The first characters of s. */
static void read_line(struct line *l, struct gs_slice s)
{
    l->n = 0;
    s = whole(s);
    for (size_t at = 0; at < s.len;) {
        uint32_t cp;
        at += gs_utf8_decode(s, at, &cp);
        cp = plain(cp);
        if (cp == ' ' && l->n > 0 && l->chars[l->n - 1] == ' ') {
            l->ends[l->n - 1] = at;
            continue;
        }
        if (l->n == MAX_LINE)
            return;
        l->chars[l->n] = cp;
        l->ends[l->n++] = at;
    }
}

/* Where the last n characters of s begin. */
static size_t back(struct gs_slice s, size_t n)
{
    size_t at = s.len;

    for (; n > 0 && at > 0; n--) {
        at--;
        while (at > 0 && ((unsigned char)s.ptr[at] & 0xc0) == 0x80)
            at--;
    }
    return at;
}

static struct gs_slice without_end_space(struct gs_slice s)
{
    uint32_t cp;

    for (s = whole(s); s.len > 0; s.len = back(s, 1)) {
        gs_utf8_decode(s, back(s, 1), &cp);
        if (!is_space(cp))
            break;
    }
    return s;
}

static void read_end(struct line *l, struct gs_slice had)
{
    const struct gs_slice core = without_end_space(had);

    read_line(l, gs_slice_sub(core, back(core, MAX_LINE), core.len));
}

/* The character before `at`. */
static uint32_t char_before(struct gs_slice s, size_t at, size_t *out_from)
{
    uint32_t cp;

    *out_from = back(gs_slice_sub(s, 0, at), 1);
    gs_utf8_decode(s, *out_from, &cp);
    return cp;
}

struct gs_slice gs_seam_anchor(struct gs_slice had)
{
    const struct gs_slice core = without_end_space(had);
    size_t at = core.len, best = core.len, from;
    bool was_space = false;

    for (int n = 0; at > 0 && core.len - at < MAX_ANCHOR && n < GS_SEAM_ANCHOR_CHARS + WORD_REACH;
         at = from) {
        const bool now_space = is_space(char_before(core, at, &from));
        if (now_space && !was_space && n >= GS_SEAM_ANCHOR_CHARS)
            return gs_slice_sub(core, at, core.len);
        n += !now_space || !was_space;
        best = n <= GS_SEAM_ANCHOR_CHARS && !now_space ? from : best;
        was_space = now_space;
    }
    return gs_slice_sub(core, at > 0 ? best : 0, core.len);
}

/* ---- overlaps ---- */

static inline bool same(const uint32_t *a, const uint32_t *b, size_t n)
{
    return n == 0 || (*a == *b && memcmp(a, b, n * sizeof(*a)) == 0);
}

/* How many characters may stand before an overlap of n; SIZE_MAX: n are too few. A text shorter
 * than the shortest overlap has to be said whole, and first. */
static size_t max_lead(size_t n, size_t n_had)
{
    return n >= GS_SEAM_SURE  ? MAX_SURE_LEAD
           : n >= MIN_OVERLAP ? MAX_LEAD
           : n == n_had       ? 0
                              : SIZE_MAX;
}

struct overlap {
    size_t lead, n; /* n 0: none */
};

/* The last n characters of `had`, early in what is said. */
static struct overlap find_end(const struct line *said, const struct line *had, size_t n)
{
    const size_t max = max_lead(n, had->n);

    for (size_t lead = 0; max != SIZE_MAX && lead <= max && lead + n <= said->n; lead++)
        if (same(said->chars + lead, had->chars + had->n - n, n))
            return (struct overlap){lead, n};
    return (struct overlap){0, 0};
}

static struct overlap find_longest(const struct line *said, const struct line *had)
{
    for (size_t n = GS_MIN(said->n, had->n); n > 0; n--) {
        const struct overlap o = find_end(said, had, n);
        if (o.n)
            return o;
    }
    return (struct overlap){0, 0};
}

/* All that is said is within `had`, but for a few characters: it may reach the end yet. */
static bool is_within(const struct line *said, const struct line *had)
{
    for (size_t lead = 0; lead <= MAX_LEAD && lead < said->n; lead++) {
        const size_t n = said->n - lead;
        for (size_t at = 0; at + n <= had->n; at++)
            if (same(said->chars + lead, had->chars + at, n))
                return true;
    }
    return said->n == 0;
}

/* ---- what lies at the seam itself ---- */

/* Of white space at the client's end and at the begin of what follows one is too much. False: what
 * follows is not known yet. */
static bool skip_space(struct gs_slice space, struct gs_slice rest, bool is_end, size_t *io_skip)
{
    size_t n = 0;

    while (n < rest.len && n < space.len && rest.ptr[n] == space.ptr[n])
        n++;
    if (n == rest.len && n < space.len && !is_end)
        return false;
    const bool is_all = n == space.len || n == rest.len || !strchr(" \t\r\n", rest.ptr[n]);
    *io_skip += is_all ? n : 0;
    return true;
}

/* Who put the anchor in quotes closes them. */
static bool skip_quote(const struct line *l, struct overlap o, struct gs_slice rest, bool is_end,
                       size_t *io_skip)
{
    const uint32_t quote = o.lead > 0 ? l->chars[o.lead - 1] : 0;
    uint32_t cp;

    if (quote != '"' && quote != '\'')
        return true;
    rest = whole(rest);
    if (rest.len == 0)
        return is_end;
    const size_t n = gs_utf8_decode(rest, 0, &cp);
    if (plain(cp) == quote)
        *io_skip += n;
    return true;
}

/* Behind the overlap. WAITS: it takes a little more to know. */
static enum gs_seam_state join(struct gs_seam *s, const struct line *l, struct overlap o,
                               bool is_end, size_t *out_at)
{
    const struct gs_slice said = gs_buf_view(&s->said);
    const size_t core = without_end_space(s->had).len;
    size_t at = l->ends[o.lead + o.n - 1];

    if (!skip_quote(l, o, gs_slice_sub(said, at, said.len), is_end, &at) ||
        !skip_space(gs_slice_sub(s->had, core, s->had.len), gs_slice_sub(said, at, said.len),
                    is_end, &at))
        return GS_SEAM_WAITS;
    *out_at = at;
    return GS_SEAM_JOINED;
}

/* ---- the kinds ---- */

/* From the start, byte by byte; each is looked at once. */
static enum gs_seam_state see_skip(struct gs_seam *s, bool is_end, size_t *out_at)
{
    const size_t n = GS_MIN(s->said.len, s->had.len);

    while (s->n_same < n && s->said.ptr[s->n_same] == s->had.ptr[s->n_same])
        s->n_same++;
    if (s->n_same < n)
        return GS_SEAM_APART;
    *out_at = n;
    return n == s->had.len ? GS_SEAM_JOINED : is_end ? GS_SEAM_APART : GS_SEAM_WAITS;
}

static enum gs_seam_state see_anchor(struct gs_seam *s, bool is_end, size_t *out_at)
{
    const enum gs_seam_state from_start = see_skip(s, is_end, out_at);
    struct line said, had, anchor;
    struct overlap o;

    if (from_start == GS_SEAM_WAITS && s->said.len > MAX_ANCHOR)
        return from_start;
    read_line(&said, gs_buf_view(&s->said));
    read_end(&had, s->had);
    read_line(&anchor, gs_seam_anchor(s->had));
    if (anchor.n == 0)
        return GS_SEAM_APART;
    o = find_end(&said, &had, anchor.n);
    if (!o.n && from_start != GS_SEAM_APART)
        return from_start;
    const bool is_decided = is_end || said.n > GS_SEAM_HOLD ||
                            (said.n > anchor.n + MAX_LEAD && !is_within(&said, &had));
    if (!o.n && is_decided)
        o = find_longest(&said, &had);
    if (o.n)
        return join(s, &said, o, is_end, out_at);
    return is_end || said.n > GS_SEAM_HOLD ? GS_SEAM_APART : GS_SEAM_WAITS;
}

/* Does it say again what is there, instead of going on? Text that repeats itself anyway does not
 * tell. */
static enum gs_seam_state see_guessed(struct gs_seam *s, bool is_end, size_t *out_at)
{
    struct line said, had;

    const enum gs_seam_state from_start = see_skip(s, is_end, out_at);
    if (from_start != GS_SEAM_APART && s->had.len >= GS_SEAM_SURE)
        return from_start;
    read_line(&said, gs_buf_view(&s->said));
    read_end(&had, s->had);
    *out_at = 0;
    for (size_t n = GS_MIN(had.n, (size_t)GS_SEAM_HOLD); n >= GS_SEAM_SURE; n--) {
        const size_t from = had.n - n;
        const size_t n_same = GS_MIN(n, said.n);
        const bool repeats = from >= n && same(had.chars + from - n, had.chars + from, n);
        if (repeats || !same(said.chars, had.chars + from, n_same))
            continue;
        if (n_same == n)
            return join(s, &said, (struct overlap){0, n}, is_end, out_at);
        if (!is_end)
            return GS_SEAM_WAITS;
    }
    /* it began as before, and then went another way, or nowhere */
    return s->n_same >= GS_SEAM_SURE ? GS_SEAM_APART : GS_SEAM_JOINED;
}

static enum gs_seam_state see_trimmed(struct gs_seam *s, bool is_end, size_t *out_at)
{
    const size_t core = without_end_space(s->had).len;

    *out_at = 0;
    return skip_space(gs_slice_sub(s->had, core, s->had.len), gs_buf_view(&s->said), is_end, out_at)
               ? GS_SEAM_JOINED
               : GS_SEAM_WAITS;
}

/* Whoever goes on does not know that the client has the begin of a stop sequence. */
static enum gs_seam_state see_stops(struct gs_seam *s, struct gs_slice fresh, bool is_end)
{
    for (size_t i = 0; i < s->n_stops; i++) {
        const struct gs_slice stop = s->stops[i];
        for (size_t n = 1; n < GS_MIN(stop.len, (size_t)MAX_STOP); n++) {
            const struct gs_slice rest = gs_slice_sub(stop, n, stop.len);
            if (!gs_slice_ends(s->had, gs_slice_sub(stop, 0, n)))
                continue;
            if (gs_slice_starts(fresh, rest)) {
                s->stop = stop;
                return GS_SEAM_STOPPED;
            }
            if (gs_slice_starts(rest, fresh) && !is_end)
                return GS_SEAM_WAITS;
        }
    }
    return GS_SEAM_JOINED;
}

static enum gs_seam_state see(struct gs_seam *s, bool is_end, struct gs_slice *out_fresh)
{
    enum gs_seam_state state = GS_SEAM_JOINED;
    size_t at = 0;

    switch (s->kind) {
    case GS_SEAM_OPEN:
        break;
    case GS_SEAM_TRIMMED:
        state = see_trimmed(s, is_end, &at);
        break;
    case GS_SEAM_GUESSED:
        state = see_guessed(s, is_end, &at);
        break;
    case GS_SEAM_ANCHOR:
        state = see_anchor(s, is_end, &at);
        break;
    case GS_SEAM_SKIP:
        state = see_skip(s, is_end, &at);
        break;
    }
    *out_fresh = gs_slice_sub(gs_buf_view(&s->said), at, s->said.len);
    return state == GS_SEAM_JOINED ? see_stops(s, *out_fresh, is_end) : state;
}

/* ---- the outside ---- */

void gs_seam_init(struct gs_seam *s, enum gs_seam_kind kind, struct gs_slice had,
                  const struct gs_slice *stops, size_t n_stops)
{
    *s = (struct gs_seam){.kind = kind, .had = had, .stops = stops, .n_stops = n_stops};
    gs_buf_init(&s->said, GS_MAX_RESPONSE_BYTES);
}

void gs_seam_clear(struct gs_seam *s)
{
    gs_buf_clear(&s->said);
}

static enum gs_seam_state look(struct gs_seam *s, bool is_end, struct gs_slice *out_fresh)
{
    s->state = gs_buf_ok(&s->said) ? see(s, is_end, out_fresh) : GS_SEAM_APART;
    if (s->state != GS_SEAM_JOINED)
        *out_fresh = gs_slice(NULL, 0);
    return s->state;
}

enum gs_seam_state gs_seam_feed(struct gs_seam *s, struct gs_slice text, struct gs_slice *out_fresh)
{
    *out_fresh = s->state == GS_SEAM_JOINED ? text : gs_slice(NULL, 0);
    if (s->state != GS_SEAM_WAITS)
        return s->state;
    gs_buf_slice(&s->said, text);
    return look(s, false, out_fresh);
}

/* A server that ended at a stop sequence kept it, and perhaps a begin of it that the client has. */
enum gs_seam_state gs_seam_end(struct gs_seam *s, bool is_stopped, struct gs_slice *out_fresh)
{
    const struct gs_slice had = s->had;
    size_t max = 0;

    *out_fresh = gs_slice(NULL, 0);
    if (s->state != GS_SEAM_WAITS || look(s, true, out_fresh) != GS_SEAM_APART)
        return s->state;
    for (size_t i = 0; is_stopped && i < s->n_stops; i++)
        max = GS_MAX(max, s->stops[i].len);
    for (size_t n = 1; n < GS_MIN(max, had.len + 1) && s->state == GS_SEAM_APART; n++) {
        s->had = gs_slice_sub(had, 0, had.len - n);
        if (look(s, true, out_fresh) == GS_SEAM_JOINED && out_fresh->len > 0)
            s->state = GS_SEAM_APART;
        *out_fresh = gs_slice(NULL, 0);
    }
    return s->state;
}
