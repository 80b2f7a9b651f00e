/* Model text to events.
 *
 * Text arrives in pieces of any size and is held in `hold` until it is known what it is:
 *
 *      TEXT ---- think_begin ----> REASONING
 *        ^ <---- think_end -------- |
 *        | trigger of a tool call
 *        v
 *      CALL: collects a region. Arguments of calls that have opened in it are sent as they come;
 *            what did not open so is read when it is complete: calls, or text if it is malformed.
 *            Where a family marks channels, what follows may be reasoning
 *      ARGUMENTS: of a call that somebody else began; JSON, and what closes the call
 *
 * In TEXT and REASONING everything before the earliest marker is settled; a tail that may grow
 * into a marker is held, and so is white space that a marker would swallow. */
#include "chat/parser.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/rng.h"
#include "base/slice.h"
#include "chat/partial.h"
#include "chat/tool_syntax.h"

enum state { TEXT, REASONING, CALL, ARGUMENTS, STOPPED };

enum marker_kind { MARK_NONE, MARK_THINK_BEGIN, MARK_THINK_END, MARK_CALL, MARK_STOP };

struct marker {
    enum marker_kind kind;
    struct gs_slice text;
};

#define MAX_MARKERS  (GS_MAX_STOPS + GS_SYNTAX_MAX_TRIGGERS + 2)
#define MAX_LOGPROBS 256 /* waiting for their delta */
#define MAX_TOP      20  /* alternatives of each */

struct gs_parser {
    gs_event_fn *on_event;
    void *ud;
    struct gs_arena a; /* stops and types */
    struct marker markers[MAX_MARKERS];
    size_t n_markers;
    const struct gs_tool_syntax *syntax; /* NULL: no regions are expected */
    const struct gs_tool_types *types;
    struct gs_rng ids;
    enum state state;
    struct gs_buf hold;
    size_t n_text;                /* of hold: a region that was none; only a stop may be in it */
    size_t n_known;               /* of hold: the receiver has it */
    size_t scanned;               /* of hold, in CALL: already looked at */
    struct gs_tool_stream stream; /* of the region's newest call */
    size_t n_streamed;            /* calls of the region that have ended */
    bool in_call;                 /* stream's has not */
    struct gs_buf args;           /* of the open call, as sent */
    struct gs_slice closing;      /* what may come yet of the markup behind such a call */
    bool reasons;                 /* reasoning may begin */
    bool one_call, dropped_calls;
    bool is_cut;     /* the text ends where a limit cut it off */
    bool has_spoken; /* some text or call came out: no bare region begins from now on */
    bool skip_space; /* after markup: white space is dropped */
    bool block_open;
    enum gs_block_kind block;
    uint32_t next_block_idx;
    size_t n_calls;
    struct gs_slice stop; /* the stop string that was met */
    struct gs_logprob lp[MAX_LOGPROBS];
    struct gs_top_logprob (*lp_top)[MAX_TOP]; /* [MAX_LOGPROBS], made when first needed */
    size_t lp_end[MAX_LOGPROBS];              /* where in hold their texts end */
    size_t lp_from, n_lp;                     /* lp[lp_from, n_lp) are not sent */
    enum gs_flow flow;
    bool failed;
};

/* ---- events ---- */

static void send(struct gs_parser *p, const struct gs_event *ev)
{
    if (p->flow == GS_FLOW_CANCEL)
        return;
    const enum gs_flow flow = p->on_event(p->ud, ev);
    if (flow != GS_FLOW_CONTINUE)
        p->flow = flow;
}

static void close_block(struct gs_parser *p)
{
    if (!p->block_open)
        return;
    send(p, &(struct gs_event){
                .kind = GS_EVENT_END, .block = p->block, .block_idx = p->next_block_idx - 1});
    p->block_open = false;
}

static void open_block(struct gs_parser *p, enum gs_block_kind kind)
{
    if (p->block_open && p->block == kind)
        return;
    close_block(p);
    p->block_open = true;
    p->block = kind;
    send(p, &(struct gs_event){
                .kind = GS_EVENT_BEGIN, .block = kind, .block_idx = p->next_block_idx++});
}

/* With the log-probabilities of `n_lp` tokens. */
static void send_text(struct gs_parser *p, enum gs_block_kind kind, struct gs_slice text,
                      size_t n_lp)
{
    if (text.len == 0)
        return;
    open_block(p, kind);
    send(p, &(struct gs_event){.kind = GS_EVENT_DELTA,
                               .block = kind,
                               .block_idx = p->next_block_idx - 1,
                               .text = text,
                               .logprob = p->lp + p->lp_from,
                               .n_logprob = n_lp});
    p->lp_from += n_lp;
    p->has_spoken = true;
}

/* Tokens whose texts end in the first n bytes of hold. */
static size_t count_lp(const struct gs_parser *p, size_t n)
{
    size_t i = p->lp_from;

    while (i < p->n_lp && p->lp_end[i] <= n)
        i++;
    return i - p->lp_from;
}

/* Drop the first n bytes of hold; what was not sent of their tokens goes with them. */
static void consume(struct gs_parser *p, size_t n)
{
    gs_buf_consume(&p->hold, n);
    p->n_text -= GS_MIN(n, p->n_text);
    p->n_known -= GS_MIN(n, p->n_known);
    p->lp_from += count_lp(p, n);
    if (p->lp_from == p->n_lp)
        p->lp_from = p->n_lp = 0;
    for (size_t i = p->lp_from; i < p->n_lp; i++)
        p->lp_end[i] -= n;
}

static void begin_call(struct gs_parser *p, struct gs_slice name)
{
    char id[40];
    const int n = snprintf(id, sizeof(id), "call_%016llx%08x",
                           (unsigned long long)gs_rng_u64(&p->ids), (unsigned)p->n_calls);

    close_block(p);
    p->block_open = true;
    p->block = GS_BLOCK_TOOL_CALL;
    p->in_call = true;
    p->has_spoken = true;
    gs_buf_reset(&p->args);
    send(p, &(struct gs_event){.kind = GS_EVENT_BEGIN,
                               .block = GS_BLOCK_TOOL_CALL,
                               .block_idx = p->next_block_idx++,
                               .id = gs_slice(id, (size_t)n),
                               .name = name});
}

/* Send what of p->args was not sent before. */
static void send_args(struct gs_parser *p, size_t sent)
{
    send_text(p, GS_BLOCK_TOOL_CALL, gs_slice_sub(gs_buf_view(&p->args), sent, p->args.len),
              p->n_lp - p->lp_from);
}

static void end_call(struct gs_parser *p)
{
    close_block(p);
    p->in_call = false;
    p->n_calls++;
}

static void send_call(struct gs_parser *p, const struct gs_tool_call *call)
{
    begin_call(p, call->name);
    gs_buf_slice(&p->args, call->args);
    send_args(p, 0);
    end_call(p);
}

/* ---- markers ---- */

static bool applies(const struct gs_parser *p, enum marker_kind kind)
{
    switch (kind) {
    case MARK_THINK_END:
        return p->state == REASONING;
    case MARK_CALL:
        return (p->state == TEXT && p->n_text == 0) ||
               (p->state == REASONING && p->syntax->channels);
    case MARK_THINK_BEGIN:
        return p->state == TEXT && p->n_text == 0;
    case MARK_STOP:
        return p->state == TEXT;
    case MARK_NONE:
        return false;
    }
    return false;
}

/* The earliest marker in s (the longest of those that begin there); SIZE_MAX if none. */
static size_t find_marker(const struct gs_parser *p, struct gs_slice s,
                          const struct marker **out_marker)
{
    size_t best = SIZE_MAX;

    for (size_t i = 0; i < p->n_markers; i++) {
        const struct marker *m = &p->markers[i];
        if (!applies(p, m->kind))
            continue;
        const size_t at = gs_slice_find(s, m->text, 0);
        if (at < best || (at == best && at != SIZE_MAX && m->text.len > (*out_marker)->text.len)) {
            best = at;
            *out_marker = m;
        }
    }
    return best;
}

/* Where the tail of s begins that may still grow into a marker. */
static size_t open_tail(const struct gs_parser *p, struct gs_slice s)
{
    size_t tail = s.len;

    for (size_t i = 0; i < p->n_markers; i++) {
        const struct gs_slice m = p->markers[i].text;
        if (!applies(p, p->markers[i].kind))
            continue;
        for (size_t n = GS_MIN(m.len - 1, s.len); n > s.len - tail; n--) {
            if (memcmp(s.ptr + s.len - n, m.ptr, n) == 0) {
                tail = s.len - n;
                break;
            }
        }
    }
    return tail;
}

/* s without white space at its end. */
static size_t trimmed_len(struct gs_slice s)
{
    while (s.len > 0 && memchr(" \t\r\n", s.ptr[s.len - 1], 4))
        s.len--;
    return s.len;
}

/* ---- settling text ---- */

/* White space before a marker belongs to the markup: hold it where such a marker may come. */
static bool holds_space(const struct gs_parser *p)
{
    return p->state == REASONING || p->reasons || p->syntax != NULL;
}

static void settle(struct gs_parser *p, size_t n)
{
    size_t space = 0;

    while (p->skip_space && space < n && memchr(" \t\r\n", p->hold.ptr[space], 4))
        space++;
    consume(p, space);
    n -= space;
    p->skip_space = p->skip_space && n == 0;
    send_text(p, p->state == REASONING ? GS_BLOCK_REASONING : GS_BLOCK_TEXT,
              gs_slice_sub(gs_buf_view(&p->hold), GS_MIN(p->n_known, n), n), count_lp(p, n));
    consume(p, n);
}

/* Text up to `at` is settled but for its trailing white space, which the markup swallows. */
static void settle_before_markup(struct gs_parser *p, size_t at)
{
    settle(p, trimmed_len(gs_slice_sub(gs_buf_view(&p->hold), 0, at)));
}

/* ---- transitions ---- */

static void begin_region(struct gs_parser *p)
{
    p->state = CALL;
    p->scanned = 0;
    p->n_streamed = 0;
    p->stream = (struct gs_tool_stream){.types = p->types};
}

/* No more calls may come. */
static bool has_its_call(const struct gs_parser *p)
{
    return p->one_call && p->n_calls > 0;
}

static void stop(struct gs_parser *p)
{
    consume(p, p->hold.len);
    p->state = STOPPED;
}

static void on_marker(struct gs_parser *p, const struct marker *m, size_t at)
{
    const size_t before = p->hold.len;

    switch (m->kind) {
    case MARK_STOP:
        settle(p, at);
        p->stop = m->text;
        stop(p);
        return;
    case MARK_CALL:
        settle_before_markup(p, at);
        consume(p, at - (before - p->hold.len));
        begin_region(p);
        return;
    case MARK_THINK_BEGIN:
    case MARK_THINK_END:
        settle_before_markup(p, at);
        consume(p, at - (before - p->hold.len) + m->text.len);
        close_block(p);
        p->skip_space = true;
        p->state = m->kind == MARK_THINK_BEGIN ? REASONING : TEXT;
        return;
    case MARK_NONE:
        return;
    }
}

/* Send the arguments that stand in the region so far. */
static void stream_calls(struct gs_parser *p, struct gs_slice region)
{
    while (p->in_call || (!has_its_call(p) && p->syntax->open(region, &p->stream))) {
        const struct gs_tool_stream *s = &p->stream;
        if (!p->in_call)
            begin_call(p, gs_slice_sub(region, s->name_at, s->name_at + s->name_len));
        const size_t sent = p->args.len;
        assert(s->feed); /* open() chose it */
        p->stream.feed(&p->stream, region, &p->args);
        send_args(p, sent);
        if (!s->is_done)
            return;
        end_call(p);
        p->n_streamed++;
    }
}

/* The region says what its calls are: the rest of the one that is open, and those after it. */
static void send_calls(struct gs_parser *p, const struct gs_tool_region *r)
{
    if (p->in_call) {
        const size_t sent = p->args.len;
        if (p->n_streamed < r->n_calls &&
            gs_slice_starts(r->calls[p->n_streamed].args, gs_buf_view(&p->args)))
            gs_buf_slice(&p->args, gs_slice_sub(r->calls[p->n_streamed].args, sent, SIZE_MAX));
        send_args(p, sent);
        end_call(p);
        p->n_streamed++;
    }
    for (size_t i = p->n_streamed; i < r->n_calls && !has_its_call(p); i++)
        send_call(p, &r->calls[i]);
    p->dropped_calls |= has_its_call(p) && r->n_calls > p->n_calls;
}

/* A region of `n` bytes is complete, or the text is over: what it says, or its text as it stands.
 * Markup around calls that have begun says nothing else. */
static void finish_call(struct gs_parser *p, size_t n)
{
    const struct gs_slice region = gs_slice_sub(gs_buf_view(&p->hold), 0, n);
    struct gs_arena a;
    struct gs_tool_region r = {.a = &a, .types = p->types};

    gs_arena_init(&a, GS_MAX_TEXT_BYTES);
    stream_calls(p, region);
    p->state = TEXT;
    const bool is_read = p->syntax->read(region, &r) && (!p->is_cut || p->syntax->channels);
    if (!is_read)
        r.n_calls = 0;
    p->skip_space = is_read || p->in_call || p->n_streamed > 0;
    if (p->skip_space) {
        if (!p->in_call)
            close_block(p);
        send_calls(p, &r);
        p->state = r.opens_reasoning ? REASONING : TEXT;
        consume(p, n);
        if (has_its_call(p))
            stop(p);
    } else {
        p->n_text = n;
    }
    gs_arena_clear(&a);
}

/* True if hold begins with a bare region, or may still come to. */
static bool begins_bare(struct gs_parser *p, bool *out_maybe)
{
    *out_maybe = false;
    if (!p->syntax || !p->syntax->bare || p->has_spoken || p->state != TEXT)
        return false;
    const struct gs_slice s = gs_buf_view(&p->hold);
    const struct gs_slice bare = gs_slice_str(p->syntax->bare);
    size_t i = 0;
    while (i < s.len && memchr(" \t\r\n", s.ptr[i], 4))
        i++;
    const struct gs_slice rest = gs_slice_sub(s, i, s.len);
    *out_maybe = gs_slice_starts(bare, rest);
    if (!gs_slice_starts(rest, bare))
        return false;
    consume(p, i);
    return true;
}

/* A step within a region. It ends in a bracket or tag: without a new one it goes on. */
static bool step_call(struct gs_parser *p)
{
    const struct gs_slice fresh = gs_slice_sub(gs_buf_view(&p->hold), p->scanned, p->hold.len);
    const bool may_end = memchr(fresh.ptr, '>', fresh.len) || memchr(fresh.ptr, '}', fresh.len) ||
                         memchr(fresh.ptr, ']', fresh.len);
    const size_t n = may_end ? p->syntax->region_len(gs_buf_view(&p->hold)) : 0;

    p->scanned = p->hold.len;
    if (n > 0)
        finish_call(p, n);
    else
        stream_calls(p, gs_buf_view(&p->hold));
    if (n == 0 && has_its_call(p) && p->syntax->open(gs_buf_view(&p->hold), &p->stream)) {
        p->dropped_calls = true; /* one more opens in the same region */
        stop(p);
    }
    return n > 0;
}

/* Text that opened like a region. */
static bool step_text(struct gs_parser *p)
{
    const struct gs_slice s = gs_buf_view(&p->hold);
    const struct marker *m = NULL;
    const size_t at = find_marker(p, s, &m);

    if (at < p->n_text)
        on_marker(p, m, at);
    else
        settle(p, at == SIZE_MAX ? GS_MIN(p->n_text, open_tail(p, s)) : p->n_text);
    return p->n_text == 0;
}

/* The rest of a call that somebody else began. */
static bool step_arguments(struct gs_parser *p)
{
    gs_buf_reset(&p->args);
    p->stream.at = 0;
    gs_chat_feed_json(&p->stream, gs_buf_view(&p->hold), &p->args);
    send_args(p, 0);
    consume(p, p->stream.at);
    if (!p->stream.is_done)
        return false;
    end_call(p);
    p->state = TEXT;
    p->skip_space = true;
    if (has_its_call(p))
        stop(p);
    return true;
}

/* Pass over what closes such a call, and the white space in it. False when more is needed. */
static bool skip_closing(struct gs_parser *p)
{
    while (p->closing.len > 0 && p->hold.len > 0) {
        if (trimmed_len(gs_slice_sub(p->closing, 0, 1)) == 0) {
            p->closing = gs_slice_sub(p->closing, 1, p->closing.len);
        } else if (trimmed_len(gs_slice_sub(gs_buf_view(&p->hold), 0, 1)) == 0) {
            consume(p, 1);
        } else if (p->hold.ptr[0] == p->closing.ptr[0]) {
            p->closing = gs_slice_sub(p->closing, 1, p->closing.len);
            consume(p, 1);
        } else {
            p->closing.len = 0;
        }
    }
    return p->hold.len > 0;
}

/* One transition or settlement; false when more text is needed. */
static bool step(struct gs_parser *p)
{
    const struct marker *m = NULL;
    bool maybe_bare;

    if (p->hold.len == 0 || p->state == STOPPED || p->flow == GS_FLOW_CANCEL)
        return false;
    if (p->state == ARGUMENTS)
        return step_arguments(p);
    if (p->closing.len > 0 && !skip_closing(p))
        return false;
    if (p->n_text > 0)
        return step_text(p);
    if (begins_bare(p, &maybe_bare)) {
        begin_region(p);
    } else if (maybe_bare) {
        return false;
    }
    if (p->state == CALL)
        return step_call(p);
    const struct gs_slice s = gs_buf_view(&p->hold);
    const size_t at = find_marker(p, s, &m);
    if (at != SIZE_MAX) {
        on_marker(p, m, at);
        return true;
    }
    size_t n = open_tail(p, s);
    if (holds_space(p))
        n = trimmed_len(gs_slice_sub(s, 0, n));
    if (n > 0)
        settle(p, n);
    return false;
}

/* ---- interface ---- */

static void add_marker(struct gs_parser *p, enum marker_kind kind, struct gs_slice text)
{
    if (text.len > 0 && p->n_markers < MAX_MARKERS)
        p->markers[p->n_markers++] = (struct marker){kind, text};
}

static bool set_up(struct gs_parser *p, const struct gs_parser_options *opt)
{
    p->reasons = opt->traits->reasoning;
    if (p->reasons) {
        add_marker(p, MARK_THINK_BEGIN, gs_slice_str(opt->traits->think_begin));
        add_marker(p, MARK_THINK_END, gs_slice_str(opt->traits->think_end));
    }
    const struct gs_tool_syntax *syntax = gs_chat_tool_syntax(opt->traits->syntax);
    if (opt->tools || syntax->channels) {
        p->syntax = syntax;
        for (size_t i = 0; i < GS_SYNTAX_MAX_TRIGGERS; i++)
            add_marker(p, MARK_CALL, gs_slice_str(syntax->triggers[i]));
        p->types = gs_chat_tool_types(opt->tool, opt->n_tools, &p->a);
        if (!p->types)
            return false;
    }
    for (size_t i = 0; i < opt->n_stops && i < GS_MAX_STOPS; i++) {
        struct gs_slice copy;
        if (!gs_arena_dup(&p->a, opt->stops[i], &copy))
            return false;
        add_marker(p, MARK_STOP, copy);
    }
    return true;
}

/* Go on behind the last block of `m`. What its text ends with may be the beginning of a stop
 * string, but not of markup: that is not ours. */
static void go_on(struct gs_parser *p, const struct gs_prompt_traits *traits,
                  const struct gs_message *m)
{
    const struct gs_block *last = &m->blocks[m->n_blocks - 1];

    p->next_block_idx = (uint32_t)m->n_blocks;
    p->block = last->kind;
    p->block_open = p->has_spoken = true;
    p->skip_space = last->text.len == 0;
    p->state = last->kind == GS_BLOCK_REASONING && p->reasons ? REASONING : TEXT;
    for (size_t i = 0; i < m->n_blocks; i++)
        p->n_calls += m->blocks[i].kind == GS_BLOCK_TOOL_CALL;
    if (gs_chat_call_is_open(m)) {
        gs_chat_feed_json(&p->stream, last->args, &p->args);
        p->state = ARGUMENTS;
        p->in_call = true;
        p->n_calls--;
        p->closing = gs_slice_str(gs_chat_call_spelling(traits)->end);
    }
    if (p->state == TEXT && has_its_call(p))
        p->state = STOPPED;
    if (last->kind != GS_BLOCK_TEXT)
        return;
    p->n_text = SIZE_MAX; /* no markup */
    gs_buf_slice(&p->hold, gs_slice_sub(last->text, open_tail(p, last->text), last->text.len));
    p->n_text = p->n_known = p->hold.len;
}

enum gs_status gs_parser_create(const struct gs_parser_options *opt, gs_event_fn *on_event,
                                void *ud, struct gs_parser **out_p, struct gs_error *err)
{
    struct gs_parser *p = gs_alloc_zero(sizeof(*p));

    if (!p)
        return gs_error_nomem(err, "read the answer");
    p->on_event = on_event;
    p->ud = ud;
    gs_arena_init(&p->a, GS_MAX_TEXT_BYTES);
    gs_buf_init(&p->hold, GS_MAX_TEXT_BYTES);
    gs_buf_init(&p->args, GS_MAX_TEXT_BYTES);
    p->one_call = opt->one_call;
    gs_rng_seed(&p->ids, opt->id_seed);
    p->state = opt->opens_reasoning ? REASONING : TEXT;
    p->skip_space = opt->opens_reasoning;
    if (!set_up(p, opt)) {
        gs_parser_free(p);
        return gs_error_nomem(err, "read the answer");
    }
    if (opt->partial)
        go_on(p, opt->traits, opt->partial);
    if (!gs_buf_ok(&p->hold) || !gs_buf_ok(&p->args)) {
        gs_parser_free(p);
        return gs_error_nomem(err, "read the answer");
    }
    *out_p = p;
    return GS_OK;
}

void gs_parser_free(struct gs_parser *p)
{
    if (!p)
        return;
    gs_buf_clear(&p->hold);
    gs_buf_clear(&p->args);
    gs_arena_clear(&p->a);
    gs_free(p->lp_top);
    gs_free(p);
}

/* Make room at the end where what was sent is in front. */
static void move_logprobs(struct gs_parser *p)
{
    p->n_lp -= p->lp_from;
    memmove(p->lp, p->lp + p->lp_from, p->n_lp * sizeof(*p->lp));
    memmove(p->lp_end, p->lp_end + p->lp_from, p->n_lp * sizeof(*p->lp_end));
    if (p->lp_top)
        memmove(p->lp_top, p->lp_top + p->lp_from, p->n_lp * sizeof(*p->lp_top));
    for (size_t i = 0; i < p->n_lp; i++)
        if (p->lp[i].n_top > 0)
            p->lp[i].top = p->lp_top[i];
    p->lp_from = 0;
}

/* Keep a token's log-probabilities until hold is sent up to `end`. */
static void keep_logprob(struct gs_parser *p, const struct gs_logprob *lp, size_t end)
{
    if (p->n_lp == MAX_LOGPROBS)
        move_logprobs(p);
    if (p->n_lp == MAX_LOGPROBS)
        return;
    struct gs_logprob *to = &p->lp[p->n_lp];
    *to = *lp;
    to->n_top = GS_MIN(lp->n_top, MAX_TOP);
    if (to->n_top > 0 && !p->lp_top) {
        p->lp_top = gs_alloc_array(MAX_LOGPROBS, sizeof(*p->lp_top));
        p->failed |= p->lp_top == NULL;
    }
    if (p->failed)
        return;
    if (to->n_top > 0) {
        memcpy(p->lp_top[p->n_lp], lp->top, to->n_top * sizeof(*lp->top));
        to->top = p->lp_top[p->n_lp];
    }
    p->lp_end[p->n_lp++] = end;
}

enum gs_flow gs_parser_feed(struct gs_parser *p, struct gs_slice text, const struct gs_logprob *lp,
                            size_t n_lp)
{
    p->flow = GS_FLOW_CONTINUE;
    if (p->state == STOPPED)
        return p->flow;
    gs_buf_slice(&p->hold, text);
    for (size_t i = 0; i < n_lp; i++) /* half a character goes with the other half */
        keep_logprob(p, &lp[i], p->hold.len + (text.len == 0));
    while (step(p))
        ;
    p->failed |= !gs_buf_ok(&p->hold) || !gs_buf_ok(&p->args);
    return p->flow;
}

enum gs_flow gs_parser_finish(struct gs_parser *p)
{
    p->flow = GS_FLOW_CONTINUE;
    while (p->state == CALL) {
        finish_call(p, p->hold.len);
        while (step(p))
            ;
    }
    if (p->state == ARGUMENTS)
        end_call(p);
    if (p->state != STOPPED && p->hold.len > 0)
        settle(p, p->state == REASONING || p->n_calls > 0 ? trimmed_len(gs_buf_view(&p->hold))
                                                          : p->hold.len);
    close_block(p);
    p->failed |= !gs_buf_ok(&p->hold) || !gs_buf_ok(&p->args);
    return p->flow;
}

enum gs_flow gs_parser_break_off(struct gs_parser *p)
{
    p->is_cut = true;
    return gs_parser_finish(p);
}

bool gs_parser_stopped(const struct gs_parser *p, struct gs_slice *out_stop)
{
    if (p->state == STOPPED && out_stop)
        *out_stop = p->stop;
    return p->state == STOPPED;
}

size_t gs_parser_tool_calls(const struct gs_parser *p)
{
    return p->n_calls;
}

bool gs_parser_reads_token(const struct gs_prompt_traits *traits, struct gs_slice spelling)
{
    static const char *const telling[] = {"tool",  "TOOL",  "ARGS",     "CALL",
                                          "think", "THINK", "function", "python_tag"};
    const char *const *controls = gs_chat_tool_syntax(traits->syntax)->controls;

    for (size_t i = 0; i < GS_COUNT_OF(telling); i++)
        if (gs_slice_find(spelling, gs_slice_str(telling[i]), 0) != SIZE_MAX)
            return true;
    while (controls && *controls && !gs_slice_eq_str(spelling, *controls))
        controls++;
    return controls && *controls;
}

bool gs_parser_in_reasoning(const struct gs_parser *p)
{
    return p->state == REASONING;
}

struct gs_slice gs_parser_region(const struct gs_parser *p)
{
    const struct gs_slice none = {"", 0};

    if (p->state != CALL ||
        (p->syntax->certain &&
         gs_slice_find(gs_buf_view(&p->hold), gs_slice_str(p->syntax->certain), 0) == SIZE_MAX))
        return none;
    return gs_buf_view(&p->hold);
}

const struct gs_tool_notation *gs_parser_notation(const struct gs_prompt_traits *traits)
{
    return gs_chat_tool_syntax(traits->syntax)->notation;
}

const struct gs_tool_spelling *gs_parser_spellings(const struct gs_prompt_traits *traits,
                                                   size_t *out_n)
{
    const struct gs_tool_syntax *syntax = gs_chat_tool_syntax(traits->syntax);

    *out_n = 0;
    while (*out_n < GS_SYNTAX_MAX_SPELLINGS && syntax->spellings[*out_n].begin)
        (*out_n)++;
    return syntax->spellings;
}

const char *const *gs_parser_triggers(const struct gs_prompt_traits *traits, size_t *out_n)
{
    const struct gs_tool_syntax *syntax = gs_chat_tool_syntax(traits->syntax);

    *out_n = 0;
    while (*out_n < GS_SYNTAX_MAX_TRIGGERS && syntax->triggers[*out_n])
        (*out_n)++;
    return syntax->triggers;
}

bool gs_parser_dropped_calls(const struct gs_parser *p)
{
    return p->dropped_calls;
}

bool gs_parser_failed(const struct gs_parser *p)
{
    return p->failed;
}
