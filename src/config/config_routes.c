/* The sections about other computers, out of the file's tree into one generation of routes. Every
 * value is read by its row in routes.def; what rows say of each other is checked here. Providers
 * are read first, wherever they stand, since everything else names them. */
#include "config/config_routes.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/slice.h"
#include "config/config_suggest.h"
#include "config/config_tree.h"

#define MAX_PROVIDERS 64
#define MAX_ROUTES    256
#define MAX_TARGETS   16
#define MAX_ENTRIES   1000 /* of any other section */
#define MAX_NAME      64   /* bytes of a provider's, or a key's */
#define MAX_KEYS      16   /* of one part */

const struct gs_config_routes_key gs_config_routes_keys[] = {
#define GS_ROUTES_KEY(part_, type_, struct_, field_, key_, lo_, hi_, value_, help_)                \
    {.part = GS_PART_##part_,                                                                      \
     .o = {.type = GS_CONFIG_##type_,                                                              \
           .field_off = offsetof(struct struct_, field_),                                          \
           .key = (key_),                                                                          \
           .lo = (lo_),                                                                            \
           .hi = (hi_),                                                                            \
           .value = (value_),                                                                      \
           .help = (help_)}},
#define GS_ROUTES_GROUP(part_, group_, struct_, field_, key_, help_)                               \
    {.part = GS_PART_##part_,                                                                      \
     .group = GS_PART_##group_,                                                                    \
     .o = {.type = GS_CONFIG_GROUP,                                                                \
           .field_off = offsetof(struct struct_, field_),                                          \
           .key = (key_),                                                                          \
           .help = (help_)}},
#include "config/routes.def"
};
const size_t gs_config_n_routes_keys = GS_COUNT_OF(gs_config_routes_keys);

const struct gs_config_section gs_config_sections[GS_CONFIG_SECTION_COUNT] = {
    {"providers", GS_PART_PROVIDER, false, "NAME", "who else can answer"},
    {"routes", GS_PART_ROUTE, true, NULL,
     "who answers for which model; the first that fits counts"},
    {"budgets", GS_PART_BUDGET, false, "PROVIDER", "what may be spent; all: on all together"},
    {"keys", GS_PART_CLIENT, false, "NAME",
     "what holds for clients by their key's name in api_key_file"},
    {"prices", GS_PART_PRICE, false, "PROVIDER/MODEL",
     "what a million tokens cost, in US dollars; * stands for anything, the first that fits "
     "counts"},
    {"privacy", GS_PART_RULE, true, NULL, "what must not leave the machine"},
};

bool gs_config_is_section(const char *key)
{
    for (size_t i = 0; i < GS_CONFIG_SECTION_COUNT; i++)
        if (strcmp(gs_config_sections[i].key, key) == 0)
            return true;
    return false;
}

struct reader {
    const struct gs_config_routes_source *source;
    struct gs_arena *a;
    struct gs_config_errors *errors;
    struct gs_config_provider *providers; /* [0] is local */
    size_t n_providers;
};

/* ---- errors ---- */

static void fail_at(struct reader *r, const struct gs_config_node *n, const char *hint,
                    const char *fmt, ...) GS_PRINTF(4, 5);

static void fail_at(struct reader *r, const struct gs_config_node *n, const char *hint,
                    const char *fmt, ...)
{
    char msg[GS_ERROR_MSG_BYTES];
    struct gs_error err;
    va_list args;

    va_start(args, fmt);
    vsnprintf(msg, sizeof(msg), fmt, args);
    va_end(args);
    gs_error_set(&err, GS_ECONFIG, "%s", msg);
    if (hint)
        gs_error_hint(&err, "%s", hint);
    gs_config_errors_at(r->errors, n, &err);
}

static void fail_memory(struct reader *r)
{
    r->errors->st = GS_ENOMEM;
}

/* A text of the file as an error may show it. */
struct quoted {
    char text[4 * GS_FOUND_CHARS + 8];
};

static struct quoted quote(struct gs_slice text)
{
    struct quoted q = {""};
    struct gs_buf b;

    gs_buf_init(&b, sizeof(q.text) - 1);
    gs_config_value_quote(text, &b);
    if (b.len)
        memcpy(q.text, b.ptr, b.len);
    gs_buf_clear(&b);
    return q;
}

/* "Did you mean ...?" in `hint`, which is left as it is where there is nothing alike. */
static void put_guess(const struct gs_config_guess *g, char hint[GS_ERROR_HINT_BYTES])
{
    if (g->found.len)
        snprintf(hint, GS_ERROR_HINT_BYTES, "Did you mean \"%.*s\"?", (int)g->found.len,
                 g->found.ptr);
}

/* ---- nodes ---- */

/* The node as a mapping or a list; NULL if it is nothing, or something else, which is told. */
static const struct gs_config_node *expect(struct reader *r, const struct gs_config_node *n,
                                           enum gs_config_node_kind kind, const char *what)
{
    if (n->kind == kind)
        return n;
    if (!gs_config_node_is_nothing(n))
        fail_at(r, n, NULL, "%s: expected %s, found %s", what,
                kind == GS_CONFIG_LIST ? "a list" : "a mapping of keys", gs_config_node_word(n));
    return NULL;
}

/* Items of a list, or pairs of a mapping. */
static size_t count(const struct gs_config_node *n)
{
    size_t items = 0;

    for (const struct gs_config_node *child = n ? n->first : NULL; child; child = child->next)
        items++;
    return n && n->kind == GS_CONFIG_MAP ? items / 2 : items;
}

/* A zeroed array for what is in the section's node; NULL where there is nothing. */
static void *make_array(struct reader *r, const struct gs_config_node *n, size_t extra, size_t max,
                        size_t item_bytes, const char *what)
{
    const size_t items = count(n);

    if (items > max) {
        fail_at(r, n, NULL, "%s: expected at most %zu", what, max);
        return NULL;
    }
    if (items + extra == 0)
        return NULL;
    void *p = gs_arena_array(r->a, items + extra, item_bytes);
    if (!p)
        fail_memory(r);
    return p;
}

/* Room for what is in a section, and the first name in it; NULL twice: nothing is. */
static void *make_entries(struct reader *r, const struct gs_config_node *n, size_t item_bytes,
                          const char *what, const struct gs_config_node **out_first)
{
    const struct gs_config_node *map = n ? expect(r, n, GS_CONFIG_MAP, what) : NULL;
    void *items = make_array(r, map, 0, MAX_ENTRIES, item_bytes, what);

    *out_first = map && items ? map->first : NULL;
    return items;
}

static const char *dup(struct reader *r, struct gs_slice text)
{
    struct gs_slice copy = {NULL, 0};

    if (!gs_arena_dup(r->a, text, &copy))
        fail_memory(r);
    return copy.ptr;
}

/* ---- keys and values ---- */

static enum gs_status parse_key(struct reader *r, struct gs_slice text,
                                struct gs_config_provider *out, struct gs_error *err)
{
    static const struct gs_config_option path = {.type = GS_CONFIG_PATH};
    static const struct {
        struct gs_slice word;
        enum gs_key_source source;
    } sources[] = {{GS_SLICE_LIT("env:"), GS_KEY_ENV},
                   {GS_SLICE_LIT("file:"), GS_KEY_FILE},
                   {GS_SLICE_LIT("command:"), GS_KEY_COMMAND}};

    out->key = NULL;
    if (gs_slice_eq_str(text, "client") || gs_slice_eq_str(text, "none")) {
        out->key_source = text.ptr[0] == 'c' ? GS_KEY_CLIENT : GS_KEY_NONE;
        return GS_OK;
    }
    for (size_t i = 0; i < GS_COUNT_OF(sources); i++) {
        if (!gs_slice_starts(text, sources[i].word))
            continue;
        const struct gs_slice rest =
            gs_slice_trim(gs_slice_sub(text, sources[i].word.len, text.len));
        out->key_source = sources[i].source;
        if (rest.len == 0)
            return gs_error_set(err, GS_ECONFIG, "nothing follows %s", sources[i].word.ptr);
        return gs_config_value_read(&path, &out->key, r->a, rest,
                                    sources[i].source == GS_KEY_FILE ? r->source->home : NULL, err);
    }
    gs_error_set(
        err, GS_ECONFIG,
        "expected client, none, env:NAME, file:PATH or command:WORDS, found something else");
    gs_error_hint(err, "A key does not stand in this file: put it into a variable and write "
                       "env:NAME, or into a file of its own and write file:PATH.");
    return GS_ECONFIG;
}

/* Nothing of its line is shown: it may be a key. */
static void read_key(struct reader *r, const struct gs_config_node *n,
                     struct gs_config_provider *out)
{
    struct gs_error err = {0};

    if (n->kind != GS_CONFIG_SCALAR)
        gs_error_set(&err, GS_ECONFIG, "expected a text, found %s", gs_config_node_word(n));
    else if (parse_key(r, n->text, out, &err) == GS_OK)
        return;
    gs_error_prefix(&err, "key");
    gs_config_errors_at_secret(r->errors, n, &err);
}

/* One scalar by its row. */
static void read_scalar(struct reader *r, const struct gs_config_option *o,
                        const struct gs_config_node *n, void *field)
{
    struct gs_error err = {0};

    if (n->kind != GS_CONFIG_SCALAR) {
        gs_config_value_unfit(o, o->key, n, &err);
    } else if (o->type == GS_CONFIG_URL && gs_config_url_has_credentials(n->text)) {
        gs_error_set(&err, GS_ECONFIG, "%s: a URL must not carry credentials", o->key);
        gs_error_hint(&err, "Write key: env:NAME or key: file:PATH beside it.");
        gs_config_errors_at_secret(r->errors, n, &err);
        return;
    } else {
        if (gs_config_value_read(o, field, r->a, n->text, r->source->home, &err) == GS_OK)
            return;
        gs_error_prefix(&err, "%s", o->key);
    }
    gs_config_errors_at(r->errors, n, &err);
}

/* Calls read_scalar for the node, or for each item of a list. */
static void read_words(struct reader *r, const struct gs_config_option *o,
                       const struct gs_config_node *n, void *field)
{
    if (n->kind != GS_CONFIG_LIST) {
        read_scalar(r, o, n, field);
        return;
    }
    for (const struct gs_config_node *item = n->first; item; item = item->next)
        read_scalar(r, o, item, field);
}

static bool is_pattern(struct gs_slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] <= ' ' || text.ptr[i] == 0x7F || text.ptr[i] == '|')
            return false;
    return text.len > 0;
}

/* A list is joined by '|'. */
static void read_match(struct reader *r, const struct gs_config_option *o,
                       const struct gs_config_node *n, const char **out)
{
    const bool is_list = n->kind == GS_CONFIG_LIST;
    const struct gs_config_node *item = is_list ? n->first : n;
    struct gs_buf joined;

    if (is_list && !item)
        fail_at(r, n, NULL, "%s: the list is empty", o->key);
    gs_buf_init(&joined, r->source->text.len + 1);
    for (; item; item = is_list ? item->next : NULL) {
        if (item->kind != GS_CONFIG_SCALAR || !is_pattern(item->text)) {
            fail_at(r, item, NULL, "%s: expected the name of a model, such as claude-*, found %s",
                    o->key,
                    item->kind == GS_CONFIG_SCALAR ? quote(item->text).text
                                                   : gs_config_node_word(item));
            continue;
        }
        if (joined.len)
            gs_buf_putc(&joined, '|');
        gs_buf_slice(&joined, item->text);
    }
    *out = dup(r, gs_buf_view(&joined));
    if (!gs_buf_ok(&joined))
        fail_memory(r);
    gs_buf_clear(&joined);
}

static size_t find_provider(const struct reader *r, struct gs_slice name)
{
    for (size_t i = 0; i < r->n_providers; i++)
        if (gs_slice_eq_str(name, r->providers[i].name))
            return i;
    return SIZE_MAX;
}

static void fail_provider(struct reader *r, const struct gs_config_node *n, struct gs_slice name)
{
    char hint[GS_ERROR_HINT_BYTES] = "Providers are named in the section \"providers\".";
    struct gs_config_guess g;

    gs_config_guess_init(&g, name);
    for (size_t i = 0; i < r->n_providers; i++)
        gs_config_guess_try(&g, gs_slice_str(r->providers[i].name));
    put_guess(&g, hint);
    fail_at(r, n, hint, "there is no provider %s", quote(name).text);
}

/* "provider" or "provider/model"; a model's name may hold slashes too. */
static bool read_target(struct reader *r, const struct gs_config_node *n,
                        struct gs_config_target *out)
{
    if (n->kind != GS_CONFIG_SCALAR || !is_pattern(n->text) ||
        memchr(n->text.ptr, '*', n->text.len)) {
        fail_at(r, n, NULL, "targets: expected PROVIDER or PROVIDER/MODEL, found %s",
                n->kind == GS_CONFIG_SCALAR ? quote(n->text).text : gs_config_node_word(n));
        return false;
    }
    const size_t slash = gs_slice_find(n->text, GS_SLICE_LIT("/"), 0);
    const struct gs_slice name = gs_slice_sub(n->text, 0, slash);
    out->provider = find_provider(r, name);
    if (out->provider == SIZE_MAX) {
        fail_provider(r, n, name);
        return false;
    }
    if (slash == SIZE_MAX)
        return true;
    if (slash + 1 == n->text.len) {
        fail_at(r, n, NULL, "targets: no model follows the slash");
        return false;
    }
    out->model = dup(r, gs_slice_sub(n->text, slash + 1, n->text.len));
    return out->model != NULL;
}

static bool is_same_target(const struct gs_config_target *a, const struct gs_config_target *b)
{
    return a->provider == b->provider && !a->model == !b->model &&
           (!a->model || strcmp(a->model, b->model) == 0);
}

/* If nobody is left, local is. */
static void keep_loopback(const struct reader *r, struct gs_config_target *targets,
                          struct gs_config_route *route)
{
    size_t n = 0;

    for (size_t i = 0; i < route->n_targets; i++)
        if (r->providers[targets[i].provider].is_loopback)
            targets[n++] = targets[i];
    if (n == 0 && route->n_targets > 0)
        targets[n++] = (struct gs_config_target){.provider = 0};
    route->n_targets = n;
}

static void read_targets(struct reader *r, const struct gs_config_node *n,
                         struct gs_config_route *out)
{
    const bool is_list = n->kind == GS_CONFIG_LIST;
    const struct gs_config_node *item = is_list ? n->first : n;
    struct gs_config_target *targets =
        make_array(r, is_list ? n : NULL, !is_list, MAX_TARGETS, sizeof(*targets), "targets");

    for (; item && targets; item = is_list ? item->next : NULL) {
        struct gs_config_target *t = &targets[out->n_targets];
        if (!read_target(r, item, t))
            continue;
        out->n_targets++;
        for (size_t i = 0; i + 1 < out->n_targets; i++)
            if (is_same_target(&targets[i], t))
                fail_at(r, item, NULL, "target %s is given twice", quote(item->text).text);
    }
    out->targets = targets;
    if (r->source->is_hermit && targets)
        keep_loopback(r, targets, out);
}

static void read_part(struct reader *r, enum gs_config_part part, const struct gs_config_node *map,
                      void *base);

static void read_value(struct reader *r, const struct gs_config_routes_key *k,
                       const struct gs_config_node *n, void *base)
{
    void *field = (char *)base + k->o.field_off;

    switch (k->o.type) {
    case GS_CONFIG_KEY:
        read_key(r, n, base);
        break;
    case GS_CONFIG_MATCH:
        read_match(r, &k->o, n, field);
        break;
    case GS_CONFIG_TARGETS:
        read_targets(r, n, base);
        break;
    case GS_CONFIG_WORDS:
        read_words(r, &k->o, n, field);
        break;
    case GS_CONFIG_GROUP:
        /* the keys of "when" are the route's own fields */
        read_part(r, k->group, expect(r, n, GS_CONFIG_MAP, k->o.key),
                  k->group == GS_PART_WHEN ? base : field);
        break;
    default:
        read_scalar(r, &k->o, n, field);
    }
}

static void fail_unknown(struct reader *r, enum gs_config_part part, const struct gs_config_node *n)
{
    char hint[GS_ERROR_HINT_BYTES];
    struct gs_config_guess g;
    size_t len = (size_t)snprintf(hint, sizeof(hint), "Known here:");

    gs_config_guess_init(&g, n->text);
    for (size_t i = 0; i < gs_config_n_routes_keys; i++) {
        const struct gs_config_routes_key *k = &gs_config_routes_keys[i];
        if (k->part != part)
            continue;
        gs_config_guess_try(&g, gs_slice_str(k->o.key));
        if (len < sizeof(hint))
            len += (size_t)snprintf(hint + len, sizeof(hint) - len, "%s %s",
                                    hint[len - 1] == ':' ? "" : ",", k->o.key);
    }
    if (len + 1 < sizeof(hint))
        snprintf(hint + len, sizeof(hint) - len, ".");
    put_guess(&g, hint);
    fail_at(r, n, hint, "unknown key %s", quote(n->text).text);
}

/* The keys of one mapping into the struct at `base`; NULL: there are none. */
static void read_part(struct reader *r, enum gs_config_part part, const struct gs_config_node *map,
                      void *base)
{
    int first_line[GS_COUNT_OF(gs_config_routes_keys)] = {0};
    const struct gs_config_node *key = map ? map->first : NULL;

    for (; key && key->next; key = key->next->next) {
        size_t i = 0;
        if (key->kind != GS_CONFIG_SCALAR) {
            fail_at(r, key, NULL, "expected a key, found %s", gs_config_node_word(key));
            continue;
        }
        while (i < gs_config_n_routes_keys &&
               (gs_config_routes_keys[i].part != part ||
                !gs_slice_eq_str(key->text, gs_config_routes_keys[i].o.key)))
            i++;
        if (i == gs_config_n_routes_keys) {
            fail_unknown(r, part, key);
            continue;
        }
        if (first_line[i]) {
            fail_at(r, key, NULL, "key \"%s\" is given twice, first in line %d",
                    gs_config_routes_keys[i].o.key, first_line[i]);
            continue;
        }
        first_line[i] = key->line;
        read_value(r, &gs_config_routes_keys[i], key->next, base);
    }
}

/* ---- providers ---- */

bool gs_config_is_name(struct gs_slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        const char c = name.ptr[i];
        if ((c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') &&
            (c == '\0' || !strchr("._-", c)))
            return false;
    }
    return name.len > 0 && name.len <= MAX_NAME;
}

static bool check_name(struct reader *r, const struct gs_config_node *n)
{
    if (n->kind != GS_CONFIG_SCALAR || !gs_config_is_name(n->text)) {
        fail_at(r, n, "Names are made of letters, digits, '.', '_' and '-'.",
                "expected the name of a provider, found %s",
                n->kind == GS_CONFIG_SCALAR ? quote(n->text).text : gs_config_node_word(n));
        return false;
    }
    if (gs_slice_eq_str(n->text, "local") || gs_slice_eq_str(n->text, "all")) {
        fail_at(r, n, NULL, "no provider can be called %s: that is %s", quote(n->text).text,
                n->text.ptr[0] == 'l' ? "this machine" : "all of them");
        return false;
    }
    const size_t same = find_provider(r, n->text);
    if (same == SIZE_MAX)
        return true;
    fail_at(r, n, NULL, "provider %s is given twice, first in line %d", quote(n->text).text,
            r->providers[same].line);
    return false;
}

static void read_provider(struct reader *r, const struct gs_config_node *name,
                          const struct gs_config_node *value)
{
    struct gs_config_provider *p = &r->providers[r->n_providers];
    const int n_errors = r->errors->n;

    if (!check_name(r, name))
        return;
    *p = (struct gs_config_provider){
        .name = dup(r, name->text), .key_source = GS_KEY_UNSET, .line = name->line};
    if (!p->name)
        return;
    r->n_providers++;
    if (value->kind == GS_CONFIG_SCALAR && !gs_config_node_is_nothing(value)) {
        static const struct gs_config_option url = {.type = GS_CONFIG_URL, .key = "url"};
        read_scalar(r, &url, value, &p->url);
    } else {
        read_part(r, GS_PART_PROVIDER, expect(r, value, GS_CONFIG_MAP, p->name), p);
    }
    if (p->proxy && strcmp(p->proxy, "none") == 0)
        p->proxy = "";
    gs_config_provider_complete(p, r->source);
    if (!p->url && r->errors->n == n_errors)
        fail_at(r, name, "Write the base URL of its API, such as url: http://10.0.0.7:8000/v1.",
                "provider \"%s\" has no url", p->name);
    else if (p->url && gs_config_url_is_ours(gs_slice_str(p->url), r->source->listen))
        fail_at(r, name, "This machine's own models are the provider \"local\".",
                "provider \"%s\" is this very server", p->name);
}

static void read_providers(struct reader *r, const struct gs_config_node *n)
{
    const struct gs_config_node *map = n ? expect(r, n, GS_CONFIG_MAP, "providers") : NULL;
    const size_t extra = 1 + GS_CONFIG_SUGGESTED_MAX;

    r->providers = make_array(r, map, extra, MAX_PROVIDERS, sizeof(*r->providers), "providers");
    if (!r->providers) /* too many */
        r->providers = make_array(r, NULL, extra, 0, sizeof(*r->providers), "providers");
    if (!r->providers)
        return;
    r->providers[r->n_providers++] =
        (struct gs_config_provider){.name = "local", .is_loopback = true, .is_near = true};
    if (!map) {
        r->n_providers += gs_config_suggest_providers(r->source, r->a, r->providers + 1);
        return;
    }
    const struct gs_config_node *name = count(map) <= MAX_PROVIDERS ? map->first : NULL;
    for (; name && name->next; name = name->next->next)
        read_provider(r, name, name->next);
}

/* ---- routes ---- */

bool gs_config_is_conditional(const struct gs_config_route *r)
{
    return r->images != GS_CONDITION_NONE || r->tools != GS_CONDITION_NONE ||
           r->battery != GS_CONDITION_NONE || r->hot != GS_CONDITION_NONE || r->prompt_over > 0 ||
           r->prompt_under > 0;
}

/* Does `wide` take every name that `narrow` takes? A '*' in `narrow` is fit by one in `wide` only,
 * so that the pattern can be asked like a name. */
static bool covers(const struct gs_config_route *wide, const struct gs_config_route *narrow)
{
    const char *part = narrow->match;

    if (gs_config_is_conditional(wide))
        return false;
    for (;;) {
        const size_t len = strcspn(part, "|");
        if (!gs_config_match(wide->match, gs_slice(part, len)))
            return false;
        if (part[len] == '\0')
            return true;
        part += len + 1;
    }
}

static void check_route(struct reader *r, const struct gs_config_node *n,
                        const struct gs_config_route *routes, size_t i)
{
    const struct gs_config_route *route = &routes[i];

    if (route->n_targets == 0)
        fail_at(r, n, "Write targets: [PROVIDER, PROVIDER/MODEL, local].",
                "the route has no targets");
    if (route->prompt_under > 0 && route->prompt_under <= route->prompt_over + 1)
        fail_at(r, n, NULL, "no prompt is over %lld and under %lld tokens",
                (long long)route->prompt_over, (long long)route->prompt_under);
    for (size_t j = 0; j < i; j++) {
        if (!covers(&routes[j], route))
            continue;
        fail_at(r, n, "The first route that fits counts: put narrow patterns before wide ones.",
                "this route is never reached: the one in line %d takes all its models",
                routes[j].line);
        return;
    }
}

static void read_routes(struct reader *r, const struct gs_config_node *n,
                        struct gs_config_routes *out)
{
    const struct gs_config_node *list = n ? expect(r, n, GS_CONFIG_LIST, "routes") : NULL;
    const size_t extra = 1 + GS_CONFIG_SUGGESTED_MAX;
    struct gs_config_route *routes = NULL;

    if (!list || count(list) <= MAX_ROUTES)
        routes = make_array(r, list, extra, MAX_ROUTES, sizeof(*routes), "routes");
    else
        fail_at(r, list, NULL, "routes: expected at most %d", MAX_ROUTES);
    if (!routes)
        return;
    out->routes = routes;
    if (!list)
        out->n_routes = gs_config_suggest_routes(r->providers, r->n_providers, r->a, routes);
    for (const struct gs_config_node *item = list ? list->first : NULL; item; item = item->next) {
        struct gs_config_route *route = &routes[out->n_routes];
        const int n_errors = r->errors->n;
        if (!expect(r, item, GS_CONFIG_MAP, "routes"))
            continue;
        *route = (struct gs_config_route){.match = "*", .line = item->line};
        read_part(r, GS_PART_ROUTE, item, route);
        if (!route->match)
            return;
        if (r->errors->n == n_errors)
            check_route(r, item, routes, out->n_routes);
        out->n_routes++;
    }
    out->n_routes += gs_config_suggest_default(r->a, routes, out->n_routes);
}

/* ---- money ---- */

static void read_budgets(struct reader *r, const struct gs_config_node *n,
                         struct gs_config_routes *out)
{
    const struct gs_config_node *key;
    struct gs_config_budget *budgets = make_entries(r, n, sizeof(*budgets), "budgets", &key);

    out->budgets = budgets;
    for (; key && key->next; key = key->next->next) {
        struct gs_config_budget *b = &budgets[out->n_budgets];
        *b = (struct gs_config_budget){.provider = SIZE_MAX, .line = key->line};
        if (!gs_slice_eq_str(key->text, "all"))
            b->provider = find_provider(r, key->text);
        if (b->provider == SIZE_MAX && !gs_slice_eq_str(key->text, "all")) {
            fail_provider(r, key, key->text);
            continue;
        }
        if (b->provider == 0) {
            fail_at(r, key, NULL, "this machine needs no budget");
            continue;
        }
        for (size_t i = 0; i < out->n_budgets; i++)
            if (budgets[i].provider == b->provider)
                fail_at(r, key, NULL, "budget %s is given twice, first in line %d",
                        quote(key->text).text, budgets[i].line);
        const int n_errors = r->errors->n;
        read_part(r, GS_PART_BUDGET, expect(r, key->next, GS_CONFIG_MAP, "budgets"), b);
        if (b->day_nanousd == 0 && b->month_nanousd == 0 && r->errors->n == n_errors)
            fail_at(r, key, "Write what may be spent: {day: 5 USD, month: 60 USD}.",
                    "budget %s needs day or month", quote(key->text).text);
        out->n_budgets++;
    }
}

const struct gs_config_client_key *gs_config_find_key(const struct gs_config_routes *routes,
                                                      struct gs_slice name)
{
    for (size_t i = 0; i < routes->n_keys; i++)
        if (gs_slice_eq_str(name, routes->keys[i].name))
            return &routes->keys[i];
    return NULL;
}

/* It may be the key itself, which is not shown. */
static void fail_key_name(struct reader *r, const struct gs_config_node *n)
{
    struct gs_error err;

    gs_error_set(&err, GS_ECONFIG, "keys: expected the name of a key");
    gs_error_hint(&err, "A name stands behind its key in api_key_file, and is made of letters, "
                        "digits, '.', '_' and '-'.");
    gs_config_errors_at_secret(r->errors, n, &err);
}

static void read_keys(struct reader *r, const struct gs_config_node *n,
                      struct gs_config_routes *out)
{
    const struct gs_config_node *name;
    struct gs_config_client_key *keys = make_entries(r, n, sizeof(*keys), "keys", &name);

    out->keys = keys;
    for (; name && name->next; name = name->next->next) {
        struct gs_config_client_key *k = &keys[out->n_keys];
        const int n_errors = r->errors->n;
        if (name->kind != GS_CONFIG_SCALAR || !gs_config_is_name(name->text)) {
            fail_key_name(r, name);
            continue;
        }
        const struct gs_config_client_key *same = gs_config_find_key(out, name->text);
        if (same)
            fail_at(r, name, NULL, "key %s is given twice, first in line %d",
                    quote(name->text).text, same->line);
        *k = (struct gs_config_client_key){
            .name = dup(r, name->text),
            .budget = {.provider = SIZE_MAX, .line = name->line},
            .line = name->line,
        };
        read_part(r, GS_PART_CLIENT, expect(r, name->next, GS_CONFIG_MAP, "keys"), k);
        if (k->budget.day_nanousd == 0 && k->budget.month_nanousd == 0 &&
            k->on_break == GS_ON_BREAK_UNSET && r->errors->n == n_errors)
            fail_at(r, name, "Write what may be spent: {budget: {day: 2 USD, month: 20 USD}}.",
                    "key %s needs budget or on_break", quote(name->text).text);
        out->n_keys += k->name != NULL;
    }
}

/* The provider's part of the pattern must fit one there is. */
static bool check_price_name(struct reader *r, const struct gs_config_node *key)
{
    const size_t slash = gs_slice_find(key->text, GS_SLICE_LIT("/"), 0);

    if (key->kind != GS_CONFIG_SCALAR || !is_pattern(key->text) ||
        (slash == SIZE_MAX && !gs_slice_eq_str(key->text, "*"))) {
        fail_at(r, key, NULL,
                "prices: expected PROVIDER/MODEL, such as anthropic/claude-*, found %s",
                key->kind == GS_CONFIG_SCALAR ? quote(key->text).text : gs_config_node_word(key));
        return false;
    }
    const struct gs_slice name = gs_slice_sub(key->text, 0, slash);
    if (memchr(name.ptr, '*', name.len) || find_provider(r, name) != SIZE_MAX)
        return true;
    fail_provider(r, key, name);
    return false;
}

static void read_prices(struct reader *r, const struct gs_config_node *n,
                        struct gs_config_routes *out)
{
    const struct gs_config_node *key;
    struct gs_config_price *prices = make_entries(r, n, sizeof(*prices), "prices", &key);

    out->prices = prices;
    for (; key && key->next; key = key->next->next) {
        struct gs_config_price *p = &prices[out->n_prices];
        const int n_errors = r->errors->n;
        if (!check_price_name(r, key))
            continue;
        *p = (struct gs_config_price){dup(r, key->text), -1, -1, -1, -1};
        read_part(r, GS_PART_PRICE, expect(r, key->next, GS_CONFIG_MAP, "prices"), p);
        if ((p->in_nanousd < 0 || p->out_nanousd < 0) && r->errors->n == n_errors)
            fail_at(r, key, "Write what a million tokens cost: {in: 3, out: 15}.",
                    "price %s needs in and out", quote(key->text).text);
        if (p->cached_nanousd < 0)
            p->cached_nanousd = p->in_nanousd;
        if (p->cache_write_nanousd < 0)
            p->cache_write_nanousd = p->in_nanousd;
        out->n_prices += p->match != NULL;
    }
}

/* ---- privacy ---- */

#define CLASS_UNSET ((enum gs_privacy)(GS_PRIVACY_LOCAL_ONLY + 1))

static void read_rules(struct reader *r, const struct gs_config_node *n,
                       struct gs_config_routes *out)
{
    const struct gs_config_node *list = n ? expect(r, n, GS_CONFIG_LIST, "privacy") : NULL;
    struct gs_config_secret_rule *rules =
        make_array(r, list, 0, MAX_ENTRIES, sizeof(*rules), "privacy");

    out->rules = rules;
    for (const struct gs_config_node *item = list && rules ? list->first : NULL; item;
         item = item->next) {
        struct gs_config_secret_rule *rule = &rules[out->n_rules];
        const int n_errors = r->errors->n;
        *rule = (struct gs_config_secret_rule){.privacy = CLASS_UNSET};
        read_part(r, GS_PART_RULE, expect(r, item, GS_CONFIG_MAP, "privacy"), rule);
        out->n_rules++;
        if (r->errors->n > n_errors)
            continue;
        if ((rule->find != GS_DETECT_NONE) == (rule->path != NULL))
            fail_at(r, item, NULL, "a privacy rule has either find or path");
        else if (rule->privacy == CLASS_UNSET)
            fail_at(r, item, "Write class: local-only, redact or any.",
                    "the privacy rule has no class");
        else if (rule->path && rule->privacy == GS_PRIVACY_REDACT)
            fail_at(r, item, "Write class: local-only.", "a file cannot be redacted");
    }
}

/* ---- all ---- */

/* The value of a key at the top; NULL: it is not there. The options' reader tells of keys that are
 * no keys. */
static const struct gs_config_node *
find_section(struct reader *r, const struct gs_config_node *root, const char *name)
{
    const struct gs_config_node *found = NULL;
    const struct gs_config_node *key = root && root->kind == GS_CONFIG_MAP ? root->first : NULL;

    for (; key && key->next; key = key->next->next) {
        if (!gs_slice_eq_str(key->text, name))
            continue;
        if (found)
            fail_at(r, key, NULL, "key \"%s\" is given twice", name);
        found = found ? found : key->next;
    }
    return found && gs_config_node_is_nothing(found) ? NULL : found;
}

void gs_config_routes_of_tree(const struct gs_config_routes_source *source,
                              const struct gs_config_node *root, struct gs_arena *a,
                              struct gs_config_routes *out_routes, struct gs_config_errors *errors)
{
    struct reader r = {.source = source, .a = a, .errors = errors};
    struct gs_config_routes routes = {0};

    read_providers(&r, find_section(&r, root, "providers"));
    routes.providers = r.providers;
    routes.n_providers = r.n_providers;
    if (r.providers)
        read_routes(&r, find_section(&r, root, "routes"), &routes);
    read_budgets(&r, find_section(&r, root, "budgets"), &routes);
    read_keys(&r, find_section(&r, root, "keys"), &routes);
    read_prices(&r, find_section(&r, root, "prices"), &routes);
    read_rules(&r, find_section(&r, root, "privacy"), &routes);
    if (errors->st == GS_OK)
        *out_routes = routes;
}

enum gs_status gs_config_read_routes(const struct gs_config_routes_source *source,
                                     struct gs_arena *a, struct gs_config_routes *out_routes,
                                     struct gs_buf *report)
{
    struct gs_config_errors errors = {.name = source->name, .text = source->text, .report = report};
    struct gs_config_routes routes = {0};
    struct gs_config_tree tree;

    gs_config_tree_read(&tree, source->name, source->text, a);
    gs_config_routes_of_tree(source, tree.root, a, &routes, &errors);
    gs_config_errors_tree(&errors, &tree);
    const enum gs_status st = gs_buf_ok(report) ? errors.st : GS_ENOMEM;
    if (st == GS_OK)
        *out_routes = routes;
    return st;
}
