/* A list of token ids from a file. */
#include "base/alloc.h"
#include "base/arena.h"
#include "base/error.h"
#include "base/limits.h"
#include "cli/cli.h"
#include "json/json.h"

enum gs_status gs_cli_read_tokens(const char *path, int32_t **out_ids, size_t *out_n,
                                  struct gs_error *err)
{
    struct gs_arena a;
    struct gs_json list;
    int32_t *ids = NULL;

    gs_arena_init(&a, GS_MAX_TEXT_BYTES);
    enum gs_status st = gs_cli_read_json(path, &a, &list, err);
    if (st == GS_OK && (list.kind != GS_JSON_ARRAY || list.u.array.len == 0))
        st = gs_error_set(err, GS_EINVAL, "file \"%s\": expected an array of token ids", path);
    if (st != GS_OK)
        goto out;
    ids = gs_alloc_array(list.u.array.len, sizeof(*ids));
    if (!ids) {
        st = gs_error_nomem(err, "hold the tokens");
        goto out;
    }
    for (size_t i = 0; i < list.u.array.len; i++) {
        const struct gs_json *id = &list.u.array.items[i];
        if (id->kind != GS_JSON_INT || id->u.integer < 0 || id->u.integer > INT32_MAX) {
            st = gs_error_set(err, GS_EINVAL, "file \"%s\": no token id at index %zu", path, i);
            goto out;
        }
        ids[i] = (int32_t)id->u.integer;
    }
    *out_ids = ids;
    *out_n = list.u.array.len;
    ids = NULL;
out:
    gs_free(ids);
    gs_arena_clear(&a);
    return st;
}
