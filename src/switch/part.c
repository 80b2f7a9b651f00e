/* What the client has of an answer, kept from the events that told it, so that somebody else can go
 * on with it. */
#include "switch/switch_call.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "base/slice.h"
#include "json/json.h"

#define MAX_BLOCKS     4096
#define MAX_TEXT_BYTES GS_MIB /* of all blocks: more is no model's context */

void gs_switch_part_init(struct gs_switch_part *p)
{
    *p = (struct gs_switch_part){0};
    gs_arena_init(&p->arena, GS_MAX_RESPONSE_BYTES);
}

static void drop_texts(struct gs_switch_part *p)
{
    for (size_t i = 0; i < p->n_blocks; i++)
        gs_buf_clear(&p->blocks[i].text);
}

void gs_switch_part_clear(struct gs_switch_part *p)
{
    drop_texts(p);
    gs_free(p->blocks);
    gs_arena_clear(&p->arena);
}

static struct gs_switch_part_block *find(struct gs_switch_part *p, uint32_t idx)
{
    for (size_t i = p->n_blocks; i > 0; i--)
        if (p->blocks[i - 1].idx == idx)
            return &p->blocks[i - 1];
    return NULL;
}

static struct gs_switch_part_block *add(struct gs_switch_part *p)
{
    if (p->n_blocks >= MAX_BLOCKS)
        return NULL;
    if (p->n_blocks == p->cap) {
        const size_t cap = p->cap ? 2 * p->cap : 4;
        struct gs_switch_part_block *blocks = gs_realloc(p->blocks, cap * sizeof(*blocks));
        if (!blocks)
            return NULL;
        p->blocks = blocks;
        p->cap = cap;
    }
    return &p->blocks[p->n_blocks++];
}

static void begin(struct gs_switch_part *p, const struct gs_event *ev)
{
    struct gs_switch_part_block *b = add(p);

    if (!b) {
        p->is_lost = true;
        return;
    }
    *b = (struct gs_switch_part_block){.kind = ev->block, .idx = ev->block_idx};
    gs_buf_init(&b->text, GS_MAX_RESPONSE_BYTES);
    if (!gs_arena_dup(&p->arena, ev->id, &b->id) || !gs_arena_dup(&p->arena, ev->name, &b->name))
        p->is_lost = true;
}

void gs_switch_part_note(struct gs_switch_part *p, const struct gs_event *ev)
{
    struct gs_switch_part_block *b = NULL;

    if (ev->kind == GS_EVENT_START)
        p->is_open = true;
    else if (ev->kind == GS_EVENT_BEGIN)
        begin(p, ev);
    else if (ev->kind == GS_EVENT_DELTA || ev->kind == GS_EVENT_END)
        b = find(p, ev->block_idx);
    if (b && ev->kind == GS_EVENT_DELTA && !p->is_lost) {
        gs_buf_slice(&b->text, ev->text);
        p->n_bytes += ev->text.len;
        p->is_lost = !gs_buf_ok(&b->text) || p->n_bytes > MAX_TEXT_BYTES;
        if (p->is_lost)
            drop_texts(p);
    } else if (b && ev->kind == GS_EVENT_END) {
        b->has_ended = true;
    }
}

/* A stream may be cut within a character; what the client has of it is not text yet. */
static struct gs_slice whole_text(const struct gs_buf *b)
{
    const struct gs_slice s = gs_buf_view(b);

    return gs_slice_sub(s, 0, s.len - gs_utf8_incomplete_tail(s));
}

/* A copy: more may come while it is read. */
static bool fill_block(const struct gs_switch_part_block *b, struct gs_arena *a,
                       struct gs_block *out)
{
    *out = (struct gs_block){.kind = b->kind, .id = b->id, .name = b->name};
    return gs_arena_dup(a, whole_text(&b->text),
                        b->kind == GS_BLOCK_TOOL_CALL ? &out->args : &out->text);
}

/* Nobody tells how many tokens half an answer has: about four bytes make one. */
static void note_before(struct gs_switch_part *p)
{
    const struct gs_switch_part_block *last = p->n_blocks ? &p->blocks[p->n_blocks - 1] : NULL;
    size_t n_bytes = 0;

    p->has_begun = p->has_calls = false;
    p->is_fresh = !last || last->has_ended;
    p->last_idx = last ? last->idx + (p->is_fresh ? 1 : 0) : 0;
    p->n_before = p->n_blocks + (p->is_fresh ? 1 : 0);
    for (size_t i = 0; i < p->n_blocks; i++) {
        n_bytes += p->blocks[i].text.len;
        p->has_calls = p->has_calls || p->blocks[i].kind == GS_BLOCK_TOOL_CALL;
    }
    p->answer_tokens = (int64_t)(n_bytes + 3) / 4;
}

static bool is_complete(struct gs_switch_part *p, const struct gs_switch_part_block *b)
{
    struct gs_json args;

    return b->text.len == 0
               ? b->has_ended
               : gs_json_parse(gs_buf_view(&b->text), &p->arena, &args, NULL) == GS_OK &&
                     args.kind == GS_JSON_OBJECT;
}

bool gs_switch_part_is_call(struct gs_switch_part *p)
{
    bool has_calls = false;

    for (size_t i = 0; i < p->n_blocks && !p->is_lost; i++) {
        if (p->blocks[i].kind == GS_BLOCK_TOOL_CALL && !is_complete(p, &p->blocks[i]))
            return false;
        has_calls = has_calls || p->blocks[i].kind == GS_BLOCK_TOOL_CALL;
    }
    return has_calls && !p->is_lost;
}

size_t gs_switch_part_finish(struct gs_switch_part *p, struct gs_event out[2])
{
    const struct gs_switch_part_block *last = &p->blocks[p->n_blocks - 1];
    struct gs_usage usage = p->usage;
    size_t n = 0;

    note_before(p);
    usage.answer_tokens = GS_MAX(usage.answer_tokens, p->answer_tokens);
    if (!last->has_ended)
        out[n++] = (struct gs_event){
            .kind = GS_EVENT_END, .block = last->kind, .block_idx = last->idx, .usage = usage};
    out[n++] = (struct gs_event){.kind = GS_EVENT_STOP, .stop = GS_STOP_TOOL_CALL, .usage = usage};
    return n;
}

/* A message whose blocks are all complete is gone on with by one more, of text. */
bool gs_switch_part_hand_over(struct gs_switch_part *p, const struct gs_chat *chat,
                              struct gs_arena *a, struct gs_chat *out_chat)
{
    struct gs_block *blocks = gs_arena_array(a, p->n_blocks + 1, sizeof(*blocks));
    struct gs_message *messages = gs_arena_array(a, chat->n_messages + 1, sizeof(*messages));

    if (!blocks || !messages)
        return false;
    note_before(p);
    for (size_t i = 0; i < p->n_blocks; i++)
        if (!fill_block(&p->blocks[i], a, &blocks[i]))
            return false;
    for (size_t i = 0; i < chat->n_messages; i++)
        messages[i] = chat->messages[i];
    messages[chat->n_messages] =
        (struct gs_message){.role = GS_ROLE_ASSISTANT, .blocks = blocks, .n_blocks = p->n_before};
    *out_chat = *chat;
    out_chat->messages = messages;
    out_chat->n_messages = chat->n_messages + 1;
    out_chat->broke_off = true;
    out_chat->continue_last = true;
    if (chat->max_tokens > 0)
        out_chat->max_tokens = GS_MAX(chat->max_tokens - p->answer_tokens, 1);
    return true;
}

/* The block that the client does not have begins with its first content, and if there is none it
 * never was. */
static size_t adopt_fresh(struct gs_switch_part *p, const struct gs_event *ev,
                          struct gs_event out[2])
{
    size_t n = 0;

    if (ev->kind == GS_EVENT_END && !p->has_begun)
        return 0;
    if (ev->kind == GS_EVENT_DELTA && !p->has_begun) {
        out[n++] = (struct gs_event){
            .kind = GS_EVENT_BEGIN, .block = ev->block, .block_idx = ev->block_idx};
        p->has_begun = true;
    }
    out[n++] = *ev;
    return n;
}

size_t gs_switch_part_adopt(struct gs_switch_part *p, const struct gs_event *ev,
                            struct gs_event out[2])
{
    const uint32_t first = (uint32_t)(p->n_before - 1);
    struct gs_event told = *ev;

    if (ev->kind == GS_EVENT_START && p->is_open)
        return 0;
    if (ev->usage.prompt_tokens > 0 && p->usage.prompt_tokens > 0) {
        told.usage.prompt_tokens = p->usage.prompt_tokens;
        told.usage.cached_tokens = p->usage.cached_tokens;
        told.usage.cache_write_tokens = p->usage.cache_write_tokens;
    }
    told.usage.answer_tokens += p->answer_tokens;
    if (ev->kind == GS_EVENT_STOP && ev->stop == GS_STOP_END && p->has_calls)
        told.stop = GS_STOP_TOOL_CALL;
    if (ev->kind == GS_EVENT_BEGIN || ev->kind == GS_EVENT_DELTA || ev->kind == GS_EVENT_END)
        told.block_idx = ev->block_idx - first + p->last_idx -
                         (p->is_fresh && !p->has_begun && ev->block_idx > first ? 1 : 0);
    if (p->is_fresh && ev->block_idx == first)
        return adopt_fresh(p, &told, out);
    out[0] = told;
    return 1;
}
