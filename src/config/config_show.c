/* The settings in effect as a configuration file that says the same; only secrets are left out. */
#include <inttypes.h>
#include <string.h>

#include "base/slice.h"
#include "config/config_routes.h"

#define NANOUSD         INT64_C(1000000000) /* of a dollar */
#define TOKENS_OF_PRICE 1000000

static void put_yaml_bytes(struct gs_buf *b, struct gs_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        const unsigned char c = (unsigned char)text.ptr[i];
        if (c == '"' || c == '\\')
            gs_buf_printf(b, "\\%c", c);
        else if (c < 0x20 || c == 0x7F)
            gs_buf_printf(b, "\\x%02X", c);
        else
            gs_buf_putc(b, text.ptr[i]);
    }
}

static void put_yaml_text(struct gs_buf *b, struct gs_slice text)
{
    gs_buf_putc(b, '"');
    put_yaml_bytes(b, text);
    gs_buf_putc(b, '"');
}

static void put_list(struct gs_buf *b, const struct gs_config_list *list)
{
    gs_buf_putc(b, '[');
    for (size_t i = 0; i < list->len; i++) {
        gs_buf_puts(b, i ? ", " : "");
        put_yaml_text(b, gs_slice_str(list->items[i]));
    }
    gs_buf_putc(b, ']');
}

/* Billionths of a dollar, times `scale`, without zeros at the end. */
static void put_usd(struct gs_buf *b, int64_t nanousd, int64_t scale)
{
    const int64_t whole = nanousd / (NANOUSD / scale);
    int64_t rest = nanousd % (NANOUSD / scale);

    gs_buf_printf(b, "%" PRId64, whole);
    if (rest > 0)
        gs_buf_putc(b, '.');
    for (int64_t unit = NANOUSD / scale / 10; rest > 0; unit /= 10) {
        gs_buf_putc(b, (char)('0' + rest / unit));
        rest %= unit;
    }
}

static void put_words(struct gs_buf *b, const char *words, unsigned bits)
{
    const char *comma = "";

    gs_buf_putc(b, '[');
    for (size_t i = 0; gs_config_words_get(words, i).len; i++) {
        if (!(bits & 1u << i))
            continue;
        gs_buf_puts(b, comma);
        gs_buf_slice(b, gs_config_words_get(words, i));
        comma = ", ";
    }
    gs_buf_putc(b, ']');
}

/* "a|b": [a, b] */
static void put_match(struct gs_buf *b, const char *match)
{
    const bool is_list = strchr(match, '|') != NULL;

    gs_buf_puts(b, is_list ? "[" : "");
    for (size_t i = 0; gs_config_words_get(match, i).len; i++) {
        const struct gs_slice word = gs_config_words_get(match, i);
        gs_buf_puts(b, i ? ", " : "");
        put_yaml_text(b, word);
    }
    gs_buf_puts(b, is_list ? "]" : "");
}

static void put_duration(struct gs_buf *b, int64_t ms)
{
    if (ms < 0)
        gs_buf_puts(b, "none");
    else
        gs_buf_printf(b, "%" PRId64 "ms", ms);
}

static void put_value(struct gs_buf *b, const void *field, const struct gs_config_option *o)
{
    const char *const *text = field;
    const int64_t *number = field;

    switch (o->type) {
    case GS_CONFIG_BOOL:
        gs_buf_puts(b, *(const bool *)field ? "true" : "false");
        break;
    case GS_CONFIG_INT:
    case GS_CONFIG_BYTES:
        gs_buf_printf(b, "%" PRId64, *number);
        break;
    case GS_CONFIG_DURATION:
        put_duration(b, *number);
        break;
    case GS_CONFIG_USD:
        put_usd(b, *number, 1);
        gs_buf_puts(b, " USD");
        break;
    case GS_CONFIG_PRICE:
        put_usd(b, *number, TOKENS_OF_PRICE);
        break;
    case GS_CONFIG_CONDITION:
        gs_buf_puts(b, *(const enum gs_condition *)field == GS_CONDITION_YES ? "true" : "false");
        break;
    case GS_CONFIG_WORDS:
        put_words(b, o->value, *(const unsigned *)field);
        break;
    case GS_CONFIG_MATCH:
        put_match(b, *text);
        break;
    case GS_CONFIG_REAL:
        gs_buf_printf(b, "%g", *(const double *)field);
        break;
    case GS_CONFIG_ENUM:
        gs_buf_slice(b, gs_config_words_get(o->value, (size_t)(*(const int *)field - (int)o->lo)));
        break;
    case GS_CONFIG_SECRET:
        gs_buf_puts(b, "\"(set)\"");
        break;
    case GS_CONFIG_STRING:
    case GS_CONFIG_ADDRESS:
    case GS_CONFIG_URL:
    case GS_CONFIG_PATH:
        put_yaml_text(b, gs_slice_str(*text));
        break;
    case GS_CONFIG_STRINGS:
    case GS_CONFIG_PATHS:
        put_list(b, field);
        break;
    case GS_CONFIG_KEY:
    case GS_CONFIG_TARGETS:
    case GS_CONFIG_GROUP:
        break; /* not made of one field */
    }
}

/* ---- the sections about other computers ---- */

/* Is the field as it is when nothing was said? */
static bool is_unsaid(const void *field, const struct gs_config_option *o)
{
    switch (o->type) {
    case GS_CONFIG_INT:
    case GS_CONFIG_DURATION:
    case GS_CONFIG_USD:
        return *(const int64_t *)field == 0;
    case GS_CONFIG_CONDITION:
        return *(const enum gs_condition *)field == GS_CONDITION_NONE;
    case GS_CONFIG_STRING:
    case GS_CONFIG_PATH:
        return !*(const char *const *)field;
    case GS_CONFIG_ENUM:
        return *(const int *)field < (int)o->lo;
    default:
        return false;
    }
}

static void put_key(struct gs_buf *b, const struct gs_config_provider *p)
{
    static const char *const sources[] = {
        [GS_KEY_NONE] = "none",  [GS_KEY_CLIENT] = "client",    [GS_KEY_ENV] = "env:",
        [GS_KEY_FILE] = "file:", [GS_KEY_COMMAND] = "command:",
    };

    gs_buf_printf(b, "\"%s", sources[p->key_source]);
    put_yaml_bytes(b, gs_slice_str(p->key));
    gs_buf_putc(b, '"');
}

static void put_targets(struct gs_buf *b, const struct gs_config_route *route,
                        const struct gs_config_routes *r)
{
    gs_buf_putc(b, '[');
    for (size_t i = 0; i < route->n_targets; i++) {
        const struct gs_config_target *t = &route->targets[i];
        gs_buf_printf(b, "%s\"%s%s", i ? ", " : "", r->providers[t->provider].name,
                      t->model ? "/" : "");
        put_yaml_bytes(b, gs_slice_str(t->model));
        gs_buf_putc(b, '"');
    }
    gs_buf_putc(b, ']');
}

/* "{key: value...}" of what was said */
static void put_part(struct gs_buf *b, enum gs_config_part part, const void *base,
                     const struct gs_config_routes *r)
{
    const char *comma = "";

    gs_buf_putc(b, '{');
    for (size_t i = 0; i < gs_config_n_routes_keys; i++) {
        const struct gs_config_routes_key *k = &gs_config_routes_keys[i];
        const void *field = (const char *)base + k->o.field_off;
        const size_t start = b->len;
        if (k->part != part || is_unsaid(field, &k->o))
            continue;
        gs_buf_printf(b, "%s%s: ", comma, k->o.key);
        const size_t before = b->len;
        if (k->o.type == GS_CONFIG_GROUP)
            put_part(b, k->group, k->group == GS_PART_WHEN ? base : field, r);
        else if (k->o.type == GS_CONFIG_KEY)
            put_key(b, base);
        else if (k->o.type == GS_CONFIG_TARGETS)
            put_targets(b, base, r);
        else if (strcmp(k->o.key, "proxy") == 0 && strchr(*(const char *const *)field, '@'))
            gs_buf_puts(b, "\"(set)\"");
        else if (k->o.type == GS_CONFIG_STRING && !**(const char *const *)field)
            gs_buf_puts(b, "none");
        else
            put_value(b, field, &k->o);
        if (k->o.type == GS_CONFIG_GROUP && b->len == before + 2)
            b->len = start; /* nothing was said in it */
        else
            comma = ", ";
    }
    gs_buf_putc(b, '}');
}

static void put_routes(struct gs_buf *b, const struct gs_config_routes *r)
{
    gs_buf_puts(b, r->n_providers > 1 ? "providers:\n" : "#providers:\n");
    for (size_t i = 1; i < r->n_providers; i++) {
        gs_buf_printf(b, "  %s: ", r->providers[i].name);
        put_part(b, GS_PART_PROVIDER, &r->providers[i], r);
        gs_buf_puts(b, r->providers[i].line ? "  # file\n" : "\n");
    }
    gs_buf_puts(b, r->n_routes > 0 ? "routes:\n" : "#routes:\n");
    for (size_t i = 0; i < r->n_routes; i++) {
        gs_buf_puts(b, "  - ");
        put_part(b, GS_PART_ROUTE, &r->routes[i], r);
        gs_buf_puts(b, r->routes[i].line ? "  # file\n" : "\n");
    }
    gs_buf_puts(b, r->n_budgets > 0 ? "budgets:\n" : "#budgets:\n");
    for (size_t i = 0; i < r->n_budgets; i++) {
        const size_t p = r->budgets[i].provider;
        gs_buf_printf(b, "  %s: ", p == SIZE_MAX ? "all" : r->providers[p].name);
        put_part(b, GS_PART_BUDGET, &r->budgets[i], r);
        gs_buf_puts(b, "  # file\n");
    }
    gs_buf_puts(b, r->n_keys > 0 ? "keys:\n" : "#keys:\n");
    for (size_t i = 0; i < r->n_keys; i++) {
        gs_buf_printf(b, "  \"%s\": ", r->keys[i].name);
        put_part(b, GS_PART_CLIENT, &r->keys[i], r);
        gs_buf_puts(b, "  # file\n");
    }
    gs_buf_puts(b, r->n_prices > 0 ? "prices:\n" : "#prices:\n");
    for (size_t i = 0; i < r->n_prices; i++) {
        gs_buf_puts(b, "  ");
        put_yaml_text(b, gs_slice_str(r->prices[i].match));
        gs_buf_puts(b, ": ");
        put_part(b, GS_PART_PRICE, &r->prices[i], r);
        gs_buf_puts(b, "  # file\n");
    }
    gs_buf_puts(b, r->n_rules > 0 ? "privacy:\n" : "#privacy:\n");
    for (size_t i = 0; i < r->n_rules; i++) {
        gs_buf_puts(b, "  - ");
        put_part(b, GS_PART_RULE, &r->rules[i], r);
        gs_buf_puts(b, "  # file\n");
    }
}

/* ---- the options ---- */

static void put_origin(struct gs_buf *b, const struct gs_config *c, size_t option)
{
    char env[GS_ENV_BYTES];

    switch (c->origin[option]) {
    case GS_ORIGIN_DEFAULT:
        break;
    case GS_ORIGIN_FILE:
        gs_buf_puts(b, "  # file");
        break;
    case GS_ORIGIN_ENV:
        gs_config_env_name(&gs_config_options[option], env);
        gs_buf_printf(b, "  # %s", env);
        break;
    case GS_ORIGIN_FLAG:
        gs_buf_puts(b, "  # flag");
        break;
    }
}

void gs_config_write_settings(const struct gs_config *c, struct gs_buf *b)
{
    struct gs_slice group = {NULL, 0};

    gs_buf_printf(b, "# %s\n", c->file ? c->file : "no configuration file");
    for (size_t i = 0; i < GS_OPTION_COUNT; i++) {
        const struct gs_config_option *o = &gs_config_options[i];
        if (!o->key)
            continue;
        const char *dot = strchr(o->key, '.');
        const struct gs_slice mine = gs_slice(o->key, dot ? (size_t)(dot - o->key) : 0);
        if (mine.len > 0 && !gs_slice_eq(mine, group))
            gs_buf_printf(b, "%.*s:\n", (int)mine.len, mine.ptr);
        group = mine;
        const bool is_unset = !o->preset && c->origin[i] == GS_ORIGIN_DEFAULT;
        gs_buf_printf(b, "%s%s%s:", is_unset ? "#" : "", mine.len ? "  " : "",
                      mine.len ? dot + 1 : o->key);
        if (!is_unset) {
            gs_buf_putc(b, ' ');
            put_value(b, (const char *)c + o->field_off, o);
        }
        put_origin(b, c, i);
        gs_buf_putc(b, '\n');
    }
    put_routes(b, &c->routes);
}
