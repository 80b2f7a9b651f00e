/* The vocabulary as GGUF metadata tells it (ggml docs/gguf.md, tokenizer.ggml.*). All of it is
 * checked here; after this, ids and lengths can be relied on. */
#include <ctype.h>
#include <float.h>
#include <math.h>

#include "base/alloc.h"
#include "base/error.h"
#include "gguf/gguf.h"
#include "token/tokenizer.h"

#define KEY(name)  "tokenizer.ggml." name
#define MAX_TOKENS ((uint64_t)GS_TOKEN_INDEX_MAX)

/* ---- arrays ---- */

static enum gs_status wrong_kind(struct gs_error *err, const char *key, const char *expected,
                                 const struct gs_gguf_value *v)
{
    const bool is_array = v->kind == GS_GGUF_ARRAY;

    return gs_error_set(err, GS_EFORMAT, "%s: expected %s, found %s%s", key, expected,
                        is_array ? "an array of " : "",
                        gs_gguf_kind_name(is_array ? v->item_kind : v->kind));
}

static enum gs_status load_spellings(struct gs_tokenizer *t, const struct gs_gguf *f,
                                     struct gs_error *err)
{
    const struct gs_gguf_value *const v = gs_gguf_find(f, KEY("tokens"));

    if (!v)
        return gs_error_set(err, GS_EFORMAT, KEY("tokens") " is missing");
    if (v->kind != GS_GGUF_ARRAY || v->item_kind != GS_GGUF_STRING)
        return wrong_kind(err, KEY("tokens"), "an array of strings", v);
    if (v->n_items == 0 || v->n_items > MAX_TOKENS)
        return gs_error_set(err, GS_EFORMAT,
                            KEY("tokens") ": expected 1 to %llu tokens, found %llu",
                            (unsigned long long)MAX_TOKENS, (unsigned long long)v->n_items);
    for (uint64_t i = 0; i < v->n_items; i++)
        if (v->strings[i].len > GS_TOKEN_MAX_SPELLING_BYTES)
            return gs_error_set(err, GS_EFORMAT,
                                KEY("tokens") ": token %llu is %zu bytes long, at most %zu are "
                                              "allowed",
                                (unsigned long long)i, v->strings[i].len,
                                GS_TOKEN_MAX_SPELLING_BYTES);
    t->n_tokens = (int32_t)v->n_items;
    t->spellings = v->strings;
    return GS_OK;
}

/* An array with one number a token, or none at all: *out_v is NULL then. */
static enum gs_status find_numbers(const struct gs_tokenizer *t, const struct gs_gguf *f,
                                   const char *key, bool floats, const struct gs_gguf_value **out_v,
                                   struct gs_error *err)
{
    const struct gs_gguf_value *const v = gs_gguf_find(f, key);

    if (v) {
        const bool is_float = v->kind == GS_GGUF_ARRAY &&
                              (v->item_kind == GS_GGUF_F32 || v->item_kind == GS_GGUF_F64);
        const bool is_integer = v->kind == GS_GGUF_ARRAY && gs_gguf_kind_is_integer(v->item_kind);
        if (!is_integer && !(floats && is_float))
            return wrong_kind(err, key, floats ? "an array of numbers" : "an array of integers", v);
        if (v->n_items != (uint64_t)t->n_tokens)
            return gs_error_set(err, GS_EFORMAT, "%s: expected %d items, one a token, found %llu",
                                key, t->n_tokens, (unsigned long long)v->n_items);
    }
    *out_v = v;
    return GS_OK;
}

static enum gs_status load_kinds(struct gs_tokenizer *t, const struct gs_gguf *f,
                                 struct gs_error *err)
{
    const struct gs_gguf_value *v = NULL;
    const enum gs_status st = find_numbers(t, f, KEY("token_type"), false, &v, err);

    if (st != GS_OK)
        return st;
    t->kinds = gs_alloc_array((size_t)t->n_tokens, sizeof(*t->kinds));
    t->attrs = gs_alloc_array((size_t)t->n_tokens, sizeof(*t->attrs));
    if (!t->kinds || !t->attrs)
        return gs_error_nomem(err, "load the vocabulary");
    for (int32_t i = 0; i < t->n_tokens; i++) {
        const int64_t kind = v ? gs_gguf_item_i64(v, (uint64_t)i) : GS_TOKEN_NORMAL;
        if (kind < 0 || kind > GS_TOKEN_BYTE)
            return gs_error_set(err, GS_EFORMAT,
                                KEY("token_type") ": token %d has type %lld, known are 0 to %d", i,
                                (long long)kind, GS_TOKEN_BYTE);
        t->kinds[i] = kind == 0 ? GS_TOKEN_NORMAL : (uint8_t)kind;
    }
    return GS_OK;
}

static enum gs_status load_scores(struct gs_tokenizer *t, const struct gs_gguf *f,
                                  struct gs_error *err)
{
    const struct gs_gguf_value *v = NULL;
    const enum gs_status st = find_numbers(t, f, KEY("scores"), true, &v, err);

    if (st != GS_OK || !v)
        return st;
    t->scores = gs_alloc_array((size_t)t->n_tokens, sizeof(*t->scores));
    if (!t->scores)
        return gs_error_nomem(err, "load the vocabulary");
    for (int32_t i = 0; i < t->n_tokens; i++) {
        const double score = gs_gguf_item_f64(v, (uint64_t)i);
        if (!(fabs(score) <= FLT_MAX))
            return gs_error_set(err, GS_EFORMAT, KEY("scores") ": token %d has no finite score", i);
        t->scores[i] = (float)score;
    }
    return GS_OK;
}

/* ---- finding tokens ---- */

int32_t gs_token_find(const struct gs_tokenizer *t, struct gs_slice text)
{
    return gs_token_index_get(&t->by_spelling, text);
}

int32_t gs_token_plain(const struct gs_tokenizer *t, struct gs_slice text)
{
    const int32_t id = gs_token_find(t, text);

    if (id < 0)
        return -1;
    switch ((enum gs_token_kind)t->kinds[id]) {
    case GS_TOKEN_UNKNOWN:
    case GS_TOKEN_CONTROL:
    case GS_TOKEN_BYTE:
        return -1;
    case GS_TOKEN_NORMAL:
    case GS_TOKEN_USER_DEFINED:
    case GS_TOKEN_UNUSED:
        break;
    }
    return id;
}

/* ---- single tokens ---- */

/* *id stays where the key is absent, and becomes -1 where it says "none" (-1, as any integer). */
static enum gs_status load_id(const struct gs_tokenizer *t, const struct gs_gguf *f,
                              const char *key, int32_t *id, struct gs_error *err)
{
    const struct gs_gguf_value *const v = gs_gguf_find(f, key);

    if (!v)
        return GS_OK;
    if (!gs_gguf_kind_is_integer(v->kind) || v->kind == GS_GGUF_BOOL)
        return wrong_kind(err, key, "a token id", v);
    const int64_t n = gs_gguf_item_i64(v, 0);
    if (n == -1 || n == UINT32_MAX) {
        *id = -1;
        return GS_OK;
    }
    if (n < 0 || n >= t->n_tokens)
        return gs_error_set(err, GS_EFORMAT, "%s: id %lld is not one of the %d tokens", key,
                            (long long)n, t->n_tokens);
    *id = (int32_t)n;
    return GS_OK;
}

static enum gs_status load_ids(struct gs_tokenizer *t, const struct gs_gguf *f,
                               struct gs_error *err)
{
    int32_t eot = -1;
    int32_t eom = -1;
    const struct {
        const char *key;
        int32_t *id;
    } ids[] = {
        {KEY("cls_token_id"), &t->bos},       {KEY("bos_token_id"), &t->bos},
        {KEY("eos_token_id"), &t->eos},       {KEY("unknown_token_id"), &t->unk},
        {KEY("seperator_token_id"), &t->sep}, /* so spelled in the format */
        {KEY("eot_token_id"), &eot},          {KEY("eom_token_id"), &eom},
    };

    for (size_t i = 0; i < GS_COUNT_OF(ids); i++) {
        if (*ids[i].id >= t->n_tokens)
            *ids[i].id = -1; /* a default that this vocabulary has not */
        const enum gs_status st = load_id(t, f, ids[i].key, ids[i].id, err);
        if (st != GS_OK)
            return st;
    }
    const int32_t ends[] = {t->eos, eot, eom};
    for (size_t i = 0; i < GS_COUNT_OF(ends); i++)
        if (ends[i] >= 0)
            t->attrs[ends[i]] |= GS_TOKEN_ENDS_TURN;
    return GS_OK;
}

static int32_t find_str(const struct gs_tokenizer *t, const char *s)
{
    return gs_token_find(t, gs_slice_str(s));
}

/* Tokens that end a turn by convention. Files that type them otherwise mean control tokens. */
static void mark_ends(struct gs_tokenizer *t)
{
    static const char *const controls[] = {
        "<|eot_id|>",
        "<|eom_id|>",
        "<|im_end|>",
        "<|end|>",
        "<|endoftext|>",
        "<|return|>",
        "<|call|>",
        "<|calls|>",
        "<|flush|>",
        "<end_of_turn>",
        "<turn|>",
        "<|tool_response>",
        "<|end_of_text|>",
        "</s>",
        "<eos>",
        "<EOT>",
        "_<EOT>",
        "[EOT]",
        "[EOS]",
        "<end_of_utterance>",
        "<\xEF\xBD\234end\xE2\x96\x81of\xE2\x96\x81sentence\xEF\xBD\x9C>",
        "[e~[",
    };
    /* Parts of a fill-in-the-middle prompt; the last three also end what is filled in. */
    static const char *const fim[] = {
        "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>",
        "<|fim_pad|>",    "<|repo_name|>",  "<|file_sep|>",
    };
    /* Harmony: <|end|> closes a message, and the turn goes on. */
    const bool end_goes_on = (find_str(t, "<|return|>") >= 0 && find_str(t, "<|call|>") >= 0) ||
                             (find_str(t, "<|flush|>") >= 0 &&
                              (find_str(t, "<|calls|>") >= 0 || find_str(t, "<|call|>") >= 0));
    /* Gemma 4: </s> is a piece of HTML. */
    const bool is_gemma4 = find_str(t, "<|tool_response>") >= 0;

    for (size_t i = 0; i < GS_COUNT_OF(controls); i++) {
        const int32_t id = find_str(t, controls[i]);
        if (id < 0 || (is_gemma4 && gs_slice_eq_str(t->spellings[id], "</s>")))
            continue;
        t->kinds[id] = GS_TOKEN_CONTROL;
        if (!end_goes_on || !gs_slice_eq_str(t->spellings[id], "<|end|>"))
            t->attrs[id] |= GS_TOKEN_ENDS_TURN;
    }
    for (size_t i = 0; i < GS_COUNT_OF(fim); i++) {
        const int32_t id = find_str(t, fim[i]);
        if (id < 0)
            continue;
        t->kinds[id] = GS_TOKEN_CONTROL;
        if (i >= 3)
            t->attrs[id] |= GS_TOKEN_ENDS_TURN;
    }
}

static bool contains_nocase(struct gs_slice s, const char *word)
{
    const size_t n = strlen(word);

    for (size_t i = 0; i + n <= s.len; i++) {
        size_t k = 0;
        while (k < n && tolower((unsigned char)s.ptr[i + k]) == word[k])
            k++;
        if (k == n)
            return true;
    }
    return false;
}

/* Which special tokens swallow white space is not in the file; these models are known to. */
static enum gs_status mark_strips(struct gs_tokenizer *t, const struct gs_gguf *f,
                                  struct gs_error *err)
{
    struct gs_slice name = {0};
    struct gs_slice pre = {0};

    if (!gs_gguf_get_string(f, "general.name", &name, err) ||
        !gs_gguf_get_string(f, KEY("pre"), &pre, err))
        return GS_EFORMAT;
    if (contains_nocase(name, "phi-3") || contains_nocase(name, "phi3")) {
        for (int32_t i = 0; i < t->n_tokens; i++)
            if (t->kinds[i] == GS_TOKEN_CONTROL || t->kinds[i] == GS_TOKEN_UNKNOWN ||
                t->kinds[i] == GS_TOKEN_USER_DEFINED)
                t->attrs[i] |= GS_TOKEN_STRIPS_RIGHT;
        const int32_t kept[] = {find_str(t, "<unk>"), find_str(t, "<s>"),
                                find_str(t, "<|endoftext|>")};
        for (size_t i = 0; i < GS_COUNT_OF(kept); i++)
            if (kept[i] >= 0)
                t->attrs[kept[i]] &= (uint8_t)~GS_TOKEN_STRIPS_RIGHT;
    }
    const int32_t mask = gs_slice_starts(pre, GS_SLICE_LIT("jina-v2-")) ? find_str(t, "<mask>")
                         : contains_nocase(name, "modern-bert")         ? find_str(t, "[MASK]")
                                                                        : -1;
    if (mask >= 0)
        t->attrs[mask] |= GS_TOKEN_STRIPS_LEFT;
    return GS_OK;
}

/* ---- bytes ---- */

int gs_token_alphabet_byte(uint32_t cp)
{
    if ((cp >= 0x21 && cp <= 0x7E) || (cp >= 0xA1 && cp <= 0xFF && cp != 0xAD))
        return (int)cp;
    if (cp >= 0x100 && cp <= 0x120) /* 00..20 */
        return (int)cp - 0x100;
    if (cp >= 0x121 && cp <= 0x142) /* 7F..A0 */
        return (int)cp - 0x121 + 0x7F;
    return cp == 0x143 ? 0xAD : -1;
}

/* The byte of "<0x0A>", or -1. */
static int spelled_byte(struct gs_slice s)
{
    int byte = 0;

    if (s.len != 6 || !gs_slice_starts(s, GS_SLICE_LIT("<0x")) || s.ptr[5] != '>')
        return -1;
    for (size_t i = 3; i < 5; i++) {
        const int c = toupper((unsigned char)s.ptr[i]);
        if (!isxdigit(c))
            return -1;
        byte = byte * 16 + (c <= '9' ? c - '0' : c - 'A' + 10);
    }
    return byte;
}

/* Write what the bytes of an alphabet spelling stand for; at most s.len bytes. */
static size_t decode_alphabet(struct gs_slice s, char *out)
{
    size_t len = 0;

    for (size_t i = 0; i < s.len;) {
        uint32_t cp;
        const size_t n = gs_utf8_decode(s, i, &cp);
        const int byte = gs_token_alphabet_byte(cp);
        if (byte >= 0) {
            out[len++] = (char)byte;
        } else { /* foreign to the alphabet: as it stands */
            memcpy(out + len, s.ptr + i, n);
            len += n;
        }
        i += n;
    }
    return len;
}

static size_t decode_spaces(struct gs_slice s, char *out)
{
    const struct gs_slice space = GS_SLICE_LIT(GS_TOKEN_SPACE);
    size_t len = 0;

    for (size_t i = 0; i < s.len;) {
        if (gs_slice_starts(gs_slice_sub(s, i, s.len), space)) {
            out[len++] = ' ';
            i += space.len;
        } else {
            out[len++] = s.ptr[i++];
        }
    }
    return len;
}

static size_t decode(const struct gs_tokenizer *t, int32_t id, char *out)
{
    const struct gs_slice s = t->spellings[id];
    const int byte = t->kinds[id] == GS_TOKEN_BYTE ? spelled_byte(s) : -1;

    switch ((enum gs_token_kind)t->kinds[id]) {
    case GS_TOKEN_BYTE:
        if (byte >= 0) {
            *out = (char)byte;
            return 1;
        }
        break;
    case GS_TOKEN_NORMAL:
    case GS_TOKEN_UNUSED:
        return t->byte_level ? decode_alphabet(s, out) : decode_spaces(s, out);
    case GS_TOKEN_USER_DEFINED:
        if (!t->byte_level)
            return decode_spaces(s, out);
        break;
    case GS_TOKEN_CONTROL:
    case GS_TOKEN_UNKNOWN:
        break;
    }
    if (s.len > 0)
        memcpy(out, s.ptr, s.len);
    return s.len;
}

static enum gs_status build_bytes(struct gs_tokenizer *t, struct gs_error *err)
{
    size_t total = 0;

    for (int32_t i = 0; i < t->n_tokens; i++)
        total += t->spellings[i].len; /* bounded by the file's size */
    if (total > UINT32_MAX)
        return gs_error_set(err, GS_EFORMAT, KEY("tokens") ": more than 4 GiB of text");
    t->bytes = gs_alloc(total);
    t->byte_offs = gs_alloc_array((size_t)t->n_tokens + 1, sizeof(*t->byte_offs));
    if (!t->bytes || !t->byte_offs)
        return gs_error_nomem(err, "load the vocabulary");
    for (int32_t i = 0; i < t->n_tokens; i++)
        t->byte_offs[i + 1] = t->byte_offs[i] + (uint32_t)decode(t, i, t->bytes + t->byte_offs[i]);
    return GS_OK;
}

/* Which token stands for each byte that no longer token covers. */
static void find_byte_ids(struct gs_tokenizer *t)
{
    for (int b = 0; b < 256; b++)
        t->byte_ids[b] = -1;
    if (t->byte_level) {
        for (uint32_t cp = 0x21; cp <= 0x143; cp++) {
            char text[4];
            const int byte = gs_token_alphabet_byte(cp);
            if (byte < 0)
                continue;
            t->alphabet[byte] = (uint16_t)cp;
            t->byte_ids[byte] = gs_token_find(t, gs_slice(text, gs_utf8_encode(cp, text)));
        }
        return;
    }
    for (int b = 0; b < 256; b++) {
        static const char hex[] = "0123456789ABCDEF";
        const char text[] = {'<', '0', 'x', hex[b >> 4], hex[b & 15], '>'};
        const char single = (char)b;
        t->byte_ids[b] = gs_token_find(t, gs_slice(text, sizeof(text)));
        if (t->byte_ids[b] < 0)
            t->byte_ids[b] = gs_token_plain(t, gs_slice(&single, 1));
    }
}

enum gs_status gs_token_vocab_load(struct gs_tokenizer *t, const struct gs_gguf *f,
                                   struct gs_error *err)
{
    enum gs_status st = load_spellings(t, f, err);

    if (st == GS_OK)
        st = load_kinds(t, f, err);
    if (st == GS_OK)
        st = load_scores(t, f, err);
    if (st == GS_OK && !gs_token_index_init(&t->by_spelling, t->spellings, (uint32_t)t->n_tokens))
        st = gs_error_nomem(err, "load the vocabulary");
    if (st == GS_OK)
        st = load_ids(t, f, err);
    if (st != GS_OK)
        return st;
    mark_ends(t);
    st = mark_strips(t, f, err);
    if (st == GS_OK)
        st = build_bytes(t, err);
    if (st != GS_OK)
        return st;
    find_byte_ids(t);
    t->words_at_spaces = !t->byte_level && gs_token_words_end_at_spaces(t);
    return GS_OK;
}
