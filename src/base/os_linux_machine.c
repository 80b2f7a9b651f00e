/* Reads /proc, /sys/devices/system/cpu and the cgroup trees
 * (Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/, cputopology.rst,
 * ABI/testing/sysfs-devices-system-cpu of the Linux sources). What is absent or makes no sense
 * limits nothing. */
#include "base/os_linux_machine.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compiler.h"

#define PATH_BYTES 1024
#define TEXT_BYTES 16384

/* A core counts if it has this part of the capacity of the largest; by frequency alone, which
 * hides that small cores do less per cycle, if it has that. */
#define MIN_CAPACITY  0.5
#define MIN_FREQUENCY 0.8

/* ---- files ---- */

bool gs_os_machine_text(const char *root, const char *path, char *text, size_t cap)
{
    char full[PATH_BYTES];
    size_t n = 0;
    ssize_t got = 1;

    if ((size_t)snprintf(full, sizeof(full), "%s%s", root, path) >= sizeof(full))
        return false;
    const int fd = open(full, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return false;
    while (got > 0 && n < cap - 1) {
        got = read(fd, text + n, cap - 1 - n);
        n += (size_t)GS_MAX(got, 0);
    }
    close(fd);
    text[n] = '\0';
    return got >= 0;
}

/* The number after the first `key` that begins a line, or -1. */
static int64_t number_in(const char *text, const char *key)
{
    const size_t n = strlen(key);

    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, n) == 0) {
            char *end;
            const long long v = strtoll(line + n, &end, 10);
            return end != line + n && v >= 0 ? v : -1;
        }
    }
    return -1;
}

int64_t gs_os_machine_number(const char *root, const char *path, const char *key)
{
    char text[TEXT_BYTES];

    return gs_os_machine_text(root, path, text, sizeof(text)) ? number_in(text, key) : -1;
}

/* ---- cgroups ---- */

/* A cgroup of this process and, one by one, its parents, each of which may set a limit. In a
 * container the path may be the host's: then only the tree's root is there, which is ours. */
struct cgroup {
    char path[PATH_BYTES]; /* of the folder */
    size_t root_len;       /* of the tree's root in it */
};

/* The text after "N:controllers:" on the line of `controller` in /proc/self/cgroup, where "" is
 * version 2. */
static bool find_group(const char *text, const char *controller, char *out, size_t cap)
{
    const size_t n = strlen(controller);

    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        const char *list = strchr(line, ':');
        const char *path = list ? strchr(list + 1, ':') : NULL;
        if (!path)
            return false;
        const char *at = list + 1;
        while (at < path && ((size_t)(path - at) < n || strncmp(at, controller, n) != 0 ||
                             (at[n] != ',' && at[n] != ':'))) {
            at += strcspn(at, ",:");
            at += *at == ',';
        }
        if (n > 0 ? at < path : path == list + 1) {
            const size_t len = strcspn(path + 1, "\n");
            snprintf(out, cap, "%.*s", (int)GS_MIN(len, cap - 1), path + 1);
            return true;
        }
    }
    return false;
}

/* The cgroup of `controller` in version 1, or the one of version 2 for NULL. */
static bool enter_group(const char *root, const char *controller, struct cgroup *g)
{
    char text[TEXT_BYTES];
    char path[PATH_BYTES / 2];
    char probe[PATH_BYTES];

    if (!gs_os_machine_text(root, "/proc/self/cgroup", text, sizeof(text)) ||
        !find_group(text, controller ? controller : "", path, sizeof(path)))
        return false;
    if (controller)
        snprintf(g->path, sizeof(g->path), "/sys/fs/cgroup/%s", controller);
    else
        snprintf(
            g->path, sizeof(g->path), "/sys/fs/cgroup%s",
            gs_os_machine_text(root, "/sys/fs/cgroup/unified/cgroup.procs", probe, sizeof(probe))
                ? "/unified"
                : "");
    g->root_len = strlen(g->path);
    if (strcmp(path, "/") != 0 && !strstr(path, "/.."))
        snprintf(g->path + g->root_len, sizeof(g->path) - g->root_len, "%s", path);
    return true;
}

/* To the parent; false at the root of the tree. */
static bool leave_group(struct cgroup *g)
{
    char *last = strrchr(g->path + g->root_len, '/');

    if (!last)
        return false;
    *last = '\0';
    return true;
}

static bool read_in_group(const char *root, const struct cgroup *g, const char *file, char *text,
                          size_t cap)
{
    char path[PATH_BYTES];

    return (size_t)snprintf(path, sizeof(path), "%s/%s", g->path, file) < sizeof(path) &&
           gs_os_machine_text(root, path, text, cap);
}

static int64_t number_in_group(const char *root, const struct cgroup *g, const char *file)
{
    char text[64];

    return read_in_group(root, g, file, text, sizeof(text)) ? number_in(text, "") : -1;
}

/* ---- processors ---- */

static int cores_of_quota(int64_t quota, int64_t period)
{
    if (quota <= 0 || period <= 0)
        return INT_MAX;
    return (int)GS_MIN(quota / period + (quota % period != 0), INT_MAX);
}

/* Whole cores that the quotas of the cgroups allow, or INT_MAX. */
static int quota_cores(const char *root)
{
    struct cgroup g;
    int cores = INT_MAX;

    if (enter_group(root, NULL, &g)) {
        do {
            char text[64]; /* "max 100000", "150000 100000" */
            if (read_in_group(root, &g, "cpu.max", text, sizeof(text))) {
                const char *space = strchr(text, ' ');
                cores = GS_MIN(
                    cores, cores_of_quota(number_in(text, ""), space ? number_in(space, "") : -1));
            }
        } while (leave_group(&g));
    }
    if (enter_group(root, "cpu", &g)) {
        do {
            cores = GS_MIN(cores, cores_of_quota(number_in_group(root, &g, "cpu.cfs_quota_us"),
                                                 number_in_group(root, &g, "cpu.cfs_period_us")));
        } while (leave_group(&g));
    }
    return cores;
}

/* Is cpu in a list such as "0-3,8,10-11"? */
static bool list_has(const char *list, size_t cpu)
{
    while (*list) {
        char *end;
        const unsigned long first = strtoul(list, &end, 10);
        if (end == list)
            return false;
        unsigned long last = first;
        if (*end == '-')
            last = strtoul(end + 1, &end, 10);
        if (cpu >= first && cpu <= last)
            return true;
        list = end + (*end == ',');
    }
    return false;
}

/* Does an allowed processor with a lower number share this one's core? */
static bool is_sibling(const char *root, const bool *allowed, size_t cpu)
{
    char path[PATH_BYTES];
    char list[1024];

    snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%zu/topology/thread_siblings_list",
             cpu);
    if (!gs_os_machine_text(root, path, list, sizeof(list)))
        return false;
    for (size_t i = 0; i < cpu; i++)
        if (allowed[i] && list_has(list, i))
            return true;
    return false;
}

static int64_t read_of_cpu(const char *root, size_t cpu, const char *file)
{
    char path[PATH_BYTES];

    snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%zu/%s", cpu, file);
    return gs_os_machine_number(root, path, "");
}

/* Leave only the processors whose `file` says at least `part` of what the best one's says. */
static void drop_slow(const char *root, bool *cpus, size_t n, const char *file, double part)
{
    int64_t best = 0;

    for (size_t i = 0; i < n; i++)
        if (cpus[i])
            best = GS_MAX(best, read_of_cpu(root, i, file));
    for (size_t i = 0; i < n; i++) {
        const int64_t v = cpus[i] ? read_of_cpu(root, i, file) : -1;
        cpus[i] = cpus[i] && (v <= 0 || (double)v >= part * (double)best);
    }
}

/* Leave only the performance cores of a hybrid Intel machine; false if it is none, or none of them
 * is allowed. */
static bool keep_performance_cores(const char *root, bool *cpus, size_t n)
{
    char list[1024];
    bool any = false;

    if (!gs_os_machine_text(root, "/sys/devices/cpu_core/cpus", list, sizeof(list)))
        return false;
    for (size_t i = 0; i < n; i++)
        any |= cpus[i] && list_has(list, i);
    for (size_t i = 0; any && i < n; i++)
        cpus[i] = cpus[i] && list_has(list, i);
    return any;
}

int gs_os_machine_cores(const char *root, const bool *allowed, size_t n)
{
    bool cpus[GS_OS_MAX_CPUS];
    int cores = 0;

    n = GS_MIN(n, (size_t)GS_OS_MAX_CPUS);
    for (size_t i = 0; i < n; i++)
        cpus[i] = allowed[i] && !is_sibling(root, allowed, i);
    if (!keep_performance_cores(root, cpus, n)) {
        drop_slow(root, cpus, n, "cpu_capacity", MIN_CAPACITY);
        drop_slow(root, cpus, n, "cpufreq/cpuinfo_max_freq", MIN_FREQUENCY);
    }
    for (size_t i = 0; i < n; i++)
        cores += cpus[i];
    return GS_MAX(1, GS_MIN(cores, quota_cores(root)));
}

/* ---- memory ---- */

/* Files of one version of cgroups. */
static const struct memory_files {
    const char *controller, *limit, *used, *inactive, *active;
} versions[] = {
    {NULL, "memory.max", "memory.current", "inactive_file ", "active_file "},
    {"memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file ",
     "total_active_file "},
};

/* What a cgroup leaves: its limit less what is used and not page cache; -1: no limit. */
static int64_t left_in_group(const char *root, const struct cgroup *g,
                             const struct memory_files *files)
{
    char stat[TEXT_BYTES];
    const int64_t limit = number_in_group(root, g, files->limit);
    int64_t used = number_in_group(root, g, files->used);

    if (limit < 0 || used < 0)
        return -1;
    if (read_in_group(root, g, "memory.stat", stat, sizeof(stat)))
        used -= GS_MAX(number_in(stat, files->inactive), (int64_t)0) +
                GS_MAX(number_in(stat, files->active), (int64_t)0);
    return GS_MAX(limit - GS_MAX(used, (int64_t)0), (int64_t)0);
}

/* The smaller of two amounts of which -1 is unknown. */
static int64_t tighter(int64_t a, int64_t b)
{
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

static int64_t memory(const char *root, const char *key, bool left)
{
    const int64_t kib = gs_os_machine_number(root, "/proc/meminfo", key);
    int64_t bytes = kib < 0 || kib > INT64_MAX / 1024 ? -1 : kib * 1024;
    struct cgroup g;

    for (size_t i = 0; i < GS_COUNT_OF(versions); i++) {
        if (!enter_group(root, versions[i].controller, &g))
            continue;
        do {
            bytes = tighter(bytes, left ? left_in_group(root, &g, &versions[i])
                                        : number_in_group(root, &g, versions[i].limit));
        } while (leave_group(&g));
    }
    return bytes;
}

int64_t gs_os_machine_memory_total(const char *root)
{
    return memory(root, "MemTotal:", false);
}

int64_t gs_os_machine_memory_available(const char *root)
{
    return memory(root, "MemAvailable:", true);
}

size_t gs_os_machine_nodes(const char *root, bool *nodes, size_t n)
{
    char list[1024];
    size_t count = 0;

    if (!gs_os_machine_text(root, "/sys/devices/system/node/has_memory", list, sizeof(list)))
        return 0;
    for (size_t i = 0; i < n; i++) {
        nodes[i] = list_has(list, i);
        count += nodes[i];
    }
    return count;
}
