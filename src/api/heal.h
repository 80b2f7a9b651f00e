/* Token healing. A text that breaks off anywhere ends in tokens that the model would not have
 * written: half a word is other tokens than the beginning of the word's. So the last word is taken
 * back, and the model writes it again, held to its bytes until they are used up. */
#ifndef GS_API_HEAL_H
#define GS_API_HEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "chat/prompt.h"
#include "genset/slice.h"
#include "genset/status.h"
#include "token/token.h"

#define GS_HEAL_BYTES  64 /* taken back at most */
#define GS_HEAL_TOKENS 8

struct gs_heal {
    const struct gs_tokenizer *tok;
    const struct gs_prompt_traits *traits;
    int32_t tokens[GS_HEAL_TOKENS]; /* that were taken back */
    size_t n_tokens;
    char bytes[GS_HEAL_BYTES]; /* theirs, whole characters */
    size_t n, at;              /* bytes, and how many are written again */
    uint64_t leads;            /* bit i: from byte i on, tokens lead to the end */
    uint64_t *mask;            /* [n_words] */
    size_t n_words;
    int64_t n_again; /* tokens that wrote nothing else */
};

/* Take the last word back from *ids, but nothing of the first `floor` tokens. Then h->n says how
 * much, 0 if nothing. errors: GS_ENOMEM. */
GS_MUST_CHECK enum gs_status gs_heal_begin(struct gs_heal *h, const struct gs_tokenizer *tok,
                                           const struct gs_prompt_traits *traits,
                                           struct gs_token_ids *ids, size_t floor,
                                           struct gs_error *err);
void gs_heal_clear(struct gs_heal *h);

static inline bool gs_heal_goes_on(const struct gs_heal *h)
{
    return h->at < h->n;
}

/* Whether what follows the healed text may begin with `text`, not empty. */
typedef bool gs_heal_allows(void *ud, struct gs_slice text);

/* NULL if the token that was drawn may come; else the tokens that may. */
const uint64_t *gs_heal_mask(struct gs_heal *h, int32_t drawn, gs_heal_allows *allows, void *ud);
/* This token was chosen. What it writes beyond the healed text; may be empty. */
struct gs_slice gs_heal_accept(struct gs_heal *h, int32_t id);

#endif
