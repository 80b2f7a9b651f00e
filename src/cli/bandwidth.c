/* Memory bandwidth: threads read buffers that no cache holds. What a model of n bytes can answer is
 * about this divided by n tokens per second, because each token reads every weight once. */
#include <stdatomic.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/os.h"
#include "base/thread.h"
#include "cli/cli.h"

#define MAX_LANES   64
#define TOTAL_BYTES (512 * GS_MIB) /* read by all threads in one pass, far beyond any cache */
#define MEASURE_US  200000

struct lane {
    pthread_t thread;
    size_t n_words;
    uint64_t sum; /* what was read, so that reading cannot be left out */
    double bytes_per_s;
};

static uint64_t sum_words(const uint64_t *words, size_t n)
{
    uint64_t sums[8] = {0};

    for (size_t i = 0; i + 8 <= n; i += 8)
        for (size_t j = 0; j < 8; j++)
            sums[j] += words[i + j];
    for (size_t j = 1; j < 8; j++)
        sums[0] += sums[j];
    return sums[0];
}

static void read_memory(void *arg)
{
    struct lane *lane = arg;
    int64_t us = 0;
    size_t n_passes = 0;

    uint64_t *words = gs_alloc_array(lane->n_words, sizeof(*words));
    if (!words)
        return;
    memset(words, 1, lane->n_words * sizeof(*words)); /* or every page is the same page of zeros */
    const int64_t start = gs_clock_mono_us();
    while (us < MEASURE_US) {
        lane->sum += sum_words(words, lane->n_words);
        atomic_signal_fence(memory_order_seq_cst); /* no pass is merged with the next */
        n_passes++;
        us = gs_clock_mono_us() - start;
    }
    lane->bytes_per_s =
        (double)n_passes * (double)(lane->n_words * sizeof(*words)) * 1e6 / (double)us;
    gs_free(words);
}

double gs_cli_bandwidth(int n_threads)
{
    const int64_t available = gs_os_memory_available_bytes();
    const int n = GS_MIN(n_threads, MAX_LANES);
    struct lane lanes[MAX_LANES] = {0};
    double sum = 0;
    int n_started = 0;

    if (available >= 0 && (size_t)available < 2 * TOTAL_BYTES)
        return 0;
    for (; n_started < n; n_started++) {
        struct lane *lane = &lanes[n_started];
        lane->n_words = TOTAL_BYTES / (size_t)n / sizeof(uint64_t);
        if (gs_thread_start(&lane->thread, GS_THREAD_POOL, read_memory, lane, NULL) != GS_OK)
            break;
    }
    for (int i = 0; i < n_started; i++) {
        pthread_join(lanes[i].thread, NULL);
        sum += lanes[i].bytes_per_s;
    }
    return sum;
}
