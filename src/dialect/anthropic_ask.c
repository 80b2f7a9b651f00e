/* Anthropic Messages, asking (https://docs.anthropic.com/en/api/messages). What Claude models take
 * depends on their generation, which their names tell (2026-11): thinking with a budget until 4.6,
 * "adaptive" from then on; sampling settings until 4.6; system messages among the others from 4.8
 * on; no open assistant turn from 4.6 on. Models of other names get what Claude Code sends to any.
 *
 * Messages of tools and what the user says after them become one message, for results must come
 * first in the one that follows the calls. Texts of white space alone are refused there, and so not
 * sent. */
#include "dialect/client.h"

#include <ctype.h>
#include <string.h>

#include "base/error.h"
#include "base/slice.h"
#include "dialect/anthropic.h"
#include "dialect/asker.h"
#include "dialect/writer.h"
#include "json/json.h"

#define ADAPTIVE     406 /* generations, as generation_of() counts */
#define NO_SAMPLING  407
#define SYSTEM_TURNS 408
#define NO_PREFILL   406

#define NOBODY GS_ROLE_TOOL /* has no messages of its own here */

#define MAX_TOKENS 4096 /* where nobody says */
#define MIN_BUDGET 1024 /* of thinking, as the API wants it */
#define MAX_MARKS  4    /* that the API takes */

struct asker {
    const struct gs_chat *chat;
    const struct gs_dialect_to *to;
    struct gs_buf *b;
    int generation;
    enum gs_role open;           /* whose message is being written, or NOBODY */
    enum gs_role last;           /* whose was begun last */
    bool is_fresh;               /* the next block begins a message */
    bool has_any;                /* message */
    const char *lacks;           /* what the API cannot say */
    unsigned n_calls, n_results; /* that have no id */
    bool is_marked;              /* the client says what is to be kept */
    unsigned n_marks;            /* of its, written */
    bool is_answered;            /* what the user said last */
    size_t ends[2];              /* of what the user said last, and before an answer; 0: nothing */
    size_t end;                  /* of the block written last, before its bracket */
};

/* ---- models ---- */

/* A number of one or two digits that stands alone; -1 if there is none at `at`. */
static int small_number(struct gs_slice s, size_t at)
{
    size_t n = 0;
    int value = 0;

    for (; at + n < s.len && n < 3 && isdigit((unsigned char)s.ptr[at + n]); n++)
        value = value * 10 + (s.ptr[at + n] - '0');
    if (n == 0 || n > 2 || (at + n < s.len && isalpha((unsigned char)s.ptr[at + n])))
        return -1;
    return value;
}

/* 405 of "claude-sonnet-4-5-20250929", 500 of "anthropic/claude-opus-5"; 0 of other names. */
static int generation_of(struct gs_slice model)
{
    const size_t start = gs_slice_find(model, GS_SLICE_LIT("claude-"), 0);

    for (size_t i = start; i < model.len; i++) {
        if (model.ptr[i] != '-')
            continue;
        const int major = small_number(model, i + 1);
        if (major < 0)
            continue;
        const size_t next = i + (major > 9 ? 3 : 2);
        const bool goes_on = next < model.len && (model.ptr[next] == '-' || model.ptr[next] == '.');
        const int minor = goes_on ? small_number(model, next + 1) : -1;
        return major * 100 + (minor > 0 ? minor : 0);
    }
    return 0;
}

bool gs_dialect_anthropic_takes_open_turn(struct gs_slice model)
{
    return generation_of(model) < NO_PREFILL;
}

/* ---- what is kept for the next request ---- */

#define MARK GS_SLICE_LIT(",\"cache_control\":{\"type\":\"ephemeral\"}")

static bool has_marks(const struct gs_chat *chat)
{
    for (size_t i = 0; i < chat->n_tools; i++)
        if (chat->tools[i].cache.len > 0)
            return true;
    for (size_t m = 0; m < chat->n_messages; m++)
        for (size_t i = 0; i < chat->messages[m].n_blocks; i++)
            if (chat->messages[m].blocks[i].cache.len > 0)
                return true;
    return false;
}

/* A block ends, marked as its client marked it. */
static void end_block(struct asker *s, struct gs_slice mark)
{
    if (mark.len > 0 && s->n_marks < MAX_MARKS) {
        gs_buf_puts(s->b, ",\"cache_control\":");
        gs_buf_slice(s->b, mark);
        s->n_marks++;
    }
    s->end = s->b->len;
    gs_buf_putc(s->b, '}');
}

/* Where the client marks nothing, its tools and system messages are marked, and the user's last
 * words with those before, which the request before this one ended with. */
static void mark_end(struct asker *s, size_t end)
{
    char *room = s->is_marked || end == 0 ? NULL : gs_buf_reserve(s->b, MARK.len);

    if (!room)
        return;
    memmove(s->b->ptr + end + MARK.len, s->b->ptr + end, s->b->len - end);
    memcpy(s->b->ptr + end, MARK.ptr, MARK.len);
    gs_buf_grow(s->b, MARK.len);
}

/* ---- what cannot be said ---- */

static const char *lacks_of_turn(const struct asker *s)
{
    const struct gs_chat *chat = s->chat;

    if (!chat->continue_last || chat->n_messages == 0)
        return NULL;
    const struct gs_message *last = &chat->messages[chat->n_messages - 1];
    if (last->n_blocks > 0 && last->blocks[last->n_blocks - 1].kind == GS_BLOCK_REASONING)
        return "place for reasoning that broke off";
    if (last->n_blocks > 0 && last->blocks[last->n_blocks - 1].kind == GS_BLOCK_TOOL_CALL)
        return "place for a tool call that broke off";
    return s->generation >= NO_PREFILL ? "open assistant turn with this model" : NULL;
}

static const char *lacks_of(const struct asker *s)
{
    const struct gs_chat *chat = s->chat;

    if (chat->is_raw || chat->has_suffix)
        return "prompt without a template";
    if (chat->n_before > 0)
        return "prompt of tokens";
    if (chat->n_answers > 1 || chat->next)
        return "several answers";
    if (chat->logprobs)
        return "log-probabilities";
    if (chat->sampling.n_logit_bias > 0)
        return "bias of tokens";
    switch (chat->format.kind) {
    case GS_FORMAT_TEXT:
    case GS_FORMAT_SCHEMA:
        break;
    case GS_FORMAT_JSON:
        return "JSON without a schema";
    case GS_FORMAT_GBNF:
        return "grammar";
    case GS_FORMAT_REGEX:
        return "regular expression";
    }
    for (size_t i = 0; i < chat->n_stops; i++)
        if (gs_slice_trim(chat->stops[i]).len == 0)
            return "stop sequence of white space";
    return lacks_of_turn(s);
}

/* ---- blocks ---- */

static void close_message(struct asker *s)
{
    if (s->open == GS_ROLE_USER) {
        s->ends[0] = s->is_answered ? s->ends[1] : s->ends[0];
        s->ends[1] = s->end;
    }
    s->is_answered = s->open == GS_ROLE_ASSISTANT;
    if (s->open != NOBODY)
        gs_buf_puts(s->b, "]}");
    s->open = NOBODY;
}

/* A message is begun by its first block: without one there is none. */
static void begin_block(struct asker *s, enum gs_role role)
{
    static const char *const names[] = {
        [GS_ROLE_SYSTEM] = "system", [GS_ROLE_USER] = "user", [GS_ROLE_ASSISTANT] = "assistant"};

    if (s->open == role && !s->is_fresh) {
        gs_buf_putc(s->b, ',');
        return;
    }
    close_message(s);
    gs_buf_printf(s->b, "%s{\"role\":\"%s\",\"content\":[", s->has_any ? "," : "", names[role]);
    s->open = role;
    s->last = role;
    s->is_fresh = false;
    s->has_any = true;
}

static void write_text(struct asker *s, struct gs_slice text, struct gs_slice mark)
{
    gs_buf_puts(s->b, "{\"type\":\"text\",");
    gs_dialect_write_member(s->b, "text", text);
    end_block(s, mark);
}

static void write_image(struct asker *s, const struct gs_block *image)
{
    struct gs_buf *b = s->b;
    const struct gs_slice type = image->name.len ? image->name : gs_dialect_image_type(image->text);

    if (type.len) {
        gs_buf_puts(b, "{\"type\":\"image\",\"source\":{\"type\":\"base64\",");
        gs_dialect_write_member(b, "media_type", type);
        gs_buf_putc(b, ',');
        gs_dialect_write_member(b, "data", image->text);
    } else {
        gs_buf_puts(b, "{\"type\":\"image\",\"source\":{\"type\":\"url\",");
        gs_dialect_write_member(b, "url", image->text);
        if (!gs_slice_starts(image->text, GS_SLICE_LIT("http")))
            s->lacks = "image of a kind that is not told";
    }
    gs_buf_putc(b, '}');
    end_block(s, image->cache);
}

/* Ids may hold letters, digits, '_' and '-'; a call without one is told from others by its
 * place. */
static void write_id(struct asker *s, const char *key, struct gs_slice id, unsigned *n)
{
    gs_buf_printf(s->b, "\"%s\":\"", key);
    if (id.len == 0)
        gs_buf_printf(s->b, "toolu_%u", (*n)++);
    for (size_t i = 0; i < id.len; i++) {
        const char c = id.ptr[i];
        gs_buf_putc(s->b, isalnum((unsigned char)c) || c == '-' ? c : '_');
    }
    gs_buf_putc(s->b, '"');
}

static void write_call(struct asker *s, const struct gs_block *call)
{
    gs_buf_puts(s->b, "{\"type\":\"tool_use\",");
    write_id(s, "id", call->id, &s->n_calls);
    gs_buf_putc(s->b, ',');
    gs_dialect_write_member(s->b, "name", call->name);
    gs_buf_puts(s->b, ",\"input\":");
    gs_dialect_write_object(s->b, call->args);
    end_block(s, call->cache);
}

/* A result, and the images that follow it: they are part of it. Returns how many. */
static size_t write_result(struct asker *s, const struct gs_block *result, size_t n_after)
{
    size_t n = 0;

    gs_buf_puts(s->b, "{\"type\":\"tool_result\",");
    write_id(s, "tool_use_id", result->id, &s->n_results);
    gs_buf_puts(s->b, result->is_error ? ",\"is_error\":true,\"content\":" : ",\"content\":");
    if (n_after == 0 || result[1].kind != GS_BLOCK_IMAGE) {
        gs_json_write_string(s->b, result->text);
    } else {
        gs_buf_putc(s->b, '[');
        if (gs_slice_trim(result->text).len)
            write_text(s, result->text, gs_slice(NULL, 0));
        for (; n < n_after && result[n + 1].kind == GS_BLOCK_IMAGE; n++) {
            if (n > 0 || gs_slice_trim(result->text).len)
                gs_buf_putc(s->b, ',');
            write_image(s, &result[n + 1]);
        }
        gs_buf_putc(s->b, ']');
    }
    end_block(s, result->cache);
    return n;
}

/* Returns how many blocks after it were written too. */
static size_t write_block(struct asker *s, enum gs_role role, const struct gs_block *block,
                          size_t n_after)
{
    struct gs_slice signature;

    switch (block->kind) {
    case GS_BLOCK_TEXT:
        if (gs_slice_trim(block->text).len == 0)
            break;
        begin_block(s, role);
        write_text(s, block->text, block->cache);
        break;
    case GS_BLOCK_REASONING: /* only who signed it takes it back */
        if (role != GS_ROLE_ASSISTANT || !gs_dialect_is_theirs(s->to, block, &signature))
            break;
        begin_block(s, role);
        gs_dialect_anthropic_thinking(s->b, block->text, signature);
        break;
    case GS_BLOCK_TOOL_CALL:
        begin_block(s, role);
        write_call(s, block);
        break;
    case GS_BLOCK_TOOL_RESULT:
        begin_block(s, role);
        return write_result(s, block, n_after);
    case GS_BLOCK_IMAGE:
        if (role != GS_ROLE_USER)
            s->lacks = "image from anybody but the user";
        begin_block(s, role);
        write_image(s, block);
        break;
    }
    return 0;
}

/* ---- messages ---- */

static void write_message(struct asker *s, const struct gs_message *m, bool is_open)
{
    const enum gs_role role = m->role == GS_ROLE_TOOL ? GS_ROLE_USER : m->role;

    for (size_t i = 0; i < m->n_blocks; i++) {
        struct gs_block block = m->blocks[i];
        if (!is_open || i + 1 < m->n_blocks) {
            i += write_block(s, role, &m->blocks[i], m->n_blocks - i - 1);
            continue;
        }
        while (block.text.len > 0 && isspace((unsigned char)block.text.ptr[block.text.len - 1]))
            block.text.len--; /* the API refuses white space where it is to go on */
        write_block(s, role, &block, 0);
    }
}

/* System messages among the others, n in a row. A turn of theirs stands between what the user said
 * and an answer; elsewhere the user says it, as Claude Code has it. */
static void write_system_turn(struct asker *s, size_t at, size_t n)
{
    const struct gs_chat *chat = s->chat;
    const bool ends = at + n == chat->n_messages;
    const bool is_turn = (s->generation == 0 || s->generation >= SYSTEM_TURNS) && s->has_any &&
                         s->last == GS_ROLE_USER &&
                         (ends || chat->messages[at + n].role == GS_ROLE_ASSISTANT);

    for (size_t m = at; m < at + n; m++) {
        for (size_t i = 0; i < chat->messages[m].n_blocks; i++) {
            const struct gs_slice text = chat->messages[m].blocks[i].text;
            if (chat->messages[m].blocks[i].kind != GS_BLOCK_TEXT || gs_slice_trim(text).len == 0)
                continue;
            begin_block(s, is_turn ? GS_ROLE_SYSTEM : GS_ROLE_USER);
            if (is_turn) {
                write_text(s, text, chat->messages[m].blocks[i].cache);
                continue;
            }
            struct gs_buf words;
            gs_buf_init(&words, text.len + 64);
            gs_buf_puts(&words, "<system-reminder>\n");
            gs_buf_slice(&words, text);
            gs_buf_puts(&words, "\n</system-reminder>");
            gs_dialect_writer_check(&words, s->b);
            write_text(s, gs_buf_view(&words), chat->messages[m].blocks[i].cache);
            gs_buf_clear(&words);
        }
    }
}

/* System messages from `at` on, in a row. */
static size_t count_system(const struct gs_chat *chat, size_t at)
{
    size_t n = 0;

    while (at + n < chat->n_messages && chat->messages[at + n].role == GS_ROLE_SYSTEM)
        n++;
    return n;
}

/* The first n messages. */
static void write_system(struct asker *s, size_t n)
{
    const char *comma = ",\"system\":[";

    for (size_t m = 0; m < n; m++) {
        for (size_t i = 0; i < s->chat->messages[m].n_blocks; i++) {
            const struct gs_block *block = &s->chat->messages[m].blocks[i];
            if (block->kind != GS_BLOCK_TEXT || gs_slice_trim(block->text).len == 0)
                continue;
            gs_buf_puts(s->b, comma);
            write_text(s, block->text, block->cache);
            comma = ",";
        }
    }
    if (comma[1] != '\0')
        return;
    mark_end(s, s->end);
    gs_buf_putc(s->b, ']');
}

static void write_messages(struct asker *s)
{
    const struct gs_chat *chat = s->chat;
    const size_t n_system = count_system(chat, 0);
    enum gs_role before = GS_ROLE_SYSTEM;

    write_system(s, n_system);
    gs_buf_puts(s->b, ",\"messages\":[");
    for (size_t i = n_system; i < chat->n_messages;) {
        const enum gs_role role = chat->messages[i].role;
        const size_t n = role == GS_ROLE_SYSTEM ? count_system(chat, i) : 1;
        s->is_fresh = !(before == GS_ROLE_TOOL && (role == GS_ROLE_TOOL || role == GS_ROLE_USER));
        if (role == GS_ROLE_SYSTEM)
            write_system_turn(s, i, n);
        else
            write_message(s, &chat->messages[i], chat->continue_last && i + 1 == chat->n_messages);
        before = role;
        i += n;
    }
    close_message(s);
    gs_buf_putc(s->b, ']');
    if (chat->n_tools > 0 || s->ends[0] > 0) { /* what is asked once is not worth its price */
        mark_end(s, s->ends[1]);
        mark_end(s, s->ends[0]);
    }
    if (!s->has_any)
        s->lacks = "conversation without messages";
}

/* ---- tools ---- */

static void write_tools(struct asker *s)
{
    static const char *const choices[] = {[GS_TOOL_CHOICE_AUTO] = "auto",
                                          [GS_TOOL_CHOICE_NONE] = "none",
                                          [GS_TOOL_CHOICE_ANY] = "any",
                                          [GS_TOOL_CHOICE_NAMED] = "tool"};
    const struct gs_chat *chat = s->chat;
    struct gs_buf *b = s->b;
    size_t n = 0;

    for (size_t i = 0; i < chat->n_tools; i++) {
        const struct gs_tool *tool = &chat->tools[i];
        if (!gs_dialect_is_allowed(chat, tool->name))
            continue;
        gs_buf_puts(b, n++ ? ",{" : ",\"tools\":[{");
        gs_dialect_write_member(b, "name", tool->name);
        if (tool->description.len) {
            gs_buf_putc(b, ',');
            gs_dialect_write_member(b, "description", tool->description);
        }
        gs_buf_puts(b, ",\"input_schema\":");
        if (tool->parameters.len)
            gs_dialect_write_object(b, tool->parameters);
        else
            gs_buf_puts(b, "{\"type\":\"object\",\"properties\":{}}");
        end_block(s, tool->cache);
    }
    if (n > 0) {
        mark_end(s, s->end);
        gs_buf_putc(b, ']');
    }
    if (n == 0 || (chat->tool_choice == GS_TOOL_CHOICE_AUTO && !chat->one_tool_call))
        return;
    gs_buf_printf(b, ",\"tool_choice\":{\"type\":\"%s\"", choices[chat->tool_choice]);
    if (chat->tool_choice == GS_TOOL_CHOICE_NAMED) {
        gs_buf_putc(b, ',');
        gs_dialect_write_member(b, "name", chat->tool_choice_name);
    }
    if (chat->one_tool_call && chat->tool_choice != GS_TOOL_CHOICE_NONE)
        gs_buf_puts(b, ",\"disable_parallel_tool_use\":true");
    gs_buf_putc(b, '}');
}

/* ---- thinking ---- */

/* Whether calls of the last answer have just been answered and that answer has no thinking to hand
 * back: then a model that thinks by budget must not start to. */
static bool is_in_calls(const struct asker *s)
{
    const struct gs_chat *chat = s->chat;
    struct gs_slice signature;
    bool has_result = false;

    for (size_t m = chat->n_messages; m-- > 0;) {
        const struct gs_message *msg = &chat->messages[m];
        if (msg->role == GS_ROLE_ASSISTANT)
            return has_result &&
                   !(msg->n_blocks > 0 && gs_dialect_is_theirs(s->to, &msg->blocks[0], &signature));
        has_result |= msg->role == GS_ROLE_TOOL;
    }
    return false;
}

static int64_t budget_of(const struct gs_chat *chat, int64_t max_tokens)
{
    static const struct {
        const char *effort;
        int64_t budget;
    } budgets[] = {{"low", 2048}, {"high", 16384}, {"xhigh", 32768}, {"max", 65536}};
    int64_t budget = 8192;

    if (chat->max_reasoning_tokens > 0)
        return GS_MIN(chat->max_reasoning_tokens, max_tokens - 1);
    for (size_t i = 0; i < GS_COUNT_OF(budgets); i++)
        if (gs_slice_eq_str(chat->effort, budgets[i].effort))
            budget = budgets[i].budget;
    return GS_MIN(budget, max_tokens / 2);
}

/* Whether thinking was asked for. */
static bool write_thinking(struct asker *s, int64_t max_tokens)
{
    const struct gs_chat *chat = s->chat;
    const bool is_old = s->generation > 0 && s->generation < ADAPTIVE;
    const bool by_budget =
        chat->thinking == GS_THINKING_ON &&
        (is_old || (chat->max_reasoning_tokens > 0 && s->generation < NO_SAMPLING));

    if (chat->thinking == GS_THINKING_OFF || chat->continue_last ||
        chat->tool_choice == GS_TOOL_CHOICE_ANY || chat->tool_choice == GS_TOOL_CHOICE_NAMED)
        return false;
    if (!by_budget) {
        if (!is_old)
            gs_buf_printf(s->b, ",\"thinking\":{\"type\":\"adaptive\"%s}",
                          s->generation >= NO_SAMPLING ? ",\"display\":\"summarized\"" : "");
        return !is_old;
    }
    const int64_t budget = budget_of(chat, max_tokens);
    if (budget < MIN_BUDGET || is_in_calls(s))
        return false;
    gs_buf_puts(s->b, ",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":");
    gs_buf_int(s->b, budget);
    gs_buf_putc(s->b, '}');
    return true;
}

static bool knows_effort(const struct asker *s)
{
    static const char *const efforts[] = {"low", "medium", "high", "xhigh", "max"};

    for (size_t i = 0; i < GS_COUNT_OF(efforts); i++)
        if (gs_slice_eq_str(s->chat->effort, efforts[i]))
            return s->generation == 0 || s->generation >= ADAPTIVE;
    return false;
}

static void write_output(struct asker *s)
{
    const struct gs_chat *chat = s->chat;
    const bool has_effort = knows_effort(s);
    const bool has_schema = chat->format.kind == GS_FORMAT_SCHEMA;

    if (!has_effort && !has_schema)
        return;
    gs_buf_puts(s->b, ",\"output_config\":{");
    if (has_effort)
        gs_dialect_write_member(s->b, "effort", chat->effort);
    if (has_schema) {
        gs_buf_puts(s->b, has_effort ? "," : "");
        gs_buf_puts(s->b, "\"format\":{\"type\":\"json_schema\",\"schema\":");
        gs_dialect_write_object(s->b, chat->format.spec);
        gs_buf_putc(s->b, '}');
    }
    gs_buf_putc(s->b, '}');
}

/* ---- settings ---- */

static bool differs(float a, float b)
{
    return a < b || a > b;
}

/* Thinking models sample as they were made to; of newer ones of Claude's only one of temperature
 * and top_p may be set. Settings the API does not have are left out: an answer that was sampled
 * otherwise is an answer. */
static void write_sampling(struct asker *s, bool is_thinking)
{
    const struct gs_sampling *sampling = &s->chat->sampling;
    const bool has_temperature = differs(sampling->temperature, 1);

    if (is_thinking || s->generation >= NO_SAMPLING)
        return;
    if (has_temperature) {
        gs_buf_puts(s->b, ",\"temperature\":");
        gs_dialect_write_setting(s->b, sampling->temperature > 1 ? 1 : sampling->temperature);
    }
    if (differs(sampling->top_p, 1) && !(has_temperature && s->generation > 0)) {
        gs_buf_puts(s->b, ",\"top_p\":");
        gs_dialect_write_setting(s->b, sampling->top_p);
    }
    if (sampling->top_k > 0)
        gs_buf_printf(s->b, ",\"top_k\":%d", (int)sampling->top_k);
}

static void write_stops(struct asker *s)
{
    for (size_t i = 0; i < s->chat->n_stops; i++) {
        gs_buf_puts(s->b, i ? "," : ",\"stop_sequences\":[");
        gs_json_write_string(s->b, s->chat->stops[i]);
    }
    if (s->chat->n_stops > 0)
        gs_buf_putc(s->b, ']');
}

enum gs_status gs_dialect_anthropic_ask(const struct gs_chat *chat, const struct gs_dialect_to *to,
                                        struct gs_buf *b, struct gs_error *err)
{
    struct asker s = {.chat = chat, .to = to, .b = b, .open = NOBODY, .last = NOBODY};
    const int64_t max_tokens = chat->max_tokens > 0         ? chat->max_tokens
                               : to->default_max_tokens > 0 ? to->default_max_tokens
                                                            : MAX_TOKENS;
    const size_t start = b->len;

    s.generation = generation_of(to->model);
    s.is_marked = has_marks(chat);
    s.lacks = lacks_of(&s);
    if (!s.lacks) {
        gs_buf_putc(b, '{');
        gs_dialect_write_member(b, "model", to->model);
        gs_buf_puts(b, ",\"max_tokens\":");
        gs_buf_int(b, max_tokens);
        write_messages(&s);
        write_tools(&s);
        const bool is_thinking = write_thinking(&s, max_tokens);
        write_output(&s);
        write_sampling(&s, is_thinking);
        write_stops(&s);
        gs_buf_puts(b, to->stream ? ",\"stream\":true}" : "}");
    }
    if (!gs_buf_ok(b))
        return gs_error_nomem(err, "write the request");
    if (!s.lacks)
        return GS_OK;
    b->len = start;
    return gs_error_set(err, GS_EUNSUPPORTED, "Anthropic's API has no %s", s.lacks);
}
