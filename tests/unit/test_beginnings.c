/* How conversations began, kept between runs: what was noted is computed before anybody asks, and a
 * file that is damaged is as none. */
#include "cmocka_headers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/beginnings.h"
#include "api/llm.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/os.h"
#include "base/slice.h"
#include "engine/engine.h"
#include "standin/standin.h"
#include "json/json.h"

#define N_TOKENS 1500
#define N_MORE   20

static char folder[] = "/tmp/genset-test-beginnings-XXXXXX";
static char model[128], path[128];
static int32_t tokens[N_TOKENS + N_MORE];

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(model, sizeof(model), "%s/standin.gguf", folder);
    snprintf(path, sizeof(path), "%s/beginnings.json", folder);
    for (size_t i = 0; i < GS_COUNT_OF(tokens); i++)
        tokens[i] = (int32_t)(i * 7 % 200);
    return gs_os_write_file(model, gs_standin_gguf, gs_standin_gguf_bytes, NULL) == GS_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    unlink(model);
    return rmdir(folder);
}

/* A model that was just opened, with its beginnings. */
static gs_llm *open_model(struct gs_beginnings **out_b)
{
    struct gs_llm_options opt;
    struct gs_error err;
    gs_llm *llm;

    gs_llm_options_init(&opt);
    opt.n_threads = 1;
    opt.ctx_tokens = 4096;
    if (gs_llm_open(model, &opt, &llm, &err) != GS_OK ||
        gs_beginnings_create(path, (size_t)gs_token_vocab_len(llm->tok), llm->engine, out_b,
                             &err) != GS_OK)
        fail_msg("%s", err.msg);
    return llm;
}

static void close_model(gs_llm *llm, struct gs_beginnings *b)
{
    gs_beginnings_free(b);
    gs_llm_close(llm);
}

/* ---- asking ---- */

static enum gs_flow on_prefill(void *ud, int64_t done, int64_t total)
{
    (void)ud;
    (void)done;
    (void)total;
    return GS_FLOW_CONTINUE;
}

static enum gs_flow on_token(void *ud, const struct gs_job_token *token)
{
    (void)ud;
    (void)token;
    return GS_FLOW_CONTINUE;
}

static void on_end(void *ud, enum gs_job_end end, const struct gs_job_stats *stats,
                   const struct gs_error *err)
{
    (void)end;
    (void)err;
    *(int64_t *)ud = stats->cached_tokens;
}

/* Tokens that were computed already of a question that begins so. */
static int64_t cached_of(const gs_llm *llm)
{
    int64_t cached = -1;
    struct gs_job *j;
    struct gs_job_options opt = {
        .prompt = tokens,
        .n_prompt = N_TOKENS + N_MORE,
        .max_tokens = 1,
        .on = {.on_prefill = on_prefill, .on_token = on_token, .on_end = on_end, .ud = &cached},
    };

    gs_sampling_init(&opt.sampling);
    assert_int_equal(gs_engine_submit(llm->engine, &opt, &j, NULL), GS_OK);
    gs_job_wait(j);
    gs_job_free(j);
    return cached;
}

/* ---- the file ---- */

/* Number of beginnings in the file; *out_last is the last one's first token. */
static size_t count_kept(int64_t *out_last)
{
    struct gs_json all;
    struct gs_buf text;
    struct gs_arena a;

    gs_buf_init(&text, GS_MIB);
    gs_arena_init(&a, 64 * GS_MIB);
    assert_int_equal(gs_os_read_file(path, &text, NULL), GS_OK);
    assert_int_equal(gs_json_parse(gs_buf_view(&text), &a, &all, NULL), GS_OK);
    assert_int_equal(all.kind, GS_JSON_ARRAY);
    const size_t n = all.u.array.len;
    *out_last = all.u.array.items[n - 1].u.array.items[0].u.integer;
    gs_arena_clear(&a);
    gs_buf_clear(&text);
    return n;
}

static void put_file(const char *text)
{
    assert_int_equal(gs_os_write_file(path, text, strlen(text), NULL), GS_OK);
}

/* ---- tests ---- */

static void what_was_noted_is_computed_in_the_next_run(void **state)
{
    struct gs_beginnings *b;
    struct stat info;

    (void)state;
    unlink(path);
    gs_llm *llm = open_model(&b);
    gs_beginnings_note(b, tokens, N_TOKENS);
    close_model(llm, b);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    llm = open_model(&b);
    assert_true(cached_of(llm) >= N_TOKENS);
    close_model(llm, b);
}

static void few_are_kept_and_the_latest_first(void **state)
{
    struct gs_beginnings *b;
    int64_t last;

    (void)state;
    unlink(path);
    gs_llm *llm = open_model(&b);
    for (int32_t i = 0; i < 6; i++) {
        tokens[0] = 100 + i;
        gs_beginnings_note(b, tokens, N_TOKENS);
        gs_beginnings_note(b, tokens, 100); /* too short to matter */
    }
    assert_int_equal(count_kept(&last), 4);
    assert_int_equal(last, 102);
    tokens[0] = 102; /* again: it is the latest now, and the next one's place is another's */
    gs_beginnings_note(b, tokens, N_TOKENS);
    tokens[0] = 107;
    gs_beginnings_note(b, tokens, N_TOKENS);
    assert_int_equal(count_kept(&last), 4);
    assert_int_equal(last, 104);
    close_model(llm, b);
}

static void a_damaged_file_is_as_none(void **state)
{
    static const char *const texts[] = {"",     "[[1,2",          "{}",     "[[1,2,3]]",
                                        "[[]]", "[\"x\",null,1]", "[1,[2]]"};
    struct gs_beginnings *b;
    struct gs_buf text;

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(texts); i++) {
        put_file(texts[i]);
        gs_llm *llm = open_model(&b);
        close_model(llm, b);
    }
    gs_buf_init(&text, GS_MIB); /* ids of another vocabulary */
    gs_buf_puts(&text, "[[1");
    for (int i = 0; i < 2000; i++)
        gs_buf_puts(&text, ",999999999");
    gs_buf_puts(&text, "]]");
    gs_buf_putc(&text, '\0');
    assert_true(gs_buf_ok(&text));
    put_file(text.ptr);
    gs_buf_clear(&text);
    gs_llm *llm = open_model(&b);
    close_model(llm, b);
}

static void nothing_is_lost_where_nothing_can_be_written(void **state)
{
    struct gs_beginnings *b;

    (void)state;
    gs_llm *llm = open_model(&b);
    gs_beginnings_free(b);
    assert_int_equal(gs_beginnings_create("/nowhere/at/all.json",
                                          (size_t)gs_token_vocab_len(llm->tok), llm->engine, &b,
                                          NULL),
                     GS_OK);
    gs_beginnings_note(b, tokens, N_TOKENS);
    gs_beginnings_note(NULL, tokens, N_TOKENS);
    close_model(llm, b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_noted_is_computed_in_the_next_run),
        cmocka_unit_test(few_are_kept_and_the_latest_first),
        cmocka_unit_test(a_damaged_file_is_as_none),
        cmocka_unit_test(nothing_is_lost_where_nothing_can_be_written),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
