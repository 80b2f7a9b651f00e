/* Strings: patterns, formats and lengths. Of several, the pattern is enforced, else the format,
 * else the length. */
#include "constraint/schema.h"

#include "base/limits.h"
#include "base/slice.h"
#include "constraint/pattern.h"

/* Formats of JSON Schema's validation vocabulary (7.3); each matches a part of what the standard
 * behind it allows, the part in common use. */
#define DAY                                                                                        \
    "[0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[" \
    "1-9]|1[0-9]|2[0-8]))"
#define TIME                                                                                       \
    "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9]" \
    ")"
#define LABEL "[A-Za-z0-9]([A-Za-z0-9-]{0,40}[A-Za-z0-9])?"
#define BYTE  "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
#define HEX4  "[0-9a-fA-F]{4}"

static const struct {
    const char *name;
    const char *regex;
} formats[] = {
    {"date", DAY},
    {"time", TIME},
    {"date-time", DAY "T" TIME},
    {"duration", "P([0-9]{1,4}[YMWD]|[0-9]{1,4}DT[0-9]{1,4}[HMS]|T[0-9]{1,4}[HMS])"},
    {"uuid", HEX4 HEX4 "-" HEX4 "-" HEX4 "-" HEX4 "-" HEX4 HEX4 HEX4},
    {"email",
     "[A-Za-z0-9_+-]{1,32}(\\.[A-Za-z0-9_+-]{1,20}){0,2}@(" LABEL "\\.){1,3}[A-Za-z]{2,10}"},
    {"hostname", LABEL "(\\." LABEL "){0,4}"},
    {"ipv4", "(" BYTE "\\.){3}" BYTE},
    {"ipv6", "([0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}|::1|::"},
    {"uri",
     "[a-z]{2,10}://" LABEL "(\\." LABEL "){0,5}(:[0-9]{1,4})?(/[A-Za-z0-9._~:@!$&'()*+,;=-]*)*"
     "(\\?[A-Za-z0-9._~:@!$&'()*+,;=/-]*)?(#[A-Za-z0-9._~:@!$&'()*+,;=/-]*)?"},
};

static const char *format_regex(const struct gs_json *s)
{
    const struct gs_json *format = gs_json_get(s, "format");

    for (size_t i = 0; format && format->kind == GS_JSON_STRING && i < GS_COUNT_OF(formats); i++)
        if (gs_slice_eq_str(format->u.string, formats[i].name))
            return formats[i].regex;
    return NULL;
}

/* What stands between the quotes, in place of any characters; false if nothing special does. */
static bool special(struct gs_schema *c, const struct gs_json *s, uint32_t quote, uint32_t *out)
{
    const struct gs_json *pattern = gs_json_get(s, "pattern");
    const char *regex = format_regex(s);
    struct gs_pattern *p;

    if (pattern && pattern->kind == GS_JSON_STRING) {
        if (gs_pattern_from_regex(pattern->u.string, true, &c->a, &p, NULL) == GS_OK) {
            *out = gs_pattern_emit(&c->g, p, GS_PATTERN_JSON, quote);
            if (gs_json_get(s, "format"))
                gs_schema_ignore(c, "format");
            return true;
        }
        gs_schema_ignore(c, "pattern");
    }
    if (!regex && gs_json_get(s, "format"))
        gs_schema_ignore(c, "format");
    if (regex)
        *out = gs_schema_regex(c, regex, quote);
    return regex != NULL;
}

static void name_lengths(struct gs_schema *c, uint32_t min, uint32_t max)
{
    if (min > 0)
        gs_schema_ignore(c, "minLength");
    if (max != GS_GRAMMAR_MANY)
        gs_schema_ignore(c, "maxLength");
}

bool gs_schema_string_fits(struct gs_schema *c, const struct gs_json *s, struct gs_slice v)
{
    const uint32_t min = gs_schema_count(c, s, "minLength", 0);
    const uint32_t max = gs_schema_count(c, s, "maxLength", GS_GRAMMAR_MANY);
    size_t n = 0;
    uint32_t cp;

    for (size_t i = 0; i < v.len; n++)
        i += gs_utf8_decode(v, i, &cp);
    if (gs_json_get(s, "pattern"))
        gs_schema_ignore(c, "pattern");
    if (gs_json_get(s, "format"))
        gs_schema_ignore(c, "format");
    return n >= min && n <= max;
}

uint32_t gs_schema_string(struct gs_schema *c, const struct gs_json *s, uint32_t next)
{
    struct gs_grammar *g = &c->g;
    const uint32_t quote = gs_grammar_byte(g, '"', next);
    const uint32_t min = gs_schema_count(c, s, "minLength", 0);
    const uint32_t max = gs_schema_count(c, s, "maxLength", GS_GRAMMAR_MANY);
    uint32_t inner;

    if (!special(c, s, quote, &inner))
        inner = gs_grammar_repeat(g, c->character, min, max, quote);
    else
        name_lengths(c, min, max);
    return gs_grammar_byte(g, '"', inner);
}
