/* OpenAI Completions, requests: POST /v1/completions
 * (https://platform.openai.com/docs/api-reference/completions/create). Each prompt is a raw chat of
 * its own; they are answered side by side. */
#include "base/error.h"
#include "base/limits.h"
#include "base/slice.h"
#include "dialect/openai_completions.h"
#include "dialect/texts.h"

#define DEFAULT_MAX_TOKENS 16 /* of the API */
#define MAX_LOGPROBS       20

/* What all prompts share. */
static void read_settings(struct gs_dialect_reader *r, const struct gs_json *body,
                          struct gs_chat *chat)
{
    int64_t n = 1;
    int64_t n_top = 0;

    gs_dialect_openai_read_sampling(r, body, &chat->sampling);
    gs_dialect_openai_read_format(r, body, chat);
    chat->max_tokens = DEFAULT_MAX_TOKENS;
    gs_dialect_openai_read_limit(r, body, "max_tokens", &chat->max_tokens);
    gs_dialect_read_stops(r, body, "stop", chat);
    chat->logprobs = gs_dialect_has(body, "logprobs");
    gs_dialect_get_int(r, body, "logprobs", 0, MAX_LOGPROBS, &n_top);
    chat->n_top_logprobs = (int32_t)n_top;
    gs_dialect_get_int(r, body, "n", 1, GS_MAX_ANSWERS, &n);
    chat->n_answers = (int32_t)n;
    gs_dialect_get_string(r, body, "suffix", &chat->raw_suffix);
    chat->has_suffix = chat->raw_suffix.len > 0;
    /* Answers are not ranked, so there are as many as are wanted. */
    gs_dialect_get_int(r, body, "best_of", n, n, &n);
}

/* A chat for each prompt, with the settings of `chat`. */
static struct gs_chat *list_chats(struct gs_dialect_reader *r, const struct gs_chat *chat,
                                  const struct gs_texts *prompts)
{
    const size_t n = prompts->n_inputs;
    struct gs_chat *chats = gs_arena_array(r->a, n, sizeof(*chats));

    if (!chats) {
        gs_dialect_reader_nomem(r);
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        const struct gs_embed_input *prompt = &prompts->inputs[i];
        chats[i] = *chat;
        chats[i].is_raw = true;
        chats[i].raw_prompt = prompt->text;
        chats[i].before = prompt->tokens ? prompt : NULL;
        chats[i].n_before = prompt->tokens != NULL;
        chats[i].next = i + 1 < n ? &chats[i + 1] : NULL;
    }
    return chats;
}

/* Whether every prompt is text, which some settings need. */
static void need_text(struct gs_dialect_reader *r, const struct gs_texts *prompts, const char *key)
{
    for (size_t i = 0; i < prompts->n_inputs; i++)
        if (prompts->inputs[i].tokens)
            gs_dialect_reader_fail(r, "%s: the prompt must be text for it, not tokens", key);
}

/* Answers begin with their prompts. */
static void read_echo(struct gs_dialect_reader *r, const struct gs_json *body,
                      const struct gs_chat *chat, const struct gs_texts *prompts,
                      struct gs_dialect_openai_completion *q)
{
    struct gs_slice *texts = gs_arena_array(r->a, prompts->n_inputs, sizeof(*texts));
    bool echo = false;

    gs_dialect_get_bool(r, body, "echo", &echo);
    if (!echo)
        return;
    need_text(r, prompts, "echo");
    if (chat->logprobs)
        gs_dialect_reader_fail(r, "echo: log-probabilities are those of the answer, there are "
                                  "none of the prompt");
    if (!texts) {
        gs_dialect_reader_nomem(r);
        return;
    }
    for (size_t i = 0; i < prompts->n_inputs; i++)
        texts[i] = prompts->inputs[i].text;
    q->echo = texts;
}

static void read_prompts(struct gs_dialect_reader *r, const struct gs_json *body,
                         const struct gs_chat *chat, struct gs_texts *prompts)
{
    gs_dialect_read_inputs(r, body, "prompt", prompts);
    if (prompts->n_inputs == 0)
        gs_dialect_reader_fail(r, "prompt: there is none");
    if (prompts->n_inputs * (size_t)chat->n_answers > GS_MAX_ANSWERS)
        gs_dialect_reader_fail(r, "prompt: %zu with %d answers each are more than %d answers",
                               prompts->n_inputs, (int)chat->n_answers, GS_MAX_ANSWERS);
    if (chat->has_suffix)
        need_text(r, prompts, "suffix");
}

enum gs_status gs_dialect_openai_completions_read(struct gs_chat *out_chat,
                                                  struct gs_dialect_context *out_ctx,
                                                  struct gs_slice text, const char *path,
                                                  struct gs_arena *a, struct gs_error *err)
{
    struct gs_dialect_reader r = {.a = a, .err = err};
    struct gs_dialect_openai_completion *q = gs_arena_alloc(a, sizeof(*q));
    struct gs_dialect_context ctx = {.own = q};
    struct gs_texts prompts = {.n_inputs = 0};
    struct gs_chat chat = {.n_answers = 1};
    struct gs_json body;

    (void)path;
    if (!q)
        return gs_error_nomem(err, "read the request");
    const enum gs_status st = gs_dialect_parse(text, a, &body, err);
    if (st != GS_OK)
        return st;
    gs_dialect_get_string(&r, &body, "model", &chat.model);
    if (!chat.model.len)
        gs_dialect_reader_fail(&r, "model: a model must be named");
    read_settings(&r, &body, &chat);
    read_prompts(&r, &body, &chat, &prompts);
    gs_dialect_openai_read_stream(&r, &body, &ctx, &q->common);
    read_echo(&r, &body, &chat, &prompts, q);
    chat.stream = ctx.stream;
    const struct gs_chat *chats = r.status == GS_OK ? list_chats(&r, &chat, &prompts) : NULL;
    if (!chats)
        return r.status;
    ctx.model = chat.model;
    q->n_each = (uint32_t)chat.n_answers;
    *out_chat = chats[0];
    *out_ctx = ctx;
    return GS_OK;
}
