/* Finding GGUF files. A file that cannot be read is listed all the same: whoever asks for it is
 * told what is wrong with it, and not that it does not exist. */
#include "provider/catalog.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/map.h"
#include "base/os.h"
#include "base/slice.h"
#include "gguf/gguf.h"

#define MAX_DEPTH   2
#define MAX_MODELS  4096
#define MAX_HINTED  8
#define SPLIT_BYTES 15 /* "-00001-of-00003" */

#define POOLING_NONE 0
#define POOLING_RANK 4

/* ---- names ---- */

static bool ends_with(struct gs_slice s, const char *end)
{
    const size_t n = strlen(end);

    return s.len >= n && strncasecmp(s.ptr + s.len - n, end, n) == 0;
}

/* "-00001-of-00003" at the end of a name? *out_part is its first number. */
static bool is_split(struct gs_slice name, int64_t *out_part, int64_t *out_n)
{
    if (name.len < SPLIT_BYTES)
        return false;
    const struct gs_slice tail = gs_slice_sub(name, name.len - SPLIT_BYTES, name.len);
    return tail.ptr[0] == '-' && memcmp(tail.ptr + 6, "-of-", 4) == 0 &&
           gs_slice_to_i64(gs_slice_sub(tail, 1, 6), out_part) &&
           gs_slice_to_i64(gs_slice_sub(tail, 10, 15), out_n);
}

size_t gs_local_catalog_split(struct gs_slice path, int64_t *out_part, int64_t *out_n)
{
    if (ends_with(path, ".gguf"))
        path.len -= strlen(".gguf");
    return is_split(path, out_part, out_n) ? SPLIT_BYTES : 0;
}

static struct gs_slice file_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return gs_slice_str(slash ? slash + 1 : path);
}

/* The name a file goes by: without ".gguf" and the number of a split, and without folder, but for
 * the folders inside genset's own, which is `own` bytes of the path. */
static struct gs_slice model_name(const char *path, size_t own)
{
    struct gs_slice name = own > 0 ? gs_slice_str(path + own) : file_name(path);
    int64_t part, n;

    if (ends_with(name, ".gguf"))
        name.len -= 5;
    if (is_split(name, &part, &n))
        name.len -= SPLIT_BYTES;
    return name;
}

bool gs_local_catalog_is_model(struct gs_slice name)
{
    int64_t part, n;

    if (!ends_with(name, ".gguf") || name.ptr[0] == '.')
        return false;
    name.len -= 5;
    if (is_split(name, &part, &n) && part != 1)
        return false;
    for (size_t i = 0; i + 6 <= name.len; i++)
        if (strncasecmp(name.ptr + i, "mmproj", 6) == 0)
            return false;
    return true;
}

/* ---- collecting ---- */

static const char *dup(struct gs_arena *a, struct gs_slice s)
{
    struct gs_slice copy;

    return gs_arena_dup(a, s, &copy) ? copy.ptr : NULL;
}

/* By how the file wants states pooled (pooling_type, numbered as llama.cpp does); a model that
 * reads both ways cannot write. */
static enum gs_local_purpose purpose_of(const struct gs_gguf *f, struct gs_slice arch)
{
    char key[128];
    uint64_t pooling = 0;
    bool is_causal = true;
    const int len = (int)GS_MIN(arch.len, 100);

    snprintf(key, sizeof(key), "%.*s.pooling_type", len, arch.ptr);
    if (!gs_gguf_get_u64(f, key, &pooling, NULL))
        pooling = POOLING_NONE;
    snprintf(key, sizeof(key), "%.*s.attention.causal", len, arch.ptr);
    if (!gs_gguf_get_bool(f, key, &is_causal, NULL))
        is_causal = true;
    if (pooling == POOLING_RANK)
        return GS_LOCAL_RANKING;
    return pooling == POOLING_NONE && is_causal ? GS_LOCAL_WRITING : GS_LOCAL_EMBEDDING;
}

/* What the file says of itself; all empty if it cannot be read. */
static bool describe(struct gs_local_catalog *c, struct gs_local_model *m)
{
    struct gs_gguf *f = NULL;
    struct gs_slice arch = {"", 0};
    char key[128];
    uint64_t ctx = 0;
    struct gs_error err;

    m->arch = m->quant = "";
    const enum gs_status st = gs_gguf_open(m->path, &f, &err);
    if (st != GS_OK) /* what cannot be read, or is too large to be, is listed all the same */
        return st != GS_ENOMEM || err.needed > 0;
    if (!gs_gguf_get_string(f, "general.architecture", &arch, NULL))
        arch = gs_slice("", 0);
    snprintf(key, sizeof(key), "%.*s.context_length", (int)GS_MIN(arch.len, 100), arch.ptr);
    m->ctx_tokens = gs_gguf_get_u64(f, key, &ctx, NULL) ? (int64_t)GS_MIN(ctx, INT64_MAX) : 0;
    m->file_bytes = (int64_t)gs_gguf_bytes(f);
    m->n_params = (int64_t)gs_gguf_param_count(f);
    m->quant = gs_gguf_quant_name(f);
    m->purpose = purpose_of(f, arch);
    m->arch = dup(&c->a, arch);
    gs_gguf_close(f);
    return m->arch != NULL;
}

bool gs_local_catalog_copy(struct gs_arena *a, const struct gs_local_model *from,
                           struct gs_local_model *out)
{
    *out = *from;
    out->name = dup(a, gs_slice_str(from->name));
    out->path = dup(a, gs_slice_str(from->path));
    out->arch = dup(a, gs_slice_str(from->arch));
    return out->name && out->path && out->arch;
}

/* The same file by another path, or a copy of it? */
static bool is_listed(const struct gs_local_catalog *c, const char *path, struct gs_slice name,
                      const struct stat *sb)
{
    for (size_t i = 0; i < c->n; i++) {
        const struct gs_local_model *m = &c->models[i];
        if (strcmp(m->path, path) == 0 ||
            (gs_slice_eq_str(name, m->name) && m->modified_s == sb->st_mtime))
            return true;
    }
    return false;
}

/* Another number after a file was replaced. */
static uint64_t version_of(const struct stat *sb)
{
    const int64_t facts[] = {(int64_t)sb->st_ino, (int64_t)sb->st_size, (int64_t)sb->st_mtim.tv_sec,
                             (int64_t)sb->st_mtim.tv_nsec};

    return gs_hash_bytes(facts, sizeof(facts), 0);
}

/* What an earlier search found out about this file, or NULL. */
static const struct gs_local_model *known(const struct gs_local_catalog *old, const char *path,
                                          uint64_t version)
{
    for (size_t i = 0; old && i < old->n; i++) {
        if (old->models[i].version == version && strcmp(old->models[i].path, path) == 0)
            return &old->models[i];
    }
    return NULL;
}

/* A search under way. */
struct search {
    struct gs_local_catalog *c;
    const struct gs_local_catalog *old; /* or NULL */
    size_t own; /* bytes of the path of genset's own folder, while that is searched */
};

static enum gs_status add_file(const struct search *s, const char *path, const struct stat *sb,
                               struct gs_error *err)
{
    struct gs_local_catalog *c = s->c;
    const struct gs_slice name = model_name(path, s->own);

    if (c->n == MAX_MODELS || is_listed(c, path, name, sb))
        return GS_OK;
    if (c->n == c->cap) {
        const size_t cap = c->cap ? 2 * c->cap : 16;
        struct gs_local_model *grown = gs_realloc(c->models, cap * sizeof(*grown));
        if (!grown)
            return gs_error_nomem(err, "list models");
        c->models = grown;
        c->cap = cap;
    }
    struct gs_local_model m = {
        .name = dup(&c->a, name),
        .path = dup(&c->a, gs_slice_str(path)),
        .file_bytes = (int64_t)sb->st_size,
        .modified_s = (int64_t)sb->st_mtime,
        .version = version_of(sb),
        .is_own = s->own > 0,
    };
    const struct gs_local_model *before = known(s->old, path, m.version);
    const bool fits =
        before ? gs_local_catalog_copy(&c->a, before, &m) : m.name && m.path && describe(c, &m);
    if (!fits)
        return gs_error_nomem(err, "list models");
    c->models[c->n++] = m;
    return GS_OK;
}

static enum gs_status search_folder(const struct search *s, const char *folder, int depth,
                                    struct gs_error *err);

/* One entry of a folder; what cannot be looked at is passed over. */
static enum gs_status search_entry(const struct search *s, const char *folder, const char *name,
                                   int depth, struct gs_error *err)
{
    char path[PATH_MAX];
    struct stat sb;

    if (name[0] == '.' ||
        (size_t)snprintf(path, sizeof(path), "%s/%s", folder, name) >= sizeof(path) ||
        stat(path, &sb) != 0)
        return GS_OK;
    if (S_ISDIR(sb.st_mode))
        return depth < MAX_DEPTH ? search_folder(s, path, depth + 1, err) : GS_OK;
    if (S_ISREG(sb.st_mode) && gs_local_catalog_is_model(gs_slice_str(name)))
        return add_file(s, path, &sb, err);
    return GS_OK;
}

static enum gs_status search_folder(const struct search *s, const char *folder, int depth,
                                    struct gs_error *err)
{
    enum gs_status st = GS_OK;
    DIR *dir = opendir(folder);

    if (!dir)
        return depth > 0 || s->old
                   ? GS_OK
                   : gs_error_errno(err, GS_EIO, errno, "could not read folder \"%s\"", folder);
    while (st == GS_OK) {
        const struct dirent *entry = readdir(dir);
        if (!entry)
            break;
        st = search_entry(s, folder, entry->d_name, depth, err);
    }
    closedir(dir);
    return st;
}

static enum gs_status search(const struct search *s, const char *path, struct gs_error *err)
{
    char plain[PATH_MAX]; /* without slashes at its end */
    struct stat sb;
    size_t len = strlen(path);

    while (len > 1 && path[len - 1] == '/')
        len--;
    if ((size_t)snprintf(plain, sizeof(plain), "%.*s", (int)len, path) >= sizeof(plain))
        return gs_error_set(err, GS_EINVAL, "path of models is longer than %d bytes", PATH_MAX);
    if (stat(plain, &sb) != 0 && (s->old || s->own))
        return GS_OK;
    if (stat(plain, &sb) != 0)
        return gs_error_errno(err, errno == ENOENT || errno == ENOTDIR ? GS_ENOTFOUND : GS_EIO,
                              errno, "could not look for models in \"%s\"", plain);
    if (S_ISDIR(sb.st_mode))
        return search_folder(s, plain, 0, err);
    return s->own ? GS_OK : add_file(s, plain, &sb, err); /* a folder, or nothing */
}

static int by_name(const void *a, const void *b)
{
    const struct gs_local_model *x = a;
    const struct gs_local_model *y = b;
    const int order = strcasecmp(x->name, y->name);

    return order ? order : strcmp(x->path, y->path);
}

enum gs_status gs_local_catalog_init(struct gs_local_catalog *c,
                                     const struct gs_local_places *places,
                                     const struct gs_local_catalog *old, struct gs_error *err)
{
    const struct search anywhere = {.c = c, .old = old};
    enum gs_status st = GS_OK;
    struct stat sb;

    *c = (struct gs_local_catalog){0};
    gs_arena_init(&c->a, 0);
    if (places->own) {
        size_t len = strlen(places->own);
        while (len > 1 && places->own[len - 1] == '/')
            len--;
        const struct search own = {.c = c, .old = old, .own = len + 1};
        st = search(&own, places->own, err);
    }
    for (size_t i = 0; i < places->n_paths && st == GS_OK; i++)
        st = search(&anywhere, places->paths[i], err);
    if (st == GS_OK && places->extra && stat(places->extra, &sb) == 0 && S_ISREG(sb.st_mode))
        st = add_file(&anywhere, places->extra, &sb, err);
    if (c->n > 0)
        qsort(c->models, c->n, sizeof(*c->models), by_name);
    return st;
}

void gs_local_catalog_clear(struct gs_local_catalog *c)
{
    gs_free(c->models);
    gs_arena_clear(&c->a);
    c->models = NULL;
    c->n = c->cap = 0;
}

/* ---- looking up ---- */

/* Does `name` begin with, or equal, what a client spelled? ':' stands for '-'. */
static bool begins_so(const char *name, struct gs_slice spelled)
{
    for (size_t i = 0; i < spelled.len; i++) {
        const char ch = spelled.ptr[i] == ':' ? '-' : spelled.ptr[i];
        if (tolower((unsigned char)name[i]) != tolower((unsigned char)ch) || ch == '\0')
            return false;
    }
    return true;
}

static struct gs_slice without_ends(struct gs_slice name)
{
    if (ends_with(name, ":latest"))
        name.len -= 7;
    if (ends_with(name, ".gguf"))
        name.len -= 5;
    return name;
}

size_t gs_local_catalog_find_exact(const struct gs_local_catalog *c, struct gs_slice name)
{
    name = without_ends(name);
    for (size_t i = 0; i < c->n; i++)
        if (begins_so(c->models[i].name, name) && c->models[i].name[name.len] == '\0')
            return i;
    return SIZE_MAX;
}

size_t gs_local_catalog_find(const struct gs_local_catalog *c, struct gs_slice name)
{
    size_t found = gs_local_catalog_find_exact(c, name);
    bool is_unique = true;

    for (size_t i = 0; i < c->n; i++)
        if (gs_slice_eq_str(name, c->models[i].path))
            return i;
    if (found != SIZE_MAX)
        return found;
    for (size_t i = name.len; i > 0; i--)
        if (name.ptr[i - 1] == '/') {
            name = gs_slice_sub(name, i, name.len);
            break;
        }
    name = without_ends(name);
    if (name.len == 0)
        return SIZE_MAX;
    for (size_t i = 0; i < c->n; i++) {
        if (!begins_so(c->models[i].name, name))
            continue;
        if (c->models[i].name[name.len] == '\0')
            return i;
        is_unique = found == SIZE_MAX;
        found = i;
    }
    return is_unique ? found : SIZE_MAX;
}

enum gs_status gs_local_catalog_not_found(const struct gs_local_catalog *c, struct gs_slice name,
                                          struct gs_error *err)
{
    char list[GS_ERROR_HINT_BYTES - 32];
    size_t len = 0;

    gs_error_set(err, GS_ENOTFOUND, "model \"%.*s\" not found", (int)GS_MIN(name.len, 200),
                 name.ptr ? name.ptr : "");
    if (c->n == 0) {
        gs_error_hint(err, "Put a GGUF file into a models folder, or name one with --models.");
        return GS_ENOTFOUND;
    }
    for (size_t i = 0; i < c->n && i < MAX_HINTED; i++) {
        const int n =
            snprintf(list + len, sizeof(list) - len, "%s%s", i ? ", " : "", c->models[i].name);
        if (n < 0 || (size_t)n >= sizeof(list) - len) {
            list[len] = '\0'; /* whole names only */
            break;
        }
        len += (size_t)n;
    }
    gs_error_hint(err, "There %s %s%s.", c->n == 1 ? "is" : "are", list,
                  c->n > MAX_HINTED ? ", and others" : "");
    return GS_ENOTFOUND;
}
