/* What the program says: errors, text made harmless, numbers for people. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/os.h"
#include "base/slice.h"
#include "cli/cli.h"

void gs_cli_put_harmless(struct gs_buf *b, struct gs_slice text)
{
    static const struct gs_slice mark = {"\xEF\xBF\xBD", 3};

    for (size_t off = 0; off < text.len;) {
        uint32_t cp;
        const size_t len = gs_utf8_decode(text, off, &cp);
        const bool is_control =
            (cp < 0x20 && cp != '\n' && cp != '\t') || (cp >= 0x7F && cp < 0xA0);
        gs_buf_slice(b, is_control || cp == 0xFFFD ? mark : gs_slice(text.ptr + off, len));
        off += len;
    }
}

/* One line or more on standard error, made harmless; nothing can be done if that fails. */
static void say(struct gs_slice text)
{
    struct gs_buf b;

    gs_buf_init(&b, GS_MAX_TEXT_BYTES);
    gs_cli_put_harmless(&b, text);
    if (gs_buf_ok(&b) && b.len > 0)
        fwrite(b.ptr, 1, b.len, stderr);
    fflush(stderr);
    gs_buf_clear(&b);
}

int gs_cli_fail(const struct gs_error *err, enum gs_cli_exit code)
{
    char text[sizeof(struct gs_error) + 128];
    char place[GS_ERROR_SOURCE_BYTES + 32] = "";

    if (err->line > 0)
        snprintf(place, sizeof(place), "%s:%d:%d: ", err->source, err->line, err->col);
    snprintf(text, sizeof(text), "genset: error: %s%s\n%s%s%s", place, err->msg,
             err->hint[0] ? "  hint: " : "", err->hint, err->hint[0] ? "\n" : "");
    say(gs_slice_str(text));
    return (int)code;
}

int gs_cli_fail_model(const struct gs_error *err)
{
    switch (err->code) {
    case GS_ENOTFOUND:
    case GS_EFORMAT:
    case GS_EUNSUPPORTED:
    case GS_EIO:
        return gs_cli_fail(err, GS_EXIT_MODEL);
    case GS_EINVAL:
    case GS_ECONFIG:
        return gs_cli_fail(err, GS_EXIT_USAGE);
    case GS_OK:
    case GS_ENOMEM:
    case GS_ECONTEXT:
    case GS_ELIMIT:
    case GS_EBUSY:
    case GS_ECANCELLED:
    case GS_ETEMPLATE:
    case GS_EINTERNAL:
    case GS_EUPSTREAM:
    case GS_EDENIED:
        break;
    }
    return gs_cli_fail(err, GS_EXIT_FAILED);
}

int gs_cli_fail_usage(const char *msg, const char *hint)
{
    struct gs_error err;

    gs_error_set(&err, GS_EINVAL, "%s", msg);
    gs_error_hint(&err, "%s", hint);
    return gs_cli_fail(&err, GS_EXIT_USAGE);
}

bool gs_cli_write(struct gs_slice text)
{
    struct gs_error err;

    if (gs_os_write_file("-", text.ptr, text.len, &err) == GS_OK)
        return true;
    gs_cli_fail(&err, GS_EXIT_FAILED);
    return false;
}

void gs_cli_note(const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text) - 1, fmt, ap);
    va_end(ap);
    const size_t len = strlen(text);
    text[len] = '\n';
    say(gs_slice(text, len + 1));
}

/* ---- numbers ---- */

static void put_scaled(struct gs_buf *b, int64_t n, int64_t step, const char *const *units,
                       size_t n_units)
{
    double v = (double)n;
    size_t i = 0;

    while (v >= (double)step && i + 1 < n_units) {
        v /= (double)step;
        i++;
    }
    gs_buf_printf(b, i > 0 && v < 100 ? "%.1f%s" : "%.0f%s", v, units[i]);
}

void gs_cli_put_size(struct gs_buf *b, int64_t n_bytes)
{
    static const char *const units[] = {" B", " KiB", " MiB", " GiB", " TiB"};

    put_scaled(b, n_bytes, 1024, units, GS_COUNT_OF(units));
}

void gs_cli_put_count(struct gs_buf *b, int64_t n)
{
    static const char *const units[] = {"", " K", " M", " B", " T"};

    put_scaled(b, n, 1000, units, GS_COUNT_OF(units));
}

void gs_cli_put_when(struct gs_buf *b, int64_t wall_us)
{
    const time_t seconds = (time_t)(wall_us / 1000000);
    struct tm tm = {.tm_mday = 1, .tm_year = 70};
    char text[32];

    localtime_r(&seconds, &tm);
    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
    gs_buf_puts(b, text);
}

void gs_cli_put_key(struct gs_buf *b, const char *key)
{
    const bool is_first = b->len == 0 || b->ptr[b->len - 1] == '{';

    gs_buf_printf(b, "%s\"%s\":", is_first ? "" : ",", key);
}
