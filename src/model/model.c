/* Loading a model: which architecture, what every architecture has in common, then the
 * architecture's own list of tensors. Weights stay in the mapping; nothing is copied but the
 * descriptions. */
#include "model/model.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/slice.h"
#include "gguf/gguf.h"
#include "model/arch.h"
#include "model/loader.h"
#include "model/pool_head.h"

static const struct gs_arch *const archs[] = {
    &gs_arch_llama,       &gs_arch_qwen2,
    &gs_arch_qwen3,       &gs_arch_qwen3moe,
    &gs_arch_qwen35,      &gs_arch_qwen35moe,
    &gs_arch_deepseek2,   &gs_arch_gemma4,
    &gs_arch_gemma2,      &gs_arch_gemma3,
    &gs_arch_glm4,        &gs_arch_glm4moe,
    &gs_arch_gpt_oss,     &gs_arch_granite,
    &gs_arch_mistral3,    &gs_arch_phi3,
    &gs_arch_smollm3,     &gs_arch_bert,
    &gs_arch_nomic_bert,  &gs_arch_jina_bert_v2,
    &gs_arch_modern_bert, &gs_arch_gemma_embedding,
};

static void hint_archs(struct gs_error *err)
{
    char list[GS_ERROR_HINT_BYTES];
    size_t len = 0;

    for (size_t i = 0; i < GS_COUNT_OF(archs) && len < sizeof(list); i++)
        len += (size_t)snprintf(list + len, sizeof(list) - len, i ? ", %s" : "%s", archs[i]->name);
    gs_error_hint(err, "Models of these architectures can be run: %s.", list);
}

static enum gs_status find_arch(struct gs_model *m, struct gs_error *err)
{
    struct gs_slice name = {0};

    if (!gs_gguf_get_string(m->file, "general.architecture", &name, err))
        return err->code;
    if (!name.ptr)
        return gs_error_set(err, GS_EFORMAT, "key \"general.architecture\" is missing");
    for (size_t i = 0; i < GS_COUNT_OF(archs); i++) {
        if (gs_slice_eq_str(name, archs[i]->name)) {
            m->arch = archs[i];
            m->params.arch = name;
            return GS_OK;
        }
    }
    gs_error_set(err, GS_EUNSUPPORTED, "architecture \"%.*s\" is not supported",
                 (int)GS_MIN(name.len, 64), name.ptr);
    hint_archs(err);
    return GS_EUNSUPPORTED;
}

static uint64_t count_params(const struct gs_gguf *f)
{
    uint64_t n = 0;

    for (size_t i = 0; i < gs_gguf_tensor_count(f); i++) {
        const struct gs_gguf_tensor *t = gs_gguf_tensor_at(f, i);
        n += t->n_bytes / gs_type_block_bytes(t->type) * gs_type_block_len(t->type);
    }
    return n;
}

/* What the keys of every architecture say. The blocks are counted before anything is allocated by
 * their number: each must have tensors in the file. */
static void load_common(struct gs_loader *ld, struct gs_model *m)
{
    struct gs_model_params *p = &m->params;

    p->n_embd = gs_load_u32(ld, "embedding_length", 1, GS_LOAD_MAX_DIM);
    p->n_layers = gs_load_u32(ld, "block_count", 1, GS_LOAD_MAX_LAYERS);
    p->ctx_train_tokens = gs_load_u32(ld, "context_length", 1, INT32_MAX);
    p->n_params = count_params(m->file);
    if (p->n_layers > gs_gguf_tensor_count(m->file))
        gs_load_fail(ld, GS_EFORMAT, "%" PRIu32 " blocks, but only %zu tensors", p->n_layers,
                     gs_gguf_tensor_count(m->file));
    for (size_t k = 0; k < GS_KV_KINDS; k++)
        m->kv[k].shapes = gs_load_alloc(ld, p->n_layers, sizeof(*m->kv[k].shapes));
    m->states = gs_load_alloc(ld, p->n_layers, sizeof(*m->states));
}

enum gs_status gs_model_load(const struct gs_gguf *f, struct gs_model **out_m, struct gs_error *err)
{
    struct gs_error local;
    struct gs_loader ld = {.file = f, .err = err ? err : &local};
    struct gs_model *m = gs_alloc_zero(sizeof(*m));

    if (!m)
        return gs_error_nomem(err, "load the model");
    m->file = f;
    gs_arena_init(&m->arena, 0);
    ld.model = m;
    ld.st = find_arch(m, ld.err);
    if (ld.st == GS_OK) {
        load_common(&ld, m);
        m->arch->load(&ld, m);
        gs_load_pool_head(&ld, m);
        m->params.is_recurrent = m->n_states > 0;
    }
    if (ld.st != GS_OK) {
        gs_model_free(m);
        return ld.st;
    }
    *out_m = m;
    return GS_OK;
}

void gs_model_free(struct gs_model *m)
{
    if (!m)
        return;
    gs_arena_clear(&m->arena);
    gs_free(m);
}

const struct gs_model_params *gs_model_params(const struct gs_model *m)
{
    return &m->params;
}
