/* Guiding an answer. Reasoning is free until its budget is used up: then what ends it is forced,
 * token by token, and the model goes on to its answer. A format holds from the first byte of text;
 * there the model may still begin to reason, or to call a tool. A demanded call holds from the
 * first byte, too; a call that the model opens itself is guided from what opened it: if that does
 * not fit how its family writes calls, it is left alone. */
#include "api/guide.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/slice.h"
#include "chat/partial.h"
#include "constraint/constraint.h"

#define MAX_OPENERS 8
#define MAX_ENDING  32

/* Harmony's reasoning is a channel of its own: what follows it must be named. */
#define HARMONY_ENDING "<|end|><|start|>assistant<|channel|>final<|message|>"

struct gs_guide {
    const struct gs_llm *llm;
    const struct gs_prompt_traits *traits; /* of the vocabulary's markup; or NULL */
    const struct gs_constraint_vocab *vocab;
    struct gs_constraint *text; /* of the whole text: a format, or demanded calls; or NULL */
    struct gs_constraint *call; /* of a call that the model opens; or NULL */
    struct gs_constraint *rest; /* of a call that somebody else began, until it is over; or NULL */
    struct gs_constraint *now;  /* which of them made the last mask; NULL: neither */
    bool text_begun;
    bool in_call, left_alone;     /* the open call is guided, or is not */
    int32_t openers[MAX_OPENERS]; /* tokens that may come instead of the text's first one */
    size_t n_openers;
    int64_t max_reasoning, n_reasoned; /* tokens; 0: no limit */
    int32_t ending[MAX_ENDING];        /* tokens that end the reasoning */
    size_t n_ending, n_ended;          /* of them forced so far; all: it ends by itself */
    size_t n_words;
    uint64_t *mask;
    bool failed;
};

/* ---- vocabulary ---- */

static struct gs_slice token_text(const struct gs_llm *llm, const struct gs_prompt_traits *traits,
                                  int32_t id)
{
    const enum gs_token_kind kind = gs_token_kind_of(llm->tok, id);
    const struct gs_slice spelling = gs_token_spelling(llm->tok, id);

    if (kind != GS_TOKEN_CONTROL)
        return gs_token_bytes(llm->tok, id);
    return traits && gs_parser_reads_token(traits, spelling) ? spelling : gs_slice("", 0);
}

/* The model's vocabulary, made when it is first needed. */
static enum gs_status share_vocab(gs_llm *llm, const struct gs_prompt_traits *traits,
                                  const struct gs_constraint_vocab **out, struct gs_error *err)
{
    const size_t n = (size_t)gs_token_vocab_len(llm->tok);
    enum gs_status st = GS_OK;

    pthread_mutex_lock(&llm->vocab_lock);
    if (!llm->vocab) {
        struct gs_slice *tokens = gs_alloc_array(n, sizeof(*tokens));
        for (size_t i = 0; tokens && i < n; i++)
            tokens[i] = token_text(llm, traits, (int32_t)i);
        st = tokens ? gs_constraint_vocab_create(tokens, n, &llm->vocab, err)
                    : gs_error_nomem(err, "sort the vocabulary");
        gs_free(tokens);
    }
    *out = llm->vocab;
    pthread_mutex_unlock(&llm->vocab_lock);
    return st;
}

/* ---- constraints ---- */

static enum gs_status make_format(const struct gs_format *f, struct gs_buf *ignored,
                                  struct gs_constraint **out_c, struct gs_error *err)
{
    switch (f->kind) {
    case GS_FORMAT_TEXT:
        return GS_OK;
    case GS_FORMAT_JSON:
        return gs_constraint_from_json(out_c, err);
    case GS_FORMAT_SCHEMA:
        return gs_constraint_from_schema(f->spec, ignored, out_c, err);
    case GS_FORMAT_GBNF:
        return gs_constraint_from_gbnf(f->spec, out_c, err);
    case GS_FORMAT_REGEX:
        return gs_constraint_from_regex(f->spec, out_c, err);
    }
    return GS_OK;
}

static bool may_call(const struct gs_chat *chat, struct gs_slice name)
{
    if (chat->tool_choice == GS_TOOL_CHOICE_NAMED)
        return gs_slice_eq(name, chat->tool_choice_name);
    for (size_t i = 0; i < chat->n_allowed_tools; i++)
        if (gs_slice_eq(name, chat->allowed_tools[i]))
            return true;
    return chat->n_allowed_tools == 0;
}

/* Every tool that may be called in every spelling; in the arena, *out_n of them. */
static struct gs_constraint_call *list_calls(const struct gs_chat *chat,
                                             const struct gs_prompt_traits *traits,
                                             const struct gs_constraint_notation *notation,
                                             struct gs_arena *a, size_t *out_n)
{
    size_t n_spellings;
    const struct gs_tool_spelling *spellings = gs_parser_spellings(traits, &n_spellings);
    struct gs_constraint_call *calls =
        gs_arena_array(a, chat->n_tools * n_spellings, sizeof(*calls));

    *out_n = 0;
    for (size_t i = 0; calls && i < chat->n_tools * n_spellings; i++) {
        const struct gs_tool *t = &chat->tools[i / n_spellings];
        const struct gs_tool_spelling *s = &spellings[i % n_spellings];
        struct gs_slice begin;
        if (!may_call(chat, t->name))
            continue;
        begin = gs_arena_printf(a, "%s%.*s%s", s->begin, (int)GS_MIN(t->name.len, GS_KIB),
                                t->name.ptr, s->between);
        if (!begin.ptr)
            return NULL;
        calls[(*out_n)++] = (struct gs_constraint_call){.begin = begin,
                                                        .end = gs_slice_str(s->end),
                                                        .notation = notation,
                                                        .schema = t->parameters};
    }
    return calls;
}

static void note(struct gs_buf *ignored, const char *what)
{
    if (ignored->len > 0)
        gs_buf_puts(ignored, ", ");
    gs_buf_puts(ignored, what);
}

static enum gs_status make_calls(const struct gs_chat *chat, const struct gs_prompt_traits *traits,
                                 bool demanded, struct gs_buf *ignored,
                                 struct gs_constraint **out_c, struct gs_error *err)
{
    const struct gs_tool_notation *own = gs_parser_notation(traits);
    struct gs_constraint_notation notation = {.quote = NULL};
    enum gs_status st = GS_OK;
    struct gs_arena a;
    size_t n;

    if (own)
        notation = (struct gs_constraint_notation){.key_begin = own->key_begin,
                                                   .key_end = own->key_end,
                                                   .value_begin = own->value_begin,
                                                   .value_end = own->value_end,
                                                   .quote = own->quote};
    gs_arena_init(&a, GS_MAX_TEXT_BYTES);
    const struct gs_constraint_call *calls =
        list_calls(chat, traits, own ? &notation : NULL, &a, &n);
    if (!calls)
        st = gs_error_nomem(err, "describe the tools");
    else if (n == 0)
        st = gs_error_set(err, GS_EINVAL, "tool_choice: there is no tool \"%.*s\"",
                          (int)GS_MIN(chat->tool_choice_name.len, 100), chat->tool_choice_name.ptr);
    else
        st = gs_constraint_from_calls(calls, n, demanded, ignored, out_c, err);
    gs_arena_clear(&a);
    return st;
}

/* ---- life ---- */

/* There is nothing to guide. */
static bool is_idle(const struct gs_guide *g)
{
    return !g->text && !g->call && !g->rest && g->max_reasoning == 0;
}

static void add_opener(struct gs_guide *g, const char *text)
{
    const int32_t id = text[0] ? gs_token_find(g->llm->tok, gs_slice_str(text)) : -1;

    if (id >= 0 && g->n_openers < MAX_OPENERS)
        g->openers[g->n_openers++] = id;
}

/* The tokens that end the reasoning, where it may have to be ended. */
static enum gs_status init_ending(struct gs_guide *g, const struct gs_chat *chat,
                                  const struct gs_prompt_traits *traits, struct gs_error *err)
{
    const char *end = traits->syntax == GS_SYNTAX_HARMONY ? HARMONY_ENDING : traits->think_end;
    struct gs_token_ids ids = {0};

    if ((chat->max_reasoning_tokens <= 0 && !g->text) || !end[0])
        return GS_OK;
    const enum gs_status st =
        gs_token_encode(g->llm->tok, gs_slice_str(end), GS_TOKEN_PARSE_SPECIAL, &ids, err);
    if (st == GS_OK && ids.len <= MAX_ENDING) {
        memcpy(g->ending, ids.ids, ids.len * sizeof(*ids.ids));
        g->n_ending = g->n_ended = ids.len;
        g->max_reasoning = chat->max_reasoning_tokens;
    }
    gs_token_ids_clear(&ids);
    return st;
}

static bool has_call(const struct gs_message *m)
{
    for (size_t i = 0; m && i < m->n_blocks; i++)
        if (m->blocks[i].kind == GS_BLOCK_TOOL_CALL)
            return true;
    return false;
}

/* The format goes on from the text that is there. A text that began otherwise is left alone. */
static void go_on(struct gs_guide *g, const struct gs_message *m, struct gs_buf *ignored)
{
    bool fits = true;

    for (size_t i = 0; i < m->n_blocks && fits; i++) {
        const struct gs_block *b = &m->blocks[i];
        if (b->kind != GS_BLOCK_TEXT || b->text.len == 0)
            continue;
        g->text_begun = true;
        fits = gs_constraint_advance(g->text, b->text);
    }
    if (fits)
        return;
    gs_constraint_free(g->text);
    g->text = NULL;
    note(ignored, "response format");
}

/* The call that broke off goes on as the schema of its tool says. */
static enum gs_status init_rest(struct gs_guide *g, const struct gs_chat *chat,
                                const struct gs_prompt_traits *traits, struct gs_buf *ignored,
                                struct gs_error *err)
{
    const struct gs_message *partial = gs_llm_partial(chat);
    const struct gs_block *call = &partial->blocks[partial->n_blocks - 1];
    struct gs_slice schema = {"", 0};

    for (size_t i = 0; i < chat->n_tools; i++)
        if (gs_slice_eq(chat->tools[i].name, call->name))
            schema = chat->tools[i].parameters;
    return gs_constraint_from_begun_call(schema, call->args,
                                         gs_slice_str(gs_chat_call_spelling(traits)->end), ignored,
                                         &g->rest, err);
}

static bool breaks_off_in_call(const struct gs_chat *chat)
{
    const struct gs_message *partial = gs_llm_partial(chat);

    return partial && gs_chat_call_is_open(partial);
}

/* What text and calls have to be, if anything. */
static enum gs_status init_constraints(struct gs_guide *g, const struct gs_chat *chat,
                                       const struct gs_prompt_traits *traits, bool demanded,
                                       struct gs_buf *ignored, struct gs_error *err)
{
    const struct gs_message *partial = gs_llm_partial(chat);
    enum gs_status st = GS_OK;

    if (breaks_off_in_call(chat))
        st = init_rest(g, chat, traits, ignored, err);
    if (st == GS_OK && gs_llm_chat_has_tools(chat))
        st = make_calls(chat, traits, demanded, ignored, demanded ? &g->text : &g->call, err);
    if (st != GS_OK || demanded)
        return st;
    if (chat->format.kind != GS_FORMAT_TEXT && traits->syntax == GS_SYNTAX_HARMONY)
        note(ignored, "response format"); /* its channels are text, too */
    else
        st = make_format(&chat->format, ignored, &g->text, err);
    if (g->text && partial)
        go_on(g, partial, ignored);
    return st;
}

static enum gs_status init(struct gs_guide *g, gs_llm *llm, const struct gs_chat *chat,
                           const struct gs_prompt_traits *traits, struct gs_buf *ignored,
                           struct gs_error *err)
{
    const bool with_tools = gs_llm_chat_has_tools(chat);
    const bool demanded =
        with_tools && !has_call(gs_llm_partial(chat)) &&
        (chat->tool_choice == GS_TOOL_CHOICE_ANY || chat->tool_choice == GS_TOOL_CHOICE_NAMED);
    size_t n_triggers = 0;

    g->llm = llm;
    g->traits = llm->prompter ? gs_prompter_traits(llm->prompter) : NULL;
    enum gs_status st = init_constraints(g, chat, traits, demanded, ignored, err);
    if (st == GS_OK)
        st = init_ending(g, chat, traits, err);
    if (st != GS_OK || is_idle(g))
        return st;
    g->n_words = ((size_t)gs_token_vocab_len(llm->tok) + 63) / 64;
    g->mask = gs_alloc_array(g->n_words, sizeof(*g->mask));
    if (!g->mask)
        return gs_error_nomem(err, "guide the answer");
    if (!g->text && !g->call && !g->rest)
        return GS_OK;
    add_opener(g, traits->think_begin);
    const char *const *triggers = gs_parser_triggers(traits, &n_triggers);
    for (size_t i = 0; with_tools && !demanded && i < n_triggers; i++)
        add_opener(g, triggers[i]);
    return share_vocab(llm, g->traits, &g->vocab, err);
}

enum gs_status gs_guide_create(gs_llm *llm, const struct gs_chat *chat,
                               const struct gs_prompt_traits *traits, struct gs_buf *ignored,
                               struct gs_guide **out_g, struct gs_error *err)
{
    struct gs_guide *g;

    *out_g = NULL;
    if (chat->format.kind == GS_FORMAT_TEXT && !gs_llm_chat_has_tools(chat) &&
        chat->max_reasoning_tokens <= 0 && !breaks_off_in_call(chat))
        return GS_OK;
    g = gs_alloc_zero(sizeof(*g));
    if (!g)
        return gs_error_nomem(err, "guide the answer");
    const enum gs_status st = init(g, llm, chat, traits, ignored, err);
    if (st != GS_OK || is_idle(g)) {
        gs_guide_free(g);
        return st;
    }
    *out_g = g;
    return GS_OK;
}

void gs_guide_free(struct gs_guide *g)
{
    if (!g)
        return;
    gs_constraint_free(g->text);
    gs_constraint_free(g->call);
    gs_constraint_free(g->rest);
    gs_free(g->mask);
    gs_free(g);
}

/* ---- masks ---- */

static void allow(struct gs_guide *g, int32_t id)
{
    g->mask[id / 64] |= (uint64_t)1 << (id % 64);
}

/* The constraint that holds where the parser is; NULL: none. */
static struct gs_constraint *holding(struct gs_guide *g, const struct gs_parser *p)
{
    const struct gs_slice region = gs_parser_region(p);

    if (region.len == 0)
        g->in_call = g->left_alone = false;
    if (g->rest)
        return g->rest;
    if (gs_parser_in_reasoning(p))
        return NULL;
    if (region.len == 0 || !g->call) /* demanded calls are the text's */
        return region.len > 0 && g->n_openers > 0 && !g->text_begun ? NULL : g->text;
    if (!g->in_call && !g->left_alone) {
        gs_constraint_restart(g->call);
        g->in_call = gs_constraint_advance(g->call, region);
        g->left_alone = !g->in_call;
    }
    return g->in_call ? g->call : NULL;
}

static bool is_among(const int32_t *ids, size_t n, int32_t id)
{
    for (size_t i = 0; i < n; i++)
        if (ids[i] == id)
            return true;
    return false;
}

/* A token that may come instead of the text's first one. */
static bool is_opener(const struct gs_guide *g, int32_t id)
{
    return g->now == g->text && !g->text_begun && is_among(g->openers, g->n_openers, id);
}

/* Whether the token is among those of the mask, which is not made to see it. */
static bool fits(struct gs_guide *g, int32_t id)
{
    const struct gs_slice text = token_text(g->llm, g->traits, id);

    if (is_among(g->llm->end_tokens, g->llm->n_end_tokens, id))
        return gs_constraint_may_end(g->now);
    return is_opener(g, id) || (text.len > 0 && gs_constraint_allows(g->now, text));
}

/* The mask of nothing but the next token that ends the reasoning. */
static const uint64_t *mask_of_ending(struct gs_guide *g)
{
    memset(g->mask, 0, g->n_words * sizeof(*g->mask));
    allow(g, g->ending[g->n_ended]);
    return g->mask;
}

/* Whether the reasoning has to end here: its budget is used up, or the model would end its turn
 * without the text that is demanded. */
static bool must_answer(struct gs_guide *g, const struct gs_parser *p, int32_t drawn)
{
    if (!gs_parser_in_reasoning(p))
        return false;
    return (g->max_reasoning > 0 && g->n_reasoned++ >= g->max_reasoning) ||
           (g->text && is_among(g->llm->end_tokens, g->llm->n_end_tokens, drawn));
}

const uint64_t *gs_guide_mask(struct gs_guide *g, const struct gs_parser *p, int32_t drawn)
{
    g->now = NULL;
    if (g->n_ended == g->n_ending && must_answer(g, p, drawn))
        g->n_ended = 0;
    if (g->n_ended < g->n_ending)
        return mask_of_ending(g);
    g->now = holding(g, p);
    if (!g->now || fits(g, drawn))
        return NULL;
    const uint64_t *mask = gs_constraint_mask(g->now, g->vocab);
    if (!mask) { /* no memory, or too many ways to go on: a call goes on as it would without */
        g->failed |= g->now == g->text || g->now == g->rest;
        g->now = NULL;
        return NULL;
    }
    memcpy(g->mask, mask, g->n_words * sizeof(*mask));
    if (gs_constraint_may_end(g->now))
        for (size_t i = 0; i < g->llm->n_end_tokens; i++)
            allow(g, g->llm->end_tokens[i]);
    for (size_t i = 0; g->now == g->text && !g->text_begun && i < g->n_openers; i++)
        allow(g, g->openers[i]);
    return g->mask;
}

bool gs_guide_failed(const struct gs_guide *g)
{
    return g->failed;
}

/* Go on over `text` in the constraint that holds. */
static void advance(struct gs_guide *g, struct gs_constraint *c, struct gs_slice text)
{
    g->text_begun |= c == g->text;
    if (!gs_constraint_advance(c, text))
        g->left_alone = true;
    if (c == g->rest && (g->left_alone || gs_constraint_must_end(c))) {
        gs_constraint_free(g->rest);
        g->now = g->rest = NULL;
    }
}

void gs_guide_accept(struct gs_guide *g, int32_t id)
{
    if (g->n_ended < g->n_ending)
        g->n_ended++;
    if (g->now && !is_opener(g, id))
        advance(g, g->now, token_text(g->llm, g->traits, id));
}

bool gs_guide_allows(struct gs_guide *g, const struct gs_parser *p, struct gs_slice text)
{
    struct gs_constraint *c = holding(g, p);

    return !c || gs_constraint_allows(c, text);
}

void gs_guide_accept_text(struct gs_guide *g, const struct gs_parser *p, struct gs_slice text)
{
    struct gs_constraint *c = holding(g, p);

    if (c)
        advance(g, c, text);
}
