/* When to ask again: every way a provider tells it, what is none, and how often all together may.
 */
#include "cmocka_headers.h"

#include <string.h>

#include "base/compiler.h"
#include "base/slice.h"
#include "route/retry.h"

#define S    ((int64_t)1000000)
#define MIN  (60 * S)
#define HOUR (60 * MIN)
#define WALL (1793954977 * S) /* Fri, 06 Nov 2026 08:49:37 GMT */

static void values_come_in_every_form(void **state)
{
    static const struct {
        const char *text;
        int64_t us;
    } cases[] = {
        {"0", 0},
        {"2", 2 * S},
        {" 120 ", 120 * S},
        {"1.5", 1500000},
        {"1s", S},
        {"6m0s", 6 * MIN},
        {"12ms", 12000},
        {"1h2m3.5s", HOUR + 2 * MIN + 3500000},
        {"1d", 24 * HOUR},
        {"1793955037", MIN},
        {"1793955037000", MIN},
        {"2026-11-06T08:50:37Z", MIN},
        {"2026-11-06T08:50:37.5Z", MIN},
        {"2026-11-06T09:50:37+01:00", MIN},
        {"2026-11-06t03:20:37-05:30", MIN},
        {"Fri, 06 Nov 2026 08:50:37 GMT", MIN},
        {"Friday, 06-Nov-26 08:50:37 GMT", MIN},
        {"Fri Nov  6 08:50:37 2026", MIN},
        {"Tue, 29 Feb 2028 08:49:37 GMT", 480 * 24 * HOUR},
        {"Fri, 06 Nov 2026 08:00:00 GMT", 0},
        {"1970-01-01T00:00:00Z", 0},
    };
    (void)state;

    for (size_t i = 0; i < GS_COUNT_OF(cases); i++) {
        const int64_t us = gs_retry_value_us(gs_slice_str(cases[i].text), WALL);
        if (us != cases[i].us)
            print_error("%s\n", cases[i].text);
        assert_int_equal(us, cases[i].us);
    }
}

static void nonsense_is_not_a_time(void **state)
{
    static const char *const texts[] = {
        "",
        " ",
        "-1",
        "-",
        "soon",
        "1 fortnight",
        "5x",
        "..",
        "s",
        "1e3",
        "99999999999999999999",
        "0x10",
        "2026-13-01T00:00:00Z",
        "2026-01-01",
        "2026-01-01T00:00:00",
        "2026-01-01T00:00:00+1",
        "2026-01-01T-1:00:00Z",
        "Fri, 06 Nov 08:49:37 GMT",
        "Fri, 06 2026 08:49:37",
        "Fri, 99 Nov 2026 08:49:37 GMT",
        "Fri, 06 Nov 2026 8:49 GMT",
        "Fri, 06 Nov 999999999999999 08:49:37 GMT",
        "::::::::",
        "1111111111111111111111111111111111111111111111111111111111111111111111111111111111111111",
    };
    char bytes[64];
    (void)state;

    for (size_t i = 0; i < GS_COUNT_OF(texts); i++) {
        const int64_t us = gs_retry_value_us(gs_slice_str(texts[i]), WALL);
        if (us != -1)
            print_error("%s\n", texts[i]);
        assert_int_equal(us, -1);
    }
    assert_int_equal(gs_retry_value_us(gs_slice(NULL, 0), WALL), -1);
    memset(bytes, 0, sizeof(bytes));
    assert_int_equal(gs_retry_value_us(gs_slice(bytes, sizeof(bytes)), WALL), -1);
    memset(bytes, 0xFF, sizeof(bytes));
    assert_int_equal(gs_retry_value_us(gs_slice(bytes, sizeof(bytes)), WALL), -1);
    assert_int_equal(gs_retry_value_us(gs_slice("2026-11-06T08:50:37Z", 19), WALL), -1);
}

struct header {
    const char *name, *value;
};

static struct gs_slice get(void *ud, const char *name)
{
    for (const struct header *h = ud; h->name; h++)
        if (strcmp(h->name, name) == 0)
            return gs_slice_str(h->value);
    return gs_slice(NULL, 0);
}

static int64_t after(const struct header *headers)
{
    return gs_retry_after_us(get, (void *)headers, WALL);
}

static void headers_are_asked_in_order(void **state)
{
    (void)state;
    assert_int_equal(after((struct header[]){{0}}), -1);
    assert_int_equal(after((struct header[]){{"retry-after", "7"}, {0}}), 7 * S);
    assert_int_equal(
        after((struct header[]){{"retry-after", "2"}, {"retry-after-ms", "1500"}, {0}}), 1500000);
    assert_int_equal(after((struct header[]){{"x-ms-retry-after-ms", "20"}, {0}}), 20000);
    assert_int_equal(after((struct header[]){{"retry-after-ms", "-3"}, {"retry-after", "1"}, {0}}),
                     S);
    assert_int_equal(
        after((struct header[]){{"retry-after", "later"}, {"x-ratelimit-reset", "3"}, {0}}), 3 * S);
}

static void spent_limits_say_when_they_end(void **state)
{
    (void)state;
    assert_int_equal(after((struct header[]){{"x-ratelimit-remaining-requests", "0"},
                                             {"x-ratelimit-reset-requests", "1s"},
                                             {"x-ratelimit-remaining-tokens", "149984"},
                                             {"x-ratelimit-reset-tokens", "6m0s"},
                                             {0}}),
                     S);
    assert_int_equal(after((struct header[]){
                         {"anthropic-ratelimit-requests-remaining", "0"},
                         {"anthropic-ratelimit-requests-reset", "2026-11-06T08:49:47Z"},
                         {"anthropic-ratelimit-output-tokens-remaining", "0"},
                         {"anthropic-ratelimit-output-tokens-reset", "2026-11-06T08:50:37Z"},
                         {"anthropic-ratelimit-input-tokens-remaining", "10"},
                         {"anthropic-ratelimit-input-tokens-reset", "2026-11-06T09:00:00Z"},
                         {0},
                     }),
                     MIN);
    assert_int_equal(after((struct header[]){{"x-ratelimit-remaining", "0"},
                                             {"x-ratelimit-reset", "1793958577000"},
                                             {0}}),
                     HOUR);
}

static void a_subscriptions_window_counts_when_it_is_used_up(void **state)
{
    const struct header used_up[] = {{"anthropic-ratelimit-unified-status", "rejected"},
                                     {"anthropic-ratelimit-unified-reset", "1793972977"},
                                     {0}};
    const struct header allowed[] = {{"anthropic-ratelimit-unified-status", "allowed"},
                                     {"anthropic-ratelimit-unified-reset", "1793972977"},
                                     {0}};
    (void)state;

    assert_int_equal(after(used_up), 5 * HOUR);
    assert_int_equal(after(allowed), -1);
}

static void retries_are_rationed(void **state)
{
    struct gs_retry_budget b;
    int n = 0;
    (void)state;

    gs_retry_budget_init(&b, 5 * S);
    while (gs_retry_budget_take(&b, 5 * S))
        n++;
    assert_int_equal(n, 100);
    for (n = 0; gs_retry_budget_take(&b, 6 * S); n++)
        ;
    assert_int_equal(n, 10); /* a second later */
    for (int i = 0; i < 50; i++)
        gs_retry_budget_request(&b);
    for (n = 0; gs_retry_budget_take(&b, 6 * S); n++)
        ;
    assert_in_range(n, 9, 10);                     /* a fifth of the requests */
    assert_false(gs_retry_budget_take(&b, 4 * S)); /* time that runs backwards brings nothing */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_come_in_every_form),
        cmocka_unit_test(nonsense_is_not_a_time),
        cmocka_unit_test(headers_are_asked_in_order),
        cmocka_unit_test(spent_limits_say_when_they_end),
        cmocka_unit_test(a_subscriptions_window_counts_when_it_is_used_up),
        cmocka_unit_test(retries_are_rationed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
