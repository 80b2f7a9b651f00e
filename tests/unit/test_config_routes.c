/* What the configuration says of other computers: as it is read, as the environment suggests it,
 * and what is said about mistakes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/os.h"
#include "base/slice.h"
#include "cmocka_headers.h"
#include "config/config.h"

struct fixture {
    struct gs_config_routes_source source;
    struct gs_config_routes r;
    struct gs_arena a;
    struct gs_buf report;
    const char *env[9]; /* name, value... NULL */
};

static const char *get_env(void *ud, const char *name)
{
    const struct fixture *f = ud;

    for (size_t i = 0; f->env[i]; i += 2)
        if (strcmp(f->env[i], name) == 0)
            return f->env[i + 1];
    return NULL;
}

static enum gs_status read_text(struct fixture *f, const char *text)
{
    f->source.name = "f";
    f->source.text = gs_slice_str(text);
    f->source.home = "/home/u";
    f->source.env = get_env;
    f->source.env_ud = f;
    gs_arena_init(&f->a, 16 * GS_MIB);
    gs_buf_init(&f->report, GS_MAX_CONFIG_BYTES);
    return gs_config_read_routes(&f->source, &f->a, &f->r, &f->report);
}

static void clear(struct fixture *f)
{
    gs_arena_clear(&f->a);
    gs_buf_clear(&f->report);
    f->r = (struct gs_config_routes){0};
}

/* "0 1/model ..." */
static void assert_targets(const struct gs_config_route *r, const char *expected)
{
    struct gs_buf b;

    gs_buf_init(&b, GS_KIB);
    for (size_t i = 0; i < r->n_targets; i++)
        gs_buf_printf(&b, "%s%zu%s%s", i ? " " : "", r->targets[i].provider,
                      r->targets[i].model ? "/" : "",
                      r->targets[i].model ? r->targets[i].model : "");
    gs_buf_putc(&b, '\0');
    assert_string_equal(b.ptr, expected);
    gs_buf_clear(&b);
}

static void assert_wrong(const char *text, const char *expected)
{
    struct fixture f = {.env = {NULL}};

    assert_int_equal(read_text(&f, text), GS_ECONFIG);
    gs_buf_putc(&f.report, '\0');
    assert_string_equal(f.report.ptr, expected);
    clear(&f);
}

static const char everything[] =
    "listen: 127.0.0.1:1\n"
    "routes:\n"
    "  - match: claude-*\n"
    "    targets: [anthropic, garage/qwen3.5-27b, router/anthropic/claude-x, local/qwen3.5-4b]\n"
    "    policy: cloud-first\n"
    "    on_break: error\n"
    "    deadlines: {connect: 3s, headers: 10s, first_token: 10s, stall: none}\n"
    "    when: {images: false, tools: true, prompt_over: 10, prompt_under: 100000, battery: "
    "false,\n"
    "           hot: true}\n"
    "    privacy: redact\n"
    "    attempts: 3\n"
    "    patience: 12s\n"
    "    hedge_after: 2s\n"
    "  - {match: [gpt-*, o1*], targets: here}\n"
    "providers:\n"
    "  anthropic:\n"
    "  garage: {kind: openai, url: http://10.0.0.7:8000/v1/, key: env:GARAGE_KEY, proxy: none,\n"
    "           apis: [responses, messages], ca_file: ~/ca.pem, trust: local-only,\n"
    "           deadlines: {total: 1h}}\n"
    "  router: {url: https://openrouter.ai/api/v1, key: file:~/.router}\n"
    "  here: http://localhost:1234/v1\n"
    "  pond: {kind: ollama, key: command:pass show pond}\n"
    "budgets:\n"
    "  anthropic: {day: 5 USD, month: 60}\n"
    "  all: {day: 0.50 USD}\n"
    "keys:\n"
    "  anna: {budget: {day: 2 USD, month: 20}, on_break: error}\n"
    "  b.e-n_2: {on_break: continue}\n"
    "prices:\n"
    "  anthropic/claude-opus-*: {in: 5, cached: 0.5, cache_write: 6.25, out: 25}\n"
    "  garage/*: {in: 0, out: 0.001}\n"
    "privacy:\n"
    "  - {find: private-key, class: local-only}\n"
    "  - {find: email, class: redact}\n"
    "  - {path: \"**/.env\", class: local-only}\n";

static void assert_providers(const struct gs_config_routes *r)
{
    const struct gs_config_provider *p = r->providers;

    assert_int_equal(r->n_providers, 6);
    assert_string_equal(p[0].name, "local");
    assert_int_equal(p[0].kind, GS_PROVIDER_LOCAL);
    assert_true(p[0].is_loopback);
    assert_int_equal(p[1].kind, GS_PROVIDER_ANTHROPIC);
    assert_string_equal(p[1].url, "https://api.anthropic.com");
    assert_int_equal(p[1].apis, GS_PROVIDER_API_MESSAGES);
    assert_int_equal(p[1].key_source, GS_KEY_CLIENT);
    assert_int_equal(p[2].kind, GS_PROVIDER_OPENAI);
    assert_string_equal(p[2].url, "http://10.0.0.7:8000/v1");
    assert_int_equal(p[2].apis, GS_PROVIDER_API_MESSAGES | GS_PROVIDER_API_RESPONSES);
    assert_int_equal(p[2].key_source, GS_KEY_ENV);
    assert_string_equal(p[2].key, "GARAGE_KEY");
    assert_string_equal(p[2].proxy, "");
    assert_string_equal(p[2].ca_file, "/home/u/ca.pem");
    assert_int_equal(p[2].deadlines.total_ms, 3600000);
    assert_false(p[2].is_loopback);
    assert_int_equal(gs_config_trust(&p[2]), GS_PRIVACY_LOCAL_ONLY);
    assert_int_equal(gs_config_trust(&p[3]), GS_PRIVACY_REDACT);
    assert_int_equal(p[3].apis, GS_PROVIDER_API_CHAT);
    assert_string_equal(p[3].key, "/home/u/.router");
    assert_int_equal(p[4].key_source, GS_KEY_NONE);
    assert_true(p[4].is_loopback);
    assert_int_equal(gs_config_trust(&p[4]), GS_PRIVACY_LOCAL_ONLY);
    assert_string_equal(p[5].url, "http://127.0.0.1:11434");
    assert_string_equal(p[5].key, "pass show pond");
    assert_int_equal(p[5].key_source, GS_KEY_COMMAND);
}

static void test_everything(void **state)
{
    struct fixture f = {.env = {NULL}};

    (void)state;
    assert_int_equal(read_text(&f, everything), GS_OK);
    assert_int_equal(f.report.len, 0);
    assert_providers(&f.r);
    assert_int_equal(f.r.n_routes, 3);
    const struct gs_config_route *r = f.r.routes;
    assert_string_equal(r[0].match, "claude-*");
    assert_targets(&r[0], "1 2/qwen3.5-27b 3/anthropic/claude-x 0/qwen3.5-4b");
    assert_int_equal(r[0].policy, GS_POLICY_CLOUD_FIRST);
    assert_int_equal(r[0].on_break, GS_ON_BREAK_ERROR);
    assert_int_equal(r[0].privacy, GS_PRIVACY_REDACT);
    assert_int_equal(r[0].deadlines.connect_ms, 3000);
    assert_int_equal(r[0].deadlines.stall_ms, -1);
    assert_int_equal(r[0].deadlines.total_ms, 0);
    assert_int_equal(r[0].images, GS_CONDITION_NO);
    assert_int_equal(r[0].tools, GS_CONDITION_YES);
    assert_int_equal(r[0].battery, GS_CONDITION_NO);
    assert_int_equal(r[0].hot, GS_CONDITION_YES);
    assert_int_equal(r[0].prompt_over, 10);
    assert_int_equal(r[0].prompt_under, 100000);
    assert_int_equal(r[0].attempts, 3);
    assert_int_equal(r[0].patience_ms, 12000);
    assert_int_equal(r[0].hedge_ms, 2000);
    assert_int_equal(r[0].line, 3);
    assert_string_equal(r[1].match, "gpt-*|o1*");
    assert_targets(&r[1], "4");
    assert_string_equal(r[2].match, "*");
    assert_targets(&r[2], "0");
    assert_int_equal(f.r.n_budgets, 2);
    assert_int_equal(f.r.budgets[0].provider, 1);
    assert_int_equal(f.r.budgets[0].month_nanousd, 60000000000);
    assert_true(f.r.budgets[1].provider == SIZE_MAX);
    assert_int_equal(f.r.budgets[1].day_nanousd, 500000000);
    assert_int_equal(f.r.n_keys, 2);
    assert_string_equal(f.r.keys[0].name, "anna");
    assert_int_equal(f.r.keys[0].budget.day_nanousd, 2000000000);
    assert_int_equal(f.r.keys[0].budget.month_nanousd, 20000000000);
    assert_int_equal(f.r.keys[0].on_break, GS_ON_BREAK_ERROR);
    assert_ptr_equal(gs_config_find_key(&f.r, GS_SLICE_LIT("b.e-n_2")), &f.r.keys[1]);
    assert_int_equal(f.r.keys[1].on_break, GS_ON_BREAK_CONTINUE);
    assert_int_equal(f.r.keys[1].budget.day_nanousd, 0);
    assert_null(gs_config_find_key(&f.r, GS_SLICE_LIT("nobody")));
    assert_null(gs_config_find_key(&f.r, gs_slice(NULL, 0)));
    assert_int_equal(f.r.n_prices, 2);
    assert_int_equal(f.r.prices[0].in_nanousd, 5000);
    assert_int_equal(f.r.prices[0].cached_nanousd, 500);
    assert_int_equal(f.r.prices[0].cache_write_nanousd, 6250);
    assert_int_equal(f.r.prices[1].out_nanousd, 1);
    assert_int_equal(f.r.prices[1].cached_nanousd, 0);
    assert_int_equal(f.r.n_rules, 3);
    assert_int_equal(f.r.rules[1].find, GS_DETECT_EMAIL);
    assert_int_equal(f.r.rules[1].privacy, GS_PRIVACY_REDACT);
    assert_string_equal(f.r.rules[2].path, "**/.env");
    assert_int_equal(f.r.rules[2].find, GS_DETECT_NONE);
    clear(&f);
}

static void test_mistakes(void **state)
{
    (void)state;
    assert_wrong(
        "providers: {garage: {url: http://h/v1}}\n"
        "routes: [{match: x, targets: [garrage/y, local]}]\n",
        "f:2:31: error: there is no provider \"garrage\"\n"
        "    2 | routes: [{match: x, targets: [garrage/y, local]}]\n"
        "      |                               ^~~~~~~~~   hint: Did you mean \"garage\"?\n");
    assert_wrong("providers: {a: {kind: openai}}\n",
                 "f:1:13: error: provider \"a\" has no url\n"
                 "    1 | providers: {a: {kind: openai}}\n"
                 "      |             ^   hint: Write the base URL of its API, such as url: "
                 "http://10.0.0.7:8000/v1.\n");
    assert_wrong("providers: {local: {kind: openai}}\n",
                 "f:1:13: error: no provider can be called \"local\": that is this machine\n"
                 "    1 | providers: {local: {kind: openai}}\n"
                 "      |             ^~~~~\n");
    assert_wrong("providers:\n  a: http://h\n  a: http://h\n",
                 "f:3:3: error: provider \"a\" is given twice, first in line 2\n"
                 "    3 |   a: http://h\n"
                 "      |   ^\n");
    assert_wrong("providers: {a: ftp://h}\n",
                 "f:1:16: error: url: expected a URL such as http://10.0.0.7:8000/v1, found "
                 "\"ftp://h\"\n"
                 "    1 | providers: {a: ftp://h}\n"
                 "      |                ^~~~~~~   hint: URLs begin with http:// or https:// and "
                 "have no ? or #.\n");
    assert_wrong("routes: [{match: a}]\n",
                 "f:1:10: error: the route has no targets\n"
                 "    1 | routes: [{match: a}]\n"
                 "      |          ^   hint: Write targets: [PROVIDER, PROVIDER/MODEL, local].\n");
    assert_wrong("routes:\n  - {match: C*, targets: local}\n  - {match: [claude-*, c], targets: "
                 "local}\n",
                 "f:3:5: error: this route is never reached: the one in line 2 takes all its "
                 "models\n"
                 "    3 |   - {match: [claude-*, c], targets: local}\n"
                 "      |     ^   hint: The first route that fits counts: put narrow patterns "
                 "before wide ones.\n");
    assert_wrong(
        "routes: [{targets: [openai, local], targets: [anthropic, openai, local]}]\n",
        "f:1:37: error: key \"targets\" is given twice, first in line 1\n"
        "    1 | routes: [{targets: [openai, local], targets: [anthropic, openai, local]}]\n"
        "      |                                     ^~~~~~~\n");
    assert_wrong("routes: [{targets: [local, local], polcy: x, policy: fast}]\n",
                 "f:1:28: error: target \"local\" is given twice\n"
                 "    1 | routes: [{targets: [local, local], polcy: x, policy: fast}]\n"
                 "      |                            ^~~~~\n"
                 "f:1:36: error: unknown key \"polcy\"\n"
                 "    1 | routes: [{targets: [local, local], polcy: x, policy: fast}]\n"
                 "      |                                    ^~~~~   hint: Did you mean "
                 "\"policy\"?\n"
                 "f:1:54: error: policy: expected order, local-first, cloud-first, local-only, "
                 "cheapest, fastest or hedge, found \"fast\"\n"
                 "    1 | routes: [{targets: [local, local], polcy: x, policy: fast}]\n"
                 "      |                                                      ^~~~   hint: Did "
                 "you mean \"fastest\"?\n");
    assert_wrong("keys: {\"sk 1\": {on_break: error}, ben: {}, eva: {on_break: error},\n"
                 "  eva: {on_break: wait}, ida: {budget: {week: 1}}}\n",
                 "f:1:8: error: keys: expected the name of a key\n"
                 "  hint: A name stands behind its key in api_key_file, and is made of letters, "
                 "digits, '.', '_' and '-'.\n"
                 "f:1:35: error: key \"ben\" needs budget or on_break\n"
                 "    1 | keys: {\"sk 1\": {on_break: error}, ben: {}, eva: {on_break: error},\n"
                 "      |                                   ^~~   hint: Write what may be spent: "
                 "{budget: {day: 2 USD, month: 20 USD}}.\n"
                 "f:2:3: error: key \"eva\" is given twice, first in line 1\n"
                 "    2 |   eva: {on_break: wait}, ida: {budget: {week: 1}}}\n"
                 "      |   ^~~\n"
                 "f:2:19: error: on_break: expected continue or error, found \"wait\"\n"
                 "    2 |   eva: {on_break: wait}, ida: {budget: {week: 1}}}\n"
                 "      |                   ^~~~\n"
                 "f:2:41: error: unknown key \"week\"\n"
                 "    2 |   eva: {on_break: wait}, ida: {budget: {week: 1}}}\n"
                 "      |                                         ^~~~   hint: Known here: day, "
                 "month.\n");
    assert_wrong("budgets: {openai: {day: 5 EUR}, local: {day: 1}}\n"
                 "prices: {gpt-5: {in: 1, out: 2}, openai/x: {in: 1},\n"
                 "  openai/y: {in: .1, out: 0.0001}}\n",
                 "f:1:25: error: day: expected an amount such as 5 USD, found \"5 EUR\"\n"
                 "    1 | budgets: {openai: {day: 5 EUR}, local: {day: 1}}\n"
                 "      |                         ^~~~~   hint: Amounts are in US dollars: 5, 0.50 "
                 "or 5 USD.\n"
                 "f:1:33: error: this machine needs no budget\n"
                 "    1 | budgets: {openai: {day: 5 EUR}, local: {day: 1}}\n"
                 "      |                                 ^~~~~\n"
                 "f:2:10: error: prices: expected PROVIDER/MODEL, such as anthropic/claude-*, "
                 "found \"gpt-5\"\n"
                 "    2 | prices: {gpt-5: {in: 1, out: 2}, openai/x: {in: 1},\n"
                 "      |          ^~~~~\n"
                 "f:2:34: error: price \"openai/x\" needs in and out\n"
                 "    2 | prices: {gpt-5: {in: 1, out: 2}, openai/x: {in: 1},\n"
                 "      |                                  ^~~~~~~~   hint: Write what a million "
                 "tokens cost: {in: 3, out: 15}.\n"
                 "f:3:18: error: in: expected a price in USD for a million tokens, such as 0.25, "
                 "found \".1\"\n"
                 "    3 |   openai/y: {in: .1, out: 0.0001}}\n"
                 "      |                  ^~   hint: Prices are in US dollars, with three "
                 "decimals at most: 15, 0.25 or 0.075.\n"
                 "f:3:27: error: out: expected a price in USD for a million tokens, such as "
                 "0.25, found \"0.0001\"\n"
                 "    3 |   openai/y: {in: .1, out: 0.0001}}\n"
                 "      |                           ^~~~~~   hint: Prices are in US dollars, with "
                 "three decimals at most: 15, 0.25 or 0.075.\n");
}

static void test_secrets_are_not_shown(void **state)
{
    (void)state;
    assert_wrong("providers: {a: {url: http://h, key: sk-secret}}\n",
                 "f:1:37: error: key: expected client, none, env:NAME, file:PATH or "
                 "command:WORDS, found something else\n"
                 "  hint: A key does not stand in this file: put it into a variable and write "
                 "env:NAME, or into a file of its own and write file:PATH.\n");
    assert_wrong("providers: {a: {url: 'http://me:secret@h/'}}\n",
                 "f:1:22: error: url: a URL must not carry credentials\n"
                 "  hint: Write key: env:NAME or key: file:PATH beside it.\n");
}

static void test_lines_are_shown_without_keys(void **state)
{
    (void)state;
    assert_wrong(
        "providers: {a: {url: http://h, api_key: sk-ant-api03-0aB1cD2eF3gH4iJ5kL6mN7}}\n",
        "f:1:32: error: unknown key \"api_key\"\n"
        "    1 | providers: {a: {url: http://h, api_key: "
        "***********************************}}\n"
        "      |                                ^~~~~~~   hint: Known here: kind, url, key, "
        "apis, proxy, ca_file, trust, deadlines.\n");
    assert_wrong("routes: [{targets: sk-ant-api03-0aB1cD2eF3gH4iJ5kL6mN7}]\n",
                 "f:1:20: error: there is no provider what looks like a key\n"
                 "    1 | routes: [{targets: ***********************************}]\n"
                 "      |                    ^~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~   hint: Providers "
                 "are named in the section \"providers\".\n");
}

static void test_nobody_asks_itself(void **state)
{
    struct fixture f = {.env = {NULL}, .source.listen = "0.0.0.0:8484"};

    (void)state;
    assert_int_equal(read_text(&f, "providers: {me: {url: http://localhost:8484/v1}}\n"),
                     GS_ECONFIG);
    gs_buf_putc(&f.report, '\0');
    assert_string_equal(f.report.ptr,
                        "f:1:13: error: provider \"me\" is this very server\n"
                        "    1 | providers: {me: {url: http://localhost:8484/v1}}\n"
                        "      |             ^~   hint: This machine's own models are the provider "
                        "\"local\".\n");
    clear(&f);
    assert_int_equal(read_text(&f, "providers: {me: {url: http://localhost:8485/v1}}\n"), GS_OK);
    clear(&f);
}

static void test_doubts(void **state)
{
    struct fixture f = {.env = {NULL}};
    struct gs_buf b;

    (void)state;
    assert_int_equal(read_text(&f, "providers:\n"
                                   "  a: {url: http://h, key: env:A_KEY}\n"
                                   "  b: {url: http://h, key: file:/nonexistent, ca_file: /none}\n"
                                   "  c: {url: http://localhost}\n"
                                   "routes:\n"
                                   "  - {match: a*, targets: [a, c], policy: local-only}\n"
                                   "  - {match: b*, targets: b}\n"
                                   "budgets:\n"
                                   "  all: {day: 1}\n"
                                   "keys: {ben: {on_break: error}, anna: {budget: {day: 1}},\n"
                                   "  eva: {budget: {day: 1}}}\n"
                                   "prices:\n"
                                   "  b*/x: {in: 1, out: 2}\n"),
                     GS_OK);
    gs_buf_init(&b, GS_KIB);
    gs_config_write_doubts(&f.r, "f", get_env, &f, &b);
    gs_buf_putc(&b, '\0');
    assert_string_equal(
        b.ptr, "f:2: warning: provider \"a\" has no key: the variable A_KEY is not set\n"
               "f:3: warning: provider \"b\" has no key: the file \"/nonexistent\" cannot be read\n"
               "f:3: warning: provider \"b\": the file \"/none\" cannot be read\n"
               "f:6: warning: nothing leaves this machine by this route: \"a\" is never asked\n"
               "f:9: warning: a budget is kept for \"a\", but none of its models has a price\n"
               "f:10: warning: a budget is kept for \"a\", but none of its models has a price\n");
    gs_buf_clear(&b);
    clear(&f);
}

static void load_everything(struct gs_config *c, const char *file)
{
    const char *const argv[] = {"show", "--config", file};
    const struct gs_config_source source = {
        .command = GS_COMMAND_CONFIG, .argv = argv, .argc = GS_COUNT_OF(argv)};
    struct gs_buf report;

    gs_buf_init(&report, GS_MAX_CONFIG_BYTES);
    assert_int_equal(gs_config_load(c, &source, &report), GS_OK);
    gs_buf_clear(&report);
}

static void test_settings_read_back(void **state)
{
    struct gs_config c;
    struct gs_buf shown, again;
    char path[] = "/tmp/test_config_XXXXXX";
    struct gs_error err;

    (void)state;
    assert_true(mkstemp(path) >= 0);
    gs_buf_init(&shown, GS_MIB);
    gs_buf_init(&again, GS_MIB);
    assert_int_equal(gs_os_write_file(path, everything, strlen(everything), &err), GS_OK);
    load_everything(&c, path);
    gs_config_write_settings(&c, &shown);
    gs_config_clear(&c);
    assert_int_equal(gs_os_write_file(path, shown.ptr, shown.len, &err), GS_OK);
    load_everything(&c, path);
    gs_config_write_settings(&c, &again);
    gs_config_clear(&c);
    const struct gs_slice mark = GS_SLICE_LIT("providers:");
    const size_t at = gs_slice_find(gs_buf_view(&shown), mark, 0);
    const size_t at_again = gs_slice_find(gs_buf_view(&again), mark, 0);
    /* but that the default route comes from the file now */
    assert_true(at != SIZE_MAX && at_again != SIZE_MAX);
    assert_memory_equal(shown.ptr + at, again.ptr + at_again,
                        gs_slice_find(gs_buf_view(&shown), GS_SLICE_LIT("[\"local\"]"), at) - at);
    assert_true(gs_slice_find(gs_buf_view(&again),
                              GS_SLICE_LIT("garage/*\": {in: 0, cached: 0, cache_write: 0, out: "
                                           "0.001}  # file\nprivacy:\n  - {find: private-key"),
                              0) != SIZE_MAX);
    unlink(path);
    gs_buf_clear(&shown);
    gs_buf_clear(&again);
}

static void assert_route(struct fixture *f, size_t i, const char *match, const char *targets)
{
    assert_true(i < f->r.n_routes);
    assert_string_equal(f->r.routes[i].match, match);
    assert_targets(&f->r.routes[i], targets);
}

static void test_environment(void **state)
{
    struct fixture f = {.env = {"ANTHROPIC_API_KEY", "sk-ant-api03-0aB1cD2eF3gH4iJ5kL6mN7"}};

    (void)state;
    assert_int_equal(read_text(&f, ""), GS_OK);
    assert_int_equal(f.r.n_providers, 3);
    assert_string_equal(f.r.providers[1].name, "anthropic");
    assert_int_equal(f.r.providers[1].key_source, GS_KEY_ENV);
    assert_string_equal(f.r.providers[1].key, "ANTHROPIC_API_KEY");
    assert_string_equal(f.r.providers[2].url, "https://api.openai.com/v1");
    assert_int_equal(f.r.providers[2].apis, GS_PROVIDER_API_CHAT | GS_PROVIDER_API_RESPONSES);
    assert_int_equal(f.r.providers[2].key_source, GS_KEY_CLIENT);
    assert_int_equal(f.r.n_routes, 3);
    assert_route(&f, 0, "claude-*", "1 0");
    assert_route(&f, 1, "gpt-*|chatgpt-*|codex-*|o1*|o3*|o4*", "2 0");
    assert_route(&f, 2, "*", "0");
    clear(&f);

    f.env[1] = "local"; /* of genset launch */
    assert_int_equal(read_text(&f, "routes:\nproviders:\n"), GS_OK);
    assert_int_equal(f.r.providers[1].key_source, GS_KEY_CLIENT);
    clear(&f);
}

static void test_environment_with_urls(void **state)
{
    struct fixture f = {.env = {"ANTHROPIC_BASE_URL", "http://localhost:8484/", "OPENAI_BASE_URL",
                                "http://127.0.0.1:1234/v1/", "OPENAI_API_KEY", "lm-studio"},
                        .source.listen = "127.0.0.1:8484"};

    (void)state;
    assert_int_equal(read_text(&f, ""), GS_OK);
    assert_string_equal(f.r.providers[1].url, "https://api.anthropic.com");
    assert_string_equal(f.r.providers[2].url, "http://127.0.0.1:1234/v1");
    assert_int_equal(f.r.providers[2].key_source, GS_KEY_ENV);
    assert_int_equal(f.r.providers[2].apis, GS_PROVIDER_API_CHAT);
    assert_true(f.r.providers[2].is_loopback);
    clear(&f);

    f.source.is_hermit = true;
    assert_int_equal(read_text(&f, ""), GS_OK);
    assert_int_equal(f.r.n_providers, 2);
    assert_string_equal(f.r.providers[1].name, "openai");
    assert_int_equal(f.r.n_routes, 2);
    clear(&f);
    assert_int_equal(read_text(&f, everything), GS_OK);
    assert_targets(&f.r.routes[0], "0/qwen3.5-4b");
    assert_targets(&f.r.routes[1], "4");
    clear(&f);
}

static void test_routes_without_providers_and_back(void **state)
{
    struct fixture f = {.env = {NULL}};

    (void)state;
    assert_int_equal(read_text(&f, "routes: [{match: '*', targets: [openai/gpt-5, local]}]"),
                     GS_OK);
    assert_int_equal(f.r.n_routes, 1);
    assert_targets(&f.r.routes[0], "2/gpt-5 0");
    clear(&f);
    assert_int_equal(read_text(&f, "providers: {a: http://h, b: {kind: anthropic}, c: {kind: "
                                   "anthropic, url: 'http://h'}}"),
                     GS_OK);
    assert_int_equal(f.r.n_routes, 2);
    assert_route(&f, 0, "claude-*", "2 3 0");
    assert_route(&f, 1, "*", "0");
    clear(&f);
    assert_int_equal(read_text(&f, "providers: {mine: https://api.anthropic.com}"), GS_OK);
    assert_int_equal(f.r.providers[1].kind, GS_PROVIDER_ANTHROPIC);
    assert_int_equal(f.r.providers[1].apis, GS_PROVIDER_API_MESSAGES);
    clear(&f);
}

static void test_patterns(void **state)
{
    (void)state;
    assert_true(gs_config_match("*", gs_slice_str("")));
    assert_true(gs_config_match("Claude-*", gs_slice_str("claude-opus-4-5")));
    assert_true(gs_config_match("a*b*c", gs_slice_str("aXbXbXc")));
    assert_true(gs_config_match("gpt-*|o1*", gs_slice_str("o1-mini")));
    assert_false(gs_config_match("gpt-*|o1*", gs_slice_str("xo1")));
    assert_false(gs_config_match("a*b", gs_slice_str("abc")));
    assert_false(gs_config_match("", gs_slice_str("a")));
}

static bool is_real(const char *key)
{
    return gs_config_is_real_key(gs_slice_str(key));
}

#define ANTHROPIC_KEY "sk-ant-api03-0aB1cD2eF3gH4iJ5kL6mN7oP8qR9"
#define OPENAI_KEY    "sk-proj-0aB1cD2eF3gH4iJ5kL6mN7oP8qR9"
#define TOKEN         "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ1c2VyIn0.c2lnbmF0dXJl0123"

static void test_keys(void **state)
{
    static const char *const words[] = {
        "",
        "local",
        "ollama",
        "none",
        "lm-studio",
        "sk-no-key-required",
        "sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "sk-your-openai-api-key-goes-here",
        "Bearer local",
        "Bearer ",
        "00000000000000000000000000000000",
        "sk-ant-api03-0aB1cD2eF3gH4iJ5kL 6mN7",
        "12345678901234567890123456789012",
    };
    const struct gs_config_provider anthropic = {.url = "https://api.anthropic.com"};
    const struct gs_config_provider openai = {.url = "https://API.openai.com/v1"};
    const struct gs_config_provider other = {.url = "http://10.0.0.7:4000"};

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(words); i++)
        if (is_real(words[i]))
            fail_msg("\"%s\" is taken for a key", words[i]);
    assert_true(is_real(ANTHROPIC_KEY));
    assert_true(is_real("Bearer sk-ant-oat01-0aB1cD2eF3gH4iJ5kL6mN7oP8qR9"));
    assert_true(is_real(OPENAI_KEY));
    assert_true(is_real("bearer " TOKEN));
    assert_true(is_real("0f1e2d3c4b5a69788796a5b4c3d2e1f0"));
    assert_true(gs_config_takes_client_key(&anthropic, gs_slice_str(ANTHROPIC_KEY)));
    assert_false(gs_config_takes_client_key(&anthropic, gs_slice_str(OPENAI_KEY)));
    assert_true(gs_config_takes_client_key(&openai, gs_slice_str("Bearer " OPENAI_KEY)));
    assert_true(gs_config_takes_client_key(&openai, gs_slice_str(TOKEN)));
    assert_false(gs_config_takes_client_key(&openai, gs_slice_str(ANTHROPIC_KEY)));
    assert_true(gs_config_takes_client_key(&other, gs_slice_str(ANTHROPIC_KEY)));
    assert_false(gs_config_takes_client_key(&other, gs_slice_str("sk-1234")));
}

static struct gs_config_provider provider_at(const char *url)
{
    struct fixture f = {.env = {NULL}};
    struct gs_buf text;

    gs_buf_init(&text, GS_KIB);
    gs_buf_printf(&text, "providers: {a: {url: \"%s\"}}", url);
    gs_buf_putc(&text, '\0');
    assert_int_equal(read_text(&f, text.ptr), GS_OK);
    const struct gs_config_provider p = f.r.providers[1];
    clear(&f);
    gs_buf_clear(&text);
    return p;
}

static bool is_loopback(const char *url)
{
    return provider_at(url).is_loopback;
}

static bool is_near(const char *url)
{
    return provider_at(url).is_near;
}

static void test_loopback(void **state)
{
    (void)state;
    assert_true(is_loopback("http://localhost:1"));
    assert_true(is_loopback("https://LocalHost/v1"));
    assert_true(is_loopback("http://127.8.0.1"));
    assert_true(is_loopback("http://[::1]:8000/v1"));
    assert_false(is_loopback("http://127.0.0.1.example.com"));
    assert_false(is_loopback("http://localhost.example.com"));
    assert_false(is_loopback("http://128.0.0.1"));
    assert_false(is_loopback("http://[::2]"));
}

static void test_near(void **state)
{
    static const char *const near[] = {
        "http://localhost:1", "http://10.0.0.7:8000/v1", "http://172.31.0.1",  "http://192.168.1.1",
        "http://100.64.0.9",  "http://169.254.1.1",      "http://garage:8000", "http://box.LAN/v1",
        "http://[fd00::1]",   "http://[FE80::1]:80",     "http://a.home.arpa",
    };
    static const char *const far[] = {
        "https://api.anthropic.com", "http://172.32.0.1",      "http://192.169.1.1",
        "http://100.128.0.1",        "http://8.8.8.8",         "http://[2606:4700::1]",
        "http://10.0.0.7.example",   "http://lan.example.com", "http://fd.example",
    };

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(near); i++)
        assert_true(is_near(near[i]));
    for (size_t i = 0; i < GS_COUNT_OF(far); i++)
        assert_false(is_near(far[i]));
}

static void test_own_keys(void **state)
{
    struct fixture f = {.env = {"A_KEY", "secret-a\n"}};

    (void)state;
    assert_int_equal(read_text(&f,
                               "providers:\n"
                               "  a: {url: http://h, key: env:A_KEY}\n"
                               "  b: {url: http://h, key: env:B_KEY}\n"
                               "  c: {url: http://h, key: \"command:printf ' secret-c \\nx'\"}\n"
                               "  d: {url: http://h, key: command:false}\n"
                               "  e: {url: http://h, key: file:/nonexistent/key}\n"
                               "  f: {url: http://h, key: file:/dev/null}\n"
                               "  g: {url: http://h, key: client}\n"),
                     GS_OK);
    assert_int_equal(gs_config_load_keys(&f.r, get_env, &f, &f.a, &f.report), GS_OK);
    assert_string_equal(f.r.providers[1].secret, "secret-a");
    assert_null(f.r.providers[2].secret);
    assert_string_equal(f.r.providers[3].secret, "secret-c");
    for (size_t i = 4; i < 8; i++)
        assert_null(f.r.providers[i].secret);
    gs_buf_putc(&f.report, '\0');
    assert_string_equal(
        f.report.ptr,
        "provider \"b\" has no key: environment variable B_KEY is not set\n"
        "provider \"d\" has no key: the command failed with status 1\n"
        "provider \"e\" has no key: could not open file \"/nonexistent/key\": No such file or "
        "directory\n"
        "provider \"f\" has no key: there is no key in the first line\n");
    clear(&f);
}

static void test_out_of_memory_is_a_status(void **state)
{
    struct fixture f = {.env = {NULL}};

    (void)state;
    for (long n = 1; n < 400; n++) {
        gs_alloc_fail_at(n);
        const enum gs_status st = read_text(&f, everything);
        const bool was_reached = gs_alloc_count() >= n;
        gs_alloc_fail_at(0);
        clear(&f);
        if (!was_reached) {
            assert_int_equal(st, GS_OK);
            return;
        }
        assert_int_equal(st, GS_ENOMEM);
    }
    fail();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_secrets_are_not_shown),
        cmocka_unit_test(test_lines_are_shown_without_keys),
        cmocka_unit_test(test_nobody_asks_itself),
        cmocka_unit_test(test_doubts),
        cmocka_unit_test(test_settings_read_back),
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_environment_with_urls),
        cmocka_unit_test(test_routes_without_providers_and_back),
        cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_loopback),
        cmocka_unit_test(test_near),
        cmocka_unit_test(test_own_keys),
        cmocka_unit_test(test_out_of_memory_is_a_status),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
