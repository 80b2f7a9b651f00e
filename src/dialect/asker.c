/* Small pieces of requests that several APIs need alike. */
#include "dialect/asker.h"

#include <stdio.h>

#include "base/compiler.h"
#include "base/limits.h"
#include "base/slice.h"
#include "dialect/client.h"
#include "dialect/details.h"
#include "dialect/writer.h"
#include "json/json.h"

bool gs_dialect_is_allowed(const struct gs_chat *chat, struct gs_slice name)
{
    for (size_t i = 0; i < chat->n_allowed_tools; i++)
        if (gs_slice_eq(chat->allowed_tools[i], name))
            return true;
    return chat->n_allowed_tools == 0;
}

struct gs_slice gs_dialect_image_type(struct gs_slice base64)
{
    static const struct {
        struct gs_slice start, type;
    } types[] = {{GS_SLICE_LIT("iVBOR"), GS_SLICE_LIT("image/png")},
                 {GS_SLICE_LIT("/9j/"), GS_SLICE_LIT("image/jpeg")},
                 {GS_SLICE_LIT("R0lGOD"), GS_SLICE_LIT("image/gif")},
                 {GS_SLICE_LIT("UklGR"), GS_SLICE_LIT("image/webp")}};

    for (size_t i = 0; i < GS_COUNT_OF(types); i++)
        if (gs_slice_starts(base64, types[i].start))
            return types[i].type;
    return gs_slice(NULL, 0);
}

bool gs_dialect_is_theirs(const struct gs_dialect_to *to, const struct gs_block *reasoning,
                          struct gs_slice *out_signature)
{
    return to->is_theirs && reasoning->kind == GS_BLOCK_REASONING && reasoning->signature.len > 0 &&
           to->is_theirs(to->ud, reasoning->signature, out_signature) && out_signature->len > 0 &&
           !gs_dialect_is_details(*out_signature);
}

void gs_dialect_write_result(struct gs_buf *b, const char *key, const struct gs_block *result)
{
    struct gs_buf text;

    gs_buf_init(&text, GS_MAX_TEXT_BYTES);
    gs_buf_puts(&text, result->is_error ? "Error: " : "");
    gs_buf_slice(&text, result->text);
    gs_dialect_writer_check(&text, b);
    gs_dialect_write_member(b, key, gs_buf_view(&text));
    gs_buf_clear(&text);
}

void gs_dialect_write_setting(struct gs_buf *b, float x)
{
    char text[32];
    double d = (double)x;

    snprintf(text, sizeof(text), "%.7g", d);
    if (!gs_slice_to_double(gs_slice_str(text), &d))
        d = (double)x;
    gs_json_write_double(b, d);
}
