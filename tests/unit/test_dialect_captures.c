/* What real clients sent, replayed: every captured body is understood, or refused for the reason
 * it should be. Reads shared/captures; skipped where that is absent. */
#include <dirent.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/os.h"
#include "base/slice.h"
#include "cmocka_headers.h"
#include "dialect/dialect.h"
#include "json/json.h"

#define DIR_CAPTURES GENSET_SHARED "/captures"
#define MAX_BYTES    ((size_t)16 << 20)

static const struct {
    const char *path;
    const struct gs_dialect *dialect;
} endpoints[] = {
    {"/v1/messages", &gs_dialect_anthropic},
    {"/v1/v1/messages", &gs_dialect_anthropic},
    {"/v1/messages/count_tokens", &gs_dialect_anthropic},
    {"/v1/chat/completions", &gs_dialect_openai_chat},
    {"/v1/responses", &gs_dialect_openai_responses},
    {"/api/chat", &gs_dialect_ollama},
    {"/api/generate", &gs_dialect_ollama},
    {"/v1/embeddings", &gs_dialect_openai_embed},
    {"/api/embed", &gs_dialect_ollama_embed},
    {"/api/embeddings", &gs_dialect_ollama_embed},
};

static int n_replayed;

static const struct gs_dialect *dialect_of(struct gs_slice path)
{
    const struct gs_slice bare = gs_slice_sub(path, 0, gs_slice_find(path, GS_SLICE_LIT("?"), 0));

    for (size_t i = 0; i < GS_COUNT_OF(endpoints); i++) {
        if (gs_slice_eq_str(bare, endpoints[i].path))
            return endpoints[i].dialect;
    }
    return NULL;
}

/* What must hold of a chat that a client's body became. */
static void check_chat(const char *file, const struct gs_json *body, const struct gs_chat *chat,
                       const struct gs_dialect_context *ctx)
{
    const struct gs_json *stream = gs_json_get(body, "stream");
    const struct gs_json *model = gs_json_get(body, "model");

    if (chat->n_messages == 0 || !gs_slice_eq(chat->model, model->u.string) ||
        (stream && stream->kind == GS_JSON_BOOL && ctx->stream != stream->u.boolean &&
         !ctx->is_count))
        fail_msg("%s: misread", file);
    for (size_t m = 0; m < chat->n_messages; m++) {
        for (size_t i = 0; i < chat->messages[m].n_blocks; i++) {
            const struct gs_block *b = &chat->messages[m].blocks[i];
            if (gs_slice_starts(b->text, GS_SLICE_LIT("x-anthropic-billing-header")))
                fail_msg("%s: the billing header is in the prompt", file);
            if (b->kind == GS_BLOCK_TOOL_RESULT && !b->name.len)
                fail_msg("%s: a tool result has no name", file);
        }
    }
}

/* The same of texts. */
static void check_texts(const char *file, const struct gs_json *body, const struct gs_texts *texts)
{
    const struct gs_json *model = gs_json_get(body, "model");

    if (texts->n_inputs != 1 || texts->inputs[0].text.len == 0 ||
        !gs_slice_eq(texts->model, model->u.string) ||
        (gs_json_get(body, "dimensions") != NULL) != (texts->dims > 0))
        fail_msg("%s: misread", file);
}

static void replay(const char *file, const struct gs_json *capture, struct gs_arena *a)
{
    const struct gs_json *path = gs_json_get(capture, "path");
    const struct gs_json *body = gs_json_get(capture, "body");
    const struct gs_dialect *d = path ? dialect_of(path->u.string) : NULL;
    struct gs_dialect_context ctx = {0};
    struct gs_chat chat;
    struct gs_error err = {0};
    struct gs_buf text;

    if (!d || !body || body->kind != GS_JSON_OBJECT)
        return;
    gs_buf_init(&text, MAX_BYTES);
    gs_json_write(&text, body);
    const enum gs_status st =
        d->read_request(&chat, &ctx, gs_buf_view(&text), path->u.string.ptr, a, &err);
    if (gs_json_get(body, "thread"))
        assert_int_equal(st, GS_EUNSUPPORTED);
    else if (st != GS_OK)
        fail_msg("%s: %s", file, err.msg);
    else if (ctx.texts)
        check_texts(file, body, ctx.texts);
    else
        check_chat(file, body, &chat, &ctx);
    gs_buf_clear(&text);
    n_replayed++;
}

static void replay_folder(const char *folder)
{
    DIR *dir = opendir(folder);

    for (struct dirent *e = dir ? readdir(dir) : NULL; e; e = readdir(dir)) {
        char file[1024];
        struct gs_buf text;
        struct gs_arena a;
        struct gs_json capture;
        snprintf(file, sizeof(file), "%s/%s", folder, e->d_name);
        if (strncmp(e->d_name, "request-", 8) != 0)
            continue;
        gs_buf_init(&text, MAX_BYTES);
        gs_arena_init(&a, 0);
        assert_int_equal(gs_os_read_file(file, &text, NULL), GS_OK);
        assert_int_equal(gs_json_parse(gs_buf_view(&text), &a, &capture, NULL), GS_OK);
        replay(file, &capture, &a);
        gs_arena_clear(&a);
        gs_buf_clear(&text);
    }
    if (dir)
        closedir(dir);
}

static void test_captures(void **state)
{
    DIR *dir = opendir(DIR_CAPTURES);

    (void)state;
    if (!dir) {
        print_message("no %s: skipped\n", DIR_CAPTURES);
        skip();
    }
    for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        char folder[512];
        snprintf(folder, sizeof(folder), "%s/%.200s", DIR_CAPTURES, e->d_name);
        if (e->d_name[0] != '.')
            replay_folder(folder);
    }
    closedir(dir);
    print_message("%d captured requests replayed\n", n_replayed);
    assert_true(n_replayed > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_captures)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
