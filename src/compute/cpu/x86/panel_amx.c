/* Panels by AMX: what a tile instruction multiplies are 12 or 16 unpacked weight rows and a panel
 * of 16 tokens, both as they lie in memory. Their sums, one for the values of each scale, go to
 * memory and come from there to be folded as on AVX-512, in the same order, so the bits are the
 * same.
 *
 * That takes 16 cycles for 16 rows, 16 tokens and 64 values or fewer. Where a scale is of 16 values
 * there is more to fold than to multiply: these formats keep the panels of AVX-512 VNNI
 * (docs/decisions/010-amx.md counts). */
#include "compute/cpu/x86/tile.h"
#include "compute/cpu/x86/x86.h"

#define SIMD_VNNI
#define PANEL_PAIR 1
#define PANEL_SIGNED
#define PANEL_WIDE
#include "compute/cpu/x86/simd_avx512.h"

#include "compute/cpu/common/panel_layout.inc.h"

/* after panel_layout.inc.h */
#include "compute/cpu/common/panel_fold.inc.h"

#define SIGNED_OFFSET 0
#define TILE_ROWS     16
#define FOLD_ROWS     4 /* whose outputs are folded in registers */
#define PIECES        8 /* at most, that a tile instruction takes the values of a group in */

_Static_assert(GS_PANEL_GRAIN <= TILE_ROWS && GS_PANEL_GRAIN % FOLD_ROWS == 0 &&
                   TILE_ROWS % FOLD_ROWS == 0,
               "no tile beyond the rows");

struct sums {                        /* of a piece */
    int32_t of[2][TILE_ROWS][LANES]; /* [panel][row][token] */
};

/* Values that are multiplied at once. */
SIMD_INLINE size_t piece_of(struct kind k)
{
    return k.width == 32 ? 32 : 64;
}

/* Tiles 0 to 3 are sums, 4 and 5 weights, 6 and 7 tokens. */
static void configure(size_t n_rows, size_t piece)
{
    struct tile_shapes s = {.palette = 1};

    for (int i = 0; i < 8; i++) {
        s.row_bytes[i] = (uint16_t)(i == 4 || i == 5 ? piece : 64);
        s.rows[i] = (uint8_t)(i < 6 ? n_rows : piece / 4);
    }
    tile_configure(&s);
}

#define PRODUCTS(sum, weights, tokens, x, out)                                                     \
    do {                                                                                           \
        tile_load(tokens, x, 64);                                                                  \
        tile_zero(sum);                                                                            \
        tile_dot(sum, weights, tokens);                                                            \
        tile_store(sum, out, sizeof((out)[0]));                                                    \
    } while (0)

/* The sums of all pieces of a group, two at a time, so that no instruction waits for the one
 * before. */
SIMD_INLINE void sum_pieces(const struct unpacked *w, const struct panel *const x[2], int n_t,
                            size_t piece, struct sums *out)
{
    for (size_t i = 0; i < GS_ACT_GROUP; i += 2 * piece, out += 2) {
        const size_t j = i + piece;
        tile_load(4, w->q + i, sizeof(*w));
        tile_load(5, w->q + j, sizeof(*w));
        PRODUCTS(0, 4, 6, x[0]->q[i / 4], out[0].of[0]);
        PRODUCTS(1, 5, 7, x[0]->q[j / 4], out[1].of[0]);
        if (n_t == 2) {
            PRODUCTS(2, 4, 6, x[1]->q[i / 4], out[0].of[1]);
            PRODUCTS(3, 5, 7, x[1]->q[j / 4], out[1].of[1]);
        }
    }
}

/* acc[row][token] += what the sums of FOLD_ROWS rows from `row` on are worth. */
SIMD_INLINE void fold_sums(struct kind k, int n_t, size_t row, const struct unpacked *w,
                           const struct panel *const x[2], const struct sums *sums, float *acc)
{
    const int pieces = k.width == 32 ? 1 : 4; /* of a scale */
    vf f[2 * FOLD_ROWS];

    fold_begin(f, k, n_t, FOLD_ROWS, w, x, acc);
    for (int j = 0; j < GS_ACT_GROUP / k.width; j++) {
#pragma GCC unroll 8
        for (int i = 0; i < n_t * FOLD_ROWS; i++) {
            vi s = vi_zero();
#pragma GCC unroll 4
            for (int c = 0; c < pieces; c++)
                s = vi_add(s, vb_load(sums[j * pieces + c].of[i % n_t][row + (size_t)(i / n_t)]));
            f[i] = fold(f[i], s, x[i % n_t], w + i / n_t, k, j);
        }
    }
    fold_end(f, k, n_t, FOLD_ROWS, x, acc);
}

SIMD_INLINE void multiply(const struct part *p, struct kind k, int n_t)
{
    /* there are 48 rows, or fewer that go by twelves */
    const size_t n_r = p->n_rows % TILE_ROWS == 0 ? TILE_ROWS : GS_PANEL_GRAIN;
    GS_ALIGNED(64) struct sums sums[PIECES];

    configure(n_r, piece_of(k));
    for (size_t g = 0; g < p->n_groups; g++) {
        const uint8_t *first = p->x + g * GS_PANEL_BYTES;
        const struct panel *const x[2] = {(const struct panel *)(const void *)first,
                                          (const struct panel *)(const void *)(first + p->x_step)};
        for (size_t r = 0; r < p->n_rows; r += n_r) {
            const struct unpacked *w = p->w + g * p->n_rows + r;
            fetch(p, r, n_r, g);
            sum_pieces(w, x, n_t, piece_of(k), sums);
            for (size_t i = 0; i < n_r; i += FOLD_ROWS)
                fold_sums(k, n_t, i, w + i, x, sums, p->acc + (r + i) * (size_t)n_t * LANES);
        }
    }
    tile_release();
}

/* after multiply() */
#include "compute/cpu/common/panel.inc.h"

void gs_kernels_init_panel_amx(struct gs_kernels *k)
{
    init_panel(k);
}
