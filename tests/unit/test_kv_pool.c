/* Pages of the cache: every layer in its place, every page handed out once, and memory that goes
 * back to the system when too much of it lies idle. */
#include "cmocka_headers.h"

#include <string.h>

#include "base/os.h"
#include "model/arch.h"
#include "model/kv_pool.h"

#define N_PAGES 64

static struct gs_kv_shape shapes[] = {
    {8, 128, 128, false}, {2, 64, 192, false}, {8, 256, 256, false}, {1, 576, 512, true}};
static const struct gs_kv_layers layers = {shapes, GS_COUNT_OF(shapes)};

static void test_layout(void **state)
{
    static const enum gs_type types[] = {GS_TYPE_F32, GS_TYPE_F16, GS_TYPE_Q8_0};
    struct gs_kv_pool p;

    (void)state;
    for (size_t t = 0; t < GS_COUNT_OF(types); t++) {
        assert_int_equal(gs_kv_pool_init(&p, &layers, types[t], 2, NULL), GS_OK);
        size_t off = 0;
        for (size_t i = 0; i < layers.n; i++) {
            const struct gs_kv_layer *l = &p.layers[i];
            const size_t rows = (size_t)l->n_head_kv * GS_KV_PAGE_TOKENS;
            assert_true(l->k_off >= off && l->k_off % 64 == 0);
            if (shapes[i].v_in_k) {
                assert_true(l->v_off == l->k_off && l->v_row_bytes == l->k_row_bytes);
            } else {
                assert_true(l->v_off >= l->k_off + rows * l->k_row_bytes && l->v_off % 64 == 0);
            }
            off = l->v_off + rows * l->v_row_bytes;
            assert_true(off <= l->page_stride);
            assert_ptr_equal(l->base, p.base);
            assert_int_equal(l->d_v, shapes[i].d_v);
        }
        assert_int_equal(p.page_stride % gs_os_page_bytes(), 0);
        assert_int_equal(p.page_stride, gs_kv_page_bytes(&layers, types[t]));
        gs_kv_pool_clear(&p);
    }
    /* 64 KiB per token: 16 layers of 4 heads of 256 in half precision. */
    struct gs_kv_shape big[16];
    for (size_t i = 0; i < GS_COUNT_OF(big); i++)
        big[i] = (struct gs_kv_shape){4, 256, 256, false};
    const struct gs_kv_layers m27b = {big, GS_COUNT_OF(big)};
    assert_int_equal(gs_kv_page_bytes(&m27b, GS_TYPE_F16), GS_KV_PAGE_TOKENS * 65536);
}

static void test_pages(void **state)
{
    struct gs_kv_pool p;
    uint32_t pages[N_PAGES];
    bool seen[N_PAGES] = {false};
    size_t n_zero = 0;

    (void)state;
    assert_int_equal(gs_kv_pool_init(&p, &layers, GS_TYPE_F32, N_PAGES, NULL), GS_OK);
    assert_true(p.page_stride * N_PAGES > 48u << 20);
    for (size_t i = 0; i < N_PAGES; i++) {
        pages[i] = gs_kv_pool_take(&p);
        assert_true(pages[i] < N_PAGES && !seen[pages[i]]);
        seen[pages[i]] = true;
        p.base[pages[i] * p.page_stride] = 1;
    }
    assert_int_equal(p.n_free, 0);
    for (size_t i = 0; i < N_PAGES; i++)
        gs_kv_pool_give(&p, pages[i]);
    for (size_t i = 0; i < N_PAGES; i++)
        n_zero += p.base[i * p.page_stride] == 0;
    assert_int_equal(n_zero, p.n_clean);
    assert_true(n_zero > 0 && n_zero < N_PAGES);
    /* The last to come back is the first to go: it still has its memory. */
    assert_int_equal(gs_kv_pool_take(&p), pages[N_PAGES - 1]);
    gs_kv_pool_clear(&p);
    gs_kv_pool_clear(&p);
}

/* A page is free when nobody holds it, and spare when only its keeper does. */
static void test_holders(void **state)
{
    struct gs_kv_pool p;

    (void)state;
    assert_int_equal(gs_kv_pool_init(&p, &layers, GS_TYPE_F16, 3, NULL), GS_OK);
    const uint32_t page = gs_kv_pool_take(&p);
    gs_kv_pool_share(&p, page);
    gs_kv_pool_keep(&p, page);
    gs_kv_pool_give(&p, page);
    assert_int_equal(p.n_spare, 0);
    gs_kv_pool_give(&p, page);
    assert_int_equal(p.n_spare, 1);
    assert_int_equal(p.n_free, 2);
    gs_kv_pool_share(&p, page);
    assert_int_equal(p.n_spare, 0);
    gs_kv_pool_drop(&p, page);
    assert_int_equal(p.n_free, 2);
    gs_kv_pool_keep(&p, page);
    gs_kv_pool_give(&p, page);
    memset(p.base + page * p.page_stride, 7, p.page_stride);
    const uint32_t copy = gs_kv_pool_take(&p);
    gs_kv_pool_copy(&p, copy, page);
    assert_memory_equal(p.base + copy * p.page_stride, p.base + page * p.page_stride,
                        p.page_stride);
    gs_kv_pool_give(&p, copy);
    gs_kv_pool_drop(&p, page);
    assert_int_equal(p.n_free, 3);
    assert_int_equal(p.n_spare, 0);
    gs_kv_pool_clear(&p);
}

/* A model may be all recurrent, or have no layers with a window. */
static void test_no_layers(void **state)
{
    const struct gs_kv_layers none = {0};
    struct gs_kv_pool p;

    (void)state;
    assert_int_equal(gs_kv_pool_init(&p, &none, GS_TYPE_F16, 2, NULL), GS_OK);
    const uint32_t page = gs_kv_pool_take(&p);
    gs_kv_pool_give(&p, page);
    assert_int_equal(p.n_free, 2);
    gs_kv_pool_clear(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_holders),
        cmocka_unit_test(test_no_layers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
