/* What the detectors share. A text is gone through once: three tables of 256 entries say whether
 * three bytes in a row may begin something, and of which of 64 groups; the group's function looks
 * closer. Each of them reads a bounded number of bytes or what it then passes over, so that hostile
 * text costs linear time as well.
 *
 * Texts hold texts of other formats: an escape such as \n in front of a word does not belong to it.
 */
#ifndef GS_PRIVACY_SCAN_H
#define GS_PRIVACY_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "genset/slice.h"
#include "privacy/names.h"

#define GS_PRIVACY_GROUPS 64

struct gs_privacy_hit {
    size_t begin, end; /* in the text; never in the middle of a character */
    enum gs_detector detector;
};

struct gs_privacy_scan;

/* Look at text[at...], which has the first three bytes of the group: where to go on, which is
 * behind what was found; at + 1 where nothing was. */
typedef size_t gs_privacy_look_fn(struct gs_privacy_scan *s, size_t at);

struct gs_privacy_scan {
    uint64_t first[256], second[256], third[256]; /* bits of groups */
    gs_privacy_look_fn *look[GS_PRIVACY_GROUPS];
    size_t n_groups;
    uint8_t first_prefix[256]; /* scan_keys.c: of those with that first byte */
    unsigned wanted;           /* 1 << detector */
    struct gs_buf *hits;       /* of struct gs_privacy_hit */
    struct gs_slice text;
    size_t floor; /* what is before is spoken for */
    /* placeholders there are already: by their word's number - 1 the smallest of a detector, 0:
     * none */
    uint32_t taken[GS_PRIVACY_MAX_WORDS][GS_PRIVACY_DETECTORS];
    size_t run_begin, run_end; /* of the last run of word bytes that was measured */
};

/* Look for what `wanted` has the bits of. */
void gs_privacy_scan_init(struct gs_privacy_scan *s, unsigned wanted);
/* Append what a text has to `hits`, nearly in the order of where it begins. `key` is the name of
 * the member that the whole text is the value of, or empty. */
void gs_privacy_scan_text(struct gs_privacy_scan *s, struct gs_slice text, struct gs_slice key,
                          struct gs_buf *hits);

/* ---- for detectors ---- */

/* A new group; the bytes that it may begin with are given as texts. */
void gs_privacy_scan_group(struct gs_privacy_scan *s, gs_privacy_look_fn *look, const char *first,
                           const char *second, const char *third);
/* More bytes for the newest group. */
void gs_privacy_scan_widen(struct gs_privacy_scan *s, const char *first, const char *second,
                           const char *third);
static inline bool gs_privacy_scan_wants(const struct gs_privacy_scan *s, enum gs_detector d)
{
    return (s->wanted >> d & 1) != 0;
}
/* Note a hit; its end. */
size_t gs_privacy_scan_hit(struct gs_privacy_scan *s, size_t begin, size_t end, enum gs_detector d);

/* Classes of bytes. */
enum {
    GS_PRIVACY_UPPER = 1,
    GS_PRIVACY_LOWER = 2,
    GS_PRIVACY_DIGIT = 4,
    GS_PRIVACY_HEX = 8,    /* 0-9 a-f A-F */
    GS_PRIVACY_DASH = 16,  /* - _ */
    GS_PRIVACY_PLUS = 32,  /* + / = */
    GS_PRIVACY_SPACE = 64, /* space \t \n \r */
    GS_PRIVACY_DOT = 128,  /* . */
    GS_PRIVACY_LETTER = GS_PRIVACY_UPPER | GS_PRIVACY_LOWER,
    GS_PRIVACY_ALNUM = GS_PRIVACY_LETTER | GS_PRIVACY_DIGIT,
    GS_PRIVACY_WORD = GS_PRIVACY_ALNUM | GS_PRIVACY_DASH,
};
extern const uint8_t gs_privacy_class[256];

static inline bool gs_privacy_is(char c, unsigned classes)
{
    return (gs_privacy_class[(unsigned char)c] & classes) != 0;
}
/* The byte at `at`, or 0 beyond the text. */
static inline char gs_privacy_at(const struct gs_privacy_scan *s, size_t at)
{
    return at < s->text.len ? s->text.ptr[at] : '\0';
}
bool gs_privacy_has(const struct gs_privacy_scan *s, size_t at, const char *what);
/* The same, whatever the case; `what` is lower case. */
bool gs_privacy_has_any_case(const struct gs_privacy_scan *s, size_t at, const char *what);
/* Behind the bytes of these classes that stand at `at`, but no further than `max` of them. */
size_t gs_privacy_skip(const struct gs_privacy_scan *s, size_t at, unsigned classes, size_t max);
/* Behind the run of word bytes that `at` is in; however often it is asked about one run. */
size_t gs_privacy_word_end(struct gs_privacy_scan *s, size_t at);
/* Does a word begin at `at`: after no letter or digit, but for the one of an escape such as \n? */
bool gs_privacy_begins_word(const struct gs_privacy_scan *s, size_t at);
/* Behind an escape's letter at `at`, or `at`. */
size_t gs_privacy_past_escape(const struct gs_privacy_scan *s, size_t at);

/* Made by chance, as keys are, and not of words or a pattern? */
bool gs_privacy_is_random(struct gs_slice s);
/* At least so many different bytes. */
bool gs_privacy_is_varied(struct gs_slice s, size_t n);
/* Stands for a secret without being one: ${VAR}, <password>, xxx, changeme. */
bool gs_privacy_is_placeholder(struct gs_slice s);

/* ---- the detectors: put their groups into the tables ---- */

void gs_privacy_scan_keys(struct gs_privacy_scan *s);
void gs_privacy_scan_words(struct gs_privacy_scan *s);
void gs_privacy_scan_numbers(struct gs_privacy_scan *s);
void gs_privacy_scan_mail(struct gs_privacy_scan *s);
/* The value of a member by its name; true: it was a hit. scan_words.c */
bool gs_privacy_scan_member(struct gs_privacy_scan *s, struct gs_slice key);

#endif
