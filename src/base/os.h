/* Everything that another operating system would do differently. Implemented in os_linux.c. */
#ifndef GS_BASE_OS_H
#define GS_BASE_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "genset/status.h"

/* ---- files ---- */

struct gs_os_map {
    const uint8_t *ptr; /* read-only; NULL for an empty file */
    size_t len;
};

/* Map a regular file read-only and shared. errors: GS_ENOTFOUND, GS_EIO, GS_ENOMEM with amounts. */
GS_MUST_CHECK enum gs_status gs_os_map_file(const char *path, struct gs_os_map *out_map,
                                            struct gs_error *err);
void gs_os_unmap(struct gs_os_map *m);
/* The same, read into huge pages of our own instead.
 * errors: also GS_EUNSUPPORTED, where the system has none to give, and GS_ENOMEM. */
GS_MUST_CHECK enum gs_status gs_os_map_copy_huge(const char *path, struct gs_os_map *out_map,
                                                 struct gs_error *err);
/* Bring [off, off + n) into memory, page by page: forwards, so that the system reads ahead. */
void gs_os_map_touch(const struct gs_os_map *m, size_t off, size_t n);
/* The part of its pages that is in memory, by a sample. */
double gs_os_map_resident(const struct gs_os_map *m);
/* Keep all of it in memory. errors: GS_ENOMEM if that is not allowed. */
GS_MUST_CHECK enum gs_status gs_os_map_lock(const struct gs_os_map *m, struct gs_error *err);

/* Append a whole file ("-" is stdin) to b; GS_ELIMIT if it passes b's ceiling. */
GS_MUST_CHECK enum gs_status gs_os_read_file(const char *path, struct gs_buf *b,
                                             struct gs_error *err);
/* Append what a shell command prints to b; it must end well. errors: GS_EIO, GS_ELIMIT, GS_ENOMEM.
 */
GS_MUST_CHECK enum gs_status gs_os_read_command(const char *command, struct gs_buf *b,
                                                struct gs_error *err);
/* Write a whole file ("-" is stdout); a failed or short write is an error, also at close. */
GS_MUST_CHECK enum gs_status gs_os_write_file(const char *path, const void *p, size_t n,
                                              struct gs_error *err);
/* The same in one step: nobody sees half of it, nor, but its owner, anything. */
GS_MUST_CHECK enum gs_status gs_os_replace_file(const char *path, const void *p, size_t n,
                                                struct gs_error *err);
/* mkdir -p. */
GS_MUST_CHECK enum gs_status gs_os_make_dirs(const char *path, struct gs_error *err);
bool gs_os_is_dir(const char *path);

/* Watches one file, by way of the folders that it and what it links to are in: so that it is seen
 * when another takes its place, or it comes into being. */
struct gs_os_watch {
    int fd; /* readable when something happened; -1: nothing is watched */
    char names[2][256];
};
/* errors: GS_ENOTFOUND (its folder), GS_EIO; then w->fd is -1. */
GS_MUST_CHECK enum gs_status gs_os_watch_open(struct gs_os_watch *w, const char *path,
                                              struct gs_error *err);
/* Take what happened; true if the file was written to its end, or is another. */
bool gs_os_watch_read(struct gs_os_watch *w);
void gs_os_watch_close(struct gs_os_watch *w);

/* ---- memory ---- */

size_t gs_os_page_bytes(void);
/* Address space that gets memory when touched (zeroed); NULL when refused. */
void *gs_os_reserve(size_t n);
void gs_os_release(void *p, size_t n);
/* Give touched pages back to the system; they read as zero again. */
void gs_os_discard(void *p, size_t n);
/* By machine, cgroup and the process's limit of address space; -1 unknown. */
int64_t gs_os_memory_available_bytes(void);
/* The same when `mapped` bytes of files that are mapped by now are in memory too: they take memory
 * yet, but no more address space. */
int64_t gs_os_memory_available_beside(size_t mapped);
int64_t gs_os_memory_total_bytes(void);
/* Let this thread, and threads it starts, take memory from all NUMA nodes in turn, also for the
 * file pages they are the first to read; and from the nearest again. errors: GS_EUNSUPPORTED. */
GS_MUST_CHECK enum gs_status gs_os_memory_spread(struct gs_error *err);
void gs_os_memory_gather(void);

/* Resident memory of this process, in bytes; -1 unknown. */
struct gs_os_usage {
    int64_t rss_bytes;
    int64_t peak_bytes; /* the most it was */
    int64_t anon_bytes; /* of rss_bytes: what is no mapped file */
};
void gs_os_usage(struct gs_os_usage *out);

/* Allow as many open files as the system lets this process have, at most n. */
void gs_os_allow_files(unsigned n);

/* ---- processors ---- */

/* Cores worth a compute thread each, >= 1: of those this process may use (affinity, cgroup quota),
 * with hardware threads of one core counted once, and without slow cores where there are fast. */
int gs_os_core_count(void);
/* Processors this thread may run on; INT_MAX if that cannot be told. */
int gs_os_cpu_count(void);
/* Extensions that programs must ask the system about: those of AArch64, and the registers of x86's
 * AMX, which all threads of a process may use once it has asked. False on other processors. */
enum gs_os_cpu_feature { GS_OS_CPU_DOTPROD, GS_OS_CPU_I8MM, GS_OS_CPU_TILES };
bool gs_os_cpu_has(enum gs_os_cpu_feature feature);

/* ---- power ---- */

struct gs_os_power {
    bool on_battery;     /* it gives power, and nothing else does */
    bool is_cooled;      /* the processor is held back by a cooling device of the kernel's */
    int64_t n_throttled; /* times that it was held back by itself for heat, of all cores; only
                          * grows */
};
/* By what the kernel tells in `sysfs` ("/sys"); what it does not tell is not so. May take some
 * milliseconds. */
void gs_os_power_read(const char *sysfs, struct gs_os_power *out);

/* ---- the network ---- */

/* Give up, for this process and what it starts, for good and on all threads, to open connections or
 * to send to addresses, even on this machine: the kernel refuses it (EPERM). Listening goes on, and
 * answering who connects. Is tried out before it returns GS_OK. errors: GS_EUNSUPPORTED (kernel or
 * processor), GS_EINTERNAL (it had no effect). */
GS_MUST_CHECK enum gs_status gs_os_forbid_network(struct gs_error *err);

/* ---- waiting and waking ---- */

/* An eventfd: gs_os_event_signal() makes the descriptor readable until gs_os_event_drain(). */
GS_MUST_CHECK enum gs_status gs_os_event_create(int *out_fd, struct gs_error *err);
void gs_os_event_signal(int fd);
void gs_os_event_drain(int fd);

/* Sleep while *addr == expected; may wake without cause. */
void gs_os_futex_wait(const uint32_t *addr, uint32_t expected);
void gs_os_futex_wake(const uint32_t *addr, int n);

uint64_t gs_os_random_u64(void);
void gs_os_random_bytes(void *p, size_t n);
void gs_os_thread_name(const char *name); /* of the calling thread, 15 bytes at most */
/* Let threads that wake have the calling thread's processor at once, not when its time is over, and
 * let it take nobody's when it wakes. Its share of time stays the same. False: this system cannot;
 * or it was done before. */
bool gs_os_thread_defer(void);

#endif
