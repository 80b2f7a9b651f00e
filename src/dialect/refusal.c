/* Status first, then words, in the order of a table: what is sure stands before what only seems
 * so. Of a failing server (5xx) words say only whether it is overloaded: what it repeats of the
 * prompt, or of another server's answer, is no finding about the request. */
#include "dialect/refusal.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/slice.h"
#include "dialect/reader.h"
#include "json/json.h"

#define MAX_BODY_BYTES GS_MIB /* looked at */
#define MAX_WORDS      2048   /* bytes of an error's texts that are searched */
#define MAX_TOLD       400    /* bytes of them that are told */

/* What an error says, pointing into its JSON. */
struct said {
    int status;                  /* 0: within an answer */
    struct gs_slice type, code;  /* names of the error */
    struct gs_slice message;     /* to be told */
    struct gs_slice more;        /* of whom the server asked in turn */
    long long needed, available; /* tokens, where the error has them as numbers */
    bool is_page;
};

/* ---- words ---- */

/* Where words count. */
enum {
    ON_REQUEST = 1, /* 400, 404, 409, 410, 413, 422, 4xx that are not named, errors in answers */
    ON_LIMIT = 2,   /* 402, 429 */
    ON_KEY = 4,     /* 401, 403 */
    ON_FAILURE = 8, /* 5xx, 408, 424, 425 */
    ON_MISSING = 16 /* 404, 410 */
};

/* In lower case. The first that is found decides. */
static const struct {
    const char *words;
    unsigned on;
    enum gs_fault fault;
} meanings[] = {
    /* limits per minute are called quotas too, and end by themselves */
    {"per minute", ON_LIMIT, GS_FAULT_RATE_LIMIT},
    {"per min ", ON_LIMIT, GS_FAULT_RATE_LIMIT},
    {"per second", ON_LIMIT, GS_FAULT_RATE_LIMIT},
    {"(rpm)", ON_LIMIT, GS_FAULT_RATE_LIMIT},
    {"(tpm)", ON_LIMIT, GS_FAULT_RATE_LIMIT},
    {"overload", ON_LIMIT | ON_FAILURE | ON_REQUEST, GS_FAULT_OVERLOADED},
    {"at capacity", ON_LIMIT | ON_FAILURE | ON_REQUEST, GS_FAULT_OVERLOADED},
    {"exceeded capacity", ON_LIMIT | ON_FAILURE, GS_FAULT_OVERLOADED},
    {"server is busy", ON_LIMIT | ON_FAILURE | ON_REQUEST, GS_FAULT_OVERLOADED},
    {"server busy", ON_LIMIT | ON_FAILURE | ON_REQUEST, GS_FAULT_OVERLOADED},
    {"insufficient_quota", ON_LIMIT | ON_KEY | ON_REQUEST, GS_FAULT_QUOTA},
    {"usage limit", ON_LIMIT | ON_KEY | ON_REQUEST, GS_FAULT_QUOTA},
    {"usage_limit", ON_LIMIT | ON_KEY | ON_REQUEST, GS_FAULT_QUOTA},
    {"insufficient balance", ON_LIMIT | ON_KEY | ON_REQUEST, GS_FAULT_BILLING},
    {"insufficient_balance", ON_LIMIT | ON_KEY | ON_REQUEST, GS_FAULT_BILLING},
    {"credit balance", ON_LIMIT | ON_KEY | ON_REQUEST, GS_FAULT_BILLING},
    {"insufficient credit", ON_LIMIT | ON_KEY | ON_REQUEST, GS_FAULT_BILLING},
    {"more credits", ON_LIMIT | ON_KEY | ON_REQUEST, GS_FAULT_BILLING},
    {"out of credits", ON_LIMIT | ON_KEY | ON_REQUEST, GS_FAULT_BILLING},
    {"billing_error", ON_LIMIT | ON_KEY | ON_REQUEST, GS_FAULT_BILLING},
    {"billing_hard_limit", ON_LIMIT | ON_KEY | ON_REQUEST, GS_FAULT_BILLING},
    {"billing_not_active", ON_LIMIT | ON_KEY | ON_REQUEST, GS_FAULT_BILLING},
    {"account is not active", ON_LIMIT | ON_KEY | ON_REQUEST, GS_FAULT_BILLING},
    {"payment required", ON_LIMIT | ON_KEY | ON_REQUEST, GS_FAULT_BILLING},
    {"quota", ON_LIMIT | ON_KEY, GS_FAULT_QUOTA},
    {"per day", ON_LIMIT, GS_FAULT_QUOTA},
    {"per-day", ON_LIMIT, GS_FAULT_QUOTA},
    {"daily", ON_LIMIT, GS_FAULT_QUOTA},
    {"weekly", ON_LIMIT, GS_FAULT_QUOTA},
    {"monthly", ON_LIMIT, GS_FAULT_QUOTA},
    {"hour limit", ON_LIMIT, GS_FAULT_QUOTA},
    {"rate_limit", ON_LIMIT | ON_REQUEST, GS_FAULT_RATE_LIMIT},
    {"rate limit", ON_LIMIT | ON_REQUEST, GS_FAULT_RATE_LIMIT},
    {"too many requests", ON_LIMIT | ON_REQUEST, GS_FAULT_RATE_LIMIT},
    /* the prompt is too long */
    {"context_length", ON_REQUEST, GS_FAULT_CONTEXT},
    {"context length", ON_REQUEST, GS_FAULT_CONTEXT},
    {"context window", ON_REQUEST, GS_FAULT_CONTEXT},
    {"context_window", ON_REQUEST, GS_FAULT_CONTEXT},
    {"context limit", ON_REQUEST, GS_FAULT_CONTEXT},
    {"context size", ON_REQUEST, GS_FAULT_CONTEXT},
    {"exceed_context", ON_REQUEST, GS_FAULT_CONTEXT},
    {"maximum context", ON_REQUEST, GS_FAULT_CONTEXT},
    {"prompt is too long", ON_REQUEST, GS_FAULT_CONTEXT},
    {"prompt too long", ON_REQUEST, GS_FAULT_CONTEXT},
    {"input is too long", ON_REQUEST, GS_FAULT_CONTEXT},
    {"input length", ON_REQUEST, GS_FAULT_CONTEXT},
    {"maximum prompt length", ON_REQUEST, GS_FAULT_CONTEXT},
    {"input token count", ON_REQUEST, GS_FAULT_CONTEXT},
    {"too many input tokens", ON_REQUEST, GS_FAULT_CONTEXT},
    {"reduce the length of", ON_REQUEST, GS_FAULT_CONTEXT},
    {"request_too_large", ON_REQUEST, GS_FAULT_TOO_LARGE},
    {"request too large", ON_REQUEST, GS_FAULT_TOO_LARGE},
    {"entity too large", ON_REQUEST, GS_FAULT_TOO_LARGE},
    {"payload too large", ON_REQUEST, GS_FAULT_TOO_LARGE},
    {"header or cookie too large", ON_REQUEST, GS_FAULT_TOO_LARGE},
    {"string too long", ON_REQUEST, GS_FAULT_TOO_LARGE},
    {"string_above_max_length", ON_REQUEST, GS_FAULT_TOO_LARGE},
    /* what the model, or its server, cannot do */
    {"message prefill", ON_REQUEST, GS_FAULT_UNFIT},
    {"prefilling assistant", ON_REQUEST, GS_FAULT_UNFIT},
    {"prefill is not supported", ON_REQUEST, GS_FAULT_UNFIT},
    {"conversation must end with a user", ON_REQUEST, GS_FAULT_UNFIT},
    {"image input is not supported", ON_REQUEST | ON_FAILURE, GS_FAULT_UNFIT},
    {"support image", ON_REQUEST, GS_FAULT_UNFIT},
    {"support vision", ON_REQUEST, GS_FAULT_UNFIT},
    {"not a multimodal model", ON_REQUEST, GS_FAULT_UNFIT},
    {"image_url is only supported", ON_REQUEST, GS_FAULT_UNFIT},
    {"unknown variant `image_url`", ON_REQUEST, GS_FAULT_UNFIT},
    {"not support tool", ON_REQUEST, GS_FAULT_UNFIT},
    {"support tool use", ON_REQUEST, GS_FAULT_UNFIT},
    {"enable-auto-tool-choice", ON_REQUEST, GS_FAULT_UNFIT},
    {"not support thinking", ON_REQUEST, GS_FAULT_UNFIT},
    {"not support chat", ON_REQUEST, GS_FAULT_UNFIT},
    {"not support generate", ON_REQUEST, GS_FAULT_UNFIT},
    {"this model does not support", ON_REQUEST, GS_FAULT_UNFIT},
    {"not supported by this model", ON_REQUEST, GS_FAULT_UNFIT},
    {"not supported for this model", ON_REQUEST, GS_FAULT_UNFIT},
    {"not supported with this model", ON_REQUEST, GS_FAULT_UNFIT},
    /* what it says */
    {"content_filter", ON_KEY | ON_REQUEST, GS_FAULT_POLICY},
    {"content filter", ON_KEY | ON_REQUEST, GS_FAULT_POLICY},
    {"content_policy", ON_KEY | ON_REQUEST, GS_FAULT_POLICY},
    {"content policy", ON_KEY | ON_REQUEST, GS_FAULT_POLICY},
    {"content management policy", ON_KEY | ON_REQUEST, GS_FAULT_POLICY},
    {"usage polic", ON_KEY | ON_REQUEST, GS_FAULT_POLICY},
    {"safety system", ON_KEY | ON_REQUEST, GS_FAULT_POLICY},
    {"moderation", ON_KEY | ON_REQUEST, GS_FAULT_POLICY},
    {"was flagged", ON_KEY | ON_REQUEST, GS_FAULT_POLICY},
    {"data_inspection_failed", ON_KEY | ON_REQUEST, GS_FAULT_POLICY},
    {"inappropriate content", ON_KEY | ON_REQUEST, GS_FAULT_POLICY},
    /* the model */
    {"model_not_found", ON_KEY | ON_REQUEST, GS_FAULT_MODEL_GONE},
    {"deploymentnotfound", ON_REQUEST, GS_FAULT_MODEL_GONE},
    {"deployment for this resource", ON_REQUEST, GS_FAULT_MODEL_GONE},
    {"no endpoints found", ON_REQUEST, GS_FAULT_MODEL_GONE},
    {"not a valid model", ON_REQUEST, GS_FAULT_MODEL_GONE},
    {"invalid model", ON_REQUEST, GS_FAULT_MODEL_GONE},
    {"unknown model", ON_REQUEST, GS_FAULT_MODEL_GONE},
    {"model not exist", ON_REQUEST, GS_FAULT_MODEL_GONE},
    {"model does not exist", ON_REQUEST, GS_FAULT_MODEL_GONE},
    {"access to model", ON_KEY, GS_FAULT_MODEL_GONE},
    {"access to the model", ON_KEY, GS_FAULT_MODEL_GONE},
    {"model", ON_MISSING, GS_FAULT_MODEL_GONE},
    /* the key, where its status does not say so */
    {"invalid_api_key", ON_REQUEST, GS_FAULT_AUTH},
    {"invalid api key", ON_REQUEST, GS_FAULT_AUTH},
    {"incorrect api key", ON_REQUEST, GS_FAULT_AUTH},
    {"api key not valid", ON_REQUEST, GS_FAULT_AUTH},
    {"authentication_error", ON_REQUEST, GS_FAULT_AUTH},
    {"permission_error", ON_REQUEST, GS_FAULT_AUTH},
    /* a gateway's provider failed, not the request */
    {"provider returned error", ON_REQUEST, GS_FAULT_SERVER_ERROR},
    {"provider returned an error", ON_REQUEST, GS_FAULT_SERVER_ERROR},
    {"upstream error", ON_REQUEST, GS_FAULT_SERVER_ERROR},
    {"upstream_error", ON_REQUEST, GS_FAULT_SERVER_ERROR},
    {"upstream request failed", ON_REQUEST, GS_FAULT_SERVER_ERROR},
    {"internal server error", ON_REQUEST, GS_FAULT_SERVER_ERROR},
    {"server_error", ON_REQUEST, GS_FAULT_SERVER_ERROR},
    {"api_error", ON_REQUEST, GS_FAULT_SERVER_ERROR},
    {"timeout_error", ON_REQUEST, GS_FAULT_SERVER_ERROR},
};

/* What was said in lower case, its parts on lines of their own. */
static struct gs_slice lower(const struct said *s, char out[MAX_WORDS])
{
    const struct gs_slice parts[] = {s->type, s->code, s->message, s->more};
    size_t n = 0;

    for (size_t i = 0; i < GS_COUNT_OF(parts); i++) {
        for (size_t k = 0; k < parts[i].len && n + 1 < MAX_WORDS; k++)
            out[n++] = (char)tolower((unsigned char)parts[i].ptr[k]);
        out[n++] = '\n';
        if (n == MAX_WORDS)
            break;
    }
    return gs_slice(out, n);
}

/* GS_FAULT_NONE where the words mean nothing there. */
static enum gs_fault find_words(const struct said *s, unsigned on)
{
    char memory[MAX_WORDS];
    const struct gs_slice words = lower(s, memory);

    for (size_t i = 0; i < GS_COUNT_OF(meanings); i++) {
        if ((meanings[i].on & on) &&
            gs_slice_find(words, gs_slice_str(meanings[i].words), 0) != SIZE_MAX)
            return meanings[i].fault;
    }
    return GS_FAULT_NONE;
}

/* ---- statuses ---- */

/* Where words count, and what it is where they mean nothing, of each status and of the others of
 * its hundred. */
static const struct {
    int first, last;
    unsigned on;
    enum gs_fault fault;
} statuses[] = {
    {300, 399, 0, GS_FAULT_REDIRECT},
    {400, 400, ON_REQUEST, GS_FAULT_BAD_REQUEST},
    {401, 401, ON_KEY, GS_FAULT_AUTH},
    {402, 402, 0, GS_FAULT_BILLING},
    {403, 403, ON_KEY, GS_FAULT_AUTH},
    {404, 404, ON_REQUEST | ON_MISSING, GS_FAULT_SERVER_ERROR}, /* no such path */
    {405, 405, 0, GS_FAULT_SERVER_ERROR},                       /* the same */
    {406, 406, ON_REQUEST, GS_FAULT_BAD_REQUEST},
    {407, 407, 0, GS_FAULT_PROXY},
    {408, 409, ON_FAILURE, GS_FAULT_SERVER_ERROR},
    {410, 410, ON_REQUEST | ON_MISSING, GS_FAULT_MODEL_GONE},
    {413, 414, ON_REQUEST, GS_FAULT_TOO_LARGE},
    {415, 417, ON_REQUEST, GS_FAULT_BAD_REQUEST},
    {421, 421, ON_FAILURE, GS_FAULT_SERVER_ERROR},
    {422, 422, ON_REQUEST, GS_FAULT_BAD_REQUEST},
    {424, 425, ON_FAILURE, GS_FAULT_SERVER_ERROR},
    {429, 429, ON_LIMIT, GS_FAULT_RATE_LIMIT},
    {431, 431, ON_REQUEST, GS_FAULT_TOO_LARGE},
    {503, 503, 0, GS_FAULT_OVERLOADED},
    {511, 511, 0, GS_FAULT_PORTAL},
    {529, 529, 0, GS_FAULT_OVERLOADED},
    {400, 499, ON_REQUEST, GS_FAULT_SERVER_ERROR}, /* nobody says so of a request */
    {500, 599, ON_FAILURE, GS_FAULT_SERVER_ERROR},
};

/* What stands between us and the server answers some of them with a page of its own. */
static unsigned read_status(const struct said *s, enum gs_fault *out_else)
{
    for (size_t i = 0; i < GS_COUNT_OF(statuses); i++) {
        if (s->status < statuses[i].first || s->status > statuses[i].last)
            continue;
        const bool is_missing = s->is_page && s->status == 404;
        *out_else = s->is_page && s->status == 403 ? GS_FAULT_PORTAL : statuses[i].fault;
        return is_missing ? 0 : statuses[i].on;
    }
    *out_else = s->is_page ? GS_FAULT_PORTAL : GS_FAULT_MALFORMED;
    return 0;
}

static enum gs_fault classify(const struct said *s)
{
    enum gs_fault otherwise;
    const unsigned on = read_status(s, &otherwise);
    const enum gs_fault found = find_words(s, on);

    return found == GS_FAULT_NONE ? otherwise : found;
}

/* Of an error within an answer, whose status may be among its words. */
static enum gs_fault classify_event(struct said *s)
{
    enum gs_fault fault = s->status >= 400 ? classify(s) : find_words(s, ON_REQUEST | ON_LIMIT);

    if (fault == GS_FAULT_NONE && gs_slice_eq_str(s->type, "invalid_request_error")) {
        fault = GS_FAULT_BAD_REQUEST;
    }
    return fault == GS_FAULT_NONE || fault == GS_FAULT_SERVER_ERROR ? GS_FAULT_ERROR_EVENT : fault;
}

/* ---- telling ---- */

static enum gs_status code_of(enum gs_fault fault)
{
    switch (gs_fault_blame(fault)) {
    case GS_BLAME_REQUEST:
        return GS_EINVAL;
    case GS_BLAME_TARGET:
        return fault == GS_FAULT_CONTEXT ? GS_ECONTEXT
               : fault == GS_FAULT_UNFIT ? GS_EUNSUPPORTED
                                         : GS_ELIMIT;
    case GS_BLAME_NOBODY:
    case GS_BLAME_NETWORK:
    case GS_BLAME_PROVIDER:
    case GS_BLAME_CREDENTIAL:
        break;
    }
    if (fault == GS_FAULT_RATE_LIMIT || fault == GS_FAULT_QUOTA || fault == GS_FAULT_OVERLOADED)
        return GS_EBUSY;
    if (fault == GS_FAULT_OURS)
        return GS_ENOMEM;
    return fault == GS_FAULT_MODEL_GONE ? GS_ENOTFOUND
           : fault == GS_FAULT_AUTH     ? GS_EDENIED
                                        : GS_EUPSTREAM;
}

/* Printable, on one line, whole characters, no more than fit. */
static void clean(struct gs_slice s, char out[MAX_TOLD + 1])
{
    size_t n = 0;

    s = gs_slice_trim(s);
    for (size_t i = 0; i < s.len;) {
        uint32_t cp;
        const size_t len = gs_utf8_decode(s, i, &cp);
        const bool is_space = cp <= 0x20 || (cp >= 0x7f && cp < 0xa0);
        if (n + len > MAX_TOLD)
            break;
        if (cp == 0xfffd || is_space) {
            if (is_space && n > 0 && out[n - 1] != ' ')
                out[n++] = ' ';
            else if (!is_space)
                out[n++] = '?';
        } else {
            memcpy(out + n, s.ptr + i, len);
            n += len;
        }
        i += len;
    }
    while (n > 0 && (out[n - 1] == '.' || out[n - 1] == ' '))
        n--;
    out[n] = '\0';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The next number of s that stands alone ("200000", "200,000", not "gpt-4"); false at the end. */
static bool next_number(struct gs_slice s, size_t *at, long long *out)
{
    for (size_t i = *at; i < s.len; i++) {
        const bool is_apart =
            i == 0 || !(isalnum((unsigned char)s.ptr[i - 1]) || strchr("-._", s.ptr[i - 1]));
        long long n = 0;
        if (!is_digit(s.ptr[i]))
            continue;
        for (; i < s.len && n < INT32_MAX; i++) {
            if (is_digit(s.ptr[i]))
                n = n * 10 + (s.ptr[i] - '0');
            else if (s.ptr[i] != ',' || i + 1 == s.len || !is_digit(s.ptr[i + 1]))
                break;
        }
        if (!is_apart || (i < s.len && (isalnum((unsigned char)s.ptr[i]) || s.ptr[i] == '-')))
            continue;
        *at = i;
        *out = n;
        return true;
    }
    return false;
}

/* "200001 tokens > 200000 maximum", "190000 + 20000 > 200000", "maximum context length is 8192
 * tokens. However, your messages resulted in 10000 tokens": the larger was asked for. */
static void read_amounts(struct said *s)
{
    long long a, b, c;
    size_t at = 0;

    if (s->needed > 0 || !next_number(s->message, &at, &a))
        return;
    const size_t after = at;
    if (!next_number(s->message, &at, &b))
        return;
    const struct gs_slice between = gs_slice_trim(gs_slice_sub(s->message, after, after + 3));
    if (gs_slice_starts(between, GS_SLICE_LIT("+")) && next_number(s->message, &at, &c)) {
        a += b;
        b = c;
    }
    if (a == b)
        return;
    s->needed = GS_MAX(a, b);
    s->available = GS_MIN(a, b);
}

static enum gs_fault tell(struct said *s, enum gs_fault fault, struct gs_error *err)
{
    char words[MAX_TOLD + 1];

    clean(s->message, words);
    if (!words[0])
        snprintf(words, sizeof(words), "%s", gs_fault_meaning(fault));
    gs_error_set(err, code_of(fault), "%s", words);
    if (s->status > 0 && !s->message.len)
        gs_error_set(err, code_of(fault), "%s (HTTP status %d)", words, s->status);
    if (fault == GS_FAULT_SERVER_ERROR && (s->status == 404 || s->status == 405))
        gs_error_hint(err, "There is nothing at this address: check the provider's url.");
    if (fault != GS_FAULT_CONTEXT)
        return fault;
    read_amounts(s);
    gs_error_amounts(err, s->needed, s->available);
    return fault;
}

enum gs_fault gs_dialect_fault(enum gs_fault fault, struct gs_error *err)
{
    return tell(&(struct said){0}, fault, err);
}

/* ---- bodies ---- */

static int status_in(const struct gs_json *v)
{
    const struct gs_json *n = gs_json_get(v, "code");

    if (!n || n->kind != GS_JSON_INT)
        n = gs_json_get(v, "status");
    if (!n || n->kind != GS_JSON_INT)
        n = gs_json_get(v, "http_code");
    return n && n->kind == GS_JSON_INT && n->u.integer >= 400 && n->u.integer < 600
               ? (int)n->u.integer
               : 0;
}

static long long amount_in(const struct gs_json *v, const char *key)
{
    const struct gs_json *n = gs_json_get(v, key);

    return n && n->kind == GS_JSON_INT && n->u.integer > 0 ? n->u.integer : 0;
}

/* The text of the first of these members that is one. */
static struct gs_slice first_string(const struct gs_json *v, const char *const *keys, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct gs_slice s = gs_dialect_peek_string(v, keys[i]);
        if (s.len > 0)
            return s;
    }
    return gs_slice(NULL, 0);
}

/* Errors are wrapped: {"response": {"error": ...}}, {"error": ...}, {"detail": [...]}. */
static const struct gs_json *unwrap(const struct gs_json *v)
{
    static const char *const wraps[] = {"response", "error", "errors", "detail"};

    if (v->kind == GS_JSON_ARRAY && v->u.array.len > 0)
        v = &v->u.array.items[0];
    for (size_t i = 0; i < GS_COUNT_OF(wraps); i++) {
        const struct gs_json *in = gs_json_get(v, wraps[i]);
        if (in && in->kind == GS_JSON_ARRAY && in->u.array.len > 0)
            in = &in->u.array.items[0];
        if (in && (in->kind == GS_JSON_OBJECT || in->kind == GS_JSON_STRING))
            v = in;
    }
    return v;
}

static void read_said(const struct gs_json *v, struct said *s)
{
    static const char *const types[] = {"type", "status", "object"};
    static const char *const messages[] = {"message", "error_message", "msg", "error", "detail"};
    const struct gs_json *e = unwrap(v);

    if (e->kind == GS_JSON_STRING) {
        s->message = e->u.string;
        return;
    }
    s->type = first_string(e, types, GS_COUNT_OF(types));
    s->code = gs_dialect_peek_string(e, "code");
    s->message = first_string(e, messages, GS_COUNT_OF(messages));
    s->more = gs_dialect_peek_string(gs_json_get(e, "metadata"), "raw");
    s->needed = amount_in(e, "n_prompt_tokens");
    s->available = amount_in(e, "n_ctx");
    if (s->status == 0)
        s->status = status_in(e);
}

static bool is_page(struct gs_slice body)
{
    return gs_slice_starts(gs_slice_trim(body), GS_SLICE_LIT("<"));
}

/* A web page says what its title says. */
static struct gs_slice title_of(struct gs_slice page)
{
    const size_t start = gs_slice_find(page, GS_SLICE_LIT("<title>"), 0);
    const size_t end =
        start == SIZE_MAX ? SIZE_MAX : gs_slice_find(page, GS_SLICE_LIT("<"), start + 1);

    return end == SIZE_MAX ? gs_slice(NULL, 0) : gs_slice_sub(page, start + 7, end);
}

enum gs_fault gs_dialect_read_refusal(int status, struct gs_slice body, struct gs_error *err)
{
    struct said s = {.status = status, .is_page = is_page(body)};
    struct gs_arena a;
    struct gs_json v;

    body = gs_slice_sub(body, 0, MAX_BODY_BYTES);
    gs_arena_init(&a, 16 * MAX_BODY_BYTES);
    const enum gs_status st = s.is_page ? GS_EFORMAT : gs_json_parse(body, &a, &v, NULL);
    if (s.is_page)
        s.message = title_of(body);
    else if (st == GS_OK)
        read_said(&v, &s);
    else
        s.message = body;
    const enum gs_fault fault = tell(&s, classify(&s), err);
    gs_arena_clear(&a);
    return fault;
}

enum gs_fault gs_dialect_read_error(const struct gs_json *v, struct gs_error *err)
{
    struct said s = {0};

    read_said(v, &s);
    return tell(&s, classify_event(&s), err);
}

enum gs_fault gs_dialect_read_nonsense(struct gs_slice body, struct gs_error *err)
{
    struct said s = {.message = is_page(body) ? title_of(body) : gs_slice(NULL, 0)};

    return tell(&s, is_page(body) ? GS_FAULT_PORTAL : GS_FAULT_MALFORMED, err);
}
