/* OpenAI, vectors: POST /v1/embeddings
 * (https://platform.openai.com/docs/api-reference/embeddings). A vector goes out as numbers, or as
 * its little-endian float32 values in base64, which the SDKs ask for. Too long a text is an error,
 * unless "truncate" asks for a cut. */
#include "base/error.h"
#include "base/slice.h"
#include "dialect/openai_chat.h"
#include "dialect/texts.h"
#include "dialect/writer.h"

struct request {
    struct gs_texts texts; /* first: the context points here */
    bool as_base64;
};

static enum gs_status read_request(struct gs_chat *out_chat, struct gs_dialect_context *out_ctx,
                                   struct gs_slice text, const char *path, struct gs_arena *a,
                                   struct gs_error *err)
{
    struct gs_dialect_reader r = {.a = a, .err = err};
    struct gs_slice format = GS_SLICE_LIT("float");
    struct request *q = gs_arena_alloc(a, sizeof(*q));
    struct gs_json body;

    (void)path;
    if (!q)
        return gs_error_nomem(err, "read the request");
    const enum gs_status st = gs_dialect_parse(text, a, &body, err);
    if (st != GS_OK)
        return st;
    *q = (struct request){.as_base64 = false};
    gs_dialect_read_texts(&r, &body, &q->texts);
    gs_dialect_read_inputs(&r, &body, "input", &q->texts);
    if (q->texts.n_inputs == 0)
        gs_dialect_reader_fail(&r, "input: there is no text");
    gs_dialect_get_bool(&r, &body, "truncate", &q->texts.truncate);
    gs_dialect_get_string(&r, &body, "encoding_format", &format);
    q->as_base64 = gs_slice_eq_str(format, "base64");
    if (!q->as_base64 && !gs_slice_eq_str(format, "float"))
        gs_dialect_reader_fail(&r, "encoding_format: expected \"float\" or \"base64\"");
    *out_chat = (struct gs_chat){0};
    *out_ctx = gs_dialect_texts_context(&q->texts);
    return r.status;
}

static void write_event(void *state, const struct gs_dialect_context *ctx,
                        const struct gs_event *ev, struct gs_buf *b)
{
    const struct request *q = (const struct request *)ctx->texts;
    struct gs_dialect_vectors *s = state;
    struct gs_buf *items = &s->items;

    gs_dialect_writer_ready(items);
    if (ev->kind == GS_EVENT_VECTOR) {
        gs_buf_printf(items,
                      "%s{\"object\":\"embedding\",\"index\":%zu,\"embedding\":", s->n ? "," : "",
                      s->n);
        if (q->as_base64) {
            gs_buf_putc(items, '"');
            gs_dialect_write_base64(items, ev->values, ev->n_values * sizeof(*ev->values));
            gs_buf_putc(items, '"');
        } else {
            gs_dialect_write_vector(items, ev->values, ev->n_values);
        }
        gs_buf_putc(items, '}');
        s->n++;
    } else if (ev->kind == GS_EVENT_STOP) {
        const long long n = (long long)ev->usage.prompt_tokens;
        gs_dialect_writer_check(items, b);
        gs_buf_puts(b, "{\"object\":\"list\",\"data\":[");
        gs_buf_slice(b, gs_buf_view(items));
        gs_buf_puts(b, "],");
        gs_dialect_write_member(b, "model", ctx->model);
        gs_buf_printf(b, ",\"usage\":{\"prompt_tokens\":%lld,\"total_tokens\":%lld}}", n, n);
    }
}

const struct gs_dialect gs_dialect_openai_embed = {
    .name = "openai-embeddings",
    .stream_content_type = "application/json",
    .state_bytes = sizeof(struct gs_dialect_vectors),
    .overload_status = 503,
    .read_request = read_request,
    .write_event = write_event,
    .write_keepalive = gs_dialect_no_keepalive,
    .clear_state = gs_dialect_vectors_clear,
    .write_error = gs_dialect_openai_chat_write_error,
};
