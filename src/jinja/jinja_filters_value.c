/* Filters over single values: numbers, defaults, JSON. */
#include <math.h>
#include <string.h>

#include "base/slice.h"
#include "jinja/jinja_builtin.h"

static bool f_abs(struct jrun *r, const struct jcall *c, struct jval *out)
{
    if (!jv_is_number(c->self))
        return gs_jinja_fail(r, "bad operand type for abs(): '%s'", gs_jinja_type(c->self));
    if (c->self.kind == JV_FLOAT) {
        *out = jv_float(fabs(c->self.u.real));
        return true;
    }
    *out = jv_int(jv_integer(c->self));
    return out->u.integer >= 0 || gs_jinja_unary(r, JOP_SUB, *out, out);
}

static bool text_to_int(struct jrun *r, struct gs_slice s, int64_t base, struct jval absent,
                        struct jval *out)
{
    int64_t i;
    double f;
    bool overflow;

    if (base != 0 && (base < 2 || base > 36)) {
        *out = absent;
        return true;
    }
    if (gs_jinja_parse_int(s, (int)base, &i, &overflow)) {
        *out = jv_int(i);
        return !overflow || gs_jinja_fail(r, "whole number beyond 64 bits");
    }
    *out = absent;
    if (!gs_jinja_parse_float(s, &f) || isnan(f))
        return true;
    *out = jv_int(0);
    return gs_jinja_truncate(r, f, &out->u.integer);
}

static bool f_int(struct jrun *r, const struct jcall *c, struct jval *out)
{
    const struct jval absent = c->a[0].kind == JV_MISSING ? jv_int(0) : c->a[0];
    int64_t base;

    if (!gs_jinja_arg_int(r, c, 1, 10, &base))
        return false;
    if (c->self.kind == JV_UNDEFINED)
        return gs_jinja_fail_undefined(r, c->self);
    if (c->self.kind == JV_STR)
        return text_to_int(r, jv_slice(c->self), base, absent, out);
    *out = absent;
    if (!jv_is_number(c->self) || (c->self.kind == JV_FLOAT && isnan(c->self.u.real)))
        return true;
    *out = jv_int(0);
    if (c->self.kind == JV_FLOAT)
        return gs_jinja_truncate(r, c->self.u.real, &out->u.integer);
    out->u.integer = jv_integer(c->self);
    return true;
}

static bool f_float(struct jrun *r, const struct jcall *c, struct jval *out)
{
    double f;

    if (c->self.kind == JV_UNDEFINED)
        return gs_jinja_fail_undefined(r, c->self);
    *out = c->a[0].kind == JV_MISSING ? jv_float(0) : c->a[0];
    if (jv_is_number(c->self))
        *out = jv_float(jv_real(c->self));
    else if (c->self.kind == JV_STR && gs_jinja_parse_float(jv_slice(c->self), &f))
        *out = jv_float(f);
    return true;
}

static bool f_round(struct jrun *r, const struct jcall *c, struct jval *out)
{
    struct gs_slice method = GS_SLICE_LIT("common");
    int64_t digits;

    if (!gs_jinja_arg_int(r, c, 0, 0, &digits) ||
        (c->a[1].kind != JV_MISSING && !gs_jinja_arg_str(r, c, 1, &method)))
        return false;
    const bool up = gs_slice_eq_str(method, "ceil");
    if (!up && !gs_slice_eq_str(method, "floor")) {
        if (!gs_slice_eq_str(method, "common"))
            return gs_jinja_fail(r, "method must be common, ceil or floor");
        return gs_jinja_round(r, c->self, digits, out);
    }
    if (c->self.kind == JV_UNDEFINED)
        return gs_jinja_fail_undefined(r, c->self);
    if (!jv_is_number(c->self))
        return gs_jinja_fail(r, "must be real number, not %s", gs_jinja_type(c->self));
    const double scale = pow(10, (double)digits);
    const double scaled = jv_real(c->self) * scale;
    if (!isfinite(scaled) || scale == 0)
        return gs_jinja_fail(r, "number out of range for rounding");
    *out = jv_float(((up ? ceil(scaled) : floor(scaled)) + 0.0) / scale); /* never -0 */
    return true;
}

static bool f_default(struct jrun *r, const struct jcall *c, struct jval *out)
{
    bool by_truth;
    bool truth = true;

    if (!gs_jinja_arg_bool(r, c, 1, &by_truth))
        return false;
    if (by_truth && !gs_jinja_truth(r, c->self, &truth))
        return false;
    if (c->self.kind != JV_UNDEFINED && truth) {
        *out = c->self;
        return true;
    }
    *out = c->a[0];
    return c->a[0].kind != JV_MISSING || gs_jinja_str(r, GS_SLICE_LIT(""), out);
}

static bool f_attr(struct jrun *r, const struct jcall *c, struct jval *out)
{
    struct gs_slice name;

    if (!gs_jinja_arg_str(r, c, 0, &name))
        return false;
    if (c->self.kind == JV_UNDEFINED)
        return gs_jinja_fail_undefined(r, c->self);
    const struct jmethods methods = gs_jinja_find_methods(name);
    if (!gs_jinja_attribute(r, c->self, name, &methods, out))
        return false;
    if (out->kind != JV_MISSING)
        return true;
    struct jval *object = gs_jinja_alloc(r, sizeof(*object));
    if (!object)
        return false;
    *object = c->self;
    return gs_jinja_undefined(r, (struct jundefined){.obj = object, .name = name}, out);
}

static bool f_length(struct jrun *r, const struct jcall *c, struct jval *out)
{
    bool has_len;

    *out = jv_int(0);
    if (!gs_jinja_len(r, c->self, &has_len, &out->u.integer))
        return false;
    return has_len || gs_jinja_fail(r, "object of type '%s' has no len()", gs_jinja_type(c->self));
}

static bool f_filesizeformat(struct jrun *r, const struct jcall *c, struct jval *out)
{
    static const char letters[] = "kMGTPEZY";
    bool binary;
    double bytes;

    if (!gs_jinja_arg_bool(r, c, 0, &binary))
        return false;
    if (c->self.kind == JV_UNDEFINED)
        return gs_jinja_fail_undefined(r, c->self);
    if (jv_is_number(c->self))
        bytes = jv_real(c->self);
    else if (c->self.kind != JV_STR || !gs_jinja_parse_float(jv_slice(c->self), &bytes))
        return gs_jinja_fail(r, "filter 'filesizeformat' needs a number, not %s",
                             gs_jinja_type(c->self));
    const double base = binary ? 1024 : 1000;
    double unit = base * base;
    size_t i = 0;
    if (bytes == 1)
        return gs_jinja_strf(r, out, "1 Byte");
    if (bytes < base)
        return gs_jinja_strf(r, out, "%.0f Bytes", trunc(bytes) + 0.0); /* never "-0" */
    for (; i + 2 < sizeof(letters) && bytes >= unit; i++)
        unit *= base;
    const char letter = binary && i == 0 ? 'K' : letters[i];
    return gs_jinja_strf(r, out, "%.1f %c%sB", base * bytes / unit, letter, binary ? "i" : "");
}

/* ---- JSON ---- */

/* An indent is a number of spaces or a string; none keeps everything on one line. */
static bool json_indent(struct jrun *r, struct jval v, struct jjson_options *opt)
{
    struct jval spaces;

    if (v.kind == JV_MISSING || v.kind == JV_NONE)
        return true;
    opt->pretty = true;
    opt->item_sep = GS_SLICE_LIT(",");
    if (v.kind == JV_STR) {
        opt->indent = jv_slice(v);
        return true;
    }
    if (!jv_is_whole(v))
        return gs_jinja_fail(r, "indent must be a number or a string, not %s", gs_jinja_type(v));
    const int64_t n = GS_MAX(jv_integer(v), (int64_t)0);
    if (n > 1000)
        return gs_jinja_fail_limit(r, "an indentation would be too wide");
    const size_t mark = gs_jinja_scratch_begin(r);
    for (int64_t i = 0; i < n; i++)
        gs_buf_putc(&r->scratch, ' ');
    if (!gs_jinja_scratch_end(r, mark, &spaces))
        return false;
    opt->indent = jv_slice(spaces);
    return true;
}

static bool json_separators(struct jrun *r, struct jval v, struct jjson_options *opt)
{
    if (v.kind == JV_MISSING || v.kind == JV_NONE)
        return true;
    if (!jv_is_list(v) || v.u.list->len != 2 || v.u.list->items[0].kind != JV_STR ||
        v.u.list->items[1].kind != JV_STR)
        return gs_jinja_fail(r, "separators must be a pair of strings");
    opt->item_sep = jv_slice(v.u.list->items[0]);
    opt->key_sep = jv_slice(v.u.list->items[1]);
    return true;
}

/* json.dumps() as Transformers calls it: no ASCII escapes, no HTML escapes, keys in order. */
static bool f_tojson(struct jrun *r, const struct jcall *c, struct jval *out)
{
    struct jjson_options opt = {.item_sep = GS_SLICE_LIT(", "), .key_sep = GS_SLICE_LIT(": ")};

    if (!gs_jinja_arg_bool(r, c, 0, &opt.ascii) || !json_indent(r, c->a[1], &opt) ||
        !json_separators(r, c->a[2], &opt) || !gs_jinja_arg_bool(r, c, 3, &opt.sort_keys))
        return false;
    const size_t mark = gs_jinja_scratch_begin(r);
    return gs_jinja_write_json(r, &r->scratch, c->self, &opt) && gs_jinja_scratch_end(r, mark, out);
}

static bool f_pprint(struct jrun *r, const struct jcall *c, struct jval *out)
{
    struct gs_slice repr;

    return gs_jinja_repr(r, c->self, &repr) && gs_jinja_str(r, repr, out);
}

static const struct jbuiltin filters[] = {
    {"abs", "", f_abs},
    {"attr", "name", f_attr},
    {"count", "", f_length},
    {"d", "?default_value boolean", f_default},
    {"default", "?default_value boolean", f_default},
    {"filesizeformat", "?binary", f_filesizeformat},
    {"float", "?default", f_float},
    {"int", "?default base", f_int},
    {"length", "", f_length},
    {"pprint", "", f_pprint},
    {"round", "?precision method", f_round},
    {"tojson", "?ensure_ascii indent separators sort_keys", f_tojson},
};

const struct jbuiltins gs_jinja_value_filters = {filters, GS_COUNT_OF(filters)};
