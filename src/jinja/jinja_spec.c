/* Format specs: the presentation of numbers and text that "%" and str.format() share. A number is a
 * head (sign, prefix) and a body (digits, point, exponent); padding goes around or between. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "jinja/jinja_format.h"
#include "jinja/jinja_text.h"

#define BODY_BYTES 1400 /* the longest number with the greatest precision, and separators */

static size_t count_chars(struct gs_slice s)
{
    size_t n = 0;

    for (size_t i = 0; i < s.len; i++)
        n += ((unsigned char)s.ptr[i] & 0xC0) != 0x80;
    return n;
}

static void put_fill(struct gs_buf *b, const struct jspec *spec, size_t n)
{
    char utf8[4];
    const uint32_t fill = spec->fill ? spec->fill : ' ';

    gs_jinja_put_fill(b, gs_slice(utf8, gs_utf8_encode(fill, utf8)), n);
}

static size_t missing_width(const struct jspec *spec, size_t chars)
{
    return spec->width > 0 && (size_t)spec->width > chars ? (size_t)spec->width - chars : 0;
}

void gs_jinja_put_padded(struct gs_buf *b, struct gs_slice text, const struct jspec *spec)
{
    uint32_t cp;
    size_t end = 0;

    for (int n = 0; spec->precision >= 0 && n < spec->precision && end < text.len; n++)
        end += gs_utf8_decode(text, end, &cp);
    if (spec->precision >= 0)
        text.len = end;
    const size_t pad = missing_width(spec, count_chars(text));
    const size_t left = spec->align == '>' ? pad : spec->align == '^' ? pad / 2 : 0;
    put_fill(b, spec, left);
    gs_buf_slice(b, text);
    put_fill(b, spec, pad - left);
}

/* ---- numbers ---- */

/* Separators between groups of the body's leading digits, which zeros extend to min_digits
 * characters. */
static void group_digits(char body[BODY_BYTES], size_t n, const struct jspec *spec, size_t every,
                         size_t min_digits)
{
    char reversed[BODY_BYTES];
    size_t len = 0;
    const size_t rest = strlen(body) - n;

    min_digits = GS_MIN(min_digits, BODY_BYTES / 2);
    for (size_t i = 0; i < n || len < min_digits; i++) {
        if (len + rest + 3 > BODY_BYTES)
            return;
        if (i > 0 && i % every == 0)
            reversed[len++] = spec->grouping;
        reversed[len++] = i < n ? body[n - 1 - i] : '0';
    }
    memmove(body + len, body + n, rest + 1);
    for (size_t i = 0; i < len; i++)
        body[i] = reversed[len - 1 - i];
}

/* Right-aligned unless told otherwise; '=' pads between head and body. */
static void put_signed(struct gs_buf *b, const char *head, char body[BODY_BYTES], size_t n_digits,
                       size_t every, const struct jspec *spec)
{
    const size_t fixed = strlen(head) + strlen(body) - n_digits;

    if (spec->grouping && n_digits > 0) {
        const bool zeros = spec->fill == '0' && spec->align == '=';
        group_digits(body, n_digits, spec, every, zeros ? missing_width(spec, fixed) : 0);
    }
    const size_t pad = missing_width(spec, strlen(head) + strlen(body));
    const size_t left = spec->align == '<' ? 0 : spec->align == '^' ? pad / 2 : pad;
    if (spec->align != '=')
        put_fill(b, spec, left);
    gs_buf_puts(b, head);
    if (spec->align == '=')
        put_fill(b, spec, left);
    gs_buf_puts(b, body);
    put_fill(b, spec, pad - left);
}

static const char *sign_text(bool negative, const struct jspec *spec)
{
    return negative ? "-" : spec->sign == '+' ? "+" : spec->sign == ' ' ? " " : "";
}

static void put_whole(struct gs_buf *b, int64_t v, const struct jspec *spec)
{
    const char lower = (char)(spec->type | 0x20);
    const unsigned base = lower == 'x' ? 16 : lower == 'o' ? 8 : lower == 'b' ? 2 : 10;
    const char *alphabet = spec->type == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    uint64_t left = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    char body[BODY_BYTES];
    char head[4];
    char *p = body + BODY_BYTES - 1;
    int n = 0;

    *p = '\0';
    for (; left > 0 || n == 0 || n < spec->precision; n++) {
        *--p = alphabet[left % base];
        left /= base;
    }
    memmove(body, p, (size_t)n + 1);
    const bool prefix = spec->alternate && base != 10;
    snprintf(head, sizeof(head), "%s%s%c", sign_text(v < 0, spec), prefix ? "0" : "",
             prefix ? spec->type : '\0');
    put_signed(b, head, body, (size_t)n, base == 10 ? 3 : 4, spec);
}

/* The body of a number that is finite and not negative. */
static void typed_body(double v, const struct jspec *spec, char out[BODY_BYTES])
{
    const int precision = spec->precision < 0 ? 6 : GS_MIN(spec->precision, GS_JINJA_MAX_PRECISION);
    const bool alternate = spec->alternate;

    switch (spec->type) {
    case 'e':
        snprintf(out, BODY_BYTES, alternate ? "%#.*e" : "%.*e", precision, v);
        break;
    case 'E':
        snprintf(out, BODY_BYTES, alternate ? "%#.*E" : "%.*E", precision, v);
        break;
    case 'g':
    case 'n':
        snprintf(out, BODY_BYTES, alternate ? "%#.*g" : "%.*g", precision, v);
        break;
    case 'G':
        snprintf(out, BODY_BYTES, alternate ? "%#.*G" : "%.*G", precision, v);
        break;
    case '%':
        snprintf(out, BODY_BYTES, alternate ? "%#.*f%%" : "%.*f%%", precision, v * 100);
        break;
    default:
        snprintf(out, BODY_BYTES, alternate ? "%#.*f" : "%.*f", precision, v);
        break;
    }
}

/* Without a type: as repr() does, or with a precision as 'g', but with a point, for which one
 * digit less is left before it takes an exponent. */
static void untyped_body(double v, const struct jspec *spec, char out[BODY_BYTES])
{
    const int precision = GS_MIN(GS_MAX(spec->precision, 1), GS_JINJA_MAX_PRECISION);
    char text[GS_JINJA_FLOAT_CHARS];

    if (spec->precision < 0) {
        snprintf(out, BODY_BYTES, "%.*s", (int)gs_jinja_float_text(v, text), text);
        return;
    }
    snprintf(out, BODY_BYTES, spec->alternate ? "%#.*e" : "%.*e", precision - 1, v);
    char *e = strchr(out, 'e');
    const long exponent = strtol(e + 1, NULL, 10);
    if (exponent < -4 || exponent >= precision - 1) {
        char *end = e;
        if (memchr(out, '.', (size_t)(e - out)) && !spec->alternate) {
            while (end[-1] == '0')
                end--;
            end -= end[-1] == '.';
        }
        memmove(end, e, strlen(e) + 1);
        return;
    }
    snprintf(out, BODY_BYTES, spec->alternate ? "%#.*g" : "%.*g", precision, v);
    if (!strchr(out, '.'))
        snprintf(out + strlen(out), BODY_BYTES - strlen(out), ".0");
}

static void put_real(struct gs_buf *b, double v, const struct jspec *spec)
{
    const bool upper = spec->type == 'E' || spec->type == 'F' || spec->type == 'G';
    const bool percent = spec->type == '%';
    char body[BODY_BYTES];

    if (!isfinite(percent ? v * 100 : v))
        snprintf(body, sizeof(body), "%s%s",
                 isnan(v) ? (upper ? "NAN" : "nan") : (upper ? "INF" : "inf"), percent ? "%" : "");
    else if (spec->type == 0)
        untyped_body(fabs(v), spec, body);
    else
        typed_body(fabs(v), spec, body);
    put_signed(b, sign_text(signbit(v) && !isnan(v), spec), body, strspn(body, "0123456789"), 3,
               spec);
}

static bool put_character(struct jrun *r, struct gs_buf *b, int64_t cp, const struct jspec *spec)
{
    char utf8[4];
    const size_t n = cp >= 0 && cp <= 0x10FFFF ? gs_utf8_encode((uint32_t)cp, utf8) : 0;

    if (n == 0)
        return gs_jinja_fail(r, "%%c arg not in range(0x110000)");
    gs_jinja_put_padded(b, gs_slice(utf8, n), spec);
    return true;
}

static bool is_type(const struct jspec *spec, const char *types)
{
    return spec->type && strchr(types, spec->type);
}

bool gs_jinja_put_number(struct jrun *r, struct gs_buf *b, struct jval v, const struct jspec *spec)
{
    if (v.kind == JV_FLOAT || is_type(spec, "eEfFgG%"))
        put_real(b, jv_real(v), spec);
    else if (spec->type == 'c')
        return put_character(r, b, jv_integer(v), spec);
    else
        put_whole(b, jv_integer(v), spec);
    return true;
}

/* ---- parsing ---- */

static bool skip_one_of(struct gs_slice s, size_t *pos, const char *set, char *out)
{
    if (*pos >= s.len || s.ptr[*pos] == '\0' || !strchr(set, s.ptr[*pos]))
        return false;
    *out = s.ptr[(*pos)++];
    return true;
}

static bool skip_number(struct gs_slice s, size_t *pos, int *out)
{
    const size_t start = *pos;

    *out = 0;
    for (; *pos < s.len && s.ptr[*pos] >= '0' && s.ptr[*pos] <= '9'; (*pos)++)
        *out = GS_MIN(*out * 10 + (s.ptr[*pos] - '0'), GS_JINJA_MAX_WIDTH);
    return *pos > start;
}

static bool check_text(struct jrun *r, const struct jspec *spec)
{
    if (spec->sign)
        return gs_jinja_fail(r, "sign not allowed in string format specifier");
    if (spec->alternate)
        return gs_jinja_fail(r, "alternate form (#) not allowed in string format specifier");
    if (spec->align == '=')
        return gs_jinja_fail(r, "'=' alignment not allowed in string format specifier");
    if (spec->grouping)
        return gs_jinja_fail(r, "cannot specify '%c' with 's'", spec->grouping);
    return true;
}

static bool check_number(struct jrun *r, struct jval v, const struct jspec *spec)
{
    const bool whole = v.kind != JV_FLOAT && !is_type(spec, "eEfFgG%");

    if (spec->grouping && spec->type &&
        !is_type(spec, spec->grouping == ',' ? "deEfFgG%" : "deEfFgG%boxX"))
        return gs_jinja_fail(r, "cannot specify '%c' with '%c'", spec->grouping, spec->type);
    if (whole && spec->precision >= 0)
        return gs_jinja_fail(r, "precision not allowed in integer format specifier");
    if (spec->type == 'c' && (spec->sign || spec->alternate))
        return gs_jinja_fail(r, "sign or '#' not allowed with integer format specifier 'c'");
    return true;
}

bool gs_jinja_parse_spec(struct jrun *r, struct gs_slice s, struct jval v, struct jspec *out)
{
    const bool text = v.kind == JV_STR;
    const char *types = text ? "s" : v.kind == JV_FLOAT ? "eEfFgGn%" : "bcdoxXneEfFgG%";
    struct jspec *spec = out;
    uint32_t cp = 0;
    size_t i = s.len ? gs_utf8_decode(s, 0, &cp) : 0;
    char c;

    *spec = (struct jspec){.precision = -1};
    if (skip_one_of(s, &i, "<>=^", &spec->align)) {
        spec->fill = cp;
    } else {
        i = 0;
        (void)skip_one_of(s, &i, "<>=^", &spec->align);
    }
    (void)skip_one_of(s, &i, "+- ", &spec->sign);
    spec->alternate = skip_one_of(s, &i, "#", &c);
    if (!spec->fill && skip_one_of(s, &i, "0", &c)) {
        spec->fill = '0';
        spec->align = spec->align || text ? spec->align : '=';
    }
    (void)skip_number(s, &i, &spec->width);
    (void)skip_one_of(s, &i, ",_", &spec->grouping);
    if (skip_one_of(s, &i, ".", &c) && !skip_number(s, &i, &spec->precision))
        return gs_jinja_fail(r, "format specifier missing precision");
    if (i < s.len && !skip_one_of(s, &i, types, &spec->type))
        return gs_jinja_fail(r, "unknown format code for object of type '%s'", gs_jinja_type(v));
    if (i < s.len)
        return gs_jinja_fail(r, "invalid format specifier");
    return text ? check_text(r, spec) : check_number(r, v, spec);
}
