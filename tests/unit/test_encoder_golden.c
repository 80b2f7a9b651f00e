/* Pooled vectors of the golden embedding models and rerankers against the reference's, alone, among
 * others, and on several lanes. */
#include "cmocka_headers.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/limits.h"
#include "base/os.h"
#include "base/slice.h"
#include "compute/lane.h"
#include "gguf/gguf.h"
#include "model/encoder.h"
#include "model/model.h"
#include "json/json.h"

#define GOLDEN     GENSET_SHARED "/golden/"
#define MAX_TOKENS 64
/* Of a printf "%.*s". */
#define TEXT(c, key) (int)gs_json_get(c, key)->u.string.len, gs_json_get(c, key)->u.string.ptr
#define MAX_DIM      64

static struct gs_arena arena;
static struct gs_json manifest;

static int load_manifest(void **state)
{
    struct gs_error err = {0};
    struct gs_buf text;

    (void)state;
    gs_arena_init(&arena, 0);
    gs_buf_init(&text, 16 * GS_MIB);
    if (gs_os_read_file(GOLDEN "embed/manifest.json", &text, &err) == GS_OK)
        assert_int_equal(gs_json_parse(gs_buf_view(&text), &arena, &manifest, &err), GS_OK);
    else
        print_message("golden data skipped: %s\n", err.msg);
    gs_buf_clear(&text);
    return 0;
}

static int clear_manifest(void **state)
{
    (void)state;
    gs_arena_clear(&arena);
    return 0;
}

struct golden {
    struct gs_gguf *file;
    struct gs_model *model;
    struct gs_compute *compute;
    struct gs_encoder *encoder;
    int32_t tokens[MAX_TOKENS];
    uint32_t n_tokens;
    uint32_t dim;
    float want[MAX_DIM];
    double max_error;
};

static void read_case(struct golden *g, const struct gs_json *c)
{
    const struct gs_json *tokens = gs_json_get(c, "tokens");
    struct gs_error err = {0};
    struct gs_buf values;
    char path[512];

    g->n_tokens = (uint32_t)tokens->u.array.len;
    assert_true(g->n_tokens <= MAX_TOKENS);
    for (size_t i = 0; i < g->n_tokens; i++)
        g->tokens[i] = (int32_t)tokens->u.array.items[i].u.integer;
    assert_true(gs_json_get_double(c, "max_rel_l2", &g->max_error, &err));
    snprintf(path, sizeof(path), GOLDEN "%.*s", TEXT(c, "values"));
    gs_buf_init(&values, GS_MIB);
    assert_int_equal(gs_os_read_file(path, &values, &err), GS_OK);
    assert_true(values.len <= sizeof(g->want));
    memcpy(g->want, values.ptr, values.len);
    g->dim = (uint32_t)(values.len / sizeof(float));
    gs_buf_clear(&values);
}

static void open_case(struct golden *g, const struct gs_json *c, int n_threads)
{
    struct gs_error err = {0};
    char path[512];

    *g = (struct golden){0};
    read_case(g, c);
    snprintf(path, sizeof(path), GOLDEN "%.*s", TEXT(c, "model"));
    if (gs_gguf_open(path, &g->file, &err) != GS_OK ||
        gs_model_load(g->file, &g->model, &err) != GS_OK ||
        gs_compute_create(n_threads, getenv("GENSET_CPU"), &g->compute, &err) != GS_OK ||
        gs_encoder_create(g->model, g->compute, &g->encoder, &err) != GS_OK)
        fail_msg("%s: %s", path, err.msg);
    assert_int_equal(gs_model_params(g->model)->n_pooled, g->dim);
}

static void close_case(struct golden *g)
{
    gs_encoder_free(g->encoder);
    gs_compute_free(g->compute);
    gs_model_free(g->model);
    gs_gguf_close(g->file);
}

static double relative_error(const float *a, const float *b, size_t n)
{
    double off = 0;
    double all = 0;

    for (size_t i = 0; i < n; i++) {
        off += pow((double)a[i] - (double)b[i], 2);
        all += pow((double)b[i], 2);
    }
    return sqrt(off / all);
}

static void run(struct golden *g, const struct gs_encoder_text *texts, size_t n, float *out)
{
    struct gs_error err = {0};

    if (gs_encoder_run(g->encoder, &(struct gs_encoder_job){.texts = texts, .n = n}, out, &err) !=
        GS_OK)
        fail_msg("%s", err.msg);
}

/* The golden text first and last of several, with others in between; then alone. */
static void check_case(const struct gs_json *c, int n_threads)
{
    struct golden g;
    float out[4 * MAX_DIM];
    float alone[MAX_DIM];

    open_case(&g, c, n_threads);
    const struct gs_encoder_text texts[] = {{g.tokens, g.n_tokens, 0},
                                            {g.tokens + 3, 7, 0},
                                            {g.tokens, 1, 0},
                                            {g.tokens, g.n_tokens, 0}};
    run(&g, texts, 4, out);
    run(&g, texts, 1, alone);
    const double e = relative_error(alone, g.want, g.dim);
    if (!(e <= g.max_error))
        fail_msg("%.*s: relative error %g", TEXT(c, "name"), e);
    assert_memory_equal(out, alone, g.dim * sizeof(float));
    assert_memory_equal(out + 3 * g.dim, alone, g.dim * sizeof(float));
    close_case(&g);
}

static void vectors_are_the_references(void **state)
{
    const struct gs_json *cases = gs_json_get(&manifest, "cases");

    (void)state;
    if (!cases)
        skip();
    for (size_t i = 0; i < cases->u.array.len; i++) {
        check_case(&cases->u.array.items[i], 1);
        check_case(&cases->u.array.items[i], 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_are_the_references),
    };

    return cmocka_run_group_tests(tests, load_manifest, clear_manifest);
}
