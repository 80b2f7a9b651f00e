/* genset cost: what was spent, by day, provider or model, from the ledger's sums. */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/slice.h"
#include "cli/cli.h"
#include "ledger/history.h"

#define US_PER_DAY   ((int64_t)24 * 3600 * 1000000)
#define DEFAULT_DAYS 30

/* Words of --by. */
static const enum gs_ledger_group groups[] = {GS_LEDGER_BY_DAY, GS_LEDGER_BY_PROVIDER,
                                              GS_LEDGER_BY_MODEL};

static void put_usd(struct gs_buf *b, int64_t nanousd, bool is_estimated)
{
    gs_buf_printf(b, "%11.4f%s", (double)nanousd / 1e9, is_estimated ? "~" : " ");
}

static void put_name(struct gs_buf *b, const struct gs_ledger_cost *c)
{
    char day[32];

    if (c->day >= 0) {
        gs_ledger_format_day(c->day, day, sizeof(day));
        gs_buf_puts(b, day);
        return;
    }
    gs_cli_put_harmless(b, c->provider);
    gs_buf_puts(b, c->model.len ? "/" : "");
    gs_cli_put_harmless(b, c->model);
}

static bool put_cost(void *ud, const struct gs_ledger_cost *c)
{
    struct gs_buf *b = ud;
    const int64_t counts[] = {c->n,
                              c->n_failed,
                              c->prompt_tokens,
                              c->cached_tokens,
                              c->cache_write_tokens,
                              c->answer_tokens};

    if (b->len == 0)
        gs_buf_printf(b, "%8s  %8s  %10s  %10s  %10s  %10s  %11s   %s\n", "attempts", "failed",
                      "read", "cached", "to cache", "wrote", "USD", "of");
    for (size_t i = 0; i < GS_COUNT_OF(counts); i++)
        gs_buf_printf(b, i < 2 ? "%8" PRId64 "  " : "%10" PRId64 "  ", counts[i]);
    put_usd(b, c->cost_nanousd, c->n_estimated > 0);
    gs_buf_puts(b, "  ");
    put_name(b, c);
    gs_buf_putc(b, '\n');
    return gs_buf_ok(b);
}

/* " of 5" where the provider has a budget. */
static void put_limit(struct gs_buf *b, int64_t nanousd)
{
    if (nanousd > 0)
        gs_buf_printf(b, " of %.9g", (double)nanousd / 1e9);
}

struct spent_reader {
    const struct gs_config_routes *routes;
    struct gs_ledger_spent all;
    struct gs_buf *out;
};

static void put_line(const struct spent_reader *r, struct gs_slice name,
                     const struct gs_ledger_spent *s, const struct gs_config_budget *budget)
{
    gs_cli_put_harmless(r->out, name);
    gs_buf_printf(r->out, ": %.4f", (double)s->day_nanousd / 1e9);
    put_limit(r->out, budget ? budget->day_nanousd : 0);
    gs_buf_printf(r->out, " USD today, %.4f", (double)s->month_nanousd / 1e9);
    put_limit(r->out, budget ? budget->month_nanousd : 0);
    gs_buf_puts(r->out, " this month\n");
}

static bool is_of(const struct gs_config_routes *routes, const struct gs_config_budget *budget,
                  struct gs_slice provider)
{
    return budget->provider < routes->n_providers &&
           gs_slice_eq_str(provider, routes->providers[budget->provider].name);
}

static void put_spent(void *ud, const struct gs_ledger_spent *s)
{
    struct spent_reader *r = ud;
    const struct gs_config_budget *budget = NULL;

    for (size_t i = 0; i < r->routes->n_budgets; i++)
        if (is_of(r->routes, &r->routes->budgets[i], s->provider))
            budget = &r->routes->budgets[i];
    r->all.day_nanousd += s->day_nanousd;
    r->all.month_nanousd += s->month_nanousd;
    if (s->month_nanousd > 0 || budget)
        put_line(r, s->provider, s, budget);
}

static void put_key(void *ud, const struct gs_ledger_spent *s)
{
    const struct spent_reader *r = ud;
    const struct gs_config_client_key *key = gs_config_find_key(r->routes, s->key);

    gs_buf_puts(r->out, "key ");
    put_line(r, s->key, s, key ? &key->budget : NULL);
}

static enum gs_status put_spents(const struct gs_config *c, const char *path, struct gs_buf *out,
                                 struct gs_error *err)
{
    struct spent_reader reader = {.routes = &c->routes, .out = out};
    const struct gs_ledger_memory spent = {.on_spent = put_spent, .ud = &reader};
    const struct gs_ledger_memory keys = {.on_key = put_key, .ud = &reader};
    const enum gs_status st = gs_ledger_recall(path, &spent, err);

    for (size_t i = 0; st == GS_OK && i < c->routes.n_budgets; i++)
        if (c->routes.budgets[i].provider == SIZE_MAX)
            put_line(&reader, GS_SLICE_LIT("all"), &reader.all, &c->routes.budgets[i]);
    return st == GS_OK ? gs_ledger_recall(path, &keys, err) : st;
}

int gs_cli_cost(struct gs_config *c, struct gs_buf *out)
{
    const int64_t span_us =
        GS_CONFIG_IS_SET(c, since_ms) ? c->since_ms * 1000 : (DEFAULT_DAYS - 1) * US_PER_DAY;
    const struct gs_ledger_query query = {.since_us =
                                              span_us > 0 ? gs_clock_wall_us() - span_us : 0};
    struct gs_error err;
    char path[4096];
    enum gs_status st = gs_cli_ledger_path(c, path, sizeof(path), &err);

    if (st == GS_OK && c->json) {
        st = gs_ledger_write_json(path, GS_LEDGER_COST, &query, out, &err);
        gs_buf_putc(out, '\n');
    } else if (st == GS_OK) {
        st = gs_ledger_read_costs(path, &query, groups[c->by], put_cost, out, &err);
        if (st == GS_OK)
            st = put_spents(c, path, out, &err);
    }
    if (st != GS_OK)
        return gs_cli_fail(&err, GS_EXIT_FAILED);
    if (out->len == 0)
        gs_cli_note("nothing was asked of anybody in this time");
    return GS_EXIT_OK;
}
