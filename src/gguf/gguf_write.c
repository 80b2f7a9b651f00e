/* The writer keeps the two descriptive sections as finished bytes in buffers, so that begin() only
 * has to put the counts before them; data then stream through. */
#include "gguf/gguf_write.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/slice.h"
#include "gguf/gguf_part.h"

#define WRITE_VERSION 3

struct gs_gguf_writer {
    struct gs_arena names; /* keys and tensor names, for the maps */
    struct gs_map keys;
    struct gs_map tensors;
    struct gs_buf value_bytes;
    struct gs_buf tensor_bytes;
    struct gs_buf sizes; /* size_t of each tensor */
    uint64_t n_values;
    uint64_t n_tensors;
    uint64_t alignment;
    uint64_t data_len;     /* of the tensors described so far, padding included */
    struct gs_error first; /* what went wrong before begin() */

    char *path; /* set by begin() */
    FILE *fp;
    uint64_t tensor_idx; /* being written */
    size_t tensor_done;  /* bytes of it */
};

enum gs_status gs_gguf_writer_create(struct gs_gguf_writer **out_w, struct gs_error *err)
{
    struct gs_gguf_writer *w = gs_alloc_zero(sizeof(*w));

    if (!w)
        return gs_error_nomem(err, "write a model file");
    gs_arena_init(&w->names, GS_MAX_TEXT_BYTES);
    gs_map_init(&w->keys, 0);
    gs_map_init(&w->tensors, 0);
    gs_buf_init(&w->value_bytes, GS_MAX_TEXT_BYTES);
    gs_buf_init(&w->tensor_bytes, GS_MAX_TEXT_BYTES);
    gs_buf_init(&w->sizes, GS_MAX_TEXT_BYTES);
    w->alignment = GS_GGUF_DEFAULT_ALIGNMENT;
    *out_w = w;
    return GS_OK;
}

void gs_gguf_writer_free(struct gs_gguf_writer *w)
{
    if (!w)
        return;
    if (w->fp)
        fclose(w->fp);
    gs_map_clear(&w->keys);
    gs_map_clear(&w->tensors);
    gs_buf_clear(&w->value_bytes);
    gs_buf_clear(&w->tensor_bytes);
    gs_buf_clear(&w->sizes);
    gs_arena_clear(&w->names);
    gs_free(w->path);
    gs_free(w);
}

/* Where to put an error: only the first is kept. */
static struct gs_error *first_error(struct gs_gguf_writer *w)
{
    return w->first.code == GS_OK ? &w->first : NULL;
}

static size_t padding(const struct gs_gguf_writer *w, uint64_t off)
{
    return (size_t)((w->alignment - off % w->alignment) % w->alignment);
}

static void put_u32(struct gs_buf *b, uint32_t v)
{
    gs_buf_put(b, &v, sizeof(v));
}

static void put_u64(struct gs_buf *b, uint64_t v)
{
    gs_buf_put(b, &v, sizeof(v));
}

static void put_string(struct gs_buf *b, struct gs_slice s)
{
    put_u64(b, s.len);
    gs_buf_slice(b, s);
}

/* Check a key or tensor name and remember it; false after an error. */
static bool add_name(struct gs_gguf_writer *w, struct gs_map *seen, const char *what,
                     struct gs_slice name)
{
    struct gs_slice copy;

    if (!gs_gguf_name_valid(name)) {
        gs_error_set(first_error(w), GS_EINVAL, "%s is empty, too long or not text", what);
        return false;
    }
    if (gs_map_get(seen, name)) {
        gs_error_set(first_error(w), GS_EINVAL, "%s \"%.*s\" is there twice", what, (int)name.len,
                     name.ptr);
        return false;
    }
    if (!gs_arena_dup(&w->names, name, &copy) || !gs_map_put(seen, copy, w)) {
        gs_error_nomem(first_error(w), "write a model file");
        return false;
    }
    return true;
}

/* ---- metadata ---- */

static bool begin_value(struct gs_gguf_writer *w, struct gs_slice key, enum gs_gguf_kind kind)
{
    if (!add_name(w, &w->keys, "key", key))
        return false;
    put_string(&w->value_bytes, key);
    put_u32(&w->value_bytes, kind);
    w->n_values++;
    return true;
}

static void add_number(struct gs_gguf_writer *w, const char *key, enum gs_gguf_kind kind,
                       const void *v)
{
    if (begin_value(w, gs_slice_str(key), kind))
        gs_buf_put(&w->value_bytes, v, gs_gguf_kind_bytes(kind));
}

void gs_gguf_writer_u32(struct gs_gguf_writer *w, const char *key, uint32_t v)
{
    if (strcmp(key, GS_GGUF_KEY_ALIGNMENT) == 0) {
        if (w->n_tensors > 0 || v < GS_GGUF_MIN_ALIGNMENT || (v & (v - 1)) != 0)
            gs_error_set(first_error(w), GS_EINVAL,
                         "key \"%s\": expected a power of two of at least %d, before any tensor",
                         key, GS_GGUF_MIN_ALIGNMENT);
        else
            w->alignment = v;
    }
    add_number(w, key, GS_GGUF_U32, &v);
}

void gs_gguf_writer_u64(struct gs_gguf_writer *w, const char *key, uint64_t v)
{
    add_number(w, key, GS_GGUF_U64, &v);
}

void gs_gguf_writer_f32(struct gs_gguf_writer *w, const char *key, float v)
{
    add_number(w, key, GS_GGUF_F32, &v);
}

void gs_gguf_writer_bool(struct gs_gguf_writer *w, const char *key, bool v)
{
    const uint8_t byte = v;

    add_number(w, key, GS_GGUF_BOOL, &byte);
}

void gs_gguf_writer_string(struct gs_gguf_writer *w, const char *key, struct gs_slice v)
{
    if (begin_value(w, gs_slice_str(key), GS_GGUF_STRING))
        put_string(&w->value_bytes, v);
}

static bool begin_array(struct gs_gguf_writer *w, struct gs_slice key, enum gs_gguf_kind item_kind,
                        uint64_t n)
{
    if (!begin_value(w, key, GS_GGUF_ARRAY))
        return false;
    put_u32(&w->value_bytes, item_kind);
    put_u64(&w->value_bytes, n);
    return true;
}

void gs_gguf_writer_strings(struct gs_gguf_writer *w, const char *key, const struct gs_slice *v,
                            size_t n)
{
    if (!begin_array(w, gs_slice_str(key), GS_GGUF_STRING, n))
        return;
    for (size_t i = 0; i < n; i++)
        put_string(&w->value_bytes, v[i]);
}

void gs_gguf_writer_array(struct gs_gguf_writer *w, const char *key, enum gs_gguf_kind item_kind,
                          const void *v, size_t n)
{
    size_t bytes;

    if (gs_gguf_kind_bytes(item_kind) == 0)
        gs_error_set(first_error(w), GS_EINVAL, "key \"%s\": items of kind %s have no fixed size",
                     key, gs_gguf_kind_name(item_kind));
    else if (!gs_mul_size(n, gs_gguf_kind_bytes(item_kind), &bytes))
        gs_error_set(first_error(w), GS_ELIMIT, "key \"%s\": too many items", key);
    else if (begin_array(w, gs_slice_str(key), item_kind, n))
        gs_buf_put(&w->value_bytes, v, bytes);
}

void gs_gguf_writer_copy(struct gs_gguf_writer *w, const struct gs_gguf_value *v)
{
    if (gs_slice_eq_str(v->key, GS_GGUF_KEY_ALIGNMENT)) { /* it governs this file too */
        gs_gguf_writer_u32(w, GS_GGUF_KEY_ALIGNMENT, (uint32_t)gs_gguf_item_i64(v, 0));
        return;
    }
    if (v->kind == GS_GGUF_ARRAY ? !begin_array(w, v->key, v->item_kind, v->n_items)
                                 : !begin_value(w, v->key, v->kind))
        return;
    if (v->kind == GS_GGUF_STRING)
        put_u64(&w->value_bytes, v->data_bytes);
    gs_buf_put(&w->value_bytes, v->data, v->data_bytes);
}

/* ---- tensors ---- */

void gs_gguf_writer_tensor(struct gs_gguf_writer *w, const char *name, enum gs_type type,
                           const uint64_t *dims, uint32_t n_dims)
{
    struct gs_error err = {0};
    size_t bytes;

    if (n_dims == 0 || n_dims > GS_GGUF_MAX_DIMS || !gs_type_known(type)) {
        gs_error_set(first_error(w), GS_EINVAL,
                     "tensor \"%s\": %u dimensions or element type number %u cannot be written",
                     name, n_dims, (unsigned)type);
        return;
    }
    if (!gs_gguf_tensor_bytes(type, dims, n_dims, &bytes, &err)) {
        gs_error_set(first_error(w), GS_EINVAL, "tensor \"%s\": %s", name, err.msg);
        return;
    }
    if (bytes > SIZE_MAX / 4 || w->data_len > UINT64_MAX / 4) {
        gs_error_set(first_error(w), GS_ELIMIT, "tensor \"%s\" is too large", name);
        return;
    }
    if (!add_name(w, &w->tensors, "tensor", gs_slice_str(name)))
        return;
    put_string(&w->tensor_bytes, gs_slice_str(name));
    put_u32(&w->tensor_bytes, n_dims);
    for (uint32_t i = 0; i < n_dims; i++)
        put_u64(&w->tensor_bytes, dims[i]);
    put_u32(&w->tensor_bytes, type);
    put_u64(&w->tensor_bytes, w->data_len);
    gs_buf_put(&w->sizes, &bytes, sizeof(bytes));
    w->data_len += bytes;
    w->data_len += padding(w, w->data_len);
    w->n_tensors++;
}

/* ---- the file ---- */

static enum gs_status put_file(struct gs_gguf_writer *w, const void *p, size_t n,
                               struct gs_error *err)
{
    if (n > 0 && fwrite(p, 1, n, w->fp) != n)
        return gs_error_errno(err, GS_EIO, errno, "could not write model file \"%s\"", w->path);
    return GS_OK;
}

static enum gs_status put_padding(struct gs_gguf_writer *w, uint64_t off, struct gs_error *err)
{
    static const uint8_t zeros[256];
    size_t left = padding(w, off);
    enum gs_status st = GS_OK;

    while (left > 0 && st == GS_OK) {
        const size_t n = GS_MIN(left, sizeof(zeros));
        st = put_file(w, zeros, n, err);
        left -= n;
    }
    return st;
}

enum gs_status gs_gguf_writer_begin(struct gs_gguf_writer *w, const char *path,
                                    struct gs_error *err)
{
    const uint64_t counts[] = {w->n_tensors, w->n_values};
    const uint32_t version = WRITE_VERSION;
    const struct gs_slice values = gs_buf_view(&w->value_bytes);
    const struct gs_slice tensors = gs_buf_view(&w->tensor_bytes);
    const uint64_t header_len =
        strlen(GS_GGUF_MAGIC) + sizeof(version) + sizeof(counts) + values.len + tensors.len;

    if (w->first.code != GS_OK) {
        if (err)
            *err = w->first;
        return w->first.code;
    }
    w->path = gs_alloc_str(path);
    if (!w->path || !gs_buf_ok(&w->value_bytes) || !gs_buf_ok(&w->tensor_bytes) ||
        !gs_buf_ok(&w->sizes))
        return gs_error_nomem(err, "write a model file");
    w->fp = fopen(path, "wb");
    if (!w->fp)
        return gs_error_errno(err, GS_EIO, errno, "could not create model file \"%s\"", path);
    enum gs_status st = put_file(w, GS_GGUF_MAGIC, strlen(GS_GGUF_MAGIC), err);
    if (st == GS_OK)
        st = put_file(w, &version, sizeof(version), err);
    if (st == GS_OK)
        st = put_file(w, counts, sizeof(counts), err);
    if (st == GS_OK)
        st = put_file(w, values.ptr, values.len, err);
    if (st == GS_OK)
        st = put_file(w, tensors.ptr, tensors.len, err);
    return st == GS_OK ? put_padding(w, header_len, err) : st;
}

static size_t tensor_size(const struct gs_gguf_writer *w, uint64_t idx)
{
    size_t bytes;

    memcpy(&bytes, w->sizes.ptr + idx * sizeof(bytes), sizeof(bytes));
    return bytes;
}

enum gs_status gs_gguf_writer_data(struct gs_gguf_writer *w, const void *p, size_t n,
                                   struct gs_error *err)
{
    const uint8_t *at = p;

    while (n > 0) {
        if (w->tensor_idx == w->n_tensors)
            return gs_error_set(err, GS_EINVAL, "more data than the %llu tensors described take",
                                (unsigned long long)w->n_tensors);
        const size_t size = tensor_size(w, w->tensor_idx);
        const size_t piece = GS_MIN(n, size - w->tensor_done);
        enum gs_status st = put_file(w, at, piece, err);
        if (st != GS_OK)
            return st;
        at += piece;
        n -= piece;
        w->tensor_done += piece;
        if (w->tensor_done < size)
            break;
        st = put_padding(w, size, err);
        if (st != GS_OK)
            return st;
        w->tensor_idx++;
        w->tensor_done = 0;
    }
    return GS_OK;
}

enum gs_status gs_gguf_writer_end(struct gs_gguf_writer *w, struct gs_error *err)
{
    if (w->tensor_idx < w->n_tensors)
        return gs_error_set(err, GS_EINVAL, "only %llu of %llu tensors got their data",
                            (unsigned long long)w->tensor_idx, (unsigned long long)w->n_tensors);
    const int rc = fclose(w->fp);
    w->fp = NULL;
    if (rc != 0)
        return gs_error_errno(err, GS_EIO, errno, "could not write model file \"%s\"", w->path);
    return GS_OK;
}
