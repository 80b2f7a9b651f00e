/* Rows of the list of faults that are about state over time and about this machine, as a client of
 * each API sees them. */
#include "switch_test.h"

static struct fake_provider *one;

static int start_fake(void **state)
{
    (void)state;
    one = fake_provider_start(&(struct fake_provider_options){.place = 0});
    return one ? 0 : -1;
}

static int stop_fake(void **state)
{
    (void)state;
    fake_provider_stop(one);
    return 0;
}

#define PATIENT "deadlines: {connect: 5s, headers: none, first_token: none, stall: none}"

/* One, then this machine, in their own time. */
static void start_plain(struct grid *g)
{
    fake_provider_forget(one);
    prepare_grid(g);
    start_grid(g,
               "providers:\n"
               "  one: {kind: genset, url: \"http://127.0.0.1:%d\", key: none, " EVERY "}\n"
               "routes:\n"
               "  - {match: \"*\", targets: [one, local/words], " PATIENT "}\n",
               fake_provider_port(one));
}

/* What one cannot do another may: no request is wrong because of it. */
static void what_one_cannot_another_does(void **state)
{
    struct grid g;

    (void)state;
    start_plain(&g);
    for (size_t i = 0; i < GS_COUNT_OF(apis); i++) {
        for (int stream = 0; stream < 2; stream++) {
            struct gs_buf out;
            struct heard h;
            ask_api(g.f.port, &apis[i], "", "fake@400-prefill", "say 8", stream, &out);
            hear_answer(&h, &apis[i], stream, &out);
            if (h.fault != GS_FAULT_NONE || !gs_slice_eq_str(gs_buf_view(&h.text), WORDS))
                fail_heard(&apis[i], "fake@400-prefill", &h, &out);
            heard_clear(&h);
            gs_buf_clear(&out);
        }
    }
    assert_int_equal(fake_provider_count(one, FAKE_REQUESTS), 2 * GS_COUNT_OF(apis));
    finish_grid(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_one_cannot_another_does),
    };

    return cmocka_run_group_tests(tests, start_fake, stop_fake);
}
