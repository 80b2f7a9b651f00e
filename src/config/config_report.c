/* Errors as people read them: one line, or a place in a file with the line and a caret under it. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/slice.h"
#include "config/config_routes.h"
#include "config/config_tree.h"

#define MAX_ERRORS 20
#define MAX_SHOWN  100 /* characters of a source line */
#define LEAD_SHOWN 60  /* of them before the caret, in a long line */

void gs_config_report(struct gs_buf *report, const struct gs_error *err)
{
    gs_buf_printf(report, "genset: error: %s\n", err->msg);
    if (err->hint[0])
        gs_buf_printf(report, "  hint: %s\n", err->hint);
}

/* Bytes of the line break at `off`, 0 if there is none. YAML 1.1 knows more breaks than most. */
static size_t line_break(struct gs_slice text, size_t off)
{
    const struct gs_slice rest = gs_slice_sub(text, off, text.len);

    if (gs_slice_starts(rest, GS_SLICE_LIT("\r\n")) ||
        gs_slice_starts(rest, GS_SLICE_LIT("\xC2\x85")))
        return 2;
    if (gs_slice_starts(rest, GS_SLICE_LIT("\xE2\x80\xA8")) ||
        gs_slice_starts(rest, GS_SLICE_LIT("\xE2\x80\xA9")))
        return 3;
    return rest.len > 0 && (rest.ptr[0] == '\n' || rest.ptr[0] == '\r');
}

static struct gs_slice get_line(struct gs_slice text, int line)
{
    size_t from = 0;

    for (size_t off = 0; off < text.len;) {
        const size_t n = line_break(text, off);
        if (n > 0 && --line == 0)
            return gs_slice_sub(text, from, off);
        off += n ? n : 1;
        if (n > 0)
            from = off;
    }
    return line == 1 ? gs_slice_sub(text, from, text.len) : (struct gs_slice){NULL, 0};
}

static bool is_of_word(char c)
{
    return (unsigned char)c > ' ' && !strchr("\"'{}[],:", c);
}

/* Where the word at `off` ends, if it looks like a key. */
static size_t secret_end(struct gs_slice line, size_t off)
{
    size_t end = off;

    if (off > 0 && is_of_word(line.ptr[off - 1]))
        return off;
    while (end < line.len && is_of_word(line.ptr[end]))
        end++;
    return gs_config_looks_secret(gs_slice_sub(line, off, end)) ? end : off;
}

/* Characters [from, to) of a line; what would move a cursor becomes a space, what looks like a key
 * becomes stars. */
static void put_chars(struct gs_buf *b, struct gs_slice line, size_t from, size_t to)
{
    size_t n = 0;
    size_t hidden = 0; /* up to there */

    for (size_t off = 0; off < line.len && n < to; n++) {
        uint32_t cp;
        const size_t len = gs_utf8_decode(line, off, &cp);
        if (off >= hidden)
            hidden = GS_MAX(secret_end(line, off), hidden);
        if (n >= from) {
            if (off < hidden)
                gs_buf_putc(b, '*');
            else if (cp < 0x20 || (cp >= 0x7F && cp < 0xA0) || cp == 0xFFFD)
                gs_buf_putc(b, ' ');
            else
                gs_buf_put(b, line.ptr + off, len);
        }
        off += len;
    }
}

static void put_repeated(struct gs_buf *b, char c, size_t n)
{
    for (size_t i = 0; i < n; i++)
        gs_buf_putc(b, c);
}

void gs_config_report_in(struct gs_buf *report, const struct gs_error *err, struct gs_slice text,
                         size_t n_chars)
{
    const size_t col = err->col > 0 ? (size_t)err->col - 1 : 0;
    const size_t from = col > LEAD_SHOWN ? col - LEAD_SHOWN : 0;
    const size_t n_marked = GS_MIN(n_chars, from + MAX_SHOWN - col);

    gs_buf_printf(report, "%s:%d:%d: error: %s\n", err->source, err->line, err->col, err->msg);
    if (n_chars == 0) {
        if (err->hint[0])
            gs_buf_printf(report, "  hint: %s\n", err->hint);
        return;
    }
    gs_buf_printf(report, "%5d | ", err->line);
    put_chars(report, get_line(text, err->line), from, from + MAX_SHOWN);
    gs_buf_puts(report, "\n      | ");
    put_repeated(report, ' ', col - from);
    gs_buf_putc(report, '^');
    put_repeated(report, '~', n_marked - 1);
    if (err->hint[0])
        gs_buf_printf(report, "   hint: %s", err->hint);
    gs_buf_putc(report, '\n');
}

/* The error has its place. */
static void add(struct gs_config_errors *e, const struct gs_error *err, size_t n_chars)
{
    if (e->st == GS_ENOMEM)
        return;
    if (e->n > MAX_ERRORS)
        return;
    if (e->n++ == MAX_ERRORS) {
        gs_buf_printf(e->report, "%s: too many errors, the rest is not shown\n", e->name);
        return;
    }
    gs_config_report_in(e->report, err, e->text, n_chars);
    e->st = err->code;
}

void gs_config_errors_at(struct gs_config_errors *e, const struct gs_config_node *n,
                         struct gs_error *err)
{
    gs_error_pos(err, e->name, n->line, n->col);
    add(e, err, n->n_chars);
}

void gs_config_errors_at_secret(struct gs_config_errors *e, const struct gs_config_node *n,
                                struct gs_error *err)
{
    gs_error_pos(err, e->name, n->line, n->col);
    add(e, err, 0);
}

void gs_config_errors_tree(struct gs_config_errors *e, struct gs_config_tree *t)
{
    if (t->problem.code == GS_OK)
        return;
    if (t->problem.line > 0) {
        add(e, &t->problem, t->problem_chars);
        return;
    }
    gs_config_report(e->report, &t->problem);
    e->st = t->problem.code;
}
