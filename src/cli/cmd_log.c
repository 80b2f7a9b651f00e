/* genset log: what was asked of this user's servers and what came of it, from the ledger. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/slice.h"
#include "cli/cli.h"
#include "ledger/ledger.h"
#include "json/json.h"

static const char *const outcomes[] = {"answered", "failed", "left"};

static const char *outcome_name(const struct gs_ledger_request *r)
{
    return (unsigned)r->outcome < GS_COUNT_OF(outcomes) ? outcomes[r->outcome] : "unknown";
}

/* ---- for people ---- */

/* "0.12 s"; "-" for what never came. */
static void put_seconds(struct gs_buf *b, int64_t us)
{
    if (us < 0)
        gs_buf_printf(b, "%8s", "-");
    else
        gs_buf_printf(b, us < 10000000 ? "%6.2f s" : "%6.0f s", (double)us / 1e6);
}

static void put_when(struct gs_buf *b, int64_t wall_us)
{
    const time_t seconds = (time_t)(wall_us / 1000000);
    struct tm tm;
    char text[32];

    localtime_r(&seconds, &tm);
    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
    gs_buf_puts(b, text);
}

static bool put_row(void *ud, const struct gs_ledger_request *r)
{
    struct gs_buf *b = ud;

    if (b->len == 0)
        gs_buf_printf(b, "%-19s  %8s  %8s  %8s  %8s  %8s  %s\n", "when", "took", "first", "read",
                      "cached", "wrote", "api: model, served by");
    put_when(b, r->at_us);
    gs_buf_puts(b, "  ");
    put_seconds(b, r->total_us);
    gs_buf_puts(b, "  ");
    put_seconds(b, r->first_us);
    gs_buf_printf(b, "  %8" PRId64 "  %8" PRId64 "  %8" PRId64 "  ", r->prompt_tokens,
                  r->cached_tokens, r->answer_tokens);
    gs_cli_put_harmless(b, r->api);
    gs_buf_puts(b, ": ");
    gs_cli_put_harmless(b, r->model);
    if (r->served_by.len) {
        gs_buf_puts(b, ", ");
        gs_cli_put_harmless(b, r->served_by);
    }
    if (r->outcome != GS_LEDGER_ANSWERED)
        gs_buf_printf(b, "; %s (%d)", outcome_name(r), r->status);
    if (r->outcome == GS_LEDGER_FAILED) {
        gs_buf_puts(b, ": ");
        gs_cli_put_harmless(b, r->error);
    }
    gs_buf_putc(b, '\n');
    return gs_buf_ok(b);
}

static bool put_total(void *ud, const struct gs_ledger_total *t)
{
    struct gs_buf *b = ud;

    if (b->len == 0)
        gs_buf_printf(b, "%8s  %8s  %8s  %8s  %8s  %8s  %8s  %8s  %8s  %s\n", "requests", "failed",
                      "left", "read", "cached", "wrote", "first", "of 95 %", "per s", "served by");
    gs_buf_printf(b, "%8" PRId64 "  %8" PRId64 "  %8" PRId64, t->n, t->n_failed, t->n_left);
    const int64_t counts[] = {t->prompt_tokens, t->cached_tokens, t->answer_tokens};
    for (size_t i = 0; i < GS_COUNT_OF(counts); i++)
        gs_buf_printf(b, "  %8" PRId64, counts[i]);
    gs_buf_puts(b, "  ");
    put_seconds(b, t->first_p50_us);
    gs_buf_puts(b, "  ");
    put_seconds(b, t->first_p95_us);
    if (t->tokens_per_s > 0)
        gs_buf_printf(b, "  %8.1f  ", t->tokens_per_s);
    else
        gs_buf_printf(b, "  %8s  ", "-");
    gs_cli_put_harmless(b, t->served_by.len ? t->served_by : GS_SLICE_LIT("nobody"));
    gs_buf_putc(b, '\n');
    return gs_buf_ok(b);
}

/* ---- for programs ---- */

static void put_text(struct gs_buf *b, const char *key, struct gs_slice text)
{
    gs_cli_put_key(b, key);
    gs_json_write_string(b, text);
}

static void put_number(struct gs_buf *b, const char *key, int64_t n)
{
    gs_cli_put_key(b, key);
    gs_buf_printf(b, "%" PRId64, n);
}

/* A time that never came is null. */
static void put_time(struct gs_buf *b, const char *key, int64_t us)
{
    if (us >= 0) {
        put_number(b, key, us);
        return;
    }
    gs_cli_put_key(b, key);
    gs_buf_puts(b, "null");
}

static bool put_row_json(void *ud, const struct gs_ledger_request *r)
{
    struct gs_buf *b = ud;
    char when[40];

    gs_clock_format_us(r->at_us, when, sizeof(when));
    gs_buf_putc(b, '{');
    put_text(b, "id", r->id);
    put_text(b, "at", gs_slice_str(when));
    put_text(b, "api", r->api);
    put_text(b, "model", r->model);
    put_text(b, "served_by", r->served_by);
    put_text(b, "outcome", gs_slice_str(outcome_name(r)));
    put_number(b, "status", r->status);
    gs_cli_put_key(b, "stream");
    gs_buf_puts(b, r->stream ? "true" : "false");
    put_text(b, "error", r->error);
    put_number(b, "prompt_tokens", r->prompt_tokens);
    put_number(b, "cached_tokens", r->cached_tokens);
    put_number(b, "answer_tokens", r->answer_tokens);
    put_number(b, "reasoning_tokens", r->reasoning_tokens);
    put_time(b, "first_us", r->first_us);
    put_number(b, "total_us", r->total_us);
    gs_buf_puts(b, "}\n");
    return gs_buf_ok(b);
}

static bool put_total_json(void *ud, const struct gs_ledger_total *t)
{
    struct gs_buf *b = ud;

    gs_buf_putc(b, '{');
    put_text(b, "served_by", t->served_by);
    put_number(b, "requests", t->n);
    put_number(b, "failed", t->n_failed);
    put_number(b, "left", t->n_left);
    put_number(b, "prompt_tokens", t->prompt_tokens);
    put_number(b, "cached_tokens", t->cached_tokens);
    put_number(b, "answer_tokens", t->answer_tokens);
    put_time(b, "first_p50_us", t->first_p50_us);
    put_time(b, "first_p95_us", t->first_p95_us);
    gs_cli_put_key(b, "tokens_per_s");
    gs_buf_printf(b, "%.2f}\n", t->tokens_per_s);
    return gs_buf_ok(b);
}

/* ---- the command ---- */

enum gs_status gs_cli_ledger_path(const struct gs_config *c, char *path, size_t cap,
                                  struct gs_error *err)
{
    if (!c->data_dir) {
        gs_error_set(err, GS_ENOTFOUND, "there is no data folder to keep a ledger in");
        gs_error_hint(err, "Set HOME or XDG_DATA_HOME.");
        return GS_ENOTFOUND;
    }
    snprintf(path, cap, "%s/ledger.db", c->data_dir);
    return GS_OK;
}

int gs_cli_log(struct gs_config *c, struct gs_buf *out)
{
    const struct gs_ledger_query query = {
        .since_us = c->since_ms > 0 ? gs_clock_wall_us() - c->since_ms * 1000 : 0,
        .limit = c->last,
        .failed = c->failed,
    };
    struct gs_error err;
    char path[4096];
    enum gs_status st = gs_cli_ledger_path(c, path, sizeof(path), &err);

    if (st == GS_OK && c->totals)
        st = gs_ledger_sum(path, &query, c->json ? put_total_json : put_total, out, &err);
    else if (st == GS_OK)
        st = gs_ledger_read(path, &query, c->json ? put_row_json : put_row, out, &err);
    if (st != GS_OK)
        return gs_cli_fail(&err, GS_EXIT_FAILED);
    if (out->len == 0)
        gs_cli_note("no such request is recorded");
    return GS_EXIT_OK;
}
