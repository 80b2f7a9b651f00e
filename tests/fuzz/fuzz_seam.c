/* Two bytes say how, then comes what the client has, a zero byte, and what is said in answer. What
 * is told is always the end of what was said; and where nothing has to be guessed, it makes no
 * difference in what pieces that came. */
#include <string.h>

#include "base/compiler.h"
#include "base/slice.h"
#include "switch/seam.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
    if (!good)
        __builtin_trap();
}

static enum gs_seam_state run(enum gs_seam_kind kind, struct gs_slice had, struct gs_slice said,
                              size_t step, bool is_stopped, size_t *out_told)
{
    static const struct gs_slice stops[] = {GS_SLICE_LIT("</s>"), GS_SLICE_LIT("aaaa")};
    struct gs_slice fresh;
    struct gs_seam s;
    size_t told = 0;

    gs_seam_init(&s, kind, had, stops, 2);
    for (size_t at = 0; at < said.len; at += step) {
        const struct gs_slice piece = gs_slice_sub(said, at, at + step);
        const size_t end = at + piece.len;
        if (gs_seam_feed(&s, piece, &fresh) != GS_SEAM_JOINED)
            check(fresh.len == 0 && told == 0);
        check(fresh.len == 0 || (fresh.len <= end - told &&
                                 memcmp(fresh.ptr, said.ptr + end - fresh.len, fresh.len) == 0));
        told += fresh.len;
    }
    const enum gs_seam_state state = gs_seam_end(&s, is_stopped, &fresh);
    told += fresh.len;
    check(state != GS_SEAM_WAITS && told <= said.len);
    check(state == GS_SEAM_JOINED || told == 0);
    gs_seam_clear(&s);
    *out_told = told;
    return state;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    const enum gs_seam_kind kind = (enum gs_seam_kind)(data[0] % (GS_SEAM_SKIP + 1));
    const bool is_stopped = data[0] & 0x80;
    const struct gs_slice all = gs_slice((const char *)data + 2, size - 2);
    const size_t zero = GS_MIN(gs_slice_find(all, gs_slice("", 1), 0), all.len);
    const struct gs_slice had = gs_slice_sub(all, 0, zero);
    const struct gs_slice said = gs_slice_sub(all, zero + 1, all.len);
    size_t told, told_at_once;

    const enum gs_seam_state state = run(kind, had, said, data[1] % 32 + 1, is_stopped, &told);
    const enum gs_seam_state at_once =
        run(kind, had, said, said.len + 1, is_stopped, &told_at_once);
    check(kind == GS_SEAM_GUESSED || kind == GS_SEAM_ANCHOR ||
          (state == at_once && told == told_at_once));
    return 0;
}
