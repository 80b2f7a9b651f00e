/* A folder of a test's own, named by `root`, with trees of files in it. */
#ifndef GS_TESTS_TREE_TEST_H
#define GS_TESTS_TREE_TEST_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/os.h"

static char root[] = "/tmp/genset-tree-XXXXXX";

/* Links are removed, not followed. */
static inline void remove_tree(const char *path)
{
    struct stat sb;
    DIR *dir = lstat(path, &sb) == 0 && S_ISDIR(sb.st_mode) ? opendir(path) : NULL;

    for (const struct dirent *d = dir ? readdir(dir) : NULL; d; d = readdir(dir)) {
        char inner[1024];
        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
            continue;
        if ((size_t)snprintf(inner, sizeof(inner), "%s/%s", path, d->d_name) < sizeof(inner))
            remove_tree(inner);
    }
    if (dir)
        closedir(dir);
    remove(path);
}

static inline int make_root(void **state)
{
    (void)state;
    memcpy(root + strlen(root) - 6, "XXXXXX", 6);
    return mkdtemp(root) ? 0 : -1;
}

static inline int remove_root(void **state)
{
    (void)state;
    remove_tree(root);
    return 0;
}

/* The path of a file whose folder is there. */
static inline void make_place(const char *path, char full[512])
{
    snprintf(full, 512, "%s%s", root, path);
    char *slash = strrchr(full, '/');
    *slash = '\0';
    assert_int_equal(gs_os_make_dirs(full, NULL), GS_OK);
    *slash = '/';
}

static inline void put(const char *path, const char *text)
{
    char full[512];

    make_place(path, full);
    assert_int_equal(gs_os_write_file(full, text, strlen(text), NULL), GS_OK);
}

#endif
