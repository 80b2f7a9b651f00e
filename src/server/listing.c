/* The models of this machine, listed as each API lists them. /v1/models carries the fields of both
 * OpenAI and Anthropic: each client reads its own. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/slice.h"
#include "provider/local.h"
#include "server/state.h"
#include "json/json.h"

static size_t models(const struct gs_server *s, const struct gs_local_model **out)
{
    const struct gs_server_backend *backend = &s->opt.backend;

    return backend->models(backend->self, out);
}

static void write_time(struct gs_buf *b, int64_t wall_s)
{
    char when[40];

    gs_clock_format_us(wall_s * 1000000, when, sizeof(when));
    gs_buf_printf(b, "\"%s\"", when);
}

/* What a conversation may use, as far as that is known: the model's own limit until it is loaded.
 */
static long long ctx_tokens(const struct gs_local_model *m)
{
    return m->fit_tokens ? m->fit_tokens : m->ctx_tokens;
}

static void write_v1(struct gs_buf *b, const struct gs_local_model *m)
{
    gs_buf_puts(b, "{\"id\":");
    gs_json_write_string(b, gs_slice_str(m->name));
    gs_buf_printf(b,
                  ",\"object\":\"model\",\"created\":%lld,\"owned_by\":\"genset\","
                  "\"type\":\"model\",\"display_name\":",
                  (long long)m->modified_s);
    gs_json_write_string(b, gs_slice_str(m->name));
    gs_buf_puts(b, ",\"created_at\":");
    write_time(b, m->modified_s);
    gs_buf_printf(b, ",\"max_input_tokens\":%lld,\"max_tokens\":%lld}", ctx_tokens(m),
                  ctx_tokens(m));
}

void gs_server_list_v1(const struct gs_server *s, struct gs_buf *b)
{
    const struct gs_local_model *list;
    const size_t n = models(s, &list);

    gs_buf_puts(b, "{\"object\":\"list\",\"data\":[");
    for (size_t i = 0; i < n; i++) {
        if (i)
            gs_buf_putc(b, ',');
        write_v1(b, &list[i]);
    }
    gs_buf_puts(b, "],\"has_more\":false,\"first_id\":");
    if (n == 0) {
        gs_buf_puts(b, "null,\"last_id\":null}");
        return;
    }
    gs_json_write_string(b, gs_slice_str(list[0].name));
    gs_buf_puts(b, ",\"last_id\":");
    gs_json_write_string(b, gs_slice_str(list[n - 1].name));
    gs_buf_putc(b, '}');
}

bool gs_server_list_v1_one(const struct gs_server *s, struct gs_slice id, struct gs_buf *b)
{
    const struct gs_local_model *list;
    const size_t n = models(s, &list);

    if (gs_slice_ends(id, GS_SLICE_LIT(":latest")))
        id.len -= strlen(":latest");
    for (size_t i = 0; i < n; i++) {
        if (gs_slice_eq_str(id, list[i].name)) {
            write_v1(b, &list[i]);
            return true;
        }
    }
    return false;
}
