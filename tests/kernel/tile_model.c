/* AMX as Intel's Software Developer's Manual has it: volume 1, chapter 18, and the pages of the
 * instructions in volume 2. Palette 1: eight tiles of up to 16 rows of 64 bytes. */
#include "tile_model.h"

#include <string.h>

#include "cmocka_headers.h"
#include "compute/cpu/x86/tile.h"

#define TILES     8
#define ROWS      16
#define ROW_BYTES 64

#define FAULT_UNLESS(condition) mock_assert(condition, #condition, __FILE__, __LINE__)

struct tile {
    size_t rows, row_bytes;
    uint8_t row[ROWS][ROW_BYTES];
};

static _Thread_local struct {
    bool configured;
    struct tile t[TILES];
} state;

static bool all_zero(const void *p, size_t n)
{
    const uint8_t *bytes = p;
    uint8_t any = 0;

    for (size_t i = 0; i < n; i++)
        any |= bytes[i];
    return any == 0;
}

/* LDTILECFG: a general protection fault leaves all as it was. */
void tile_configure(const struct tile_shapes *s)
{
    FAULT_UNLESS(s->palette <= 1);
    FAULT_UNLESS(all_zero(s->zeros, sizeof(s->zeros)));
    FAULT_UNLESS(all_zero(s->row_bytes + TILES, (ROWS - TILES) * sizeof(s->row_bytes[0])));
    FAULT_UNLESS(all_zero(s->rows + TILES, ROWS - TILES));
    for (size_t i = 0; i < TILES; i++) {
        FAULT_UNLESS(s->row_bytes[i] <= ROW_BYTES && s->rows[i] <= ROWS);
        FAULT_UNLESS((s->row_bytes[i] == 0) == (s->rows[i] == 0));
    }
    memset(&state, 0, sizeof(state));
    state.configured = s->palette == 1;
    for (size_t i = 0; i < TILES && state.configured; i++) {
        state.t[i].rows = s->rows[i];
        state.t[i].row_bytes = s->row_bytes[i];
    }
}

void tile_release(void)
{
    memset(&state, 0, sizeof(state));
}

bool tile_model_in_use(void)
{
    return state.configured;
}

/* A tile that may be used. */
static struct tile *tile_of(int tile)
{
    FAULT_UNLESS(state.configured);
    FAULT_UNLESS(tile >= 0 && tile < TILES && state.t[tile].rows > 0);
    return &state.t[tile];
}

void tile_zero(int tile)
{
    struct tile *t = tile_of(tile);

    memset(t->row, 0, sizeof(t->row));
}

void tile_load(int tile, const void *p, size_t stride)
{
    struct tile *t = tile_of(tile);

    memset(t->row, 0, sizeof(t->row));
    for (size_t r = 0; r < t->rows; r++)
        memcpy(t->row[r], (const uint8_t *)p + r * stride, t->row_bytes);
}

void tile_store(int tile, void *p, size_t stride)
{
    const struct tile *t = tile_of(tile);

    for (size_t r = 0; r < t->rows; r++)
        memcpy((uint8_t *)p + r * stride, t->row[r], t->row_bytes);
}

/* sum + the products of four signed bytes, with the overflow of 32 bits. */
static uint32_t dot_four(uint32_t sum, const uint8_t *a, const uint8_t *b)
{
    for (size_t i = 0; i < 4; i++)
        sum += (uint32_t)((int8_t)a[i] * (int8_t)b[i]);
    return sum;
}

/* TDPBSSD. */
void tile_dot(int sums, int a, int b)
{
    struct tile *c = tile_of(sums);
    const struct tile *x = tile_of(a);
    const struct tile *y = tile_of(b);

    FAULT_UNLESS(sums != a && sums != b && a != b);
    FAULT_UNLESS(c->row_bytes % 4 == 0 && x->row_bytes % 4 == 0 && y->row_bytes % 4 == 0);
    FAULT_UNLESS(c->rows == x->rows && c->row_bytes == y->row_bytes);
    FAULT_UNLESS(x->row_bytes / 4 == y->rows);
    for (size_t m = 0; m < c->rows; m++) {
        uint32_t row[ROW_BYTES / 4];
        memcpy(row, c->row[m], sizeof(row));
        for (size_t k = 0; k < y->rows; k++)
            for (size_t n = 0; n < c->row_bytes / 4; n++)
                row[n] = dot_four(row[n], x->row[m] + 4 * k, y->row[k] + 4 * n);
        memset(c->row[m], 0, ROW_BYTES);
        memcpy(c->row[m], row, c->row_bytes);
    }
    memset(c->row[c->rows], 0, (ROWS - c->rows) * ROW_BYTES);
}
