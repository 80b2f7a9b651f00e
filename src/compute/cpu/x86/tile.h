/* Intel's AMX: eight registers that are tiles, of up to 16 rows of 64 bytes each.
 *
 * Numbers of tiles are written out where these are used: 0 to 7. gcc 12's own macros do not say
 * that they read memory, so these are not made of them. With GENSET_TILE_MODEL defined the
 * instructions are functions of the tests (tests/kernel/tile_model.c), which do what Intel's manual
 * says and fault where the processor would (Software Developer's Manual, volume 1, chapter 18). */
#ifndef GS_COMPUTE_CPU_X86_TILE_H
#define GS_COMPUTE_CPU_X86_TILE_H

#include <stddef.h>
#include <stdint.h>

/* The shapes of all tiles. */
struct tile_shapes {
    uint8_t palette; /* 1: what AMX is today */
    uint8_t start;
    uint8_t zeros[14];
    uint16_t row_bytes[16]; /* of tiles 0 to 7; the others stay 0 */
    uint8_t rows[16];
};
_Static_assert(sizeof(struct tile_shapes) == 64, "as the processor reads it");

#ifdef GENSET_TILE_MODEL

void tile_configure(const struct tile_shapes *shapes);
void tile_release(void);
void tile_zero(int tile);
void tile_load(int tile, const void *p, size_t stride);
void tile_store(int tile, void *p, size_t stride);
void tile_dot(int sums, int a, int b);

#else

static inline void tile_configure(const struct tile_shapes *shapes)
{
    __asm__ volatile("ldtilecfg %0" ::"m"(*shapes));
}

/* Give the registers back: systems save them with a thread as long as they are in use. */
static inline void tile_release(void)
{
    __asm__ volatile("tilerelease");
}

#define tile_zero(tile) __asm__ volatile("tilezero %%tmm" #tile ::)
/* Rows `stride` bytes apart. */
#define tile_load(tile, p, stride)                                                                 \
    __asm__ volatile("tileloadd (%0,%1), %%tmm" #tile ::"r"(p), "r"((size_t)(stride)) : "memory")
#define tile_store(tile, p, stride)                                                                \
    __asm__ volatile("tilestored %%tmm" #tile ", (%0,%1)" ::"r"(p), "r"((size_t)(stride))          \
                     : "memory")
/* sums[row][i] += the products of the signed bytes of a[row] and b[..][i], which lies in fours:
 * b[j] holds values 4 j .. 4 j + 3 of every i. */
#define tile_dot(sums, a, b) __asm__ volatile("tdpbssd %%tmm" #b ", %%tmm" #a ", %%tmm" #sums ::)

#endif

#endif
