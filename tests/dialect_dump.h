/* A chat as text, one thing a line, for comparing what readers make of requests. */
#ifndef GS_TESTS_DIALECT_DUMP_H
#define GS_TESTS_DIALECT_DUMP_H

#include "base/buf.h"
#include "genset/chat.h"
#include "json/json.h"

static void dump_slice(struct gs_buf *b, const char *name, struct gs_slice s)
{
    if (!s.ptr || !s.len)
        return;
    gs_buf_printf(b, " %s=", name);
    gs_json_write_string(b, s);
}

static void dump_block(struct gs_buf *b, const struct gs_block *block)
{
    static const char *const kinds[] = {"text", "reasoning", "tool-call", "tool-result", "image"};

    gs_buf_printf(b, "  %s", kinds[block->kind]);
    dump_slice(b, "id", block->id);
    dump_slice(b, "name", block->name);
    dump_slice(b, "args", block->args);
    dump_slice(b, "text", block->text);
    dump_slice(b, "signature", block->signature);
    dump_slice(b, "cache", block->cache);
    gs_buf_puts(b, block->is_error ? " is_error\n" : "\n");
}

/* Take the marks of what is to be cached away. */
static inline void drop_marks(struct gs_chat *c)
{
    for (size_t i = 0; i < c->n_tools; i++)
        ((struct gs_tool *)&c->tools[i])->cache.len = 0;
    for (size_t m = 0; m < c->n_messages; m++)
        for (size_t i = 0; i < c->messages[m].n_blocks; i++)
            ((struct gs_block *)&c->messages[m].blocks[i])->cache.len = 0;
}

static void dump_number(struct gs_buf *b, const char *name, double value, double off)
{
    if (value < off || value > off)
        gs_buf_printf(b, "%s %.6g\n", name, value);
}

static void dump_sampling(struct gs_buf *b, const struct gs_sampling *s)
{
    dump_number(b, "temperature", (double)s->temperature, 1);
    dump_number(b, "top_k", s->top_k, 0);
    dump_number(b, "top_p", (double)s->top_p, 1);
    dump_number(b, "min_p", (double)s->min_p, 0);
    dump_number(b, "typical_p", (double)s->typical_p, 1);
    dump_number(b, "repeat_penalty", (double)s->repeat_penalty, 1);
    dump_number(b, "frequency_penalty", (double)s->frequency_penalty, 0);
    dump_number(b, "presence_penalty", (double)s->presence_penalty, 0);
    dump_number(b, "repeat_last_n", s->repeat_last_n, 64);
    if (s->has_seed)
        gs_buf_printf(b, "seed %llu\n", (unsigned long long)s->seed);
    for (size_t i = 0; i < s->n_logit_bias; i++)
        gs_buf_printf(b, "logit_bias %d %.6g\n", (int)s->logit_bias[i].token,
                      (double)s->logit_bias[i].bias);
}

static void dump_chat(struct gs_buf *b, const struct gs_chat *c)
{
    static const char *const roles[] = {"system", "user", "assistant", "tool"};
    static const char *const choices[] = {"auto", "none", "any", "named"};
    static const char *const formats[] = {"text", "json", "schema", "gbnf", "regex"};
    static const char *const thinking[] = {"default", "on", "off"};

    for (size_t i = 0; i < c->n_messages; i++) {
        gs_buf_printf(b, "%s\n", roles[c->messages[i].role]);
        for (size_t k = 0; k < c->messages[i].n_blocks; k++)
            dump_block(b, &c->messages[i].blocks[k]);
    }
    for (size_t i = 0; i < c->n_tools; i++) {
        gs_buf_puts(b, "tool");
        dump_slice(b, "name", c->tools[i].name);
        dump_slice(b, "description", c->tools[i].description);
        dump_slice(b, "parameters", c->tools[i].parameters);
        dump_slice(b, "cache", c->tools[i].cache);
        gs_buf_putc(b, '\n');
    }
    if (c->one_tool_call)
        gs_buf_puts(b, "one_tool_call\n");
    for (size_t i = 0; i < c->n_allowed_tools; i++) {
        gs_buf_puts(b, "allowed");
        dump_slice(b, "tool", c->allowed_tools[i]);
        gs_buf_putc(b, '\n');
    }
    if (c->tool_choice != GS_TOOL_CHOICE_AUTO) {
        gs_buf_printf(b, "tool_choice %s", choices[c->tool_choice]);
        dump_slice(b, "name", c->tool_choice_name);
        gs_buf_putc(b, '\n');
    }
    if (c->format.kind != GS_FORMAT_TEXT) {
        gs_buf_printf(b, "format %s", formats[c->format.kind]);
        dump_slice(b, "spec", c->format.spec);
        gs_buf_putc(b, '\n');
    }
    dump_sampling(b, &c->sampling);
    dump_number(b, "max_tokens", (double)c->max_tokens, 0);
    for (size_t i = 0; i < c->n_stops; i++) {
        gs_buf_puts(b, "stop");
        dump_slice(b, "text", c->stops[i]);
        gs_buf_putc(b, '\n');
    }
    gs_buf_printf(b, "thinking %s", thinking[c->thinking]);
    if (c->max_reasoning_tokens)
        gs_buf_printf(b, " max_tokens=%lld", (long long)c->max_reasoning_tokens);
    dump_slice(b, "effort", c->effort);
    gs_buf_putc(b, '\n');
    if (c->logprobs)
        gs_buf_printf(b, "logprobs %d\n", (int)c->n_top_logprobs);
    if (c->is_raw) {
        gs_buf_puts(b, "raw");
        dump_slice(b, "prompt", c->raw_prompt);
        gs_buf_putc(b, '\n');
    }
    if (c->has_suffix) {
        gs_buf_puts(b, "suffix");
        dump_slice(b, "text", c->raw_suffix);
        gs_buf_putc(b, '\n');
    }
    if (c->n_answers > 1)
        gs_buf_printf(b, "answers %d\n", (int)c->n_answers);
    for (size_t i = 0; i < c->n_before; i++) {
        gs_buf_puts(b, "before");
        dump_slice(b, "text", c->before[i].text);
        for (size_t t = 0; t < c->before[i].n_tokens; t++)
            gs_buf_printf(b, " %d", (int)c->before[i].tokens[t]);
        gs_buf_putc(b, '\n');
    }
    if (c->wants_tokens)
        gs_buf_puts(b, "wants_tokens\n");
    if (c->keep.is_set)
        gs_buf_printf(b, "keep %lld ms\n", (long long)c->keep.ms);
    if (c->continue_last)
        gs_buf_puts(b, "continue_last\n");
}

#endif
