/* The JSON Schema (draft 2020-12) of the configuration file, for editors. The texts of the tables
 * hold nothing that JSON would need escaped. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/slice.h"
#include "config/config_routes.h"

static void put_range(struct gs_buf *b, const struct gs_config_option *o)
{
    gs_buf_printf(b, ",\"minimum\":%g", o->lo);
    if (!isinf(o->hi))
        gs_buf_printf(b, ",\"maximum\":%.0f", o->hi);
}

static void put_words(struct gs_buf *b, const struct gs_config_option *o)
{
    gs_buf_puts(b, "\"enum\":[");
    for (size_t i = 0; gs_config_words_get(o->value, i).len; i++) {
        const struct gs_slice word = gs_config_words_get(o->value, i);
        gs_buf_printf(b, "%s\"%.*s\"", i ? "," : "", (int)word.len, word.ptr);
    }
    gs_buf_putc(b, ']');
}

static void put_type(struct gs_buf *b, const struct gs_config_option *o)
{
    switch (o->type) {
    case GS_CONFIG_BOOL:
        gs_buf_puts(b, "\"type\":\"boolean\"");
        break;
    case GS_CONFIG_INT:
        gs_buf_puts(b, "\"type\":\"integer\"");
        put_range(b, o);
        break;
    case GS_CONFIG_REAL:
        gs_buf_puts(b, "\"type\":\"number\"");
        put_range(b, o);
        break;
    case GS_CONFIG_BYTES:
        gs_buf_puts(b, "\"type\":[\"integer\",\"string\"],"
                       "\"pattern\":\"^[0-9]+ *([KMGT]i?B|kB|B)?$\"");
        break;
    case GS_CONFIG_DURATION:
        gs_buf_printf(b, "\"type\":\"string\",\"pattern\":\"^[0-9]+ *(ms|s|m|h)$%s\"",
                      o->lo < 0 ? "|^none$" : "");
        break;
    case GS_CONFIG_ENUM:
        put_words(b, o);
        break;
    case GS_CONFIG_STRING:
    case GS_CONFIG_SECRET:
    case GS_CONFIG_ADDRESS:
    case GS_CONFIG_PATH:
        gs_buf_puts(b, "\"type\":\"string\"");
        break;
    case GS_CONFIG_STRINGS:
    case GS_CONFIG_PATHS:
    case GS_CONFIG_MATCH:
    case GS_CONFIG_TARGETS:
        gs_buf_puts(b, "\"type\":[\"string\",\"array\"],\"items\":{\"type\":\"string\"}");
        break;
    case GS_CONFIG_URL:
        gs_buf_puts(b, "\"type\":\"string\",\"pattern\":\"^https?://\"");
        break;
    case GS_CONFIG_KEY:
        gs_buf_puts(b, "\"type\":\"string\",\"pattern\":\"^(client|none|(env|file|command):.+)$\"");
        break;
    case GS_CONFIG_WORDS:
        gs_buf_puts(b, "\"type\":[\"string\",\"array\"],\"items\":{");
        put_words(b, o);
        gs_buf_putc(b, '}');
        break;
    case GS_CONFIG_CONDITION:
        gs_buf_puts(b, "\"type\":\"boolean\"");
        break;
    case GS_CONFIG_USD:
    case GS_CONFIG_PRICE:
        gs_buf_puts(b, "\"type\":[\"number\",\"string\"],"
                       "\"pattern\":\"^[0-9]+([.][0-9]+)?( *USD)?$\"");
        break;
    case GS_CONFIG_GROUP:
        break; /* put_part() */
    }
}

static void put_default(struct gs_buf *b, const struct gs_config_option *o)
{
    const bool is_bare = o->type == GS_CONFIG_BOOL || o->type == GS_CONFIG_INT ||
                         o->type == GS_CONFIG_REAL || o->type == GS_CONFIG_BYTES;

    if (o->preset)
        gs_buf_printf(b, is_bare ? ",\"default\":%s" : ",\"default\":\"%s\"", o->preset);
}

/* The properties whose key is `group` and a name, or a name alone when group is empty. */
static void put_properties(struct gs_buf *b, struct gs_slice group)
{
    struct gs_slice last = {NULL, 0};
    const char *comma = "";

    gs_buf_puts(b, "\"type\":\"object\",\"additionalProperties\":false,\"properties\":{");
    for (size_t i = 0; i < GS_OPTION_COUNT; i++) {
        const struct gs_config_option *o = &gs_config_options[i];
        const char *dot = o->key ? strchr(o->key, '.') : NULL;
        const struct gs_slice mine = gs_slice(o->key, dot ? (size_t)(dot - o->key) : 0);
        if (!o->key || (group.len && !gs_slice_eq(mine, group)))
            continue;
        if (!group.len && mine.len) {
            if (gs_slice_eq(mine, last))
                continue;
            last = mine;
            gs_buf_printf(b, "%s\n\"%.*s\":{", comma, (int)mine.len, mine.ptr);
            put_properties(b, mine);
            gs_buf_putc(b, '}');
        } else {
            gs_buf_printf(b, "%s\n\"%s\":{", comma, dot ? dot + 1 : o->key);
            put_type(b, o);
            put_default(b, o);
            gs_buf_printf(b, ",\"description\":\"%s\"", o->help);
        }
        gs_buf_putc(b, '}');
        comma = ",";
    }
}

/* A mapping of the keys of one part. */
static void put_part(struct gs_buf *b, enum gs_config_part part)
{
    const char *comma = "";

    gs_buf_puts(b, "\"type\":\"object\",\"additionalProperties\":false,\"properties\":{");
    for (size_t i = 0; i < gs_config_n_routes_keys; i++) {
        const struct gs_config_routes_key *k = &gs_config_routes_keys[i];
        if (k->part != part)
            continue;
        gs_buf_printf(b, "%s\n\"%s\":{", comma, k->o.key);
        if (k->o.type == GS_CONFIG_GROUP)
            put_part(b, k->group);
        else
            put_type(b, &k->o);
        gs_buf_printf(b, ",\"description\":\"%s\"}", k->o.help);
        comma = ",";
    }
    gs_buf_putc(b, '}');
}

static void put_section(struct gs_buf *b, const struct gs_config_section *s)
{
    gs_buf_printf(b, ",\n\"%s\":{\"description\":\"%s\",", s->key, s->help);
    if (s->is_list)
        gs_buf_puts(b, "\"type\":[\"array\",\"null\"],\"items\":{");
    else
        gs_buf_puts(b, "\"type\":[\"object\",\"null\"],\"additionalProperties\":{");
    if (s->part == GS_PART_PROVIDER) /* or its URL alone, or nothing where its name says all */
        gs_buf_puts(b, "\"anyOf\":[{\"type\":[\"string\",\"null\"]},{");
    put_part(b, s->part);
    gs_buf_puts(b, s->part == GS_PART_PROVIDER ? "}]}}" : "}}");
}

void gs_config_write_schema(struct gs_buf *b)
{
    gs_buf_puts(b, "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\","
                   "\"title\":\"genset configuration\",");
    put_properties(b, (struct gs_slice){NULL, 0});
    for (size_t i = 0; i < GS_CONFIG_SECTION_COUNT; i++)
        put_section(b, &gs_config_sections[i]);
    gs_buf_puts(b, "}}\n");
}
