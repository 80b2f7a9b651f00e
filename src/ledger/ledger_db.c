/* Write-ahead log: readers do not wait for the writer, and a killed process loses no committed row
 * (https://www.sqlite.org/wal.html). user_version counts the schema's versions; application_id is
 * how file(1) and we know the file for a ledger. */
#include "ledger/ledger_db.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

#define SCHEMA_VERSION 1
#define APPLICATION_ID 0x67736c31 /* "gsl1" */
#define BUSY_MS        2000       /* another process writes */

static const char schema[] =
    "CREATE TABLE request ("
    "  n INTEGER PRIMARY KEY, id TEXT NOT NULL, at_us INTEGER NOT NULL, api TEXT NOT NULL,"
    "  model TEXT NOT NULL, served_by TEXT NOT NULL, status INTEGER NOT NULL,"
    "  stream INTEGER NOT NULL, outcome INTEGER NOT NULL, error TEXT NOT NULL,"
    "  prompt_tokens INTEGER NOT NULL, cached_tokens INTEGER NOT NULL,"
    "  answer_tokens INTEGER NOT NULL, reasoning_tokens INTEGER NOT NULL,"
    "  first_us INTEGER NOT NULL, total_us INTEGER NOT NULL);"
    "CREATE INDEX request_at ON request (at_us);";

enum gs_status gs_ledger_db_error(sqlite3 *db, const char *doing, struct gs_error *err)
{
    const int code = db ? sqlite3_errcode(db) : SQLITE_NOMEM;

    switch (code & 0xff) {
    case SQLITE_NOMEM:
        return gs_error_nomem(err, doing);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return gs_error_set(err, GS_EFORMAT, "could not %s: %s", doing, sqlite3_errmsg(db));
    default:
        return gs_error_set(err, GS_EIO, "could not %s: %s", doing, sqlite3_errmsg(db));
    }
}

enum gs_status gs_ledger_db_run(sqlite3 *db, const char *sql, const char *doing,
                                struct gs_error *err)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK
               ? GS_OK
               : gs_ledger_db_error(db, doing, err);
}

enum gs_status gs_ledger_db_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **out_stmt,
                                    struct gs_error *err)
{
    return sqlite3_prepare_v2(db, sql, -1, out_stmt, NULL) == SQLITE_OK
               ? GS_OK
               : gs_ledger_db_error(db, "read it", err);
}

static enum gs_status get_number(sqlite3 *db, const char *pragma, int *out, struct gs_error *err)
{
    sqlite3_stmt *s;
    enum gs_status st = gs_ledger_db_prepare(db, pragma, &s, err);

    if (st != GS_OK)
        return st;
    if (sqlite3_step(s) == SQLITE_ROW)
        *out = sqlite3_column_int(s, 0);
    else
        st = gs_ledger_db_error(db, "read it", err);
    sqlite3_finalize(s);
    return st;
}

/* In one transaction, so that two servers that start together make it once. */
static enum gs_status make_schema(sqlite3 *db, struct gs_error *err)
{
    char pragmas[128];
    enum gs_status st = gs_ledger_db_run(db, schema, "make it", err);

    if (st != GS_OK)
        return st;
    snprintf(pragmas, sizeof(pragmas), "PRAGMA user_version=%d; PRAGMA application_id=%d",
             SCHEMA_VERSION, APPLICATION_ID);
    return gs_ledger_db_run(db, pragmas, "make it", err);
}

static enum gs_status check_schema(sqlite3 *db, bool may_make, struct gs_error *err)
{
    int id = 0;
    int version = 0;
    int n_tables = 0;
    enum gs_status st = get_number(db, "PRAGMA application_id", &id, err);

    if (st == GS_OK)
        st = get_number(db, "PRAGMA user_version", &version, err);
    if (st == GS_OK)
        st = get_number(db, "SELECT count(*) FROM sqlite_schema", &n_tables, err);
    if (st != GS_OK)
        return st;
    if (may_make && n_tables == 0)
        return make_schema(db, err);
    if (id != APPLICATION_ID)
        return gs_error_set(err, GS_EFORMAT, "the file is no ledger");
    if (version > SCHEMA_VERSION) {
        gs_error_set(err, GS_EUNSUPPORTED, "it was written by a newer genset");
        gs_error_hint(err, "Use that version, or move the file away.");
        return GS_EUNSUPPORTED;
    }
    return GS_OK;
}

static enum gs_status set_up(sqlite3 *db, bool to_write, struct gs_error *err)
{
    sqlite3_busy_timeout(db, BUSY_MS);
    if (!to_write)
        return check_schema(db, false, err);
    enum gs_status st = gs_ledger_db_run(db,
                                         "PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL;"
                                         "PRAGMA synchronous=NORMAL; BEGIN IMMEDIATE",
                                         "open it", err);
    if (st != GS_OK)
        return st;
    st = check_schema(db, true, err);
    if (st == GS_OK)
        st = gs_ledger_db_run(db, "COMMIT", "make it", err);
    return st;
}

/* A new ledger is its owner's alone; SQLite gives the files beside it the same mode. Where this
 * fails SQLite will say why. */
static void make_private(const char *path)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd >= 0)
        close(fd);
}

enum gs_status gs_ledger_db_open(const char *path, bool to_write, sqlite3 **out_db,
                                 struct gs_error *err)
{
    const int flags =
        SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READWRITE | (to_write ? SQLITE_OPEN_CREATE : 0);
    struct stat info;
    sqlite3 *db = NULL;
    enum gs_status st = GS_OK;

    if (!to_write && stat(path, &info) != 0) {
        gs_error_set(err, GS_ENOTFOUND, "there is no ledger at \"%s\"", path);
        gs_error_hint(err, "A server keeps it: start one with \"genset serve\".");
        return GS_ENOTFOUND;
    }
    if (to_write)
        make_private(path);
    if (sqlite3_open_v2(path, &db, flags, NULL) != SQLITE_OK)
        st = gs_ledger_db_error(db, "open it", err);
    if (st == GS_OK)
        st = set_up(db, to_write, err);
    if (st != GS_OK) {
        sqlite3_close(db);
        gs_error_prefix(err, "ledger \"%s\"", path);
        return st;
    }
    *out_db = db;
    return GS_OK;
}
