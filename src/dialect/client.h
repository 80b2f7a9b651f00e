/* The other side of a wire API: asking a server that speaks it, and hearing its answer as events.
 *
 *     c->write_request(&chat, &to, &body, &err);
 *     ... frames.h cuts what comes into frames; for each:
 *     c->read_frame(state, &frame, on_event, ud, &effect, &err);
 *     ... when the body has ended: c->read_end(state, on_event, ud, &err);
 *
 * A server's bytes are hostile. What is not known in them is passed over. */
#ifndef GS_DIALECT_CLIENT_H
#define GS_DIALECT_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/compiler.h"
#include "dialect/dialect.h"
#include "dialect/frames.h"
#include "genset/chat.h"
#include "genset/fault.h"

/* Whether a signature was made by whom a request is for; then it is told as they made
 * it. */
typedef bool gs_dialect_signed_fn(void *ud, struct gs_slice signature, struct gs_slice *out_theirs);

/* Whom a request is written for. */
struct gs_dialect_to {
    struct gs_slice model; /* as it is called there */
    /* Signatures of others, and ours, are not sent: the reasoning goes as the API spells unsigned
     * reasoning, or not at all. NULL: none is sent. */
    gs_dialect_signed_fn *is_theirs;
    void *ud;
    bool stream;
    /* OpenAI: takes what vLLM, llama-server and others added to the API (reasoning_content, top_k,
     * chat_template_kwargs...). OpenAI and some more refuse members they do not know. */
    bool takes_extensions;
    /* OpenAI chat: a last message of the assistant is gone on with if vLLM's continue_final_message
     * says so. */
    bool says_continue;
    /* OpenAI chat: Google's, who refuses calls of Gemini 3 and later that nobody signed. */
    bool wants_signed_calls;
    int64_t default_max_tokens; /* where the API wants a number and the chat has none */
};

/* What one frame meant. */
enum gs_dialect_effect {
    GS_DIALECT_NOTHING, /* signs of life and frames that open things: nothing to see yet */
    GS_DIALECT_CONTENT, /* text, reasoning or part of a tool call that was not there before */
    GS_DIALECT_FINISH,  /* the reason of the answer's end is known; no content comes any more */
    GS_DIALECT_END,     /* the API's end mark: STOP was emitted, content with it where the API has
                         * both in one frame */
    GS_DIALECT_FAILED,  /* an error in the answer: err and *out_fault say which, nothing emitted */
};

struct gs_dialect_client {
    const char *name;                /* "anthropic", as of struct gs_dialect */
    const struct gs_dialect *server; /* the same API's other side */
    const char *path;                /* "/v1/messages", after the provider's URL */
    enum gs_dialect_framing framing;
    size_t state_bytes; /* zeroed before the first frame, then clear_state */

    /* Of a request's body, for gs_dialect_add_turns(). */
    const char *turns;     /* the member that lists them */
    const char *limits[2]; /* those that limit the answer's tokens; or NULL */
    const char *limits_in; /* the member that has them; NULL: the body */
    const char *goes_on;   /* members, with a comma behind, without which an open turn is none */
    /* An open assistant turn is gone on with by this model, as far as its name tells; NULL: by
     * none. */
    bool (*takes_open_turn)(struct gs_slice model);
    bool trims_open_turn; /* white space at its end is not taken */

    /* Append the body that asks for this chat. errors: GS_EUNSUPPORTED (the API cannot say it:
     * named in err), GS_ENOMEM. */
    enum gs_status (*write_request)(const struct gs_chat *chat, const struct gs_dialect_to *to,
                                    struct gs_buf *b, struct gs_error *err);
    /* Read one frame of a streamed answer. Emits START once (with answer_id and model), BEGIN,
     * DELTA, END as of genset/chat.h, and STOP with the API's end mark. Usage is what was told
     * last, never a sum. FAILED: the fault is in *out_fault (ERROR_EVENT, OVERLOADED, RATE_LIMIT,
     * EMPTY, MALFORMED...). The return value of on_event is not looked at. */
    enum gs_dialect_effect (*read_frame)(void *state, const struct gs_dialect_frame *frame,
                                         gs_event_fn *on_event, void *ud, enum gs_fault *out_fault,
                                         struct gs_error *err);
    /* The body has ended. After FINISH without END: STOP is emitted, END returned; after END it is
     * returned again. Before them: FAILED with CUT, or EMPTY if the answer never began. */
    enum gs_dialect_effect (*read_end)(void *state, gs_event_fn *on_event, void *ud,
                                       enum gs_fault *out_fault, struct gs_error *err);
    /* Read a whole answer (not streamed): all its events, START to STOP; END or FAILED. */
    enum gs_dialect_effect (*read_whole)(struct gs_slice body, struct gs_arena *a,
                                         gs_event_fn *on_event, void *ud, enum gs_fault *out_fault,
                                         struct gs_error *err);
    void (*clear_state)(void *state);
    /* What a refusal means: an HTTP status that is not 200 and its body. `err` gets code and the
     * server's own words (cleaned, cut to fit); the waits it asks for are read from headers
     * elsewhere. */
    enum gs_fault (*read_refusal)(int status, struct gs_slice body, struct gs_error *err);
};

/* "genset:MAKER:SIGNATURE", in `a`: as clients keep one that they get through us. False: no memory.
 */
GS_MUST_CHECK bool gs_dialect_sign(const char *maker, struct gs_slice signature, struct gs_arena *a,
                                   struct gs_slice *out);
/* What an answer's reasoning is signed with: one, or several in a list. */
void gs_dialect_each_signed(struct gs_slice signature,
                            void (*fn)(void *ud, struct gs_slice signature), void *ud);
/* The two of it; false: it names nobody. */
GS_MUST_CHECK bool gs_dialect_signed_by(struct gs_slice signature, struct gs_slice *out_maker,
                                        struct gs_slice *out_theirs);
/* Whether a request of the client's own API may go there as it is: nobody else signed any of it,
 * and no signature is missing. */
GS_MUST_CHECK bool gs_dialect_may_pass(const struct gs_chat *chat, const struct gs_dialect_to *to);
/* Append a request's body, in whatever API, without the reasoning and the signatures of others;
 * nothing if all of it may go as it is. errors: GS_ENOMEM. */
GS_MUST_CHECK enum gs_status gs_dialect_mend_signed(struct gs_slice body,
                                                    const struct gs_dialect_to *to,
                                                    struct gs_buf *b, struct gs_error *err);

/* What is said behind the turns that a request has. */
struct gs_dialect_turns {
    struct gs_slice said;  /* by the assistant */
    struct gs_slice reply; /* by the user; empty: the assistant's turn is open */
    int64_t max_tokens;    /* of the answer, where the request limits it; 0: as it says */
};
/* Append a request's body, as a client of this API spelled it, with these turns and with the model
 * that `to` names. False: that cannot be said there; nothing is appended. */
GS_MUST_CHECK bool gs_dialect_add_turns(const struct gs_dialect_client *c, struct gs_slice body,
                                        const struct gs_dialect_to *to,
                                        const struct gs_dialect_turns *turns, struct gs_buf *b);

extern const struct gs_dialect_client gs_dialect_client_anthropic;
extern const struct gs_dialect_client gs_dialect_client_openai_chat;
extern const struct gs_dialect_client gs_dialect_client_openai_responses;
extern const struct gs_dialect_client gs_dialect_client_ollama;

#endif
