/* Sampling settings of files: read where they make sense, and behind what somebody chose. */
#include "cmocka_headers.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/suggest.h"
#include "base/slice.h"
#include "gguf/gguf_write.h"

static char path[] = "/tmp/genset-test-suggest-XXXXXX";

static int make_path(void **state)
{
    (void)state;
    const int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_path(void **state)
{
    (void)state;
    return unlink(path);
}

static struct gs_gguf_writer *new_writer(void)
{
    struct gs_gguf_writer *w = NULL;

    assert_int_equal(gs_gguf_writer_create(&w, NULL), GS_OK);
    return w;
}

static void put_int(struct gs_gguf_writer *w, const char *key, int32_t n)
{
    const struct gs_gguf_value v = {.key = gs_slice_str(key),
                                    .kind = GS_GGUF_I32,
                                    .n_items = 1,
                                    .data = (const uint8_t *)&n,
                                    .data_bytes = sizeof(n)};

    gs_gguf_writer_copy(w, &v);
}

/* What the file suggests once it is written. */
static struct gs_sampling suggested_by(struct gs_gguf_writer *w)
{
    const uint64_t dims[] = {1};
    const float one = 1;
    struct gs_gguf *f = NULL;
    struct gs_sampling s;

    gs_gguf_writer_tensor(w, "x", GS_TYPE_F32, dims, 1);
    assert_int_equal(gs_gguf_writer_begin(w, path, NULL), GS_OK);
    assert_int_equal(gs_gguf_writer_data(w, &one, sizeof(one), NULL), GS_OK);
    assert_int_equal(gs_gguf_writer_end(w, NULL), GS_OK);
    gs_gguf_writer_free(w);
    assert_int_equal(gs_gguf_open(path, &f, NULL), GS_OK);
    gs_suggest_read(f, &s);
    gs_gguf_close(f);
    return s;
}

static void test_read_and_fill(void **state)
{
    struct gs_gguf_writer *w = new_writer();
    struct gs_sampling s;

    (void)state;
    gs_gguf_writer_f32(w, "general.sampling.temp", 0.6F);
    gs_gguf_writer_f32(w, "general.sampling.top_p", 0.95F);
    put_int(w, "general.sampling.top_k", 20);
    put_int(w, "general.sampling.penalty_last_n", -1);
    const struct gs_sampling suggested = suggested_by(w);
    assert_int_equal(suggested.open, GS_SAMPLING_TEMPERATURE | GS_SAMPLING_TOP_P |
                                         GS_SAMPLING_TOP_K | GS_SAMPLING_REPEAT_LAST_N);

    gs_sampling_init(&s);
    s.min_p = 0.5F;
    gs_suggest_fill(&suggested, &s); /* all was chosen */
    assert_float_equal(s.temperature, 1, 0);
    assert_int_equal(s.top_k, 0);

    s.open = GS_SAMPLING_TOP_K | GS_SAMPLING_MIN_P | GS_SAMPLING_REPEAT_LAST_N;
    gs_suggest_fill(&suggested, &s);
    assert_float_equal(s.temperature, 1, 0);
    assert_int_equal(s.top_k, 20);
    assert_int_equal(s.repeat_last_n, -1);
    assert_float_equal(s.top_p, 1, 0);
    assert_float_equal(s.min_p, 0.5F, 0); /* open, but the file says nothing */
}

static void test_nonsense(void **state)
{
    struct gs_gguf_writer *w = new_writer();

    (void)state;
    gs_gguf_writer_f32(w, "general.sampling.temp", NAN);
    gs_gguf_writer_f32(w, "general.sampling.top_p", 1.5F);
    gs_gguf_writer_f32(w, "general.sampling.min_p", -INFINITY);
    gs_gguf_writer_f32(w, "general.sampling.penalty_repeat", 0);
    gs_gguf_writer_string(w, "general.sampling.top_k", GS_SLICE_LIT("many"));
    put_int(w, "general.sampling.penalty_last_n", -2);
    assert_int_equal(suggested_by(w).open, 0);

    w = new_writer();
    gs_gguf_writer_u64(w, "general.sampling.top_k", UINT64_MAX);
    gs_gguf_writer_bool(w, "general.sampling.penalty_last_n", true);
    gs_gguf_writer_string(w, "general.sampling.temp", GS_SLICE_LIT("hot"));
    assert_int_equal(suggested_by(w).open, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_and_fill),
        cmocka_unit_test(test_nonsense),
    };

    return cmocka_run_group_tests(tests, make_path, remove_path);
}
