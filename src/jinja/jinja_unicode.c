/* Lookup in the generated tables: runs of equal properties, runs of equal case distance, and the
 * few characters whose case mapping is longer than one character. */
#include "jinja/jinja_unicode.h"

#include <stddef.h>

#include "base/compiler.h"
#include "jinja/jinja_unicode_table.h"

struct case_table {
    const struct case_run *runs;
    size_t n_runs;
    const struct case_expansion *expansions;
    size_t n_expansions;
};

static const struct case_table case_tables[] = {
    [GS_CASE_UPPER] = {upper_runs, GS_COUNT_OF(upper_runs), upper_expansions,
                       GS_COUNT_OF(upper_expansions)},
    [GS_CASE_LOWER] = {lower_runs, GS_COUNT_OF(lower_runs), lower_expansions,
                       GS_COUNT_OF(lower_expansions)},
    [GS_CASE_TITLE] = {title_runs, GS_COUNT_OF(title_runs), title_expansions,
                       GS_COUNT_OF(title_expansions)},
    [GS_CASE_FOLD] = {fold_runs, GS_COUNT_OF(fold_runs), fold_expansions,
                      GS_COUNT_OF(fold_expansions)},
};

bool gs_jinja_is(uint32_t cp, unsigned properties)
{
    size_t lo = 0;
    size_t hi = GS_COUNT_OF(property_runs);

    while (hi - lo > 1) {
        const size_t mid = lo + (hi - lo) / 2;
        if (property_runs[mid].first <= cp)
            lo = mid;
        else
            hi = mid;
    }
    return (property_runs[lo].mask & properties) != 0;
}

static unsigned expand(const struct case_table *t, uint32_t cp, uint32_t out[3])
{
    for (size_t i = 0; i < t->n_expansions; i++) {
        const struct case_expansion *e = &t->expansions[i];
        if (e->from != cp)
            continue;
        unsigned n = 0;
        while (n < 3 && e->to[n]) {
            out[n] = e->to[n];
            n++;
        }
        return n;
    }
    return 0;
}

unsigned gs_jinja_case_map(enum gs_jinja_case to, uint32_t cp, uint32_t out[3])
{
    const struct case_table *t = &case_tables[to];
    size_t lo = 0;
    size_t hi = t->n_runs;

    out[0] = cp;
    while (lo < hi) {
        const size_t mid = lo + (hi - lo) / 2;
        const struct case_run *r = &t->runs[mid];
        if (cp > r->last) {
            lo = mid + 1;
        } else if (cp < r->first) {
            hi = mid;
        } else {
            if ((cp - r->first) % r->step == 0)
                out[0] = (uint32_t)((int32_t)cp + r->delta);
            break;
        }
    }
    if (out[0] != cp || cp < 0x80)
        return 1;
    const unsigned n = expand(t, cp, out);
    return n ? n : 1;
}
