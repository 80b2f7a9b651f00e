/* The sources of the configuration: what each takes, which wins, what is said about mistakes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/slice.h"
#include "cmocka_headers.h"
#include "config/config.h"

#define MAX_ARGS 8

struct fixture {
    struct gs_config c;
    struct gs_buf report;
    const char *env[9]; /* name, value... NULL */
    const char *argv[MAX_ARGS];
    enum gs_command command;
    char path[64]; /* of the configuration file */
};

static const char *get_env(void *ud, const char *name)
{
    const struct fixture *f = ud;

    for (size_t i = 0; f->env[i]; i += 2)
        if (strcmp(f->env[i], name) == 0)
            return f->env[i + 1];
    return NULL;
}

static enum gs_status load(struct fixture *f)
{
    struct gs_config_source source = {
        .command = f->command, .argv = f->argv, .env = get_env, .env_ud = f};

    while (source.argc < MAX_ARGS && f->argv[source.argc])
        source.argc++;
    gs_buf_init(&f->report, GS_MAX_CONFIG_BYTES);
    return gs_config_load(&f->c, &source, &f->report);
}

static void clear(struct fixture *f)
{
    gs_config_clear(&f->c);
    gs_buf_clear(&f->report);
    if (f->path[0])
        unlink(f->path);
}

static void write_file(struct fixture *f, const char *text)
{
    strncpy(f->path, "/tmp/test_config_XXXXXX", sizeof(f->path) - 1);
    const int fd = mkstemp(f->path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

/* The report, with the name of the file cut out. */
static void assert_report(struct fixture *f, const char *expected)
{
    struct gs_buf got;
    const struct gs_slice report = gs_buf_view(&f->report);
    size_t at = 0;

    gs_buf_init(&got, GS_MAX_CONFIG_BYTES);
    for (;;) {
        const size_t hit = f->path[0] ? gs_slice_find(report, gs_slice_str(f->path), at) : SIZE_MAX;
        gs_buf_slice(&got, gs_slice_sub(report, at, hit));
        if (hit == SIZE_MAX)
            break;
        gs_buf_puts(&got, "FILE");
        at = hit + strlen(f->path);
    }
    gs_buf_putc(&got, '\0');
    assert_string_equal(got.ptr, expected);
    gs_buf_clear(&got);
}

static void test_defaults(void **state)
{
    struct fixture f = {.command = GS_COMMAND_SERVE, .env = {"HOME", "/home/u"}};

    (void)state;
    assert_int_equal(load(&f), GS_OK);
    assert_string_equal(f.c.listen, "127.0.0.1:8484");
    assert_int_equal(f.c.keepalive_ms, 10000);
    assert_int_equal(f.c.kv_type, 0);
    assert_true(f.c.any_name);
    assert_int_equal(f.c.models.len, 0);
    assert_false(GS_CONFIG_IS_SET(&f.c, seed));
    assert_string_equal(f.c.data_dir, "/home/u/.local/share/genset");
    clear(&f);
}

static void test_flag_beats_env_beats_file(void **state)
{
    struct fixture f = {.command = GS_COMMAND_SERVE};

    (void)state;
    write_file(&f, "ctx: 1\nthreads: 1\nbatch: 1\nmodels: [a, ~/b]\nlisten: '[::1]:0'\n");
    f.env[0] = "GENSET_THREADS";
    f.env[1] = "2";
    f.env[2] = "GENSET_BATCH";
    f.env[3] = "2";
    f.env[4] = "HOME";
    f.env[5] = "/h";
    f.argv[0] = "--batch=3";
    f.argv[1] = "--config";
    f.argv[2] = f.path;
    f.argv[3] = "m";
    assert_int_equal(load(&f), GS_OK);
    assert_int_equal(f.c.ctx_tokens, 1);
    assert_int_equal(f.c.threads, 2);
    assert_int_equal(f.c.batch_tokens, 3);
    assert_int_equal(f.c.models.len, 2);
    assert_string_equal(f.c.models.items[1], "/h/b");
    assert_string_equal(f.c.listen, "[::1]:0");
    assert_int_equal(f.c.args.len, 1);
    assert_string_equal(f.c.args.items[0], "m");
    assert_string_equal(f.c.file, f.path);
    assert_int_equal(f.c.origin[GS_OPTION_ctx_tokens], GS_ORIGIN_FILE);
    assert_int_equal(f.c.origin[GS_OPTION_threads], GS_ORIGIN_ENV);
    assert_int_equal(f.c.origin[GS_OPTION_batch_tokens], GS_ORIGIN_FLAG);
    clear(&f);
}

static void test_lists_are_replaced_not_joined(void **state)
{
    struct fixture f = {.command = GS_COMMAND_SHOW,
                        .env = {"GENSET_MODELS", "~/x::/y", "HOME", "/h"},
                        .argv = {"m", "--models", "a", "--models", "b"}};

    (void)state;
    assert_int_equal(load(&f), GS_OK);
    assert_int_equal(f.c.models.len, 2);
    assert_string_equal(f.c.models.items[0], "a");
    clear(&f);
    f.argv[1] = NULL;
    assert_int_equal(load(&f), GS_OK);
    assert_int_equal(f.c.models.len, 2);
    assert_string_equal(f.c.models.items[0], "/h/x");
    assert_string_equal(f.c.models.items[1], "/y");
    clear(&f);
}

static void test_flags(void **state)
{
    struct fixture f = {.command = GS_COMMAND_RUN,
                        .argv = {"-t4", "-n", "7", "--no-think", "-v", "m", "--", "--not-a-flag"}};

    (void)state;
    assert_int_equal(load(&f), GS_OK);
    assert_int_equal(f.c.threads, 4);
    assert_int_equal(f.c.max_tokens, 7);
    assert_true(GS_CONFIG_IS_SET(&f.c, think));
    assert_false(f.c.think);
    assert_true(f.c.verbose);
    assert_int_equal(f.c.args.len, 2);
    assert_string_equal(f.c.args.items[1], "--not-a-flag");
    clear(&f);
}

static void test_wrong_flags(void **state)
{
    struct fixture f = {.command = GS_COMMAND_RUN,
                        .argv = {"--treads", "3", "--ctx", "010", "--kv-type=q8", "-z", "--seed"}};

    (void)state;
    assert_int_equal(load(&f), GS_ECONFIG);
    assert_report(
        &f, "genset: error: unknown option \"--treads\" for command \"run\"\n"
            "  hint: Did you mean \"--threads\"?\n"
            "genset: error: --ctx: expected a whole number from 0 to 16777216, found \"010\"\n"
            "  hint: Numbers are decimal: write 10.\n"
            "genset: error: --kv-type: expected f16, f32 or q8_0, found \"q8\"\n"
            "  hint: Did you mean \"q8_0\"?\n"
            "genset: error: unknown option \"-z\" for command \"run\"\n"
            "  hint: Run \"genset help run\" for its options.\n"
            "genset: error: --seed: a value is missing\n"
            "  hint: Write --seed N.\n");
    clear(&f);
}

static void test_wrong_count(void **state)
{
    struct fixture f = {.command = GS_COMMAND_DEQUANT, .argv = {"m"}};

    (void)state;
    assert_int_equal(load(&f), GS_ECONFIG);
    assert_report(&f, "genset: error: command \"dequant\" needs MODEL TENSOR\n"
                      "  hint: Usage: genset dequant [OPTION...] MODEL TENSOR\n");
    clear(&f);
    f.command = GS_COMMAND_VERSION;
    assert_int_equal(load(&f), GS_ECONFIG);
    assert_report(&f, "genset: error: command \"version\" has no place for \"m\"\n"
                      "  hint: Usage: genset version [OPTION...] \n");
    clear(&f);
}

static void test_help_excuses_the_rest(void **state)
{
    struct fixture f = {.command = GS_COMMAND_DEQUANT,
                        .env = {"GENSET_CTX", "many"},
                        .argv = {"--nonsense", "--help"}};

    (void)state;
    assert_int_equal(load(&f), GS_OK);
    assert_true(f.c.help);
    assert_int_equal(f.report.len, 0);
    clear(&f);
}

static void test_wrong_environment(void **state)
{
    struct fixture f = {.command = GS_COMMAND_SERVE,
                        .env = {"GENSET_KEEPALIVE", "30", "GENSET_LISTEN", "8484", "GENSET_API_KEY",
                                "hunter2", "GENSET_KV_MEMORY", "8 gigs"}};

    (void)state;
    assert_int_equal(load(&f), GS_ECONFIG);
    assert_report(
        &f, "genset: error: environment variable GENSET_KV_MEMORY: expected a size such as "
            "8GiB, found \"8 gigs\"\n"
            "  hint: Sizes are whole numbers with a unit: 512MiB, 8GiB, 1GB, or plain bytes.\n"
            "genset: error: environment variable GENSET_LISTEN: expected an address such as "
            "127.0.0.1:8484, found \"8484\"\n"
            "  hint: Write HOST:PORT: 127.0.0.1:8484 for this machine, 0.0.0.0:8484 or "
            "[::]:8484 for all.\n"
            "genset: error: environment variable GENSET_KEEPALIVE: expected a duration from "
            "100ms to 10m, found \"30\"\n"
            "  hint: Durations are whole numbers with a unit: 500ms, 30s, 2m, 1h, 7d.\n");
    clear(&f);
}

static void test_commands_without_configuration_ignore_it(void **state)
{
    struct fixture f = {.command = GS_COMMAND_VERSION, .env = {"GENSET_CTX", "many"}};

    (void)state;
    assert_int_equal(load(&f), GS_OK);
    clear(&f);
}

static void test_missing_file(void **state)
{
    struct fixture f = {.command = GS_COMMAND_CONFIG,
                        .argv = {"show", "--config", "/nonexistent/genset.yaml"}};

    (void)state;
    assert_int_equal(load(&f), GS_ECONFIG);
    assert_report(&f,
                  "genset: error: could not open file \"/nonexistent/genset.yaml\": No such file "
                  "or directory\n");
    clear(&f);
}

static void test_all_errors_of_a_file(void **state)
{
    struct fixture f = {.command = GS_COMMAND_SERVE};

    (void)state;
    write_file(&f, "threads: 80x\n"
                   "lsiten: x\n"
                   "kv_memory:   8 gigs # much\n"
                   "providers: {a: {kind: x}}\n"
                   "sampling: {temperature: hot}\n"
                   "temperature: 1\n"
                   "ctx: [1]\n"
                   "batch: 1\n"
                   "batch: 2\n");
    f.argv[0] = "--config";
    f.argv[1] = f.path;
    assert_int_equal(load(&f), GS_ECONFIG);
    assert_report(
        &f,
        "FILE:1:10: error: threads: expected a whole number from 0 to 256, found \"80x\"\n"
        "    1 | threads: 80x\n"
        "      |          ^~~\n"
        "FILE:2:1: error: unknown key \"lsiten\"\n"
        "    2 | lsiten: x\n"
        "      | ^~~~~~   hint: Did you mean \"listen\"?\n"
        "FILE:3:14: error: kv_memory: expected a size such as 8GiB, found \"8 gigs\"\n"
        "    3 | kv_memory:   8 gigs # much\n"
        "      |              ^~~~~~   hint: Sizes are whole numbers with a unit: 512MiB, 8GiB, "
        "1GB, or plain bytes.\n"
        "FILE:5:25: error: sampling.temperature: expected a number from 0 to 10, found \"hot\"\n"
        "    5 | sampling: {temperature: hot}\n"
        "      |                         ^~~\n"
        "FILE:6:1: error: unknown key \"temperature\"\n"
        "    6 | temperature: 1\n"
        "      | ^~~~~~~~~~~   hint: Write it below \"sampling:\".\n"
        "FILE:7:6: error: ctx: expected a whole number from 0 to 16777216, found a list\n"
        "    7 | ctx: [1]\n"
        "      |      ^\n"
        "FILE:9:1: error: key \"batch\" is given twice\n"
        "    9 | batch: 2\n"
        "      | ^~~~~   hint: It was first set in line 8.\n"
        "FILE:4:23: error: kind: expected anthropic, openai, ollama or genset, found \"x\"\n"
        "    4 | providers: {a: {kind: x}}\n"
        "      |                       ^\n");
    clear(&f);
}

/* The report of a text. */
static void assert_yaml(const char *text, const char *expected)
{
    struct gs_config c;
    struct gs_buf report;

    gs_buf_init(&report, GS_MAX_CONFIG_BYTES);
    assert_int_equal(gs_config_init(&c), GS_OK);
    assert_int_equal(gs_config_read_yaml(&c, "f", gs_slice_str(text), NULL, &report),
                     expected[0] ? GS_ECONFIG : GS_OK);
    gs_buf_putc(&report, '\0');
    assert_string_equal(report.ptr, expected);
    gs_config_clear(&c);
    gs_buf_clear(&report);
}

static void test_yaml_beyond_a_configuration(void **state)
{
    (void)state;
    assert_yaml("", "");
    assert_yaml("# nothing\n", "");
    assert_yaml("---\n...\n", "");
    assert_yaml("model: &a x\n", "f:1:8: error: anchors and aliases are not supported\n"
                                 "    1 | model: &a x\n"
                                 "      |        ^~~~   hint: Write the value out where it is "
                                 "used.\n");
    assert_yaml("model: !!str x\n", "f:1:8: error: tags are not supported\n"
                                    "    1 | model: !!str x\n"
                                    "      |        ^~~~~~~\n");
    assert_yaml("- a\n", "f:1:1: error: expected a mapping of keys at the top of the file\n"
                         "    1 | - a\n"
                         "      | ^   hint: Write lines such as \"listen: 127.0.0.1:8484\".\n");
    assert_yaml("ctx: 1\n---\nctx: 2\n", "f:2:1: error: a configuration file holds one document\n"
                                         "    2 | ---\n"
                                         "      | ^~~\n");
    assert_yaml("models: [a\n", "f:2:1: error: not YAML: did not find expected ',' or ']'\n"
                                "    2 | \n"
                                "      | ^\n");
    assert_yaml("ctx: \"\\e[31m\"\n",
                "f:1:6: error: ctx: expected a whole number from 0 to 16777216, found \"?[31m\"\n"
                "    1 | ctx: \"\\e[31m\"\n"
                "      |      ^~~~~~~~\n");
    assert_yaml("models:\n", "f:1:8: error: models: expected a file or folder, found nothing\n"
                             "    1 | models:\n"
                             "      |        ^\n");
}

static void test_at_most_twenty_errors(void **state)
{
    struct gs_config c;
    struct gs_buf text;
    struct gs_buf report;
    size_t n = 0;

    (void)state;
    gs_buf_init(&text, GS_MAX_CONFIG_BYTES);
    gs_buf_init(&report, GS_MAX_CONFIG_BYTES);
    for (int i = 0; i < 1000; i++)
        gs_buf_printf(&text, "nonsense%d: 1\n", i);
    assert_int_equal(gs_config_init(&c), GS_OK);
    assert_int_equal(gs_config_read_yaml(&c, "f", gs_buf_view(&text), NULL, &report), GS_ECONFIG);
    const struct gs_slice got = gs_buf_view(&report);
    for (size_t at = 0; at < got.len; n++)
        at = gs_slice_find(got, GS_SLICE_LIT(" error: "), at + 1);
    assert_int_equal(n - 1, 20);
    assert_true(gs_slice_ends(got, GS_SLICE_LIT("too many errors, the rest is not shown\n")));
    gs_config_clear(&c);
    gs_buf_clear(&text);
    gs_buf_clear(&report);
}

static void test_out_of_memory_is_a_status(void **state)
{
    struct fixture f = {.command = GS_COMMAND_RUN,
                        .env = {"HOME", "/h", "GENSET_MODELS", "/a:/b"},
                        .argv = {"m", "--stop", "a", "--stop", "b", "--config"}};

    (void)state;
    write_file(&f, "models: [a, b, c]\nsystem: hello\nsampling: {stop: [x, y], top_k: no}\n");
    f.argv[6] = f.path;
    for (long n = 1; n < 200; n++) {
        gs_alloc_fail_at(n);
        const enum gs_status st = load(&f);
        const bool was_reached = gs_alloc_count() >= n;
        gs_alloc_fail_at(0);
        gs_config_clear(&f.c);
        gs_buf_clear(&f.report);
        if (!was_reached) {
            assert_int_equal(st, GS_ECONFIG); /* of top_k */
            clear(&f);
            return;
        }
        assert_int_not_equal(st, GS_OK);
    }
    fail();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_flag_beats_env_beats_file),
        cmocka_unit_test(test_lists_are_replaced_not_joined),
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_wrong_flags),
        cmocka_unit_test(test_wrong_count),
        cmocka_unit_test(test_help_excuses_the_rest),
        cmocka_unit_test(test_wrong_environment),
        cmocka_unit_test(test_commands_without_configuration_ignore_it),
        cmocka_unit_test(test_missing_file),
        cmocka_unit_test(test_all_errors_of_a_file),
        cmocka_unit_test(test_yaml_beyond_a_configuration),
        cmocka_unit_test(test_at_most_twenty_errors),
        cmocka_unit_test(test_out_of_memory_is_a_status),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
