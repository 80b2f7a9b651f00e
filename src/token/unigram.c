/* SentencePiece's unigram model: of all ways to cut the text into tokens, the one with the highest
 * sum of scores (Kudo 2018; Viterbi). Characters that no token covers are unknown.
 *
 * Before that the text is normalised by the model's own compiled map, a XOR-compressed double array
 * (Kanda 2018) from strings to replacements; a model without one takes text as it is. An entry of
 * the array is one little-endian word:
 *
 *     31 value?   30..10 offset   9 offset << 8   8 leaf follows   7..0 byte that leads here */
#include <float.h>

#include "base/alloc.h"
#include "base/error.h"
#include "gguf/gguf.h"
#include "token/tokenizer.h"

#define CHARSMAP_KEY       "tokenizer.ggml.precompiled_charsmap"
#define MAX_CHARSMAP_MATCH ((size_t)256) /* bytes of text one replacement may take in */
#define UNKNOWN_PENALTY    10.0f         /* below the worst token */
#define REPLACEMENT_CHAR   "\xEF\xBF\xBD"

/* ---- loading ---- */

static uint32_t read_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static enum gs_status load_charsmap(struct gs_tokenizer *t, const struct gs_gguf *f,
                                    struct gs_error *err)
{
    const struct gs_gguf_value *const v = gs_gguf_find(f, CHARSMAP_KEY);

    if (!v || (v->kind == GS_GGUF_ARRAY && v->n_items == 0))
        return GS_OK;
    if (v->kind != GS_GGUF_ARRAY || (v->item_kind != GS_GGUF_U8 && v->item_kind != GS_GGUF_I8))
        return gs_error_set(err, GS_EFORMAT, CHARSMAP_KEY ": expected an array of bytes");
    const uint64_t array_bytes = v->n_items < 4 ? UINT64_MAX : read_u32(v->data);
    if (v->n_items < 4 || array_bytes > v->n_items - 4)
        return gs_error_set(err, GS_EFORMAT, CHARSMAP_KEY ": its %llu bytes do not hold its table",
                            (unsigned long long)v->n_items);
    t->charsmap = (struct gs_token_charsmap){
        .nodes = v->data + 4,
        .n_nodes = (size_t)array_bytes / 4,
        .replacements = gs_slice((const char *)v->data + 4 + array_bytes,
                                 (size_t)(v->n_items - 4 - array_bytes)),
    };
    return GS_OK;
}

enum gs_status gs_token_unigram_load(struct gs_tokenizer *t, const struct gs_gguf *f,
                                     struct gs_error *err)
{
    float lowest = FLT_MAX;

    if (!t->scores)
        return gs_error_set(err, GS_EFORMAT, "tokenizer.ggml.scores is missing");
    if (!gs_token_trie_init(&t->pieces, (size_t)t->n_tokens * 8))
        return gs_error_nomem(err, "load the vocabulary");
    for (int32_t i = 0; i < t->n_tokens; i++) {
        if (t->kinds[i] == GS_TOKEN_NORMAL && t->scores[i] < lowest)
            lowest = t->scores[i];
        if (t->spellings[i].len > 0 && gs_token_plain(t, t->spellings[i]) == i &&
            !gs_token_trie_put(&t->pieces, t->spellings[i], i))
            return gs_error_nomem(err, "load the vocabulary");
    }
    t->unknown_score = lowest - UNKNOWN_PENALTY;
    return load_charsmap(t, f, err);
}

/* ---- normalising ---- */

static bool read_node(const struct gs_token_charsmap *map, uint32_t idx, uint32_t *out_node)
{
    if (idx >= map->n_nodes)
        return false;
    *out_node = read_u32(map->nodes + (size_t)idx * 4);
    return true;
}

static uint32_t node_offset(uint32_t node)
{
    return (node >> 10) << ((node & 1u << 9) >> 6);
}

/* Replacement of the longest mapped string at the start of `text`: bytes it takes in, 0 if none. */
static size_t find_replacement(const struct gs_token_charsmap *map, struct gs_slice text,
                               struct gs_slice *out)
{
    const size_t limit = GS_MIN(text.len, MAX_CHARSMAP_MATCH);
    size_t found = 0;
    uint32_t node;

    if (!read_node(map, 0, &node))
        return 0;
    uint32_t idx = node_offset(node);
    for (size_t i = 0; i < limit; i++) {
        const unsigned char byte = (unsigned char)text.ptr[i];
        idx ^= byte;
        if (byte == 0 || !read_node(map, idx, &node) || (node & (1u << 31 | 0xFF)) != byte)
            break;
        idx ^= node_offset(node);
        uint32_t value;
        if (!(node >> 8 & 1) || !read_node(map, idx, &value))
            continue;
        value &= ~(1u << 31);
        const char *const end =
            value < map->replacements.len
                ? memchr(map->replacements.ptr + value, '\0', map->replacements.len - value)
                : NULL;
        if (!end)
            continue;
        found = i + 1;
        *out = gs_slice(map->replacements.ptr + value,
                        (size_t)(end - (map->replacements.ptr + value)));
    }
    return found;
}

/* Append the normalised text, spaces and all. What is no UTF-8 becomes U+FFFD. */
static void normalise(const struct gs_token_charsmap *map, struct gs_slice text, struct gs_buf *b)
{
    while (text.len > 0) {
        struct gs_slice piece;
        size_t n = find_replacement(map, text, &piece);
        if (n == 0) {
            uint32_t cp;
            n = gs_utf8_decode(text, 0, &cp);
            piece = cp == 0xFFFD ? GS_SLICE_LIT(REPLACEMENT_CHAR) : gs_slice_sub(text, 0, n);
        }
        gs_buf_slice(b, piece);
        text = gs_slice_sub(text, n, text.len);
    }
}

/* Spell spaces, put one in front, and drop superfluous ones, as the model wants. */
static void arrange_spaces(const struct gs_tokenizer *t, struct gs_slice text, struct gs_buf *b)
{
    bool in_word = false;
    bool prefixed = !t->space_prefix;

    for (size_t i = 0; i < text.len; i++) {
        const bool is_space = text.ptr[i] == ' ';
        if (is_space ? !t->merge_spaces : !in_word && (t->merge_spaces || !prefixed)) {
            gs_buf_slice(b, GS_SLICE_LIT(GS_TOKEN_SPACE));
            prefixed = prefixed || !is_space;
        }
        if (!is_space)
            gs_buf_putc(b, text.ptr[i]);
        in_word = !is_space;
    }
}

/* ---- Viterbi ---- */

struct best {
    double score; /* of the best way to here */
    uint32_t from;
    int32_t id; /* -1: unknown */
};

static void offer(struct best *b, double score, uint32_t from, int32_t id)
{
    if (score > b->score)
        *b = (struct best){score, from, id};
}

/* Extend the way that ends at `at` by every token that begins there. */
static void extend(const struct gs_tokenizer *t, struct gs_slice text, size_t at, size_t char_len,
                   struct best *best)
{
    uint32_t node = 0;
    bool covered = false;

    for (size_t i = at; i < text.len; i++) {
        node = gs_token_trie_next(&t->pieces, node, (unsigned char)text.ptr[i]);
        if (node == 0)
            break;
        const int32_t id = t->pieces.ids[node];
        if (id < 0)
            continue;
        const double score = t->kinds[id] == GS_TOKEN_USER_DEFINED ? 0.0 : t->scores[id];
        offer(&best[i + 1], best[at].score + score, (uint32_t)at, id);
        covered = covered || i + 1 == at + char_len;
    }
    if (!covered)
        offer(&best[at + char_len], best[at].score + t->unknown_score, (uint32_t)at, -1);
}

/* Append the ids of one word. `from` is where the fragment's ids begin. */
static enum gs_status encode_word(struct gs_token_job *job, struct gs_slice text, size_t from)
{
    struct best *const best = gs_alloc_array(text.len + 1, sizeof(*best));
    enum gs_status st = GS_OK;

    if (!best)
        return gs_error_nomem(job->err, "tokenise");
    for (size_t i = 1; i <= text.len; i++)
        best[i].score = -DBL_MAX;
    for (size_t i = 0; i < text.len;) {
        uint32_t cp;
        const size_t n = gs_utf8_decode(text, i, &cp);
        extend(job->t, text, i, n, best);
        i += n;
    }
    /* Turn the chain of `from`s around, then follow it. */
    uint32_t to = 0;
    for (uint32_t at = (uint32_t)text.len; at != 0;) {
        const uint32_t before = best[at].from;
        best[at].from = to;
        to = at;
        at = before;
    }
    for (uint32_t at = to; st == GS_OK && at != 0; at = best[at].from)
        st = best[at].id >= 0 ? gs_token_job_put(job, best[at].id)
                              : gs_token_job_put_unknown(job, from);
    gs_free(best);
    return st;
}

enum gs_status gs_token_unigram_encode(struct gs_token_job *job, struct gs_slice fragment)
{
    const struct gs_tokenizer *const t = job->t;
    const size_t from = job->out->len;
    enum gs_status st = GS_OK;

    gs_buf_reset(&job->word);
    gs_buf_reset(&job->text);
    normalise(&t->charsmap, fragment, &job->word);
    arrange_spaces(t, gs_buf_view(&job->word), &job->text);
    if (!gs_buf_ok(&job->word) || !gs_buf_ok(&job->text))
        return gs_error_nomem(job->err, "tokenise");
    for (struct gs_slice rest = gs_buf_view(&job->text); st == GS_OK && rest.len > 0;)
        st = encode_word(job, gs_token_next_word(t, &rest), from);
    return st;
}
