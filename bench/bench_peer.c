/* genset-bench-peer [OPTION...] LIBRARIES MODEL: measures llama.cpp as `genset bench` measures
 * genset, and prints the same JSON.
 *
 *     -p N,N...  sizes of prompts       -n N  tokens of an answer     -c N     context, in tokens
 *     -d N,N...  tokens before answers  -t N  threads                 -k FILE  keeps the context of
 *     -s N,N...  answers at once        -r N  repetitions                      -d for the next run
 *
 * LIBRARIES is the folder of llama.cpp's release v0.5.0, whose interface (llama.h) is declared here
 * as far as it is used; its libraries are opened at run time. */
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/compiler.h"

#define RELEASE      "v0.5.0"
#define FIRST_PROMPT 16 /* tokens before the first token whose time is told */
#define MAX_SIZES    16
#define MAX_TOGETHER 64
#define BATCH_TOKENS 2048

/* ---- llama.h ---- */

struct llama_model_params {
    void *devices, *buffer_overrides;
    int32_t n_gpu_layers;
    int split_mode, load_mode, lazy_mode;
    int32_t main_gpu;
    const float *tensor_split;
    void *on_progress, *progress_data, *kv_overrides;
    bool vocab_only, check_tensors, use_extra_bufts, no_host, no_alloc, load_mtp;
};

struct llama_context_params {
    uint32_t n_ctx, n_batch, n_ubatch, n_seq_max, n_rs_seq, n_outputs_max, n_outputs_max_per_seq;
    int32_t n_threads, n_threads_batch;
    int context_type, rope_scaling_type, pooling_type, attention_type, flash_attn_type;
    float rope_freq_base, rope_freq_scale;
    float yarn_ext_factor, yarn_attn_factor, yarn_beta_fast, yarn_beta_slow;
    uint32_t yarn_orig_ctx;
    float defrag_thold;
    void *cb_eval, *cb_eval_data;
    int type_k, type_v;
    void *abort, *abort_data;
    bool embeddings, offload_kqv, no_perf, op_offload, swa_full, kv_unified;
    void *samplers;
    size_t n_samplers;
    void *ctx_other;
};

struct llama_batch {
    int32_t n_tokens;
    int32_t *token;
    float *embd;
    int32_t *pos;
    int32_t *n_seq_id;
    int32_t **seq_id;
    int8_t *logits;
};

static struct {
    void (*log_set)(void (*log)(int level, const char *text, void *ud), void *ud);
    void (*backend_load)(const char *folder);
    void (*backend_init)(void);
    struct llama_model_params (*model_params)(void);
    void *(*model_load)(const char *path, struct llama_model_params params);
    const void *(*model_vocab)(const void *model);
    int32_t (*n_vocab)(const void *vocab);
    struct llama_context_params (*context_params)(void);
    void *(*context_create)(void *model, struct llama_context_params params);
    void (*context_free)(void *ctx);
    struct llama_batch (*batch_init)(int32_t n_tokens, int32_t embd, int32_t n_seq_max);
    int32_t (*decode)(void *ctx, struct llama_batch batch);
    void (*synchronize)(void *ctx);
    void *(*memory)(const void *ctx);
    void (*memory_clear)(void *memory, bool data);
    size_t (*state_save)(void *ctx, const char *path, int32_t seq, const int32_t *ids, size_t n);
    size_t (*state_load)(void *ctx, const char *path, int32_t seq, int32_t *ids, size_t cap,
                         size_t *out_n);
} llama;

static void *open_library(const char *folder, const char *name)
{
    char path[4096];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    void *lib = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
    if (!lib)
        fprintf(stderr, "genset-bench-peer: %s\n", dlerror());
    return lib;
}

static bool find(void *lib, const char *name, void *out_function)
{
    void *symbol = dlsym(lib, name);

    memcpy(out_function, &symbol, sizeof(symbol));
    if (!symbol)
        fprintf(stderr, "genset-bench-peer: %s is missing\n", name);
    return symbol != NULL;
}

static void print_errors(int level, const char *text, void *ud)
{
    (void)ud;
    if (level == 4)
        fputs(text, stderr);
}

static bool open_llama(const char *folder)
{
    void *base = open_library(folder, "libggml-base.so");
    void *ggml = base ? open_library(folder, "libggml." RELEASE ".so") : NULL;
    void *lib = ggml ? open_library(folder, "libllama." RELEASE ".so") : NULL;

    return lib && find(lib, "llama_log_set", &llama.log_set) &&
           find(ggml, "ggml_backend_load_all_from_path", &llama.backend_load) &&
           find(lib, "llama_backend_init", &llama.backend_init) &&
           find(lib, "llama_model_default_params", &llama.model_params) &&
           find(lib, "llama_model_load_from_file", &llama.model_load) &&
           find(lib, "llama_model_get_vocab", &llama.model_vocab) &&
           find(lib, "llama_vocab_n_tokens", &llama.n_vocab) &&
           find(lib, "llama_context_default_params", &llama.context_params) &&
           find(lib, "llama_init_from_model", &llama.context_create) &&
           find(lib, "llama_free", &llama.context_free) &&
           find(lib, "llama_batch_init", &llama.batch_init) &&
           find(lib, "llama_decode", &llama.decode) &&
           find(lib, "llama_synchronize", &llama.synchronize) &&
           find(lib, "llama_get_memory", &llama.memory) &&
           find(lib, "llama_memory_clear", &llama.memory_clear) &&
           find(lib, "llama_state_seq_save_file", &llama.state_save) &&
           find(lib, "llama_state_seq_load_file", &llama.state_load);
}

/* ---- measuring ---- */

struct sizes {
    long at[MAX_SIZES];
    size_t n;
};

struct peer {
    struct sizes prompts, depths, together;
    long n_answer, n_ctx, n_threads, n_repetitions;
    const char *kept; /* file of a context, or NULL */
    void *model, *ctx;
    long n_vocab;
    struct llama_batch batch;
    int64_t started_us;
    bool failed;
};

static double seconds_since(int64_t start_us)
{
    return (double)(gs_clock_mono_us() - start_us) * 1e-6;
}

static void open_context(struct peer *p, long n_tokens, long n_sequences)
{
    struct llama_context_params params = llama.context_params();

    if (p->ctx)
        llama.context_free(p->ctx);
    params.n_ctx = (uint32_t)GS_MAX(n_tokens * n_sequences, p->n_ctx);
    params.n_seq_max = (uint32_t)n_sequences;
    params.n_batch = BATCH_TOKENS;
    params.n_threads = params.n_threads_batch = (int32_t)p->n_threads;
    p->ctx = llama.context_create(p->model, params);
    p->failed = p->failed || !p->ctx;
}

static void add_token(struct peer *p, long pos, long sequence, bool wanted)
{
    struct llama_batch *b = &p->batch;
    const int32_t i = b->n_tokens++;

    b->token[i] = (int32_t)(((pos + 1) * 7919 + sequence * 104729) % p->n_vocab);
    b->pos[i] = (int32_t)pos;
    b->n_seq_id[i] = 1;
    b->seq_id[i][0] = (int32_t)sequence;
    b->logits[i] = wanted;
}

static void decode(struct peer *p)
{
    if (!p->failed && llama.decode(p->ctx, p->batch) != 0)
        p->failed = true;
    if (!p->failed)
        llama.synchronize(p->ctx);
    p->batch.n_tokens = 0;
}

static void clear(struct peer *p)
{
    if (!p->failed)
        llama.memory_clear(llama.memory(p->ctx), true);
}

/* Tokens [from, to) of sequence 0. */
static void feed(struct peer *p, long from, long to)
{
    for (long pos = from; pos < to; pos++) {
        add_token(p, pos, 0, pos == to - 1);
        if (p->batch.n_tokens == BATCH_TOKENS || pos == to - 1)
            decode(p);
    }
}

static double measure_prompt(struct peer *p, long n)
{
    clear(p);
    const int64_t start = gs_clock_mono_us();
    feed(p, 0, n);
    return (double)n / seconds_since(start);
}

static bool load_kept(struct peer *p, long depth)
{
    int32_t ids[1];
    char path[4096];
    size_t n;

    snprintf(path, sizeof(path), "%s-%ld", p->kept ? p->kept : "", depth);
    return p->kept && access(path, R_OK) == 0 && llama.state_load(p->ctx, path, 0, ids, 1, &n) > 0;
}

static void keep(struct peer *p, long depth)
{
    char path[4096];
    char part[4096];

    snprintf(path, sizeof(path), "%s-%ld", p->kept, depth);
    if ((size_t)snprintf(part, sizeof(part), "%s.part", path) < sizeof(part) &&
        llama.state_save(p->ctx, part, 0, NULL, 0) > 0 && rename(part, path) != 0)
        remove(part);
}

/* `depth` tokens: as a former run kept them, or half of them and the rest computed. */
static void fill(struct peer *p, long depth)
{
    clear(p);
    if (depth == 0 || p->failed || load_kept(p, depth))
        return;
    feed(p, load_kept(p, depth / 2) ? depth / 2 : 0, depth);
    if (p->kept && !p->failed)
        keep(p, depth);
}

static double measure_answer(struct peer *p, long depth)
{
    fill(p, depth);
    const int64_t start = gs_clock_mono_us();
    for (long i = 0; i < p->n_answer; i++) {
        add_token(p, depth + i, 0, true);
        decode(p);
    }
    return (double)p->n_answer / seconds_since(start);
}

static double measure_together(struct peer *p, long n)
{
    int64_t start = 0;

    open_context(p, FIRST_PROMPT + p->n_answer + 1, n);
    for (long s = 0; s < n; s++) {
        for (long pos = 0; pos < FIRST_PROMPT; pos++)
            add_token(p, pos, s, pos == FIRST_PROMPT - 1);
        decode(p);
    }
    start = gs_clock_mono_us();
    for (long i = 0; i < p->n_answer; i++) {
        for (long s = 0; s < n; s++)
            add_token(p, FIRST_PROMPT + i, s, true);
        decode(p);
    }
    return (double)(n * p->n_answer) / seconds_since(start);
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;

    return (x > y) - (x < y);
}

static void measure(struct peer *p, const char *test, const char *size_key,
                    const struct sizes *sizes, double (*once)(struct peer *p, long size))
{
    double *rates = gs_alloc_array((size_t)p->n_repetitions, sizeof(*rates));
    const size_t n = (size_t)p->n_repetitions;

    p->failed = p->failed || !rates;
    printf(",\"%s\":[", test);
    for (size_t k = 0; k < sizes->n && !p->failed && p->n_answer > 0; k++) {
        for (size_t i = 0; i < n; i++)
            rates[i] = once(p, sizes->at[k]);
        qsort(rates, n, sizeof(*rates), compare);
        printf("%s{\"%s\":%ld,\"tps\":%.3f}", k ? "," : "", size_key, sizes->at[k], rates[n / 2]);
    }
    printf("]");
    gs_free(rates);
}

static long largest(const struct sizes *s)
{
    long max = 0;

    for (size_t i = 0; i < s->n; i++)
        max = GS_MAX(max, s->at[i]);
    return max;
}

static bool run(struct peer *p, const char *path)
{
    struct llama_model_params params = llama.model_params();
    params.n_gpu_layers = 0;
    p->model = llama.model_load(path, params);
    if (!p->model)
        return false;
    const double load_s = seconds_since(p->started_us);
    p->n_vocab = llama.n_vocab(llama.model_vocab(p->model));
    p->batch = llama.batch_init(BATCH_TOKENS, 0, 1);
    open_context(
        p,
        GS_MAX(GS_MAX(FIRST_PROMPT, largest(&p->prompts)), largest(&p->depths) + p->n_answer) + 1,
        1);
    feed(p, 0, FIRST_PROMPT);
    printf("{\"engine\":\"llama.cpp " RELEASE "\",\"threads\":%ld,\"load_s\":%.4f"
           ",\"first_token_s\":%.4f",
           p->n_threads, load_s, seconds_since(p->started_us));
    measure(p, "prompt", "tokens", &p->prompts, measure_prompt);
    measure(p, "answer", "depth", &p->depths, measure_answer);
    measure(p, "together", "answers", &p->together, measure_together);
    printf("}\n");
    return !p->failed;
}

/* ---- arguments ---- */

static long read_number(const char *text)
{
    char *end;
    const long v = strtol(text, &end, 10);

    return end == text || *end || v < 0 || v > 1 << 20 ? -1 : v;
}

static bool read_sizes(char *text, long most, struct sizes *out)
{
    char *end = text;

    out->n = 0;
    while (*text) {
        const long v = strtol(text, &end, 10);
        if (end == text || (*end && *end != ',') || v < 0 || v > most || out->n == MAX_SIZES)
            return false;
        out->at[out->n++] = v;
        text = end + (*end == ',');
    }
    return true;
}

static bool read_options(struct peer *p, int argc, char **argv)
{
    bool ok = true;
    int option = getopt(argc, argv, "p:d:s:n:t:r:c:k:");

    for (; option != -1; option = getopt(argc, argv, "p:d:s:n:t:r:c:k:")) {
        if (option == 'p')
            ok = read_sizes(optarg, 1 << 20, &p->prompts) && ok;
        else if (option == 'd')
            ok = read_sizes(optarg, 1 << 20, &p->depths) && ok;
        else if (option == 's')
            ok = read_sizes(optarg, MAX_TOGETHER, &p->together) && ok;
        else if (option == 'n')
            p->n_answer = read_number(optarg);
        else if (option == 't')
            p->n_threads = read_number(optarg);
        else if (option == 'r')
            p->n_repetitions = read_number(optarg);
        else if (option == 'c')
            p->n_ctx = read_number(optarg);
        else if (option == 'k')
            p->kept = optarg;
        else
            ok = false;
    }
    return ok && p->n_answer >= 0 && p->n_threads >= 1 && p->n_repetitions >= 1 && p->n_ctx >= 0;
}

/* Ends without giving memory back, which a program that is asked for one token need not do. */
int main(int argc, char **argv)
{
    struct peer p = {.n_threads = 1, .n_repetitions = 1, .started_us = gs_clock_mono_us()};

    if (!read_options(&p, argc, argv) || argc - optind != 2) {
        fprintf(stderr, "usage: genset-bench-peer [-p N,N] [-d N,N] [-s N,N] [-n N] [-t N] [-r N] "
                        "[-c N] [-k FILE] LIBRARIES MODEL\n");
        return 2;
    }
    if (!open_llama(argv[optind]))
        return 1;
    llama.log_set(print_errors, NULL);
    llama.backend_load(argv[optind]);
    llama.backend_init();
    const bool ok = run(&p, argv[optind + 1]);
    fflush(stdout);
    if (!ok)
        fprintf(stderr, "genset-bench-peer: llama.cpp could not compute the model\n");
    _exit(ok ? 0 : 1);
}
