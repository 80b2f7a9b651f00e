/* From text to values: every type of option, and the words that say what was expected. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/slice.h"
#include "config/config_routes.h"
#include "config/config_table.h"
#include "config/config_tree.h"

#define MAX_LIST        1000
#define USD_DECIMALS    9
#define MAX_USD_DIGITS  18
#define TOKENS_OF_PRICE 1000000
#define MAX_NAME        256 /* of a host */

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit size_units[] = {
    {"", 1},
    {"B", 1},
    {"KiB", INT64_C(1) << 10},
    {"MiB", INT64_C(1) << 20},
    {"GiB", INT64_C(1) << 30},
    {"TiB", INT64_C(1) << 40},
    {"kB", 1000},
    {"KB", 1000},
    {"MB", 1000000},
    {"GB", 1000000000},
    {"TB", 1000000000000},
    {NULL, 0},
};

static const struct unit time_units[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}, {NULL, 0},
};

/* ---- saying what was expected ---- */

static void put_amount(struct gs_buf *b, const struct gs_config_option *o, double v)
{
    const struct unit *best = NULL;

    if (o->type == GS_CONFIG_REAL) {
        gs_buf_printf(b, "%g", v);
        return;
    }
    if (o->type == GS_CONFIG_DURATION) {
        for (const struct unit *u = time_units; u->name; u++)
            if ((int64_t)v % u->factor == 0)
                best = u;
    }
    gs_buf_printf(b, "%" PRId64 "%s", best ? (int64_t)v / best->factor : (int64_t)v,
                  best ? best->name : "");
}

static void put_range(struct gs_buf *b, const struct gs_config_option *o)
{
    const bool is_optional = o->type == GS_CONFIG_DURATION && o->lo < 0;

    gs_buf_puts(b, isinf(o->hi) ? " of at least " : " from ");
    put_amount(b, o, is_optional ? 1 : o->lo);
    if (isinf(o->hi))
        return;
    gs_buf_puts(b, " to ");
    put_amount(b, o, o->hi);
    if (is_optional)
        gs_buf_puts(b, ", or none");
}

static void put_words(struct gs_buf *b, const char *words)
{
    for (size_t i = 0;; i++) {
        const struct gs_slice word = gs_config_words_get(words, i);
        if (word.len == 0)
            return;
        if (i > 0)
            gs_buf_puts(b, gs_config_words_get(words, i + 1).len ? ", " : " or ");
        gs_buf_slice(b, word);
    }
}

void gs_config_value_expected(const struct gs_config_option *o, struct gs_buf *b)
{
    switch (o->type) {
    case GS_CONFIG_BOOL:
    case GS_CONFIG_CONDITION:
        gs_buf_puts(b, "true or false");
        break;
    case GS_CONFIG_INT:
        gs_buf_puts(b, "a whole number");
        put_range(b, o);
        break;
    case GS_CONFIG_REAL:
        gs_buf_puts(b, "a number");
        put_range(b, o);
        break;
    case GS_CONFIG_BYTES:
        gs_buf_puts(b, "a size such as 8GiB");
        break;
    case GS_CONFIG_DURATION:
        gs_buf_puts(b, "a duration");
        put_range(b, o);
        break;
    case GS_CONFIG_USD:
        gs_buf_puts(b, "an amount such as 5 USD");
        break;
    case GS_CONFIG_PRICE:
        gs_buf_puts(b, "a price in USD for a million tokens, such as 0.25");
        break;
    case GS_CONFIG_ENUM:
    case GS_CONFIG_WORDS:
        put_words(b, o->value);
        break;
    case GS_CONFIG_URL:
        gs_buf_puts(b, "a URL such as http://10.0.0.7:8000/v1");
        break;
    case GS_CONFIG_KEY:
        gs_buf_puts(b, "client, none, env:NAME, file:PATH or command:WORDS");
        break;
    case GS_CONFIG_MATCH:
        gs_buf_puts(b, "a model name such as claude-*");
        break;
    case GS_CONFIG_TARGETS:
        gs_buf_puts(b, "PROVIDER or PROVIDER/MODEL");
        break;
    case GS_CONFIG_GROUP:
        gs_buf_puts(b, "a mapping of keys");
        break;
    case GS_CONFIG_ADDRESS:
        gs_buf_puts(b, "an address such as 127.0.0.1:8484");
        break;
    case GS_CONFIG_STRING:
    case GS_CONFIG_SECRET:
    case GS_CONFIG_STRINGS:
        gs_buf_puts(b, "a text");
        break;
    case GS_CONFIG_PATH:
    case GS_CONFIG_PATHS:
        gs_buf_puts(b, "a file or folder");
        break;
    }
}

void gs_config_value_quote(struct gs_slice text, struct gs_buf *b)
{
    size_t n = 0;

    if (text.len == 0) {
        gs_buf_puts(b, "nothing");
        return;
    }
    if (gs_config_looks_secret(text)) {
        gs_buf_puts(b, "what looks like a key");
        return;
    }
    gs_buf_putc(b, '"');
    for (size_t off = 0; off < text.len; n++) {
        uint32_t cp;
        const size_t len = gs_utf8_decode(text, off, &cp);
        if (n == GS_FOUND_CHARS) {
            gs_buf_puts(b, "...");
            break;
        }
        if (cp < 0x20 || (cp >= 0x7F && cp < 0xA0) || cp == 0xFFFD)
            gs_buf_putc(b, '?');
        else
            gs_buf_put(b, text.ptr + off, len);
        off += len;
    }
    gs_buf_putc(b, '"');
}

void gs_config_value_unfit(const struct gs_config_option *o, const char *path,
                           const struct gs_config_node *n, struct gs_error *err)
{
    struct gs_buf expected;

    gs_buf_init(&expected, GS_ERROR_MSG_BYTES);
    gs_config_value_expected(o, &expected);
    gs_error_set(err, GS_ECONFIG, "%s: expected %.*s, found %s", path, (int)expected.len,
                 expected.len ? expected.ptr : "", gs_config_node_word(n));
    gs_buf_clear(&expected);
}

static enum gs_status wrong(const struct gs_config_option *o, struct gs_slice text,
                            struct gs_error *err)
{
    struct gs_buf b;

    gs_buf_init(&b, GS_ERROR_MSG_BYTES);
    gs_buf_puts(&b, "expected ");
    gs_config_value_expected(o, &b);
    if (o->type == GS_CONFIG_SECRET || o->type == GS_CONFIG_KEY) {
        gs_buf_puts(&b, ", found something else");
    } else {
        gs_buf_puts(&b, ", found ");
        gs_config_value_quote(text, &b);
    }
    const struct gs_slice msg = gs_buf_view(&b);
    const enum gs_status st =
        gs_buf_ok(&b) ? gs_error_set(err, GS_ECONFIG, "%.*s", (int)msg.len, msg.len ? msg.ptr : "")
                      : gs_error_nomem(err, "report a wrong value");
    gs_buf_clear(&b);
    return st;
}

/* ---- numbers ---- */

/* Whole decimal digits; "010" is refused because half of the world reads it as eight. */
static bool parse_whole(struct gs_slice text, int64_t *out, struct gs_error *err)
{
    const size_t sign = text.len > 0 && text.ptr[0] == '-';

    if (!gs_slice_to_i64(text, out))
        return false;
    if (text.len - sign > 1 && text.ptr[sign] == '0') {
        gs_error_hint(err, "Numbers are decimal: write %" PRId64 ".", *out);
        return false;
    }
    return true;
}

/* Decimals without sign or exponent, and perhaps " USD"; in billionths of a dollar. */
static bool parse_usd(struct gs_slice text, int64_t *out)
{
    const struct gs_slice usd = GS_SLICE_LIT("USD");
    int64_t v = 0;
    int n_decimals = -1; /* the point was not seen */
    size_t n_digits = 0;

    if (gs_slice_ends(text, usd))
        text = gs_slice_trim(gs_slice_sub(text, 0, text.len - usd.len));
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.ptr[i];
        if (c == '.' && n_decimals < 0 && i > 0) {
            n_decimals = 0;
            continue;
        }
        if (c < '0' || c > '9' || n_decimals == USD_DECIMALS || n_digits++ == MAX_USD_DIGITS)
            return false;
        v = 10 * v + (c - '0');
        n_decimals += n_decimals >= 0;
    }
    if (n_digits == 0 || n_decimals == 0)
        return false;
    for (int i = GS_MAX(n_decimals, 0); i < USD_DECIMALS; i++)
        if (__builtin_mul_overflow(v, 10, &v))
            return false;
    *out = v;
    return true;
}

static bool in_range(const struct gs_config_option *o, double v)
{
    return v >= o->lo && v <= o->hi; /* false for a NaN */
}

/* Digits and a unit of the table; the product is checked. */
static bool parse_units(struct gs_slice text, const struct unit *units, int64_t *out,
                        struct gs_error *err)
{
    size_t digits = 0;
    int64_t v;

    while (digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9')
        digits++;
    if (!parse_whole(gs_slice_sub(text, 0, digits), &v, err))
        return false;
    const struct gs_slice name = gs_slice_trim(gs_slice_sub(text, digits, text.len));
    for (const struct unit *u = units; u->name; u++) {
        if (!gs_slice_eq_str(name, u->name))
            continue;
        return !__builtin_mul_overflow(v, u->factor, out);
    }
    return false;
}

static enum gs_status wrong_hinted(const struct gs_config_option *o, struct gs_slice text,
                                   const char *hint, struct gs_error *err)
{
    const enum gs_status st = wrong(o, text, err);

    if (hint && hint[0])
        gs_error_hint(err, "%s", hint);
    return st;
}

static enum gs_status parse_number(const struct gs_config_option *o, struct gs_slice text,
                                   int64_t *out, struct gs_error *err)
{
    struct gs_error why = {0};
    const char *hint = "";
    int64_t v = 0;
    bool good = false;

    if (o->type == GS_CONFIG_BYTES) {
        good = parse_units(text, size_units, &v, &why);
        hint = "Sizes are whole numbers with a unit: 512MiB, 8GiB, 1GB, or plain bytes.";
    } else if (o->type == GS_CONFIG_DURATION) {
        good = parse_units(text, time_units, &v, &why);
        hint = "Durations are whole numbers with a unit: 500ms, 30s, 2m, 1h, 7d.";
        if (o->lo < 0 && gs_slice_eq_str(text, "none")) {
            good = true;
            v = -1;
        }
    } else if (o->type == GS_CONFIG_USD) {
        good = parse_usd(text, &v);
        hint = "Amounts are in US dollars: 5, 0.50 or 5 USD.";
    } else if (o->type == GS_CONFIG_PRICE) {
        good = parse_usd(text, &v) && v % TOKENS_OF_PRICE == 0;
        hint = "Prices are in US dollars, with three decimals at most: 15, 0.25 or 0.075.";
        v /= TOKENS_OF_PRICE;
    } else {
        good = parse_whole(text, &v, &why);
    }
    if (!good)
        return wrong_hinted(o, text, why.hint[0] ? why.hint : hint, err);
    if (!in_range(o, (double)v) || (o->type == GS_CONFIG_DURATION && v == 0 && o->lo < 0))
        return wrong(o, text, err);
    *out = v;
    return GS_OK;
}

static enum gs_status parse_real(const struct gs_config_option *o, struct gs_slice text,
                                 double *out, struct gs_error *err)
{
    double v;

    if (!gs_slice_to_double(text, &v) || !in_range(o, v))
        return wrong(o, text, err);
    *out = v;
    return GS_OK;
}

/* ---- words ---- */

static enum gs_status parse_bool(const struct gs_config_option *o, struct gs_slice text, bool *out,
                                 struct gs_error *err)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};

    for (size_t i = 0; i < GS_COUNT_OF(words); i++) {
        if (!gs_slice_eq_str(text, words[i]))
            continue;
        *out = i % 2 == 1;
        return GS_OK;
    }
    return wrong(o, text, err);
}

static enum gs_status parse_condition(const struct gs_config_option *o, struct gs_slice text,
                                      enum gs_condition *out, struct gs_error *err)
{
    bool is_yes = false;
    const enum gs_status st = parse_bool(o, text, &is_yes, err);

    if (st == GS_OK)
        *out = is_yes ? GS_CONDITION_YES : GS_CONDITION_NO;
    return st;
}

static enum gs_status parse_enum(const struct gs_config_option *o, struct gs_slice text, int *out,
                                 struct gs_error *err)
{
    struct gs_config_guess g;
    char hint[GS_ERROR_HINT_BYTES] = "";

    gs_config_guess_init(&g, text);
    for (size_t i = 0;; i++) {
        const struct gs_slice word = gs_config_words_get(o->value, i);
        if (word.len == 0)
            break;
        if (gs_slice_eq(word, text)) {
            *out = (int)i + (int)o->lo;
            return GS_OK;
        }
        gs_config_guess_try(&g, word);
    }
    if (g.found.len)
        snprintf(hint, sizeof(hint), "Did you mean \"%.*s\"?", (int)g.found.len, g.found.ptr);
    return wrong_hinted(o, text, hint, err);
}

/* One word more in a set of bits. */
static enum gs_status parse_word(const struct gs_config_option *o, struct gs_slice text,
                                 unsigned *out, struct gs_error *err)
{
    int bit = 0;
    const enum gs_status st = parse_enum(o, text, &bit, err);

    if (st == GS_OK)
        *out |= 1u << bit;
    return st;
}

/* ---- texts, paths, addresses ---- */

static enum gs_status parse_string(struct gs_arena *a, const struct gs_config_option *o,
                                   struct gs_slice text, const char **out, struct gs_error *err)
{
    struct gs_slice copy;

    if (text.len == 0 && o->type != GS_CONFIG_STRING)
        return wrong(o, text, err);
    if (text.len > 0 && memchr(text.ptr, '\0', text.len))
        return gs_error_set(err, GS_ECONFIG, "expected a text, found one with a zero byte");
    if (!gs_arena_dup(a, text, &copy))
        return gs_error_nomem(err, "hold the configuration");
    *out = copy.ptr;
    return GS_OK;
}

static enum gs_status parse_path(struct gs_arena *a, const struct gs_config_option *o,
                                 struct gs_slice text, const char *home, const char **out,
                                 struct gs_error *err)
{
    const bool is_home =
        text.len > 0 && text.ptr[0] == '~' && (text.len == 1 || text.ptr[1] == '/') && home;

    if (!is_home)
        return parse_string(a, o, text, out, err);
    const struct gs_slice path =
        gs_arena_printf(a, "%s%.*s", home, (int)(text.len - 1), text.ptr + 1);
    if (!path.ptr)
        return gs_error_nomem(err, "hold the configuration");
    *out = path.ptr;
    return GS_OK;
}

static bool split_address(struct gs_slice text, struct gs_slice *out_host, int64_t *out_port)
{
    size_t colon = text.len;

    while (colon > 0 && text.ptr[colon - 1] != ':')
        colon--;
    if (colon == 0)
        return false;
    struct gs_slice host = gs_slice_sub(text, 0, colon - 1);
    const struct gs_slice port = gs_slice_sub(text, colon, text.len);
    const bool is_v6 = host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';
    if (is_v6)
        host = gs_slice_sub(host, 1, host.len - 1);
    else if (host.len > 0 && memchr(host.ptr, ':', host.len))
        return false;
    for (size_t i = 0; i < host.len; i++)
        if (host.ptr[i] <= ' ' || host.ptr[i] > '~' || strchr("/[]", host.ptr[i]))
            return false;
    *out_host = host;
    return host.len > 0 && host.len < MAX_NAME && gs_slice_to_i64(port, out_port) &&
           port.ptr[0] != '-' && *out_port <= 65535;
}

static enum gs_status parse_address(struct gs_arena *a, const struct gs_config_option *o,
                                    struct gs_slice text, const char **out, struct gs_error *err)
{
    struct gs_slice host;
    int64_t port;

    if (!split_address(text, &host, &port))
        return wrong_hinted(o, text,
                            "Write HOST:PORT: 127.0.0.1:8484 for this machine, 0.0.0.0:8484 or "
                            "[::]:8484 for all.",
                            err);
    return parse_string(a, o, text, out, err);
}

enum gs_status gs_config_address_split(const char *address, char *host, size_t cap, int *out_port,
                                       struct gs_error *err)
{
    struct gs_slice name;
    int64_t port;

    if (!split_address(gs_slice_str(address), &name, &port) || name.len >= cap)
        return gs_error_set(err, GS_EINVAL, "\"%s\" is not an address", address);
    memcpy(host, name.ptr, name.len);
    host[name.len] = '\0';
    *out_port = (int)port;
    return GS_OK;
}

/* ---- URLs ---- */

static enum gs_status parse_url(struct gs_arena *a, const struct gs_config_option *o,
                                struct gs_slice text, const char **out, struct gs_error *err)
{
    struct gs_config_url url;

    if (!gs_config_url_split(text, &url))
        return wrong_hinted(o, text, "URLs begin with http:// or https:// and have no ? or #.",
                            err);
    while (text.len > 0 && text.ptr[text.len - 1] == '/')
        text.len--;
    return parse_string(a, o, text, out, err);
}

/* ---- lists ---- */

bool gs_config_list_add(struct gs_arena *a, struct gs_config_list *list, struct gs_slice item)
{
    struct gs_slice copy;
    const bool is_full = (list->len & (list->len - 1)) == 0; /* room is the next power of two */

    if (is_full) {
        const char **items = gs_arena_array(a, list->len ? 2 * list->len : 1, sizeof(*items));
        if (!items)
            return false;
        if (list->len)
            memcpy(items, list->items, list->len * sizeof(*items));
        list->items = items;
    }
    if (!gs_arena_dup(a, item, &copy))
        return false;
    list->items[list->len++] = copy.ptr;
    return true;
}

void gs_config_value_reset(struct gs_config *c, enum gs_option option)
{
    const struct gs_config_option *o = &gs_config_options[option];

    if (gs_config_type_is_list(o->type))
        *(struct gs_config_list *)((char *)c + o->field_off) = (struct gs_config_list){NULL, 0};
}

static enum gs_status parse_item(struct gs_arena *a, const struct gs_config_option *o,
                                 struct gs_config_list *list, struct gs_slice text,
                                 const char *home, struct gs_error *err)
{
    const char *item = NULL;

    if (list->len == MAX_LIST)
        return gs_error_set(err, GS_ECONFIG, "expected at most %d items", MAX_LIST);
    const enum gs_status st =
        parse_path(a, o, text, o->type == GS_CONFIG_PATHS ? home : NULL, &item, err);
    if (st != GS_OK)
        return st;
    if (!gs_config_list_add(a, list, gs_slice_str(item)))
        return gs_error_nomem(err, "hold the configuration");
    return GS_OK;
}

enum gs_status gs_config_value_read(const struct gs_config_option *o, void *field,
                                    struct gs_arena *a, struct gs_slice text, const char *home,
                                    struct gs_error *err)
{
    switch (o->type) {
    case GS_CONFIG_BOOL:
        return parse_bool(o, text, field, err);
    case GS_CONFIG_CONDITION:
        return parse_condition(o, text, field, err);
    case GS_CONFIG_INT:
    case GS_CONFIG_BYTES:
    case GS_CONFIG_DURATION:
    case GS_CONFIG_USD:
    case GS_CONFIG_PRICE:
        return parse_number(o, text, field, err);
    case GS_CONFIG_REAL:
        return parse_real(o, text, field, err);
    case GS_CONFIG_ENUM:
        return parse_enum(o, text, field, err);
    case GS_CONFIG_WORDS:
        return parse_word(o, text, field, err);
    case GS_CONFIG_STRING:
    case GS_CONFIG_SECRET:
        return parse_string(a, o, text, field, err);
    case GS_CONFIG_ADDRESS:
        return parse_address(a, o, text, field, err);
    case GS_CONFIG_URL:
        return parse_url(a, o, text, field, err);
    case GS_CONFIG_PATH:
        return parse_path(a, o, text, home, field, err);
    case GS_CONFIG_STRINGS:
    case GS_CONFIG_PATHS:
        return parse_item(a, o, field, text, home, err);
    case GS_CONFIG_KEY:
    case GS_CONFIG_MATCH:
    case GS_CONFIG_TARGETS:
    case GS_CONFIG_GROUP:
        break; /* not made from one text */
    }
    return gs_error_set(err, GS_EINTERNAL, "option of no type");
}

enum gs_status gs_config_value_parse(struct gs_config *c, enum gs_option option,
                                     struct gs_slice text, const char *home, struct gs_error *err)
{
    const struct gs_config_option *o = &gs_config_options[option];

    return gs_config_value_read(o, (char *)c + o->field_off, &c->arena, text, home, err);
}

enum gs_status gs_config_set(struct gs_config *c, enum gs_option option, struct gs_slice text,
                             struct gs_error *err)
{
    const enum gs_status st = gs_config_value_parse(c, option, text, NULL, err);

    if (st == GS_OK)
        c->origin[option] = GS_ORIGIN_FLAG;
    return st;
}
