/* Taking out and putting back: which bytes change, that the same secret has the same placeholder,
 * and that an answer has the secrets again, in whatever pieces it comes. */
#include "cmocka_headers.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/limits.h"
#include "base/slice.h"
#include "privacy/privacy.h"

#define KEY "sk-ant-api03-Zx81mQp0vLk2Tn5Rw7Yb-3Hc6Jd9Fg4"

static const struct gs_config_secret_rule rules[] = {
    {.find = GS_DETECT_PRIVATE_KEY, .privacy = GS_PRIVACY_LOCAL_ONLY},
    {.find = GS_DETECT_API_KEY, .privacy = GS_PRIVACY_REDACT},
    {.find = GS_DETECT_PASSWORD, .privacy = GS_PRIVACY_REDACT},
    {.find = GS_DETECT_EMAIL, .privacy = GS_PRIVACY_REDACT},
    {.find = GS_DETECT_IP, .privacy = GS_PRIVACY_ANY},
};

static struct gs_privacy_names *names;
static struct gs_buf body;

static int setup(void **state)
{
    (void)state;
    gs_buf_init(&body, GS_MIB);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    gs_privacy_names_free(names);
    names = NULL;
    gs_buf_clear(&body);
    return 0;
}

static void redact(const char *text)
{
    struct gs_error err = {0};

    teardown(NULL);
    if (gs_privacy_redact(rules, GS_COUNT_OF(rules), gs_slice_str(text), &body, &names, &err) !=
        GS_OK)
        fail_msg("%s: %s", text, err.msg);
}

static void becomes(const char *text, const char *expected)
{
    redact(text);
    if (!gs_slice_eq_str(gs_buf_view(&body), expected))
        fail_msg("%s: %.*s", text, (int)body.len, body.ptr);
    if (body.len == 0)
        assert_null(names);
}

static void replaces_what_it_finds(void **state)
{
    (void)state;
    becomes("{ \"text\" : \"hello\"}", "");
    becomes("{ \"text\" : \"use " KEY ".\" , \"n\":1.50}",
            "{ \"text\" : \"use [REDACTED_API_KEY_1].\" , \"n\":1.50}");
    becomes("[\"ann@corp.eu, bob@corp.eu, ann@corp.eu\", \"password=hunter22\"]",
            "[\"[REDACTED_EMAIL_1], [REDACTED_EMAIL_2], [REDACTED_EMAIL_1]\", "
            "\"password=[REDACTED_PASSWORD_1]\"]");
    becomes("[\"\\u00e4 \\\"ann\\u0040corp.eu\\\" \\n\"]",
            "[\"\\u00e4 \\\"[REDACTED_EMAIL_1]\\\" \\n\"]");
    becomes("{\"input\": {\"password\": \"a\\\"b c1d2\", \"ann@corp.eu\": 1}}",
            "{\"input\": {\"password\": \"a\\\"b c1d2\", \"[REDACTED_EMAIL_1]\": 1}}");
    becomes("{\"input\": {\"password\": \"a\\\"bc1d2\"}}",
            "{\"input\": {\"password\": \"[REDACTED_PASSWORD_1]\"}}");
    becomes("{\"arguments\": \"{\\\"password\\\": \\\"a\\\\\\\"bc1d2\\\", \\\"n\\\": 1}\"}",
            "{\"arguments\": \"{\\\"password\\\": \\\"[REDACTED_PASSWORD_1]\\\", \\\"n\\\": 1}\"}");
}

/* What one string tells is a secret is one everywhere. */
static void replaces_what_is_known(void **state)
{
    (void)state;
    becomes("[\"log in: hunter22!\", \"password=hunter22!\", \"xhunter22!x\"]",
            "[\"log in: [REDACTED_PASSWORD_1]\", \"password=[REDACTED_PASSWORD_1]\", "
            "\"x[REDACTED_PASSWORD_1]x\"]");
    becomes("[\"a hunter\", \"password=hunter\"]",
            "[\"a hunter\", \"password=[REDACTED_PASSWORD_1]\"]");
    becomes("[\"PASSWORD=hunter22xx\", \"PASSWORD=hunter22\", \"hunter22xx hunter22x\"]",
            "[\"PASSWORD=[REDACTED_PASSWORD_1]\", \"PASSWORD=[REDACTED_PASSWORD_2]\", "
            "\"[REDACTED_PASSWORD_1] [REDACTED_PASSWORD_2]x\"]");
}

static void leaves_what_is_exempt(void **state)
{
    (void)state;
    becomes("[\"from 81.2.169.142 to ann@corp.eu\"]",
            "[\"from 81.2.169.142 to [REDACTED_EMAIL_1]\"]");
    becomes("{\"id\": \"" KEY "\"}", "");
}

static void has_another_word_where_it_is_taken(void **state)
{
    (void)state;
    becomes("[\"REDACTED_EMAIL_1 ann@corp.eu\"]", "[\"REDACTED_EMAIL_1 [REDACTED2_EMAIL_1]\"]");
    becomes("[\"ann@corp.eu redacted\\\\_email\\\\_1 REDACTED2_EMAIL_1\"]",
            "[\"[REDACTED3_EMAIL_1] redacted\\\\_email\\\\_1 REDACTED2_EMAIL_1\"]");
    /* one that is not in the way, such as a model makes up */
    becomes("[\"ann@corp.eu [REDACTED_EMAIL_2] [REDACTED_CARD_1] REDACTED_x\"]",
            "[\"[REDACTED_EMAIL_1] [REDACTED_EMAIL_2] [REDACTED_CARD_1] REDACTED_x\"]");
    becomes("[\"it was REDACTED: ann@corp.eu\"]", "[\"it was REDACTED: [REDACTED_EMAIL_1]\"]");
}

static void fails_where_nothing_can_be_replaced(void **state)
{
    static const char *const texts[] = {"{\"url\": \"http://ann:s3cr3t-x@corp.eu\"}",
                                        "{\"ann@corp.eu\": 1}"};
    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(texts); i++) {
        struct gs_error err = {0};
        assert_int_equal(gs_privacy_redact(rules, GS_COUNT_OF(rules), gs_slice_str(texts[i]), &body,
                                           &names, &err),
                         GS_EUNSUPPORTED);
        assert_null(names);
        assert_int_equal(body.len, 0);
    }
}

/* The longer conversation begins with the bytes of the shorter one. */
static void keeps_a_prefix(void **state)
{
    char before[512];
    size_t n;

    (void)state;
    redact("[\"bob@corp.eu and " KEY "\", \"ann@corp.eu\"]");
    n = body.len - 1;
    memcpy(before, body.ptr, n);
    redact("[\"bob@corp.eu and " KEY "\", \"ann@corp.eu\", \"password=hunter22, eve@corp.eu\"]");
    assert_true(body.len > n);
    assert_memory_equal(before, body.ptr, n);
}

/* Wherever the system prompt stands, new messages do not change it. */
static void numbers_messages_last(void **state)
{
    (void)state;
    becomes(
        "{\"messages\": [\"ann@corp.eu bob@corp.eu\"], \"system\": \"eve@corp.eu bob@corp.eu\"}",
        "{\"messages\": [\"[REDACTED_EMAIL_3] [REDACTED_EMAIL_2]\"], "
        "\"system\": \"[REDACTED_EMAIL_1] [REDACTED_EMAIL_2]\"}");
    becomes("{\"input\": [\"ann@corp.eu\"], \"instructions\": \"bob@corp.eu\"}",
            "{\"input\": [\"[REDACTED_EMAIL_2]\"], \"instructions\": \"[REDACTED_EMAIL_1]\"}");
}

/* ---- putting back ---- */

static void restores(enum gs_block_kind kind, const char *text, const char *expected)
{
    struct gs_buf b;

    gs_buf_init(&b, GS_MIB);
    gs_privacy_restore(names, kind, gs_slice_str(text), &b);
    if (!gs_slice_eq_str(gs_buf_view(&b), expected))
        fail_msg("%s: %.*s", text, (int)b.len, b.ptr);
    gs_buf_clear(&b);
}

static void restores_texts(void **state)
{
    (void)state;
    redact("[\"ann@corp.eu, bob@corp.eu\", {\"password\": \"a\\\"b\\\\c#1\"}]");
    restores(GS_BLOCK_TEXT, "", "");
    restores(GS_BLOCK_TEXT, "to [REDACTED_EMAIL_1], [REDACTED_EMAIL_2]!",
             "to ann@corp.eu, bob@corp.eu!");
    restores(GS_BLOCK_TEXT, "[redacted_email_1] [Redacted_Email_2]", "ann@corp.eu bob@corp.eu");
    restores(GS_BLOCK_TEXT, "REDACTED_EMAIL_1, (REDACTED_EMAIL_2)", "ann@corp.eu, (bob@corp.eu)");
    restores(GS_BLOCK_TEXT, "[REDACTED_EMAIL_1, REDACTED_EMAIL_2]", "[ann@corp.eu, bob@corp.eu]");
    restores(GS_BLOCK_TEXT, "\\[REDACTED\\_EMAIL\\_1\\]", "ann@corp.eu");
    restores(GS_BLOCK_TEXT, "CORP\\[REDACTED_EMAIL_1]", "CORP\\ann@corp.eu");
    restores(GS_BLOCK_TEXT, "[[REDACTED_EMAIL_1]](mailto:[REDACTED_EMAIL_1])",
             "[ann@corp.eu](mailto:ann@corp.eu)");
    restores(GS_BLOCK_TEXT, "[REDACTED_PASSWORD_1]", "a\"b\\c#1");
    restores(GS_BLOCK_TOOL_CALL, "{\"x\": \"[REDACTED_PASSWORD_1]\"}",
             "{\"x\": \"a\\\"b\\\\c#1\"}");
    restores(GS_BLOCK_REASONING, "[REDACTED_EMAIL_1] REDACTED_EMAIL_1 [redacted_email_1]",
             "ann@corp.eu REDACTED_EMAIL_1 [redacted_email_1]");
    restores(GS_BLOCK_TEXT,
             "[REDACTED_EMAIL_3] REDACTED_EMAIL_12 UNREDACTED_EMAIL_1 REDACTED_EMAIL_1x",
             "[REDACTED_EMAIL_3] REDACTED_EMAIL_12 UNREDACTED_EMAIL_1 REDACTED_EMAIL_1x");
    restores(GS_BLOCK_TEXT, "[REDACTED_EMAIL_0] [REDACTED_CARD_1] [REDACTED_EMAIL_01] [RED",
             "[REDACTED_EMAIL_0] [REDACTED_CARD_1] [REDACTED_EMAIL_01] [RED");
}

#define MAX_SAID 256

struct said {
    struct gs_buf blocks[3];
    enum gs_event_kind kinds[MAX_SAID];
    size_t n;
    bool has_logprob;
    enum gs_flow flow;
};

static enum gs_flow hear(void *ud, const struct gs_event *ev)
{
    struct said *s = ud;

    assert_true(s->n < MAX_SAID);
    s->kinds[s->n++] = ev->kind;
    s->has_logprob |= ev->n_logprob > 0;
    if (ev->kind == GS_EVENT_DELTA)
        gs_buf_slice(&s->blocks[ev->block_idx], ev->text);
    return s->flow;
}

static struct gs_privacy_restorer *restorer(void)
{
    struct gs_privacy_restorer *r;

    assert_int_equal(gs_privacy_restorer_create(names, &r, NULL), GS_OK);
    return r;
}

static void said_init(struct said *s)
{
    *s = (struct said){.flow = GS_FLOW_CONTINUE};
    for (size_t i = 0; i < GS_COUNT_OF(s->blocks); i++)
        gs_buf_init(&s->blocks[i], GS_MIB);
}

static void said_clear(struct said *s)
{
    for (size_t i = 0; i < GS_COUNT_OF(s->blocks); i++)
        gs_buf_clear(&s->blocks[i]);
}

static void take(struct gs_privacy_restorer *r, struct said *s, struct gs_event ev)
{
    assert_int_equal(gs_privacy_restorer_take(r, &ev, hear, s, NULL), GS_OK);
}

/* Two blocks that come byte by byte, by turns, in pieces of every length. */
static void restores_pieces(void **state)
{
    const struct gs_slice texts[] = {
        gs_slice_str("to [REDACTED_EMAIL_1] [RED [REDACTED_EMAIL_2"),
        gs_slice_str("{\"x\": \"[REDACTED_PASSWORD_1]\"} redacted_email_1"),
    };
    (void)state;
    redact("[\"ann@corp.eu, bob@corp.eu\", {\"password\": \"a\\\"b\\\\c#1\"}]");
    for (size_t len = 1; len < 24; len++) {
        struct gs_privacy_restorer *r = restorer();
        struct said s;
        said_init(&s);
        for (size_t at = 0; at < texts[1].len; at += len)
            for (uint32_t i = 0; i < 2; i++)
                take(r, &s,
                     (struct gs_event){.kind = GS_EVENT_DELTA,
                                       .block = i == 0 ? GS_BLOCK_TEXT : GS_BLOCK_TOOL_CALL,
                                       .block_idx = i,
                                       .text = gs_slice_sub(texts[i], at, at + len)});
        s.n = 0;
        take(r, &s, (struct gs_event){.kind = GS_EVENT_END, .block_idx = 0});
        take(r, &s, (struct gs_event){.kind = GS_EVENT_STOP});
        assert_true(gs_slice_eq_str(gs_buf_view(&s.blocks[0]), "to ann@corp.eu [RED [bob@corp.eu"));
        assert_true(
            gs_slice_eq_str(gs_buf_view(&s.blocks[1]), "{\"x\": \"a\\\"b\\\\c#1\"} ann@corp.eu"));
        assert_int_equal(s.kinds[s.n - 1], GS_EVENT_STOP);
        said_clear(&s);
        gs_privacy_restorer_free(r);
    }
}

/* Text goes on at once unless a placeholder may begin in it. */
static void keeps_back_no_more_than_it_must(void **state)
{
    struct said s;
    struct gs_event ev = {.kind = GS_EVENT_DELTA, .block = GS_BLOCK_TEXT};
    const struct gs_logprob logprob = {0};

    (void)state;
    redact("[\"ann@corp.eu\"]");
    struct gs_privacy_restorer *r = restorer();
    said_init(&s);
    ev.text = gs_slice_str("hello ");
    ev.logprob = &logprob;
    ev.n_logprob = 1;
    take(r, &s, ev);
    assert_true(s.has_logprob);
    assert_int_equal(s.blocks[0].len, 6);
    s.has_logprob = false;
    ev.text = gs_slice_str("a[REDACTED_EM");
    take(r, &s, ev);
    assert_int_equal(s.blocks[0].len, 7);
    ev.text = gs_slice_str("PTY");
    take(r, &s, ev);
    assert_true(gs_slice_eq_str(gs_buf_view(&s.blocks[0]), "hello a[REDACTED_EMPTY"));
    assert_false(s.has_logprob);
    s.flow = GS_FLOW_CANCEL;
    ev.text = gs_slice_str("x");
    assert_int_equal(gs_privacy_restorer_take(r, &ev, hear, &s, NULL), GS_ECANCELLED);
    said_clear(&s);
    gs_privacy_restorer_free(r);
}

/* Whatever allocation fails, it is a status, and nothing is left behind. */
static void survives_without_memory(void **state)
{
    static const char text[] = "[\"a\\tnn@corp.eu, b\\tob@corp.eu\", {\"password\": \"x1y2z3w4\"}]";
    size_t n_failed = 0;

    (void)state;
    for (long n = 1; n < 100; n++) {
        struct gs_error err = {0};
        struct gs_privacy_findings found;
        struct gs_privacy_restorer *r = NULL;
        struct said s;
        teardown(NULL);
        said_init(&s);
        gs_alloc_fail_at(n);
        enum gs_status st =
            gs_privacy_judge(rules, GS_COUNT_OF(rules), gs_slice_str(text), NULL, &found, &err);
        if (st == GS_OK)
            st = gs_privacy_redact(rules, GS_COUNT_OF(rules), gs_slice_str(text), &body, &names,
                                   &err);
        if (st == GS_OK)
            st = gs_privacy_restorer_create(names, &r, &err);
        const struct gs_event pieces[] = {
            {.kind = GS_EVENT_DELTA, .text = GS_SLICE_LIT("[REDACTED_EM")},
            {.kind = GS_EVENT_DELTA, .text = GS_SLICE_LIT("AIL_1] [R")},
            {.kind = GS_EVENT_STOP},
        };
        for (size_t i = 0; i < GS_COUNT_OF(pieces) && st == GS_OK; i++)
            st = gs_privacy_restorer_take(r, &pieces[i], hear, &s, &err);
        const bool was_reached = gs_alloc_count() >= n;
        gs_alloc_fail_at(0);
        if (was_reached)
            assert_true(st == GS_OK || st == GS_ENOMEM);
        n_failed += st == GS_ENOMEM;
        gs_privacy_restorer_free(r);
        said_clear(&s);
        if (!was_reached)
            break;
    }
    assert_true(n_failed > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(replaces_what_it_finds, setup, teardown),
        cmocka_unit_test_setup_teardown(replaces_what_is_known, setup, teardown),
        cmocka_unit_test_setup_teardown(leaves_what_is_exempt, setup, teardown),
        cmocka_unit_test_setup_teardown(has_another_word_where_it_is_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(fails_where_nothing_can_be_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(keeps_a_prefix, setup, teardown),
        cmocka_unit_test_setup_teardown(numbers_messages_last, setup, teardown),
        cmocka_unit_test_setup_teardown(restores_texts, setup, teardown),
        cmocka_unit_test_setup_teardown(restores_pieces, setup, teardown),
        cmocka_unit_test_setup_teardown(keeps_back_no_more_than_it_must, setup, teardown),
        cmocka_unit_test_setup_teardown(survives_without_memory, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
