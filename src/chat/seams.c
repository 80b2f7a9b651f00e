/* Seams: learning them, and cutting along them. */
#include "chat/seams.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/os.h"
#include "base/slice.h"
#include "chat/prompter.h"

/* Beyond this a header does not belong to the mark behind it, nor an end to the one before. */
#define MAX_SEAM_BYTES ((size_t)4096)
#define MARK_BYTES     48

/* ---- learning ---- */

#define MARK_BEFORE "bQseamQb"
#define MARK_MODEL  "mQseamQm"
#define MARK_AFTER  "aQseamQa"
#define LIT(s)                                                                                     \
    {                                                                                              \
        s, sizeof(s) - 1                                                                           \
    }
#define ID LIT("call_0123456789")

static const struct gs_block says[] = {{.kind = GS_BLOCK_TEXT, .text = LIT("Hello.")},
                                       {.kind = GS_BLOCK_TEXT, .text = LIT(MARK_BEFORE)},
                                       {.kind = GS_BLOCK_TEXT, .text = LIT(MARK_AFTER)}};
static const struct gs_block result[] = {
    {.kind = GS_BLOCK_TOOL_RESULT, .id = ID, .name = LIT("probe"), .text = LIT("fine")},
    {.kind = GS_BLOCK_TOOL_RESULT, .id = ID, .name = LIT("probe"), .text = LIT(MARK_BEFORE)},
    {.kind = GS_BLOCK_TOOL_RESULT, .id = ID, .name = LIT("probe"), .text = LIT(MARK_AFTER)}};
static const struct gs_block call = {
    .kind = GS_BLOCK_TOOL_CALL, .id = ID, .name = LIT("probe"), .args = LIT("{\"key\": 1}")};
static const struct gs_tool tool = {
    .name = LIT("probe"),
    .description = LIT("Probes."),
    .parameters = LIT("{\"type\":\"object\",\"properties\":{\"key\":{\"type\":\"string\"}}}")};

#define MAX_MESSAGES 8

struct talk {
    struct gs_message messages[MAX_MESSAGES];
    struct gs_slice marks[MAX_MESSAGES];
    size_t n;
};

static void say(struct talk *t, enum gs_role role, const struct gs_block *block)
{
    t->messages[t->n++] = (struct gs_message){.role = role, .blocks = block, .n_blocks = 1};
}

/* The turn of `side`, with block number `which` of what it can say. */
static void say_as(struct talk *t, enum gs_chat_side side, size_t which)
{
    static const enum gs_role roles[GS_SIDES] = {GS_ROLE_USER, GS_ROLE_TOOL, GS_ROLE_SYSTEM};

    say(t, roles[side], side == GS_SIDE_TOOL ? &result[which] : &says[which]);
}

/* A conversation up to the turn of `before` with its mark. */
static void begin_talk(struct talk *t, enum gs_chat_side before)
{
    *t = (struct talk){.n = 0};
    if (before != GS_SIDE_USER)
        say_as(t, GS_SIDE_USER, 0);
    if (before == GS_SIDE_TOOL)
        say(t, GS_ROLE_ASSISTANT, &call);
    say_as(t, before, 1);
}

/* Shorten what is known of a seam to what `text` agrees with; the first text is taken whole. */
static void agree(struct gs_slice *seam, bool *known, struct gs_slice text, struct gs_arena *a)
{
    if (!*known && !gs_arena_dup(a, text, seam))
        seam->len = 0;
    *known = true;
    size_t n = 0;
    while (n < seam->len && n < text.len && seam->ptr[n] == text.ptr[n])
        n++;
    seam->len = n;
}

static bool render(const struct gs_prompter *p, const struct talk *t, enum gs_thinking thinking,
                   struct gs_buf *b)
{
    const struct gs_chat chat = {.messages = t->messages,
                                 .n_messages = t->n,
                                 .tools = &tool,
                                 .n_tools = p->traits.tools ? 1 : 0,
                                 .thinking = thinking};

    gs_buf_reset(b);
    return gs_chat_render(p, &p->traits, &chat, t->marks, true, 0, b, NULL) == GS_OK &&
           gs_buf_ok(b);
}

struct lesson {
    struct gs_prompter *p;
    struct gs_buf b;
    bool knows_header, knows_trailer[GS_SIDES];
};

/* What prompts for an answer put behind the turn of `before`. */
static void learn_openings(struct lesson *l, enum gs_chat_side before)
{
    static const enum gs_thinking modes[] = {GS_THINKING_DEFAULT, GS_THINKING_ON, GS_THINKING_OFF};
    struct gs_chat_seams *seams = &l->p->seams;
    struct talk t;

    begin_talk(&t, before);
    for (size_t i = 0; i < GS_COUNT_OF(modes); i++) {
        struct gs_slice text = {"", 0};
        if (render(l->p, &t, modes[i], &l->b)) {
            const struct gs_slice all = gs_buf_view(&l->b);
            const size_t at = gs_slice_find(all, GS_SLICE_LIT(MARK_BEFORE), 0);
            if (at != SIZE_MAX)
                text = gs_slice_sub(all, at + strlen(MARK_BEFORE), all.len);
        }
        agree(&seams->header[before], &l->knows_header, text, &seams->a);
    }
}

/* What stands around the model's turn between those of `before` and `after`; it is a call if a tool
 * answers it. The conversation may go on: templates look at what comes last. */
static void learn_turn(struct lesson *l, enum gs_chat_side before, enum gs_chat_side after,
                       bool goes_on)
{
    struct gs_chat_seams *seams = &l->p->seams;
    struct gs_slice header = {"", 0};
    struct gs_slice trailer = {"", 0};
    struct talk t;

    begin_talk(&t, before);
    t.marks[t.n] = GS_SLICE_LIT(MARK_MODEL);
    say(&t, GS_ROLE_ASSISTANT, after == GS_SIDE_TOOL ? &call : &says[0]);
    say_as(&t, after, 2);
    if (goes_on) {
        say(&t, GS_ROLE_ASSISTANT, &says[0]);
        say_as(&t, GS_SIDE_USER, 0);
    }
    if (render(l->p, &t, GS_THINKING_DEFAULT, &l->b)) {
        const struct gs_slice all = gs_buf_view(&l->b);
        const size_t from = gs_slice_find(all, GS_SLICE_LIT(MARK_BEFORE), 0);
        const size_t first = gs_slice_find(all, GS_SLICE_LIT(MARK_MODEL), GS_MIN(from, all.len));
        const size_t to = gs_slice_find(all, GS_SLICE_LIT(MARK_AFTER), GS_MIN(first, all.len));
        size_t last = first;
        for (size_t at = first; at != SIZE_MAX;
             at = gs_slice_find(all, GS_SLICE_LIT(MARK_MODEL), at + 1))
            last = at;
        if (to != SIZE_MAX && last < to) {
            header = gs_slice_sub(all, from + strlen(MARK_BEFORE), first);
            trailer = gs_slice_sub(all, last + strlen(MARK_MODEL), to);
        }
    }
    if (header.len > 0)
        agree(&seams->header[before], &l->knows_header, header, &seams->a);
    agree(&seams->trailer[after], &l->knows_trailer[after], trailer, &seams->a);
}

void gs_chat_seams_learn(struct gs_prompter *p)
{
    const bool is_own[GS_SIDES] = {true, p->traits.tool_role, p->traits.system_mid};
    struct gs_chat_seams *seams = &p->seams;
    struct lesson l = {.p = p};

    gs_arena_init(&seams->a, 0);
    gs_buf_init(&l.b, GS_MAX_TEMPLATE_BYTES);
    for (enum gs_chat_side before = 0; before < GS_SIDES; before++) {
        l.knows_header = false;
        for (enum gs_chat_side after = 0; is_own[before] && after < GS_SIDES; after++) {
            for (int goes_on = 0; is_own[after] && goes_on < 2; goes_on++)
                learn_turn(&l, before, after, goes_on);
        }
        if (is_own[before])
            learn_openings(&l, before);
        if (gs_slice_trim(seams->header[before]).len == 0)
            seams->header[before].len = 0;
    }
    for (enum gs_chat_side side = 0; side < GS_SIDES; side++) { /* said as a user turn */
        if (is_own[side])
            continue;
        seams->header[side] = seams->header[GS_SIDE_USER];
        seams->trailer[side] = seams->trailer[GS_SIDE_USER];
    }
    gs_buf_clear(&l.b);
}

/* ---- cutting ---- */

/* A rendering with marks. */
struct cut {
    const struct gs_prompter *p;
    const struct gs_chat *chat;
    struct gs_prompt_shape *shape;
    struct gs_slice *marks; /* [n_messages] */
    char prefix[MARK_BYTES];
    struct gs_buf text;
    struct span {
        size_t first, last; /* marks */
        size_t from, to;    /* what is cut out */
    } * spans;              /* [n_replays] */
};

/* Who spoke the message; GS_SIDES if nobody that seams are known of. */
static enum gs_chat_side side_of(const struct gs_message *m, bool at_its_end)
{
    if (m->role == GS_ROLE_TOOL)
        return GS_SIDE_TOOL;
    if (m->role == GS_ROLE_USER && m->n_blocks > 0 &&
        m->blocks[at_its_end ? m->n_blocks - 1 : 0].kind == GS_BLOCK_TOOL_RESULT)
        return GS_SIDE_TOOL;
    if (m->role == GS_ROLE_USER)
        return GS_SIDE_USER;
    return m->role == GS_ROLE_SYSTEM ? GS_SIDE_SYSTEM : GS_SIDES;
}

/* Who spoke before message `idx`, as the template sees it: what follows a tool's result may have
 * become a part of it. */
static enum gs_chat_side side_before(const struct cut *c, size_t idx)
{
    const enum gs_chat_side own = side_of(&c->chat->messages[idx - 1], true);
    enum gs_chat_side side = own;

    if (c->p->traits.user_after_tool)
        return own;
    while (idx > 1 &&
           (side == GS_SIDE_USER || (side == GS_SIDE_SYSTEM && !c->p->traits.system_mid)))
        side = side_of(&c->chat->messages[--idx - 1], true);
    return side == GS_SIDE_TOOL ? side : own;
}

/* Where the first of the shape's ends stands in s, or SIZE_MAX. */
static size_t find_end(const struct cut *c, struct gs_slice s)
{
    size_t first = SIZE_MAX;

    for (size_t i = 0; i < c->shape->n_ends; i++)
        if (c->shape->ends[i].len > 0)
            first = GS_MIN(first, gs_slice_find(s, c->shape->ends[i], 0));
    if (c->p->traits.syntax == GS_SYNTAX_HARMONY) /* ends a message, not the answer */
        first = GS_MIN(first, gs_slice_find(s, GS_SLICE_LIT("<|end|>"), 0));
    return first;
}

/* The header before the answer `idx`; empty where it has no place between known seams. */
static struct gs_slice header_of(const struct cut *c, size_t idx)
{
    const struct gs_slice none = {"", 0};
    const struct gs_message *m = &c->chat->messages[idx];
    size_t n_calls = 0;

    if (idx == 0 || idx + 1 >= c->chat->n_messages || m->role != GS_ROLE_ASSISTANT)
        return none;
    for (size_t i = 0; i < m->n_blocks; i++) {
        if (m->blocks[i].kind == GS_BLOCK_TOOL_RESULT)
            return none;
        n_calls += m->blocks[i].kind == GS_BLOCK_TOOL_CALL;
    }
    const enum gs_chat_side before = side_before(c, idx);
    const enum gs_chat_side after = side_of(m + 1, false);
    if (before == GS_SIDES || after == GS_SIDES || (n_calls > 0) != (after == GS_SIDE_TOOL) ||
        (n_calls > 1 && !c->p->traits.parallel) ||
        (before == GS_SIDE_SYSTEM && idx == 1) || /* a leading one */
        find_end(c, c->p->seams.trailer[after]) == SIZE_MAX)
        return none;
    return c->p->seams.header[before];
}

/* Where the last `what` in s[from, to) ends, or SIZE_MAX. */
static size_t find_last(struct gs_slice s, struct gs_slice what, size_t from, size_t to)
{
    if (what.len == 0 || to - from < what.len)
        return SIZE_MAX;
    for (size_t at = to - what.len + 1; at-- > from;)
        if (memcmp(s.ptr + at, what.ptr, what.len) == 0)
            return at + what.len;
    return SIZE_MAX;
}

/* First and last place of every mark. */
static void find_marks(struct cut *c)
{
    const struct gs_slice text = gs_buf_view(&c->text);
    const struct gs_slice prefix = gs_slice_str(c->prefix);

    for (size_t i = 0; i < c->shape->n_replays; i++)
        c->spans[i] = (struct span){.first = SIZE_MAX};
    for (size_t at = gs_slice_find(text, prefix, 0); at != SIZE_MAX;
         at = gs_slice_find(text, prefix, at + 1)) {
        size_t i = 0;
        for (size_t d = at + prefix.len; d < text.len && text.ptr[d] >= '0' && text.ptr[d] <= '9';
             d++)
            i = i * 10 + (size_t)(text.ptr[d] - '0');
        if (i >= c->shape->n_replays)
            continue;
        if (c->spans[i].first == SIZE_MAX)
            c->spans[i].first = at;
        c->spans[i].last = at;
    }
}

/* Set the spans of marked replays; those without a place lose their mark. */
static bool find_spans(struct cut *c)
{
    const struct gs_slice text = gs_buf_view(&c->text);
    size_t from = 0;
    bool all = true;

    find_marks(c);
    for (size_t i = 0; i < c->shape->n_replays; i++) {
        const size_t idx = c->shape->replays[i].message_idx;
        struct span *s = &c->spans[i];
        if (c->marks[idx].len == 0)
            continue;
        size_t header = SIZE_MAX;
        size_t end = SIZE_MAX;
        if (s->first != SIZE_MAX && s->first >= from) {
            const size_t floor =
                s->first - from > MAX_SEAM_BYTES ? s->first - MAX_SEAM_BYTES : from;
            header = find_last(text, header_of(c, idx), floor, s->first);
            end = find_end(c, gs_slice_sub(text, s->last, s->last + MAX_SEAM_BYTES));
        }
        if (header == SIZE_MAX || end == SIZE_MAX) {
            c->marks[idx].len = 0;
            all = false;
            continue;
        }
        s->from = header;
        s->to = from = s->last + end;
    }
    return all;
}

static enum gs_status mark_replays(struct cut *c, struct gs_arena *a, bool *out_any,
                                   struct gs_error *err)
{
    c->marks = gs_arena_array(a, c->chat->n_messages, sizeof(*c->marks));
    c->spans = gs_arena_array(a, c->shape->n_replays, sizeof(*c->spans));
    if (!c->marks || !c->spans)
        return gs_error_nomem(err, "build the prompt");
    *out_any = false;
    snprintf(c->prefix, sizeof(c->prefix), "xQ%016llxQ", (unsigned long long)gs_os_random_u64());
    for (size_t i = 0; i < c->shape->n_replays; i++) {
        const size_t idx = c->shape->replays[i].message_idx;
        if (header_of(c, idx).len == 0)
            continue;
        c->marks[idx] = gs_arena_printf(a, "%s%zuQx", c->prefix, i);
        if (!c->marks[idx].ptr)
            return gs_error_nomem(err, "build the prompt");
        *out_any = true;
    }
    return GS_OK;
}

/* The text with each span replaced by what opened the answer. */
static void splice(struct cut *c, struct gs_buf *b)
{
    const struct gs_slice text = gs_buf_view(&c->text);
    size_t from = 0;

    for (size_t i = 0; i < c->shape->n_replays; i++) {
        struct gs_prompt_replay *r = &c->shape->replays[i];
        if (c->marks[r->message_idx].len == 0)
            continue;
        gs_buf_slice(b, gs_slice_sub(text, from, c->spans[i].from));
        gs_buf_slice(b, r->opening);
        r->at = b->len;
        from = c->spans[i].to;
    }
    gs_buf_slice(b, gs_slice_sub(text, from, text.len));
}

/* A mark without a place costs a second rendering, one that then has none the replays. */
static enum gs_status render_marked(struct cut *c, int64_t now_us, struct gs_buf *b, bool *out_done,
                                    struct gs_error *err)
{
    enum gs_status st = GS_OK;

    for (int i = 0; i < 2 && st == GS_OK && !*out_done; i++) {
        gs_buf_reset(&c->text);
        st = gs_chat_render(c->p, &c->p->traits, c->chat, c->marks, true, now_us, &c->text, err);
        *out_done = st == GS_OK && gs_buf_ok(&c->text) && find_spans(c);
    }
    if (*out_done)
        splice(c, b);
    return st == GS_ENOMEM ? st : GS_OK; /* what the template has against marks is not the chat's */
}

enum gs_status gs_chat_seams_render(const struct gs_prompter *p, const struct gs_chat *chat,
                                    int64_t now_us, struct gs_prompt_shape *shape, struct gs_buf *b,
                                    struct gs_error *err)
{
    struct cut c = {.p = p, .chat = chat, .shape = shape};
    enum gs_status st = GS_OK;
    struct gs_arena a;
    bool any = false;
    bool done = false;

    gs_arena_init(&a, GS_MAX_PROMPT_BYTES);
    gs_buf_init(&c.text, b->max);
    if (shape->n_replays > 0)
        st = mark_replays(&c, &a, &any, err);
    if (st == GS_OK && any)
        st = render_marked(&c, now_us, b, &done, err);
    if (st == GS_OK && !done)
        st = gs_chat_render(p, &p->traits, chat, NULL, true, now_us, b, err);
    if (st == GS_OK && chat->n_messages > 0 && gs_buf_ok(b)) {
        const enum gs_chat_side last = side_before(&c, chat->n_messages);
        if (last != GS_SIDES && (last != GS_SIDE_SYSTEM || chat->n_messages > 1))
            shape->opening_at =
                find_last(gs_buf_view(b), p->seams.header[last],
                          b->len > MAX_SEAM_BYTES ? b->len - MAX_SEAM_BYTES : 0, b->len);
    }
    gs_buf_clear(&c.text);
    gs_arena_clear(&a);
    return st;
}
