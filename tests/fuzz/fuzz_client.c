/* What servers answer, of any bytes, through every client: streamed (the second byte says where the
 * stream is cut), whole, and as a refusal; and request bodies of any bytes, asked of every server.
 * The first byte picks the client. What comes of it keeps to the order of events, and is spelled
 * again by the API's own writer. */
#include "base/alloc.h"
#include "base/slice.h"
#include "dialect/client.h"
#include "signed_by_all.h"
#include "json/json.h"

#define MAX_ARENA_BYTES ((size_t)64 << 20)
#define MAX_OUT_BYTES   ((size_t)16 << 20)
#define MAX_FRAME_BYTES ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct gs_dialect_client *const clients[] = {
    &gs_dialect_client_anthropic, &gs_dialect_client_ollama, &gs_dialect_client_openai_chat,
    &gs_dialect_client_openai_responses};

static void check(bool holds)
{
    if (!holds)
        __builtin_trap();
}

/* ---- answers ---- */

struct listener {
    const struct gs_dialect *speaks;
    struct gs_dialect_context ctx;
    void *state;
    struct gs_buf out;
    bool has_started, in_block, has_stopped;
    uint32_t n_blocks;
};

static enum gs_flow on_event(void *ud, const struct gs_event *ev)
{
    struct listener *l = ud;

    check(!l->has_stopped);
    check(l->has_started == (ev->kind != GS_EVENT_START));
    switch (ev->kind) {
    case GS_EVENT_START:
        l->has_started = true;
        break;
    case GS_EVENT_BEGIN:
        check(!l->in_block && ev->block_idx == l->n_blocks);
        l->in_block = true;
        l->n_blocks++;
        break;
    case GS_EVENT_DELTA:
    case GS_EVENT_END:
        check(l->in_block && ev->block_idx + 1 == l->n_blocks);
        l->in_block = ev->kind == GS_EVENT_DELTA;
        break;
    case GS_EVENT_STOP:
        check(!l->in_block);
        l->has_stopped = true;
        break;
    case GS_EVENT_PROGRESS:
        check(ev->is_passed_over || ev->n_sent > 0);
        break;
    case GS_EVENT_VECTOR:
    case GS_EVENT_ERROR:
        check(false);
        break;
    }
    l->speaks->write_event(l->state, &l->ctx, ev, &l->out);
    return GS_FLOW_CONTINUE;
}

static bool listener_init(struct listener *l, const struct gs_dialect_client *c, bool stream)
{
    *l = (struct listener){
        .speaks = c->server,
        .ctx = {.model = GS_SLICE_LIT("m"), .request_id = GS_SLICE_LIT("req_1"), .stream = stream},
        .state = gs_alloc_zero(c->server->state_bytes)};
    gs_buf_init(&l->out, MAX_OUT_BYTES);
    return l->state != NULL;
}

static void listener_clear(struct listener *l)
{
    l->speaks->clear_state(l->state);
    gs_free(l->state);
    gs_buf_clear(&l->out);
}

/* The frames are the stream, as far as they are whole. Returns whether to go on. */
static bool hear_frame(const struct gs_dialect_client *c, void *state, struct listener *l,
                       const struct gs_dialect_frame *frame, struct gs_slice *stream)
{
    enum gs_fault fault = GS_FAULT_NONE;
    struct gs_error err = {0};

    check(gs_slice_starts(*stream, frame->raw) && frame->raw.len > 0);
    *stream = gs_slice_sub(*stream, frame->raw.len, stream->len);
    const enum gs_dialect_effect effect = c->read_frame(state, frame, on_event, l, &fault, &err);
    check((effect == GS_DIALECT_FAILED) == (fault != GS_FAULT_NONE));
    check((effect == GS_DIALECT_FAILED) == (err.code != GS_OK));
    check(effect != GS_DIALECT_END || l->has_stopped);
    return effect != GS_DIALECT_FAILED;
}

static void hear_stream(const struct gs_dialect_client *c, struct gs_slice stream, size_t cut)
{
    struct gs_slice left = stream;
    void *state = gs_alloc_zero(c->state_bytes);
    enum gs_fault fault = GS_FAULT_NONE;
    struct gs_dialect_frames frames;
    struct gs_dialect_frame frame;
    struct listener l;
    bool goes_on = state && listener_init(&l, c, true);

    if (!goes_on)
        return;
    gs_dialect_frames_init(&frames, c->framing, MAX_FRAME_BYTES);
    for (size_t i = 0; i < 2 && goes_on; i++) {
        const struct gs_slice piece = gs_slice_sub(stream, i ? cut : 0, i ? stream.len : cut);
        goes_on = gs_dialect_frames_feed(&frames, piece, NULL) == GS_OK;
        while (goes_on && gs_dialect_frames_next(&frames, &frame))
            goes_on = hear_frame(c, state, &l, &frame, &left);
    }
    while (goes_on && gs_dialect_frames_rest(&frames, &frame))
        goes_on = hear_frame(c, state, &l, &frame, &left);
    if (goes_on && c->read_end(state, on_event, &l, &fault, NULL) == GS_DIALECT_END)
        check(l.has_stopped);
    gs_dialect_frames_clear(&frames);
    c->clear_state(state);
    gs_free(state);
    listener_clear(&l);
}

static void hear_whole(const struct gs_dialect_client *c, struct gs_slice body)
{
    enum gs_fault fault = GS_FAULT_NONE;
    struct gs_error err = {0};
    struct gs_arena a;
    struct listener l;

    if (!listener_init(&l, c, false))
        return;
    gs_arena_init(&a, MAX_ARENA_BYTES);
    const enum gs_dialect_effect effect = c->read_whole(body, &a, on_event, &l, &fault, &err);
    check(effect == GS_DIALECT_END ? l.has_stopped : fault != GS_FAULT_NONE && err.code != GS_OK);
    gs_arena_clear(&a);
    listener_clear(&l);
}

/* ---- requests ---- */

static bool signed_by_none(void *ud, struct gs_slice signature, struct gs_slice *out_theirs)
{
    (void)ud;
    *out_theirs = signature;
    return false;
}

/* What goes on as it came, but for what others signed, is still JSON, and mended again the same. */
static void mend(struct gs_slice body, const struct gs_dialect_to *to)
{
    struct gs_buf kept, again;
    struct gs_arena a;
    struct gs_json v;

    gs_arena_init(&a, MAX_ARENA_BYTES);
    gs_buf_init(&kept, MAX_OUT_BYTES);
    gs_buf_init(&again, MAX_OUT_BYTES);
    if (gs_dialect_mend_signed(body, to, &kept, NULL) == GS_OK && kept.len > 0) {
        check(gs_json_parse(gs_buf_view(&kept), &a, &v, NULL) == GS_OK);
        check(gs_dialect_mend_signed(gs_buf_view(&kept), to, &again, NULL) == GS_OK);
        check(again.len == 0 || gs_slice_eq(gs_buf_view(&again), gs_buf_view(&kept)));
    }
    gs_buf_clear(&kept);
    gs_buf_clear(&again);
    gs_arena_clear(&a);
}

/* Of what one API's client sends, what every server is asked. */
static void ask(const struct gs_dialect_client *from, struct gs_slice body)
{
    const struct gs_dialect_to to = {.model = GS_SLICE_LIT("claude-sonnet-4-5"),
                                     .is_theirs = signed_by_all,
                                     .takes_extensions = true,
                                     .says_continue = true};
    const struct gs_dialect_to google = {.model = GS_SLICE_LIT("gemini-3-pro"),
                                         .is_theirs = signed_by_none,
                                         .wants_signed_calls = true};
    const struct gs_dialect_to other = {.is_theirs = signed_by_none};
    struct gs_dialect_context ctx = {0};
    struct gs_chat chat;
    struct gs_arena a;

    mend(body, &google);
    mend(body, &other);
    gs_arena_init(&a, MAX_ARENA_BYTES);
    if (from->server->read_request(&chat, &ctx, body, from->path, &a, NULL) == GS_OK &&
        !ctx.errand && !ctx.texts) {
        for (size_t i = 0; i < GS_COUNT_OF(clients); i++) {
            struct gs_error err = {0};
            struct gs_buf out;
            gs_buf_init(&out, MAX_OUT_BYTES);
            const enum gs_status st = clients[i]->write_request(&chat, &to, &out, &err);
            check(st == err.code);
            gs_buf_clear(&out);
        }
    }
    gs_arena_clear(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gs_error err = {0};

    if (size < 2)
        return 0;
    const struct gs_dialect_client *c = clients[data[0] % GS_COUNT_OF(clients)];
    const struct gs_slice bytes = {(const char *)data + 2, size - 2};
    hear_stream(c, bytes, bytes.len * data[1] / 256);
    hear_whole(c, bytes);
    ask(c, bytes);
    const enum gs_fault fault = c->read_refusal(300 + data[1], bytes, &err);
    check(fault != GS_FAULT_NONE && err.code != GS_OK && err.msg[0]);
    return 0;
}
