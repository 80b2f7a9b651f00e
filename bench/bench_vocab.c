/* The tokens in their order, each made of two earlier ones by one merge:
 *
 *     bytes | ab | Gab (G: the space of byte-level BPE) | abcd | ... | specials
 *
 * so that text is cut into pieces, somewhat shorter than those of a real vocabulary. */
#include "bench_vocab.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/error.h"
#include "base/slice.h"

#define LETTERS      26
#define PAIRS        ((uint32_t)LETTERS * LETTERS)
#define N_BYTES      256
#define N_SPECIALS   3
#define TYPE_NORMAL  1 /* tokenizer.ggml.token_type */
#define TYPE_SPECIAL 3

static const char chat_template[] =
    "{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' + message.content + "
    "'<|im_end|>\\n' }}{%- endfor %}{%- if add_generation_prompt %}{{- "
    "'<|im_start|>assistant\\n' }}{%- endif %}";

/* How byte-level BPE spells a byte: printable Latin-1 as itself, the others from U+0100 upwards
 * (Radford et al. 2019, bytes_to_unicode). */
static uint32_t spelling_of_byte(unsigned byte)
{
    const bool plain =
        (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xFF && byte != 0xAD);
    uint32_t moved = 0;

    if (plain)
        return byte;
    for (unsigned b = 0; b < byte; b++)
        moved += !((b >= '!' && b <= '~') || (b >= 0xA1 && b != 0xAD));
    return 0x100 + moved;
}

struct vocab {
    struct gs_arena arena;
    struct gs_slice *tokens;
    struct gs_slice *merges;
    int32_t *types;
    size_t n_tokens;
    size_t n_merges;
    bool failed;
};

static void add(struct vocab *v, struct gs_slice token, struct gs_slice merge)
{
    v->failed = v->failed || !token.ptr;
    v->types[v->n_tokens] = TYPE_NORMAL;
    v->tokens[v->n_tokens++] = token;
    if (merge.ptr)
        v->merges[v->n_merges++] = merge;
}

static void add_bytes(struct vocab *v)
{
    for (unsigned byte = 0; byte < N_BYTES; byte++) {
        char utf8[4];
        const size_t len = gs_utf8_encode(spelling_of_byte(byte), utf8);
        add(v, gs_arena_printf(&v->arena, "%.*s", (int)len, utf8), gs_slice(NULL, 0));
    }
}

static void write_pair(uint32_t pair, char out[3])
{
    out[0] = (char)('a' + pair / LETTERS % LETTERS);
    out[1] = (char)('a' + pair % LETTERS);
    out[2] = '\0';
}

/* The n-th token after the bytes. */
static void add_word(struct vocab *v, uint32_t n)
{
    static const char space[] = "\xC4\xA0";
    struct gs_arena *a = &v->arena;
    char left[3];
    char right[3];

    write_pair(n % PAIRS, right);
    if (n < PAIRS) {
        add(v, gs_arena_printf(a, "%s", right), gs_arena_printf(a, "%c %c", right[0], right[1]));
    } else if (n < 2 * PAIRS) {
        add(v, gs_arena_printf(a, "%s%s", space, right), gs_arena_printf(a, "%s %s", space, right));
    } else {
        write_pair(n / PAIRS - 2, left);
        add(v, gs_arena_printf(a, "%s%s", left, right), gs_arena_printf(a, "%s %s", left, right));
    }
}

static void add_specials(struct vocab *v)
{
    static const char *const names[N_SPECIALS] = {"<|endoftext|>", "<|im_start|>", "<|im_end|>"};

    for (size_t i = 0; i < N_SPECIALS; i++) {
        v->types[v->n_tokens] = TYPE_SPECIAL;
        v->tokens[v->n_tokens++] = gs_slice_str(names[i]);
    }
}

static void write(struct gs_gguf_writer *w, const struct vocab *v, const char *pre)
{
    const uint32_t first_special = (uint32_t)v->n_tokens - N_SPECIALS;

    gs_gguf_writer_string(w, "tokenizer.ggml.model", GS_SLICE_LIT("gpt2"));
    gs_gguf_writer_string(w, "tokenizer.ggml.pre", gs_slice_str(pre));
    gs_gguf_writer_strings(w, "tokenizer.ggml.tokens", v->tokens, v->n_tokens);
    gs_gguf_writer_array(w, "tokenizer.ggml.token_type", GS_GGUF_I32, v->types, v->n_tokens);
    gs_gguf_writer_strings(w, "tokenizer.ggml.merges", v->merges, v->n_merges);
    gs_gguf_writer_u32(w, "tokenizer.ggml.bos_token_id", first_special);
    gs_gguf_writer_u32(w, "tokenizer.ggml.eos_token_id", first_special + 2);
    gs_gguf_writer_u32(w, "tokenizer.ggml.padding_token_id", first_special);
    gs_gguf_writer_bool(w, "tokenizer.ggml.add_bos_token", false);
    gs_gguf_writer_string(w, "tokenizer.chat_template", gs_slice_str(chat_template));
}

enum gs_status gs_bench_write_vocab(struct gs_gguf_writer *w, uint32_t n_tokens, const char *pre,
                                    struct gs_error *err)
{
    struct vocab v = {.tokens = gs_alloc_array(n_tokens, sizeof(*v.tokens)),
                      .merges = gs_alloc_array(n_tokens, sizeof(*v.merges)),
                      .types = gs_alloc_array(n_tokens, sizeof(*v.types))};
    enum gs_status st = GS_OK;

    gs_arena_init(&v.arena, 0);
    v.failed = !v.tokens || !v.merges || !v.types;
    if (!v.failed) {
        add_bytes(&v);
        for (uint32_t n = 0; n + N_BYTES + N_SPECIALS < n_tokens; n++)
            add_word(&v, n);
        add_specials(&v);
    }
    if (v.failed)
        st = gs_error_nomem(err, "make a vocabulary");
    else
        write(w, &v, pre);
    gs_arena_clear(&v.arena);
    gs_free(v.tokens);
    gs_free(v.merges);
    gs_free(v.types);
    return st;
}
