/* base/os.h for Linux: which pages a file or memory has, and where they are. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/os.h"
#include "base/os_linux_machine.h"

#define SAMPLES        256
#define HUGE_BYTES     (2 * GS_MIB) /* where huge pages are larger, alignment to these does no harm */
#define READ_BYTES     (16 * GS_MIB)
#define HUGE_ENABLED   "/sys/kernel/mm/transparent_hugepage/enabled"
#define LONG_BITS      (8 * sizeof(unsigned long))
#define MAX_NODE_LONGS 16

/* ---- mapped files ---- */

void gs_os_map_touch(const struct gs_os_map *m, size_t off, size_t n)
{
    const size_t page = gs_os_page_bytes();
    const size_t end = off < m->len ? off + GS_MIN(n, m->len - off) : 0;

    for (size_t i = off; i < end; i += page)
        (void)*(const volatile uint8_t *)(m->ptr + i);
}

double gs_os_map_resident(const struct gs_os_map *m)
{
    const size_t page = gs_os_page_bytes();
    const size_t pages = m->len / page;
    size_t n_in = 0;

    if (pages == 0)
        return 1;
    for (size_t i = 0; i < SAMPLES; i++) {
        unsigned char is_in = 1;
        void *at = (void *)(uintptr_t)(m->ptr + (pages * i / SAMPLES) * page);
        n_in += mincore(at, page, &is_in) != 0 || (is_in & 1);
    }
    return (double)n_in / SAMPLES;
}

enum gs_status gs_os_map_lock(const struct gs_os_map *m, struct gs_error *err)
{
    /* Not mlock(), which sanitizers turn into nothing. */
    if (!m->ptr || syscall(SYS_mlock, m->ptr, m->len) == 0)
        return GS_OK;
    gs_error_errno(err, GS_ENOMEM, errno, "could not lock %zu MiB in memory", m->len / GS_MIB);
    gs_error_hint(err, "Raise the limit of locked memory (ulimit -l, LimitMEMLOCK), or leave out "
                       "--mlock.");
    return GS_ENOMEM;
}

/* ---- huge pages ---- */

static enum gs_status check_huge(struct gs_error *err)
{
    char text[64] = "";
    FILE *fp = fopen(HUGE_ENABLED, "re");
    const bool is_there = fp && fgets(text, sizeof(text), fp);

    if (fp)
        fclose(fp);
    if (is_there && !strstr(text, "[never]"))
        return GS_OK;
    gs_error_set(err, GS_EUNSUPPORTED, "the system has huge pages switched off");
    gs_error_hint(err, "Write \"madvise\" to " HUGE_ENABLED ", or leave out --huge-pages.");
    return GS_EUNSUPPORTED;
}

/* Memory of n bytes that begins where a huge page can; NULL if it is refused. */
static uint8_t *reserve_aligned(size_t n)
{
    const size_t page = gs_os_page_bytes();
    const size_t room = (n + page - 1) / page * page;
    uint8_t *p = gs_os_reserve(room + HUGE_BYTES);

    if (!p)
        return NULL;
    const size_t head = (HUGE_BYTES - (uintptr_t)p % HUGE_BYTES) % HUGE_BYTES;
    if (head > 0)
        munmap(p, head);
    munmap(p + head + room, HUGE_BYTES - head);
    return p + head;
}

static enum gs_status fill(uint8_t *p, size_t n, int fd, const char *path, struct gs_error *err)
{
    size_t at = 0;

    while (at < n) {
        const ssize_t got = pread(fd, p + at, GS_MIN(n - at, (size_t)READ_BYTES), (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return gs_error_errno(err, GS_EIO, errno, "could not read file \"%s\"", path);
        if (got == 0)
            return gs_error_set(err, GS_EIO, "file \"%s\" became shorter", path);
        at += (size_t)got;
    }
    return GS_OK;
}

static enum gs_status read_huge(size_t n, int fd, const char *path, struct gs_os_map *out,
                                struct gs_error *err)
{
    const int64_t available = gs_os_memory_available_bytes();

    if (available >= 0 && n > (uint64_t)available) {
        gs_error_set(err, GS_ENOMEM,
                     "huge pages for file \"%s\" need %zu MiB, %lld MiB are available", path,
                     n / GS_MIB, (long long)available / (long long)GS_MIB);
        gs_error_amounts(err, (long long)n, (long long)available);
        return GS_ENOMEM;
    }
    uint8_t *p = reserve_aligned(n);
    if (!p)
        return gs_error_nomem(err, "hold a file in huge pages");
    enum gs_status st = GS_OK;
    if (madvise(p, n, MADV_HUGEPAGE) != 0)
        st = gs_error_errno(err, GS_EUNSUPPORTED, errno, "the system refuses huge pages");
    if (st == GS_OK)
        st = fill(p, n, fd, path, err);
    if (st != GS_OK) {
        munmap(p, n);
        return st;
    }
    mprotect(p, n, PROT_READ);
    *out = (struct gs_os_map){p, n};
    return GS_OK;
}

enum gs_status gs_os_map_copy_huge(const char *path, struct gs_os_map *out_map,
                                   struct gs_error *err)
{
    struct stat sb;
    enum gs_status st = check_huge(err);

    if (st != GS_OK)
        return st;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return gs_error_errno(err, errno == ENOENT ? GS_ENOTFOUND : GS_EIO, errno,
                              "could not open file \"%s\"", path);
    if (fstat(fd, &sb) != 0 || !S_ISREG(sb.st_mode))
        st = gs_error_set(err, GS_EIO, "\"%s\" is not a regular file", path);
    else if (sb.st_size == 0)
        *out_map = (struct gs_os_map){NULL, 0};
    else
        st = read_huge((size_t)sb.st_size, fd, path, out_map, err);
    close(fd);
    return st;
}

/* ---- nodes ---- */

enum gs_status gs_os_memory_spread(struct gs_error *err)
{
    unsigned long mask[MAX_NODE_LONGS] = {0};
    bool nodes[MAX_NODE_LONGS * LONG_BITS] = {0};
    const size_t n = gs_os_machine_nodes("", nodes, GS_COUNT_OF(nodes));

    if (n < 2)
        return gs_error_set(err, GS_EUNSUPPORTED,
                            "memory cannot be spread over NUMA nodes: this machine has one");
    for (size_t i = 0; i < GS_COUNT_OF(nodes); i++)
        mask[i / LONG_BITS] |= (unsigned long)nodes[i] << i % LONG_BITS;
    if (syscall(SYS_set_mempolicy, MPOL_INTERLEAVE, mask, GS_COUNT_OF(nodes) + 1) == 0)
        return GS_OK;
    return gs_error_errno(err, GS_EUNSUPPORTED, errno,
                          "the system refuses to spread memory over NUMA nodes");
}

void gs_os_memory_gather(void)
{
    syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0);
}
