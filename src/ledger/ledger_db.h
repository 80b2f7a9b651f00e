/* The SQLite file: opening it, its schema, and errors in our words. Private to ledger/. */
#ifndef GS_LEDGER_LEDGER_DB_H
#define GS_LEDGER_LEDGER_DB_H

#include <sqlite3.h>
#include <stdbool.h>

#include "base/compiler.h"
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

#endif
