/* The API keys of a server: the one of --api-key, and those of --api-key-file, one a line. */
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/os.h"
#include "base/slice.h"
#include "cli/cli.h"

#define MAX_KEYS 1000

/* Lines without the empty ones and the comments; they are copied to the arena. */
static enum gs_status add_lines(struct gs_slice text, const char *path, struct gs_arena *a,
                                const char **keys, size_t *n, struct gs_error *err)
{
    while (text.len > 0) {
        const size_t end = GS_MIN(gs_slice_find(text, GS_SLICE_LIT("\n"), 0), text.len);
        const struct gs_slice line = gs_slice_trim(gs_slice_sub(text, 0, end));
        struct gs_slice copy;
        text = gs_slice_sub(text, end + 1, text.len);
        if (line.len == 0 || line.ptr[0] == '#')
            continue;
        if (memchr(line.ptr, '\0', line.len))
            return gs_error_set(err, GS_EINVAL, "file \"%s\" holds a zero byte", path);
        if (*n == MAX_KEYS)
            return gs_error_set(err, GS_EINVAL, "file \"%s\" has more than %d keys", path,
                                MAX_KEYS);
        if (!gs_arena_dup(a, line, &copy))
            return gs_error_nomem(err, "hold the API keys");
        keys[(*n)++] = copy.ptr;
    }
    return GS_OK;
}

enum gs_status gs_cli_keys(const struct gs_config *c, struct gs_arena *a,
                           const char *const **out_keys, size_t *out_n, struct gs_error *err)
{
    const char **keys = gs_arena_array(a, MAX_KEYS + 1, sizeof(*keys));
    enum gs_status st = GS_OK;
    struct gs_buf text;
    size_t n = 0;

    if (!keys)
        return gs_error_nomem(err, "hold the API keys");
    if (c->api_key)
        keys[n++] = c->api_key;
    if (c->api_key_path) {
        const size_t before = n;
        gs_buf_init(&text, GS_MAX_CONFIG_BYTES);
        st = gs_os_read_file(c->api_key_path, &text, err);
        if (st == GS_OK)
            st = add_lines(gs_buf_view(&text), c->api_key_path, a, keys, &n, err);
        if (st == GS_OK && n == before) {
            st = gs_error_set(err, GS_EINVAL, "file \"%s\" holds no API key", c->api_key_path);
            gs_error_hint(err, "Write one key a line.");
        }
        gs_buf_clear(&text);
    }
    *out_keys = keys;
    *out_n = n;
    return st;
}
