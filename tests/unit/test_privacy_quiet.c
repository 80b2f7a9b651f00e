/* Nothing is found where there is nothing: in the sources and the documentation of genset, and in
 * what real clients send, where it is at hand. And what bodies of bad will cost. */
#include "cmocka_headers.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/os.h"
#include "base/slice.h"
#include "privacy/privacy.h"
#include "privacy/scan.h"

static struct gs_privacy_scan scan;

static void look_into(const char *path)
{
    struct gs_buf text, hits;

    gs_buf_init(&text, GS_MAX_TEXT_BYTES);
    gs_buf_init(&hits, GS_MAX_TEXT_BYTES);
    assert_int_equal(gs_os_read_file(path, &text, NULL), GS_OK);
    gs_privacy_scan_text(&scan, gs_buf_view(&text), (struct gs_slice){0}, &hits);
    const struct gs_privacy_hit *hit = (const struct gs_privacy_hit *)(const void *)hits.ptr;
    if (hits.len > 0)
        fail_msg("%s: a %s: %.*s", path, gs_privacy_detector_name(hit->detector),
                 (int)(hit->end - hit->begin), text.ptr + hit->begin);
    gs_buf_clear(&text);
    gs_buf_clear(&hits);
}

/* Every file below a folder but those that are about secrets; how many. */
static size_t look_below(const char *folder)
{
    size_t n = 0;
    DIR *dir = opendir(folder);

    if (!dir)
        return 0;
    for (const struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        char path[1024];
        if (e->d_name[0] == '.' || strcmp(e->d_name, "privacy") == 0)
            continue;
        (void)snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
        if (gs_os_is_dir(path)) {
            n += look_below(path);
        } else {
            look_into(path);
            n++;
        }
    }
    (void)closedir(dir);
    return n;
}

static void finds_nothing_in_sources(void **state)
{
    (void)state;
    gs_privacy_scan_init(&scan, (1U << GS_PRIVACY_DETECTORS) - 2);
    assert_true(look_below("src") > 100);
    assert_true(look_below("include") > 3);
    assert_true(look_below("cmake") > 0);
    (void)look_below(GENSET_SHARED "/captures");
}

/* ---- bodies of bad will ---- */

static enum gs_status judge(struct gs_slice body, struct gs_privacy_findings *found)
{
    size_t n;
    struct gs_error err = {0};
    const struct gs_config_secret_rule *rules = gs_privacy_default_rules(&n);
    const enum gs_status st = gs_privacy_judge(rules, n, body, NULL, found, &err);

    if (st != GS_OK)
        assert_true(err.msg[0] != '\0');
    return st;
}

static void fill(struct gs_buf *b, const char *head, const char *unit, size_t n, const char *tail)
{
    gs_buf_reset(b);
    gs_buf_puts(b, head);
    while (b->len < n)
        gs_buf_puts(b, unit);
    gs_buf_puts(b, tail);
    assert_true(gs_buf_ok(b));
}

/* What would take hours if each begin of a secret were followed to the end of the text. */
static void takes_its_time_by_the_length(void **state)
{
    static const char *const units[] = {
        "sk-",
        "eyJ-",
        "eyJabcdefgh.",
        "a@a.a",
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----a: ",
        "password=",
        "password='",
        "a://",
        "4111 ",
        "4111111111111111",
        "1.2.3.4.",
        " -pa",
        "2a00:",
        "DE89",
        "+49",
        "AKIAQ7ZR2KD8WM4TN6VB ",
        "ann@corp.eu ",
        "bearer ",
        "cookie:a=b;",
        "api_key: ",
        "1:AA",
        "\\\\",
        "password=\\\\",
        "glpat-aA",
        "<password>",
    };
    struct gs_buf b;
    struct gs_privacy_findings found;

    (void)state;
    gs_buf_init(&b, GS_MAX_TEXT_BYTES);
    for (size_t i = 0; i < GS_COUNT_OF(units); i++) {
        fill(&b, "[\"", units[i], 100000, "\"]");
        assert_int_equal(judge(gs_buf_view(&b), &found), GS_OK);
    }
    gs_buf_clear(&b);
}

static void takes_large_and_deep_bodies(void **state)
{
    struct gs_buf b;
    struct gs_privacy_findings found;

    (void)state;
    gs_buf_init(&b, GS_MAX_TEXT_BYTES);
    fill(&b, "[\"", "a plain text, \\\"quoted\\\"\\n", 30 * GS_MIB, "ann@corp.eu\"]");
    assert_int_equal(judge(gs_buf_view(&b), &found), GS_OK);
    assert_int_equal(found.n_found[GS_DETECT_EMAIL], 1);
    fill(&b, "", "[", 1000000, "");
    assert_int_equal(judge(gs_buf_view(&b), &found), GS_ELIMIT);
    fill(&b, "{\"arguments\": \"", "[", 1000000, "\"}");
    assert_int_equal(judge(gs_buf_view(&b), &found), GS_ELIMIT);
    fill(&b, "{\"arguments\": \"", "[", 100, "\"}"); /* half a call */
    assert_int_equal(judge(gs_buf_view(&b), &found), GS_OK);
    gs_buf_reset(&b);
    gs_buf_puts(&b, "[\"\xff\xfe ann@corp.eu \xc3\"]");
    assert_int_equal(judge(gs_buf_view(&b), &found), GS_OK);
    assert_int_equal(found.n_found[GS_DETECT_EMAIL], 1);
    gs_buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_nothing_in_sources),
        cmocka_unit_test(takes_its_time_by_the_length),
        cmocka_unit_test(takes_large_and_deep_bodies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
