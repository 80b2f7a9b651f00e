/* Writes the stand-in: a model of a few hundred kilobytes for tests. It is constructed, not
 * trained, and knows one thing to say.
 *
 *     make_standin OUT.gguf CORPUS.txt
 *
 * It is a chain: every token has one successor. Each piece of the text below is a token with an
 * embedding of its own, a random vector of +1 and -1; all other tokens share one such vector. The
 * output row of a token is the embedding of its predecessor, so the successor's logit is d * GAIN
 * and all others are near zero. Attention and feed-forward are computed, with weights of zero.
 *
 * The tokenizer is a real byte-level BPE whose merges are learnt from CORPUS.txt. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/os.h"
#include "base/rng.h"
#include "base/slice.h"
#include "gguf/gguf_write.h"

#define N_EMBD     64
#define N_FF       64
#define N_HEAD_DIM 32
#define N_MERGES   1500
#define CTX_TOKENS 131072
#define GAIN       0.5f
#define SEED       8484

#define MAX_VOCAB       4096
#define MAX_TOKEN_BYTES 64

/* One token each; no two may be equal. */
static const char *const pieces[] = {
    "I am the",           " stand-in model",    " that comes with", " genset: I was",
    " constructed, not",  " trained, and this", " is all I",        " can say. The",
    " path your request", " took was real",     ": chat template,", " tokenizer,",
    " engine, and",       " back.\n\nTo talk",  " to a real",       " model, get a",
    " GGUF file and",     " run\n\n",           "    genset serve", " /path/to/model.gguf\n"};

static const char chat_template[] =
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

struct token {
    char text[MAX_TOKEN_BYTES]; /* as vocabularies spell it: bytes mapped to printable characters */
    size_t len;
};

struct vocab {
    struct token tokens[MAX_VOCAB];
    int32_t kinds[MAX_VOCAB];
    size_t n;
    char merges[N_MERGES][2 * MAX_TOKEN_BYTES];
    size_t n_merges;
    size_t first_piece;
    size_t im_end;
};

/* ---- vocabulary ---- */

/* GPT-2's map of bytes to characters: printable Latin-1 stays, the others move to U+0100... */
static size_t spell_byte(unsigned char byte, char out[4])
{
    uint32_t shifted = 256;

    for (unsigned c = 0; c < 256; c++) {
        const bool printable = (c >= 33 && c <= 126) || (c >= 161 && c <= 172) || c >= 174;
        if (c == byte)
            return gs_utf8_encode(printable ? c : shifted, out);
        shifted += !printable;
    }
    return 0;
}

static struct token spell(const char *text)
{
    struct token t = {.len = 0};

    for (; *text && t.len + 4 < sizeof(t.text); text++)
        t.len += spell_byte((unsigned char)*text, t.text + t.len);
    return t;
}

static void add_token(struct vocab *v, struct token t, int32_t kind)
{
    v->kinds[v->n] = kind;
    v->tokens[v->n++] = t;
}

static void add_special(struct vocab *v, const char *text)
{
    struct token t = {.len = strlen(text)};

    memcpy(t.text, text, t.len);
    add_token(v, t, 3);
}

static struct gs_slice token_slice(const struct token *t)
{
    return gs_slice(t->text, t->len);
}

/* ---- learning merges (Sennrich et al. 2016) ---- */

/* The corpus as token ids; 0xFFFF ends a word. Merges never cross words, and a word begins with
 * its space, as the pre-tokenizer cuts them. */
#define WORD_END 0xFFFF

static size_t load_corpus(struct gs_slice text, uint16_t *ids)
{
    size_t n = 0;

    for (size_t i = 0; i < text.len; i++) {
        const char c = text.ptr[i];
        const char before = i > 0 ? text.ptr[i - 1] : ' ';
        const bool letter = (c | 32) >= 'a' && (c | 32) <= 'z';
        const bool letter_before = (before | 32) >= 'a' && (before | 32) <= 'z';
        if (!(letter && (letter_before || before == ' ')))
            ids[n++] = WORD_END;
        ids[n++] = (uint16_t)(unsigned char)c;
    }
    return n;
}

static uint32_t pair_counts[MAX_VOCAB][MAX_VOCAB];

/* The most frequent pair (of several, the lowest ids); its count. */
static uint32_t best_pair(const uint16_t *ids, size_t n, size_t n_vocab, uint16_t out[2])
{
    uint32_t best = 0;

    for (size_t a = 0; a < n_vocab; a++)
        memset(pair_counts[a], 0, n_vocab * sizeof(pair_counts[a][0]));
    for (size_t i = 0; i + 1 < n; i++)
        if (ids[i] != WORD_END && ids[i + 1] != WORD_END)
            pair_counts[ids[i]][ids[i + 1]]++;
    for (size_t a = 0; a < n_vocab; a++) {
        for (size_t b = 0; b < n_vocab; b++) {
            if (pair_counts[a][b] > best) {
                best = pair_counts[a][b];
                out[0] = (uint16_t)a;
                out[1] = (uint16_t)b;
            }
        }
    }
    return best;
}

static size_t apply_merge(uint16_t *ids, size_t n, const uint16_t pair[2], uint16_t merged)
{
    size_t out = 0;

    for (size_t i = 0; i < n; i++) {
        if (i + 1 < n && ids[i] == pair[0] && ids[i + 1] == pair[1]) {
            ids[out++] = merged;
            i++;
        } else {
            ids[out++] = ids[i];
        }
    }
    return out;
}

static void learn_merges(struct vocab *v, uint16_t *ids, size_t n)
{
    uint16_t pair[2];

    while (v->n_merges < N_MERGES && best_pair(ids, n, v->n, pair) >= 2) {
        const struct token *a = &v->tokens[pair[0]];
        const struct token *b = &v->tokens[pair[1]];
        struct token t = {.len = a->len + b->len};
        if (t.len >= sizeof(t.text))
            break;
        memcpy(t.text, a->text, a->len);
        memcpy(t.text + a->len, b->text, b->len);
        char *merge = v->merges[v->n_merges++]; /* "A B", zero-terminated by the zeroed array */
        memcpy(merge, a->text, a->len);
        merge[a->len] = ' ';
        memcpy(merge + a->len + 1, b->text, b->len);
        n = apply_merge(ids, n, pair, (uint16_t)v->n);
        add_token(v, t, 1);
    }
}

static bool knows(const struct vocab *v, const struct token *t)
{
    for (size_t i = 0; i < v->n; i++)
        if (gs_slice_eq(token_slice(&v->tokens[i]), token_slice(t)))
            return true;
    return false;
}

static enum gs_status build_vocab(struct vocab *v, struct gs_slice corpus, struct gs_error *err)
{
    uint16_t *ids = gs_alloc_array(2 * corpus.len + 1, sizeof(*ids));

    if (!ids)
        return gs_error_nomem(err, "learn the vocabulary");
    for (unsigned c = 0; c < 256; c++) {
        struct token t = {.len = 0};
        t.len = spell_byte((unsigned char)c, t.text);
        add_token(v, t, 1);
    }
    learn_merges(v, ids, load_corpus(corpus, ids));
    gs_free(ids);
    v->first_piece = v->n;
    for (size_t i = 0; i < GS_COUNT_OF(pieces); i++) {
        const struct token t = spell(pieces[i]);
        if (knows(v, &t))
            return gs_error_set(err, GS_EINVAL, "piece \"%s\" is a token already", pieces[i]);
        add_token(v, t, 1);
    }
    add_special(v, "<|im_start|>");
    v->im_end = v->n;
    add_special(v, "<|im_end|>");
    return GS_OK;
}

/* ---- weights ---- */

/* GS_TYPE_Q8_0 rows of +-x: the block scale carries x, the quants are +-127. */
static uint16_t half_of(float x)
{
    /* exact for the two values used here: 1/127 rounds, which scales all rows alike */
    uint32_t bits;
    memcpy(&bits, &x, sizeof(bits));
    const uint32_t rounded = bits + 0x0FFF + (bits >> 13 & 1);
    return (uint16_t)((rounded >> 13) - ((127 - 15) << 10));
}

static enum gs_status write_signs(struct gs_gguf_writer *w, const int8_t *signs, float x,
                                  struct gs_error *err)
{
    struct {
        uint16_t scale;
        int8_t q[32];
    } block;
    enum gs_status st = GS_OK;

    block.scale = x == 0.0f ? 0 : half_of(x / 127.0f);
    for (size_t at = 0; at < N_EMBD && st == GS_OK; at += 32) {
        for (size_t i = 0; i < 32; i++)
            block.q[i] = (int8_t)(127 * signs[at + i]);
        st = gs_gguf_writer_data(w, &block, sizeof(block), err);
    }
    return st;
}

static enum gs_status write_fill(struct gs_gguf_writer *w, float x, size_t n, struct gs_error *err)
{
    enum gs_status st = GS_OK;

    for (size_t i = 0; i < n && st == GS_OK; i++)
        st = gs_gguf_writer_data(w, &x, sizeof(x), err);
    return st;
}

/* Which embedding a token has: 0 is the one all ordinary tokens share. */
static size_t link_of(const struct vocab *v, size_t id)
{
    const size_t piece = id - v->first_piece;

    return id >= v->first_piece && piece < GS_COUNT_OF(pieces) ? piece + 1 : 0;
}

static enum gs_status write_weights(struct gs_gguf_writer *w, const struct vocab *v,
                                    struct gs_error *err)
{
    static int8_t links[GS_COUNT_OF(pieces) + 1][N_EMBD];
    static const int8_t none[N_EMBD];
    struct gs_rng rng;
    enum gs_status st = GS_OK;

    gs_rng_seed(&rng, SEED);
    for (size_t l = 0; l < GS_COUNT_OF(links); l++)
        for (size_t i = 0; i < N_EMBD; i++)
            links[l][i] = gs_rng_u64(&rng) >> 63 ? 1 : -1;
    for (size_t id = 0; id < v->n && st == GS_OK; id++)
        st = write_signs(w, links[link_of(v, id)], 1.0f, err);
    for (size_t id = 0; id < v->n && st == GS_OK; id++) {
        if (id == v->im_end)
            st = write_signs(w, links[GS_COUNT_OF(pieces)], GAIN, err);
        else if (link_of(v, id) > 0)
            st = write_signs(w, links[link_of(v, id) - 1], GAIN, err);
        else
            st = write_signs(w, none, 0.0f, err);
    }
    if (st == GS_OK)
        st = write_fill(w, 1.0f, N_EMBD, err); /* output_norm */
    if (st == GS_OK)
        st = write_fill(w, 1.0f, 2 * N_EMBD + 2 * N_HEAD_DIM, err); /* norms of the block */
    if (st == GS_OK)
        st = write_fill(w, 0.0f, (size_t)4 * N_EMBD * N_HEAD_DIM + (size_t)3 * N_EMBD * N_FF, err);
    return st;
}

static void describe_tensors(struct gs_gguf_writer *w, const struct vocab *v)
{
    const uint64_t table[] = {N_EMBD, v->n};
    const uint64_t vector[] = {N_EMBD};
    const uint64_t head[] = {N_HEAD_DIM};
    const uint64_t in[] = {N_EMBD, N_HEAD_DIM};
    const uint64_t out[] = {N_HEAD_DIM, N_EMBD};
    const uint64_t up[] = {N_EMBD, N_FF};
    const uint64_t down[] = {N_FF, N_EMBD};

    gs_gguf_writer_tensor(w, "token_embd.weight", GS_TYPE_Q8_0, table, 2);
    gs_gguf_writer_tensor(w, "output.weight", GS_TYPE_Q8_0, table, 2);
    gs_gguf_writer_tensor(w, "output_norm.weight", GS_TYPE_F32, vector, 1);
    gs_gguf_writer_tensor(w, "blk.0.attn_norm.weight", GS_TYPE_F32, vector, 1);
    gs_gguf_writer_tensor(w, "blk.0.ffn_norm.weight", GS_TYPE_F32, vector, 1);
    gs_gguf_writer_tensor(w, "blk.0.attn_q_norm.weight", GS_TYPE_F32, head, 1);
    gs_gguf_writer_tensor(w, "blk.0.attn_k_norm.weight", GS_TYPE_F32, head, 1);
    gs_gguf_writer_tensor(w, "blk.0.attn_q.weight", GS_TYPE_F32, in, 2);
    gs_gguf_writer_tensor(w, "blk.0.attn_k.weight", GS_TYPE_F32, in, 2);
    gs_gguf_writer_tensor(w, "blk.0.attn_v.weight", GS_TYPE_F32, in, 2);
    gs_gguf_writer_tensor(w, "blk.0.attn_output.weight", GS_TYPE_F32, out, 2);
    gs_gguf_writer_tensor(w, "blk.0.ffn_gate.weight", GS_TYPE_F32, up, 2);
    gs_gguf_writer_tensor(w, "blk.0.ffn_up.weight", GS_TYPE_F32, up, 2);
    gs_gguf_writer_tensor(w, "blk.0.ffn_down.weight", GS_TYPE_F32, down, 2);
}

static void describe_model(struct gs_gguf_writer *w, const struct vocab *v)
{
    static struct gs_slice texts[MAX_VOCAB];
    static struct gs_slice merges[N_MERGES];

    for (size_t i = 0; i < v->n; i++)
        texts[i] = token_slice(&v->tokens[i]);
    for (size_t i = 0; i < v->n_merges; i++)
        merges[i] = gs_slice_str(v->merges[i]);
    gs_gguf_writer_string(w, "general.architecture", GS_SLICE_LIT("qwen3"));
    gs_gguf_writer_string(w, "general.name", GS_SLICE_LIT("genset stand-in"));
    gs_gguf_writer_string(w, "general.description",
                          GS_SLICE_LIT("Constructed, not trained: it recites one text."));
    gs_gguf_writer_u32(w, "qwen3.block_count", 1);
    gs_gguf_writer_u32(w, "qwen3.context_length", CTX_TOKENS);
    gs_gguf_writer_u32(w, "qwen3.embedding_length", N_EMBD);
    gs_gguf_writer_u32(w, "qwen3.feed_forward_length", N_FF);
    gs_gguf_writer_u32(w, "qwen3.attention.head_count", 1);
    gs_gguf_writer_u32(w, "qwen3.attention.head_count_kv", 1);
    gs_gguf_writer_u32(w, "qwen3.attention.key_length", N_HEAD_DIM);
    gs_gguf_writer_u32(w, "qwen3.attention.value_length", N_HEAD_DIM);
    gs_gguf_writer_f32(w, "qwen3.attention.layer_norm_rms_epsilon", 1e-6f);
    gs_gguf_writer_f32(w, "qwen3.rope.freq_base", 1e6f);
    gs_gguf_writer_string(w, "tokenizer.ggml.model", GS_SLICE_LIT("gpt2"));
    gs_gguf_writer_string(w, "tokenizer.ggml.pre", GS_SLICE_LIT("qwen2"));
    gs_gguf_writer_strings(w, "tokenizer.ggml.tokens", texts, v->n);
    gs_gguf_writer_array(w, "tokenizer.ggml.token_type", GS_GGUF_I32, v->kinds, v->n);
    gs_gguf_writer_strings(w, "tokenizer.ggml.merges", merges, v->n_merges);
    gs_gguf_writer_u32(w, "tokenizer.ggml.eos_token_id", (uint32_t)v->im_end);
    gs_gguf_writer_bool(w, "tokenizer.ggml.add_bos_token", false);
    gs_gguf_writer_string(w, "tokenizer.chat_template", gs_slice_str(chat_template));
}

static enum gs_status write_model(const char *path, const struct vocab *v, struct gs_error *err)
{
    struct gs_gguf_writer *w;

    enum gs_status st = gs_gguf_writer_create(&w, err);
    if (st != GS_OK)
        return st;
    describe_model(w, v);
    describe_tensors(w, v);
    st = gs_gguf_writer_begin(w, path, err);
    if (st == GS_OK)
        st = write_weights(w, v, err);
    if (st == GS_OK)
        st = gs_gguf_writer_end(w, err);
    gs_gguf_writer_free(w);
    return st;
}

int main(int argc, char **argv)
{
    static struct vocab vocab;
    struct gs_error err = {.code = GS_OK};
    struct gs_buf corpus;
    enum gs_status st;

    if (argc != 3) {
        fprintf(stderr, "usage: make_standin OUT.gguf CORPUS.txt\n");
        return 2;
    }
    gs_buf_init(&corpus, GS_MAX_TEXT_BYTES);
    st = gs_os_read_file(argv[2], &corpus, &err);
    if (st == GS_OK)
        st = build_vocab(&vocab, gs_buf_view(&corpus), &err);
    if (st == GS_OK)
        st = write_model(argv[1], &vocab, &err);
    if (st != GS_OK)
        fprintf(stderr, "make_standin: %s\n", err.msg);
    gs_buf_clear(&corpus);
    return st == GS_OK ? 0 : 1;
}
