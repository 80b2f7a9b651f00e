/* The internal form of a request (struct gs_chat) and of a streamed answer (struct gs_event).
 *
 * Every wire API is two mappings to this form; templates, parsers, providers and the engine know
 * nothing else. JSON (schemas, arguments) travels as text, so that what a client sent is what a
 * model sees. All slices and arrays are borrowed: they live as long as the arena or buffer of
 * whoever built the form. */
#ifndef GENSET_CHAT_H
#define GENSET_CHAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "genset/slice.h"
#include "genset/status.h"

enum gs_role { GS_ROLE_SYSTEM, GS_ROLE_USER, GS_ROLE_ASSISTANT, GS_ROLE_TOOL };

enum gs_block_kind {
    GS_BLOCK_TEXT,
    GS_BLOCK_REASONING,
    GS_BLOCK_TOOL_CALL,
    GS_BLOCK_TOOL_RESULT,
    GS_BLOCK_IMAGE,
};

struct gs_block {
    enum gs_block_kind kind;
    struct gs_slice text;      /* text, reasoning, tool result; image: base64 data or URL */
    struct gs_slice id;        /* tool call: its id; tool result: the id of the call it answers */
    struct gs_slice name;      /* tool call, tool result: tool (may be empty); image: media type */
    struct gs_slice args;      /* tool call: arguments, the text of a JSON object */
    struct gs_slice signature; /* reasoning, tool call: opaque signature of who produced it */
    struct gs_slice cache;     /* JSON text of a cache_control: it says to keep all up to here */
    bool is_error;             /* tool result */
};

struct gs_message {
    enum gs_role role;
    const struct gs_block *blocks;
    size_t n_blocks;
};

struct gs_tool {
    struct gs_slice name;
    struct gs_slice description;
    struct gs_slice parameters; /* JSON Schema text; empty = no parameters */
    struct gs_slice cache;      /* as of a block */
};

enum gs_tool_choice {
    GS_TOOL_CHOICE_AUTO,
    GS_TOOL_CHOICE_NONE,
    GS_TOOL_CHOICE_ANY,
    GS_TOOL_CHOICE_NAMED
};

enum gs_thinking { GS_THINKING_DEFAULT, GS_THINKING_ON, GS_THINKING_OFF };

struct gs_logit_bias {
    int32_t token;
    float bias;
};

/* Settings that a model's file may suggest. */
enum gs_sampling_setting {
    GS_SAMPLING_TEMPERATURE = 1,
    GS_SAMPLING_TOP_K = 2,
    GS_SAMPLING_TOP_P = 4,
    GS_SAMPLING_MIN_P = 8,
    GS_SAMPLING_REPEAT_PENALTY = 16,
    GS_SAMPLING_REPEAT_LAST_N = 32,
};

/* Sampling settings; gs_sampling_init() sets every one to "off" (greedy is temperature 0). */
struct gs_sampling {
    float temperature;       /* 0 = greedy */
    int32_t top_k;           /* 0 = off */
    float top_p;             /* 1 = off */
    float min_p;             /* 0 = off */
    float typical_p;         /* 1 = off */
    float repeat_penalty;    /* 1 = off */
    float frequency_penalty; /* 0 = off */
    float presence_penalty;  /* 0 = off */
    int32_t repeat_last_n;   /* tokens looked back at by the penalties; -1 = whole context */
    bool has_seed;           /* false: a fresh seed is drawn */
    uint64_t seed;
    const struct gs_logit_bias *logit_bias;
    size_t n_logit_bias;
    uint32_t open; /* bits of enum gs_sampling_setting: of these, what the model's file suggests
                    * counts rather than what stands above */
};

/* What the text of an answer must be. Reasoning before it, and tool calls where tools are offered,
 * are free of it. */
enum gs_format_kind {
    GS_FORMAT_TEXT,   /* anything */
    GS_FORMAT_JSON,   /* a JSON object */
    GS_FORMAT_SCHEMA, /* JSON that the JSON Schema `spec` describes */
    GS_FORMAT_GBNF,   /* what the grammar `spec` derives */
    GS_FORMAT_REGEX,  /* what the regular expression `spec` matches */
};

struct gs_format {
    enum gs_format_kind kind;
    struct gs_slice spec;
};

/* How long a request wants its model to stay open while nobody uses it. */
struct gs_keep {
    bool is_set; /* false: until memory is needed */
    int64_t ms;  /* 0 = not at all, negative = until memory is needed */
};

struct gs_chat {
    struct gs_slice model; /* as the client spelled it */
    struct gs_slice named; /* the same, where `model` is what somebody else made of it */
    bool takes_smaller;    /* another model of this machine may answer if this one gets no memory,
                            * unless the client named one that is here */
    const struct gs_message *messages;
    size_t n_messages;
    const struct gs_tool *tools;
    size_t n_tools;
    enum gs_tool_choice tool_choice;
    struct gs_slice tool_choice_name;     /* GS_TOOL_CHOICE_NAMED */
    bool one_tool_call;                   /* the answer ends after its first complete call */
    const struct gs_slice *allowed_tools; /* if any: only these of the tools may be called */
    size_t n_allowed_tools;
    struct gs_format format;
    struct gs_sampling sampling;
    int64_t max_tokens; /* answer tokens at most; 0 = what the context leaves */
    const struct gs_slice *stops;
    size_t n_stops;
    enum gs_thinking thinking;
    int64_t max_reasoning_tokens; /* then the reasoning is ended; 0 = no limit */
    struct gs_slice effort;       /* reasoning effort as the client spelled it; may be empty */
    bool logprobs;                /* report the log-probability of each answer token */
    int32_t n_top_logprobs;       /* and of this many alternatives, 0..20 */
    bool stream;                  /* the client wants events as they come */
    bool is_raw;                  /* no template: the prompt is `raw_prompt` */
    struct gs_slice raw_prompt;
    const struct gs_embed_input
        *before; /* what the prompt follows: texts and tokens, as they are */
    size_t n_before;
    bool wants_tokens; /* STOP carries the tokens of prompt and answer */
    struct gs_keep keep;
    bool has_suffix; /* raw: the answer goes between raw_prompt and raw_suffix, plain texts both */
    struct gs_slice raw_suffix;
    bool continue_last; /* the last message is an open assistant turn to be continued */
    bool broke_off;     /* the same, and it ends at any byte: in half a word, in reasoning, in a
                         * call's arguments, which are then a piece of JSON. Its last block goes on:
                         * it gets no BEGIN, and block_idx counts on from its place */
    bool prefill_only;  /* read the prompt and keep it, for an answer that may be asked for soon:
                         * no block comes, only STOP. It gives way to all that is answered */
    int32_t n_answers;  /* to this chat, 0 = 1; by a seed each its own, made from the chat's */
    const struct gs_chat *next; /* answered beside this one, its answers counted on from here */
};

/* ---- texts ---- */

struct gs_embed_input {
    struct gs_slice text;  /* special tokens are added as the model wants them */
    const int32_t *tokens; /* not NULL: these, as they are, instead of the text */
    size_t n_tokens;
};

/* A request that is no chat: vectors of texts, or how well documents answer a query. */
struct gs_texts {
    struct gs_slice model; /* as the client spelled it */
    const struct gs_embed_input *inputs;
    size_t n_inputs;
    bool is_ranking; /* the inputs are documents, texts all */
    struct gs_slice query;
    bool raw;      /* vectors at the length they have, scores as the model gives them */
    bool truncate; /* cut what does not fit the model's context, instead of an error */
    int32_t dims;  /* 0 = all; else the first so many values */
    struct gs_keep keep;
};

/* ---- answers ---- */

enum gs_stop_reason {
    GS_STOP_END,       /* the model ended its turn */
    GS_STOP_LENGTH,    /* max_tokens reached */
    GS_STOP_CONTEXT,   /* the context is full */
    GS_STOP_SEQUENCE,  /* a stop string of the request appeared */
    GS_STOP_TOOL_CALL, /* the turn ended with tool calls */
    GS_STOP_REFUSAL    /* who guards an upstream's model cut it short */
};

struct gs_usage {
    int64_t prompt_tokens;
    int64_t cached_tokens;      /* of the prompt, not computed again */
    int64_t cache_write_tokens; /* of the prompt, kept for later at a price; 0 where none is told */
    int64_t answer_tokens;
    int64_t reasoning_tokens; /* of the answer */
    int64_t cut_texts;        /* inputs of gs_texts that did not fit */
    int64_t load_us;          /* time to load the model for this request, 0 if it was loaded */
    int64_t prefill_us;
    int64_t decode_us;
};

struct gs_top_logprob {
    int32_t token;
    float logprob; /* natural logarithm */
    struct gs_slice text;
};

struct gs_logprob {
    int32_t token;
    float logprob;
    struct gs_slice text; /* the token's bytes */
    const struct gs_top_logprob *top;
    size_t n_top;
};

/* The order of one answer is START, PROGRESS*, (BEGIN DELTA* END)*, then STOP or ERROR, once. ERROR
 * may also come first. A DELTA without text says that an upstream has opened what holds the text.
 * `block_idx` counts from 0. A tool call's deltas are pieces of its arguments' JSON text.
 * Of texts it is VECTOR for each input, in their order, then STOP or ERROR.
 *
 * Several answers (n_answers, next) come mixed, each event with its `answer_idx`; START is one for
 * all. Each answer's blocks end in a STOP of its own, whose `n_left` answers go on: with the STOP
 * that leaves 0, or with ERROR, all is over. */
enum gs_event_kind {
    GS_EVENT_START,    /* usage.prompt_tokens is known */
    GS_EVENT_PROGRESS, /* prefill: `done` of `total` tokens; an upload: total 0, send more */
    GS_EVENT_BEGIN,
    GS_EVENT_DELTA,
    GS_EVENT_END,
    GS_EVENT_VECTOR, /* of one input; of a document its score */
    GS_EVENT_STOP,
    GS_EVENT_ERROR,
};

struct gs_event {
    enum gs_event_kind kind;
    enum gs_block_kind block; /* BEGIN, DELTA, END: text, reasoning or tool call */
    uint32_t block_idx;
    uint32_t answer_idx;       /* all but START and ERROR; 0 of one answer */
    uint32_t n_left;           /* STOP: answers that are still being written */
    struct gs_slice text;      /* DELTA */
    struct gs_slice id;        /* BEGIN of a tool call */
    struct gs_slice name;      /* BEGIN of a tool call */
    struct gs_slice signature; /* END of reasoning, BEGIN of a tool call; opaque, may be empty */
    const struct gs_logprob *logprob; /* DELTA: the tokens that made this text, when asked for */
    size_t n_logprob;
    const float *values; /* VECTOR */
    size_t n_values;
    int64_t done, total;           /* PROGRESS */
    enum gs_stop_reason stop;      /* STOP */
    struct gs_slice stop_sequence; /* STOP, GS_STOP_SEQUENCE */
    struct gs_usage usage;         /* START, DELTA, STOP: of all answers, so far */
    const int32_t *tokens;         /* STOP, when asked for: of the prompt, then of the answer */
    size_t n_tokens;
    const struct gs_error *error; /* ERROR */
    struct gs_slice served_by;    /* START, STOP: who answers: "local/qwen3-4b" */
    struct gs_slice answer_id;    /* START: what an upstream calls its answer; may be empty */
    struct gs_slice model;        /* START: and what it calls its model; may be empty */
    struct gs_slice item_id;      /* BEGIN: what an upstream calls the block; may be empty */
    bool is_whole;                /* END: whoever began the block has told its end too */
    bool is_passed_over;          /* PROGRESS: an upstream announced an item that is no block */
    bool is_gap;                  /* DELTA: a line between two parts of an upstream's reasoning */
    int64_t n_sent;               /* events that an upstream has told of so far, where it counts */
    struct gs_slice ignored;  /* START: what of the format and the tools' schemas is not enforced */
    struct gs_slice short_of; /* START: what the model has less of than asked for, or whom it stands
                               * in for, where memory is short; or empty */
};

/* What the receiver of an event wants next. */
enum gs_flow {
    GS_FLOW_CONTINUE,
    GS_FLOW_PAUSE, /* took this event; send no more until resumed */
    GS_FLOW_CANCEL /* stop computing; no further event comes */
};

/* Receives the events of one answer, on the engine's thread; must not block. Everything in `ev` is
 * valid only during the call. */
typedef enum gs_flow gs_event_fn(void *ud, const struct gs_event *ev);

GS_API void gs_sampling_init(struct gs_sampling *s);

#endif
