/* Keys and tokens that tell by their form what they are. Lengths and alphabets are those that their
 * makers document, or that theirs have had. */
#include <string.h>

#include "base/compiler.h"
#include "base/slice.h"
#include "privacy/scan.h"

#define ALNUM GS_PRIVACY_ALNUM
#define WORD  GS_PRIVACY_WORD
#define HEX   GS_PRIVACY_HEX
#define CAPS  (GS_PRIVACY_UPPER | GS_PRIVACY_DIGIT)
#define DOTS  (GS_PRIVACY_WORD | GS_PRIVACY_DOT)
#define BASE  (GS_PRIVACY_WORD | GS_PRIVACY_PLUS)

#define MAX_BODY       1024 /* bytes of a key behind its prefix */
#define MAX_JWT_HEAD   2048
#define MIN_PEM_BODY   32
#define MAX_PEM_HEADS  8
#define AWS_NEAR_BYTES 256 /* behind an access key's id its secret is looked for */

struct prefix {
    const char *text;
    uint16_t classes; /* of what follows */
    uint16_t min, max;
    bool is_short; /* the prefix is: what follows has to be random as well */
    enum gs_detector detector;
};

static const struct prefix prefixes[] = {
    /* sorted by their first byte */
    {"AGE-SECRET-KEY-1", CAPS, 58, 58, false, GS_DETECT_PRIVATE_KEY},
    {"ABIA", CAPS, 16, 16, false, GS_DETECT_API_KEY},
    {"ACCA", CAPS, 16, 16, false, GS_DETECT_API_KEY},
    {"AIza", WORD, 35, 35, false, GS_DETECT_API_KEY},
    {"AKIA", CAPS, 16, 16, false, GS_DETECT_API_KEY},
    {"ASIA", CAPS, 16, 16, false, GS_DETECT_API_KEY},
    {"AQ.", WORD, 48, 60, true, GS_DETECT_API_KEY},
    {"ATATT3", BASE, 50, 300, false, GS_DETECT_API_KEY},
    {"ATCTT3", BASE, 50, 300, false, GS_DETECT_API_KEY},
    {"CFPAT-", WORD, 43, 43, false, GS_DETECT_API_KEY},
    {"GOCSPX-", WORD, 28, 28, false, GS_DETECT_API_KEY},
    {"HRKU-", WORD, 36, 80, false, GS_DETECT_API_KEY},
    {"NRAK-", CAPS, 27, 27, false, GS_DETECT_API_KEY},
    {"PMAK-", WORD, 59, 59, false, GS_DETECT_API_KEY},
    {"SG.", DOTS, 66, 66, false, GS_DETECT_API_KEY},
    {"SK", HEX, 32, 32, true, GS_DETECT_API_KEY},
    {"bkua_", HEX, 40, 40, false, GS_DETECT_API_KEY},
    {"csk-", ALNUM, 44, 52, true, GS_DETECT_API_KEY},
    {"dapi", HEX, 32, 32, false, GS_DETECT_API_KEY},
    {"dckr_oat_", WORD, 20, 64, false, GS_DETECT_API_KEY},
    {"dckr_pat_", WORD, 20, 64, false, GS_DETECT_API_KEY},
    {"doo_v1_", HEX, 64, 64, false, GS_DETECT_API_KEY},
    {"dop_v1_", HEX, 64, 64, false, GS_DETECT_API_KEY},
    {"dor_v1_", HEX, 64, 64, false, GS_DETECT_API_KEY},
    {"figd_", WORD, 36, 64, false, GS_DETECT_API_KEY},
    {"fw_", ALNUM, 22, 32, true, GS_DETECT_API_KEY},
    {"gho_", ALNUM, 36, 255, false, GS_DETECT_API_KEY},
    {"ghp_", ALNUM, 36, 255, false, GS_DETECT_API_KEY},
    {"ghr_", ALNUM, 36, 255, false, GS_DETECT_API_KEY},
    {"ghs_", ALNUM, 36, 255, false, GS_DETECT_API_KEY},
    {"ghu_", ALNUM, 36, 255, false, GS_DETECT_API_KEY},
    {"github_pat_", WORD, 82, 82, false, GS_DETECT_API_KEY},
    {"glc_", BASE, 32, 400, true, GS_DETECT_API_KEY},
    {"glcbt-", DOTS, 20, 300, false, GS_DETECT_API_KEY},
    {"gldt-", DOTS, 20, 300, false, GS_DETECT_API_KEY},
    {"glft-", DOTS, 20, 300, false, GS_DETECT_API_KEY},
    {"gloas-", DOTS, 20, 300, false, GS_DETECT_API_KEY},
    {"glpat-", DOTS, 20, 300, false, GS_DETECT_API_KEY},
    {"glptt-", DOTS, 20, 300, false, GS_DETECT_API_KEY},
    {"glrt-", DOTS, 20, 300, false, GS_DETECT_API_KEY},
    {"glsa_", WORD, 41, 41, false, GS_DETECT_API_KEY},
    {"glsoat-", DOTS, 20, 300, false, GS_DETECT_API_KEY},
    {"gsk_", ALNUM, 48, 56, false, GS_DETECT_API_KEY},
    {"hf_", ALNUM, 30, 40, false, GS_DETECT_API_KEY},
    {"hooks.slack.com/services/", ALNUM | GS_PRIVACY_PLUS, 40, 60, false, GS_DETECT_API_KEY},
    {"hvb.", WORD, 24, 400, false, GS_DETECT_API_KEY},
    {"hvs.", WORD, 24, 400, false, GS_DETECT_API_KEY},
    {"key-", HEX, 32, 32, true, GS_DETECT_API_KEY},
    {"lin_api_", ALNUM, 40, 40, false, GS_DETECT_API_KEY},
    {"nfp_", ALNUM, 36, 40, false, GS_DETECT_API_KEY},
    {"npm_", ALNUM, 36, 36, false, GS_DETECT_API_KEY},
    {"ntn_", ALNUM, 40, 50, true, GS_DETECT_API_KEY},
    {"nvapi-", WORD, 60, 70, false, GS_DETECT_API_KEY},
    {"pplx-", ALNUM, 40, 56, false, GS_DETECT_API_KEY},
    {"pscale_pw_", DOTS, 32, 64, false, GS_DETECT_API_KEY},
    {"pscale_tkn_", DOTS, 32, 64, false, GS_DETECT_API_KEY},
    {"pypi-AgE", WORD, 50, MAX_BODY, false, GS_DETECT_API_KEY},
    {"r8_", ALNUM, 37, 40, true, GS_DETECT_API_KEY},
    {"rk_live_", ALNUM, 16, 252, false, GS_DETECT_API_KEY},
    {"rk_test_", ALNUM, 16, 252, false, GS_DETECT_API_KEY},
    {"rubygems_", HEX, 48, 48, false, GS_DETECT_API_KEY},
    {"sb_secret_", WORD, 30, 48, false, GS_DETECT_API_KEY},
    {"sbp_", HEX, 40, 40, false, GS_DETECT_API_KEY},
    {"secret_", ALNUM, 43, 43, true, GS_DETECT_API_KEY},
    {"shpat_", HEX, 32, 32, false, GS_DETECT_API_KEY},
    {"shpca_", HEX, 32, 32, false, GS_DETECT_API_KEY},
    {"shppa_", HEX, 32, 32, false, GS_DETECT_API_KEY},
    {"shpss_", HEX, 32, 32, false, GS_DETECT_API_KEY},
    {"sk-ant-", WORD, 20, 400, false, GS_DETECT_API_KEY},
    {"sk-or-v1-", WORD, 20, 400, false, GS_DETECT_API_KEY},
    {"sk-proj-", WORD, 20, 400, false, GS_DETECT_API_KEY},
    {"sk-svcacct-", WORD, 20, 400, false, GS_DETECT_API_KEY},
    {"sk-", WORD, 20, 400, true, GS_DETECT_API_KEY},
    {"sk_live_", ALNUM, 16, 252, false, GS_DETECT_API_KEY},
    {"sk_test_", ALNUM, 16, 252, false, GS_DETECT_API_KEY},
    {"sl.", WORD, 130, 400, true, GS_DETECT_API_KEY},
    {"sntrys_", BASE, 60, 400, false, GS_DETECT_API_KEY},
    {"sntryu_", HEX, 64, 64, false, GS_DETECT_API_KEY},
    {"sq0atp-", WORD, 22, 22, false, GS_DETECT_API_KEY},
    {"sq0csp-", WORD, 43, 43, false, GS_DETECT_API_KEY},
    {"tgp_v1_", WORD, 40, 48, false, GS_DETECT_API_KEY},
    {"tskey-", WORD, 20, 80, false, GS_DETECT_API_KEY},
    {"whsec_", BASE, 32, 80, false, GS_DETECT_API_KEY},
    {"xai-", ALNUM, 80, 84, false, GS_DETECT_API_KEY},
    {"xapp-", WORD, 24, 255, false, GS_DETECT_API_KEY},
    {"xoxa-", WORD, 24, 255, false, GS_DETECT_API_KEY},
    {"xoxb-", WORD, 24, 255, false, GS_DETECT_API_KEY},
    {"xoxc-", WORD, 24, 255, false, GS_DETECT_API_KEY},
    {"xoxd-", BASE, 24, 400, false, GS_DETECT_API_KEY},
    {"xoxe-", WORD, 24, 255, false, GS_DETECT_API_KEY},
    {"xoxp-", WORD, 24, 255, false, GS_DETECT_API_KEY},
    {"xoxr-", WORD, 24, 255, false, GS_DETECT_API_KEY},
    {"xoxs-", WORD, 24, 255, false, GS_DETECT_API_KEY},
    {"ya29.", WORD, 30, MAX_BODY, false, GS_DETECT_TOKEN},
};

/* ---- keys with a prefix ---- */

/* The secret that belongs to an AWS key's id stands near it, and has no form of its own. */
static size_t look_aws_secret(struct gs_privacy_scan *s, size_t at)
{
    const size_t stop = GS_MIN(at + AWS_NEAR_BYTES, s->text.len);

    while (at < stop) {
        const size_t end = gs_privacy_skip(s, at, ALNUM | GS_PRIVACY_PLUS, 64);
        size_t begin = at;
        while (begin < end && s->text.ptr[begin] == '=')
            begin++;
        const struct gs_slice word = gs_slice(s->text.ptr + begin, end - begin);
        if (word.len == 40 && gs_privacy_is_random(word) && !gs_privacy_is_placeholder(word))
            return gs_privacy_scan_hit(s, begin, end, GS_DETECT_API_KEY);
        at = end + 1;
    }
    return stop;
}

static bool is_genuine(const struct prefix *p, struct gs_slice body)
{
    if (!gs_privacy_is_varied(body, 7))
        return false;
    if (p->is_short)
        return gs_privacy_is_random(body);
    if (gs_slice_starts(gs_slice_str(p->text), GS_SLICE_LIT("SG.")) && body.ptr[22] != '.')
        return false;
    return !gs_privacy_is_placeholder(body);
}

/* Behind the key with this prefix at `at`, or `at`. */
static size_t take_prefixed(struct gs_privacy_scan *s, size_t at, const struct prefix *p)
{
    const size_t begin = at + strlen(p->text);
    size_t end = p->classes == WORD ? gs_privacy_word_end(s, begin)
                                    : gs_privacy_skip(s, begin, p->classes, (size_t)p->max + 1);

    if (end - begin > p->max || gs_privacy_is(gs_privacy_at(s, end), ALNUM))
        return at;
    while (end > begin && s->text.ptr[end - 1] == '.')
        end--;
    if (end - begin < p->min)
        return at;
    return is_genuine(p, gs_slice(s->text.ptr + begin, end - begin)) ? end : at;
}

static size_t look_prefix(struct gs_privacy_scan *s, size_t at)
{
    if (!gs_privacy_begins_word(s, at) || (at > 0 && s->text.ptr[at - 1] == '_'))
        return at + 1;
    for (size_t i = s->first_prefix[(unsigned char)s->text.ptr[at]]; i < GS_COUNT_OF(prefixes);
         i++) {
        const struct prefix *p = &prefixes[i];
        if (p->text[0] != s->text.ptr[at])
            break;
        if (!gs_privacy_has(s, at, p->text))
            continue;
        const size_t end = take_prefixed(s, at, p);
        if (end == at)
            continue;
        gs_privacy_scan_hit(s, at, end, p->detector);
        const bool is_aws = p->max == 16 && p->classes == CAPS;
        if (is_aws && gs_privacy_scan_wants(s, p->detector))
            (void)look_aws_secret(s, end);
        return end;
    }
    return at + 1;
}

/* Azure's client secrets have "8Q~" or "7Q~" after three bytes. */
static size_t look_azure(struct gs_privacy_scan *s, size_t at)
{
    if (at < 3)
        return at + 1;
    const size_t begin = at - 3;
    size_t end = at + 3;
    while (end < s->text.len && end < at + 48 &&
           (gs_privacy_is(s->text.ptr[end], DOTS) || s->text.ptr[end] == '~'))
        end++;
    if (gs_privacy_skip(s, begin, DOTS, 3) != at || !gs_privacy_begins_word(s, begin) ||
        end - begin < 37 || end - begin > 42)
        return at + 1;
    return gs_privacy_scan_hit(s, begin, end, GS_DETECT_API_KEY);
}

/* Telegram's: 123456789:AA... */
static size_t look_telegram(struct gs_privacy_scan *s, size_t at)
{
    size_t begin = at;
    while (begin > s->floor && at - begin < 11 &&
           gs_privacy_is(s->text.ptr[begin - 1], GS_PRIVACY_DIGIT))
        begin--;
    const size_t end = gs_privacy_skip(s, at + 1, WORD, 36);
    if (at - begin < 8 || at - begin > 10 || end - at != 36 ||
        !gs_privacy_is_random(gs_slice(s->text.ptr + at + 1, 35)))
        return at + 1;
    return gs_privacy_scan_hit(s, begin, end, GS_DETECT_API_KEY);
}

/* ---- JSON web tokens ---- */

/* Does it decode to JSON that names an algorithm? */
static bool is_jwt_head(struct gs_slice part)
{
    char text[384];
    size_t n = 0;
    uint32_t bits = 0;

    for (size_t i = 0; i < GS_MIN(part.len, (size_t)512); i++) {
        const char c = part.ptr[i];
        uint32_t v = 63; /* '_' */
        if (gs_privacy_is(c, GS_PRIVACY_UPPER))
            v = (uint32_t)(c - 'A');
        else if (gs_privacy_is(c, GS_PRIVACY_LOWER))
            v = (uint32_t)(c - 'a' + 26);
        else if (gs_privacy_is(c, GS_PRIVACY_DIGIT))
            v = (uint32_t)(c - '0' + 52);
        else if (c == '-')
            v = 62;
        bits = bits << 6 | v;
        if (i % 4 != 0)
            text[n++] = (char)(bits >> (6 - 2 * (i % 4)) & 0xff);
    }
    const struct gs_slice head = gs_slice(text, n);
    return n > 2 && text[0] == '{' && gs_slice_find(head, GS_SLICE_LIT("\"alg\""), 0) != SIZE_MAX;
}

static size_t look_jwt(struct gs_privacy_scan *s, size_t at)
{
    if (!gs_privacy_begins_word(s, at))
        return at + 1;
    const size_t head_end = gs_privacy_word_end(s, at);
    if (head_end - at < 10 || head_end - at > MAX_JWT_HEAD || gs_privacy_at(s, head_end) != '.')
        return at + 1;
    const size_t body_end = gs_privacy_skip(s, head_end + 1, WORD, SIZE_MAX / 2);
    const bool is_direct = body_end == head_end + 1; /* encrypted, with a key both know */
    if ((body_end - head_end < 10 && !is_direct) || gs_privacy_at(s, body_end) != '.' ||
        !is_jwt_head(gs_slice(s->text.ptr + at, head_end - at)))
        return head_end;
    size_t end = gs_privacy_skip(s, body_end + 1, WORD, SIZE_MAX / 2);
    while (gs_privacy_at(s, end) == '.' && gs_privacy_is(gs_privacy_at(s, end + 1), WORD))
        end = gs_privacy_skip(s, end + 1, WORD, SIZE_MAX / 2); /* an encrypted one has five parts */
    if (end - body_end < 17)
        return head_end;
    return gs_privacy_scan_hit(s, at, end, GS_DETECT_TOKEN);
}

/* ---- private keys ---- */

/* Behind what parts two lines of a key, wherever it is quoted: white space, \n in letters, quotes
 * and signs of strings put together, numbers of lines. */
static size_t skip_between(const struct gs_privacy_scan *s, size_t at)
{
    for (;;) {
        const size_t begin = at;
        while (at < s->text.len && strchr(" \t\r\n\"'`>|,+#*", s->text.ptr[at]) && s->text.ptr[at])
            at++;
        while (gs_privacy_at(s, at) == '\\') {
            at++;
            const char c = gs_privacy_at(s, at);
            at += c == 'n' || c == 'r' || c == 't' || c == '"';
        }
        const size_t digits = gs_privacy_skip(s, at, GS_PRIVACY_DIGIT, 7);
        if (digits > at && digits - at < 7) {
            if (gs_privacy_has(s, digits, "\xe2\x86\x92"))
                at = digits + 3;
            else if (gs_privacy_at(s, digits) == '\t' || gs_privacy_has(s, digits, ": ") ||
                     gs_privacy_has(s, digits, " | "))
                at = digits + 1;
        }
        if (at == begin)
            return at;
    }
}

/* Behind the lines of a key that begin at `at`; *out_n: bytes of base64 there were. The END mark is
 * passed over, if there is one. */
static size_t skip_lines(const struct gs_privacy_scan *s, size_t at, size_t *out_n)
{
    size_t end = at;
    int n_heads = 0;

    *out_n = 0;
    for (;;) {
        at = skip_between(s, at);
        if (gs_privacy_has(s, at, "----")) {
            const size_t mark = gs_privacy_skip(s, at, GS_PRIVACY_DASH, 8);
            const size_t word = gs_privacy_skip(s, mark, GS_PRIVACY_SPACE, 1);
            if (!gs_privacy_has(s, word, "END "))
                return end;
            at = gs_privacy_skip(s, word, CAPS | GS_PRIVACY_SPACE, 64);
            return gs_privacy_skip(s, at, GS_PRIVACY_DASH, 5);
        }
        const size_t stop = gs_privacy_skip(s, at, ALNUM | GS_PRIVACY_PLUS, SIZE_MAX / 2);
        const size_t next = skip_between(s, stop);
        const char after = gs_privacy_at(s, stop);
        if (after == ':' || (after == '-' && !gs_privacy_has(s, stop, "----"))) {
            /* a line of a head: Proc-Type: 4,ENCRYPTED */
            const size_t name = gs_privacy_skip(s, at, WORD, 32);
            if (gs_privacy_has(s, at, "Private-MAC: "))
                return gs_privacy_skip(s, name + 2, HEX, 64);
            if (gs_privacy_at(s, name) != ':' || ++n_heads > MAX_PEM_HEADS)
                return end;
            for (at = name; at < s->text.len && at - name < 100; at++) {
                const char c = s->text.ptr[at];
                if (c == '\n' || c == '\\' || (c == '"' && at != name + 2))
                    break;
            }
            end = at;
            continue;
        }
        const bool is_last = next >= s->text.len || gs_privacy_has(s, next, "----");
        if (stop == at || (stop - at < 16 && s->text.ptr[stop - 1] != '=' && !is_last))
            return end;
        *out_n += stop - at;
        end = at = stop;
    }
}

/* -----BEGIN ... PRIVATE KEY----- */
static size_t look_pem(struct gs_privacy_scan *s, size_t at)
{
    size_t begin = at;
    const bool has_space = begin > 0 && s->text.ptr[begin - 1] == ' '; /* SSH2: "---- BEGIN" */
    begin -= has_space;
    const size_t word_at = begin;
    while (begin > s->floor && word_at - begin < 5 && s->text.ptr[begin - 1] == '-')
        begin--;
    if (word_at - begin < 4 || !gs_privacy_has(s, at, "BEGIN "))
        return at + 1;
    const size_t label_end = gs_privacy_skip(s, at + 6, CAPS | GS_PRIVACY_SPACE, 64);
    const struct gs_slice label = gs_slice_sub(s->text, at + 6, label_end);
    if (!gs_privacy_has(s, label_end, "----") ||
        gs_slice_find(label, GS_SLICE_LIT("PRIVATE KEY"), 0) == SIZE_MAX)
        return at + 1;
    size_t n;
    const size_t end = skip_lines(s, gs_privacy_skip(s, label_end, GS_PRIVACY_DASH, 5), &n);
    return n < MIN_PEM_BODY ? at + 1 : gs_privacy_scan_hit(s, begin, end, GS_DETECT_PRIVATE_KEY);
}

/* PuTTY's: Private-Lines: 14, that many lines, Private-MAC: ... */
static size_t look_putty(struct gs_privacy_scan *s, size_t at)
{
    if (!gs_privacy_has(s, at, "Private-Lines: "))
        return at + 1;
    size_t n;
    const size_t body = gs_privacy_skip(s, at + 15, GS_PRIVACY_DIGIT, 4);
    const size_t end = skip_lines(s, body, &n);
    return n < MIN_PEM_BODY ? at + 1 : gs_privacy_scan_hit(s, at, end, GS_DETECT_PRIVATE_KEY);
}

/* ---- groups ---- */

#define PREFIX_GROUPS 34 /* with fewer, more texts seem to begin a key */

static void add_prefixes(struct gs_privacy_scan *s)
{
    size_t last = SIZE_MAX;

    for (size_t i = GS_COUNT_OF(prefixes); i-- > 0;) {
        const char *p = prefixes[i].text;
        s->first_prefix[(unsigned char)p[0]] = (uint8_t)i;
        const char first[] = {p[0], '\0'}, second[] = {p[1], '\0'}, third[] = {p[2], '\0'};
        const size_t group = i * PREFIX_GROUPS / GS_COUNT_OF(prefixes);
        if (!gs_privacy_scan_wants(s, prefixes[i].detector))
            continue;
        if (group != last)
            gs_privacy_scan_group(s, look_prefix, first, second, p[2] ? third : "0123456789abcdef");
        else
            gs_privacy_scan_widen(s, first, second, p[2] ? third : "0123456789abcdef");
        last = group;
    }
}

void gs_privacy_scan_keys(struct gs_privacy_scan *s)
{
    add_prefixes(s);
    if (gs_privacy_scan_wants(s, GS_DETECT_PRIVATE_KEY)) {
        gs_privacy_scan_group(s, look_pem, "B", "E", "G");
        gs_privacy_scan_group(s, look_putty, "P", "r", "i");
    }
    if (gs_privacy_scan_wants(s, GS_DETECT_API_KEY)) {
        gs_privacy_scan_group(s, look_azure, "78", "Q", "~");
        gs_privacy_scan_group(s, look_telegram, ":", "A", "A");
    }
    if (gs_privacy_scan_wants(s, GS_DETECT_TOKEN))
        gs_privacy_scan_group(s, look_jwt, "e", "y", "J");
}
