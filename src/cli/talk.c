/* Turns in an arena; a request borrows them. */
#include "cli/talk.h"

#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/slice.h"

void gs_cli_talk_init(struct gs_cli_talk *t)
{
    *t = (struct gs_cli_talk){0};
    gs_arena_init(&t->arena, GS_MAX_TEXT_BYTES);
}

void gs_cli_talk_clear(struct gs_cli_talk *t)
{
    gs_arena_clear(&t->arena);
    t->messages = NULL;
    t->len = 0;
    t->cap = 0;
}

static bool grow(struct gs_cli_talk *t)
{
    const size_t cap = t->cap ? 2 * t->cap : 16;

    if (t->len < t->cap)
        return true;
    struct gs_message *messages = gs_arena_array(&t->arena, cap, sizeof(*messages));
    if (!messages)
        return false;
    if (t->len > 0)
        memcpy(messages, t->messages, t->len * sizeof(*messages));
    t->messages = messages;
    t->cap = cap;
    return true;
}

enum gs_status gs_cli_talk_add(struct gs_cli_talk *t, enum gs_role role, struct gs_slice text,
                               struct gs_slice reasoning, struct gs_error *err)
{
    struct gs_block *blocks = gs_arena_array(&t->arena, 2, sizeof(*blocks));
    size_t n = 0;

    if (!blocks || !grow(t))
        return gs_error_nomem(err, "hold the conversation");
    if (reasoning.len > 0) {
        blocks[n].kind = GS_BLOCK_REASONING;
        if (!gs_arena_dup(&t->arena, reasoning, &blocks[n].text))
            return gs_error_nomem(err, "hold the conversation");
        n++;
    }
    blocks[n].kind = GS_BLOCK_TEXT;
    if (!gs_arena_dup(&t->arena, text, &blocks[n].text))
        return gs_error_nomem(err, "hold the conversation");
    t->messages[t->len++] = (struct gs_message){role, blocks, n + 1};
    return GS_OK;
}

void gs_cli_talk_undo(struct gs_cli_talk *t)
{
    t->len--;
}

static void set_sampling(struct gs_sampling *s, const struct gs_config *c)
{
    gs_sampling_init(s);
    s->temperature = (float)c->temperature;
    s->top_k = (int32_t)c->top_k;
    s->top_p = (float)c->top_p;
    s->min_p = (float)c->min_p;
    s->typical_p = (float)c->typical_p;
    s->repeat_penalty = (float)c->repeat_penalty;
    s->frequency_penalty = (float)c->frequency_penalty;
    s->presence_penalty = (float)c->presence_penalty;
    s->repeat_last_n = (int32_t)c->repeat_last_n;
    s->has_seed = GS_CONFIG_IS_SET(c, seed);
    s->seed = (uint64_t)c->seed;
    s->open = (GS_CONFIG_IS_SET(c, temperature) ? 0 : GS_SAMPLING_TEMPERATURE) |
              (GS_CONFIG_IS_SET(c, top_k) ? 0 : GS_SAMPLING_TOP_K) |
              (GS_CONFIG_IS_SET(c, top_p) ? 0 : GS_SAMPLING_TOP_P) |
              (GS_CONFIG_IS_SET(c, min_p) ? 0 : GS_SAMPLING_MIN_P) |
              (GS_CONFIG_IS_SET(c, repeat_penalty) ? 0 : GS_SAMPLING_REPEAT_PENALTY) |
              (GS_CONFIG_IS_SET(c, repeat_last_n) ? 0 : GS_SAMPLING_REPEAT_LAST_N);
}

/* The turns, after the system prompt if there is one. */
static bool set_messages(struct gs_cli_talk *t, const char *system, struct gs_chat *chat)
{
    const size_t has_system = system && system[0];
    struct gs_message *messages = gs_arena_array(&t->arena, t->len + 1, sizeof(*messages));
    struct gs_block *block = gs_arena_alloc(&t->arena, sizeof(*block));

    if (!messages || !block)
        return false;
    if (has_system) {
        block->kind = GS_BLOCK_TEXT;
        block->text = gs_slice_str(system);
        messages[0] = (struct gs_message){GS_ROLE_SYSTEM, block, 1};
    }
    if (t->len > 0)
        memcpy(messages + has_system, t->messages, t->len * sizeof(*messages));
    chat->messages = messages;
    chat->n_messages = t->len + has_system;
    return true;
}

static bool set_stops(struct gs_cli_talk *t, const struct gs_config_list *stop,
                      struct gs_chat *chat)
{
    struct gs_slice *stops = gs_arena_array(&t->arena, stop->len + 1, sizeof(*stops));

    if (!stops)
        return false;
    for (size_t i = 0; i < stop->len; i++)
        stops[i] = gs_slice_str(stop->items[i]);
    chat->stops = stops;
    chat->n_stops = stop->len;
    return true;
}

enum gs_status gs_cli_talk_chat(struct gs_cli_talk *t, const struct gs_config *c, bool is_raw,
                                struct gs_chat *out_chat, struct gs_error *err)
{
    struct gs_chat chat = {.max_tokens = c->max_tokens, .stream = true, .is_raw = is_raw};

    if (GS_CONFIG_IS_SET(c, think))
        chat.thinking = c->think ? GS_THINKING_ON : GS_THINKING_OFF;
    set_sampling(&chat.sampling, c);
    if (!set_messages(t, c->system, &chat) || !set_stops(t, &c->stop, &chat))
        return gs_error_nomem(err, "hold the conversation");
    if (is_raw && t->len > 0)
        chat.raw_prompt = t->messages[t->len - 1].blocks[0].text;
    *out_chat = chat;
    return GS_OK;
}
