/* Sums saturate at a cost that nobody has ever asked, of which some thousands can be added up. */
#include "route/price.h"

#include <string.h>

#include "base/compiler.h"
#include "base/slice.h"

#define BYTES_A_TOKEN 4
#define IMAGE_TOKENS  1600 /* what one of usual size costs, give or take half */
#define NAME_BYTES    512
#define MAX_NANOUSD   ((int64_t)1 << 50) /* more than a million dollars */

const struct gs_config_price *gs_price_find(const struct gs_config_routes *routes, size_t provider,
                                            struct gs_slice model)
{
    char name[NAME_BYTES]; /* "provider/model", cut where it is too long to be a price's */
    const struct gs_slice p = gs_slice_str(routes->providers[provider].name);
    size_t len = GS_MIN(p.len, sizeof(name) - 1);

    memcpy(name, p.ptr, len);
    name[len++] = '/';
    const size_t n = GS_MIN(model.len, sizeof(name) - len);
    if (n > 0)
        memcpy(name + len, model.ptr, n);
    for (size_t i = 0; i < routes->n_prices; i++)
        if (gs_config_match(routes->prices[i].match, gs_slice(name, len + n)))
            return &routes->prices[i];
    return NULL;
}

static int64_t add_cost(int64_t sum, int64_t n_tokens, int64_t price)
{
    int64_t cost;

    if (n_tokens <= 0 || price <= 0)
        return sum;
    if (__builtin_mul_overflow(n_tokens, price, &cost) || __builtin_add_overflow(sum, cost, &sum))
        return MAX_NANOUSD;
    return GS_MIN(sum, MAX_NANOUSD);
}

int64_t gs_price_nanousd(const struct gs_config_price *price, const struct gs_price_use *use)
{
    const int64_t prompt = GS_MAX(use->prompt_tokens, 0);
    const int64_t cached = GS_MIN(GS_MAX(use->cached_tokens, 0), prompt);
    const int64_t written = GS_MIN(GS_MAX(use->cache_write_tokens, 0), prompt - cached);
    int64_t sum = 0;

    if (!price)
        return 0;
    sum = add_cost(sum, prompt - cached - written, price->in_nanousd);
    sum = add_cost(sum, cached, price->cached_nanousd);
    sum = add_cost(sum, written, price->cache_write_nanousd);
    return add_cost(sum, use->answer_tokens, price->out_nanousd);
}

int64_t gs_price_tokens(size_t n_bytes)
{
    return (int64_t)(n_bytes / BYTES_A_TOKEN) + 1;
}

int64_t gs_price_prompt_tokens(size_t body_bytes, const struct gs_chat *chat)
{
    size_t image_bytes = 0;
    int64_t n_images = 0;

    for (size_t i = 0; chat && i < chat->n_messages; i++)
        for (size_t k = 0; k < chat->messages[i].n_blocks; k++) {
            const struct gs_block *b = &chat->messages[i].blocks[k];
            if (b->kind != GS_BLOCK_IMAGE)
                continue;
            image_bytes += b->text.len;
            n_images++;
        }
    return gs_price_tokens(body_bytes - GS_MIN(image_bytes, body_bytes)) + n_images * IMAGE_TOKENS;
}
