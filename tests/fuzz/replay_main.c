/* Replays a fuzz corpus without libFuzzer: every file of the folders and files given, and, when
 * GENSET_FUZZ_RUNS=N is set, N random mutations of them (seed GENSET_FUZZ_SEED, default 1). An
 * input that takes more than a second counts as a hang. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/os.h"
#include "base/rng.h"

#define MAX_INPUT_BYTES ((size_t)4 << 20)
#define MAX_INPUTS      4096
#define HANG_US         1000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct gs_buf inputs[MAX_INPUTS];
static size_t n_inputs;
static size_t n_run;

static void run_one(const void *p, size_t n)
{
    uint8_t *copy = gs_alloc(n); /* exact size, so that a sanitizer sees every overrun */
    const int64_t start = gs_clock_mono_us();

    if (!copy)
        exit(1);
    if (n)
        memcpy(copy, p, n);
    LLVMFuzzerTestOneInput(copy, n);
    gs_free(copy);
    n_run++;
    if (gs_clock_mono_us() - start > HANG_US && !getenv("GENSET_FUZZ_SLOW")) {
        fprintf(stderr, "an input of %zu bytes took more than a second\n", n);
        exit(1);
    }
}

static void load(const char *path)
{
    struct gs_error err;
    DIR *dir = opendir(path);

    if (dir) {
        for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
            char name[4096];
            if (e->d_name[0] == '.')
                continue;
            snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
            load(name);
        }
        closedir(dir);
        return;
    }
    if (n_inputs == MAX_INPUTS)
        return;
    gs_buf_init(&inputs[n_inputs], MAX_INPUT_BYTES);
    if (gs_os_read_file(path, &inputs[n_inputs], &err) != GS_OK) {
        fprintf(stderr, "%s\n", err.msg);
        exit(1);
    }
    run_one(inputs[n_inputs].ptr, inputs[n_inputs].len);
    n_inputs++;
}

/* One of: flip a bit, set a byte to an edge value, cut, repeat a stretch, copy from another input,
 * overwrite eight bytes with an extreme number. */
static size_t mutate(uint8_t *p, size_t n, struct gs_rng *rng)
{
    static const uint64_t extremes[] = {0,          1,          0x7F,       0xFF,       0xFFFF,
                                        0x7FFFFFFF, 0xFFFFFFFF, 0x80000000, UINT64_MAX, INT64_MAX};
    const size_t rounds = 1 + gs_rng_u64(rng) % 4;

    for (size_t r = 0; r < rounds && n > 0; r++) {
        const size_t at = gs_rng_u64(rng) % n;
        const size_t len = 1 + gs_rng_u64(rng) % GS_MIN(n - at, 64);
        const struct gs_buf *other = &inputs[gs_rng_u64(rng) % n_inputs];
        const uint64_t word = extremes[gs_rng_u64(rng) % GS_COUNT_OF(extremes)];

        switch (gs_rng_u64(rng) % 6) {
        case 0:
            p[at] ^= (uint8_t)(1u << gs_rng_u64(rng) % 8);
            break;
        case 1:
            p[at] = (uint8_t)gs_rng_u64(rng);
            break;
        case 2:
            n = at;
            break;
        case 3:
            if (n + len <= MAX_INPUT_BYTES) {
                memmove(p + at + len, p + at, n - at);
                n += len;
            }
            break;
        case 4:
            if (other->len > 0) {
                const size_t from = gs_rng_u64(rng) % other->len;
                memcpy(p + at, other->ptr + from, GS_MIN(len, other->len - from));
            }
            break;
        case 5:
            memcpy(p + at, &word, GS_MIN(sizeof(word), n - at));
            break;
        }
    }
    return n;
}

int main(int argc, char **argv)
{
    const char *runs = getenv("GENSET_FUZZ_RUNS");
    const char *seed = getenv("GENSET_FUZZ_SEED");
    struct gs_rng rng;

    for (int i = 1; i < argc; i++)
        load(argv[i]);
    if (n_inputs == 0) {
        fprintf(stderr, "the corpus is empty\n");
        return 1;
    }
    gs_rng_seed(&rng, seed ? strtoull(seed, NULL, 10) : 1);
    uint8_t *work = gs_alloc(MAX_INPUT_BYTES);
    if (!work)
        return 1;
    for (long left = runs ? strtol(runs, NULL, 10) : 0; left > 0; left--) {
        const struct gs_buf *in = &inputs[gs_rng_u64(&rng) % n_inputs];
        if (in->len)
            memcpy(work, in->ptr, in->len);
        run_one(work, mutate(work, in->len, &rng));
    }
    gs_free(work);
    for (size_t i = 0; i < n_inputs; i++)
        gs_buf_clear(&inputs[i]);
    printf("%zu inputs replayed\n", n_run);
    return 0;
}
