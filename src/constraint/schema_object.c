/* Objects and arrays.
 *
 * Properties come in the schema's order; each rule of a pair is called from two chains, one for
 * when nothing stands before it and one for when a comma must. */
#include "constraint/schema.h"

#include "base/limits.h"
#include "base/slice.h"
#include "constraint/pattern.h"

/* ---- names ---- */

static void add_escaped(struct gs_schema *c, struct gs_slice name, struct gs_buf *b)
{
    gs_json_write_string(b, name);
    if (!gs_buf_ok(b))
        gs_schema_nomem(c);
}

/* The characters of names that are declared, as a tree. */
struct letter {
    uint32_t c; /* code point */
    bool ends;  /* a name */
    struct letter *child, *sibling;
};

static void add_name(struct gs_schema *c, struct letter *root, struct gs_slice name)
{
    struct letter *at = root;

    for (size_t i = 0; i < name.len;) {
        uint32_t cp;
        i += gs_utf8_decode(name, i, &cp);
        struct letter *next = at->child;
        while (next && next->c != cp)
            next = next->sibling;
        if (!next) {
            next = gs_arena_alloc(&c->a, sizeof(*next));
            if (!next) {
                gs_schema_nomem(c);
                return;
            }
            *next = (struct letter){.c = cp, .sibling = at->child};
            at->child = next;
        }
        at = next;
    }
    at->ends = true;
}

#define MAX_NAME_DEPTH 256 /* longer names are told apart by their beginnings */

/* The rest of a name that is none of those below `at`, its closing quote, and next. */
static uint32_t other_name(struct gs_schema *c, const struct letter *at, size_t depth,
                           uint32_t plain_char, uint32_t next)
{
    struct gs_grammar *g = &c->g;
    struct gs_pattern *others = gs_pattern_new(&c->a, GS_PATTERN_CHARS);
    const uint32_t quote = gs_grammar_byte(g, '"', next);
    uint32_t node = at->ends ? GS_GRAMMAR_FAIL : quote;

    if (!others || !gs_pattern_add_range(&c->a, others, 0, 0x1f) ||
        !gs_pattern_add_range(&c->a, others, '"', '"') ||
        !gs_pattern_add_range(&c->a, others, '\\', '\\')) {
        gs_schema_nomem(c);
        return GS_GRAMMAR_FAIL;
    }
    for (const struct letter *l = at->child; l; l = l->sibling) {
        if (!gs_pattern_add_range(&c->a, others, l->c, l->c))
            gs_schema_nomem(c);
        if (l->c >= 0x20 && l->c != '"' && l->c != '\\' && depth < MAX_NAME_DEPTH)
            node = gs_grammar_fork(
                g, node,
                gs_grammar_char(g, l->c, l->c, other_name(c, l, depth + 1, plain_char, next)));
    }
    if (!gs_pattern_negate(&c->a, others))
        gs_schema_nomem(c);
    const uint32_t free_rest = gs_grammar_repeat(g, plain_char, 0, GS_GRAMMAR_MANY, quote);
    return gs_grammar_fork(g, node, gs_pattern_emit(g, others, GS_PATTERN_PLAIN, free_rest));
}

/* ---- pairs ---- */

/* ": value" behind a name. */
static uint32_t colon_value(struct gs_schema *c, const struct gs_json *value, uint32_t next)
{
    return gs_grammar_byte(&c->g, ':', gs_schema_space(c, gs_schema_node(c, value, next)));
}

static uint32_t define(struct gs_schema *c, uint32_t first)
{
    const uint32_t rule = gs_grammar_rule(&c->g);

    gs_grammar_define(&c->g, rule, first);
    return rule;
}

/* The rule of one declared pair. */
static uint32_t declared_pair(struct gs_schema *c, struct gs_slice name,
                              const struct gs_json *value)
{
    struct gs_buf b;

    gs_buf_init(&b, GS_MAX_TEXT_BYTES);
    add_escaped(c, name, &b);
    const uint32_t rule =
        define(c, gs_grammar_text(&c->g, gs_buf_view(&b), colon_value(c, value, GS_GRAMMAR_END)));
    gs_buf_clear(&b);
    return rule;
}

/* Pairs whose names match a pattern. */
static uint32_t patterned_pairs(struct gs_schema *c, const struct gs_json *patterns)
{
    uint32_t node = GS_GRAMMAR_FAIL;

    for (size_t i = 0; patterns->kind == GS_JSON_OBJECT && i < patterns->u.object.len; i++) {
        const struct gs_json_member *m = &patterns->u.object.members[i];
        struct gs_pattern *p;
        if (gs_pattern_from_regex(m->key, true, &c->a, &p, NULL) != GS_OK) {
            gs_schema_ignore(c, "patternProperties");
            continue;
        }
        const uint32_t rest =
            gs_grammar_byte(&c->g, '"', colon_value(c, &m->value, GS_GRAMMAR_END));
        node = gs_grammar_fork(
            &c->g, node,
            gs_grammar_byte(&c->g, '"', gs_pattern_emit(&c->g, p, GS_PATTERN_JSON, rest)));
    }
    return node;
}

/* The rule of a pair that is not declared; GS_GRAMMAR_FAIL if there may be none. */
static uint32_t other_pair(struct gs_schema *c, const struct gs_json *s,
                           const struct gs_json *props)
{
    const struct gs_json *value = gs_json_get(s, "additionalProperties");
    const struct gs_json *names = gs_json_get(s, "propertyNames");
    const struct gs_json *patterns = gs_json_get(s, "patternProperties");
    const size_t n = props ? props->u.object.len : 0;
    struct letter root = {0};
    uint32_t node = patterns ? patterned_pairs(c, patterns) : GS_GRAMMAR_FAIL;

    if (value && value->kind == GS_JSON_BOOL)
        value = value->u.boolean ? NULL : value;
    else if (!value && (n > 0 || patterns)) /* what is declared is what is meant */
        return node == GS_GRAMMAR_FAIL ? node : define(c, node);
    if (value && value->kind == GS_JSON_BOOL)
        return node == GS_GRAMMAR_FAIL ? node : define(c, node);
    if (patterns) {
        gs_schema_ignore(c, "additionalProperties");
        return node == GS_GRAMMAR_FAIL ? node : define(c, node);
    }
    if (names && n == 0)
        return define(c, gs_schema_node(c, names, colon_value(c, value, GS_GRAMMAR_END)));
    if (names)
        gs_schema_ignore(c, "propertyNames");
    if (n == 0)
        return define(c, gs_grammar_call(&c->g, c->string, colon_value(c, value, GS_GRAMMAR_END)));
    for (size_t i = 0; i < n; i++)
        add_name(c, &root, props->u.object.members[i].key);
    const uint32_t plain_char =
        define(c, gs_schema_regex(c, "[^\"\\\\\\x00-\\x1f]", GS_GRAMMAR_END));
    return define(c, gs_grammar_byte(&c->g, '"',
                                     other_name(c, &root, 0, plain_char,
                                                colon_value(c, value, GS_GRAMMAR_END))));
}

/* ---- objects ---- */

static bool is_required(const struct gs_json *s, struct gs_slice name)
{
    const struct gs_json *required = gs_json_get(s, "required");

    for (size_t i = 0; required && required->kind == GS_JSON_ARRAY && i < required->u.array.len;
         i++)
        if (required->u.array.items[i].kind == GS_JSON_STRING &&
            gs_slice_eq(required->u.array.items[i].u.string, name))
            return true;
    return false;
}

static bool has_member(const struct gs_json *props, struct gs_slice name)
{
    for (size_t i = 0; props && i < props->u.object.len; i++)
        if (gs_slice_eq(props->u.object.members[i].key, name))
            return true;
    return false;
}

static uint32_t comma(struct gs_schema *c, uint32_t next)
{
    return gs_grammar_byte(&c->g, ',', gs_schema_space(c, next));
}

/* The two places before a pair: with nothing before it, and behind another pair. */
struct places {
    uint32_t first, more;
};

/* Put a pair in front of what follows. */
static struct places before(struct gs_schema *c, struct places then, uint32_t pair, bool required)
{
    struct gs_grammar *g = &c->g;
    const uint32_t here = gs_grammar_call(g, pair, then.more);
    const uint32_t behind = comma(c, here);

    return (struct places){required ? here : gs_grammar_fork(g, here, then.first),
                           required ? behind : gs_grammar_fork(g, behind, then.more)};
}

/* Where nothing declared is left: other pairs, between min and max of them, and the end. */
static struct places others(struct gs_schema *c, uint32_t pair, uint32_t min, uint32_t max,
                            uint32_t end)
{
    struct gs_grammar *g = &c->g;
    const struct places none = {min == 0 ? end : GS_GRAMMAR_FAIL, min == 0 ? end : GS_GRAMMAR_FAIL};

    if (pair == GS_GRAMMAR_FAIL || max == 0)
        return none;
    const uint32_t next_pair = define(c, comma(c, gs_grammar_call(g, pair, GS_GRAMMAR_END)));
    const uint32_t rest = gs_grammar_repeat(g, next_pair, min > 0 ? min - 1 : 0,
                                            max == GS_GRAMMAR_MANY ? max : max - 1, end);
    return (struct places){gs_grammar_fork(g, gs_grammar_call(g, pair, rest), none.first),
                           gs_grammar_repeat(g, next_pair, min, max, end)};
}

uint32_t gs_schema_object(struct gs_schema *c, const struct gs_json *s, uint32_t next)
{
    struct gs_grammar *g = &c->g;
    const struct gs_json *props = gs_json_get(s, "properties");
    const struct gs_json *required = gs_json_get(s, "required");
    const uint32_t end = gs_schema_space(c, gs_grammar_byte(g, '}', next));
    uint32_t min = gs_schema_count(c, s, "minProperties", 0);
    uint32_t max = gs_schema_count(c, s, "maxProperties", GS_GRAMMAR_MANY);

    if (props && props->kind != GS_JSON_OBJECT) {
        gs_schema_fail(c, GS_EFORMAT, "properties must be an object");
        return GS_GRAMMAR_FAIL;
    }
    const size_t n = props ? props->u.object.len : 0;
    if (n > 0 && (min > 0 || max != GS_GRAMMAR_MANY)) {
        gs_schema_ignore(c, min > 0 ? "minProperties" : "maxProperties");
        min = 0;
        max = GS_GRAMMAR_MANY;
    }
    struct places at = others(c, other_pair(c, s, props), min, max, end);
    for (size_t i = required && required->kind == GS_JSON_ARRAY ? required->u.array.len : 0;
         i-- > 0;) { /* demanded, but not declared */
        const struct gs_json *name = &required->u.array.items[i];
        const struct gs_json *value = gs_json_get(s, "additionalProperties");
        if (name->kind == GS_JSON_STRING && !has_member(props, name->u.string))
            at = before(c, at, declared_pair(c, name->u.string, value), true);
    }
    for (size_t i = n; i-- > 0;) {
        const struct gs_json_member *m = &props->u.object.members[i];
        at = before(c, at, declared_pair(c, m->key, &m->value), is_required(s, m->key));
    }
    return gs_grammar_byte(g, '{', gs_schema_space(c, at.first));
}

/* ---- arrays ---- */

uint32_t gs_schema_array(struct gs_schema *c, const struct gs_json *s, uint32_t next)
{
    struct gs_grammar *g = &c->g;
    const struct gs_json *items = gs_json_get(s, "items");
    const struct gs_json *prefix = gs_json_get(s, "prefixItems");
    const uint32_t end = gs_schema_space(c, gs_grammar_byte(g, ']', next));
    const uint32_t min = gs_schema_count(c, s, "minItems", 0);
    const uint32_t max = gs_schema_count(c, s, "maxItems", GS_GRAMMAR_MANY);

    if (items && items->kind == GS_JSON_ARRAY) { /* as drafts before 2020 spell prefixItems */
        prefix = items;
        items = gs_json_get(s, "additionalItems");
    }
    const size_t n_prefix =
        prefix && prefix->kind == GS_JSON_ARRAY ? GS_MIN(prefix->u.array.len, (size_t)max) : 0;
    const uint32_t n = (uint32_t)n_prefix;
    const bool closed = items && items->kind == GS_JSON_BOOL && !items->u.boolean;
    const uint32_t item =
        closed ? GS_GRAMMAR_FAIL : define(c, gs_schema_node(c, items, GS_GRAMMAR_END));
    struct places at =
        others(c, item, min > n ? min - n : 0, max == GS_GRAMMAR_MANY ? max : max - n, end);
    for (uint32_t i = n; i-- > 0;) {
        const uint32_t one =
            define(c, gs_schema_node(c, &prefix->u.array.items[i], GS_GRAMMAR_END));
        /* Later ones need all before them: an array may end here only if it is long enough. */
        const uint32_t here = gs_grammar_call(g, one, at.more);
        const uint32_t stop = i >= min ? end : GS_GRAMMAR_FAIL;
        at = (struct places){gs_grammar_fork(g, here, stop),
                             gs_grammar_fork(g, comma(c, here), stop)};
    }
    return gs_grammar_byte(g, '[', gs_schema_space(c, at.first));
}
