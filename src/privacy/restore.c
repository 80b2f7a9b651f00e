/* Putting secrets back into an answer. Of each block the end of its text is kept that may be the
 * begin of a placeholder: some 80 bytes at most. */
#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/slice.h"
#include "privacy/names.h"
#include "privacy/privacy.h"
#include "privacy/scan.h"

#define MAX_KEPT   128
#define MAX_BLOCKS 1024 /* open at once */

struct block {
    uint32_t answer_idx, idx;
    enum gs_block_kind kind;
    char before; /* what is kept */
    size_t n_kept;
    char kept[MAX_KEPT];
};

struct gs_privacy_restorer {
    const struct gs_privacy_names *names;
    struct gs_buf blocks; /* of struct block */
    struct gs_buf in, out;
};

/* ---- texts ---- */

static void put_json(struct gs_buf *b, struct gs_slice s)
{
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";

    for (size_t i = 0; i < s.len; i++) {
        const char c = s.ptr[i];
        const char *found = c ? strchr(from, c) : NULL;
        if (found) {
            gs_buf_putc(b, '\\');
            gs_buf_putc(b, to[found - from]);
        } else if ((unsigned char)c < 0x20) {
            gs_buf_printf(b, "\\u%04x", (unsigned)(unsigned char)c);
        } else {
            gs_buf_putc(b, c);
        }
    }
}

/* The first byte from `at` on that a placeholder may begin with. */
static size_t next_begin(struct gs_slice text, size_t at)
{
    while (at < text.len && text.ptr[at] != '[' && text.ptr[at] != 'R' && text.ptr[at] != 'r' &&
           text.ptr[at] != '\\')
        at++;
    return at;
}

/* Append `text` restored; how much of it was dealt with, the rest may be the begin of a
 * placeholder. `before` is the byte in front of it, 0 for none. */
static size_t restore(const struct gs_privacy_names *names, enum gs_block_kind kind,
                      struct gs_slice text, char before, bool is_end, struct gs_buf *out)
{
    size_t done = 0; /* copied */

    for (size_t at = next_begin(text, 0); at < text.len; at = next_begin(text, at)) {
        size_t len;
        struct gs_slice value;
        const char last = at > 0 ? text.ptr[at - 1] : before;
        const enum gs_privacy_match match =
            gs_privacy_names_match(names, kind, text, at, last, is_end, &len, &value);
        if (match == GS_PRIVACY_NO_MATCH) {
            at++;
            continue;
        }
        gs_buf_put(out, text.ptr + done, at - done);
        if (match == GS_PRIVACY_PART)
            return at;
        if (kind == GS_BLOCK_TOOL_CALL)
            put_json(out, value);
        else
            gs_buf_slice(out, value);
        done = at += len;
    }
    gs_buf_put(out, text.ptr + done, text.len - done);
    return text.len;
}

void gs_privacy_restore(const struct gs_privacy_names *names, enum gs_block_kind kind,
                        struct gs_slice text, struct gs_buf *out)
{
    (void)restore(names, kind, text, '\0', true, out);
}

/* ---- events ---- */

enum gs_status gs_privacy_restorer_create(const struct gs_privacy_names *names,
                                          struct gs_privacy_restorer **out_r, struct gs_error *err)
{
    struct gs_privacy_restorer *r = gs_alloc_zero(sizeof(*r));

    *out_r = r;
    if (!r)
        return gs_error_nomem(err, "restore an answer");
    r->names = names;
    gs_buf_init(&r->blocks, MAX_BLOCKS * sizeof(struct block));
    gs_buf_init(&r->in, GS_MAX_RESPONSE_BYTES + MAX_KEPT);
    gs_buf_init(&r->out, GS_MAX_RESPONSE_BYTES);
    return GS_OK;
}

void gs_privacy_restorer_free(struct gs_privacy_restorer *r)
{
    if (!r)
        return;
    gs_buf_clear(&r->blocks);
    gs_buf_clear(&r->in);
    gs_buf_clear(&r->out);
    gs_free(r);
}

static struct block *blocks_of(const struct gs_privacy_restorer *r, size_t *out_n)
{
    *out_n = r->blocks.len / sizeof(struct block);
    return (struct block *)(void *)r->blocks.ptr;
}

static struct block *find_block(const struct gs_privacy_restorer *r, const struct gs_event *ev)
{
    size_t n;
    struct block *blocks = blocks_of(r, &n);

    for (size_t i = n; i-- > 0;)
        if (blocks[i].idx == ev->block_idx && blocks[i].answer_idx == ev->answer_idx)
            return &blocks[i];
    return NULL;
}

static enum gs_status failed(const struct gs_buf *b, struct gs_error *err)
{
    if (b->len + MAX_KEPT < b->max)
        return gs_error_nomem(err, "restore an answer");
    return gs_error_set(err, GS_ELIMIT, "the answer has too much to restore at once");
}

/* Text of a block, `is_end`: the last. One DELTA like `ev` at most comes of it. */
static enum gs_status take_text(struct gs_privacy_restorer *r, struct block *b,
                                const struct gs_event *ev, bool is_end, gs_event_fn *on_event,
                                void *ud, struct gs_error *err)
{
    const bool had_kept = b->n_kept > 0;
    struct gs_slice text = ev->text;
    struct gs_event out = *ev;

    gs_buf_reset(&r->out);
    if (had_kept) {
        gs_buf_reset(&r->in);
        gs_buf_put(&r->in, b->kept, b->n_kept);
        gs_buf_slice(&r->in, ev->text);
        if (!gs_buf_ok(&r->in))
            return failed(&r->in, err);
        text = gs_buf_view(&r->in);
    }
    const size_t done = restore(r->names, b->kind, text, b->before, is_end, &r->out);
    if (!gs_buf_ok(&r->out))
        return failed(&r->out, err);
    if (done > 0)
        b->before = text.ptr[done - 1];
    b->n_kept = text.len - done;
    assert(b->n_kept <= MAX_KEPT);
    memcpy(b->kept, text.ptr + done, b->n_kept);
    if (r->out.len == 0)
        return GS_OK;
    out.text = gs_buf_view(&r->out);
    if (had_kept || !gs_slice_eq(out.text, ev->text)) {
        out.logprob = NULL;
        out.n_logprob = 0;
    }
    return on_event(ud, &out) == GS_FLOW_CANCEL ? GS_ECANCELLED : GS_OK;
}

static enum gs_status take_delta(struct gs_privacy_restorer *r, const struct gs_event *ev,
                                 gs_event_fn *on_event, void *ud, struct gs_error *err)
{
    struct block *b = find_block(r, ev);

    if (!b) {
        const struct block fresh = {
            .answer_idx = ev->answer_idx, .idx = ev->block_idx, .kind = ev->block};
        gs_buf_put(&r->blocks, &fresh, sizeof(fresh));
        if (!gs_buf_ok(&r->blocks))
            return failed(&r->blocks, err);
        b = find_block(r, ev);
    }
    return take_text(r, b, ev, false, on_event, ud, err);
}

/* Say what is kept of a block, and forget it. */
static enum gs_status finish(struct gs_privacy_restorer *r, struct block *b,
                             const struct gs_event *like, gs_event_fn *on_event, void *ud,
                             struct gs_error *err)
{
    const struct gs_event rest = {.kind = GS_EVENT_DELTA,
                                  .block = b->kind,
                                  .block_idx = b->idx,
                                  .answer_idx = b->answer_idx,
                                  .usage = like->usage};
    const enum gs_status st =
        b->n_kept > 0 ? take_text(r, b, &rest, true, on_event, ud, err) : GS_OK;
    size_t n;
    struct block *blocks = blocks_of(r, &n);

    *b = blocks[n - 1];
    r->blocks.len -= sizeof(*b);
    return st;
}

/* All blocks of one answer, or of all. */
static enum gs_status finish_all(struct gs_privacy_restorer *r, const struct gs_event *ev,
                                 gs_event_fn *on_event, void *ud, struct gs_error *err)
{
    size_t n;
    struct block *blocks = blocks_of(r, &n);

    for (size_t i = n; i-- > 0;) {
        if (ev->kind == GS_EVENT_STOP && blocks[i].answer_idx != ev->answer_idx)
            continue;
        const enum gs_status st = finish(r, &blocks[i], ev, on_event, ud, err);
        if (st != GS_OK)
            return st;
    }
    return GS_OK;
}

enum gs_status gs_privacy_restorer_take(struct gs_privacy_restorer *r, const struct gs_event *ev,
                                        gs_event_fn *on_event, void *ud, struct gs_error *err)
{
    struct gs_event out = *ev;
    enum gs_status st = GS_OK;

    if (ev->kind == GS_EVENT_DELTA && ev->text.len > 0)
        return take_delta(r, ev, on_event, ud, err);
    if (ev->kind == GS_EVENT_END) {
        struct block *b = find_block(r, ev);
        st = b ? finish(r, b, ev, on_event, ud, err) : GS_OK;
    } else if (ev->kind == GS_EVENT_STOP || ev->kind == GS_EVENT_ERROR) {
        st = finish_all(r, ev, on_event, ud, err);
    }
    if (st == GS_OK && ev->stop_sequence.len > 0) {
        gs_buf_reset(&r->out);
        gs_privacy_restore(r->names, GS_BLOCK_TEXT, ev->stop_sequence, &r->out);
        if (!gs_buf_ok(&r->out))
            return failed(&r->out, err);
        out.stop_sequence = gs_buf_view(&r->out);
    }
    if (st != GS_OK)
        return st;
    return on_event(ud, &out) == GS_FLOW_CANCEL ? GS_ECANCELLED : GS_OK;
}
