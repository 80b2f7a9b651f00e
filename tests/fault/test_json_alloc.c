/* The n-th allocation fails, for every n, while JSON is read and written. */
#include "cmocka_headers.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "base/slice.h"
#include "json/json.h"

#define MAX_ALLOCATIONS 1000

static enum gs_status rewrite(struct gs_slice text, struct gs_error *err)
{
    struct gs_arena a;
    struct gs_buf b;
    struct gs_json v;

    gs_arena_init(&a, 0);
    gs_buf_init(&b, GS_MIB);
    enum gs_status st = gs_json_parse(text, &a, &v, err);
    if (st == GS_OK) {
        gs_json_write(&b, &v);
        if (!gs_buf_ok(&b))
            st = GS_ENOMEM;
    }
    gs_buf_clear(&b);
    gs_arena_clear(&a);
    return st;
}

static void survives(struct gs_slice text)
{
    long n = 0;
    enum gs_status st;

    do {
        struct gs_error err = {0};
        gs_alloc_fail_at(++n);
        st = rewrite(text, &err);
        gs_alloc_fail_at(0);
        assert_true(st == GS_OK || st == GS_ENOMEM);
    } while (st != GS_OK && n < MAX_ALLOCATIONS);
    assert_int_equal(st, GS_OK);
    assert_true(n > 2);
}

static void reading_survives(void **state)
{
    (void)state;
    survives(GS_SLICE_LIT("{\"a\":[1,2.5,\"text\",{\"b\":null}],\"c\":{\"d\":[true,false]}}"));
}

static void many_members_survive(void **state)
{
    struct gs_buf b;

    (void)state;
    gs_buf_init(&b, GS_MIB);
    for (int i = 0; i < 300; i++)
        gs_buf_printf(&b, "%s\"k%d\":[\"\\ud83d\\ude00\",%d.5]", i ? "," : "{", i, i);
    gs_buf_putc(&b, '}');
    assert_true(gs_buf_ok(&b));
    survives(gs_buf_view(&b));
    gs_buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading_survives),
        cmocka_unit_test(many_members_survive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
