/* What a model's makers found best, as GGUF has it in general.sampling.* (llama.cpp, pull request
 * 17120, 2025): it stands behind what the user or the client chose, before the defaults of an API.
 */
#include "api/suggest.h"

#include "gguf/gguf.h"

#define KEY(name) "general.sampling." name

static void read_real(const struct gs_gguf *f, const char *key, float min, float max, uint32_t bit,
                      uint32_t *bits, float *out)
{
    float x = -1;

    if (gs_gguf_get_f32(f, key, &x, NULL) && x >= min && x <= max) {
        *out = x;
        *bits |= bit;
    }
}

static void read_count(const struct gs_gguf *f, const char *key, int64_t min, uint32_t bit,
                       uint32_t *bits, int32_t *out)
{
    const struct gs_gguf_value *v = gs_gguf_find(f, key);

    if (!v || v->kind == GS_GGUF_BOOL || !gs_gguf_kind_is_integer(v->kind))
        return;
    const int64_t n = gs_gguf_item_i64(v, 0);
    if (n >= min && n <= INT32_MAX) {
        *out = (int32_t)n;
        *bits |= bit;
    }
}

void gs_suggest_read(const struct gs_gguf *f, struct gs_sampling *out)
{
    gs_sampling_init(out);
    uint32_t *bits = &out->open;
    read_real(f, KEY("temp"), 0, 100, GS_SAMPLING_TEMPERATURE, bits, &out->temperature);
    read_count(f, KEY("top_k"), 0, GS_SAMPLING_TOP_K, bits, &out->top_k);
    read_real(f, KEY("top_p"), 0, 1, GS_SAMPLING_TOP_P, bits, &out->top_p);
    read_real(f, KEY("min_p"), 0, 1, GS_SAMPLING_MIN_P, bits, &out->min_p);
    read_real(f, KEY("penalty_repeat"), 0.01F, 100, GS_SAMPLING_REPEAT_PENALTY, bits,
              &out->repeat_penalty);
    read_count(f, KEY("penalty_last_n"), -1, GS_SAMPLING_REPEAT_LAST_N, bits, &out->repeat_last_n);
}

void gs_suggest_fill(const struct gs_sampling *suggested, struct gs_sampling *s)
{
    const uint32_t bits = suggested->open & s->open;

    if (bits & GS_SAMPLING_TEMPERATURE)
        s->temperature = suggested->temperature;
    if (bits & GS_SAMPLING_TOP_K)
        s->top_k = suggested->top_k;
    if (bits & GS_SAMPLING_TOP_P)
        s->top_p = suggested->top_p;
    if (bits & GS_SAMPLING_MIN_P)
        s->min_p = suggested->min_p;
    if (bits & GS_SAMPLING_REPEAT_PENALTY)
        s->repeat_penalty = suggested->repeat_penalty;
    if (bits & GS_SAMPLING_REPEAT_LAST_N)
        s->repeat_last_n = suggested->repeat_last_n;
    s->open = 0;
}
