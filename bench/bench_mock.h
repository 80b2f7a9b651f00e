/* A provider that answers at once: OpenAI's Chat Completions and Anthropic's Messages, as far as
 * measuring a gateway takes. The request's model says how:
 *
 *     mock             whole
 *     mock-20-5000-80  in 20 frames, one every 5000 us (0: as fast as they are taken), of 80 bytes
 *
 * The text of a frame is GS_BENCH_STAMP and when it was due, in ns of the monotonic clock: whoever
 * reads it on this machine knows how late it came. Of what follows it no piece comes twice. */
#ifndef GS_BENCH_MOCK_H
#define GS_BENCH_MOCK_H

#include <stdint.h>

#define GS_BENCH_STAMP        "t="
#define GS_BENCH_STAMP_DIGITS 18

int64_t gs_bench_now_ns(void);
/* A socket that listens on a free port of 127.0.0.1; -1: none. */
int gs_bench_listen(int *out_port);

/* Serve on 127.0.0.1 until standard input ends; prints the port in a line. Returns the exit status.
 */
int gs_bench_mock(void);

#endif
