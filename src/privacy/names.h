/* Placeholders: [REDACTED_EMAIL_1]. Letters, digits and '_' survive in code, addresses and JSON,
 * and models copy them as they are. The word is another (REDACTED2) where a body has such ones
 * already. */
#ifndef GS_PRIVACY_NAMES_H
#define GS_PRIVACY_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "privacy/privacy.h"

#define GS_PRIVACY_MAX_WORDS  64      /* words to choose from */
#define GS_PRIVACY_MAX_DIGITS 9       /* of a placeholder's number */
#define GS_PRIVACY_MAX_NAMES  1000000 /* in one body */
#define GS_PRIVACY_STEM       "REDACTED"

struct gs_privacy_names {
    struct gs_buf bytes;     /* of all values */
    struct gs_slice *values; /* by detector, then number */
    size_t n;
    size_t first[GS_PRIVACY_DETECTORS + 1]; /* of `values`: where a detector's begin */
    char word[16];                          /* "REDACTED", "REDACTED2" */
};

/* "EMAIL" */
const char *gs_privacy_names_kind(enum gs_detector d);
void gs_privacy_names_write(const struct gs_privacy_names *names, enum gs_detector d, size_t number,
                            struct gs_buf *b);

/* Any placeholder at text[at...], as a model may spell it: the number of its word (REDACTED: 1),
 * its detector and its own number; and the end of it. */
bool gs_privacy_names_read(struct gs_slice text, size_t at, unsigned *out_word,
                           enum gs_detector *out_d, size_t *out_number, size_t *out_end);

enum gs_privacy_match { GS_PRIVACY_NO_MATCH, GS_PRIVACY_PART, GS_PRIVACY_MATCH };

/* Does a placeholder stand at text[at...]? *out_len bytes are replaced by *out_value. Text, and
 * calls' arguments: also in the wrong case, without its brackets where no word goes on, and with
 * the backslashes of Markdown; reasoning: exactly, because it may be signed. PART: more of the text
 * has to be known, and `is_end` is not set. */
enum gs_privacy_match gs_privacy_names_match(const struct gs_privacy_names *names,
                                             enum gs_block_kind kind, struct gs_slice text,
                                             size_t at, char before, bool is_end, size_t *out_len,
                                             struct gs_slice *out_value);

#endif
