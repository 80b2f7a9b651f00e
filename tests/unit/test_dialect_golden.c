/* Golden transcripts of the dialects, tests/data/dialect: adding a case needs no C.
 *
 *   read/DIALECT.ENDPOINT.NAME.json   a request body; NAME.chat beside it is what it means
 *   write/NAME.events                 an answer, one event a line; NAME.DIALECT.stream and
 *                                     NAME.DIALECT.whole are how it is spelled. If the first line
 *                                     is a request ({"path":, "body":}), by its dialect alone
 *
 * GENSET_GOLDEN_UPDATE=1 writes the expected files anew; the review reads the difference. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/os.h"
#include "base/slice.h"
#include "cmocka_headers.h"
#include "dialect/dialect.h"
#include "dialect_dump.h"
#include "genset/models.h"
#include "json/json.h"

#define DIR_READ   GENSET_TEST_DATA "/dialect/read"
#define DIR_WRITE  GENSET_TEST_DATA "/dialect/write"
#define MAX_BYTES  ((size_t)1 << 20)
#define PATH_BYTES 512

static const struct {
    const char *prefix, *path;
    const struct gs_dialect *dialect;
} endpoints[] = {
    {"anthropic.messages.", "/v1/messages", &gs_dialect_anthropic},
    {"anthropic.count_tokens.", "/v1/messages/count_tokens", &gs_dialect_anthropic},
    {"openai-chat.completions.", "/v1/chat/completions", &gs_dialect_openai_chat},
    {"openai.completions.", "/v1/completions", &gs_dialect_openai_completions},
    {"openai-responses.responses.", "/v1/responses", &gs_dialect_openai_responses},
    {"openai-responses.input_tokens.", "/v1/responses/input_tokens", &gs_dialect_openai_responses},
    {"ollama.chat.", "/api/chat", &gs_dialect_ollama},
    {"ollama.generate.", "/api/generate", &gs_dialect_ollama},
    {"llama.completion.", "/completion", &gs_dialect_llama},
    {"llama.infill.", "/infill", &gs_dialect_llama},
    {"llama-errands.tokenize.", "/tokenize", &gs_dialect_llama_errands},
    {"llama-errands.detokenize.", "/detokenize", &gs_dialect_llama_errands},
    {"llama-errands.apply.", "/apply-template", &gs_dialect_llama_errands},
    {"ollama-models.show.", "/api/show", &gs_dialect_ollama_models},
    {"ollama-models.create.", "/api/create", &gs_dialect_ollama_models},
    {"ollama-models.copy.", "/api/copy", &gs_dialect_ollama_models},
    {"ollama-models.delete.", "/api/delete", &gs_dialect_ollama_models},
    {"ollama-models.pull.", "/api/pull", &gs_dialect_ollama_models},
    {"ollama-models.push.", "/api/push", &gs_dialect_ollama_models},
};

static const struct gs_dialect *const dialects[] = {&gs_dialect_anthropic, &gs_dialect_openai_chat,
                                                    &gs_dialect_openai_responses,
                                                    &gs_dialect_ollama};

/* ---- files ---- */

static void read_file(const char *path, struct gs_buf *b)
{
    struct gs_error err;

    gs_buf_init(b, MAX_BYTES);
    if (gs_os_read_file(path, b, &err) != GS_OK)
        fail_msg("%s", err.msg);
}

/* Compare with, or write, the expected file. */
static int expect_file(const char *path, const struct gs_buf *got)
{
    struct gs_buf want;
    struct gs_error err;

    assert_true(gs_buf_ok(got));
    if (getenv("GENSET_GOLDEN_UPDATE")) {
        assert_int_equal(gs_os_write_file(path, got->ptr, got->len, &err), GS_OK);
        return 0;
    }
    read_file(path, &want);
    const bool is_equal = gs_slice_eq(gs_buf_view(got), gs_buf_view(&want));
    if (!is_equal)
        print_error("%s: expected\n%.*s\nfound\n%.*s\n", path, (int)want.len,
                    want.len ? want.ptr : "", (int)got->len, got->len ? got->ptr : "");
    gs_buf_clear(&want);
    return !is_equal;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* Run fn on every file of the folder that ends in `suffix`; how many failed. */
static int for_each(const char *dir, const char *suffix, int (*fn)(const char *name))
{
    struct dirent **list = NULL;
    const int n = scandir(dir, &list, NULL, by_name);
    int n_failed = 0;
    int n_run = 0;

    for (int i = 0; i < n; i++) {
        if (gs_slice_ends(gs_slice_str(list[i]->d_name), gs_slice_str(suffix))) {
            n_failed += fn(list[i]->d_name);
            n_run++;
        }
        free(list[i]);
    }
    free(list);
    assert_true(n_run > 0);
    return n_failed;
}

/* ---- requests ---- */

static void dump_errand(struct gs_buf *b, const struct gs_errand *e)
{
    static const char *const kinds[] = {"open",   "close",  "tokenize",  "detokenize", "render",
                                        "facts",  "list",   "find",      "show",       "copy",
                                        "delete", "create", "blob_find", "blob_add"};

    gs_buf_printf(b, "errand %s", kinds[e->kind]);
    dump_slice(b, "model", e->model);
    dump_slice(b, "target", e->target);
    dump_slice(b, "digest", e->digest);
    dump_slice(b, "text", e->text);
    gs_buf_puts(b, e->add_special ? " add_special" : "");
    gs_buf_puts(b, e->parse_special ? " parse_special" : "");
    gs_buf_puts(b, e->wants_pieces ? " wants_pieces" : "");
    gs_buf_puts(b, e->wants_lists ? " wants_lists" : "");
    for (size_t i = 0; i < e->n_tokens; i++)
        gs_buf_printf(b, " %d", (int)e->tokens[i]);
    gs_buf_putc(b, '\n');
}

static void dump_context(struct gs_buf *b, const struct gs_dialect_context *ctx)
{
    gs_buf_puts(b, "context");
    dump_slice(b, "model", ctx->model);
    gs_buf_puts(b, ctx->stream ? " stream" : "");
    gs_buf_puts(b, ctx->include_usage ? " include_usage" : "");
    gs_buf_puts(b, ctx->is_generate ? " is_generate" : "");
    gs_buf_puts(b, ctx->is_count ? " is_count" : "");
    gs_buf_puts(b, ctx->marks_cache ? " marks_cache" : "");
    gs_buf_puts(b, ctx->omits_reasoning ? " omits_reasoning" : "");
    gs_buf_puts(b, ctx->streams_at_once ? " at_once" : "");
    gs_buf_putc(b, '\n');
    if (ctx->errand)
        dump_errand(b, ctx->errand);
}

static int read_case(const char *name)
{
    char path[PATH_BYTES];
    struct gs_buf body;
    struct gs_buf got;
    struct gs_arena a;
    struct gs_chat chat;
    struct gs_dialect_context ctx = {0};
    struct gs_error err = {0};
    size_t e = 0;

    while (e < GS_COUNT_OF(endpoints) &&
           !gs_slice_starts(gs_slice_str(name), gs_slice_str(endpoints[e].prefix)))
        e++;
    assert_true(e < GS_COUNT_OF(endpoints));
    snprintf(path, sizeof(path), "%s/%s", DIR_READ, name);
    read_file(path, &body);
    gs_arena_init(&a, 0);
    gs_buf_init(&got, MAX_BYTES);
    if (endpoints[e].dialect->read_request(&chat, &ctx, gs_buf_view(&body), endpoints[e].path, &a,
                                           &err) == GS_OK) {
        dump_context(&got, &ctx);
        for (const struct gs_chat *c = ctx.errand ? NULL : &chat; c; c = c->next) {
            gs_buf_puts(&got, c == &chat ? "" : "next\n");
            dump_chat(&got, c);
        }
    } else {
        gs_buf_printf(&got, "error %d ", gs_dialect_status(endpoints[e].dialect, &err));
        endpoints[e].dialect->write_error(gs_dialect_status(endpoints[e].dialect, &err), &err,
                                          GS_SLICE_LIT("req_0"), &got);
        gs_buf_putc(&got, '\n');
    }
    snprintf(path, sizeof(path), "%s/%.*s.chat", DIR_READ, (int)(strlen(name) - 5), name);
    const int failed = expect_file(path, &got);
    gs_buf_clear(&got);
    gs_buf_clear(&body);
    gs_arena_clear(&a);
    return failed;
}

static void test_requests(void **state)
{
    (void)state;
    assert_int_equal(for_each(DIR_READ, ".json", read_case), 0);
}

/* ---- answers ---- */

static int find(const char *const *names, size_t n, struct gs_slice name)
{
    for (size_t i = 0; i < n; i++) {
        if (gs_slice_eq_str(name, names[i]))
            return (int)i;
    }
    fail_msg("unknown word \"%.*s\"", (int)name.len, name.ptr);
    return 0;
}

static struct gs_slice text_of(const struct gs_json *v, const char *key)
{
    struct gs_slice s = {NULL, 0};

    assert_true(gs_json_get_string(v, key, &s, NULL));
    return s;
}

static int64_t int_of(const struct gs_json *v, const char *key)
{
    int64_t n = 0;

    assert_true(gs_json_get_int(v, key, &n, NULL));
    return n;
}

struct script_event {
    struct gs_event ev;
    struct gs_error err;
    struct gs_top_logprob top;
    int32_t tokens[8];
    struct gs_logprob logprob;
    bool is_keepalive;
};

/* One line of an .events file. */
static void parse_event(const struct gs_json *v, struct script_event *out)
{
    static const char *const kinds[] = {"start",  "progress", "begin", "delta",    "end",
                                        "vector", "stop",     "error", "keepalive"};
    static const int keepalive = GS_COUNT_OF(kinds) - 1;
    static const char *const blocks[] = {"text", "reasoning", "tool"};
    static const char *const stops[] = {"end", "length", "context", "sequence", "tool", "refusal"};
    const struct gs_slice block = text_of(v, "block");
    const struct gs_slice stop = text_of(v, "stop");
    const int kind = find(kinds, GS_COUNT_OF(kinds), text_of(v, "event"));

    *out = (struct script_event){.is_keepalive = kind == keepalive};
    out->ev = (struct gs_event){
        .kind = (enum gs_event_kind)(kind == keepalive ? 0 : kind),
        .block = (enum gs_block_kind)(block.len ? find(blocks, GS_COUNT_OF(blocks), block) : 0),
        .block_idx = (uint32_t)int_of(v, "idx"),
        .answer_idx = (uint32_t)int_of(v, "of"),
        .n_left = (uint32_t)int_of(v, "left"),
        .text = text_of(v, "text"),
        .id = text_of(v, "id"),
        .name = text_of(v, "name"),
        .signature = text_of(v, "signature"),
        .stop = (enum gs_stop_reason)(stop.len ? find(stops, GS_COUNT_OF(stops), stop) : 0),
        .stop_sequence = text_of(v, "sequence"),
        .usage = {.prompt_tokens = int_of(v, "prompt"),
                  .cached_tokens = int_of(v, "cached"),
                  .answer_tokens = int_of(v, "answer"),
                  .reasoning_tokens = int_of(v, "reasoning"),
                  .load_us = int_of(v, "load_us"),
                  .prefill_us = int_of(v, "prefill_us"),
                  .decode_us = int_of(v, "decode_us")},
    };
    gs_error_set(&out->err, (enum gs_status)int_of(v, "code"), "%.*s", (int)text_of(v, "msg").len,
                 text_of(v, "msg").ptr ? text_of(v, "msg").ptr : "");
    gs_error_amounts(&out->err, int_of(v, "needed"), int_of(v, "available"));
    out->ev.error = kind == GS_EVENT_ERROR ? &out->err : NULL;
    const struct gs_json *tokens = gs_json_get(v, "tokens");
    for (size_t i = 0; tokens && i < GS_MIN(tokens->u.array.len, GS_COUNT_OF(out->tokens)); i++)
        out->tokens[out->ev.n_tokens++] = (int32_t)tokens->u.array.items[i].u.integer;
    out->ev.tokens = out->tokens;
    if (gs_json_get(v, "logprob")) {
        double lp = 0;
        assert_true(gs_json_get_double(v, "logprob", &lp, NULL));
        out->top = (struct gs_top_logprob){1, (float)lp - 1, GS_SLICE_LIT("other")};
        out->logprob = (struct gs_logprob){0, (float)lp, out->ev.text, &out->top, 1};
        out->ev.logprob = &out->logprob;
        out->ev.n_logprob = 1;
    }
}

/* The first line, if it is a request; what answers need to know of it then comes from its dialect.
 * Returns where the events begin. */
static size_t read_script_request(struct gs_slice script, struct gs_arena *a,
                                  const struct gs_dialect **out_d, struct gs_dialect_context *ctx)
{
    const size_t end = gs_slice_find(script, GS_SLICE_LIT("\n"), 0);
    struct gs_json line;
    struct gs_chat chat;
    struct gs_buf body;
    struct gs_error err = {0};

    assert_int_equal(gs_json_parse(gs_slice_sub(script, 0, end), a, &line, NULL), GS_OK);
    if (!gs_json_get(&line, "path"))
        return 0;
    for (size_t e = 0; e < GS_COUNT_OF(endpoints); e++) {
        if (!gs_slice_eq_str(text_of(&line, "path"), endpoints[e].path))
            continue;
        gs_buf_init(&body, MAX_BYTES);
        gs_json_write(&body, gs_json_get(&line, "body"));
        *out_d = endpoints[e].dialect;
        if ((*out_d)->read_request(&chat, ctx, gs_buf_view(&body), endpoints[e].path, a, &err) !=
            GS_OK)
            fail_msg("%s", err.msg);
        gs_buf_clear(&body);
    }
    assert_non_null(*out_d);
    return end + 1;
}

static void spell(const struct gs_dialect *d, const struct gs_dialect_context *request, bool stream,
                  struct gs_slice script, struct gs_buf *out)
{
    struct gs_dialect_context ctx = *request;
    void *state = calloc(1, d->state_bytes);
    struct gs_arena a;

    ctx.request_id = GS_SLICE_LIT("req_0123");
    ctx.created_us = 1767225600000000; /* 2026-01-01 */
    ctx.stream = stream;
    gs_arena_init(&a, 0);
    for (size_t at = 0; at < script.len;) {
        const size_t end = gs_slice_find(script, GS_SLICE_LIT("\n"), at);
        struct script_event line;
        struct gs_json v;
        assert_int_equal(gs_json_parse(gs_slice_sub(script, at, end), &a, &v, NULL), GS_OK);
        parse_event(&v, &line);
        if (!line.is_keepalive)
            d->write_event(state, &ctx, &line.ev, out);
        else if (stream)
            d->write_keepalive(state, &ctx, out);
        at = end == SIZE_MAX ? script.len : end + 1;
    }
    d->clear_state(state);
    free(state);
    gs_arena_clear(&a);
}

static int write_case(const char *name)
{
    char path[PATH_BYTES];
    struct gs_dialect_context ctx = {.model = GS_SLICE_LIT("test-model"), .include_usage = true};
    const struct gs_dialect *only = NULL;
    struct gs_buf script;
    struct gs_arena a;
    int n_failed = 0;

    snprintf(path, sizeof(path), "%s/%s", DIR_WRITE, name);
    read_file(path, &script);
    gs_arena_init(&a, 0);
    const size_t begin = read_script_request(gs_buf_view(&script), &a, &only, &ctx);
    for (size_t i = 0; i < 2 * (only ? 1 : GS_COUNT_OF(dialects)); i++) {
        const struct gs_dialect *d = only ? only : dialects[i / 2];
        const bool stream = i % 2 == 0;
        struct gs_buf got;
        gs_buf_init(&got, MAX_BYTES);
        spell(d, &ctx, stream, gs_slice_sub(gs_buf_view(&script), begin, script.len), &got);
        snprintf(path, sizeof(path), "%s/%.*s.%s.%s", DIR_WRITE, (int)(strlen(name) - 7), name,
                 d->name, stream ? "stream" : "whole");
        n_failed += expect_file(path, &got);
        gs_buf_clear(&got);
    }
    gs_arena_clear(&a);
    gs_buf_clear(&script);
    return n_failed;
}

static void test_answers(void **state)
{
    (void)state;
    assert_int_equal(for_each(DIR_WRITE, ".events", write_case), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_answers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
