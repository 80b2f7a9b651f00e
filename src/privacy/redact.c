/* Taking secrets out of a body. What was found in one string may stand in others where nothing
 * tells that it is one (a password in a log), so the body is gone through twice if it has any. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/slice.h"
#include "privacy/known.h"
#include "privacy/names.h"
#include "privacy/privacy.h"
#include "privacy/rules.h"
#include "privacy/scan.h"
#include "privacy/walk.h"

struct find {
    size_t begin, end;          /* in the body */
    size_t value_at, value_len; /* in the names' bytes */
    size_t number;              /* of the placeholder, from 1 */
    enum gs_detector detector;
    bool is_turn; /* found in the messages */
};

struct redactor {
    struct gs_privacy_rules rules;
    struct gs_privacy_scan scan;
    const struct gs_privacy_known *known; /* NULL at first */
    struct gs_buf hits;                   /* of one string */
    struct gs_buf finds;                  /* of struct find */
    struct gs_privacy_names *names;
    struct gs_map by_value; /* the first find of each value */
    struct gs_error *err;
};

static struct find *finds_of(const struct redactor *r, size_t *out_n)
{
    *out_n = r->finds.len / sizeof(struct find);
    return (struct find *)(void *)r->finds.ptr;
}

static struct gs_slice value_of(const struct redactor *r, const struct find *f)
{
    return gs_slice(r->names->bytes.ptr + f->value_at, f->value_len);
}

static enum gs_status no_memory(struct redactor *r)
{
    return gs_error_nomem(r->err, "take out what was found");
}

static enum gs_status note_string(void *ud, struct gs_privacy_string *s)
{
    struct redactor *r = ud;

    gs_buf_reset(&r->hits);
    gs_privacy_scan_text(&r->scan, s->text, s->key, &r->hits);
    if (r->known && !s->is_name)
        gs_privacy_known_find(r->known, s->text, &r->hits);
    if (!gs_buf_ok(&r->hits))
        return no_memory(r);
    if (r->hits.len == 0)
        return GS_OK;
    const size_t n = gs_privacy_rules_join(&r->rules, &r->hits);
    const struct gs_privacy_hit *hits = (const struct gs_privacy_hit *)(const void *)r->hits.ptr;
    if (n > 0 && s->is_fixed)
        return gs_error_set(r->err, GS_EUNSUPPORTED,
                            "the request has a secret where it cannot be taken out");
    for (size_t i = 0; i < n; i++) {
        const struct find f = {.begin = gs_privacy_place(s, hits[i].begin),
                               .end = gs_privacy_place(s, hits[i].end),
                               .value_at = r->names->bytes.len,
                               .value_len = hits[i].end - hits[i].begin,
                               .detector = hits[i].detector,
                               .is_turn = s->is_turn};
        gs_buf_put(&r->names->bytes, s->text.ptr + hits[i].begin, f.value_len);
        gs_buf_put(&r->finds, &f, sizeof(f));
    }
    if (!gs_buf_ok(&r->finds) || !gs_buf_ok(&r->names->bytes))
        return no_memory(r);
    return GS_OK;
}

static enum gs_status walk(struct redactor *r, struct gs_slice body)
{
    gs_buf_reset(&r->finds);
    gs_buf_reset(&r->names->bytes);
    return gs_privacy_walk(body, false, note_string, r, r->err);
}

/* Once more, for what is known by now. */
static enum gs_status walk_again(struct redactor *r, struct gs_slice body)
{
    size_t n, n_items = 0;
    const struct find *finds = finds_of(r, &n);
    struct gs_privacy_known known;
    struct gs_privacy_known_item *items = gs_alloc_array(n, sizeof(*items));
    struct gs_buf bytes = r->names->bytes; /* which the items are of */

    if (!items)
        return no_memory(r);
    for (size_t i = 0; i < n; i++) {
        const struct gs_slice value = value_of(r, &finds[i]);
        if (gs_privacy_is_known_form(value))
            items[n_items++] =
                (struct gs_privacy_known_item){.value = value, .detector = finds[i].detector};
    }
    gs_privacy_known_init(&known, items, n_items);
    gs_buf_init(&r->names->bytes, GS_MAX_TEXT_BYTES);
    r->known = &known;
    const enum gs_status st = n_items > 0 ? walk(r, body) : GS_OK;
    r->known = NULL;
    if (n_items > 0) {
        gs_buf_clear(&bytes);
    } else {
        r->names->bytes = bytes;
    }
    gs_free(items);
    return st;
}

/* ---- names ---- */

/* Number those that are in the messages, or those that are not. */
static enum gs_status number_some(struct redactor *r, bool in_turns, size_t counts[])
{
    size_t n;
    struct find *finds = finds_of(r, &n);

    for (size_t i = 0; i < n; i++) {
        struct find *f = &finds[i];
        if (f->is_turn != in_turns)
            continue;
        const struct find *first = gs_map_get(&r->by_value, value_of(r, f));
        if (first) {
            f->detector = first->detector;
            f->number = first->number;
            continue;
        }
        if (++r->names->n > GS_PRIVACY_MAX_NAMES)
            return gs_error_set(r->err, GS_ELIMIT, "the request has more than %d secrets",
                                GS_PRIVACY_MAX_NAMES);
        f->number = ++counts[f->detector];
        if (!gs_map_put(&r->by_value, value_of(r, f), f))
            return no_memory(r);
    }
    return GS_OK;
}

/* Number the finds by their detector's values, in the order in which those come first. The messages
 * come last, wherever they stand: they grow, and what a provider has read before them has to stay.
 */
static enum gs_status number(struct redactor *r)
{
    size_t counts[GS_PRIVACY_DETECTORS] = {0};
    size_t n;
    const struct find *finds = finds_of(r, &n);
    enum gs_status st = number_some(r, false, counts);

    if (st == GS_OK)
        st = number_some(r, true, counts);
    if (st != GS_OK)
        return st;
    r->names->values = gs_alloc_array(r->names->n, sizeof(*r->names->values));
    if (!r->names->values)
        return no_memory(r);
    for (size_t d = 0; d < GS_PRIVACY_DETECTORS; d++)
        r->names->first[d + 1] = r->names->first[d] + counts[d];
    for (size_t i = 0; i < n; i++)
        r->names->values[r->names->first[finds[i].detector] + finds[i].number - 1] =
            value_of(r, &finds[i]);
    return GS_OK;
}

/* Would a placeholder of this word be one that the client has written? */
static bool is_taken(const struct redactor *r, size_t word)
{
    const size_t *first = r->names->first;

    for (size_t d = 0; d < GS_PRIVACY_DETECTORS; d++) {
        const uint32_t taken = r->scan.taken[word][d];
        if (taken > 0 && taken <= first[d + 1] - first[d])
            return true;
    }
    return false;
}

static enum gs_status choose_word(struct redactor *r)
{
    struct gs_buf b;
    size_t n = 0;

    while (n < GS_PRIVACY_MAX_WORDS && is_taken(r, n))
        n++;
    if (n == GS_PRIVACY_MAX_WORDS)
        return gs_error_set(r->err, GS_ELIMIT, "the request has every placeholder there is");
    gs_buf_init(&b, sizeof(r->names->word) - 1);
    gs_buf_puts(&b, GS_PRIVACY_STEM);
    if (n > 0)
        gs_buf_int(&b, (int64_t)n + 1);
    if (!gs_buf_ok(&b))
        return no_memory(r);
    memcpy(r->names->word, b.ptr, b.len);
    gs_buf_clear(&b);
    return GS_OK;
}

static enum gs_status write(struct redactor *r, struct gs_slice body, struct gs_buf *out)
{
    size_t n, at = 0;
    const struct find *finds = finds_of(r, &n);

    for (size_t i = 0; i < n; i++) {
        gs_buf_put(out, body.ptr + at, finds[i].begin - at);
        gs_privacy_names_write(r->names, finds[i].detector, finds[i].number, out);
        at = finds[i].end;
    }
    gs_buf_put(out, body.ptr + at, body.len - at);
    return gs_buf_ok(out) ? GS_OK : no_memory(r);
}

static enum gs_status redact(struct redactor *r, struct gs_slice body, struct gs_buf *out_body)
{
    enum gs_status st = walk(r, body);

    if (st != GS_OK || r->finds.len == 0)
        return st;
    st = walk_again(r, body);
    if (st == GS_OK)
        st = number(r);
    if (st == GS_OK)
        st = choose_word(r);
    return st == GS_OK ? write(r, body, out_body) : st;
}

enum gs_status gs_privacy_redact(const struct gs_config_secret_rule *rules, size_t n_rules,
                                 struct gs_slice body, struct gs_buf *out_body,
                                 struct gs_privacy_names **out_names, struct gs_error *err)
{
    struct redactor r = {.err = err};
    const size_t len = out_body->len;

    *out_names = NULL;
    r.names = gs_alloc_zero(sizeof(*r.names));
    if (!r.names)
        return no_memory(&r);
    gs_buf_init(&r.names->bytes, GS_MAX_TEXT_BYTES);
    gs_buf_init(&r.hits, GS_MAX_TEXT_BYTES);
    gs_buf_init(&r.finds, GS_MAX_TEXT_BYTES);
    gs_map_init(&r.by_value, 16);
    gs_privacy_rules_init(&r.rules, rules, n_rules);
    gs_privacy_scan_init(&r.scan, r.rules.wanted);
    const enum gs_status st = redact(&r, body, out_body);
    if (st == GS_OK && r.names->n > 0)
        *out_names = r.names;
    else
        gs_privacy_names_free(r.names);
    if (st != GS_OK)
        out_body->len = GS_MIN(len, out_body->len);
    gs_map_clear(&r.by_value);
    gs_buf_clear(&r.finds);
    gs_buf_clear(&r.hits);
    return st;
}
