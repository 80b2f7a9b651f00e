/* genset-bench-roofline [--json]: what this machine can do at most, with one thread and with one
 * for every core: read memory, multiply and accumulate 8-bit integers and 32-bit floats. */
#include <stdio.h>
#include <string.h>

#include "base/os.h"
#include "bench_peak.h"

static void print_json(int n)
{
    printf("{\"threads\":%d,\"read_bytes_per_s\":[%.4g,%.4g],\"macs_per_s\":{", n,
           gs_bench_peak_read(1), gs_bench_peak_read(n));
    for (unsigned i = 0; gs_bench_peak_isa(i); i++) {
        const char *isa = gs_bench_peak_isa(i);
        printf("%s\"%s\":{\"int8\":[%.4g,%.4g],\"f32\":[%.4g,%.4g]}", i ? "," : "", isa,
               gs_bench_peak_macs(isa, GS_BENCH_INT8, 1), gs_bench_peak_macs(isa, GS_BENCH_INT8, n),
               gs_bench_peak_macs(isa, GS_BENCH_F32, 1), gs_bench_peak_macs(isa, GS_BENCH_F32, n));
    }
    printf("}}\n");
}

static void print_table(int n)
{
    printf("%-28s %10s %7d threads\n", "", "1 thread", n);
    printf("%-28s %10.1f %10.1f GB/s\n", "read memory", gs_bench_peak_read(1) * 1e-9,
           gs_bench_peak_read(n) * 1e-9);
    for (unsigned i = 0; gs_bench_peak_isa(i); i++) {
        const char *isa = gs_bench_peak_isa(i);
        printf("multiply int8, %-13s %10.1f %10.1f GMAC/s\n", isa,
               gs_bench_peak_macs(isa, GS_BENCH_INT8, 1) * 1e-9,
               gs_bench_peak_macs(isa, GS_BENCH_INT8, n) * 1e-9);
        printf("multiply f32, %-14s %10.1f %10.1f GMAC/s\n", isa,
               gs_bench_peak_macs(isa, GS_BENCH_F32, 1) * 1e-9,
               gs_bench_peak_macs(isa, GS_BENCH_F32, n) * 1e-9);
    }
}

int main(int argc, char **argv)
{
    const int n = gs_os_core_count();

    if (argc > 2 || (argc == 2 && strcmp(argv[1], "--json") != 0)) {
        fprintf(stderr, "usage: genset-bench-roofline [--json]\n");
        return 2;
    }
    if (argc == 2)
        print_json(n);
    else
        print_table(n);
    return 0;
}
