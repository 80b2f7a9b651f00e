/* Watching a file with inotify(7).
 *
 * Not the file is watched but its folder: editors write a new file and give it the old one's name,
 * and then nothing ever happens to the old one again. Where the file is a link, the folder of what
 * it points to is watched as well. Kubernetes replaces "..data", through which the links of a
 * volume lead. That a file was removed is not told: it is on its way to being replaced, mostly. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/error.h"
#include "base/os.h"

#define EVENTS (IN_CLOSE_WRITE | IN_MOVED_TO | IN_ONLYDIR)

/* Watch the folder of `path`, and keep the file's name. */
static bool add(struct gs_os_watch *w, size_t i, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    char folder[PATH_MAX];
    const int len = slash ? (int)(slash - path) + 1 : 2;

    if (len >= PATH_MAX || strlen(name) >= sizeof(w->names[i])) {
        errno = ENAMETOOLONG;
        return false;
    }
    snprintf(folder, sizeof(folder), "%.*s", len, slash ? path : "./");
    snprintf(w->names[i], sizeof(w->names[i]), "%s", name);
    return inotify_add_watch(w->fd, folder, EVENTS) >= 0;
}

enum gs_status gs_os_watch_open(struct gs_os_watch *w, const char *path, struct gs_error *err)
{
    char target[PATH_MAX];

    *w = (struct gs_os_watch){.fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC)};
    if (w->fd < 0)
        return gs_error_errno(err, GS_EIO, errno, "could not watch file \"%s\"", path);
    if (!add(w, 0, path)) {
        gs_error_errno(err, errno == ENOENT ? GS_ENOTFOUND : GS_EIO, errno,
                       "could not watch file \"%s\"", path);
        gs_os_watch_close(w);
        return err->code;
    }
    if (realpath(path, target) && strcmp(target, path) != 0 && !add(w, 1, target))
        w->names[1][0] = '\0'; /* what can be seen is seen */
    return GS_OK;
}

bool gs_os_watch_read(struct gs_os_watch *w)
{
    _Alignas(struct inotify_event) char events[4096];
    bool is_ours = false;

    for (;;) {
        const ssize_t n = read(w->fd, events, sizeof(events));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return is_ours;
        for (ssize_t at = 0; at < n;) {
            const struct inotify_event *e = (const struct inotify_event *)(events + at);
            const char *name = e->len ? e->name : "";
            is_ours = is_ours || (e->mask & IN_Q_OVERFLOW) || strcmp(name, "..data") == 0 ||
                      strcmp(name, w->names[0]) == 0 || strcmp(name, w->names[1]) == 0;
            at += (ssize_t)(sizeof(*e) + e->len);
        }
    }
}

void gs_os_watch_close(struct gs_os_watch *w)
{
    if (w->fd >= 0)
        close(w->fd);
    w->fd = -1;
}
