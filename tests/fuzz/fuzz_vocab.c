/* The input is a model file: if it opens and its vocabulary is accepted, encode with it and decode
 * what comes out. */
#include "base/limits.h"
#include "base/slice.h"
#include "gguf/gguf.h"
#include "token/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const struct gs_tokenizer *t)
{
    static const char text[] = "hello world \n\n<tool>\xC3\xA9\xEF\xAC\x81 A1 \xE4\xB8\xAD\xF0\x9F"
                               "\x98\x80</s>\xFF unaffable";
    struct gs_token_ids ids = {0};
    struct gs_detok d;
    struct gs_buf b;

    gs_buf_init(&b, GS_MAX_TEXT_BYTES);
    gs_detok_init(&d, t, true);
    if (gs_token_encode(t, gs_slice(text, sizeof(text)),
                        GS_TOKEN_ADD_SPECIAL | GS_TOKEN_PARSE_SPECIAL, &ids, NULL) != GS_OK)
        __builtin_trap();
    for (size_t i = 0; i < ids.len; i++) {
        if (ids.ids[i] < 0 || ids.ids[i] >= gs_token_vocab_len(t))
            __builtin_trap();
        gs_detok_feed(&d, ids.ids[i], &b);
    }
    gs_detok_finish(&d, &b);
    if (!gs_utf8_valid(gs_buf_view(&b)))
        __builtin_trap();
    gs_buf_clear(&b);
    gs_token_ids_clear(&ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gs_gguf *f = NULL;
    struct gs_tokenizer *t = NULL;
    struct gs_error err = {0};

    if (gs_gguf_open_memory("input", data, size, &f, NULL) != GS_OK)
        return 0;
    if (gs_token_create(f, &t, &err) == GS_OK)
        use(t);
    else if (err.msg[0] == '\0')
        __builtin_trap(); /* an error must say what is wrong */
    gs_token_free(t);
    gs_gguf_close(f);
    return 0;
}
