/* The transfer switch: runs one request along its route until it is answered, by this machine or by
 * another, and goes on in the middle of an answer when who gives it fails.
 *
 *     gs_switch_create(loop, &options, &sw, &err);
 *     gs_switch_call_create(sw, &ask, &sink, &call, &err);
 *     ... the sink's functions on the loop, never within the call above ...
 *     gs_switch_call_free(call, on_free, ud);   // at any time, in a sink's function too
 *
 * thread: everything here belongs to the loop. */
#ifndef GS_SWITCH_SWITCH_H
#define GS_SWITCH_SWITCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/compiler.h"
#include "config/routes.h"
#include "genset/chat.h"
#include "genset/fault.h"
#include "http/parse.h"
#include "switch/backend.h"

struct gs_dialect;
struct gs_dialect_context;
struct gs_http_loop;
struct gs_ledger;
struct gs_log;
struct gs_switch;
struct gs_switch_call;

struct gs_switch_options {
    struct gs_switch_backend backend;
    bool has_local;           /* the backend has a model worth answering with unasked */
    size_t max_calls;         /* at once */
    struct gs_ledger *ledger; /* may be NULL; attempts are recorded in it */
    const struct gs_log *log; /* may be NULL */
    const char *sysfs;        /* where the kernel tells of batteries and heat; NULL: nobody looks */
    /* Keys of files and commands may be others by now: have the routes read again, which come by
     * gs_switch_set_routes(); or NULL. Must not block. */
    void (*read_routes)(void *ud);
    void *routes_ud;
};

GS_MUST_CHECK enum gs_status gs_switch_create(struct gs_http_loop *loop,
                                              const struct gs_switch_options *opt,
                                              struct gs_switch **out_sw, struct gs_error *err);
/* Waits until the backend has let go of everything; all calls must have been freed. NULL is
 * allowed. */
void gs_switch_free(struct gs_switch *sw);
/* From now on these routes hold; calls that run keep theirs. Takes the arena that they live in.
 * errors: GS_ENOMEM, GS_ELIMIT (the old ones hold; the arena is dropped). */
GS_MUST_CHECK enum gs_status gs_switch_set_routes(struct gs_switch *sw, struct gs_arena *arena,
                                                  const struct gs_config_routes *routes,
                                                  struct gs_error *err);

/* ---- what is found in a request ---- */

/* What must not leave this machine of a request; whoever has the time makes it beside the loop. */
struct gs_switch_judgement;
struct gs_switch_ask;
/* On the loop: by the routes that hold now. NULL: no memory. */
GS_MUST_CHECK struct gs_switch_judgement *gs_switch_judgement_create(struct gs_switch *sw);
/* On any thread. Of `ask` its head and query are not looked at. */
void gs_switch_judgement_make(struct gs_switch_judgement *j, const struct gs_switch_ask *ask);
/* On the loop. NULL is allowed. */
void gs_switch_judgement_free(struct gs_switch_judgement *j);
/* Bodies up to this length are read and judged on the loop in no time. */
size_t gs_switch_inline_bytes(const struct gs_switch *sw);

/* ---- one request ---- */

/* What of a request those beyond this machine do not get, whatever is made of its body. */
struct gs_switch_withheld {
    uint64_t fields[2]; /* of the head, a bit for each */
    bool query;
    bool nothing_in_body;
};

/* Everything must live until the call's on_free. */
struct gs_switch_ask {
    struct gs_slice id; /* "req_..." */
    const struct gs_dialect *dialect;
    const struct gs_dialect_context *ctx;
    const struct gs_chat *chat;    /* NULL: not one, or one that only the client's API can say */
    const struct gs_error *unread; /* why `chat` could not be read; or NULL */
    struct gs_slice model;         /* as the client spelled it */
    struct gs_slice path, query;
    struct gs_slice body; /* as it came; empty where only this machine may be asked */
    size_t n_bytes;       /* of the body that came */
    const struct gs_http_head *head;
    struct gs_slice key;     /* name of the key that the client came with; empty: it has none */
    bool is_key_ours;        /* the client's credential is for this program: it goes nowhere else */
    enum gs_privacy privacy; /* as the client wants it; the routes may be stricter */
    bool ends_on_break;      /* nobody goes on with an answer that breaks off */
    struct gs_switch_judgement *judgement; /* goes to the call, or is freed; NULL: made by it */
    struct gs_switch_withheld withheld;    /* set by the switch */
};

/* An upstream's whole answer, or refusal, to go out as it is. */
struct gs_switch_reply {
    int status;
    struct gs_slice type; /* Content-Type */
    struct gs_slice body;
    struct gs_usage usage;
    struct gs_slice served_by;
    struct gs_slice error; /* one line, of a refusal */
};

struct gs_switch_sink {
    void *ud;
    /* A header line of the answer to come; before anything else. */
    void (*on_header)(void *ud, const char *name, struct gs_slice value);
    /* An event of the answer. `is_spelled`: on_bytes had the bytes that say it; the writer's state
     * follows in silence. */
    void (*on_event)(void *ud, const struct gs_event *ev, bool is_spelled);
    /* Bytes of a streamed answer in the client's API. */
    void (*on_bytes)(void *ud, struct gs_slice bytes);
    /* Instead of all of these. */
    void (*on_reply)(void *ud, const struct gs_switch_reply *reply);
    /* No more for now: what came may leave. */
    void (*on_pause)(void *ud);
};

/* errors: GS_EBUSY, GS_ENOMEM, and those of the backend where nobody else is asked; no word comes
 * then. */
GS_MUST_CHECK enum gs_status gs_switch_call_create(struct gs_switch *sw,
                                                   const struct gs_switch_ask *ask,
                                                   const struct gs_switch_sink *sink,
                                                   struct gs_switch_call **out_call,
                                                   struct gs_error *err);
/* The client has the beginning of an answer of ours: what others say is spelled anew, whatever
 * their API. */
void gs_switch_call_opened(struct gs_switch_call *c);
/* The client reads slower than the answer comes: hold it back, or let it go on. */
void gs_switch_call_block(struct gs_switch_call *c, bool is_blocked);
/* What the client got in the end, for the trace. */
void gs_switch_call_told(struct gs_switch_call *c, int status, size_t n_bytes);
/* A piece of an errand's body, as of the backend. */
void gs_switch_call_feed(struct gs_switch_call *c, struct gs_slice piece, bool is_last);
/* Cancel and release. Later, on the loop, on_free(ud) says that the ask's memory may go. */
void gs_switch_call_free(struct gs_switch_call *c, void (*on_free)(void *ud), void *ud);
/* Do that now for all that were freed in this turn of the loop; never within a sink's function. */
void gs_switch_reap(struct gs_switch *sw);

/* What came of it, until it is freed. */
struct gs_switch_outcome {
    int n_attempts;
    int64_t cost_nanousd;
    bool is_estimated;
    int64_t sent_bytes; /* that left this machine */
    bool was_continued; /* another went on in the middle of the answer */
    struct gs_slice served_by;
    enum gs_privacy privacy; /* its class */
    struct gs_slice found;   /* by the privacy rules: "email 2, api-key 1" */
};
const char *gs_switch_privacy_word(enum gs_privacy p); /* "local-only" */
void gs_switch_call_outcome(const struct gs_switch_call *c, struct gs_switch_outcome *out);

/* What happened to a request, step by step, as JSON. False: it is not known (any more). */
GS_MUST_CHECK bool gs_switch_write_trace(const struct gs_switch *sw, struct gs_slice id,
                                         struct gs_buf *b);
/* Members of an object, as JSON, without its brackets: "providers":[...],"uplink":"up". */
void gs_switch_write_state(const struct gs_switch *sw, struct gs_buf *b);
/* A model of another computer that the routes name. */
struct gs_switch_offer {
    struct gs_slice name; /* to ask for */
    const char *provider;
    struct gs_slice model; /* as the provider calls it */
    const char *url;
};
#define GS_SWITCH_MAX_OFFERS 256
/* All of them, in `a`, or of the routes: until those change. */
size_t gs_switch_offers(const struct gs_switch *sw, struct gs_arena *a,
                        const struct gs_switch_offer **out_offers);
/* Whether requests are to be handed over as they came: there is somebody to pass them to. */
bool gs_switch_wants_bytes(const struct gs_switch *sw);

#endif
