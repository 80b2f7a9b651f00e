/* A client for tests: blocking sockets to a port of this machine. Reads give up after a while, so
 * that a server that hangs fails the test instead. */
#ifndef GS_TESTS_NET_TEST_H
#define GS_TESTS_NET_TEST_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/slice.h"
#include "cmocka_headers.h"

#define NET_PATIENCE_S 20

/* A connection; rcvbuf_bytes > 0 makes the client's side of the pipe that small. */
static inline int net_connect_small(int port, int rcvbuf_bytes)
{
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    const struct timeval patience = {.tv_sec = NET_PATIENCE_S};
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (rcvbuf_bytes)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf_bytes, sizeof(rcvbuf_bytes));
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    return fd;
}

static inline int net_connect(int port)
{
    return net_connect_small(port, 0);
}

/* Send all; false once the other side has closed. */
static inline bool net_send_bytes(int fd, const void *p, size_t n)
{
    for (size_t at = 0; at < n;) {
        const ssize_t sent = send(fd, (const char *)p + at, n - at, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        at += (size_t)sent;
    }
    return true;
}

static inline bool net_send(int fd, const char *text)
{
    return net_send_bytes(fd, text, strlen(text));
}

enum net_end { NET_DATA, NET_EOF, NET_RESET };

/* Append one read to b. */
static inline enum net_end net_read(int fd, struct gs_buf *b)
{
    char chunk[65536];
    const ssize_t n = recv(fd, chunk, sizeof(chunk), 0);

    if (n > 0) {
        gs_buf_put(b, chunk, (size_t)n);
        return NET_DATA;
    }
    if (n == 0)
        return NET_EOF;
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        fail_msg("the server said nothing for %d s after: %.*s", NET_PATIENCE_S, (int)b->len,
                 b->ptr ? b->ptr : "");
    return NET_RESET;
}

/* Read until `mark` appears (after `from`); fails the test if the connection ends before. */
static inline size_t net_read_until(int fd, struct gs_buf *b, const char *mark, size_t from)
{
    for (;;) {
        const size_t at = gs_slice_find(gs_buf_view(b), gs_slice_str(mark), from);
        if (at != SIZE_MAX)
            return at;
        if (net_read(fd, b) != NET_DATA)
            fail_msg("no \"%s\" in: %.*s", mark, (int)b->len, b->ptr ? b->ptr : "");
    }
}

static inline enum net_end net_read_all(int fd, struct gs_buf *b)
{
    enum net_end end;

    do {
        end = net_read(fd, b);
    } while (end == NET_DATA);
    return end;
}

/* Whether b contains text. */
static inline bool net_has(const struct gs_buf *b, const char *text)
{
    return gs_slice_find(gs_buf_view(b), gs_slice_str(text), 0) != SIZE_MAX;
}

static inline int net_count(const struct gs_buf *b, const char *text)
{
    int n = 0;

    for (size_t at = gs_slice_find(gs_buf_view(b), gs_slice_str(text), 0); at != SIZE_MAX;
         at = gs_slice_find(gs_buf_view(b), gs_slice_str(text), at + 1))
        n++;
    return n;
}

#endif
