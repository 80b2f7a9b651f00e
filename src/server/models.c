/* GET /v1/models and /v1/models/ID, with the fields of both OpenAI and Anthropic: each client reads
 * its own. Pages are Anthropic's (https://docs.anthropic.com/en/api/models-list); who asks for none
 * gets all. Models of this machine come first, then those of others that the routes name.
 *
 * Claude Code's picker shows only ids with "claude" or "anthropic" in them (2.1, 2026-11). It is
 * offered anthropic/NAME: an organisation before a name is no part of it, so every API takes that.
 */
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/slice.h"
#include "provider/local.h"
#include "server/state.h"
#include "switch/switch.h"
#include "json/json.h"

#define PICKER_PREFIX  GS_SLICE_LIT("anthropic/")
#define MAX_ID_BYTES   1024
#define MAX_LIST_BYTES GS_MIB

/* ---- one model ---- */

struct item {
    struct gs_slice name;
    const char *owner;
    const struct gs_local_model *model; /* NULL: another computer's */
};

/* All there are, in `a`; none where there is no memory. */
static size_t list_all(const struct gs_server *s, struct gs_arena *a, struct item **out_items)
{
    const struct gs_switch_backend *backend = &s->opt.backend;
    const struct gs_local_model *models;
    const struct gs_switch_offer *offers;
    const size_t n_models = backend->models(backend->self, &models);
    const size_t n_offers = gs_switch_offers(s->sw, a, &offers);
    struct item *items = gs_arena_array(a, n_models + n_offers + 1, sizeof(*items));
    size_t n = 0;

    for (size_t i = 0; items && i < n_models; i++)
        items[n++] = (struct item){gs_slice_str(models[i].name), "genset", &models[i]};
    for (size_t i = 0; items && i < n_offers; i++)
        items[n++] = (struct item){offers[i].name, offers[i].provider, NULL};
    *out_items = items;
    return n;
}

/* What a conversation may use, as far as that is known: the model's own limit until it is loaded.
 */
static long long ctx_tokens(const struct gs_local_model *m)
{
    return m->fit_tokens ? m->fit_tokens : m->ctx_tokens;
}

static void write_model(struct gs_buf *b, const struct item *it, struct gs_slice id)
{
    const int64_t modified_s = it->model ? it->model->modified_s : 0;
    char created[40];

    gs_clock_format_us(modified_s * 1000000, created, sizeof(created));
    gs_buf_puts(b, "{\"id\":");
    gs_json_write_string(b, id);
    gs_buf_printf(b, ",\"object\":\"model\",\"created\":%lld,\"owned_by\":", (long long)modified_s);
    gs_json_write_string(b, gs_slice_str(it->owner));
    gs_buf_puts(b, ",\"type\":\"model\",\"display_name\":");
    gs_json_write_string(b, it->name);
    gs_buf_printf(b, ",\"created_at\":\"%s\"", created);
    if (it->model)
        gs_buf_printf(b, ",\"max_input_tokens\":%lld,\"max_tokens\":%lld", ctx_tokens(it->model),
                      ctx_tokens(it->model));
    gs_buf_putc(b, '}');
}

static size_t find_name(const struct item *list, size_t n, struct gs_slice name)
{
    for (size_t i = 0; i < n; i++)
        if (gs_slice_eq(name, list[i].name))
            return i;
    return n;
}

/* The model of this id in the list; n if there is none. */
static size_t find(const struct item *list, size_t n, struct gs_slice id)
{
    const size_t i = find_name(list, n, id);

    if (i < n)
        return i;
    if (gs_slice_starts(id, PICKER_PREFIX))
        id = gs_slice_sub(id, PICKER_PREFIX.len, id.len);
    if (gs_slice_ends(id, GS_SLICE_LIT(":latest")))
        id.len -= strlen(":latest");
    return find_name(list, n, id);
}

bool gs_server_models_one(const struct gs_server *s, struct gs_slice id, struct gs_buf *b)
{
    struct gs_arena a;
    struct item *list;

    gs_arena_init(&a, MAX_LIST_BYTES);
    const size_t n = list_all(s, &a, &list);
    const size_t i = find(list, n, id);
    if (i < n)
        write_model(b, &list[i], gs_slice_starts(id, PICKER_PREFIX) ? id : list[i].name);
    gs_arena_clear(&a);
    return i < n;
}

/* Of an errand, which may outlive the routes. */
void gs_server_models_remote(const struct gs_server *s, struct gs_errand *e)
{
    const struct gs_switch_offer *offers;
    struct gs_slice name = e->model;

    if (e->kind != GS_ERRAND_LIST && e->kind != GS_ERRAND_SHOW)
        return;
    if (gs_slice_ends(name, GS_SLICE_LIT(":latest")))
        name.len -= strlen(":latest");
    const size_t n = gs_switch_offers(s->sw, e->arena, &offers);
    struct gs_remote_model *remotes = gs_arena_array(e->arena, n, sizeof(*remotes));
    for (size_t i = 0; remotes && i < n; i++) {
        struct gs_remote_model *to = &remotes[e->n_remotes];
        if (e->kind == GS_ERRAND_SHOW && !gs_slice_eq(offers[i].name, name))
            continue;
        if (gs_arena_dup(e->arena, offers[i].name, &to->name) &&
            gs_arena_dup(e->arena, offers[i].model, &to->model) &&
            gs_arena_dup(e->arena, gs_slice_str(offers[i].url), &to->url))
            e->n_remotes++;
    }
    e->remotes = remotes;
}

/* ---- the list ---- */

/* Models [from, to), and what their ids begin with. */
struct page {
    size_t from, to;
    bool has_more; /* in the direction asked for */
    struct gs_slice prefix;
};

static struct page choose_page(const struct gs_http_head *head, const struct item *list, size_t n)
{
    const bool is_picker =
        gs_http_head_get(head, "anthropic-version").len > 0 &&
        gs_slice_starts(gs_http_head_get(head, "user-agent"), GS_SLICE_LIT("claude-"));
    struct page p = {.to = n, .prefix = is_picker ? PICKER_PREFIX : gs_slice("", 0)};
    char text[MAX_ID_BYTES];
    int64_t limit = 0;
    const bool is_limited = gs_server_query_get(head, "limit", text, sizeof(text)) &&
                            gs_slice_to_i64(gs_slice_str(text), &limit) && limit > 0;

    if (gs_server_query_get(head, "before_id", text, sizeof(text))) {
        p.to = find(list, n, gs_slice_str(text));
        p.has_more = is_limited && p.to > (uint64_t)limit;
        if (p.has_more)
            p.from = p.to - (size_t)limit;
        return p;
    }
    if (gs_server_query_get(head, "after_id", text, sizeof(text)))
        p.from = GS_MIN(find(list, n, gs_slice_str(text)) + 1, n);
    p.has_more = is_limited && n - p.from > (uint64_t)limit;
    if (p.has_more)
        p.to = p.from + (size_t)limit;
    return p;
}

static struct gs_slice id_of(const struct page *p, const struct item *it, struct gs_buf *id)
{
    gs_buf_reset(id);
    if (it->model)
        gs_buf_slice(id, p->prefix);
    gs_buf_slice(id, it->name);
    return gs_buf_view(id);
}

static void write_end(struct gs_buf *b, const char *key, const struct page *p,
                      const struct item *it, struct gs_buf *id)
{
    gs_buf_printf(b, ",\"%s\":", key);
    if (it)
        gs_json_write_string(b, id_of(p, it, id));
    else
        gs_buf_puts(b, "null");
}

void gs_server_models_list(const struct gs_server *s, const struct gs_http_head *head,
                           struct gs_buf *b)
{
    struct gs_arena a;
    struct item *list;
    struct gs_buf id;

    gs_arena_init(&a, MAX_LIST_BYTES);
    const size_t n = list_all(s, &a, &list);
    const struct page p = choose_page(head, list, n);
    const bool is_empty = p.from == p.to;
    gs_buf_init(&id, GS_MAX_TEXT_BYTES);
    gs_buf_puts(b, "{\"object\":\"list\",\"data\":[");
    for (size_t i = p.from; i < p.to; i++) {
        gs_buf_puts(b, i > p.from ? "," : "");
        write_model(b, &list[i], id_of(&p, &list[i], &id));
    }
    gs_buf_printf(b, "],\"has_more\":%s", p.has_more ? "true" : "false");
    write_end(b, "first_id", &p, is_empty ? NULL : &list[p.from], &id);
    write_end(b, "last_id", &p, is_empty ? NULL : &list[p.to - 1], &id);
    gs_buf_putc(b, '}');
    b->failed |= !gs_buf_ok(&id);
    gs_buf_clear(&id);
    gs_arena_clear(&a);
}
