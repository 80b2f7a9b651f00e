/* Compiles the input and renders it over a fixed conversation. Rendering twice gives the same; an
 * error says what is wrong; nothing takes long. */
#include <string.h>

#include "base/limits.h"
#include "base/slice.h"
#include "jinja/template.h"
#include "json/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char variables[] =
    "{\"messages\": [{\"role\": \"system\", \"content\": \"Be <b>brief</b>.\"},"
    "{\"role\": \"user\", \"content\": \"h\\u00e9llo\\n\\u65e5\\u672c\"},"
    "{\"role\": \"assistant\", \"content\": null, \"tool_calls\": [{\"function\":"
    "{\"name\": \"f\", \"arguments\": {\"x\": 1.5, \"y\": [true, null]}}}]}],"
    "\"tools\": [{\"type\": \"function\"}], \"n\": 3, \"bos_token\": \"<s>\","
    "\"add_generation_prompt\": true}";

static enum gs_status render(const struct gs_template *t, const struct gs_json *vars,
                             struct gs_buf *b)
{
    struct gs_error err = {0};

    gs_buf_init(b, GS_MIB);
    const enum gs_status st = gs_template_render(t, vars, 1768469400000000, b, &err);
    if (st != GS_OK && (err.code != st || b->len != 0))
        __builtin_trap();
    return st;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gs_template *t = NULL;
    struct gs_error err = {0};
    struct gs_arena a;
    struct gs_json vars;
    struct gs_buf first;
    struct gs_buf second;

    if (gs_template_parse("fuzz", gs_slice((const char *)data, size), &t, &err) != GS_OK) {
        if (err.msg[0] == '\0')
            __builtin_trap();
        return 0;
    }
    gs_arena_init(&a, 0);
    if (gs_json_parse(GS_SLICE_LIT(variables), &a, &vars, &err) != GS_OK)
        __builtin_trap();
    const enum gs_status st = render(t, &vars, &first);
    if (st != GS_ELIMIT && (render(t, &vars, &second) != st ||
                            !gs_slice_eq(gs_buf_view(&first), gs_buf_view(&second))))
        __builtin_trap();
    if (st != GS_ELIMIT)
        gs_buf_clear(&second);
    gs_buf_clear(&first);
    gs_arena_clear(&a);
    gs_template_free(t);
    return 0;
}
