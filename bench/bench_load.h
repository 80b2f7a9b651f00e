/* Clients of a gateway or provider: each sends its next request when the last was answered. */
#ifndef GS_BENCH_LOAD_H
#define GS_BENCH_LOAD_H

#include <stdbool.h>
#include <stdint.h>

struct gs_bench_load {
    int port;
    const char *path, *model, *headers; /* headers: whole lines, "Name: value\r\n" each */
    long n_clients, prompt_bytes;
    long pause_us;          /* of one client, after each answer */
    double warm_s, seconds; /* what ends in the first is not counted */
    bool is_streamed;
    bool never_reads;
};

/* Prints what came of it, as a line of JSON. Returns the exit status. */
int gs_bench_load_run(const struct gs_bench_load *load);

#endif
