/* The APIs for vectors and scores: what their requests are read as, or refused for, and what is
 * written of what a backend makes of them. */
#include "cmocka_headers.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/slice.h"
#include "dialect/dialect.h"

#define OPENAI "/v1/embeddings"
#define EMBED  "/api/embed"
#define OLD    "/api/embeddings"
#define RERANK "/v1/rerank"

static const struct gs_dialect *dialect_of(const char *path)
{
    if (strcmp(path, OPENAI) == 0)
        return &gs_dialect_openai_embed;
    return strcmp(path, RERANK) == 0 ? &gs_dialect_rerank : &gs_dialect_ollama_embed;
}

static enum gs_status read(const char *path, const char *body, struct gs_arena *a,
                           struct gs_dialect_context *ctx, struct gs_error *err)
{
    struct gs_chat chat;

    gs_arena_init(a, 0);
    return dialect_of(path)->read_request(&chat, ctx, gs_slice_str(body), path, a, err);
}

/* ---- requests ---- */

/* "2:[hello][5,6]!truncate" and the like. */
static void spell(const struct gs_texts *t, struct gs_buf *b)
{
    gs_buf_printf(b, "%zu:", t->n_inputs);
    for (size_t i = 0; i < t->n_inputs; i++) {
        const struct gs_embed_input *in = &t->inputs[i];
        gs_buf_putc(b, '[');
        gs_buf_slice(b, in->text);
        for (size_t j = 0; j < in->n_tokens; j++)
            gs_buf_printf(b, j ? ",%d" : "%d", in->tokens[j]);
        gs_buf_putc(b, ']');
    }
    if (t->is_ranking) {
        gs_buf_putc(b, '?');
        gs_buf_slice(b, t->query);
    }
    if (t->dims)
        gs_buf_printf(b, "/%d", t->dims);
    gs_buf_puts(b, t->raw ? "!raw" : "");
    gs_buf_puts(b, t->truncate ? "!truncate" : "");
}

static const struct {
    const char *path, *body, *wanted; /* as spelled, or the error */
} requests[] = {
    {OPENAI, "{\"model\":\"m\",\"input\":\"a b\"}", "1:[a b]"},
    {OPENAI, "{\"model\":\"m\",\"input\":[\"a\",\"\"],\"dimensions\":7}", "2:[a][]/7"},
    {OPENAI, "{\"model\":\"m\",\"input\":[5,6]}", "1:[5,6]"},
    {OPENAI, "{\"model\":\"m\",\"input\":[[5,6],\"a\",[7]],\"truncate\":true}",
     "3:[5,6][a][7]!truncate"},
    {OPENAI, "{\"model\":\"m\",\"input\":\"a\",\"user\":5,\"encoding_format\":null}", "1:[a]"},
    {OPENAI, "{\"input\":\"a\"}", "model: a model must be named"},
    {OPENAI, "{\"model\":\"m\"}", "input: a text or an array of texts is needed"},
    {OPENAI, "{\"model\":\"m\",\"input\":[]}", "input: there is no text"},
    {OPENAI, "{\"model\":\"m\",\"input\":[[]]}", "input[0]: expected tokens, found an empty array"},
    {OPENAI, "{\"model\":\"m\",\"input\":[\"a\",7]}",
     "input[1]: expected a string or an array of tokens, found a whole number"},
    {OPENAI, "{\"model\":\"m\",\"input\":{}}",
     "input: expected a string or an array of tokens, found an object"},
    {OPENAI, "{\"model\":\"m\",\"input\":[5,-1]}",
     "input: token 1: expected a whole number from 0 on"},
    {OPENAI, "{\"model\":\"m\",\"input\":[[5],[6,2147483648]]}",
     "input[1]: token 1: expected a whole number from 0 on"},
    {OPENAI, "{\"model\":\"m\",\"input\":\"a\",\"encoding_format\":\"hex\"}",
     "encoding_format: expected \"float\" or \"base64\""},
    {OPENAI, "{\"model\":\"m\",\"input\":\"a\",\"dimensions\":0}",
     "dimensions: expected a whole number from 1 to 2147483647, found 0"},
    {OPENAI, "[]", "request body: expected an object, found an array"},
    {EMBED, "{\"model\":\"m\",\"input\":\"a\"}", "1:[a]!truncate"},
    {EMBED, "{\"model\":\"m\",\"input\":[\"a\",\"\"],\"truncate\":false}", "2:[a][]"},
    {EMBED, "{\"model\":\"m\",\"input\":\"\"}", "0:!truncate"},
    {EMBED, "{\"model\":\"m\"}", "0:!truncate"},
    {EMBED, "{\"model\":\"m\",\"input\":7}",
     "input: expected a string or an array of tokens, found a whole number"},
    {OLD, "{\"model\":\"m\",\"prompt\":\"a\"}", "1:[a]!raw!truncate"},
    {OLD, "{\"model\":\"m\",\"prompt\":[\"a\",\"b\"]}", "prompt: expected one text, found 2"},
    {OLD, "{\"model\":\"m\",\"prompt\":\"\"}", "0:!raw!truncate"},
    {RERANK, "{\"model\":\"m\",\"query\":\"q\",\"documents\":[\"a\",{\"text\":\"b\"}]}",
     "2:[a][b]?q"},
    {RERANK, "{\"model\":\"m\",\"query\":\"q\",\"documents\":[\"a\"],\"dimensions\":3}", "1:[a]?q"},
    {RERANK, "{\"model\":\"m\",\"documents\":[\"a\"]}", "query: a text is needed"},
    {RERANK, "{\"model\":\"m\",\"query\":\"q\"}", "documents: an array of texts is needed"},
    {RERANK, "{\"model\":\"m\",\"query\":\"q\",\"documents\":[]}",
     "documents: an array of texts is needed"},
    {RERANK, "{\"model\":\"m\",\"query\":\"q\",\"documents\":\"a\"}",
     "documents: expected an array, found a string"},
    {RERANK, "{\"model\":\"m\",\"query\":\"q\",\"documents\":[\"a\",{\"title\":\"b\"}]}",
     "documents[1]: expected a string or an object with \"text\""},
    {RERANK, "{\"model\":\"m\",\"query\":\"q\",\"documents\":[{\"text\":1}]}",
     "documents[0]: text: expected a string, found a whole number"},
    {RERANK, "{\"model\":\"m\",\"query\":\"q\",\"documents\":[\"a\"],\"top_n\":0}",
     "top_n: expected a whole number from 1 to 9223372036854775807, found 0"},
};

static void test_requests(void **state)
{
    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(requests); i++) {
        struct gs_dialect_context ctx;
        struct gs_error err = {0};
        struct gs_arena a;
        struct gs_buf got;

        gs_buf_init(&got, 4096);
        if (read(requests[i].path, requests[i].body, &a, &ctx, &err) == GS_OK) {
            assert_true(gs_slice_eq_str(ctx.model, "m") && !ctx.stream);
            spell(ctx.texts, &got);
        } else {
            gs_buf_puts(&got, err.msg);
        }
        if (!gs_slice_eq_str(gs_buf_view(&got), requests[i].wanted))
            fail_msg("%s: %.*s", requests[i].body, (int)got.len, got.ptr);
        gs_buf_clear(&got);
        gs_arena_clear(&a);
    }
}

static void test_too_many_inputs(void **state)
{
    struct gs_dialect_context ctx;
    struct gs_error err = {0};
    struct gs_arena a;
    struct gs_buf body;

    (void)state;
    gs_buf_init(&body, 1 << 20);
    gs_buf_puts(&body, "{\"model\":\"m\",\"input\":[\"a\"");
    for (int i = 0; i < 2048; i++)
        gs_buf_puts(&body, ",\"a\"");
    gs_buf_puts(&body, "]}");
    gs_buf_putc(&body, '\0');
    assert_int_equal(read(OPENAI, body.ptr, &a, &ctx, &err), GS_EINVAL);
    assert_string_equal(err.msg, "2049 inputs are more than 2048");
    gs_arena_clear(&a);
    gs_buf_clear(&body);
}

/* ---- answers ---- */

static const float vectors[3][2] = {{0.5f, -1}, {0.1f, 3e-9f}, {INFINITY, 0}};
static const float scores[] = {0.25f, 0.75f, NAN, 0.75f};

static const struct {
    const char *path, *body, *wanted;
} answers[] = {
    {OPENAI, "{\"model\":\"m\",\"input\":[\"a\",\"b\"]}",
     "{\"object\":\"list\",\"data\":[{\"object\":\"embedding\",\"index\":0,\"embedding\":[0.5,-1]},"
     "{\"object\":\"embedding\",\"index\":1,\"embedding\":[0.100000001,3.00000003e-09]}],\"model\":"
     "\"m\","
     "\"usage\":{\"prompt_tokens\":9,\"total_tokens\":9}}"},
    {OPENAI, "{\"model\":\"m\",\"input\":\"a\",\"encoding_format\":\"base64\"}",
     "{\"object\":\"list\",\"data\":[{\"object\":\"embedding\",\"index\":0,"
     "\"embedding\":\"AAAAPwAAgL8=\"}],\"model\":\"m\","
     "\"usage\":{\"prompt_tokens\":9,\"total_tokens\":9}}"},
    {EMBED, "{\"model\":\"m\",\"input\":[\"a\",\"b\",\"c\"]}",
     "{\"model\":\"m\",\"embeddings\":[[0.5,-1],[0.100000001,3.00000003e-09],[null,0]],"
     "\"total_duration\":5000,\"load_duration\":2000,\"prompt_eval_count\":9}"},
    {EMBED, "{\"model\":\"m\"}",
     "{\"model\":\"m\",\"embeddings\":[],\"total_duration\":5000,\"load_duration\":2000,"
     "\"prompt_eval_count\":9}"},
    {OLD, "{\"model\":\"m\",\"prompt\":\"a\"}", "{\"embedding\":[0.5,-1]}"},
    {OLD, "{\"model\":\"m\"}", "{\"embedding\":[]}"},
    {RERANK, "{\"model\":\"m\",\"query\":\"q\",\"documents\":[\"a\",\"b\",\"c\",\"d\"]}",
     "{\"id\":\"rerank-12\",\"model\":\"m\",\"object\":\"list\","
     "\"usage\":{\"prompt_tokens\":9,\"total_tokens\":9},\"results\":["
     "{\"index\":1,\"relevance_score\":0.75},{\"index\":3,\"relevance_score\":0.75},"
     "{\"index\":0,\"relevance_score\":0.25},{\"index\":2,\"relevance_score\":null}]}"},
    {RERANK,
     "{\"model\":\"m\",\"query\":\"q\",\"documents\":[\"a\",\"b\\n\"],\"top_n\":1,"
     "\"return_documents\":true}",
     "{\"id\":\"rerank-12\",\"model\":\"m\",\"object\":\"list\","
     "\"usage\":{\"prompt_tokens\":9,\"total_tokens\":9},\"results\":["
     "{\"index\":1,\"relevance_score\":0.75,\"document\":{\"text\":\"b\\n\"}}]}"},
};

/* What `path` answers when its inputs become the vectors and scores above. */
static void answer(const char *path, const char *body, struct gs_buf *out)
{
    const struct gs_dialect *d = dialect_of(path);
    struct gs_dialect_context ctx;
    struct gs_error err = {0};
    _Alignas(max_align_t) unsigned char memory[256] = {0};
    struct gs_arena a;

    assert_true(d->state_bytes <= sizeof(memory));
    if (read(path, body, &a, &ctx, &err) != GS_OK)
        fail_msg("%s", err.msg);
    ctx.request_id = GS_SLICE_LIT("req_12");
    for (size_t i = 0; i < ctx.texts->n_inputs; i++) {
        const struct gs_event ev = {.kind = GS_EVENT_VECTOR,
                                    .values = ctx.texts->is_ranking ? &scores[i] : vectors[i],
                                    .n_values = ctx.texts->is_ranking ? 1 : 2};
        d->write_event(memory, &ctx, &ev, out);
    }
    assert_int_equal(out->len, 0);
    d->write_keepalive(memory, &ctx, out);
    d->write_event(memory, &ctx,
                   &(struct gs_event){.kind = GS_EVENT_STOP,
                                      .usage = {.prompt_tokens = 9, .load_us = 2, .prefill_us = 3}},
                   out);
    d->clear_state(memory);
    gs_arena_clear(&a);
}

static void test_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(answers); i++) {
        struct gs_buf out;

        gs_buf_init(&out, 1 << 16);
        answer(answers[i].path, answers[i].body, &out);
        if (!gs_slice_eq_str(gs_buf_view(&out), answers[i].wanted))
            fail_msg("%s: %.*s", answers[i].body, (int)out.len, out.ptr);
        gs_buf_clear(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_too_many_inputs),
        cmocka_unit_test(test_answers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
