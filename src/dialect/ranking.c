/* Ranking: POST /v1/rerank, as Jina and Cohere have it (https://api.jina.ai/redoc,
 * https://docs.cohere.com/reference/rerank) and most servers since: results from the best document
 * to the worst, each with the index it was sent at and a relevance_score from 0 to 1. Errors are
 * worded as OpenAI's. */
#include <stdlib.h>

#include "base/error.h"
#include "base/slice.h"
#include "dialect/openai_chat.h"
#include "dialect/texts.h"
#include "dialect/writer.h"

struct request {
    struct gs_texts texts; /* first: the context points here */
    int64_t top_n;         /* results wanted */
    bool with_documents;
};

struct score {
    float value;
    size_t idx;
};

struct answer {
    struct gs_buf scores; /* of struct score */
    size_t n;
};

/* ---- request ---- */

/* A string, or {"text": "..."}. */
static void read_document(struct gs_dialect_reader *r, const struct gs_json *v,
                          struct gs_embed_input *out)
{
    if (v->kind == GS_JSON_STRING) {
        out->text = v->u.string;
        return;
    }
    if (v->kind == GS_JSON_OBJECT && gs_dialect_has(v, "text"))
        gs_dialect_get_string(r, v, "text", &out->text);
    else
        gs_dialect_reader_fail(r, "expected a string or an object with \"text\"");
}

static void read_documents(struct gs_dialect_reader *r, const struct gs_json *body,
                           struct gs_texts *texts)
{
    const struct gs_json *documents = gs_dialect_get_array(r, body, "documents");
    const size_t n = documents ? documents->u.array.len : 0;
    struct gs_embed_input *inputs = gs_dialect_add_inputs(r, texts, n);

    if (n == 0)
        gs_dialect_reader_fail(r, "documents: an array of texts is needed");
    for (size_t i = 0; inputs && i < n && r->status == GS_OK; i++) {
        inputs[i] = (struct gs_embed_input){.tokens = NULL};
        read_document(r, &documents->u.array.items[i], &inputs[i]);
        gs_dialect_reader_at(r, "documents", i);
    }
}

static enum gs_status read_request(struct gs_chat *out_chat, struct gs_dialect_context *out_ctx,
                                   struct gs_slice text, const char *path, struct gs_arena *a,
                                   struct gs_error *err)
{
    struct gs_dialect_reader r = {.a = a, .err = err};
    struct request *q = gs_arena_alloc(a, sizeof(*q));
    struct gs_json body;

    (void)path;
    if (!q)
        return gs_error_nomem(err, "read the request");
    const enum gs_status st = gs_dialect_parse(text, a, &body, err);
    if (st != GS_OK)
        return st;
    *q = (struct request){.texts = {.is_ranking = true}, .top_n = INT64_MAX};
    gs_dialect_read_texts(&r, &body, &q->texts);
    q->texts.dims = 0;
    gs_dialect_get_string(&r, &body, "query", &q->texts.query);
    if (!q->texts.query.len)
        gs_dialect_reader_fail(&r, "query: a text is needed");
    read_documents(&r, &body, &q->texts);
    gs_dialect_get_int(&r, &body, "top_n", 1, INT64_MAX, &q->top_n);
    gs_dialect_get_bool(&r, &body, "return_documents", &q->with_documents);
    gs_dialect_get_bool(&r, &body, "truncate", &q->texts.truncate);
    *out_chat = (struct gs_chat){0};
    *out_ctx = gs_dialect_texts_context(&q->texts);
    return r.status;
}

/* ---- answer ---- */

/* Best first; equal ones as they were sent; what is no number last. */
static int compare(const void *a, const void *b)
{
    const struct score *x = a;
    const struct score *y = b;
    const bool x_is_number = x->value == x->value;
    const bool y_is_number = y->value == y->value;

    if (x_is_number != y_is_number)
        return x_is_number ? -1 : 1;
    if (x_is_number && x->value != y->value)
        return x->value > y->value ? -1 : 1;
    return x->idx < y->idx ? -1 : x->idx > y->idx;
}

static void write_result(struct gs_buf *b, const struct request *q, const struct score *score)
{
    gs_buf_printf(b, "{\"index\":%zu,\"relevance_score\":", score->idx);
    gs_dialect_write_float(b, score->value);
    if (q->with_documents) {
        gs_buf_puts(b, ",\"document\":{");
        gs_dialect_write_member(b, "text", q->texts.inputs[score->idx].text);
        gs_buf_putc(b, '}');
    }
    gs_buf_putc(b, '}');
}

static void write_answer(struct gs_buf *b, const struct gs_dialect_context *ctx, struct answer *s,
                         const struct gs_usage *usage)
{
    const struct request *q = (const struct request *)ctx->texts;
    struct score *scores = (struct score *)(void *)s->scores.ptr; /* as aligned as any memory */
    const size_t n = (size_t)GS_MIN((uint64_t)q->top_n, (uint64_t)s->n);
    const long long tokens = (long long)usage->prompt_tokens;

    if (s->n > 0)
        qsort(scores, s->n, sizeof(*scores), compare);
    gs_buf_puts(b, "{\"id\":\"rerank-");
    gs_buf_slice(b, gs_dialect_id_tail(ctx->request_id));
    gs_buf_puts(b, "\",");
    gs_dialect_write_member(b, "model", ctx->model);
    gs_buf_printf(b,
                  ",\"object\":\"list\",\"usage\":{\"prompt_tokens\":%lld,\"total_tokens\":%lld},"
                  "\"results\":[",
                  tokens, tokens);
    for (size_t i = 0; i < n; i++) {
        if (i)
            gs_buf_putc(b, ',');
        write_result(b, q, &scores[i]);
    }
    gs_buf_puts(b, "]}");
}

static void write_event(void *state, const struct gs_dialect_context *ctx,
                        const struct gs_event *ev, struct gs_buf *b)
{
    struct answer *s = state;

    gs_dialect_writer_ready(&s->scores);
    if (ev->kind == GS_EVENT_VECTOR && ev->n_values > 0) {
        const struct score score = {ev->values[0], s->n};
        gs_buf_put(&s->scores, &score, sizeof(score));
        s->n++;
    } else if (ev->kind == GS_EVENT_STOP) {
        gs_dialect_writer_check(&s->scores, b);
        if (gs_buf_ok(&s->scores))
            write_answer(b, ctx, s, &ev->usage);
    }
}

static void clear_state(void *state)
{
    struct answer *s = state;

    gs_buf_clear(&s->scores);
}

const struct gs_dialect gs_dialect_rerank = {
    .name = "rerank",
    .stream_content_type = "application/json",
    .state_bytes = sizeof(struct answer),
    .overload_status = 503,
    .read_request = read_request,
    .write_event = write_event,
    .write_keepalive = gs_dialect_no_keepalive,
    .clear_state = clear_state,
    .write_error = gs_dialect_openai_chat_write_error,
};
