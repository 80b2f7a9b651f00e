/* Routes for a server in a test, out of a text as it stands in the configuration file. */
#ifndef GS_TESTS_ROUTES_TEST_H
#define GS_TESTS_ROUTES_TEST_H

#include <pthread.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/os.h"
#include "config/routes.h"
#include "server/server.h"

struct test_routes {
    int fd;
    pthread_mutex_t lock;
    bool is_there;
    bool is_hermit; /* of those offered */
    struct gs_config_routes routes;
    struct gs_arena arena;
};

static inline const char *test_routes_env(void *ud, const char *name)
{
    (void)ud;
    (void)name;
    return NULL;
}

static inline bool test_routes_take(void *ud, struct gs_arena *out_arena,
                                    struct gs_config_routes *out_routes)
{
    struct test_routes *r = ud;

    gs_os_event_drain(r->fd);
    pthread_mutex_lock(&r->lock);
    const bool is_there = r->is_there;
    if (is_there) {
        *out_arena = r->arena;
        *out_routes = r->routes;
        r->is_there = false;
    }
    pthread_mutex_unlock(&r->lock);
    return is_there;
}

/* Offer these routes to the server; what is wrong with them goes to `report`. */
static inline enum gs_status test_routes_offer(struct test_routes *r, struct gs_slice text,
                                               struct gs_buf *report)
{
    const struct gs_config_routes_source source = {
        .name = "routes", .text = text, .is_hermit = r->is_hermit, .env = test_routes_env};
    struct gs_config_routes routes;
    struct gs_arena arena;

    gs_arena_init(&arena, 0);
    enum gs_status st = gs_config_read_routes(&source, &arena, &routes, report);
    if (st == GS_OK)
        st = gs_config_load_keys(&routes, test_routes_env, NULL, &arena, report);
    if (st != GS_OK) {
        gs_arena_clear(&arena);
        return st;
    }
    pthread_mutex_lock(&r->lock);
    if (r->is_there)
        gs_arena_clear(&r->arena);
    r->arena = arena;
    r->routes = routes;
    r->is_there = true;
    pthread_mutex_unlock(&r->lock);
    gs_os_event_signal(r->fd);
    return GS_OK;
}

static inline enum gs_status test_routes_init(struct test_routes *r, struct gs_server_options *opt,
                                              struct gs_error *err)
{
    *r = (struct test_routes){.is_there = false};
    pthread_mutex_init(&r->lock, NULL);
    opt->take_routes = test_routes_take;
    opt->routes_ud = r;
    const enum gs_status st = gs_os_event_create(&r->fd, err);
    opt->routes_fd = r->fd;
    return st;
}

/* Once the server is gone. */
static inline void test_routes_clear(struct test_routes *r)
{
    if (r->is_there)
        gs_arena_clear(&r->arena);
    close(r->fd);
    pthread_mutex_destroy(&r->lock);
}

#endif
