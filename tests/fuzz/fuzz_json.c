/* Parses the input; what is accepted must write, and read back to the same text. */
#include <string.h>

#include "base/limits.h"
#include "base/slice.h"
#include "json/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Parse and write; false if refused. */
static bool rewrite(struct gs_slice text, struct gs_buf *out)
{
    struct gs_arena a;
    struct gs_json v;
    struct gs_error err = {0};

    gs_arena_init(&a, 0);
    const bool good = gs_json_parse(text, &a, &v, &err) == GS_OK;
    if (good)
        gs_json_write(out, &v);
    else if (err.code == GS_OK || err.msg[0] == '\0')
        __builtin_trap(); /* an error must say what is wrong */
    gs_arena_clear(&a);
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gs_buf first;
    struct gs_buf second;

    gs_buf_init(&first, GS_MAX_TEXT_BYTES);
    gs_buf_init(&second, GS_MAX_TEXT_BYTES);
    if (rewrite(gs_slice((const char *)data, size), &first) &&
        (!rewrite(gs_buf_view(&first), &second) ||
         !gs_slice_eq(gs_buf_view(&first), gs_buf_view(&second))))
        __builtin_trap();
    gs_buf_clear(&first);
    gs_buf_clear(&second);
    return 0;
}
