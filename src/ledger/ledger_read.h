/* What the readers share. Private to ledger/. */
#ifndef GS_LEDGER_LEDGER_READ_H
#define GS_LEDGER_LEDGER_READ_H

#include "ledger/ledger.h"
#include "ledger/ledger_db.h"

/* Valid until the next step. */
struct gs_slice gs_ledger_text_at(sqlite3_stmt *s, int column);
/* The fault of a word; one that no table has is nobody's. */
enum gs_fault gs_ledger_fault_at(sqlite3_stmt *s, int column);

/* The value that `share` hundredths of them do not pass: nearest rank. -1 of none. Sorts them. */
int64_t gs_ledger_percentile(int64_t *values, size_t n, int share);

/* Give each row to `row`, until it returns false. */
typedef bool gs_ledger_row_fn(void *ud, sqlite3_stmt *s);
GS_MUST_CHECK enum gs_status gs_ledger_step_through(sqlite3 *db, sqlite3_stmt *s,
                                                    gs_ledger_row_fn *row, void *ud,
                                                    struct gs_error *err);

#endif
