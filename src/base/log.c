/* Log lines are built on the stack and written whole. */
#include "base/log.h"

#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/format.h"
#include "base/slice.h"

#define LINE_BYTES 2048

static const char *const level_names[] = {"error", "warn", "info", "debug"};

bool gs_log_level_parse(const char *text, enum gs_log_level *out)
{
    for (unsigned i = 0; i < GS_COUNT_OF(level_names); i++) {
        if (strcmp(text, level_names[i]) == 0) {
            *out = (enum gs_log_level)i;
            return true;
        }
    }
    return false;
}

/* Copy msg to out, control bytes as \u00XX (JSON needs it; on a terminal it stops escapes) and
 * bytes that are no UTF-8 as U+FFFD. */
static void escape(char *out, size_t cap, struct gs_slice msg, bool json)
{
    size_t n = 0;

    for (size_t i = 0; i < msg.len && n + 8 < cap;) {
        const size_t plain = GS_MIN(gs_slice_plain_end(msg, i) - i, cap - 8 - n);
        uint32_t cp;
        memcpy(out + n, msg.ptr + i, plain);
        n += plain;
        i += plain;
        if (plain > 0)
            continue;
        const size_t len = gs_utf8_decode(msg, i, &cp);
        if (cp < 0x20 || cp == 0x7F)
            n += (size_t)gs_format(out + n, cap - n, "\\u%04x", cp);
        else if (json && (cp == '"' || cp == '\\'))
            n += (size_t)gs_format(out + n, cap - n, "\\%c", (char)cp);
        else
            n += gs_utf8_encode(cp, out + n);
        i += len;
    }
    out[n] = '\0';
}

void gs_log_write(const struct gs_log *log, enum gs_log_level level, const char *area,
                  const char *fmt, ...)
{
    char raw[LINE_BYTES / 2];
    char msg[LINE_BYTES / 2 + 256];
    char line[LINE_BYTES];
    char when[32];
    va_list ap;

    if (!log || level > log->level)
        return;
    va_start(ap, fmt);
    gs_format_list(raw, sizeof(raw), fmt, ap);
    va_end(ap);
    escape(msg, sizeof(msg), gs_slice_str(raw), log->format == GS_LOG_JSON);
    gs_clock_iso8601(when, sizeof(when));

    const char *name = level_names[level];
    const int n =
        log->format == GS_LOG_JSON
            ? gs_format(line, sizeof(line),
                        "{\"time\":\"%s\",\"level\":\"%s\",\"area\":\"%s\",\"msg\":\"%s\"}\n", when,
                        name, area, msg)
            : gs_format(line, sizeof(line), "%s %-5s %s: %s\n", when, name, area, msg);
    if (n > 0 && write(log->fd, line, GS_MIN((size_t)n, sizeof(line) - 1)) < 0)
        return; /* nowhere left to say so */
}
