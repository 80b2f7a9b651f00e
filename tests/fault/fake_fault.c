/* Words of faults, from one table. */
#include "fake_fault.h"

#include "base/slice.h"

enum field { CONNECTION, CONTENT, BREAK, ANCHOR, MANNER };

static const struct {
    const char *word;
    enum field field;
    int value;
    unsigned manners;
} words[] = {
    {"reset", CONNECTION, FAKE_CONNECTION_RESET, 0},
    {"eof", CONNECTION, FAKE_CONNECTION_EOF, 0},
    {"reset-reused", CONNECTION, FAKE_CONNECTION_RESET, FAKE_MANNER_REUSED},
    {"eof-reused", CONNECTION, FAKE_CONNECTION_EOF, FAKE_MANNER_REUSED},
    {"eof-idle", CONNECTION, FAKE_CONNECTION_EOF_IDLE, 0},
    {"silent", CONNECTION, FAKE_CONNECTION_SILENT, 0},
    {"noise", CONNECTION, FAKE_CONNECTION_NOISE, 0},
    {"ok", MANNER, 0, 0},
    {"interim", MANNER, 0, FAKE_MANNER_INTERIM},
    {"portal", MANNER, 0, FAKE_MANNER_PORTAL},
    {"long-length", MANNER, 0, FAKE_MANNER_LONG},
    {"short-length", MANNER, 0, FAKE_MANNER_SHORT},
    {"unframed", MANNER, 0, FAKE_MANNER_UNFRAMED},
    {"letters", MANNER, 0, FAKE_MANNER_LETTERS},
    {"split", MANNER, 0, FAKE_MANNER_SPLIT},
    {"crlf", MANNER, 0, FAKE_MANNER_CRLF},
    {"remarks", MANNER, 0, FAKE_MANNER_REMARKS},
    {"multiline", MANNER, 0, FAKE_MANNER_MULTILINE},
    {"no-done", MANNER, 0, FAKE_MANNER_NO_DONE},
    {"two-dones", MANNER, 0, FAKE_MANNER_TWO_DONES},
    {"no-usage", MANNER, 0, FAKE_MANNER_NO_USAGE},
    {"usage-each", MANNER, 0, FAKE_MANNER_USAGE_EACH},
    {"length", MANNER, 0, FAKE_MANNER_LENGTH},
    {"trailing", MANNER, 0, FAKE_MANNER_TRAILING},
    {"zero", CONTENT, FAKE_CONTENT_ZERO, 0},
    {"zero-cut", CONTENT, FAKE_CONTENT_ZERO_CUT, 0},
    {"error-first", CONTENT, FAKE_CONTENT_ERROR_FIRST, 0},
    {"error-open", CONTENT, FAKE_CONTENT_ERROR_OPEN, 0},
    {"failed", CONTENT, FAKE_CONTENT_FAILED, 0},
    {"empty", CONTENT, FAKE_CONTENT_EMPTY, 0},
    {"no-choices", CONTENT, FAKE_CONTENT_NO_CHOICES, 0},
    {"think-only", CONTENT, FAKE_CONTENT_THINK_ONLY, FAKE_MANNER_LENGTH},
    {"no-prefill", MANNER, 0, FAKE_MANNER_NO_PREFILL},
    {"new-turn", MANNER, 0, FAKE_MANNER_NEW_TURN},
    {"anchor-quoted", ANCHOR, FAKE_ANCHOR_QUOTED, 0},
    {"anchor-led", ANCHOR, FAKE_ANCHOR_LED, 0},
    {"anchor-short", ANCHOR, FAKE_ANCHOR_SHORT, 0},
    {"anchor-long", ANCHOR, FAKE_ANCHOR_LONG, 0},
    {"anchor-sorry", ANCHOR, FAKE_ANCHOR_SORRY, 0},
    {"anchor-anew", ANCHOR, FAKE_ANCHOR_ANEW, 0},
    {"cut-after-", BREAK, FAKE_BREAK_CUT, 0},
    {"bare-after-", BREAK, FAKE_BREAK_BARE, 0},
    {"half-after-", BREAK, FAKE_BREAK_HALF, 0},
    {"end-after-", BREAK, FAKE_BREAK_END, 0},
    {"rst-after-", BREAK, FAKE_BREAK_RST, 0},
    {"stall-after-", BREAK, FAKE_BREAK_STALL, 0},
    {"hold-after-", BREAK, FAKE_BREAK_HOLD, 0},
    {"error-after-", BREAK, FAKE_BREAK_ERROR, 0},
    {"rate-after-", BREAK, FAKE_BREAK_RATE, 0},
    {"finish-error-after-", BREAK, FAKE_BREAK_FINISH_ERROR, 0},
    {"malformed-after-", BREAK, FAKE_BREAK_MALFORMED, 0},
    {"giant-after-", BREAK, FAKE_BREAK_GIANT, 0},
    {"loop-after-", BREAK, FAKE_BREAK_LOOP, 0},
    {"comments-after-", BREAK, FAKE_BREAK_COMMENTS, 0},
    {"pings-after-", BREAK, FAKE_BREAK_PINGS, 0},
    {"drip-after-", BREAK, FAKE_BREAK_DRIP, 0},
    {"rename-after-", BREAK, FAKE_BREAK_RENAME, 0},
};

static const struct {
    const char *word;
    enum fake_refusal refusal;
} refusals[] = {
    {"-quota", FAKE_REFUSAL_QUOTA},       {"-context", FAKE_REFUSAL_CONTEXT},
    {"-policy", FAKE_REFUSAL_POLICY},     {"-provider", FAKE_REFUSAL_PROVIDER},
    {"-model", FAKE_REFUSAL_MODEL},       {"-prefill", FAKE_REFUSAL_PREFILL},
    {"-html", FAKE_REFUSAL_HTML},         {"-empty", FAKE_REFUSAL_EMPTY},
    {"-retry-no", FAKE_REFUSAL_RETRY_NO},
};

static const struct {
    const char *word;
    enum fake_wait wait;
} waits[] = {
    {"-retry-after-", FAKE_WAIT_SECONDS},
    {"-retry-date-", FAKE_WAIT_DATE},
    {"-retry-ms-", FAKE_WAIT_MS},
    {"-retry-xms-", FAKE_WAIT_XMS},
};

static bool take(struct gs_slice *s, const char *prefix)
{
    const struct gs_slice p = gs_slice_str(prefix);

    if (!gs_slice_starts(*s, p))
        return false;
    *s = gs_slice_sub(*s, p.len, s->len);
    return true;
}

static bool number(struct gs_slice s, int *out)
{
    int64_t n;

    if (!gs_slice_to_i64(s, &n) || n < 0 || n > 1000000)
        return false;
    *out = (int)n;
    return true;
}

/* "429-quota-retry-after-2" */
static bool read_status(struct gs_slice word, struct fake_fault *f)
{
    if (!number(gs_slice_sub(word, 0, 3), &f->status) || f->status < 100)
        return false;
    word = gs_slice_sub(word, 3, word.len);
    for (size_t i = 0; i < GS_COUNT_OF(refusals); i++) {
        if (take(&word, refusals[i].word)) {
            f->refusal = refusals[i].refusal;
            break;
        }
    }
    for (size_t i = 0; i < GS_COUNT_OF(waits); i++) {
        if (take(&word, waits[i].word)) {
            f->wait = waits[i].wait;
            return number(word, &f->wait_n);
        }
    }
    return word.len == 0;
}

static bool read_word(struct gs_slice word, struct fake_fault *f)
{
    if (take(&word, "redirect-")) {
        f->status = 307;
        return number(word, &f->redirect_port);
    }
    for (size_t i = 0; i < GS_COUNT_OF(words); i++) {
        struct gs_slice rest = word;
        if (!take(&rest, words[i].word) || (words[i].field != BREAK && rest.len > 0))
            continue;
        f->manners |= words[i].manners;
        if (words[i].field == CONNECTION)
            f->connection = (enum fake_connection)words[i].value;
        if (words[i].field == CONTENT)
            f->content = (enum fake_content)words[i].value;
        if (words[i].field == ANCHOR)
            f->anchor = (enum fake_anchor)words[i].value;
        if (words[i].field != BREAK)
            return true;
        f->broken = (enum fake_break)words[i].value;
        return number(rest, &f->after);
    }
    return read_status(word, f);
}

/* The part of s before the first `mark`, which is passed over; s is what follows. */
static struct gs_slice part(struct gs_slice *s, char mark)
{
    const size_t at = gs_slice_find(*s, gs_slice(&mark, 1), 0);
    const struct gs_slice found = gs_slice_sub(*s, 0, at);

    *s = at == SIZE_MAX ? gs_slice(NULL, 0) : gs_slice_sub(*s, at + 1, s->len);
    return found;
}

bool fake_fault_read(struct gs_slice all, struct fake_fault *out)
{
    *out = (struct fake_fault){0};
    while (all.len > 0)
        if (!read_word(part(&all, '+'), out))
            return false;
    return true;
}

static struct gs_slice nth_or_last(struct gs_slice s, char mark, int n)
{
    struct gs_slice found = part(&s, mark);

    while (n-- > 0 && s.len > 0)
        found = part(&s, mark);
    return found;
}

struct gs_slice fake_fault_of_attempt(struct gs_slice script, int place, int n)
{
    return nth_or_last(nth_or_last(script, ';', place), ',', n);
}
