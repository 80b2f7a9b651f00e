/* Log lines are built on the stack and written whole. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

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

/* Copy msg to out, control bytes as \u00XX (JSON needs it; on a terminal it stops escapes). */
static size_t escape(char *out, size_t cap, const char *msg, bool json)
{
    size_t n = 0;

    for (; *msg && n + 8 < cap; msg++) {
        const unsigned char c = (unsigned char)*msg;
        if (c < 0x20 || c == 0x7F)
            n += (size_t)snprintf(out + n, cap - n, "\\u%04x", c);
        else if (json && (c == '"' || c == '\\'))
            n += (size_t)snprintf(out + n, cap - n, "\\%c", c);
        else
            out[n++] = (char)c;
    }
    out[n] = '\0';
    return n;
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
    vsnprintf(raw, sizeof(raw), fmt, ap);
    va_end(ap);
    escape(msg, sizeof(msg), raw, log->format == GS_LOG_JSON);
    gs_clock_iso8601(when, sizeof(when));

    const char *const form =
        log->format == GS_LOG_JSON
            ? "{\"time\":\"%s\",\"level\":\"%s\",\"area\":\"%s\",\"msg\":\"%s\"}\n"
            : "%s %-5s %s: %s\n";
    const int n = snprintf(line, sizeof(line), form, when, level_names[level], area, msg);
    if (n > 0 && write(log->fd, line, GS_MIN((size_t)n, sizeof(line) - 1)) < 0)
        return; /* nowhere left to say so */
}
