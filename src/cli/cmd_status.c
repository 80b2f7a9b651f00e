/* genset status: how providers are and were. The running server's answer and what its ledger alone
 * tells are the same JSON, but for the providers as they are now: one reader shows both. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/slice.h"
#include "cli/cli.h"
#include "ledger/history.h"
#include "json/json.h"

#define MAX_INCIDENTS 5
#define DAYS_OF_SPEED 7
#define N_WEEKS       4
#define US_PER_DAY    ((int64_t)24 * 3600 * 1000000)

/* Where it is shown. */
struct screen {
    struct gs_buf *out;
    size_t width; /* columns */
    bool has_colour;
};

/* ---- JSON ---- */

/* Members that are missing, or of another kind, are empty. */
static int64_t get_int(const struct gs_json *v, const char *key)
{
    int64_t n = 0;

    (void)!gs_json_get_int(v, key, &n, NULL);
    return n;
}

static struct gs_slice get_text(const struct gs_json *v, const char *key)
{
    struct gs_slice text = {"", 0};

    (void)!gs_json_get_string(v, key, &text, NULL);
    return text;
}

static bool get_bool(const struct gs_json *v, const char *key)
{
    bool is = false;

    (void)!gs_json_get_bool(v, key, &is, NULL);
    return is;
}

static size_t count(const struct gs_json *list)
{
    return list && list->kind == GS_JSON_ARRAY ? list->u.array.len : 0;
}

static const struct gs_json *item(const struct gs_json *list, size_t i)
{
    return &list->u.array.items[i];
}

static const struct gs_json *find(const struct gs_json *list, const char *key, struct gs_slice text)
{
    for (size_t i = 0; i < count(list); i++)
        if (gs_slice_eq(get_text(item(list, i), key), text))
            return item(list, i);
    return NULL;
}

/* ---- a provider ---- */

static void put_colour(const struct screen *s, const char *code)
{
    if (s->has_colour)
        gs_buf_printf(s->out, "\x1b[%sm", code);
}

/* A moment that is told in UTC, as it is here. */
static void put_moment(const struct screen *s, struct gs_slice iso)
{
    int64_t wall_us;

    if (gs_clock_parse(iso, &wall_us))
        gs_cli_put_when(s->out, wall_us);
}

/* A block a day, the higher the better; a dot where nobody asked. */
static void put_bar(const struct screen *s, const struct gs_json *days)
{
    static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    const size_t n = count(days);
    const char *colour = "";

    gs_buf_puts(s->out, "  ");
    for (size_t i = n - GS_MIN(n, s->width - 2); i < n; i++) {
        const int64_t known = get_int(item(days, i), "known_minutes");
        const int64_t down = get_int(item(days, i), "down_minutes");
        const int64_t level = known > 0 ? (known - down) * 7 / known : 0;
        const char *wanted = known <= 0 ? "2" : down == 0 ? "32" : level < 6 ? "31" : "33";
        if (strcmp(wanted, colour) != 0) {
            put_colour(s, "0");
            put_colour(s, wanted);
        }
        colour = wanted;
        gs_buf_puts(s->out, known <= 0 ? "·" : blocks[GS_MIN(GS_MAX(level, 0), 7)]);
    }
    put_colour(s, "0");
    gs_buf_putc(s->out, '\n');
}

/* "  up in 98.92 % of 1203 min in which it was asked; down by week, latest first: 10, 0, 0, 3 min"
 */
static void put_uptime(const struct screen *s, const struct gs_json *uptime)
{
    const struct gs_json *days = gs_json_get(uptime, "days");
    const int64_t known = get_int(uptime, "known_minutes");
    const int64_t down = get_int(uptime, "down_minutes");
    size_t end = count(days);

    put_bar(s, days);
    gs_buf_printf(s->out, "  up in %.2f %% of %" PRId64 " min in which it was asked",
                  known > 0 ? 100.0 * (double)(known - down) / (double)known : 0, known);
    for (int week = 0; down > 0 && week < N_WEEKS; week++) {
        const size_t begin = end - GS_MIN(end, 7);
        int64_t minutes = 0;
        for (size_t i = begin; i < end; i++)
            minutes += get_int(item(days, i), "down_minutes");
        gs_buf_printf(s->out, "%s %" PRId64, week ? "," : "; down by week, latest first:", minutes);
        end = begin;
    }
    gs_buf_puts(s->out, down > 0 ? " min\n" : "\n");
}

/* When it is asked again, or 0: now. A running server tells how long it waits, a ledger when a wait
 * was to end. */
static int64_t closed_until_us(const struct gs_json *breaker)
{
    const int64_t now_us = gs_clock_wall_us();
    const int64_t wait_us = get_int(breaker, "wait_ms") * 1000;
    int64_t until_us = 0;

    if (wait_us > 0)
        return now_us + wait_us;
    return gs_clock_parse(get_text(breaker, "until"), &until_us) && until_us > now_us ? until_us
                                                                                      : 0;
}

/* Of the breakers of a provider ("name/model", "name#key") those that keep it from being asked. */
static void put_breakers(const struct screen *s, const struct gs_json *breakers,
                         struct gs_slice name)
{
    for (size_t i = 0; i < count(breakers); i++) {
        const struct gs_json *b = item(breakers, i);
        const struct gs_slice key = get_text(b, "key");
        const bool is_its = gs_slice_starts(key, name) && key.len > name.len &&
                            (key.ptr[name.len] == '/' || key.ptr[name.len] == '#');
        const int64_t until_us = is_its ? closed_until_us(b) : 0;
        if (until_us == 0)
            continue;
        put_colour(s, "31");
        gs_buf_puts(s->out, "  ");
        const bool is_key = key.ptr[name.len] == '#';
        gs_cli_put_harmless(s->out, is_key ? name : key);
        gs_buf_puts(s->out, is_key ? " with one key" : "");
        gs_buf_puts(s->out, ": not asked before ");
        gs_cli_put_when(s->out, until_us);
        gs_buf_puts(s->out, ", ");
        gs_cli_put_harmless(s->out, get_text(b, "fault"));
        put_colour(s, "0");
        gs_buf_putc(s->out, '\n');
    }
}

static void put_provider(const struct screen *s, const struct gs_json *v, struct gs_slice name)
{
    const struct gs_json *live = gs_json_get(v, "breakers");
    const struct gs_json *uptime = find(gs_json_get(v, "uptime"), "provider", name);

    put_colour(s, "1");
    gs_cli_put_harmless(s->out, name);
    put_colour(s, "0");
    gs_buf_putc(s->out, '\n');
    put_breakers(s, live ? live : gs_json_get(v, "remembered"), name);
    if (uptime)
        put_uptime(s, uptime);
}

/* Those there are, then those there were. */
static void put_providers(const struct screen *s, const struct gs_json *v)
{
    const struct gs_json *now = gs_json_get(v, "providers");
    const struct gs_json *uptime = gs_json_get(v, "uptime");

    if (gs_slice_eq_str(get_text(v, "uplink"), "down"))
        gs_buf_puts(s->out, "the network is down: nobody beyond this machine is asked\n");
    if (get_bool(gs_json_get(v, "power"), "battery"))
        gs_buf_puts(s->out, "this machine runs on battery\n");
    if (get_bool(gs_json_get(v, "power"), "hot"))
        gs_buf_puts(s->out,
                    "this machine is hot: its processor was held back in the last minute\n");
    for (size_t i = 0; i < count(now); i++)
        put_provider(s, v, get_text(item(now, i), "name"));
    for (size_t i = 0; i < count(uptime); i++) {
        const struct gs_slice name = get_text(item(uptime, i), "provider");
        if (!find(now, "name", name))
            put_provider(s, v, name);
    }
}

/* ---- what happened ---- */

static void put_incidents(const struct screen *s, const struct gs_json *incidents)
{
    for (size_t i = 0; i < GS_MIN(count(incidents), MAX_INCIDENTS); i++) {
        const struct gs_json *v = item(incidents, i);
        const struct gs_slice faults = get_text(v, "faults");
        const struct gs_slice by = get_text(v, "rescued_by");
        gs_buf_puts(s->out, i ? "  " : "\nincidents\n  ");
        put_moment(s, get_text(v, "begin"));
        gs_buf_printf(s->out, "  %5" PRId64 " min%s  ", get_int(v, "minutes"),
                      get_bool(v, "over") ? "       " : " so far");
        gs_cli_put_harmless(s->out, get_text(v, "provider"));
        gs_buf_puts(s->out, faults.len ? ": " : "");
        gs_cli_put_harmless(s->out, faults);
        if (get_int(v, "requests") > 0) /* else it was longer ago than they are kept */
            gs_buf_printf(s->out, "; %" PRId64 " of %" PRId64 " requests rescued",
                          get_int(v, "rescued"), get_int(v, "requests"));
        gs_buf_puts(s->out, by.len ? " by " : "");
        gs_cli_put_harmless(s->out, by);
        gs_buf_putc(s->out, '\n');
    }
}

static void put_speed(const struct screen *s, const struct gs_json *speed)
{
    if (count(speed) > 0)
        gs_buf_printf(s->out, "\n%8s  %9s  %9s  %8s  %s\n", "answers", "first", "of 95 %", "per s",
                      "model");
    for (size_t i = 0; i < count(speed); i++) {
        const struct gs_json *v = item(speed, i);
        double per_s = 0;
        (void)!gs_json_get_double(v, "tokens_per_s", &per_s, NULL);
        gs_buf_printf(s->out, "%8" PRId64 "  %7.2f s  %7.2f s  %8.1f  ", get_int(v, "answers"),
                      (double)get_int(v, "first_p50_us") / 1e6,
                      (double)get_int(v, "first_p95_us") / 1e6, per_s);
        gs_cli_put_harmless(s->out, get_text(v, "provider"));
        gs_buf_putc(s->out, '/');
        gs_cli_put_harmless(s->out, get_text(v, "model"));
        gs_buf_putc(s->out, '\n');
    }
}

/* ---- the command ---- */

static size_t width_of_terminal(void)
{
    struct winsize size = {0};

    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 2 ? size.ws_col : SIZE_MAX;
}

/* Colours cannot pass main(), which lets nothing steer a terminal: all names are harmless here. */
static int show(struct gs_slice text, struct gs_buf *out, struct gs_error *err)
{
    const char *no_colour = getenv("NO_COLOR");
    const bool is_terminal = isatty(STDOUT_FILENO) == 1;
    const struct screen s = {
        .out = out,
        .width = width_of_terminal(),
        .has_colour = is_terminal && !(no_colour && no_colour[0]),
    };
    struct gs_arena arena;
    struct gs_json json;
    int code = GS_EXIT_OK;

    gs_arena_init(&arena, GS_MAX_TEXT_BYTES);
    if (gs_json_parse(text, &arena, &json, err) != GS_OK) {
        code = gs_cli_fail(err, GS_EXIT_FAILED);
    } else {
        put_providers(&s, &json);
        put_incidents(&s, gs_json_get(&json, "incidents"));
        put_speed(&s, gs_json_get(&json, "speed"));
    }
    if (code == GS_EXIT_OK && s.has_colour && gs_buf_ok(out)) {
        code = gs_cli_write(gs_buf_view(out)) ? GS_EXIT_OK : GS_EXIT_FAILED;
        gs_buf_reset(out);
    } else if (out->len == 0) {
        gs_cli_note("nothing is known of any provider");
    }
    gs_arena_clear(&arena);
    return code;
}

static enum gs_status read_ledger(const struct gs_config *c, struct gs_buf *text,
                                  struct gs_error *err)
{
    const struct gs_ledger_query q = {.since_us = gs_clock_wall_us() - DAYS_OF_SPEED * US_PER_DAY};
    char path[4096];
    const enum gs_status st = gs_cli_ledger_path(c, path, sizeof(path), err);

    return st == GS_OK ? gs_ledger_write_json(path, GS_LEDGER_HISTORY, &q, text, err) : st;
}

int gs_cli_status(struct gs_config *c, struct gs_buf *out)
{
    struct gs_error err;
    struct gs_buf text;
    bool is_running;
    int code = GS_EXIT_OK;

    gs_buf_init(&text, GS_MAX_RESPONSE_BYTES);
    enum gs_status st = gs_cli_server_get(c, "/api/genset/status", &text, &is_running, &err);
    if (st == GS_ENOTFOUND && !is_running) {
        gs_cli_note("no server runs at %s: this is from its ledger", c->listen);
        st = read_ledger(c, &text, &err);
    }
    if (st != GS_OK) {
        code = gs_cli_fail(&err, GS_EXIT_FAILED);
    } else if (c->json) {
        gs_buf_slice(out, gs_buf_view(&text));
        gs_buf_putc(out, '\n');
    } else {
        code = show(gs_buf_view(&text), out, &err);
    }
    gs_buf_clear(&text);
    return code;
}
