/* A folder with a ledger in it, for each test of one. */
#ifndef GS_TESTS_LEDGER_TEST_H
#define GS_TESTS_LEDGER_TEST_H

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/slice.h"
#include "cmocka_headers.h"
#include "ledger/ledger.h"

#define US_PER_DAY ((int64_t)24 * 3600 * 1000000)

struct folder {
    char dir[64];
    char path[128];
};

static inline int make_folder(void **state)
{
    struct folder *f = gs_alloc_zero(sizeof(*f));

    assert_non_null(f);
    snprintf(f->dir, sizeof(f->dir), "/tmp/genset-ledger-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->path, sizeof(f->path), "%s/ledger.db", f->dir);
    *state = f;
    return 0;
}

static inline int remove_folder(void **state)
{
    static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
    struct folder *f = *state;
    char path[160];

    for (size_t i = 0; i < GS_COUNT_OF(ends); i++) {
        snprintf(path, sizeof(path), "%s%s", f->path, ends[i]);
        unlink(path);
    }
    rmdir(f->dir);
    gs_free(f);
    return 0;
}

static inline struct gs_ledger *open_ledger(const struct folder *f, int64_t keep_days,
                                            int64_t keep_rows)
{
    const struct gs_ledger_options opt = {
        .path = f->path, .keep_days = keep_days, .keep_rows = keep_rows, .max_waiting = 4096};
    struct gs_ledger *l;
    struct gs_error err;

    if (gs_ledger_open(&opt, &l, &err) != GS_OK)
        fail_msg("%s", err.msg);
    return l;
}

static inline void run_sql(const struct folder *f, const char *sql)
{
    sqlite3 *db;

    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* The number a query answers. */
static inline int64_t ask_number(const struct folder *f, const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *s;
    int64_t n = -1;

    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    if (sqlite3_step(s) == SQLITE_ROW)
        n = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    sqlite3_close(db);
    return n;
}

/* One that ended now. */
static inline struct gs_ledger_attempt an_attempt(const char *provider, enum gs_fault fault)
{
    return (struct gs_ledger_attempt){
        .request = GS_SLICE_LIT("req_1"),
        .number = 1,
        .provider = gs_slice_str(provider),
        .model = GS_SLICE_LIT("large"),
        .at_us = gs_clock_wall_us() - 2000000,
        .connected_us = 1000,
        .head_us = 2000,
        .first_us = fault == GS_FAULT_NONE ? 3000 : -1,
        .total_us = 2000000,
        .fault = fault,
        .status = fault == GS_FAULT_NONE ? 200 : 529,
        .sent_bytes = 4000,
        .received_bytes = 500,
        .prompt_tokens = 100,
        .cached_tokens = 60,
        .cache_write_tokens = 20,
        .answer_tokens = 10,
        .cost_nanousd = 5000,
        .retry_after_us = -1,
    };
}

/* A ledger of the first schema, with 500 requests. */
GS_UNUSED static const char first_ledger_sql[] =
    "PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL;"
    "CREATE TABLE request ("
    "  n INTEGER PRIMARY KEY, id TEXT NOT NULL, at_us INTEGER NOT NULL, api TEXT NOT NULL,"
    "  model TEXT NOT NULL, served_by TEXT NOT NULL, status INTEGER NOT NULL,"
    "  stream INTEGER NOT NULL, outcome INTEGER NOT NULL, error TEXT NOT NULL,"
    "  prompt_tokens INTEGER NOT NULL, cached_tokens INTEGER NOT NULL,"
    "  answer_tokens INTEGER NOT NULL, reasoning_tokens INTEGER NOT NULL,"
    "  first_us INTEGER NOT NULL, total_us INTEGER NOT NULL);"
    "CREATE INDEX request_at ON request (at_us);"
    "PRAGMA user_version=1; PRAGMA application_id=0x67736c31;"
    "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 500)"
    " INSERT INTO request SELECT i, 'req_' || i, 1000000 * i, 'anthropic', 'm', 'local/m', 200, 1,"
    " 0, '', i, 0, 2, 0, 3, 4 FROM c";

#endif
