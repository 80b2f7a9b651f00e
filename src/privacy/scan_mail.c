/* Addresses of e-mail. What is written like one and is none: git@host:path, icon@2x.png,
 * package@1.2.3; and those that nobody has: example.com, noreply@. */
#include <string.h>

#include "base/compiler.h"
#include "base/slice.h"
#include "privacy/scan.h"

#define MAX_LOCAL  64
#define MAX_DOMAIN 253

/* Top-level domains of more than two letters that people have mail at. */
static const char *const tops[] = {
    "academy",   "aero",          "agency",      "app",         "art",        "asia",
    "audio",     "auto",          "bank",        "bar",         "bayern",     "berlin",
    "best",      "bike",          "bio",         "biz",         "blog",       "brussels",
    "build",     "business",      "buzz",        "cafe",        "camp",       "capital",
    "care",      "career",        "cash",        "cat",         "center",     "chat",
    "church",    "city",          "clinic",      "cloud",       "club",       "coach",
    "codes",     "com",           "community",   "company",     "computer",   "consulting",
    "coop",      "credit",        "dance",       "dental",      "design",     "dev",
    "digital",   "direct",        "earth",       "edu",         "education",  "email",
    "energy",    "engineer",      "engineering", "enterprises", "estate",     "eus",
    "events",    "exchange",      "expert",      "family",      "farm",       "finance",
    "financial", "fitness",       "foundation",  "fun",         "fund",       "gal",
    "gallery",   "games",         "garden",      "global",      "gmbh",       "gov",
    "graphics",  "green",         "group",       "guru",        "hamburg",    "haus",
    "health",    "hospital",      "host",        "hotel",       "house",      "immo",
    "inc",       "industries",    "info",        "ink",         "institute",  "insure",
    "int",       "international", "jobs",        "kitchen",     "koeln",      "land",
    "law",       "legal",         "life",        "limited",     "live",       "llc",
    "lol",       "london",        "ltd",         "management",  "marketing",  "med",
    "media",     "mil",           "mobi",        "moda",        "money",      "moscow",
    "museum",    "music",         "name",        "net",         "network",    "news",
    "ngo",       "ninja",         "nrw",         "nyc",         "one",        "ong",
    "online",    "org",           "page",        "paris",       "partners",   "parts",
    "photo",     "photography",   "photos",      "pictures",    "pizza",      "plus",
    "post",      "press",         "pro",         "productions", "properties", "pub",
    "quebec",    "rent",          "repair",      "report",      "rest",       "restaurant",
    "reviews",   "rocks",         "ruhr",        "run",         "saarland",   "sale",
    "school",    "science",       "scot",        "services",    "shop",       "site",
    "social",    "software",      "solar",       "solutions",   "space",      "studio",
    "style",     "support",       "swiss",       "systems",     "tax",        "team",
    "tech",      "technology",    "tel",         "tirol",       "today",      "tokyo",
    "tools",     "top",           "tours",       "town",        "trade",      "training",
    "travel",    "university",    "vegas",       "ventures",    "vet",        "vip",
    "vision",    "wales",         "wang",        "watch",       "website",    "wien",
    "wiki",      "win",           "wine",        "work",        "works",      "world",
    "wtf",       "xyz",           "yoga",        "zone",
};

static bool is_same(struct gs_slice s, const char *word)
{
    for (size_t i = 0; i < s.len; i++, word++)
        if (*word == '\0' ||
            (gs_privacy_is(s.ptr[i], GS_PRIVACY_UPPER) ? s.ptr[i] | 0x20 : s.ptr[i]) != *word)
            return false;
    return *word == '\0';
}

static bool ends_in(struct gs_slice s, const char *end)
{
    const size_t n = strlen(end);
    return s.len >= n && is_same(gs_slice_sub(s, s.len - n, s.len), end) &&
           (s.len == n || s.ptr[s.len - n - 1] == '.');
}

static bool is_top(struct gs_slice s)
{
    /* two letters that are much more often the end of a file's name */
    static const char *const files[] = {"js", "ts", "cc", "hh", "mm", "go",
                                        "kt", "py", "rb", "sh", "md"};

    for (size_t i = 0; i < s.len; i++)
        if (!gs_privacy_is(s.ptr[i], GS_PRIVACY_LETTER))
            return false;
    for (size_t i = 0; i < GS_COUNT_OF(files) && s.len == 2; i++)
        if (is_same(s, files[i]))
            return false;
    for (size_t i = 0; i < GS_COUNT_OF(tops) && s.len > 2; i++)
        if (is_same(s, tops[i]))
            return true;
    return s.len == 2;
}

/* Is it one that a person could have mail at? */
static bool is_domain(struct gs_slice s)
{
    static const char *const nobodys[] = {
        "example.com",        "example.org", "example.net", "users.noreply.github.com",
        "noreply.github.com", "email.com",   "domain.com",  "yourdomain.com"};
    size_t dot = s.len;

    while (dot > 0 && s.ptr[dot - 1] != '.')
        dot--;
    if (dot < 2 || s.len > MAX_DOMAIN || !is_top(gs_slice_sub(s, dot, s.len)))
        return false;
    for (size_t i = 0; i < GS_COUNT_OF(nobodys); i++)
        if (ends_in(s, nobodys[i]))
            return false;
    for (size_t i = 0; i + 1 < s.len; i++)
        if (s.ptr[i] == '.' && (s.ptr[i + 1] == '.' || s.ptr[i + 1] == '-'))
            return false;
    return true;
}

static bool is_local(struct gs_slice s, bool is_path)
{
    static const char *const nobodys[] = {"noreply", "no-reply", "donotreply", "do-not-reply"};

    if (s.len == 0 || s.len > MAX_LOCAL || s.ptr[0] == '.' || s.ptr[s.len - 1] == '.')
        return false;
    for (size_t i = 0; i < GS_COUNT_OF(nobodys); i++)
        if (is_same(s, nobodys[i]))
            return false;
    return !is_path || !is_same(s, "git");
}

static bool is_local_byte(char c)
{
    return gs_privacy_is(c, GS_PRIVACY_WORD | GS_PRIVACY_DOT) || c == '+' || c == '%' ||
           (unsigned char)c >= 0x80;
}

/* `at` is the last byte of the local part. */
static size_t look_mail(struct gs_privacy_scan *s, size_t at)
{
    const size_t sign = at + 1;
    size_t begin = sign;
    size_t end = gs_privacy_skip(s, sign + 1, GS_PRIVACY_ALNUM | GS_PRIVACY_DASH | GS_PRIVACY_DOT,
                                 MAX_DOMAIN + 1);

    while (end > sign + 1 && !gs_privacy_is(s->text.ptr[end - 1], GS_PRIVACY_ALNUM))
        end--;
    if (!is_domain(gs_slice_sub(s->text, sign + 1, end)))
        return at + 1;
    while (begin > s->floor && sign - begin <= MAX_LOCAL && is_local_byte(s->text.ptr[begin - 1]))
        begin--;
    begin = gs_privacy_past_escape(s, begin);
    while (begin < sign && (s->text.ptr[begin] == '.' || s->text.ptr[begin] == '-' ||
                            (unsigned char)s->text.ptr[begin] >= 0x80))
        begin++;
    const char after = gs_privacy_at(s, end);
    if (!is_local(gs_slice_sub(s->text, begin, sign),
                  after == ':' || after == '/' || begin == sign))
        return at + 1;
    return gs_privacy_scan_hit(s, begin, end, GS_DETECT_EMAIL);
}

void gs_privacy_scan_mail(struct gs_privacy_scan *s)
{
    static const char alnum[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    static const char signs[] = "_-+";

    if (!gs_privacy_scan_wants(s, GS_DETECT_EMAIL))
        return;
    gs_privacy_scan_group(s, look_mail, alnum, "@", alnum);
    gs_privacy_scan_widen(s, signs, "", "");
}
