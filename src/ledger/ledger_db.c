/* Write-ahead log: readers do not wait for the writer, and a killed process loses no committed row
 * (https://www.sqlite.org/wal.html). user_version counts the schema's versions; application_id is
 * how file(1) and we know the file for a ledger. The schema is made by its steps, one a version, so
 * that a new file and an old one that was brought up to date are the same.
 *
 * What must outlive its rows is counted as they come: `spent` by local day, provider and model,
 * `spent_key` by local day and the name of the client's key; `uptime` by day and provider, as two
 * maps of the day's minutes. */
#include "ledger/ledger_db.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

#define SCHEMA_VERSION 4
#define APPLICATION_ID 0x67736c31 /* "gsl1" */
#define BUSY_MS        2000       /* another process writes */

static const char *const steps[SCHEMA_VERSION] = {
    "CREATE TABLE request ("
    "  n INTEGER PRIMARY KEY, id TEXT NOT NULL, at_us INTEGER NOT NULL, api TEXT NOT NULL,"
    "  model TEXT NOT NULL, served_by TEXT NOT NULL, status INTEGER NOT NULL,"
    "  stream INTEGER NOT NULL, outcome INTEGER NOT NULL, error TEXT NOT NULL,"
    "  prompt_tokens INTEGER NOT NULL, cached_tokens INTEGER NOT NULL,"
    "  answer_tokens INTEGER NOT NULL, reasoning_tokens INTEGER NOT NULL,"
    "  first_us INTEGER NOT NULL, total_us INTEGER NOT NULL);"
    "CREATE INDEX request_at ON request (at_us);",

    "ALTER TABLE request ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE request ADD COLUMN cost_nanousd INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE request ADD COLUMN is_estimated INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE request ADD COLUMN left_bytes INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE request ADD COLUMN privacy TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE request ADD COLUMN redacted TEXT NOT NULL DEFAULT '';"
    "CREATE INDEX request_id ON request (id);"
    "CREATE INDEX request_failed ON request (n) WHERE outcome = 1;"
    "CREATE TABLE attempt ("
    "  n INTEGER PRIMARY KEY, request TEXT NOT NULL, number INTEGER NOT NULL,"
    "  provider TEXT NOT NULL, model TEXT NOT NULL, at_us INTEGER NOT NULL,"
    "  connected_us INTEGER NOT NULL, head_us INTEGER NOT NULL, first_us INTEGER NOT NULL,"
    "  total_us INTEGER NOT NULL, fault TEXT NOT NULL, is_uplink INTEGER NOT NULL,"
    "  is_continuation INTEGER NOT NULL, status INTEGER NOT NULL, sent_bytes INTEGER NOT NULL,"
    "  received_bytes INTEGER NOT NULL, prompt_tokens INTEGER NOT NULL,"
    "  cached_tokens INTEGER NOT NULL, cache_write_tokens INTEGER NOT NULL,"
    "  answer_tokens INTEGER NOT NULL, cost_nanousd INTEGER NOT NULL,"
    "  is_estimated INTEGER NOT NULL, retry_after_us INTEGER NOT NULL,"
    "  ended_us INTEGER NOT NULL, is_against INTEGER NOT NULL);" /* it counts against its provider
                                                                  */
    "CREATE INDEX attempt_request ON attempt (request);"
    "CREATE INDEX attempt_timed ON attempt (provider, model, n) WHERE fault = 'none';"
    "CREATE INDEX attempt_against ON attempt (provider, ended_us) WHERE is_against;"
    "CREATE TABLE spent ("
    "  day INTEGER NOT NULL, provider TEXT NOT NULL, model TEXT NOT NULL, n INTEGER NOT NULL,"
    "  n_failed INTEGER NOT NULL, prompt_tokens INTEGER NOT NULL, cached_tokens INTEGER NOT NULL,"
    "  cache_write_tokens INTEGER NOT NULL, answer_tokens INTEGER NOT NULL,"
    "  cost_nanousd INTEGER NOT NULL, n_estimated INTEGER NOT NULL,"
    "  PRIMARY KEY (day, provider, model)) WITHOUT ROWID;"
    "CREATE TABLE uptime ("
    "  provider TEXT NOT NULL, day INTEGER NOT NULL, up BLOB NOT NULL, down BLOB NOT NULL,"
    "  PRIMARY KEY (provider, day)) WITHOUT ROWID;"
    "CREATE TABLE breaker ("
    "  key TEXT PRIMARY KEY, failures INTEGER NOT NULL, opens INTEGER NOT NULL,"
    "  until_us INTEGER NOT NULL, fault TEXT NOT NULL) WITHOUT ROWID;",

    "ALTER TABLE request ADD COLUMN key TEXT NOT NULL DEFAULT '';"
    "CREATE TABLE spent_key ("
    "  day INTEGER NOT NULL, key TEXT NOT NULL, cost_nanousd INTEGER NOT NULL,"
    "  PRIMARY KEY (day, key)) WITHOUT ROWID;",

    "CREATE TABLE signed ("
    "  n INTEGER PRIMARY KEY, signature INTEGER NOT NULL UNIQUE, maker INTEGER NOT NULL);",
};

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

void gs_ledger_bind_text(struct gs_ledger_binder *b, struct gs_slice text)
{
    sqlite3_bind_text(b->s, ++b->at, text.ptr ? text.ptr : "", (int)text.len, SQLITE_STATIC);
}

void gs_ledger_bind_int(struct gs_ledger_binder *b, int64_t n)
{
    sqlite3_bind_int64(b->s, ++b->at, n);
}

enum gs_status gs_ledger_db_step(sqlite3 *db, sqlite3_stmt *s, struct gs_error *err)
{
    const int rc = sqlite3_step(s);
    const enum gs_status st =
        rc == SQLITE_DONE ? GS_OK : gs_ledger_db_error(db, "write to the ledger", err);

    sqlite3_reset(s);
    return st;
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

/* Make what is missing. */
static enum gs_status take_steps(sqlite3 *db, int version, struct gs_error *err)
{
    char pragmas[128];

    for (int i = version; i < SCHEMA_VERSION; i++) {
        const enum gs_status st = gs_ledger_db_run(db, steps[i], "bring it up to date", err);
        if (st != GS_OK)
            return st;
    }
    snprintf(pragmas, sizeof(pragmas), "PRAGMA user_version=%d; PRAGMA application_id=%d",
             SCHEMA_VERSION, APPLICATION_ID);
    return gs_ledger_db_run(db, pragmas, "bring it up to date", err);
}

/* *out_version is 0 for a file that has nothing in it. */
static enum gs_status get_version(sqlite3 *db, int *out_version, struct gs_error *err)
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
    if (n_tables > 0 && (id != APPLICATION_ID || version < 1))
        return gs_error_set(err, GS_EFORMAT, "the file is no ledger");
    if (version > SCHEMA_VERSION) {
        gs_error_set(err, GS_EUNSUPPORTED, "it was written by a newer genset");
        gs_error_hint(err, "Use that version, or move the file away.");
        return GS_EUNSUPPORTED;
    }
    *out_version = n_tables > 0 ? version : 0;
    return GS_OK;
}

/* In one transaction, so that two that open it together do it once, and one that is killed has
 * done nothing. */
static enum gs_status bring_up_to_date(sqlite3 *db, struct gs_error *err)
{
    int version = 0;
    enum gs_status st = gs_ledger_db_run(db, "BEGIN IMMEDIATE", "open it", err);

    if (st != GS_OK)
        return st;
    st = get_version(db, &version, err);
    if (st == GS_OK && version < SCHEMA_VERSION)
        st = take_steps(db, version, err);
    if (st == GS_OK)
        return gs_ledger_db_run(db, "COMMIT", "bring it up to date", err);
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return st;
}

static enum gs_status set_up(sqlite3 *db, bool to_write, struct gs_error *err)
{
    int version = 0;
    enum gs_status st = GS_OK;

    sqlite3_busy_timeout(db, BUSY_MS);
    if (to_write)
        st = gs_ledger_db_run(db,
                              "PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL;"
                              "PRAGMA synchronous=NORMAL",
                              "open it", err);
    if (st == GS_OK)
        st = get_version(db, &version, err);
    if (st != GS_OK || version == SCHEMA_VERSION)
        return st;
    if (version == 0 && !to_write)
        return gs_error_set(err, GS_EFORMAT, "the file is no ledger");
    return bring_up_to_date(db, err);
}

/* A ledger is its owner's alone, and so are the files beside it: SQLite gives those it makes the
 * same mode. Where this fails SQLite will say why. */
static void make_private(const char *path)
{
    static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    char beside[4096 + 16];

    if (fd >= 0)
        close(fd);
    for (size_t i = 0; i < GS_COUNT_OF(ends); i++) {
        const int n = snprintf(beside, sizeof(beside), "%s%s", path, ends[i]);
        if (n > 0 && (size_t)n < sizeof(beside))
            (void)!chmod(beside, 0600);
    }
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
