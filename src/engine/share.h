/* Dividing the rows of a step among sequences. */
#ifndef GS_ENGINE_SHARE_H
#define GS_ENGINE_SHARE_H

#include <stddef.h>
#include <stdint.h>

/* Max-min fair shares of `rows`: out_rows[i] <= want[i], nobody gets more than another who wants
 * more than it got (but for a remainder), and nothing is left while somebody wants it. When rows
 * are fewer than takers, those from `first` on, cyclically, come first. */
void gs_engine_share_rows(const size_t *want, size_t n, size_t first, uint32_t rows,
                          uint32_t *out_rows);

#endif
