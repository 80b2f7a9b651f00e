/* The words of what can be wrong with an answer; several at once are put together by '+'.
 *
 * before the answer's head
 *   reset, eof             the connection is reset, ended    reset-reused, eof-reused   of its 2nd
 *   silent                 nothing comes                        request and those after it
 *   noise                  what comes is not HTTP            eof-idle   after the answer, unsaid
 *   interim                100 and 103 come first
 *   portal                 200, a web page                   redirect-PORT  307 to 127.0.0.1:PORT
 * the head
 *   STATUS[-WHAT][-WAIT]   WHAT: quota, context, policy, provider, model, prefill, html, empty,
 *                          retry-no; WAIT: retry-after-S, retry-date-S, retry-ms-N, retry-xms-N
 *   long-length, short-length   Content-Length says 100 more, less, than there is
 *   unframed               the body ends with the connection
 * nothing in it
 *   zero, zero-cut, error-first, error-open, failed, empty, no-choices, think-only
 * after n frames with content
 *   cut, end, rst, stall, hold, error, rate, finish-error, malformed, giant, loop, comments, pings,
 *   drip (slower than anybody reads), rename   each followed by -after-N
 * the whole of it
 *   split, crlf, remarks, multiline, no-done, two-dones, no-usage, usage-each, length, trailing
 *   letters                a frame for each, of texts
 * where it is asked to go on
 *   no-prefill             an assistant message at the end is refused
 *   new-turn               it is none that is open: the answer begins from the start
 *   anchor-quoted, anchor-led, anchor-short, anchor-long, anchor-sorry, anchor-anew
 *                          how it repeats what it was asked to repeat: "sorry" does not, "anew"
 *                          begins from the start */
#ifndef GS_TESTS_FAKE_FAULT_H
#define GS_TESTS_FAKE_FAULT_H

#include <stdbool.h>

#include "genset/slice.h"

enum fake_connection {
    FAKE_CONNECTION_FINE,
    FAKE_CONNECTION_RESET,
    FAKE_CONNECTION_EOF,
    FAKE_CONNECTION_SILENT,
    FAKE_CONNECTION_NOISE,
    FAKE_CONNECTION_EOF_IDLE,
};

enum fake_refusal {
    FAKE_REFUSAL_PLAIN,
    FAKE_REFUSAL_QUOTA,
    FAKE_REFUSAL_CONTEXT,
    FAKE_REFUSAL_POLICY,
    FAKE_REFUSAL_PROVIDER,
    FAKE_REFUSAL_MODEL,
    FAKE_REFUSAL_PREFILL,
    FAKE_REFUSAL_HTML,
    FAKE_REFUSAL_EMPTY,
    FAKE_REFUSAL_RETRY_NO,
};

enum fake_wait { FAKE_WAIT_UNSAID, FAKE_WAIT_SECONDS, FAKE_WAIT_DATE, FAKE_WAIT_MS, FAKE_WAIT_XMS };

enum fake_content {
    FAKE_CONTENT_WHOLE,
    FAKE_CONTENT_ZERO,
    FAKE_CONTENT_ZERO_CUT,
    FAKE_CONTENT_ERROR_FIRST,
    FAKE_CONTENT_ERROR_OPEN,
    FAKE_CONTENT_FAILED,
    FAKE_CONTENT_EMPTY,
    FAKE_CONTENT_NO_CHOICES,
    FAKE_CONTENT_THINK_ONLY,
};

enum fake_break {
    FAKE_BREAK_NONE,
    FAKE_BREAK_CUT,
    FAKE_BREAK_BARE, /* the same, without the last byte of the last event */
    FAKE_BREAK_HALF, /* the same, with half of the next event */
    FAKE_BREAK_END,
    FAKE_BREAK_RST,
    FAKE_BREAK_STALL,
    FAKE_BREAK_HOLD,
    FAKE_BREAK_ERROR,
    FAKE_BREAK_RATE,
    FAKE_BREAK_FINISH_ERROR,
    FAKE_BREAK_MALFORMED,
    FAKE_BREAK_GIANT,
    FAKE_BREAK_LOOP,
    FAKE_BREAK_COMMENTS,
    FAKE_BREAK_PINGS,
    FAKE_BREAK_DRIP,
    FAKE_BREAK_RENAME,
};

enum fake_anchor {
    FAKE_ANCHOR_EXACT,
    FAKE_ANCHOR_QUOTED,
    FAKE_ANCHOR_LED,
    FAKE_ANCHOR_SHORT,
    FAKE_ANCHOR_LONG,
    FAKE_ANCHOR_SORRY,
    FAKE_ANCHOR_ANEW,
};

enum fake_manner {
    FAKE_MANNER_SPLIT = 1 << 0,
    FAKE_MANNER_CRLF = 1 << 1,
    FAKE_MANNER_REMARKS = 1 << 2,
    FAKE_MANNER_MULTILINE = 1 << 3,
    FAKE_MANNER_NO_DONE = 1 << 4,
    FAKE_MANNER_TWO_DONES = 1 << 5,
    FAKE_MANNER_NO_USAGE = 1 << 6,
    FAKE_MANNER_USAGE_EACH = 1 << 7,
    FAKE_MANNER_LENGTH = 1 << 8,
    FAKE_MANNER_TRAILING = 1 << 9,
    FAKE_MANNER_INTERIM = 1 << 10,
    FAKE_MANNER_PORTAL = 1 << 11,
    FAKE_MANNER_UNFRAMED = 1 << 12,
    FAKE_MANNER_REUSED = 1 << 13, /* `connection` hits only a connection's 2nd request and later */
    FAKE_MANNER_LONG = 1 << 14,
    FAKE_MANNER_SHORT = 1 << 15,
    FAKE_MANNER_NO_PREFILL = 1 << 16,
    FAKE_MANNER_NEW_TURN = 1 << 17,
    FAKE_MANNER_LETTERS = 1 << 18,
};

struct fake_fault {
    enum fake_connection connection;
    int status; /* 0: 200 */
    int redirect_port;
    enum fake_refusal refusal;
    enum fake_wait wait;
    int wait_n;
    enum fake_content content;
    enum fake_break broken;
    enum fake_anchor anchor;
    int after;
    unsigned manners;
};

/* Read one request's words ("crlf+cut-after-3"). False: there is a word that is none. */
bool fake_fault_read(struct gs_slice words, struct fake_fault *out);
/* The words of attempt n (from 0) in "500,429;ok" for a provider of this place. */
struct gs_slice fake_fault_of_attempt(struct gs_slice script, int place, int n);

#endif
