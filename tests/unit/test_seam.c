/* Where an answer that was asked for once more meets what the client has: cut at every character,
 * repeated in every way that models repeat, in pieces of every size. */
#include <stdio.h>
#include <string.h>

#include "base/slice.h"
#include "cmocka_headers.h"
#include "switch/seam.h"

static const char *const texts[] = {
    "The sky is blue because small molecules scatter short waves more than long ones. At dusk the "
    "light has a longer way to go, and most of its blue is gone before it \"arrives\": what is "
    "left "
    "is red. That isn't a trick of the eye.",
    "Here is the function:\n\n```python\ndef fib(n):\n    if n < 2:\n        return n\n\n    "
    "return "
    "fib(n - 1) + fib(n - 2)\n```\n\nIt takes `O(2^n)` steps;\tsee [the "
    "article](https://example.com/"
    "a_(b)?x=1#y) for a better one.\n\n- first\n- second\n",
    "| name | value |\n|------|------:|\n| one  |     1 |\n| two  |     2 |\n| three|     3 |\n\n"
    "$$\\int_0^1 x^2\\,dx = \\frac{1}{3}$$\n\nand **bold _and italic_** text",
    "Der Baum wächst — „größer“ als je zuvor… Η γάτα κάθεται. "
    "猫は縁側で寝ている。とても静かな午後だった。"
    "👩‍👩‍👧 familie, e\xcc\x81te\xcc\x81, 🇩🇪.",
    "Short one.",
};

struct fit {
    enum gs_seam_state state;
    struct gs_buf all; /* what the client has in the end */
};

static struct fit fit(enum gs_seam_kind kind, struct gs_slice had, struct gs_slice reply,
                      size_t step)
{
    struct fit f = {.state = GS_SEAM_WAITS};
    struct gs_slice fresh;
    struct gs_seam s;

    gs_buf_init(&f.all, 1 << 20);
    gs_buf_slice(&f.all, had);
    gs_seam_init(&s, kind, had, NULL, 0);
    for (size_t at = 0; at < reply.len; at += step) {
        f.state = gs_seam_feed(&s, gs_slice_sub(reply, at, at + step), &fresh);
        gs_buf_slice(&f.all, fresh);
    }
    f.state = gs_seam_end(&s, false, &fresh);
    gs_buf_slice(&f.all, fresh);
    gs_seam_clear(&s);
    return f;
}

static void expect(enum gs_seam_kind kind, struct gs_slice had, struct gs_slice reply,
                   struct gs_slice want, const char *what)
{
    for (size_t step = 1; step <= 16; step = step == 1 ? 3 : step == 3 ? 16 : 1000) {
        struct fit f = fit(kind, had, reply, step);
        if (f.state != GS_SEAM_JOINED || !gs_slice_eq(gs_buf_view(&f.all), want)) {
            fprintf(stderr, "state %d, had:\n[%.*s]\nreply:\n[%.*s]\ngot:\n[%.*s]\n", (int)f.state,
                    (int)had.len, had.ptr, (int)reply.len, reply.ptr, (int)f.all.len, f.all.ptr);
            fail_msg("%s %s, step %zu", gs_seam_word(kind), what, step);
        }
        gs_buf_clear(&f.all);
    }
}

static void expect_apart(enum gs_seam_kind kind, struct gs_slice had, const char *reply)
{
    struct fit f = fit(kind, had, gs_slice_str(reply), 7);

    if (f.state != GS_SEAM_APART || f.all.len != had.len)
        fail_msg("%s [%.*s] took [%s]", gs_seam_word(kind), (int)had.len, had.ptr, reply);
    gs_buf_clear(&f.all);
}

static bool is_inside_char(struct gs_slice s, size_t at)
{
    return at < s.len && ((unsigned char)s.ptr[at] & 0xc0) == 0x80;
}

/* Each text, cut at each character; `at` counts bytes. */
#define EACH_CUT(text, at)                                                                         \
    for (size_t t_ = 0; t_ < sizeof(texts) / sizeof(*texts); t_++)                                 \
        for (struct gs_slice text = gs_slice_str(texts[t_]), *once_ = &text; once_; once_ = NULL)  \
            for (size_t at = 1; at < text.len; at++)                                               \
                if (!is_inside_char(text, at))

struct reply {
    char text[4096];
    size_t len;
};

static void put(struct reply *r, struct gs_slice s)
{
    assert_true(r->len + s.len < sizeof(r->text));
    memcpy(r->text + r->len, s.ptr, s.len);
    r->len += s.len;
}

static struct gs_slice view(const struct reply *r)
{
    return gs_slice(r->text, r->len);
}

/* What follows the anchor, with the white space that the client has already. */
static struct gs_slice rest_of(struct gs_slice text, size_t at, struct gs_slice anchor)
{
    const size_t end = (size_t)(anchor.ptr + anchor.len - text.ptr);

    return gs_slice_sub(text, end < at ? end : at, text.len);
}

/* ---- an open turn ---- */

static void open_turns(void **state)
{
    (void)state;
    EACH_CUT(text, at)
    {
        const struct gs_slice had = gs_slice_sub(text, 0, at);
        const struct gs_slice rest = gs_slice_sub(text, at, text.len);
        const struct gs_slice anchor = gs_seam_anchor(had);
        expect(GS_SEAM_OPEN, had, rest, text, "as it is");
        expect(GS_SEAM_GUESSED, had, rest, text, "as it is");
        if (anchor.len)
            expect(GS_SEAM_TRIMMED, had, rest_of(text, at, anchor), text, "without its space");
    }
}

/* Who does not know of open turns begins from the start, or says the end again. */
static void turns_that_were_not_open(void **state)
{
    (void)state;
    EACH_CUT(text, at)
    {
        const struct gs_slice had = gs_slice_sub(text, 0, at);
        const struct gs_slice anchor = gs_seam_anchor(had);
        if (at < 60)
            continue;
        expect(GS_SEAM_GUESSED, had, text, text, "from the start");
        struct reply r = {.len = 0};
        put(&r, anchor);
        put(&r, rest_of(text, at, anchor));
        expect(GS_SEAM_GUESSED, had, view(&r), text, "the end again");
    }
    const struct gs_slice had = gs_slice_sub(gs_slice_str(texts[0]), 0, 120);
    expect_apart(GS_SEAM_GUESSED, had, "The sky is blue because small drops of water hang in it.");
}

static void text_that_repeats_itself(void **state)
{
    const struct gs_slice had = GS_SLICE_LIT("|---|---|---|\n|---|---|---|\n|---|---|---|\n");
    struct fit f =
        fit(GS_SEAM_GUESSED, gs_slice_sub(had, 0, 41), GS_SLICE_LIT("\n|---|---|---|"), 1);

    (void)state;
    assert_int_equal(f.state, GS_SEAM_JOINED);
    assert_int_equal(f.all.len, 41 + 14);
    gs_buf_clear(&f.all);
}

/* ---- anchors ---- */

static void anchors(void **state)
{
    (void)state;
    EACH_CUT(text, at)
    {
        const struct gs_slice had = gs_slice_sub(text, 0, at);
        const struct gs_slice anchor = gs_seam_anchor(had);
        const struct gs_slice rest = rest_of(text, at, anchor);
        struct reply plain = {.len = 0}, quoted = {.len = 0}, led = {.len = 0}, fenced = {.len = 0};
        if (anchor.len == 0)
            continue;
        put(&plain, anchor);
        put(&plain, rest);
        expect(GS_SEAM_ANCHOR, had, view(&plain), text, "to the letter");
        if (at < 60)
            continue;
        put(&quoted, GS_SLICE_LIT("\xe2\x80\x9c"));
        put(&quoted, anchor);
        put(&quoted, GS_SLICE_LIT("\xe2\x80\x9d"));
        put(&quoted, rest);
        if (rest.ptr[0] != '"' && rest.ptr[0] != '\xe2')
            expect(GS_SEAM_ANCHOR, had, view(&quoted), text, "in quotes");
        put(&led, GS_SLICE_LIT("Sure, here is the rest of it:\n\n"));
        put(&led, view(&plain));
        expect(GS_SEAM_ANCHOR, had, view(&led), text, "with words before");
        put(&fenced, GS_SLICE_LIT("```python\n"));
        put(&fenced, view(&plain));
        expect(GS_SEAM_ANCHOR, had, view(&fenced), text, "fenced");
        expect(GS_SEAM_ANCHOR, had, text, text, "from the start");
    }
}

/* Where the last n bytes of `had`, but for white space, begin: at a character. */
static size_t tail_from(struct gs_slice had, struct gs_slice anchor, size_t n)
{
    const size_t end = (size_t)(anchor.ptr + anchor.len - had.ptr);
    size_t from = end > n ? end - n : 0;

    while (is_inside_char(had, from))
        from++;
    return from;
}

static void longer_and_shorter_pieces(void **state)
{
    static const size_t lens[] = {24, 30, 60, 100};

    (void)state;
    EACH_CUT(text, at)
    {
        const struct gs_slice had = gs_slice_sub(text, 0, at);
        const struct gs_slice anchor = gs_seam_anchor(had);
        if (at < 110 || t_ == 2 || t_ == 3) /* a table's lines are alike; of letters it is less */
            continue;
        for (size_t i = 0; i < GS_COUNT_OF(lens); i++) {
            struct reply r = {.len = 0};
            const size_t from = tail_from(had, anchor, lens[i]);
            put(&r, gs_slice_sub(text, from, text.len));
            if (lens[i] < 40 &&
                gs_slice_find(gs_slice_sub(text, from, at), GS_SLICE_LIT("  "), 0) != SIZE_MAX)
                continue; /* white space counts once */
            expect(GS_SEAM_ANCHOR, had, view(&r), text, "another length");
        }
    }
}

static void other_white_space_and_quotes(void **state)
{
    static const struct {
        const char *had, *reply, *want;
    } rows[] = {
        {"He said \"it isn't\" and then\nwent  home to his",
         "He said \xe2\x80\x9cit isn\xe2\x80\x99t\xe2\x80\x9d and then went home to his wife.",
         "He said \"it isn't\" and then\nwent  home to his wife."},
        {"one two three four five six ", "one two three four five six seven",
         "one two three four "
         "five six seven"},
        {"one two three four five six", "one two three four five six seven",
         "one two three four five six seven"},
        {"one two three four five si", "one two three four five six",
         "one two three four five six"},
        {"if (x) {\n    ", "if (x) {\nreturn;", "if (x) {\n    return;"},
        {"if (x) {\n    ", "if (x) {\n    return;", "if (x) {\n    return;"},
        {"the first paragraph ends.\n\n", "the first paragraph ends.\n\nThe second",
         "the first paragraph ends.\n\nThe second"},
        {"the first paragraph ends.\n", "the first paragraph ends.\n\nThe second",
         "the first paragraph ends.\n\nThe second"},
        {"the first paragraph ends. ", "the first paragraph ends.\n\nThe second",
         "the first paragraph ends. \n\nThe second"},
        {"all of this is complete", "all of this is complete", "all of this is complete"},
        {"all of this is complete\n", "all of this is complete", "all of this is complete\n"},
        {"Hi", "Hi there", "Hi there"},
        {"as I said before, the end", "...as I said before, the end of it",
         "as I said before, the end of it"},
    };

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(rows); i++)
        expect(GS_SEAM_ANCHOR, gs_slice_str(rows[i].had), gs_slice_str(rows[i].reply),
               gs_slice_str(rows[i].want), rows[i].reply);
}

/* Refused, excused, begun anew in other words, in another language, about something else. */
static void who_does_not_go_on(void **state)
{
    static const char *const replies[] = {
        "",
        " ",
        "I'm sorry, but I can't help with that.",
        "I apologize for the confusion. It seems that your connection dropped. The sky is blue "
        "because of Rayleigh scattering: molecules of the air are small against the waves of "
        "light, "
        "and so they scatter blue light far more than red light, in all directions, and that is "
        "it.",
        "Der Himmel ist blau, weil kleine Moleküle kurze Wellen stärker streuen als lange.",
        "waves more than long",
        "short waves",
        "The sky is blue because small drops of water scatter it.",
    };
    const struct gs_slice had = gs_slice_sub(gs_slice_str(texts[0]), 0, 150);

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(replies); i++)
        expect_apart(GS_SEAM_ANCHOR, had, replies[i]);
    expect_apart(GS_SEAM_ANCHOR, GS_SLICE_LIT("Hi"), "Oh, Hi there");
    expect_apart(GS_SEAM_ANCHOR, GS_SLICE_LIT(" \n"), " \nwords");
}

/* Nothing is held for longer than it takes to know. */
static void little_is_held(void **state)
{
    const struct gs_slice had = gs_slice_sub(gs_slice_str(texts[0]), 0, 150);
    const struct gs_slice anchor = gs_seam_anchor(had);
    struct gs_slice fresh;
    struct gs_seam s;

    (void)state;
    assert_in_range(anchor.len, 40, 56);
    gs_seam_init(&s, GS_SEAM_ANCHOR, had, NULL, 0);
    assert_int_equal(gs_seam_feed(&s, anchor, &fresh), GS_SEAM_JOINED);
    gs_seam_clear(&s);
    gs_seam_init(&s, GS_SEAM_GUESSED, had, NULL, 0);
    assert_int_equal(gs_seam_feed(&s, GS_SLICE_LIT("xyz"), &fresh), GS_SEAM_JOINED);
    gs_seam_clear(&s);
    gs_seam_init(&s, GS_SEAM_ANCHOR, had, NULL, 0);
    for (int i = 0; i <= GS_SEAM_HOLD; i++)
        gs_seam_feed(&s, GS_SLICE_LIT("z"), &fresh);
    assert_int_equal(s.state, GS_SEAM_APART);
    gs_seam_clear(&s);
}

/* ---- the same once more ---- */

static void skips(void **state)
{
    (void)state;
    EACH_CUT(text, at)
    {
        expect(GS_SEAM_SKIP, gs_slice_sub(text, 0, at), text, text, "all");
    }
    expect(GS_SEAM_SKIP, gs_slice("", 0), GS_SLICE_LIT("x"), GS_SLICE_LIT("x"), "nothing");
    expect_apart(GS_SEAM_SKIP, GS_SLICE_LIT("abc"), "abd");
    expect_apart(GS_SEAM_SKIP, GS_SLICE_LIT("abc"), "ab");
    expect_apart(GS_SEAM_SKIP, GS_SLICE_LIT("abc"), "");
}

/* ---- stop sequences ---- */

static enum gs_seam_state stop_at(enum gs_seam_kind kind, const char *had, const char *reply,
                                  bool is_stopped, char out[64])
{
    static const struct gs_slice stops[] = {GS_SLICE_LIT("</end>"), GS_SLICE_LIT("\n\nUser:")};
    struct gs_slice fresh;
    struct gs_seam s;
    size_t n = 0;

    gs_seam_init(&s, kind, gs_slice_str(had), stops, 2);
    for (const char *p = reply; *p; p++) {
        gs_seam_feed(&s, gs_slice(p, 1), &fresh);
        memcpy(out + n, fresh.len ? fresh.ptr : "", fresh.len);
        n += fresh.len;
    }
    const enum gs_seam_state state = gs_seam_end(&s, is_stopped, &fresh);
    memcpy(out + n, fresh.len ? fresh.ptr : "", fresh.len);
    out[n + fresh.len] = '\0';
    gs_seam_clear(&s);
    return state;
}

static void stop_sequences_across_the_seam(void **state)
{
    char out[64];

    (void)state;
    assert_int_equal(stop_at(GS_SEAM_OPEN, "so it is.</e", "nd> and more", false, out),
                     GS_SEAM_STOPPED);
    assert_string_equal(out, "");
    assert_int_equal(stop_at(GS_SEAM_OPEN, "so it is.</e", "nde> and more", false, out),
                     GS_SEAM_JOINED);
    assert_string_equal(out, "nde> and more");
    assert_int_equal(stop_at(GS_SEAM_OPEN, "so it is.\n", "\nUser", false, out), GS_SEAM_JOINED);
    assert_string_equal(out, "\nUser");
    /* who was shown it stops by itself, and keeps all of the sequence */
    assert_int_equal(stop_at(GS_SEAM_ANCHOR, "well, so it is, after all.</e",
                             "well, so it is, after all.", true, out),
                     GS_SEAM_JOINED);
    assert_string_equal(out, "");
    assert_int_equal(stop_at(GS_SEAM_SKIP, "so it is.</e", "so it is.", true, out), GS_SEAM_JOINED);
    assert_int_equal(stop_at(GS_SEAM_SKIP, "so it is.</e", "so it is.", false, out), GS_SEAM_APART);
    assert_int_equal(stop_at(GS_SEAM_SKIP, "so it is. So it was.", "so", true, out), GS_SEAM_APART);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(open_turns),
        cmocka_unit_test(turns_that_were_not_open),
        cmocka_unit_test(text_that_repeats_itself),
        cmocka_unit_test(anchors),
        cmocka_unit_test(longer_and_shorter_pieces),
        cmocka_unit_test(other_white_space_and_quotes),
        cmocka_unit_test(who_does_not_go_on),
        cmocka_unit_test(little_is_held),
        cmocka_unit_test(skips),
        cmocka_unit_test(stop_sequences_across_the_seam),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
