/* Numbers, with bounds as digits.
 *
 * A bounded number is written without an exponent. It is a whole number within the bounds; or a
 * whole number and a fraction, which must lie between that number and the next: fractions end with
 * a digit that is not 0, so they lie strictly between; or, where a bound itself has a fraction,
 * that bound's whole part and a fraction of six digits on the right side of it. Negative numbers
 * are the mirror image. */
#include "constraint/schema.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/slice.h"

#define MAX_WHOLE  9007199254740991.0 /* 2^53 - 1: whole numbers that every reader keeps */
#define MAX_DIGITS 16
#define FRACTION   6 /* digits where a bound has a fraction */
#define SCALE      1000000.0
#define MAX_EDGE   1e8  /* of whole parts: more digits are not told apart */
#define ROUNDING   0.02 /* of a unit: what a bound below MAX_EDGE may be off by */

/* Non-negative numbers between two bounds. */
struct span {
    double lo, hi;
    bool open_lo, open_hi; /* the bound itself is out */
};

/* ---- digits ---- */

/* Numbers of n digits between lo and hi, which have as many. */
static uint32_t digits_between(struct gs_grammar *g, const char *lo, const char *hi, size_t n,
                               uint32_t next)
{
    static const char zeros[MAX_DIGITS + 1] = "0000000000000000";
    static const char nines[MAX_DIGITS + 1] = "9999999999999999";
    uint32_t node = GS_GRAMMAR_FAIL;

    if (n == 0)
        return next;
    if (lo[0] == hi[0])
        return gs_grammar_byte(g, (uint8_t)lo[0], digits_between(g, lo + 1, hi + 1, n - 1, next));
    const bool whole_lo = memcmp(lo + 1, zeros, n - 1) == 0;
    const bool whole_hi = memcmp(hi + 1, nines, n - 1) == 0;
    const int from = lo[0] + !whole_lo;
    const int to = hi[0] - !whole_hi;
    if (from <= to) {
        node = next;
        for (size_t i = 1; i < n; i++)
            node = gs_grammar_set(g, '0', '9', node);
        node = gs_grammar_set(g, (uint8_t)from, (uint8_t)to, node);
    }
    if (!whole_lo)
        node = gs_grammar_fork(
            g, node,
            gs_grammar_byte(g, (uint8_t)lo[0], digits_between(g, lo + 1, nines, n - 1, next)));
    if (!whole_hi)
        node = gs_grammar_fork(
            g, node,
            gs_grammar_byte(g, (uint8_t)hi[0], digits_between(g, zeros, hi + 1, n - 1, next)));
    return node;
}

/* Whole numbers between lo and hi, 0 <= lo, without leading zeros. */
static uint32_t whole_between(struct gs_grammar *g, double lo, double hi, uint32_t next)
{
    uint32_t node = GS_GRAMMAR_FAIL;
    double from = 0; /* the least number of n digits */

    hi = fmin(hi, MAX_WHOLE);
    for (size_t n = 1; n <= MAX_DIGITS && from <= hi; n++) {
        const double to = pow(10, (double)n) - 1;
        char a[32];
        char b[32];
        if (lo <= to) {
            snprintf(a, sizeof(a), "%.0f", fmax(lo, from));
            snprintf(b, sizeof(b), "%.0f", fmin(hi, to));
            if (fmax(lo, from) <= fmin(hi, to))
                node = gs_grammar_fork(g, node, digits_between(g, a, b, n, next));
        }
        from = to + 1;
    }
    return node;
}

/* ---- fractions ---- */

/* The whole number `whole`, and a fraction between lo and hi, in units of 1/SCALE. */
static uint32_t edge(struct gs_grammar *g, double whole, double lo, double hi, uint32_t next)
{
    char a[32];
    char b[32];
    char text[40];

    if (lo > hi || whole >= MAX_EDGE)
        return GS_GRAMMAR_FAIL;
    snprintf(a, sizeof(a), "%0*.0f", FRACTION, lo);
    snprintf(b, sizeof(b), "%0*.0f", FRACTION, hi);
    snprintf(text, sizeof(text), "%.0f.", whole);
    return gs_grammar_text(g, gs_slice_str(text), digits_between(g, a, b, FRACTION, next));
}

/* Whole numbers between lo and hi, and a fraction: of at most 15 digits in all, so that no two are
 * read as one. */
static uint32_t whole_and_fraction(struct gs_grammar *g, double lo, double hi, uint32_t next)
{
    const uint32_t digit = gs_grammar_rule(g);
    uint32_t node = GS_GRAMMAR_FAIL;
    double from = 0;

    gs_grammar_define(g, digit, gs_grammar_set(g, '0', '9', GS_GRAMMAR_END));
    for (uint32_t n = 1; n < 15; n += 4) { /* digits of the whole part */
        const double to = pow(10, n);
        if (lo < to && hi >= from) {
            const uint32_t last = gs_grammar_set(g, '1', '9', next);
            const uint32_t part =
                gs_grammar_byte(g, '.', gs_grammar_repeat(g, digit, 0, 14 - n, last));
            node =
                gs_grammar_fork(g, node, whole_between(g, fmax(lo, from), fmin(hi, to - 1), part));
        }
        from = to;
    }
    return node;
}

/* x, or the whole number that it is but for errors of rounding. */
static double units(double x)
{
    return fabs(x - nearbyint(x)) < ROUNDING ? nearbyint(x) : x;
}

/* Numbers of the span with a fraction that is not 0. */
static uint32_t fractions(struct gs_grammar *g, const struct span *s, uint32_t next)
{
    const double lo = floor(s->lo);
    const double hi = floor(s->hi);
    const double below = floor(units((s->lo - lo) * SCALE)) + 1; /* units strictly above it */
    const double above = ceil(units((s->hi - hi) * SCALE)) - 1;
    uint32_t node = whole_and_fraction(g, ceil(s->lo), hi - 1, next);

    if (lo == hi)
        return gs_grammar_fork(g, node, edge(g, lo, below, above, next));
    if (lo < s->lo)
        node = gs_grammar_fork(g, node, edge(g, lo, below, SCALE - 1, next));
    if (hi < s->hi)
        node = gs_grammar_fork(g, node, edge(g, hi, 1, above, next));
    return node;
}

/* ---- spans ---- */

/* Numbers of a span of non-negative numbers. */
static uint32_t numbers(struct gs_schema *c, const struct span *s, bool whole, uint32_t next)
{
    const double lo = ceil(s->lo) + (s->open_lo && ceil(s->lo) == s->lo);
    const double hi = floor(s->hi) - (s->open_hi && floor(s->hi) == s->hi);
    const uint32_t node = whole_between(&c->g, lo, hi, next);

    return whole || s->hi < s->lo ? node : gs_grammar_fork(&c->g, node, fractions(&c->g, s, next));
}

/* A bound: "minimum" and "exclusiveMinimum", or the maximums; false if there is none. */
static bool read_bound(struct gs_schema *c, const struct gs_json *s, const char *key,
                       const char *exclusive, double sign, double *out, bool *out_open)
{
    const struct gs_json *v = gs_json_get(s, key);
    const struct gs_json *x = gs_json_get(s, exclusive);
    double bound = 0;
    double other = 0;

    if (x && x->kind == GS_JSON_BOOL) { /* draft 4: a flag of the other */
        *out_open = x->u.boolean;
        x = NULL;
    }
    if ((v && !gs_json_get_double(s, key, &bound, NULL)) ||
        (x && !gs_json_get_double(s, exclusive, &other, NULL))) {
        gs_schema_fail(c, GS_EFORMAT, "%s must be a number", key);
        return false;
    }
    if (x && (!v || sign * other >= sign * bound)) {
        bound = other;
        *out_open = true;
    }
    *out = bound;
    return v || x;
}

/* The bounds of the schema; false if it has none. */
static bool read_span(struct gs_schema *c, const struct gs_json *s, struct span *out)
{
    *out = (struct span){.open_lo = false};
    const bool has_lo = read_bound(c, s, "minimum", "exclusiveMinimum", 1, &out->lo, &out->open_lo);
    const bool has_hi =
        read_bound(c, s, "maximum", "exclusiveMaximum", -1, &out->hi, &out->open_hi);

    if (!has_lo)
        out->lo = -INFINITY;
    if (!has_hi)
        out->hi = INFINITY;
    return has_lo || has_hi;
}

bool gs_schema_number_fits(struct gs_schema *c, const struct gs_json *s, const struct gs_json *v)
{
    const double x = v->kind == GS_JSON_INT ? (double)v->u.integer : v->u.real;
    struct span span;

    read_span(c, s, &span);
    return (span.open_lo ? x > span.lo : x >= span.lo) &&
           (span.open_hi ? x < span.hi : x <= span.hi);
}

uint32_t gs_schema_number(struct gs_schema *c, const struct gs_json *s, bool whole, uint32_t next)
{
    struct span up;

    if (!read_span(c, s, &up))
        return gs_schema_regex(
            c,
            whole ? "-?(0|[1-9][0-9]{0,14})"
                  : "-?(0|[1-9][0-9]{0,14})(\\.[0-9]{1,15})?([eE][+-]?[0-9]{1,2})?",
            next);
    struct span down = {-up.hi, -up.lo, up.open_hi, up.open_lo}; /* of what follows a minus */
    if (up.lo < 0) {
        up.lo = 0;
        up.open_lo = false;
    }
    if (down.lo <= 0) { /* no minus zero */
        down.lo = 0;
        down.open_lo = true;
    }
    up.hi = fmin(up.hi, MAX_WHOLE);
    down.hi = fmin(down.hi, MAX_WHOLE);
    const uint32_t negative =
        gs_grammar_byte(&c->g, '-', down.hi > 0 ? numbers(c, &down, whole, next) : GS_GRAMMAR_FAIL);
    return gs_grammar_fork(&c->g, negative,
                           up.hi >= 0 ? numbers(c, &up, whole, next) : GS_GRAMMAR_FAIL);
}
