/* One binary search at each place whose next eight bytes begin some secret: of those that the text
 * goes on with there, the last in the order of bytes is the longest, or begins with the longest. */
#include "privacy/known.h"

#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/slice.h"

static int compare(struct gs_slice a, struct gs_slice b)
{
    const int order = memcmp(a.ptr, b.ptr, GS_MIN(a.len, b.len));
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int by_bytes(const void *a, const void *b)
{
    return compare(((const struct gs_privacy_known_item *)a)->value,
                   ((const struct gs_privacy_known_item *)b)->value);
}

static uint32_t head_of(const char *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof(v));
    return (uint32_t)(v * UINT64_C(0x9e3779b97f4a7c15) >> 48);
}

bool gs_privacy_is_known_form(struct gs_slice value)
{
    if (value.len < GS_PRIVACY_KNOWN_MIN || value.len > GS_PRIVACY_KNOWN_MAX)
        return false;
    for (size_t i = 0; i < value.len; i++)
        if (!gs_privacy_is(value.ptr[i], GS_PRIVACY_LETTER) && value.ptr[i] != '_')
            return true;
    return false;
}

void gs_privacy_known_init(struct gs_privacy_known *k, struct gs_privacy_known_item *items,
                           size_t n)
{
    memset(k, 0, sizeof(*k));
    k->items = items;
    k->n = n;
    if (n > 1)
        qsort(items, n, sizeof(*items), by_bytes);
    for (size_t i = 0; i < n; i++) {
        const uint32_t head = head_of(items[i].value.ptr);
        k->heads[head / 32] |= UINT32_C(1) << head % 32;
        items[i].parent = i == 0 ? SIZE_MAX : i - 1;
        while (items[i].parent != SIZE_MAX &&
               !gs_slice_starts(items[i].value, items[items[i].parent].value))
            items[i].parent = items[items[i].parent].parent;
    }
}

/* The longest one that `text` begins with, or NULL. */
static const struct gs_privacy_known_item *longest(const struct gs_privacy_known *k,
                                                   struct gs_slice text)
{
    size_t low = 0, high = k->n; /* [0, low) <= text < [high, n) */

    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        if (compare(k->items[mid].value, text) <= 0)
            low = mid + 1;
        else
            high = mid;
    }
    for (size_t i = low == 0 ? SIZE_MAX : low - 1; i != SIZE_MAX; i = k->items[i].parent)
        if (gs_slice_starts(text, k->items[i].value))
            return &k->items[i];
    return NULL;
}

void gs_privacy_known_find(const struct gs_privacy_known *k, struct gs_slice text,
                           struct gs_buf *hits)
{
    for (size_t at = 0; text.len - at >= GS_PRIVACY_KNOWN_MIN;) {
        const uint32_t head = head_of(text.ptr + at);
        const struct gs_privacy_known_item *found = NULL;
        if (k->heads[head / 32] >> head % 32 & 1)
            found = longest(k, gs_slice_sub(text, at, GS_MIN(at + GS_PRIVACY_KNOWN_MAX, text.len)));
        if (found) {
            const struct gs_privacy_hit hit = {at, at + found->value.len, found->detector};
            gs_buf_put(hits, &hit, sizeof(hit));
            at = hit.end;
        } else {
            at++;
        }
    }
}
