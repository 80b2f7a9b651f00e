/* What is known of providers outlives the program: breakers, spending and what they signed, in the
 * ledger. */
#include "base/clock.h"
#include "ledger/ledger.h"
#include "route/breaker.h"
#include "route/budgets.h"
#include "switch/switch_call.h"

static void on_breaker(void *ud, const struct gs_ledger_breaker *b)
{
    struct gs_switch *sw = ud;
    const struct gs_breaker_state state = {
        .key = b->key,
        .stand = b->n_opens > 0 ? GS_BREAKER_OPEN : GS_BREAKER_CLOSED,
        .why = b->fault,
        .n_failed = (int32_t)GS_MIN(b->n_failures, (int64_t)INT32_MAX),
        .n_opened = (int32_t)GS_MIN(b->n_opens, (int64_t)INT32_MAX),
        .wait_us = b->until_us - gs_clock_wall_us(),
        .p50_us = -1,
        .p95_us = -1,
    };

    if (b->until_us > 0)
        gs_breakers_restore(sw->breakers, &state, gs_clock_mono_us());
}

static void on_spent(void *ud, const struct gs_ledger_spent *s)
{
    struct gs_switch *sw = ud;

    gs_budgets_restore(sw->budgets, (struct gs_budget_who){.provider = s->provider}, s->day_nanousd,
                       s->month_nanousd, gs_clock_wall_us());
}

static void on_key(void *ud, const struct gs_ledger_spent *s)
{
    struct gs_switch *sw = ud;

    gs_budgets_restore(sw->budgets, (struct gs_budget_who){.key = s->key}, s->day_nanousd,
                       s->month_nanousd, gs_clock_wall_us());
}

static void on_change(void *ud, const struct gs_breaker_state *s)
{
    struct gs_switch *sw = ud;
    const bool is_open = s->stand != GS_BREAKER_CLOSED;
    struct gs_ledger_breaker row = {.key = s->key};

    if (is_open || s->wait_us > 0) { /* or it said when to come again */
        row.n_failures = s->n_failed;
        row.n_opens = is_open ? s->n_opened : 0;
        row.until_us = gs_clock_wall_us() + s->wait_us;
        row.fault = s->why;
    }
    gs_ledger_save_breaker(sw->opt.ledger, &row);
}

static void on_signed(void *ud, const struct gs_ledger_signed *s)
{
    struct gs_switch *sw = ud;

    gs_switch_signers_note(&sw->signers, s);
}

void gs_switch_note_signed(struct gs_switch *sw, const char *maker, struct gs_slice signature)
{
    if (signature.len == 0)
        return;
    const struct gs_ledger_signed made = gs_switch_signers_digest(maker, signature);
    gs_switch_signers_note(&sw->signers, &made);
    if (sw->opt.ledger)
        gs_ledger_save_signed(sw->opt.ledger, &made);
}

enum gs_status gs_switch_remember(struct gs_switch *sw, struct gs_error *err)
{
    const struct gs_ledger_memory memory = {.on_breaker = on_breaker,
                                            .on_spent = on_spent,
                                            .on_key = on_key,
                                            .on_signed = on_signed,
                                            .ud = sw};

    if (!sw->opt.ledger)
        return GS_OK;
    const enum gs_status st = gs_ledger_restore(sw->opt.ledger, &memory, err);
    gs_breakers_on_change(sw->breakers, on_change, sw);
    return st;
}
