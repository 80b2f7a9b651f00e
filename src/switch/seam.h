/* The seam: where an answer that was asked for once more meets the text that the client has of the
 * first one. What is said again is taken away, what follows is told. Pure.
 *
 * Who was asked to repeat the end and to go on (an anchor) seldom does it to the letter: white
 * space and quotes are taken for the same, a few characters before the anchor are passed over, a
 * shorter or longer piece will do, and whoever begins from the start is followed. What does not
 * come to the point within GS_SEAM_HOLD characters has begun something else.
 *
 *     gs_seam_init(&s, GS_SEAM_ANCHOR, had, stops, n_stops);
 *     for each piece: if (gs_seam_feed(&s, piece, &fresh) == GS_SEAM_JOINED) ... tell `fresh` ...
 *     gs_seam_end(&s, false, &fresh); */
#ifndef GS_SWITCH_SEAM_H
#define GS_SWITCH_SEAM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "genset/slice.h"

#define GS_SEAM_HOLD         240 /* characters, of which nothing was told yet */
#define GS_SEAM_ANCHOR_CHARS 40
#define GS_SEAM_SURE         24 /* nobody says so much again by chance */

enum gs_seam_kind {
    GS_SEAM_OPEN,    /* it got the text as its own open turn, and what it says goes on with it */
    GS_SEAM_TRIMMED, /* the same, without the white space at the end */
    GS_SEAM_GUESSED, /* the same, if it knows of such a thing: else it begins from the start; of
                        a text of GS_SEAM_SURE bytes at least */
    GS_SEAM_ANCHOR,  /* it was asked to repeat the end and to go on */
    GS_SEAM_SKIP,    /* it was asked as the first one was, and has to say the same */
};
const char *gs_seam_word(enum gs_seam_kind k); /* "prefill", "anchor", "skip" */

enum gs_seam_state {
    GS_SEAM_WAITS,   /* not known yet */
    GS_SEAM_JOINED,  /* it goes on from where the client is */
    GS_SEAM_STOPPED, /* a stop sequence lies across the seam: there is no more to say */
    GS_SEAM_APART,   /* it says something else */
};

struct gs_seam {
    enum gs_seam_kind kind;
    enum gs_seam_state state;
    struct gs_slice had; /* not looked at any more once JOINED */
    const struct gs_slice *stops;
    size_t n_stops;
    struct gs_buf said;   /* as long as it waits */
    size_t n_same;        /* bytes of it, from the start, that are those of `had` */
    struct gs_slice stop; /* STOPPED: this one */
};

/* `had` and `stops` are borrowed. */
void gs_seam_init(struct gs_seam *s, enum gs_seam_kind kind, struct gs_slice had,
                  const struct gs_slice *stops, size_t n_stops);
void gs_seam_clear(struct gs_seam *s);
/* More of what is said. JOINED: *out_fresh (perhaps empty) is new to the client, and valid until
 * the next call. Out of memory is APART. */
enum gs_seam_state gs_seam_feed(struct gs_seam *s, struct gs_slice text,
                                struct gs_slice *out_fresh);
/* There is no more; `is_stopped`: because of a stop sequence, which is not told. Never WAITS. */
enum gs_seam_state gs_seam_end(struct gs_seam *s, bool is_stopped, struct gs_slice *out_fresh);

/* The end of `had` that an anchor repeats: about GS_SEAM_ANCHOR_CHARS characters, from the begin of
 * a word if there is one nearby, without white space behind. Empty: there is nothing but that. */
struct gs_slice gs_seam_anchor(struct gs_slice had);

#endif
