/* base/os.h for Linux: giving up the network, by a filter of system calls that the kernel applies
 * and nobody can take off (https://docs.kernel.org/userspace-api/seccomp_filter.html).
 *
 * A filter sees the numbers a call is given, not what they point to, so it cannot tell addresses
 * apart: whatever names a destination is refused. Sockets that clients opened to us can be read and
 * written, which names none. Refused as well is what would go around the filter: io_uring, whose
 * calls it does not see, another processor's call numbers, sockets that send without connecting,
 * and reaching into other processes. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/error.h"
#include "base/os.h"

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#define ARCH 0
#endif

#define FOREIGN_CALL_BIT 0x40000000 /* of x86-64's second set of calls (x32) */

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
/* If the value is k go on behind `yes` more lines, else behind `no`. */
#define IF_EQUAL(k, yes, no)    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (k), (yes), (no))
#define IF_AT_LEAST(k, yes, no) BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (k), (yes), (no))
#define RETURN(what)            BPF_STMT(BPF_RET | BPF_K, (what))
#define REFUSE                  RETURN(SECCOMP_RET_ERRNO | EPERM)
#define REFUSE_CALL(nr)         IF_EQUAL((nr), 0, 1), REFUSE

/* The lower half of a 64-bit argument, and the upper: both processors are little-endian. */
#define LOAD_LOW(i)                                                                                \
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args) + 8 * (i))
#define LOAD_HIGH(i)                                                                               \
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args) + 8 * (i) + 4)

static const struct sock_filter filter[] = {
    LOAD(arch),
    IF_EQUAL(ARCH, 1, 0),
    RETURN(SECCOMP_RET_KILL_PROCESS),
    LOAD(nr),
    IF_AT_LEAST(FOREIGN_CALL_BIT, 0, 1),
    REFUSE,
    REFUSE_CALL(SYS_connect),
    REFUSE_CALL(SYS_sendmsg),
    REFUSE_CALL(SYS_sendmmsg),
    REFUSE_CALL(SYS_io_uring_setup),
    REFUSE_CALL(SYS_io_uring_enter),
    REFUSE_CALL(SYS_io_uring_register),
    REFUSE_CALL(SYS_ptrace),
    REFUSE_CALL(SYS_process_vm_writev),
    REFUSE_CALL(SYS_pidfd_getfd),
    /* send to nobody in particular, on a socket that is connected */
    IF_EQUAL(SYS_sendto, 0, 6),
    LOAD_LOW(4),
    IF_EQUAL(0, 0, 3),
    LOAD_HIGH(4),
    IF_EQUAL(0, 0, 1),
    RETURN(SECCOMP_RET_ALLOW),
    REFUSE,
    /* sockets to listen on */
    IF_EQUAL(SYS_socket, 0, 4),
    LOAD_LOW(0),
    IF_EQUAL(AF_UNIX, 2, 0),
    IF_EQUAL(AF_INET, 1, 0),
    IF_EQUAL(AF_INET6, 0, 1),
    RETURN(SECCOMP_RET_ALLOW),
    REFUSE,
};

/* True if the kernel refuses what it was told to. */
static bool is_refused(void)
{
    const struct sockaddr_in nobody = {
        .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return false;
    errno = 0;
    const bool refused =
        connect(fd, (const struct sockaddr *)&nobody, sizeof(nobody)) != 0 && errno == EPERM;
    close(fd);
    return refused;
}

enum gs_status gs_os_forbid_network(struct gs_error *err)
{
    const struct sock_fprog program = {.len = GS_COUNT_OF(filter),
                                       .filter = (struct sock_filter *)(uintptr_t)filter};

    if (ARCH == 0)
        return gs_error_set(err, GS_EUNSUPPORTED,
                            "giving up the network is not supported on this processor");
    /* On all threads, or on none: a number above 0 is that of a thread that could not. */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) != 0) {
        gs_error_errno(err, GS_EUNSUPPORTED, errno, "could not give up the network");
        gs_error_hint(err, "The kernel must have been built with CONFIG_SECCOMP_FILTER.");
        return GS_EUNSUPPORTED;
    }
    if (!is_refused())
        return gs_error_set(err, GS_EINTERNAL, "the network was given up and can still be reached");
    return GS_OK;
}
