/* The reader: files built byte by byte, so that each can be wrong in one place. */
#include "cmocka_headers.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/slice.h"
#include "gguf/gguf.h"

/* ---- building ---- */

static struct gs_buf file;

static int setup(void **state)
{
    (void)state;
    gs_buf_init(&file, GS_MIB);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    gs_buf_clear(&file);
    return 0;
}

static void put_u8(uint8_t v)
{
    gs_buf_put(&file, &v, sizeof(v));
}

static void put_u32(uint32_t v)
{
    gs_buf_put(&file, &v, sizeof(v));
}

static void put_u64(uint64_t v)
{
    gs_buf_put(&file, &v, sizeof(v));
}

static void put_text(const char *s)
{
    put_u64(strlen(s));
    gs_buf_puts(&file, s);
}

static void put_header(uint32_t version, uint64_t n_tensors, uint64_t n_values)
{
    gs_buf_puts(&file, "GGUF");
    put_u32(version);
    put_u64(n_tensors);
    put_u64(n_values);
}

static void put_key(const char *key, enum gs_gguf_kind kind)
{
    put_text(key);
    put_u32(kind);
}

static void put_array(const char *key, enum gs_gguf_kind kind, uint64_t n)
{
    put_key(key, GS_GGUF_ARRAY);
    put_u32(kind);
    put_u64(n);
}

static void put_u32_value(const char *key, uint32_t v)
{
    put_key(key, GS_GGUF_U32);
    put_u32(v);
}

static void put_tensor(const char *name, uint32_t type, uint64_t rows, uint64_t cols, uint64_t off)
{
    put_text(name);
    put_u32(2);
    put_u64(cols);
    put_u64(rows);
    put_u32(type);
    put_u64(off);
}

static void pad(size_t alignment)
{
    while (file.len % alignment != 0)
        put_u8(0);
}

static void put_data(size_t n)
{
    for (size_t i = 0; i < n; i++)
        put_u8((uint8_t)i);
}

static struct gs_gguf *open_file(void)
{
    struct gs_gguf *f = NULL;
    struct gs_error err = {0};

    if (gs_gguf_open_memory("test", file.ptr, file.len, &f, &err) != GS_OK)
        fail_msg("%s", err.msg);
    return f;
}

/* The file must be refused with exactly this message (after the file's name). */
static void refused(enum gs_status st, const char *msg)
{
    static const char prefix[] = "could not read model file \"test\": ";
    struct gs_gguf *f = NULL;
    struct gs_error err = {0};

    assert_int_equal(gs_gguf_open_memory("test", file.ptr, file.len, &f, &err), st);
    assert_null(f);
    assert_int_equal(err.code, st);
    assert_memory_equal(err.msg, prefix, sizeof(prefix) - 1);
    assert_string_equal(err.msg + sizeof(prefix) - 1, msg);
    assert_int_equal(gs_gguf_open_memory("test", file.ptr, file.len, &f, NULL), st);
}

/* ---- what can be read ---- */

static void reads_every_kind(void **state)
{
    const double pi = 3.25;
    const float half = 0.5F;
    (void)state;

    put_header(3, 0, 13);
    put_key("u8", GS_GGUF_U8);
    put_u8(200);
    put_key("i8", GS_GGUF_I8);
    put_u8(0xFE);
    put_key("u16", GS_GGUF_U16);
    gs_buf_put(&file, "\x34\xF2", 2);
    put_key("i16", GS_GGUF_I16);
    gs_buf_put(&file, "\xFF\xFF", 2);
    put_key("u32", GS_GGUF_U32);
    put_u32(UINT32_MAX);
    put_key("i32", GS_GGUF_I32);
    put_u32(0x80000000u);
    put_key("u64", GS_GGUF_U64);
    put_u64(UINT64_MAX);
    put_key("i64", GS_GGUF_I64);
    put_u64(UINT64_MAX);
    put_key("f32", GS_GGUF_F32);
    gs_buf_put(&file, &half, sizeof(half));
    put_key("f64", GS_GGUF_F64);
    gs_buf_put(&file, &pi, sizeof(pi));
    put_key("bool", GS_GGUF_BOOL);
    put_u8(1);
    put_key("string", GS_GGUF_STRING);
    put_text("hello");
    put_array("i16s", GS_GGUF_I16, 3);
    gs_buf_put(&file, "\x01\x00\xFE\xFF\x03\x00", 6);

    struct gs_gguf *f = open_file();
    struct gs_error err = {0};
    uint64_t u64 = 0;
    uint32_t u32 = 0;
    float f32 = 0;
    bool flag = false;
    struct gs_slice text;
    assert_int_equal(gs_gguf_value_count(f), 13);
    assert_int_equal(gs_gguf_tensor_count(f), 0);
    assert_true(gs_gguf_get_u64(f, "u8", &u64, &err));
    assert_int_equal(u64, 200);
    assert_true(gs_gguf_get_u64(f, "u64", &u64, &err));
    assert_true(u64 == UINT64_MAX);
    assert_true(gs_gguf_get_u32(f, "u16", &u32, &err));
    assert_int_equal(u32, 0xF234);
    assert_true(gs_gguf_get_f32(f, "f32", &f32, &err));
    assert_true(f32 == 0.5F);
    assert_true(gs_gguf_get_f32(f, "f64", &f32, &err));
    assert_true(f32 == 3.25F);
    assert_true(gs_gguf_get_f32(f, "i8", &f32, &err));
    assert_true(f32 == -2.0F);
    assert_true(gs_gguf_get_bool(f, "bool", &flag, &err));
    assert_true(flag);
    assert_true(gs_gguf_get_string(f, "string", &text, &err));
    assert_true(gs_slice_eq_str(text, "hello"));
    assert_int_equal(gs_gguf_item_i64(gs_gguf_find(f, "i32"), 0), INT32_MIN);
    assert_int_equal(gs_gguf_item_i64(gs_gguf_find(f, "i64"), 0), -1);
    assert_int_equal(gs_gguf_item_i64(gs_gguf_find(f, "f64"), 0), 3);
    assert_true(gs_gguf_item_f64(gs_gguf_find(f, "u64"), 0) == 0x1p64);

    const struct gs_gguf_value *v = gs_gguf_find(f, "i16s");
    assert_int_equal(v->item_kind, GS_GGUF_I16);
    assert_int_equal(v->n_items, 3);
    assert_int_equal(gs_gguf_item_i64(v, 1), -2);
    assert_true(gs_gguf_item_f64(v, 2) == 3.0);
    assert_true(gs_gguf_value_at(f, 12) == v);
    gs_gguf_close(f);
}

static void reads_strings(void **state)
{
    (void)state;
    put_header(2, 0, 2);
    put_array("none", GS_GGUF_STRING, 0);
    put_array("words", GS_GGUF_STRING, 3);
    put_text("a");
    put_text("");
    put_text("\xFF not text is fine here");

    struct gs_gguf *f = open_file();
    const struct gs_gguf_value *v = gs_gguf_find(f, "words");
    assert_int_equal(gs_gguf_version(f), 2);
    assert_int_equal(gs_gguf_find(f, "none")->n_items, 0);
    assert_int_equal(v->n_items, 3);
    assert_true(gs_slice_eq_str(v->strings[0], "a"));
    assert_int_equal(v->strings[1].len, 0);
    assert_int_equal(v->strings[2].len, 23);
    gs_gguf_close(f);
}

static void reads_tensors_in_any_order(void **state)
{
    (void)state;
    put_header(3, 2, 1);
    put_u32_value("general.alignment", 64);
    put_tensor("late", GS_TYPE_Q8_0, 1, 64, 64);
    put_tensor("early", GS_TYPE_F32, 2, 3, 0);
    pad(64);
    const size_t data_off = file.len;
    put_data(64 + 68);

    struct gs_gguf *f = open_file();
    const struct gs_gguf_tensor *t = gs_gguf_tensor_find(f, "late");
    assert_int_equal(gs_gguf_tensor_count(f), 2);
    assert_true(gs_gguf_tensor_at(f, 0) == t);
    assert_int_equal(t->type, GS_TYPE_Q8_0);
    assert_int_equal(t->n_bytes, 68);
    assert_int_equal(t->file_off, data_off + 64);
    assert_true(t->data == (const uint8_t *)file.ptr + data_off + 64);
    assert_int_equal(t->dims[0], 64);
    assert_int_equal(t->dims[1], 1);
    assert_int_equal(t->dims[3], 1);
    assert_int_equal(gs_gguf_tensor_find(f, "early")->n_bytes, 24);
    assert_null(gs_gguf_tensor_find(f, "none"));
    assert_int_equal(gs_gguf_bytes(f), file.len);
    assert_string_equal(gs_gguf_path(f), "test");
    gs_gguf_touch(f, 0, SIZE_MAX);
    assert_true(gs_gguf_resident(f) > 0.9);
    assert_int_equal(gs_gguf_lock(f, NULL), GS_OK);
    gs_gguf_close(f);
}

/* ---- typed reads ---- */

static void bad_read(const struct gs_error *err, bool result, const char *msg)
{
    assert_false(result);
    assert_int_equal(err->code, GS_EFORMAT);
    assert_string_equal(err->msg, msg);
}

static void typed_reads_refuse(void **state)
{
    const float nan = __builtin_nanf("");
    (void)state;
    put_header(3, 0, 5);
    put_key("text", GS_GGUF_STRING);
    put_text("12");
    put_key("minus", GS_GGUF_I32);
    put_u32(0xFFFFFFFF);
    put_key("big", GS_GGUF_U64);
    put_u64((uint64_t)1 << 32);
    put_key("nan", GS_GGUF_F32);
    gs_buf_put(&file, &nan, sizeof(nan));
    put_key("flag", GS_GGUF_BOOL);
    put_u8(0);

    struct gs_gguf *f = open_file();
    struct gs_error err = {0};
    uint64_t u64 = 7;
    uint32_t u32 = 7;
    float f32 = 7;
    bool flag = true;
    struct gs_slice text = {0};
    bad_read(&err, gs_gguf_get_u64(f, "text", &u64, &err),
             "key \"text\": expected a whole number, found a value of kind string");
    bad_read(&err, gs_gguf_get_u64(f, "flag", &u64, &err),
             "key \"flag\": expected a whole number, found a value of kind bool");
    bad_read(&err, gs_gguf_get_u64(f, "minus", &u64, &err), "key \"minus\": -1 is negative");
    bad_read(&err, gs_gguf_get_u32(f, "big", &u32, &err),
             "key \"big\": 4294967296 is larger than 4294967295");
    bad_read(&err, gs_gguf_get_f32(f, "nan", &f32, &err), "key \"nan\": not a finite number");
    bad_read(&err, gs_gguf_get_f32(f, "text", &f32, &err),
             "key \"text\": expected a number, found a value of kind string");
    bad_read(&err, gs_gguf_get_bool(f, "big", &flag, &err),
             "key \"big\": expected true or false, found a value of kind u64");
    bad_read(&err, gs_gguf_get_string(f, "big", &text, &err),
             "key \"big\": expected text, found a value of kind u64");
    assert_true(gs_gguf_get_u64(f, "absent", &u64, &err) &&
                gs_gguf_get_u32(f, "absent", &u32, &err));
    assert_true(gs_gguf_get_f32(f, "absent", &f32, &err) &&
                gs_gguf_get_bool(f, "absent", &flag, &err));
    assert_true(gs_gguf_get_string(f, "absent", &text, &err));
    assert_true(u64 == 7 && u32 == 7 && f32 == 7 && flag && !text.ptr);
    gs_gguf_close(f);
}

/* ---- what is refused ---- */

static void refuses_headers(void **state)
{
    (void)state;
    refused(GS_EFORMAT, "not a GGUF file");
    gs_buf_puts(&file, "GGML\3\0\0\0");
    refused(GS_EFORMAT, "not a GGUF file");
    gs_buf_reset(&file);
    gs_buf_puts(&file, "GGUF");
    refused(GS_EFORMAT, "4 bytes expected at offset 4, but the file ends at 4");
    put_u32(1);
    refused(GS_EUNSUPPORTED, "version 1 of the format is not supported");
    gs_buf_reset(&file);
    put_header(0x03000000, 0, 0);
    refused(GS_EUNSUPPORTED, "big-endian files are not supported");
    gs_buf_reset(&file);
    put_header(3, 0, UINT64_MAX);
    refused(GS_EFORMAT, "18446744073709551615 values and 0 tensors do not fit a file of 24 bytes");
    gs_buf_reset(&file);
    put_header(3, 1, 0);
    refused(GS_EFORMAT, "0 values and 1 tensors do not fit a file of 24 bytes");
}

static void refuses_keys(void **state)
{
    (void)state;
    put_header(3, 0, 1);
    put_text("");
    put_data(20);
    refused(GS_EFORMAT, "key at offset 24 is empty, too long or not text");
    gs_buf_reset(&file);
    put_header(3, 0, 1);
    put_key("a\nb", GS_GGUF_U8);
    put_u8(1);
    refused(GS_EFORMAT, "key at offset 24 is empty, too long or not text");
    gs_buf_reset(&file);
    put_header(3, 0, 1);
    put_key("\xC0\xAF", GS_GGUF_U8);
    put_u8(1);
    refused(GS_EFORMAT, "key at offset 24 is empty, too long or not text");
    gs_buf_reset(&file);
    put_header(3, 0, 1);
    put_u64(UINT64_MAX);
    put_data(10);
    refused(GS_EFORMAT,
            "key: 18446744073709551615 bytes expected at offset 32, but the file ends at 42");
    gs_buf_reset(&file);
    put_header(3, 0, 2);
    put_u32_value("k", 1);
    put_u32_value("k", 2);
    refused(GS_EFORMAT, "key \"k\" at offset 41 is there twice");
}

static void refuses_values(void **state)
{
    (void)state;
    put_header(3, 0, 1);
    put_key("key", 13);
    put_u8(0);
    refused(GS_EFORMAT, "key \"key\": unknown kind of value 13 at offset 35");
    gs_buf_reset(&file);
    put_header(3, 0, 1);
    put_key("key", GS_GGUF_BOOL);
    put_u8(2);
    refused(GS_EFORMAT, "key \"key\": bool at offset 39 is 2, not 0 or 1");
    gs_buf_reset(&file);
    put_header(3, 0, 1);
    put_key("key", GS_GGUF_U64);
    put_u32(0);
    refused(GS_EFORMAT, "key \"key\": 8 bytes expected at offset 39, but the file ends at 43");
    gs_buf_reset(&file);
    put_header(3, 0, 1);
    put_key("key", GS_GGUF_STRING);
    put_u64(100);
    refused(GS_EFORMAT, "key \"key\": 100 bytes expected at offset 47, but the file ends at 47");
}

static void refuses_arrays(void **state)
{
    (void)state;
    put_header(3, 0, 1);
    put_array("key", GS_GGUF_ARRAY, 1);
    refused(GS_EUNSUPPORTED, "key \"key\": arrays of arrays are not supported");
    gs_buf_reset(&file);
    put_header(3, 0, 1);
    put_array("key", GS_GGUF_F64, (uint64_t)1 << 61); /* times 8 is 0 */
    refused(GS_EFORMAT, "key \"key\": 2305843009213693952 items at offset 51 do not fit the file, "
                        "which ends at 51");
    gs_buf_reset(&file);
    put_header(3, 0, 1);
    put_array("key", GS_GGUF_STRING, UINT64_MAX);
    refused(GS_EFORMAT, "key \"key\": 18446744073709551615 strings at offset 51 do not fit the "
                        "file, which ends at 51");
    gs_buf_reset(&file);
    put_header(3, 0, 1);
    put_array("key", GS_GGUF_STRING, 2);
    put_text("0123456789");
    refused(GS_EFORMAT,
            "key \"key\": string 1: 8 bytes expected at offset 69, but the file ends at 69");
}

static void refuses_alignment(void **state)
{
    static const uint32_t bad[] = {0, 4, 24, 0xFFFFFFFF};
    char msg[200];
    (void)state;

    for (size_t i = 0; i < GS_COUNT_OF(bad); i++) {
        gs_buf_reset(&file);
        put_header(3, 0, 1);
        put_u32_value("general.alignment", bad[i]);
        snprintf(msg, sizeof(msg),
                 "key \"general.alignment\": expected a power of two of at least 8, found %u",
                 bad[i]);
        refused(GS_EFORMAT, msg);
    }
    gs_buf_reset(&file);
    put_header(3, 1, 1);
    put_key("general.alignment", GS_GGUF_U64);
    put_u64((uint64_t)1 << 63);
    put_tensor("t", GS_TYPE_F32, 1, 1, 0);
    put_data(100);
    refused(GS_EFORMAT, "tensor \"t\": its 4 bytes at offset 0 of the data reach beyond the file, "
                        "which has 0 bytes of data");
}

/* One tensor, and data enough for a good one. */
static void one_tensor(uint32_t type, uint64_t rows, uint64_t cols, uint64_t off)
{
    gs_buf_reset(&file);
    put_header(3, 1, 0);
    put_tensor("t", type, rows, cols, off);
    pad(32);
    put_data(64);
}

static void refuses_tensors(void **state)
{
    (void)state;
    one_tensor(GS_TYPE_F32, 4, 4, 0);
    gs_gguf_close(open_file());
    one_tensor(4, 4, 4, 0);
    refused(GS_EUNSUPPORTED,
            "tensor \"t\" described at offset 24: element type number 4 is not known");
    one_tensor(UINT32_MAX, 4, 4, 0);
    refused(GS_EUNSUPPORTED,
            "tensor \"t\" described at offset 24: element type number 4294967295 is not known");
    one_tensor(GS_TYPE_F32, 0, 4, 0);
    refused(GS_EFORMAT, "tensor \"t\" described at offset 24: dimension 1 is 0");
    one_tensor(GS_TYPE_F32, 4, 0, 0);
    refused(GS_EFORMAT, "tensor \"t\" described at offset 24: dimension 0 is 0");
    one_tensor(GS_TYPE_Q4_K, 1, 128, 0);
    refused(GS_EFORMAT, "tensor \"t\" described at offset 24: rows of 128 values cannot be Q4_K, "
                        "whose blocks hold 256");
    one_tensor(GS_TYPE_F32, (uint64_t)1 << 31, (uint64_t)1 << 31, 0); /* times 4 is 0 */
    refused(GS_EFORMAT,
            "tensor \"t\" described at offset 24: the product of the dimensions is too large");
    one_tensor(GS_TYPE_F32, 4, 4, 8);
    refused(GS_EFORMAT, "tensor \"t\": its offset 8 is not a multiple of the alignment 32");
    one_tensor(GS_TYPE_F32, 4, 4, 32);
    refused(GS_EFORMAT, "tensor \"t\": its 64 bytes at offset 32 of the data reach beyond the "
                        "file, which has 64 bytes of data");
    one_tensor(GS_TYPE_F32, 4, 4, UINT64_MAX - 31);
    refused(GS_EFORMAT, "tensor \"t\": its 64 bytes at offset 18446744073709551584 of the data "
                        "reach beyond the file, which has 64 bytes of data");
}

static void refuses_dimension_counts(void **state)
{
    (void)state;
    for (uint32_t n = 0; n <= 5; n += 5) {
        char msg[100];
        gs_buf_reset(&file);
        put_header(3, 1, 0);
        put_text("t");
        put_u32(n);
        put_data(100);
        snprintf(msg, sizeof(msg),
                 "tensor \"t\" described at offset 24: %u dimensions, expected 1 to 4", n);
        refused(GS_EFORMAT, msg);
    }
}

static void refuses_tensor_sets(void **state)
{
    (void)state;
    put_header(3, 2, 0);
    put_tensor("a", GS_TYPE_F32, 3, 4, 0);
    put_tensor("b", GS_TYPE_F32, 1, 1, 32);
    pad(32);
    const size_t data_off = file.len;
    char msg[100];
    put_data(64);
    snprintf(msg, sizeof(msg), "tensors \"a\" and \"b\" overlap at offset %zu", data_off + 32);
    refused(GS_EFORMAT, msg);
    gs_buf_reset(&file);
    put_header(3, 2, 0);
    put_tensor("a", GS_TYPE_F32, 1, 1, 0);
    put_tensor("a", GS_TYPE_F32, 1, 1, 32);
    pad(32);
    put_data(64);
    refused(GS_EFORMAT, "tensor \"a\" is there twice");
    gs_buf_reset(&file);
    put_header(3, 2, 1);
    put_array("pad", GS_GGUF_U8, 100); /* leaves room by the first check, not by the second */
    put_data(100);
    put_tensor("a", GS_TYPE_F32, 1, 1, 0);
    refused(GS_EFORMAT,
            "2 tensor descriptions at offset 151 do not fit the file, which ends at 192");
}

static void refuses_every_truncation(void **state)
{
    struct gs_gguf *f = NULL;
    (void)state;

    put_header(3, 1, 3);
    put_u32_value("a", 1);
    put_array("b", GS_GGUF_STRING, 2);
    put_text("x");
    put_text("yy");
    put_key("c", GS_GGUF_STRING);
    put_text("text");
    put_tensor("t", GS_TYPE_F32, 1, 4, 0);
    pad(32);
    put_data(16);
    gs_gguf_close(open_file());
    for (size_t n = 0; n < file.len; n++) {
        struct gs_error err = {0};
        assert_int_equal(gs_gguf_open_memory("test", file.ptr, n, &f, &err), GS_EFORMAT);
        assert_int_not_equal(err.msg[0], '\0');
    }
    assert_null(f);
}

static void refuses_split_in_memory(void **state)
{
    struct gs_gguf *f = NULL;
    struct gs_error err = {0};
    (void)state;

    put_header(3, 0, 1);
    put_u32_value("split.count", 2);
    assert_int_equal(gs_gguf_open_memory("test", file.ptr, file.len, &f, &err), GS_EUNSUPPORTED);
    assert_string_equal(err.msg, "model \"test\" in memory is part of a split model");
}

/* ---- real files ---- */

static size_t open_folder(const char *folder)
{
    char path[2048];
    size_t n = 0;
    DIR *dir = opendir(folder);

    if (!dir)
        return 0;
    for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        struct gs_gguf *f = NULL;
        struct gs_error err = {0};
        if (!gs_slice_ends(gs_slice_str(e->d_name), GS_SLICE_LIT(".gguf")))
            continue;
        snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
        if (gs_gguf_open(path, &f, &err) != GS_OK)
            fail_msg("%s", err.msg);
        assert_non_null(gs_gguf_find(f, "general.architecture"));
        gs_gguf_close(f);
        n++;
    }
    closedir(dir);
    return n;
}

static void opens_shared_files(void **state)
{
    static const char *const folders[] = {"golden/arch", "golden/quant", "golden/tokenizer",
                                          "golden/embed", "models"};
    size_t n = 0;
    (void)state;

    for (size_t i = 0; i < GS_COUNT_OF(folders); i++) {
        char path[1024];
        snprintf(path, sizeof(path), "%s/%s", GENSET_SHARED, folders[i]);
        n += open_folder(path);
    }
    if (n == 0) {
        print_message("no model files in %s\n", GENSET_SHARED);
        skip();
    }
    print_message("%zu model files opened\n", n);
}

static void refuses_what_is_no_file(void **state)
{
    struct gs_gguf *f = NULL;
    struct gs_error err = {0};
    (void)state;

    assert_int_equal(gs_gguf_open("/no/such/file", &f, &err), GS_ENOTFOUND);
    assert_string_equal(err.msg,
                        "could not open file \"/no/such/file\": No such file or directory");
    assert_int_equal(gs_gguf_open("/", &f, &err), GS_EIO);
    assert_string_equal(err.msg, "\"/\" is not a regular file");
    gs_gguf_close(NULL);
}

static void knows_types(void **state)
{
    (void)state;
    assert_true(gs_type_known(GS_TYPE_F32) && gs_type_known(GS_TYPE_NVFP4));
    assert_false(gs_type_known(4) || gs_type_known(GS_TYPE_LIMIT) || gs_type_known(UINT32_MAX));
    assert_string_equal(gs_type_name(GS_TYPE_Q4_K), "Q4_K");
    assert_int_equal(gs_type_block_len(GS_TYPE_Q6_K), 256);
    assert_int_equal(gs_type_block_bytes(GS_TYPE_Q6_K), 210);
    assert_string_equal(gs_gguf_kind_name(GS_GGUF_F64), "f64");
    assert_true(gs_gguf_kind_is_integer(GS_GGUF_BOOL) && gs_gguf_kind_is_integer(GS_GGUF_I64));
    assert_false(gs_gguf_kind_is_integer(GS_GGUF_F32) || gs_gguf_kind_is_integer(GS_GGUF_STRING));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_every_kind, setup, teardown),
        cmocka_unit_test_setup_teardown(reads_strings, setup, teardown),
        cmocka_unit_test_setup_teardown(reads_tensors_in_any_order, setup, teardown),
        cmocka_unit_test_setup_teardown(typed_reads_refuse, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_headers, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_values, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_arrays, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_alignment, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_tensors, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_dimension_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_tensor_sets, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_every_truncation, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_split_in_memory, setup, teardown),
        cmocka_unit_test(opens_shared_files),
        cmocka_unit_test(refuses_what_is_no_file),
        cmocka_unit_test(knows_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
