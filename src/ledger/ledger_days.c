/* A day's number is that of its date: as if it were a day of the universal calendar, whose seconds
 * can be counted. */
#include "ledger/ledger_days.h"

#include <time.h>

#include "base/clock.h"

static struct tm local_time(int64_t wall_us)
{
    const time_t seconds = (time_t)(wall_us / 1000000);
    struct tm tm = {.tm_mday = 1, .tm_year = 70};

    localtime_r(&seconds, &tm);
    return tm;
}

static struct tm date_of(int64_t day)
{
    const time_t seconds = (time_t)(day * 86400);
    struct tm tm = {.tm_mday = 1, .tm_year = 70};

    gmtime_r(&seconds, &tm);
    return tm;
}

int64_t gs_ledger_day(int64_t wall_us)
{
    const struct tm tm = local_time(wall_us);

    return gs_clock_day(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
}

int64_t gs_ledger_month(int64_t wall_us)
{
    const struct tm tm = local_time(wall_us);

    return gs_clock_day(tm.tm_year + 1900, tm.tm_mon + 1, 1);
}

int64_t gs_ledger_day_begin(int64_t day)
{
    struct tm tm = date_of(day);

    tm.tm_isdst = -1;
    return (int64_t)mktime(&tm) / 60;
}

void gs_ledger_day_format(int64_t day, char *out, size_t cap)
{
    const struct tm tm = date_of(day);

    strftime(out, cap, "%Y-%m-%d", &tm);
}
