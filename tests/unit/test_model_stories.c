/* A trained model tells its story: stories260K (karpathy/tinyllamas), 200 tokens, greedily. The
 * pieces of its vocabulary are joined by hand, so that this tests the numbers and nothing else. */
#include "cmocka_headers.h"

#include "base/buf.h"
#include "base/slice.h"
#include "compute/lane.h"
#include "gguf/gguf.h"
#include "model/exec.h"
#include "model/model.h"

#include <stdio.h>

#define MODEL    GENSET_SHARED "/models/stories260K.gguf"
#define BOS      1
#define N_TOKENS 200

static const char story[] =
    "Once upon a time, there was a little girl named Lily. She loved to play outside in the park. "
    "One day, she saw a big, red ball. She wanted to play with it, but it was too high.\n"
    "Lily's mom said, \"Lily, let's go to the park.\" Lily was sad and didn't know what to do. She "
    "said, \"I want to play with your ball, but I can't find it.\"\n"
    "Lily was sad and didn't know what to do. She said, \"I'm sorry, Lily. I didn't know what to "
    "do.\"\n"
    "Lily didn't want to help her mom, so she";

static int32_t largest(const float *logits, uint32_t n)
{
    int32_t best = 0;

    for (uint32_t i = 1; i < n; i++) {
        if (logits[i] > logits[best])
            best = (int32_t)i;
    }
    return best;
}

/* A SentencePiece piece: U+2581 is a space, <0xNN> a byte. */
static void put_piece(struct gs_buf *b, struct gs_slice piece)
{
    unsigned byte = 0;

    if (piece.len == 6 && gs_slice_starts(piece, GS_SLICE_LIT("<0x"))) {
        for (size_t i = 3; i < 5; i++) {
            const char c = piece.ptr[i];
            byte = byte * 16 + (unsigned)(c <= '9' ? c - '0' : c - 'A' + 10);
        }
        gs_buf_putc(b, (char)byte);
        return;
    }
    for (size_t at = 0; at < piece.len;) {
        uint32_t cp;
        const size_t n = gs_utf8_decode(piece, at, &cp);
        if (cp == 0x2581)
            gs_buf_putc(b, ' ');
        else
            gs_buf_put(b, piece.ptr + at, n);
        at += n;
    }
}

static void test_story(void **state)
{
    const struct gs_exec_options opt = {GS_TYPE_F16, 1, 1, 1, 256, 256, false};
    struct gs_gguf *f = NULL;
    struct gs_model *m = NULL;
    struct gs_compute *pool = NULL;
    struct gs_exec *e = NULL;
    struct gs_seq *s = NULL;
    struct gs_error err = {0};
    struct gs_buf text;
    int32_t token = BOS;

    (void)state;
    if (gs_gguf_open(MODEL, &f, &err) != GS_OK) {
        print_message("stories skipped: %s\n", err.msg);
        skip();
    }
    assert_int_equal(gs_model_load(f, &m, &err), GS_OK);
    assert_int_equal(gs_compute_create(1, NULL, &pool, &err), GS_OK);
    assert_int_equal(gs_exec_create(m, pool, &opt, &e, &err), GS_OK);
    assert_int_equal(gs_seq_create(e, N_TOKENS, &s, &err), GS_OK);
    const struct gs_gguf_value *pieces = gs_gguf_find(f, "tokenizer.ggml.tokens");
    gs_buf_init(&text, 4096);
    for (int i = 0; i < N_TOKENS; i++) {
        const float *logits = NULL;
        assert_int_equal(gs_exec_forward(e, &(struct gs_run){s, &token, 1, 1, 0}, 1, &logits, &err),
                         GS_OK);
        token = largest(logits, gs_model_params(m)->n_vocab);
        put_piece(&text, pieces->strings[token]);
    }
    gs_buf_putc(&text, '\0');
    assert_true(gs_buf_ok(&text));
    assert_string_equal(text.ptr + 1, story); /* the first piece begins with a space */
    gs_buf_clear(&text);
    gs_seq_free(s);
    gs_exec_free(e);
    gs_compute_free(pool);
    gs_model_free(m);
    gs_gguf_close(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_story),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
