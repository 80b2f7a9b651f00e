/* Compiles the input as a schema, of a value or of a call, a grammar or a regular expression (its
 * first byte says which) and walks what it allows at random: a schema's outputs are JSON, and every
 * position offers a way on or an end. */
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/limits.h"
#include "base/rng.h"
#include "base/slice.h"
#include "constraint/constraint.h"
#include "json/json.h"

#define MAX_OUTPUT 300

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every byte as a token. */
static struct gs_constraint_vocab *bytes_vocab(void)
{
    static char bytes[256];
    static struct gs_slice tokens[256];
    struct gs_constraint_vocab *v;

    for (int i = 0; i < 256; i++) {
        bytes[i] = (char)i;
        tokens[i] = gs_slice(&bytes[i], 1);
    }
    if (gs_constraint_vocab_create(tokens, 256, &v, NULL) != GS_OK)
        __builtin_trap();
    return v;
}

/* A byte of the mask, or -1: structure rather than letters, so that outputs end. */
static int choose(const uint64_t *mask, struct gs_rng *rng, size_t len)
{
    int choices[256];
    int n = 0;

    for (int i = 0; i < 256; i++)
        if (mask[i / 64] >> (i % 64) & 1 &&
            (len < MAX_OUTPUT / 2 || !strchr(" \n\t,[{", i) || i == 0))
            choices[n++] = i;
    for (int i = 0; n == 0 && i < 256; i++)
        if (mask[i / 64] >> (i % 64) & 1)
            return i;
    if (n == 0)
        return -1;
    for (int i = 0; i < n; i++)
        if (strchr("\"]}", choices[i]) && choices[i] && gs_rng_u64(rng) % 3 == 0)
            return choices[i];
    return choices[gs_rng_u64(rng) % (uint64_t)n];
}

static void walk(struct gs_constraint *c, const struct gs_constraint_vocab *v, bool is_json,
                 uint64_t seed)
{
    char out[MAX_OUTPUT];
    size_t len = 0;
    struct gs_arena a;
    struct gs_json json;
    struct gs_rng rng;

    gs_rng_seed(&rng, seed);
    gs_arena_init(&a, 0);
    gs_constraint_restart(c);
    while (len < MAX_OUTPUT) {
        const uint64_t *mask = gs_constraint_mask(c, v);
        const bool may_end = gs_constraint_may_end(c);
        if (!mask)
            break;
        const int byte = choose(mask, &rng, len);
        if (byte < 0 && may_end != gs_constraint_must_end(c))
            __builtin_trap();
        if (may_end && is_json && gs_json_parse(gs_slice(out, len), &a, &json, NULL) != GS_OK)
            __builtin_trap();
        if (byte < 0)
            break;
        out[len++] = (char)byte;
        if (!gs_constraint_advance(c, gs_slice(&out[len - 1], 1)))
            break; /* out of memory or too ambiguous */
    }
    gs_arena_clear(&a);
}

/* Arguments by the schema `text`, in the notation that a byte chooses. */
static enum gs_status compile_call(uint8_t byte, struct gs_slice text, struct gs_buf *ignored,
                                   struct gs_constraint **out_c, struct gs_error *err)
{
    static const struct gs_constraint_notation notations[] = {
        {"<parameter=", ">", "", "</parameter>", NULL}, {NULL, NULL, NULL, NULL, "<|\"|>"}};
    const struct gs_constraint_call call = {.begin = GS_SLICE_LIT("<call>"),
                                            .end = GS_SLICE_LIT("</call>"),
                                            .notation = &notations[byte & 1],
                                            .schema = text};

    return gs_constraint_from_calls(&call, 1, byte & 2, ignored, out_c, err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gs_constraint *c = NULL;
    struct gs_error err = {0};
    struct gs_buf ignored;
    enum gs_status st;

    if (size < 1)
        return 0;
    const struct gs_slice text = gs_slice((const char *)data + 1, size - 1);
    const int kind = data[0] % 3;
    gs_buf_init(&ignored, GS_MIB);
    const bool is_call = kind == 0 && data[0] & 64;
    if (is_call)
        st = compile_call(data[0], text, &ignored, &c, &err);
    else if (kind == 0)
        st = gs_constraint_from_schema(text, &ignored, &c, &err);
    else if (kind == 1)
        st = gs_constraint_from_gbnf(text, &c, &err);
    else
        st = gs_constraint_from_regex(text, &c, &err);
    if (st != GS_OK && (err.code != st || err.msg[0] == '\0'))
        __builtin_trap();
    if (st == GS_OK) {
        struct gs_constraint_vocab *v = bytes_vocab();
        for (uint64_t seed = 1; seed <= 3; seed++)
            walk(c, v, kind == 0 && !is_call, seed);
        gs_constraint_free(c);
        gs_constraint_vocab_free(v);
    }
    gs_buf_clear(&ignored);
    return 0;
}
