/* The is...() methods of strings: what all characters have in common. */
#include "base/slice.h"
#include "jinja/jinja_builtin.h"
#include "jinja/jinja_text.h"

/* Is the string not empty, and every character one of these? */
static bool all(struct jrun *r, const struct jcall *c, unsigned properties, struct jval *out)
{
    const struct gs_slice s = jv_slice(c->self);
    bool yes = s.len > 0;

    for (size_t i = 0; yes && i < s.len;) {
        uint32_t cp;
        i += gs_utf8_decode(s, i, &cp);
        yes = gs_jinja_is(cp, properties);
    }
    *out = jv_bool(yes);
    return gs_jinja_steps(r, s.len / 16);
}

static bool s_isalnum(struct jrun *r, const struct jcall *c, struct jval *out)
{
    return all(r, c, GS_UNI_ALNUM, out);
}

static bool s_isalpha(struct jrun *r, const struct jcall *c, struct jval *out)
{
    return all(r, c, GS_UNI_ALPHA, out);
}

static bool s_isdecimal(struct jrun *r, const struct jcall *c, struct jval *out)
{
    return all(r, c, GS_UNI_DECIMAL, out);
}

static bool s_isdigit(struct jrun *r, const struct jcall *c, struct jval *out)
{
    return all(r, c, GS_UNI_DIGIT, out);
}

static bool s_isnumeric(struct jrun *r, const struct jcall *c, struct jval *out)
{
    return all(r, c, GS_UNI_NUMERIC, out);
}

static bool s_isspace(struct jrun *r, const struct jcall *c, struct jval *out)
{
    return all(r, c, GS_UNI_SPACE, out);
}

static bool s_isprintable(struct jrun *r, const struct jcall *c, struct jval *out)
{
    if (c->self.u.str->len > 0)
        return all(r, c, GS_UNI_PRINTABLE, out);
    *out = jv_bool(true);
    return true;
}

static bool s_isascii(struct jrun *r, const struct jcall *c, struct jval *out)
{
    *out = jv_bool(gs_jinja_chars(c->self) == c->self.u.str->len);
    return gs_jinja_steps(r, c->self.u.str->len / 256);
}

static bool s_isidentifier(struct jrun *r, const struct jcall *c, struct jval *out)
{
    const struct gs_slice s = jv_slice(c->self);
    bool yes = s.len > 0;

    for (size_t i = 0; yes && i < s.len;) {
        uint32_t cp;
        const size_t n = gs_utf8_decode(s, i, &cp);
        yes = gs_jinja_is(cp, i == 0 ? GS_UNI_ID_START : GS_UNI_ID_PART);
        i += n;
    }
    *out = jv_bool(yes);
    return gs_jinja_steps(r, s.len / 16);
}

static bool s_islower(struct jrun *r, const struct jcall *c, struct jval *out)
{
    return gs_jinja_call_builtin(r, gs_jinja_find_test(GS_SLICE_LIT("lower")), c->self, &c->raw,
                                 out);
}

static bool s_isupper(struct jrun *r, const struct jcall *c, struct jval *out)
{
    return gs_jinja_call_builtin(r, gs_jinja_find_test(GS_SLICE_LIT("upper")), c->self, &c->raw,
                                 out);
}

/* Upper case only where a word begins, lower case only inside words. */
static bool s_istitle(struct jrun *r, const struct jcall *c, struct jval *out)
{
    const struct gs_slice s = jv_slice(c->self);
    bool inside = false;
    bool any = false;
    bool yes = true;

    for (size_t i = 0; yes && i < s.len;) {
        uint32_t cp;
        i += gs_utf8_decode(s, i, &cp);
        const bool capital = gs_jinja_is(cp, GS_UNI_UPPER | GS_UNI_TITLE);
        const bool small = gs_jinja_is(cp, GS_UNI_LOWER);
        yes = capital ? !inside : !small || inside;
        inside = capital || small;
        any = any || inside;
    }
    *out = jv_bool(yes && any);
    return gs_jinja_steps(r, s.len / 16);
}

static const struct jbuiltin predicates[] = {
    {"isalnum", "", s_isalnum},         {"isalpha", "", s_isalpha},
    {"isascii", "", s_isascii},         {"isdecimal", "", s_isdecimal},
    {"isdigit", "", s_isdigit},         {"isidentifier", "", s_isidentifier},
    {"islower", "", s_islower},         {"isnumeric", "", s_isnumeric},
    {"isprintable", "", s_isprintable}, {"isspace", "", s_isspace},
    {"istitle", "", s_istitle},         {"isupper", "", s_isupper},
};

const struct jbuiltins gs_jinja_str_predicates = {predicates, GS_COUNT_OF(predicates)};
