/* Answers kept as tokens: found again by what clients send back of them, and only where it means
 * the same; and over a conversation of each family, prompts that begin with the very tokens of
 * those before them. */
#include "cmocka_headers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/llm.h"
#include "api/replay.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/os.h"
#include "base/slice.h"
#include "chat/parser.h"
#include "chat/prompt.h"
#include "standin/standin.h"

#define LIT(s)                                                                                     \
    {                                                                                              \
        s, sizeof(s) - 1                                                                           \
    }
#define TEXT(s)                                                                                    \
    {                                                                                              \
        .kind = GS_BLOCK_TEXT, .text = LIT(s)                                                      \
    }
#define MESSAGE(r, b)                                                                              \
    {                                                                                              \
        .role = r, .blocks = b, .n_blocks = GS_COUNT_OF(b)                                         \
    }

/* ---- the store ---- */

static const struct gs_block asks[] = {TEXT("Is it wet?")};
static const struct gs_block asks_other[] = {TEXT("Is it dry?")};
static const struct gs_block wants_more[] = {TEXT("More.")};

/* Record an answer to `chat`: reasoning, text, a call; or its text alone. */
static struct gs_replay *record(struct gs_replay_store *s, const struct gs_chat *chat, bool calls)
{
    static const struct gs_event said[] = {
        {.kind = GS_EVENT_BEGIN, .block = GS_BLOCK_REASONING},
        {.kind = GS_EVENT_DELTA, .block = GS_BLOCK_REASONING, .text = LIT("Look")},
        {.kind = GS_EVENT_DELTA, .block = GS_BLOCK_REASONING, .text = LIT(" out.")},
        {.kind = GS_EVENT_END, .block = GS_BLOCK_REASONING},
        {.kind = GS_EVENT_BEGIN, .block = GS_BLOCK_TEXT},
        {.kind = GS_EVENT_DELTA, .block = GS_BLOCK_TEXT, .text = LIT("One moment.\n")},
        {.kind = GS_EVENT_END, .block = GS_BLOCK_TEXT},
        {.kind = GS_EVENT_BEGIN,
         .block = GS_BLOCK_TOOL_CALL,
         .id = LIT("call_1"),
         .name = LIT("weather")},
        {.kind = GS_EVENT_DELTA, .block = GS_BLOCK_TOOL_CALL, .text = LIT("{\"zip\":\"01\",")},
        {.kind = GS_EVENT_DELTA, .block = GS_BLOCK_TOOL_CALL, .text = LIT("\"days\":3}")},
        {.kind = GS_EVENT_END, .block = GS_BLOCK_TOOL_CALL}};
    struct gs_replay *r;

    assert_int_equal(gs_replay_begin(s, chat, GS_SLICE_LIT("<think>"), &r, NULL), GS_OK);
    for (size_t i = 0; i < (calls ? GS_COUNT_OF(said) : 7); i++)
        gs_replay_take_event(r, &said[i]);
    for (int32_t id = 7; id < 10; id++)
        gs_replay_take_token(r, id);
    return r;
}

/* Whether the answer that is messages[1] is found. */
static bool finds(struct gs_replay_store *s, const struct gs_message *messages, size_t n)
{
    const struct gs_chat chat = {.messages = messages, .n_messages = n};
    struct gs_replay_match *m;
    struct gs_arena a;
    size_t n_found;

    gs_arena_init(&a, 0);
    assert_int_equal(gs_replay_find(s, &chat, &a, &m, &n_found, NULL), GS_OK);
    assert_true(n_found <= 1);
    if (n_found == 1) {
        assert_int_equal(m->message_idx, 1);
        assert_true(gs_slice_eq_str(m->opening, "<think>"));
        assert_int_equal(m->n_tokens, 3);
        assert_int_equal(m->tokens[2], 9);
    }
    gs_replay_release(s, m, n_found);
    gs_arena_clear(&a);
    return n_found == 1;
}

static const struct gs_message question[] = {MESSAGE(GS_ROLE_USER, asks)};
static const struct gs_chat asking = {.messages = question, .n_messages = 1};

static void what_means_the_same_is_found(void **state)
{
    struct gs_block blocks[3];
    struct gs_message messages[] = {MESSAGE(GS_ROLE_USER, asks),
                                    {.role = GS_ROLE_ASSISTANT, .blocks = blocks},
                                    MESSAGE(GS_ROLE_USER, wants_more)};
    static const struct {
        const char *question, *reasoning, *text, *id, *name, *args;
        bool found;
    } rows[] = {
        {"Is it wet?", "Look out.", "One moment.", "call_1", "weather",
         "{ \"days\": 3.0, \"zip\": \"\\u00301\" }", true},
        {"Is it wet?", "", "One moment.", "call_1", "weather", "{\"days\":3,\"zip\":\"01\"}", true},
        {"Else", "", "One moment.\n\n", "call_1", "weather", "{\"zip\":\"01\",\"days\":3}", true},
        {"Is it wet?", "", "One moment.", "", "weather", "{\"zip\":\"01\",\"days\":3}", true},
        {"Is it wet?", "", "One moment.", "other", "weather", "{\"zip\":\"01\",\"days\":3}", true},
        {"Else", "", "One moment.", "", "weather", "{\"zip\":\"01\",\"days\":3}", false},
        {"Is it wet?", "Look in.", "One moment.", "call_1", "weather",
         "{\"zip\":\"01\",\"days\":3}", false},
        {"Is it wet?", "", "One second.", "call_1", "weather", "{\"zip\":\"01\",\"days\":3}",
         false},
        {"Is it wet?", "", "One moment.", "call_1", "climate", "{\"zip\":\"01\",\"days\":3}",
         false},
        {"Is it wet?", "", "One moment.", "call_1", "weather", "{\"zip\":\"01\",\"days\":4}",
         false},
        {"Is it wet?", "", "One moment.", "call_1", "weather", "{\"zip\":\"01\"", false},
    };
    struct gs_replay_store *s;

    (void)state;
    assert_int_equal(gs_replay_store_create(GS_MIB, &s, NULL), GS_OK);
    gs_replay_keep(s, record(s, &asking, true));
    for (size_t i = 0; i < GS_COUNT_OF(rows); i++) {
        const struct gs_block first = {.kind = GS_BLOCK_TEXT,
                                       .text = gs_slice_str(rows[i].question)};
        messages[0].blocks = &first;
        blocks[0] =
            (struct gs_block){.kind = GS_BLOCK_REASONING, .text = gs_slice_str(rows[i].reasoning)};
        blocks[1] = (struct gs_block){.kind = GS_BLOCK_TEXT, .text = gs_slice_str(rows[i].text)};
        blocks[2] = (struct gs_block){.kind = GS_BLOCK_TOOL_CALL,
                                      .id = gs_slice_str(rows[i].id),
                                      .name = gs_slice_str(rows[i].name),
                                      .args = gs_slice_str(rows[i].args)};
        messages[1].n_blocks = 3;
        if (finds(s, messages, 3) != rows[i].found)
            fail_msg("row %zu", i);
    }
    messages[0].blocks = asks;
    messages[1].n_blocks = 2; /* the call is gone */
    assert_false(finds(s, messages, 3));
    gs_replay_store_free(s);
}

static void reasoning_is_found_by_its_signature(void **state)
{
    struct gs_replay_store *s;
    struct gs_block blocks[] = {{.kind = GS_BLOCK_REASONING, .text = LIT("Look out.")},
                                TEXT("One moment.")};
    const struct gs_message same[] = {MESSAGE(GS_ROLE_USER, asks),
                                      MESSAGE(GS_ROLE_ASSISTANT, blocks)};
    const struct gs_message moved[] = {MESSAGE(GS_ROLE_USER, asks_other),
                                       MESSAGE(GS_ROLE_ASSISTANT, blocks)};
    char signature[64];

    (void)state;
    assert_int_equal(gs_replay_store_create(GS_MIB, &s, NULL), GS_OK);
    struct gs_replay *r = record(s, &asking, false);
    const struct gs_slice given = gs_replay_signature(r);
    assert_true(given.len >= 16 && given.len < sizeof(signature));
    memcpy(signature, given.ptr, given.len);
    assert_false(finds(s, same, 2)); /* not kept yet */
    gs_replay_keep(s, r);
    assert_true(finds(s, same, 2));
    assert_false(finds(s, moved, 2));
    blocks[0].signature = gs_slice(signature, given.len);
    assert_true(finds(s, moved, 2));
    signature[0] ^= 1;
    assert_false(finds(s, moved, 2));
    gs_replay_store_free(s);
}

static void the_longest_unused_is_dropped(void **state)
{
    static const struct gs_block answers[] = {TEXT("One moment.")};
    const struct gs_message first[] = {MESSAGE(GS_ROLE_USER, asks),
                                       MESSAGE(GS_ROLE_ASSISTANT, answers)};
    const struct gs_message second[] = {MESSAGE(GS_ROLE_USER, asks_other),
                                        MESSAGE(GS_ROLE_ASSISTANT, answers)};
    const struct gs_chat other = {.messages = second, .n_messages = 1};
    const struct gs_chat begun = {.messages = first, .n_messages = 2};
    struct gs_replay_store *s;
    struct gs_replay_match *m;
    struct gs_arena a;
    size_t n;

    (void)state;
    assert_int_equal(gs_replay_store_create(3 * 4 * GS_KIB, &s, NULL), GS_OK);
    gs_replay_keep(s, record(s, &asking, false));
    gs_replay_keep(s, record(s, &other, false));
    assert_true(finds(s, first, 2));
    gs_arena_init(&a, 0);
    assert_int_equal(gs_replay_find(s, &begun, &a, &m, &n, NULL), GS_OK);
    assert_int_equal(n, 1);
    for (int i = 0; i < 64; i++) { /* the same question, so that old answers hide no new one */
        gs_replay_keep(s, record(s, &other, false));
        assert_true(finds(s, second, 2));
    }
    assert_false(finds(s, first, 2));
    assert_int_equal(m->tokens[0], 7); /* dropped, but held */
    gs_replay_release(s, m, n);
    gs_arena_clear(&a);
    gs_replay_store_free(s);
}

static void memory_that_fails_forgets(void **state)
{
    const struct gs_block answers[] = {TEXT("One moment.")};
    const struct gs_message messages[] = {MESSAGE(GS_ROLE_USER, asks),
                                          MESSAGE(GS_ROLE_ASSISTANT, answers)};
    const struct gs_chat chat = {.messages = messages, .n_messages = 2};

    (void)state;
    for (long n = 1; n < 40; n++) {
        struct gs_replay_store *s = NULL;
        struct gs_replay *r = NULL;
        struct gs_replay_match *m = NULL;
        struct gs_arena a;
        size_t n_found = 0;

        gs_arena_init(&a, 0);
        gs_alloc_fail_at(n);
        if (gs_replay_store_create(GS_MIB, &s, NULL) == GS_OK &&
            gs_replay_begin(s, &asking, GS_SLICE_LIT("<think>"), &r, NULL) == GS_OK) {
            gs_replay_take_token(r, 1);
            gs_replay_take_event(r, &(struct gs_event){.kind = GS_EVENT_BEGIN});
            gs_replay_take_event(
                r, &(struct gs_event){.kind = GS_EVENT_DELTA, .text = LIT("One moment.")});
            gs_replay_take_event(r, &(struct gs_event){.kind = GS_EVENT_END});
            gs_replay_keep(s, r);
            if (gs_replay_find(s, &chat, &a, &m, &n_found, NULL) == GS_OK) {
                for (size_t i = 0; i < n_found; i++)
                    assert_int_equal(m[i].n_tokens, 1);
                gs_replay_release(s, m, n_found);
            }
        }
        gs_alloc_fail_at(0);
        gs_arena_clear(&a);
        gs_replay_store_free(s);
    }
}

/* ---- conversations ---- */

#define MAX_TURNS 6

/* What the families write; VOCAB has the tokens that end their turns. */
static const struct family {
    const char *name, *vocab;
    const char *calls, *answers; /* as the model writes them */
} families[] = {
    {"Qwen-Qwen3-0.6B", "qwen2",
     "<think>\nLook it  up.\n</think>\n\nOne moment.\n<tool_call>\n{\"name\": \"weather\", "
     "\"arguments\": {\"zip\": \"01\",  \"days\": 3}}\n</tool_call>",
     "<think>\n\nRain is wet.\n</think>\n\nYes,  it is. "},
    {"Qwen-QwQ-32B", "qwen2",
     "Look it  up.\n</think>\n\n<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"zip\": "
     "\"01\"}}\n</tool_call>",
     "Rain is wet.\n</think>\n\nYes."},
    {"Qwen-Qwen2.5-7B-Instruct", "qwen2",
     "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"zip\":\"01\"}}\n</tool_call>",
     "Yes,\tit is.\n"},
    {"Qwen3-Coder", "qwen2",
     "I look.\n\n<tool_call>\n<function=weather>\n<parameter=zip>\n01\n</parameter>\n"
     "</function>\n</tool_call>",
     "Yes,  it is."},
    {"Qwen3.5-4B", "qwen35",
     "Look it  up.\n</think>\n\n<tool_call>\n<function=weather>\n<parameter=zip>\n01\n"
     "</parameter>\n</function>\n</tool_call>",
     "Rain.\n</think>\n\nYes,  it is."},
    {"HuggingFaceTB-SmolLM3-3B", "smollm",
     "<think>\nLook it  up.\n</think>\n<tool_call>\n{\"name\": \"weather\", \"arguments\": "
     "{\"zip\": \"01\"}}\n</tool_call>",
     "<think>\nRain.\n</think>\nYes,  it is."},
    {"meta-llama-Llama-3.1-8B-Instruct", "llama-bpe",
     "{\"name\": \"weather\", \"parameters\": {\"zip\":  \"01\"}}", "Yes,  it is."},
    {"mistralai-Ministral-3-14B-Reasoning-2512", "llama-spm",
     "[THINK]Look it  up.[/THINK][TOOL_CALLS]weather[ARGS]{\"zip\":  \"01\"}",
     "[THINK]Rain.[/THINK]Yes,  it is."},
    {"microsoft-Phi-3.5-mini-instruct", "phi-3",
     "I look.\n<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"zip\":  \"01\"}}\n"
     "</tool_call>",
     "Yes,  it is."},
    {"deepseek-ai-DeepSeek-R1-Distill-Qwen-32B", "deepseek-llm",
     "Look it  up.\n</think>\n\n<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"zip\": "
     "\"01\"}}\n</tool_call>",
     "Rain.\n</think>\n\nYes,  it is."},
};

static const struct gs_tool tool = {
    .name = LIT("weather"),
    .description = LIT("Tells the weather."),
    .parameters = LIT("{\"type\":\"object\",\"properties\":{\"zip\":{\"type\":\"string\"}}}")};

/* What the client keeps of an answer. */
struct heard {
    struct gs_replay *replay;
    struct gs_arena *a;
    struct gs_block blocks[8];
    size_t n;
    struct gs_buf text;
};

static enum gs_flow hear(void *ud, const struct gs_event *ev)
{
    struct heard *h = ud;

    gs_replay_take_event(h->replay, ev);
    if (ev->kind == GS_EVENT_BEGIN) {
        struct gs_block *b = &h->blocks[h->n++];
        assert_true(h->n <= GS_COUNT_OF(h->blocks));
        *b = (struct gs_block){.kind = ev->block};
        assert_true(gs_arena_dup(h->a, ev->id, &b->id) && gs_arena_dup(h->a, ev->name, &b->name));
        gs_buf_reset(&h->text);
    }
    gs_buf_slice(&h->text, ev->text);
    if (ev->kind == GS_EVENT_END) {
        struct gs_block *b = &h->blocks[h->n - 1];
        assert_true(gs_arena_dup(h->a, gs_slice_trim(gs_buf_view(&h->text)), &b->text));
        if (ev->block == GS_BLOCK_TOOL_CALL)
            b->args = gs_arena_printf(h->a, " %s ", b->text.ptr); /* spelled anew */
        if (ev->block == GS_BLOCK_REASONING)
            h->n--; /* left out */
    }
    return GS_FLOW_CONTINUE;
}

struct talk {
    gs_llm *llm;
    struct gs_arena a;
    struct gs_message messages[2 * MAX_TURNS + 2];
    size_t n;
    struct gs_token_ids expected; /* what the next prompt begins with */
};

static void push(struct talk *t, enum gs_role role, const struct gs_block *blocks, size_t n)
{
    struct gs_block *copy = gs_arena_array(&t->a, n, sizeof(*copy));

    assert_non_null(copy);
    memcpy(copy, blocks, n * sizeof(*copy));
    t->messages[t->n++] = (struct gs_message){.role = role, .blocks = copy, .n_blocks = n};
}

/* The model writes `text` in tokens of single characters, as no tokenizer would. */
static void answer(struct talk *t, const struct gs_llm_prompt *p, const struct gs_chat *chat,
                   struct gs_slice text)
{
    struct heard h = {.a = &t->a};
    struct gs_token_ids ids = {0};
    struct gs_parser *parser;

    assert_true(p->knows_opening);
    assert_int_equal(
        gs_replay_begin(t->llm->replays, chat, gs_buf_view(&p->opening), &h.replay, NULL), GS_OK);
    const struct gs_parser_options opt = {.traits = gs_prompter_traits(t->llm->prompter),
                                          .opens_reasoning = p->opens_reasoning,
                                          .tools = true,
                                          .tool = &tool,
                                          .n_tools = 1,
                                          .id_seed = t->n};
    gs_buf_init(&h.text, GS_MIB);
    assert_int_equal(gs_parser_create(&opt, hear, &h, &parser, NULL), GS_OK);
    for (size_t i = 0; i < text.len; i++) {
        const struct gs_slice piece = gs_slice_sub(text, i, i + 1);
        assert_int_equal(gs_token_encode(t->llm->tok, piece, 0, &ids, NULL), GS_OK);
        gs_parser_feed(parser, piece, NULL, 0);
    }
    gs_parser_finish(parser);
    for (size_t i = 0; i < ids.len; i++)
        gs_replay_take_token(h.replay, ids.ids[i]);
    gs_replay_keep(t->llm->replays, h.replay);
    t->expected.len = 0;
    assert_int_equal(gs_llm_append_tokens(&t->expected, p->ids.ids, p->ids.len, NULL), GS_OK);
    assert_int_equal(gs_llm_append_tokens(&t->expected, ids.ids, ids.len, NULL), GS_OK);
    push(t, GS_ROLE_ASSISTANT, h.blocks, h.n);
    gs_parser_free(parser);
    gs_token_ids_clear(&ids);
    gs_buf_clear(&h.text);
}

static void take_turn(struct talk *t, struct gs_slice text)
{
    const struct gs_chat chat = {
        .messages = t->messages, .n_messages = t->n, .tools = &tool, .n_tools = 1};
    struct gs_error err = {.code = GS_OK};
    struct gs_llm_prompt p;

    if (gs_llm_prompt_make(t->llm, &chat, &p, &err) != GS_OK)
        fail_msg("%s", err.msg);
    assert_true(p.ids.len > t->expected.len);
    for (size_t i = 0; i < t->expected.len; i++)
        if (p.ids.ids[i] != t->expected.ids[i])
            fail_msg("token %zu of %zu at message %zu", i, t->expected.len, t->n);
    answer(t, &p, &chat, text);
    gs_llm_prompt_clear(&p);
}

static void converse(gs_llm *llm, const struct family *f)
{
    static const struct gs_block system[] = {TEXT("Be brief.")};
    struct talk t = {.llm = llm};

    gs_arena_init(&t.a, 0);
    push(&t, GS_ROLE_SYSTEM, system, 1);
    push(&t, GS_ROLE_USER, asks, 1);
    for (int turn = 0; turn < MAX_TURNS; turn++) {
        const bool calls = turn % 3 != 2;
        take_turn(&t, gs_slice_str(calls ? f->calls : f->answers));
        const struct gs_message *last = &t.messages[t.n - 1];
        const struct gs_block *block = &last->blocks[last->n_blocks - 1];
        assert_int_equal(block->kind, calls ? GS_BLOCK_TOOL_CALL : GS_BLOCK_TEXT);
        if (calls)
            push(&t, GS_ROLE_TOOL,
                 &(struct gs_block){
                     .kind = GS_BLOCK_TOOL_RESULT, .id = block->id, .text = LIT("rain")},
                 1);
        else
            push(&t, GS_ROLE_USER, wants_more, 1);
    }
    gs_token_ids_clear(&t.expected);
    gs_arena_clear(&t.a);
}

static void prompts_begin_with_the_tokens_before_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(families); i++) {
        struct gs_llm_options opt;
        struct gs_error err = {.code = GS_OK};
        struct gs_buf source;
        char path[512];
        gs_llm *llm;

        gs_llm_options_init(&opt);
        opt.weights_only = true;
        gs_buf_init(&source, GS_MAX_TEMPLATE_BYTES);
        snprintf(path, sizeof(path), "%s/golden/template/%s.jinja", GENSET_SHARED,
                 families[i].name);
        if (gs_os_read_file(path, &source, NULL) != GS_OK) {
            print_message("no %s: skipped\n", path);
            skip();
        }
        snprintf(path, sizeof(path), "%s/golden/tokenizer/%s.gguf", GENSET_SHARED,
                 families[i].vocab);
        print_message("%s with %s\n", families[i].name, families[i].vocab);
        if (gs_llm_open(path, &opt, &llm, &err) != GS_OK)
            fail_msg("%s", err.msg);
        gs_prompter_free(llm->prompter);
        assert_int_equal(gs_prompter_create(gs_buf_view(&source), llm->bos_text, llm->eos_text,
                                            &llm->prompter, NULL),
                         GS_OK);
        converse(llm, &families[i]);
        gs_llm_close(llm);
        gs_buf_clear(&source);
    }
}

/* ---- with an engine ---- */

struct told {
    struct gs_buf text, tokens; /* of the answer; of prompt and answer */
    int64_t cached;
    enum gs_stop_reason stop;
};

static enum gs_flow on_event(void *ud, const struct gs_event *ev)
{
    struct told *t = ud;

    gs_buf_slice(&t->text, ev->text);
    if (ev->kind == GS_EVENT_STOP) {
        gs_buf_put(&t->tokens, ev->tokens, ev->n_tokens * sizeof(*ev->tokens));
        t->cached = ev->usage.cached_tokens;
        t->stop = ev->stop;
    }
    return GS_FLOW_CONTINUE;
}

static void ask(gs_llm *llm, const struct gs_message *messages, size_t n, struct told *t)
{
    struct gs_chat chat = {.messages = messages, .n_messages = n, .wants_tokens = true};
    struct gs_error err = {.code = GS_OK};
    gs_answer *a;

    *t = (struct told){.cached = 0};
    gs_buf_init(&t->text, GS_MIB);
    gs_buf_init(&t->tokens, GS_MIB);
    gs_sampling_init(&chat.sampling);
    if (gs_llm_answer(llm, &chat, on_event, t, &a, &err) != GS_OK)
        fail_msg("%s", err.msg);
    gs_answer_wait(a);
    gs_answer_free(a);
    assert_int_equal(t->stop, GS_STOP_END);
}

/* The stand-in ends its answer with a line break, which the client drops. */
static void the_next_turn_begins_with_this_one(void **state)
{
    struct gs_llm_options opt;
    struct gs_error err = {.code = GS_OK};
    char path[] = "/tmp/genset-test-replay-XXXXXX";
    struct told first, second;
    const int fd = mkstemp(path);
    gs_llm *llm;

    (void)state;
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(gs_os_write_file(path, gs_standin_gguf, gs_standin_gguf_bytes, &err), GS_OK);
    gs_llm_options_init(&opt);
    opt.n_threads = 1;
    opt.ctx_tokens = 1024;
    assert_int_equal(gs_llm_open(path, &opt, &llm, &err), GS_OK);
    ask(llm, question, 1, &first);
    const struct gs_slice said = gs_slice_trim(gs_buf_view(&first.text));
    assert_true(said.len < first.text.len);
    const struct gs_block answers[] = {{.kind = GS_BLOCK_TEXT, .text = said}};
    const struct gs_message messages[] = {MESSAGE(GS_ROLE_USER, asks),
                                          MESSAGE(GS_ROLE_ASSISTANT, answers),
                                          MESSAGE(GS_ROLE_USER, wants_more)};
    ask(llm, messages, 3, &second);
    assert_true(second.tokens.len > first.tokens.len);
    assert_true((size_t)second.cached + 1 >= first.tokens.len / sizeof(int32_t));
    assert_memory_equal(second.tokens.ptr, first.tokens.ptr, first.tokens.len);
    const struct gs_block edited[] = {
        {.kind = GS_BLOCK_TEXT, .text = gs_slice_sub(said, 1, said.len)}};
    const struct gs_message other[] = {MESSAGE(GS_ROLE_USER, asks),
                                       MESSAGE(GS_ROLE_ASSISTANT, edited),
                                       MESSAGE(GS_ROLE_USER, wants_more)};
    gs_buf_clear(&second.text);
    gs_buf_clear(&second.tokens);
    ask(llm, other, 3, &second);
    assert_memory_not_equal(second.tokens.ptr, first.tokens.ptr, first.tokens.len);
    gs_buf_clear(&second.text);
    gs_buf_clear(&second.tokens);
    gs_buf_clear(&first.text);
    gs_buf_clear(&first.tokens);
    gs_llm_close(llm);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_means_the_same_is_found),
        cmocka_unit_test(reasoning_is_found_by_its_signature),
        cmocka_unit_test(the_longest_unused_is_dropped),
        cmocka_unit_test(memory_that_fails_forgets),
        cmocka_unit_test(prompts_begin_with_the_tokens_before_them),
        cmocka_unit_test(the_next_turn_begins_with_this_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
