/* genset-sample-schema N < SCHEMAS > SAMPLES: compiles each line as a JSON Schema and walks what
 * the constraint allows N times at random. Writes a line of JSON for each:
 *   {"ignored":"","error":null,"outputs":["{}"],"unfinished":0,"dead":null}
 * `unfinished` walks were given up for their length; `dead` is the beginning of an output that
 * nothing may follow, though it may not end there. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/rng.h"
#include "base/slice.h"
#include "constraint/constraint.h"
#include "json/json.h"

#define MAX_INPUT  (256 * GS_MIB)
#define MAX_OUTPUT 600 /* bytes */
#define AT_EASE    200 /* bytes after which a walk looks for its end */
#define N_TOKENS   (2 + 95 + 3)

/* White space, what is printable in ASCII, and characters of two to four bytes. */
static struct gs_slice tokens[N_TOKENS];

static void make_tokens(void)
{
    static const char spaces[] = "\t\n";
    static const char *const wide[] = {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    static char printable[95];
    size_t n = 0;

    for (size_t i = 0; i < 2; i++)
        tokens[n++] = gs_slice(&spaces[i], 1);
    for (size_t i = 0; i < sizeof(printable); i++) {
        printable[i] = (char)(' ' + i);
        tokens[n++] = gs_slice(&printable[i], 1);
    }
    for (size_t i = 0; i < GS_COUNT_OF(wide); i++)
        tokens[n++] = gs_slice_str(wide[i]);
}

static uint64_t below(struct gs_rng *rng, uint64_t n)
{
    return gs_rng_u64(rng) % n;
}

static bool is_one_of(char c, const char *text)
{
    return strchr(text, c) != NULL;
}

/* A walk takes digits from one end of what is allowed, so that bounds are met. */
enum walk { ANY, LOW, HIGH };

/* A token of the mask; N_TOKENS if there is none. */
static size_t choose(const uint64_t *mask, struct gs_rng *rng, enum walk walk, size_t len)
{
    size_t all[N_TOKENS];
    size_t few[N_TOKENS]; /* what brings the end nearer */
    size_t digits[10];
    size_t n = 0;
    size_t n_few = 0;
    size_t n_digits = 0;

    for (size_t i = 0; i < N_TOKENS; i++) {
        const char first = tokens[i].ptr[0];
        if (!(mask[i / 64] >> (i % 64) & 1))
            continue;
        all[n++] = i;
        if (is_one_of(first, "\"]}"))
            few[n_few++] = i;
        if (is_one_of(first, "0123456789"))
            digits[n_digits++] = i;
    }
    if (n_few > 0 && (len > AT_EASE || below(rng, 4) == 0))
        return few[below(rng, n_few)];
    if (n_digits > 0 && walk != ANY && below(rng, 8) > 0)
        return digits[walk == LOW ? 0 : n_digits - 1];
    if (len > AT_EASE) {
        size_t k = 0;
        for (size_t i = 0; i < n; i++)
            if (!is_one_of(tokens[all[i]].ptr[0], " \t\n,[{"))
                all[k++] = all[i];
        n = k > 0 ? k : n;
    }
    return n > 0 ? all[below(rng, n)] : N_TOKENS;
}

enum end { COMPLETE, UNFINISHED, DEAD };

static enum end sample(struct gs_constraint *c, const struct gs_constraint_vocab *v,
                       struct gs_rng *rng, enum walk walk, struct gs_buf *out)
{
    gs_buf_reset(out);
    gs_constraint_restart(c);
    while (out->len < MAX_OUTPUT) {
        const bool may_end = gs_constraint_may_end(c);
        const uint64_t *mask = gs_constraint_mask(c, v);
        if (!mask)
            return UNFINISHED;
        if (may_end && (out->len > AT_EASE || below(rng, 4) == 0))
            return COMPLETE;
        const size_t i = choose(mask, rng, walk, out->len);
        if (i == N_TOKENS)
            return may_end ? COMPLETE : DEAD;
        gs_buf_slice(out, tokens[i]);
        if (!gs_constraint_advance(c, tokens[i]))
            return UNFINISHED; /* too ambiguous */
    }
    return UNFINISHED;
}

static void write_samples(struct gs_constraint *c, const struct gs_constraint_vocab *v, int64_t n,
                          struct gs_rng *rng, struct gs_buf *line)
{
    struct gs_buf out;
    struct gs_buf dead;
    int unfinished = 0;
    bool first = true;
    bool has_dead = false;

    gs_buf_init(&out, GS_MIB);
    gs_buf_init(&dead, GS_MIB);
    gs_buf_puts(line, ",\"outputs\":[");
    for (int64_t i = 0; i < n; i++) {
        const enum end end = sample(c, v, rng, (enum walk)(i % 3), &out);
        unfinished += end == UNFINISHED;
        if (end == DEAD && !has_dead) {
            has_dead = true;
            gs_buf_slice(&dead, gs_buf_view(&out));
        }
        if (end != COMPLETE)
            continue;
        gs_buf_puts(line, first ? "" : ",");
        gs_json_write_string(line, gs_buf_view(&out));
        first = false;
    }
    gs_buf_printf(line, "],\"unfinished\":%d,\"dead\":", unfinished);
    if (has_dead)
        gs_json_write_string(line, gs_buf_view(&dead));
    else
        gs_buf_puts(line, "null");
    gs_buf_clear(&dead);
    gs_buf_clear(&out);
}

static bool answer(struct gs_slice schema, const struct gs_constraint_vocab *v, int64_t n,
                   uint64_t seed)
{
    struct gs_constraint *c = NULL;
    struct gs_error err = {.code = GS_OK};
    struct gs_buf ignored;
    struct gs_buf line;
    struct gs_rng rng;

    gs_rng_seed(&rng, seed);
    gs_buf_init(&ignored, GS_MIB);
    gs_buf_init(&line, 64 * GS_MIB);
    const enum gs_status st = gs_constraint_from_schema(schema, &ignored, &c, &err);
    gs_buf_puts(&line, "{\"ignored\":");
    gs_json_write_string(&line, gs_buf_view(&ignored));
    gs_buf_puts(&line, ",\"error\":");
    if (st == GS_OK) {
        gs_buf_puts(&line, "null");
        write_samples(c, v, n, &rng, &line);
    } else {
        gs_json_write_string(&line, gs_slice_str(err.msg));
    }
    gs_buf_puts(&line, "}\n");
    const bool ok = gs_buf_ok(&line) && fwrite(line.ptr, 1, line.len, stdout) == line.len;
    gs_constraint_free(c);
    gs_buf_clear(&ignored);
    gs_buf_clear(&line);
    return ok;
}

static bool read_all(struct gs_buf *in)
{
    size_t n;

    do {
        char *p = gs_buf_reserve(in, GS_MIB);
        if (!p)
            return false;
        n = fread(p, 1, GS_MIB, stdin);
        gs_buf_grow(in, n);
    } while (n > 0);
    return ferror(stdin) == 0;
}

int main(int argc, char **argv)
{
    struct gs_constraint_vocab *v = NULL;
    struct gs_buf in;
    int64_t n = 8;
    bool ok;

    make_tokens();
    gs_buf_init(&in, MAX_INPUT);
    ok = (argc < 2 || gs_slice_to_i64(gs_slice_str(argv[1]), &n)) && read_all(&in) &&
         gs_constraint_vocab_create(tokens, N_TOKENS, &v, NULL) == GS_OK;
    const struct gs_slice text = gs_buf_view(&in);
    uint64_t seed = 1;
    for (size_t at = 0; ok && at < text.len; seed++) {
        const size_t end = GS_MIN(gs_slice_find(text, GS_SLICE_LIT("\n"), at), text.len);
        ok = answer(gs_slice_sub(text, at, end), v, n, seed);
        at = end + 1;
    }
    gs_constraint_vocab_free(v);
    gs_buf_clear(&in);
    return ok && fflush(stdout) == 0 ? 0 : 1;
}
