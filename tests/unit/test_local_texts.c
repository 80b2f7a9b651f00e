/* The local provider and texts: which model is asked, vectors and scores as events, many requests
 * at once, and requests that are paused, cancelled or let go of at any moment. */
#include "cmocka_headers.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/os.h"
#include "base/slice.h"
#include "provider/local.h"
#include "standin/standin.h"
#include "tiny_gguf.h"
#include "tiny_vocab.h"

#define DIM    32
#define N_MANY 500

static char folder[] = "/tmp/genset-test-texts-XXXXXX";
static const char *const files[] = {"embedder", "ranker", "other", "writer", "last"};

static void put_vocab(struct gs_gguf_writer *w)
{
    static struct vocab v;

    v = (struct vocab){.w = w};
    vocab_fill(&v, VOCAB_WORDPIECE);
}

static const char *path_of(const char *name)
{
    static char path[512];

    snprintf(path, sizeof(path), "%s/%s.gguf", folder, name);
    return path;
}

static int set_up(void **state)
{
    static const struct tiny_edit rank = {.name = "pooling_type", TINY_U32, .u32 = 4};
    static const struct tiny_edit last = {.name = "pooling_type", TINY_U32, .u32 = 3};

    (void)state;
    if (!mkdtemp(folder))
        return -1;
    return tiny_write_more(path_of("embedder"), &tiny_encoder_shapes[0], NULL, 0, put_vocab) ||
           tiny_write_more(path_of("ranker"), &tiny_encoder_shapes[0], &rank, 1, put_vocab) ||
           tiny_write(path_of("other"), &tiny_encoder_shapes[3], NULL, 0) ||
           tiny_write(path_of("last"), &tiny_shapes[3], &last, 1) ||
           gs_os_write_file(path_of("writer"), gs_standin_gguf, gs_standin_gguf_bytes, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(files); i++)
        unlink(path_of(files[i]));
    return rmdir(folder);
}

static struct gs_local *create(const char *default_model)
{
    const char *paths[] = {folder};
    struct gs_local_options opt = {.paths = paths, .n_paths = 1, .any_name = true};
    struct gs_error err = {0};
    struct gs_local *l = NULL;

    gs_llm_options_init(&opt.llm);
    opt.llm.n_threads = 1;
    opt.llm.ctx_tokens = 64;
    opt.llm.max_sequences = 1;
    opt.default_model = default_model;
    if (gs_local_create(&opt, &l, &err) != GS_OK)
        fail_msg("%s", err.msg);
    return l;
}

/* ---- calls ---- */

struct receiver {
    struct gs_texts texts;
    struct gs_local_call *call;
    float sum; /* of all values */
    size_t n_vectors, n_values;
    size_t pause_at; /* vector after which to pause, from 1; 0 = none */
    atomic_int n_last;
    enum gs_status code;
    char message[GS_ERROR_MSG_BYTES];
    struct gs_usage usage;
    sem_t last, paused, freed;
};

static const int32_t ids[] = {5, 6, 7, 8};

static void receiver_init(struct receiver *r, const char *model,
                          const struct gs_embed_input *inputs, size_t n)
{
    *r =
        (struct receiver){.texts = {.model = gs_slice_str(model), .inputs = inputs, .n_inputs = n}};
    sem_init(&r->last, 0, 0);
    sem_init(&r->paused, 0, 0);
    sem_init(&r->freed, 0, 0);
}

static void receiver_clear(struct receiver *r)
{
    sem_destroy(&r->last);
    sem_destroy(&r->paused);
    sem_destroy(&r->freed);
}

static enum gs_flow on_event(void *ud, const struct gs_event *ev)
{
    struct receiver *r = ud;

    assert_int_equal(r->n_last, 0);
    if (ev->kind == GS_EVENT_VECTOR) {
        r->n_vectors++;
        r->n_values = ev->n_values;
        for (size_t i = 0; i < ev->n_values; i++)
            r->sum += ev->values[i];
        if (r->n_vectors == r->pause_at) {
            sem_post(&r->paused);
            return GS_FLOW_PAUSE;
        }
        return GS_FLOW_CONTINUE;
    }
    if (ev->kind == GS_EVENT_ERROR) {
        r->code = ev->error->code;
        snprintf(r->message, sizeof(r->message), "%s", ev->error->msg);
    } else {
        assert_int_equal(ev->kind, GS_EVENT_STOP);
        r->usage = ev->usage;
    }
    r->n_last++;
    sem_post(&r->last);
    return GS_FLOW_CONTINUE;
}

static void on_free(void *ud)
{
    struct receiver *r = ud;

    sem_post(&r->freed);
}

static void start(struct gs_local *l, struct receiver *r)
{
    struct gs_error err = {0};

    if (gs_local_embed(l, &r->texts, on_event, r, &r->call, &err) != GS_OK)
        fail_msg("%s", err.msg);
}

static void finish(struct receiver *r)
{
    gs_local_call_free(r->call, on_free, r);
    sem_wait(&r->freed);
}

static enum gs_status ask(struct gs_local *l, struct receiver *r)
{
    start(l, r);
    sem_wait(&r->last);
    finish(r);
    receiver_clear(r);
    return r->code;
}

static const struct gs_embed_input one = {.tokens = ids, .n_tokens = 4};

/* ---- tests ---- */

static void test_which_model_is_asked(void **state)
{
    static const struct {
        const char *default_model, *asked;
        bool is_ranking;
        const char *error; /* NULL: answered */
    } cases[] = {
        {NULL, "embedder", false, NULL},
        {NULL, "last", false, NULL}, /* writes, but its file says how to pool */
        {"writer", "text-embedding-3-small", false, NULL},
        {"writer", "any", true, NULL},
        {"embedder", "", true, NULL},
        {NULL, "writer", false, "model \"writer\" is made for writing, not for embedding texts"},
        {NULL, "ranker", false,
         "model \"ranker\" is made for ranking documents, not for embedding texts"},
        {NULL, "embedder", true,
         "model \"embedder\" is made for embedding texts, not for ranking documents"},
    };
    const struct gs_embed_input document = {.text = GS_SLICE_LIT("hello")};

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(cases); i++) {
        struct gs_local *l = create(cases[i].default_model);
        struct receiver r;
        receiver_init(&r, cases[i].asked, cases[i].is_ranking ? &document : &one, 1);
        r.texts.is_ranking = cases[i].is_ranking;
        r.texts.query = GS_SLICE_LIT("unaffable");
        assert_int_equal(ask(l, &r), cases[i].error ? GS_EUNSUPPORTED : GS_OK);
        if (cases[i].error)
            assert_string_equal(r.message, cases[i].error);
        else
            assert_int_equal(r.n_vectors, 1);
        if (cases[i].is_ranking && !cases[i].error)
            assert_true(r.n_values == 1 && r.sum > 0 && r.sum < 1 && r.usage.prompt_tokens == 7);
        gs_local_free(l);
    }
}

static void test_writers_are_not_replaced_by_embedders(void **state)
{
    static const struct gs_block hello = {.kind = GS_BLOCK_TEXT, .text = {"Hello", 5}};
    static const struct gs_message message = {GS_ROLE_USER, &hello, 1};
    struct gs_chat chat = {.messages = &message, .n_messages = 1};
    struct gs_local *l = create(NULL); /* the first by name cannot write */
    struct gs_error err = {0};
    const struct gs_local_model *m;

    (void)state;
    gs_sampling_init(&chat.sampling);
    assert_int_equal(gs_local_preload(l, "embedder", &err), GS_OK);
    assert_int_equal(gs_local_preload(l, "claude-opus", &err), GS_OK);
    for (size_t i = gs_local_models(l, &m); i-- > 0;) {
        assert_int_equal(m[i].is_loaded,
                         strcmp(m[i].name, "embedder") == 0 || strcmp(m[i].name, "writer") == 0);
        assert_int_equal(m[i].purpose, strcmp(m[i].name, "writer") == 0   ? GS_LOCAL_WRITING
                                       : strcmp(m[i].name, "ranker") == 0 ? GS_LOCAL_RANKING
                                                                          : GS_LOCAL_EMBEDDING);
    }
    gs_local_free(l);
}

static void test_many_inputs(void **state)
{
    struct gs_embed_input inputs[N_MANY];
    struct gs_local *l = create(NULL);
    struct receiver many;
    struct receiver few;

    (void)state;
    for (size_t i = 0; i < N_MANY; i++)
        inputs[i] = (struct gs_embed_input){.tokens = ids, .n_tokens = 1 + i % 4};
    receiver_init(&many, "embedder", inputs, N_MANY);
    receiver_init(&few, "embedder", inputs, 4);
    many.pause_at = 7;
    start(l, &many);
    sem_wait(&many.paused);
    assert_int_equal(ask(l, &few), GS_OK); /* does not wait for the other */
    gs_local_call_resume(many.call);
    sem_wait(&many.last);
    finish(&many);
    assert_int_equal(many.n_vectors, N_MANY);
    assert_int_equal(many.n_values, DIM);
    assert_int_equal(many.usage.prompt_tokens, N_MANY / 4 * (1 + 2 + 3 + 4));
    assert_true(many.usage.load_us > 0 && many.usage.prefill_us > 0);
    assert_float_equal(many.sum, few.sum * (N_MANY / 4), 0.05);
    receiver_clear(&many);
    receiver_init(&few, "embedder", NULL, 0);
    assert_int_equal(ask(l, &few), GS_OK);
    assert_int_equal(few.n_vectors, 0);
    gs_local_free(l);
}

static void test_errors_end_a_request(void **state)
{
    static const int32_t outside = 4000;
    const struct gs_embed_input inputs[] = {one, {.tokens = &outside, .n_tokens = 1}};
    struct gs_local *l = create(NULL);
    struct receiver r;

    (void)state;
    receiver_init(&r, "embedder", inputs, 2);
    assert_int_equal(ask(l, &r), GS_EINVAL);
    assert_non_null(strstr(r.message, "4000"));
    receiver_init(&r, "embedder", &one, 1);
    r.texts.dims = DIM + 1;
    assert_int_equal(ask(l, &r), GS_EINVAL);
    receiver_init(&r, "embedder", &one, 1);
    r.texts.dims = 3;
    assert_int_equal(ask(l, &r), GS_OK);
    assert_int_equal(r.n_values, 3);
    gs_local_free(l);
}

/* Let go of calls that run, rest, or wait for their turn. */
static void test_calls_are_freed_at_any_moment(void **state)
{
    struct gs_embed_input inputs[N_MANY];
    struct receiver r[12];
    struct gs_local *l = create(NULL);

    (void)state;
    for (size_t i = 0; i < N_MANY; i++)
        inputs[i] = one;
    for (size_t i = 0; i < GS_COUNT_OF(r); i++) {
        receiver_init(&r[i], i % 2 ? "embedder" : "other", inputs, N_MANY);
        r[i].pause_at = i % 3;
        start(l, &r[i]);
    }
    sem_wait(&r[1].paused);
    for (size_t i = 0; i < GS_COUNT_OF(r); i++)
        gs_local_call_free(r[i].call, on_free, &r[i]);
    for (size_t i = 0; i < GS_COUNT_OF(r); i++) {
        sem_wait(&r[i].freed);
        receiver_clear(&r[i]);
    }
    gs_local_free(l);
}

/* Those that live on are told so, and may be freed before and after. */
static void test_closing_ends_calls(void **state)
{
    struct gs_embed_input inputs[N_MANY];
    struct receiver r[8];

    (void)state;
    for (size_t i = 0; i < N_MANY; i++)
        inputs[i] = one;
    for (size_t late = 0; late < 2; late++) {
        struct gs_local *l = create(NULL);
        for (size_t i = 0; i < GS_COUNT_OF(r); i++) {
            receiver_init(&r[i], i % 2 ? "embedder" : "other", inputs, N_MANY);
            r[i].pause_at = i < 2;
            start(l, &r[i]);
        }
        sem_wait(&r[0].paused);
        for (size_t i = 0; !late && i < GS_COUNT_OF(r); i++)
            gs_local_call_free(r[i].call, on_free, &r[i]);
        gs_local_free(l);
        for (size_t i = 0; i < GS_COUNT_OF(r); i++) {
            if (late) {
                sem_wait(&r[i].last);
                assert_true(r[i].code == GS_ECANCELLED || i > 1);
                gs_local_call_free(r[i].call, on_free, &r[i]);
            }
            sem_wait(&r[i].freed);
            receiver_clear(&r[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_which_model_is_asked),
        cmocka_unit_test(test_writers_are_not_replaced_by_embedders),
        cmocka_unit_test(test_many_inputs),
        cmocka_unit_test(test_errors_end_a_request),
        cmocka_unit_test(test_calls_are_freed_at_any_moment),
        cmocka_unit_test(test_closing_ends_calls),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
