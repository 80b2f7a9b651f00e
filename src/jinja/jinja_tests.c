/* Tests: what may stand after "is". */
#include "base/slice.h"
#include "jinja/jinja_builtin.h"
#include "jinja/jinja_text.h"

static bool answer(struct jval *out, bool yes)
{
    *out = jv_bool(yes);
    return true;
}

static bool t_defined(struct jrun *r, const struct jcall *c, struct jval *out)
{
    (void)r;
    return answer(out, c->self.kind != JV_UNDEFINED);
}

static bool t_undefined(struct jrun *r, const struct jcall *c, struct jval *out)
{
    (void)r;
    return answer(out, c->self.kind == JV_UNDEFINED);
}

static bool t_none(struct jrun *r, const struct jcall *c, struct jval *out)
{
    (void)r;
    return answer(out, c->self.kind == JV_NONE);
}

static bool t_boolean(struct jrun *r, const struct jcall *c, struct jval *out)
{
    (void)r;
    return answer(out, c->self.kind == JV_BOOL);
}

static bool t_true(struct jrun *r, const struct jcall *c, struct jval *out)
{
    (void)r;
    return answer(out, c->self.kind == JV_BOOL && c->self.u.boolean);
}

static bool t_false(struct jrun *r, const struct jcall *c, struct jval *out)
{
    (void)r;
    return answer(out, c->self.kind == JV_BOOL && !c->self.u.boolean);
}

static bool t_integer(struct jrun *r, const struct jcall *c, struct jval *out)
{
    (void)r;
    return answer(out, c->self.kind == JV_INT);
}

static bool t_float(struct jrun *r, const struct jcall *c, struct jval *out)
{
    (void)r;
    return answer(out, c->self.kind == JV_FLOAT);
}

static bool t_number(struct jrun *r, const struct jcall *c, struct jval *out)
{
    (void)r;
    return answer(out, jv_is_number(c->self));
}

static bool t_string(struct jrun *r, const struct jcall *c, struct jval *out)
{
    (void)r;
    return answer(out, c->self.kind == JV_STR);
}

static bool t_mapping(struct jrun *r, const struct jcall *c, struct jval *out)
{
    (void)r;
    return answer(out, c->self.kind == JV_DICT);
}

static bool t_sequence(struct jrun *r, const struct jcall *c, struct jval *out)
{
    const enum jkind k = c->self.kind;

    (void)r;
    return answer(out, k == JV_STR || jv_is_list(c->self) || k == JV_DICT || k == JV_RANGE ||
                           k == JV_UNDEFINED);
}

static bool t_iterable(struct jrun *r, const struct jcall *c, struct jval *out)
{
    (void)r;
    return answer(out, gs_jinja_is_iterable(c->self) || c->self.kind == JV_LOOP);
}

static bool t_callable(struct jrun *r, const struct jcall *c, struct jval *out)
{
    (void)r;
    switch (c->self.kind) {
    case JV_UNDEFINED:
    case JV_LOOP:
    case JV_MACRO:
    case JV_FUNCTION:
    case JV_METHOD:
    case JV_JOINER:
        return answer(out, true);
    default:
        return answer(out, false);
    }
}

static bool t_escaped(struct jrun *r, const struct jcall *c, struct jval *out)
{
    (void)r;
    return answer(out, c->self.kind == JV_STR && c->self.safe);
}

static bool t_sameas(struct jrun *r, const struct jcall *c, struct jval *out)
{
    (void)r;
    return answer(out, gs_jinja_same(c->self, c->a[0]));
}

/* Has the string letters, all of one case? */
static bool all_case(struct jrun *r, const struct jcall *c, unsigned wanted, struct jval *out)
{
    struct gs_slice s;
    bool any = false;

    if (!gs_jinja_text(r, c->self, &s))
        return false;
    for (size_t i = 0; i < s.len;) {
        uint32_t cp;
        i += gs_utf8_decode(s, i, &cp);
        if (gs_jinja_is(cp, GS_UNI_CASED & ~wanted))
            return answer(out, false);
        any = any || gs_jinja_is(cp, wanted);
    }
    return gs_jinja_steps(r, s.len / 16) && answer(out, any);
}

static bool t_lower(struct jrun *r, const struct jcall *c, struct jval *out)
{
    return all_case(r, c, GS_UNI_LOWER, out);
}

static bool t_upper(struct jrun *r, const struct jcall *c, struct jval *out)
{
    return all_case(r, c, GS_UNI_UPPER, out);
}

/* Is value % divisor the given rest? */
static bool rest_is(struct jrun *r, struct jval v, struct jval divisor, int64_t rest,
                    struct jval *out)
{
    struct jval mod;
    bool equal;

    if (!gs_jinja_binary(r, JOP_MOD, v, divisor, &mod) ||
        !gs_jinja_equal(r, mod, jv_int(rest), &equal))
        return false;
    return answer(out, equal);
}

static bool t_odd(struct jrun *r, const struct jcall *c, struct jval *out)
{
    return rest_is(r, c->self, jv_int(2), 1, out);
}

static bool t_even(struct jrun *r, const struct jcall *c, struct jval *out)
{
    return rest_is(r, c->self, jv_int(2), 0, out);
}

static bool t_divisibleby(struct jrun *r, const struct jcall *c, struct jval *out)
{
    return rest_is(r, c->self, c->a[0], 0, out);
}

static bool compare(struct jrun *r, const struct jcall *c, enum joperator op, struct jval *out)
{
    bool yes;

    return gs_jinja_compare(r, op, c->self, c->a[0], &yes) && answer(out, yes);
}

static bool t_eq(struct jrun *r, const struct jcall *c, struct jval *out)
{
    return compare(r, c, JOP_EQ, out);
}

static bool t_ne(struct jrun *r, const struct jcall *c, struct jval *out)
{
    return compare(r, c, JOP_NE, out);
}

static bool t_lt(struct jrun *r, const struct jcall *c, struct jval *out)
{
    return compare(r, c, JOP_LT, out);
}

static bool t_le(struct jrun *r, const struct jcall *c, struct jval *out)
{
    return compare(r, c, JOP_LE, out);
}

static bool t_gt(struct jrun *r, const struct jcall *c, struct jval *out)
{
    return compare(r, c, JOP_GT, out);
}

static bool t_ge(struct jrun *r, const struct jcall *c, struct jval *out)
{
    return compare(r, c, JOP_GE, out);
}

static bool t_in(struct jrun *r, const struct jcall *c, struct jval *out)
{
    return compare(r, c, JOP_IN, out);
}

/* Is the value a name that `find` knows? Asked of a dict in Jinja, so it must have a hash. */
static bool is_known(struct jrun *r, const struct jcall *c,
                     const struct jbuiltin *(*find)(struct gs_slice), struct jval *out)
{
    uint64_t hash;

    return gs_jinja_hash(r, c->self, &hash) &&
           answer(out, c->self.kind == JV_STR && find(jv_slice(c->self)));
}

static bool t_filter(struct jrun *r, const struct jcall *c, struct jval *out)
{
    return is_known(r, c, gs_jinja_find_filter, out);
}

static bool t_test(struct jrun *r, const struct jcall *c, struct jval *out)
{
    return is_known(r, c, gs_jinja_find_test, out);
}

static const struct jbuiltin tests[] = {
    {"!=", "other", t_ne},
    {"<", "other", t_lt},
    {"<=", "other", t_le},
    {"==", "other", t_eq},
    {">", "other", t_gt},
    {">=", "other", t_ge},
    {"boolean", "", t_boolean},
    {"callable", "", t_callable},
    {"defined", "", t_defined},
    {"divisibleby", "num", t_divisibleby},
    {"eq", "other", t_eq},
    {"equalto", "other", t_eq},
    {"escaped", "", t_escaped},
    {"even", "", t_even},
    {"false", "", t_false},
    {"filter", "", t_filter},
    {"float", "", t_float},
    {"ge", "other", t_ge},
    {"greaterthan", "other", t_gt},
    {"gt", "other", t_gt},
    {"in", "seq", t_in},
    {"integer", "", t_integer},
    {"iterable", "", t_iterable},
    {"le", "other", t_le},
    {"lessthan", "other", t_lt},
    {"lower", "", t_lower},
    {"lt", "other", t_lt},
    {"mapping", "", t_mapping},
    {"ne", "other", t_ne},
    {"none", "", t_none},
    {"number", "", t_number},
    {"odd", "", t_odd},
    {"sameas", "other", t_sameas},
    {"sequence", "", t_sequence},
    {"string", "", t_string},
    {"test", "", t_test},
    {"true", "", t_true},
    {"undefined", "", t_undefined},
    {"upper", "", t_upper},
};

const struct jbuiltin *gs_jinja_find_test(struct gs_slice name)
{
    static const struct jbuiltins table = {tests, GS_COUNT_OF(tests)};

    return gs_jinja_find_builtin(&table, name);
}
