/* From a chat to the prompt: chat -> template variables -> text. */
#ifndef GS_CHAT_PROMPT_H
#define GS_CHAT_PROMPT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/compiler.h"
#include "genset/chat.h"

struct gs_template;
struct gs_prompter;

/* How a model family spells tool calls in its text (chat/tool_syntax.c reads them). */
enum gs_chat_syntax {
    GS_SYNTAX_HERMES,       /* <tool_call>{"name":..., "arguments":{...}}</tool_call> */
    GS_SYNTAX_QWEN_XML,     /* <tool_call><function=NAME><parameter=KEY>...</tool_call> */
    GS_SYNTAX_FUNCTION_TAG, /* <function=NAME>{...}</function> */
    GS_SYNTAX_LLAMA_JSON,   /* a message that is {"name":..., "parameters":{...}} */
    GS_SYNTAX_MISTRAL,      /* [TOOL_CALLS][{...}] or [TOOL_CALLS]NAME[ARGS]{...} */
    GS_SYNTAX_DEEPSEEK, /* <tool-calls-begin> ... NAME ... {...}, with its own full-width bars */
    GS_SYNTAX_GLM,      /* <tool_call>NAME<arg_key>KEY</arg_key><arg_value>... */
    GS_SYNTAX_PIPE,     /* <|tool_call|>[{...}]: Phi-4, Granite */
    GS_SYNTAX_GEMMA,    /* <|tool_call>call:NAME{...}<tool_call|> */
    GS_SYNTAX_HARMONY,  /* channels and recipients: gpt-oss */
};

/* What the template can say, found by probing it once. What it cannot is said otherwise. */
struct gs_prompt_traits {
    enum gs_chat_syntax syntax;
    size_t spelling;         /* of its spellings of calls, the template's own */
    bool system_role;        /* a leading system message */
    bool system_mid;         /* system messages elsewhere */
    bool same_role;          /* two turns of one role in a row */
    bool tools;              /* renders `tools`, in a syntax we read */
    bool tools_in_system;    /* as a text that the system message carries */
    bool tool_role;          /* renders calls and role "tool" messages */
    bool user_after_tool;    /* a user turn behind a tool's result */
    bool parallel;           /* several calls in one message */
    bool args_text;          /* wants call arguments as JSON text, not as an object */
    bool short_ids;          /* wants call ids of nine letters and digits */
    bool typed_content;      /* wants content as a list of parts */
    bool reasoning;          /* the model reasons between think_begin and think_end */
    const char *think_begin; /* "<think>"; both empty where channels say it */
    const char *think_end;   /* "</think>" */
};

/* Compile the template and probe it. An empty source gets a plain built-in template.
 * `bos`, `eos`: texts of these tokens. */
GS_MUST_CHECK enum gs_status gs_prompter_create(struct gs_slice source, struct gs_slice bos,
                                                struct gs_slice eos, struct gs_prompter **out_p,
                                                struct gs_error *err);
void gs_prompter_free(struct gs_prompter *p);
const struct gs_prompt_traits *gs_prompter_traits(const struct gs_prompter *p);

/* An answer in the chat whose turn takes the tokens that the model wrote then. */
struct gs_prompt_replay {
    size_t message_idx;
    struct gs_slice opening; /* what the prompt put between header and answer then */
    size_t at; /* out: offset in the text, behind `opening`, where the tokens go. SIZE_MAX: the
                  template left no place for them, the message is rendered as it stands */
};

struct gs_prompt_shape {
    const struct gs_slice *ends; /* spellings of the tokens that end a turn */
    size_t n_ends;
    struct gs_prompt_replay *replays; /* in the order of messages */
    size_t n_replays;
    /* out */
    bool opens_reasoning; /* as of gs_prompter_render */
    size_t opening_at;    /* offset in the text of the opening of the answer; SIZE_MAX: unknown */
};

/* gs_prompter_render() with answers in it as they were. With their tokens in place, a prompt begins
 * with the tokens of those before it, whatever the template makes of reasoning and calls. b is
 * empty. */
GS_MUST_CHECK enum gs_status gs_prompter_shape(const struct gs_prompter *p,
                                               const struct gs_chat *chat, int64_t now_us,
                                               struct gs_prompt_shape *shape, struct gs_buf *b,
                                               struct gs_error *err);

/* Append the prompt of `chat` to b. System messages stay where the client put them; what the
 * template cannot say (a system message in the middle, tools, a tool result) is rendered as a
 * turn it can. Nothing is dropped: images are GS_EUNSUPPORTED. `*out_opens_reasoning`: the prompt
 * ends inside an open reasoning block, so the answer starts there.
 * errors: GS_ETEMPLATE, GS_EUNSUPPORTED, GS_ELIMIT, GS_ENOMEM. */
GS_MUST_CHECK enum gs_status gs_prompter_render(const struct gs_prompter *p,
                                                const struct gs_chat *chat, int64_t now_us,
                                                struct gs_buf *b, bool *out_opens_reasoning,
                                                struct gs_error *err);

#endif
