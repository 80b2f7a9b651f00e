/* The first line is what a server says of when to come back. The rest is a script of attempts, two
 * bytes a step, that no order of steps may confuse: nobody is let through beside a probe, and waits
 * are never longer than what can be told. */
#include "base/compiler.h"
#include "base/slice.h"
#include "route/breaker.h"
#include "route/retry.h"

#define SECOND_US  ((int64_t)1000000)
#define DAY_US     (86400 * SECOND_US)
#define N_ATTEMPTS 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct attempt {
    bool is_used;
    struct gs_breaker_who who;
    struct gs_breaker_pass pass;
};

static void check(bool good)
{
    if (!good)
        __builtin_trap();
}

static void look_at(void *ud, const struct gs_breaker_state *s)
{
    (void)ud;
    check(s->wait_us >= 0 && s->wait_us <= DAY_US);
    check(s->n_failed >= 0 && s->n_recent_failed <= s->n_recent);
    check(s->p95_us >= s->p50_us);
}

static void begin(struct gs_breakers *b, struct attempt *a, uint8_t what, int64_t now_us)
{
    static const struct gs_slice names[] = {GS_SLICE_LIT("a"), GS_SLICE_LIT("b")};
    int64_t wait_us;

    a->who = (struct gs_breaker_who){names[0], names[what & 1], names[what >> 1 & 1]};
    const enum gs_breaker_verdict seen = gs_breakers_look(b, &a->who, now_us, &wait_us);
    const enum gs_breaker_verdict v = gs_breakers_enter(b, &a->who, now_us, &a->pass, &wait_us);
    check(v == seen && (v == GS_BREAKER_WAIT) == (wait_us > 0));
    check(v != GS_BREAKER_PROBE || a->pass.probes[0] || a->pass.probes[1] || a->pass.probes[2]);
    a->is_used = v != GS_BREAKER_WAIT;
    check(v != GS_BREAKER_PROBE ||
          gs_breakers_look(b, &a->who, now_us, NULL) == GS_BREAKER_WAIT); /* it is the only one */
}

static void run(struct gs_breakers *b, const uint8_t *data, size_t size, int64_t wait_us)
{
    struct attempt attempts[N_ATTEMPTS] = {0};
    int64_t now_us = SECOND_US;

    for (size_t i = 0; i + 1 < size; i += 2) {
        struct attempt *a = &attempts[data[i] % N_ATTEMPTS];
        const uint8_t what = data[i + 1];
        now_us += (int64_t)(data[i] >> 3) * (data[i] >> 3) * SECOND_US / 8;
        if (what >= 0xF0) {
            gs_breakers_woke(b, (what & 15) * SECOND_US, now_us);
        } else if (!a->is_used) {
            begin(b, a, what, now_us);
        } else {
            gs_breakers_report(b, &a->who, &a->pass,
                               &(struct gs_breaker_report){
                                   .fault = (enum gs_fault)(what % (GS_FAULT_OURS + 1)),
                                   .retry_after_us = what & 0x40 ? wait_us : -1,
                                   .ttft_us = what * 10000,
                                   .talk = what & 3,
                                   .is_uplink = what & 0x80,
                               },
                               now_us);
            a->is_used = false;
        }
        gs_breakers_walk(b, now_us, look_at, NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct gs_slice all = gs_slice((const char *)data, size);
    const size_t line = GS_MIN(gs_slice_find(all, GS_SLICE_LIT("\n"), 0), size);
    const int64_t wait_us = gs_retry_value_us(gs_slice_sub(all, 0, line), 1767225600 * SECOND_US);
    struct gs_breakers *b = gs_breakers_create(size);

    check(wait_us >= -1 && wait_us < INT64_MAX / 8);
    if (b && line < size)
        run(b, data + line + 1, size - line - 1, wait_us);
    gs_breakers_free(b);
    return 0;
}
