/* genset show: what a model is and what it needs. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/slice.h"
#include "cli/cli.h"
#include "json/json.h"

#define META_BYTES 512 /* of a value, in the table */
#define META_ITEMS 8   /* of an array */

/* What tensors are for, told by their names; the first match counts. */
static const struct {
    const char *part;
    const char *mark;
} parts[] = {
    {"embedding", "token_embd"}, {"experts", "_exps"},  {"experts", "_shexp"},
    {"experts", "ffn_gate_inp"}, {"recurrent", "ssm_"}, {"attention", "attn"},
    {"feed-forward", "ffn"},     {"output", "output"},  {"other", ""},
};

struct part_bytes {
    const char *part;
    int64_t n_bytes;
};

static size_t part_of(const char *tensor)
{
    size_t i = 0;

    while (!strstr(tensor, parts[i].mark))
        i++;
    return i;
}

/* Bytes of each part, in the order of the table, without empty ones. */
static size_t sum_parts(const gs_llm *llm, struct part_bytes *out)
{
    struct gs_tensor_info t;
    size_t n = 0;

    for (size_t p = 0; p < GS_COUNT_OF(parts); p++) {
        int64_t sum = 0;
        for (size_t i = 0; gs_llm_tensor(llm, i, &t); i++)
            sum += part_of(t.name) == p ? t.bytes : 0;
        if (sum == 0)
            continue;
        if (n > 0 && strcmp(out[n - 1].part, parts[p].part) == 0)
            out[n - 1].n_bytes += sum;
        else
            out[n++] = (struct part_bytes){parts[p].part, sum};
    }
    return n;
}

/* ---- for people ---- */

static void put_memory(struct gs_buf *out, const gs_llm *llm, const struct gs_llm_info *info)
{
    struct part_bytes sums[GS_COUNT_OF(parts)];
    const size_t n = sum_parts(llm, sums);

    gs_buf_puts(out, "\nmemory\n");
    for (size_t i = 0; i < n; i++) {
        gs_buf_printf(out, "  %-16s", sums[i].part);
        gs_cli_put_size(out, sums[i].n_bytes);
        gs_buf_putc(out, '\n');
    }
    gs_buf_puts(out, "  weights         ");
    gs_cli_put_size(out, info->file_bytes);
    gs_buf_puts(out, "\n  KV cache        ");
    gs_cli_put_size(out, info->kv_bytes_per_token);
    gs_buf_puts(out, " a token, ");
    gs_cli_put_size(out, info->kv_bytes_per_token * info->ctx_tokens);
    gs_buf_printf(out, " for %" PRId64 " tokens\n", info->ctx_tokens);
    if (info->state_bytes_per_sequence > 0) {
        gs_buf_puts(out, "  state           ");
        gs_cli_put_size(out, info->state_bytes_per_sequence);
        gs_buf_puts(out, " a conversation\n");
    }
    gs_buf_puts(out, "  working memory  ");
    gs_cli_put_size(out, info->scratch_bytes);
    gs_buf_putc(out, '\n');
}

static void put_meta(struct gs_buf *out, const gs_llm *llm)
{
    char value[META_BYTES];
    const char *key;
    const char *type;

    gs_buf_puts(out, "\nmetadata\n");
    for (size_t i = 0; gs_llm_meta(llm, i, META_ITEMS, value, sizeof(value), &key, &type); i++) {
        const size_t line = strcspn(value, "\n");
        gs_buf_printf(out, "  %-40s %-8s %.*s%s\n", key, type, (int)line, value,
                      value[line] ? " ..." : "");
    }
}

static void put_tensors(struct gs_buf *out, const gs_llm *llm)
{
    struct gs_tensor_info t;

    gs_buf_puts(out, "\ntensors\n");
    for (size_t i = 0; gs_llm_tensor(llm, i, &t); i++) {
        gs_buf_printf(out, "  %-32s %-8s ", t.name, t.type);
        for (int32_t d = 0; d < t.n_dims; d++)
            gs_buf_printf(out, "%s%" PRId64, d ? " x " : "", t.dims[d]);
        gs_buf_puts(out, ", ");
        gs_cli_put_size(out, t.bytes);
        gs_buf_putc(out, '\n');
    }
}

static void put_table(struct gs_buf *out, const gs_llm *llm, const struct gs_llm_info *info,
                      bool has_tensors)
{
    gs_buf_printf(out, "name            %s\narchitecture    %s\nformat          %s\n", info->name,
                  info->arch, info->quant);
    gs_buf_puts(out, "parameters      ");
    gs_cli_put_count(out, info->n_params);
    gs_buf_printf(out, "\ncontext         %" PRId64 " tokens\n", info->ctx_train_tokens);
    gs_buf_printf(out,
                  "shape           %" PRId32 " layers of %" PRId32 ", %" PRId32 " heads, %" PRId32
                  " of keys and values\n",
                  info->n_layers, info->n_embd, info->n_head, info->n_head_kv);
    gs_buf_printf(out, "vocabulary      %" PRId32 " tokens\n", info->n_vocab);
    gs_buf_printf(out, "chat template   %s%s%s\n", info->chat_template[0] ? "yes" : "none",
                  info->supports_tools ? ", tools" : "",
                  info->supports_reasoning ? ", reasoning" : "");
    put_memory(out, llm, info);
    put_meta(out, llm);
    if (has_tensors)
        put_tensors(out, llm);
}

/* ---- for programs ---- */

static void put_json_text(struct gs_buf *out, const char *key, const char *value)
{
    gs_cli_put_key(out, key);
    gs_json_write_string(out, gs_slice_str(value));
}

static void put_json_number(struct gs_buf *out, const char *key, int64_t value)
{
    gs_cli_put_key(out, key);
    gs_buf_printf(out, "%" PRId64, value);
}

static void put_json_meta(struct gs_buf *out, const gs_llm *llm)
{
    char value[META_BYTES];
    const char *key;
    const char *type;

    gs_cli_put_key(out, "metadata");
    gs_buf_putc(out, '{');
    for (size_t i = 0; gs_llm_meta(llm, i, META_ITEMS, value, sizeof(value), &key, &type); i++) {
        if (i > 0)
            gs_buf_putc(out, ',');
        gs_json_write_string(out, gs_slice_str(key));
        gs_buf_putc(out, ':');
        gs_json_write_string(out, gs_slice_str(value));
    }
    gs_buf_putc(out, '}');
}

static void put_json_memory(struct gs_buf *out, const gs_llm *llm, const struct gs_llm_info *info)
{
    struct part_bytes sums[GS_COUNT_OF(parts)];
    const size_t n = sum_parts(llm, sums);

    gs_cli_put_key(out, "memory");
    gs_buf_puts(out, "{\"weights\":{");
    for (size_t i = 0; i < n; i++)
        put_json_number(out, sums[i].part, sums[i].n_bytes);
    gs_buf_putc(out, '}');
    put_json_number(out, "kv_bytes_per_token", info->kv_bytes_per_token);
    put_json_number(out, "kv_bytes", info->kv_bytes_per_token * info->ctx_tokens);
    put_json_number(out, "state_bytes", info->state_bytes_per_sequence);
    put_json_number(out, "scratch_bytes", info->scratch_bytes);
    gs_buf_putc(out, '}');
}

static void put_json_tensors(struct gs_buf *out, const gs_llm *llm)
{
    struct gs_tensor_info t;

    gs_cli_put_key(out, "tensors");
    gs_buf_putc(out, '[');
    for (size_t i = 0; gs_llm_tensor(llm, i, &t); i++) {
        gs_buf_puts(out, i ? ",{" : "{");
        put_json_text(out, "name", t.name);
        put_json_text(out, "type", t.type);
        gs_cli_put_key(out, "shape");
        for (int32_t d = 0; d < t.n_dims; d++)
            gs_buf_printf(out, "%c%" PRId64, d ? ',' : '[', t.dims[d]);
        gs_buf_putc(out, ']');
        put_json_number(out, "bytes", t.bytes);
        put_json_number(out, "offset", t.file_off);
        gs_buf_putc(out, '}');
    }
    gs_buf_putc(out, ']');
}

static void put_json(struct gs_buf *out, const gs_llm *llm, const struct gs_llm_info *info,
                     bool has_tensors)
{
    gs_buf_putc(out, '{');
    put_json_text(out, "name", info->name);
    put_json_text(out, "architecture", info->arch);
    put_json_text(out, "format", info->quant);
    put_json_number(out, "parameters", info->n_params);
    put_json_number(out, "file_bytes", info->file_bytes);
    put_json_number(out, "context_tokens", info->ctx_train_tokens);
    put_json_number(out, "layers", info->n_layers);
    put_json_number(out, "width", info->n_embd);
    put_json_number(out, "heads", info->n_head);
    put_json_number(out, "kv_heads", info->n_head_kv);
    put_json_number(out, "vocabulary", info->n_vocab);
    put_json_text(out, "chat_template", info->chat_template);
    gs_buf_printf(out, ",\"tools\":%s,\"reasoning\":%s", info->supports_tools ? "true" : "false",
                  info->supports_reasoning ? "true" : "false");
    put_json_memory(out, llm, info);
    put_json_meta(out, llm);
    if (has_tensors)
        put_json_tensors(out, llm);
    gs_buf_puts(out, "}\n");
}

int gs_cli_show(struct gs_config *c, struct gs_buf *out)
{
    struct gs_llm_options opt;
    struct gs_llm_info info;
    struct gs_error err;
    gs_llm *llm = NULL;

    gs_cli_llm_options(c, &opt);
    opt.weights_only = true;
    opt.max_sequences = 1;
    if (gs_cli_model_open(c, c->args.items[0], &opt, &llm, &err) != GS_OK)
        return gs_cli_fail_model(&err);
    gs_llm_info(llm, &info);
    if (c->json)
        put_json(out, llm, &info, c->tensors);
    else
        put_table(out, llm, &info, c->tensors);
    gs_llm_close(llm);
    return GS_EXIT_OK;
}
