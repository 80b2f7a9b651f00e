/* A model of one or more files: opens them, joins their tensors, answers look-ups. Metadata is the
 * first file's. */
#include "gguf/gguf.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/os.h"
#include "base/slice.h"
#include "gguf/gguf_part.h"

#define MAX_PARTS    1024
#define SUFFIX_BYTES (sizeof("-00001-of-00001.gguf") - 1)

struct gs_gguf {
    char *path; /* as given; of the first file */
    struct gs_arena arena;
    struct gs_gguf_part *parts;
    struct gs_os_map *maps; /* of the parts; none when the bytes are borrowed */
    size_t n_parts;
    bool huge;                            /* maps are copies in huge pages */
    const struct gs_gguf_tensor *tensors; /* of all parts, in order */
    size_t n_tensors;
    struct gs_map names; /* tensor name -> tensor */
};

void gs_gguf_close(struct gs_gguf *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < f->n_parts; i++) {
        if (f->parts)
            gs_gguf_part_clear(&f->parts[i]);
        if (f->maps)
            gs_os_unmap(&f->maps[i]);
    }
    gs_map_clear(&f->names);
    gs_arena_clear(&f->arena);
    gs_free(f->parts);
    gs_free(f->maps);
    gs_free(f->path);
    gs_free(f);
}

/* ---- opening ---- */

static bool set_part_count(struct gs_gguf *f, size_t n, bool mapped)
{
    struct gs_gguf_part *parts = gs_realloc(f->parts, n * sizeof(*parts));

    if (!parts)
        return false;
    f->parts = parts;
    if (mapped) {
        struct gs_os_map *maps = gs_realloc(f->maps, n * sizeof(*maps));
        if (!maps)
            return false;
        f->maps = maps;
        memset(maps + f->n_parts, 0, (n - f->n_parts) * sizeof(*maps));
    }
    memset(parts + f->n_parts, 0, (n - f->n_parts) * sizeof(*parts));
    f->n_parts = n;
    return true;
}

/* NULL: no memory. */
static struct gs_gguf *create(const char *path, bool mapped)
{
    struct gs_gguf *f = gs_alloc_zero(sizeof(*f));

    if (!f)
        return NULL;
    gs_arena_init(&f->arena, 0);
    f->path = gs_alloc_str(path);
    if (!f->path || !set_part_count(f, 1, mapped)) {
        gs_gguf_close(f);
        return NULL;
    }
    return f;
}

static enum gs_status read_part(struct gs_gguf *f, uint32_t idx, const char *path,
                                struct gs_error *err)
{
    const enum gs_status st = gs_gguf_part_read(&f->parts[idx], idx, &f->arena, err);

    if (st != GS_OK)
        gs_error_prefix(err, "could not read model file \"%s\"", path);
    return st;
}

static enum gs_status map_part(struct gs_gguf *f, uint32_t idx, const char *path,
                               struct gs_error *err)
{
    const enum gs_status st = f->huge ? gs_os_map_copy_huge(path, &f->maps[idx], err)
                                      : gs_os_map_file(path, &f->maps[idx], err);

    if (st != GS_OK)
        return st;
    f->parts[idx].bytes = f->maps[idx].ptr;
    f->parts[idx].n_bytes = f->maps[idx].len;
    return read_part(f, idx, path, err);
}

/* One array over the tensors of all parts, and the map of their names. */
static enum gs_status join_tensors(struct gs_gguf *f, struct gs_error *err)
{
    struct gs_gguf_tensor *all = f->parts[0].tensors;
    size_t n = 0;

    for (size_t i = 0; i < f->n_parts; i++)
        f->n_tensors += f->parts[i].n_tensors; /* each has bytes in a file: no overflow */
    if (f->n_parts > 1) {
        all = gs_arena_array(&f->arena, f->n_tensors, sizeof(*all));
        if (!all)
            return gs_error_nomem(err, "join the tensors");
        for (size_t i = 0; i < f->n_parts; i++) {
            const struct gs_gguf_part *p = &f->parts[i];
            memcpy(all + n, p->tensors, p->n_tensors * sizeof(*all));
            n += p->n_tensors;
        }
    }
    f->tensors = all;
    gs_map_init(&f->names, f->n_tensors);
    for (size_t i = 0; i < f->n_tensors; i++) {
        if (gs_map_get(&f->names, all[i].name))
            return gs_error_set(err, GS_EFORMAT,
                                "could not read model file \"%s\": tensor \"%.*s\" is there twice",
                                f->path, (int)all[i].name.len, all[i].name.ptr);
        if (!gs_map_put(&f->names, all[i].name, &all[i]))
            return gs_error_nomem(err, "join the tensors");
    }
    return GS_OK;
}

/* ---- split models ---- */

struct split {
    uint64_t no; /* from 0 */
    uint64_t count;
    uint64_t n_tensors; /* of all parts; UINT64_MAX unknown */
};

static enum gs_status read_split(const struct gs_gguf *f, size_t idx, struct split *out,
                                 struct gs_error *err)
{
    const struct gs_gguf_part *p = &f->parts[idx];

    *out = (struct split){.no = 0, .count = 1, .n_tensors = UINT64_MAX};
    return gs_gguf_part_get_u64(p, "split.no", &out->no, err) &&
                   gs_gguf_part_get_u64(p, "split.count", &out->count, err) &&
                   gs_gguf_part_get_u64(p, "split.tensors.count", &out->n_tensors, err)
               ? GS_OK
               : GS_EFORMAT;
}

static void write_suffix(char out[SUFFIX_BYTES + 1], size_t no, size_t count)
{
    snprintf(out, SUFFIX_BYTES + 1, "-%05zu-of-%05zu.gguf", no % 100000, count % 100000);
}

static enum gs_status check_first(const struct gs_gguf *f, const struct split *s,
                                  struct gs_error *err)
{
    char suffix[SUFFIX_BYTES + 1];
    enum gs_status st;

    if (s->count > MAX_PARTS)
        return gs_error_set(err, GS_ELIMIT,
                            "model file \"%s\" has %llu parts, at most %d can be read", f->path,
                            (unsigned long long)s->count, MAX_PARTS);
    write_suffix(suffix, 1, (size_t)s->count);
    if (s->no != 0) {
        st = gs_error_set(err, GS_EINVAL, "model file \"%s\" is part %llu of %llu, not the first",
                          f->path, (unsigned long long)s->no + 1, (unsigned long long)s->count);
        gs_error_hint(err, "Open the part whose name ends in \"%s\".", suffix);
        return st;
    }
    if (!gs_slice_ends(gs_slice_str(f->path), gs_slice_str(suffix))) {
        st = gs_error_set(err, GS_EFORMAT,
                          "model file \"%s\" is the first of %llu parts, but its name does not "
                          "end in \"%s\"",
                          f->path, (unsigned long long)s->count, suffix);
        gs_error_hint(err, "Give the parts back their names, so that they can be found.");
        return st;
    }
    return GS_OK;
}

static enum gs_status open_rest(struct gs_gguf *f, const struct split *first, struct gs_error *err)
{
    const size_t stem = strlen(f->path) - SUFFIX_BYTES;
    char *path = gs_alloc_str(f->path);
    enum gs_status st = GS_OK;

    if (!path || !set_part_count(f, (size_t)first->count, true)) {
        gs_free(path);
        return gs_error_nomem(err, "open the parts of a model");
    }
    for (uint32_t i = 1; i < f->n_parts && st == GS_OK; i++) {
        struct split s;
        write_suffix(path + stem, i + 1, f->n_parts);
        st = map_part(f, i, path, err);
        if (st == GS_OK)
            st = read_split(f, i, &s, err);
        if (st == GS_OK && (s.no != i || s.count != first->count))
            st =
                gs_error_set(err, GS_EFORMAT, "model file \"%s\" says that it is part %llu of %llu",
                             path, (unsigned long long)s.no + 1, (unsigned long long)s.count);
    }
    gs_free(path);
    return st;
}

static enum gs_status open_files(struct gs_gguf *f, struct gs_error *err)
{
    struct split s;
    enum gs_status st = map_part(f, 0, f->path, err);

    if (st == GS_OK)
        st = read_split(f, 0, &s, err);
    if (st == GS_OK && s.count > 1)
        st = check_first(f, &s, err);
    if (st == GS_OK && s.count > 1)
        st = open_rest(f, &s, err);
    if (st == GS_OK)
        st = join_tensors(f, err);
    if (st == GS_OK && s.count > 1 && s.n_tensors != UINT64_MAX && s.n_tensors != f->n_tensors)
        st = gs_error_set(err, GS_EFORMAT,
                          "model file \"%s\" announces %llu tensors, its parts hold %zu", f->path,
                          (unsigned long long)s.n_tensors, f->n_tensors);
    return st;
}

static enum gs_status open_path(const char *path, bool huge, struct gs_gguf **out_file,
                                struct gs_error *err)
{
    struct gs_gguf *f = create(path, true);
    enum gs_status st;

    if (!f)
        return gs_error_nomem(err, "open a model file");
    f->huge = huge;
    st = open_files(f, err);
    if (st != GS_OK) {
        gs_gguf_close(f);
        return st;
    }
    *out_file = f;
    return GS_OK;
}

enum gs_status gs_gguf_open(const char *path, struct gs_gguf **out_file, struct gs_error *err)
{
    return open_path(path, false, out_file, err);
}

enum gs_status gs_gguf_open_huge(const char *path, struct gs_gguf **out_file, struct gs_error *err)
{
    return open_path(path, true, out_file, err);
}

static enum gs_status open_bytes(struct gs_gguf *f, struct gs_error *err)
{
    struct split s;
    enum gs_status st = read_part(f, 0, f->path, err);

    if (st == GS_OK)
        st = read_split(f, 0, &s, err);
    if (st == GS_OK && s.count > 1)
        st = gs_error_set(err, GS_EUNSUPPORTED, "model \"%s\" in memory is part of a split model",
                          f->path);
    if (st == GS_OK)
        st = join_tensors(f, err);
    return st;
}

enum gs_status gs_gguf_open_memory(const char *name, const void *bytes, size_t n,
                                   struct gs_gguf **out_file, struct gs_error *err)
{
    struct gs_gguf *f = create(name, false);
    enum gs_status st;

    if (!f)
        return gs_error_nomem(err, "open a model file");
    f->parts[0].bytes = bytes;
    f->parts[0].n_bytes = n;
    st = open_bytes(f, err);
    if (st != GS_OK) {
        gs_gguf_close(f);
        return st;
    }
    *out_file = f;
    return GS_OK;
}

/* ---- look-ups ---- */

const char *gs_gguf_path(const struct gs_gguf *f)
{
    return f->path;
}

uint32_t gs_gguf_version(const struct gs_gguf *f)
{
    return f->parts[0].version;
}

size_t gs_gguf_bytes(const struct gs_gguf *f)
{
    size_t sum = 0;

    for (size_t i = 0; i < f->n_parts; i++)
        sum += f->parts[i].n_bytes;
    return sum;
}

void gs_gguf_touch(const struct gs_gguf *f, size_t off, size_t n)
{
    for (size_t i = 0; f->maps && i < f->n_parts && n > 0; i++) {
        const size_t len = f->maps[i].len;
        const size_t here = off < len ? GS_MIN(n, len - off) : 0;
        gs_os_map_touch(&f->maps[i], off, here);
        n -= here;
        off = off > len ? off - len : 0;
    }
}

double gs_gguf_resident(const struct gs_gguf *f)
{
    double bytes = 0;

    if (!f->maps)
        return 1;
    for (size_t i = 0; i < f->n_parts; i++)
        bytes += gs_os_map_resident(&f->maps[i]) * (double)f->maps[i].len;
    return bytes / (double)gs_gguf_bytes(f);
}

enum gs_status gs_gguf_lock(const struct gs_gguf *f, struct gs_error *err)
{
    enum gs_status st = GS_OK;

    for (size_t i = 0; f->maps && i < f->n_parts && st == GS_OK; i++)
        st = gs_os_map_lock(&f->maps[i], err);
    return st;
}

size_t gs_gguf_value_count(const struct gs_gguf *f)
{
    return f->parts[0].n_values;
}

const struct gs_gguf_value *gs_gguf_value_at(const struct gs_gguf *f, size_t idx)
{
    return &f->parts[0].values[idx];
}

const struct gs_gguf_value *gs_gguf_find(const struct gs_gguf *f, const char *key)
{
    return gs_map_get(&f->parts[0].keys, gs_slice_str(key));
}

size_t gs_gguf_tensor_count(const struct gs_gguf *f)
{
    return f->n_tensors;
}

const struct gs_gguf_tensor *gs_gguf_tensor_at(const struct gs_gguf *f, size_t idx)
{
    return &f->tensors[idx];
}

const struct gs_gguf_tensor *gs_gguf_tensor_find(const struct gs_gguf *f, const char *name)
{
    return gs_map_get(&f->names, gs_slice_str(name));
}
