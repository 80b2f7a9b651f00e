/* Request bodies of any bytes through every dialect, and each chat that comes out answered with
 * its own texts, streamed and whole. The first byte picks the endpoint. */
#include "base/alloc.h"
#include "base/slice.h"
#include "dialect/dialect.h"

#define MAX_ARENA_BYTES ((size_t)64 << 20)
#define MAX_OUT_BYTES   ((size_t)16 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
    const struct gs_dialect *dialect;
    const char *path;
} endpoints[] = {
    {&gs_dialect_anthropic, "/v1/messages"},
    {&gs_dialect_anthropic, "/v1/messages/count_tokens"},
    {&gs_dialect_openai_chat, "/v1/chat/completions"},
    {&gs_dialect_ollama, "/api/chat"},
    {&gs_dialect_ollama, "/api/generate"},
    {&gs_dialect_openai_embed, "/v1/embeddings"},
    {&gs_dialect_ollama_embed, "/api/embed"},
    {&gs_dialect_ollama_embed, "/api/embeddings"},
    {&gs_dialect_rerank, "/v1/rerank"},
};

struct answer {
    const struct gs_dialect *dialect;
    const struct gs_dialect_context *ctx;
    void *state;
    struct gs_buf out;
};

static void say(struct answer *a, const struct gs_event *ev)
{
    a->dialect->write_event(a->state, a->ctx, ev, &a->out);
}

/* Echo the blocks of a message as an answer's. */
static void echo(struct answer *a, const struct gs_message *m)
{
    for (size_t i = 0; i < m->n_blocks; i++) {
        const struct gs_block *b = &m->blocks[i];
        struct gs_event ev = {.block = b->kind,
                              .block_idx = (uint32_t)i,
                              .id = b->id,
                              .name = b->name,
                              .text = b->kind == GS_BLOCK_TOOL_CALL ? b->args : b->text};
        ev.kind = GS_EVENT_BEGIN;
        say(a, &ev);
        ev.kind = GS_EVENT_DELTA;
        say(a, &ev);
        ev.kind = GS_EVENT_END;
        say(a, &ev);
    }
}

/* Each input's vector is its length and its place. */
static void number(struct answer *a, const struct gs_texts *texts)
{
    for (size_t i = 0; texts && i < texts->n_inputs; i++) {
        const struct gs_embed_input *in = &texts->inputs[i];
        const float values[] = {(float)(in->tokens ? in->n_tokens : in->text.len), (float)i};
        say(a, &(struct gs_event){
                   .kind = GS_EVENT_VECTOR, .values = values, .n_values = GS_COUNT_OF(values)});
    }
}

static void answer(const struct gs_dialect *d, const struct gs_chat *chat,
                   struct gs_dialect_context *ctx)
{
    struct answer a = {d, ctx, gs_alloc_zero(d->state_bytes), {0}};
    const struct gs_event start = {.kind = GS_EVENT_START};
    const struct gs_event stop = {.kind = GS_EVENT_STOP, .stop = GS_STOP_END};

    if (!a.state)
        return;
    ctx->request_id = GS_SLICE_LIT("req_1");
    gs_buf_init(&a.out, MAX_OUT_BYTES);
    say(&a, &start);
    d->write_keepalive(a.state, ctx, &a.out);
    for (size_t i = 0; i < chat->n_messages; i++)
        echo(&a, &chat->messages[i]);
    number(&a, ctx->texts);
    say(&a, &stop);
    d->clear_state(a.state);
    gs_free(a.state);
    gs_buf_clear(&a.out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gs_arena arena;
    struct gs_chat chat;
    struct gs_dialect_context ctx;
    struct gs_error err = {0};

    if (size == 0)
        return 0;
    const size_t e = data[0] % GS_COUNT_OF(endpoints);
    const struct gs_dialect *d = endpoints[e].dialect;
    const struct gs_slice body = {(const char *)data + 1, size - 1};
    gs_arena_init(&arena, MAX_ARENA_BYTES);
    if (d->read_request(&chat, &ctx, body, endpoints[e].path, &arena, &err) == GS_OK) {
        ctx.stream = true;
        answer(d, &chat, &ctx);
        ctx.stream = false;
        answer(d, &chat, &ctx);
    } else {
        struct gs_buf out;
        gs_buf_init(&out, MAX_OUT_BYTES);
        d->write_error(gs_dialect_status(d, &err), &err, GS_SLICE_LIT("req_1"), &out);
        gs_buf_clear(&out);
    }
    gs_arena_clear(&arena);
    return 0;
}
