/* Hearing answers: what the clients of all APIs share. Private to dialect/.
 *
 * Blocks follow each other, so whoever hears one only says what it is about: what is open and
 * something else is ended first. */
#ifndef GS_DIALECT_HEARING_H
#define GS_DIALECT_HEARING_H

#include "dialect/client.h"
#include "json/json.h"

/* Zeroed before the first frame. */
struct gs_dialect_heard {
    /* of the call under way */
    gs_event_fn *on_event;
    void *ud;
    enum gs_fault *out_fault;
    struct gs_error *err;
    enum gs_dialect_effect effect; /* so far */
    struct gs_arena *a;            /* for what is read */

    struct gs_arena frame; /* what of a frame is read */
    bool has_frame;        /* there was one with data */
    bool has_started;
    bool has_block; /* one is open: */
    enum gs_block_kind block;
    bool is_custom;    /* that call's arguments are the text `input` */
    uint32_t n_blocks; /* begun */
    bool has_said;     /* text, or a call */
    bool is_finished;  /* why the answer ends is known */
    bool is_over;      /* STOP was emitted, or it failed */
    bool has_failed;
    enum gs_stop_reason stop;
    struct gs_buf stop_sequence;
    struct gs_usage usage;
    int64_t n_sent; /* events of the API, where it counts them */
    bool has_told;  /* something of what is heard now */
};

/* A frame, or the end, is to be heard. */
void gs_dialect_hear_open(struct gs_dialect_heard *h, gs_event_fn *on_event, void *ud,
                          enum gs_fault *out_fault, struct gs_error *err);
void gs_dialect_hear_clear(struct gs_dialect_heard *h);

/* Failures: the effect is FAILED from then on. */
void gs_dialect_hear_fail(struct gs_dialect_heard *h, enum gs_fault fault, enum gs_status st,
                          const char *fmt, ...) GS_PRINTF(4, 5);
/* By what holds an error, or is one. */
void gs_dialect_hear_error(struct gs_dialect_heard *h, const struct gs_json *v);
/* A JSON object; false: it is none, the answer has failed. */
bool gs_dialect_hear_object(struct gs_dialect_heard *h, struct gs_slice data, struct gs_json *out);

/* START, once, as the answer or the response is named in `v`. */
void gs_dialect_hear_start(struct gs_dialect_heard *h, const struct gs_json *v);
/* BEGIN of ev->block, with what else of it is set. */
void gs_dialect_hear_begin(struct gs_dialect_heard *h, struct gs_event ev);
/* The call just begun is a custom tool's: its deltas are a text. */
void gs_dialect_hear_custom(struct gs_dialect_heard *h);
/* More of the open block. */
void gs_dialect_hear_delta(struct gs_dialect_heard *h, struct gs_slice text,
                           const struct gs_json *logprobs);
/* A call's arguments, which some servers send as a text and some as the object they are; in the
 * arena. */
struct gs_slice gs_dialect_hear_args(struct gs_dialect_heard *h, const struct gs_json *args);
/* What holds the text of the open block was opened. */
void gs_dialect_hear_opened(struct gs_dialect_heard *h);
/* The part of the reasoning that is told has ended, or the next one begins, with an empty line. */
void gs_dialect_hear_gap(struct gs_dialect_heard *h, bool begins);
/* An event that tells nothing is counted too. */
void gs_dialect_hear_silence(struct gs_dialect_heard *h);
/* More of a text or a reasoning, which begins with it if another block is open. */
void gs_dialect_hear_text(struct gs_dialect_heard *h, enum gs_block_kind kind, struct gs_slice text,
                          const struct gs_json *logprobs);
/* END, if a block is open. */
void gs_dialect_hear_end(struct gs_dialect_heard *h, struct gs_slice signature, bool is_whole);
/* An item that is no block comes now. */
void gs_dialect_hear_pass(struct gs_dialect_heard *h);
/* The end of the last block and STOP. */
void gs_dialect_hear_stop(struct gs_dialect_heard *h);
/* The body ended here. */
enum gs_dialect_effect gs_dialect_hear_cut(struct gs_dialect_heard *h);

/* A count that `v` has, cut so that sums of many fit; what is none leaves *out alone. */
void gs_dialect_hear_count(const struct gs_json *v, const char *key, int64_t *out);
/* "usage" in the words of both APIs, and of servers that count caches elsewhere. */
void gs_dialect_hear_usage(struct gs_dialect_heard *h, const struct gs_json *usage);

#endif
