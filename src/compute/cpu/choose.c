/* Which kernels a machine gets.
 *
 * AMX is multiplied with on machines that nobody has tried it on, so each tries it before using it:
 * random weights of every format times random activations, by its panels and by those of the level
 * below, must give the same bits. That takes about a millisecond. */
#include "compute/kernels.h"

#include <string.h>

#include "base/error.h"
#include "base/rng.h"

/* ---- comparing ---- */

#define ROWS      GS_PANEL_MAX_ROWS
#define TOKENS    33 /* two panels together and one */
#define PANELS    ((TOKENS + GS_PANEL_TOKENS - 1) / GS_PANEL_TOKENS)
#define ROW_BYTES (8 * 34) /* of 256 values, of any quantised format */

/* Of two tables of kernels. */
struct trial {
    GS_ALIGNED(64) uint8_t panels[2][2][PANELS][GS_PANEL_BYTES]; /* of both: of gs_q8, of gs_q8k */
    GS_ALIGNED(64) uint8_t scratch[ROWS * GS_PANEL_ROW_BYTES];
    uint8_t weights[ROWS * ROW_BYTES];
    float out[2][TOKENS * ROWS];
};

static void make_panels(const struct gs_kernels *k, uint8_t (*q8)[GS_PANEL_BYTES],
                        uint8_t (*q8k)[GS_PANEL_BYTES])
{
    GS_ALIGNED(64) struct gs_q8 rows[GS_PANEL_TOKENS];
    GS_ALIGNED(64) struct gs_q8k rows_k[GS_PANEL_TOKENS];
    float x[GS_ACT_GROUP];
    struct gs_rng r;

    gs_rng_seed(&r, 1);
    for (size_t p = 0; p < PANELS; p++) {
        for (size_t t = 0; t < GS_PANEL_TOKENS; t++) {
            for (size_t i = 0; i < GS_ACT_GROUP; i++)
                x[i] = (float)(gs_rng_u64(&r) % 255) - 127;
            k->quantise_q8(x, &rows[t], GS_ACT_GROUP);
            k->quantise_q8k(x, &rows_k[t], GS_ACT_GROUP);
        }
        k->panel_of_q8(rows, q8[p]);
        k->panel_of_q8k(rows_k, q8k[p]);
    }
}

static void run(struct trial *t, const struct gs_kernels *k, size_t table, enum gs_type type,
                size_t n_tokens)
{
    k->panel[type](&(struct gs_panel){
        .w = t->weights,
        .w_stride = GS_ACT_GROUP / gs_type_block_len(type) * gs_type_block_bytes(type),
        .n_rows = ROWS,
        .n = GS_ACT_GROUP,
        .n_tokens = n_tokens,
        .x = t->panels[table][gs_kernels_act_form(type) == GS_ACT_Q8K],
        .out = t->out[table],
        .out_stride = ROWS,
        .scratch = t->scratch,
    });
}

/* Weights are random bytes, and so are their scales: some products are no numbers. */
static bool same(const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(a + i, b + i, sizeof(*a)) != 0 && (a[i] == a[i] || b[i] == b[i]))
            return false;
    return true;
}

static bool type_agrees(struct trial *t, const struct gs_kernels *a, const struct gs_kernels *b,
                        enum gs_type type)
{
    static const size_t n_tokens[] = {1, GS_PANEL_TOKENS + 1, TOKENS};

    for (size_t i = 0; i < GS_COUNT_OF(n_tokens); i++) {
        run(t, a, 0, type, n_tokens[i]);
        run(t, b, 1, type, n_tokens[i]);
        if (!same(t->out[0], t->out[1], n_tokens[i] * ROWS))
            return false;
    }
    return true;
}

bool gs_kernels_agree(const struct gs_kernels *a, const struct gs_kernels *b)
{
    struct trial t;
    struct gs_rng r;

    gs_rng_seed(&r, 2);
    for (size_t i = 0; i < sizeof(t.weights); i++)
        t.weights[i] = (uint8_t)gs_rng_u64(&r);
    make_panels(a, t.panels[0][0], t.panels[0][1]);
    make_panels(b, t.panels[1][0], t.panels[1][1]);
    for (enum gs_type type = 0; type < GS_TYPE_LIMIT; type++)
        if (a->panel[type] && b->panel[type] && gs_kernels_act_form(type) != GS_ACT_F32 &&
            !type_agrees(&t, a, b, type))
            return false;
    return true;
}

/* ---- choosing ---- */

const char *gs_kernels_amx_problem(void)
{
    struct gs_kernels amx;
    struct gs_kernels below;

    if (gs_cpu_amx_refused())
        return "AMX is not used: the system does not lend its registers";
    if (!gs_cpu_has(GS_CPU_AMX))
        return NULL;
    gs_kernels_init(&amx, GS_CPU_AMX);
    gs_kernels_init(&below, GS_CPU_AVX512VNNI);
    return gs_kernels_agree(&amx, &below)
               ? NULL
               : "AMX is not used: its products are not those of AVX-512 on this machine";
}

enum gs_status gs_kernels_choose(struct gs_kernels *k, const char *name, struct gs_error *err)
{
    enum gs_cpu_level most = (enum gs_cpu_level)(GS_CPU_LIMIT - 1);
    const enum gs_status st = name ? gs_cpu_level_parse(name, &most, err) : GS_OK;

    if (st != GS_OK)
        return st;
    const char *problem = most >= GS_CPU_AMX ? gs_kernels_amx_problem() : NULL;
    const enum gs_cpu_level level = gs_cpu_best(problem ? GS_CPU_AVX512VNNI : most);
    if (name && most == GS_CPU_AMX && level != GS_CPU_AMX) {
        gs_error_set(err, GS_EUNSUPPORTED, "%s", problem ? problem : "this machine has no AMX");
        gs_error_hint(err, "Leave out the option cpu, and the best set of kernels is taken.");
        return GS_EUNSUPPORTED;
    }
    gs_kernels_init(k, level);
    return GS_OK;
}
