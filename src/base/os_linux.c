/* base/os.h for Linux. */
#define _GNU_SOURCE
#include "base/os.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"

#if GS_ARCH_ARM
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif
#include "base/os_linux_machine.h"

/* ---- files ---- */

static enum gs_status open_error(struct gs_error *err, int errnum, const char *path)
{
    return gs_error_errno(err, errnum == ENOENT ? GS_ENOTFOUND : GS_EIO, errnum,
                          "could not open file \"%s\"", path);
}

static enum gs_status map_error(struct gs_error *err, int errnum, const char *path, off_t n)
{
    if (errnum != ENOMEM)
        return gs_error_errno(err, GS_EIO, errnum, "could not map file \"%s\"", path);
    const long long available = gs_os_memory_available_bytes();
    gs_error_set(err, GS_ENOMEM,
                 "not enough memory to map file \"%s\": it has %lld bytes, %lld are available",
                 path, (long long)n, available);
    gs_error_amounts(err, (long long)n, available);
    return GS_ENOMEM;
}

enum gs_status gs_os_map_file(const char *path, struct gs_os_map *out_map, struct gs_error *err)
{
    struct stat sb;
    enum gs_status st = GS_OK;
    void *p = NULL;

    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return open_error(err, errno, path);
    if (fstat(fd, &sb) != 0) {
        st = gs_error_errno(err, GS_EIO, errno, "could not read the size of file \"%s\"", path);
        goto out;
    }
    if (!S_ISREG(sb.st_mode)) {
        st = gs_error_set(err, GS_EIO, "\"%s\" is not a regular file", path);
        goto out;
    }
    if (sb.st_size > 0) {
        p = mmap(NULL, (size_t)sb.st_size, PROT_READ, MAP_SHARED, fd, 0);
        if (p == MAP_FAILED) {
            st = map_error(err, errno, path, sb.st_size);
            goto out;
        }
    }
    *out_map = (struct gs_os_map){p, (size_t)sb.st_size};
out:
    close(fd);
    return st;
}

void gs_os_unmap(struct gs_os_map *m)
{
    if (m && m->ptr)
        munmap((void *)(uintptr_t)m->ptr, m->len);
    if (m)
        *m = (struct gs_os_map){NULL, 0};
}

enum gs_status gs_os_read_file(const char *path, struct gs_buf *b, struct gs_error *err)
{
    const bool is_stdin = strcmp(path, "-") == 0;
    const int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    enum gs_status st = GS_OK;

    if (fd < 0)
        return open_error(err, errno, path);
    for (;;) {
        char chunk[1 << 16];
        const ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            st = gs_error_errno(err, GS_EIO, errno, "could not read file \"%s\"", path);
        if (n <= 0)
            break;
        gs_buf_put(b, chunk, (size_t)n);
        if (!gs_buf_ok(b)) {
            st = (size_t)n > b->max - b->len
                     ? gs_error_set(err, GS_ELIMIT, "file \"%s\" is larger than %zu bytes", path,
                                    b->max)
                     : gs_error_nomem(err, "read a file");
            break;
        }
    }
    if (!is_stdin)
        close(fd);
    return st;
}

enum gs_status gs_os_read_command(const char *command, struct gs_buf *b, struct gs_error *err)
{
    char chunk[4096];
    size_t n;

    FILE *pipe = popen(command, "re");
    if (!pipe)
        return gs_error_errno(err, GS_EIO, errno, "could not start a command");
    for (;;) {
        n = fread(chunk, 1, sizeof(chunk), pipe);
        if (n == 0)
            break;
        gs_buf_put(b, chunk, n);
    }
    const int status = pclose(pipe);
    if (!gs_buf_ok(b))
        return gs_error_set(err, GS_ELIMIT, "the command prints too much");
    if (status != 0)
        return gs_error_set(err, GS_EIO, "the command failed with status %d",
                            WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    return GS_OK;
}

static enum gs_status write_file(const char *path, const void *p, size_t n, mode_t mode,
                                 struct gs_error *err)
{
    const bool is_stdout = strcmp(path, "-") == 0;
    const int fd =
        is_stdout ? STDOUT_FILENO : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    const char *at = p;
    int errnum = 0;

    if (fd < 0)
        return gs_error_errno(err, GS_EIO, errno, "could not create file \"%s\"", path);
    while (n > 0 && errnum == 0) {
        const ssize_t done = write(fd, at, n);
        if (done >= 0) {
            at += done;
            n -= (size_t)done;
        } else if (errno != EINTR) {
            errnum = errno;
        }
    }
    if (!is_stdout && close(fd) != 0 && errnum == 0)
        errnum = errno;
    if (errnum && is_stdout)
        return gs_error_errno(err, GS_EIO, errnum, "could not write to standard output");
    if (errnum)
        return gs_error_errno(err, GS_EIO, errnum, "could not write file \"%s\"", path);
    return GS_OK;
}

enum gs_status gs_os_write_file(const char *path, const void *p, size_t n, struct gs_error *err)
{
    return write_file(path, p, n, 0666, err);
}

enum gs_status gs_os_replace_file(const char *path, const void *p, size_t n, struct gs_error *err)
{
    char beside[PATH_MAX];

    if ((size_t)snprintf(beside, sizeof(beside), "%s.%ld", path, (long)getpid()) >= sizeof(beside))
        return gs_error_set(err, GS_EINVAL, "path of a file is too long");
    enum gs_status st = write_file(beside, p, n, 0600, err);
    if (st == GS_OK && rename(beside, path) != 0)
        st = gs_error_errno(err, GS_EIO, errno, "could not rename file \"%s\"", beside);
    if (st != GS_OK)
        unlink(beside);
    return st;
}

enum gs_status gs_os_make_dirs(const char *path, struct gs_error *err)
{
    char part[PATH_MAX];
    const size_t len = strlen(path);

    if (len == 0 || len >= sizeof(part))
        return gs_error_set(err, GS_EINVAL, "folder name is empty or too long");
    memcpy(part, path, len + 1);
    for (size_t i = 1; i <= len; i++) {
        if (part[i] != '/' && part[i] != '\0')
            continue;
        const char keep = part[i];
        part[i] = '\0';
        const int errnum = mkdir(part, 0777) == 0 ? 0 : errno;
        if (errnum && !gs_os_is_dir(part))
            return gs_error_errno(err, GS_EIO, errnum, "could not create folder \"%s\"", part);
        part[i] = keep;
    }
    return GS_OK;
}

bool gs_os_is_dir(const char *path)
{
    struct stat sb;

    return stat(path, &sb) == 0 && S_ISDIR(sb.st_mode);
}

/* ---- memory ---- */

size_t gs_os_page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

void *gs_os_reserve(size_t n)
{
    void *p =
        mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

void gs_os_release(void *p, size_t n)
{
    if (p)
        munmap(p, n);
}

void gs_os_discard(void *p, size_t n)
{
    madvise(p, n, MADV_DONTNEED);
}

int64_t gs_os_memory_total_bytes(void)
{
    return gs_os_machine_memory_total("");
}

static int64_t status_bytes(const char *key)
{
    const int64_t kib = gs_os_machine_number("", "/proc/self/status", key);

    return kib < 0 ? -1 : kib * 1024;
}

/* What "ulimit -v" leaves; -1: it limits nothing. */
static int64_t address_space_left(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur >= INT64_MAX)
        return -1;
    return GS_MAX((int64_t)limit.rlim_cur - GS_MAX(status_bytes("VmSize:"), (int64_t)0), 0);
}

int64_t gs_os_memory_available_beside(size_t mapped)
{
    const int64_t all = gs_os_machine_memory_available("");
    const int64_t machine = all > 0 ? all - (int64_t)GS_MIN(mapped, (size_t)all) : all;
    const int64_t process = address_space_left();

    return machine < 0 || (process >= 0 && process < machine) ? process : machine;
}

int64_t gs_os_memory_available_bytes(void)
{
    return gs_os_memory_available_beside(0);
}

void gs_os_usage(struct gs_os_usage *out)
{
    out->rss_bytes = status_bytes("VmRSS:");
    out->peak_bytes = status_bytes("VmHWM:");
    out->anon_bytes = status_bytes("RssAnon:");
}

/* ---- processors ---- */

/* The processors that affinity allows this thread; false if there are too many to say. */
static bool allowed_cpus(bool allowed[GS_OS_MAX_CPUS])
{
    cpu_set_t set;

    _Static_assert(GS_OS_MAX_CPUS == CPU_SETSIZE, "one size of sets");
    if (sched_getaffinity(0, sizeof(set), &set) != 0)
        return false;
    for (size_t i = 0; i < GS_OS_MAX_CPUS; i++)
        allowed[i] = CPU_ISSET(i, &set);
    return true;
}

int gs_os_core_count(void)
{
    bool allowed[GS_OS_MAX_CPUS];

    return allowed_cpus(allowed) ? gs_os_machine_cores("", allowed, GS_OS_MAX_CPUS) : 1;
}

int gs_os_cpu_count(void)
{
    bool allowed[GS_OS_MAX_CPUS];
    int n = 0;

    if (!allowed_cpus(allowed))
        return INT_MAX;
    for (size_t i = 0; i < GS_OS_MAX_CPUS; i++)
        n += allowed[i];
    return n;
}

/* https://docs.kernel.org/arch/x86/xstate.html */
#define ASK_FOR_STATE  0x1023 /* ARCH_REQ_XCOMP_PERM */
#define STATE_OF_TILES 18     /* XFEATURE_XTILEDATA */

bool gs_os_cpu_has(enum gs_os_cpu_feature feature)
{
    switch (feature) {
#if GS_ARCH_ARM
    case GS_OS_CPU_DOTPROD:
        return getauxval(AT_HWCAP) & HWCAP_ASIMDDP;
    case GS_OS_CPU_I8MM:
        return getauxval(AT_HWCAP2) & HWCAP2_I8MM;
    case GS_OS_CPU_TILES:
        return false;
#elif GS_ARCH_X86
    case GS_OS_CPU_TILES:
        return syscall(SYS_arch_prctl, ASK_FOR_STATE, STATE_OF_TILES) == 0;
    case GS_OS_CPU_DOTPROD:
    case GS_OS_CPU_I8MM:
        return false;
#endif
    }
    return false;
}

/* ---- waiting and waking ---- */

enum gs_status gs_os_event_create(int *out_fd, struct gs_error *err)
{
    const int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

    if (fd < 0)
        return gs_error_errno(err, GS_EIO, errno, "could not create an event descriptor");
    *out_fd = fd;
    return GS_OK;
}

void gs_os_event_signal(int fd)
{
    const uint64_t one = 1;

    while (write(fd, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
}

void gs_os_event_drain(int fd)
{
    uint64_t count;

    while (read(fd, &count, sizeof(count)) < 0 && errno == EINTR)
        ;
}

void gs_os_allow_files(unsigned n)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= n)
        return;
    limit.rlim_cur = GS_MIN(limit.rlim_max, (rlim_t)n);
    setrlimit(RLIMIT_NOFILE, &limit);
}

void gs_os_futex_wait(const uint32_t *addr, uint32_t expected)
{
    syscall(SYS_futex, addr, FUTEX_WAIT_PRIVATE, expected, NULL, NULL, 0);
}

void gs_os_futex_wake(const uint32_t *addr, int n)
{
    syscall(SYS_futex, addr, FUTEX_WAKE_PRIVATE, n, NULL, NULL, 0);
}

void gs_os_random_bytes(void *p, size_t n)
{
    char *at = p;

    while (n > 0) {
        const ssize_t got = getrandom(at, n, 0);
        if (got > 0) {
            at += got;
            n -= (size_t)got;
        }
    }
}

uint64_t gs_os_random_u64(void)
{
    uint64_t v;

    gs_os_random_bytes(&v, sizeof(v));
    return v;
}

/* As sched_setattr(2) has it: C libraries before glibc 2.41 do not declare it. */
struct sched_attributes {
    uint32_t size;
    uint32_t policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns; /* of an ordinary thread: its slice, since Linux 6.12 */
    uint64_t deadline_ns;
    uint64_t period_ns;
};

#define DEFERRED_SLICE_NS 20000000u /* others have some 3 ms */

/* Who wakes with a shorter slice than the one that runs interrupts it; who is of SCHED_BATCH
 * interrupts nobody. */
bool gs_os_thread_defer(void)
{
    struct sched_attributes a = {0};

    if (syscall(SYS_sched_getattr, 0, &a, sizeof(a), 0) != 0 || a.policy != SCHED_OTHER)
        return false;
    a.policy = SCHED_BATCH;
    a.runtime_ns = DEFERRED_SLICE_NS;
    if (syscall(SYS_sched_setattr, 0, &a, 0) != 0 ||
        syscall(SYS_sched_getattr, 0, &a, sizeof(a), 0) != 0)
        return false;
    return a.runtime_ns == DEFERRED_SLICE_NS; /* older ones take it and do nothing */
}

void gs_os_thread_name(const char *name)
{
    char text[16];

    snprintf(text, sizeof(text), "%s", name);
    pthread_setname_np(pthread_self(), text);
}
