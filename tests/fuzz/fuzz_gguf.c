/* Opens the input as a model file and touches everything that the reader handed out, so that a
 * pointer outside the file is noticed. */
#include <stdio.h>

#include "base/slice.h"
#include "gguf/gguf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t sum(const void *p, size_t n)
{
    const uint8_t *bytes = p;
    uint64_t total = 0;

    for (size_t i = 0; i < n; i++)
        total += bytes[i];
    return total;
}

static uint64_t read_value(const struct gs_gguf *f, const struct gs_gguf_value *v)
{
    const enum gs_gguf_kind kind = v->kind == GS_GGUF_ARRAY ? v->item_kind : v->kind;
    uint64_t total = sum(v->key.ptr, v->key.len) + sum(v->data, v->data_bytes);
    uint64_t u64 = 0;
    uint32_t u32 = 0;
    float f32 = 0;
    bool flag = false;
    struct gs_slice text = {NULL, 0};
    char key[64];

    for (uint64_t i = 0; v->strings && i < v->n_items; i++)
        total += sum(v->strings[i].ptr, v->strings[i].len);
    for (uint64_t i = 0; gs_gguf_kind_is_integer(kind) && i < v->n_items; i++)
        total += (uint64_t)gs_gguf_item_i64(v, i);
    if (kind == GS_GGUF_F32 || kind == GS_GGUF_F64)
        for (uint64_t i = 0; i < v->n_items; i++)
            total += gs_gguf_item_f64(v, i) > 0.5;
    snprintf(key, sizeof(key), "%.*s", (int)GS_MIN(v->key.len, sizeof(key) - 1), v->key.ptr);
    total += gs_gguf_get_u64(f, key, &u64, NULL) + u64;
    total += gs_gguf_get_u32(f, key, &u32, NULL) + u32;
    total += gs_gguf_get_f32(f, key, &f32, NULL) + (uint64_t)(f32 > 0.5F);
    total += gs_gguf_get_bool(f, key, &flag, NULL) + (uint64_t)flag;
    total += gs_gguf_get_string(f, key, &text, NULL) + sum(text.ptr, text.len);
    return total;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gs_gguf *f = NULL;
    struct gs_error err = {0};
    uint64_t total = 0;

    if (gs_gguf_open_memory("input", data, size, &f, &err) != GS_OK) {
        if (err.code == GS_OK || err.msg[0] == '\0')
            __builtin_trap(); /* an error must say what is wrong */
        return 0;
    }
    for (size_t i = 0; i < gs_gguf_value_count(f); i++)
        total += read_value(f, gs_gguf_value_at(f, i));
    for (size_t i = 0; i < gs_gguf_tensor_count(f); i++) {
        const struct gs_gguf_tensor *t = gs_gguf_tensor_at(f, i);
        total += sum(t->name.ptr, t->name.len) + sum(t->data, t->n_bytes);
    }
    gs_gguf_close(f);
    volatile uint64_t sink = total; /* keeps the reads */
    (void)sink;
    return 0;
}
