/* Typed, range-checked reads of a GGUF that may be hostile. Nothing here divides, allocates or
 * indexes by a value before it has been compared with what the file can hold. */
#include "model/loader.h"

#include <inttypes.h>
#include <math.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/slice.h"
#include "gguf/gguf.h"

void gs_load_fail(struct gs_loader *ld, enum gs_status st, const char *fmt, ...)
{
    char msg[GS_ERROR_MSG_BYTES];
    va_list ap;

    if (ld->st != GS_OK)
        return;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof(msg), fmt, ap);
    va_end(ap);
    ld->st = gs_error_set(ld->err, st, "%s", msg);
}

void *gs_load_alloc(struct gs_loader *ld, size_t n, size_t item_bytes)
{
    void *p = ld->st == GS_OK ? gs_arena_array(&ld->model->arena, n, item_bytes) : NULL;

    if (!p && ld->st == GS_OK)
        ld->st = gs_error_nomem(ld->err, "load the model");
    return p;
}

/* ---- keys ---- */

static void key_name(const struct gs_loader *ld, const char *key, char out[GS_LOAD_NAME_BYTES])
{
    snprintf(out, GS_LOAD_NAME_BYTES, "%s.%s", ld->model->arch->name, key);
}

/* The value of a key; NULL with the failure noted if it is required and missing. */
static const struct gs_gguf_value *find_key(struct gs_loader *ld, const char *name, bool required)
{
    const struct gs_gguf_value *v = ld->st == GS_OK ? gs_gguf_find(ld->file, name) : NULL;

    if (!v && required)
        gs_load_fail(ld, GS_EFORMAT, "key \"%s\" is missing", name);
    return v;
}

bool gs_load_has_key(const struct gs_loader *ld, const char *key)
{
    char name[GS_LOAD_NAME_BYTES];

    key_name(ld, key, name);
    return gs_gguf_find(ld->file, name) != NULL;
}

/* Item `idx` of v (0 for a plain number), which must be a whole number in [min, max]. */
static uint32_t item_u32(struct gs_loader *ld, const char *name, const struct gs_gguf_value *v,
                         uint64_t idx, uint32_t min, uint32_t max)
{
    const enum gs_gguf_kind kind = v->kind == GS_GGUF_ARRAY ? v->item_kind : v->kind;

    if (!gs_gguf_kind_is_integer(kind)) {
        gs_load_fail(ld, GS_EFORMAT, "key \"%s\": expected a whole number, found %s", name,
                     gs_gguf_kind_name(kind));
        return min;
    }
    const int64_t x = gs_gguf_item_i64(v, idx);
    if (x < (int64_t)min || x > (int64_t)max) {
        gs_load_fail(ld, GS_EFORMAT,
                     "key \"%s\": expected %" PRIu32 " to %" PRIu32 ", found %" PRId64, name, min,
                     max, x);
        return min;
    }
    return (uint32_t)x;
}

static uint32_t value_u32(struct gs_loader *ld, const char *name, const struct gs_gguf_value *v,
                          uint32_t min, uint32_t max)
{
    if (v->kind == GS_GGUF_ARRAY) {
        gs_load_fail(ld, GS_EFORMAT, "key \"%s\": expected a whole number, found an array", name);
        return min;
    }
    return item_u32(ld, name, v, 0, min, max);
}

uint32_t gs_load_u32(struct gs_loader *ld, const char *key, uint32_t min, uint32_t max)
{
    char name[GS_LOAD_NAME_BYTES];

    key_name(ld, key, name);
    const struct gs_gguf_value *v = find_key(ld, name, true);
    return v ? value_u32(ld, name, v, min, max) : min;
}

uint32_t gs_load_u32_or(struct gs_loader *ld, const char *key, uint32_t dflt, uint32_t min,
                        uint32_t max)
{
    char name[GS_LOAD_NAME_BYTES];

    key_name(ld, key, name);
    const struct gs_gguf_value *v = find_key(ld, name, false);
    return v ? value_u32(ld, name, v, min, max) : dflt;
}

uint32_t gs_load_u32_at(struct gs_loader *ld, const char *key, uint32_t layer, uint32_t min,
                        uint32_t max)
{
    char name[GS_LOAD_NAME_BYTES];

    key_name(ld, key, name);
    const struct gs_gguf_value *v = find_key(ld, name, true);
    if (!v)
        return min;
    if (v->kind != GS_GGUF_ARRAY)
        return value_u32(ld, name, v, min, max);
    if (layer >= v->n_items) {
        gs_load_fail(ld, GS_EFORMAT,
                     "key \"%s\": expected a value for block %" PRIu32 ", found %" PRIu64 " values",
                     name, layer, v->n_items);
        return min;
    }
    return item_u32(ld, name, v, layer, min, max);
}

static float value_f32(struct gs_loader *ld, const char *name, float min, float max)
{
    float x = min;

    if (!gs_gguf_get_f32(ld->file, name, &x, ld->err)) {
        ld->st = ld->err->code;
        return min;
    }
    if (!(x >= min && x <= max)) { /* also NaN */
        gs_load_fail(ld, GS_EFORMAT, "key \"%s\": expected %g to %g, found %g", name, (double)min,
                     (double)max, (double)x);
        return min;
    }
    return x;
}

float gs_load_f32(struct gs_loader *ld, const char *key, float min, float max)
{
    char name[GS_LOAD_NAME_BYTES];

    key_name(ld, key, name);
    return find_key(ld, name, true) ? value_f32(ld, name, min, max) : min;
}

float gs_load_f32_or(struct gs_loader *ld, const char *key, float dflt, float min, float max)
{
    char name[GS_LOAD_NAME_BYTES];

    key_name(ld, key, name);
    return find_key(ld, name, false) ? value_f32(ld, name, min, max) : dflt;
}

/* ---- tensors ---- */

static void tensor_name(const struct gs_loader *ld, const char *name, char out[GS_LOAD_NAME_BYTES])
{
    snprintf(out, GS_LOAD_NAME_BYTES, "%s%s", ld->scope, name);
}

static void print_shape(char *out, size_t cap, const uint64_t dims[GS_GGUF_MAX_DIMS])
{
    uint32_t n = GS_GGUF_MAX_DIMS;
    size_t len = 0;

    while (n > 1 && dims[n - 1] == 1)
        n--;
    for (uint32_t i = 0; i < n && len < cap; i++)
        len += (size_t)snprintf(out + len, cap - len, i ? ", %" PRIu64 : "%" PRIu64, dims[i]);
}

/* The tensor of this name and exactly this shape. */
static const struct gs_gguf_tensor *find_tensor(struct gs_loader *ld, const char *name,
                                                const uint64_t dims[GS_GGUF_MAX_DIMS])
{
    char full[GS_LOAD_NAME_BYTES];
    char expected[96];
    char found[96];

    if (ld->st != GS_OK)
        return NULL;
    tensor_name(ld, name, full);
    print_shape(expected, sizeof(expected), dims);
    const struct gs_gguf_tensor *t = gs_gguf_tensor_find(ld->file, full);
    if (!t) {
        gs_load_fail(ld, GS_EFORMAT, "tensor \"%s\" of shape [%s] is missing", full, expected);
        return NULL;
    }
    if (memcmp(t->dims, dims, sizeof(t->dims)) != 0) {
        print_shape(found, sizeof(found), t->dims);
        gs_load_fail(ld, GS_EFORMAT, "tensor \"%s\": expected shape [%s], found [%s]", full,
                     expected, found);
        return NULL;
    }
    return t;
}

static void refuse_type(struct gs_loader *ld, const struct gs_gguf_tensor *t, bool is_vector)
{
    char list[GS_ERROR_HINT_BYTES];
    size_t len = 0;

    gs_load_fail(ld, GS_EUNSUPPORTED, "tensor \"%.*s\": type %s is not supported%s",
                 (int)t->name.len, t->name.ptr, gs_type_name(t->type),
                 is_vector ? " for a vector" : "");
    list[0] = '\0';
    for (uint32_t id = 0; id < GS_TYPE_LIMIT && len < sizeof(list); id++) {
        if (gs_type_known(id) && gs_compute_type_supported((enum gs_type)id) &&
            (!is_vector || gs_type_block_len((enum gs_type)id) == 1))
            len += (size_t)snprintf(list + len, sizeof(list) - len, len ? ", %s" : "%s",
                                    gs_type_name((enum gs_type)id));
    }
    gs_error_hint(ld->err, "Use a file in one of these types: %s.", list);
}

void gs_load_enter_layer(struct gs_loader *ld, uint32_t layer)
{
    snprintf(ld->scope, sizeof(ld->scope), "blk.%" PRIu32 ".", layer);
}

bool gs_load_has(const struct gs_loader *ld, const char *name)
{
    char full[GS_LOAD_NAME_BYTES];

    tensor_name(ld, name, full);
    return gs_gguf_tensor_find(ld->file, full) != NULL;
}

/* A factor of a whole matrix, or of each expert's (NVFP4 has them): a tensor "X.scale", by some
 * converters "X.weight.scale", beside "X.weight". That of ffn_down_exps is applied (block_ffn.c);
 * weights without theirs would be wrong. */
static bool refuse_scale(struct gs_loader *ld, const char *name, uint64_t n_expert)
{
    const size_t lengths[] = {strlen(name) - GS_MIN(strlen(name), strlen(".weight")), strlen(name)};

    if (strcmp(name, "ffn_down_exps.weight") == 0)
        return false;
    for (size_t i = 0; i < GS_COUNT_OF(lengths); i++) {
        char full[GS_LOAD_NAME_BYTES];
        snprintf(full, sizeof(full), "%s%.*s.scale", ld->scope, (int)lengths[i], name);
        const struct gs_gguf_tensor *t = gs_gguf_tensor_find(ld->file, full);
        if (!t || t->dims[0] != n_expert || t->dims[1] != 1)
            continue;
        gs_load_fail(ld, GS_EUNSUPPORTED,
                     "tensor \"%s\": scales of whole matrices are not supported", full);
        gs_error_hint(ld->err, "Use a file in another type, such as Q4_K_M.");
        return true;
    }
    return false;
}

const struct gs_tensor *gs_load_experts(struct gs_loader *ld, const char *name, uint64_t in,
                                        uint64_t out, uint64_t n_expert)
{
    const uint64_t dims[GS_GGUF_MAX_DIMS] = {in, out, n_expert, 1};
    const struct gs_gguf_tensor *t = find_tensor(ld, name, dims);

    if (!t || refuse_scale(ld, name, n_expert))
        return NULL;
    if (!gs_compute_type_supported(t->type)) {
        refuse_type(ld, t, false);
        return NULL;
    }
    struct gs_tensor *w = gs_load_alloc(ld, 1, sizeof(*w));
    if (!w)
        return NULL;
    *w = (struct gs_tensor){
        .name = t->name,
        .type = t->type,
        .ne = {in, out, n_expert, 1},
        .row_bytes = (size_t)in / gs_type_block_len(t->type) * gs_type_block_bytes(t->type),
        .data = t->data,
        .n_bytes = t->n_bytes,
    };
    return w;
}

const struct gs_tensor *gs_load_matrix_part(struct gs_loader *ld, const char *name, uint64_t in,
                                            uint64_t n_rows, uint64_t first, uint64_t out)
{
    const struct gs_tensor *all = gs_load_matrix(ld, name, in, n_rows);
    struct gs_tensor *w = all ? gs_load_alloc(ld, 1, sizeof(*w)) : NULL;

    if (!w)
        return NULL;
    *w = *all;
    w->ne[1] = out;
    w->data += first * w->row_bytes;
    w->n_bytes = out * w->row_bytes;
    return w;
}

const struct gs_tensor *gs_load_matrix(struct gs_loader *ld, const char *name, uint64_t in,
                                       uint64_t out)
{
    return gs_load_experts(ld, name, in, out, 1);
}

const float *gs_load_floats(struct gs_loader *ld, const char *name, uint64_t in, uint64_t n)
{
    const uint64_t dims[GS_GGUF_MAX_DIMS] = {in, n, 1, 1};
    const struct gs_gguf_tensor *t = find_tensor(ld, name, dims);

    if (!t)
        return NULL;
    if (!gs_compute_type_supported(t->type) || gs_type_block_len(t->type) != 1) {
        refuse_type(ld, t, true);
        return NULL;
    }
    if (t->type == GS_TYPE_F32 && (uintptr_t)t->data % alignof(float) == 0)
        return (const float *)(const void *)t->data;

    float *copy = gs_load_alloc(ld, t->n_bytes / gs_type_block_bytes(t->type), sizeof(float));
    if (copy)
        gs_compute_dequant_row(t->type, t->data, copy, (size_t)(in * n));
    return copy;
}

const float *gs_load_vector(struct gs_loader *ld, const char *name, uint64_t n)
{
    return gs_load_floats(ld, name, n, 1);
}

const float *gs_load_vector_opt(struct gs_loader *ld, const char *name, uint64_t n)
{
    return gs_load_has(ld, name) ? gs_load_vector(ld, name, n) : NULL;
}

/* ---- memory of sequences ---- */

struct gs_kv_at gs_load_kv_layer(struct gs_loader *ld, struct gs_kv_shape shape, uint32_t window)
{
    const enum gs_kv_kind kind = window > 0 ? GS_KV_WINDOW : GS_KV_FULL;
    struct gs_model *m = ld->model;
    struct gs_kv_layers *layers = &m->kv[kind];

    if (ld->st != GS_OK)
        return (struct gs_kv_at){0};
    layers->shapes[layers->n] = shape;
    m->kv_window = GS_MAX(m->kv_window, window);
    return (struct gs_kv_at){kind, (uint32_t)layers->n++};
}

void gs_load_attention_scratch(struct gs_loader *ld, uint32_t n_head, uint32_t d_k, uint32_t d_v)
{
    struct gs_model *m = ld->model;

    if (ld->st == GS_OK)
        m->lane_scratch_bytes =
            GS_MAX(m->lane_scratch_bytes, gs_attention_scratch_bytes(n_head, d_k, d_v));
}

uint32_t gs_load_state_layer(struct gs_loader *ld, struct gs_state_shape shape)
{
    struct gs_model *m = ld->model;

    if (ld->st != GS_OK)
        return 0;
    m->states[m->n_states] = shape;
    return (uint32_t)m->n_states++;
}
