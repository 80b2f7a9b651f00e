/* From a chat to the tokens of its prompt. What the model wrote before stands in it as it wrote it:
 * each prompt of a conversation begins with the tokens of those before it. */
#include <string.h>

#include "api/infill.h"
#include "api/llm.h"
#include "api/replay.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/slice.h"
#include "chat/partial.h"
#include "chat/prompt.h"

bool gs_llm_chat_has_tools(const struct gs_chat *chat)
{
    return !chat->is_raw && chat->n_tools > 0 && chat->tool_choice != GS_TOOL_CHOICE_NONE;
}

enum gs_status gs_llm_prompt_text(const struct gs_llm *llm, const struct gs_chat *chat,
                                  struct gs_prompt_shape *shape, struct gs_buf *b,
                                  struct gs_error *err)
{
    struct gs_chat shown = *chat;

    shape->opening_at = SIZE_MAX;
    if (chat->is_raw) {
        gs_buf_slice(b, chat->raw_prompt);
        if (gs_buf_ok(b))
            return GS_OK;
        return gs_error_set(err, GS_ELIMIT, "the prompt is longer than %zu MiB",
                            GS_MAX_PROMPT_BYTES / GS_MIB);
    }
    if (!llm->prompter) {
        if (err)
            *err = llm->prompter_err;
        return llm->prompter_err.code;
    }
    if (!gs_llm_chat_has_tools(chat))
        shown.n_tools = 0;
    const enum gs_status st =
        gs_prompter_shape(llm->prompter, &shown, gs_clock_wall_us(), shape, b, err);
    if (st == GS_EUNSUPPORTED)
        gs_error_prefix(err, "model \"%s\"", llm->name.ptr);
    return st;
}

enum gs_status gs_llm_append_tokens(struct gs_token_ids *ids, const int32_t *tokens, size_t n,
                                    struct gs_error *err)
{
    size_t len, bytes;

    if (n == 0)
        return GS_OK;
    if (!gs_add_size(ids->len, n, &len) || !gs_mul_size(len, 2 * sizeof(*ids->ids), &bytes))
        return gs_error_nomem(err, "read a prompt's tokens");
    if (len > ids->cap) {
        int32_t *grown = gs_realloc(ids->ids, bytes);
        if (!grown)
            return gs_error_nomem(err, "read a prompt's tokens");
        ids->ids = grown;
        ids->cap = 2 * len;
    }
    memcpy(ids->ids + ids->len, tokens, n * sizeof(*tokens));
    ids->len = len;
    return GS_OK;
}

/* The template's text may begin with BOS already, and needs none after other tokens; an EOS the
 * vocabulary wants at the end of a text has no place before an answer. */
static enum gs_status encode_prompt(const struct gs_llm *llm, struct gs_slice text,
                                    struct gs_token_ids *ids, struct gs_error *err)
{
    const bool is_first = ids->len == 0;
    const bool has_bos = llm->bos_text.len > 0 && gs_slice_starts(text, llm->bos_text);
    const bool has_eos = llm->eos_text.len > 0 && gs_slice_ends(text, llm->eos_text);
    const unsigned flags =
        GS_TOKEN_PARSE_SPECIAL | (has_bos || !is_first ? 0 : GS_TOKEN_ADD_SPECIAL);

    if (!is_first && has_bos)
        text = gs_slice_sub(text, llm->bos_text.len, text.len);
    const enum gs_status st = gs_token_encode(llm->tok, text, flags, ids, err);

    if (st == GS_OK && !has_eos && ids->len > 1 && ids->ids[ids->len - 1] == gs_token_eos(llm->tok))
        ids->len--;
    return st;
}

/* Text and kept answers by turns. The text after an answer begins with the token that ended it, so
 * it is tokenised by itself as it was in the prompt before. */
static enum gs_status encode_shaped(const struct gs_llm *llm, struct gs_slice text,
                                    const struct gs_prompt_shape *shape,
                                    const struct gs_replay_match *matches, struct gs_token_ids *ids,
                                    struct gs_error *err)
{
    enum gs_status st = GS_OK;
    size_t from = 0;

    for (size_t i = 0; st == GS_OK && i <= shape->n_replays; i++) {
        const size_t to = i < shape->n_replays ? shape->replays[i].at : text.len;
        if (to == SIZE_MAX)
            continue;
        const struct gs_slice run = gs_slice_sub(text, from, to);
        st = from == 0 ? encode_prompt(llm, run, ids, err)
                       : gs_token_encode(llm->tok, run, GS_TOKEN_PARSE_SPECIAL, ids, err);
        if (st == GS_OK && i < shape->n_replays)
            st = gs_llm_append_tokens(ids, matches[i].tokens, matches[i].n_tokens, err);
        from = to;
    }
    return st;
}

static enum gs_status list_ends(const struct gs_llm *llm, struct gs_prompt_shape *shape,
                                struct gs_arena *a, struct gs_error *err)
{
    struct gs_slice *ends = gs_arena_array(a, llm->n_end_tokens, sizeof(*ends));

    if (!ends)
        return gs_error_nomem(err, "build the prompt");
    for (size_t i = 0; i < llm->n_end_tokens; i++)
        ends[i] = gs_token_spelling(llm->tok, llm->end_tokens[i]);
    shape->ends = ends;
    shape->n_ends = llm->n_end_tokens;
    return GS_OK;
}

static enum gs_status make_shaped(const struct gs_llm *llm, const struct gs_chat *chat,
                                  struct gs_arena *a, const struct gs_replay_match *matches,
                                  size_t n_matches, struct gs_llm_prompt *p, struct gs_error *err)
{
    struct gs_prompt_shape shape = {.n_replays = n_matches};
    struct gs_buf b;

    shape.replays = gs_arena_array(a, n_matches, sizeof(*shape.replays));
    if (!shape.replays)
        return gs_error_nomem(err, "build the prompt");
    for (size_t i = 0; i < n_matches; i++)
        shape.replays[i] = (struct gs_prompt_replay){.message_idx = matches[i].message_idx,
                                                     .opening = matches[i].opening};
    enum gs_status st = list_ends(llm, &shape, a, err);
    gs_buf_init(&b, GS_MAX_PROMPT_BYTES);
    if (st == GS_OK)
        st = gs_llm_prompt_text(llm, chat, &shape, &b, err);
    if (st == GS_OK && (b.len > 0 || p->ids.len == 0))
        st = encode_shaped(llm, gs_buf_view(&b), &shape, matches, &p->ids, err);
    if (st == GS_OK && shape.opening_at != SIZE_MAX) {
        gs_buf_slice(&p->opening, gs_slice_sub(gs_buf_view(&b), shape.opening_at, b.len));
        p->knows_opening = gs_buf_ok(&p->opening);
    }
    p->opens_reasoning = shape.opens_reasoning;
    gs_buf_clear(&b);
    return st;
}

static enum gs_status make_chat(const struct gs_llm *llm, const struct gs_chat *chat,
                                struct gs_llm_prompt *p, struct gs_error *err)
{
    struct gs_replay_match *matches = NULL;
    size_t n = 0;
    struct gs_arena a;

    gs_arena_init(&a, GS_MAX_TEXT_BYTES);
    enum gs_status st = gs_replay_find(llm->replays, chat, &a, &matches, &n, err);
    if (st == GS_OK)
        st = make_shaped(llm, chat, &a, matches, n, p, err);
    gs_replay_release(llm->replays, matches, n);
    gs_arena_clear(&a);
    return st;
}

/* ---- an answer that broke off ---- */

const struct gs_message *gs_llm_partial(const struct gs_chat *chat)
{
    const struct gs_message *m =
        chat->n_messages > 0 ? &chat->messages[chat->n_messages - 1] : NULL;

    return chat->broke_off && m && m->role == GS_ROLE_ASSISTANT && m->n_blocks > 0 ? m : NULL;
}

/* What the model would have written of it; the last word is left to be written again. */
static enum gs_status append_partial(const struct gs_llm *llm,
                                     const struct gs_chat_partial *partial, struct gs_llm_prompt *p,
                                     struct gs_error *err)
{
    enum gs_status st = GS_OK;
    size_t from = 0;

    p->answer_at = p->ids.len;
    for (size_t i = 0; i < partial->n_pieces && st == GS_OK; i++) {
        const struct gs_chat_piece *piece = &partial->pieces[i];
        const unsigned flags =
            (piece->is_markup ? GS_TOKEN_PARSE_SPECIAL : 0) | (i > 0 ? GS_TOKEN_GOES_ON : 0);
        st = gs_token_encode(llm->tok, gs_slice_sub(gs_buf_view(&partial->text), from, piece->end),
                             flags, &p->ids, err);
        from = piece->end;
    }
    return st == GS_OK ? gs_heal_begin(&p->heal, llm->tok, gs_prompter_traits(llm->prompter),
                                       &p->ids, p->answer_at, err)
                       : st;
}

/* The conversation up to the answer asks for one, as always; what is there of it follows. */
static enum gs_status make_partial(const struct gs_llm *llm, const struct gs_chat *chat,
                                   struct gs_llm_prompt *p, struct gs_error *err)
{
    struct gs_chat before = *chat;
    struct gs_chat_partial partial;

    before.n_messages--;
    before.broke_off = before.continue_last = false;
    enum gs_status st = make_chat(llm, &before, p, err);
    if (st != GS_OK)
        return st;
    p->knows_opening = false;
    st = gs_chat_partial_write(gs_prompter_traits(llm->prompter), gs_llm_partial(chat),
                               p->opens_reasoning, &partial, err);
    if (st != GS_OK)
        return st;
    st = append_partial(llm, &partial, p, err);
    gs_chat_partial_clear(&partial);
    return st;
}

static enum gs_status make(const struct gs_llm *llm, const struct gs_chat *chat,
                           struct gs_llm_prompt *p, struct gs_error *err)
{
    enum gs_status st = gs_llm_need_tokenizer(llm, err);

    for (size_t i = 0; i < chat->n_before && st == GS_OK; i++) {
        const struct gs_embed_input *part = &chat->before[i];
        st = part->tokens ? gs_llm_append_tokens(&p->ids, part->tokens, part->n_tokens, err)
                          : encode_prompt(llm, part->text, &p->ids, err);
    }
    if (st == GS_OK && chat->has_suffix)
        st = encode_prompt(llm, gs_slice("", 0), &p->ids, err); /* BOS */
    if (st != GS_OK)
        return st;
    if (chat->has_suffix)
        return gs_llm_infill_tokens(llm, chat, &p->ids, err);
    return gs_llm_partial(chat) ? make_partial(llm, chat, p, err) : make_chat(llm, chat, p, err);
}

enum gs_status gs_llm_prompt_make(const struct gs_llm *llm, const struct gs_chat *chat,
                                  struct gs_llm_prompt *out_p, struct gs_error *err)
{
    struct gs_llm_prompt p = {.opens_reasoning = false};

    gs_buf_init(&p.opening, GS_MAX_TEXT_BYTES);
    const enum gs_status st = make(llm, chat, &p, err);
    if (st != GS_OK) {
        gs_llm_prompt_clear(&p);
        return st;
    }
    *out_p = p;
    return GS_OK;
}

void gs_llm_prompt_clear(struct gs_llm_prompt *p)
{
    gs_token_ids_clear(&p->ids);
    gs_buf_clear(&p->opening);
    gs_heal_clear(&p->heal);
}

/* Templates that begin with a control token begin every turn with it. A prompt without turns may at
 * least come again. */
void gs_llm_turn_marks(const struct gs_llm *llm, const struct gs_token_ids *ids,
                       size_t out_marks[GS_TURN_MARKS], size_t *out_n)
{
    const size_t first = ids->len > 0 && ids->ids[0] == gs_token_bos(llm->tok);
    size_t n = 0;

    for (size_t i = first + 1; i < ids->len; i++) {
        if (ids->ids[i] != ids->ids[first] ||
            gs_token_kind_of(llm->tok, ids->ids[i]) != GS_TOKEN_CONTROL)
            continue;
        if (n == GS_TURN_MARKS) /* the last ones move up */
            out_marks[n - 2] = out_marks[n - 1];
        else
            n++;
        out_marks[n - 1] = i;
    }
    if (n == 0 && ids->len > 1)
        out_marks[n++] = ids->len - 1;
    *out_n = n;
}
