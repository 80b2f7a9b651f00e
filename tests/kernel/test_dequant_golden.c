/* Dequantised values equal those of ../shared/golden/quant within 1 ulp, for every format. */
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/limits.h"
#include "base/os.h"
#include "gguf/gguf.h"
#include "kernel_test.h"
#include "json/json.h"

#define GOLDEN   GENSET_SHARED "/golden/"
#define N_VALUES 4096

static int32_t ordered_bits(float f)
{
    int32_t i;

    memcpy(&i, &f, sizeof(i));
    return i < 0 ? INT32_MIN - i : i;
}

static void check_values(const char *name, const float *got, const float *want, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const int64_t ulp = (int64_t)ordered_bits(got[i]) - ordered_bits(want[i]);
        if (ulp < -1 || ulp > 1)
            fail_msg("%s: value %zu is %.9g, not %.9g", name, i, (double)got[i], (double)want[i]);
    }
}

static void path_of(char *out, size_t cap, const char *rest)
{
    snprintf(out, cap, "%s%s", GOLDEN, rest);
}

/* One slice of the manifest; returns false if we do not have its format. */
static bool check_slice(const char *model, const char *tensor, const char *file)
{
    static float got[N_VALUES];
    char path[512];
    struct gs_gguf *f;
    struct gs_error err = {0};
    struct gs_buf want;

    path_of(path, sizeof(path), model);
    assert_int_equal(gs_gguf_open(path, &f, &err), GS_OK);
    const struct gs_gguf_tensor *t = gs_gguf_tensor_find(f, tensor);
    assert_non_null(t);
    const bool supported = gs_compute_type_supported(t->type);
    if (supported) {
        path_of(path, sizeof(path), file);
        gs_buf_init(&want, GS_MAX_TEXT_BYTES);
        assert_int_equal(gs_os_read_file(path, &want, &err), GS_OK);
        assert_int_equal(want.len, sizeof(got));
        gs_compute_dequant_row(t->type, t->data, got, N_VALUES);
        check_values(file, got, (const float *)(const void *)want.ptr, N_VALUES);
        FOR_LEVELS(l)
        {
            struct gs_kernels k;
            gs_kernels_init(&k, l);
            k.dequant[t->type](t->data, got, N_VALUES);
            check_values(file, got, (const float *)(const void *)want.ptr, N_VALUES);
        }
        gs_buf_clear(&want);
    }
    gs_gguf_close(f);
    return supported;
}

static void z_of(char *out, size_t cap, const struct gs_json *v, const char *key)
{
    struct gs_slice s = {0};
    struct gs_error err = {0};

    assert_true(gs_json_get_string(v, key, &s, &err));
    snprintf(out, cap, "%.*s", (int)s.len, s.ptr);
}

static size_t check_case(const struct gs_json *c)
{
    const struct gs_json *slices = gs_json_get(c, "dequant");
    size_t checked = 0;
    char model[256];

    z_of(model, sizeof(model), c, "model");
    for (size_t i = 0; slices && i < slices->u.array.len; i++) {
        const struct gs_json *slice = &slices->u.array.items[i];
        char tensor[128];
        char values[256];
        z_of(tensor, sizeof(tensor), slice, "tensor");
        z_of(values, sizeof(values), slice, "values");
        checked += check_slice(model, tensor, values);
    }
    return checked;
}

static void test_golden_values(void **state)
{
    struct gs_buf text;
    struct gs_arena a;
    struct gs_json manifest;
    struct gs_error err = {0};
    size_t checked = 0;

    (void)state;
    gs_buf_init(&text, GS_MAX_TEXT_BYTES);
    if (gs_os_read_file(GOLDEN "manifest.json", &text, &err) != GS_OK) {
        print_message("%s; golden values not checked\n", err.msg);
        skip();
    }
    gs_arena_init(&a, 0);
    assert_int_equal(gs_json_parse(gs_buf_view(&text), &a, &manifest, &err), GS_OK);
    const struct gs_json *cases = gs_json_get(&manifest, "cases");
    for (size_t i = 0; i < cases->u.array.len; i++)
        checked += check_case(&cases->u.array.items[i]);
    assert_true(checked >= 25);
    gs_arena_clear(&a);
    gs_buf_clear(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
