/* Levelled log, as text or as JSON lines. Only server/ and cli/ log above debug level. */
#ifndef GS_BASE_LOG_H
#define GS_BASE_LOG_H

#include <stdbool.h>

#include "base/compiler.h"

enum gs_log_level { GS_LOG_ERROR, GS_LOG_WARN, GS_LOG_INFO, GS_LOG_DEBUG };
enum gs_log_format { GS_LOG_TEXT, GS_LOG_JSON };

struct gs_log {
    enum gs_log_level level; /* least severe that is written */
    enum gs_log_format format;
    int fd;
};

/* One line: time, level, area, message; a newline or control byte in it is escaped. A line is one
 * write(2), so threads do not mix. NULL log drops it. */
void gs_log_write(const struct gs_log *log, enum gs_log_level level, const char *area,
                  const char *fmt, ...) GS_PRINTF(4, 5);
bool gs_log_level_parse(const char *text, enum gs_log_level *out);

#endif
