/* The n-th allocation fails, for every n, while a model file is opened and written: the answer is
 * "not enough memory", and nothing leaks (AddressSanitizer looks). */
#include "cmocka_headers.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/slice.h"
#include "gguf/gguf_write.h"

#define MAX_ALLOCATIONS 1000

static const char path[] = "genset-test-00001-of-00002.gguf";
static const char second[] = "genset-test-00002-of-00002.gguf";
static char folder[] = "/tmp/genset-test-XXXXXX";

static int enter_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? chdir(folder) : -1;
}

static int leave_folder(void **state)
{
    (void)state;
    unlink(path);
    unlink(second);
    return chdir("/") == 0 ? rmdir(folder) : -1;
}

static enum gs_status write_part(const char *to, uint32_t no, struct gs_error *err)
{
    static const struct gs_slice words[] = {{"one", 3}, {"two", 3}};
    static const uint64_t dims[] = {2};
    static const float data[] = {1, 2};
    struct gs_gguf_writer *w;
    enum gs_status st = gs_gguf_writer_create(&w, err);

    if (st != GS_OK)
        return st;
    gs_gguf_writer_u32(w, "split.no", no);
    gs_gguf_writer_u32(w, "split.count", 2);
    gs_gguf_writer_strings(w, "words", words, 2);
    gs_gguf_writer_tensor(w, no == 0 ? "a" : "b", GS_TYPE_F32, dims, 1);
    st = gs_gguf_writer_begin(w, to, err);
    if (st == GS_OK)
        st = gs_gguf_writer_data(w, data, sizeof(data), err);
    if (st == GS_OK)
        st = gs_gguf_writer_end(w, err);
    gs_gguf_writer_free(w);
    return st;
}

static enum gs_status write_model(struct gs_error *err)
{
    const enum gs_status st = write_part(path, 0, err);

    return st == GS_OK ? write_part(second, 1, err) : st;
}

static enum gs_status open_model(struct gs_error *err)
{
    struct gs_gguf *f;
    const enum gs_status st = gs_gguf_open(path, &f, err);

    if (st == GS_OK)
        gs_gguf_close(f);
    return st;
}

static void survives(enum gs_status (*action)(struct gs_error *err))
{
    long n = 0;
    enum gs_status st;

    do {
        struct gs_error err = {0};
        gs_alloc_fail_at(++n);
        st = action(&err);
        gs_alloc_fail_at(0);
        if (st != GS_OK) {
            assert_int_equal(st, GS_ENOMEM);
            assert_int_equal(err.code, GS_ENOMEM);
        }
    } while (st != GS_OK && n < MAX_ALLOCATIONS);
    assert_int_equal(st, GS_OK);
    assert_true(n > 5);
}

static void writing_survives(void **state)
{
    (void)state;
    survives(write_model);
}

static void opening_survives(void **state)
{
    (void)state;
    survives(open_model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writing_survives),
        cmocka_unit_test(opening_survives),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
