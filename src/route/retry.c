/* Every provider tells the end of a wait in its own way; one reader takes all of them, telling them
 * apart by their form. Numbers beyond 10^9 are times, not durations. */
#include "route/retry.h"

#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "base/slice.h"

#define SECOND_US  ((int64_t)1000000)
#define MS_US      ((int64_t)1000)
#define DAY_S      ((int64_t)86400)
#define MAX_WAIT_S (400 * 86400.0) /* beyond it a number is nonsense */
#define EPOCH_S    1e9             /* a number from here on is a time, in seconds */
#define EPOCH_MS   1e12            /* and from here on in milliseconds */

#define N_TOKENS        100.0
#define TOKENS_REQUEST  0.2
#define TOKENS_A_SECOND 10.0

/* ---- times ---- */

/* Days from 1970-01-01, of the Gregorian calendar (years begin in March, eras have 400). */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    const int64_t y = month <= 2 ? year - 1 : year;
    const int64_t era = y / 400;
    const int64_t year_of_era = y - era * 400;
    const int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

struct when {
    int64_t year, month, day, hour, minute, second;
};

/* Microseconds from `wall_us` until then, at least 0; -1 if there is no such time. */
static int64_t until(const struct when *w, int64_t offset_s, int64_t wall_us)
{
    if (w->year < 1970 || w->year > 9999 || w->month < 1 || w->month > 12 || w->day < 1 ||
        w->day > 31 || w->hour > 23 || w->minute > 59 || w->second > 60)
        return -1;
    const int64_t at_s = days_of(w->year, w->month, w->day) * DAY_S + w->hour * 3600 +
                         w->minute * 60 + w->second - offset_s;
    return GS_MAX(at_s * SECOND_US - wall_us, 0);
}

/* Exactly `n` digits at s[off]; -1: there are others. */
static int64_t digits_at(struct gs_slice s, size_t off, size_t n)
{
    int64_t v;
    const struct gs_slice part = gs_slice_sub(s, off, off + n);

    if (part.len != n || part.ptr[0] == '-' || !gs_slice_to_i64(part, &v))
        return -1;
    return v;
}

static bool has_at(struct gs_slice s, size_t off, const char *any_of)
{
    return off < s.len && s.ptr[off] != '\0' && strchr(any_of, s.ptr[off]);
}

/* "2026-01-15T09:30:00.123Z", "2026-01-15T09:30:00+01:00" */
static int64_t rfc3339_us(struct gs_slice s, int64_t wall_us)
{
    const struct when w = {digits_at(s, 0, 4),  digits_at(s, 5, 2),  digits_at(s, 8, 2),
                           digits_at(s, 11, 2), digits_at(s, 14, 2), digits_at(s, 17, 2)};
    size_t off = 19;
    int64_t offset_s = 0;

    if (!has_at(s, 4, "-") || !has_at(s, 7, "-") || !has_at(s, 10, "Tt ") || !has_at(s, 13, ":") ||
        !has_at(s, 16, ":") || w.hour < 0 || w.minute < 0 || w.second < 0)
        return -1;
    if (has_at(s, off, "."))
        do
            off++;
        while (has_at(s, off, "0123456789"));
    if (has_at(s, off, "+-")) {
        const int64_t hours = digits_at(s, off + 1, 2);
        const int64_t minutes = digits_at(s, off + 4, 2);
        if (hours < 0 || minutes < 0 || !has_at(s, off + 3, ":"))
            return -1;
        offset_s = (hours * 3600 + minutes * 60) * (s.ptr[off] == '-' ? -1 : 1);
    } else if (!has_at(s, off, "Zz")) {
        return -1;
    }
    return until(&w, offset_s, wall_us);
}

static int64_t month_of(struct gs_slice word)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

    for (size_t i = 0; word.len == 3 && i < 12; i++)
        if (memcmp(names + 3 * i, word.ptr, 3) == 0)
            return (int64_t)i + 1;
    return 0;
}

/* One word of a date: a clock, a month's name, the day, then the year. The day of the week and
 * "GMT" say nothing. */
static bool take_word(struct when *w, struct gs_slice word)
{
    int64_t n;

    if (gs_slice_find(word, GS_SLICE_LIT(":"), 0) != SIZE_MAX) {
        w->hour = digits_at(word, 0, 2);
        w->minute = digits_at(word, 3, 2);
        w->second = digits_at(word, 6, 2);
        return word.len == 8 && w->hour >= 0 && w->minute >= 0 && w->second >= 0;
    }
    if (month_of(word) > 0)
        w->month = month_of(word);
    if (!gs_slice_to_i64(word, &n) || n < 0)
        return true;
    if (w->day == 0)
        w->day = n;
    else if (word.len == 2)
        w->year = n + (n < 70 ? 2000 : 1900);
    else
        w->year = n;
    return true;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994" */
static int64_t http_date_us(struct gs_slice s, int64_t wall_us)
{
    struct when w = {.hour = -1};
    size_t from = 0;

    for (size_t i = 0; i <= s.len; i++) {
        if (i < s.len && !has_at(s, i, " ,-"))
            continue;
        if (i > from && !take_word(&w, gs_slice_sub(s, from, i)))
            return -1;
        from = i + 1;
    }
    return w.hour < 0 ? -1 : until(&w, 0, wall_us);
}

/* ---- durations ---- */

static struct gs_slice number_at(struct gs_slice s, size_t off)
{
    size_t end = off;

    while (has_at(s, end, "0123456789."))
        end++;
    return gs_slice_sub(s, off, end);
}

static double unit_s(struct gs_slice word)
{
    static const struct {
        const char *word;
        double s;
    } units[] = {{"ms", 1e-3}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};

    for (size_t i = 0; i < GS_COUNT_OF(units); i++)
        if (gs_slice_eq_str(word, units[i].word))
            return units[i].s;
    return 0;
}

/* "1.5", "6m0s", "12ms", "1700000000": in microseconds from now; -1: it is nothing of the kind. */
static int64_t number_us(struct gs_slice s, int64_t wall_us)
{
    double sum_s = 0;

    for (size_t off = 0; off < s.len;) {
        const struct gs_slice number = number_at(s, off);
        size_t end = off + number.len;
        double v;
        while (end < s.len && !has_at(s, end, "0123456789."))
            end++;
        const struct gs_slice unit = gs_slice_sub(s, off + number.len, end);
        const bool is_plain = number.len == s.len;
        if (!gs_slice_to_double(number, &v) || (!is_plain && unit_s(unit) == 0))
            return -1;
        if (is_plain && v >= EPOCH_S)
            v = (v >= EPOCH_MS ? v / 1000 : v) - (double)wall_us / (double)SECOND_US;
        sum_s += GS_MAX(v, 0) * (is_plain ? 1 : unit_s(unit));
        off = end;
    }
    return sum_s > MAX_WAIT_S ? -1 : (int64_t)(sum_s * (double)SECOND_US);
}

int64_t gs_retry_value_us(struct gs_slice value, int64_t wall_us)
{
    const struct gs_slice s = gs_slice_trim(value);
    int64_t us = -1;

    if (s.len == 0 || s.len > 64)
        return -1;
    if (has_at(s, 0, "0123456789."))
        us = has_at(s, 4, "-") ? rfc3339_us(s, wall_us) : number_us(s, wall_us);
    return us >= 0 ? us : http_date_us(s, wall_us);
}

/* ---- headers ---- */

static bool is_spent(struct gs_slice remaining)
{
    return remaining.len == 0 || gs_slice_eq_str(gs_slice_trim(remaining), "0");
}

static int64_t milliseconds_us(struct gs_slice value)
{
    double ms;

    if (!gs_slice_to_double(gs_slice_trim(value), &ms) || !(ms >= 0 && ms <= MAX_WAIT_S * 1000))
        return -1;
    return (int64_t)(ms * (double)MS_US);
}

/* The wait until every limit of which nothing is left is whole again. Who sends no such number has
 * nothing left either: this is a refusal. */
static int64_t limits_us(gs_retry_header_fn *get, void *ud, int64_t wall_us)
{
    static const char *const limits[][2] = {
        {"anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"},
        {"anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"},
        {"anthropic-ratelimit-input-tokens-remaining", "anthropic-ratelimit-input-tokens-reset"},
        {"anthropic-ratelimit-output-tokens-remaining", "anthropic-ratelimit-output-tokens-reset"},
        {"x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"},
        {"x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"},
        {"x-ratelimit-remaining", "x-ratelimit-reset"},
    };
    int64_t most_us = -1;

    for (size_t i = 0; i < GS_COUNT_OF(limits); i++)
        if (is_spent(get(ud, limits[i][0])))
            most_us = GS_MAX(most_us, gs_retry_value_us(get(ud, limits[i][1]), wall_us));
    return most_us;
}

int64_t gs_retry_after_us(gs_retry_header_fn *get, void *ud, int64_t wall_us)
{
    int64_t us = milliseconds_us(get(ud, "retry-after-ms"));

    if (us < 0)
        us = milliseconds_us(get(ud, "x-ms-retry-after-ms"));
    if (us < 0)
        us = gs_retry_value_us(get(ud, "retry-after"), wall_us);
    if (us < 0 && gs_slice_eq_str(get(ud, "anthropic-ratelimit-unified-status"), "rejected"))
        us = gs_retry_value_us(get(ud, "anthropic-ratelimit-unified-reset"), wall_us);
    return us >= 0 ? us : limits_us(get, ud, wall_us);
}

/* ---- budget ---- */

void gs_retry_budget_init(struct gs_retry_budget *b, int64_t now_us)
{
    *b = (struct gs_retry_budget){N_TOKENS, now_us};
}

void gs_retry_budget_request(struct gs_retry_budget *b)
{
    b->tokens = GS_MIN(b->tokens + TOKENS_REQUEST, N_TOKENS);
}

bool gs_retry_budget_take(struct gs_retry_budget *b, int64_t now_us)
{
    const double passed_s = (double)GS_MAX(now_us - b->at_us, 0) / (double)SECOND_US;

    b->tokens = GS_MIN(b->tokens + passed_s * TOKENS_A_SECOND, N_TOKENS);
    b->at_us = now_us;
    if (b->tokens < 1)
        return false;
    b->tokens -= 1;
    return true;
}
