/* genset-bench-gateway: what a gateway costs that stands between clients and a provider.
 *
 *     genset-bench-gateway mock                the provider (bench_mock.h)
 *     genset-bench-gateway load [OPTION...]    the clients (bench_load.h)
 *     genset-bench-gateway floor PORT          a gateway that does nothing (bench_floor.h) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_floor.h"
#include "bench_load.h"
#include "bench_mock.h"

static int usage(void)
{
    fputs("usage: genset-bench-gateway mock\n"
          "       genset-bench-gateway floor PORT\n"
          "       genset-bench-gateway load --port N [--path /v1/chat/completions] [--model mock]\n"
          "           [--headers LINES] [--clients 1] [--prompt BYTES] [--pause US]\n"
          "           [--warm 0.3] [--seconds 2] [--stream] [--never-read]\n",
          stderr);
    return 2;
}

static int load(int argc, char **argv)
{
    struct gs_bench_load l = {.path = "/v1/chat/completions",
                              .model = "mock",
                              .headers = "",
                              .n_clients = 1,
                              .warm_s = 0.3,
                              .seconds = 2};

    for (int i = 0; i < argc; i++) {
        const char *const value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--stream") == 0) {
            l.is_streamed = true;
            continue;
        }
        if (strcmp(argv[i], "--never-read") == 0) {
            l.never_reads = true;
            continue;
        }
        if (strcmp(argv[i], "--port") == 0)
            l.port = (int)strtol(value, NULL, 10);
        else if (strcmp(argv[i], "--path") == 0)
            l.path = value;
        else if (strcmp(argv[i], "--model") == 0)
            l.model = value;
        else if (strcmp(argv[i], "--headers") == 0)
            l.headers = value;
        else if (strcmp(argv[i], "--clients") == 0)
            l.n_clients = strtol(value, NULL, 10);
        else if (strcmp(argv[i], "--prompt") == 0)
            l.prompt_bytes = strtol(value, NULL, 10);
        else if (strcmp(argv[i], "--pause") == 0)
            l.pause_us = strtol(value, NULL, 10);
        else if (strcmp(argv[i], "--warm") == 0)
            l.warm_s = strtod(value, NULL);
        else if (strcmp(argv[i], "--seconds") == 0)
            l.seconds = strtod(value, NULL);
        else
            return usage();
        i++;
    }
    const bool is_whole = l.port > 0 && l.n_clients > 0 && l.seconds > 0;
    return is_whole && (l.n_clients == 1 || !l.pause_us) ? gs_bench_load_run(&l) : usage();
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "mock") == 0)
        return gs_bench_mock();
    if (argc == 3 && strcmp(argv[1], "floor") == 0)
        return gs_bench_floor((int)strtol(argv[2], NULL, 10));
    if (argc > 2 && strcmp(argv[1], "load") == 0)
        return load(argc - 2, argv + 2);
    return usage();
}
