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
#include "chat/tool_region.h"
#include "json/json.h"

struct writer {
    const struct gs_prompt_traits *traits;
    struct gs_chat_partial *p;
    bool in_reasoning;
    bool in_answer; /* of harmony: the header of the answer's first message is written */
    size_t cap_pieces;
    bool failed; /* for want of memory */
};

/* ---- pieces ---- */

static bool grow(struct writer *w)
{
    const size_t cap = w->cap_pieces ? 2 * w->cap_pieces : 16;
    struct gs_chat_piece *pieces = gs_realloc(w->p->pieces, cap * sizeof(*pieces));

    if (!pieces) {
        w->failed = true;
        return false;
    }
    w->p->pieces = pieces;
    w->cap_pieces = cap;
    return true;
}

static void put(struct writer *w, struct gs_slice text, bool is_markup)
{
    struct gs_chat_partial *p = w->p;

    if (text.len == 0)
        return;
    gs_buf_slice(&p->text, text);
    if (p->n_pieces == 0 || p->pieces[p->n_pieces - 1].is_markup != is_markup) {
        if (p->n_pieces == w->cap_pieces && !grow(w))
            return;
        p->n_pieces++;
    }
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

/* ---- calls ---- */

bool gs_chat_call_is_open(const struct gs_message *m)
{
    const struct gs_block *last = &m->blocks[m->n_blocks - 1];

    return last->kind == GS_BLOCK_TOOL_CALL && gs_chat_json_end(last->args, 0) == 0;
}

const struct gs_tool_spelling *gs_chat_call_spelling(const struct gs_prompt_traits *traits)
{
    size_t n;

    return &gs_parser_spellings(traits, &n)[traits->spelling];
}

static void put_json(struct writer *w, const struct gs_json *v)
{
    struct gs_buf text;

    gs_buf_init(&text, GS_MAX_PROMPT_BYTES);
    gs_json_write(&text, v);
    put(w, gs_buf_view(&text), false);
    w->failed |= !gs_buf_ok(&text);
    gs_buf_clear(&text);
}

/* A value where strings stand between marks, and keys without. */
static void put_quoted(struct writer *w, const char *quote, const struct gs_json *v)
{
    const bool is_object = v->kind == GS_JSON_OBJECT;

    if (v->kind == GS_JSON_STRING) {
        put_markup(w, quote);
        put(w, v->u.string, false);
        put_markup(w, quote);
    } else if (is_object || v->kind == GS_JSON_ARRAY) {
        const size_t n = is_object ? v->u.object.len : v->u.array.len;
        put_markup(w, is_object ? "{" : "[");
        for (size_t i = 0; i < n; i++) {
            if (i > 0)
                put_markup(w, ",");
            if (is_object) {
                put(w, v->u.object.members[i].key, false);
                put_markup(w, ":");
            }
            put_quoted(w, quote, is_object ? &v->u.object.members[i].value : &v->u.array.items[i]);
        }
        put_markup(w, is_object ? "}" : "]");
    } else {
        put_json(w, v);
    }
}

/* Each parameter between tags, where values begin behind the key's on lines of their own. */
static void put_tagged(struct writer *w, const struct gs_tool_notation *n,
                       const struct gs_json *args)
{
    const char *line = n->value_begin[0] == '\0' ? "\n" : "";

    for (size_t i = 0; i < args->u.object.len; i++) {
        const struct gs_json_member *m = &args->u.object.members[i];
        put_markup(w, n->key_begin);
        put(w, m->key, false);
        put_markup(w, n->key_end);
        put_markup(w, line);
        put_markup(w, n->value_begin);
        if (m->value.kind == GS_JSON_STRING)
            put(w, m->value.u.string, false);
        else
            put_json(w, &m->value);
        put_markup(w, line);
        put_markup(w, n->value_end);
        put_markup(w, line);
    }
}

/* Arguments that are complete, as the family writes them. */
static void put_arguments(struct writer *w, struct gs_slice text)
{
    const struct gs_tool_notation *notation = gs_parser_notation(w->traits);
    struct gs_json args;
    struct gs_arena a;

    gs_arena_init(&a, GS_MAX_TEXT_BYTES);
    if (!notation || gs_json_parse(text, &a, &args, NULL) != GS_OK || args.kind != GS_JSON_OBJECT)
        put(w, text, false);
    else if (notation->quote)
        put_quoted(w, notation->quote, &args);
    else
        put_tagged(w, notation, &args);
    gs_arena_clear(&a);
}

static void put_call(struct writer *w, const struct gs_block *b, bool is_open)
{
    const struct gs_tool_spelling *s = gs_chat_call_spelling(w->traits);
    const enum gs_chat_syntax syntax = w->traits->syntax;

    if (syntax == GS_SYNTAX_HARMONY && w->in_answer)
        put_markup(w, "<|start|>assistant");
    else if (w->p->text.len > 0 &&
             (syntax == GS_SYNTAX_HERMES || syntax == GS_SYNTAX_QWEN_XML ||
              syntax == GS_SYNTAX_GLM) &&
             w->p->text.ptr[w->p->text.len - 1] != '\n')
        put_markup(w, "\n");
    w->in_answer = true;
    put_markup(w, s->begin);
    put(w, b->name, false);
    put_markup(w, s->between);
    if (is_open) {
        put(w, b->args, false);
        return;
    }
    put_arguments(w, b->args.len > 0 ? b->args : GS_SLICE_LIT("{}"));
    put_markup(w, s->end);
    if (syntax == GS_SYNTAX_HARMONY)
        put_markup(w, "<|call|>");
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

static void put_block(struct writer *w, const struct gs_block *b, bool is_last, bool is_open)
{
    const bool reasons = b->kind == GS_BLOCK_REASONING;
    const bool harmony = w->traits->syntax == GS_SYNTAX_HARMONY;

    if (reasons && !w->traits->reasoning)
        return;
    if (reasons && !harmony)
        open_reasoning(w);
    else
        close_reasoning(w);
    if (b->kind == GS_BLOCK_TOOL_CALL)
        put_call(w, b, is_open);
    else if (harmony)
        put_harmony(w, b, is_last);
    else
        put(w, b->text, false);
    if (reasons && !is_last)
        close_reasoning(w);
}

/* ---- interface ---- */

static enum gs_status check(const struct gs_message *m, struct gs_error *err)
{
    const enum gs_block_kind last = m->blocks[m->n_blocks - 1].kind;

    if (last == GS_BLOCK_TEXT || last == GS_BLOCK_REASONING || last == GS_BLOCK_TOOL_CALL)
        return GS_OK;
    return gs_error_set(err, GS_EUNSUPPORTED,
                        "an answer goes on in its text, its reasoning or a call, in nothing else");
}

enum gs_status gs_chat_partial_write(const struct gs_prompt_traits *traits,
                                     const struct gs_message *m, bool opens_reasoning,
                                     struct gs_chat_partial *out_p, struct gs_error *err)
{
    struct gs_chat_partial p = {.pieces = NULL};
    struct writer w = {.traits = traits, .p = &p, .in_reasoning = opens_reasoning};
    enum gs_status st = check(m, err);

    if (st != GS_OK)
        return st;
    gs_buf_init(&p.text, GS_MAX_PROMPT_BYTES);
    for (size_t i = 0; i < m->n_blocks; i++) {
        const bool is_last = i + 1 == m->n_blocks;
        put_block(&w, &m->blocks[i], is_last, is_last && gs_chat_call_is_open(m));
    }
    if (w.failed || !gs_buf_ok(&p.text))
        st = gs_error_nomem(err, "go on with an answer");
    if (st != GS_OK) {
        gs_chat_partial_clear(&p);
        return st;
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
