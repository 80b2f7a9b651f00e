/* What a model is: facts, metadata, tensors and their values. */
#include <stdio.h>
#include <string.h>

#include "api/infill.h"
#include "api/llm.h"
#include "base/error.h"
#include "base/slice.h"
#include "chat/prompt.h"
#include "compute/kernels.h"
#include "compute/lane.h"
#include "compute/tensor.h"
#include "gguf/gguf.h"
#include "model/exec.h"
#include "model/model.h"

const char *gs_llm_cpu_problem(void)
{
    return gs_kernels_amx_problem();
}

/* A number of an architecture we may not have: "llama.block_count". */
static uint64_t arch_number(const gs_llm *llm, const char *what)
{
    char key[128];
    uint64_t value = 0;

    snprintf(key, sizeof(key), "%s.%s", llm->arch.ptr, what);
    return gs_gguf_get_u64(llm->file, key, &value, NULL) ? value : 0;
}

static void info_of_model(const gs_llm *llm, struct gs_llm_info *info)
{
    const struct gs_model_params *p = gs_model_params(llm->model);

    info->ctx_train_tokens = (int64_t)p->ctx_train_tokens;
    info->ctx_tokens = (int64_t)llm->budget.ctx_tokens;
    info->kv_bytes_per_token =
        (int64_t)gs_exec_kv_bytes_per_token(llm->model, gs_llm_kv_type(llm->opt.kv_type));
    info->state_bytes_per_sequence = (int64_t)gs_exec_state_bytes(llm->model);
    info->kv_bytes = (int64_t)llm->budget.kv_bytes;
    info->scratch_bytes = (int64_t)llm->budget.scratch_bytes;
    info->n_vocab = (int32_t)p->n_vocab;
    info->n_layers = (int32_t)p->n_layers;
    info->n_embd = (int32_t)p->n_embd;
    info->n_head = (int32_t)p->n_head;
    info->n_head_kv = (int32_t)p->n_head_kv;
}

static void info_of_file(const gs_llm *llm, struct gs_llm_info *info)
{
    info->ctx_train_tokens = (int64_t)arch_number(llm, "context_length");
    info->n_vocab = llm->tok ? gs_token_vocab_len(llm->tok) : 0;
    info->n_layers = (int32_t)arch_number(llm, "block_count");
    info->n_embd = (int32_t)arch_number(llm, "embedding_length");
    info->n_head = (int32_t)arch_number(llm, "attention.head_count");
    info->n_head_kv = (int32_t)arch_number(llm, "attention.head_count_kv");
}

void gs_llm_info(const gs_llm *llm, struct gs_llm_info *out_info)
{
    const struct gs_prompt_traits *traits =
        llm->prompter ? gs_prompter_traits(llm->prompter) : NULL;

    *out_info = (struct gs_llm_info){
        .arch = llm->arch.ptr,
        .name = llm->name.ptr,
        .quant = gs_gguf_quant_name(llm->file),
        .chat_template = llm->chat_template.ptr,
        .bos_text = llm->bos_text.ptr,
        .eos_text = llm->eos_text.ptr,
        .n_params = (int64_t)gs_gguf_param_count(llm->file),
        .file_bytes = (int64_t)gs_gguf_bytes(llm->file),
        .n_threads = llm->opt.n_threads,
        .cpu = llm->compute ? gs_compute_cpu_name(llm->compute) : "",
        .supports_tools = traits && traits->tools,
        .supports_reasoning = traits && traits->reasoning,
        .supports_infill = gs_llm_can_infill(llm),
        .is_short = llm->is_short,
        .kv_type = llm->opt.kv_type,
    };
    if (llm->model)
        info_of_model(llm, out_info);
    else
        info_of_file(llm, out_info);
}

/* ---- metadata as text ---- */

static void write_item(struct gs_buf *b, const struct gs_gguf_value *v, enum gs_gguf_kind kind,
                       uint64_t i)
{
    if (kind == GS_GGUF_STRING)
        gs_buf_slice(b, v->kind == GS_GGUF_ARRAY ? v->strings[i]
                                                 : gs_slice((const char *)v->data, v->data_bytes));
    else if (kind == GS_GGUF_BOOL)
        gs_buf_puts(b, gs_gguf_item_i64(v, i) ? "true" : "false");
    else if (kind == GS_GGUF_U64)
        gs_buf_printf(b, "%llu", (unsigned long long)gs_gguf_item_i64(v, i));
    else if (gs_gguf_kind_is_integer(kind))
        gs_buf_printf(b, "%lld", (long long)gs_gguf_item_i64(v, i));
    else
        gs_buf_printf(b, "%g", gs_gguf_item_f64(v, i));
}

static void write_value(struct gs_buf *b, const struct gs_gguf_value *v, size_t max_items)
{
    if (v->kind != GS_GGUF_ARRAY) {
        write_item(b, v, v->kind, 0);
        return;
    }
    gs_buf_putc(b, '[');
    for (uint64_t i = 0; i < v->n_items && i < max_items; i++) {
        if (i > 0)
            gs_buf_puts(b, ", ");
        write_item(b, v, v->item_kind, i);
    }
    if (v->n_items > max_items)
        gs_buf_printf(b, "%s... of %llu", max_items > 0 ? ", " : "",
                      (unsigned long long)v->n_items);
    gs_buf_putc(b, ']');
}

/* As much of s as fits, whole characters, zero-terminated. */
static void copy_cut(char *buf, size_t cap, struct gs_slice s)
{
    if (cap == 0)
        return;
    if (s.len >= cap) {
        s.len = cap - 1;
        s.len -= gs_utf8_incomplete_tail(s);
    }
    if (s.len > 0)
        memcpy(buf, s.ptr, s.len);
    buf[s.len] = '\0';
}

bool gs_llm_meta(const gs_llm *llm, size_t idx, size_t max_items, char *buf, size_t cap,
                 const char **out_key, const char **out_type)
{
    struct gs_buf b;

    if (idx >= gs_gguf_value_count(llm->file))
        return false;
    const struct gs_gguf_value *v = gs_gguf_value_at(llm->file, idx);
    gs_buf_init(&b, (size_t)1 << 28);
    write_value(&b, v, max_items);
    copy_cut(buf, cap, gs_buf_view(&b));
    gs_buf_clear(&b);
    *out_key = llm->keys[idx].ptr;
    *out_type = gs_gguf_kind_name(v->kind);
    return true;
}

/* ---- tensors ---- */

bool gs_llm_tensor(const gs_llm *llm, size_t idx, struct gs_tensor_info *out_info)
{
    if (idx >= gs_gguf_tensor_count(llm->file))
        return false;
    const struct gs_gguf_tensor *t = gs_gguf_tensor_at(llm->file, idx);
    *out_info = (struct gs_tensor_info){
        .name = llm->tensor_names[idx].ptr,
        .type = gs_type_name(t->type),
        .n_dims = (int32_t)t->n_dims,
        .bytes = (int64_t)t->n_bytes,
        .file_off = (int64_t)t->file_off,
    };
    for (size_t i = 0; i < GS_COUNT_OF(out_info->dims); i++)
        out_info->dims[i] = (int64_t)t->dims[i];
    return true;
}

enum gs_status gs_llm_dequant(const gs_llm *llm, const char *tensor, size_t n, float *out,
                              struct gs_error *err)
{
    const struct gs_gguf_tensor *t = gs_gguf_tensor_find(llm->file, tensor);
    float block[256];

    if (!t)
        return gs_error_set(err, GS_ENOTFOUND, "tensor \"%s\" not found in model \"%s\"", tensor,
                            llm->name.ptr);
    if (!gs_compute_type_supported(t->type))
        return gs_error_set(err, GS_EUNSUPPORTED,
                            "tensor \"%s\" has type %s, which is not supported", tensor,
                            gs_type_name(t->type));
    const size_t block_len = gs_type_block_len(t->type);
    const size_t block_bytes = gs_type_block_bytes(t->type);
    const size_t n_values = t->n_bytes / block_bytes * block_len;
    if (n > n_values)
        return gs_error_set(err, GS_EINVAL, "tensor \"%s\" has %zu values, %zu were asked for",
                            tensor, n_values, n);
    const size_t whole = n / block_len * block_len;
    gs_compute_dequant_row(t->type, t->data, out, whole);
    if (n > whole) {
        gs_compute_dequant_row(t->type, t->data + whole / block_len * block_bytes, block,
                               block_len);
        memcpy(out + whole, block, (n - whole) * sizeof(*out));
    }
    return GS_OK;
}
