/* What may be spent in a day and in a month of the local calendar: on each provider, for each of
 * the clients' keys, and on all together. A request reserves what it may cost at most before it is
 * sent and settles what it did cost at its end, so that requests side by side do not pass a limit
 * together. Times are of the wall clock, passed in.
 *
 * thread: one at a time. */
#ifndef GS_ROUTE_BUDGETS_H
#define GS_ROUTE_BUDGETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "config/routes.h"
#include "genset/slice.h"

/* Providers and keys ever named while the process runs, and all together. */
#define GS_BUDGETS_MAX 2048

struct gs_budgets;

/* Whose accounts an attempt is charged to, besides that of all together. */
struct gs_budget_who {
    struct gs_slice provider;
    struct gs_slice key; /* name of the client's; empty: it has none */
};

/* NULL: no memory. */
GS_MUST_CHECK struct gs_budgets *gs_budgets_create(void);
void gs_budgets_free(struct gs_budgets *b); /* NULL is allowed */
/* Take the limits of a configuration. Sums and reservations stay as they are, by the names of
 * providers and keys. False: too many of them; the limits stay too. */
GS_MUST_CHECK bool gs_budgets_configure(struct gs_budgets *b, const struct gs_config_routes *r);
/* Put back what a provider cost, or what was spent for a key, whichever is named, as the ledger has
 * it, before the first reservation. Only providers count for all together. */
void gs_budgets_restore(struct gs_budgets *b, struct gs_budget_who who, int64_t day_nanousd,
                        int64_t month_nanousd, int64_t wall_us);

/* What is set aside for one attempt. Plain data; zeroed: nothing is. */
struct gs_budget_hold {
    size_t provider, key; /* accounts; 0: none */
    int64_t nanousd;
};

/* Set aside so much in all of its accounts. False: a limit would be passed, and nothing is set
 * aside. */
GS_MUST_CHECK bool gs_budgets_reserve(struct gs_budgets *b, struct gs_budget_who who,
                                      int64_t nanousd, int64_t wall_us,
                                      struct gs_budget_hold *out_hold);
/* Whether it would be done. */
bool gs_budgets_allow(struct gs_budgets *b, struct gs_budget_who who, int64_t nanousd,
                      int64_t wall_us);
/* It is over and cost so much. The hold is zeroed: said twice, it counts once. */
void gs_budgets_settle(struct gs_budgets *b, struct gs_budget_hold *hold, int64_t nanousd,
                       int64_t wall_us);

/* Whether any of its accounts has a limit: what cannot be priced must then not be asked. */
bool gs_budgets_has_limit(const struct gs_budgets *b, struct gs_budget_who who);

struct gs_budget_state {
    struct gs_budget_who who; /* one of both is named; none: all together */
    int64_t day_nanousd, month_nanousd, reserved_nanousd;
    int64_t day_limit_nanousd, month_limit_nanousd; /* 0: none */
};
typedef void gs_budget_state_fn(void *ud, const struct gs_budget_state *s);
void gs_budgets_walk(struct gs_budgets *b, int64_t wall_us, gs_budget_state_fn *fn, void *ud);

#endif
