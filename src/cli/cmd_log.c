/* genset log: what was asked of this user's servers and what came of it, from the ledger. */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/slice.h"
#include "cli/cli.h"
#include "ledger/history.h"
#include "json/json.h"

#define ID_SHOWN 16 /* bytes of an id, the moment among them: enough to tell requests apart */

/* ---- for people ---- */

/* "0.12 s"; "-" for what never came. */
static void put_seconds(struct gs_buf *b, int64_t us)
{
    if (us < 0)
        gs_buf_printf(b, "%8s", "-");
    else
        gs_buf_printf(b, us < 10000000 ? "%6.2f s" : "%6.0f s", (double)us / 1e6);
}

static bool put_row(void *ud, const struct gs_ledger_request *r)
{
    struct gs_buf *b = ud;

    if (b->len == 0)
        gs_buf_printf(b, "%-19s  %-*s  %8s  %8s  %8s  %8s  %8s  %s\n", "when", ID_SHOWN, "id",
                      "took", "first", "read", "cached", "wrote", "api: model, served by");
    gs_cli_put_when(b, r->at_us);
    gs_buf_puts(b, "  ");
    gs_cli_put_harmless(b, gs_slice_sub(r->id, 0, ID_SHOWN));
    gs_buf_printf(b, "%*s  ", (int)(ID_SHOWN - GS_MIN(r->id.len, ID_SHOWN)), "");
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
    if (r->key.len) {
        gs_buf_puts(b, "; key ");
        gs_cli_put_harmless(b, r->key);
    }
    if (r->faults.len) {
        gs_buf_puts(b, r->outcome == GS_LEDGER_ANSWERED ? "; rescued from " : "; after ");
        gs_cli_put_harmless(b, r->faults);
    }
    if (r->privacy.len) {
        gs_buf_puts(b, "; ");
        gs_cli_put_harmless(b, r->privacy);
        gs_buf_puts(b, r->found.len ? ": " : "");
        gs_cli_put_harmless(b, r->found);
    }
    if (r->outcome != GS_LEDGER_ANSWERED)
        gs_buf_printf(b, "; %s (%d)", gs_ledger_outcome_name(r->outcome), r->status);
    if (r->outcome == GS_LEDGER_FAILED) {
        gs_buf_puts(b, ": ");
        gs_cli_put_harmless(b, r->error);
    }
    gs_buf_putc(b, '\n');
    return gs_buf_ok(b);
}

static bool put_attempt(void *ud, const struct gs_ledger_attempt *a)
{
    struct gs_buf *b = ud;

    if (a->number == 1)
        gs_buf_printf(b, "\n%7s  %8s  %8s  %8s  %8s  %8s  %8s  %11s  %s\n", "attempt", "took",
                      "first", "read", "cached", "wrote", "sent", "USD", "asked: outcome");
    gs_buf_printf(b, "%7d  ", a->number);
    put_seconds(b, a->total_us);
    gs_buf_puts(b, "  ");
    put_seconds(b, a->first_us);
    gs_buf_printf(b, "  %8" PRId64 "  %8" PRId64 "  %8" PRId64 "  %8" PRId64 "  %10.4f%s  ",
                  a->prompt_tokens, a->cached_tokens, a->answer_tokens, a->sent_bytes,
                  (double)a->cost_nanousd / 1e9, a->is_estimated ? "~" : " ");
    gs_cli_put_harmless(b, a->provider);
    gs_buf_putc(b, '/');
    gs_cli_put_harmless(b, a->model);
    gs_buf_printf(b, ": %s", gs_fault_meaning(a->fault));
    if (a->fault != GS_FAULT_NONE && a->status > 0)
        gs_buf_printf(b, " (%s, %d)", gs_fault_word(a->fault), a->status);
    else if (a->fault != GS_FAULT_NONE)
        gs_buf_printf(b, " (%s)", gs_fault_word(a->fault));
    gs_buf_puts(b, a->is_continuation ? ", going on with the answer" : "");
    gs_buf_puts(b, a->is_uplink ? ", our network was down\n" : "\n");
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

    gs_ledger_put_request(b, r);
    gs_buf_putc(b, '\n');
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

/* One request, and each attempt to have it answered. */
static enum gs_status put_one(const struct gs_config *c, const char *path,
                              const struct gs_ledger_query *q, struct gs_buf *out,
                              struct gs_error *err)
{
    enum gs_status st;

    if (c->json) {
        st = gs_ledger_write_json(path, GS_LEDGER_LOG, q, out, err);
        gs_buf_putc(out, '\n');
        return st;
    }
    st = gs_ledger_read(path, q, put_row, out, err);
    if (st == GS_OK && out->len > 0)
        st = gs_ledger_read_attempts(path, q, put_attempt, out, err);
    return st;
}

int gs_cli_log(struct gs_config *c, struct gs_buf *out)
{
    const struct gs_ledger_query query = {
        .since_us = c->since_ms > 0 ? gs_clock_wall_us() - c->since_ms * 1000 : 0,
        .limit = c->last,
        .failed = c->failed,
        .id = c->args.len ? gs_slice_str(c->args.items[0]) : (struct gs_slice){NULL, 0},
    };
    struct gs_error err;
    char path[4096];
    enum gs_status st = gs_cli_ledger_path(c, path, sizeof(path), &err);

    if (st == GS_OK && query.id.len > 0)
        st = put_one(c, path, &query, out, &err);
    else if (st == GS_OK && c->totals)
        st = gs_ledger_sum(path, &query, c->json ? put_total_json : put_total, out, &err);
    else if (st == GS_OK)
        st = gs_ledger_read(path, &query, c->json ? put_row_json : put_row, out, &err);
    if (st != GS_OK)
        return gs_cli_fail(&err, GS_EXIT_FAILED);
    if (out->len == 0)
        gs_cli_note("no such request is recorded");
    return GS_EXIT_OK;
}
