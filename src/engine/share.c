/* Water filling: each round gives every taker the same, until nothing is left or wanted. A
 * sequence that wants its one next token always has it in the first round. */
#include "engine/share.h"

#include "base/compiler.h"

void gs_engine_share_rows(const size_t *want, size_t n, size_t first, uint32_t rows,
                          uint32_t *out_rows)
{
    size_t takers = 0;

    for (size_t i = 0; i < n; i++) {
        out_rows[i] = 0;
        takers += want[i] > 0;
    }
    while (rows > 0 && takers > 0) {
        const uint32_t each = GS_MAX(1, (uint32_t)(rows / takers));
        takers = 0;
        for (size_t k = 0; k < n; k++) {
            const size_t i = (first + k) % n;
            const size_t lacks = want[i] - out_rows[i];
            const uint32_t give = (uint32_t)GS_MIN(lacks, (size_t)GS_MIN(each, rows));
            out_rows[i] += give;
            rows -= give;
            takers += lacks > give;
        }
    }
}
