/* The table of tool-call syntaxes. */
#include "chat/tool_syntax.h"

#include "chat/tool_region.h"

const struct gs_tool_syntax *gs_chat_tool_syntax(enum gs_chat_syntax syntax)
{
    static const struct gs_tool_syntax *const syntaxes[] = {
        [GS_SYNTAX_HERMES] = &gs_chat_syntax_tool_call,
        [GS_SYNTAX_QWEN_XML] = &gs_chat_syntax_qwen_xml,
        [GS_SYNTAX_FUNCTION_TAG] = &gs_chat_syntax_function_tag,
        [GS_SYNTAX_GLM] = &gs_chat_syntax_glm,
        [GS_SYNTAX_LLAMA_JSON] = &gs_chat_syntax_llama,
        [GS_SYNTAX_MISTRAL] = &gs_chat_syntax_mistral,
        [GS_SYNTAX_DEEPSEEK] = &gs_chat_syntax_deepseek,
        [GS_SYNTAX_PIPE] = &gs_chat_syntax_pipe,
        [GS_SYNTAX_GEMMA] = &gs_chat_syntax_gemma,
        [GS_SYNTAX_HARMONY] = &gs_chat_syntax_harmony,
    };

    return syntaxes[syntax];
}
