/* Making the tree: tokens sorted by their bytes are its leaves from left to right. */
#include "constraint/token_bytes.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/limits.h"
#include "constraint/constraint.h"

struct entry {
    struct gs_slice bytes;
    int32_t token;
};

static int by_bytes(const void *a, const void *b)
{
    const struct entry *x = a;
    const struct entry *y = b;
    const int d = memcmp(x->bytes.ptr, y->bytes.ptr, GS_MIN(x->bytes.len, y->bytes.len));

    if (d != 0)
        return d;
    if (x->bytes.len != y->bytes.len)
        return x->bytes.len < y->bytes.len ? -1 : 1;
    return (x->token > y->token) - (x->token < y->token);
}

/* Tokens that can match, sorted; their number. */
static size_t sort(const struct gs_slice *tokens, size_t n, struct entry *out)
{
    size_t len = 0;

    for (size_t i = 0; i < n; i++)
        if (tokens[i].len > 0 && tokens[i].len <= GS_VOCAB_MAX_TOKEN_BYTES)
            out[len++] = (struct entry){tokens[i], (int32_t)i};
    qsort(out, len, sizeof(*out), by_bytes);
    return len;
}

static size_t common(struct gs_slice a, struct gs_slice b)
{
    size_t n = 0;

    while (n < a.len && n < b.len && a.ptr[n] == b.ptr[n])
        n++;
    return n;
}

/* Lay out the tree. open[d] is the node at depth d + 1 on the way to the token in hand. */
static void lay_out(struct gs_constraint_vocab *v, const struct entry *e, size_t n)
{
    uint32_t open[GS_VOCAB_MAX_TOKEN_BYTES];
    size_t depth = 0;
    struct gs_slice last = {"", 0};

    for (size_t i = 0; i < n; i++) {
        const size_t keep = common(last, e[i].bytes);
        if (keep == last.len && keep == e[i].bytes.len) {
            int32_t *end = &v->nodes[open[depth - 1]].token;
            v->same[e[i].token] = *end;
            *end = e[i].token;
            continue;
        }
        while (depth > keep)
            v->nodes[open[--depth]].after = (uint32_t)v->n_nodes;
        for (; depth < e[i].bytes.len; depth++) {
            open[depth] = (uint32_t)v->n_nodes;
            v->nodes[v->n_nodes++] = (struct gs_vocab_node){.token = -1,
                                                            .depth = (uint16_t)(depth + 1),
                                                            .byte = (uint8_t)e[i].bytes.ptr[depth]};
        }
        v->nodes[open[depth - 1]].token = e[i].token;
        last = e[i].bytes;
    }
    while (depth > 0)
        v->nodes[open[--depth]].after = (uint32_t)v->n_nodes;
}

enum gs_status gs_constraint_vocab_create(const struct gs_slice *tokens, size_t n,
                                          struct gs_constraint_vocab **out_v, struct gs_error *err)
{
    struct gs_constraint_vocab *v = gs_alloc_zero(sizeof(*v));
    struct entry *entries = gs_alloc_array(n, sizeof(*entries));
    size_t n_bytes = 0;

    if (v) {
        v->n_tokens = n;
        v->same = gs_alloc_array(n, sizeof(*v->same));
    }
    if (!v || !entries || !v->same)
        goto nomem;
    memset(v->same, 0xff, n * sizeof(*v->same)); /* -1 */
    const size_t len = sort(tokens, n, entries);
    for (size_t i = 0; i < len; i++)
        n_bytes += entries[i].bytes.len - (i ? common(entries[i - 1].bytes, entries[i].bytes) : 0);
    v->nodes = gs_alloc_array(n_bytes, sizeof(*v->nodes));
    if (!v->nodes)
        goto nomem;
    lay_out(v, entries, len);
    gs_free(entries);
    *out_v = v;
    return GS_OK;
nomem:
    gs_free(entries);
    gs_constraint_vocab_free(v);
    return gs_error_nomem(err, "sort the vocabulary");
}

void gs_constraint_vocab_free(struct gs_constraint_vocab *v)
{
    if (!v)
        return;
    gs_free(v->nodes);
    gs_free(v->same);
    gs_free(v);
}
