/* Pre-tokenizers: how a vocabulary of byte-pair encoding cuts text into the words inside which it
 * merges. Each is one regular expression, or several, each cutting what the one before left. */
#ifndef GS_TOKEN_PRETOKENIZE_H
#define GS_TOKEN_PRETOKENIZE_H

#include <stdbool.h>

#include "genset/slice.h"
#include "genset/status.h"

struct gs_token_splitter;

/* What a vocabulary with this pre-tokenizer does besides. */
struct gs_token_pre_traits {
    bool add_bos;        /* unless the file says otherwise */
    bool whole_words;    /* a word that is a token is not merged together */
    bool spelled_spaces; /* U+2581 for a space and <0xXX> for bytes, instead of the byte alphabet */
};

/* The pre-tokenizer `name` (tokenizer.ggml.pre). errors: GS_EUNSUPPORTED (by name), GS_ENOMEM. */
GS_MUST_CHECK enum gs_status gs_token_splitter_create(struct gs_slice name,
                                                      struct gs_token_splitter **out_splitter,
                                                      struct gs_token_pre_traits *out_traits,
                                                      struct gs_error *err);
void gs_token_splitter_free(struct gs_token_splitter *s);

typedef enum gs_status gs_token_word_fn(void *ctx, struct gs_slice word);

/* Call on_word for every word of `text`, in order; together they are the text. Stops at the first
 * failure of on_word and returns it. thread: any number at once. */
GS_MUST_CHECK enum gs_status gs_token_split(const struct gs_token_splitter *s, struct gs_slice text,
                                            gs_token_word_fn *on_word, void *ctx,
                                            struct gs_error *err);

#endif
