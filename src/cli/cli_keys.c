/* The API keys of a server: the one of --api-key, and those of --api-key-file, one a line, with
 * what it is called behind it. No error shows a key. */
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/os.h"
#include "base/slice.h"
#include "cli/cli.h"

#define MAX_KEYS 1000

struct list {
    const char *path;
    struct gs_arena *a;
    const char **keys, **names;
    int *lines; /* 0: not from the file */
    size_t n;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The line's text is another's already. */
static enum gs_status check_twice(const struct list *l, const char *const *texts, const char *what,
                                  struct gs_slice text, int line, struct gs_error *err)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->lines[i] > 0 && texts[i] && gs_slice_eq_str(text, texts[i]))
            return gs_error_set(err, GS_EINVAL,
                                "file \"%s\", line %d: %s is given twice, first in line %d",
                                l->path, line, what, l->lines[i]);
    return GS_OK;
}

/* "KEY" or "KEY NAME" */
static enum gs_status add_line(struct list *l, struct gs_slice text, int line, struct gs_error *err)
{
    size_t end = 0;
    struct gs_slice key, name;

    while (end < text.len && !is_blank(text.ptr[end]))
        end++;
    key = gs_slice_sub(text, 0, end);
    name = gs_slice_trim(gs_slice_sub(text, end, text.len));
    if (memchr(text.ptr, '\0', text.len))
        return gs_error_set(err, GS_EINVAL, "file \"%s\" holds a zero byte", l->path);
    if (name.len > 0 && !gs_config_is_name(name)) {
        gs_error_set(err, GS_EINVAL, "file \"%s\", line %d: what follows the key is no name",
                     l->path, line);
        gs_error_hint(err, "Write KEY or KEY NAME; a name is made of up to 64 letters, digits, "
                           "'.', '_' and '-'.");
        return GS_EINVAL;
    }
    if (l->n == MAX_KEYS)
        return gs_error_set(err, GS_EINVAL, "file \"%s\" has more than %d keys", l->path, MAX_KEYS);
    enum gs_status st = check_twice(l, l->keys, "the key", key, line, err);
    if (st == GS_OK && name.len > 0)
        st = check_twice(l, l->names, "the name", name, line, err);
    if (st != GS_OK)
        return st;
    if (!gs_arena_dup(l->a, key, &key) || (name.len > 0 && !gs_arena_dup(l->a, name, &name)))
        return gs_error_nomem(err, "hold the API keys");
    l->keys[l->n] = key.ptr;
    l->names[l->n] = name.len > 0 ? name.ptr : NULL;
    l->lines[l->n++] = line;
    return GS_OK;
}

/* Lines without the empty ones and the comments, and the mark that some editors begin a file with.
 */
static enum gs_status add_lines(struct list *l, struct gs_slice text, struct gs_error *err)
{
    const struct gs_slice mark = GS_SLICE_LIT("\xEF\xBB\xBF");
    enum gs_status st = GS_OK;

    if (gs_slice_starts(text, mark))
        text = gs_slice_sub(text, mark.len, text.len);
    for (int line = 1; st == GS_OK && text.len > 0; line++) {
        const size_t end = GS_MIN(gs_slice_find(text, GS_SLICE_LIT("\n"), 0), text.len);
        const struct gs_slice item = gs_slice_trim(gs_slice_sub(text, 0, end));
        text = gs_slice_sub(text, end + 1, text.len);
        if (item.len > 0 && item.ptr[0] != '#')
            st = add_line(l, item, line, err);
    }
    return st;
}

static enum gs_status add_file(struct list *l, struct gs_error *err)
{
    const size_t before = l->n;
    struct gs_buf text;

    gs_buf_init(&text, GS_MAX_CONFIG_BYTES);
    enum gs_status st = gs_os_read_file(l->path, &text, err);
    if (st == GS_OK)
        st = add_lines(l, gs_buf_view(&text), err);
    if (st == GS_OK && l->n == before) {
        st = gs_error_set(err, GS_EINVAL, "file \"%s\" holds no API key", l->path);
        gs_error_hint(err, "Write one key a line.");
    }
    gs_buf_clear(&text);
    return st;
}

enum gs_status gs_cli_keys(const struct gs_config *c, struct gs_arena *a,
                           struct gs_cli_keys *out_keys, struct gs_error *err)
{
    struct list l = {
        .path = c->api_key_path,
        .a = a,
        .keys = gs_arena_array(a, MAX_KEYS + 1, sizeof(*l.keys)),
        .names = gs_arena_array(a, MAX_KEYS + 1, sizeof(*l.names)),
        .lines = gs_arena_array(a, MAX_KEYS + 1, sizeof(*l.lines)),
    };

    if (!l.keys || !l.names || !l.lines)
        return gs_error_nomem(err, "hold the API keys");
    if (c->api_key)
        l.keys[l.n++] = c->api_key;
    const enum gs_status st = l.path ? add_file(&l, err) : GS_OK;
    if (st == GS_OK)
        *out_keys = (struct gs_cli_keys){l.keys, l.names, l.n};
    return st;
}
