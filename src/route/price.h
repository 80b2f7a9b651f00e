/* What an answer costs, by the price table of the configuration. Pure. */
#ifndef GS_ROUTE_PRICE_H
#define GS_ROUTE_PRICE_H

#include <stdbool.h>
#include <stdint.h>

#include "config/routes.h"
#include "genset/chat.h"
#include "genset/slice.h"

struct gs_price_use {
    int64_t prompt_tokens;      /* all of the prompt */
    int64_t cached_tokens;      /* of it: read from the provider's cache */
    int64_t cache_write_tokens; /* of it: written to its cache */
    int64_t answer_tokens;      /* reasoning too */
};

/* The price of a provider's model, the first that matches; NULL: none is known. */
const struct gs_config_price *gs_price_find(const struct gs_config_routes *routes, size_t provider,
                                            struct gs_slice model);
/* Cost in nano-dollars, cut so that sums of many fit; what makes no sense (negative, more cached
 * than there is) counts as 0. `price` NULL: 0. */
int64_t gs_price_nanousd(const struct gs_config_price *price, const struct gs_price_use *use);

/* Tokens by bytes: 4 a token, which is about right for text and code. */
int64_t gs_price_tokens(size_t n_bytes);
/* The same of a request's body, whose images (of `chat`, which may be NULL) do not count by their
 * bytes. */
int64_t gs_price_prompt_tokens(size_t body_bytes, const struct gs_chat *chat);

#endif
