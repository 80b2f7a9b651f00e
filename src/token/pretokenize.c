/* The regular expressions are facts about the published vocabularies (their tokenizer.json); where
 * those and llama.cpp differ, llama.cpp's reading is taken, because that is what the golden ids
 * were made with. They are written without anything that makes PCRE2 take more than linear time.
 *
 * Bytes that are not UTF-8 are shown to the expressions as the control character U+001A, which is
 * as little a letter, digit or space as they are. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "token/pretokenize.h"

#include <assert.h>
#include <pcre2.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/slice.h"

#define MAX_LEVELS 6

/* White_Space of Unicode, inside brackets: PCRE2's own \s has U+180E besides. */
#define WS          "\\t-\\r\\x{85}\\p{Z}"
#define CONTRACTION "'(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])"
#define LINES       "[" WS "]*[\\r\\n]+|"
#define SPACES      "[" WS "]+(?![^" WS "])|[" WS "]+"
#define LEAD        "[^\\r\\n\\p{L}\\p{N}]?"
#define OTHERS      " ?[^" WS "\\p{L}\\p{N}]+"
#define UPPER       "[^\\P{L}a-z]" /* not only capitals: all letters but a to z */
#define LOWER       "[^\\P{L}A-Z]"
#define GPT2        "'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+|" OTHERS "|" SPACES
#define LLAMA3(n)   CONTRACTION "|" LEAD "\\p{L}+|" n "|" OTHERS "[\\r\\n]*|" LINES SPACES
#define CASED(suf, n)                                                                              \
    LEAD UPPER "*" LOWER "+" suf "|" LEAD UPPER "+" LOWER "*" suf "|" n "|" OTHERS                 \
               "[\\r\\n/]*|" LINES SPACES
/* U+0800 to U+9FA5 but white space, and Hangul. */
#define CJK                                                                                        \
    "[\\x{800}-\\x{167F}\\x{1681}-\\x{1FFF}\\x{200B}-\\x{2027}\\x{202A}-\\x{202E}"                 \
    "\\x{2030}-\\x{205E}\\x{2060}-\\x{2FFF}\\x{3001}-\\x{9FA5}\\x{AC00}-\\x{D7FF}]+"

#define BLOOM " ?[^(" WS "|.,!?\\x{2026}\\x{3002}\\x{FF0C}\\x{3001}\\x{964}\\x{6D4}\\x{60C})]+"

/* Letters with case, and marks, as DeepSeek-LLM lists them (but U+3000, which is white space). */
#define DEEPSEEK_LETTERS                                                                           \
    "A-Za-z\\xB5\\xC0-\\xD6\\xD8-\\xF6\\xF8-\\x{1BA}\\x{1BC}-\\x{1BF}\\x{1C4}-\\x{293}"            \
    "\\x{295}-\\x{2AF}\\x{370}-\\x{373}\\x{376}\\x{377}\\x{37B}-\\x{37D}\\x{37F}\\x{386}"          \
    "\\x{388}-\\x{38A}\\x{38C}\\x{38E}-\\x{3A1}\\x{3A3}-\\x{3F5}\\x{3F7}-\\x{481}"                 \
    "\\x{48A}-\\x{52F}\\x{531}-\\x{556}\\x{10A0}-\\x{10C5}\\x{13A0}-\\x{13F5}"                     \
    "\\x{13F8}-\\x{13FD}\\x{1C90}-\\x{1CBA}\\x{1CBD}-\\x{1CBF}\\x{1D00}-\\x{1D2B}"                 \
    "\\x{1D6B}-\\x{1D77}\\x{1D79}-\\x{1D9A}\\x{1E00}-\\x{1F15}\\x{1F18}-\\x{1F1D}"                 \
    "\\x{1F20}-\\x{1F45}\\x{1F48}-\\x{1F4D}\\x{1F50}-\\x{1F57}\\x{1F59}\\x{1F5B}\\x{1F5D}"         \
    "\\x{1F5F}-\\x{1F7D}\\x{1F80}-\\x{1FB4}\\x{1FB6}-\\x{1FBC}\\x{1FBE}\\x{1FC2}-\\x{1FC4}"        \
    "\\x{1FC6}-\\x{1FCC}\\x{1FD0}-\\x{1FD3}\\x{1FD6}-\\x{1FDB}\\x{1FE0}-\\x{1FEC}"                 \
    "\\x{1FF2}-\\x{1FF4}\\x{1FF6}-\\x{1FFC}\\x{2102}\\x{2107}\\x{210A}-\\x{2113}\\x{2115}"         \
    "\\x{2119}-\\x{211D}\\x{2124}\\x{2126}\\x{2128}\\x{212A}-\\x{212D}\\x{212F}-\\x{2134}"         \
    "\\x{2139}\\x{213C}-\\x{213F}\\x{2145}-\\x{2149}\\x{214E}\\x{2183}\\x{2184}"                   \
    "\\x{2C00}-\\x{2C7B}\\x{2C7E}-\\x{2CE4}\\x{2CEB}-\\x{2CEE}\\x{2CF2}\\x{2CF3}"                  \
    "\\x{A640}-\\x{A66D}\\x{A680}-\\x{A69B}\\x{A722}-\\x{A76F}\\x{A771}-\\x{A787}"                 \
    "\\x{A78B}-\\x{A78E}\\x{AB70}-\\x{ABBF}\\x{FB00}-\\x{FB06}\\x{FB13}-\\x{FB17}"                 \
    "\\x{FF21}-\\x{FF3A}\\x{FF41}-\\x{FF5A}\\x{10400}-\\x{1044F}\\x{104B0}-\\x{104D3}"             \
    "\\x{104D8}-\\x{104FB}\\x{10C80}-\\x{10CB2}\\x{10CC0}-\\x{10CF2}\\x{118A0}-\\x{118DF}"         \
    "\\x{1E900}-\\x{1E943}"
#define DEEPSEEK_MARKS                                                                             \
    "!-/:-~\\x{FF01}-\\x{FF0F}\\x{FF1A}-\\x{FF5E}\\x{2018}-\\x{201F}\\x{3001}\\x{3002}"

enum family {
    FAMILY_DEFAULT,
    FAMILY_GPT2,
    FAMILY_STARCODER,
    FAMILY_FALCON,
    FAMILY_LLAMA3,
    FAMILY_QWEN2,
    FAMILY_QWEN35,
    FAMILY_GPT4O,
    FAMILY_TEKKEN,
    FAMILY_DEEPSEEK_LLM,
    FAMILY_DEEPSEEK_CODER,
    FAMILY_DEEPSEEK3,
    FAMILY_BLOOM,
    FAMILY_VIKING,
    FAMILY_BAILING,
    FAMILY_SEED,
    FAMILY_GEMMA4,
};

static const char *const patterns[][MAX_LEVELS] = {
    [FAMILY_DEFAULT] = {"[\\p{P}$+<=>^~|]+", GPT2, "\\p{N}+", "[0-9]{3}"},
    [FAMILY_GPT2] = {GPT2},
    [FAMILY_STARCODER] = {"\\p{N}", GPT2},
    [FAMILY_FALCON] = {"[\\p{P}$+<=>^~|`]+", GPT2, "[0-9]{3}"},
    [FAMILY_LLAMA3] = {LLAMA3("\\p{N}{1,3}")},
    [FAMILY_QWEN2] = {LLAMA3("\\p{N}")},
    [FAMILY_QWEN35] = {CONTRACTION "|" LEAD "[\\p{L}\\p{M}]+|\\p{N}| ?[^" WS
                                   "\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|" LINES SPACES},
    [FAMILY_GPT4O] = {CASED("(?:" CONTRACTION ")?", "\\p{N}{1,3}")},
    [FAMILY_TEKKEN] = {CASED("", "\\p{N}")},
    [FAMILY_DEEPSEEK_LLM] = {"[\\r\\n]", "[" WS "]?[" DEEPSEEK_LETTERS "]+",
                             "[" WS "]?[" DEEPSEEK_MARKS "]+", "(?<![" WS "])[" WS "]++$", CJK,
                             "\\p{N}+"},
    [FAMILY_DEEPSEEK_CODER] = {"[\\r\\n]", "[" WS "]?\\p{L}+", "[" WS "]?\\p{P}+", CJK, "\\p{N}"},
    [FAMILY_DEEPSEEK3] = {"\\p{N}{1,3}", "[\\x{4E00}-\\x{9FA5}\\x{3040}-\\x{30FF}]+",
                          "[!-/:-@\\[-`{-~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+|"
                          " ?[\\p{P}\\p{S}]+[\\r\\n]*|" LINES SPACES},
    [FAMILY_BLOOM] = {BLOOM},
    [FAMILY_VIKING] = {BLOOM, "\\p{N}"},
    [FAMILY_BAILING] = {CONTRACTION "|" LEAD "\\p{L}+|\\p{N}|" OTHERS "[\\r\\n]*|[" WS
                                    "]*[\\r\\n]|" SPACES},
    [FAMILY_SEED] = {CONTRACTION "|" LEAD "\\p{L}+|\\p{N}|" OTHERS "|" LINES SPACES},
    [FAMILY_GEMMA4] = {"[^\\n]+|\\n+"},
};

enum trait { ADD_BOS = 1, WHOLE_WORDS = 2, SPELLED_SPACES = 4 };

static const struct {
    const char *name;
    enum family family;
    unsigned traits;
} names[] = {
    {"default", FAMILY_DEFAULT, 0},
    {"gpt-2", FAMILY_GPT2, 0},
    {"gpt2", FAMILY_GPT2, 0},
    {"phi-2", FAMILY_GPT2, 0},
    {"mpt", FAMILY_GPT2, 0},
    {"olmo", FAMILY_GPT2, 0},
    {"jais", FAMILY_GPT2, 0},
    {"gigachat", FAMILY_GPT2, 0},
    {"a.x-4.0", FAMILY_GPT2, 0},
    {"mellum", FAMILY_GPT2, 0},
    {"exaone4", FAMILY_GPT2, 0},
    {"trillion", FAMILY_GPT2, 0},
    {"granite-docling", FAMILY_GPT2, 0},
    {"modern-bert", FAMILY_GPT2, 0},
    {"roberta-bpe", FAMILY_GPT2, 0},
    {"jina-es", FAMILY_GPT2, 0},
    {"jina-de", FAMILY_GPT2, 0},
    {"jina-v1-en", FAMILY_GPT2, 0},
    {"jina-v2-es", FAMILY_GPT2, 0},
    {"jina-v2-de", FAMILY_GPT2, 0},
    {"jina-v2-code", FAMILY_GPT2, 0},
    {"starcoder", FAMILY_STARCODER, 0},
    {"refact", FAMILY_STARCODER, 0},
    {"command-r", FAMILY_STARCODER, 0},
    {"smollm", FAMILY_STARCODER, 0},
    {"codeshell", FAMILY_STARCODER, 0},
    {"exaone", FAMILY_STARCODER, 0},
    {"minerva-7b", FAMILY_STARCODER, 0},
    {"mellum2", FAMILY_STARCODER, 0},
    {"falcon", FAMILY_FALCON, 0},
    {"llama-bpe", FAMILY_LLAMA3, ADD_BOS | WHOLE_WORDS},
    {"llama3", FAMILY_LLAMA3, ADD_BOS | WHOLE_WORDS},
    {"llama-v3", FAMILY_LLAMA3, ADD_BOS | WHOLE_WORDS},
    {"falcon3", FAMILY_LLAMA3, ADD_BOS | WHOLE_WORDS},
    {"falcon-h1", FAMILY_LLAMA3, ADD_BOS | WHOLE_WORDS},
    {"pixtral", FAMILY_LLAMA3, ADD_BOS | WHOLE_WORDS},
    {"midm-2.0", FAMILY_LLAMA3, ADD_BOS | WHOLE_WORDS},
    {"lfm2", FAMILY_LLAMA3, ADD_BOS | WHOLE_WORDS},
    {"jina-v5-nano", FAMILY_LLAMA3, ADD_BOS | WHOLE_WORDS},
    {"dbrx", FAMILY_LLAMA3, 0},
    {"smaug-bpe", FAMILY_LLAMA3, 0},
    {"glm4", FAMILY_LLAMA3, 0},
    {"chatglm-bpe", FAMILY_LLAMA3, 0},
    {"qwen2", FAMILY_QWEN2, 0},
    {"deepseek-r1-qwen", FAMILY_QWEN2, 0},
    {"megrez", FAMILY_QWEN2, 0},
    {"kormo", FAMILY_QWEN2, 0},
    {"f2llmv2", FAMILY_QWEN2, 0},
    {"stablelm2", FAMILY_QWEN2, 0},
    {"hunyuan", FAMILY_QWEN2, 0},
    {"solar-open", FAMILY_QWEN2, 0},
    {"grok-2", FAMILY_QWEN2, 0},
    {"qwen35", FAMILY_QWEN35, 0},
    {"gpt-4o", FAMILY_GPT4O, 0},
    {"llama4", FAMILY_GPT4O, 0},
    {"kanana2", FAMILY_GPT4O, 0},
    {"minimax-m2", FAMILY_GPT4O, 0},
    {"tekken", FAMILY_TEKKEN, ADD_BOS | WHOLE_WORDS},
    {"deepseek-llm", FAMILY_DEEPSEEK_LLM, 0},
    {"deepseek-coder", FAMILY_DEEPSEEK_CODER, 0},
    {"deepseek-v3", FAMILY_DEEPSEEK3, 0},
    {"hunyuan-dense", FAMILY_DEEPSEEK3, 0},
    {"joyai-llm", FAMILY_DEEPSEEK3, 0},
    {"bloom", FAMILY_BLOOM, 0},
    {"gpt3-finnish", FAMILY_BLOOM, 0},
    {"poro-chat", FAMILY_BLOOM, 0},
    {"viking", FAMILY_VIKING, 0},
    {"bailingmoe", FAMILY_BAILING, 0},
    {"bailingmoe2", FAMILY_BAILING, 0},
    {"llada-moe", FAMILY_BAILING, 0},
    {"seed-coder", FAMILY_SEED, 0},
    {"gemma4", FAMILY_GEMMA4, ADD_BOS | SPELLED_SPACES},
};

struct gs_token_splitter {
    size_t n_levels;
    pcre2_code *codes[MAX_LEVELS];
    pcre2_general_context *memory;
    pcre2_match_context *limits;
};

static void *pcre_alloc(size_t n, void *ud)
{
    (void)ud;
    return gs_alloc(n);
}

static void pcre_free(void *p, void *ud)
{
    (void)ud;
    gs_free(p);
}

static enum gs_status pcre_error(struct gs_error *err, int code)
{
    PCRE2_UCHAR msg[128] = {0};

    if (code == PCRE2_ERROR_NOMEMORY || code == PCRE2_ERROR_HEAP_FAILED)
        return gs_error_nomem(err, "cut text into words");
    pcre2_get_error_message(code, msg, sizeof(msg));
    return gs_error_set(err, GS_EINTERNAL, "could not cut text into words: %s", (const char *)msg);
}

/* Where no executable memory may be had, PCRE2 interprets: slower, but the same. */
static enum gs_status compile(struct gs_token_splitter *s, enum family family, struct gs_error *err)
{
    enum gs_status st = GS_OK;
    pcre2_compile_context *const ctx = pcre2_compile_context_create(s->memory);

    if (!ctx)
        return pcre_error(err, PCRE2_ERROR_NOMEMORY);
    for (size_t i = 0; i < MAX_LEVELS && patterns[family][i]; i++) {
        int code;
        PCRE2_SIZE off;
        s->codes[i] = pcre2_compile((PCRE2_SPTR)patterns[family][i], PCRE2_ZERO_TERMINATED,
                                    PCRE2_UTF | PCRE2_UCP | PCRE2_DOLLAR_ENDONLY, &code, &off, ctx);
        if (!s->codes[i]) {
            st = pcre_error(err, code);
            break;
        }
        s->n_levels++;
        (void)pcre2_jit_compile(s->codes[i], PCRE2_JIT_COMPLETE);
    }
    pcre2_compile_context_free(ctx);
    return st;
}

enum gs_status gs_token_splitter_create(struct gs_slice name,
                                        struct gs_token_splitter **out_splitter,
                                        struct gs_token_pre_traits *out_traits,
                                        struct gs_error *err)
{
    size_t i = 0;

    while (i < GS_COUNT_OF(names) && !gs_slice_eq_str(name, names[i].name))
        i++;
    if (i == GS_COUNT_OF(names)) {
        gs_error_set(err, GS_EUNSUPPORTED, "pre-tokenizer \"%.*s\" is not supported",
                     (int)GS_MIN(name.len, 64), name.ptr);
        gs_error_hint(err, "A newer genset may know it.");
        return GS_EUNSUPPORTED;
    }
    struct gs_token_splitter *s = gs_alloc_zero(sizeof(*s));
    if (!s)
        return gs_error_nomem(err, "prepare the pre-tokenizer");
    enum gs_status st = GS_OK;
    s->memory = pcre2_general_context_create(pcre_alloc, pcre_free, NULL);
    s->limits = s->memory ? pcre2_match_context_create(s->memory) : NULL;
    if (s->limits) {
        pcre2_set_match_limit(s->limits, UINT32_MAX); /* the expressions are linear */
        st = compile(s, names[i].family, err);
    } else {
        st = gs_error_nomem(err, "prepare the pre-tokenizer");
    }
    if (st != GS_OK) {
        gs_token_splitter_free(s);
        return st;
    }
    *out_splitter = s;
    *out_traits = (struct gs_token_pre_traits){
        .add_bos = names[i].traits & ADD_BOS,
        .whole_words = names[i].traits & WHOLE_WORDS,
        .spelled_spaces = names[i].traits & SPELLED_SPACES,
    };
    return GS_OK;
}

void gs_token_splitter_free(struct gs_token_splitter *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < MAX_LEVELS; i++)
        pcre2_code_free(s->codes[i]);
    pcre2_match_context_free(s->limits);
    pcre2_general_context_free(s->memory);
    gs_free(s);
}

struct split {
    const struct gs_token_splitter *s;
    pcre2_match_data *found[MAX_LEVELS];
    const char *shown;    /* the text as the expressions see it */
    const char *original; /* and as it is */
    gs_token_word_fn *on_word;
    void *ctx;
    struct gs_error *err;
};

/* Cut what `level` finds, and what lies between, on the levels above it. */
static enum gs_status split_at(struct split *sp, size_t level, struct gs_slice text)
{
    enum gs_status st = GS_OK;
    size_t pos = 0;

    if (level == sp->s->n_levels)
        return sp->on_word(sp->ctx, gs_slice(sp->original + (text.ptr - sp->shown), text.len));
    assert(level < MAX_LEVELS);
    while (st == GS_OK && pos < text.len) {
        const int rc = pcre2_match(sp->s->codes[level], (PCRE2_SPTR)text.ptr, text.len, pos,
                                   PCRE2_NO_UTF_CHECK, sp->found[level], sp->s->limits);
        if (rc < 0 && rc != PCRE2_ERROR_NOMATCH)
            return pcre_error(sp->err, rc);
        const PCRE2_SIZE *const ends = pcre2_get_ovector_pointer(sp->found[level]);
        const size_t from = rc < 0 ? text.len : ends[0];
        const size_t to = rc < 0 ? text.len : ends[1];
        if (from > pos)
            st = split_at(sp, level + 1, gs_slice_sub(text, pos, from));
        if (st == GS_OK && to > from)
            st = split_at(sp, level + 1, gs_slice_sub(text, from, to));
        assert(to > pos); /* no expression matches nothing */
        pos = to;
    }
    return st;
}

/* A copy of `text` in which bytes that are not UTF-8 are U+001A. */
static char *repair(struct gs_slice text)
{
    char *const copy = gs_alloc(text.len);

    if (!copy)
        return NULL;
    memcpy(copy, text.ptr, text.len);
    for (size_t i = 0; i < text.len;) {
        uint32_t cp;
        const size_t n = gs_utf8_decode(text, i, &cp);
        if (n == 1 && cp == 0xFFFD)
            copy[i] = '\x1A';
        i += n;
    }
    return copy;
}

enum gs_status gs_token_split(const struct gs_token_splitter *s, struct gs_slice text,
                              gs_token_word_fn *on_word, void *ctx, struct gs_error *err)
{
    struct split sp = {s, {NULL}, text.ptr, text.ptr, on_word, ctx, err};
    char *repaired = NULL;
    enum gs_status st = GS_OK;

    if (!gs_utf8_valid(text)) {
        repaired = repair(text);
        if (!repaired)
            return gs_error_nomem(err, "cut text into words");
        sp.shown = repaired;
    }
    for (size_t i = 0; i < s->n_levels && st == GS_OK; i++) {
        sp.found[i] = pcre2_match_data_create(1, s->memory);
        if (!sp.found[i])
            st = gs_error_nomem(err, "cut text into words");
    }
    if (st == GS_OK)
        st = split_at(&sp, 0, gs_slice(sp.shown, text.len));
    for (size_t i = 0; i < s->n_levels; i++)
        pcre2_match_data_free(sp.found[i]);
    gs_free(repaired);
    return st;
}
