/* Errors in OpenAI's words: {"error": {message, type, param, code}}. Clients find the size of the
 * context by the very sentence that says it was exceeded. */
#include "base/error.h"
#include "base/slice.h"
#include "dialect/openai_chat.h"
#include "dialect/writer.h"
#include "json/json.h"

/* "messages[3].content[0]: expected ..." names a parameter. */
static struct gs_slice param_of(const struct gs_error *err)
{
    const struct gs_slice msg = gs_slice_str(err->msg);
    const size_t colon = gs_slice_find(msg, GS_SLICE_LIT(":"), 0);

    if (err->code != GS_EINVAL || colon == SIZE_MAX)
        return gs_slice(NULL, 0);
    for (size_t i = 0; i < colon; i++) {
        const char c = msg.ptr[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_' && c != '.' &&
            c != '[' && c != ']')
            return gs_slice(NULL, 0);
    }
    return gs_slice_sub(msg, 0, colon);
}

static const char *code_of(int status, const struct gs_error *err)
{
    if (err->source[0] && (err->code == GS_EINVAL || err->code == GS_ENOTFOUND))
        return err->source;
    if (status == 401)
        return "invalid_api_key";
    if (err->code == GS_ECONTEXT)
        return "context_length_exceeded";
    return err->code == GS_ENOTFOUND ? "model_not_found" : NULL;
}

static const char *type_of(int status)
{
    if (status == 429)
        return "rate_limit_error";
    return status >= 500 ? "server_error" : "invalid_request_error";
}

static void write_or_null(struct gs_buf *b, const char *key, struct gs_slice value)
{
    gs_buf_putc(b, ',');
    if (value.len)
        gs_dialect_write_member(b, key, value);
    else
        gs_buf_printf(b, "\"%s\":null", key);
}

void gs_dialect_openai_chat_write_error(int status, const struct gs_error *err,
                                        struct gs_slice request_id, struct gs_buf *b)
{
    struct gs_error worded = *err;

    (void)request_id; /* it goes out as a header */
    if (err->code == GS_ECONTEXT && err->needed > 0)
        gs_error_set(&worded, err->code,
                     "This model's maximum context length is %lld tokens. However, your messages "
                     "resulted in %lld tokens",
                     err->available, err->needed);
    gs_error_hint(&worded, "%s", err->hint);
    gs_buf_puts(b, "{\"error\":{\"message\":");
    gs_dialect_write_words(b, &worded);
    gs_buf_printf(b, ",\"type\":\"%s\"", type_of(status));
    write_or_null(b, "param", param_of(err));
    write_or_null(b, "code", gs_slice_str(code_of(status, err)));
    gs_buf_puts(b, "}}");
}

void gs_dialect_openai_stream_error(const struct gs_error *err, struct gs_slice request_id,
                                    struct gs_buf *b)
{
    gs_buf_puts(b, "data: ");
    gs_dialect_openai_chat_write_error(gs_dialect_status(&gs_dialect_openai_chat, err), err,
                                       request_id, b);
    gs_buf_puts(b, "\n\n");
}
