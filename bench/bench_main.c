/* genset-bench-model SHAPE TYPE OUT.gguf [SEED] */
#include <stdio.h>

#include "base/slice.h"
#include "bench_model.h"

static int usage(void)
{
    fprintf(stderr, "usage: genset-bench-model SHAPE TYPE OUT.gguf [SEED]\nshapes:");
    for (unsigned i = 0; gs_bench_shape_at(i); i++)
        fprintf(stderr, " %s", gs_bench_shape_at(i)->name);
    fprintf(stderr, "\ntypes:");
    for (unsigned i = 0; gs_bench_mix_at(i); i++)
        fprintf(stderr, " %s", gs_bench_mix_at(i)->name);
    fprintf(stderr, "\n");
    return 2;
}

int main(int argc, char **argv)
{
    int64_t seed = 1;
    struct gs_error err = {0};

    if (argc < 4 || argc > 5)
        return usage();
    const struct gs_bench_shape *shape = gs_bench_shape_find(argv[1]);
    const struct gs_bench_mix *mix = gs_bench_mix_find(argv[2]);
    if (!shape || !mix || (argc == 5 && !gs_slice_to_i64(gs_slice_str(argv[4]), &seed)))
        return usage();
    if (gs_bench_model_write(shape, mix, (uint64_t)seed, argv[3], &err) != GS_OK) {
        fprintf(stderr, "genset-bench-model: %s\n", err.msg);
        return 1;
    }
    return 0;
}
