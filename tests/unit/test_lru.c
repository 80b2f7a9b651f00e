/* The order in which stored things go, against one that is kept by sorting. */
#include "cmocka_headers.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "engine/lru.h"

#define N          40
#define MOST_AGAIN 12

struct item {
    bool in, again;
    int used; /* when last */
};

static uint32_t oldest(const struct item *items, bool again)
{
    uint32_t best = GS_LRU_NONE;

    for (uint32_t i = 0; i < N; i++)
        if (items[i].in && items[i].again == again &&
            (best == GS_LRU_NONE || items[i].used < items[best].used))
            best = i;
    return best;
}

static uint32_t first_to_go(const struct item *items)
{
    const uint32_t once = oldest(items, false);

    return once != GS_LRU_NONE ? once : oldest(items, true);
}

static void use_again(struct item *items, uint32_t i, int *now)
{
    size_t n = 0;

    items[i].again = true;
    items[i].used = (*now)++;
    for (uint32_t k = 0; k < N; k++)
        n += items[k].in && items[k].again;
    if (n > MOST_AGAIN) {
        const uint32_t old = oldest(items, true);
        items[old].again = false;
        items[old].used = (*now)++;
    }
}

static void test_order(void **state)
{
    struct item items[N + 1] = {0};
    struct gs_lru l;
    struct gs_rng rng;
    int now = 0;

    (void)state;
    gs_rng_seed(&rng, 3);
    assert_int_equal(gs_lru_init(&l, N + 1, MOST_AGAIN, NULL), GS_OK);
    for (int step = 0; step < 20000; step++) {
        const uint32_t i = (uint32_t)(gs_rng_u64(&rng) % N);
        const uint32_t first = first_to_go(items);
        assert_int_equal(gs_lru_first(&l), first);
        if (!items[i].in) {
            gs_lru_add(&l, i);
            items[i] = (struct item){true, false, now++};
        } else if (gs_rng_u64(&rng) % 3 == 0) {
            gs_lru_use(&l, i);
            use_again(items, i, &now);
        } else if (gs_rng_u64(&rng) % 2 == 0) {
            gs_lru_touch(&l, i);
            items[i].used = now++;
        } else {
            gs_lru_remove(&l, first);
            items[first].in = false;
        }
    }
    gs_lru_clear(&l);
    gs_lru_clear(&l);
}

/* One that takes another's place goes when that would have gone. */
static void test_replace(void **state)
{
    struct gs_lru l;

    (void)state;
    assert_int_equal(gs_lru_init(&l, 4, 3, NULL), GS_OK);
    assert_int_equal(gs_lru_first(&l), GS_LRU_NONE);
    for (uint32_t i = 0; i < 3; i++)
        gs_lru_add(&l, i);
    gs_lru_use(&l, 0);
    gs_lru_replace(&l, 0, 3);
    for (uint32_t i = 1; i <= 3; i++) {
        assert_int_equal(gs_lru_first(&l), i);
        gs_lru_remove(&l, i);
    }
    assert_int_equal(gs_lru_first(&l), GS_LRU_NONE);
    gs_lru_clear(&l);
    gs_alloc_fail_at(1);
    assert_int_equal(gs_lru_init(&l, 4, 3, NULL), GS_ENOMEM);
    gs_alloc_fail_at(0);
    gs_lru_clear(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_replace),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
