/* URLs of providers, patterns of model names, and what looks like a key: everything about them that
 * can be told from the text alone. */
#include <ctype.h>

#include "base/slice.h"
#include "config/config_routes.h"

#define MAX_URL      2048
#define MIN_KEY      24 /* bytes of a key somebody gave out */
#define MAX_KEY      8192
#define MIN_DISTINCT 10 /* different characters of it */

/* ---- URLs ---- */

static bool take_scheme(struct gs_slice *rest, bool *out_is_tls)
{
    static const struct gs_slice schemes[] = {GS_SLICE_LIT("http://"), GS_SLICE_LIT("https://")};

    for (size_t i = 0; i < GS_COUNT_OF(schemes); i++) {
        if (!gs_slice_starts(*rest, schemes[i]))
            continue;
        *rest = gs_slice_sub(*rest, schemes[i].len, rest->len);
        *out_is_tls = i == 1;
        return true;
    }
    return false;
}

/* Up to the path. */
static struct gs_slice authority_of(struct gs_slice rest)
{
    const size_t slash = gs_slice_find(rest, GS_SLICE_LIT("/"), 0);

    return gs_slice_sub(rest, 0, slash);
}

static bool is_host(struct gs_slice host, bool is_v6)
{
    const char *marks = is_v6 ? ":.%" : "-._";

    for (size_t i = 0; i < host.len; i++) {
        const char c = host.ptr[i];
        if (c <= ' ' || c > '~' || (!isalnum((unsigned char)c) && !strchr(marks, c)))
            return false;
    }
    return host.len > 0;
}

static bool split_authority(struct gs_slice authority, struct gs_config_url *out)
{
    const bool is_v6 = authority.len > 0 && authority.ptr[0] == '[';
    const size_t end = gs_slice_find(authority, is_v6 ? GS_SLICE_LIT("]") : GS_SLICE_LIT(":"), 0);
    int64_t port = out->is_tls ? 443 : 80;

    if (is_v6 && end == SIZE_MAX)
        return false;
    out->host = gs_slice_sub(authority, is_v6, end);
    const struct gs_slice rest =
        gs_slice_sub(authority, end == SIZE_MAX ? authority.len : end + is_v6, authority.len);
    if (rest.len > 0) {
        const struct gs_slice digits = gs_slice_sub(rest, 1, rest.len);
        if (rest.ptr[0] != ':' || !gs_slice_to_i64(digits, &port) || digits.ptr[0] == '-')
            return false;
    }
    out->port = (int)port;
    return port > 0 && port <= 65535 && is_host(out->host, is_v6);
}

bool gs_config_url_has_credentials(struct gs_slice url)
{
    bool is_tls;

    return take_scheme(&url, &is_tls) &&
           gs_slice_find(authority_of(url), GS_SLICE_LIT("@"), 0) != SIZE_MAX;
}

bool gs_config_url_split(struct gs_slice url, struct gs_config_url *out)
{
    *out = (struct gs_config_url){0};
    if (url.len > MAX_URL || !take_scheme(&url, &out->is_tls))
        return false;
    const struct gs_slice authority = authority_of(url);
    out->path = gs_slice_sub(url, authority.len, url.len);
    for (size_t i = 0; i < out->path.len; i++)
        if (out->path.ptr[i] <= ' ' || out->path.ptr[i] > '~' ||
            strchr("?#\"<>\\", out->path.ptr[i]))
            return false;
    return split_authority(authority, out);
}

static bool eq_caseless(struct gs_slice a, const char *b)
{
    if (a.len != strlen(b))
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (tolower((unsigned char)a.ptr[i]) != b[i])
            return false;
    return true;
}

/* Four whole numbers; a name that only begins so is somebody else's. */
static bool read_v4(struct gs_slice host, int64_t out[4])
{
    int n_parts = 0;

    for (size_t from = 0; from <= host.len; n_parts++) {
        const size_t dot = GS_MIN(gs_slice_find(host, GS_SLICE_LIT("."), from), host.len);
        const struct gs_slice part = gs_slice_sub(host, from, dot);
        if (n_parts == 4 || part.len > 3 || !gs_slice_to_i64(part, &out[n_parts]) ||
            out[n_parts] < 0 || out[n_parts] > 255)
            return false;
        from = dot + 1;
    }
    return n_parts == 4;
}

bool gs_config_host_is_loopback(struct gs_slice host)
{
    int64_t v4[4];

    return eq_caseless(host, "localhost") || gs_slice_eq_str(host, "::1") ||
           (read_v4(host, v4) && v4[0] == 127);
}

/* Of RFC 1918, RFC 6598 (also Tailscale's) and RFC 3927. */
static bool is_private_v4(const int64_t v4[4])
{
    return v4[0] == 10 || (v4[0] == 172 && v4[1] / 16 == 1) || (v4[0] == 192 && v4[1] == 168) ||
           (v4[0] == 100 && v4[1] / 64 == 1) || (v4[0] == 169 && v4[1] == 254);
}

static bool has_near_name(struct gs_slice host)
{
    static const char *const ends[] = {".local", ".lan", ".internal", ".home.arpa", ".localdomain"};

    for (size_t i = 0; i < GS_COUNT_OF(ends); i++) {
        const size_t n = strlen(ends[i]);
        if (host.len > n && eq_caseless(gs_slice_sub(host, host.len - n, host.len), ends[i]))
            return true;
    }
    return gs_slice_find(host, GS_SLICE_LIT("."), 0) == SIZE_MAX;
}

bool gs_config_host_is_near(struct gs_slice host)
{
    const struct gs_slice first = gs_slice_sub(host, 0, 2);
    int64_t v4[4];

    if (gs_config_host_is_loopback(host))
        return true;
    if (gs_slice_find(host, GS_SLICE_LIT(":"), 0) != SIZE_MAX) /* RFC 4193, RFC 4291 */
        return eq_caseless(first, "fc") || eq_caseless(first, "fd") ||
               eq_caseless(gs_slice_sub(host, 0, 3), "fe8");
    return read_v4(host, v4) ? is_private_v4(v4) : has_near_name(host);
}

/* ---- patterns ---- */

/* One pattern without '|'. On a mismatch the last '*' takes one character more. */
static bool match_one(struct gs_slice pattern, struct gs_slice name)
{
    size_t p = 0;
    size_t n = 0;
    size_t star = SIZE_MAX; /* the last seen */
    size_t taken = 0;       /* up to where it reaches */

    while (n < name.len) {
        if (p < pattern.len && pattern.ptr[p] == '*') {
            star = p++;
            taken = n;
        } else if (p < pattern.len &&
                   tolower((unsigned char)pattern.ptr[p]) == tolower((unsigned char)name.ptr[n])) {
            p++;
            n++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            n = ++taken;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '*')
        p++;
    return p == pattern.len;
}

bool gs_config_match(const char *pattern, struct gs_slice name)
{
    for (;;) {
        const size_t len = strcspn(pattern, "|");
        if (match_one(gs_slice(pattern, len), name))
            return true;
        if (pattern[len] == '\0')
            return false;
        pattern += len + 1;
    }
}

/* ---- keys ---- */

static struct gs_slice without_scheme(struct gs_slice credential)
{
    credential = gs_slice_trim(credential);
    if (credential.len > 7 && eq_caseless(gs_slice_sub(credential, 0, 7), "bearer "))
        credential = gs_slice_trim(gs_slice_sub(credential, 7, credential.len));
    return credential;
}

/* Keys are made by chance: long, with digits and letters, many of them different. Words that people
 * put where a key has to stand are not. */
static bool is_random(struct gs_slice key)
{
    bool seen[128] = {false};
    size_t n_distinct = 0;
    size_t n_digits = 0;

    if (key.len < MIN_KEY || key.len > MAX_KEY)
        return false;
    for (size_t i = 0; i < key.len; i++) {
        const unsigned char c = (unsigned char)key.ptr[i];
        if (c <= ' ' || c >= 0x7F)
            return false;
        n_digits += isdigit(c) != 0;
        n_distinct += !seen[c];
        seen[c] = true;
    }
    return n_distinct >= MIN_DISTINCT && n_digits >= 2 && n_digits < key.len;
}

/* Three parts of base64url, the first of which is a JSON object (RFC 7519). */
static bool is_token(struct gs_slice key)
{
    const size_t dot = gs_slice_find(key, GS_SLICE_LIT("."), 0);

    return gs_slice_starts(key, GS_SLICE_LIT("eyJ")) && dot != SIZE_MAX &&
           gs_slice_find(key, GS_SLICE_LIT("."), dot + 1) != SIZE_MAX;
}

bool gs_config_is_real_key(struct gs_slice credential)
{
    return is_random(without_scheme(credential));
}

bool gs_config_looks_secret(struct gs_slice word)
{
    static const struct gs_slice beginnings[] = {GS_SLICE_LIT("sk-"), GS_SLICE_LIT("eyJ")};
    bool is_one = word.len > 0;

    if (!is_random(word))
        return false;
    for (size_t i = 0; i < GS_COUNT_OF(beginnings); i++)
        if (gs_slice_starts(word, beginnings[i]))
            return true;
    for (size_t i = 0; i < word.len; i++) /* names of models and files have such marks */
        is_one = is_one && !strchr("-./:", word.ptr[i]);
    return is_one;
}

bool gs_config_takes_client_key(const struct gs_config_provider *p, struct gs_slice credential)
{
    const struct gs_slice key = without_scheme(credential);
    const bool is_anthropic = gs_slice_starts(key, GS_SLICE_LIT("sk-ant-"));
    struct gs_config_url url;

    if (!is_random(key) || !p->url || !gs_config_url_split(gs_slice_str(p->url), &url))
        return false;
    if (eq_caseless(url.host, "api.anthropic.com"))
        return is_anthropic || is_token(key);
    if (eq_caseless(url.host, "api.openai.com"))
        return (gs_slice_starts(key, GS_SLICE_LIT("sk-")) && !is_anthropic) || is_token(key);
    return true;
}
