/* What the ledger tells, as JSON: money in US dollars, times in microseconds where they are short
 * and as ISO 8601 where they are moments. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/slice.h"
#include "ledger/history.h"
#include "json/json.h"

#define INCIDENTS_TOLD 20

/* ---- members ---- */

/* ,"key":  with the comma unless it is the first of an object. */
static void put_key(struct gs_buf *b, const char *key)
{
    if (b->len > 0 && b->ptr[b->len - 1] != '{')
        gs_buf_putc(b, ',');
    gs_buf_putc(b, '"');
    gs_buf_puts(b, key);
    gs_buf_puts(b, "\":");
}

/* The comma between the items of an array. */
static void put_comma(struct gs_buf *b)
{
    if (b->len > 0 && b->ptr[b->len - 1] == '}')
        gs_buf_putc(b, ',');
}

static void put_text(struct gs_buf *b, const char *key, struct gs_slice text)
{
    put_key(b, key);
    gs_json_write_string(b, text);
}

static void put_int(struct gs_buf *b, const char *key, int64_t n)
{
    put_key(b, key);
    gs_buf_int(b, n);
}

static void put_bool(struct gs_buf *b, const char *key, bool is)
{
    put_key(b, key);
    gs_buf_puts(b, is ? "true" : "false");
}

/* What never came is null. */
static void put_us(struct gs_buf *b, const char *key, int64_t us)
{
    put_key(b, key);
    if (us >= 0)
        gs_buf_int(b, us);
    else
        gs_buf_puts(b, "null");
}

static void put_when(struct gs_buf *b, const char *key, int64_t wall_us)
{
    char when[40];

    gs_clock_format_us(wall_us, when, sizeof(when));
    put_text(b, key, gs_slice_str(when));
}

static void put_day(struct gs_buf *b, int64_t day)
{
    char text[32];

    gs_ledger_format_day(day, text, sizeof(text));
    put_text(b, "day", gs_slice_str(text));
}

static void put_usd(struct gs_buf *b, const char *key, int64_t nanousd)
{
    put_key(b, key);
    gs_json_write_double(b, (double)nanousd / 1e9);
}

/* ---- requests and attempts ---- */

const char *gs_ledger_outcome_name(enum gs_ledger_outcome outcome)
{
    static const char *const names[] = {"answered", "failed", "left"};

    return (unsigned)outcome < GS_COUNT_OF(names) ? names[outcome] : "unknown";
}

static void put_request_members(struct gs_buf *b, const struct gs_ledger_request *r)
{
    put_text(b, "id", r->id);
    put_when(b, "at", r->at_us);
    put_text(b, "api", r->api);
    put_text(b, "model", r->model);
    put_text(b, "key", r->key);
    put_text(b, "served_by", r->served_by);
    put_text(b, "outcome", gs_slice_str(gs_ledger_outcome_name(r->outcome)));
    put_int(b, "status", r->status);
    put_bool(b, "stream", r->stream);
    put_text(b, "error", r->error);
    put_int(b, "prompt_tokens", r->prompt_tokens);
    put_int(b, "cached_tokens", r->cached_tokens);
    put_int(b, "answer_tokens", r->answer_tokens);
    put_int(b, "reasoning_tokens", r->reasoning_tokens);
    put_us(b, "first_us", r->first_us);
    put_int(b, "total_us", r->total_us);
    put_int(b, "attempts_made", r->n_attempts);
    put_text(b, "faults", r->faults);
    put_bool(b, "rescued", r->faults.len > 0 && r->outcome == GS_LEDGER_ANSWERED);
    put_usd(b, "cost_usd", r->cost_nanousd);
    put_bool(b, "estimated", r->is_estimated);
    put_int(b, "left_bytes", r->left_bytes);
    put_text(b, "privacy", r->privacy);
    put_text(b, "found", r->found);
}

void gs_ledger_put_request(struct gs_buf *b, const struct gs_ledger_request *r)
{
    put_comma(b);
    gs_buf_putc(b, '{');
    put_request_members(b, r);
    gs_buf_putc(b, '}');
}

void gs_ledger_put_attempt(struct gs_buf *b, const struct gs_ledger_attempt *a)
{
    put_comma(b);
    gs_buf_putc(b, '{');
    put_int(b, "number", a->number);
    put_text(b, "provider", a->provider);
    put_text(b, "model", a->model);
    put_when(b, "at", a->at_us);
    put_us(b, "connected_us", a->connected_us);
    put_us(b, "head_us", a->head_us);
    put_us(b, "first_us", a->first_us);
    put_int(b, "total_us", a->total_us);
    put_text(b, "fault", gs_slice_str(gs_fault_word(a->fault)));
    put_bool(b, "uplink", a->is_uplink);
    put_bool(b, "continuation", a->is_continuation);
    put_int(b, "status", a->status);
    put_int(b, "sent_bytes", a->sent_bytes);
    put_int(b, "received_bytes", a->received_bytes);
    put_int(b, "prompt_tokens", a->prompt_tokens);
    put_int(b, "cached_tokens", a->cached_tokens);
    put_int(b, "cache_write_tokens", a->cache_write_tokens);
    put_int(b, "answer_tokens", a->answer_tokens);
    put_usd(b, "cost_usd", a->cost_nanousd);
    put_bool(b, "estimated", a->is_estimated);
    put_us(b, "retry_after_us", a->retry_after_us);
    gs_buf_putc(b, '}');
}

static bool add_request(void *ud, const struct gs_ledger_request *r)
{
    gs_ledger_put_request(ud, r);
    return gs_buf_ok(ud);
}

static bool add_attempt(void *ud, const struct gs_ledger_attempt *a)
{
    gs_ledger_put_attempt(ud, a);
    return gs_buf_ok(ud);
}

static bool add_one_request(void *ud, const struct gs_ledger_request *r)
{
    put_request_members(ud, r);
    return false; /* ids are not given twice */
}

static enum gs_status write_one(const char *path, const struct gs_ledger_query *q, struct gs_buf *b,
                                struct gs_error *err)
{
    const size_t before = b->len;
    enum gs_status st = gs_ledger_read(path, q, add_one_request, b, err);

    if (st == GS_OK && b->len == before)
        st = gs_error_set(err, GS_ENOTFOUND, "no request \"%.*s\" is recorded",
                          (int)GS_MIN(q->id.len, 100), q->id.ptr);
    if (st != GS_OK)
        return st;
    gs_buf_puts(b, ",\"attempts\":[");
    st = gs_ledger_read_attempts(path, q, add_attempt, b, err);
    gs_buf_putc(b, ']');
    return st;
}

static enum gs_status write_log(const char *path, const struct gs_ledger_query *q, struct gs_buf *b,
                                struct gs_error *err)
{
    if (q->id.len > 0)
        return write_one(path, q, b, err);
    gs_buf_puts(b, "\"requests\":[");
    const enum gs_status st = gs_ledger_read(path, q, add_request, b, err);
    gs_buf_putc(b, ']');
    return st;
}

/* ---- history ---- */

static bool add_uptime(void *ud, const struct gs_ledger_uptime *u)
{
    struct gs_buf *b = ud;

    put_comma(b);
    gs_buf_putc(b, '{');
    put_text(b, "provider", u->provider);
    put_int(b, "known_minutes", u->all.n_known);
    put_int(b, "down_minutes", u->all.n_down);
    put_key(b, "days");
    gs_buf_putc(b, '[');
    for (int i = 0; i < GS_LEDGER_UPTIME_DAYS; i++) {
        gs_buf_puts(b, i ? ",{" : "{");
        put_day(b, u->first_day + i);
        put_int(b, "known_minutes", u->days[i].n_known);
        put_int(b, "down_minutes", u->days[i].n_down);
        gs_buf_putc(b, '}');
    }
    gs_buf_puts(b, "]}");
    return gs_buf_ok(b);
}

static bool add_incident(void *ud, const struct gs_ledger_incident *i)
{
    struct gs_buf *b = ud;

    put_comma(b);
    gs_buf_putc(b, '{');
    put_text(b, "provider", i->provider);
    put_when(b, "begin", i->begin_us);
    put_when(b, "end", i->end_us);
    put_int(b, "minutes", (i->end_us - i->begin_us) / 60000000);
    put_bool(b, "over", i->is_over);
    put_int(b, "failed_attempts", i->n_failed);
    put_text(b, "faults", i->faults);
    put_int(b, "requests", i->n_requests);
    put_int(b, "rescued", i->n_rescued);
    put_text(b, "rescued_by", i->rescuers);
    gs_buf_putc(b, '}');
    return gs_buf_ok(b);
}

static bool add_speed(void *ud, const struct gs_ledger_speed *s)
{
    struct gs_buf *b = ud;

    put_comma(b);
    gs_buf_putc(b, '{');
    put_text(b, "provider", s->provider);
    put_text(b, "model", s->model);
    put_int(b, "answers", s->n);
    put_us(b, "first_p50_us", s->first_p50_us);
    put_us(b, "first_p95_us", s->first_p95_us);
    put_key(b, "tokens_per_s");
    gs_json_write_double(b, s->tokens_per_s);
    gs_buf_putc(b, '}');
    return gs_buf_ok(b);
}

static void add_breaker(void *ud, const struct gs_ledger_breaker *br)
{
    struct gs_buf *b = ud;

    put_comma(b);
    gs_buf_putc(b, '{');
    put_text(b, "key", br->key);
    put_int(b, "failures", br->n_failures);
    put_int(b, "opens", br->n_opens);
    put_when(b, "until", br->until_us);
    put_bool(b, "open", br->until_us > gs_clock_wall_us());
    put_text(b, "fault", gs_slice_str(gs_fault_word(br->fault)));
    gs_buf_putc(b, '}');
}

static enum gs_status write_history(const char *path, const struct gs_ledger_query *q,
                                    struct gs_buf *b, struct gs_error *err)
{
    const struct gs_ledger_memory breakers = {.on_breaker = add_breaker, .ud = b};

    gs_buf_puts(b, "\"uptime\":[");
    enum gs_status st = gs_ledger_read_uptime(path, add_uptime, b, err);
    gs_buf_puts(b, "],\"incidents\":[");
    if (st == GS_OK)
        st = gs_ledger_read_incidents(path, INCIDENTS_TOLD, add_incident, b, err);
    gs_buf_puts(b, "],\"speed\":[");
    if (st == GS_OK)
        st = gs_ledger_read_speeds(path, q, add_speed, b, err);
    gs_buf_puts(b, "],\"remembered\":[");
    if (st == GS_OK)
        st = gs_ledger_recall(path, &breakers, err);
    gs_buf_putc(b, ']');
    return st;
}

/* ---- costs ---- */

void gs_ledger_put_cost(struct gs_buf *b, const struct gs_ledger_cost *c)
{
    put_comma(b);
    gs_buf_putc(b, '{');
    if (c->day >= 0)
        put_day(b, c->day);
    put_text(b, "provider", c->provider);
    put_text(b, "model", c->model);
    put_int(b, "attempts", c->n);
    put_int(b, "failed", c->n_failed);
    put_int(b, "prompt_tokens", c->prompt_tokens);
    put_int(b, "cached_tokens", c->cached_tokens);
    put_int(b, "cache_write_tokens", c->cache_write_tokens);
    put_int(b, "answer_tokens", c->answer_tokens);
    put_usd(b, "cost_usd", c->cost_nanousd);
    put_int(b, "estimated_attempts", c->n_estimated);
    gs_buf_putc(b, '}');
}

static bool add_cost(void *ud, const struct gs_ledger_cost *c)
{
    gs_ledger_put_cost(ud, c);
    return gs_buf_ok(ud);
}

static void add_spent(void *ud, const struct gs_ledger_spent *s)
{
    struct gs_buf *b = ud;

    put_comma(b);
    gs_buf_putc(b, '{');
    put_text(b, s->key.len ? "key" : "provider", s->key.len ? s->key : s->provider);
    put_usd(b, "day_usd", s->day_nanousd);
    put_usd(b, "month_usd", s->month_nanousd);
    gs_buf_putc(b, '}');
}

static enum gs_status write_costs(const char *path, const struct gs_ledger_query *q,
                                  struct gs_buf *b, struct gs_error *err)
{
    const struct gs_ledger_memory spent = {.on_spent = add_spent, .ud = b};
    const struct gs_ledger_memory keys = {.on_key = add_spent, .ud = b};

    gs_buf_puts(b, "\"days\":[");
    enum gs_status st = gs_ledger_read_costs(path, q, GS_LEDGER_BY_ALL, add_cost, b, err);
    gs_buf_puts(b, "],\"spent\":[");
    if (st == GS_OK)
        st = gs_ledger_recall(path, &spent, err);
    gs_buf_puts(b, "],\"keys\":[");
    if (st == GS_OK)
        st = gs_ledger_recall(path, &keys, err);
    gs_buf_putc(b, ']');
    return st;
}

/* ---- all ---- */

enum gs_status gs_ledger_write_json(const char *path, enum gs_ledger_subject subject,
                                    const struct gs_ledger_query *q, struct gs_buf *b,
                                    struct gs_error *err)
{
    enum gs_status st = GS_OK;

    gs_buf_putc(b, '{');
    switch (subject) {
    case GS_LEDGER_HISTORY:
        st = write_history(path, q, b, err);
        break;
    case GS_LEDGER_COST:
        st = write_costs(path, q, b, err);
        break;
    case GS_LEDGER_LOG:
        st = write_log(path, q, b, err);
        break;
    }
    gs_buf_putc(b, '}');
    if (st == GS_OK && !gs_buf_ok(b))
        return gs_error_nomem(err, "tell what the ledger has");
    return st;
}
