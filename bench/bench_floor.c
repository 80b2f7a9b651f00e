/* One thread and epoll, as genset's loop; a connection to the provider for each of a client's.
 * Writing waits for who reads: this one is for clients that do. */
#include "bench_floor.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/compiler.h"
#include "bench_mock.h"

#define MAX_FDS    16384
#define MAX_EVENTS 256

struct floor {
    int epoll, listener, to_port;
    int other[MAX_FDS]; /* end of each connection; 0: it is none */
    char bytes[65536];
};

static bool add(const struct floor *f, int fd)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};
    const int yes = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)); /* or it is no connection */
    return epoll_ctl(f->epoll, EPOLL_CTL_ADD, fd, &ev) == 0;
}

static void join(struct floor *f)
{
    const struct sockaddr_in to = {.sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)f->to_port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int client = accept4(f->listener, NULL, NULL, SOCK_CLOEXEC);
    const int provider = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (client >= 0 && provider >= 0 && GS_MAX(client, provider) < MAX_FDS &&
        connect(provider, (const struct sockaddr *)&to, sizeof(to)) == 0 && add(f, client) &&
        add(f, provider)) {
        f->other[client] = provider;
        f->other[provider] = client;
        return;
    }
    close(client);
    close(provider);
}

static void pass_on(struct floor *f, int fd)
{
    const int to = f->other[fd];
    const ssize_t n = to ? recv(fd, f->bytes, sizeof(f->bytes), MSG_DONTWAIT) : 0;

    if (!to || (n > 0 && send(to, f->bytes, (size_t)n, MSG_NOSIGNAL) == n))
        return;
    f->other[fd] = f->other[to] = 0;
    close(fd);
    close(to);
}

int gs_bench_floor(int to_port)
{
    static struct floor f;
    struct epoll_event evs[MAX_EVENTS];
    int port;

    f = (struct floor){.epoll = epoll_create1(EPOLL_CLOEXEC), .to_port = to_port};
    f.listener = gs_bench_listen(&port);
    if (f.epoll < 0 || f.listener < 0 || !add(&f, STDIN_FILENO) || !add(&f, f.listener)) {
        perror("genset-bench-gateway: floor");
        return 1;
    }
    printf("%d\n", port);
    fflush(stdout);
    for (;;) {
        const int n = epoll_wait(f.epoll, evs, MAX_EVENTS, -1);
        for (int i = 0; i < n; i++) {
            if (evs[i].data.fd == STDIN_FILENO)
                return 0;
            if (evs[i].data.fd == f.listener)
                join(&f);
            else
                pass_on(&f, evs[i].data.fd);
        }
    }
}
