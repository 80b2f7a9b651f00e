/* Accounts by name: the first is that of all together. They are never removed, so that a hold stays
 * valid when the configuration changes. */
#include "route/budgets.h"

#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/slice.h"

#define NAME_BYTES 128                         /* names in a configuration are shorter */
#define HOLD_MAX   ((int64_t)1000000000000000) /* a million dollars: sums of them do not overflow */

struct account {
    char name[NAME_BYTES];
    size_t name_len;
    bool is_key;                    /* of a client; else a provider's */
    int64_t day_limit, month_limit; /* 0: none */
    int64_t day, month, reserved;   /* spent, spent, set aside */
};

struct gs_budgets {
    int64_t day, month; /* which ones the sums are of */
    size_t n;
    struct account accounts[GS_BUDGETS_MAX];
};

struct gs_budgets *gs_budgets_create(void)
{
    struct gs_budgets *b = gs_alloc_zero(sizeof(*b));

    if (b)
        b->n = 1;
    return b;
}

void gs_budgets_free(struct gs_budgets *b)
{
    gs_free(b);
}

/* Saturating: what passes the range is over every limit. */
static int64_t add(int64_t a, int64_t c)
{
    int64_t sum;

    return __builtin_add_overflow(a, c, &sum) ? INT64_MAX : sum;
}

/* ---- the calendar ---- */

/* Begin new sums on a new day and in a new month. A clock that was set back by less than a day (or
 * summer's end at midnight) does not make a new one. */
static void turn_page(struct gs_budgets *b, int64_t wall_us)
{
    const time_t at = (time_t)(wall_us / 1000000);
    struct tm tm;

    if (!localtime_r(&at, &tm))
        return;
    const int64_t day = (int64_t)tm.tm_year * 366 + tm.tm_yday; /* later days have higher ones */
    const int64_t month = (int64_t)tm.tm_year * 12 + tm.tm_mon;
    const bool is_new_day = day > b->day || day < b->day - 2;
    const bool is_new_month = is_new_day && month != b->month;
    for (size_t i = 0; is_new_day && i < b->n; i++) {
        struct account *a = &b->accounts[i];
        a->day = 0;
        a->month = is_new_month ? 0 : a->month;
    }
    b->day = is_new_day ? day : b->day;
    b->month = is_new_month ? month : b->month;
}

/* ---- accounts ---- */

static size_t find(const struct gs_budgets *b, bool is_key, struct gs_slice name)
{
    for (size_t i = 1; name.len > 0 && i < b->n; i++) {
        const struct account *a = &b->accounts[i];
        if (a->is_key == is_key && gs_slice_eq(gs_slice(a->name, a->name_len), name))
            return i;
    }
    return 0;
}

/* The same, made if there is none; 0: there is no room, or no name. */
static size_t obtain(struct gs_budgets *b, bool is_key, struct gs_slice name)
{
    const size_t i = find(b, is_key, name);

    if (i > 0)
        return i;
    if (b->n == GS_BUDGETS_MAX || name.len > NAME_BYTES || name.len == 0)
        return 0;
    struct account *a = &b->accounts[b->n];
    *a = (struct account){.name_len = name.len, .is_key = is_key};
    memcpy(a->name, name.ptr, name.len);
    return b->n++;
}

static void limit(struct account *a, const struct gs_config_budget *budget)
{
    a->day_limit = budget->day_nanousd;
    a->month_limit = budget->month_nanousd;
}

/* Whether there is an account for each of them, made where there was none. */
static bool obtain_all(struct gs_budgets *b, const struct gs_config_routes *r)
{
    for (size_t i = 1; i < r->n_providers; i++)
        if (obtain(b, false, gs_slice_str(r->providers[i].name)) == 0)
            return false;
    for (size_t i = 0; i < r->n_keys; i++)
        if (obtain(b, true, gs_slice_str(r->keys[i].name)) == 0)
            return false;
    return true;
}

bool gs_budgets_configure(struct gs_budgets *b, const struct gs_config_routes *r)
{
    if (!obtain_all(b, r))
        return false;
    for (size_t i = 0; i < b->n; i++)
        b->accounts[i].day_limit = b->accounts[i].month_limit = 0;
    for (size_t i = 0; i < r->n_budgets; i++) {
        const size_t p = r->budgets[i].provider;
        const size_t a = p == SIZE_MAX ? 0 : find(b, false, gs_slice_str(r->providers[p].name));
        limit(&b->accounts[a], &r->budgets[i]);
    }
    for (size_t i = 0; i < r->n_keys; i++)
        limit(&b->accounts[find(b, true, gs_slice_str(r->keys[i].name))], &r->keys[i].budget);
    return true;
}

static void charge(struct account *a, int64_t day_nanousd, int64_t month_nanousd)
{
    a->day = add(a->day, GS_MAX(day_nanousd, 0));
    a->month = add(a->month, GS_MAX(month_nanousd, 0));
}

void gs_budgets_restore(struct gs_budgets *b, struct gs_budget_who who, int64_t day_nanousd,
                        int64_t month_nanousd, int64_t wall_us)
{
    const bool is_key = who.key.len > 0;
    const size_t i = obtain(b, is_key, is_key ? who.key : who.provider);

    turn_page(b, wall_us);
    if (!is_key)
        charge(&b->accounts[0], day_nanousd, month_nanousd);
    if (i > 0)
        charge(&b->accounts[i], day_nanousd, month_nanousd);
}

/* ---- reservations ---- */

static bool fits(const struct account *a, int64_t nanousd)
{
    const int64_t more = add(a->reserved, nanousd);

    return (a->day_limit == 0 || add(a->day, more) <= a->day_limit) &&
           (a->month_limit == 0 || add(a->month, more) <= a->month_limit);
}

bool gs_budgets_allow(struct gs_budgets *b, struct gs_budget_who who, int64_t nanousd,
                      int64_t wall_us)
{
    turn_page(b, wall_us);
    if (nanousd <= 0)
        return true; /* what costs nothing is not kept back by what others cost */
    return fits(&b->accounts[0], nanousd) &&
           fits(&b->accounts[find(b, false, who.provider)], nanousd) &&
           fits(&b->accounts[find(b, true, who.key)], nanousd);
}

bool gs_budgets_reserve(struct gs_budgets *b, struct gs_budget_who who, int64_t nanousd,
                        int64_t wall_us, struct gs_budget_hold *out_hold)
{
    if (!gs_budgets_allow(b, who, nanousd, wall_us))
        return false;
    const size_t provider = find(b, false, who.provider);
    *out_hold = (struct gs_budget_hold){.nanousd = GS_MIN(GS_MAX(nanousd, 0), HOLD_MAX)};
    if (provider == 0)
        return true;
    out_hold->provider = provider;
    out_hold->key = obtain(b, true, who.key); /* one without a limit may get one yet */
    const size_t accounts[] = {0, out_hold->provider, out_hold->key};
    for (size_t i = 0; i < GS_COUNT_OF(accounts); i++) {
        struct account *a = &b->accounts[accounts[i]];
        if (i == 0 || accounts[i] > 0)
            a->reserved = add(a->reserved, out_hold->nanousd);
    }
    return true;
}

void gs_budgets_settle(struct gs_budgets *b, struct gs_budget_hold *hold, int64_t nanousd,
                       int64_t wall_us)
{
    const struct gs_budget_hold h = *hold;
    const size_t accounts[] = {0, h.provider, h.key};

    *hold = (struct gs_budget_hold){0};
    if (h.provider == 0 || h.provider >= b->n || h.key >= b->n)
        return;
    turn_page(b, wall_us);
    for (size_t i = 0; i < GS_COUNT_OF(accounts); i++) {
        struct account *a = &b->accounts[accounts[i]];
        if (i > 0 && accounts[i] == 0)
            continue;
        a->reserved = GS_MAX(a->reserved - h.nanousd, 0);
        charge(a, nanousd, nanousd);
    }
}

/* ---- to be shown ---- */

static bool is_limited(const struct account *a)
{
    return a->day_limit > 0 || a->month_limit > 0;
}

bool gs_budgets_has_limit(const struct gs_budgets *b, struct gs_budget_who who)
{
    return is_limited(&b->accounts[0]) || is_limited(&b->accounts[find(b, false, who.provider)]) ||
           is_limited(&b->accounts[find(b, true, who.key)]);
}

void gs_budgets_walk(struct gs_budgets *b, int64_t wall_us, gs_budget_state_fn *fn, void *ud)
{
    turn_page(b, wall_us);
    for (size_t i = 0; i < b->n; i++) {
        const struct account *a = &b->accounts[i];
        const struct gs_slice name = gs_slice(a->name, a->name_len);
        const struct gs_budget_state s = {
            .who = {.provider = a->is_key ? gs_slice(NULL, 0) : name,
                    .key = a->is_key ? name : gs_slice(NULL, 0)},
            .day_nanousd = a->day,
            .month_nanousd = a->month,
            .reserved_nanousd = a->reserved,
            .day_limit_nanousd = a->day_limit,
            .month_limit_nanousd = a->month_limit,
        };
        fn(ud, &s);
    }
}
