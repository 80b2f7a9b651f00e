/* The SQLite file: opening it, its schema, and errors in our words. Private to ledger/. */
#ifndef GS_LEDGER_LEDGER_DB_H
#define GS_LEDGER_LEDGER_DB_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "genset/slice.h"
#include "genset/status.h"

/* Open to write, making file and schema where they are missing; or to read what is there.
 * errors: as of gs_ledger_open() and gs_ledger_read(). */
GS_MUST_CHECK enum gs_status gs_ledger_db_open(const char *path, bool to_write, sqlite3 **out_db,
                                               struct gs_error *err);
/* What SQLite says about its last failure. Returns the status, which is never GS_OK. */
enum gs_status gs_ledger_db_error(sqlite3 *db, const char *doing, struct gs_error *err);
GS_MUST_CHECK enum gs_status gs_ledger_db_run(sqlite3 *db, const char *sql, const char *doing,
                                              struct gs_error *err);
GS_MUST_CHECK enum gs_status gs_ledger_db_prepare(sqlite3 *db, const char *sql,
                                                  sqlite3_stmt **out_stmt, struct gs_error *err);

/* Values bound one after the other; texts must last until the statement was run. */
struct gs_ledger_binder {
    sqlite3_stmt *s;
    int at; /* of the last */
};
void gs_ledger_bind_text(struct gs_ledger_binder *b, struct gs_slice text);
void gs_ledger_bind_int(struct gs_ledger_binder *b, int64_t n);
/* Run a statement that writes. */
GS_MUST_CHECK enum gs_status gs_ledger_db_step(sqlite3 *db, sqlite3_stmt *s, struct gs_error *err);

#endif
