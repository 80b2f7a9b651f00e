/* Ollama, vectors: POST /api/embed, and /api/embeddings before it
 * (https://github.com/ollama/ollama/blob/main/docs/api.md): one text, its vector as long as the
 * model made it. As there, texts are cut to the context unless "truncate" is false; the server
 * says how many were. Without a text the model is only loaded. */
#include "base/error.h"
#include "base/slice.h"
#include "dialect/ollama.h"
#include "dialect/texts.h"
#include "dialect/writer.h"

struct request {
    struct gs_texts texts; /* first: the context points here */
    bool is_old;
};

/* "" is no text. */
static bool has_text(const struct gs_json *body, const char *key)
{
    const struct gs_json *v = gs_json_get(body, key);

    return v && v->kind != GS_JSON_NULL && !(v->kind == GS_JSON_STRING && v->u.string.len == 0);
}

static enum gs_status read_request(struct gs_chat *out_chat, struct gs_dialect_context *out_ctx,
                                   struct gs_slice text, const char *path, struct gs_arena *a,
                                   struct gs_error *err)
{
    struct gs_dialect_reader r = {.a = a, .err = err};
    struct request *q = gs_arena_alloc(a, sizeof(*q));
    struct gs_json body;

    if (!q)
        return gs_error_nomem(err, "read the request");
    const enum gs_status st = gs_dialect_parse(text, a, &body, err);
    if (st != GS_OK)
        return st;
    *q = (struct request){.texts = {.truncate = true}};
    q->is_old = gs_slice_ends(gs_slice_str(path), GS_SLICE_LIT("/embeddings"));
    q->texts.raw = q->is_old;
    const char *key = q->is_old ? "prompt" : "input";
    gs_dialect_read_texts(&r, &body, &q->texts);
    if (has_text(&body, key))
        gs_dialect_read_inputs(&r, &body, key, &q->texts);
    if (q->is_old && q->texts.n_inputs > 1)
        gs_dialect_reader_fail(&r, "prompt: expected one text, found %zu", q->texts.n_inputs);
    gs_dialect_get_bool(&r, &body, "truncate", &q->texts.truncate);
    gs_dialect_ollama_read_keep(&r, &body, &q->texts.keep);
    *out_chat = (struct gs_chat){0};
    *out_ctx = gs_dialect_texts_context(&q->texts);
    return r.status;
}

static void write_answer(struct gs_buf *b, const struct gs_dialect_context *ctx,
                         const struct gs_dialect_vectors *s, const struct gs_usage *u)
{
    const struct request *q = (const struct request *)ctx->texts;

    if (q->is_old) {
        gs_buf_puts(b, "{\"embedding\":");
        gs_buf_slice(b, s->n ? gs_buf_view(&s->items) : GS_SLICE_LIT("[]"));
        gs_buf_putc(b, '}');
        return;
    }
    gs_buf_putc(b, '{');
    gs_dialect_write_member(b, "model", ctx->model);
    gs_buf_puts(b, ",\"embeddings\":[");
    gs_buf_slice(b, gs_buf_view(&s->items));
    gs_buf_printf(b, "],\"total_duration\":%lld,\"load_duration\":%lld,\"prompt_eval_count\":%lld}",
                  (long long)(u->load_us + u->prefill_us) * 1000, (long long)u->load_us * 1000,
                  (long long)u->prompt_tokens);
}

static void write_event(void *state, const struct gs_dialect_context *ctx,
                        const struct gs_event *ev, struct gs_buf *b)
{
    struct gs_dialect_vectors *s = state;

    gs_dialect_writer_ready(&s->items);
    if (ev->kind == GS_EVENT_VECTOR) {
        if (s->n++)
            gs_buf_putc(&s->items, ',');
        gs_dialect_write_vector(&s->items, ev->values, ev->n_values);
    } else if (ev->kind == GS_EVENT_STOP) {
        gs_dialect_writer_check(&s->items, b);
        write_answer(b, ctx, s, &ev->usage);
    }
}

const struct gs_dialect gs_dialect_ollama_embed = {
    .name = "ollama-embed",
    .stream_content_type = "application/json",
    .state_bytes = sizeof(struct gs_dialect_vectors),
    .overload_status = 503,
    .read_request = read_request,
    .write_event = write_event,
    .write_keepalive = gs_dialect_no_keepalive,
    .clear_state = gs_dialect_vectors_clear,
    .write_error = gs_dialect_ollama_write_error,
};
