/* Arithmetic with Python's rules: whole numbers stay whole (64 bits; beyond is an error rather
 * than a big number), "/" is real, "//" and "%" round towards minus infinity. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "jinja/jinja_format.h"
#include "jinja/jinja_run.h"
#include "jinja/jinja_text.h"

#define MAX_REPEAT_BYTES ((size_t)64 << 20)

static const char *const operator_texts[] = {
    [JOP_ADD] = "+", [JOP_SUB] = "-",       [JOP_MUL] = "*",           [JOP_DIV] = "/",
    [JOP_MOD] = "%", [JOP_FLOORDIV] = "//", [JOP_POW] = "** or pow()", [JOP_EQ] = "==",
    [JOP_NE] = "!=", [JOP_LT] = "<",        [JOP_LE] = "<=",           [JOP_GT] = ">",
    [JOP_GE] = ">=", [JOP_IN] = "in",       [JOP_NOTIN] = "not in",
};

static bool overflow(struct jrun *r)
{
    return gs_jinja_fail(r, "whole number beyond 64 bits");
}

static bool int_pow(struct jrun *r, int64_t base, int64_t exp, struct jval *out)
{
    int64_t v = 1;

    if (exp < 0) {
        if (base == 0)
            return gs_jinja_fail(r, "0.0 cannot be raised to a negative power");
        *out = jv_float(pow((double)base, (double)exp));
        return true;
    }
    while (exp > 0) {
        if ((exp & 1) && __builtin_mul_overflow(v, base, &v))
            return overflow(r);
        exp >>= 1;
        if (exp > 0 && __builtin_mul_overflow(base, base, &base))
            return overflow(r);
    }
    *out = jv_int(v);
    return true;
}

static bool int_op(struct jrun *r, enum joperator op, int64_t a, int64_t b, struct jval *out)
{
    int64_t v = 0;
    bool wraps = false;

    if ((op == JOP_DIV || op == JOP_FLOORDIV || op == JOP_MOD) && b == 0)
        return gs_jinja_fail(r, op == JOP_DIV ? "division by zero"
                                              : "integer division or modulo by zero");
    switch (op) {
    case JOP_ADD:
        wraps = __builtin_add_overflow(a, b, &v);
        break;
    case JOP_SUB:
        wraps = __builtin_sub_overflow(a, b, &v);
        break;
    case JOP_MUL:
        wraps = __builtin_mul_overflow(a, b, &v);
        break;
    case JOP_DIV:
        *out = jv_float((double)((long double)a / (long double)b));
        return true;
    case JOP_FLOORDIV:
        wraps = a == INT64_MIN && b == -1;
        v = wraps ? 0 : a / b - (a % b != 0 && (a < 0) != (b < 0));
        break;
    case JOP_MOD:
        v = b == -1 ? 0 : a % b;
        v += v != 0 && (v < 0) != (b < 0) ? b : 0;
        break;
    default:
        return int_pow(r, a, b, out);
    }
    *out = jv_int(v);
    return !wraps || overflow(r);
}

static double float_mod(double a, double b)
{
    const double m = fmod(a, b);

    if (m == 0)
        return copysign(0.0, b);
    return (m < 0) != (b < 0) ? m + b : m;
}

static double float_floordiv(double a, double b)
{
    const double div = (a - float_mod(a, b)) / b;
    const double whole = floor(div);

    if (div == 0)
        return copysign(0.0, a / b);
    return div - whole > 0.5 ? whole + 1 : whole;
}

static bool float_op(struct jrun *r, enum joperator op, double a, double b, struct jval *out)
{
    double v = 0;

    if ((op == JOP_DIV || op == JOP_FLOORDIV || op == JOP_MOD) && b == 0)
        return gs_jinja_fail(r, op == JOP_DIV        ? "float division by zero"
                                : op == JOP_FLOORDIV ? "float floor division by zero"
                                                     : "float modulo");
    switch (op) {
    case JOP_ADD:
        v = a + b;
        break;
    case JOP_SUB:
        v = a - b;
        break;
    case JOP_MUL:
        v = a * b;
        break;
    case JOP_DIV:
        v = a / b;
        break;
    case JOP_FLOORDIV:
        v = float_floordiv(a, b);
        break;
    case JOP_MOD:
        v = float_mod(a, b);
        break;
    default:
        if (a == 0 && b < 0)
            return gs_jinja_fail(r, "0.0 cannot be raised to a negative power");
        if (a < 0 && isfinite(b) && b != floor(b))
            return gs_jinja_fail(r, "power of a negative number is complex");
        v = pow(a, b);
        if (isinf(v) && isfinite(a) && isfinite(b))
            return gs_jinja_fail(r, "numerical result out of range");
        break;
    }
    *out = jv_float(v);
    return true;
}

/* ---- sequences ---- */

static bool escape_copy(struct jrun *r, struct jval s, struct jval *out)
{
    const size_t mark = gs_jinja_scratch_begin(r);

    gs_jinja_put_escaped(&r->scratch, jv_slice(s));
    return gs_jinja_scratch_end(r, mark, out);
}

/* Markup escapes the plain string it is added to. */
static bool add_strings(struct jrun *r, struct jval a, struct jval b, struct jval *out)
{
    const bool safe = a.safe || b.safe;

    if (safe && !a.safe && !escape_copy(r, a, &a))
        return false;
    if (safe && !b.safe && !escape_copy(r, b, &b))
        return false;
    if (!gs_jinja_concat(r, a, jv_slice(b), out))
        return false;
    out->safe = safe;
    return true;
}

static bool add_lists(struct jrun *r, struct jval a, struct jval b, struct jval *out)
{
    const struct jlist *x = a.u.list;
    const struct jlist *y = b.u.list;
    struct jlist *l;
    struct jval *items;

    if (!gs_jinja_list(r, x->len + y->len, &l, &items))
        return false;
    if (x->len)
        memcpy(items, x->items, x->len * sizeof(*items));
    if (y->len)
        memcpy(items + x->len, y->items, y->len * sizeof(*items));
    *out = a.kind == JV_LIST ? jv_list(l) : jv_tuple(l);
    return true;
}

static bool repeat(struct jrun *r, struct jval v, int64_t n, struct jval *out)
{
    const bool is_str = v.kind == JV_STR;
    const size_t len = is_str ? v.u.str->len : v.u.list->len;
    const size_t times = n > 0 && len > 0 ? (size_t)n : 0;

    if (times > 0 && times > MAX_REPEAT_BYTES / len / (is_str ? 1 : sizeof(struct jval)))
        return gs_jinja_fail_limit(r, "a repeated %s would be too large", gs_jinja_type(v));
    if (is_str) {
        const size_t mark = gs_jinja_scratch_begin(r);
        gs_jinja_put_fill(&r->scratch, jv_slice(v), times);
        if (!gs_jinja_steps(r, len * times / 64) || !gs_jinja_scratch_end(r, mark, out))
            return false;
        out->safe = v.safe;
        return true;
    }
    struct jlist *l;
    struct jval *items;
    if (!gs_jinja_list(r, len * times, &l, &items))
        return false;
    for (size_t i = 0; i < times; i++)
        memcpy(items + i * len, v.u.list->items, len * sizeof(*items));
    *out = v.kind == JV_LIST ? jv_list(l) : jv_tuple(l);
    return true;
}

static bool fail_operands(struct jrun *r, enum joperator op, struct jval a, struct jval b)
{
    if (op == JOP_ADD && a.kind == JV_STR)
        return gs_jinja_fail(r, "can only concatenate str (not \"%s\") to str", gs_jinja_type(b));
    if (op == JOP_ADD && jv_is_list(a))
        return gs_jinja_fail(r, "can only concatenate %s (not \"%s\") to %s", gs_jinja_type(a),
                             gs_jinja_type(b), gs_jinja_type(a));
    if (op == JOP_MUL && (a.kind == JV_STR || jv_is_list(a)))
        return gs_jinja_fail(r, "can't multiply sequence by non-int of type '%s'",
                             gs_jinja_type(b));
    return gs_jinja_fail(r, "unsupported operand type(s) for %s: '%s' and '%s'", operator_texts[op],
                         gs_jinja_type(a), gs_jinja_type(b));
}

bool gs_jinja_binary(struct jrun *r, enum joperator op, struct jval a, struct jval b,
                     struct jval *out)
{
    if (jv_is_whole(a) && jv_is_whole(b))
        return int_op(r, op, jv_integer(a), jv_integer(b), out);
    if (jv_is_number(a) && jv_is_number(b))
        return float_op(r, op, jv_real(a), jv_real(b), out);
    if (op == JOP_MOD && a.kind == JV_STR)
        return gs_jinja_percent(r, a, b, out);
    if (a.kind == JV_UNDEFINED || b.kind == JV_UNDEFINED)
        return gs_jinja_fail_undefined(r, a.kind == JV_UNDEFINED ? a : b);
    if (op == JOP_ADD && a.kind == JV_STR && b.kind == JV_STR)
        return add_strings(r, a, b, out);
    if (op == JOP_ADD && jv_is_list(a) && a.kind == b.kind)
        return add_lists(r, a, b, out);
    if (op == JOP_MUL && jv_is_whole(b) && (a.kind == JV_STR || jv_is_list(a)))
        return repeat(r, a, jv_integer(b), out);
    if (op == JOP_MUL && jv_is_whole(a) && (b.kind == JV_STR || jv_is_list(b)))
        return repeat(r, b, jv_integer(a), out);
    return fail_operands(r, op, a, b);
}

bool gs_jinja_unary(struct jrun *r, enum joperator op, struct jval v, struct jval *out)
{
    if (v.kind == JV_UNDEFINED)
        return gs_jinja_fail_undefined(r, v);
    if (!jv_is_number(v))
        return gs_jinja_fail(r, "bad operand type for unary %s: '%s'", operator_texts[op],
                             gs_jinja_type(v));
    if (v.kind == JV_FLOAT)
        *out = jv_float(op == JOP_SUB ? -v.u.real : v.u.real);
    else
        return int_op(r, op, 0, jv_integer(v), out);
    return true;
}

bool gs_jinja_compare(struct jrun *r, enum joperator op, struct jval a, struct jval b, bool *out)
{
    int order;

    if (op == JOP_EQ || op == JOP_NE) {
        if (!gs_jinja_equal(r, a, b, out))
            return false;
        *out = *out == (op == JOP_EQ);
        return true;
    }
    if (op == JOP_IN || op == JOP_NOTIN) {
        if (!gs_jinja_contains(r, b, a, out))
            return false;
        *out = *out == (op == JOP_IN);
        return true;
    }
    if (!gs_jinja_order(r, a, b, operator_texts[op], &order))
        return false;
    *out = op == JOP_LT   ? order == -1
           : op == JOP_LE ? order == -1 || order == 0
           : op == JOP_GT ? order == 1
                          : order == 1 || order == 0;
    return true;
}

/* ---- conversions ---- */

/* To a multiple of 10^n, halves to even. */
static bool round_whole(struct jrun *r, int64_t v, int64_t n, struct jval *out)
{
    int64_t unit = 1;

    for (; n > 0 && unit != 0; n--)
        unit = __builtin_mul_overflow(unit, (int64_t)10, &unit) ? 0 : unit;
    if (unit == 0) {
        *out = jv_int(0);
        return true;
    }
    const int64_t rest = v % unit;
    const int64_t twice = (rest < 0 ? -rest : rest) - unit / 2; /* unit is even, or 1 */
    int64_t q = v / unit;
    if (unit > 1 && (twice > 0 || (twice == 0 && (q & 1))))
        q += v < 0 ? -1 : 1;
    if (__builtin_mul_overflow(q, unit, &q))
        return overflow(r);
    *out = jv_int(q);
    return true;
}

bool gs_jinja_round(struct jrun *r, struct jval v, int64_t digits, struct jval *out)
{
    char text[400];

    if (v.kind == JV_UNDEFINED || !jv_is_number(v))
        return gs_jinja_fail(r, "type %s doesn't define __round__ method", gs_jinja_type(v));
    if (jv_is_whole(v) && digits >= 0) {
        *out = jv_int(jv_integer(v));
        return true;
    }
    if (jv_is_whole(v))
        return round_whole(r, jv_integer(v), digits < -20 ? 20 : -digits, out);
    const double f = v.u.real;
    if (!isfinite(f) || digits > 22) {
        *out = v;
    } else if (digits >= 0) { /* printf rounds the exact value, halves to even */
        snprintf(text, sizeof(text), "%.*f", (int)digits, f);
        *out = jv_float(strtod(text, NULL));
    } else {
        const double unit = pow(10, digits < -400 ? 400 : (double)-digits);
        *out = jv_float(isinf(unit) ? copysign(0.0, f) : nearbyint(f / unit) * unit);
    }
    return true;
}

bool gs_jinja_truncate(struct jrun *r, double f, int64_t *out)
{
    if (isinf(f))
        return gs_jinja_fail(r, "cannot convert float infinity to integer");
    if (isnan(f))
        return gs_jinja_fail(r, "cannot convert float NaN to integer");
    if (fabs(f) >= 9223372036854775808.0)
        return overflow(r);
    *out = (int64_t)f;
    return true;
}

/* Does "_" stand between digits only? Copies without it. */
static size_t drop_underscores(struct gs_slice s, char *out, size_t cap)
{
    size_t n = 0;

    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '_') {
            const bool between = i > 0 && i + 1 < s.len && s.ptr[i - 1] != '_' &&
                                 s.ptr[i + 1] != '_' && s.ptr[i + 1] != '.' && s.ptr[i - 1] != '.';
            if (!between)
                return 0;
            continue;
        }
        if (n + 1 >= cap)
            return 0;
        out[n++] = s.ptr[i];
    }
    out[n] = '\0';
    return n;
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if ((c | 0x20) >= 'a' && (c | 0x20) <= 'z')
        return (c | 0x20) - 'a' + 10;
    return 99;
}

bool gs_jinja_parse_int(struct gs_slice s, int base, int64_t *out, bool *out_overflow)
{
    char text[128];
    size_t i = 0;
    int64_t v = 0;

    *out_overflow = false;
    s = gs_jinja_strip(s, (struct gs_slice){0}, GS_STRIP_BOTH);
    const size_t n = drop_underscores(s, text, sizeof(text));
    const bool negative = text[0] == '-' && n > 0;
    if (n > 0 && (text[0] == '-' || text[0] == '+'))
        i++;
    if (n > i + 2 && text[i] == '0') {
        const char radix = (char)(text[i + 1] | 0x20);
        const int implied = radix == 'x' ? 16 : radix == 'o' ? 8 : radix == 'b' ? 2 : 0;
        if (implied && (base == 0 || base == implied)) {
            base = implied;
            i += 2;
        }
    }
    if (base == 0)
        base = 10;
    if (i >= n)
        return false;
    for (; i < n; i++) {
        const int d = digit_value(text[i]);
        if (d >= base)
            return false;
        if (__builtin_mul_overflow(v, (int64_t)base, &v) ||
            __builtin_sub_overflow(v, (int64_t)d, &v)) /* downwards, so that the least fits */
            *out_overflow = true;
    }
    if (!negative && v == INT64_MIN)
        *out_overflow = true;
    *out = negative || *out_overflow ? v : -v;
    return true;
}

bool gs_jinja_parse_float(struct gs_slice s, double *out)
{
    static const char *const words[] = {"inf", "infinity", "nan"};
    char text[1024];
    size_t i = 0;

    s = gs_jinja_strip(s, (struct gs_slice){0}, GS_STRIP_BOTH);
    const size_t n = drop_underscores(s, text, sizeof(text));
    if (n > 0 && (text[0] == '-' || text[0] == '+'))
        i++;
    for (size_t w = 0; w < GS_COUNT_OF(words); w++) {
        size_t k = 0;
        while (i + k < n && words[w][k] && (text[i + k] | 0x20) == words[w][k])
            k++;
        if (i + k == n && k > 0 && !words[w][k]) {
            *out = strtod(text, NULL);
            return true;
        }
    }
    bool digits = false; /* strtod also takes hexadecimals and names, which Python does not */
    for (size_t k = i; k < n; k++) {
        digits = digits || digit_value(text[k]) < 10;
        if (digit_value(text[k]) >= 10 && !strchr(".eE+-", text[k]))
            return false;
    }
    char *end = text;
    const double v = digits ? strtod(text, &end) : 0;
    if (n == 0 || end != text + n)
        return false;
    *out = v;
    return true;
}

/* repr() of a float: the fewest digits that read back as the same number, in positional notation
 * for exponents from -4 to 15. */
size_t gs_jinja_float_text(double v, char out[GS_JINJA_FLOAT_CHARS])
{
    char text[GS_JINJA_FLOAT_CHARS];
    char digits[20] = {0};
    int n = 0;

    if (!isfinite(v))
        return (size_t)snprintf(out, GS_JINJA_FLOAT_CHARS, "%s",
                                isnan(v) ? "nan"
                                : v < 0  ? "-inf"
                                         : "inf");
    for (int precision = 0; precision <= 17; precision++) {
        snprintf(text, sizeof(text), "%.*e", precision, v);
        if (strtod(text, NULL) == v)
            break;
    }
    const char *e = strchr(text, 'e');
    const int exponent = (int)strtol(e + 1, NULL, 10);
    for (const char *p = text; p < e; p++) {
        if (*p >= '0' && *p <= '9')
            digits[n++] = *p;
    }
    const char *sign = text[0] == '-' ? "-" : "";
    if (exponent < -4 || exponent >= 16)
        return (size_t)snprintf(out, GS_JINJA_FLOAT_CHARS, "%s%c%s%.*se%c%02d", sign, digits[0],
                                n > 1 ? "." : "", n - 1, digits + 1, exponent < 0 ? '-' : '+',
                                abs(exponent));
    if (exponent < 0)
        return (size_t)snprintf(out, GS_JINJA_FLOAT_CHARS, "%s0.%.*s%.*s", sign, -exponent - 1,
                                "000", n, digits);
    const int whole = GS_MIN(n, exponent + 1);
    return (size_t)snprintf(out, GS_JINJA_FLOAT_CHARS, "%s%.*s%.*s.%.*s", sign, whole, digits,
                            exponent + 1 - whole, "0000000000000000", GS_MAX(n - whole, 1),
                            n > whole ? digits + whole : "0");
}

void gs_jinja_write_float(struct gs_buf *b, double v)
{
    char text[GS_JINJA_FLOAT_CHARS];

    gs_buf_put(b, text, gs_jinja_float_text(v, text));
}
