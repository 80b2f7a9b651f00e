/* What Linux tells in files about the machine and this process's share of it. Behind base/os.h;
 * by itself for tests, which build such files in a folder of theirs. */
#ifndef GS_BASE_OS_LINUX_MACHINE_H
#define GS_BASE_OS_LINUX_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GS_OS_MAX_CPUS 1024

/* `root` is put before every path: "" for this machine. */

/* Cores worth a compute thread, >= 1, of the n processors that affinity allows: hardware threads
 * that share a core count once, slow cores beside fast ones do not count, and a cgroup's quota
 * caps the number. */
int gs_os_machine_cores(const char *root, const bool *allowed, size_t n);

/* A small text file, zero-terminated and cut to cap; false if there is none, or it is none. What is
 * no file of the kernel's (a pipe) does not block. */
bool gs_os_machine_text(const char *root, const char *path, char *text, size_t cap);
/* The number after the first `key` that begins a line of a small text file, or -1. */
int64_t gs_os_machine_number(const char *root, const char *path, const char *key);

/* By machine and cgroups; -1 unknown. Page cache counts as available. */
int64_t gs_os_machine_memory_total(const char *root);
int64_t gs_os_machine_memory_available(const char *root);

/* Set nodes[i], i < n, if NUMA node i has memory; how many have. */
size_t gs_os_machine_nodes(const char *root, bool *nodes, size_t n);

#endif
