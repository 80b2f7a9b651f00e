/* genset bench: how fast a model opens, reads prompts and answers, alone and several at once.
 *
 * Prompts and single answers are measured with random tokens through a session; answers together
 * through the engine, as a server computes them. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/os.h"
#include "base/rng.h"
#include "base/slice.h"
#include "cli/cli.h"
#include "json/json.h"

#define FIRST_PROMPT 16 /* tokens before the first token whose time is told */
#define MAX_SIZES    16 /* of one list */
#define MAX_TOGETHER 64

struct sizes {
    int64_t at[MAX_SIZES];
    size_t n;
};

struct bench {
    const struct gs_config *config;
    struct sizes prompts, depths, together;
    int64_t n_answer, n_repetitions;
    gs_llm *llm;
    gs_session *session;
    int32_t *ids; /* random tokens, as many as the session holds */

    double load_s, first_token_s;
    double prompt_tps[MAX_SIZES], answer_tps[MAX_SIZES], together_tps[MAX_SIZES]; /* medians */
    struct gs_os_usage usage;
};

/* ---- what is asked for ---- */

/* "128,512" */
static bool parse_sizes(const char *text, int64_t least, int64_t most, struct sizes *out)
{
    struct gs_slice rest = gs_slice_str(text ? text : "");

    *out = (struct sizes){0};
    while (rest.len > 0) {
        const size_t comma = GS_MIN(gs_slice_find(rest, GS_SLICE_LIT(","), 0), rest.len);
        int64_t v;
        if (out->n == MAX_SIZES || !gs_slice_to_i64(gs_slice_sub(rest, 0, comma), &v) ||
            v < least || v > most)
            return false;
        out->at[out->n++] = v;
        rest = gs_slice_sub(rest, GS_MIN(comma + 1, rest.len), rest.len);
    }
    return true;
}

static int64_t largest(const struct sizes *s)
{
    int64_t max = 0;

    for (size_t i = 0; i < s->n; i++)
        max = GS_MAX(max, s->at[i]);
    return max;
}

static int read_plan(struct bench *b)
{
    const struct gs_config *c = b->config;
    const char *hint = "Sizes are whole numbers with commas between, as 128,512.";

    if (!parse_sizes(c->prompt_tokens, 0, 1 << 20, &b->prompts))
        return gs_cli_fail_usage("--prompt-tokens: sizes from 0 to 1048576 expected", hint);
    if (!parse_sizes(c->depths, 0, 1 << 20, &b->depths))
        return gs_cli_fail_usage("--depth: sizes from 0 to 1048576 expected", hint);
    if (!parse_sizes(c->together, 1, MAX_TOGETHER, &b->together))
        return gs_cli_fail_usage("--together: numbers from 1 to 64 expected", hint);
    b->n_answer = c->answer_tokens;
    b->n_repetitions = c->repetitions;
    return GS_EXIT_OK;
}

/* ---- measuring ---- */

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *v, size_t n)
{
    qsort(v, n, sizeof(*v), compare);
    return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static double seconds_since(int64_t start_us)
{
    return (double)(gs_clock_mono_us() - start_us) * 1e-6;
}

static double rate(int64_t n_tokens, double seconds)
{
    return seconds > 0 ? (double)n_tokens / seconds : 0;
}

/* Measures one figure once. */
typedef enum gs_status measure_fn(struct bench *b, int64_t size, double *out_tps,
                                  struct gs_error *err);

static enum gs_status feed(struct bench *b, int64_t n, struct gs_error *err)
{
    gs_session_reset(b->session);
    return n > 0 ? gs_session_feed(b->session, b->ids, (size_t)n, 1, err) : GS_OK;
}

static enum gs_status measure_prompt(struct bench *b, int64_t n, double *out_tps,
                                     struct gs_error *err)
{
    const int64_t start = gs_clock_mono_us();
    const enum gs_status st = feed(b, n, err);

    *out_tps = rate(n, seconds_since(start));
    return st;
}

/* Token by token, with `depth` tokens before. */
static enum gs_status measure_answer(struct bench *b, int64_t depth, double *out_tps,
                                     struct gs_error *err)
{
    enum gs_status st = feed(b, depth, err);
    const int64_t start = gs_clock_mono_us();

    for (int64_t i = 0; st == GS_OK && i < b->n_answer; i++)
        st = gs_session_feed(b->session, b->ids + depth + i, 1, 1, err);
    *out_tps = rate(b->n_answer, seconds_since(start));
    return st;
}

struct ending {
    struct gs_usage usage;
    struct gs_error err;
};

static enum gs_flow on_event(void *ud, const struct gs_event *ev)
{
    struct ending *e = ud;

    if (ev->kind == GS_EVENT_STOP)
        e->usage = ev->usage;
    else if (ev->kind == GS_EVENT_ERROR)
        e->err = *ev->error;
    return GS_FLOW_CONTINUE;
}

/* Every answer's own speed, from its first token on; they run side by side. */
static enum gs_status measure_together(struct bench *b, int64_t n, double *out_tps,
                                       struct gs_error *err)
{
    const struct gs_chat chat = {
        .sampling = {.top_p = 1, .typical_p = 1, .repeat_penalty = 1},
        .max_tokens = b->n_answer + 1,
        .is_raw = true,
        .raw_prompt = GS_SLICE_LIT("Counting from one upwards: 1 2 3 4"),
    };
    struct ending endings[MAX_TOGETHER] = {0};
    gs_answer *answers[MAX_TOGETHER] = {0};
    enum gs_status st = GS_OK;

    *out_tps = 0;
    for (int64_t i = 0; st == GS_OK && i < n; i++)
        st = gs_llm_answer(b->llm, &chat, on_event, &endings[i], &answers[i], err);
    for (int64_t i = 0; i < n; i++) {
        const struct ending *e = &endings[i];
        if (answers[i])
            gs_answer_wait(answers[i]);
        gs_answer_free(answers[i]);
        if (st == GS_OK && e->err.code != GS_OK) {
            *err = e->err;
            st = e->err.code;
        }
        *out_tps += rate(e->usage.answer_tokens - 1, (double)e->usage.decode_us * 1e-6);
    }
    return st;
}

static enum gs_status repeat(struct bench *b, measure_fn *measure, const struct sizes *sizes,
                             double *out_tps, struct gs_error *err)
{
    const size_t n = (size_t)b->n_repetitions;
    enum gs_status st = GS_OK;

    double *rates = gs_alloc_array(n, sizeof(*rates));
    if (!rates)
        return gs_error_nomem(err, "measure a model");
    for (size_t k = 0; st == GS_OK && k < sizes->n; k++) {
        for (size_t i = 0; st == GS_OK && i < n; i++)
            st = measure(b, sizes->at[k], &rates[i], err);
        out_tps[k] = median(rates, n);
    }
    gs_free(rates);
    return st;
}

static enum gs_status open_session(struct bench *b, struct gs_error *err)
{
    const int64_t n =
        GS_MAX(GS_MAX(FIRST_PROMPT, largest(&b->prompts)), largest(&b->depths) + b->n_answer);
    struct gs_llm_info info;
    struct gs_rng rng;

    gs_llm_info(b->llm, &info);
    b->ids = gs_alloc_array((size_t)n, sizeof(*b->ids));
    if (!b->ids)
        return gs_error_nomem(err, "measure a model");
    gs_rng_seed(&rng, 1);
    for (int64_t i = 0; i < n; i++)
        b->ids[i] = (int32_t)(gs_rng_u64(&rng) % (uint64_t)info.n_vocab);
    const int64_t ctx = b->config->ctx_tokens;
    return gs_session_create(b->llm, ctx ? ctx : n + 1, &b->session, err);
}

static enum gs_status measure_all(struct bench *b, int64_t started_us, struct gs_error *err)
{
    enum gs_status st = open_session(b, err);

    if (st == GS_OK)
        st = feed(b, FIRST_PROMPT, err);
    b->first_token_s = seconds_since(started_us);
    if (st == GS_OK)
        st = repeat(b, measure_prompt, &b->prompts, b->prompt_tps, err);
    if (st == GS_OK && b->n_answer > 0)
        st = repeat(b, measure_answer, &b->depths, b->answer_tps, err);
    if (st == GS_OK && b->n_answer > 0)
        st = repeat(b, measure_together, &b->together, b->together_tps, err);
    gs_os_usage(&b->usage);
    return st;
}

/* ---- the report ---- */

static void put_list(struct gs_buf *out, const char *key, const char *size_key,
                     const struct sizes *sizes, const double *tps)
{
    gs_cli_put_key(out, key);
    gs_buf_putc(out, '[');
    for (size_t i = 0; i < sizes->n; i++)
        gs_buf_printf(out, "%s{\"%s\":%" PRId64 ",\"tps\":%.3f}", i ? "," : "", size_key,
                      sizes->at[i], tps[i]);
    gs_buf_putc(out, ']');
}

static void put_json(struct gs_buf *out, const struct bench *b, const struct gs_llm_info *info)
{
    gs_buf_puts(out, "{\"model\":");
    gs_json_write_string(out, gs_slice_str(info->name));
    gs_cli_put_key(out, "quant");
    gs_json_write_string(out, gs_slice_str(info->quant));
    gs_cli_put_key(out, "cpu");
    gs_json_write_string(out, gs_slice_str(info->cpu));
    gs_buf_printf(out,
                  ",\"threads\":%" PRId32 ",\"answer_tokens\":%" PRId64 ",\"repetitions\":%" PRId64
                  ",\"load_s\":%.4f,\"first_token_s\":%.4f",
                  info->n_threads, b->n_answer, b->n_repetitions, b->load_s, b->first_token_s);
    put_list(out, "prompt", "tokens", &b->prompts, b->prompt_tps);
    put_list(out, "answer", "depth", &b->depths, b->answer_tps);
    put_list(out, "together", "answers", &b->together, b->together_tps);
    gs_buf_printf(out,
                  ",\"rss_bytes\":%" PRId64 ",\"rss_peak_bytes\":%" PRId64
                  ",\"anon_bytes\":%" PRId64 "}\n",
                  b->usage.rss_bytes, b->usage.peak_bytes, b->usage.anon_bytes);
}

static void put_rates(struct gs_buf *out, const char *name, const char *what,
                      const struct sizes *sizes, const double *tps)
{
    for (size_t i = 0; i < sizes->n; i++)
        gs_buf_printf(out, "%-11s %.1f tokens/s (%" PRId64 " %s)\n", i ? "" : name, tps[i],
                      sizes->at[i], what);
}

static void put_table(struct gs_buf *out, const struct bench *b, const struct gs_llm_info *info)
{
    gs_buf_printf(out, "model       %s (%s, %s, ", info->name, info->arch, info->quant);
    gs_cli_put_size(out, info->file_bytes);
    gs_buf_printf(out, ")\ncompute     %" PRId32 " threads, %s\n", info->n_threads, info->cpu);
    gs_buf_printf(out, "load        %.2f s, first token after %.2f s\n", b->load_s,
                  b->first_token_s);
    put_rates(out, "prompt", "tokens", &b->prompts, b->prompt_tps);
    if (b->n_answer > 0) {
        put_rates(out, "answer", "tokens of context before", &b->depths, b->answer_tps);
        put_rates(out, "together", "answers at once", &b->together, b->together_tps);
    }
    gs_buf_puts(out, "memory      ");
    gs_cli_put_size(out, b->usage.peak_bytes);
    gs_buf_puts(out, " at most, ");
    gs_cli_put_size(out, b->usage.anon_bytes);
    gs_buf_puts(out, " of it besides the model's file\n");
}

int gs_cli_bench(struct gs_config *c, struct gs_buf *out)
{
    const int64_t start = gs_clock_mono_us();
    struct bench b = {.config = c};
    struct gs_llm_options opt;
    struct gs_llm_info info;
    struct gs_error err = {0};

    const int usage = read_plan(&b);
    if (usage != GS_EXIT_OK)
        return usage;
    gs_cli_llm_options(c, &opt);
    opt.max_sequences = (int32_t)GS_MAX(1, largest(&b.together));
    if (gs_cli_model_open(c, c->args.items[0], &opt, &b.llm, &err) != GS_OK)
        return gs_cli_fail_model(&err);
    b.load_s = seconds_since(start);
    const enum gs_status st = measure_all(&b, start, &err);
    if (st == GS_OK) {
        gs_llm_info(b.llm, &info);
        if (c->json)
            put_json(out, &b, &info);
        else
            put_table(out, &b, &info);
    }
    gs_session_free(b.session);
    gs_llm_close(b.llm);
    gs_free(b.ids);
    return st == GS_OK ? GS_EXIT_OK : gs_cli_fail(&err, GS_EXIT_FAILED);
}
