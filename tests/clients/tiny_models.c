/* genset-tiny-models FOLDER: writes tiny-attention.gguf and tiny-qwen35.gguf there, models of
 * random weights with the vocabulary of the stand-in, room for long conversations, and a template
 * that knows tools and reasoning. What they say means nothing; what of it is computed again is
 * measured. */
#include <stdio.h>

#include "base/error.h"
#include "base/slice.h"
#include "gguf/gguf.h"
#include "standin/standin.h"
#include "tiny_gguf.h"

#define CTX_TOKENS 131072

/* As Qwen's models are spoken to. */
static const char chat_template[] =
    "{%- macro calls(m) %}{% for c in m.tool_calls %}\n<tool_call>\n{\"name\": \"{{ "
    "c.function.name }}\","
    " \"arguments\": {{ c.function.arguments | tojson }}}\n</tool_call>{% endfor %}{% endmacro %}"
    "{%- if tools %}<|im_start|>system\n"
    "{% if messages[0].role == 'system' %}{{ messages[0].content }}\n\n{% endif %}"
    "# Tools\n<tools>{% for t in tools %}\n{{ t | tojson }}{% endfor %}\n</tools>\n"
    "Call one as <tool_call>\n{\"name\": NAME, \"arguments\": OBJECT}\n</tool_call><|im_end|>\n"
    "{% elif messages[0].role == 'system' %}<|im_start|>system\n{{ messages[0].content "
    "}}<|im_end|>\n"
    "{% endif %}"
    "{%- for m in messages %}"
    "{%- if m.role == 'system' and loop.first %}"
    "{%- elif m.role == 'tool' %}<|im_start|>user\n<tool_response>\n{{ m.content "
    "}}\n</tool_response>"
    "<|im_end|>\n"
    "{%- elif m.role == 'assistant' %}<|im_start|>assistant\n"
    "{% if m.reasoning_content %}<think>\n{{ m.reasoning_content }}\n</think>\n\n{% endif %}"
    "{{ m.content }}{% if m.tool_calls %}{{ calls(m) }}{% endif %}<|im_end|>\n"
    "{%- else %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n"
    "{%- endif %}{% endfor %}"
    "{%- if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking %}<think>\n{% endif %}{% endif %}";

static struct gs_gguf *standin;

static void put_vocabulary(struct gs_gguf_writer *w)
{
    for (size_t i = 0; i < gs_gguf_value_count(standin); i++) {
        const struct gs_gguf_value *v = gs_gguf_value_at(standin, i);
        if (gs_slice_starts(v->key, GS_SLICE_LIT("tokenizer.ggml.")))
            gs_gguf_writer_copy(w, v);
    }
    gs_gguf_writer_string(w, "tokenizer.chat_template", gs_slice_str(chat_template));
}

static enum gs_status write_one(const char *folder, const char *name, struct tiny_shape shape)
{
    const struct tiny_edit edits[] = {
        {.name = "context_length", .action = TINY_U32, .u32 = CTX_TOKENS}};
    const struct gs_gguf_value *tokens = gs_gguf_find(standin, "tokenizer.ggml.tokens");
    char path[1024];

    shape.n_vocab = (uint32_t)tokens->n_items;
    snprintf(path, sizeof(path), "%s/%s.gguf", folder, name);
    return tiny_write_more(path, &shape, edits, GS_COUNT_OF(edits), put_vocabulary);
}

int main(int argc, char **argv)
{
    static const struct tiny_shape attention = {"qwen3", false, GS_TYPE_Q8_0, 0, 64, 64, 2,
                                                2,       1,     32,           0, 0,  0};
    static const struct tiny_shape recurrent = {"qwen35", false, GS_TYPE_Q8_0, 0, 64, 64, 4,
                                                2,        1,     32,           2, 2,  32};
    struct gs_error err = {0};

    if (argc != 2)
        gs_error_set(&err, GS_EINVAL, "usage: genset-tiny-models FOLDER");
    else if (gs_gguf_open_memory("stand-in", gs_standin_gguf, gs_standin_gguf_bytes, &standin,
                                 &err) == GS_OK &&
             (write_one(argv[1], "tiny-attention", attention) != GS_OK ||
              write_one(argv[1], "tiny-qwen35", recurrent) != GS_OK))
        gs_error_set(&err, GS_EIO, "could not write models to \"%s\"", argv[1]);
    gs_gguf_close(standin);
    if (err.code != GS_OK)
        fprintf(stderr, "genset-tiny-models: %s\n", err.msg);
    return err.code == GS_OK ? 0 : 1;
}
