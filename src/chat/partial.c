/* Writing an answer that broke off. Every ended block is closed as the family closes it, the last
 * one is left as it is. Calls that are over stand as the family writes them; the arguments of an
 * open one are JSON, cut anywhere, and stay that. */
#include "chat/partial.h"

#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/slice.h"
#include "chat/parser.h"
#include "json/json.h"

#define PIECES_OF_BLOCK 6 /* at most */

struct writer {
    const struct gs_prompt_traits *traits;
    struct gs_chat_partial *p;
    bool in_reasoning;
    bool in_answer; /* of harmony: the header of the answer's first message is written */
};

/* ---- pieces ---- */

static void put(struct writer *w, struct gs_slice text, bool is_markup)
{
    struct gs_chat_partial *p = w->p;

    if (text.len == 0)
        return;
    gs_buf_slice(&p->text, text);
    if (p->n_pieces == 0 || p->pieces[p->n_pieces - 1].is_markup != is_markup)
        p->n_pieces++;
    p->pieces[p->n_pieces - 1] = (struct gs_chat_piece){.end = p->text.len, .is_markup = is_markup};
}

static void put_markup(struct writer *w, const char *text)
{
    put(w, gs_slice_str(text), true);
}

/* ---- reasoning ---- */

/* Marks that stand on lines of their own. */
static bool has_lines(const struct writer *w)
{
    return w->traits->think_begin[0] == '<';
}

static void open_reasoning(struct writer *w)
{
    if (w->in_reasoning)
        return;
    put_markup(w, w->traits->think_begin);
    if (has_lines(w))
        put_markup(w, "\n");
    w->in_reasoning = true;
}

static void close_reasoning(struct writer *w)
{
    const bool is_tag = has_lines(w) && w->traits->think_end[1] == '/';

    if (!w->in_reasoning)
        return;
    if (is_tag)
        put_markup(w, "\n");
    put_markup(w, w->traits->think_end);
    if (is_tag)
        put_markup(w, "\n\n");
    w->in_reasoning = false;
}

/* ---- blocks ---- */

/* Harmony names the channel of every message; the first one's speaker stands in the prompt. */
static void put_channel(struct writer *w, const char *channel)
{
    if (w->in_answer)
        put_markup(w, "<|start|>assistant");
    w->in_answer = true;
    put_markup(w, "<|channel|>");
    put_markup(w, channel);
    put_markup(w, "<|message|>");
}

static void put_harmony(struct writer *w, const struct gs_block *b, bool is_last)
{
    put_channel(w, b->kind == GS_BLOCK_REASONING ? "analysis" : "final");
    put(w, b->text, false);
    if (!is_last)
        put_markup(w, "<|end|>");
}

static void put_block(struct writer *w, const struct gs_block *b, bool is_last)
{
    const bool reasons = b->kind == GS_BLOCK_REASONING;

    if (reasons && !w->traits->reasoning)
        return;
    if (w->traits->syntax == GS_SYNTAX_HARMONY) {
        put_harmony(w, b, is_last);
        return;
    }
    if (reasons)
        open_reasoning(w);
    else
        close_reasoning(w);
    put(w, b->text, false);
    if (reasons && !is_last)
        close_reasoning(w);
}

/* ---- interface ---- */

enum gs_status gs_chat_partial_write(const struct gs_prompt_traits *traits,
                                     const struct gs_message *m, bool opens_reasoning,
                                     struct gs_chat_partial *out_p, struct gs_error *err)
{
    struct gs_chat_partial p = {
        .pieces = gs_alloc_array(m->n_blocks * PIECES_OF_BLOCK + 1, sizeof(*p.pieces))};
    struct writer w = {.traits = traits, .p = &p, .in_reasoning = opens_reasoning};
    const enum gs_block_kind last = m->blocks[m->n_blocks - 1].kind;

    if (last != GS_BLOCK_TEXT && last != GS_BLOCK_REASONING) {
        gs_chat_partial_clear(&p);
        return gs_error_set(err, GS_EUNSUPPORTED,
                            "an answer can be gone on with in text and in reasoning only");
    }
    if (!p.pieces)
        return gs_error_nomem(err, "go on with an answer");
    gs_buf_init(&p.text, GS_MAX_PROMPT_BYTES);
    for (size_t i = 0; i < m->n_blocks; i++)
        put_block(&w, &m->blocks[i], i + 1 == m->n_blocks);
    if (!gs_buf_ok(&p.text)) {
        gs_chat_partial_clear(&p);
        return gs_error_set(err, GS_ELIMIT, "the answer so far is longer than %zu MiB",
                            GS_MAX_PROMPT_BYTES / GS_MIB);
    }
    *out_p = p;
    return GS_OK;
}

void gs_chat_partial_clear(struct gs_chat_partial *p)
{
    gs_buf_clear(&p->text);
    gs_free(p->pieces);
    *p = (struct gs_chat_partial){.n_pieces = 0};
}
