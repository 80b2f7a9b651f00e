/* Tiny vocabularies of every tokenizer model, as GGUF files, and with edits, so that a test can say
 * "the same vocabulary, but without scores". */
#ifndef GS_TESTS_TINY_VOCAB_H
#define GS_TESTS_TINY_VOCAB_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/slice.h"
#include "gguf/gguf_write.h"
#include "token/token.h"

#define VOCAB_KEY(name) "tokenizer.ggml." name
#define VOCAB_MAX       512
#define SP              "\xE2\x96\x81" /* a space as SentencePiece spells it */

enum vocab_model {
    VOCAB_BPE,
    VOCAB_SPM,
    VOCAB_WORDPIECE,
    VOCAB_UNIGRAM,
    VOCAB_GEMMA4,
    VOCAB_MODELS
};

enum vocab_action {
    VOCAB_DROP,
    VOCAB_U32,
    VOCAB_BOOL,
    VOCAB_STRING,
    VOCAB_U32S,
    VOCAB_F32S,
    VOCAB_STRINGS,
    VOCAB_U8S
};

/* What to do with a key of tokenizer.ggml (without that), or add one. */
struct vocab_edit {
    const char *key;
    enum vocab_action action;
    uint32_t value; /* of each item */
    size_t n;       /* items of an array */
    const char *text;
    const void *data; /* VOCAB_U8S */
};

struct vocab {
    struct gs_gguf_writer *w;
    const struct vocab_edit *edits;
    size_t n_edits;
    char texts[VOCAB_MAX][24];
    struct gs_slice spellings[VOCAB_MAX];
    int32_t kinds[VOCAB_MAX];
    float scores[VOCAB_MAX];
    size_t n;
};

static inline const struct vocab_edit *vocab_find(const struct vocab *v, const char *key)
{
    for (size_t i = 0; i < v->n_edits; i++)
        if (strcmp(v->edits[i].key, key) == 0)
            return &v->edits[i];
    return NULL;
}

static inline void vocab_apply(struct vocab *v, const struct vocab_edit *e)
{
    static uint32_t numbers[VOCAB_MAX];
    static float floats[VOCAB_MAX];
    static struct gs_slice texts[VOCAB_MAX];
    char key[128];

    snprintf(key, sizeof(key), VOCAB_KEY("%s"), e->key);
    for (size_t i = 0; i < e->n && e->action != VOCAB_U8S; i++) {
        numbers[i] = e->value;
        memcpy(&floats[i], &e->value, sizeof(floats[i]));
        texts[i] = gs_slice_str(e->text);
    }
    switch (e->action) {
    case VOCAB_DROP:
        break;
    case VOCAB_U32:
        gs_gguf_writer_u32(v->w, key, e->value);
        break;
    case VOCAB_BOOL:
        gs_gguf_writer_bool(v->w, key, e->value);
        break;
    case VOCAB_STRING:
        gs_gguf_writer_string(v->w, key, gs_slice_str(e->text));
        break;
    case VOCAB_U32S:
        gs_gguf_writer_array(v->w, key, GS_GGUF_U32, numbers, e->n);
        break;
    case VOCAB_F32S:
        gs_gguf_writer_array(v->w, key, GS_GGUF_F32, floats, e->n);
        break;
    case VOCAB_STRINGS:
        gs_gguf_writer_strings(v->w, key, texts, e->n);
        break;
    case VOCAB_U8S:
        gs_gguf_writer_array(v->w, key, GS_GGUF_U8, e->data, e->n);
        break;
    }
}

static inline void vocab_u32(struct vocab *v, const char *key, uint32_t value)
{
    if (!vocab_find(v, key))
        vocab_apply(v, &(struct vocab_edit){.key = key, .action = VOCAB_U32, .value = value});
}

static inline void vocab_string(struct vocab *v, const char *key, const char *text)
{
    if (!vocab_find(v, key))
        vocab_apply(v, &(struct vocab_edit){.key = key, .action = VOCAB_STRING, .text = text});
}

static inline void vocab_add(struct vocab *v, const char *text, enum gs_token_kind kind,
                             float score)
{
    snprintf(v->texts[v->n], sizeof(v->texts[v->n]), "%s", text);
    v->spellings[v->n] = gs_slice_str(v->texts[v->n]);
    v->kinds[v->n] = (int32_t)kind;
    v->scores[v->n] = score;
    v->n++;
}

static inline void vocab_add_pieces(struct vocab *v, const char *const *pieces, size_t n)
{
    for (size_t i = 0; i < n; i++)
        vocab_add(v, pieces[i], GS_TOKEN_NORMAL, -(float)(i + 1));
}

static inline void vocab_add_byte_tokens(struct vocab *v)
{
    for (unsigned b = 0; b < 256; b++) {
        char text[8];
        snprintf(text, sizeof(text), "<0x%02X>", b);
        vocab_add(v, text, GS_TOKEN_BYTE, 0);
    }
}

static inline void vocab_merges(struct vocab *v, const char *const *merges, size_t n)
{
    struct gs_slice rules[64];

    for (size_t i = 0; i < n; i++)
        rules[i] = gs_slice_str(merges[i]);
    if (!vocab_find(v, "merges"))
        gs_gguf_writer_strings(v->w, VOCAB_KEY("merges"), rules, n);
}

/* Ids 0 to 255 are the bytes. */
static inline void vocab_bpe(struct vocab *v)
{
    static const char *const merges[] = {
        "h e",          "l l", "he ll",          "hell o", "\xC4\xA0 w",        "o r",
        "\xC4\xA0w or", "l d", "\xC4\xA0wor ld", "no pe",  "\xC3\xB0 \xC5\x81",
    };
    static const char *const pieces[] = {
        "he", "ll",          "hell", "hello",         "\xC4\xA0w",
        "or", "\xC4\xA0wor", "ld",   "\xC4\xA0world", "\xC3\xB0\xC5\x81",
    };
    uint32_t shifted = 0x100;

    for (uint32_t b = 0; b < 256; b++) {
        const bool printable = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b != 0xAD);
        char text[5] = {0};
        gs_utf8_encode(printable ? b : shifted++, text);
        vocab_add(v, text, GS_TOKEN_NORMAL, 0);
    }
    vocab_add_pieces(v, pieces, GS_COUNT_OF(pieces));   /* 256.. */
    vocab_add(v, "<|endoftext|>", GS_TOKEN_CONTROL, 0); /* 266 */
    vocab_add(v, "<|im_end|>", GS_TOKEN_CONTROL, 0);
    vocab_add(v, "<tool>", GS_TOKEN_USER_DEFINED, 0); /* 268 */
    vocab_add(v, "<tool>s", GS_TOKEN_USER_DEFINED, 0);
    vocab_string(v, "model", "gpt2");
    vocab_string(v, "pre", "qwen2");
    vocab_u32(v, "bos_token_id", 266);
    vocab_u32(v, "eos_token_id", 266);
    vocab_merges(v, merges, GS_COUNT_OF(merges));
}

static inline void vocab_spm(struct vocab *v)
{
    static const char *const pieces[] = {
        SP "hello", SP "he", "llo", "ll", "he",       SP "h", SP "w", "or", SP,   "h",   "e",
        "l",        "o",     "w",   "r",  "\xC3\xA9", "<",    "s",    ">",  "<s", SP SP,
    };

    vocab_add(v, "<unk>", GS_TOKEN_UNKNOWN, 0);
    vocab_add(v, "<s>", GS_TOKEN_CONTROL, 0);
    vocab_add(v, "</s>", GS_TOKEN_CONTROL, 0);
    vocab_add_byte_tokens(v);                         /* 3.. */
    vocab_add_pieces(v, pieces, GS_COUNT_OF(pieces)); /* 259.. */
    vocab_add(v, "<tag>", GS_TOKEN_USER_DEFINED, 0);
    vocab_string(v, "model", "llama");
}

static inline void vocab_wordpiece(struct vocab *v)
{
    static const char *const pieces[] = {
        SP "hello", SP "un", "aff", "able", SP ",", SP "\xE4\xB8\xAD", SP "e", "e", SP "a",
    };

    vocab_add(v, "[PAD]", GS_TOKEN_CONTROL, 0);
    vocab_add(v, "[UNK]", GS_TOKEN_CONTROL, 0);
    vocab_add(v, "[CLS]", GS_TOKEN_CONTROL, 0);
    vocab_add(v, "[SEP]", GS_TOKEN_CONTROL, 0);
    vocab_add_pieces(v, pieces, GS_COUNT_OF(pieces)); /* 4.. */
    vocab_string(v, "model", "bert");
    vocab_u32(v, "cls_token_id", 2);
    vocab_u32(v, "seperator_token_id", 3);
    vocab_u32(v, "unknown_token_id", 1);
}

static inline void vocab_unigram(struct vocab *v)
{
    static const char *const pieces[] = {
        SP,   SP "hello", "h", "e",   "l",  "o",  "lo", SP "hel",
        "fi", "a",        "b", "abc", "bc", "xy", "x",  "yz",
    };

    vocab_add(v, "<pad>", GS_TOKEN_CONTROL, 0);
    vocab_add(v, "</s>", GS_TOKEN_CONTROL, 0);
    vocab_add(v, "<unk>", GS_TOKEN_UNKNOWN, 0);
    vocab_add_pieces(v, pieces, GS_COUNT_OF(pieces)); /* 3.. */
    vocab_string(v, "model", "t5");
    if (!vocab_find(v, "add_space_prefix"))
        gs_gguf_writer_bool(v->w, VOCAB_KEY("add_space_prefix"), true);
}

static inline void vocab_gemma4(struct vocab *v)
{
    static const char *const merges[] = {"h e", SP " he", "\n \n"};
    static const char *const pieces[] = {"h", "e", SP, "he", SP "he", "\n", "\n\n", "\n\n\n"};

    vocab_add(v, "<pad>", GS_TOKEN_CONTROL, 0);
    vocab_add(v, "<bos>", GS_TOKEN_CONTROL, 0);
    vocab_add_byte_tokens(v);                         /* 2.. */
    vocab_add_pieces(v, pieces, GS_COUNT_OF(pieces)); /* 258.. */
    vocab_string(v, "model", "gemma4");
    vocab_u32(v, "bos_token_id", 1);
    vocab_merges(v, merges, GS_COUNT_OF(merges));
}

static inline void vocab_fill(struct vocab *v, enum vocab_model model)
{
    switch (model) {
    case VOCAB_BPE:
        vocab_bpe(v);
        break;
    case VOCAB_SPM:
        vocab_spm(v);
        break;
    case VOCAB_WORDPIECE:
        vocab_wordpiece(v);
        break;
    case VOCAB_UNIGRAM:
        vocab_unigram(v);
        break;
    case VOCAB_GEMMA4:
        vocab_gemma4(v);
        break;
    case VOCAB_MODELS:
        break;
    }
    if (!vocab_find(v, "tokens"))
        gs_gguf_writer_strings(v->w, VOCAB_KEY("tokens"), v->spellings, v->n);
    if (!vocab_find(v, "token_type"))
        gs_gguf_writer_array(v->w, VOCAB_KEY("token_type"), GS_GGUF_I32, v->kinds, v->n);
    if (!vocab_find(v, "scores"))
        gs_gguf_writer_array(v->w, VOCAB_KEY("scores"), GS_GGUF_F32, v->scores, v->n);
    for (size_t i = 0; i < v->n_edits; i++)
        vocab_apply(v, &v->edits[i]);
}

/* Write the file; `name` is its general.name. */
static inline enum gs_status vocab_write(const char *path, enum vocab_model model, const char *name,
                                         const struct vocab_edit *edits, size_t n_edits)
{
    struct vocab *v = calloc(1, sizeof(*v));
    enum gs_status st = v ? gs_gguf_writer_create(&v->w, NULL) : GS_ENOMEM;

    if (st == GS_OK) {
        v->edits = edits;
        v->n_edits = n_edits;
        gs_gguf_writer_string(v->w, "general.architecture", GS_SLICE_LIT("llama"));
        gs_gguf_writer_string(v->w, "general.name", gs_slice_str(name));
        vocab_fill(v, model);
        st = gs_gguf_writer_begin(v->w, path, NULL);
    }
    if (st == GS_OK)
        st = gs_gguf_writer_end(v->w, NULL);
    if (v)
        gs_gguf_writer_free(v->w);
    free(v);
    return st;
}

/* Open it; the file has no name by then. */
static inline struct gs_gguf *vocab_open(enum vocab_model model, const char *name,
                                         const struct vocab_edit *edits, size_t n_edits)
{
    char path[] = "/tmp/genset-vocab-XXXXXX";
    const int fd = mkstemp(path);
    struct gs_gguf *f = NULL;
    struct gs_error err = {0};

    if (fd < 0)
        return NULL;
    close(fd);
    if (vocab_write(path, model, name, edits, n_edits) != GS_OK ||
        gs_gguf_open(path, &f, &err) != GS_OK) {
        fprintf(stderr, "tiny vocabulary: %s\n", err.msg);
        f = NULL;
    }
    unlink(path);
    return f;
}

#endif
