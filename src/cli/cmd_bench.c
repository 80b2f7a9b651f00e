/* genset bench: how fast a model loads, reads a prompt and answers. */
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

struct figures {
    double pp_tps, tg_tps; /* tokens per second, medians */
    double load_s;
    int64_t rss_bytes;
};

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

static double rate(int64_t n_tokens, int64_t since_us)
{
    const int64_t us = gs_clock_mono_us() - since_us;

    return n_tokens > 0 ? (double)n_tokens * 1e6 / (double)GS_MAX(us, 1) : 0;
}

/* One repetition: the prompt at once, then the answer token by token. */
static enum gs_status measure(gs_session *s, const struct gs_config *c, const int32_t *ids,
                              double *out_pp, double *out_tg, struct gs_error *err)
{
    const size_t n_prompt = (size_t)c->prompt_tokens;
    enum gs_status st = GS_OK;

    gs_session_reset(s);
    int64_t start = gs_clock_mono_us();
    if (n_prompt > 0)
        st = gs_session_feed(s, ids, n_prompt, 1, err);
    if (st != GS_OK)
        return st;
    *out_pp = rate(c->prompt_tokens, start);
    start = gs_clock_mono_us();
    for (int64_t i = 0; st == GS_OK && i < c->answer_tokens; i++)
        st = gs_session_feed(s, ids + n_prompt + i, 1, 1, err);
    if (st == GS_OK)
        *out_tg = rate(c->answer_tokens, start);
    return st;
}

static enum gs_status repeat(gs_session *s, const struct gs_config *c, const int32_t *ids,
                             struct figures *f, struct gs_error *err)
{
    const size_t n = (size_t)c->repetitions;
    enum gs_status st = GS_OK;

    double *rates = gs_alloc_array(2 * n, sizeof(*rates)); /* prompt, then answer */
    if (!rates)
        return gs_error_nomem(err, "measure a model");
    for (size_t i = 0; st == GS_OK && i < n; i++)
        st = measure(s, c, ids, &rates[i], &rates[n + i], err);
    f->pp_tps = median(rates, n);
    f->tg_tps = median(rates + n, n);
    f->rss_bytes = gs_os_rss_bytes();
    gs_free(rates);
    return st;
}

static enum gs_status bench(gs_llm *llm, const struct gs_config *c, struct figures *f,
                            struct gs_error *err)
{
    const int64_t n = c->prompt_tokens + c->answer_tokens;
    struct gs_llm_info info;
    struct gs_rng rng;
    gs_session *s = NULL;

    gs_llm_info(llm, &info);
    int32_t *ids = gs_alloc_array((size_t)n, sizeof(*ids));
    if (!ids)
        return gs_error_nomem(err, "measure a model");
    gs_rng_seed(&rng, 1);
    for (int64_t i = 0; i < n; i++)
        ids[i] = (int32_t)(gs_rng_u64(&rng) % (uint64_t)info.n_vocab);
    enum gs_status st = gs_session_create(llm, c->ctx_tokens ? c->ctx_tokens : n + 1, &s, err);
    if (st == GS_OK)
        st = repeat(s, c, ids, f, err);
    gs_session_free(s);
    gs_free(ids);
    return st;
}

static void put_json(struct gs_buf *out, const struct gs_config *c, const struct gs_llm_info *info,
                     const struct figures *f)
{
    gs_buf_puts(out, "{\"model\":");
    gs_json_write_string(out, gs_slice_str(info->name));
    gs_buf_puts(out, ",\"quant\":");
    gs_json_write_string(out, gs_slice_str(info->quant));
    gs_buf_puts(out, ",\"cpu\":");
    gs_json_write_string(out, gs_slice_str(info->cpu));
    gs_buf_printf(out,
                  ",\"threads\":%" PRId32 ",\"prompt_tokens\":%" PRId64
                  ",\"answer_tokens\":%" PRId64 ",\"repetitions\":%" PRId64
                  ",\"pp_tps\":%.3f,\"tg_tps\":%.3f,\"load_s\":%.4f,\"rss_bytes\":%" PRId64 "}\n",
                  info->n_threads, c->prompt_tokens, c->answer_tokens, c->repetitions, f->pp_tps,
                  f->tg_tps, f->load_s, f->rss_bytes);
}

static void put_table(struct gs_buf *out, const struct gs_config *c, const struct gs_llm_info *info,
                      const struct figures *f)
{
    gs_buf_printf(out, "model       %s (%s, %s, ", info->name, info->arch, info->quant);
    gs_cli_put_size(out, info->file_bytes);
    gs_buf_printf(out, ")\ncompute     %" PRId32 " threads, %s\n", info->n_threads, info->cpu);
    gs_buf_printf(out, "load        %.2f s\n", f->load_s);
    gs_buf_printf(out, "prompt      %.1f tokens/s (%" PRId64 " tokens)\n", f->pp_tps,
                  c->prompt_tokens);
    gs_buf_printf(out, "answer      %.1f tokens/s (%" PRId64 " tokens)\n", f->tg_tps,
                  c->answer_tokens);
    gs_buf_puts(out, "memory      ");
    gs_cli_put_size(out, f->rss_bytes);
    gs_buf_putc(out, '\n');
}

int gs_cli_bench(struct gs_config *c, struct gs_buf *out)
{
    struct gs_llm_options opt;
    struct gs_llm_info info;
    struct gs_error err = {0};
    struct figures f = {0};
    gs_llm *llm = NULL;

    gs_cli_llm_options(c, &opt);
    opt.max_sequences = 1;
    const int64_t start = gs_clock_mono_us();
    if (gs_cli_model_open(c, c->args.items[0], &opt, &llm, &err) != GS_OK)
        return gs_cli_fail_model(&err);
    f.load_s = (double)(gs_clock_mono_us() - start) / 1e6;
    const enum gs_status st = bench(llm, c, &f, &err);
    if (st == GS_OK) {
        gs_llm_info(llm, &info);
        if (c->json)
            put_json(out, c, &info, &f);
        else
            put_table(out, c, &info, &f);
    }
    gs_llm_close(llm);
    return st == GS_OK ? GS_EXIT_OK : gs_cli_fail(&err, GS_EXIT_FAILED);
}
