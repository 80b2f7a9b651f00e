/* What the server is doing: llama-server's /slots, and /metrics in Prometheus' text format
 * (https://prometheus.io/docs/instrumenting/exposition_formats/). Nothing of what is asked or
 * answered is told. */
#include "base/clock.h"
#include "base/slice.h"
#include "provider/local.h"
#include "server/state.h"
#include "json/json.h"

void gs_server_gauges_count(struct gs_server *s, const struct gs_usage *u, int status)
{
    struct gs_server_counts *c = &s->counts;

    c->n_requests++;
    c->n_refused += status >= 400 && status < 500;
    c->n_failed += status >= 500;
    c->prompt_tokens += u->prompt_tokens;
    c->cached_tokens += u->cached_tokens;
    c->answer_tokens += u->answer_tokens;
    c->prefill_us += u->prefill_us;
    c->decode_us += u->decode_us;
}

/* ---- slots ---- */

static const struct gs_local_model *loaded_model(const struct gs_server *s)
{
    const struct gs_local_model *list;
    const size_t n = s->opt.backend.models(s->opt.backend.self, &list);

    for (size_t i = 0; i < n; i++) {
        if (list[i].is_loaded && list[i].purpose == GS_LOCAL_WRITING)
            return &list[i];
    }
    return NULL;
}

static void write_slot(struct gs_buf *b, size_t id, int64_t ctx_tokens,
                       const struct gs_server_exchange *ex)
{
    gs_buf_printf(b, "{\"id\":%zu,\"n_ctx\":%lld,\"speculative\":false,\"is_processing\":%s", id,
                  (long long)ctx_tokens, ex ? "true" : "false");
    if (ex) {
        gs_buf_puts(b, ",\"id_task\":");
        gs_json_write_string(b, gs_slice_str(ex->id));
        gs_buf_printf(b,
                      ",\"n_prompt_tokens\":%lld,\"next_token\":[{\"has_next_token\":true,"
                      "\"n_decoded\":%lld}]",
                      (long long)ex->usage.prompt_tokens, (long long)ex->usage.answer_tokens);
    }
    gs_buf_putc(b, '}');
}

static bool is_answer(const struct gs_server_exchange *ex)
{
    return ex->http && !ex->ctx.errand && !ex->ctx.texts && !ex->ctx.is_count;
}

/* One for each running answer; an idle one if there is none. */
void gs_server_gauges_slots(const struct gs_server *s, struct gs_buf *b)
{
    const struct gs_local_model *m = loaded_model(s);
    const int64_t ctx_tokens = m ? m->fit_tokens : 0;
    size_t n = 0;

    gs_buf_putc(b, '[');
    for (const struct gs_server_exchange *ex = s->exchanges; ex; ex = ex->next) {
        if (!is_answer(ex))
            continue;
        gs_buf_puts(b, n ? "," : "");
        write_slot(b, n++, ctx_tokens, ex);
    }
    if (n == 0)
        write_slot(b, 0, ctx_tokens, NULL);
    gs_buf_putc(b, ']');
}

/* ---- metrics ---- */

static void write_metric(struct gs_buf *b, const char *name, const char *type, const char *help,
                         double value)
{
    gs_buf_printf(b, "# HELP genset_%s %s\n# TYPE genset_%s %s\ngenset_%s %.15g\n", name, help,
                  name, type, name, value);
}

void gs_server_gauges_metrics(const struct gs_server *s, struct gs_buf *b)
{
    const struct gs_server_counts *c = &s->counts;
    size_t n_running = 0;
    size_t n_waiting = 0;

    for (const struct gs_server_exchange *ex = s->exchanges; ex; ex = ex->next) {
        const bool has_begun = ex->usage.prompt_tokens > 0;
        n_running += is_answer(ex) && has_begun;
        n_waiting += is_answer(ex) && !has_begun;
    }
    write_metric(b, "requests_total", "counter", "Requests answered.", (double)c->n_requests);
    write_metric(b, "requests_refused_total", "counter", "Of them, with a status from 400 to 499.",
                 (double)c->n_refused);
    write_metric(b, "requests_failed_total", "counter", "Of them, with a status from 500 on.",
                 (double)c->n_failed);
    write_metric(b, "prompt_tokens_total", "counter", "Tokens of all prompts.",
                 (double)c->prompt_tokens);
    write_metric(b, "cached_tokens_total", "counter", "Of them, not computed again.",
                 (double)c->cached_tokens);
    write_metric(b, "answer_tokens_total", "counter", "Tokens of all answers.",
                 (double)c->answer_tokens);
    write_metric(b, "prefill_seconds_total", "counter", "Time prompts took, of all requests.",
                 (double)c->prefill_us / 1e6);
    write_metric(b, "decode_seconds_total", "counter", "Time answers took, of all requests.",
                 (double)c->decode_us / 1e6);
    write_metric(b, "requests_running", "gauge", "Answers being computed.", (double)n_running);
    write_metric(b, "requests_waiting", "gauge", "Answers that have not begun.", (double)n_waiting);
}
