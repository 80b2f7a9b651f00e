/* Objects and arrays.
 *
 * Properties come in the schema's order; each rule of a pair is called from two chains, one for
 * when nothing stands before it and one for when a comma must. In the arguments of a call that
 * holds for the required ones only: models write the others as they think of them, and would leave
 * out what they may not write any more. */
#include "constraint/schema.h"

#include "base/limits.h"
#include "base/slice.h"
#include "constraint/compile.h"
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

/* ---- patterns of names ---- */

/* A character that an expression means as it is, and one that makes the one before it optional. */
static bool is_plain(char ch)
{
    return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
           ch == '-' || ch == '_';
}

static bool is_quantifier(char ch)
{
    return ch == '?' || ch == '*' || ch == '+' || ch == '{';
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

/* One of "patternProperties". */
struct patterned {
    struct gs_slice regex;
    const struct gs_json *value;
    struct gs_pattern *pattern;
    struct gs_constraint *names; /* that it matches */
    bool declares;               /* a name that is declared or demanded is among them */
};

struct patterns {
    struct patterned *items;
    size_t n;
};

static bool matches(struct patterned *p, struct gs_slice name)
{
    gs_constraint_restart(p->names);
    return gs_constraint_advance(p->names, name) && gs_constraint_may_end(p->names);
}

/* Whether no name matches both: they begin with letters that differ. */
static bool exclude_each_other(struct gs_slice a, struct gs_slice b)
{
    const struct gs_slice alternative = GS_SLICE_LIT("|");

    if (!gs_slice_starts(a, GS_SLICE_LIT("^")) || !gs_slice_starts(b, GS_SLICE_LIT("^")) ||
        gs_slice_find(a, alternative, 0) != SIZE_MAX ||
        gs_slice_find(b, alternative, 0) != SIZE_MAX)
        return false;
    for (size_t i = 1; i < a.len && i < b.len; i++) {
        const bool last = i + 1 == a.len || i + 1 == b.len;
        if (!is_plain(a.ptr[i]) || !is_plain(b.ptr[i]))
            return false;
        if (!last && (is_quantifier(a.ptr[i + 1]) || is_quantifier(b.ptr[i + 1])))
            return false;
        if (a.ptr[i] != b.ptr[i])
            return (i + 1 == a.len || !is_quantifier(a.ptr[i + 1])) &&
                   (i + 1 == b.len || !is_quantifier(b.ptr[i + 1]));
    }
    return false;
}

static bool read_pattern(struct gs_schema *c, const struct gs_json_member *m, struct patterned *out)
{
    struct gs_grammar g;

    *out = (struct patterned){.regex = m->key, .value = &m->value};
    if (gs_pattern_from_regex(m->key, true, &c->a, &out->pattern, NULL) != GS_OK)
        return false;
    gs_grammar_init(&g);
    g.root = gs_grammar_rule(&g);
    gs_grammar_define(&g, g.root,
                      gs_pattern_emit(&g, out->pattern, GS_PATTERN_PLAIN, GS_GRAMMAR_END));
    return gs_constraint_create(&g, &out->names, NULL) == GS_OK;
}

#define MAX_PATTERNS 64   /* of one object: each is held against each */
#define PATTERN_COST 4096 /* an automaton */

static struct patterns read_patterns(struct gs_schema *c, const struct gs_json *s)
{
    const struct gs_json *v = gs_json_get(s, "patternProperties");
    size_t n = v && v->kind == GS_JSON_OBJECT ? v->u.object.len : 0;
    if (n > MAX_PATTERNS || !gs_schema_afford(c, n * PATTERN_COST)) {
        gs_schema_ignore(c, "patternProperties");
        n = 0;
    }
    struct patterns out = {gs_arena_array(&c->a, n, sizeof(*out.items)), 0};

    if (n > 0 && !out.items)
        gs_schema_nomem(c);
    for (size_t i = 0; out.items && i < n; i++) {
        if (read_pattern(c, &v->u.object.members[i], &out.items[out.n]))
            out.n++;
        else
            gs_schema_ignore(c, "patternProperties");
        for (size_t k = 0; k + 1 < out.n; k++)
            if (!exclude_each_other(out.items[k].regex, out.items[out.n - 1].regex) &&
                !gs_schema_equal(out.items[k].value, out.items[out.n - 1].value))
                gs_schema_ignore(c, "patternProperties");
    }
    return out;
}

static void free_patterns(struct patterns *p)
{
    for (size_t i = 0; i < p->n; i++)
        gs_constraint_free(p->items[i].names);
}

/* The schema of a name: its own (or NULL), and those of the patterns that it matches; else that of
 * others. */
static const struct gs_json *value_of(struct gs_schema *c, const struct gs_json *s,
                                      struct patterns *patterns, struct gs_slice name,
                                      const struct gs_json *own)
{
    for (size_t i = 0; i < patterns->n; i++)
        if (matches(&patterns->items[i], name)) {
            own = own ? gs_schema_both(c, own, patterns->items[i].value) : patterns->items[i].value;
            patterns->items[i].declares = true;
        }
    return own ? own : gs_json_get(s, "additionalProperties");
}

/* Pairs whose names match a pattern, but for patterns that match a declared name: it must not come
 * twice. */
static uint32_t patterned_pairs(struct gs_schema *c, const struct patterns *patterns)
{
    uint32_t node = GS_GRAMMAR_FAIL;

    for (size_t i = 0; i < patterns->n; i++) {
        const struct patterned *p = &patterns->items[i];
        if (p->declares)
            continue;
        const uint32_t rest = gs_grammar_byte(&c->g, '"', colon_value(c, p->value, GS_GRAMMAR_END));
        node = gs_grammar_fork(
            &c->g, node,
            gs_grammar_byte(&c->g, '"', gs_pattern_emit(&c->g, p->pattern, GS_PATTERN_JSON, rest)));
    }
    return node;
}

/* The rule of a pair whose name is none of `names`. */
static uint32_t undeclared_pair(struct gs_schema *c, const struct gs_slice *names, size_t n,
                                const struct gs_json *value)
{
    struct letter root = {0};

    if (n == 0)
        return define(c, gs_grammar_call(&c->g, c->string, colon_value(c, value, GS_GRAMMAR_END)));
    for (size_t i = 0; i < n; i++)
        add_name(c, &root, names[i]);
    const uint32_t plain_char =
        define(c, gs_schema_regex(c, "[^\"\\\\\\x00-\\x1f]", GS_GRAMMAR_END));
    return define(c, gs_grammar_byte(&c->g, '"',
                                     other_name(c, &root, 0, plain_char,
                                                colon_value(c, value, GS_GRAMMAR_END))));
}

/* The rule of a pair that is not declared; GS_GRAMMAR_FAIL if there may be none. `names` are those
 * that are declared or demanded, n_own of them declared. */
static uint32_t other_pair(struct gs_schema *c, const struct gs_json *s,
                           const struct patterns *patterns, const struct gs_slice *names, size_t n,
                           size_t n_own)
{
    static const struct gs_json_member string_members[] = {
        {GS_SLICE_LIT("type"), {.kind = GS_JSON_STRING, .u.string = GS_SLICE_LIT("string")}}};
    static const struct gs_json string = {.kind = GS_JSON_OBJECT,
                                          .u.object = {.members = string_members, .len = 1}};
    const struct gs_json *value = gs_json_get(s, "additionalProperties");
    const struct gs_json *asked = gs_json_get(s, "propertyNames");
    const bool has_patterns = gs_json_get(s, "patternProperties") != NULL;
    const bool closed = value ? value->kind == GS_JSON_BOOL && !value->u.boolean
                              : n_own > 0 || has_patterns; /* what is declared is what is meant */
    const uint32_t node = patterned_pairs(c, patterns);

    if (asked && (n > 0 || has_patterns))
        gs_schema_ignore(c, "propertyNames");
    if (has_patterns && !closed)
        gs_schema_ignore(c, "additionalProperties");
    if (has_patterns || closed)
        return node == GS_GRAMMAR_FAIL ? node : define(c, node);
    if (asked && n == 0)
        return define(c, gs_schema_node(c, gs_schema_both(c, &string, asked),
                                        colon_value(c, value, GS_GRAMMAR_END)));
    return undeclared_pair(c, names, n, value);
}

/* ---- objects ---- */

static uint32_t comma(struct gs_schema *c, uint32_t next)
{
    return gs_grammar_byte(&c->g, ',', gs_schema_space(c, next));
}

/* The two places before a pair: with nothing before it, and behind another pair. */
struct places {
    uint32_t first, more;
};

/* Any number of pairs before what follows. */
static struct places with_any(struct gs_schema *c, struct places then, uint32_t pair)
{
    struct gs_grammar *g = &c->g;

    if (pair == GS_GRAMMAR_FAIL)
        return then;
    const uint32_t next_pair = define(c, comma(c, gs_grammar_call(g, pair, GS_GRAMMAR_END)));
    const uint32_t more = gs_grammar_repeat(g, next_pair, 0, GS_GRAMMAR_MANY, then.more);
    return (struct places){gs_grammar_fork(g, gs_grammar_call(g, pair, more), then.first), more};
}

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

/* The names of an object: those of "properties", then those that are demanded besides. */
struct names {
    struct gs_slice *items;
    bool *required; /* of each */
    size_t n, n_own;
    size_t n_required;
};

/* Mark a name as required; one that is not declared is added. */
static void demand(struct names *names, struct gs_slice name)
{
    size_t i = 0;

    while (i < names->n && !gs_slice_eq(names->items[i], name))
        i++;
    if (i == names->n)
        names->items[names->n++] = name;
    names->n_required += !names->required[i];
    names->required[i] = true;
}

static struct names names_of(struct gs_schema *c, const struct gs_json *s,
                             const struct gs_json *props)
{
    const struct gs_json *v = gs_json_get(s, "required");
    size_t n_demanded = v && v->kind == GS_JSON_ARRAY ? v->u.array.len : 0;
    const size_t n_own = props ? props->u.object.len : 0;

    if (n_own > GS_SCHEMA_MAX_WAYS)
        gs_schema_fail(c, GS_ELIMIT, "an object has more than %d properties", GS_SCHEMA_MAX_WAYS);
    if (!gs_schema_afford(c, n_demanded * (n_own + n_demanded))) {
        gs_schema_ignore(c, "required");
        n_demanded = 0;
    }
    struct names out = {
        .items = gs_arena_array(&c->a, n_own + n_demanded, sizeof(*out.items)),
        .required = gs_arena_array(&c->a, n_own + n_demanded, sizeof(*out.required)),
        .n_own = n_own,
    };
    if (!out.items || !out.required) {
        gs_schema_nomem(c);
        return (struct names){0};
    }
    for (size_t i = 0; i < n_own; i++)
        out.items[out.n++] = props->u.object.members[i].key;
    for (size_t i = 0; i < n_demanded; i++)
        if (v->u.array.items[i].kind == GS_JSON_STRING)
            demand(&out, v->u.array.items[i].u.string);
    return out;
}

/* How many others there may be; names the bounds that cannot be kept: names are not compared, nor
 * optional ones counted. */
static void count_others(struct gs_schema *c, const struct gs_json *s, const struct names *names,
                         bool has_others, uint32_t *out_min, uint32_t *out_max)
{
    uint32_t min = gs_schema_count(c, s, "minProperties", 0);
    uint32_t max = gs_schema_count(c, s, "maxProperties", GS_GRAMMAR_MANY);

    *out_min = 0;
    *out_max = GS_GRAMMAR_MANY;
    min -= (uint32_t)GS_MIN((size_t)min, names->n_required);
    if (min == 1 && names->n == 0)
        *out_min = min;
    else if (min > 0)
        gs_schema_ignore(c, "minProperties");
    if (max == GS_GRAMMAR_MANY)
        return;
    if (names->n == names->n_required || names->n >= max)
        *out_max = (uint32_t)(max - GS_MIN((size_t)max, names->n));
    else if (has_others)
        gs_schema_ignore(c, "maxProperties");
    if (names->n > max)
        gs_schema_ignore(c, "maxProperties");
}

/* The rule of any declared pair that is not required; GS_GRAMMAR_FAIL if all are. */
static uint32_t optional_pair(struct gs_schema *c, const struct names *names,
                              const struct gs_json *const *values)
{
    uint32_t node = GS_GRAMMAR_FAIL;

    for (size_t i = 0; i < names->n; i++)
        if (!names->required[i])
            node =
                gs_grammar_fork(&c->g, node,
                                gs_grammar_call(&c->g, declared_pair(c, names->items[i], values[i]),
                                                GS_GRAMMAR_END));
    return node == GS_GRAMMAR_FAIL ? node : define(c, node);
}

static uint32_t members(struct gs_schema *c, const struct gs_json *s, const struct gs_json *props,
                        struct patterns *patterns, uint32_t end)
{
    const struct names names = names_of(c, s, props);
    const struct gs_json **values = gs_arena_array(&c->a, names.n, sizeof(*values));
    uint32_t min;
    uint32_t max;

    if (!values || c->st != GS_OK) {
        gs_schema_nomem(c);
        return GS_GRAMMAR_FAIL;
    }
    for (size_t i = 0; i < names.n; i++)
        values[i] = value_of(c, s, patterns, names.items[i],
                             i < names.n_own ? &props->u.object.members[i].value : NULL);
    const uint32_t other = other_pair(c, s, patterns, names.items, names.n, names.n_own);
    count_others(c, s, &names, other != GS_GRAMMAR_FAIL, &min, &max);
    const bool is_free = s == c->arguments && max == GS_GRAMMAR_MANY;
    const uint32_t optional = is_free ? optional_pair(c, &names, values) : GS_GRAMMAR_FAIL;
    struct places at = with_any(c, others(c, other, min, max, end), optional);
    for (size_t i = names.n; i-- > 0;)
        if (!is_free || names.required[i])
            at = with_any(
                c, before(c, at, declared_pair(c, names.items[i], values[i]), names.required[i]),
                optional);
    return at.first;
}

uint32_t gs_schema_object(struct gs_schema *c, const struct gs_json *s, uint32_t next)
{
    struct gs_grammar *g = &c->g;
    const struct gs_json *props = gs_json_get(s, "properties");
    const uint32_t end = gs_schema_space(c, gs_grammar_byte(g, '}', next));

    if (props && props->kind != GS_JSON_OBJECT) {
        gs_schema_fail(c, GS_EFORMAT, "properties must be an object");
        return GS_GRAMMAR_FAIL;
    }
    struct patterns patterns = read_patterns(c, s);
    const uint32_t first = members(c, s, props, &patterns, end);
    free_patterns(&patterns);
    return gs_grammar_byte(g, '{', gs_schema_space(c, first));
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
