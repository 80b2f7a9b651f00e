/* Tokenizers: text to token ids and back, as the vocabulary in a GGUF file prescribes.
 *
 * A tokenizer is immutable after creation and may be shared by threads. */
#ifndef GS_TOKEN_TOKEN_H
#define GS_TOKEN_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "genset/slice.h"
#include "genset/status.h"

struct gs_gguf;
struct gs_tokenizer;

enum gs_token_flags {
    GS_TOKEN_ADD_SPECIAL = 1,
    GS_TOKEN_PARSE_SPECIAL = 2,
    GS_TOKEN_GOES_ON = 4, /* the text goes on where that of *out ends */
};

/* tokenizer.ggml.token_type */
enum gs_token_kind {
    GS_TOKEN_NORMAL = 1,
    GS_TOKEN_UNKNOWN = 2,
    GS_TOKEN_CONTROL = 3,
    GS_TOKEN_USER_DEFINED = 4,
    GS_TOKEN_UNUSED = 5,
    GS_TOKEN_BYTE = 6,
};

/* A growing list of ids, owned by the caller; zero-initialise, release with gs_token_ids_clear. */
struct gs_token_ids {
    int32_t *ids;
    size_t len, cap;
};

/* Build from the vocabulary of `f`, which must outlive it (token texts are borrowed).
 * errors: GS_EUNSUPPORTED (tokenizer model or pre-tokenizer we do not have, by name), GS_EFORMAT,
 *         GS_ENOTFOUND (the file carries no vocabulary), GS_ENOMEM. */
GS_MUST_CHECK enum gs_status gs_token_create(const struct gs_gguf *f, struct gs_tokenizer **out_tok,
                                             struct gs_error *err);
void gs_token_free(struct gs_tokenizer *t);

/* Append the ids of `text` to *out. errors: GS_ENOMEM, GS_ELIMIT; *out as before. */
GS_MUST_CHECK enum gs_status gs_token_encode(const struct gs_tokenizer *t, struct gs_slice text,
                                             unsigned flags, struct gs_token_ids *out,
                                             struct gs_error *err);
void gs_token_ids_clear(struct gs_token_ids *ids);

int32_t gs_token_vocab_len(const struct gs_tokenizer *t);
/* Special ids, -1 where the vocabulary has none. */
int32_t gs_token_bos(const struct gs_tokenizer *t);
int32_t gs_token_eos(const struct gs_tokenizer *t);
/* True for every token that ends a turn: EOS, EOT, and the well-known ones by text
 * ("<|im_end|>", "<|eot_id|>", "<end_of_turn>", "<|end|>"...). */
bool gs_token_is_end(const struct gs_tokenizer *t, int32_t id);
enum gs_token_kind gs_token_kind_of(const struct gs_tokenizer *t, int32_t id);
/* Id of the token spelled `text` in the vocabulary, or -1. */
int32_t gs_token_find(const struct gs_tokenizer *t, struct gs_slice text);
/* Text as spelled in the vocabulary. Empty for a bad id. */
struct gs_slice gs_token_spelling(const struct gs_tokenizer *t, int32_t id);
/* Bytes the token stands for in running text (control tokens: their spelling). Borrowed. */
struct gs_slice gs_token_bytes(const struct gs_tokenizer *t, int32_t id);

/* ---- streaming ---- */

/* Turns ids into text piece by piece, never emitting half a character. Embedded by value. */
struct gs_detok {
    const struct gs_tokenizer *t;
    char held[8]; /* an unfinished character */
    size_t n_held;
    bool at_start;     /* nothing written yet: SentencePiece drops the first space */
    bool with_control; /* write control tokens too (the answer parser wants them) */
};

void gs_detok_init(struct gs_detok *d, const struct gs_tokenizer *t, bool with_control);
/* Append the text that `id` completes to b. */
void gs_detok_feed(struct gs_detok *d, int32_t id, struct gs_buf *b);
/* End: what is held becomes U+FFFD. */
void gs_detok_finish(struct gs_detok *d, struct gs_buf *b);

#endif
