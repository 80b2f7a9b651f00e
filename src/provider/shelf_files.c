/* Models in genset's own folder. A model created from a blob, and a copy, is another name (hard
 * link) of the same bytes; from another file system it is a symbolic link. Names come from clients:
 * they become at most one folder and one file of plain characters, nothing hidden. A file is made
 * beside and renamed, so that no half of one is ever seen. */
#define _XOPEN_SOURCE 700 /* realpath */
#include "provider/shelf_files.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/os.h"
#include "base/sha256.h"
#include "base/slice.h"
#include "gguf/gguf.h"
#include "provider/catalog.h"

#define MAX_NAME_BYTES 120
#define BESIDE         ".new-" /* before it is renamed */
#define STALE_S        86400
#define HEX_BYTES      (2 * (size_t)GS_SHA256_BYTES)

/* ---- names ---- */

static bool is_plain(struct gs_slice part)
{
    if (part.len == 0 || part.len > MAX_NAME_BYTES || part.ptr[0] == '.')
        return false;
    for (size_t i = 0; i < part.len; i++) {
        const unsigned char ch = (unsigned char)part.ptr[i];
        if (!isalnum(ch) && ch != '-' && ch != '_' && ch != '.' && ch != ':')
            return false;
    }
    return true;
}

/* "me/model:8b" -> "me/model-8b", and where the '/' is. */
static enum gs_status file_name(struct gs_slice name, char out[2 * MAX_NAME_BYTES + 8],
                                struct gs_error *err)
{
    const struct gs_slice whole = name;
    const struct gs_slice latest = GS_SLICE_LIT(":latest");
    const struct gs_slice library = GS_SLICE_LIT("library/");

    if (gs_slice_starts(name, library))
        name = gs_slice_sub(name, library.len, name.len);
    if (gs_slice_ends(name, latest))
        name.len -= latest.len;
    const size_t slash = gs_slice_find(name, GS_SLICE_LIT("/"), 0);
    const struct gs_slice folder = slash == SIZE_MAX ? name : gs_slice_sub(name, 0, slash);
    const struct gs_slice file = slash == SIZE_MAX ? name : gs_slice_sub(name, slash + 1, name.len);
    snprintf(out, 2 * MAX_NAME_BYTES + 8, "%.*s", (int)GS_MIN(name.len, 2 * MAX_NAME_BYTES),
             name.ptr ? name.ptr : "");
    for (char *at = out; *at; at++)
        *at = *at == ':' ? '-' : *at;
    char as_file[MAX_NAME_BYTES + 8];
    snprintf(as_file, sizeof(as_file), "%.*s.gguf", (int)GS_MIN(file.len, MAX_NAME_BYTES),
             file.ptr ? file.ptr : "");
    if (is_plain(folder) && is_plain(file) && gs_local_catalog_is_model(gs_slice_str(as_file)))
        return GS_OK;
    gs_error_set(err, GS_EINVAL, "\"%.*s\" cannot be the name of a model",
                 (int)GS_MIN(whole.len, 100), whole.ptr ? whole.ptr : "");
    gs_error_hint(err, "Use letters, digits, '-', '_', '.' and ':', and at most one '/'.");
    return GS_EINVAL;
}

static enum gs_status put_path(char path[PATH_MAX], struct gs_error *err, const char *fmt, ...)
    GS_PRINTF(3, 4);

static enum gs_status put_path(char path[PATH_MAX], struct gs_error *err, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    const int n = vsnprintf(path, PATH_MAX, fmt, ap);
    va_end(ap);
    return n >= 0 && n < PATH_MAX ? GS_OK : gs_error_set(err, GS_EINVAL, "path is too long");
}

static enum gs_status need_folder(const char *own, struct gs_error *err)
{
    if (own)
        return gs_os_make_dirs(own, err);
    gs_error_set(err, GS_ENOTFOUND, "there is no folder for models");
    gs_error_hint(err, "Set HOME or XDG_DATA_HOME.");
    return GS_ENOTFOUND;
}

/* "sha256:0123..." -> OWN/.blobs/sha256-0123... */
static enum gs_status blob_path(const char *own, struct gs_slice digest, char path[PATH_MAX],
                                struct gs_error *err)
{
    const struct gs_slice hex = gs_slice_sub(digest, 7, digest.len);
    bool is_fine = gs_slice_starts(digest, GS_SLICE_LIT("sha256")) && digest.len == 7 + HEX_BYTES &&
                   (digest.ptr[6] == ':' || digest.ptr[6] == '-');

    for (size_t i = 0; is_fine && i < hex.len; i++)
        is_fine = isdigit((unsigned char)hex.ptr[i]) || (hex.ptr[i] >= 'a' && hex.ptr[i] <= 'f');
    if (!is_fine)
        return gs_error_set(err, GS_EINVAL,
                            "digest: expected \"sha256:\" and %zu digits, found \"%.*s\"",
                            HEX_BYTES, (int)GS_MIN(digest.len, 100), digest.ptr ? digest.ptr : "");
    return put_path(path, err, "%s/.blobs/sha256-%.*s", own, (int)hex.len, hex.ptr);
}

/* ---- links ---- */

/* Make `to` another name of `from`, in one step. */
static enum gs_status link_file(const char *own, const char *from, const char *to,
                                struct gs_error *err)
{
    char beside[PATH_MAX];
    char real[PATH_MAX];

    if (put_path(beside, err, "%s/" BESIDE "%016llx", own,
                 (unsigned long long)gs_os_random_u64()) != GS_OK)
        return GS_EINVAL;
    if (!realpath(from, real))
        return gs_error_errno(err, GS_EIO, errno, "could not find \"%s\"", from);
    if (link(real, beside) != 0 && symlink(real, beside) != 0)
        return gs_error_errno(err, GS_EIO, errno, "could not link \"%s\"", real);
    const bool is_done = rename(beside, to) == 0;
    const int why = errno;
    unlink(beside); /* also where both were the same file: then rename does nothing */
    return is_done ? GS_OK : gs_error_errno(err, GS_EIO, why, "could not write \"%s\"", to);
}

/* The path of part `part` of a split model, whose first part is at `path`. */
static enum gs_status part_path(struct gs_slice path, int64_t part, int64_t n, char out[PATH_MAX],
                                struct gs_error *err)
{
    const size_t tail = strlen("-00001-of-00001.gguf");

    return put_path(out, err, "%.*s-%05lld-of-%05lld.gguf", (int)(path.len - tail),
                    path.ptr ? path.ptr : "", (long long)part, (long long)n);
}

/* The first part last: with it the model is there. */
static enum gs_status link_parts(const char *own, const char *from, const char *to, int64_t n,
                                 struct gs_error *err)
{
    char part[PATH_MAX];
    char target[PATH_MAX];
    enum gs_status st = GS_OK;

    for (int64_t i = n; i > 0 && st == GS_OK; i--) {
        st = part_path(gs_slice_str(from), i, n, part, err);
        if (st == GS_OK)
            st = put_path(target, err, "%s-%05lld-of-%05lld.gguf", to, (long long)i, (long long)n);
        if (st == GS_OK)
            st = link_file(own, part, target, err);
    }
    return st;
}

/* Give the model at `from` another name. */
static enum gs_status add_name(const char *own, const char *from, struct gs_slice name,
                               struct gs_error *err)
{
    char file[2 * MAX_NAME_BYTES + 8];
    char path[PATH_MAX];
    char whole[PATH_MAX];
    int64_t part, n;

    enum gs_status st = file_name(name, file, err);
    if (st == GS_OK)
        st = need_folder(own, err);
    if (st == GS_OK)
        st = put_path(path, err, "%s/%s", own, file);
    if (st != GS_OK)
        return st;
    char *slash = strrchr(path, '/');
    if (strchr(file, '/')) {
        *slash = '\0';
        st = gs_os_make_dirs(path, err);
        *slash = '/';
    }
    if (st != GS_OK)
        return st;
    if (gs_local_catalog_split(gs_slice_str(from), &part, &n) > 0 && n > 0)
        return link_parts(own, from, path, n, err);
    st = put_path(whole, err, "%s.gguf", path);
    return st == GS_OK ? link_file(own, from, whole, err) : st;
}

/* ---- deleting ---- */

/* Delete the blob that is these bytes, if no model has them any more. */
static void drop_blob(const char *own, const struct stat *gone)
{
    char folder[PATH_MAX];
    struct stat sb;

    if (put_path(folder, NULL, "%s/.blobs", own) != GS_OK)
        return;
    DIR *dir = opendir(folder);
    while (dir) {
        const struct dirent *entry = readdir(dir);
        if (!entry)
            break;
        if (fstatat(dirfd(dir), entry->d_name, &sb, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(sb.st_mode) && sb.st_ino == gone->st_ino && sb.st_dev == gone->st_dev &&
            sb.st_nlink == 1)
            unlinkat(dirfd(dir), entry->d_name, 0);
    }
    if (dir)
        closedir(dir);
}

static enum gs_status delete_file(const char *own, const char *path, struct gs_error *err)
{
    struct stat sb;

    if (lstat(path, &sb) != 0 || unlink(path) != 0)
        return gs_error_errno(err, errno == ENOENT ? GS_ENOTFOUND : GS_EIO, errno,
                              "could not delete \"%s\"", path);
    if (sb.st_nlink > 1)
        drop_blob(own, &sb);
    return GS_OK;
}

static enum gs_status delete_model(const char *own, const struct gs_local_model *m,
                                   struct gs_error *err)
{
    char path[PATH_MAX];
    int64_t part, n;
    enum gs_status st = GS_OK;

    if (!m->is_own) {
        gs_error_set(err, GS_EUNSUPPORTED, "model \"%s\" is not in genset's own folder", m->name);
        gs_error_hint(err, "Delete %.200s yourself.", m->path);
        return GS_EUNSUPPORTED;
    }
    if (gs_local_catalog_split(gs_slice_str(m->path), &part, &n) == 0)
        return delete_file(own, m->path, err);
    for (int64_t i = 1; i <= n && st == GS_OK; i++) {
        st = part_path(gs_slice_str(m->path), i, n, path, err);
        if (st == GS_OK)
            st = delete_file(own, path, err);
    }
    return st;
}

/* ---- blobs ---- */

static enum gs_status find_blob(const char *own, struct gs_slice digest, char path[PATH_MAX],
                                struct gs_error *err)
{
    struct stat sb;
    const enum gs_status st = blob_path(own ? own : "", digest, path, err);

    if (st != GS_OK)
        return st;
    if (!own || lstat(path, &sb) != 0 || !S_ISREG(sb.st_mode))
        return gs_error_set(err, GS_ENOTFOUND, "blob \"%.*s\" is not here", (int)digest.len,
                            digest.ptr);
    return GS_OK;
}

struct gs_local_upload {
    int fd;
    char beside[PATH_MAX], path[PATH_MAX];
    uint8_t want[HEX_BYTES];
    struct gs_sha256 hash;
    bool is_done;
};

/* Delete what processes that were killed left of their uploads. */
static void drop_stale(const char *folder)
{
    DIR *dir = opendir(folder);
    struct stat sb;

    while (dir) {
        const struct dirent *entry = readdir(dir);
        if (!entry)
            break;
        if (strncmp(entry->d_name, BESIDE, strlen(BESIDE)) == 0 &&
            fstatat(dirfd(dir), entry->d_name, &sb, AT_SYMLINK_NOFOLLOW) == 0 &&
            gs_clock_wall_us() / 1000000 - sb.st_mtime > STALE_S)
            unlinkat(dirfd(dir), entry->d_name, 0);
    }
    if (dir)
        closedir(dir);
}

static enum gs_status open_beside(const char *own, struct gs_local_upload *u, struct gs_error *err)
{
    enum gs_status st = put_path(u->beside, err, "%s/.blobs", own);

    if (st == GS_OK)
        st = gs_os_make_dirs(u->beside, err);
    if (st != GS_OK)
        return st;
    drop_stale(u->beside);
    st = put_path(u->beside, err, "%s/.blobs/" BESIDE "%016llx", own,
                  (unsigned long long)gs_os_random_u64());
    if (st != GS_OK)
        return st;
    u->fd = open(u->beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    return u->fd >= 0 ? GS_OK
                      : gs_error_errno(err, GS_EIO, errno, "could not create \"%s\"", u->beside);
}

enum gs_status gs_local_upload_create(const char *own, struct gs_slice digest,
                                      struct gs_local_upload **out_u, struct gs_error *err)
{
    struct gs_local_upload *u = gs_alloc_zero(sizeof(*u));

    if (!u)
        return gs_error_nomem(err, "receive a blob");
    u->fd = -1;
    gs_sha256_init(&u->hash);
    enum gs_status st = need_folder(own, err);
    if (st == GS_OK)
        st = blob_path(own, digest, u->path, err);
    if (st == GS_OK)
        st = open_beside(own, u, err);
    if (st != GS_OK) {
        gs_local_upload_free(u);
        return st;
    }
    memcpy(u->want, digest.ptr + 7, HEX_BYTES);
    *out_u = u;
    return GS_OK;
}

enum gs_status gs_local_upload_write(struct gs_local_upload *u, struct gs_slice bytes,
                                     struct gs_error *err)
{
    gs_sha256_feed(&u->hash, bytes.ptr, bytes.len);
    while (bytes.len > 0) {
        const ssize_t n = write(u->fd, bytes.ptr, bytes.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return gs_error_errno(err, GS_EIO, errno, "could not write the blob");
        bytes = gs_slice_sub(bytes, (size_t)n, bytes.len);
    }
    return GS_OK;
}

enum gs_status gs_local_upload_finish(struct gs_local_upload *u, struct gs_error *err)
{
    uint8_t digest[GS_SHA256_BYTES];
    char hex[HEX_BYTES + 1];

    gs_sha256_finish(&u->hash, digest);
    for (size_t i = 0; i < GS_SHA256_BYTES; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    if (memcmp(hex, u->want, HEX_BYTES) != 0)
        return gs_error_set(err, GS_EINVAL, "the blob is sha256:%s, not what its name says", hex);
    const int fd = u->fd;
    u->fd = -1;
    const bool is_synced = fsync(fd) == 0;
    if (close(fd) != 0 || !is_synced || rename(u->beside, u->path) != 0)
        return gs_error_errno(err, GS_EIO, errno, "could not write the blob");
    u->is_done = true;
    return GS_OK;
}

void gs_local_upload_free(struct gs_local_upload *u)
{
    if (!u)
        return;
    if (u->fd >= 0)
        close(u->fd);
    if (u->beside[0] && !u->is_done)
        unlink(u->beside);
    gs_free(u);
}

/* ---- errands ---- */

static enum gs_status create_model(const char *own, const struct gs_errand *e, struct gs_error *err)
{
    char path[PATH_MAX];
    struct gs_gguf *file = NULL;

    if (!e->digest.len)
        return add_name(own, e->models[0].path, e->target, err);
    enum gs_status st = find_blob(own, e->digest, path, err);
    if (st == GS_OK)
        st = gs_gguf_open(path, &file, err); /* nothing else becomes a model */
    gs_gguf_close(file);
    return st == GS_OK ? add_name(own, path, e->target, err) : st;
}

enum gs_status gs_local_files_do(const char *own, const struct gs_errand *e, struct gs_error *err)
{
    char path[PATH_MAX];

    if (e->kind == GS_ERRAND_COPY)
        return add_name(own, e->models[0].path, e->target, err);
    if (e->kind == GS_ERRAND_DELETE)
        return delete_model(own, &e->models[0], err);
    if (e->kind == GS_ERRAND_CREATE)
        return create_model(own, e, err);
    return find_blob(own, e->digest, path, err);
}
