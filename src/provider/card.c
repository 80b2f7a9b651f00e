/* What a model file says of itself, for whoever asks to be shown it: its metadata and tensors as
 * JSON, and what the model can do. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/slice.h"
#include "genset/genset.h"
#include "gguf/gguf.h"
#include "provider/shelf_files.h"
#include "json/json.h"

#define MAX_SHORT_ITEMS 16 /* longer lists are shown on request only */

/* ---- metadata ---- */

static void write_item(struct gs_buf *b, const struct gs_gguf_value *v, enum gs_gguf_kind kind,
                       uint64_t i)
{
    if (kind == GS_GGUF_STRING)
        gs_json_write_string(b, v->kind == GS_GGUF_ARRAY
                                    ? v->strings[i]
                                    : gs_slice((const char *)v->data, v->data_bytes));
    else if (kind == GS_GGUF_BOOL)
        gs_buf_puts(b, gs_gguf_item_i64(v, i) ? "true" : "false");
    else if (kind == GS_GGUF_U64)
        gs_buf_printf(b, "%llu", (unsigned long long)gs_gguf_item_i64(v, i));
    else if (gs_gguf_kind_is_integer(kind))
        gs_buf_printf(b, "%lld", (long long)gs_gguf_item_i64(v, i));
    else
        gs_json_write_double(b, gs_gguf_item_f64(v, i));
}

static void write_value(struct gs_buf *b, const struct gs_gguf_value *v, bool wants_lists)
{
    if (v->kind != GS_GGUF_ARRAY) {
        write_item(b, v, v->kind, 0);
        return;
    }
    if (!wants_lists && v->n_items > MAX_SHORT_ITEMS) {
        gs_buf_puts(b, "null");
        return;
    }
    gs_buf_putc(b, '[');
    for (uint64_t i = 0; i < v->n_items && gs_buf_ok(b); i++) {
        if (i)
            gs_buf_putc(b, ',');
        write_item(b, v, v->item_kind, i);
    }
    gs_buf_putc(b, ']');
}

/* The template is shown by itself; what clients rely on and not every file has is added. Of a model
 * that is open, the context is what a conversation may use here. */
static void write_metadata(struct gs_buf *b, const struct gs_gguf *f, const struct gs_errand *e)
{
    const struct gs_local_model *m = &e->models[0];

    gs_buf_printf(b, "{\"general.parameter_count\":%llu",
                  (unsigned long long)gs_gguf_param_count(f));
    if (!gs_gguf_find(f, "general.basename")) {
        gs_buf_puts(b, ",\"general.basename\":");
        gs_json_write_string(b, gs_slice_str(m->name));
    }
    for (size_t i = 0; i < gs_gguf_value_count(f); i++) {
        const struct gs_gguf_value *v = gs_gguf_value_at(f, i);
        if (gs_slice_eq_str(v->key, "tokenizer.chat_template") ||
            gs_slice_eq_str(v->key, "general.parameter_count"))
            continue;
        gs_buf_putc(b, ',');
        gs_json_write_string(b, v->key);
        gs_buf_putc(b, ':');
        if (m->fit_tokens && gs_slice_ends(v->key, GS_SLICE_LIT(".context_length")))
            gs_buf_printf(b, "%lld", (long long)m->fit_tokens);
        else
            write_value(b, v, e->wants_lists);
    }
    gs_buf_putc(b, '}');
}

static void write_tensors(struct gs_buf *b, const struct gs_gguf *f)
{
    gs_buf_putc(b, '[');
    for (size_t i = 0; i < gs_gguf_tensor_count(f); i++) {
        const struct gs_gguf_tensor *t = gs_gguf_tensor_at(f, i);
        gs_buf_puts(b, i ? ",{\"name\":" : "{\"name\":");
        gs_json_write_string(b, t->name);
        gs_buf_printf(b, ",\"type\":\"%s\",\"shape\":[", gs_type_name(t->type));
        for (uint32_t d = 0; d < t->n_dims; d++)
            gs_buf_printf(b, "%s%llu", d ? "," : "", (unsigned long long)t->dims[d]);
        gs_buf_puts(b, "]}");
    }
    gs_buf_putc(b, ']');
}

/* Move a buffer's bytes into the arena. */
static enum gs_status keep(struct gs_errand *e, struct gs_buf *b, struct gs_slice *out,
                           struct gs_error *err)
{
    const bool fits = gs_buf_ok(b) && gs_arena_dup(e->arena, gs_buf_view(b), out);

    gs_buf_reset(b);
    return fits ? GS_OK : gs_error_nomem(err, "show a model");
}

static enum gs_status describe(struct gs_errand *e, const struct gs_gguf *f, struct gs_error *err)
{
    struct gs_buf b;

    gs_buf_init(&b, GS_MAX_RESPONSE_BYTES);
    write_metadata(&b, f, e);
    enum gs_status st = keep(e, &b, &e->metadata, err);
    if (st == GS_OK && e->wants_lists) {
        write_tensors(&b, f);
        st = keep(e, &b, &e->tensors, err);
    }
    gs_buf_clear(&b);
    return st;
}

/* ---- abilities ---- */

/* Told by the template and the vocabulary; of a model that cannot be run here nothing is. */
static bool describe_abilities(struct gs_errand *e)
{
    struct gs_llm_options opt;
    struct gs_llm_info info;
    gs_llm *llm = NULL;

    gs_llm_options_init(&opt);
    opt.weights_only = true;
    if (gs_llm_open(e->models[0].path, &opt, &llm, NULL) != GS_OK)
        return true;
    gs_llm_info(llm, &info);
    e->calls_tools = info.supports_tools;
    e->reasons = info.supports_reasoning;
    e->fills_in = info.supports_infill;
    const bool fits = gs_arena_dup(e->arena, gs_slice_str(info.chat_template), &e->chat_template) &&
                      gs_arena_dup(e->arena, gs_slice_str(info.bos_text), &e->bos_text) &&
                      gs_arena_dup(e->arena, gs_slice_str(info.eos_text), &e->eos_text);
    gs_llm_close(llm);
    return fits;
}

enum gs_status gs_local_card_fill(struct gs_errand *e, struct gs_error *err)
{
    struct gs_gguf *f = NULL;
    enum gs_status st = gs_gguf_open(e->models[0].path, &f, err);

    if (st == GS_OK)
        st = describe(e, f, err);
    gs_gguf_close(f);
    if (st == GS_OK && !describe_abilities(e))
        st = gs_error_nomem(err, "show a model");
    return st;
}
