/* SHA-256 (FIPS 180-4). */
#ifndef GS_BASE_SHA256_H
#define GS_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define GS_SHA256_BYTES 32

struct gs_sha256 {
    uint32_t h[8];
    uint64_t n_bytes;
    uint8_t block[64]; /* what does not fill one yet */
};

void gs_sha256_init(struct gs_sha256 *s);
void gs_sha256_feed(struct gs_sha256 *s, const void *p, size_t n);
/* The digest of what was fed; init again before the next use. */
void gs_sha256_finish(struct gs_sha256 *s, uint8_t out[GS_SHA256_BYTES]);

#endif
