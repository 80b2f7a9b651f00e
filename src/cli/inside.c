/* The files of the models inside the program. Each is in a folder that is named after its bytes, so
 * that another version's is not taken for ours. Who may open it holds a lock on the folder, and who
 * makes a new one removes what is left of other versions that nobody holds. */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/error.h"
#include "base/os.h"
#include "cli/cli.h"
#include "pilot/pilot.h"
#include "standin/standin.h"

#define MAX_TRIES 8 /* to hold a folder that others remove */

struct inside {
    const char *name, *hash;
    const unsigned char *gguf;
    const size_t *n_bytes;
    bool is_held;
};

/* ---- what others left ---- */

static bool is_of_another(const struct inside *in, const char *folder)
{
    const size_t n = strlen(in->name);
    const size_t n_digits = strlen(in->hash);

    return strncmp(folder, in->name, n) == 0 && folder[n] == '-' &&
           strlen(folder + n + 1) == n_digits &&
           strspn(folder + n + 1, "0123456789abcdef") == n_digits &&
           strcmp(folder + n + 1, in->hash) != 0;
}

static bool is_own(const struct stat *sb)
{
    return sb->st_uid == geteuid();
}

/* Only what such a program has put there, and a folder itself, not what a link leads to. */
static void remove_unheld(int at, const char *folder, const char *file)
{
    const int fd = openat(at, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat sb;

    if (fd < 0)
        return;
    if (fstat(fd, &sb) == 0 && is_own(&sb) && flock(fd, LOCK_EX | LOCK_NB) == 0 &&
        fstatat(fd, file, &sb, AT_SYMLINK_NOFOLLOW) == 0 && is_own(&sb) && S_ISREG(sb.st_mode) &&
        unlinkat(fd, file, 0) == 0)
        (void)!unlinkat(at, folder, AT_REMOVEDIR);
    close(fd);
}

static void remove_others(const struct inside *in, const char *cache_dir)
{
    DIR *d = opendir(cache_dir);
    char file[64];

    if (!d)
        return;
    snprintf(file, sizeof(file), "%s.gguf", in->name);
    for (const struct dirent *e = readdir(d); e; e = readdir(d))
        if (is_of_another(in, e->d_name))
            remove_unheld(dirfd(d), e->d_name, file);
    closedir(d);
}

/* ---- ours ---- */

static bool is_still(int fd, const char *dir)
{
    struct stat held, named;

    return fstat(fd, &held) == 0 && stat(dir, &named) == 0 && held.st_ino == named.st_ino &&
           held.st_dev == named.st_dev;
}

/* Make the folder and hold it, until the process ends. One that was removed in between is made
 * anew; where there are no locks nobody removes it either. */
static enum gs_status hold(struct inside *in, const char *dir, struct gs_error *err)
{
    for (int i = 0; !in->is_held && i < MAX_TRIES; i++) {
        const enum gs_status st = gs_os_make_dirs(dir, err);
        const int fd = st == GS_OK ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
        if (fd < 0)
            return st;
        in->is_held = flock(fd, LOCK_SH) != 0 || is_still(fd, dir);
        if (!in->is_held)
            close(fd);
    }
    return GS_OK;
}

/* Give memory back in which the program's file was read; it is read again where it is needed. */
static void forget(const unsigned char *p, size_t n)
{
    const uintptr_t page = gs_os_page_bytes();
    const uintptr_t begin = ((uintptr_t)p + page - 1) / page * page;
    const uintptr_t end = ((uintptr_t)p + n) / page * page;

    if (begin < end)
        gs_os_discard((void *)begin, end - begin);
}

static enum gs_status inside_path(const struct gs_config *c, struct inside *in, char *path,
                                  size_t cap, struct gs_error *err)
{
    char dir[4096];

    if (!c->cache_dir) {
        gs_error_set(err, GS_ENOTFOUND, "there is no cache folder to put the model %s in",
                     in->name);
        gs_error_hint(err, "Set HOME or XDG_CACHE_HOME.");
        return GS_ENOTFOUND;
    }
    if ((size_t)snprintf(dir, sizeof(dir), "%s/%s-%s", c->cache_dir, in->name, in->hash) >=
            sizeof(dir) ||
        (size_t)snprintf(path, cap, "%s/%s.gguf", dir, in->name) >= cap)
        return gs_error_set(err, GS_EINVAL, "path of the cache folder is too long");
    enum gs_status st = hold(in, dir, err);
    if (st != GS_OK || access(path, R_OK) == 0)
        return st;
    st = gs_os_replace_file(path, in->gguf, *in->n_bytes, err);
    forget(in->gguf, *in->n_bytes);
    remove_others(in, c->cache_dir);
    return st;
}

enum gs_status gs_cli_pilot_path(const struct gs_config *c, char *path, size_t cap,
                                 struct gs_error *err)
{
    static struct inside pilot = {"pilot", gs_pilot_gguf_hash, gs_pilot_gguf, &gs_pilot_gguf_bytes,
                                  false};

    return inside_path(c, &pilot, path, cap, err);
}

enum gs_status gs_cli_standin_path(const struct gs_config *c, char *path, size_t cap,
                                   struct gs_error *err)
{
    static struct inside standin = {"standin", gs_standin_gguf_hash, gs_standin_gguf,
                                    &gs_standin_gguf_bytes, false};

    return inside_path(c, &standin, path, cap, err);
}
