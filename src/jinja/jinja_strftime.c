/* Directives of strftime(3) with glibc's flags '-', '_', '0', '^' and '#'. Independent of locale
 * and time zone, so that a prompt is the same everywhere. */
#include "jinja/jinja_strftime.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/slice.h"

struct moment {
    int64_t seconds;
    int micros;
    int year;
    int month; /* 1..12 */
    int day;   /* 1..31 */
    int yday;  /* 1..366 */
    int wday;  /* 0 = Sunday */
    int hour;
    int minute;
    int second;
};

static bool is_leap(int y)
{
    return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

/* The civil calendar from a count of days: eras of 400 years, years that begin in March. */
static void set_date(struct moment *m, int64_t days)
{
    const int64_t z = days + 719468;
    const int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    const int64_t doe = z - era * 146097;
    const int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    const int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    const int64_t mp = (5 * doy + 2) / 153;

    m->day = (int)(doy - (153 * mp + 2) / 5 + 1);
    m->month = (int)(mp < 10 ? mp + 3 : mp - 9);
    m->year = (int)(yoe + era * 400 + (m->month <= 2));
    m->wday = (int)(((days % 7) + 11) % 7);
    const bool leap = is_leap(m->year);
    m->yday = (int)(doy >= 306 ? doy - 306 : doy + 59 + leap) + 1;
}

static void set_moment(struct moment *m, int64_t us)
{
    int64_t seconds = us / 1000000;
    int64_t micros = us % 1000000;

    if (micros < 0) {
        micros += 1000000;
        seconds--;
    }
    int64_t days = seconds / 86400;
    int64_t rest = seconds % 86400;
    if (rest < 0) {
        rest += 86400;
        days--;
    }
    m->seconds = seconds;
    m->micros = (int)micros;
    m->hour = (int)(rest / 3600);
    m->minute = (int)(rest / 60 % 60);
    m->second = (int)(rest % 60);
    set_date(m, days);
}

static int iso_weeks(int year)
{
    const int64_t y = year - 1;
    const int64_t days = y * 365 + y / 4 - y / 100 + y / 400; /* before 1 January */
    const int first = (int)((days + 1) % 7);                  /* its weekday, 0 = Sunday */

    return first == 4 || (first == 3 && is_leap(year)) ? 53 : 52;
}

static void iso_week(const struct moment *m, int *out_year, int *out_week)
{
    const int wday = m->wday ? m->wday : 7;

    *out_year = m->year;
    *out_week = (m->yday - wday + 10) / 7;
    if (*out_week < 1) {
        (*out_year)--;
        *out_week = iso_weeks(*out_year);
    } else if (*out_week > iso_weeks(m->year)) {
        (*out_year)++;
        *out_week = 1;
    }
}

static const char *const day_names[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                        "Thursday", "Friday", "Saturday"};
static const char *const month_names[] = {"January",   "February", "March",    "April",
                                          "May",       "June",     "July",     "August",
                                          "September", "October",  "November", "December"};

/* Directives that stand for others. */
static const char *composite(char c)
{
    switch (c) {
    case 'c':
        return "%a %b %e %H:%M:%S %Y";
    case 'D':
    case 'x':
        return "%m/%d/%y";
    case 'F':
        return "%Y-%m-%d";
    case 'r':
        return "%I:%M:%S %p";
    case 'R':
        return "%H:%M";
    case 'T':
    case 'X':
        return "%H:%M:%S";
    default:
        return NULL;
    }
}

struct number {
    char directive;
    char pad; /* '0' or '_' */
    int width;
    int64_t value;
};

/* Directives that are numbers. */
static bool number_of(const struct moment *m, char c, struct number *out)
{
    const int hour12 = m->hour % 12 ? m->hour % 12 : 12;
    const int monday_based = (m->wday + 6) % 7;
    int iso_year;
    int week;

    iso_week(m, &iso_year, &week);
    const struct number numbers[] = {
        {'C', '0', 2, m->year / 100},
        {'d', '0', 2, m->day},
        {'e', '_', 2, m->day},
        {'f', '0', 6, m->micros},
        {'G', '0', 4, iso_year},
        {'g', '0', 2, iso_year % 100},
        {'H', '0', 2, m->hour},
        {'I', '0', 2, hour12},
        {'j', '0', 3, m->yday},
        {'k', '_', 2, m->hour},
        {'l', '_', 2, hour12},
        {'m', '0', 2, m->month},
        {'M', '0', 2, m->minute},
        {'s', '0', 1, m->seconds},
        {'S', '0', 2, m->second},
        {'u', '0', 1, monday_based + 1},
        {'U', '0', 2, (m->yday + 6 - m->wday) / 7},
        {'V', '0', 2, week},
        {'w', '0', 1, m->wday},
        {'W', '0', 2, (m->yday + 6 - monday_based) / 7},
        {'y', '0', 2, m->year % 100},
        {'Y', '0', 1, m->year},
    };

    for (size_t i = 0; i < GS_COUNT_OF(numbers); i++) {
        if (numbers[i].directive == c) {
            *out = numbers[i];
            return true;
        }
    }
    return false;
}

static void put_number(struct gs_buf *b, const struct number *n, char flag)
{
    char digits[24];
    const char pad = flag == '_' || flag == '0' ? flag : n->pad;
    int len = snprintf(digits, sizeof(digits), "%lld", (long long)n->value);

    for (; flag != '-' && len < n->width; len++)
        gs_buf_putc(b, pad == '_' ? ' ' : '0');
    gs_buf_puts(b, digits);
}

/* Directives that are words; "" for those that are empty without a zone; NULL for unknown ones. */
static const char *word_of(const struct moment *m, char c, size_t *out_len)
{
    const char *word;

    switch (c) {
    case 'a':
    case 'A':
        word = day_names[m->wday];
        break;
    case 'b':
    case 'B':
    case 'h':
        word = month_names[m->month - 1];
        break;
    case 'p':
        word = m->hour < 12 ? "AM" : "PM";
        break;
    case 'P':
        word = m->hour < 12 ? "am" : "pm";
        break;
    case 'z':
    case 'Z':
        word = "";
        break;
    case 'n':
        word = "\n";
        break;
    case 't':
        word = "\t";
        break;
    case '%':
        word = "%";
        break;
    default:
        return NULL;
    }
    *out_len = c == 'a' || c == 'b' || c == 'h' ? 3 : strlen(word);
    return word;
}

static void put_word(struct gs_buf *b, const char *word, size_t len, char flag, bool swaps)
{
    for (size_t i = 0; i < len; i++) {
        char c = word[i];
        if (flag == '^' || (flag == '#' && !swaps))
            c = (char)(c >= 'a' && c <= 'z' ? c - 0x20 : c);
        else if (flag == '#')
            c = (char)(c >= 'A' && c <= 'Z' ? c + 0x20 : c);
        gs_buf_putc(b, c);
    }
}

static void put_format(struct gs_buf *b, struct gs_slice f, const struct moment *m)
{
    for (size_t i = 0; i < f.len; i++) {
        const size_t start = i;
        struct number n;
        size_t len = 0;
        char flag = '\0';
        if (f.ptr[i] != '%' || i + 1 == f.len) {
            gs_buf_putc(b, f.ptr[i]);
            continue;
        }
        i++;
        if (f.ptr[i] && strchr("-_0^#", f.ptr[i]) && i + 1 < f.len)
            flag = f.ptr[i++];
        const char c = f.ptr[i];
        const char *word = word_of(m, c, &len);
        if (word)
            put_word(b, word, len, flag, c == 'p');
        else if (composite(c))
            put_format(b, gs_slice_str(composite(c)), m);
        else if (number_of(m, c, &n))
            put_number(b, &n, flag);
        else
            gs_buf_slice(b, gs_slice_sub(f, start, i + 1));
    }
}

void gs_jinja_strftime(struct gs_buf *b, struct gs_slice format, int64_t now_us)
{
    struct moment m;

    set_moment(&m, now_us);
    put_format(b, format, &m);
}
