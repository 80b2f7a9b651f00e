/* The switch's insides, shared by the files of this room that move a request. All of it belongs to
 * the loop, but for each leg's mailbox.
 *
 * A call has legs: attempts to have it answered. Most have one; a hedged one two at first, and one
 * that broke off another that goes on.
 *
 *     leg: waits --first content--> leads --end--> over
 *           |                         |
 *           +--fault: the next leg    +--fault: a leg that continues, or the end in an error
 *
 * What a leg says before it leads is held back, so that a leg that fails leaves no trace. */
#ifndef GS_SWITCH_SWITCH_CALL_H
#define GS_SWITCH_SWITCH_CALL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "base/buf.h"
#include "config/routes.h"
#include "dialect/client.h"
#include "route/breaker.h"
#include "route/budgets.h"
#include "route/choice.h"
#include "route/retry.h"
#include "route/uplink.h"
#include "switch/guard.h"
#include "switch/health.h"
#include "switch/mailbox.h"
#include "switch/power.h"
#include "switch/request.h"
#include "switch/resume.h"
#include "switch/signers.h"
#include "switch/splice.h"
#include "switch/switch.h"
#include "switch/trace.h"
#include "upstream/upstream.h"

struct gs_http_timer;
struct gs_http_watch;
struct gs_queue;
struct gs_pins;

/* Routes, as long as somebody uses them. */
struct gs_switch_generation {
    int n_refs;
    struct gs_arena arena;
    struct gs_config_routes own;
    const struct gs_config_routes *routes;
};

/* Has libcurl loaded beside the loop. */
struct gs_switch_loader {
    pthread_t thread;
    bool has_begun, has_thread;
    atomic_bool is_done;
};

struct gs_switch {
    struct gs_http_loop *loop;
    struct gs_switch_options opt;
    struct gs_queue *wake; /* of legs that have mail, each at most once */
    struct gs_http_watch *wake_watch;
    struct gs_http_timer *reap; /* calls that are done with */
    struct gs_switch_call *dead;
    size_t n_calls;
    size_t n_here; /* legs that the backend is at work with */
    struct gs_switch_loader loader;
    struct gs_upstream *upstream; /* NULL until somebody is asked */
    struct gs_breakers *breakers;
    struct gs_budgets *budgets;
    struct gs_switch_signers signers;
    struct gs_retry_budget retries;
    struct gs_uplink uplink;
    struct gs_uplink_clocks clocks; /* when a request came last */
    uint64_t n_asked;
    int64_t read_us; /* when routes were asked to be read again; 0: never */
    struct gs_resume_refusals no_prefill;
    struct gs_trace_ring traces;
    struct gs_switch_generation *generation;
    struct gs_pins *pins;
    struct gs_switch_power *power; /* NULL: no route asked so far */
    unsigned strain;               /* that was told last */
    uint64_t seed;                 /* of hashes that clients must not foresee */
    bool has_warned;               /* that a request could not be searched */
    uint64_t short_of;             /* hash of what was last told about memory */
};

/* ---- hold.c: what is said and not yet passed on ---- */

struct gs_switch_hold {
    struct gs_arena arena;
    struct gs_buf bytes; /* of a stream in the client's API */
    struct gs_switch_mail *first, **last;
    size_t n_frames;
};

void gs_switch_hold_init(struct gs_switch_hold *h);
void gs_switch_hold_clear(struct gs_switch_hold *h);
/* Drop what is held. */
void gs_switch_hold_reset(struct gs_switch_hold *h);
/* False: no memory. */
GS_MUST_CHECK bool gs_switch_hold_event(struct gs_switch_hold *h, const struct gs_event *ev);
GS_MUST_CHECK bool gs_switch_hold_bytes(struct gs_switch_hold *h, struct gs_slice bytes);
/* More than anybody needs to open an answer with. */
bool gs_switch_hold_is_full(const struct gs_switch_hold *h);

/* ---- part.c: what the client has of an answer ---- */

struct gs_switch_part_block {
    enum gs_block_kind kind;
    uint32_t idx;       /* as the client counts */
    struct gs_buf text; /* or arguments */
    struct gs_slice id, name;
    bool has_ended;
};

struct gs_switch_part {
    struct gs_arena arena;
    struct gs_switch_part_block *blocks;
    size_t n_blocks, cap;
    size_t n_bytes; /* of their texts */
    bool is_open;   /* START was said */
    bool is_lost;   /* more than could be kept: nobody can go on with it */
    struct gs_usage usage;

    /* once somebody goes on with it */
    size_t n_before;       /* blocks that were handed over */
    uint32_t last_idx;     /* of the one that is gone on with */
    bool is_fresh;         /* which the client does not have: all of his were complete */
    bool has_begun;        /* but now it has */
    bool has_calls;        /* tool calls are among them */
    int64_t answer_tokens; /* estimated */
};

void gs_switch_part_init(struct gs_switch_part *p);
void gs_switch_part_clear(struct gs_switch_part *p);
void gs_switch_part_note(struct gs_switch_part *p, const struct gs_event *ev);
/* `chat` with what the client has as its last message, to be gone on with; in `a`. */
GS_MUST_CHECK bool gs_switch_part_hand_over(struct gs_switch_part *p, const struct gs_chat *chat,
                                            struct gs_arena *a, struct gs_chat *out_chat);
/* It has a call, and all its calls are complete: nobody needs to go on with it. */
bool gs_switch_part_is_call(struct gs_switch_part *p);
/* The end of such a one. Returns how many events it takes. */
size_t gs_switch_part_finish(struct gs_switch_part *p, struct gs_event out[2]);
/* An event of who goes on, as one of the answer that the client has. `out` has room for two.
 * Returns how many they are. */
size_t gs_switch_part_adopt(struct gs_switch_part *p, const struct gs_event *ev,
                            struct gs_event out[2]);

/* ---- legs ---- */

#define GS_SWITCH_MAX_LINES 24

struct gs_switch_leg {
    struct gs_switch_call *call;
    struct gs_switch_leg *next;
    int number; /* from 1 */
    struct gs_config_target to;
    const struct gs_config_provider *provider;
    struct gs_breaker_who who;
    struct gs_breaker_pass pass;
    char credential[GS_BREAKER_CREDENTIAL];
    int64_t started_us, first_us; /* monotonic; 0: no content yet */
    bool is_sent;                 /* somebody was asked */
    bool is_over;                 /* it says no more */
    bool leads;                   /* what it says goes to the client */
    bool continues;               /* it goes on where another broke off */
    bool is_standby;              /* it only reads the prompt, and is none of the call's legs */
    bool is_plain;                /* without an open turn, which it refused */
    enum gs_fault fault;          /* when over */
    int status;                   /* of HTTP; 0: none came */
    struct gs_usage usage;
    size_t sent_bytes, said_bytes; /* request, text of the answer */
    size_t uncounted_bytes;        /* of this, since tokens were told last */
    struct gs_budget_hold reserved;
    int64_t cost_nanousd;
    bool is_estimated;
    struct gs_slice served_by; /* in arena */
    struct gs_switch_hold hold;
    struct gs_arena arena;

    /* this machine's */
    void *backend_call;
    struct gs_switch_mailbox mailbox;
    struct gs_arena mail; /* what was taken out of it last */
    bool is_held;         /* the backend has the leg */
    bool is_paused;       /* and waits to be resumed */
    struct gs_chat chat;

    /* another's */
    struct gs_upstream *upstream;
    struct gs_upstream_call *up;
    struct gs_switch_way way;
    void *state; /* of the way's client */
    struct gs_dialect_frames frames;
    struct gs_http_timer *timer;
    struct gs_health health;
    struct gs_resume resume; /* how it is asked to go on */
    struct gs_splice splice; /* what it says then */
    bool is_spliced;
    struct gs_http_field lines[GS_SWITCH_MAX_LINES]; /* of its answer's head, for the client */
    size_t n_lines;
    struct gs_buf body;             /* sent */
    struct gs_privacy_names *names; /* of a body that was spelled out of the chat */
    struct gs_privacy_restorer *restorer;
    struct gs_buf answer; /* whole, or of a refusal */
    bool is_whole;        /* the answer comes in one piece, or so it turned out */
    bool is_out_of_memory;
    bool is_ending;         /* the reason of the end is known, if not the end mark */
    bool is_html;           /* a web page */
    int64_t retry_after_us; /* until it may be asked again; not above 0: nobody said */
    int64_t moved_us;       /* monotonic: the last content */
    struct gs_upstream_times times;
    char type[128]; /* Content-Type of a whole answer */

    bool is_blocked; /* what it says is not taken */
};

struct gs_switch_call {
    struct gs_switch *sw;
    struct gs_switch_call *next; /* among the dead */
    struct gs_switch_ask ask;
    struct gs_switch_sink sink;
    struct gs_switch_generation *generation;
    unsigned strain; /* of this machine, when the route was chosen */
    const struct gs_config_route *route;
    struct gs_choice choice;
    size_t n_tried;             /* of those chosen */
    size_t n_again, n_before;   /* of these, asked once more, and that came before the last break */
    int64_t broke_us;           /* monotonic: the last break */
    struct gs_switch_leg *legs; /* all there were, the latest first */
    struct gs_switch_leg *lead; /* or NULL */
    struct gs_switch_leg *standby; /* the latest, or NULL */
    bool was_read_ahead;           /* by one that came to its end */
    struct gs_switch_part part;
    struct gs_http_timer *timer; /* until who was chosen may be asked, or the hedge is due */
    int64_t started_us;
    int depth;       /* functions of this room that are at work with it */
    bool is_waiting; /* nobody is asked until the timer says so */
    bool is_blocked;
    bool is_opened; /* the client has the beginning of an answer, which is nobody's */
    bool is_over;   /* the sink has had its last word */
    bool is_freed;  /* nobody listens any more */
    bool is_dead;   /* among the dead */
    void (*on_free)(void *ud);
    void *free_ud;
    struct gs_error err;   /* why the last leg failed */
    struct gs_buf refusal; /* the first that was not the provider's fault, in the client's API */
    int refusal_status;    /* 0: none */
    bool has_refusal_err;  /* the same in another's */
    struct gs_error refusal_err;
    struct gs_trace trace;
    struct gs_switch_guard guard;
    uint64_t talk; /* hash of how the conversation begins; 0: it is none */
    struct gs_switch_outcome outcome;
};

/* ---- leg.c ---- */

/* NULL: no memory. */
struct gs_switch_leg *gs_switch_leg_create(struct gs_switch_call *c,
                                           const struct gs_config_target *t);
/* Leave of budgets, breakers and the uplink. */
GS_MUST_CHECK bool gs_switch_leg_may_try(struct gs_switch_leg *leg);
/* It says no more, for this reason. */
void gs_switch_leg_end(struct gs_switch_leg *leg, enum gs_fault fault);
void gs_switch_leg_free(struct gs_switch_leg *leg);
void gs_switch_who_is(const struct gs_switch_call *c, const struct gs_config_target *t,
                      char credential[GS_BREAKER_CREDENTIAL], struct gs_breaker_who *out);

/* ---- question.c ---- */

/* Sets route and choice. */
void gs_switch_choose(struct gs_switch_call *c);
int64_t gs_switch_cost(const struct gs_switch_call *c, const struct gs_config_target *t);
uint64_t gs_switch_talk_of(const struct gs_chat *chat, uint64_t seed);
/* The first that fits, as this machine is (gs_switch_strain()); NULL: nobody but this machine is
 * meant. */
const struct gs_config_route *gs_switch_route_of(const struct gs_config_routes *routes,
                                                 const struct gs_switch_ask *ask, unsigned strain);

/* ---- excuse.c: what the client is told ---- */

/* Why nobody was asked, by c->choice: sets c->err and *err, returns its code. */
enum gs_status gs_switch_excuse(struct gs_switch_call *c, struct gs_error *err);
/* `err` is why a leg to another computer failed: say whose fault it is, and of a key what to do. */
void gs_switch_excuse_leg(const struct gs_switch_leg *leg, enum gs_fault fault,
                          struct gs_error *err);

/* ---- guard_leg.c ---- */

/* Take out of the client's own body what the rules find. Where that fails nothing may leave. */
GS_MUST_CHECK enum gs_status gs_switch_redact_own(struct gs_switch_call *c);
/* That body, for a leg that sends the client's own bytes. */
GS_MUST_CHECK enum gs_status gs_switch_redact_ask(struct gs_switch_leg *leg,
                                                  struct gs_switch_ask *ask, struct gs_error *err);
/* The same for a body that was spelled out of the chat. */
GS_MUST_CHECK enum gs_status gs_switch_redact_body(struct gs_switch_leg *leg,
                                                   struct gs_upstream_request *request,
                                                   struct gs_error *err);
/* The end of `text` that this leg may be asked to repeat: gs_seam_anchor(), begun earlier where
 * that would be a piece of what must not leave. Empty: none may be. */
struct gs_slice gs_switch_redact_anchor(const struct gs_switch_leg *leg, struct gs_slice text);
/* Hold an event of the leg's answer, put together again. */
void gs_switch_redact_hear(struct gs_switch_leg *leg, const struct gs_event *ev);
void gs_switch_redact_clear(struct gs_switch_leg *leg);

/* ---- leg_local.c, leg_upstream.c: both kinds, the same three ways ---- */

/* It speaks later. False: it could not be asked; call->err and *out_fault say why. */
GS_MUST_CHECK bool gs_switch_leg_local(struct gs_switch_leg *leg, enum gs_fault *out_fault);
GS_MUST_CHECK bool gs_switch_leg_upstream(struct gs_switch_leg *leg, enum gs_fault *out_fault);
/* Say no more. The backend may hold a local leg for a while. */
void gs_switch_leg_local_end(struct gs_switch_leg *leg);
void gs_switch_leg_upstream_end(struct gs_switch_leg *leg);
void gs_switch_leg_local_block(struct gs_switch_leg *leg, bool is_blocked);
void gs_switch_leg_upstream_block(struct gs_switch_leg *leg, bool is_blocked);
/* The loop found it in the queue. */
void gs_switch_leg_local_wake(struct gs_switch_leg *leg);

/* An event of its answer, as the client may see it. */
enum gs_flow gs_switch_leg_upstream_hear(void *leg, const struct gs_event *ev);
void gs_switch_leg_upstream_clear(struct gs_switch_leg *leg);

/* ---- standby.c: have this machine ready beside an upstream ---- */

/* Milliseconds until this leg to an upstream is to be looked at again, negative: never. If it is
 * suspicious by now, the prompt is read ahead. */
int64_t gs_switch_standby_look(struct gs_switch_leg *leg);
/* It goes on, or is over, or somebody here takes over. */
void gs_switch_standby_stop(struct gs_switch_call *c);
/* The loop found it in the queue. */
void gs_switch_standby_wake(struct gs_switch_leg *standby);

/* ---- memory.c ---- */

/* Take up what the ledger remembers, and have it remember what comes. Blocks. */
GS_MUST_CHECK enum gs_status gs_switch_remember(struct gs_switch *sw, struct gs_error *err);
/* `maker` signed reasoning so, in the client's own API. */
void gs_switch_note_signed(struct gs_switch *sw, const char *maker, struct gs_slice signature);

/* ---- preload.c ---- */

/* Have the client of other computers loaded. False: not yet. True: it was, or cannot be. */
bool gs_switch_load(struct gs_switch *sw);
void gs_switch_loader_clear(struct gs_switch *sw);

/* ---- switch.c ---- */

/* The client of other computers, made when it is first needed. */
GS_MUST_CHECK enum gs_status gs_switch_upstream(struct gs_switch *sw, struct gs_upstream **out_up,
                                                struct gs_error *err);
/* Battery and heat (enum gs_switch_power_bit), as far as routes ask; a change is logged. */
unsigned gs_switch_strain(struct gs_switch *sw);
/* The call is done with: free it soon. */
void gs_switch_bury(struct gs_switch_call *c);
void gs_switch_call_destroy(struct gs_switch_call *c);
void gs_switch_generation_unref(struct gs_switch_generation *g);

/* ---- carry_on.c ---- */

/* Whether an answer to this is gone on with where it breaks off. */
bool gs_switch_may_carry_on(const struct gs_switch_call *c);
/* The leg is over, which led or was asked to go on: somebody else is asked to, or the answer is
 * complete as it is. False: nobody can; c->err says why it broke off. */
GS_MUST_CHECK bool gs_switch_carry_on(struct gs_switch_call *c, struct gs_switch_leg *leg);

/* ---- switch_call.c: what legs tell ---- */

bool gs_switch_call_is_local(const struct gs_switch_call *c, const struct gs_config_target *t);
/* Ask this target, perhaps to go on; `is_plain`: without an open turn. False: it could not be
 * asked, which is noted. */
GS_MUST_CHECK bool gs_switch_call_ask(struct gs_switch_call *c, const struct gs_config_target *t,
                                      bool continues, bool is_plain);
/* There may be one more attempt beyond this machine, of those since `from_us`. */
GS_MUST_CHECK bool gs_switch_call_may_ask(struct gs_switch_call *c, int64_t from_us);
/* To the client, as it is. */
void gs_switch_call_tell(struct gs_switch_leg *leg, const struct gs_event *ev, bool is_spelled);

/* Time for all attempts until the first token. */
int64_t gs_switch_budget_ms(const struct gs_switch_call *c);
void gs_switch_call_enter(struct gs_switch_call *c);
void gs_switch_call_leave(struct gs_switch_call *c);
/* An event, perhaps spelled by bytes that were told before it. */
void gs_switch_call_event(struct gs_switch_leg *leg, const struct gs_event *ev, bool is_spelled);
void gs_switch_call_bytes(struct gs_switch_leg *leg, struct gs_slice bytes);
/* Nobody else is there to answer if this leg does not. */
bool gs_switch_call_is_last(const struct gs_switch_leg *leg);
/* There is content: this leg leads, if none does yet. False: it does not, and is over. */
GS_MUST_CHECK bool gs_switch_call_lead(struct gs_switch_leg *leg);
void gs_switch_call_reply(struct gs_switch_leg *leg, const struct gs_switch_reply *reply);
void gs_switch_call_failed(struct gs_switch_leg *leg, enum gs_fault fault,
                           const struct gs_error *err);
/* The same, by an answer of its own, which is in leg->answer. */
void gs_switch_call_refused(struct gs_switch_leg *leg, enum gs_fault fault,
                            const struct gs_error *err);
/* The upstream's head is there. */
void gs_switch_call_reached(struct gs_switch_leg *leg);
/* No more of the leg for now. */
void gs_switch_call_paused(struct gs_switch_leg *leg);
/* The leg's answer is complete. */
void gs_switch_call_done(struct gs_switch_leg *leg);

#endif
