/* What the fake provider says to a request: a head and the steps that send its body, the fault
 * worked in. */
#ifndef GS_TESTS_FAKE_ANSWER_H
#define GS_TESTS_FAKE_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "fake_fault.h"
#include "genset/slice.h"

enum fake_api {
    FAKE_API_NONE,
    FAKE_API_MESSAGES,
    FAKE_API_CHAT,
    FAKE_API_RESPONSES,
    FAKE_API_OLLAMA,
    FAKE_API_COUNT,
    FAKE_API_MODELS,
    FAKE_API_CONNECT, /* we are asked to be a proxy */
};

/* What of a request matters. */
struct fake_ask {
    enum fake_api api;
    bool stream, wants_usage;
    struct gs_slice model;
    struct gs_slice partial; /* of an assistant message at the end */
    struct gs_slice had;     /* of one before a user's who asks to go on with it */
    struct gs_slice anchor;  /* what is to be repeated then; or empty */
    struct gs_slice call;    /* tool to be called; or empty */
    struct gs_slice recital; /* text to be said; or empty */
    int64_t n_words, max_tokens, prompt_tokens;
    bool thinks, signs, is_greek;
    bool sums_up;    /* Responses: reasoning is told as a summary */
    uint64_t number; /* makes ids */
};

enum fake_step_kind {
    FAKE_STEP_OPEN,    /* a frame before, between or behind content */
    FAKE_STEP_CONTENT, /* a frame with content */
    FAKE_STEP_FINISH,  /* from here on the reason of the end is known */
    FAKE_STEP_REPEAT,  /* the bytes n times, for ever if n < 0 */
    FAKE_STEP_PACED,   /* the same, with a pause before each */
    FAKE_STEP_DRIP,    /* the same once, with a long pause behind it */
    FAKE_STEP_STALL,   /* nothing until the client leaves */
    FAKE_STEP_HOLD,    /* nothing until fake_provider_go() */
    FAKE_STEP_FIN,
    FAKE_STEP_RST,
    FAKE_STEP_BODY_END, /* the body ends as it should */
};

struct fake_step {
    enum fake_step_kind kind;
    struct gs_slice bytes;
    int64_t n;
};

struct fake_plan {
    struct gs_arena arena;
    struct gs_slice head;
    struct fake_step *steps;
    size_t n_steps, cap;
    size_t whole_bytes; /* of a body that breaks off: what it would have been */
    bool is_chunked;
    bool closes; /* the connection, behind the body */
    bool splits; /* bytes leave one by one */
};

/* Read a request's path and body into `a`. */
void fake_ask_read(struct fake_ask *out, struct gs_slice method, struct gs_slice path,
                   struct gs_slice body, struct gs_arena *a);
/* A zeroed plan becomes the answer. */
void fake_plan_make(struct fake_plan *p, const struct fake_ask *ask, const struct fake_fault *f);
void fake_plan_clear(struct fake_plan *p);

/* For those who spell answers (fake_spell.c). */
void fake_plan_add(struct fake_plan *p, enum fake_step_kind kind, struct gs_slice bytes, int64_t n);
/* The frames of a good answer of this API, or of an empty one. */
void fake_spell_stream(struct fake_plan *p, const struct fake_ask *ask, const struct fake_fault *f);
void fake_spell_whole(struct fake_plan *p, const struct fake_ask *ask, const struct fake_fault *f);
/* An error within an answer. */
void fake_spell_error(struct fake_plan *p, const struct fake_ask *ask, const struct fake_fault *f,
                      enum fake_break what);
/* A sign of life. */
struct gs_slice fake_spell_ping(const struct fake_ask *ask, bool is_comment);
/* The body of a refusal. */
struct gs_slice fake_spell_refusal(const struct fake_ask *ask, const struct fake_fault *f,
                                   struct gs_arena *a);

#endif
