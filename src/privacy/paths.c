/* A pattern and a word of a command are both sets of paths: what a shell would make of "cat .e*" is
 * not known here. They fit if some path is in both, found by a table of where one may stand in
 * each. */
#include "privacy/paths.h"

#include <stddef.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/slice.h"
#include "privacy/walk.h"

#define MAX_PATH    4096 /* of a longer word only the end */
#define MAX_PATTERN 512

enum piece_kind { PIECE_BYTE, PIECE_ONE, PIECE_RUN, PIECE_ANY, PIECE_FOLDERS };

struct piece {
    enum piece_kind kind;
    char byte;
};

struct pattern {
    struct piece pieces[MAX_PATTERN];
    size_t n;
    bool is_absolute;  /* begins with '/' */
    bool is_home;      /* begins with "~/", which is not among the pieces */
    bool takes_folder; /* ends in a folder and "**": the folder itself fits as well */
};

/* A path as it is compared. */
struct path {
    size_t len;
    bool is_absolute;
    bool is_loose; /* begins in a folder that is not known: ../x */
    bool is_wild;  /* may stand for several */
    char text[MAX_PATH];
};

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* ---- patterns ---- */

static void add_piece(struct pattern *p, enum piece_kind kind, char byte)
{
    if (p->n < MAX_PATTERN)
        p->pieces[p->n++] = (struct piece){kind, byte};
}

static void read_pattern(const char *text, struct pattern *p)
{
    const size_t len = strlen(text);

    p->n = 0;
    p->is_absolute = text[0] == '/';
    p->is_home = text[0] == '~' && text[1] == '/';
    p->takes_folder = len >= 3 && strcmp(text + len - 3, "/**") == 0;
    if (p->is_home || p->is_absolute)
        text += p->is_home ? 2 : 1;
    else
        add_piece(p, PIECE_FOLDERS, '\0');
    while (*text) {
        const bool is_any = strncmp(text, "**", 2) == 0;
        const bool is_folders = is_any && text[2] == '/';
        if (is_any)
            add_piece(p, is_folders ? PIECE_FOLDERS : PIECE_ANY, '\0');
        else
            add_piece(p,
                      *text == '*'   ? PIECE_RUN
                      : *text == '?' ? PIECE_ONE
                                     : PIECE_BYTE,
                      lower(*text));
        text += is_folders ? 3 : is_any ? 2 : 1;
    }
}

/* The table is filled from the ends: `row` knows of byte j and the pieces behind i, `below` of byte
 * j + 1; each says whether all that follows fits. */
struct place {
    char c; /* byte j; 0 at the end */
    bool is_end, begins_name;
    bool may_hide; /* a '.' here makes it a hidden file */
    const bool *row, *below;
};

static bool fits_byte(const struct pattern *p, size_t i, const struct place *at)
{
    const char byte = p->pieces[i].byte;

    if (byte == '/')
        return at->is_end ? p->takes_folder && i + 2 == p->n : at->c == '/' && at->below[i + 1];
    if (byte == '.' && at->may_hide) /* a shell's wildcards leave hidden files out */
        return at->c == '.' && at->below[i + 1];
    if (at->c == '*' && at->row[i + 1])
        return true;
    return (at->c == byte || at->c == '?') && at->below[i + 1];
}

static bool fits_here(const struct pattern *p, size_t i, const struct place *at)
{
    const bool is_in_name = !at->is_end && at->c != '/';
    const bool goes_on = !at->is_end && at->below[i];

    if (at->c == '*' && at->below[i]) /* of the path's, for nothing */
        return true;
    if (i == p->n)
        return at->is_end;
    switch (p->pieces[i].kind) {
    case PIECE_BYTE:
        return fits_byte(p, i, at);
    case PIECE_ONE:
        return is_in_name && (at->below[i + 1] || (at->c == '*' && at->row[i + 1]));
    case PIECE_RUN:
        return at->row[i + 1] || (is_in_name && at->below[i]);
    case PIECE_ANY:
        return at->row[i + 1] || goes_on;
    case PIECE_FOLDERS: /* none, or what ends in '/' */
        break;
    }
    return (at->begins_name && at->row[i + 1]) || goes_on;
}

static bool fits(const struct pattern *p, const struct path *path)
{
    bool rows[2][MAX_PATTERN + 1] = {{false}};
    bool *row = rows[0], *below = rows[1];

    for (size_t j = path->len + 1; j-- > 0;) {
        const bool begins_name = j == 0 || path->text[j - 1] == '/';
        const bool is_second =
            j > 0 && path->text[j - 1] == '*' && (j == 1 || path->text[j - 2] == '/');
        const struct place at = {.c = j < path->len ? path->text[j] : '\0',
                                 .is_end = j == path->len,
                                 .begins_name = begins_name,
                                 .may_hide = begins_name || is_second,
                                 .row = row,
                                 .below = below};
        for (size_t i = p->n + 1; i-- > 0;)
            row[i] = fits_here(p, i, &at);
        bool *const was = below;
        below = row;
        row = was;
    }
    return below[0];
}

/* ---- paths ---- */

static void put(struct path *p, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n && p->len < sizeof(p->text) - 1; i++)
        if (bytes[i] != '*' || p->len == 0 || p->text[p->len - 1] != '*')
            p->text[p->len++] = lower(bytes[i]);
}

/* The first folder or name of s from *at on; empty at its end. */
static struct gs_slice next_name(struct gs_slice s, size_t *at)
{
    while (*at < s.len && (s.ptr[*at] == '/' || s.ptr[*at] == '\\'))
        (*at)++;
    const size_t begin = *at;
    while (*at < s.len && s.ptr[*at] != '/' && s.ptr[*at] != '\\')
        (*at)++;
    return gs_slice(s.ptr + begin, *at - begin);
}

static void go_up(struct path *p)
{
    p->is_loose |= p->len == 0;
    while (p->len > 0 && p->text[p->len - 1] != '/')
        p->len--;
    p->len -= p->len > 0;
}

/* Does it name a file, and not whatever there is: no "*"? */
static bool is_name(struct gs_slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!strchr("*?.", name.ptr[i]))
            return true;
    return false;
}

/* An empty one if `s` names no file. */
static void read_path(struct gs_slice s, struct path *p)
{
    size_t at = 0;
    bool has_name = true;

    memset(p, 0, offsetof(struct path, text));
    if (s.len > MAX_PATH / 2)
        s = gs_slice_sub(s, s.len - MAX_PATH / 2, s.len);
    p->is_wild = s.len > 0 && (memchr(s.ptr, '*', s.len) || memchr(s.ptr, '?', s.len));
    p->is_absolute = s.len > 0 && (s.ptr[0] == '/' || s.ptr[0] == '\\');
    for (struct gs_slice name = next_name(s, &at); name.len > 0; name = next_name(s, &at)) {
        if (gs_slice_eq_str(name, "."))
            continue;
        if (gs_slice_eq_str(name, "..")) {
            go_up(p);
            continue;
        }
        if (p->len > 0)
            put(p, "/", 1);
        put(p, name.ptr, name.len);
        has_name = is_name(name);
    }
    p->len = has_name ? p->len : 0;
}

/* Where the name at `at` ends. */
static size_t name_end(struct gs_slice s, size_t at)
{
    while (at < s.len && s.ptr[at] != '/')
        at++;
    return at;
}

/* Without what leads to a home folder, if it begins with that. */
static bool strip_home(const struct path *p, struct path *out)
{
    static const char *const heads[] = {"~", "$home", "${home}", "%userprofile%"};
    static const char *const parents[] = {"home/", "users/", "c:/users/", "c/users/",
                                          "mnt/c/users/"};
    const struct gs_slice text = gs_slice(p->text, p->len);
    size_t n = 0;

    for (size_t i = 0; i < GS_COUNT_OF(heads); i++)
        if (gs_slice_starts(text, gs_slice_str(heads[i])))
            n = GS_MAX(n, strlen(heads[i]));
    if (p->is_absolute && gs_slice_starts(text, GS_SLICE_LIT("root")))
        n = strlen("root");
    for (size_t i = 0; i < GS_COUNT_OF(parents); i++)
        if (gs_slice_starts(text, gs_slice_str(parents[i])))
            n = name_end(text, strlen(parents[i]));
    while (n < text.len && n > 0 && text.ptr[0] == '~' && text.ptr[n] != '/')
        n++; /* ~ann */
    if (n == 0 || (n < text.len && text.ptr[n] != '/'))
        return false;
    memset(out, 0, offsetof(struct path, text));
    if (n < text.len)
        put(out, text.ptr + n + 1, text.len - n - 1);
    return true;
}

static bool fits_path(const struct pattern *p, const struct path *path)
{
    struct path rest;

    if (p->is_home && strip_home(path, &rest))
        path = &rest;
    else if (p->is_home && path->is_absolute)
        return false;
    if (p->is_absolute && !path->is_absolute && !path->is_loose)
        return false;
    return fits(p, path);
}

bool gs_privacy_path_fits(const char *pattern, struct gs_slice path)
{
    struct pattern p;
    struct path read;

    read_pattern(pattern, &p);
    read_path(path, &read);
    return read.len > 0 && fits_path(&p, &read);
}

/* ---- tool calls ---- */

struct rule {
    enum gs_privacy privacy;
    struct pattern pattern;
};

struct look {
    const struct rule *rules;
    size_t n_rules;
    struct gs_privacy_findings *found;
};

static void look_at(struct look *l, struct gs_slice word)
{
    const struct rule *strictest = NULL;
    struct path path;

    read_path(word, &path);
    for (size_t i = 0; i < l->n_rules && path.len > 0; i++) {
        const struct rule *rule = &l->rules[i];
        if (!fits_path(&rule->pattern, &path))
            continue;
        if (rule->privacy == GS_PRIVACY_ANY && !path.is_wild)
            return;
        if (!strictest || rule->privacy > strictest->privacy)
            strictest = rule;
    }
    if (!strictest)
        return;
    l->found->n_found[GS_DETECT_NONE]++;
    l->found->privacy = GS_MAX(l->found->privacy, strictest->privacy);
}

/* The words of a command: what quotes and signs part, and what quotes hold together. */
static void look_at_words(struct look *l, struct gs_slice text)
{
    static const char signs[] = " \t\r\n;|&<>()=,:@\"'`";
    size_t begin = 0;

    for (size_t at = 0; at <= text.len; at++) {
        if (at < text.len && (!text.ptr[at] || !strchr(signs, text.ptr[at])))
            continue;
        look_at(l, gs_slice_sub(text, begin, at));
        begin = at + 1;
    }
    for (size_t at = 0; at < text.len; at++) {
        const char quote = text.ptr[at];
        if (quote != '"' && quote != '\'')
            continue;
        const char *end = memchr(text.ptr + at + 1, quote, text.len - at - 1);
        if (!end)
            break;
        const struct gs_slice inside =
            gs_slice(text.ptr + at + 1, (size_t)(end - text.ptr) - at - 1);
        if (inside.len < MAX_PATH && memchr(inside.ptr, ' ', inside.len))
            look_at(l, inside);
        at += inside.len + 1;
    }
}

static enum gs_status look_at_string(void *ud, struct gs_privacy_string *s)
{
    static const char *const commands[] = {"command", "cmd",  "commands", "script", "shell",
                                           "bash",    "code", "argv",     "args",   "input"};
    struct look *l = ud;

    for (size_t i = 0; i < GS_COUNT_OF(commands); i++)
        if (gs_slice_eq_str(s->key, commands[i])) {
            look_at_words(l, s->text);
            return GS_OK;
        }
    if (s->text.len < MAX_PATH && !memchr(s->text.ptr, '\n', s->text.len))
        look_at(l, gs_slice_trim(s->text));
    return GS_OK;
}

static enum gs_status look_at_call(struct look *l, struct gs_slice args, struct gs_error *err)
{
    const enum gs_status st = gs_privacy_walk(args, true, look_at_string, l, err);

    if (st != GS_EFORMAT)
        return st;
    look_at_words(l, args); /* a call that broke off, or the free text of a custom tool */
    return GS_OK;
}

enum gs_status gs_privacy_paths(const struct gs_config_secret_rule *rules, size_t n_rules,
                                const struct gs_chat *chat, struct gs_privacy_findings *findings,
                                struct gs_error *err)
{
    struct rule *own = gs_alloc_array(n_rules, sizeof(*own));
    struct look l = {.rules = own, .found = findings};
    enum gs_status st = GS_OK;

    if (!own)
        return gs_error_nomem(err, "look for paths");
    for (size_t i = 0; i < n_rules; i++)
        if (rules[i].find == GS_DETECT_NONE && rules[i].path) {
            own[l.n_rules].privacy = rules[i].privacy;
            read_pattern(rules[i].path, &own[l.n_rules++].pattern);
        }
    for (size_t i = 0; i < chat->n_messages; i++)
        for (size_t k = 0; k < chat->messages[i].n_blocks && st == GS_OK; k++) {
            const struct gs_block *block = &chat->messages[i].blocks[k];
            if (block->kind == GS_BLOCK_TOOL_CALL && block->args.len > 0)
                st = look_at_call(&l, block->args, err);
        }
    gs_free(own);
    return st;
}
