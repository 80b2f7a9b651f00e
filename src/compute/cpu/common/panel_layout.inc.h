/* What a panel of tokens and an unpacked row of weights hold, and how they come together. */
#include "compute/blocks.h"

#define LANES 16
_Static_assert(GS_PANEL_TOKENS == LANES, "a panel is as wide as a vector");

struct panel {
    int8_t q[GS_ACT_GROUP / 4][4 * LANES];
    int16_t sums16[8][2 * LANES]; /* of q, per 16 values: two sums side by side */
    union {
        float d[8][LANES]; /* from gs_q8 */
        struct {           /* from gs_q8k */
            float d_k[LANES];
            int16_t sums32[4][2 * LANES]; /* per 32 values */
        };
    };
};
_Static_assert(sizeof(struct panel) <= GS_PANEL_BYTES, "panels fit where the rows lay");

/* 256 values of a weight row. */
struct unpacked {
    uint8_t q[GS_ACT_GROUP];
    float scale[16]; /* per 16 values; blocks of 32: eight scales, then eight minimums */
    int16_t min[16]; /* per 16 or per 32 values */
    float e;         /* factor of the sum of minimums */
    uint8_t pad[28];
};
_Static_assert(sizeof(struct unpacked) == GS_PANEL_ROW_BYTES, "the size that callers count with");

/* How the values of a group come together: constants of the code that a kind of formats shares. */
struct kind {
    bool blocks_32; /* activations of gs_q8, that is with scales of their own per 32 values */
    int mins;       /* values per minimum; 0: no minimums */
    int width;      /* values per scale: 16, 32 or all 256 */
    int bits;       /* of a weight, unsigned; with 8 see SIGNED_OFFSET */
};

/* A part of the weights that is unpacked at once: rows (a multiple of GS_PANEL_GRAIN, those beyond
 * the last are zeros) and groups of values. With one or two panels of tokens. */
struct part {
    size_t row, n_rows;
    size_t group, n_groups;
    struct unpacked *w; /* [group][row] */
    const uint8_t *x;   /* its groups of a panel; */
    size_t x_step;      /* bytes between panels */
    int offset;
    float *acc;          /* [row][panel][16] */
    const uint8_t *next; /* packed weights that come nearer meanwhile: as many rows and groups, */
    size_t next_stride, next_bytes; /* bytes between rows, and of a group; 0: none */
};

/* The packed weights of n rows, of one group. */
SIMD_INLINE void fetch(const struct part *p, size_t row, size_t n, size_t group)
{
    const uint8_t *w = p->next + row * p->next_stride + group * p->next_bytes;

    for (size_t r = 0; r < n; r++, w += p->next_stride)
        for (size_t i = 0; i < p->next_bytes; i += 64)
            __builtin_prefetch(w + i, 0, 2);
}
