/* Calls that are let go at the end of what an answer says, before the end of its body: whether
 * their connection serves the next request, and when it is given up. */
#include "upstream_test.h"

#include "upstream/call.h"

#define BIG_BYTES ((size_t)1 << 20)

#define CHUNKED OK_HEAD "Transfer-Encoding: chunked\r\n\r\n"
#define MARK    "6\r\n[DONE]\r\n"

/* Looked at until no call drains any more. */
struct look {
    struct us *us;
    struct gs_http_timer *timer;
};

static void look(void *ud)
{
    struct look *l = ud;

    if (l->us->up->n_draining > 0)
        gs_http_timer_start(l->timer, 1);
    else
        gs_http_loop_break(l->us->loop);
}

static void run_until_drained(struct us *us)
{
    struct look l = {.us = us};

    assert_int_equal(gs_http_timer_create(us->loop, look, &l, &l.timer, NULL), GS_OK);
    gs_http_timer_start(l.timer, 0);
    assert_int_equal(gs_http_loop_run(us->loop, NULL), GS_OK);
    gs_http_timer_free(l.timer);
}

/* All that is wanted has come. */
static void let_end(struct talk *t)
{
    gs_upstream_call_let_end(t->call);
    t->call = NULL;
    gs_http_loop_break(t->us->loop);
}

static void talk_to_mark(struct us *us, struct talk *t, const struct other *o)
{
    const struct gs_upstream_request r = post(url_of(o, "/"), GS_SLICE_LIT("{}"));

    *t = (struct talk){.at_bytes = let_end};
    talk_begin(us, t, &r);
    assert_int_equal(gs_http_loop_run(us->loop, NULL), GS_OK);
    assert_null(t->call);
}

/* What ends the body comes when we have let go: it is told so by a byte in a pipe. */
static void serve_late(struct other *o)
{
    const int *let_go = o->ud;
    const int fd = other_accept(o);
    char byte;

    while (other_hear(o, fd)) {
        net_send(fd, CHUNKED MARK);
        assert_int_equal(read(*let_go, &byte, 1), 1);
        net_send(fd, "0\r\nX-Trailer: a\r\n\r\n");
    }
    close(fd);
}

static void the_next_request_finds_the_connection(void **state)
{
    struct us *us = *state;
    struct other o;
    int pipes[2];

    assert_int_equal(pipe(pipes), 0);
    other_start_with(&o, serve_late, NULL, &pipes[0]);
    for (int i = 0; i < 5; i++) {
        struct talk t;
        talk_to_mark(us, &t, &o);
        assert_int_equal(us->up->n_draining, 1);
        assert_int_equal(write(pipes[1], "x", 1), 1);
        run_until_drained(us);
        assert_int_equal(t.n_pieces, 1);
        assert_int_equal(t.n_ends, 0);
        talk_clear(&t);
    }
    close_us(state); /* the other side waits for it */
    other_join(&o);
    assert_int_equal(o.n_connections, 1);
    assert_int_equal(o.n_requests, 5);
    close(pipes[0]);
    close(pipes[1]);
    open_us(state);
}

/* Says what it has to say, and waits for the end of the connection. */
static void serve_on(struct other *o)
{
    const int fd = other_accept(o);
    struct gs_buf rest;

    assert_true(other_hear(o, fd));
    net_send(fd, CHUNKED MARK);
    for (size_t i = 0; o->answer && i < BIG_BYTES; i += strlen(o->answer))
        if (send(fd, o->answer, strlen(o->answer), MSG_NOSIGNAL) < 0)
            break;
    gs_buf_init(&rest, BIG_BYTES);
    assert_int_not_equal(net_read(fd, &rest), NET_DATA);
    gs_buf_clear(&rest);
    close(fd);
}

/* Silence ends with the time, and more than a little at once. */
static void nobody_waits_for_ever(void **state)
{
    static const char *const rests[] = {NULL, "40\r\n----------------------------------------"
                                              "------------------------\r\n"};
    struct us *us = *state;

    for (size_t i = 0; i < GS_COUNT_OF(rests); i++) {
        struct other o;
        struct talk t;
        other_start(&o, serve_on, rests[i]);
        talk_to_mark(us, &t, &o);
        run_until_drained(us);
        other_join(&o); /* the connection is closed already */
        talk_clear(&t);
    }
}

/* It belongs to nobody, so it goes with the whole. */
static void who_drains_ends_with_the_room(void **state)
{
    struct us *us = *state;
    struct other o;
    struct talk t;

    other_start(&o, serve_on, NULL);
    talk_to_mark(us, &t, &o);
    assert_int_equal(us->up->n_draining, 1);
    close_us(state);
    other_join(&o);
    talk_clear(&t);
    open_us(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_us, close_us)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_next_request_finds_the_connection),
        TEST(nobody_waits_for_ever),
        TEST(who_drains_ends_with_the_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
