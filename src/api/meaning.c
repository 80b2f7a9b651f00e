/* Meaning: texts without the white space around them, arguments with their members sorted. */
#include "api/meaning.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/limits.h"
#include "base/slice.h"
#include "json/json.h"

#define MAX_EXACT 9007199254740992.0 /* 2^53 */

void gs_meaning_init(struct gs_meaning *m)
{
    gs_buf_init(&m->said, GS_MAX_TEXT_BYTES);
    gs_buf_init(&m->reasoning, GS_MAX_TEXT_BYTES);
    gs_buf_init(&m->calls, GS_MAX_TEXT_BYTES);
}

void gs_meaning_clear(struct gs_meaning *m)
{
    gs_buf_clear(&m->said);
    gs_buf_clear(&m->reasoning);
    gs_buf_clear(&m->calls);
}

void gs_meaning_reset(struct gs_meaning *m)
{
    gs_buf_reset(&m->said);
    gs_buf_reset(&m->reasoning);
    gs_buf_reset(&m->calls);
}

/* ---- arguments ---- */

static int compare_members(const void *x, const void *y)
{
    const struct gs_slice a = ((const struct gs_json_member *)x)->key;
    const struct gs_slice b = ((const struct gs_json_member *)y)->key;
    const int order = memcmp(a.ptr, b.ptr, GS_MIN(a.len, b.len));

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* A copy of v with the members of all objects in order, and whole numbers as such. */
static struct gs_json sorted(const struct gs_json *v, struct gs_arena *a, bool *ok)
{
    struct gs_json out = *v;

    if (v->kind == GS_JSON_REAL && fabs(v->u.real) < MAX_EXACT && v->u.real == floor(v->u.real)) {
        out = (struct gs_json){.kind = GS_JSON_INT, .u.integer = (int64_t)v->u.real};
    } else if (v->kind == GS_JSON_ARRAY) {
        struct gs_json *items = gs_arena_array(a, v->u.array.len, sizeof(*items));
        *ok &= items != NULL;
        for (size_t i = 0; items && i < v->u.array.len; i++)
            items[i] = sorted(&v->u.array.items[i], a, ok);
        out.u.array.items = items;
        out.u.array.len = items ? v->u.array.len : 0;
    } else if (v->kind == GS_JSON_OBJECT) {
        struct gs_json_member *members = gs_arena_array(a, v->u.object.len, sizeof(*members));
        *ok &= members != NULL;
        for (size_t i = 0; members && i < v->u.object.len; i++)
            members[i] = (struct gs_json_member){v->u.object.members[i].key,
                                                 sorted(&v->u.object.members[i].value, a, ok)};
        if (members)
            qsort(members, v->u.object.len, sizeof(*members), compare_members);
        out.u.object.members = members;
        out.u.object.len = members ? v->u.object.len : 0;
    }
    return out;
}

/* What is no JSON is compared as it stands. */
static void add_args(struct gs_buf *b, struct gs_slice args)
{
    struct gs_arena a;
    struct gs_json v;
    bool ok = true;

    gs_arena_init(&a, GS_MAX_TEXT_BYTES);
    if (args.len == 0) {
        gs_buf_puts(b, "{}");
    } else if (gs_json_parse(args, &a, &v, NULL) == GS_OK) {
        v = sorted(&v, &a, &ok);
        gs_json_write(b, &v);
        b->failed |= !ok;
    } else {
        gs_buf_slice(b, args);
    }
    gs_arena_clear(&a);
}

/* ---- blocks ---- */

void gs_meaning_add(struct gs_meaning *m, const struct gs_block *block)
{
    switch (block->kind) {
    case GS_BLOCK_TEXT:
        gs_buf_slice(&m->said, gs_slice_trim(block->text));
        break;
    case GS_BLOCK_REASONING:
        gs_buf_slice(&m->reasoning, gs_slice_trim(block->text));
        break;
    case GS_BLOCK_TOOL_CALL:
        gs_buf_putc(&m->calls, '\1');
        gs_buf_slice(&m->calls, block->name);
        gs_buf_putc(&m->calls, '\2');
        add_args(&m->calls, block->args);
        break;
    case GS_BLOCK_TOOL_RESULT:
    case GS_BLOCK_IMAGE:
        gs_buf_putc(&m->calls, '\3');
        gs_buf_slice(&m->calls, block->id);
        gs_buf_putc(&m->calls, '\2');
        gs_buf_slice(&m->calls, gs_slice_trim(block->text));
        break;
    }
}

bool gs_meaning_finish(struct gs_meaning *m)
{
    gs_buf_slice(&m->said, gs_buf_view(&m->calls));
    return gs_buf_ok(&m->said) && gs_buf_ok(&m->reasoning) && gs_buf_ok(&m->calls);
}
