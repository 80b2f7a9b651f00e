/* Clocks. */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t read_us(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t gs_clock_mono_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

int64_t gs_clock_wall_us(void)
{
    return read_us(CLOCK_REALTIME);
}

int64_t gs_clock_wall_s(void)
{
    return gs_clock_wall_us() / 1000000;
}

void gs_clock_format_us(int64_t wall_us, char *out, size_t cap)
{
    const time_t seconds = (time_t)(wall_us / 1000000);
    const int ms = (int)(wall_us % 1000000 / 1000);
    struct tm tm;
    char text[32];

    gmtime_r(&seconds, &tm);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
    if (ms)
        snprintf(out, cap, "%s.%03dZ", text, ms);
    else
        snprintf(out, cap, "%sZ", text);
}

void gs_clock_iso8601(char *out, size_t cap)
{
    gs_clock_format_us(gs_clock_wall_us(), out, cap);
}
