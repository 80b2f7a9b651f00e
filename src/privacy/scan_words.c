/* Secrets that what stands in front of them tells: password = "...", Authorization: Bearer ...,
 * postgres://user:...@host, Cookie: session=... A value is one only if it looks like a secret: code
 * is full of names with values that are names themselves. */
#include <string.h>

#include "base/compiler.h"
#include "base/slice.h"
#include "privacy/scan.h"

#define MAX_NAME   48  /* bytes of a name that are looked at */
#define MAX_VALUE  256 /* of a value */
#define MAX_SPACE  32
#define LOOK_BACK  200 /* for the name of a command on the same line */
#define MIN_OPAQUE 16

/* ---- names ---- */

struct ending {
    const char *text; /* lower case */
    enum gs_detector detector;
};

static const struct ending endings[] = {
    {"password", GS_DETECT_PASSWORD}, {"passphrase", GS_DETECT_PASSWORD},
    {"passwort", GS_DETECT_PASSWORD}, {"passwd", GS_DETECT_PASSWORD},
    {"pass", GS_DETECT_PASSWORD},     {"pwd", GS_DETECT_PASSWORD},
    {"secret", GS_DETECT_API_KEY},    {"token", GS_DETECT_TOKEN},
    {"key", GS_DETECT_API_KEY},
};

static char lower(char c)
{
    return gs_privacy_is(c, GS_PRIVACY_UPPER) ? (char)(c | 0x20) : c;
}

static bool ends_with(struct gs_slice s, const char *end)
{
    const struct gs_slice e = gs_slice_str(end);

    if (s.len < e.len)
        return false;
    for (size_t i = 0; i < e.len; i++)
        if (lower(s.ptr[s.len - e.len + i]) != e.ptr[i])
            return false;
    return true;
}

static bool ends_with_any(struct gs_slice s, const char *const *ends, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (ends_with(s, ends[i]))
            return true;
    return false;
}

/* Does what stands before the ending leave it a secret's name? A "key" may be anything, a "token"
 * the next page's. */
static bool is_secret_name(struct gs_slice before, const char *ending)
{
    static const char *const of_keys[] = {
        "api",          "secret",  "access", "private", "auth",    "encryption", "signing",
        "subscription", "account", "master", "shared",  "service", "admin"};
    static const char *const of_pages[] = {"page", "next", "continuation", "sync", "pad", "cursor",
                                           "bos",  "eos",  "special",      "unk",  "sep"};

    while (before.len > 0 && gs_privacy_is(before.ptr[before.len - 1], GS_PRIVACY_DASH))
        before.len--;
    if (strcmp(ending, "key") == 0)
        return ends_with_any(before, of_keys, GS_COUNT_OF(of_keys));
    if (strcmp(ending, "token") == 0)
        return !ends_with_any(before, of_pages, GS_COUNT_OF(of_pages));
    return true;
}

/* What the value of a member or variable of this name is, by the end of the name. */
static const struct ending *ending_of(struct gs_slice name)
{
    while (name.len > 0 && gs_privacy_is(name.ptr[name.len - 1], GS_PRIVACY_DIGIT))
        name.len--;
    for (size_t i = 0; i < GS_COUNT_OF(endings); i++) {
        const struct ending *e = &endings[i];
        if (!ends_with(name, e->text))
            continue;
        const size_t before = name.len - strlen(e->text);
        const bool is_part = before > 0 && strcmp(e->text, "pass") == 0 &&
                             !gs_privacy_is(name.ptr[before - 1], GS_PRIVACY_DASH);
        if (is_part || !is_secret_name(gs_slice_sub(name, 0, before), e->text))
            return NULL;
        return e;
    }
    return NULL;
}

/* ---- values ---- */

struct value {
    size_t begin, end;
    bool is_quoted;
    bool is_code;     /* it may be an expression: `password = other_name;` */
    bool is_variable; /* of a shell: it may have white space */
};

static bool is_opaque(struct gs_slice s, size_t min)
{
    for (size_t i = 0; i < s.len; i++)
        if (!gs_privacy_is(s.ptr[i], GS_PRIVACY_WORD | GS_PRIVACY_PLUS | GS_PRIVACY_DOT) &&
            s.ptr[i] != '~' && s.ptr[i] != '%' && s.ptr[i] != ':')
            return false;
    return s.len >= min && gs_slice_find(s, GS_SLICE_LIT("://"), 0) == SIZE_MAX &&
           gs_privacy_is_random(s) && !gs_privacy_is_placeholder(s);
}

struct shape {
    bool has_upper, has_lower, has_digit, has_sign, has_space, is_ascii;
    bool is_name;   /* letters, digits, '_' and '.' only */
    bool has_joint; /* of them '_' or '.' */
};

static struct shape shape_of(struct gs_slice s)
{
    struct shape h = {.is_ascii = true, .is_name = true};

    for (size_t i = 0; i < s.len; i++) {
        const char c = s.ptr[i];
        const bool is_joint = c == '_' || c == '.';
        const bool is_alnum = gs_privacy_is(c, GS_PRIVACY_ALNUM);
        h.has_upper |= gs_privacy_is(c, GS_PRIVACY_UPPER);
        h.has_lower |= gs_privacy_is(c, GS_PRIVACY_LOWER);
        h.has_digit |= gs_privacy_is(c, GS_PRIVACY_DIGIT);
        h.has_space |= (unsigned char)c <= ' ';
        h.is_ascii &= (unsigned char)c < 0x80;
        h.has_joint |= is_joint;
        h.has_sign |= !is_alnum && !is_joint && c != '-';
        h.is_name &= is_alnum || is_joint;
    }
    return h;
}

/* One word of letters, or digits: a label, a type, or a careless password. */
static bool is_careless(const struct shape *h, size_t len)
{
    return len >= 6 && h->is_ascii && h->is_name && !h->has_joint && !h->has_digit &&
           h->has_upper != h->has_lower;
}

static bool is_password(struct gs_slice s, const struct value *v, bool is_weak_name)
{
    const struct shape h = shape_of(s);
    const bool has_letter = h.has_upper || h.has_lower || !h.is_ascii;
    const bool is_mixed = h.has_digit + h.has_sign + has_letter >= 2;

    if (s.len < 4 || gs_privacy_is_placeholder(s) ||
        (h.has_space && !(v->is_variable && h.has_digit)))
        return false;
    if ((v->is_code && h.is_name) || gs_slice_find(s, GS_SLICE_LIT("://"), 0) != SIZE_MAX)
        return false;
    return is_mixed ? s.len >= 6 : !is_weak_name && !v->is_code && is_careless(&h, s.len);
}

static bool take_value(struct gs_privacy_scan *s, const struct ending *e, const struct value *v)
{
    const struct gs_slice value = gs_slice_sub(s->text, v->begin, v->end);
    const bool is_folder = strcmp(e->text, "pwd") == 0 && value.len > 0 && value.ptr[0] == '/';
    const bool is_member = !v->is_quoted && v->is_code && memchr(value.ptr, '.', value.len);
    const bool is_secret = e->detector == GS_DETECT_PASSWORD
                               ? is_password(value, v, strcmp(e->text, "pass") == 0)
                               : is_opaque(value, e->detector == GS_DETECT_TOKEN ? 20 : MIN_OPAQUE);

    if (!is_secret || is_folder || is_member)
        return false;
    (void)gs_privacy_scan_hit(s, v->begin, v->end, e->detector);
    return true;
}

bool gs_privacy_scan_member(struct gs_privacy_scan *s, struct gs_slice key)
{
    const struct ending *e =
        ending_of(gs_slice_sub(key, key.len > MAX_NAME ? key.len - MAX_NAME : 0, key.len));
    const struct value v = {.end = s->text.len, .is_quoted = true};

    if (!e || !gs_privacy_scan_wants(s, e->detector) || s->text.len > MAX_VALUE)
        return false;
    return take_value(s, e, &v);
}

/* The quoted value at `at`, with as many backslashes before each quote. */
static bool read_quoted(const struct gs_privacy_scan *s, size_t at, struct value *v)
{
    size_t depth = 0;

    while (depth < 8 && gs_privacy_at(s, at) == '\\') {
        depth++;
        at++;
    }
    const char quote = gs_privacy_at(s, at);
    if (quote != '"' && quote != '\'' && quote != '`')
        return false;
    v->begin = ++at;
    for (size_t slashes = 0; at < s->text.len && at - v->begin <= MAX_VALUE; at++) {
        const char c = s->text.ptr[at];
        if (c == quote && slashes <= depth && (depth > 0 || slashes == 0)) {
            v->end = at - slashes;
            v->is_quoted = true;
            return true;
        }
        slashes = c != '\\' ? 0 : depth == 0 && slashes == 1 ? 0 : slashes + 1;
        if (c == '\n')
            return false;
    }
    return false;
}

static bool ends_line(const struct gs_privacy_scan *s, size_t at)
{
    const char c = gs_privacy_at(s, at);
    return at >= s->text.len || c == '\n' || c == '\r' ||
           (c == '\\' && (gs_privacy_at(s, at + 1) == 'n' || gs_privacy_at(s, at + 1) == 'r'));
}

/* The value at `at` that no quotes hold. */
static bool read_bare(const struct gs_privacy_scan *s, size_t at, struct value *v)
{
    v->begin = at;
    while (at < s->text.len && at - v->begin <= MAX_VALUE && (unsigned char)s->text.ptr[at] > ' ' &&
           !strchr("\"'`<>,;)}]&|\\", s->text.ptr[at]))
        at++;
    v->end = at;
    if (at - v->begin > MAX_VALUE || at == v->begin || s->text.ptr[v->begin] == '{' ||
        gs_privacy_has(s, at - 1, "->") || memchr(s->text.ptr + v->begin, '(', at - v->begin) ||
        memchr(s->text.ptr + v->begin, '[', at - v->begin))
        return false;
    while (v->end > v->begin + 1 && s->text.ptr[v->end - 1] == '.')
        v->end--;
    return true;
}

/* ---- name = value ---- */

/* Behind the sign that stands between a name, which ends at `at`, and its value; 0: there is none.
 * *out_spaced: with white space around, or a colon. */
static size_t skip_sign(const struct gs_privacy_scan *s, size_t at, bool *out_spaced)
{
    while (gs_privacy_at(s, at) == '\\')
        at++;
    const char c = gs_privacy_at(s, at);
    at += c == '"' || c == '\'' || c == '`';
    at += gs_privacy_at(s, at) == ']';
    const size_t sign = gs_privacy_skip(s, at, GS_PRIVACY_SPACE, MAX_SPACE);
    size_t end = sign;
    while (end - sign < 3 && gs_privacy_at(s, end) && strchr(":=>", gs_privacy_at(s, end)))
        end++;
    if (end == sign || s->text.ptr[sign] == '>')
        return 0;
    const size_t value = gs_privacy_skip(s, end, GS_PRIVACY_SPACE, MAX_SPACE);
    *out_spaced = sign > at || value > end || s->text.ptr[sign] == ':';
    if (value > end && memchr(s->text.ptr + end, '\n', value - end))
        return 0;
    return value;
}

/* --password hunter2, PASSWORD 'hunter2' of SQL, machine x login y password hunter2 */
static size_t skip_space_of_flag(const struct gs_privacy_scan *s, size_t name, size_t at)
{
    const size_t value = gs_privacy_skip(s, at, GS_PRIVACY_SPACE, MAX_SPACE);
    const bool is_flag = name >= 2 && s->text.ptr[name - 1] == '-' && s->text.ptr[name - 2] == '-';
    const size_t from = name > LOOK_BACK ? name - LOOK_BACK : 0;

    if (value == at)
        return 0;
    const struct gs_slice before = gs_slice_sub(s->text, from, name);
    const size_t login = is_flag ? SIZE_MAX : gs_slice_find(before, GS_SLICE_LIT("login "), 0);
    const bool is_netrc = login != SIZE_MAX && gs_privacy_begins_word(s, from + login) &&
                          gs_slice_find(before, GS_SLICE_LIT("machine "), 0) < login;
    return is_flag || is_netrc || gs_privacy_at(s, value) == '\'' ? value : 0;
}

/* <password>hunter2</password> */
static bool read_element(const struct gs_privacy_scan *s, size_t name, size_t at, struct value *v)
{
    if (gs_privacy_at(s, at) != '>' || name == 0 || s->text.ptr[name - 1] != '<')
        return false;
    v->begin = at + 1;
    const char *end =
        memchr(s->text.ptr + v->begin, '<', GS_MIN(s->text.len - v->begin, MAX_VALUE));
    if (!end)
        return false;
    v->end = (size_t)(end - s->text.ptr);
    v->is_quoted = true;
    return gs_privacy_at(s, v->end + 1) == '/';
}

/* Where code could stand as well, a bare value has to look like nothing else. */
static bool may_be_code(const struct gs_privacy_scan *s, const struct value *v, bool is_spaced)
{
    const char after = gs_privacy_at(s, v->end);
    const bool is_line = ends_line(s, v->end) || after == '"' || after == '\'' || after == '`';

    if (v->is_variable)
        return false;
    return !is_line && (is_spaced || after == ')' || after == ',' || after == ']' || after == '}');
}

static bool read_value(const struct gs_privacy_scan *s, size_t name, size_t at, struct value *v)
{
    bool is_spaced = false;
    size_t value = skip_sign(s, at, &is_spaced);

    *v = (struct value){0};
    if (value == 0 && read_element(s, name, at, v))
        return true;
    const bool is_flag = value == 0;
    if (is_flag)
        value = skip_space_of_flag(s, name, at);
    if (value == 0)
        return false;
    v->is_variable = !is_flag && !is_spaced &&
                     gs_privacy_is(gs_privacy_at(s, name), GS_PRIVACY_UPPER) &&
                     gs_privacy_is(gs_privacy_at(s, name + 1), GS_PRIVACY_UPPER);
    if (read_quoted(s, value, v))
        return true;
    if (!read_bare(s, value, v))
        return false;
    v->is_code = !is_flag && may_be_code(s, v, is_spaced);
    const bool is_word = !v->is_code && is_spaced;
    if (is_word) { /* "password: string" of a language or a sentence */
        const struct shape h = shape_of(gs_slice_sub(s->text, v->begin, v->end));
        v->is_code = h.is_name && (h.has_joint || !h.has_digit);
    }
    return true;
}

static size_t look_name(struct gs_privacy_scan *s, size_t at)
{
    const struct ending *e = NULL;
    size_t end = at, begin = at;

    for (size_t i = 0; i < GS_COUNT_OF(endings) && !e; i++)
        if (gs_privacy_has_any_case(s, at, endings[i].text))
            e = &endings[i];
    if (!e)
        return at + 1;
    end = gs_privacy_skip(s, at + strlen(e->text), GS_PRIVACY_DIGIT, 2);
    if (gs_privacy_is(gs_privacy_at(s, end), GS_PRIVACY_WORD))
        return at + 1;
    while (begin > s->floor && at - begin < MAX_NAME &&
           gs_privacy_is(s->text.ptr[begin - 1], GS_PRIVACY_WORD))
        begin--;
    begin = gs_privacy_past_escape(s, begin);
    while (begin < at && s->text.ptr[begin] == '-')
        begin++;
    e = ending_of(gs_slice_sub(s->text, begin, end));
    struct value v;
    if (!e || !gs_privacy_scan_wants(s, e->detector) || !read_value(s, begin, end, &v) ||
        !take_value(s, e, &v))
        return at + 1;
    return v.end;
}

/* ---- Authorization ---- */

static size_t look_bearer(struct gs_privacy_scan *s, size_t at)
{
    const size_t begin = gs_privacy_skip(s, at + 6, GS_PRIVACY_SPACE, 4);

    if (!gs_privacy_has_any_case(s, at, "bearer") || begin == at + 6)
        return at + 1;
    size_t end = begin;
    while (end < s->text.len && end - begin < MAX_VALUE * 8 &&
           (gs_privacy_is(s->text.ptr[end], GS_PRIVACY_WORD | GS_PRIVACY_PLUS | GS_PRIVACY_DOT) ||
            s->text.ptr[end] == '~'))
        end++;
    if (!is_opaque(gs_slice_sub(s->text, begin, end), MIN_OPAQUE))
        return at + 1;
    return gs_privacy_scan_hit(s, begin, end, GS_DETECT_TOKEN);
}

/* Base64 of user:password? */
static bool is_basic(struct gs_slice s)
{
    uint32_t bits = 0;
    bool has_colon = false;

    for (size_t i = 0; i < s.len && s.ptr[i] != '='; i++) {
        static const char letters[] =
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        const char *found = strchr(letters, s.ptr[i]);
        if (!found)
            return false;
        bits = bits << 6 | (uint32_t)(found - letters);
        const unsigned byte = bits >> (6 - 2 * (i % 4)) & 0xff;
        if (i % 4 != 0 && (byte < 0x20 || byte == 0x7f))
            return i + 1 == s.len && has_colon;
        has_colon |= i % 4 != 0 && byte == ':';
    }
    return has_colon;
}

static size_t look_basic(struct gs_privacy_scan *s, size_t at)
{
    if (!gs_privacy_has_any_case(s, at, "basic "))
        return at + 1;
    const size_t end = gs_privacy_skip(s, at + 6, GS_PRIVACY_ALNUM | GS_PRIVACY_PLUS, MAX_VALUE);
    const struct gs_slice value = gs_slice_sub(s->text, at + 6, end);
    if (value.len < 8 || value.len % 4 != 0 || !is_basic(value))
        return at + 1;
    return gs_privacy_scan_hit(s, at + 6, end, GS_DETECT_PASSWORD);
}

/* Cookie: a=b; c=d */
static size_t look_cookie(struct gs_privacy_scan *s, size_t at)
{
    size_t pair = at + 5;

    if (!gs_privacy_has_any_case(s, at, "ookie:"))
        return at + 1;
    for (int i = 0; i < 64; i++) {
        const size_t name = gs_privacy_skip(s, pair + 1, GS_PRIVACY_SPACE, 2);
        const size_t sign = gs_privacy_skip(s, name, GS_PRIVACY_WORD | GS_PRIVACY_DOT, 64);
        struct value v;
        if (gs_privacy_at(s, sign) != '=' || !read_bare(s, sign + 1, &v))
            break;
        if (is_opaque(gs_slice_sub(s->text, v.begin, v.end), MIN_OPAQUE))
            (void)gs_privacy_scan_hit(s, v.begin, v.end, GS_DETECT_TOKEN);
        pair = v.end;
        if (gs_privacy_at(s, pair) != ';')
            break;
    }
    return at + 1;
}

/* ---- scheme://user:password@host ---- */

static size_t look_url(struct gs_privacy_scan *s, size_t at)
{
    const size_t begin = at + 3;
    const size_t max = GS_MIN(s->text.len, begin + MAX_VALUE);
    size_t stop = begin, colon = SIZE_MAX, sign = SIZE_MAX;

    if (at == 0 || !gs_privacy_is(s->text.ptr[at - 1], GS_PRIVACY_ALNUM))
        return at + 1;
    for (; stop < max && (unsigned char)s->text.ptr[stop] > ' ' &&
           !strchr("/?#\"'`<>\\", s->text.ptr[stop]);
         stop++) {
        if (s->text.ptr[stop] == ':' && colon == SIZE_MAX)
            colon = stop;
        if (s->text.ptr[stop] == '@')
            sign = stop;
    }
    if (sign == SIZE_MAX || colon >= sign)
        return at + 1;
    const struct gs_slice user = gs_slice_sub(s->text, begin, colon);
    const struct gs_slice pass = gs_slice_sub(s->text, colon + 1, sign);
    if (gs_slice_eq(user, pass) || gs_privacy_is_placeholder(pass))
        return at + 1;
    return gs_privacy_scan_hit(s, colon + 1, sign, GS_DETECT_PASSWORD);
}

/* ---- flags of commands ---- */

/* Is it on a line of that command? */
static bool follows(const struct gs_privacy_scan *s, size_t at, const char *command)
{
    const size_t from = at > LOOK_BACK ? at - LOOK_BACK : 0;
    const struct gs_slice before = gs_slice_sub(s->text, from, at);
    const size_t found = gs_slice_find(before, gs_slice_str(command), 0);

    return found != SIZE_MAX && gs_privacy_begins_word(s, from + found) &&
           !memchr(before.ptr + found, '\n', before.len - found);
}

static bool take_flag(struct gs_privacy_scan *s, struct value *v)
{
    const struct gs_slice value = gs_slice_sub(s->text, v->begin, v->end);

    if (value.len < 4 || gs_privacy_is_placeholder(value) || memchr(value.ptr, ' ', value.len))
        return false;
    (void)gs_privacy_scan_hit(s, v->begin, v->end, GS_DETECT_PASSWORD);
    return true;
}

/* mysql -psecret, sshpass -p secret */
static size_t look_p(struct gs_privacy_scan *s, size_t at)
{
    const bool is_spaced = gs_privacy_at(s, at + 3) == ' ';
    const size_t begin = at + 3 + is_spaced;
    struct value v = {0};

    if (is_spaced
            ? !follows(s, at, "sshpass")
            : !follows(s, at, "mysql") && !follows(s, at, "mariadb") && !follows(s, at, "sshpass"))
        return at + 1;
    if (!read_quoted(s, begin, &v) && !read_bare(s, begin, &v))
        return at + 1;
    return take_flag(s, &v) ? v.end : at + 1;
}

/* curl -u user:secret */
static size_t look_u(struct gs_privacy_scan *s, size_t at)
{
    struct value v = {0};
    const size_t begin = at + 3 + (gs_privacy_at(s, at + 3) == ' ');

    if (!follows(s, at, "curl") || (!read_quoted(s, begin, &v) && !read_bare(s, begin, &v)))
        return at + 1;
    const char *colon = memchr(s->text.ptr + v.begin, ':', v.end - v.begin);
    if (!colon)
        return at + 1;
    v.begin = (size_t)(colon - s->text.ptr) + 1;
    return take_flag(s, &v) ? v.end : at + 1;
}

void gs_privacy_scan_words(struct gs_privacy_scan *s)
{
    const bool keys = gs_privacy_scan_wants(s, GS_DETECT_API_KEY);
    const bool tokens = gs_privacy_scan_wants(s, GS_DETECT_TOKEN);

    if (gs_privacy_scan_wants(s, GS_DETECT_PASSWORD)) {
        gs_privacy_scan_group(s, look_name, "pP", "aA", "sS");
        gs_privacy_scan_group(s, look_name, "pP", "wW", "dD");
        gs_privacy_scan_group(s, look_basic, "bB", "aA", "sS");
        gs_privacy_scan_group(s, look_url, ":", "/", "/");
        gs_privacy_scan_group(s, look_p, " ", "-", "p");
        gs_privacy_scan_group(s, look_u, " ", "-", "u");
    }
    if (keys) {
        gs_privacy_scan_group(s, look_name, "kK", "eE", "yY");
        gs_privacy_scan_group(s, look_name, "sS", "eE", "cC");
    }
    if (tokens) {
        gs_privacy_scan_group(s, look_name, "tT", "oO", "kK");
        gs_privacy_scan_group(s, look_bearer, "bB", "eE", "aA");
        gs_privacy_scan_group(s, look_cookie, "oO", "oO", "kK");
    }
}
