/* Breakers: when they open, for how long, who finds out, and what never counts. */
#include "cmocka_headers.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "base/slice.h"
#include "route/breaker.h"

#define S   ((int64_t)1000000)
#define MIN (60 * S)
#define T0  (1000 * S)

static const struct gs_breaker_who opus = {GS_SLICE_LIT("anthropic"), GS_SLICE_LIT("opus"),
                                           GS_SLICE_LIT("k1")};
static const struct gs_breaker_who opus_other_key = {GS_SLICE_LIT("anthropic"),
                                                     GS_SLICE_LIT("opus"), GS_SLICE_LIT("k2")};
static const struct gs_breaker_who haiku = {GS_SLICE_LIT("anthropic"), GS_SLICE_LIT("haiku"),
                                            GS_SLICE_LIT("k1")};

static int create(void **state)
{
    *state = gs_breakers_create(7);
    return *state ? 0 : -1;
}

static int destroy(void **state)
{
    gs_breakers_free(*state);
    return 0;
}

static void report_as(struct gs_breakers *b, const struct gs_breaker_who *who,
                      const struct gs_breaker_pass *pass, enum gs_fault fault, int64_t now)
{
    gs_breakers_report(
        b, who, pass, &(struct gs_breaker_report){fault, .retry_after_us = -1, .ttft_us = -1}, now);
}

/* A whole attempt at once, if it is let through. */
static enum gs_breaker_verdict attempt(struct gs_breakers *b, const struct gs_breaker_who *who,
                                       enum gs_fault fault, int64_t now)
{
    struct gs_breaker_pass pass;
    int64_t wait;
    const enum gs_breaker_verdict v = gs_breakers_enter(b, who, now, &pass, &wait);

    if (v != GS_BREAKER_WAIT)
        report_as(b, who, &pass, fault, now);
    return v;
}

static void told(struct gs_breakers *b, const struct gs_breaker_who *who, enum gs_fault fault,
                 int64_t retry_after_us, int64_t now)
{
    const struct gs_breaker_pass none = {0};

    gs_breakers_report(
        b, who, &none,
        &(struct gs_breaker_report){fault, .retry_after_us = retry_after_us, .ttft_us = -1}, now);
}

static void trip(struct gs_breakers *b, const struct gs_breaker_who *who, int64_t now)
{
    for (int i = 0; i < 3; i++)
        assert_int_equal(attempt(b, who, GS_FAULT_SERVER_ERROR, now), GS_BREAKER_GO);
}

static int64_t wait_of(struct gs_breakers *b, const struct gs_breaker_who *who, int64_t now)
{
    int64_t wait;

    return gs_breakers_look(b, who, now, &wait) == GS_BREAKER_WAIT ? wait : 0;
}

struct seen {
    struct gs_slice key;
    struct gs_breaker_state state;
    size_t n;
};

static void see(void *ud, const struct gs_breaker_state *s)
{
    struct seen *seen = ud;

    seen->n++;
    if (gs_slice_eq(s->key, seen->key))
        seen->state = *s;
}

static struct gs_breaker_state state_of(struct gs_breakers *b, const char *key, int64_t now)
{
    struct seen seen = {.key = gs_slice_str(key)};

    gs_breakers_walk(b, now, see, &seen);
    return seen.state;
}

/* ---- opening ---- */

static void three_in_a_row_open_it(void **state)
{
    struct gs_breakers *b = *state;

    assert_int_equal(attempt(b, &opus, GS_FAULT_SERVER_ERROR, T0), GS_BREAKER_GO);
    assert_int_equal(attempt(b, &opus, GS_FAULT_CUT, T0 + S), GS_BREAKER_GO);
    assert_int_equal(wait_of(b, &opus, T0 + S), 0);
    assert_int_equal(attempt(b, &opus, GS_FAULT_STALL, T0 + 2 * S), GS_BREAKER_GO);
    const int64_t wait = wait_of(b, &opus, T0 + 2 * S);
    assert_in_range(wait, 13500000, 16500000);
    assert_int_equal(wait_of(b, &haiku, T0 + 2 * S), 0); /* another model is another matter */
    assert_int_equal(wait_of(b, &opus_other_key, T0 + 2 * S), wait);
}

static void half_of_five_open_it(void **state)
{
    struct gs_breakers *b = *state;
    static const enum gs_fault faults[] = {GS_FAULT_OVERLOADED, GS_FAULT_OVERLOADED, GS_FAULT_NONE,
                                           GS_FAULT_NONE, GS_FAULT_OVERLOADED};

    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(wait_of(b, &opus, T0 + (int64_t)i * S), 0);
        attempt(b, &opus, faults[i], T0 + (int64_t)i * S);
    }
    assert_true(wait_of(b, &opus, T0 + 5 * S) > 0);
}

static void what_is_old_does_not_count(void **state)
{
    struct gs_breakers *b = *state;

    attempt(b, &opus, GS_FAULT_OVERLOADED, T0);
    attempt(b, &opus, GS_FAULT_OVERLOADED, T0);
    attempt(b, &opus, GS_FAULT_NONE, T0);
    attempt(b, &opus, GS_FAULT_NONE, T0 + 31 * S);
    attempt(b, &opus, GS_FAULT_OVERLOADED, T0 + 31 * S);
    attempt(b, &opus, GS_FAULT_NONE, T0 + 31 * S);
    assert_int_equal(wait_of(b, &opus, T0 + 31 * S), 0);
    const struct gs_breaker_state s = state_of(b, "anthropic/opus", T0 + 31 * S);
    assert_int_equal(s.n_recent, 3);
    assert_int_equal(s.n_recent_failed, 1);
}

static void some_faults_never_count(void **state)
{
    struct gs_breakers *b = *state;
    static const enum gs_fault faults[] = {
        GS_FAULT_CANCELLED, GS_FAULT_OURS,        GS_FAULT_CONTEXT, GS_FAULT_TOO_LARGE,
        GS_FAULT_POLICY,    GS_FAULT_BAD_REQUEST, GS_FAULT_UNFIT,
    };
    struct seen seen = {0};

    for (int i = 0; i < 70; i++)
        assert_int_equal(attempt(b, &opus, faults[i % 7], T0 + i), GS_BREAKER_GO);
    gs_breakers_walk(b, T0, see, &seen);
    assert_int_equal(seen.n, 0);
}

static void our_own_network_does_not_count(void **state)
{
    struct gs_breakers *b = *state;
    const struct gs_breaker_pass none = {0};
    struct gs_breaker_report r = {GS_FAULT_DNS, .retry_after_us = -1, .is_uplink = true};

    for (int i = 0; i < 9; i++)
        gs_breakers_report(b, &opus, &none, &r, T0);
    assert_int_equal(wait_of(b, &opus, T0), 0);
    r.is_uplink = false;
    for (int i = 0; i < 3; i++)
        gs_breakers_report(b, &opus, &none, &r, T0);
    assert_true(wait_of(b, &opus, T0) > 0);
}

static void one_conversation_cannot_open_it(void **state)
{
    struct gs_breakers *b = *state;
    const struct gs_breaker_pass none = {0};
    struct gs_breaker_report r = {GS_FAULT_EMPTY, .retry_after_us = -1, .ttft_us = -1, .talk = 42};

    for (int i = 0; i < 20; i++)
        gs_breakers_report(b, &opus, &none, &r, T0 + i * S);
    assert_int_equal(wait_of(b, &opus, T0 + 20 * S), 0);
    assert_int_equal(state_of(b, "anthropic/opus", T0).n_failed, 1);
    for (r.talk = 43; r.talk < 45; r.talk++)
        gs_breakers_report(b, &opus, &none, &r, T0 + 20 * S);
    assert_true(wait_of(b, &opus, T0 + 20 * S) > 0); /* three of them can */
}

/* ---- cooldowns ---- */

static void cooldowns_double_up_to_two_minutes(void **state)
{
    struct gs_breakers *b = *state;
    static const int64_t base_s[] = {15, 30, 60, 120, 120, 120};
    int64_t now = T0;

    trip(b, &opus, now);
    for (size_t i = 0; i < 6; i++) {
        const int64_t wait = wait_of(b, &opus, now);
        assert_in_range(wait, base_s[i] * S * 9 / 10, base_s[i] * S * 11 / 10);
        now += wait;
        assert_int_equal(attempt(b, &opus, GS_FAULT_SERVER_ERROR, now), GS_BREAKER_PROBE);
    }
}

static void jitter_differs_by_seed_only(void **state)
{
    struct gs_breakers *same = gs_breakers_create(7);
    struct gs_breakers *other = gs_breakers_create(8);

    trip(*state, &opus, T0);
    trip(same, &opus, T0);
    trip(other, &opus, T0);
    assert_int_equal(wait_of(*state, &opus, T0), wait_of(same, &opus, T0));
    assert_int_not_equal(wait_of(*state, &opus, T0), wait_of(other, &opus, T0));
    gs_breakers_free(same);
    gs_breakers_free(other);
}

static void a_quiet_time_forgets_how_often(void **state)
{
    struct gs_breakers *b = *state;
    int64_t now = T0;

    trip(b, &opus, now);
    now += 20 * S;
    assert_int_equal(attempt(b, &opus, GS_FAULT_NONE, now), GS_BREAKER_PROBE);
    now += MIN; /* it flaps: the second time is longer */
    trip(b, &opus, now);
    assert_in_range(wait_of(b, &opus, now), 27 * S, 33 * S);
    now += 40 * S;
    assert_int_equal(attempt(b, &opus, GS_FAULT_NONE, now), GS_BREAKER_PROBE);
    now += 6 * MIN;
    trip(b, &opus, now);
    assert_in_range(wait_of(b, &opus, now), 13500000, 16500000);
}

static void a_told_wait_is_a_floor(void **state)
{
    struct gs_breakers *b = *state;

    told(b, &haiku, GS_FAULT_OVERLOADED, 2 * S, T0); /* one fault, but it said when to come back */
    assert_int_equal(wait_of(b, &haiku, T0), 2 * S);
    assert_int_equal(gs_breakers_look(b, &haiku, T0 + 2 * S, NULL), GS_BREAKER_GO);
    told(b, &haiku, GS_FAULT_RATE_LIMIT, 5 * 60 * MIN, T0); /* a long one ends with a probe */
    assert_int_equal(gs_breakers_look(b, &haiku, T0 + 5 * 60 * MIN, NULL), GS_BREAKER_PROBE);

    trip(b, &opus, T0);
    told(b, &opus, GS_FAULT_OVERLOADED, 400 * S, T0); /* more than any cooldown */
    assert_int_equal(wait_of(b, &opus, T0), 400 * S);
    told(b, &opus, GS_FAULT_OVERLOADED, S, T0); /* never less than before */
    assert_int_equal(wait_of(b, &opus, T0), 400 * S);
    told(b, &opus, GS_FAULT_OVERLOADED, INT64_MAX, T0);
    assert_int_equal(wait_of(b, &opus, T0), 24 * 60 * MIN);
}

static void late_failures_do_not_lengthen_it(void **state)
{
    struct gs_breakers *b = *state;

    trip(b, &opus, T0);
    const int64_t wait = wait_of(b, &opus, T0);
    for (int i = 0; i < 10; i++) /* they began before it opened */
        told(b, &opus, GS_FAULT_SERVER_ERROR, -1, T0 + S);
    assert_int_equal(wait_of(b, &opus, T0), wait);
    assert_int_equal(state_of(b, "anthropic/opus", T0).n_opened, 1);
}

/* ---- whom it keeps away ---- */

static void dead_keys_bench_the_key(void **state)
{
    struct gs_breakers *b = *state;

    attempt(b, &opus, GS_FAULT_AUTH, T0);
    assert_int_equal(wait_of(b, &opus, T0), 30 * MIN);
    assert_int_equal(wait_of(b, &haiku, T0), 30 * MIN);
    assert_int_equal(wait_of(b, &opus_other_key, T0), 0);
    attempt(b, &opus_other_key, GS_FAULT_BILLING, T0);
    assert_int_equal(wait_of(b, &opus_other_key, T0), 30 * MIN);
    assert_int_equal(state_of(b, "anthropic#k1", T0).why, GS_FAULT_AUTH);
    assert_int_equal(attempt(b, &haiku, GS_FAULT_NONE, T0 + 30 * MIN), GS_BREAKER_PROBE);
    assert_int_equal(wait_of(b, &opus, T0 + 30 * MIN), 0);
}

static void rate_limits_are_an_accounts(void **state)
{
    struct gs_breakers *b = *state;

    told(b, &opus, GS_FAULT_RATE_LIMIT, 9 * S, T0);
    assert_int_equal(wait_of(b, &opus, T0), 9 * S);
    assert_int_equal(wait_of(b, &opus_other_key, T0), 0);
    assert_int_equal(wait_of(b, &haiku, T0), 0);
    assert_int_equal(state_of(b, "anthropic#k1/opus", T0).wait_us, 9 * S);
}

static void quotas_last_until_they_end(void **state)
{
    struct gs_breakers *b = *state;

    told(b, &opus, GS_FAULT_QUOTA, 5 * 60 * MIN, T0);
    assert_int_equal(wait_of(b, &opus, T0), 5 * 60 * MIN);
    told(b, &haiku, GS_FAULT_QUOTA, -1, T0);
    assert_int_equal(wait_of(b, &haiku, T0), 60 * MIN);
    assert_int_equal(attempt(b, &haiku, GS_FAULT_QUOTA, T0 + 60 * MIN), GS_BREAKER_PROBE);
    assert_int_equal(wait_of(b, &haiku, T0 + 60 * MIN), 60 * MIN);
}

/* Whoever waits hears of what holds it up the longest, and of nobody else's key or model. */
static void why_it_waits_is_its_own(void **state)
{
    struct gs_breakers *b = *state;

    assert_int_equal(gs_breakers_why(b, &opus, T0), GS_FAULT_NONE);
    told(b, &opus, GS_FAULT_RATE_LIMIT, 9 * S, T0);
    attempt(b, &opus_other_key, GS_FAULT_AUTH, T0);
    attempt(b, &haiku, GS_FAULT_MODEL_GONE, T0);
    assert_int_equal(gs_breakers_why(b, &opus, T0), GS_FAULT_RATE_LIMIT);
    assert_int_equal(gs_breakers_why(b, &opus_other_key, T0), GS_FAULT_AUTH);
    assert_int_equal(gs_breakers_why(b, &opus, T0 + 9 * S), GS_FAULT_NONE);
    attempt(b, &opus, GS_FAULT_BILLING, T0 + 9 * S);
    told(b, &opus, GS_FAULT_RATE_LIMIT, 9 * S, T0 + 10 * S);
    assert_int_equal(gs_breakers_why(b, &opus, T0 + 10 * S), GS_FAULT_BILLING);
}

static void gone_models_are_benched_alone(void **state)
{
    struct gs_breakers *b = *state;

    attempt(b, &opus, GS_FAULT_MODEL_GONE, T0);
    assert_int_equal(wait_of(b, &opus, T0), 30 * MIN);
    assert_int_equal(wait_of(b, &haiku, T0), 0);
}

/* ---- probes ---- */

static void exactly_one_probes(void **state)
{
    struct gs_breakers *b = *state;
    struct gs_breaker_pass probe;
    struct gs_breaker_pass pass;
    int64_t wait;
    const int64_t now = T0 + 20 * S;

    trip(b, &opus, T0);
    assert_int_equal(gs_breakers_look(b, &opus, now, &wait), GS_BREAKER_PROBE);
    assert_int_equal(gs_breakers_enter(b, &opus, now, &probe, &wait), GS_BREAKER_PROBE);
    assert_int_equal(wait, 0);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(gs_breakers_enter(b, &opus_other_key, now, &pass, &wait), GS_BREAKER_WAIT);
        assert_true(wait > 0);
        assert_int_equal(pass.probes[0], 0);
    }
    report_as(b, &opus, &probe, GS_FAULT_CANCELLED, now); /* no verdict: the next one probes */
    assert_int_equal(gs_breakers_enter(b, &opus_other_key, now, &pass, &wait), GS_BREAKER_PROBE);
    report_as(b, &opus, &probe, GS_FAULT_CANCELLED, now); /* said twice: takes nobody's place */
    assert_int_equal(gs_breakers_look(b, &opus, now, NULL), GS_BREAKER_WAIT);
    report_as(b, &opus_other_key, &pass, GS_FAULT_BAD_REQUEST, now);
    assert_int_equal(attempt(b, &opus, GS_FAULT_NONE, now), GS_BREAKER_PROBE);
    assert_int_equal(gs_breakers_look(b, &opus, now, NULL), GS_BREAKER_GO);
}

static void a_lost_probe_is_given_up(void **state)
{
    struct gs_breakers *b = *state;
    struct gs_breaker_pass lost;
    int64_t wait;

    trip(b, &opus, T0);
    assert_int_equal(gs_breakers_enter(b, &opus, T0 + 20 * S, &lost, &wait), GS_BREAKER_PROBE);
    assert_int_equal(gs_breakers_look(b, &opus, T0 + 10 * MIN, NULL), GS_BREAKER_WAIT);
    assert_int_equal(attempt(b, &opus, GS_FAULT_NONE, T0 + 16 * MIN), GS_BREAKER_PROBE);
    report_as(b, &opus, &lost, GS_FAULT_CUT, T0 + 17 * MIN); /* now a failure like any other */
    assert_int_equal(gs_breakers_look(b, &opus, T0 + 17 * MIN, NULL), GS_BREAKER_GO);
}

static void an_old_answer_closes_what_has_lapsed(void **state)
{
    struct gs_breakers *b = *state;

    trip(b, &opus, T0);
    told(b, &opus, GS_FAULT_NONE, -1, T0 + S); /* a stream from before; the cooldown stands */
    assert_true(wait_of(b, &opus, T0 + S) > 0);
    told(b, &opus, GS_FAULT_NONE, -1, T0 + 20 * S);
    assert_int_equal(gs_breakers_look(b, &opus, T0 + 20 * S, NULL), GS_BREAKER_GO);
    attempt(b, &opus, GS_FAULT_CUT, T0 + 20 * S); /* what was before does not count any more */
    attempt(b, &opus, GS_FAULT_CUT, T0 + 20 * S);
    assert_int_equal(gs_breakers_look(b, &opus, T0 + 20 * S, NULL), GS_BREAKER_GO);
}

/* ---- first tokens ---- */

static void deadlines_follow_the_first_tokens(void **state)
{
    struct gs_breakers *b = *state;
    const struct gs_breaker_pass none = {0};
    struct gs_breaker_report r = {GS_FAULT_NONE, .retry_after_us = -1, .ttft_us = 200000};
    int64_t p50;
    int64_t p95;

    assert_int_equal(gs_breakers_first_token_us(b, &opus), 10 * S);
    for (int i = 0; i < 4; i++)
        gs_breakers_report(b, &opus, &none, &r, T0);
    assert_false(gs_breakers_ttft(b, &opus, &p50, &p95));
    gs_breakers_report(b, &opus, &none, &r, T0);
    assert_true(gs_breakers_ttft(b, &opus, &p50, &p95));
    assert_in_range(p50, 160000, 250000);
    assert_in_range(p95, 160000, 250000);
    assert_int_equal(gs_breakers_first_token_us(b, &opus), 3 * S);
    r.ttft_us = 2 * S;
    for (int i = 0; i < 60; i++)
        gs_breakers_report(b, &opus, &none, &r, T0);
    assert_in_range(gs_breakers_first_token_us(b, &opus), 6 * S, 10 * S);
    r.ttft_us = INT64_MAX;
    for (int i = 0; i < 60; i++)
        gs_breakers_report(b, &opus, &none, &r, T0);
    assert_int_equal(gs_breakers_first_token_us(b, &opus), 60 * S);
    assert_int_equal(gs_breakers_first_token_us(b, &haiku), 10 * S);
}

static void who_became_slower_is_given_time(void **state)
{
    struct gs_breakers *b = *state;
    const struct gs_breaker_pass none = {0};
    struct gs_breaker_report r = {GS_FAULT_NONE, .retry_after_us = -1, .ttft_us = 200000};

    for (int i = 0; i < 30; i++)
        gs_breakers_report(b, &opus, &none, &r, T0);
    assert_int_equal(gs_breakers_first_token_us(b, &opus), 3 * S);
    for (int i = 0; i < 12; i++)
        attempt(b, &opus, GS_FAULT_FIRST_TOKEN_TIMEOUT, T0 + i * 3 * MIN);
    assert_in_range(gs_breakers_first_token_us(b, &opus), 8 * S, 16 * S);
    for (int i = 0; i < 40; i++) /* which passes when it is well again */
        gs_breakers_report(b, &opus, &none, &r, T0 + 60 * MIN);
    assert_int_equal(gs_breakers_first_token_us(b, &opus), 3 * S);
}

/* ---- sleep, restarts, limits ---- */

static void waking_up_shortens_the_wait(void **state)
{
    struct gs_breakers *b = *state;

    trip(b, &opus, T0);
    told(b, &haiku, GS_FAULT_RATE_LIMIT, 10 * MIN, T0);
    attempt(b, &opus_other_key, GS_FAULT_AUTH, T0);
    gs_breakers_woke(b, 4 * MIN, T0);
    assert_int_equal(gs_breakers_look(b, &opus, T0, NULL), GS_BREAKER_PROBE);
    assert_int_equal(wait_of(b, &haiku, T0), 6 * MIN);
    gs_breakers_woke(b, 60 * MIN, T0);
    assert_int_equal(wait_of(b, &haiku, T0), 0);
}

static void a_network_that_is_back_is_probed(void **state)
{
    struct gs_breakers *b = *state;

    trip(b, &haiku, T0);
    for (int i = 0; i < 3; i++)
        attempt(b, &opus, GS_FAULT_CONNECT_TIMEOUT, T0);
    gs_breakers_woke(b, 0, T0 + S);
    assert_int_equal(gs_breakers_look(b, &opus, T0 + S, NULL), GS_BREAKER_PROBE);
    assert_true(wait_of(b, &haiku, T0 + S) > 0);
}

static void a_restart_forgets_nothing_open(void **state)
{
    struct gs_breakers *b = *state;
    struct gs_breakers *later = gs_breakers_create(1);
    struct gs_breaker_state s;

    trip(b, &opus, T0);
    attempt(b, &opus_other_key, GS_FAULT_NONE, T0);
    s = state_of(b, "anthropic/opus", T0);
    assert_int_equal(s.stand, GS_BREAKER_OPEN);
    gs_breakers_restore(later, &s, 5 * S); /* clocks begin anew */
    assert_int_equal(wait_of(later, &opus, 5 * S), s.wait_us);
    assert_int_equal(state_of(later, "anthropic/opus", 5 * S).n_opened, 1);
    s.wait_us = -MIN;
    gs_breakers_restore(later, &s, 5 * S);
    assert_int_equal(attempt(later, &opus, GS_FAULT_STALL, 5 * S), GS_BREAKER_PROBE);
    assert_in_range(wait_of(later, &opus, 5 * S), 27 * S, 33 * S);
    s.wait_us = INT64_MAX;
    s.n_opened = INT32_MAX;
    s.n_failed = -1;
    gs_breakers_restore(later, &s, 5 * S);
    assert_int_equal(wait_of(later, &opus, 5 * S), 24 * 60 * MIN);
    gs_breakers_free(later);
}

static void changes_are_told(void **state)
{
    struct gs_breakers *b = *state;
    struct seen seen = {.key = GS_SLICE_LIT("anthropic/opus")};

    gs_breakers_on_change(b, see, &seen);
    attempt(b, &opus, GS_FAULT_NONE, T0);
    assert_int_equal(seen.n, 0);
    trip(b, &opus, T0);
    assert_int_equal(seen.n, 1);
    assert_int_equal(seen.state.stand, GS_BREAKER_OPEN);
    attempt(b, &opus, GS_FAULT_NONE, T0 + 20 * S);
    assert_int_equal(seen.n, 3); /* half open, closed */
    assert_int_equal(seen.state.stand, GS_BREAKER_CLOSED);
    assert_string_equal(gs_breaker_stand_word(GS_BREAKER_HALF_OPEN), "half-open");
}

static void made_up_names_push_out_no_others(void **state)
{
    struct gs_breakers *b = *state;
    static char text[4000];
    struct seen seen = {0};
    struct seen forgotten = {.key = GS_SLICE_LIT("anthropic/made-up-1")};

    attempt(b, &opus, GS_FAULT_NONE, T0);
    trip(b, &haiku, T0);
    gs_breakers_on_change(b, see, &forgotten);
    for (int i = 0; i < 3 * GS_BREAKERS_MAX; i++) {
        char name[32];
        const int n = snprintf(name, sizeof(name), "made-up-%d", i);
        const struct gs_breaker_who who = {opus.provider, gs_slice(name, (size_t)n),
                                           gs_slice(name, (size_t)n)};
        attempt(b, &who, i % 2 ? GS_FAULT_MODEL_GONE : GS_FAULT_AUTH, T0 + i);
    }
    gs_breakers_walk(b, T0, see, &seen);
    assert_int_equal(seen.n, GS_BREAKERS_MAX);
    assert_int_equal(forgotten.n, 6 * GS_BREAKERS_MAX - (GS_BREAKERS_MAX - 2));
    assert_int_equal(forgotten.state.n_opened, 0); /* the last that was told of it */
    assert_int_equal(forgotten.state.wait_us, 0);
    gs_breakers_on_change(b, NULL, NULL);
    assert_int_equal(state_of(b, "anthropic/opus", T0).n_recent, 1);
    assert_true(wait_of(b, &haiku, T0) > 0);

    memset(text, 'x', sizeof(text));
    const struct gs_breaker_who large = {opus.provider, gs_slice(text, sizeof(text)),
                                         gs_slice(NULL, 0)};
    trip(b, &large, T0 + S);
    assert_true(wait_of(b, &large, T0 + S) > 0);
    trip(b, &(struct gs_breaker_who){gs_slice(NULL, 0), gs_slice("\0/#", 3), gs_slice(NULL, 0)},
         T0 + S);
}

static struct gs_breaker_who name_of(int i, char text[32])
{
    const int n = snprintf(text, 32, "name-%d", i);

    return (struct gs_breaker_who){opus.provider, gs_slice(text, (size_t)n), gs_slice(NULL, 0)};
}

/* Whatever the table is full of, two new names that fail by turns are both shut out. */
static void new_names_that_fail_open_in_a_full_table(void **state)
{
    static const struct {
        int n_open;
        int64_t later;
    } cases[] = {{0, 0}, {GS_BREAKERS_MAX / 2, 0}, {GS_BREAKERS_MAX, 0}, {GS_BREAKERS_MAX, MIN}};

    (void)state;
    for (size_t k = 0; k < GS_COUNT_OF(cases); k++) {
        struct gs_breakers *b = gs_breakers_create(7);
        char text[32], other_text[32];
        assert_non_null(b);
        for (int i = 0; i < GS_BREAKERS_MAX; i++) {
            const struct gs_breaker_who who = name_of(i, text);
            if (i < cases[k].n_open)
                trip(b, &who, T0 + i);
            else
                attempt(b, &who, GS_FAULT_NONE, T0 + i);
        }
        const int64_t now = T0 + GS_BREAKERS_MAX + cases[k].later;
        const struct gs_breaker_who a = name_of(GS_BREAKERS_MAX, text);
        const struct gs_breaker_who c = name_of(GS_BREAKERS_MAX + 1, other_text);
        for (int i = 0; i < 3; i++) {
            attempt(b, &a, GS_FAULT_SERVER_ERROR, now + i);
            attempt(b, &c, GS_FAULT_SERVER_ERROR, now + i);
        }
        assert_true(wait_of(b, &a, now + 3) > 0);
        assert_true(wait_of(b, &c, now + 3) > 0);
        gs_breakers_free(b);
    }
}

static void a_model_cannot_pose_as_a_credential(void **state)
{
    struct gs_breakers *b = *state;
    const struct gs_breaker_who posing = {opus.provider, GS_SLICE_LIT("#k1/opus"),
                                          GS_SLICE_LIT("evil")};

    attempt(b, &posing, GS_FAULT_MODEL_GONE, T0);
    assert_int_equal(wait_of(b, &opus, T0), 0);
}

static void secrets_are_not_kept(void **state)
{
    char a[GS_BREAKER_CREDENTIAL];
    char c[GS_BREAKER_CREDENTIAL];
    (void)state;

    gs_breaker_credential(GS_SLICE_LIT("sk-ant-secret"), a);
    gs_breaker_credential(GS_SLICE_LIT("sk-ant-secres"), c);
    assert_int_equal(strlen(a), 16);
    assert_string_not_equal(a, c);
    assert_null(strstr(a, "sk"));
    gs_breaker_credential(gs_slice(NULL, 0), a);
    assert_string_equal(a, "");
}

static void no_memory_is_no_breakers(void **state)
{
    (void)state;
    gs_alloc_fail_at(1);
    assert_null(gs_breakers_create(1));
    gs_alloc_fail_at(0);
    gs_breakers_free(NULL);
}

/* ---- any order of events ---- */

#define N_FLIGHTS 24

struct flight {
    bool is_used, is_probe;
    struct gs_breaker_pass pass;
};

/* Whatever happens in whatever order: at most one probe is out, nobody is let through while it is
 * open, it never opens without three failures in a row or five attempts, and time always brings a
 * probe. */
static void holds_in_any_order(void **state)
{
    static const enum gs_fault faults[] = {
        GS_FAULT_NONE, GS_FAULT_NONE,      GS_FAULT_NONE,  GS_FAULT_SERVER_ERROR,
        GS_FAULT_CUT,  GS_FAULT_CANCELLED, GS_FAULT_EMPTY, GS_FAULT_BAD_REQUEST,
    };
    (void)state;

    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct gs_breakers *b = gs_breakers_create(seed);
        struct flight flights[N_FLIGHTS] = {0};
        struct gs_rng rng;
        int64_t now = T0;
        int in_a_row = 0;
        int n_reports = 0;
        size_t n_probes = 0;
        gs_rng_seed(&rng, seed);
        for (int step = 0; step < 2000; step++) {
            struct flight *f = &flights[gs_rng_u64(&rng) % N_FLIGHTS];
            int64_t wait;
            now += (int64_t)(gs_rng_u64(&rng) % (uint64_t)S);
            if (!f->is_used) {
                const struct gs_breaker_state before = state_of(b, "anthropic/opus", now);
                const enum gs_breaker_verdict v = gs_breakers_enter(b, &opus, now, &f->pass, &wait);
                f->is_used = v != GS_BREAKER_WAIT;
                f->is_probe = v == GS_BREAKER_PROBE;
                n_probes += f->is_probe;
                assert_true(v != GS_BREAKER_GO || before.stand == GS_BREAKER_CLOSED);
                assert_true(v != GS_BREAKER_PROBE || before.stand == GS_BREAKER_OPEN ||
                            n_probes == 1);
                assert_int_equal(v == GS_BREAKER_WAIT, wait > 0);
                continue;
            }
            const struct gs_breaker_state before = state_of(b, "anthropic/opus", now);
            const enum gs_fault fault = faults[gs_rng_u64(&rng) % 8];
            report_as(b, &opus, &f->pass, fault, now);
            f->is_used = false;
            n_probes -= f->is_probe;
            const struct gs_breaker_state after = state_of(b, "anthropic/opus", now);
            const bool counts = gs_fault_blame(fault) == GS_BLAME_PROVIDER;
            n_reports += counts || fault == GS_FAULT_NONE;
            in_a_row = fault == GS_FAULT_NONE ? 0 : in_a_row + counts;
            if (before.stand == GS_BREAKER_CLOSED && after.stand == GS_BREAKER_OPEN)
                assert_true(in_a_row >= 3 || n_reports >= 5);
            if (fault == GS_FAULT_NONE && before.wait_us == 0)
                assert_int_equal(after.stand, GS_BREAKER_CLOSED);
            assert_true(after.wait_us <= 132 * S);
        }
        gs_breakers_free(b);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, create, destroy)
    const struct CMUnitTest tests[] = {
        TEST(three_in_a_row_open_it),
        TEST(half_of_five_open_it),
        TEST(what_is_old_does_not_count),
        TEST(some_faults_never_count),
        TEST(our_own_network_does_not_count),
        TEST(one_conversation_cannot_open_it),
        TEST(cooldowns_double_up_to_two_minutes),
        TEST(jitter_differs_by_seed_only),
        TEST(a_quiet_time_forgets_how_often),
        TEST(a_told_wait_is_a_floor),
        TEST(late_failures_do_not_lengthen_it),
        TEST(dead_keys_bench_the_key),
        TEST(rate_limits_are_an_accounts),
        TEST(quotas_last_until_they_end),
        TEST(why_it_waits_is_its_own),
        TEST(gone_models_are_benched_alone),
        TEST(exactly_one_probes),
        TEST(a_lost_probe_is_given_up),
        TEST(an_old_answer_closes_what_has_lapsed),
        TEST(deadlines_follow_the_first_tokens),
        TEST(who_became_slower_is_given_time),
        TEST(waking_up_shortens_the_wait),
        TEST(a_network_that_is_back_is_probed),
        TEST(a_restart_forgets_nothing_open),
        TEST(changes_are_told),
        TEST(made_up_names_push_out_no_others),
        cmocka_unit_test(new_names_that_fail_open_in_a_full_table),
        TEST(a_model_cannot_pose_as_a_credential),
        TEST(secrets_are_not_kept),
        TEST(no_memory_is_no_breakers),
        TEST(holds_in_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
