/* The configuration file with any bytes: it is read or refused, and the report is text that a
 * terminal can show. What was read can be shown and explained. */
#include <stdlib.h>

#include "base/limits.h"
#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_report(enum gs_status st, const struct gs_buf *report)
{
    if ((st == GS_OK) != (report->len == 0))
        abort();
    for (size_t i = 0; i < report->len; i++)
        if ((unsigned char)report->ptr[i] < 0x20 && report->ptr[i] != '\n')
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct gs_slice text = {(const char *)data, size};
    const struct gs_config_routes_source source = {
        .name = "fuzz.yaml", .text = text, .home = "/home/u", .is_hermit = size % 16 == 0};
    struct gs_config c;
    struct gs_buf report;

    gs_buf_init(&report, GS_MAX_CONFIG_BYTES);
    if (gs_config_init(&c) == GS_OK) {
        check_report(gs_config_read_yaml(&c, "fuzz.yaml", text, "/home/u", &report), &report);
        gs_buf_reset(&report);
        check_report(gs_config_read_routes(&source, &c.arena, &c.routes, &report), &report);
        gs_buf_reset(&report);
        gs_config_write_settings(&c, &report);
        if (c.routes.n_routes > 0)
            gs_config_write_routes(&c.routes, &report);
    }
    gs_config_clear(&c);
    gs_buf_clear(&report);
    return 0;
}
