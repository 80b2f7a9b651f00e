/* Inputs as OpenAI has them (https://platform.openai.com/docs/api-reference/embeddings/create),
 * which Ollama took over but for the tokens. */
#include "dialect/texts.h"

#include <math.h>

#include "base/error.h"
#include "dialect/writer.h"

#define MAX_INPUTS 2048 /* OpenAI's limit: a bound of what one answer holds */

/* ---- reading ---- */

struct gs_embed_input *gs_dialect_add_inputs(struct gs_dialect_reader *r, struct gs_texts *texts,
                                             size_t n)
{
    struct gs_embed_input *inputs;

    if (r->status != GS_OK || n == 0)
        return NULL;
    if (n > MAX_INPUTS) {
        gs_dialect_reader_fail(r, "%zu inputs are more than %d", n, MAX_INPUTS);
        return NULL;
    }
    inputs = gs_arena_array(r->a, n, sizeof(*inputs));
    if (!inputs) {
        gs_dialect_reader_nomem(r);
        return NULL;
    }
    texts->inputs = inputs;
    texts->n_inputs = n;
    return inputs;
}

static void read_input(struct gs_dialect_reader *r, const struct gs_json *v,
                       struct gs_embed_input *out)
{
    if (v->kind == GS_JSON_STRING)
        *out = (struct gs_embed_input){.text = v->u.string};
    else if (v->kind == GS_JSON_ARRAY && v->u.array.len > 0)
        gs_dialect_read_tokens(r, v, NULL, out);
    else if (v->kind == GS_JSON_ARRAY)
        gs_dialect_reader_fail(r, "expected tokens, found an empty array");
    else
        gs_dialect_reader_fail(r, "expected a string or an array of tokens, found %s",
                               gs_json_kind_name(v->kind));
}

void gs_dialect_read_inputs(struct gs_dialect_reader *r, const struct gs_json *body,
                            const char *key, struct gs_texts *texts)
{
    const struct gs_json *v = gs_json_get(body, key);
    const bool is_list = v && v->kind == GS_JSON_ARRAY;
    const bool is_one = !is_list || (v->u.array.len > 0 && v->u.array.items[0].kind == GS_JSON_INT);
    const size_t n = is_one ? 1 : v->u.array.len;

    if (!v || v->kind == GS_JSON_NULL) {
        gs_dialect_reader_fail(r, "%s: a text or an array of texts is needed", key);
        return;
    }
    struct gs_embed_input *inputs = gs_dialect_add_inputs(r, texts, n);
    for (size_t i = 0; inputs && i < n && r->status == GS_OK; i++) {
        read_input(r, is_one ? v : &v->u.array.items[i], &inputs[i]);
        if (is_one && r->status == GS_EINVAL)
            gs_error_prefix(r->err, "%s", key);
        else
            gs_dialect_reader_at(r, key, i);
    }
}

void gs_dialect_read_texts(struct gs_dialect_reader *r, const struct gs_json *body,
                           struct gs_texts *texts)
{
    int64_t dims = 0;

    gs_dialect_get_string(r, body, "model", &texts->model);
    if (!texts->model.len)
        gs_dialect_reader_fail(r, "model: a model must be named");
    gs_dialect_get_int(r, body, "dimensions", 1, INT32_MAX, &dims);
    texts->dims = (int32_t)dims;
}

struct gs_dialect_context gs_dialect_texts_context(const struct gs_texts *texts)
{
    return (struct gs_dialect_context){.model = texts->model, .texts = texts};
}

/* ---- writing ---- */

void gs_dialect_vectors_clear(void *state)
{
    struct gs_dialect_vectors *s = state;

    gs_buf_clear(&s->items);
}

void gs_dialect_write_float(struct gs_buf *b, float x)
{
    if (isfinite(x))
        gs_buf_printf(b, "%.9g", (double)x);
    else
        gs_buf_puts(b, "null");
}

void gs_dialect_write_vector(struct gs_buf *b, const float *values, size_t n)
{
    gs_buf_putc(b, '[');
    for (size_t i = 0; i < n; i++) {
        if (i)
            gs_buf_putc(b, ',');
        gs_dialect_write_float(b, values[i]);
    }
    gs_buf_putc(b, ']');
}

void gs_dialect_no_state(void *state)
{
    (void)state;
}

void gs_dialect_no_keepalive(void *state, const struct gs_dialect_context *ctx, struct gs_buf *b)
{
    (void)state;
    (void)ctx;
    (void)b;
}
