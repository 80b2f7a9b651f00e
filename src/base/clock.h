/* Time. Durations come from the monotonic clock; the wall clock is for people and APIs. */
#ifndef GS_BASE_CLOCK_H
#define GS_BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "genset/slice.h"

int64_t gs_clock_mono_us(void);
int64_t gs_clock_wall_s(void); /* seconds since 1970 */
int64_t gs_clock_wall_us(void);
/* "2026-01-15T09:30:00.123Z" (UTC) now. */
void gs_clock_iso8601(char *out, size_t cap);
/* The same for a given time, without the fraction when us is whole seconds. */
void gs_clock_format_us(int64_t wall_us, char *out, size_t cap);
/* Back from that to the second; false if it is none. */
bool gs_clock_parse(struct gs_slice text, int64_t *out_wall_us);
/* The number of a date's day, counted from 1970-01-01. */
int64_t gs_clock_day(int64_t year, int month, int day);

#endif
