/* Numbers that are somebody's: cards, bank accounts, telephones, addresses of machines. Digits are
 * everywhere, so each has to pass a test that chance seldom does. */
#include <string.h>

#include "base/compiler.h"
#include "base/slice.h"
#include "privacy/scan.h"

#define DIGIT GS_PRIVACY_DIGIT
#define ALNUM GS_PRIVACY_ALNUM

/* Digits and what may part them. */
struct digits {
    char text[24]; /* the digits alone */
    size_t n;
    size_t begin, end;
    size_t n_groups;
    size_t shortest, longest; /* groups, but the last */
};

static char value(char digit)
{
    return (char)(digit - '0');
}

/* Read digits from `at` on, parted by single bytes of `signs`: 24 of them, and so many groups, at
 * most. */
static void read_digits(const struct gs_privacy_scan *s, size_t at, const char *signs,
                        size_t max_groups, struct digits *d)
{
    size_t group = 0;

    *d = (struct digits){.begin = at, .end = at, .n_groups = 1, .shortest = SIZE_MAX};
    for (; d->n < sizeof(d->text); at++) {
        const char c = gs_privacy_at(s, at);
        if (gs_privacy_is(c, DIGIT)) {
            d->text[d->n++] = value(c);
            group++;
            d->end = at + 1;
            continue;
        }
        if (c == '\0' || !strchr(signs, c) || d->n_groups == max_groups ||
            !gs_privacy_is(gs_privacy_at(s, at + 1), DIGIT))
            break;
        d->shortest = GS_MIN(d->shortest, group);
        d->longest = GS_MAX(d->longest, group);
        d->n_groups++;
        group = 0;
    }
}

/* Does a number stand by itself, not within a word, a longer number or a version? */
static bool stands_alone(const struct gs_privacy_scan *s, size_t begin, size_t end)
{
    const char after = gs_privacy_at(s, end), next = gs_privacy_at(s, end + 1);
    const char before = begin > 0 ? s->text.ptr[begin - 1] : ' ';

    if (gs_privacy_is(after, ALNUM) || after == '_' ||
        ((after == '.' || after == '-' || after == ',') && gs_privacy_is(next, DIGIT)))
        return false;
    if (begin > 1 && strchr(".-,:/", before) && before &&
        gs_privacy_is(s->text.ptr[begin - 2], DIGIT))
        return false;
    return gs_privacy_begins_word(s, begin) && before != '_' && before != '.' && before != '#' &&
           before != '+';
}

/* ---- cards ---- */

static bool passes_luhn(const struct digits *d)
{
    unsigned sum = 0;

    for (size_t i = 0; i < d->n; i++) {
        unsigned v = (unsigned)d->text[d->n - 1 - i];
        if (i % 2 == 1)
            v = v > 4 ? 2 * v - 9 : 2 * v;
        sum += v;
    }
    return sum % 10 == 0;
}

struct issuer {
    unsigned from, to; /* of the first four digits */
    uint8_t min, max;  /* digits */
};

static bool is_issued(const struct digits *d)
{
    static const struct issuer issuers[] = {
        {4000, 4999, 13, 13}, {4000, 4999, 16, 16}, {4000, 4999, 19, 19}, /* Visa */
        {5100, 5599, 16, 16}, {2221, 2720, 16, 16},                       /* Mastercard */
        {3400, 3499, 15, 15}, {3700, 3799, 15, 15},                       /* American Express */
        {6011, 6011, 16, 19}, {6440, 6599, 16, 19},                       /* Discover */
        {3000, 3059, 14, 14}, {3095, 3095, 14, 14}, {3600, 3600, 14, 14},
        {3601, 3699, 14, 14}, {3800, 3999, 14, 14},                       /* Diners Club */
        {3528, 3589, 16, 19},                                             /* JCB */
        {6200, 6299, 16, 19},                                             /* UnionPay */
        {2200, 2204, 16, 16},                                             /* Mir */
        {5018, 5018, 16, 19}, {5020, 5020, 16, 19}, {5038, 5038, 16, 19}, /* Maestro */
        {6304, 6304, 16, 19}, {6759, 6763, 16, 19},
    };
    const unsigned head =
        (unsigned)(d->text[0] * 1000 + d->text[1] * 100 + d->text[2] * 10 + d->text[3]);

    for (size_t i = 0; i < GS_COUNT_OF(issuers); i++)
        if (head >= issuers[i].from && head <= issuers[i].to && d->n >= issuers[i].min &&
            d->n <= issuers[i].max)
            return true;
    return false;
}

static bool is_varied(const struct digits *d)
{
    unsigned seen = 0, n = 0;

    for (size_t i = 0; i < d->n; i++) {
        n += (seen >> d->text[i] & 1) == 0;
        seen |= 1U << d->text[i];
    }
    return n > 1;
}

/* Groups as they are printed: fours, or 4-6-5 and 4-6-4. */
static bool is_printed_so(const struct digits *d)
{
    return d->n_groups == 1 || (d->shortest == 4 && d->longest == 4) ||
           (d->n_groups == 3 && d->shortest == 4 && d->longest == 6);
}

static bool take_card(struct gs_privacy_scan *s, const struct digits *d)
{
    const char before = d->begin > 0 ? s->text.ptr[d->begin - 1] : '\0';
    const size_t more = gs_privacy_skip(s, d->end, GS_PRIVACY_SPACE | GS_PRIVACY_DASH, 1);
    const size_t more_end = gs_privacy_skip(s, more, DIGIT, 5);

    if (d->n_groups > 1 &&
        ((before == ' ' && d->begin > 1 && gs_privacy_is(s->text.ptr[d->begin - 2], DIGIT)) ||
         (more > d->end && more_end - more >= 4)))
        return false; /* of a table */
    if (d->n < 13 || d->n > 19 || !is_printed_so(d) || !is_issued(d) || !is_varied(d) ||
        !passes_luhn(d) || !stands_alone(s, d->begin, d->end))
        return false;
    (void)gs_privacy_scan_hit(s, d->begin, d->end, GS_DETECT_CARD);
    return true;
}

/* ---- addresses of machines ---- */

/* Four numbers with dots between them: behind them, or `at`. */
static size_t read_v4(const struct gs_privacy_scan *s, size_t at, unsigned parts[4])
{
    const size_t begin = at;

    for (int i = 0; i < 4; i++) {
        if (i > 0 && gs_privacy_at(s, at++) != '.')
            return begin;
        const size_t end = gs_privacy_skip(s, GS_MIN(at, s->text.len), DIGIT, 4);
        if (end <= at || end - at > 3 || (end - at > 1 && s->text.ptr[at] == '0'))
            return begin;
        for (parts[i] = 0; at < end; at++)
            parts[i] = parts[i] * 10 + (unsigned)value(s->text.ptr[at]);
        if (parts[i] > 255)
            return begin;
    }
    return at;
}

/* Nobody's on the internet: of a local network, for documentation, for groups. */
static bool is_special_v4(const unsigned p[4])
{
    return p[0] == 0 || p[0] == 10 || p[0] == 127 || p[0] >= 224 || (p[0] == 169 && p[1] == 254) ||
           (p[0] == 172 && (p[1] & 0xf0) == 16) || (p[0] == 192 && p[1] == 168) ||
           (p[0] == 100 && (p[1] & 0xc0) == 64) || (p[0] == 192 && p[1] == 0) ||
           (p[0] == 198 && (p[1] & 0xfe) == 18) || (p[0] == 198 && p[1] == 51 && p[2] == 100) ||
           (p[0] == 203 && p[1] == 0 && p[2] == 113);
}

/* 1.2.3.4, 20.11.5.4, 120.0.0.0 and Chrome/91.0.4.12 are versions or sections, 8.8.8.8 is no
 * secret. An address has a number of three digits, or three of two. */
static bool is_version(const struct gs_privacy_scan *s, size_t at, const unsigned p[4])
{
    const char before = at > 0 ? s->text.ptr[at - 1] : ' ';
    const char first = at > 1 ? s->text.ptr[at - 2] : ' ';

    int n_large = 0, n_huge = 0;

    for (int i = 0; i < 4; i++) {
        n_large += p[i] >= 20;
        n_huge += p[i] >= 100;
    }
    return (n_huge == 0 && n_large < 3) || (p[2] == 0 && p[3] == 0) || before == 'v' ||
           before == 'V' || before == '=' || before == '^' || before == '~' ||
           (before == '/' && first != '/') ||
           (before == ' ' && at >= 8 && gs_privacy_has_any_case(s, at - 8, "version"));
}

static size_t take_v4(struct gs_privacy_scan *s, size_t at)
{
    unsigned parts[4];
    const size_t end = read_v4(s, at, parts);
    const char after = gs_privacy_at(s, end);

    if (end == at || gs_privacy_is(after, ALNUM) || after == '_' ||
        (after == '.' && gs_privacy_is(gs_privacy_at(s, end + 1), ALNUM)) ||
        (after == '-' && gs_privacy_is(gs_privacy_at(s, end + 1), ALNUM)) ||
        !gs_privacy_begins_word(s, at) ||
        (at > 0 && s->text.ptr[at - 1] && strchr("._-", s->text.ptr[at - 1])) ||
        is_special_v4(parts) || is_version(s, at, parts))
        return at;
    return gs_privacy_scan_hit(s, at, end, GS_DETECT_IP);
}

/* 2001:0::/23 is for protocols, 2001:db8::/32 for documentation. */
static bool is_special_v6(const struct gs_privacy_scan *s, size_t at)
{
    size_t second = at + 5;

    if (!gs_privacy_has(s, at, "2001:"))
        return false;
    while (gs_privacy_at(s, second) == '0')
        second++;
    const size_t n = gs_privacy_skip(s, second, GS_PRIVACY_HEX, 5) - second;
    return n < 3 ||
           (n == 3 && (s->text.ptr[second] == '1' || gs_privacy_has_any_case(s, second, "db8")));
}

/* 2000::/3, all that there is of public ones. */
static size_t look_v6(struct gs_privacy_scan *s, size_t at)
{
    size_t n_groups = 0, end = at, gap = 0;

    if (gs_privacy_at(s, at + 4) != ':' || !gs_privacy_begins_word(s, at) ||
        (at > 0 && strchr(":._-", s->text.ptr[at - 1]) && s->text.ptr[at - 1]))
        return at + 1;
    for (;;) {
        const size_t stop = gs_privacy_skip(s, end, GS_PRIVACY_HEX, 5);
        if (stop - end > 4)
            return at + 1;
        n_groups += stop > end;
        end = stop;
        if (gs_privacy_has(s, end, "::") && gap == 0) {
            gap = end;
            end += 2;
            if (!gs_privacy_is(gs_privacy_at(s, end), GS_PRIVACY_HEX))
                break;
        } else if (gs_privacy_at(s, end) == ':' && n_groups < 8 &&
                   gs_privacy_is(gs_privacy_at(s, end + 1), GS_PRIVACY_HEX)) {
            end++;
        } else {
            break;
        }
    }
    const char after = gs_privacy_at(s, end);
    if ((gap == 0 ? n_groups != 8 : n_groups > 7 || n_groups < 2) || gs_privacy_is(after, ALNUM) ||
        after == ':' || after == '_' || is_special_v6(s, at))
        return at + 1;
    return gs_privacy_scan_hit(s, at, end, GS_DETECT_IP);
}

/* ---- cards and addresses begin alike ---- */

static size_t look_number(struct gs_privacy_scan *s, size_t at)
{
    static const size_t n_groups[] = {SIZE_MAX, 4, 3, 1};
    const size_t run = gs_privacy_skip(s, at, DIGIT, SIZE_MAX / 2);

    if (!gs_privacy_begins_word(s, at))
        return run;
    if (gs_privacy_at(s, run) == '.' && gs_privacy_scan_wants(s, GS_DETECT_IP)) {
        const size_t end = take_v4(s, at);
        if (end > at)
            return end;
    }
    for (size_t i = 0; i < GS_COUNT_OF(n_groups) && gs_privacy_scan_wants(s, GS_DETECT_CARD); i++) {
        struct digits d;
        read_digits(s, at, " -", n_groups[i], &d);
        if (take_card(s, &d))
            return d.end;
    }
    return run;
}

/* ---- bank accounts ---- */

struct iban_length {
    char country[3];
    uint8_t n;
};

static size_t iban_length(const char *country)
{
    static const struct iban_length lengths[] = {
        {"AD", 24}, {"AE", 23}, {"AL", 28}, {"AT", 20}, {"AZ", 28}, {"BA", 20}, {"BE", 16},
        {"BG", 22}, {"BH", 22}, {"BI", 27}, {"BR", 29}, {"BY", 28}, {"CH", 21}, {"CR", 22},
        {"CY", 28}, {"CZ", 24}, {"DE", 22}, {"DJ", 27}, {"DK", 18}, {"DO", 28}, {"EE", 20},
        {"EG", 29}, {"ES", 24}, {"FI", 18}, {"FK", 18}, {"FO", 18}, {"FR", 27}, {"GB", 22},
        {"GE", 22}, {"GI", 23}, {"GL", 18}, {"GR", 27}, {"GT", 28}, {"HN", 28}, {"HR", 21},
        {"HU", 28}, {"IE", 22}, {"IL", 23}, {"IQ", 23}, {"IS", 26}, {"IT", 27}, {"JO", 30},
        {"KW", 30}, {"KZ", 20}, {"LB", 28}, {"LC", 32}, {"LI", 21}, {"LT", 20}, {"LU", 20},
        {"LV", 21}, {"LY", 25}, {"MC", 27}, {"MD", 24}, {"ME", 22}, {"MK", 19}, {"MN", 20},
        {"MR", 27}, {"MT", 31}, {"MU", 30}, {"NI", 28}, {"NL", 18}, {"NO", 15}, {"OM", 23},
        {"PK", 24}, {"PL", 28}, {"PS", 29}, {"PT", 25}, {"QA", 29}, {"RO", 24}, {"RS", 22},
        {"RU", 33}, {"SA", 24}, {"SC", 31}, {"SD", 18}, {"SE", 24}, {"SI", 19}, {"SK", 24},
        {"SM", 27}, {"SO", 23}, {"ST", 25}, {"SV", 28}, {"TL", 23}, {"TN", 24}, {"TR", 26},
        {"UA", 29}, {"VA", 22}, {"VG", 24}, {"XK", 20}, {"YE", 30},
    };

    for (size_t i = 0; i < GS_COUNT_OF(lengths); i++)
        if (memcmp(country, lengths[i].country, 2) == 0)
            return lengths[i].n;
    return 0;
}

/* Letters count from 10; the first four come last. */
static unsigned mod_97(const char *text, size_t n)
{
    unsigned rest = 0;

    for (size_t i = 0; i < n; i++) {
        const char c = text[(i + 4) % n];
        const bool is_digit = gs_privacy_is(c, DIGIT);
        const unsigned v = is_digit ? (unsigned)(c - '0') : (unsigned)(c - 'A') + 10;
        rest = (rest * (is_digit ? 10 : 100) + v) % 97;
    }
    return rest;
}

static size_t look_iban(struct gs_privacy_scan *s, size_t at)
{
    char text[34];
    size_t n = 0, end = at;
    const size_t wanted = iban_length(s->text.ptr + at);
    const bool is_spaced = gs_privacy_at(s, at + 4) == ' ';

    if (wanted == 0 || !gs_privacy_begins_word(s, at) ||
        !gs_privacy_is(gs_privacy_at(s, at + 3), DIGIT) || (at > 0 && s->text.ptr[at - 1] == '_'))
        return at + 1;
    for (; n < wanted; end++) {
        const char c = gs_privacy_at(s, end);
        if (is_spaced && n > 0 && n % 4 == 0 && c == ' ' && s->text.ptr[end - 1] != ' ')
            continue;
        if (!gs_privacy_is(c, GS_PRIVACY_UPPER | DIGIT))
            return at + 1;
        text[n++] = c;
    }
    if (gs_privacy_is(gs_privacy_at(s, end), ALNUM) || mod_97(text, n) != 1)
        return at + 1;
    return gs_privacy_scan_hit(s, at, end, GS_DETECT_IBAN);
}

/* ---- telephones ---- */

/* Is it as long as numbers of its country are? */
static bool is_subscriber(const char *digits, size_t n)
{
    /* the first two digits of codes that have two, and of those that have three */
    static const uint8_t codes[] = {
        20, 27, 30, 31, 32, 33, 34, 36, 39, 40, 41, 43, 44, 45, 46, 47, 48, 49, 51, 52, 53, 54, 55,
        56, 57, 58, 60, 61, 62, 63, 64, 65, 66, 81, 82, 84, 86, 90, 91, 92, 93, 94, 95, 98, 21, 22,
        23, 24, 25, 26, 29, 35, 37, 38, 42, 50, 59, 67, 68, 69, 80, 85, 87, 88, 96, 97, 99};
    const unsigned head = (unsigned)(digits[0] * 10 + digits[1]);

    if (digits[0] == 1) /* North America: area and exchange begin with 2 to 9 */
        return n == 11 && digits[1] >= 2 && digits[4] >= 2;
    if (digits[0] == 7)
        return n == 11 && digits[1] >= 3;
    return n >= 10 && n <= 14 && memchr(codes, (int)head, sizeof(codes)) != NULL;
}

/* +49 30 1234567, +1 (212) 555-0123; a line of a diff may begin with '+', so that a number without
 * anything between its digits counts behind a word only. */
static size_t look_plus(struct gs_privacy_scan *s, size_t at)
{
    char digits[16];
    size_t n = 0, n_signs = 0, n_parted = 0, end = at + 1;
    const char before = at > 0 ? s->text.ptr[at - 1] : ' ';

    if ((at > 0 && (!gs_privacy_begins_word(s, at) || (before && strchr(")]_+.%", before)))))
        return at + 1;
    for (size_t i = at + 1; n < sizeof(digits); i++) {
        const char c = gs_privacy_at(s, i);
        if (gs_privacy_is(c, DIGIT)) {
            n_parted += n_signs > 0;
            n_signs = 0;
            digits[n++] = value(c);
            end = i + 1;
        } else if (c == '\0' || !strchr(" -./()", c) || ++n_signs > 2) {
            break;
        }
    }
    const bool is_line = before == '\n' || before == '\r';
    if (n < 10 || n > 15 || (is_line && n_parted == 0) || !is_subscriber(digits, n) ||
        gs_privacy_is(gs_privacy_at(s, end), ALNUM) || gs_privacy_at(s, end) == '_')
        return at + 1;
    return gs_privacy_scan_hit(s, at, end, GS_DETECT_PHONE);
}

/* (212) 555-0123 */
static size_t look_area(struct gs_privacy_scan *s, size_t at)
{
    static const char form[] = "(ddd) ddd-dddd";

    for (size_t i = 0; form[i]; i++) {
        const char c = gs_privacy_at(s, at + i);
        if (form[i] == 'd' ? !gs_privacy_is(c, DIGIT) : c != form[i])
            return at + 1;
    }
    const size_t end = at + sizeof(form) - 1;
    if (s->text.ptr[at + 1] < '2' || s->text.ptr[at + 6] < '2' || !gs_privacy_begins_word(s, at) ||
        gs_privacy_is(gs_privacy_at(s, end), GS_PRIVACY_WORD))
        return at + 1;
    return gs_privacy_scan_hit(s, at, end, GS_DETECT_PHONE);
}

void gs_privacy_scan_numbers(struct gs_privacy_scan *s)
{
    static const char digits[] = "0123456789", upper[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const bool cards = gs_privacy_scan_wants(s, GS_DETECT_CARD);

    if (gs_privacy_scan_wants(s, GS_DETECT_IP)) {
        gs_privacy_scan_group(s, look_number, "123456789", "0123456789.", "0123456789.");
        gs_privacy_scan_group(s, look_v6, "23", "0123456789abcdefABCDEF", "0123456789abcdefABCDEF");
    } else if (cards) {
        gs_privacy_scan_group(s, look_number, "23456", digits, digits);
    }
    if (gs_privacy_scan_wants(s, GS_DETECT_IBAN))
        gs_privacy_scan_group(s, look_iban, upper, upper, digits);
    if (gs_privacy_scan_wants(s, GS_DETECT_PHONE)) {
        gs_privacy_scan_group(s, look_plus, "+", "123456789", "0123456789 -.(");
        gs_privacy_scan_group(s, look_area, "(", "23456789", digits);
    }
}
