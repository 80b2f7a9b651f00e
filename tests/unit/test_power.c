/* Battery and heat as the kernel tells of them, from trees of files like those of real machines and
 * of none, and what is made of them. */
#define _XOPEN_SOURCE 700 /* mkdtemp, mkfifo, symlink */
#include "cmocka_headers.h"

#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/os.h"
#include "config/routes.h"
#include "switch/power.h"
#include "tree_test.h"

#define SUPPLY "/class/power_supply/"
#define COOLER "/class/thermal/cooling_device"
#define CPU    "/devices/system/cpu/cpu"
#define S      ((int64_t)1000000)

static struct gs_os_power look(void)
{
    struct gs_os_power p;

    gs_os_power_read(root, &p);
    return p;
}

/* ---- reading ---- */

static void a_laptop(void **state)
{
    (void)state;
    put(SUPPLY "AC/type", "Mains\n");
    put(SUPPLY "AC/online", "1\n");
    put(SUPPLY "BAT0/type", "Battery\n");
    put(SUPPLY "BAT0/status", "Charging\n");
    assert_false(look().on_battery);
    put(SUPPLY "AC/online", "0\n");
    put(SUPPLY "BAT0/status", "Discharging\n");
    assert_true(look().on_battery);
    put(SUPPLY "BAT0/status", "Not charging\n");
    assert_false(look().on_battery);
    put(SUPPLY "BAT1/type", "Battery\n");
    put(SUPPLY "BAT1/status", "Discharging\n");
    assert_true(look().on_battery);
    put(SUPPLY "ucsi-source-psy-1/type", "USB\n");
    put(SUPPLY "ucsi-source-psy-1/online", "2\n");
    assert_false(look().on_battery);
}

static void batteries_of_others(void **state)
{
    (void)state;
    assert_false(look().on_battery);
    put(SUPPLY "hidpp_battery_0/type", "Battery\n");
    put(SUPPLY "hidpp_battery_0/status", "Discharging\n");
    put(SUPPLY "hidpp_battery_0/scope", "Device\n");
    assert_false(look().on_battery);
    put(SUPPLY "ups/type", "UPS\n");
    put(SUPPLY "ups/status", "Discharging\n");
    assert_true(look().on_battery);
}

static void what_holds_a_processor_back(void **state)
{
    static const char *const types[] = {"Processor", "intel_powerclamp", "thermal-cpufreq-0",
                                        "cpufreq-cpu4", "cpuidle-0"};
    (void)state;

    put(COOLER "0/type", "Fan\n");
    put(COOLER "0/cur_state", "3\n");
    put("/class/thermal/thermal_zone0/temp", "99000\n");
    assert_false(look().is_cooled);
    for (size_t i = 0; i < GS_COUNT_OF(types); i++) {
        put(COOLER "1/type", types[i]);
        put(COOLER "1/cur_state", "1\n");
        assert_true(look().is_cooled);
        put(COOLER "1/cur_state", i % 2 ? "-1\n" : "0\n");
        assert_false(look().is_cooled);
    }
    put(CPU "0/thermal_throttle/core_throttle_count", "12\n");
    put(CPU "0/thermal_throttle/package_throttle_count", "30\n");
    put(CPU "1/thermal_throttle/core_throttle_count", "5\n");
    assert_int_equal(look().n_throttled, 47);
}

/* What makes no sense is not so, and nothing waits for it. */
static void hostile_trees(void **state)
{
    static const char *const texts[] = {
        "", "\n", "-1", "99999999999999999999999", "Mains", "Discharging", "\xff\xfe", "0x1"};
    static char much[100000];
    char full[512];
    (void)state;

    memset(much, 'D', sizeof(much) - 1);
    for (size_t i = 0; i <= GS_COUNT_OF(texts); i++) {
        const char *text = i < GS_COUNT_OF(texts) ? texts[i] : much;
        put(SUPPLY "B/type", text);
        put(SUPPLY "B/status", "Discharging");
        put(COOLER "0/type", text);
        put(COOLER "0/cur_state", text);
        put(CPU "0/thermal_throttle/core_throttle_count", text);
        put(CPU "1/thermal_throttle/core_throttle_count", text);
        const struct gs_os_power p = look();
        assert_false(p.on_battery || p.is_cooled);
        assert_true(p.n_throttled >= 0);
    }
    put(SUPPLY "C/type", "Battery");
    make_place(SUPPLY "C/status", full);
    assert_int_equal(mkfifo(full, 0600), 0);
    make_place(SUPPLY "D/type", full);
    assert_int_equal(symlink(full, full), 0); /* itself */
    make_place(SUPPLY "E/type/x", full);
    put(SUPPLY "file", "no folder");
    assert_false(look().on_battery);
    for (int i = 0; i < 300; i++) {
        char path[64];
        snprintf(path, sizeof(path), SUPPLY "many%d", i);
        put(path, "");
    }
    assert_false(look().on_battery);
    struct gs_os_power p;
    gs_os_power_read("/no/such/folder", &p);
    assert_false(p.on_battery || p.is_cooled || p.n_throttled);
    gs_os_power_read(much, &p);
    assert_false(p.on_battery);
}

/* ---- what is made of it ---- */

static void heat_lasts_a_minute(void **state)
{
    struct gs_switch_power_view v = {0};
    struct gs_os_power read = {.n_throttled = 7};
    (void)state;

    assert_int_equal(gs_switch_power_judge(&v, &read, 100 * S),
                     GS_POWER_KNOWN); /* it was long ago */
    read.n_throttled = 8;
    assert_int_equal(gs_switch_power_judge(&v, &read, 105 * S), GS_POWER_KNOWN | GS_POWER_HOT);
    assert_int_equal(gs_switch_power_judge(&v, &read, 164 * S), GS_POWER_KNOWN | GS_POWER_HOT);
    assert_int_equal(gs_switch_power_judge(&v, &read, 165 * S), GS_POWER_KNOWN);
    read.is_cooled = read.on_battery = true;
    assert_int_equal(gs_switch_power_judge(&v, &read, 170 * S),
                     GS_POWER_KNOWN | GS_POWER_HOT | GS_POWER_BATTERY);
    read.is_cooled = false;
    assert_int_equal(gs_switch_power_judge(&v, &read, 300 * S), GS_POWER_KNOWN | GS_POWER_BATTERY);
    v = (struct gs_switch_power_view){0};
    read.is_cooled = true;
    assert_true(gs_switch_power_judge(&v, &read, S) & GS_POWER_HOT);
    assert_string_equal(gs_switch_power_word(GS_POWER_KNOWN), "");
    assert_string_equal(gs_switch_power_word(GS_POWER_HOT | GS_POWER_BATTERY), "on battery, hot");
}

static void routes_ask_for_it(void **state)
{
    struct gs_config_route list[2] = {{.match = "*"}, {.match = "*"}};
    const struct gs_config_routes routes = {.routes = list, .n_routes = 2};
    (void)state;

    assert_int_equal(gs_switch_power_asked(&routes), 0);
    list[1].battery = GS_CONDITION_NO;
    assert_int_equal(gs_switch_power_asked(&routes), GS_POWER_BATTERY);
    list[0].hot = GS_CONDITION_YES;
    assert_int_equal(gs_switch_power_asked(&routes), GS_POWER_BATTERY | GS_POWER_HOT);
}

static void a_thread_reads(void **state)
{
    struct gs_switch_power *p = NULL;
    (void)state;

    put(SUPPLY "BAT0/type", "Battery\n");
    put(SUPPLY "BAT0/status", "Discharging\n");
    assert_int_equal(gs_switch_power_state(NULL), 0);
    assert_int_equal(gs_switch_power_start(root, &p, NULL), GS_OK);
    while (!gs_switch_power_state(p))
        sched_yield();
    assert_int_equal(gs_switch_power_state(p), GS_POWER_KNOWN | GS_POWER_BATTERY);
    gs_switch_power_stop(p);
    assert_int_equal(gs_switch_power_start(root, &p, NULL), GS_OK);
    gs_switch_power_stop(p); /* at any moment */
    gs_switch_power_stop(NULL);
}

int main(void)
{
#define TREE_TEST(f) cmocka_unit_test_setup_teardown(f, make_root, remove_root)
    const struct CMUnitTest tests[] = {
        TREE_TEST(a_laptop),
        TREE_TEST(batteries_of_others),
        TREE_TEST(what_holds_a_processor_back),
        TREE_TEST(hostile_trees),
        cmocka_unit_test(heat_lasts_a_minute),
        cmocka_unit_test(routes_ask_for_it),
        TREE_TEST(a_thread_reads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
