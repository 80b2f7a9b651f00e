/* Each story keeps its memory for the next one in its place; JSON is made when somebody asks. */
#include "switch/trace.h"

#include <stdarg.h>
#include <string.h>

#include "base/clock.h"
#include "base/format.h"
#include "base/slice.h"
#include "json/json.h"

#define MAX_DETAIL_BYTES 512

void gs_trace_clear(struct gs_trace_ring *ring)
{
    for (size_t i = 0; i < GS_TRACE_KEPT; i++)
        gs_buf_clear(&ring->stories[i].spans);
    *ring = (struct gs_trace_ring){0};
}

static struct gs_trace_story *story(struct gs_trace_ring *ring, uint64_t serial)
{
    return &ring->stories[serial % GS_TRACE_KEPT];
}

struct gs_trace gs_trace_begin(struct gs_trace_ring *ring, struct gs_slice id)
{
    if (!ring)
        return (struct gs_trace){0};
    const struct gs_trace t = {ring, ++ring->n};
    struct gs_trace_story *s = story(ring, t.serial);
    if (s->serial == 0)
        gs_buf_init(&s->spans, GS_TRACE_MAX_BYTES);
    gs_buf_reset(&s->spans);
    gs_format(s->id, sizeof(s->id), "%.*s", (int)GS_MIN(id.len, sizeof(s->id) - 1), id.ptr);
    s->serial = t.serial;
    s->at_us = gs_clock_mono_us();
    s->wall_us = gs_clock_wall_us();
    return t;
}

/* As it will be read: when, what and the detail, each but the first with a zero behind it. */
void gs_trace_span(struct gs_trace t, const char *what, const char *fmt, ...)
{
    struct gs_trace_story *s = t.serial ? story(t.ring, t.serial) : NULL;
    char detail[MAX_DETAIL_BYTES];
    va_list ap;

    if (!s || s->serial != t.serial || s->spans.len + 2 * MAX_DETAIL_BYTES > s->spans.max)
        return;
    const int64_t at_us = gs_clock_mono_us() - s->at_us;
    va_start(ap, fmt);
    gs_format_list(detail, sizeof(detail), fmt, ap);
    va_end(ap);
    gs_buf_put(&s->spans, &at_us, sizeof(at_us));
    gs_buf_put(&s->spans, what, strlen(what) + 1);
    gs_buf_put(&s->spans, detail, strlen(detail) + 1);
}

static void write_spans(const struct gs_trace_story *s, struct gs_buf *b)
{
    const char *at = s->spans.ptr;
    const char *const end = at + (gs_buf_ok(&s->spans) ? s->spans.len : 0);
    int64_t at_us;

    for (const char *before = ""; at < end; before = ",") {
        memcpy(&at_us, at, sizeof(at_us));
        const struct gs_slice what = gs_slice_str(at + sizeof(at_us));
        const struct gs_slice detail = gs_slice_str(what.ptr + what.len + 1);
        at = detail.ptr + detail.len + 1;
        gs_buf_printf(b, "%s{\"at_us\":%lld,\"what\":", before, (long long)at_us);
        gs_json_write_string(b, what);
        gs_buf_puts(b, ",\"detail\":");
        gs_json_write_string(b, detail);
        gs_buf_putc(b, '}');
    }
}

bool gs_trace_write(const struct gs_trace_ring *ring, struct gs_slice id, struct gs_buf *b)
{
    const struct gs_trace_story *s = NULL;
    char at[40];

    for (size_t i = 0; i < GS_TRACE_KEPT; i++) {
        const struct gs_trace_story *one = &ring->stories[i];
        if (one->serial > (s ? s->serial : 0) && gs_slice_starts(gs_slice_str(one->id), id))
            s = one;
    }
    if (!s)
        return false;
    gs_clock_format_us(s->wall_us, at, sizeof(at));
    gs_buf_puts(b, "{\"id\":");
    gs_json_write_string(b, gs_slice_str(s->id));
    gs_buf_printf(b, ",\"at\":\"%s\",\"spans\":[", at);
    write_spans(s, b);
    gs_buf_puts(b, "]}");
    return true;
}
