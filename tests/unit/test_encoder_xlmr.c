/* XLM-RoBERTa (bge-m3, bge-reranker-v2-m3) against its definition in double precision: positions
 * count from the padding index + 1, of whose table a converted file holds the rows from there on;
 * one segment; exact GELU; a classifier tanh(W x + b) under the scores. The bound leaves room for
 * the approximation of GELU and the rounding of its values. */
#include "cmocka_headers.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/rng.h"
#include "base/slice.h"
#include "compute/lane.h"
#include "gguf/gguf.h"
#include "gguf/gguf_write.h"
#include "model/encoder.h"
#include "model/model.h"

enum { D = 16, HEADS = 2, HEAD = D / HEADS, FF = 24, LAYERS = 2, VOCAB = 40, CTX = 12, PAD = 1 };
#define EPS 1e-5

struct param {
    char name[96];
    uint32_t in, out; /* out 0: a vector */
    float data[VOCAB * D];
};

static struct param params[64];
static size_t n_params;

static void add(struct gs_rng *r, const char *name, uint32_t in, uint32_t out)
{
    struct param *p = &params[n_params++];
    const bool is_norm = strstr(name, "norm.weight") != NULL;

    snprintf(p->name, sizeof(p->name), "%s", name);
    p->in = in;
    p->out = out;
    for (uint32_t i = 0; i < in * (out ? out : 1); i++)
        p->data[i] = (float)(gs_rng_normal(r) * 0.3) + (is_norm ? 1.0f : 0.0f);
}

static void add_pair(struct gs_rng *r, const char *name, uint32_t in, uint32_t out)
{
    char full[96];

    snprintf(full, sizeof(full), "%s.weight", name);
    add(r, full, in, out);
    snprintf(full, sizeof(full), "%s.bias", name);
    add(r, full, out ? out : in, 0);
}

static void make_params(void)
{
    static const struct {
        const char *name;
        uint32_t in, out;
    } layer[] = {{"attn_q", D, D},      {"attn_k", D, D},           {"attn_v", D, D},
                 {"attn_output", D, D}, {"attn_output_norm", D, 0}, {"ffn_up", D, FF},
                 {"ffn_down", FF, D},   {"layer_output_norm", D, 0}};
    struct gs_rng r;
    char name[64];

    n_params = 0;
    gs_rng_seed(&r, 17);
    add(&r, "token_embd.weight", D, VOCAB);
    add(&r, "token_types.weight", D, 1);
    add(&r, "position_embd.weight", D, CTX + PAD + 1); /* as published: whole */
    add_pair(&r, "token_embd_norm", D, 0);
    for (int i = 0; i < LAYERS; i++)
        for (size_t j = 0; j < sizeof(layer) / sizeof(layer[0]); j++) {
            snprintf(name, sizeof(name), "blk.%d.%s", i, layer[j].name);
            add_pair(&r, name, layer[j].in, layer[j].out);
        }
    add_pair(&r, "cls", D, D);
    add_pair(&r, "cls.output", D, 1);
}

static const float *find(const char *name)
{
    for (size_t i = 0; i < n_params; i++)
        if (strcmp(params[i].name, name) == 0)
            return params[i].data;
    fail_msg("no parameter %s", name);
    return NULL;
}

/* ---- the file ---- */

/* Without the rows of the position table that no token has. */
static size_t first_value(const struct param *p)
{
    return strcmp(p->name, "position_embd.weight") == 0 ? (size_t)(PAD + 1) * D : 0;
}

static void write_file(const char *path, uint32_t pooling)
{
    struct gs_gguf_writer *w = NULL;
    struct gs_error err = {0};

    assert_int_equal(gs_gguf_writer_create(&w, &err), GS_OK);
    gs_gguf_writer_string(w, "general.architecture", GS_SLICE_LIT("bert"));
    gs_gguf_writer_u32(w, "bert.context_length", CTX);
    gs_gguf_writer_u32(w, "bert.embedding_length", D);
    gs_gguf_writer_u32(w, "bert.block_count", LAYERS);
    gs_gguf_writer_u32(w, "bert.feed_forward_length", FF);
    gs_gguf_writer_u32(w, "bert.attention.head_count", HEADS);
    gs_gguf_writer_f32(w, "bert.attention.layer_norm_epsilon", (float)EPS);
    gs_gguf_writer_u32(w, "bert.pooling_type", pooling);
    for (size_t i = 0; i < n_params; i++) {
        const uint64_t skipped = first_value(&params[i]) / params[i].in;
        const uint64_t dims[] = {params[i].in, params[i].out - skipped};
        gs_gguf_writer_tensor(w, params[i].name, GS_TYPE_F32, dims, params[i].out ? 2 : 1);
    }
    assert_int_equal(gs_gguf_writer_begin(w, path, &err), GS_OK);
    for (size_t i = 0; i < n_params; i++) {
        const struct param *p = &params[i];
        const size_t n = (size_t)p->in * (p->out ? p->out : 1) - first_value(p);
        assert_int_equal(gs_gguf_writer_data(w, p->data + first_value(p), n * sizeof(float), &err),
                         GS_OK);
    }
    assert_int_equal(gs_gguf_writer_end(w, &err), GS_OK);
    gs_gguf_writer_free(w);
}

/* ---- the definition ---- */

static void linear(const char *name, int layer, const double *x, size_t in, size_t out, double *y)
{
    char full[96];
    const int at = layer < 0 ? 0 : snprintf(full, sizeof(full), "blk.%d.", layer);

    snprintf(full + at, sizeof(full) - (size_t)at, "%s.weight", name);
    const float *w = find(full);
    snprintf(full + at, sizeof(full) - (size_t)at, "%s.bias", name);
    const float *b = find(full);
    for (size_t j = 0; j < out; j++) {
        y[j] = (double)b[j];
        for (size_t i = 0; i < in; i++)
            y[j] += (double)w[j * in + i] * x[i];
    }
}

static void norm(const char *name, int layer, double *x)
{
    char full[96];
    const int at = layer < 0 ? 0 : snprintf(full, sizeof(full), "blk.%d.", layer);
    double mean = 0;
    double var = 0;

    snprintf(full + at, sizeof(full) - (size_t)at, "%s.weight", name);
    const float *w = find(full);
    snprintf(full + at, sizeof(full) - (size_t)at, "%s.bias", name);
    const float *b = find(full);
    for (int i = 0; i < D; i++)
        mean += x[i] / D;
    for (int i = 0; i < D; i++)
        var += (x[i] - mean) * (x[i] - mean) / D;
    for (int i = 0; i < D; i++)
        x[i] = (x[i] - mean) / sqrt(var + EPS) * (double)w[i] + (double)b[i];
}

static void attend(double q[][D], double k[][D], double v[][D], size_t n, double o[][D])
{
    for (size_t t = 0; t < n; t++)
        for (size_t h = 0; h < D; h += HEAD) {
            double p[CTX];
            double sum = 0;
            for (size_t j = 0; j < n; j++) {
                p[j] = 0;
                for (size_t i = h; i < h + HEAD; i++)
                    p[j] += q[t][i] * k[j][i] / sqrt(HEAD);
                p[j] = exp(p[j]);
                sum += p[j];
            }
            for (size_t i = h; i < h + HEAD; i++) {
                o[t][i] = 0;
                for (size_t j = 0; j < n; j++)
                    o[t][i] += p[j] / sum * v[j][i];
            }
        }
}

static void run_layer(int layer, double x[][D], size_t n)
{
    double q[CTX][D], k[CTX][D], v[CTX][D], o[CTX][D];
    double y[D], h[FF];

    for (size_t t = 0; t < n; t++) {
        linear("attn_q", layer, x[t], D, D, q[t]);
        linear("attn_k", layer, x[t], D, D, k[t]);
        linear("attn_v", layer, x[t], D, D, v[t]);
    }
    attend(q, k, v, n, o);
    for (size_t t = 0; t < n; t++) {
        linear("attn_output", layer, o[t], D, D, y);
        for (int i = 0; i < D; i++)
            x[t][i] += y[i];
        norm("attn_output_norm", layer, x[t]);
        linear("ffn_up", layer, x[t], D, FF, h);
        for (int i = 0; i < FF; i++)
            h[i] = h[i] / 2 * (1 + erf(h[i] / sqrt(2)));
        linear("ffn_down", layer, h, FF, D, y);
        for (int i = 0; i < D; i++)
            x[t][i] += y[i];
        norm("layer_output_norm", layer, x[t]);
    }
}

static void define(const int32_t *tokens, size_t n, double x[][D])
{
    const float *token = find("token_embd.weight");
    const float *type = find("token_types.weight");
    const float *position = find("position_embd.weight");

    for (size_t t = 0; t < n; t++) {
        for (size_t i = 0; i < D; i++)
            x[t][i] = (double)token[(size_t)tokens[t] * D + i] + (double)type[i] +
                      (double)position[(PAD + 1 + t) * D + i];
        norm("token_embd_norm", -1, x[t]);
    }
    for (int l = 0; l < LAYERS; l++)
        run_layer(l, x, n);
}

/* ---- tests ---- */

static void encode(uint32_t pooling, const int32_t *tokens, uint32_t n, float *out)
{
    const struct gs_encoder_text text = {tokens, n, 3}; /* its one segment has all tokens */
    char path[] = "/tmp/genset-xlmr-XXXXXX";
    struct gs_encoder *e = NULL;
    struct gs_compute *c = NULL;
    struct gs_error err = {0};
    struct gs_model *m = NULL;
    struct gs_gguf *f = NULL;
    const int fd = mkstemp(path);

    assert_true(fd >= 0);
    close(fd);
    write_file(path, pooling);
    if (gs_gguf_open(path, &f, &err) != GS_OK || gs_model_load(f, &m, &err) != GS_OK ||
        gs_compute_create(2, getenv("GENSET_CPU"), &c, &err) != GS_OK ||
        gs_encoder_create(m, c, &e, &err) != GS_OK ||
        gs_encoder_run(e, &(struct gs_encoder_job){.texts = &text, .n = 1}, out, &err) != GS_OK)
        fail_msg("%s", err.msg);
    gs_encoder_free(e);
    gs_compute_free(c);
    gs_model_free(m);
    gs_gguf_close(f);
    unlink(path);
}

static const int32_t text[] = {0, 17, 5, 2, 2, 33, 39, 8, 21, 4, 11, 2};

static void states_follow_the_definition(void **state)
{
    double x[CTX][D];
    float out[D];

    (void)state;
    make_params();
    define(text, CTX, x);
    encode(GS_POOLING_FIRST, text, CTX, out);
    for (int i = 0; i < D; i++)
        if (!(fabs((double)out[i] - x[0][i]) < 4e-3))
            fail_msg("value %d: %g, not %g", i, (double)out[i], x[0][i]);
}

static void pairs_are_scored_by_the_classifier(void **state)
{
    double x[CTX][D];
    double y[D];
    double score;
    float out;

    (void)state;
    make_params();
    define(text, CTX, x);
    linear("cls", -1, x[0], D, D, y);
    for (int i = 0; i < D; i++)
        y[i] = tanh(y[i]);
    linear("cls.output", -1, y, D, 1, &score);
    encode(GS_POOLING_RANK, text, CTX, &out);
    if (!(fabs((double)out - score) < 4e-3))
        fail_msg("score %g, not %g", (double)out, score);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_follow_the_definition),
        cmocka_unit_test(pairs_are_scored_by_the_classifier),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
