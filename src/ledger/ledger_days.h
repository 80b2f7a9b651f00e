/* Days and minutes. Costs are counted by days of the local calendar, as budgets are; uptime by
 * minutes of the universal one, of which every day has 1440. Private to ledger/. */
#ifndef GS_LEDGER_LEDGER_DAYS_H
#define GS_LEDGER_LEDGER_DAYS_H

#include <stddef.h>
#include <stdint.h>

#define GS_LEDGER_US_PER_MINUTE   ((int64_t)60 * 1000000)
#define GS_LEDGER_MINUTES_PER_DAY 1440
#define GS_LEDGER_US_PER_DAY      (GS_LEDGER_MINUTES_PER_DAY * GS_LEDGER_US_PER_MINUTE)
#define GS_LEDGER_MAP_BYTES       (GS_LEDGER_MINUTES_PER_DAY / 8) /* one bit a minute */

/* Minutes since 1970. */
static inline int64_t gs_ledger_minute(int64_t wall_us)
{
    return wall_us / GS_LEDGER_US_PER_MINUTE;
}

/* The day of the local calendar, and the first of its month, in days since 1970. */
int64_t gs_ledger_day(int64_t wall_us);
int64_t gs_ledger_month(int64_t wall_us);
/* When a day of the local calendar begins, in minutes since 1970. */
int64_t gs_ledger_day_begin(int64_t day);
/* "2026-11-21" */
void gs_ledger_day_format(int64_t day, char *out, size_t cap);

#endif
