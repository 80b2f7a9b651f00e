/* Request bodies of any bytes through every dialect, and each chat that comes out answered with
 * its own texts, streamed and whole. The first byte picks the endpoint. */
#include "base/alloc.h"
#include "base/slice.h"
#include "dialect/dialect.h"
#include "genset/models.h"

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
    {&gs_dialect_openai_completions, "/v1/completions"},
    {&gs_dialect_openai_responses, "/v1/responses"},
    {&gs_dialect_openai_responses, "/v1/responses/input_tokens"},
    {&gs_dialect_llama, "/completion"},
    {&gs_dialect_llama, "/infill"},
    {&gs_dialect_llama_errands, "/tokenize"},
    {&gs_dialect_llama_errands, "/detokenize"},
    {&gs_dialect_llama_errands, "/apply-template"},
    {&gs_dialect_llama_errands, "/props"},
    {&gs_dialect_ollama_models, "/api/show"},
    {&gs_dialect_ollama_models, "/api/create"},
    {&gs_dialect_ollama_models, "/api/copy"},
    {&gs_dialect_ollama_models, "/api/pull"},
    {&gs_dialect_ollama_models, "/api/ps"},
};

/* Whatever is asked for was said before, in the words of the request itself. */
static enum gs_status find(void *self, struct gs_slice id, struct gs_arena *a,
                           struct gs_dialect_record *out_record)
{
    const struct gs_slice body = *(const struct gs_slice *)self;
    const size_t start = gs_slice_find(body, GS_SLICE_LIT("["), 0);
    const size_t end = gs_slice_find(body, GS_SLICE_LIT("]"), 0);
    struct gs_dialect_record r = {.body = GS_SLICE_LIT("{\"output\":[{\"id\":\"msg_1_0\"}]}")};

    if (start == SIZE_MAX || end == SIZE_MAX)
        return GS_ENOTFOUND;
    if (!gs_arena_dup(a, id, &r.id) ||
        !gs_arena_dup(a, gs_slice_sub(body, start, end + 1), &r.input))
        return GS_ENOMEM;
    r.previous = gs_slice_sub(r.id, 0, id.len / 2);
    *out_record = r;
    return GS_OK;
}

static void keep(void *self, const struct gs_dialect_record *record)
{
    (void)self;
    (void)record;
}

struct answer {
    const struct gs_dialect *dialect;
    const struct gs_dialect_context *ctx;
    void *state;
    struct gs_buf out;
    uint32_t idx;
};

static void say(struct answer *a, const struct gs_event *ev)
{
    struct gs_event told = *ev;

    told.answer_idx = a->idx;
    a->dialect->write_event(a->state, a->ctx, &told, &a->out);
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

/* A raw prompt as the answer's text, one token long. */
static void echo_raw(struct answer *a, const struct gs_chat *chat)
{
    const struct gs_top_logprob top = {1, -2, GS_SLICE_LIT("x")};
    const struct gs_logprob lp = {0, -1, chat->raw_prompt, &top, 1};

    say(a, &(struct gs_event){.kind = GS_EVENT_BEGIN});
    say(a, &(struct gs_event){.kind = GS_EVENT_DELTA,
                              .text = chat->raw_prompt,
                              .logprob = &lp,
                              .n_logprob = chat->logprobs});
    say(a, &(struct gs_event){.kind = GS_EVENT_END});
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

/* All answers of all chats, one after the other. */
static void write_answers(struct answer *a, const struct gs_chat *first)
{
    struct gs_event stop = {.kind = GS_EVENT_STOP, .stop = GS_STOP_END};

    for (const struct gs_chat *chat = first; chat; chat = chat->next) {
        for (int32_t k = 0; k < GS_MAX(1, chat->n_answers); k++) {
            for (size_t i = 0; i < chat->n_messages; i++)
                echo(a, &chat->messages[i]);
            if (chat->is_raw)
                echo_raw(a, chat);
            number(a, a->ctx->texts);
            stop.n_left = chat->next || k + 1 < chat->n_answers;
            say(a, &stop);
            a->idx++;
        }
    }
}

/* What an errand may find. */
static void run_errand(struct gs_errand *e)
{
    static const struct gs_local_model model = {
        .name = "n", .path = "/a/n.gguf", .arch = "", .quant = "", .is_loaded = true};
    static const int32_t tokens[] = {7};
    static const struct gs_slice pieces[] = {{"\xff", 1}};

    e->models = &model;
    e->n_models = 1;
    e->metadata = GS_SLICE_LIT("{}");
    if (e->kind == GS_ERRAND_TOKENIZE) {
        e->tokens = tokens;
        e->n_tokens = 1;
        e->pieces = e->wants_pieces ? pieces : NULL;
    }
}

static void answer(const struct gs_dialect *d, const struct gs_chat *chat,
                   struct gs_dialect_context *ctx)
{
    struct answer a = {d, ctx, gs_alloc_zero(d->state_bytes), {0}, 0};
    const struct gs_event start = {.kind = GS_EVENT_START};

    if (!a.state)
        return;
    ctx->request_id = GS_SLICE_LIT("req_1");
    gs_buf_init(&a.out, MAX_OUT_BYTES);
    say(&a, &start);
    d->write_keepalive(a.state, ctx, &a.out);
    write_answers(&a, chat);
    d->clear_state(a.state);
    gs_free(a.state);
    gs_buf_clear(&a.out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gs_arena arena;
    struct gs_chat chat;
    struct gs_dialect_context ctx = {0};
    struct gs_error err = {0};

    if (size == 0)
        return 0;
    const size_t e = data[0] % GS_COUNT_OF(endpoints);
    const struct gs_dialect *d = endpoints[e].dialect;
    const struct gs_slice body = {(const char *)data + 1, size - 1};
    const struct gs_dialect_store store = {.self = (void *)&body, .find = find, .keep = keep};
    ctx.store = &store;
    gs_arena_init(&arena, MAX_ARENA_BYTES);
    if (d->read_request(&chat, &ctx, body, endpoints[e].path, &arena, &err) == GS_OK) {
        if (ctx.errand)
            run_errand(ctx.errand);
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
