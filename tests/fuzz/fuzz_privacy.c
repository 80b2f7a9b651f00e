/* Judges, redacts and restores the input, a body of JSON. What was found once is nowhere in the
 * redacted body; every string of it restores to what it was, also piece by piece. */
#include <string.h>

#include "base/alloc.h"
#include "base/compiler.h"
#include "base/limits.h"
#include "base/slice.h"
#include "privacy/known.h"
#include "privacy/names.h"
#include "privacy/privacy.h"
#include "privacy/walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct gs_config_secret_rule rules[] = {
    {.find = GS_DETECT_PRIVATE_KEY, .privacy = GS_PRIVACY_LOCAL_ONLY},
    {.find = GS_DETECT_API_KEY, .privacy = GS_PRIVACY_REDACT},
    {.find = GS_DETECT_TOKEN, .privacy = GS_PRIVACY_REDACT},
    {.find = GS_DETECT_PASSWORD, .privacy = GS_PRIVACY_REDACT},
    {.find = GS_DETECT_EMAIL, .privacy = GS_PRIVACY_REDACT},
    {.find = GS_DETECT_CARD, .privacy = GS_PRIVACY_REDACT},
    {.find = GS_DETECT_IBAN, .privacy = GS_PRIVACY_REDACT},
    {.find = GS_DETECT_PHONE, .privacy = GS_PRIVACY_REDACT},
    {.find = GS_DETECT_IP, .privacy = GS_PRIVACY_REDACT},
};

/* The strings of a text, one behind the other, each with a zero byte at its end. */
struct strings {
    const struct gs_privacy_names *names; /* restore them, in pieces of `step` bytes; or NULL */
    size_t step;
    const struct gs_privacy_known *known; /* what none of them may have, or NULL */
    struct gs_buf b;
    size_t n;
};

static enum gs_flow hear(void *ud, const struct gs_event *ev)
{
    struct strings *s = ud;

    if (ev->kind == GS_EVENT_DELTA)
        gs_buf_slice(&s->b, ev->text);
    return GS_FLOW_CONTINUE;
}

static void restore(struct strings *s, struct gs_slice text)
{
    struct gs_privacy_restorer *r;
    const struct gs_event stop = {.kind = GS_EVENT_STOP};

    if (gs_privacy_restorer_create(s->names, &r, NULL) != GS_OK)
        __builtin_trap();
    for (size_t at = 0; at < text.len; at += s->step) {
        const struct gs_event ev = {.kind = GS_EVENT_DELTA,
                                    .text = gs_slice_sub(text, at, at + s->step)};
        if (gs_privacy_restorer_take(r, &ev, hear, s, NULL) != GS_OK)
            __builtin_trap();
    }
    if (gs_privacy_restorer_take(r, &stop, hear, s, NULL) != GS_OK)
        __builtin_trap();
    gs_privacy_restorer_free(r);
}

static enum gs_status gather(void *ud, struct gs_privacy_string *string)
{
    struct strings *s = ud;
    struct gs_buf hits;

    gs_buf_init(&hits, GS_MAX_TEXT_BYTES);
    if (s->known && !string->is_name)
        gs_privacy_known_find(s->known, string->text, &hits);
    if (hits.len > 0)
        __builtin_trap(); /* a secret that was found is still there */
    gs_buf_clear(&hits);
    if (s->names)
        restore(s, string->text);
    else
        gs_buf_slice(&s->b, string->text);
    gs_buf_putc(&s->b, '\0');
    s->n++;
    return GS_OK;
}

static void compare(struct gs_slice body, struct gs_slice redacted,
                    const struct gs_privacy_names *names, size_t step)
{
    struct gs_privacy_known known;
    struct gs_privacy_known_item *items = gs_alloc_array(names->n, sizeof(*items));
    struct strings was = {.step = 1}, is = {.names = names, .step = step, .known = &known};
    size_t n = 0;

    if (!items)
        __builtin_trap();
    for (size_t i = 0; i < names->n; i++)
        if (gs_privacy_is_known_form(names->values[i]))
            items[n++].value = names->values[i];
    gs_privacy_known_init(&known, items, n);
    gs_buf_init(&was.b, GS_MAX_TEXT_BYTES);
    gs_buf_init(&is.b, GS_MAX_TEXT_BYTES);
    if (gs_privacy_walk(body, false, gather, &was, NULL) != GS_OK ||
        gs_privacy_walk(redacted, false, gather, &is, NULL) != GS_OK)
        __builtin_trap();
    /* arguments that are no JSON may be without what was found in them: then they are walked */
    if (was.n == is.n && !gs_slice_eq(gs_buf_view(&was.b), gs_buf_view(&is.b)))
        __builtin_trap();
    if (was.n != is.n && gs_slice_find(body, GS_SLICE_LIT("\"arguments\""), 0) == SIZE_MAX)
        __builtin_trap();
    gs_buf_clear(&was.b);
    gs_buf_clear(&is.b);
    gs_free(items);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct gs_slice body = gs_slice((const char *)data, size);
    struct gs_privacy_findings found;
    struct gs_privacy_names *names = NULL;
    struct gs_error err = {0};
    struct gs_buf redacted;

    gs_buf_init(&redacted, GS_MAX_TEXT_BYTES);
    const enum gs_status judged =
        gs_privacy_judge(rules, GS_COUNT_OF(rules), body, NULL, &found, &err);
    const enum gs_status st =
        gs_privacy_redact(rules, GS_COUNT_OF(rules), body, &redacted, &names, &err);
    if (judged == GS_OK ? st != GS_OK && st != GS_EUNSUPPORTED : st == GS_OK)
        __builtin_trap();
    if (st != GS_OK && (names || redacted.len > 0 || err.msg[0] == '\0'))
        __builtin_trap();
    if (st == GS_OK && (names != NULL) != (found.privacy != GS_PRIVACY_ANY))
        __builtin_trap();
    if (names)
        compare(body, gs_buf_view(&redacted), names, 1 + size % 7);
    gs_privacy_names_free(names);
    gs_buf_clear(&redacted);
    return 0;
}
