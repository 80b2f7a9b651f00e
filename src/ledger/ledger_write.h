/* Rows on their way into the file, and what goes out of it. Private to ledger/; all on the thread
 * that owns the handle. */
#ifndef GS_LEDGER_LEDGER_WRITE_H
#define GS_LEDGER_LEDGER_WRITE_H

#include "ledger/ledger.h"
#include "ledger/ledger_db.h"
#include "ledger/ledger_inbox.h"
#include "ledger/ledger_sums.h"

struct gs_ledger_writer {
    sqlite3 *db;
    sqlite3_stmt *request, *attempt, *breaker, *forget, *made;
    struct gs_ledger_sums sums;
    bool gives_way;    /* between rows, also where few ask */
    int64_t since_us;  /* when the last batch came */
    int64_t served_us; /* what its requests took together */
};

/* Open the file to write. *w is closed by gs_ledger_writer_close() after an error too. */
GS_MUST_CHECK enum gs_status gs_ledger_writer_open(struct gs_ledger_writer *w, const char *path,
                                                   struct gs_error *err);
void gs_ledger_writer_close(struct gs_ledger_writer *w);
/* Write a batch in one transaction, or none of it. */
GS_MUST_CHECK enum gs_status gs_ledger_write(struct gs_ledger_writer *w,
                                             struct gs_ledger_batch *batch, struct gs_error *err);
/* Delete what is older or more than it may be; 0: no limit. */
GS_MUST_CHECK enum gs_status gs_ledger_prune(struct gs_ledger_writer *w, int64_t keep_days,
                                             int64_t keep_rows, struct gs_error *err);

#endif
