/* What a request is by what it holds: the rules' detectors over every string of it. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/slice.h"
#include "privacy/paths.h"
#include "privacy/privacy.h"
#include "privacy/rules.h"
#include "privacy/scan.h"
#include "privacy/walk.h"

const struct gs_config_secret_rule *gs_privacy_default_rules(size_t *out_n)
{
    static const struct gs_config_secret_rule rules[] = {
        {.find = GS_DETECT_PRIVATE_KEY, .privacy = GS_PRIVACY_LOCAL_ONLY},
        {.find = GS_DETECT_API_KEY, .privacy = GS_PRIVACY_REDACT},
        {.find = GS_DETECT_TOKEN, .privacy = GS_PRIVACY_REDACT},
        {.find = GS_DETECT_PASSWORD, .privacy = GS_PRIVACY_REDACT},
        {.find = GS_DETECT_EMAIL, .privacy = GS_PRIVACY_REDACT},
        {.find = GS_DETECT_CARD, .privacy = GS_PRIVACY_REDACT},
        {.find = GS_DETECT_IBAN, .privacy = GS_PRIVACY_REDACT},
        {.find = GS_DETECT_PHONE, .privacy = GS_PRIVACY_REDACT},
    };
    *out_n = GS_COUNT_OF(rules);
    return rules;
}

const char *gs_privacy_detector_name(enum gs_detector detector)
{
    static const char *const names[] = {"path",  "private-key", "api-key", "token", "password",
                                        "email", "card",        "iban",    "phone", "ip"};
    return names[detector];
}

/* ---- rules.h ---- */

void gs_privacy_rules_init(struct gs_privacy_rules *r, const struct gs_config_secret_rule *rules,
                           size_t n_rules)
{
    bool is_set[GS_PRIVACY_DETECTORS] = {false};

    memset(r, 0, sizeof(*r));
    for (size_t i = 0; i < n_rules; i++) {
        const enum gs_detector d = rules[i].find;
        r->has_paths |= d == GS_DETECT_NONE;
        if (d == GS_DETECT_NONE)
            continue;
        r->wanted |= 1U << d;
        r->privacy[d] = is_set[d] ? GS_MAX(r->privacy[d], rules[i].privacy) : rules[i].privacy;
        is_set[d] = true;
    }
}

/* In order, longer ones first; what lies within something exempt is dropped, what overlaps is one.
 */
static void join(const struct gs_privacy_rules *r, struct gs_privacy_hit *hits, size_t n,
                 struct gs_buf *b)
{
    size_t n_kept = 0;
    size_t exempt = 0; /* before it all is */

    for (size_t i = 0; i < n; i++) {
        struct gs_privacy_hit hit = hits[i];
        if (hit.end <= exempt)
            continue;
        if (r->privacy[hit.detector] == GS_PRIVACY_ANY) {
            exempt = hit.end;
            continue;
        }
        struct gs_privacy_hit *last = n_kept > 0 ? &hits[n_kept - 1] : NULL;
        if (!last || last->end <= hit.begin) {
            hits[n_kept++] = hit;
            continue;
        }
        last->end = GS_MAX(last->end, hit.end);
        if (r->privacy[hit.detector] > r->privacy[last->detector])
            last->detector = hit.detector;
    }
    b->len = n_kept * sizeof(*hits);
}

static int by_begin(const void *a, const void *b)
{
    const struct gs_privacy_hit *x = a, *y = b;

    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return (x->end < y->end) - (x->end > y->end);
}

size_t gs_privacy_rules_join(const struct gs_privacy_rules *r, struct gs_buf *b)
{
    struct gs_privacy_hit *hits = (struct gs_privacy_hit *)(void *)b->ptr;
    const size_t n = b->len / sizeof(*hits);

    for (size_t i = 1; i < n; i++)
        if (by_begin(&hits[i - 1], &hits[i]) > 0) {
            qsort(hits, n, sizeof(*hits), by_begin);
            break;
        }
    join(r, hits, n, b);
    return b->len / sizeof(*hits);
}

/* ---- judging ---- */

struct judge {
    struct gs_privacy_rules rules;
    struct gs_privacy_scan scan;
    struct gs_buf hits; /* of one string */
    struct gs_privacy_findings *found;
    struct gs_error *err;
};

static enum gs_status judge_string(void *ud, struct gs_privacy_string *s)
{
    struct judge *j = ud;

    gs_buf_reset(&j->hits);
    gs_privacy_scan_text(&j->scan, s->text, s->key, &j->hits);
    if (!gs_buf_ok(&j->hits))
        return gs_error_nomem(j->err, "note what was found");
    if (j->hits.len == 0)
        return GS_OK;
    const size_t n = gs_privacy_rules_join(&j->rules, &j->hits);
    const struct gs_privacy_hit *hits = (const struct gs_privacy_hit *)(const void *)j->hits.ptr;
    for (size_t i = 0; i < n; i++) {
        const enum gs_privacy privacy =
            s->is_fixed ? GS_PRIVACY_LOCAL_ONLY : j->rules.privacy[hits[i].detector];
        j->found->privacy = GS_MAX(j->found->privacy, privacy);
        j->found->n_found[hits[i].detector]++;
    }
    return GS_OK;
}

enum gs_status gs_privacy_judge(const struct gs_config_secret_rule *rules, size_t n_rules,
                                struct gs_slice body, const struct gs_chat *chat,
                                struct gs_privacy_findings *out_findings, struct gs_error *err)
{
    struct judge j = {.found = out_findings, .err = err};
    enum gs_status st = GS_OK;

    *out_findings = (struct gs_privacy_findings){.privacy = GS_PRIVACY_ANY};
    gs_privacy_rules_init(&j.rules, rules, n_rules);
    if (j.rules.has_paths && !chat)
        return gs_error_set(err, GS_EINVAL, "no chat to look for paths in");
    gs_buf_init(&j.hits, GS_MAX_TEXT_BYTES);
    gs_privacy_scan_init(&j.scan, j.rules.wanted);
    st = gs_privacy_walk(body, false, judge_string, &j, err);
    if (st == GS_OK && j.rules.has_paths)
        st = gs_privacy_paths(rules, n_rules, chat, out_findings, err);
    gs_buf_clear(&j.hits);
    return st;
}
