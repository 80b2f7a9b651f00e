/* Clocks. */
#include "base/clock.h"

#include <time.h>

#include "base/format.h"
#include "base/slice.h"

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

static void put_digits(char *to, int n, size_t width)
{
    for (size_t i = width; i-- > 0; n /= 10)
        to[i] = (char)('0' + n % 10);
}

void gs_clock_format_us(int64_t wall_us, char *out, size_t cap)
{
    const time_t seconds = (time_t)(wall_us / 1000000);
    const int ms = (int)(wall_us % 1000000 / 1000);
    char text[] = "0000-00-00T00:00:00.000Z";
    struct tm tm;

    gmtime_r(&seconds, &tm);
    put_digits(text, 1900 + tm.tm_year, 4);
    put_digits(text + 5, 1 + tm.tm_mon, 2);
    put_digits(text + 8, tm.tm_mday, 2);
    put_digits(text + 11, tm.tm_hour, 2);
    put_digits(text + 14, tm.tm_min, 2);
    put_digits(text + 17, tm.tm_sec, 2);
    put_digits(text + 20, ms, 3);
    gs_format(out, cap, "%.*s%s", ms ? 23 : 19, text, "Z");
}

void gs_clock_iso8601(char *out, size_t cap)
{
    gs_clock_format_us(gs_clock_wall_us(), out, cap);
}

/* Howard Hinnant's days_from_civil (http://howardhinnant.github.io/date_algorithms.html): years
 * begin in March, so that a leap day is the last of its year. */
int64_t gs_clock_day(int64_t year, int month, int day)
{
    const int64_t y = year - (month <= 2);
    const int64_t era = y / 400;
    const int64_t of_era = y - era * 400;
    const int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

bool gs_clock_parse(struct gs_slice text, int64_t *out_wall_us)
{
    static const char form[] = "0000-00-00T00:00:00";
    int64_t parts[6] = {0};
    size_t part = 0;

    if (text.len < sizeof(form) || text.ptr[text.len - 1] != 'Z')
        return false;
    for (size_t i = 0; form[i]; i++) {
        const bool is_digit = text.ptr[i] >= '0' && text.ptr[i] <= '9';
        if (is_digit != (form[i] == '0') || (!is_digit && text.ptr[i] != form[i]))
            return false;
        if (is_digit)
            parts[part] = parts[part] * 10 + (text.ptr[i] - '0');
        else
            part++;
    }
    if (parts[1] < 1 || parts[1] > 12 || parts[2] < 1 || parts[2] > 31)
        return false;
    const int64_t day = gs_clock_day(parts[0], (int)parts[1], (int)parts[2]);
    *out_wall_us = ((day * 24 + parts[3]) * 60 + parts[4]) * 60000000 + parts[5] * 1000000;
    return true;
}
