/* The writer, and what the reader makes of its files: round trips, split models, refusals. */
#include "cmocka_headers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/os.h"
#include "base/slice.h"
#include "gguf/gguf_write.h"

static char folder[] = "/tmp/genset-test-XXXXXX";
static char path[128];

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

/* The path of a file in the test's folder, valid until the next call. */
static const char *file_path(const char *name)
{
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static struct gs_gguf_writer *new_writer(void)
{
    struct gs_gguf_writer *w = NULL;

    assert_int_equal(gs_gguf_writer_create(&w, NULL), GS_OK);
    return w;
}

static void finish(struct gs_gguf_writer *w, const char *to, const void *data, size_t n)
{
    struct gs_error err = {0};

    if (gs_gguf_writer_begin(w, to, &err) != GS_OK ||
        gs_gguf_writer_data(w, data, n, &err) != GS_OK || gs_gguf_writer_end(w, &err) != GS_OK)
        fail_msg("%s", err.msg);
    gs_gguf_writer_free(w);
}

static struct gs_gguf *reopen(const char *from)
{
    struct gs_gguf *f = NULL;
    struct gs_error err = {0};

    if (gs_gguf_open(from, &f, &err) != GS_OK)
        fail_msg("%s", err.msg);
    return f;
}

/* ---- round trip ---- */

static void write_sample(const char *to)
{
    static const struct gs_slice words[] = {{"one", 3}, {"", 0}, {"\0x", 2}};
    static const int16_t numbers[] = {1, -2, 300};
    static const uint64_t matrix[] = {32, 3};
    static const uint64_t vector[] = {5};
    uint8_t data[3 * 34 + 5 * 4];
    struct gs_gguf_writer *w = new_writer();
    struct gs_error err = {0};

    gs_gguf_writer_string(w, "general.architecture", GS_SLICE_LIT("test"));
    gs_gguf_writer_u32(w, "general.alignment", 512);
    gs_gguf_writer_u32(w, "u32", 7);
    gs_gguf_writer_u64(w, "u64", UINT64_MAX);
    gs_gguf_writer_f32(w, "f32", 0.25F);
    gs_gguf_writer_bool(w, "bool", true);
    gs_gguf_writer_strings(w, "words", words, 3);
    gs_gguf_writer_array(w, "numbers", GS_GGUF_I16, numbers, 3);
    gs_gguf_writer_tensor(w, "matrix", GS_TYPE_Q8_0, matrix, 2);
    gs_gguf_writer_tensor(w, "vector", GS_TYPE_F32, vector, 1);
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)i;
    assert_int_equal(gs_gguf_writer_begin(w, to, &err), GS_OK);
    for (size_t i = 0; i < sizeof(data); i += 7) /* pieces across the border of the tensors */
        assert_int_equal(gs_gguf_writer_data(w, data + i, GS_MIN(7, sizeof(data) - i), &err),
                         GS_OK);
    assert_int_equal(gs_gguf_writer_end(w, &err), GS_OK);
    gs_gguf_writer_free(w);
}

static void round_trip(void **state)
{
    struct gs_error err;
    uint64_t u64;
    bool flag = false;
    (void)state;

    write_sample(file_path("a.gguf"));
    struct gs_gguf *f = reopen(path);
    assert_int_equal(gs_gguf_version(f), 3);
    assert_string_equal(gs_gguf_path(f), path);
    assert_int_equal(gs_gguf_value_count(f), 8);
    assert_true(gs_gguf_get_u64(f, "u64", &u64, &err));
    assert_true(u64 == UINT64_MAX);
    assert_true(gs_gguf_get_bool(f, "bool", &flag, &err) && flag);
    const struct gs_gguf_value *words = gs_gguf_find(f, "words");
    assert_int_equal(words->n_items, 3);
    assert_true(gs_slice_eq(words->strings[2], gs_slice("\0x", 2)));
    assert_int_equal(gs_gguf_item_i64(gs_gguf_find(f, "numbers"), 1), -2);
    const struct gs_gguf_tensor *m = gs_gguf_tensor_find(f, "matrix");
    const struct gs_gguf_tensor *v = gs_gguf_tensor_find(f, "vector");
    assert_int_equal(m->file_off % 512, 0);
    assert_int_equal(v->file_off, m->file_off + 512);
    assert_int_equal(m->n_bytes, 102);
    assert_int_equal(m->data[101], 101);
    assert_int_equal(v->data[0], 102);
    assert_int_equal(gs_gguf_bytes(f) % 512, 0); /* ends with padding, as other readers expect */
    gs_gguf_touch(f, 3, gs_gguf_bytes(f));
    gs_gguf_close(f);
    unlink(path);
}

/* Every value and tensor copied gives the same bytes. */
static void copies_are_equal(void **state)
{
    struct gs_buf a;
    struct gs_buf b;
    struct gs_error err = {0};
    (void)state;

    write_sample(file_path("a.gguf"));
    struct gs_gguf *f = reopen(path);
    struct gs_gguf_writer *w = new_writer();
    for (size_t i = 0; i < gs_gguf_value_count(f); i++)
        gs_gguf_writer_copy(w, gs_gguf_value_at(f, i));
    for (size_t i = 0; i < gs_gguf_tensor_count(f); i++) {
        const struct gs_gguf_tensor *t = gs_gguf_tensor_at(f, i);
        gs_gguf_writer_tensor(w, i == 0 ? "matrix" : "vector", t->type, t->dims, t->n_dims);
    }
    assert_int_equal(gs_gguf_writer_begin(w, file_path("b.gguf"), &err), GS_OK);
    for (size_t i = 0; i < gs_gguf_tensor_count(f); i++) {
        const struct gs_gguf_tensor *t = gs_gguf_tensor_at(f, i);
        assert_int_equal(gs_gguf_writer_data(w, t->data, t->n_bytes, &err), GS_OK);
    }
    assert_int_equal(gs_gguf_writer_end(w, &err), GS_OK);
    gs_gguf_writer_free(w);
    gs_gguf_close(f);

    gs_buf_init(&a, GS_MIB);
    gs_buf_init(&b, GS_MIB);
    assert_int_equal(gs_os_read_file(path, &b, &err), GS_OK);
    unlink(path);
    assert_int_equal(gs_os_read_file(file_path("a.gguf"), &a, &err), GS_OK);
    unlink(path);
    assert_true(gs_slice_eq(gs_buf_view(&a), gs_buf_view(&b)));
    gs_buf_clear(&a);
    gs_buf_clear(&b);
}

/* ---- split models ---- */

struct part {
    const char *file;
    uint32_t no;
    uint32_t count;
    const char *tensor;
};

/* A part holds one vector of four numbers, all equal to its number. */
static void write_part(const struct part *p, uint32_t n_tensors)
{
    const uint64_t dims[] = {4};
    const float number = (float)p->no;
    const float data[] = {number, number, number, number};
    struct gs_gguf_writer *w = new_writer();

    gs_gguf_writer_u32(w, "split.no", p->no);
    gs_gguf_writer_u32(w, "split.count", p->count);
    gs_gguf_writer_u32(w, "split.tensors.count", n_tensors);
    gs_gguf_writer_tensor(w, p->tensor, GS_TYPE_F32, dims, 1);
    finish(w, file_path(p->file), data, sizeof(data));
}

static void remove_parts(const struct part *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        unlink(file_path(p[i].file));
}

static void split_reads_as_one(void **state)
{
    static const struct part parts[] = {{"m-00001-of-00003.gguf", 0, 3, "a"},
                                        {"m-00002-of-00003.gguf", 1, 3, "b"},
                                        {"m-00003-of-00003.gguf", 2, 3, "c"}};
    (void)state;

    for (size_t i = 0; i < 3; i++)
        write_part(&parts[i], 3);
    struct gs_gguf *f = reopen(file_path(parts[0].file));
    assert_int_equal(gs_gguf_tensor_count(f), 3);
    for (size_t i = 0; i < 3; i++) {
        const struct gs_gguf_tensor *t = gs_gguf_tensor_find(f, parts[i].tensor);
        float number;
        assert_true(t == gs_gguf_tensor_at(f, i));
        memcpy(&number, t->data, sizeof(number));
        assert_true(number == (float)i);
        assert_int_equal(t->file_idx, i);
    }
    gs_gguf_touch(f, 3, gs_gguf_bytes(f));
    gs_gguf_close(f);
    remove_parts(parts, 3);
}

/* Write two parts, open `first`, and find `msg` in the error. */
static void split_refused(const struct part *parts, uint32_t n_tensors, const char *first,
                          enum gs_status st, const char *msg)
{
    struct gs_gguf *f = NULL;
    struct gs_error err = {0};

    for (size_t i = 0; i < 2; i++)
        write_part(&parts[i], n_tensors);
    assert_int_equal(gs_gguf_open(file_path(first), &f, &err), st);
    if (!strstr(err.msg, msg))
        fail_msg("\"%s\" does not say \"%s\"", err.msg, msg);
    remove_parts(parts, 2);
}

static void split_refusals(void **state)
{
    static const char first[] = "m-00001-of-00002.gguf";
    static const char second[] = "m-00002-of-00002.gguf";
    const struct part good[] = {{first, 0, 2, "a"}, {second, 1, 2, "b"}};
    const struct part same[] = {{first, 0, 2, "a"}, {second, 1, 2, "a"}};
    const struct part order[] = {{first, 0, 2, "a"}, {second, 0, 2, "b"}};
    const struct part name[] = {{"m.gguf", 0, 2, "a"}, {second, 1, 2, "b"}};
    const struct part many[] = {{first, 0, 100000, "a"}, {second, 1, 2, "b"}};
    const struct part missing[] = {{first, 0, 2, "a"}, {"x.gguf", 1, 2, "b"}};
    (void)state;

    split_refused(good, 3, first, GS_EFORMAT, "announces 3 tensors, its parts hold 2");
    split_refused(good, 2, second, GS_EINVAL, "is part 2 of 2, not the first");
    split_refused(same, 2, first, GS_EFORMAT, "tensor \"a\" is there twice");
    split_refused(order, 2, first, GS_EFORMAT, "says that it is part 1 of 2");
    split_refused(name, 2, "m.gguf", GS_EFORMAT, "does not end in \"-00001-of-00002.gguf\"");
    split_refused(many, 2, first, GS_ELIMIT, "has 100000 parts, at most 1024 can be read");
    split_refused(missing, 2, first, GS_ENOTFOUND, second);
}

/* ---- refusals ---- */

static void begin_refused(struct gs_gguf_writer *w, const char *msg)
{
    struct gs_error err = {0};

    assert_int_not_equal(gs_gguf_writer_begin(w, "/no/such/folder/file", &err), GS_OK);
    assert_string_equal(err.msg, msg);
    gs_gguf_writer_free(w);
}

static void refuses_descriptions(void **state)
{
    const uint64_t dims[] = {100, 1};
    struct gs_gguf_writer *w = new_writer();
    (void)state;

    gs_gguf_writer_u32(w, "k", 1);
    gs_gguf_writer_bool(w, "k", true);
    gs_gguf_writer_u32(w, "", 1);
    begin_refused(w, "key \"k\" is there twice"); /* the first error is told */
    w = new_writer();
    gs_gguf_writer_u32(w, "a\x1B", 1);
    begin_refused(w, "key is empty, too long or not text");
    w = new_writer();
    gs_gguf_writer_u32(w, "general.alignment", 48);
    begin_refused(w, "key \"general.alignment\": expected a power of two of at least 8, before any "
                     "tensor");
    w = new_writer();
    gs_gguf_writer_array(w, "k", GS_GGUF_STRING, dims, 1);
    begin_refused(w, "key \"k\": items of kind string have no fixed size");
    w = new_writer();
    gs_gguf_writer_tensor(w, "t", GS_TYPE_Q4_0, dims, 2);
    begin_refused(w, "tensor \"t\": rows of 100 values cannot be Q4_0, whose blocks hold 32");
    w = new_writer();
    gs_gguf_writer_tensor(w, "t", GS_TYPE_F32, dims, 0);
    begin_refused(w, "tensor \"t\": 0 dimensions or element type number 0 cannot be written");
    w = new_writer();
    gs_gguf_writer_tensor(w, "t", GS_TYPE_F32, dims, 1);
    gs_gguf_writer_tensor(w, "t", GS_TYPE_F32, dims, 1);
    begin_refused(w, "tensor \"t\" is there twice");
    w = new_writer();
    begin_refused(w, "could not create model file \"/no/such/folder/file\": No such file or "
                     "directory");
    gs_gguf_writer_free(NULL);
}

static void refuses_wrong_amounts(void **state)
{
    const uint64_t dims[] = {2};
    const float data[3] = {1, 2, 3};
    struct gs_gguf_writer *w = new_writer();
    struct gs_error err = {0};
    (void)state;

    gs_gguf_writer_tensor(w, "t", GS_TYPE_F32, dims, 1);
    assert_int_equal(gs_gguf_writer_begin(w, file_path("a.gguf"), &err), GS_OK);
    assert_int_equal(gs_gguf_writer_data(w, data, 4, &err), GS_OK);
    assert_int_equal(gs_gguf_writer_end(w, &err), GS_EINVAL);
    assert_string_equal(err.msg, "only 0 of 1 tensors got their data");
    assert_int_equal(gs_gguf_writer_data(w, data, 8, &err), GS_EINVAL);
    assert_string_equal(err.msg, "more data than the 1 tensors described take");
    gs_gguf_writer_free(w);
    unlink(path);
}

static void refuses_full_disk(void **state)
{
    static const uint8_t data[1 << 16];
    const uint64_t dims[] = {sizeof(data)};
    struct gs_gguf_writer *w = new_writer();
    struct gs_error err = {0};
    (void)state;

    if (access("/dev/full", W_OK) != 0)
        skip();
    gs_gguf_writer_tensor(w, "t", GS_TYPE_I8, dims, 1);
    assert_int_equal(gs_gguf_writer_begin(w, "/dev/full", &err), GS_OK); /* still buffered */
    assert_int_equal(gs_gguf_writer_data(w, data, sizeof(data), &err), GS_EIO);
    assert_string_equal(err.msg,
                        "could not write model file \"/dev/full\": No space left on device");
    gs_gguf_writer_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),           cmocka_unit_test(copies_are_equal),
        cmocka_unit_test(split_reads_as_one),   cmocka_unit_test(split_refusals),
        cmocka_unit_test(refuses_descriptions), cmocka_unit_test(refuses_wrong_amounts),
        cmocka_unit_test(refuses_full_disk),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
