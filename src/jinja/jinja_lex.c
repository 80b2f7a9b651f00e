/* From template source to tokens, by the rules of Jinja's lexer with trim_blocks and lstrip_blocks:
 *
 *   text, then the nearest of {{ {% {# decides how the text before it is stripped;
 *   '-' at a delimiter strips all white space on its side, '+' keeps what trim and lstrip take;
 *   a statement or comment eats one newline after it and the blanks between it and its line start.
 *
 * Inside brackets "}}" and "%}" are operators, not ends. */
#include "jinja/jinja_lex.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/slice.h"
#include "jinja/jinja_unicode.h"

#define MAX_BRACKETS 200

struct lexer {
    const char *name;
    struct gs_slice src;
    size_t pos;
    bool line_starting; /* the last thing lexed ended a line */
    struct gs_arena *arena;
    struct gs_buf tokens;
    struct gs_error *err;
};

const char *gs_jinja_token_text(enum gs_jinja_token kind)
{
    static const char *const texts[] = {
#define TOKEN_TEXT(token, text) [token] = (text),
        GS_JINJA_TOKENS(TOKEN_TEXT)
#undef TOKEN_TEXT
    };
    return texts[kind];
}

static enum gs_status fail_at(struct lexer *lx, size_t off)
{
    gs_error_pos_in(lx->err, lx->name, lx->src, off);
    return GS_ETEMPLATE;
}

static bool at(const struct lexer *lx, size_t off, const char *s)
{
    const size_t n = strlen(s);

    return off <= lx->src.len && lx->src.len - off >= n && memcmp(lx->src.ptr + off, s, n) == 0;
}

static char char_at(const struct lexer *lx, size_t off)
{
    return off < lx->src.len ? lx->src.ptr[off] : '\0';
}

/* Length of the white space character at off, 0 if there is none. */
static size_t space_at(const struct lexer *lx, size_t off)
{
    uint32_t cp;

    if (off >= lx->src.len)
        return 0;
    const size_t n = gs_utf8_decode(lx->src, off, &cp);
    return gs_jinja_is(cp, GS_UNI_SPACE) ? n : 0;
}

static size_t skip_space(const struct lexer *lx, size_t off)
{
    for (size_t n = space_at(lx, off); n > 0; n = space_at(lx, off))
        off += n;
    return off;
}

static size_t rstrip(struct gs_slice s, size_t from, size_t to)
{
    while (to > from) {
        size_t start = to - 1;
        uint32_t cp;
        while (start > from && ((unsigned char)s.ptr[start] & 0xC0) == 0x80)
            start--;
        gs_utf8_decode(s, start, &cp);
        if (!gs_jinja_is(cp, GS_UNI_SPACE))
            break;
        to = start;
    }
    return to;
}

static void push(struct lexer *lx, struct jtoken t)
{
    gs_buf_put(&lx->tokens, &t, sizeof(t));
}

static void push_data(struct lexer *lx, size_t from, size_t to)
{
    if (to > from)
        push(lx, (struct jtoken){.kind = TK_DATA,
                                 .off = (uint32_t)from,
                                 .text = gs_slice(lx->src.ptr + from, to - from)});
}

/* The text [from, to) before a tag; `sign` is what follows the tag's opening delimiter. */
static void push_stripped(struct lexer *lx, size_t from, size_t to, char sign, bool is_variable)
{
    if (sign == '-') {
        to = rstrip(lx->src, from, to);
    } else if (sign != '+' && !is_variable) {
        size_t line = to;
        while (line > from && lx->src.ptr[line - 1] != '\n')
            line--;
        if ((line > from || lx->line_starting) && rstrip(lx->src, line, to) == line)
            to = line;
    }
    push_data(lx, from, to);
}

static void advance(struct lexer *lx, size_t to)
{
    lx->line_starting = to > lx->pos && lx->src.ptr[to - 1] == '\n';
    lx->pos = to;
}

/* After the end of a statement or comment whose delimiter starts at off: '-' strips, '+' keeps the
 * newline that is otherwise eaten. Returns 0 if no such delimiter is there. */
static size_t tag_end(const struct lexer *lx, size_t off, const char *delimiter, bool plus)
{
    if (char_at(lx, off) == '-' && at(lx, off + 1, delimiter))
        return skip_space(lx, off + 3);
    if (plus && char_at(lx, off) == '+' && at(lx, off + 1, delimiter))
        return off + 3;
    if (!at(lx, off, delimiter))
        return 0;
    off += 2;
    return plus && char_at(lx, off) == '\n' ? off + 1 : off;
}

static enum gs_status lex_comment(struct lexer *lx, size_t start)
{
    for (size_t i = lx->pos; i < lx->src.len; i++) {
        const size_t end = tag_end(lx, i, "#}", true);
        if (end) {
            advance(lx, end);
            return GS_OK;
        }
    }
    gs_error_set(lx->err, GS_ETEMPLATE, "comment without its end, '#}'");
    return fail_at(lx, start);
}

/* "{%- raw -%}": the offset after it, or 0. */
static size_t raw_begin(const struct lexer *lx, size_t off)
{
    off += 2;
    if (char_at(lx, off) == '-' || char_at(lx, off) == '+')
        off++;
    off = skip_space(lx, off);
    if (!at(lx, off, "raw"))
        return 0;
    off = skip_space(lx, off + 3);
    if (at(lx, off, "-%}"))
        return skip_space(lx, off + 3);
    return at(lx, off, "%}") ? off + 2 : 0;
}

/* "{%- endraw -%}": the offset after it, or 0. */
static size_t raw_end(const struct lexer *lx, size_t off)
{
    if (!at(lx, off, "{%"))
        return 0;
    off += 2;
    if (char_at(lx, off) == '-' || char_at(lx, off) == '+')
        off++;
    off = skip_space(lx, off);
    return at(lx, off, "endraw") ? tag_end(lx, skip_space(lx, off + 6), "%}", true) : 0;
}

static enum gs_status lex_raw(struct lexer *lx, size_t start)
{
    const size_t from = lx->pos;

    for (size_t i = from; i < lx->src.len; i++) {
        const size_t end = raw_end(lx, i);
        if (end) {
            push_stripped(lx, from, i, char_at(lx, i + 2), false);
            advance(lx, end);
            return GS_OK;
        }
    }
    gs_error_set(lx->err, GS_ETEMPLATE, "raw block without its end, '{%% endraw %%}'");
    return fail_at(lx, start);
}

/* ---- inside a tag ---- */

static unsigned hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
        return (unsigned)((c | 0x20) - 'a') + 10;
    return 16;
}

static void put_char(struct gs_buf *b, uint32_t cp)
{
    char utf8[4];

    gs_buf_put(b, utf8, gs_utf8_encode(cp, utf8));
}

/* \xHH, \uHHHH, \UHHHHHHHH: s is at the letter; false if malformed or not a character. */
static bool unescape_hex(struct gs_slice s, size_t *pos, struct gs_buf *b)
{
    const char kind = s.ptr[*pos];
    const size_t n = kind == 'x' ? 2 : kind == 'u' ? 4 : 8;
    uint32_t cp = 0;

    if (s.len - *pos - 1 < n)
        return false;
    for (size_t i = 1; i <= n; i++) {
        const unsigned d = hex_digit(s.ptr[*pos + i]);
        if (d > 15 || cp > 0x10FFFF)
            return false;
        cp = cp << 4 | d;
    }
    if (cp > 0x10FFFF || (cp >= 0xD800 && cp < 0xE000))
        return false;
    put_char(b, cp);
    *pos += n + 1;
    return true;
}

static void unescape_octal(struct gs_slice s, size_t *pos, struct gs_buf *b)
{
    uint32_t cp = 0;

    for (int n = 0; n < 3 && *pos < s.len && s.ptr[*pos] >= '0' && s.ptr[*pos] <= '7'; n++)
        cp = cp << 3 | (uint32_t)(s.ptr[(*pos)++] - '0');
    put_char(b, cp);
}

/* A backslash before a character that is not ASCII: Python spells the character out. */
static void unescape_other(struct gs_slice s, size_t *pos, struct gs_buf *b)
{
    uint32_t cp;

    *pos += gs_utf8_decode(s, *pos, &cp);
    gs_buf_putc(b, '\\');
    if (cp < 0x80)
        put_char(b, cp);
    else
        gs_buf_printf(b, cp < 0x100 ? "x%02x" : cp < 0x10000 ? "u%04x" : "U%08x", (unsigned)cp);
}

/* The escapes of a Python string literal. */
static bool unescape(struct gs_slice s, struct gs_buf *b)
{
    static const char letters[] = "\\'\"abfnrtv";
    static const char values[] = "\\'\"\a\b\f\n\r\t\v";

    for (size_t i = 0; i < s.len;) {
        if (s.ptr[i] != '\\') {
            gs_buf_putc(b, s.ptr[i++]);
            continue;
        }
        if (++i == s.len)
            return false;
        const char c = s.ptr[i];
        const char *letter = c ? strchr(letters, c) : NULL;
        if (c == '\n') {
            i++;
        } else if (letter) {
            gs_buf_putc(b, values[letter - letters]);
            i++;
        } else if (c >= '0' && c <= '7') {
            unescape_octal(s, &i, b);
        } else if (c == 'x' || c == 'u' || c == 'U') {
            if (!unescape_hex(s, &i, b))
                return false;
        } else if (c == 'N') {
            return false;
        } else {
            unescape_other(s, &i, b);
        }
    }
    return true;
}

static enum gs_status lex_string(struct lexer *lx)
{
    const size_t start = lx->pos;
    const char quote = lx->src.ptr[start];
    size_t end = start + 1;
    bool escapes = false;

    while (end < lx->src.len && lx->src.ptr[end] != quote) {
        if (lx->src.ptr[end] == '\\') {
            escapes = true;
            end++;
        }
        end++;
    }
    if (end >= lx->src.len) {
        gs_error_set(lx->err, GS_ETEMPLATE, "string without its closing quote");
        return fail_at(lx, start);
    }
    struct jtoken t = {
        .kind = TK_STRING, .off = (uint32_t)start, .text = gs_slice_sub(lx->src, start + 1, end)};
    if (escapes) {
        struct gs_buf b;
        gs_buf_init(&b, GS_MAX_TEMPLATE_BYTES * 2);
        const bool valid = unescape(t.text, &b);
        const bool ok = gs_buf_ok(&b) && gs_arena_dup(lx->arena, gs_buf_view(&b), &t.text);
        gs_buf_clear(&b);
        if (!valid) {
            gs_error_set(lx->err, GS_ETEMPLATE, "string with a malformed escape sequence");
            return fail_at(lx, start);
        }
        if (!ok)
            return gs_error_nomem(lx->err, "compile the template");
    }
    push(lx, t);
    advance(lx, end + 1);
    return GS_OK;
}

/* Digits of `base` with single '_' between them, from off; the end. */
static size_t digits_end(const struct lexer *lx, size_t off, unsigned base)
{
    size_t end = off;

    while (hex_digit(char_at(lx, end)) < base ||
           (end > off && char_at(lx, end) == '_' && hex_digit(char_at(lx, end + 1)) < base))
        end++;
    return end;
}

/* The end of a float at the current position, or its start if it is none. */
static size_t float_end(const struct lexer *lx)
{
    const size_t start = lx->pos;
    size_t end = digits_end(lx, start, 10);
    bool is_float = false;

    if (start > 0 && lx->src.ptr[start - 1] == '.')
        return start;
    if (char_at(lx, end) == '.' && digits_end(lx, end + 1, 10) > end + 1) {
        end = digits_end(lx, end + 1, 10);
        is_float = true;
    }
    if ((char_at(lx, end) | 0x20) == 'e') {
        const char sign = char_at(lx, end + 1);
        const size_t from = end + (sign == '+' || sign == '-' ? 2 : 1);
        if (digits_end(lx, from, 10) > from) {
            end = digits_end(lx, from, 10);
            is_float = true;
        }
    }
    return is_float ? end : start;
}

static enum gs_status push_float(struct lexer *lx, size_t end)
{
    const struct gs_slice text = gs_slice_sub(lx->src, lx->pos, end);
    char *p = gs_arena_alloc(lx->arena, text.len + 1);
    size_t n = 0;

    if (!p)
        return gs_error_nomem(lx->err, "compile the template");
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '_')
            p[n++] = text.ptr[i];
    }
    push(lx,
         (struct jtoken){
             .kind = TK_FLOAT, .off = (uint32_t)lx->pos, .text = text, .real = strtod(p, NULL)});
    advance(lx, end);
    return GS_OK;
}

static enum gs_status lex_number(struct lexer *lx)
{
    const size_t start = lx->pos;
    const char radix = (char)(char_at(lx, start + 1) | 0x20);
    unsigned base = char_at(lx, start) != '0' ? 10
                    : radix == 'x'            ? 16
                    : radix == 'o'            ? 8
                    : radix == 'b'            ? 2
                                              : 10;
    size_t from = base == 10 ? start : start + 2;
    int64_t v = 0;
    bool overflow = false;

    if (float_end(lx) > start)
        return push_float(lx, float_end(lx));
    if (base != 10 && char_at(lx, from) == '_')
        from++;
    size_t end = digits_end(lx, from, base);
    if (base != 10 && end == from) { /* "0x" without digits is a zero and a name */
        base = 10;
        from = start;
        end = start + 1;
    }
    if (base == 10 && char_at(lx, start) == '0') { /* "09" is a zero and a nine */
        end = start + 1;
        while (char_at(lx, end) == '0' || (char_at(lx, end) == '_' && char_at(lx, end + 1) == '0'))
            end++;
    }
    for (size_t i = from; i < end; i++) {
        const char c = char_at(lx, i);
        if (c != '_')
            overflow = overflow || __builtin_mul_overflow(v, (int64_t)base, &v) ||
                       __builtin_add_overflow(v, (int64_t)hex_digit(c), &v);
    }
    if (overflow) {
        gs_error_set(lx->err, GS_ETEMPLATE, "whole number beyond 64 bits");
        return fail_at(lx, start);
    }
    push(lx, (struct jtoken){.kind = TK_INT,
                             .off = (uint32_t)start,
                             .text = gs_slice_sub(lx->src, start, end),
                             .integer = v});
    advance(lx, end);
    return GS_OK;
}

static enum gs_status lex_name(struct lexer *lx)
{
    const size_t start = lx->pos;
    size_t end = start;

    while (end < lx->src.len) {
        uint32_t cp;
        const size_t n = gs_utf8_decode(lx->src, end, &cp);
        if (!gs_jinja_is(cp, end == start ? GS_UNI_ID_START : GS_UNI_ID_PART))
            break;
        end += n;
    }
    if (end == start) {
        gs_error_set(lx->err, GS_ETEMPLATE, "unexpected character in a tag");
        return fail_at(lx, start);
    }
    push(lx, (struct jtoken){.kind = TK_NAME,
                             .off = (uint32_t)start,
                             .text = gs_slice_sub(lx->src, start, end)});
    advance(lx, end);
    return GS_OK;
}

/* Keep count of brackets: they must match, and an end delimiter inside them is none. */
static enum gs_status balance(struct lexer *lx, char c, char *stack, size_t *depth)
{
    static const char open[] = "([{";
    static const char close[] = ")]}";
    const char *o = strchr(open, c);

    if (o) {
        if (*depth == MAX_BRACKETS) {
            gs_error_set(lx->err, GS_ELIMIT, "more than %d nested brackets", MAX_BRACKETS);
            fail_at(lx, lx->pos);
            return GS_ELIMIT;
        }
        stack[(*depth)++] = close[o - open];
    } else if (strchr(close, c)) {
        if (*depth == 0 || stack[*depth - 1] != c) {
            if (*depth == 0)
                gs_error_set(lx->err, GS_ETEMPLATE, "unexpected '%c'", c);
            else
                gs_error_set(lx->err, GS_ETEMPLATE, "unexpected '%c', expected '%c'", c,
                             stack[*depth - 1]);
            return fail_at(lx, lx->pos);
        }
        (*depth)--;
    }
    return GS_OK;
}

/* The operator at the current position: its token, and its length. TK_EOF if there is none. */
static enum gs_jinja_token operator_at(const struct lexer *lx, size_t *out_len)
{
    static const struct {
        char text[3];
        enum gs_jinja_token kind;
    } operators[] = {
        {"**", TK_POW},     {"//", TK_FLOORDIV}, {"==", TK_EQ},    {"!=", TK_NE},
        {">=", TK_GE},      {"<=", TK_LE},       {"+", TK_ADD},    {"-", TK_SUB},
        {"/", TK_DIV},      {"*", TK_MUL},       {"%", TK_MOD},    {"~", TK_TILDE},
        {"[", TK_LBRACKET}, {"]", TK_RBRACKET},  {"(", TK_LPAREN}, {")", TK_RPAREN},
        {"{", TK_LBRACE},   {"}", TK_RBRACE},    {">", TK_GT},     {"<", TK_LT},
        {"=", TK_ASSIGN},   {".", TK_DOT},       {":", TK_COLON},  {"|", TK_PIPE},
        {",", TK_COMMA},    {";", TK_SEMICOLON},
    };

    for (size_t i = 0; i < GS_COUNT_OF(operators); i++) {
        if (at(lx, lx->pos, operators[i].text)) {
            *out_len = strlen(operators[i].text);
            return operators[i].kind;
        }
    }
    return TK_EOF;
}

static enum gs_status lex_in_tag(struct lexer *lx, char *stack, size_t *depth)
{
    const char c = char_at(lx, lx->pos);
    size_t len = 0;

    if (space_at(lx, lx->pos) > 0) {
        advance(lx, skip_space(lx, lx->pos));
        return GS_OK;
    }
    if (c >= '0' && c <= '9')
        return lex_number(lx);
    if (c == '\'' || c == '"')
        return lex_string(lx);
    const enum gs_jinja_token kind = operator_at(lx, &len);
    if (kind == TK_EOF)
        return lex_name(lx);
    const enum gs_status st = len == 1 ? balance(lx, c, stack, depth) : GS_OK;
    if (st != GS_OK)
        return st;
    push(lx, (struct jtoken){.kind = kind,
                             .off = (uint32_t)lx->pos,
                             .text = gs_slice(lx->src.ptr + lx->pos, len)});
    advance(lx, lx->pos + len);
    return GS_OK;
}

/* From after the opening delimiter to after the closing one. */
static enum gs_status lex_tag(struct lexer *lx, bool is_variable, size_t start)
{
    const char *delimiter = is_variable ? "}}" : "%}";
    char stack[MAX_BRACKETS];
    size_t depth = 0;

    push(lx, (struct jtoken){.kind = is_variable ? TK_VAR_BEGIN : TK_BLOCK_BEGIN,
                             .off = (uint32_t)start,
                             .text = gs_slice(lx->src.ptr + start, 2)});
    while (lx->pos < lx->src.len) {
        const size_t end = depth == 0 ? tag_end(lx, lx->pos, delimiter, !is_variable) : 0;
        if (end) {
            push(lx, (struct jtoken){.kind = is_variable ? TK_VAR_END : TK_BLOCK_END,
                                     .off = (uint32_t)lx->pos,
                                     .text = gs_slice_str(delimiter)});
            advance(lx, end);
            return GS_OK;
        }
        const enum gs_status st = lex_in_tag(lx, stack, &depth);
        if (st != GS_OK)
            return st;
    }
    return GS_OK; /* the parser finds the end of the template where it wanted the delimiter */
}

/* The next "{{", "{%" or "{#" at or after `from`; the end of the source if there is none. */
static size_t find_tag(const struct lexer *lx, size_t from)
{
    while (from < lx->src.len) {
        const char *p = memchr(lx->src.ptr + from, '{', lx->src.len - from);
        if (!p)
            break;
        from = (size_t)(p - lx->src.ptr);
        const char c = char_at(lx, from + 1);
        if (c == '{' || c == '%' || c == '#')
            return from;
        from++;
    }
    return lx->src.len;
}

static enum gs_status lex_source(struct lexer *lx)
{
    enum gs_status st = GS_OK;

    while (st == GS_OK && lx->pos < lx->src.len) {
        const size_t start = find_tag(lx, lx->pos);
        if (start == lx->src.len) {
            push_data(lx, lx->pos, start);
            break;
        }
        const char kind = char_at(lx, start + 1);
        const char sign = char_at(lx, start + 2);
        const size_t raw = kind == '%' ? raw_begin(lx, start) : 0;
        push_stripped(lx, lx->pos, start, sign, kind == '{');
        lx->pos = start;
        advance(lx, raw ? raw : start + (sign == '-' || sign == '+' ? 3 : 2));
        if (raw)
            st = lex_raw(lx, start);
        else if (kind == '#')
            st = lex_comment(lx, start);
        else
            st = lex_tag(lx, kind == '{', start);
    }
    return st;
}

enum gs_status gs_jinja_lex(const char *name, struct gs_slice source, struct gs_arena *a,
                            struct jtokens *out, struct gs_error *err)
{
    struct lexer lx = {.name = name, .src = source, .line_starting = true, .arena = a, .err = err};

    gs_buf_init(&lx.tokens, GS_MAX_TEXT_BYTES);
    const enum gs_status st = lex_source(&lx);
    push(&lx, (struct jtoken){.kind = TK_EOF, .off = (uint32_t)source.len});
    if (st != GS_OK || !gs_buf_ok(&lx.tokens)) {
        gs_buf_clear(&lx.tokens);
        return st != GS_OK ? st : gs_error_nomem(err, "compile the template");
    }
    out->len = lx.tokens.len / sizeof(struct jtoken);
    out->items = (struct jtoken *)(void *)lx.tokens.ptr;
    return GS_OK;
}
