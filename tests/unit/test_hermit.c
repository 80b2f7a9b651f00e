/* A process that gave up the network, asked in every way we know to reach out; it still answers who
 * connects. Each try is made in a child, since there is no way back. */
#define _GNU_SOURCE
#include "cmocka_headers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/error.h"
#include "base/os.h"

#define IN_CHILD_UNSUPPORTED 77

static struct sockaddr_in address(const char *ip, int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

    inet_pton(AF_INET, ip, &a.sin_addr);
    return a;
}

static bool refused(long result)
{
    return result < 0 && errno == EPERM;
}

/* ---- ways out: true if refused ---- */

static bool by_connect(const char *ip)
{
    const struct sockaddr_in a = address(ip, 443);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    return fd >= 0 && refused(connect(fd, (const struct sockaddr *)&a, sizeof(a)));
}

static bool by_connect_v6(void)
{
    const struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    const int fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return errno == EAFNOSUPPORT;
    return refused(connect(fd, (const struct sockaddr *)&a, sizeof(a)));
}

static bool by_unix(void)
{
    const struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "/run/dbus/system_bus_socket"};
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    return fd >= 0 && refused(connect(fd, (const struct sockaddr *)&a, sizeof(a)));
}

static bool by_datagram(void)
{
    const struct sockaddr_in a = address("192.0.2.1", 53);
    const int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct iovec bytes = {.iov_base = "x", .iov_len = 1};
    struct msghdr one = {.msg_name = (void *)(uintptr_t)&a,
                         .msg_namelen = sizeof(a),
                         .msg_iov = &bytes,
                         .msg_iovlen = 1};
    struct mmsghdr many = {.msg_hdr = one};

    return fd >= 0 && refused(sendto(fd, "x", 1, 0, (const struct sockaddr *)&a, sizeof(a))) &&
           refused(sendmsg(fd, &one, 0)) && refused(sendmmsg(fd, &many, 1, 0));
}

static bool by_fast_open(void)
{
    const struct sockaddr_in a = address("192.0.2.1", 443);
    const int fd = socket(AF_INET, SOCK_STREAM, 0);

    return fd >= 0 &&
           refused(sendto(fd, "x", 1, MSG_FASTOPEN, (const struct sockaddr *)&a, sizeof(a)));
}

static bool by_other_sockets(void)
{
    return refused(socket(AF_PACKET, SOCK_RAW, 0)) && refused(socket(AF_NETLINK, SOCK_RAW, 0)) &&
           refused(socket(AF_VSOCK, SOCK_STREAM, 0));
}

static bool by_other_calls(void)
{
    return refused(syscall(SYS_io_uring_setup, 1, NULL)) &&
           refused(syscall(SYS_pidfd_getfd, 0, 0, 0)) &&
           refused(syscall(SYS_process_vm_writev, 1, NULL, 0, NULL, 0, 0)) &&
           refused(syscall(SYS_ptrace, 0, 0, 0, 0));
}

static void *connect_in_thread(void *out)
{
    *(bool *)out = by_connect("127.0.0.1");
    return NULL;
}

static bool by_thread(void)
{
    pthread_t t;
    bool is_refused = false;

    return pthread_create(&t, NULL, connect_in_thread, &is_refused) == 0 &&
           pthread_join(t, NULL) == 0 && is_refused;
}

/* What a hermit starts is one. */
static bool by_child(void)
{
    int status = 0;
    const pid_t pid = fork();

    if (pid == 0)
        _exit(by_connect("127.0.0.1") ? 0 : 1);
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

/* 0, or the number of the way that was open. */
static int try_all(void)
{
    const bool results[] = {by_connect("127.0.0.1"),
                            by_connect("192.0.2.1"),
                            by_connect_v6(),
                            by_unix(),
                            by_datagram(),
                            by_fast_open(),
                            by_other_sockets(),
                            by_other_calls(),
                            by_thread(),
                            by_child()};

    for (size_t i = 0; i < GS_COUNT_OF(results); i++)
        if (!results[i])
            return (int)i + 1;
    return 0;
}

/* ---- tests ---- */

static int in_child(int (*body)(int fd), int fd)
{
    int status = 0;
    const pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        struct gs_error err;
        const enum gs_status st = gs_os_forbid_network(&err);
        _exit(st == GS_EUNSUPPORTED ? IN_CHILD_UNSUPPORTED : st != GS_OK ? 78 : body(fd));
    }
    if (fd >= 0) { /* the client of what the child serves */
        struct sockaddr_in a;
        socklen_t len = sizeof(a);
        char text[8] = "";
        const int client = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
        assert_int_equal(connect(client, (const struct sockaddr *)&a, len), 0);
        assert_int_equal(send(client, "hello", 5, 0), 5);
        assert_int_equal(recv(client, text, 5, MSG_WAITALL), 5);
        assert_string_equal(text, "hello");
        close(client);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == IN_CHILD_UNSUPPORTED) {
        print_message("skipped: this kernel has no filters of system calls\n");
        skip();
    }
    return WEXITSTATUS(status);
}

static int reach_out(int fd)
{
    (void)fd;
    return try_all();
}

static void no_way_leads_out(void **state)
{
    (void)state;
    assert_int_equal(in_child(reach_out, -1), 0);
}

static int echo_once(int fd)
{
    char text[5];
    const int client = accept(fd, NULL, NULL);

    if (client < 0 || recv(client, text, sizeof(text), MSG_WAITALL) != sizeof(text))
        return 1;
    return send(client, text, sizeof(text), MSG_NOSIGNAL) == sizeof(text) ? 0 : 2;
}

static int do_nothing(int fd)
{
    (void)fd;
    return 0;
}

static void who_connects_is_answered(void **state)
{
    const struct sockaddr_in a = address("127.0.0.1", 0);
    const int fd = socket(AF_INET, SOCK_STREAM, 0);

    (void)state;
    assert_int_equal(in_child(do_nothing, -1), 0); /* or the test is skipped */
    assert_int_equal(bind(fd, (const struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(in_child(echo_once, fd), 0);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_way_leads_out),
        cmocka_unit_test(who_connects_is_answered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
