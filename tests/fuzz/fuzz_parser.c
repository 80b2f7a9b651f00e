/* Model text of any family, fed whole and a byte at a time: the blocks are the same, they open and
 * close in turn, the arguments of calls begin like JSON objects, and where each byte is a token,
 * text comes with its own. The first byte chooses the family, the second what the prompt left
 * open. */
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/slice.h"
#include "chat/parser.h"

#define FEW 64 /* tokens that a parser can hold back */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct gs_tool tool = {
    .name = GS_SLICE_LIT("f"),
    .parameters = GS_SLICE_LIT("{\"properties\":{\"s\":{\"type\":\"string\"}}}")};

struct record {
    struct gs_buf b;
    struct gs_buf args; /* of the open call */
    bool open;
    enum gs_block_kind kind;
    bool has_tokens; /* and few */
};

/* The tokens of a piece of text are that piece. */
static void check_tokens(const struct gs_event *ev)
{
    if (ev->n_logprob != ev->text.len)
        __builtin_trap();
    for (size_t i = 0; i < ev->n_logprob; i++)
        if (ev->logprob[i].text.ptr[0] != ev->text.ptr[i])
            __builtin_trap();
}

static enum gs_flow on_event(void *ud, const struct gs_event *ev)
{
    struct record *r = ud;

    if (r->open == (ev->kind == GS_EVENT_BEGIN))
        __builtin_trap();
    if (ev->kind == GS_EVENT_BEGIN) {
        r->open = true;
        r->kind = ev->block;
        gs_buf_reset(&r->args);
        gs_buf_putc(&r->b, "TRC"[ev->block]);
        gs_buf_slice(&r->b, ev->name);
    }
    if (ev->kind == GS_EVENT_DELTA) {
        if (r->has_tokens && ev->block != GS_BLOCK_TOOL_CALL)
            check_tokens(ev);
        gs_buf_slice(&r->b, ev->text);
        gs_buf_slice(&r->args, ev->text);
    }
    if (ev->kind == GS_EVENT_END) {
        r->open = false;
        gs_buf_putc(&r->b, '\1');
        if (r->kind == GS_BLOCK_TOOL_CALL && (r->args.len == 0 || r->args.ptr[0] != '{'))
            __builtin_trap();
    }
    return GS_FLOW_CONTINUE;
}

static void parse(const struct gs_parser_options *opt, struct gs_slice text, size_t piece,
                  struct record *r)
{
    struct gs_parser *p;

    *r = (struct record){.has_tokens = piece == 1 && text.len <= FEW};
    gs_buf_init(&r->b, GS_MAX_TEXT_BYTES);
    gs_buf_init(&r->args, GS_MAX_TEXT_BYTES);
    if (gs_parser_create(opt, on_event, r, &p, NULL) != GS_OK)
        __builtin_trap();
    for (size_t at = 0; at < text.len; at += piece) {
        const struct gs_logprob lp = {.text = gs_slice_sub(text, at, at + piece)};
        gs_parser_feed(p, lp.text, &lp, 1);
    }
    gs_parser_finish(p);
    if (r->open || gs_parser_failed(p))
        __builtin_trap();
    gs_parser_free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > 1 << 16)
        return 0;
    const bool thinks = data[1] & 1;
    const struct gs_prompt_traits traits = {
        .syntax = (enum gs_chat_syntax)(data[0] % (GS_SYNTAX_HARMONY + 1)),
        .reasoning = thinks,
        .think_begin = thinks ? "<think>" : "",
        .think_end = thinks ? "</think>" : ""};
    const struct gs_parser_options opt = {.traits = &traits,
                                          .opens_reasoning = thinks && (data[1] & 2),
                                          .tools = !(data[1] & 4),
                                          .one_call = data[1] & 8,
                                          .tool = &tool,
                                          .n_tools = 1};
    const struct gs_slice text = gs_slice((const char *)data + 2, size - 2);
    struct record whole;
    struct record bytes;

    parse(&opt, text, GS_MAX(text.len, (size_t)1), &whole);
    parse(&opt, text, 1, &bytes);
    if (!gs_slice_eq(gs_buf_view(&whole.b), gs_buf_view(&bytes.b)))
        __builtin_trap();
    gs_buf_clear(&whole.b);
    gs_buf_clear(&whole.args);
    gs_buf_clear(&bytes.b);
    gs_buf_clear(&bytes.args);
    return 0;
}
