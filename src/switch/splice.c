#include "switch/splice.h"

#include "base/slice.h"

/* ---- what the client has ---- */

static struct gs_slice said_in(const struct gs_block *b)
{
    return b->kind == GS_BLOCK_TOOL_CALL ? b->args : b->text;
}

static const struct gs_block *last_of(const struct gs_message *had)
{
    return &had->blocks[had->n_blocks - 1];
}

struct gs_slice gs_splice_text(const struct gs_message *had)
{
    for (size_t i = had->n_blocks; i > 0; i--)
        if (had->blocks[i - 1].kind == GS_BLOCK_TEXT && had->blocks[i - 1].text.len > 0)
            return had->blocks[i - 1].text;
    return gs_slice(NULL, 0);
}

/* A grammar would begin anew where the text does not. */
enum gs_seam_kind gs_splice_kind(const struct gs_chat *chat, const struct gs_message *had,
                                 bool is_fresh)
{
    const bool is_call = !is_fresh && last_of(had)->kind == GS_BLOCK_TOOL_CALL;
    const bool must_call =
        chat->tool_choice == GS_TOOL_CHOICE_ANY || chat->tool_choice == GS_TOOL_CHOICE_NAMED;

    return is_call || must_call || chat->continue_last || chat->format.kind != GS_FORMAT_TEXT ||
                   gs_seam_anchor(gs_splice_text(had)).len == 0
               ? GS_SEAM_SKIP
               : GS_SEAM_OPEN;
}

/* The block at `i`, or the next after it, that has to be said again. */
static size_t to_skip(const struct gs_splice *s, size_t i)
{
    const size_t n = s->had->n_blocks - (s->is_fresh ? 1 : 0);

    while (i < n && s->had->blocks[i].kind == GS_BLOCK_REASONING)
        i++;
    return i < n ? i : s->had->n_blocks;
}

/* Whether more may follow in it than the client has. */
static bool is_open(const struct gs_splice *s, size_t i)
{
    return i + 1 == s->had->n_blocks ||
           (s->is_fresh && i + 2 == s->had->n_blocks && s->had->blocks[i].kind == GS_BLOCK_TEXT);
}

/* ---- begin and end ---- */

static void seek(struct gs_splice *s, size_t i)
{
    struct gs_slice had = {NULL, 0};

    gs_seam_clear(&s->seam);
    s->at = to_skip(s, i);
    if (s->at < s->had->n_blocks)
        had = said_in(&s->had->blocks[s->at]);
    gs_seam_init(&s->seam, GS_SEAM_SKIP, had, NULL, 0);
}

void gs_splice_init(struct gs_splice *s, enum gs_seam_kind kind, const struct gs_chat *chat,
                    const struct gs_message *had, bool is_fresh, gs_event_fn *on_event, void *ud)
{
    *s = (struct gs_splice){
        .chat = chat,
        .had = had,
        .is_fresh = is_fresh,
        .is_first = true,
        .next = (uint32_t)had->n_blocks,
        .current = (uint32_t)(had->n_blocks - 1),
        .on_event = on_event,
        .ud = ud,
    };
    gs_seam_init(&s->seam, kind, gs_splice_text(had), chat->stops, chat->n_stops);
    if (kind == GS_SEAM_SKIP)
        seek(s, 0);
}

void gs_splice_clear(struct gs_splice *s)
{
    gs_seam_clear(&s->seam);
}

enum gs_seam_state gs_splice_state(const struct gs_splice *s)
{
    return s->is_over     ? GS_SEAM_STOPPED
           : s->is_joined ? GS_SEAM_JOINED
           : s->is_apart  ? GS_SEAM_APART
                          : GS_SEAM_WAITS;
}

/* ---- telling ---- */

static void tell(struct gs_splice *s, const struct gs_event *like, enum gs_event_kind kind,
                 enum gs_block_kind block, struct gs_slice text)
{
    struct gs_event ev = *like;

    ev.kind = kind;
    ev.block = block;
    ev.block_idx = s->current;
    ev.text = text;
    s->on_event(s->ud, &ev);
}

static void close_first(struct gs_splice *s, const struct gs_event *like)
{
    if (s->is_first)
        tell(s, like, GS_EVENT_END, last_of(s->had)->kind, gs_slice(NULL, 0));
    s->is_first = false;
}

static void begin(struct gs_splice *s, const struct gs_event *like, enum gs_block_kind block)
{
    close_first(s, like);
    s->current = s->next++;
    tell(s, like, GS_EVENT_BEGIN, block, gs_slice(NULL, 0));
}

/* What is new of the block that goes on. */
static void tell_fresh(struct gs_splice *s, const struct gs_event *like, enum gs_block_kind block,
                       struct gs_slice fresh)
{
    if (fresh.len == 0)
        return;
    if (s->is_first && last_of(s->had)->kind != block)
        begin(s, like, block);
    tell(s, like, GS_EVENT_DELTA, block, fresh);
}

static void stop(struct gs_splice *s, const struct gs_event *like, enum gs_stop_reason reason,
                 struct gs_slice sequence)
{
    struct gs_event ev = *like;

    close_first(s, like);
    ev.kind = GS_EVENT_STOP;
    ev.text = gs_slice(NULL, 0);
    ev.stop = reason;
    ev.stop_sequence = sequence;
    s->on_event(s->ud, &ev);
    s->is_over = true;
}

/* ---- before it is joined ---- */

static void take_state(struct gs_splice *s, const struct gs_event *ev, enum gs_block_kind block,
                       enum gs_seam_state state, struct gs_slice fresh)
{
    switch (state) {
    case GS_SEAM_WAITS:
        break;
    case GS_SEAM_JOINED:
        s->is_joined = true;
        tell_fresh(s, ev, block, fresh);
        break;
    case GS_SEAM_STOPPED:
        stop(s, ev, GS_STOP_SEQUENCE, s->seam.stop);
        break;
    case GS_SEAM_APART:
        s->is_apart = true;
        break;
    }
}

static bool skips(const struct gs_splice *s)
{
    return s->seam.kind == GS_SEAM_SKIP;
}

/* No more of the block that goes on comes. */
static void end_seam(struct gs_splice *s, const struct gs_event *ev, bool is_stopped)
{
    struct gs_slice fresh;
    const enum gs_seam_state state = gs_seam_end(&s->seam, is_stopped, &fresh);

    take_state(s, ev, GS_BLOCK_TEXT, state, fresh);
}

static void begin_waiting(struct gs_splice *s, const struct gs_event *ev)
{
    if (skips(s) && s->at < s->had->n_blocks) {
        const struct gs_block *had = &s->had->blocks[s->at];
        s->is_apart = ev->block != had->kind ||
                      (ev->block == GS_BLOCK_TOOL_CALL && !gs_slice_eq(ev->name, had->name));
        return;
    }
    if (skips(s)) /* nothing was said yet but reasoning */
        s->is_joined = true;
    else if (ev->block == GS_BLOCK_TOOL_CALL)
        end_seam(s, ev, false);
    if (s->is_joined)
        begin(s, ev, ev->block);
}

static void delta_waiting(struct gs_splice *s, const struct gs_event *ev)
{
    struct gs_slice fresh;
    enum gs_seam_state state = gs_seam_feed(&s->seam, ev->text, &fresh);

    if (skips(s) && !is_open(s, s->at))
        state = state == GS_SEAM_JOINED && fresh.len == 0 ? GS_SEAM_WAITS
                : state == GS_SEAM_JOINED                 ? GS_SEAM_APART
                                                          : state;
    take_state(s, ev, ev->block, state, fresh);
}

/* A block that was complete is complete again, or is not the same. */
static void end_waiting(struct gs_splice *s)
{
    struct gs_slice fresh;

    if (!skips(s) || is_open(s, s->at))
        return;
    s->is_apart = gs_seam_end(&s->seam, false, &fresh) != GS_SEAM_JOINED;
    seek(s, s->at + 1);
}

static void stop_waiting(struct gs_splice *s, const struct gs_event *ev)
{
    end_seam(s, ev, ev->stop == GS_STOP_SEQUENCE);
    if (s->is_joined)
        stop(s, ev, ev->stop, ev->stop_sequence);
}

/* ---- events ---- */

static void go_on(struct gs_splice *s, const struct gs_event *ev)
{
    switch (ev->kind) {
    case GS_EVENT_BEGIN:
        begin(s, ev, ev->block);
        break;
    case GS_EVENT_DELTA:
        tell_fresh(s, ev, ev->block, ev->text);
        break;
    case GS_EVENT_END:
        tell(s, ev, GS_EVENT_END, ev->block, gs_slice(NULL, 0));
        s->is_first = false;
        break;
    case GS_EVENT_STOP:
        stop(s, ev, ev->stop, ev->stop_sequence);
        break;
    case GS_EVENT_START:
    case GS_EVENT_PROGRESS:
    case GS_EVENT_VECTOR:
    case GS_EVENT_ERROR:
        break;
    }
}

static void wait_on(struct gs_splice *s, const struct gs_event *ev)
{
    switch (ev->kind) {
    case GS_EVENT_BEGIN:
        begin_waiting(s, ev);
        break;
    case GS_EVENT_DELTA:
        delta_waiting(s, ev);
        break;
    case GS_EVENT_END:
        end_waiting(s);
        break;
    case GS_EVENT_STOP:
        stop_waiting(s, ev);
        break;
    case GS_EVENT_START:
    case GS_EVENT_PROGRESS:
    case GS_EVENT_VECTOR:
    case GS_EVENT_ERROR:
        break;
    }
}

static bool is_of_reasoning(const struct gs_event *ev)
{
    return ev->block == GS_BLOCK_REASONING && ev->kind != GS_EVENT_STOP;
}

void gs_splice_event(struct gs_splice *s, const struct gs_event *ev)
{
    if (s->is_over || s->is_apart || is_of_reasoning(ev))
        return;
    if (s->is_joined)
        go_on(s, ev);
    else
        wait_on(s, ev);
}
