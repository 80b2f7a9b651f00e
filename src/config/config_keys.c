/* Fetching keys from where the configuration says they are. Blocking: a file may lie on a network,
 * a command may ask a keychain. What is found is never written anywhere. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/os.h"
#include "base/slice.h"
#include "config/config_table.h"
#include "config/routes.h"

#define MAX_KEY_BYTES (64 * GS_KIB)

/* The first line, if it can stand in a header; an empty slice if not. */
static struct gs_slice first_line(struct gs_slice text)
{
    const size_t end = gs_slice_find(text, GS_SLICE_LIT("\n"), 0);
    const struct gs_slice line = gs_slice_trim(gs_slice_sub(text, 0, end));

    for (size_t i = 0; i < line.len; i++)
        if (line.ptr[i] <= ' ' || line.ptr[i] > '~')
            return (struct gs_slice){NULL, 0};
    return line;
}

static enum gs_status fetch(const struct gs_config_provider *p,
                            const char *(*env)(void *ud, const char *name), void *env_ud,
                            struct gs_buf *b, struct gs_error *err)
{
    const char *value;

    switch (p->key_source) {
    case GS_KEY_ENV:
        value = env ? env(env_ud, p->key) : NULL;
        if (!value || !value[0])
            return gs_error_set(err, GS_ENOTFOUND, "environment variable %s is not set", p->key);
        gs_buf_puts(b, value);
        return GS_OK;
    case GS_KEY_FILE:
        return gs_os_read_file(p->key, b, err);
    case GS_KEY_COMMAND:
        return gs_os_read_command(p->key, b, err);
    case GS_KEY_NONE:
    case GS_KEY_CLIENT:
        break;
    }
    return gs_error_set(err, GS_EINTERNAL, "a key of no source");
}

enum gs_status gs_config_load_keys(struct gs_config_routes *routes,
                                   const char *(*env)(void *ud, const char *name), void *env_ud,
                                   struct gs_arena *a, struct gs_buf *report)
{
    struct gs_config_provider *providers =
        gs_arena_array(a, routes->n_providers, sizeof(*providers));
    struct gs_buf text;

    if (!providers)
        return GS_ENOMEM;
    memcpy(providers, routes->providers, routes->n_providers * sizeof(*providers));
    gs_buf_init(&text, MAX_KEY_BYTES);
    for (size_t i = 0; i < routes->n_providers; i++) {
        struct gs_config_provider *p = &providers[i];
        struct gs_error err = {0};
        struct gs_slice copy;
        p->secret = NULL;
        if (p->key_source == GS_KEY_NONE || p->key_source == GS_KEY_CLIENT)
            continue;
        gs_buf_reset(&text);
        enum gs_status st = fetch(p, env, env_ud, &text, &err);
        const struct gs_slice line = first_line(gs_buf_view(&text));
        if (st == GS_OK && line.len == 0)
            st = gs_error_set(&err, GS_EFORMAT, "there is no key in the first line");
        if (st != GS_OK) {
            gs_buf_printf(report, "provider \"%s\" has no key: %s\n", p->name, err.msg);
            continue;
        }
        if (!gs_arena_dup(a, line, &copy)) {
            gs_buf_clear(&text);
            return GS_ENOMEM;
        }
        p->secret = copy.ptr;
    }
    gs_buf_clear(&text);
    routes->providers = providers;
    return gs_buf_ok(report) ? GS_OK : GS_ENOMEM;
}
