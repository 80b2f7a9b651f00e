/* Metadata values: their kinds, and reading them as numbers, text and flags. */
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/slice.h"
#include "gguf/gguf_part.h"

enum number { NO_NUMBER, UNSIGNED, SIGNED, FLOATING };

static const struct {
    const char *name;
    size_t bytes;
    enum number number;
} kinds[] = {
    [GS_GGUF_U8] = {"u8", 1, UNSIGNED},        [GS_GGUF_I8] = {"i8", 1, SIGNED},
    [GS_GGUF_U16] = {"u16", 2, UNSIGNED},      [GS_GGUF_I16] = {"i16", 2, SIGNED},
    [GS_GGUF_U32] = {"u32", 4, UNSIGNED},      [GS_GGUF_I32] = {"i32", 4, SIGNED},
    [GS_GGUF_U64] = {"u64", 8, UNSIGNED},      [GS_GGUF_I64] = {"i64", 8, SIGNED},
    [GS_GGUF_F32] = {"f32", 4, FLOATING},      [GS_GGUF_F64] = {"f64", 8, FLOATING},
    [GS_GGUF_BOOL] = {"bool", 1, UNSIGNED},    [GS_GGUF_STRING] = {"string", 0, NO_NUMBER},
    [GS_GGUF_ARRAY] = {"array", 0, NO_NUMBER},
};

bool gs_gguf_kind_known(uint32_t kind)
{
    return kind < GS_COUNT_OF(kinds);
}

const char *gs_gguf_kind_name(enum gs_gguf_kind k)
{
    return kinds[k].name;
}

size_t gs_gguf_kind_bytes(enum gs_gguf_kind k)
{
    return kinds[k].bytes;
}

bool gs_gguf_kind_is_integer(enum gs_gguf_kind k)
{
    return kinds[k].number == UNSIGNED || kinds[k].number == SIGNED;
}

static enum gs_gguf_kind item_kind(const struct gs_gguf_value *v)
{
    return v->kind == GS_GGUF_ARRAY ? v->item_kind : v->kind;
}

/* The low bytes of item `i`, zero-extended. */
static uint64_t item_bits(const struct gs_gguf_value *v, uint64_t i)
{
    const size_t bytes = kinds[item_kind(v)].bytes;
    uint64_t bits = 0;

    memcpy(&bits, v->data + i * bytes, bytes);
    return bits;
}

static double bits_to_f64(uint64_t bits, enum gs_gguf_kind k)
{
    double d;
    float f;

    if (k == GS_GGUF_F64) {
        memcpy(&d, &bits, sizeof(d));
        return d;
    }
    memcpy(&f, &bits, sizeof(f));
    return f;
}

int64_t gs_gguf_item_i64(const struct gs_gguf_value *v, uint64_t i)
{
    const enum gs_gguf_kind k = item_kind(v);
    const uint64_t bits = item_bits(v, i);
    const size_t unused_bits = 64 - 8 * kinds[k].bytes;

    if (kinds[k].number == FLOATING)
        return (int64_t)bits_to_f64(bits, k);
    if (kinds[k].number == SIGNED) /* move the sign to the top and back */
        return (int64_t)(bits << unused_bits) >> unused_bits;
    return (int64_t)bits;
}

double gs_gguf_item_f64(const struct gs_gguf_value *v, uint64_t i)
{
    const enum gs_gguf_kind k = item_kind(v);

    if (kinds[k].number == FLOATING)
        return bits_to_f64(item_bits(v, i), k);
    if (k == GS_GGUF_U64)
        return (double)item_bits(v, i);
    return (double)gs_gguf_item_i64(v, i);
}

static bool wrong_kind(const struct gs_gguf_value *v, const char *expected, struct gs_error *err)
{
    gs_error_set(err, GS_EFORMAT, "key \"%.*s\": expected %s, found a value of kind %s",
                 (int)v->key.len, v->key.ptr, expected, kinds[v->kind].name);
    return false;
}

static bool value_u64(const struct gs_gguf_value *v, uint64_t *out, struct gs_error *err)
{
    if (v->kind == GS_GGUF_BOOL || !gs_gguf_kind_is_integer(v->kind))
        return wrong_kind(v, "a whole number", err);
    const int64_t n = gs_gguf_item_i64(v, 0);
    if (kinds[v->kind].number == SIGNED && n < 0) {
        gs_error_set(err, GS_EFORMAT, "key \"%.*s\": %lld is negative", (int)v->key.len, v->key.ptr,
                     (long long)n);
        return false;
    }
    *out = (uint64_t)n;
    return true;
}

bool gs_gguf_part_get_u64(const struct gs_gguf_part *part, const char *key, uint64_t *out,
                          struct gs_error *err)
{
    const struct gs_gguf_value *v = gs_map_get(&part->keys, gs_slice_str(key));

    return !v || value_u64(v, out, err);
}

bool gs_gguf_get_u64(const struct gs_gguf *f, const char *key, uint64_t *out, struct gs_error *err)
{
    const struct gs_gguf_value *v = gs_gguf_find(f, key);

    return !v || value_u64(v, out, err);
}

bool gs_gguf_get_u32(const struct gs_gguf *f, const char *key, uint32_t *out, struct gs_error *err)
{
    uint64_t wide = *out;

    if (!gs_gguf_get_u64(f, key, &wide, err))
        return false;
    if (wide > UINT32_MAX) {
        gs_error_set(err, GS_EFORMAT, "key \"%s\": %llu is larger than %u", key,
                     (unsigned long long)wide, UINT32_MAX);
        return false;
    }
    *out = (uint32_t)wide;
    return true;
}

bool gs_gguf_get_f32(const struct gs_gguf *f, const char *key, float *out, struct gs_error *err)
{
    const struct gs_gguf_value *v = gs_gguf_find(f, key);

    if (!v)
        return true;
    if (v->kind == GS_GGUF_BOOL || kinds[v->kind].number == NO_NUMBER)
        return wrong_kind(v, "a number", err);
    const float value = (float)gs_gguf_item_f64(v, 0);
    if (!isfinite(value)) {
        gs_error_set(err, GS_EFORMAT, "key \"%s\": not a finite number", key);
        return false;
    }
    *out = value;
    return true;
}

bool gs_gguf_get_bool(const struct gs_gguf *f, const char *key, bool *out, struct gs_error *err)
{
    const struct gs_gguf_value *v = gs_gguf_find(f, key);

    if (!v)
        return true;
    if (v->kind != GS_GGUF_BOOL)
        return wrong_kind(v, "true or false", err);
    *out = v->data[0] != 0;
    return true;
}

bool gs_gguf_get_string(const struct gs_gguf *f, const char *key, struct gs_slice *out,
                        struct gs_error *err)
{
    const struct gs_gguf_value *v = gs_gguf_find(f, key);

    if (!v)
        return true;
    if (v->kind != GS_GGUF_STRING)
        return wrong_kind(v, "text", err);
    *out = gs_slice((const char *)v->data, v->data_bytes);
    return true;
}
