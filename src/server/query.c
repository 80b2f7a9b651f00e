/* What clients write in URLs: percent-encoded text, and queries ("?limit=5&after_id=a%2Fb"). */
#include <string.h>

#include "base/slice.h"
#include "server/state.h"

static int hex(char c)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *at = c ? strchr(digits, c) : NULL;

    return at ? (int)((at - digits) % 16) : -1;
}

void gs_server_percent_decode(char *s)
{
    char *to = s;

    for (; *s; s++) {
        if (*s == '%' && hex(s[1]) >= 0 && hex(s[2]) >= 0) {
            *to++ = (char)(hex(s[1]) * 16 + hex(s[2]));
            s += 2;
        } else {
            *to++ = *s;
        }
    }
    *to = '\0';
}

bool gs_server_query_get(const struct gs_http_head *head, const char *key, char *out, size_t cap)
{
    const struct gs_slice query = head->query;

    for (size_t at = 0; at < query.len;) {
        const size_t end = GS_MIN(gs_slice_find(query, GS_SLICE_LIT("&"), at), query.len);
        const struct gs_slice pair = gs_slice_sub(query, at, end);
        const size_t mark = gs_slice_find(pair, GS_SLICE_LIT("="), 0);
        const struct gs_slice value =
            gs_slice_sub(pair, mark == SIZE_MAX ? pair.len : mark + 1, pair.len);
        at = end + 1;
        if (!gs_slice_eq_str(gs_slice_sub(pair, 0, mark), key))
            continue;
        if (value.len >= cap)
            return false;
        if (value.len > 0)
            memcpy(out, value.ptr, value.len);
        out[value.len] = '\0';
        gs_server_percent_decode(out);
        return true;
    }
    return false;
}
