/* tests/data/transcripts.json: what model families write, and the tools it is written for. */
#ifndef GS_TESTS_TRANSCRIPTS_H
#define GS_TESTS_TRANSCRIPTS_H

#include "base/buf.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/os.h"
#include "base/slice.h"
#include "chat/prompt.h"
#include "cmocka_headers.h"
#include "json/json.h"

#define TRANSCRIPTS_MAX_BYTES ((size_t)1 << 20)

static const struct gs_tool tools[] = {
    {.name = {"weather", 7},
     .parameters = GS_SLICE_LIT("{\"type\":\"object\",\"properties\":{\"zip\":{\"type\":"
                                "\"string\"},\"days\":{\"type\":\"integer\"}}}")},
    {.name = {"note", 4},
     .parameters = GS_SLICE_LIT("{\"type\":\"object\",\"properties\":{\"text\":{\"type\":"
                                "\"string\"},\"tags\":{\"type\":\"array\"}}}")},
};

static const char *const syntax_names[] = {
    [GS_SYNTAX_HERMES] = "hermes",
    [GS_SYNTAX_QWEN_XML] = "qwen_xml",
    [GS_SYNTAX_FUNCTION_TAG] = "function_tag",
    [GS_SYNTAX_LLAMA_JSON] = "llama_json",
    [GS_SYNTAX_MISTRAL] = "mistral",
    [GS_SYNTAX_DEEPSEEK] = "deepseek",
    [GS_SYNTAX_GLM] = "glm",
    [GS_SYNTAX_PIPE] = "pipe",
    [GS_SYNTAX_GEMMA] = "gemma",
    [GS_SYNTAX_HARMONY] = "harmony",
};

static inline struct gs_slice text_of(const struct gs_json *v, const char *key)
{
    struct gs_slice s = {"", 0};

    assert_true(gs_json_get_string(v, key, &s, NULL));
    return s;
}

static inline bool flag_of(const struct gs_json *v, const char *key, bool otherwise)
{
    assert_true(gs_json_get_bool(v, key, &otherwise, NULL));
    return otherwise;
}

static inline struct gs_prompt_traits traits_of(const struct gs_json *v)
{
    const struct gs_slice name = text_of(v, "syntax");
    const struct gs_json *think = gs_json_get(v, "think");
    struct gs_prompt_traits t = {.think_begin = "", .think_end = ""};
    size_t i = 0;

    while (i < GS_COUNT_OF(syntax_names) && !gs_slice_eq_str(name, syntax_names[i]))
        i++;
    assert_true(i < GS_COUNT_OF(syntax_names));
    t.syntax = (enum gs_chat_syntax)i;
    t.reasoning = t.syntax == GS_SYNTAX_HARMONY;
    if (think) {
        t.reasoning = true;
        t.think_begin = think->u.array.items[0].u.string.ptr;
        t.think_end = think->u.array.items[1].u.string.ptr;
    }
    return t;
}

static inline void read_file(const char *path, struct gs_buf *b)
{
    struct gs_error err = {.code = GS_OK};

    gs_buf_init(b, TRANSCRIPTS_MAX_BYTES);
    if (gs_os_read_file(path, b, &err) != GS_OK)
        fail_msg("%s", err.msg);
}

#endif
