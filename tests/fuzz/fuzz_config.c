/* The configuration file with any bytes: it is read or refused, and the report is text that a
 * terminal can show. */
#include <stdlib.h>

#include "base/limits.h"
#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gs_config c;
    struct gs_buf report;

    gs_buf_init(&report, GS_MAX_CONFIG_BYTES);
    if (gs_config_init(&c) == GS_OK) {
        const struct gs_slice text = {(const char *)data, size};
        const enum gs_status st = gs_config_read_yaml(&c, "fuzz.yaml", text, "/home/u", &report);
        if ((st == GS_OK) != (report.len == 0))
            abort();
        for (size_t i = 0; i < report.len; i++)
            if ((unsigned char)report.ptr[i] < 0x20 && report.ptr[i] != '\n')
                abort();
    }
    gs_config_clear(&c);
    gs_buf_clear(&report);
    return 0;
}
