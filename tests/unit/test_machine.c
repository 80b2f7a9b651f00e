/* What Linux tells about the machine, from trees of files like those of real ones. */
#include "cmocka_headers.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/limits.h"
#include "base/os.h"
#include "base/os_linux_machine.h"
#include "tree_test.h"

#define CPU   "/sys/devices/system/cpu/cpu"
#define GROUP "/sys/fs/cgroup"

static const bool all[64] = {
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
};

static void put_cpu(int cpu, const char *file, const char *text)
{
    char path[256];

    snprintf(path, sizeof(path), CPU "%d/%s", cpu, file);
    put(path, text);
}

static int cores(size_t n)
{
    return gs_os_machine_cores(root, all, n);
}

/* ---- processors ---- */

static void a_bare_machine_has_its_processors(void **state)
{
    (void)state;
    assert_int_equal(cores(4), 4);
    assert_int_equal(cores(0), 1);
    assert_int_equal(gs_os_machine_cores("/no/such/folder", all, 3), 3);
}

static void hardware_threads_of_a_core_count_once(void **state)
{
    bool second[8] = {0, 0, 0, 0, 1, 1, 1, 1};
    (void)state;

    for (int i = 0; i < 8; i++) {
        char list[16];
        snprintf(list, sizeof(list), "%d,%d\n", i % 4, i % 4 + 4);
        put_cpu(i, "topology/thread_siblings_list", list);
    }
    assert_int_equal(cores(8), 4);
    assert_int_equal(gs_os_machine_cores(root, second, 8), 4);
    second[1] = true; /* with its sibling 5 */
    assert_int_equal(gs_os_machine_cores(root, second, 8), 4);
    put_cpu(1, "topology/thread_siblings_list", "0-1\n");
    put_cpu(5, "topology/thread_siblings_list", "nonsense");
    assert_int_equal(gs_os_machine_cores(root, second, 8), 5);
}

/* 2 performance cores of two threads, 4 efficient ones. */
static void put_intel_hybrid(void)
{
    for (int i = 0; i < 8; i++) {
        char list[16];
        snprintf(list, sizeof(list), i < 4 ? "%d-%d\n" : "%d\n", i < 4 ? i / 2 * 2 : i,
                 i / 2 * 2 + 1);
        put_cpu(i, "topology/thread_siblings_list", list);
    }
    put("/sys/devices/cpu_core/cpus", "0-3\n");
    put("/sys/devices/cpu_atom/cpus", "4-7\n");
}

static void performance_cores_go_before_efficient_ones(void **state)
{
    const bool slow[8] = {0, 0, 0, 0, 1, 1, 1, 1};
    (void)state;

    put_intel_hybrid();
    assert_int_equal(cores(8), 2);
    assert_int_equal(gs_os_machine_cores(root, slow, 8), 4); /* there is nothing else */
}

static void small_cores_do_not_count(void **state)
{
    static const char *const capacity[] = {"160", "160", "160", "160", "498", "498", "1024"};
    static const char *const mid[] = {"290", "290", "290", "290", "760", "760", "1024"};
    (void)state;

    for (int i = 0; i < 7; i++)
        put_cpu(i, "cpu_capacity", capacity[i]);
    assert_int_equal(cores(7), 1);
    for (int i = 0; i < 7; i++)
        put_cpu(i, "cpu_capacity", mid[i]);
    assert_int_equal(cores(7), 3);
    put_cpu(6, "cpu_capacity", "");
    assert_int_equal(cores(7), 3); /* unknown is not slow */
}

static void low_frequency_is_a_small_core(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) /* favoured cores, others, dense ones */
        put_cpu(i, "cpufreq/cpuinfo_max_freq", i < 2 ? "5800000\n" : i < 4 ? "5400000" : "3300000");
    assert_int_equal(cores(8), 4);
}

/* ---- quotas ---- */

static void quotas_cap_cores(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "0::/user.slice/app\n");
    put(GROUP "/user.slice/app/cpu.max", "max 100000\n");
    assert_int_equal(cores(16), 16);
    put(GROUP "/user.slice/app/cpu.max", "250000 100000\n");
    assert_int_equal(cores(16), 3);
    put(GROUP "/user.slice/cpu.max", "200000 100000\n"); /* a parent's is tighter */
    assert_int_equal(cores(16), 2);
    put(GROUP "/user.slice/app/cpu.max", "50000 100000\n");
    assert_int_equal(cores(16), 1);
    put(GROUP "/user.slice/app/cpu.max", "50000\n");
    put(GROUP "/user.slice/cpu.max", "200000 0\n");
    assert_int_equal(cores(16), 16);
}

static void quotas_of_a_container_are_at_the_root(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "0::/\n");
    put(GROUP "/cpu.max", "400000 100000\n");
    assert_int_equal(cores(16), 4);
    put("/proc/self/cgroup", "0::/../../elsewhere\n");
    assert_int_equal(cores(16), 4);
}

static void quotas_of_version_1_count(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "12:pids:/x\n5:cpu,cpuacct:/docker/abc\n4:cpuset:/\n0::/\n");
    put(GROUP "/cpu/cpu.cfs_quota_us", "300000\n"); /* the container's own is the root */
    put(GROUP "/cpu/cpu.cfs_period_us", "100000\n");
    assert_int_equal(cores(16), 3);
    put(GROUP "/cpu/docker/abc/cpu.cfs_quota_us", "-1\n");
    put(GROUP "/cpu/docker/abc/cpu.cfs_period_us", "100000\n");
    assert_int_equal(cores(16), 3);
    put(GROUP "/cpu/docker/cpu.cfs_quota_us", "110000\n");
    put(GROUP "/cpu/docker/cpu.cfs_period_us", "100000\n");
    assert_int_equal(cores(16), 2);
}

static void strange_cgroup_files_limit_nothing(void **state)
{
    static const char *const files[] = {
        "", "\n", "::", "0:", "cpu", "3:cpu", "3:cpu:", "x\n:::\n", "3:cpuset,cpuacct:/\n"};
    (void)state;

    put(GROUP "/cpu/cpu.cfs_quota_us", "100000");
    put(GROUP "/cpu.max", "\n");
    for (size_t i = 0; i < GS_COUNT_OF(files); i++) {
        put("/proc/self/cgroup", files[i]);
        assert_int_equal(cores(2), 2);
        assert_int_equal(gs_os_machine_memory_total(root), -1);
    }
}

/* ---- memory ---- */

static void memory_is_the_machines(void **state)
{
    (void)state;
    assert_int_equal(gs_os_machine_memory_total(root), -1);
    put("/proc/meminfo", "MemTotal:       16000 kB\nMemFree: 5 kB\nMemAvailable:   9000 kB\n");
    assert_int_equal(gs_os_machine_memory_total(root), 16000 * 1024);
    assert_int_equal(gs_os_machine_memory_available(root), 9000 * 1024);
}

static void cgroups_limit_memory(void **state)
{
    (void)state;
    put("/proc/meminfo", "MemTotal: 16000 kB\nMemAvailable: 9000 kB\n");
    put("/proc/self/cgroup", "0::/a/b\n");
    put(GROUP "/a/b/memory.max", "max\n");
    put(GROUP "/a/b/memory.current", "4096000\n");
    put(GROUP "/a/memory.max", "8192000\n");
    put(GROUP "/a/memory.current", "5120000\n");
    assert_int_equal(gs_os_machine_memory_total(root), 8192000);
    assert_int_equal(gs_os_machine_memory_available(root), 8192000 - 5120000);
    put(GROUP "/a/memory.stat", "anon 100\ninactive_file 1000000\nactive_file 120000\n");
    assert_int_equal(gs_os_machine_memory_available(root), 8192000 - 4000000);
    put(GROUP "/a/memory.current", "9999999\n");
    put(GROUP "/a/memory.stat", "");
    assert_int_equal(gs_os_machine_memory_available(root), 0);
}

static void cgroups_of_version_1_limit_memory(void **state)
{
    (void)state;
    put("/proc/meminfo", "MemTotal: 16000 kB\nMemAvailable: 9000 kB\n");
    put("/proc/self/cgroup", "4:memory:/not/here\n0::/\n");
    put(GROUP "/memory/memory.limit_in_bytes", "9223372036854771712\n");
    put(GROUP "/memory/memory.usage_in_bytes", "5000000\n");
    assert_int_equal(gs_os_machine_memory_total(root), 16000 * 1024);
    assert_int_equal(gs_os_machine_memory_available(root), 9000 * 1024);
    put(GROUP "/memory/memory.limit_in_bytes", "6000000\n");
    put(GROUP "/memory/memory.stat", "inactive_file 1\ntotal_inactive_file 500000\n");
    assert_int_equal(gs_os_machine_memory_total(root), 6000000);
    assert_int_equal(gs_os_machine_memory_available(root), 1500000);
}

static void nodes_with_memory_are_counted(void **state)
{
    bool nodes[8] = {0};
    (void)state;

    assert_int_equal(gs_os_machine_nodes(root, nodes, 8), 0);
    put("/sys/devices/system/node/has_memory", "0,2-3\n");
    assert_int_equal(gs_os_machine_nodes(root, nodes, 8), 3);
    assert_true(nodes[0] && !nodes[1] && nodes[2] && nodes[3] && !nodes[4]);
}

int main(void)
{
#define TREE_TEST(f) cmocka_unit_test_setup_teardown(f, make_root, remove_root)
    const struct CMUnitTest tests[] = {
        TREE_TEST(a_bare_machine_has_its_processors),
        TREE_TEST(hardware_threads_of_a_core_count_once),
        TREE_TEST(performance_cores_go_before_efficient_ones),
        TREE_TEST(small_cores_do_not_count),
        TREE_TEST(low_frequency_is_a_small_core),
        TREE_TEST(quotas_cap_cores),
        TREE_TEST(quotas_of_a_container_are_at_the_root),
        TREE_TEST(quotas_of_version_1_count),
        TREE_TEST(strange_cgroup_files_limit_nothing),
        TREE_TEST(memory_is_the_machines),
        TREE_TEST(cgroups_limit_memory),
        TREE_TEST(cgroups_of_version_1_limit_memory),
        TREE_TEST(nodes_with_memory_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
