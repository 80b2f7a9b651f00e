/* Reads the header of one file. A cursor walks the bytes; take() is the only way forward and
 * refuses to pass the end. Counts are checked against the bytes left before anything of their size
 * is allocated. */
#include "gguf/gguf_part.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/slice.h"

/* The shortest a value and a tensor description can be. */
#define MIN_VALUE_BYTES  (8 + 1 + 4 + 1)
#define MIN_TENSOR_BYTES (8 + 1 + 4 + 8 + 4 + 8)

#define INCOMPLETE_HINT "The file is incomplete or damaged: download or copy it again."
#define QUOTE_MAX       100 /* bytes of a name quoted in an error */

struct reader {
    const uint8_t *bytes;
    size_t len;
    size_t off;
    struct gs_arena *arena;
    struct gs_error *err;
};

static int quote_len(struct gs_slice s)
{
    return (int)GS_MIN(s.len, QUOTE_MAX);
}

/* ---- cursor ---- */

/* The next n bytes, or NULL. */
static const uint8_t *take(struct reader *r, uint64_t n)
{
    if (n > r->len - r->off) {
        gs_error_set(r->err, GS_EFORMAT,
                     "%llu bytes expected at offset %zu, but the file ends at %zu",
                     (unsigned long long)n, r->off, r->len);
        gs_error_hint(r->err, INCOMPLETE_HINT);
        return NULL;
    }
    const uint8_t *p = r->bytes + r->off;
    r->off += (size_t)n;
    return p;
}

static enum gs_status take_u32(struct reader *r, uint32_t *out)
{
    const uint8_t *p = take(r, sizeof(*out));

    if (!p)
        return GS_EFORMAT;
    memcpy(out, p, sizeof(*out));
    return GS_OK;
}

static enum gs_status take_u64(struct reader *r, uint64_t *out)
{
    const uint8_t *p = take(r, sizeof(*out));

    if (!p)
        return GS_EFORMAT;
    memcpy(out, p, sizeof(*out));
    return GS_OK;
}

static enum gs_status take_string(struct reader *r, struct gs_slice *out)
{
    uint64_t len;
    const enum gs_status st = take_u64(r, &len);

    if (st != GS_OK)
        return st;
    const uint8_t *p = take(r, len);
    if (!p)
        return GS_EFORMAT;
    *out = gs_slice((const char *)p, (size_t)len);
    return GS_OK;
}

bool gs_gguf_name_valid(struct gs_slice name)
{
    if (name.len == 0 || name.len > GS_GGUF_MAX_NAME_BYTES || !gs_utf8_valid(name))
        return false;
    for (size_t i = 0; i < name.len; i++) {
        const unsigned char c = (unsigned char)name.ptr[i];
        if (c < 0x20 || c == 0x7F)
            return false;
    }
    return true;
}

static enum gs_status take_name(struct reader *r, const char *what, struct gs_slice *out)
{
    const size_t at = r->off;
    struct gs_slice name;
    const enum gs_status st = take_string(r, &name);

    if (st != GS_OK) {
        gs_error_prefix(r->err, "%s", what);
        return st;
    }
    if (!gs_gguf_name_valid(name))
        return gs_error_set(r->err, GS_EFORMAT, "%s at offset %zu is empty, too long or not text",
                            what, at);
    *out = name;
    return GS_OK;
}

/* ---- values ---- */

static enum gs_status take_kind(struct reader *r, enum gs_gguf_kind *out)
{
    const size_t at = r->off;
    uint32_t kind;
    const enum gs_status st = take_u32(r, &kind);

    if (st != GS_OK)
        return st;
    if (!gs_gguf_kind_known(kind))
        return gs_error_set(r->err, GS_EFORMAT, "unknown kind of value %u at offset %zu", kind, at);
    *out = (enum gs_gguf_kind)kind;
    return GS_OK;
}

static enum gs_status read_numbers(struct reader *r, struct gs_gguf_value *v,
                                   enum gs_gguf_kind kind)
{
    const size_t item_bytes = gs_gguf_kind_bytes(kind);
    const size_t at = r->off;

    if (v->kind == GS_GGUF_ARRAY && v->n_items > (r->len - r->off) / item_bytes)
        return gs_error_set(r->err, GS_EFORMAT,
                            "%llu items at offset %zu do not fit the file, which ends at %zu",
                            (unsigned long long)v->n_items, at, r->len);
    v->data_bytes = (size_t)v->n_items * item_bytes;
    v->data = take(r, v->data_bytes);
    if (!v->data)
        return GS_EFORMAT;
    for (size_t i = 0; kind == GS_GGUF_BOOL && i < v->data_bytes; i++)
        if (v->data[i] > 1)
            return gs_error_set(r->err, GS_EFORMAT, "bool at offset %zu is %u, not 0 or 1", at + i,
                                v->data[i]);
    return GS_OK;
}

static enum gs_status read_strings(struct reader *r, struct gs_gguf_value *v)
{
    const size_t at = r->off;

    if (v->n_items > (r->len - r->off) / sizeof(uint64_t))
        return gs_error_set(r->err, GS_EFORMAT,
                            "%llu strings at offset %zu do not fit the file, which ends at %zu",
                            (unsigned long long)v->n_items, at, r->len);
    struct gs_slice *strings = gs_arena_array(r->arena, (size_t)v->n_items, sizeof(*strings));
    if (!strings)
        return gs_error_nomem(r->err, "read an array of strings");
    for (size_t i = 0; i < v->n_items; i++) {
        const enum gs_status st = take_string(r, &strings[i]);
        if (st != GS_OK) {
            gs_error_prefix(r->err, "string %zu", i);
            return st;
        }
    }
    v->strings = strings;
    v->data = r->bytes + at;
    v->data_bytes = r->off - at;
    return GS_OK;
}

static enum gs_status read_array(struct reader *r, struct gs_gguf_value *v)
{
    enum gs_status st = take_kind(r, &v->item_kind);

    if (st == GS_OK)
        st = take_u64(r, &v->n_items);
    if (st != GS_OK)
        return st;
    if (v->item_kind == GS_GGUF_ARRAY)
        return gs_error_set(r->err, GS_EUNSUPPORTED, "arrays of arrays are not supported");
    return v->item_kind == GS_GGUF_STRING ? read_strings(r, v) : read_numbers(r, v, v->item_kind);
}

static enum gs_status read_payload(struct reader *r, struct gs_gguf_value *v)
{
    struct gs_slice text;
    enum gs_status st = take_kind(r, &v->kind);

    if (st != GS_OK)
        return st;
    v->n_items = 1;
    if (v->kind == GS_GGUF_ARRAY)
        return read_array(r, v);
    if (v->kind != GS_GGUF_STRING)
        return read_numbers(r, v, v->kind);
    st = take_string(r, &text);
    if (st != GS_OK)
        return st;
    v->data = (const uint8_t *)text.ptr;
    v->data_bytes = text.len;
    return GS_OK;
}

static enum gs_status read_values(struct reader *r, struct gs_gguf_part *part)
{
    part->values = gs_arena_array(r->arena, part->n_values, sizeof(*part->values));
    if (!part->values)
        return gs_error_nomem(r->err, "read the metadata");
    gs_map_init(&part->keys, part->n_values);
    for (size_t i = 0; i < part->n_values; i++) {
        struct gs_gguf_value *v = &part->values[i];
        const size_t at = r->off;
        enum gs_status st = take_name(r, "key", &v->key);
        if (st != GS_OK)
            return st;
        st = read_payload(r, v);
        if (st != GS_OK) {
            gs_error_prefix(r->err, "key \"%.*s\"", quote_len(v->key), v->key.ptr);
            return st;
        }
        if (gs_map_get(&part->keys, v->key))
            return gs_error_set(r->err, GS_EFORMAT, "key \"%.*s\" at offset %zu is there twice",
                                quote_len(v->key), v->key.ptr, at);
        if (!gs_map_put(&part->keys, v->key, v))
            return gs_error_nomem(r->err, "read the metadata");
    }
    return GS_OK;
}

/* ---- tensors ---- */

bool gs_gguf_tensor_bytes(enum gs_type type, const uint64_t *dims, uint32_t n_dims, size_t *out,
                          struct gs_error *err)
{
    const size_t block_len = gs_type_block_len(type);
    size_t bytes = gs_type_block_bytes(type);

    for (uint32_t i = 0; i < n_dims; i++) {
        if (dims[i] == 0) {
            gs_error_set(err, GS_EFORMAT, "dimension %u is 0", i);
            return false;
        }
        if (i == 0 && dims[0] % block_len != 0) {
            gs_error_set(err, GS_EFORMAT, "rows of %llu values cannot be %s, whose blocks hold %zu",
                         (unsigned long long)dims[0], gs_type_name(type), block_len);
            return false;
        }
        const uint64_t factor = i == 0 ? dims[0] / block_len : dims[i];
        if (factor > SIZE_MAX || !gs_mul_size(bytes, (size_t)factor, &bytes)) {
            gs_error_set(err, GS_EFORMAT, "the product of the dimensions is too large");
            return false;
        }
    }
    *out = bytes;
    return true;
}

static enum gs_status read_tensor_body(struct reader *r, struct gs_gguf_tensor *t)
{
    uint32_t type;
    enum gs_status st = take_u32(r, &t->n_dims);

    if (st != GS_OK)
        return st;
    if (t->n_dims == 0 || t->n_dims > GS_GGUF_MAX_DIMS)
        return gs_error_set(r->err, GS_EFORMAT, "%u dimensions, expected 1 to %d", t->n_dims,
                            GS_GGUF_MAX_DIMS);
    for (uint32_t i = 0; i < GS_GGUF_MAX_DIMS && st == GS_OK; i++) {
        t->dims[i] = 1;
        if (i < t->n_dims)
            st = take_u64(r, &t->dims[i]);
    }
    if (st == GS_OK)
        st = take_u32(r, &type);
    if (st == GS_OK)
        st = take_u64(r, &t->file_off); /* into the data, until place_tensors() */
    if (st != GS_OK)
        return st;
    if (!gs_type_known(type))
        return gs_error_set(r->err, GS_EUNSUPPORTED, "element type number %u is not known", type);
    t->type = (enum gs_type)type;
    return gs_gguf_tensor_bytes(t->type, t->dims, t->n_dims, &t->n_bytes, r->err) ? GS_OK
                                                                                  : GS_EFORMAT;
}

static enum gs_status read_tensors(struct reader *r, struct gs_gguf_part *part, uint32_t idx)
{
    if (part->n_tensors > (r->len - r->off) / MIN_TENSOR_BYTES)
        return gs_error_set(r->err, GS_EFORMAT,
                            "%zu tensor descriptions at offset %zu do not fit the file, which "
                            "ends at %zu",
                            part->n_tensors, r->off, r->len);
    part->tensors = gs_arena_array(r->arena, part->n_tensors, sizeof(*part->tensors));
    if (!part->tensors)
        return gs_error_nomem(r->err, "read the tensor descriptions");
    for (size_t i = 0; i < part->n_tensors; i++) {
        struct gs_gguf_tensor *t = &part->tensors[i];
        const size_t at = r->off;
        t->file_idx = idx;
        enum gs_status st = take_name(r, "tensor name", &t->name);
        if (st != GS_OK)
            return st;
        st = read_tensor_body(r, t);
        if (st != GS_OK) {
            gs_error_prefix(r->err, "tensor \"%.*s\" described at offset %zu", quote_len(t->name),
                            t->name.ptr, at);
            return st;
        }
    }
    return GS_OK;
}

static enum gs_status read_alignment(struct reader *r, const struct gs_gguf_part *part,
                                     uint64_t *out)
{
    *out = GS_GGUF_DEFAULT_ALIGNMENT;
    if (!gs_gguf_part_get_u64(part, GS_GGUF_KEY_ALIGNMENT, out, r->err))
        return GS_EFORMAT;
    if (*out < GS_GGUF_MIN_ALIGNMENT || (*out & (*out - 1)) != 0)
        return gs_error_set(r->err, GS_EFORMAT,
                            "key \"%s\": expected a power of two of at least %d, found %llu",
                            GS_GGUF_KEY_ALIGNMENT, GS_GGUF_MIN_ALIGNMENT, (unsigned long long)*out);
    return GS_OK;
}

/* Turn offsets into the data into addresses, once it is known where the data begin. */
static enum gs_status place_tensors(struct reader *r, struct gs_gguf_part *part)
{
    uint64_t alignment;
    enum gs_status st = read_alignment(r, part, &alignment);

    if (st != GS_OK)
        return st;
    const uint64_t padding = (alignment - r->off % alignment) % alignment;
    const size_t data_off = (size_t)GS_MIN(r->off + padding, r->len);
    for (size_t i = 0; i < part->n_tensors; i++) {
        struct gs_gguf_tensor *t = &part->tensors[i];
        const uint64_t room = r->len - data_off;
        if (t->file_off % alignment != 0)
            return gs_error_set(r->err, GS_EFORMAT,
                                "tensor \"%.*s\": its offset %llu is not a multiple of the "
                                "alignment %llu",
                                quote_len(t->name), t->name.ptr, (unsigned long long)t->file_off,
                                (unsigned long long)alignment);
        if (t->file_off > room || t->n_bytes > room - t->file_off) {
            st = gs_error_set(r->err, GS_EFORMAT,
                              "tensor \"%.*s\": its %zu bytes at offset %llu of the data reach "
                              "beyond the file, which has %llu bytes of data",
                              quote_len(t->name), t->name.ptr, t->n_bytes,
                              (unsigned long long)t->file_off, (unsigned long long)room);
            gs_error_hint(r->err, INCOMPLETE_HINT);
            return st;
        }
        t->file_off += data_off;
        t->data = r->bytes + t->file_off;
    }
    return GS_OK;
}

static int compare_offsets(const void *a, const void *b)
{
    const struct gs_gguf_tensor *const *x = a;
    const struct gs_gguf_tensor *const *y = b;

    return ((*x)->file_off > (*y)->file_off) - ((*x)->file_off < (*y)->file_off);
}

static enum gs_status check_overlaps(struct reader *r, const struct gs_gguf_part *part)
{
    const struct gs_gguf_tensor **by_off = gs_alloc_array(part->n_tensors, sizeof(*by_off));
    enum gs_status st = GS_OK;

    if (!by_off)
        return gs_error_nomem(r->err, "check the tensors");
    for (size_t i = 0; i < part->n_tensors; i++)
        by_off[i] = &part->tensors[i];
    qsort(by_off, part->n_tensors, sizeof(*by_off), compare_offsets);
    for (size_t i = 1; i < part->n_tensors && st == GS_OK; i++) {
        const struct gs_gguf_tensor *a = by_off[i - 1];
        const struct gs_gguf_tensor *b = by_off[i];
        if (a->file_off + a->n_bytes > b->file_off)
            st = gs_error_set(r->err, GS_EFORMAT,
                              "tensors \"%.*s\" and \"%.*s\" overlap at offset %llu",
                              quote_len(a->name), a->name.ptr, quote_len(b->name), b->name.ptr,
                              (unsigned long long)b->file_off);
    }
    gs_free(by_off);
    return st;
}

/* ---- header ---- */

static enum gs_status check_version(struct reader *r, uint32_t version)
{
    if (version == 2 || version == 3)
        return GS_OK;
    if (version != 0 && (version & 0xFFFF) == 0)
        return gs_error_set(r->err, GS_EUNSUPPORTED, "big-endian files are not supported");
    const enum gs_status st =
        gs_error_set(r->err, GS_EUNSUPPORTED, "version %u of the format is not supported", version);
    gs_error_hint(r->err, "Versions 2 and 3 can be read: convert the model again.");
    return st;
}

static enum gs_status read_header(struct reader *r, struct gs_gguf_part *part)
{
    const uint8_t *magic = take(r, 4);
    uint64_t n_tensors = 0;
    uint64_t n_values = 0;

    if (!magic || memcmp(magic, GS_GGUF_MAGIC, 4) != 0)
        return gs_error_set(r->err, GS_EFORMAT, "not a GGUF file");
    enum gs_status st = take_u32(r, &part->version);
    if (st == GS_OK)
        st = check_version(r, part->version);
    if (st == GS_OK)
        st = take_u64(r, &n_tensors);
    if (st == GS_OK)
        st = take_u64(r, &n_values);
    if (st != GS_OK)
        return st;
    const size_t left = r->len - r->off;
    if (n_values > left / MIN_VALUE_BYTES || n_tensors > left / MIN_TENSOR_BYTES)
        return gs_error_set(r->err, GS_EFORMAT,
                            "%llu values and %llu tensors do not fit a file of %zu bytes",
                            (unsigned long long)n_values, (unsigned long long)n_tensors, r->len);
    part->n_tensors = (size_t)n_tensors;
    part->n_values = (size_t)n_values;
    return GS_OK;
}

enum gs_status gs_gguf_part_read(struct gs_gguf_part *part, uint32_t idx, struct gs_arena *a,
                                 struct gs_error *err)
{
    struct reader r = {part->bytes, part->n_bytes, 0, a, err};
    enum gs_status st = read_header(&r, part);

    if (st == GS_OK)
        st = read_values(&r, part);
    if (st == GS_OK)
        st = read_tensors(&r, part, idx);
    if (st == GS_OK)
        st = place_tensors(&r, part);
    if (st == GS_OK)
        st = check_overlaps(&r, part);
    return st;
}

void gs_gguf_part_clear(struct gs_gguf_part *part)
{
    gs_map_clear(&part->keys);
    *part = (struct gs_gguf_part){0};
}
