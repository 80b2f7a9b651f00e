/* Running a grammar. See constraint.h for the idea.
 *
 * A frame says where a rule returns to: a node, and for a repetition how often its rule has run. A
 * stack is a frame and those under it, by number; 0 is the empty stack. An item is a node that
 * reads a byte, and the stack it reads in; a set is a sorted list of items. Set 0 is empty: nothing
 * matches. */
#include "constraint/constraint.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/map.h"
#include "constraint/compile.h"
#include "constraint/grammar.h"
#include "constraint/token_bytes.h"

#define FAR         UINT32_MAX    /* a count that is far from its bounds */
#define MAX_ITEMS   16384         /* of a set, and nodes visited to make one */
#define MAX_BYTES   (64 * GS_MIB) /* of all that is remembered; then it is forgotten */
#define UNKNOWN_SET UINT32_MAX
#define BYTE_VALUES 256

struct frame {
    uint32_t node; /* to go on at; or the repetition that counts */
    uint32_t count;
    uint32_t under;
};

struct item {
    uint32_t node;
    uint32_t stack;
};

struct set {
    uint32_t first, n; /* of the items */
    bool may_end;
    uint32_t far;   /* the same set with its counts far, where they are; UNKNOWN_SET */
    uint32_t *next; /* [BYTE_VALUES] sets, or NULL */
    uint64_t *mask; /* of the tokens of mask_of, or NULL */
};

/* Numbers of interned things by hash: open addressing, 0 = free. */
struct index {
    uint32_t *slots; /* number + 1 */
    uint32_t cap, len;
};

struct gs_constraint {
    struct gs_grammar g;
    struct frame *frames;
    uint32_t *far_frames; /* [n_frames] the same stack with its counts far */
    uint32_t n_frames, cap_frames;
    struct item *items;
    uint32_t n_items, cap_items;
    struct set *sets;
    uint32_t n_sets, cap_sets;
    struct index frame_index, set_index;
    size_t bytes; /* of tables and masks */
    const struct gs_constraint_vocab *mask_of;
    uint32_t now; /* set */
    bool failed;

    /* the set being made */
    struct item todo[MAX_ITEMS];
    uint32_t n_todo;
    struct {
        struct item item;
        uint32_t stamp; /* of the making it was seen in */
    } seen[2 * MAX_ITEMS];
    uint32_t stamp;
    struct item made[MAX_ITEMS];
    uint32_t n_made;
    bool made_end;
};

/* ---- interning ---- */

static bool grow(struct gs_constraint *c, void **items, uint32_t n, uint32_t *cap, size_t bytes)
{
    if (n < *cap)
        return true;
    const uint32_t bigger = *cap ? 2 * *cap : 256;
    void *p = gs_realloc(*items, bigger * bytes);
    if (!p) {
        c->failed = true;
        return false;
    }
    *items = p;
    *cap = bigger;
    return true;
}

static bool index_grow(struct index *x, uint32_t (*hash)(const struct gs_constraint *c, uint32_t i),
                       const struct gs_constraint *c)
{
    const uint32_t cap = x->cap ? 2 * x->cap : 256;
    uint32_t *slots = gs_alloc_array(cap, sizeof(*slots));

    if (!slots)
        return false;
    for (uint32_t i = 0; i < x->cap; i++) {
        if (x->slots[i] == 0)
            continue;
        uint32_t at = hash(c, x->slots[i] - 1) & (cap - 1);
        while (slots[at] != 0)
            at = (at + 1) & (cap - 1);
        slots[at] = x->slots[i];
    }
    gs_free(x->slots);
    x->slots = slots;
    x->cap = cap;
    return true;
}

static uint32_t frame_hash(const struct gs_constraint *c, uint32_t i)
{
    return (uint32_t)gs_hash_bytes(&c->frames[i], sizeof(c->frames[i]), 0);
}

static uint32_t set_hash(const struct gs_constraint *c, uint32_t i)
{
    const struct set *s = &c->sets[i];

    return (uint32_t)gs_hash_bytes(c->items + s->first, s->n * sizeof(*c->items), s->may_end);
}

static uint32_t push_new(struct gs_constraint *c, struct frame f)
{
    void *frames = c->frames;
    void *far = c->far_frames;
    uint32_t cap = c->cap_frames;

    if (!grow(c, &frames, c->n_frames, &cap, sizeof(*c->frames)))
        return 0;
    c->frames = frames;
    if (!grow(c, &far, c->n_frames, &c->cap_frames, sizeof(*c->far_frames)))
        return 0;
    c->far_frames = far;
    c->frames[c->n_frames] = f;
    c->far_frames[c->n_frames] = c->n_frames;
    c->bytes += sizeof(f);
    return c->n_frames++;
}

/* f with its count far, if it is, on the far twin of what is under it. */
static struct frame far_frame(const struct gs_constraint *c, struct frame f)
{
    const struct gs_node *n = &c->g.nodes[f.node];

    f.under = c->far_frames[f.under];
    if (n->kind == GS_NODE_REPEAT) {
        const struct gs_repeat *r = &c->g.repeats[n->a];
        if (r->max != GS_GRAMMAR_MANY && f.count >= r->min && f.count < r->max &&
            r->max - f.count > GS_VOCAB_MAX_TOKEN_BYTES)
            f.count = FAR;
    }
    return f;
}

/* The stack with `f` on top of f.under. */
static uint32_t push(struct gs_constraint *c, struct frame f)
{
    if (4 * (c->frame_index.len + 1) > 3 * c->frame_index.cap &&
        !index_grow(&c->frame_index, frame_hash, c)) {
        c->failed = true;
        return 0;
    }
    const uint32_t mask = c->frame_index.cap - 1;
    uint32_t at = (uint32_t)gs_hash_bytes(&f, sizeof(f), 0) & mask;
    for (; c->frame_index.slots[at] != 0; at = (at + 1) & mask) {
        const uint32_t i = c->frame_index.slots[at] - 1;
        if (memcmp(&c->frames[i], &f, sizeof(f)) == 0)
            return i;
    }
    const uint32_t i = push_new(c, f);
    if (c->failed)
        return 0;
    c->frame_index.slots[at] = i + 1;
    c->frame_index.len++;
    const struct frame far = far_frame(c, f);
    if (memcmp(&far, &f, sizeof(f)) != 0) {
        const uint32_t twin = push(c, far); /* may move the frames */
        c->far_frames[i] = twin;
    }
    return i;
}

static int by_item(const void *a, const void *b)
{
    const struct item *x = a;
    const struct item *y = b;

    if (x->node != y->node)
        return x->node < y->node ? -1 : 1;
    return (x->stack > y->stack) - (x->stack < y->stack);
}

/* The number of the set that was made. */
static uint32_t intern_made(struct gs_constraint *c)
{
    void *items = c->items;
    void *sets = c->sets;

    if (4 * (c->set_index.len + 1) > 3 * c->set_index.cap &&
        !index_grow(&c->set_index, set_hash, c)) {
        c->failed = true;
        return 0;
    }
    qsort(c->made, c->n_made, sizeof(*c->made), by_item);
    const uint32_t mask = c->set_index.cap - 1;
    uint32_t at =
        (uint32_t)gs_hash_bytes(c->made, c->n_made * sizeof(*c->made), c->made_end) & mask;
    for (; c->set_index.slots[at] != 0; at = (at + 1) & mask) {
        const struct set *s = &c->sets[c->set_index.slots[at] - 1];
        if (s->n == c->n_made && s->may_end == c->made_end &&
            memcmp(c->items + s->first, c->made, s->n * sizeof(*c->made)) == 0)
            return c->set_index.slots[at] - 1;
    }
    if (!grow(c, &sets, c->n_sets, &c->cap_sets, sizeof(*c->sets)))
        return 0;
    c->sets = sets;
    while (c->cap_items < c->n_items + c->n_made) {
        if (!grow(c, &items, c->cap_items, &c->cap_items, sizeof(*c->items)))
            return 0;
        c->items = items;
    }
    if (c->n_made > 0)
        memcpy(c->items + c->n_items, c->made, c->n_made * sizeof(*c->made));
    c->sets[c->n_sets] = (struct set){
        .first = c->n_items, .n = c->n_made, .may_end = c->made_end, .far = UNKNOWN_SET};
    c->n_items += c->n_made;
    c->bytes += sizeof(*c->sets) + c->n_made * sizeof(*c->made);
    c->set_index.slots[at] = c->n_sets + 1;
    c->set_index.len++;
    return c->n_sets++;
}

/* ---- making sets ---- */

static void begin_set(struct gs_constraint *c)
{
    c->n_todo = 0;
    c->n_made = 0;
    c->made_end = false;
    c->stamp++;
}

/* To be looked at, once. */
static void visit(struct gs_constraint *c, uint32_t node, uint32_t stack)
{
    const struct item item = {node, stack};
    const uint32_t mask = GS_COUNT_OF(c->seen) - 1;
    uint32_t at = (uint32_t)gs_hash_bytes(&item, sizeof(item), 0) & mask;

    for (; c->seen[at].stamp == c->stamp; at = (at + 1) & mask)
        if (by_item(&c->seen[at].item, &item) == 0)
            return;
    if (c->n_todo == MAX_ITEMS) {
        c->failed = true;
        return;
    }
    c->seen[at].item = item;
    c->seen[at].stamp = c->stamp;
    c->todo[c->n_todo++] = item;
}

/* A repetition whose rule has run `count` times: go on behind it, or run it again. */
static void repeat(struct gs_constraint *c, uint32_t node, uint32_t count, uint32_t stack)
{
    const struct gs_node *n = &c->g.nodes[node];
    const struct gs_repeat *r = &c->g.repeats[n->a];
    uint32_t more = count;

    if (count >= r->min)
        visit(c, n->next, stack);
    if (count != FAR && count >= r->max)
        return;
    if (count != FAR && (r->max != GS_GRAMMAR_MANY || count < r->min))
        more = count + 1;
    visit(c, c->g.rules[r->rule], push(c, (struct frame){node, more, stack}));
}

static void leave_rule(struct gs_constraint *c, uint32_t stack)
{
    const struct frame f = c->frames[stack];

    if (stack == 0)
        c->made_end = true;
    else if (c->g.nodes[f.node].kind == GS_NODE_REPEAT)
        repeat(c, f.node, f.count, f.under);
    else
        visit(c, f.node, f.under);
}

/* Follow what was visited to the nodes that read a byte. */
static uint32_t end_set(struct gs_constraint *c)
{
    for (uint32_t i = 0; i < c->n_todo && !c->failed; i++) {
        const struct item at = c->todo[i];
        const struct gs_node *n = &c->g.nodes[at.node];
        switch ((enum gs_node_kind)n->kind) {
        case GS_NODE_END:
            leave_rule(c, at.stack);
            break;
        case GS_NODE_FAIL:
            break;
        case GS_NODE_BYTE:
        case GS_NODE_SET:
            c->made[c->n_made++] = at;
            break;
        case GS_NODE_FORK:
            visit(c, n->a, at.stack);
            visit(c, n->next, at.stack);
            break;
        case GS_NODE_CALL: /* the last call of a rule needs no way back */
            visit(c, c->g.rules[n->a],
                  n->next == GS_GRAMMAR_END ? at.stack
                                            : push(c, (struct frame){n->next, 0, at.stack}));
            break;
        case GS_NODE_REPEAT:
            repeat(c, at.node, 0, at.stack);
            break;
        }
    }
    return c->failed ? 0 : intern_made(c);
}

static bool reads(const struct gs_constraint *c, const struct gs_node *n, uint8_t byte)
{
    return n->kind == GS_NODE_BYTE ? n->a == byte : gs_byte_set_has(&c->g.sets[n->a], byte);
}

/* What set s becomes after `byte`. */
static uint32_t step(struct gs_constraint *c, uint32_t s, uint8_t byte)
{
    const struct set *from = &c->sets[s];

    if (from->next && from->next[byte] != UNKNOWN_SET)
        return from->next[byte];
    begin_set(c);
    for (uint32_t i = 0; i < from->n; i++) {
        const struct item *item = &c->items[from->first + i];
        const struct gs_node *n = &c->g.nodes[item->node];
        if (reads(c, n, byte))
            visit(c, n->next, item->stack);
    }
    const uint32_t to = c->n_todo > 0 ? end_set(c) : 0;
    if (c->sets[s].next) /* the sets may have moved */
        c->sets[s].next[byte] = to;
    return to;
}

static uint32_t first_set(struct gs_constraint *c)
{
    begin_set(c);
    visit(c, c->g.rules[c->g.root], 0);
    return end_set(c);
}

/* ---- memory ---- */

static void clear_tables(struct gs_constraint *c)
{
    for (uint32_t i = 0; i < c->n_sets; i++) {
        gs_free(c->sets[i].next);
        gs_free(c->sets[i].mask);
    }
    gs_free(c->frames);
    gs_free(c->far_frames);
    gs_free(c->items);
    gs_free(c->sets);
    gs_free(c->frame_index.slots);
    gs_free(c->set_index.slots);
}

/* Empty tables: the empty stack is frame 0, the empty set is set 0. */
static void init_tables(struct gs_constraint *c)
{
    c->frames = NULL;
    c->far_frames = NULL;
    c->items = NULL;
    c->sets = NULL;
    c->n_frames = c->cap_frames = c->n_items = c->cap_items = c->n_sets = c->cap_sets = 0;
    c->frame_index = c->set_index = (struct index){0};
    c->bytes = 0;
    void *items = NULL;
    grow(c, &items, 0, &c->cap_items, sizeof(*c->items));
    c->items = items;
    push_new(c, (struct frame){0});
    begin_set(c);
    intern_made(c);
}

/* The same stack in the new tables. */
static uint32_t restack(struct gs_constraint *c, const struct frame *old, uint32_t stack)
{
    uint32_t under = 0;
    size_t n = 0;

    for (; stack != 0 && n < MAX_ITEMS; stack = old[stack].under)
        c->todo[n++].stack = stack;
    c->failed |= stack != 0;
    while (n-- > 0) {
        struct frame f = old[c->todo[n].stack];
        f.under = under;
        under = push(c, f);
    }
    return under;
}

/* Forget everything but where we are. */
static void forget(struct gs_constraint *c)
{
    struct gs_constraint *old = gs_alloc(sizeof(*old));

    if (!old) {
        c->failed = true;
        return;
    }
    memcpy(old, c, sizeof(*old));
    init_tables(c);
    const struct set *now = &old->sets[old->now];
    begin_set(c);
    for (uint32_t i = 0; i < now->n && !c->failed; i++) {
        const struct item *item = &old->items[now->first + i];
        const uint32_t stack = restack(c, old->frames, item->stack);
        c->made[c->n_made++] = (struct item){item->node, stack};
    }
    c->made_end = now->may_end;
    c->now = c->failed ? 0 : intern_made(c);
    clear_tables(old);
    gs_free(old);
}

/* ---- masks ---- */

/* The set with its counts far: positions that differ in those alone share a mask. */
static uint32_t far_set(struct gs_constraint *c, uint32_t s)
{
    const struct set *set = &c->sets[s];

    if (set->far != UNKNOWN_SET)
        return set->far;
    begin_set(c);
    for (uint32_t i = 0; i < set->n; i++) {
        const struct item *item = &c->items[set->first + i];
        c->made[c->n_made++] = (struct item){item->node, c->far_frames[item->stack]};
    }
    c->made_end = set->may_end;
    const uint32_t far = intern_made(c);
    c->sets[s].far = far;
    return far;
}

static bool add_table(struct gs_constraint *c, uint32_t s)
{
    if (c->sets[s].next)
        return true;
    uint32_t *next = gs_alloc_array(BYTE_VALUES, sizeof(*next));
    if (!next) {
        c->failed = true;
        return false;
    }
    memset(next, 0xff, BYTE_VALUES * sizeof(*next)); /* UNKNOWN_SET */
    c->sets[s].next = next;
    c->bytes += BYTE_VALUES * sizeof(*next);
    return true;
}

/* Walk the tree of tokens from set s, leaving out what cannot match. */
static void walk(struct gs_constraint *c, const struct gs_constraint_vocab *v, uint32_t s,
                 uint64_t *mask)
{
    uint32_t at_depth[GS_VOCAB_MAX_TOKEN_BYTES + 1] = {s};

    for (size_t i = 0; i < v->n_nodes && !c->failed;) {
        const struct gs_vocab_node *n = &v->nodes[i];
        const uint32_t from = at_depth[n->depth - 1];
        if (!c->sets[from].next && !add_table(c, from))
            return;
        const uint32_t to = step(c, from, n->byte);
        if (to == 0) {
            i = n->after;
            continue;
        }
        at_depth[n->depth] = to;
        for (int32_t t = n->token; t >= 0; t = v->same[t])
            mask[t / 64] |= (uint64_t)1 << (t % 64);
        i++;
    }
}

const uint64_t *gs_constraint_mask(struct gs_constraint *c, const struct gs_constraint_vocab *v)
{
    const size_t words = (v->n_tokens + 63) / 64;

    if (!c->failed && (c->bytes > MAX_BYTES || c->mask_of != v))
        forget(c);
    c->mask_of = v;
    if (c->failed)
        return NULL;
    const uint32_t s = far_set(c, c->now);
    if (c->failed || c->sets[s].mask)
        return c->failed ? NULL : c->sets[s].mask;
    uint64_t *mask = gs_alloc_array(words, sizeof(*mask));
    if (!mask) {
        c->failed = true;
        return NULL;
    }
    walk(c, v, s, mask);
    c->bytes += words * sizeof(*mask);
    c->sets[s].mask = mask;
    return c->failed ? NULL : mask;
}

/* ---- positions ---- */

void gs_constraint_restart(struct gs_constraint *c)
{
    c->now = first_set(c);
}

/* Where `bytes` lead; set 0 if nowhere. */
static uint32_t follow(struct gs_constraint *c, struct gs_slice bytes)
{
    uint32_t s = c->now;

    for (size_t i = 0; i < bytes.len && s != 0; i++)
        s = step(c, s, (uint8_t)bytes.ptr[i]);
    return c->failed ? 0 : s;
}

bool gs_constraint_advance(struct gs_constraint *c, struct gs_slice bytes)
{
    c->now = follow(c, bytes);
    return c->now != 0;
}

bool gs_constraint_allows(struct gs_constraint *c, struct gs_slice bytes)
{
    if (!c->failed && c->bytes > MAX_BYTES)
        forget(c);
    return follow(c, bytes) != 0;
}

bool gs_constraint_failed(const struct gs_constraint *c)
{
    return c->failed;
}

bool gs_constraint_may_end(const struct gs_constraint *c)
{
    return !c->failed && c->sets[c->now].may_end;
}

bool gs_constraint_must_end(const struct gs_constraint *c)
{
    return !c->failed && c->sets[c->now].may_end && c->sets[c->now].n == 0;
}

/* ---- life ---- */

enum gs_status gs_constraint_create(struct gs_grammar *g, struct gs_constraint **out_c,
                                    struct gs_error *err)
{
    enum gs_status st = gs_grammar_check(g, err);
    struct gs_constraint *c = NULL;

    if (st == GS_OK) {
        c = gs_alloc_zero(sizeof(*c));
        if (!c || !gs_grammar_prune(g))
            st = gs_error_nomem(err, "constrain the output");
    }
    if (st == GS_OK && g->nodes[g->rules[g->root]].kind == GS_NODE_FAIL)
        st = gs_error_set(err, GS_EFORMAT, "the constraint allows nothing");
    if (st != GS_OK) {
        gs_free(c);
        gs_grammar_clear(g);
        return st;
    }
    c->g = *g;
    init_tables(c);
    if (!c->failed)
        gs_constraint_restart(c);
    if (c->failed) {
        gs_constraint_free(c);
        return gs_error_set(err, GS_ELIMIT, "the grammar begins in too many ways");
    }
    *out_c = c;
    return GS_OK;
}

void gs_constraint_free(struct gs_constraint *c)
{
    if (!c)
        return;
    clear_tables(c);
    gs_grammar_clear(&c->g);
    gs_free(c);
}
