/* The inside of a tokenizer, shared by the files of this room.
 *
 *     token.c        creation, accessors
 *     encode.c       encoding: the text between special tokens goes to one of the next four
 *     bpe.c spm.c wordpiece.c unigram.c
 *     vocab.c        the vocabulary's metadata, checked
 *     pretokenize.c  text to words (byte-pair encoding only)
 *     index.c spaces.c merge.c trie.c   what those are made of
 *     detok.c        ids to text */
#ifndef GS_TOKEN_TOKENIZER_H
#define GS_TOKEN_TOKENIZER_H

#include "base/buf.h"
#include "base/slice.h"
#include "token/index.h"
#include "token/merge.h"
#include "token/pretokenize.h"
#include "token/token.h"
#include "token/trie.h"

#define GS_TOKEN_SPACE              "\xE2\x96\x81" /* U+2581, how SentencePiece spells a space */
#define GS_TOKEN_MAX_SPELLING_BYTES ((size_t)4096)
#define GS_TOKEN_MAX_WORD_BYTES     ((size_t)4 << 20) /* longer words are cut: bounds the memory */

struct gs_token_job;

/* Append the ids of one fragment of text, never empty, without special tokens in it. */
typedef enum gs_status gs_token_encode_fn(struct gs_token_job *job, struct gs_slice fragment);

enum gs_token_attr {
    GS_TOKEN_ENDS_TURN = 1,
    GS_TOKEN_STRIPS_LEFT = 2,  /* swallows white space before it */
    GS_TOKEN_STRIPS_RIGHT = 4, /* and after it */
};

/* One merge of byte-pair encoding. */
struct gs_token_merge {
    int32_t left, right;
    int32_t id;
};

/* The merges by rank (some are of no use), and a hash table of ranks by the pair. */
struct gs_token_merges {
    struct gs_token_merge *rules;
    uint32_t *slots; /* rank + 1; 0 is free */
    uint64_t mask;   /* slots - 1 */
    uint64_t seed;
};

/* SentencePiece's compiled normalisation; see unigram.c. */
struct gs_token_charsmap {
    const uint8_t *nodes; /* n_nodes little-endian uint32, unaligned */
    size_t n_nodes;
    struct gs_slice replacements; /* zero-terminated strings */
};

struct gs_tokenizer {
    gs_token_encode_fn *encode;

    int32_t n_tokens;
    const struct gs_slice *spellings; /* [n_tokens], the file's */
    uint8_t *kinds;                   /* [n_tokens] enum gs_token_kind */
    uint8_t *attrs;                   /* [n_tokens] enum gs_token_attr */
    float *scores;                    /* [n_tokens], or NULL */
    char *bytes;                      /* what the tokens stand for, one after the other */
    uint32_t *byte_offs;              /* [n_tokens + 1] */
    struct gs_token_index by_spelling;
    int32_t bos, eos, unk, sep; /* -1: none */
    int32_t byte_ids[256];      /* token of a single byte, or -1 */
    uint16_t alphabet[256];     /* character that spells a byte in the byte alphabet */

    bool add_bos, add_eos, add_sep;
    bool space_prefix;     /* a space goes before text that begins or follows a special token */
    bool merge_spaces;     /* runs of white space become one */
    bool escape_spaces;    /* a space is spelled U+2581 */
    bool byte_level;       /* tokens are spelled in the byte alphabet */
    bool whole_words;      /* a word that is a token is not merged together */
    bool words_at_spaces;  /* no token goes on past a space: the text may be cut there */
    bool drop_first_space; /* in running text the first space is the model's, not the text's */
    bool lowercase, strip_accents;

    struct gs_token_trie specials; /* tokens found in the text before anything else */
    bool special_leads[256];       /* bytes one of them begins with */

    struct gs_token_splitter *splitter; /* BPE */
    struct gs_token_merges merges;      /* BPE */
    struct gs_token_trie pieces;        /* WordPiece, Unigram */
    struct gs_token_charsmap charsmap;  /* Unigram */
    float unknown_score;                /* Unigram */
};

/* One call of gs_token_encode(). */
struct gs_token_job {
    const struct gs_tokenizer *t;
    struct gs_token_ids *out;
    struct gs_error *err;
    bool after_special; /* the fragment begins the text or follows a special token */
    struct gs_buf text; /* the fragment, rewritten */
    struct gs_buf word;
    struct gs_token_merger merger;
    struct gs_slice merging; /* the word in the merger */
};

/* Everything the metadata says about tokens. `t` knows its model's defaults. */
enum gs_status gs_token_vocab_load(struct gs_tokenizer *t, const struct gs_gguf *f,
                                   struct gs_error *err);
/* Id of a spelling that plain text may become (not a control, unknown or byte token), or -1. */
int32_t gs_token_plain(const struct gs_tokenizer *t, struct gs_slice text);

/* Read what one model needs besides the vocabulary. */
enum gs_status gs_token_bpe_load(struct gs_tokenizer *t, const struct gs_gguf *f,
                                 struct gs_error *err);
enum gs_status gs_token_wordpiece_load(struct gs_tokenizer *t, const struct gs_gguf *f,
                                       struct gs_error *err);
enum gs_status gs_token_unigram_load(struct gs_tokenizer *t, const struct gs_gguf *f,
                                     struct gs_error *err);

gs_token_encode_fn gs_token_bpe_encode;
gs_token_encode_fn gs_token_spm_encode;
gs_token_encode_fn gs_token_wordpiece_encode;
gs_token_encode_fn gs_token_unigram_encode;

/* ---- for the encoders ---- */

/* Append an id; -1 is passed over. */
enum gs_status gs_token_job_put(struct gs_token_job *job, int32_t id);
/* The unknown token, once for any number of them in a row after out->ids[from]. */
enum gs_status gs_token_job_put_unknown(struct gs_token_job *job, size_t from);
/* Merge one word by `pair` and append what remains; pair's ctx is the job. */
enum gs_status gs_token_job_merge(struct gs_token_job *job, struct gs_slice word,
                                  gs_token_pair_fn *pair);
/* Does no token go on past a space, so that text may be cut there? */
bool gs_token_words_end_at_spaces(const struct gs_tokenizer *t);
/* Append to `b` with every space as U+2581. */
void gs_token_escape_spaces(struct gs_buf *b, struct gs_slice text);
/* Cut the next word off *rest, which is not empty: at the next space if tokens allow that, and in
 * any case at GS_TOKEN_MAX_WORD_BYTES. Spaces are spelled U+2581. */
struct gs_slice gs_token_next_word(const struct gs_tokenizer *t, struct gs_slice *rest);

/* Unicode's White_Space property. */
bool gs_token_is_space(uint32_t cp);
/* The byte of a character of the byte alphabet, or -1. Printable Latin-1 stands for itself, the
 * other bytes, in order, for U+0100 and on (GPT-2, encoder.py). */
int gs_token_alphabet_byte(uint32_t cp);

#endif
