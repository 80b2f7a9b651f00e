/* The table of tools. What each needs was measured with the tool, or read in its documentation:
 * docs/clients.md says which. */
#include "cli/tools.h"

#include <stddef.h>

#define NPM(package) "Install it with: npm install -g " package

/* The attribution line and the countdown would change the prompt's beginning, and with it what is
 * kept of it; a model it does not know it takes for one of a million tokens. */
static const char claude_env[] = "ANTHROPIC_BASE_URL={url}\n"
                                 "ANTHROPIC_AUTH_TOKEN={key}\n"
                                 "ANTHROPIC_API_KEY=\n"
                                 "ANTHROPIC_MODEL={model}\n"
                                 "ANTHROPIC_DEFAULT_OPUS_MODEL={model}\n"
                                 "ANTHROPIC_DEFAULT_SONNET_MODEL={model}\n"
                                 "ANTHROPIC_DEFAULT_HAIKU_MODEL={model}\n"
                                 "CLAUDE_CODE_SUBAGENT_MODEL={model}\n"
                                 "{?CLAUDE_CODE_MAX_CONTEXT_TOKENS={ctx}\n?}"
                                 "{?CLAUDE_CODE_AUTO_COMPACT_WINDOW={ctx}\n?}"
                                 "{?CLAUDE_CODE_MAX_OUTPUT_TOKENS={answer}\n?}"
                                 "CLAUDE_CODE_ATTRIBUTION_HEADER=0\n"
                                 "CLAUDE_CODE_TOTAL_TOKENS_REMINDER=off\n"
                                 "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1\n"
                                 "CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK=1\n"
                                 "CLAUDE_CODE_DISABLE_FEEDBACK_SURVEY=1\n"
                                 "DISABLE_ERROR_REPORTING=1\n"
                                 "CLAUDE_STREAM_IDLE_TIMEOUT_MS=600000\n";

static const char codex_args[] = "-c\nmodel_provider=\"genset\"\n"
                                 "-c\nmodel_providers.genset.name=\"genset\"\n"
                                 "-c\nmodel_providers.genset.base_url=\"{url}/v1\"\n"
                                 "-c\nmodel_providers.genset.wire_api=\"responses\"\n"
                                 "-c\nmodel_providers.genset.env_key=\"GENSET_TOKEN\"\n"
                                 "{?-c\nmodel_context_window={ctx}\n?}"
                                 "-m\n{model}\n";

static const char opencode_env[] =
    "OPENCODE_CONFIG_CONTENT={\"provider\":{\"genset\":{\"npm\":\"@ai-sdk/openai-compatible\","
    "\"name\":\"genset\",\"options\":{\"baseURL\":\"{url}/v1\",\"apiKey\":{\"key\"}},"
    "\"models\":{{\"model\"}:{\"name\":{\"model\"},\"tool_call\":true"
    "{?,\"limit\":{\"context\":{ctx},\"output\":{answer}}?}}}}},"
    "\"model\":\"genset/{model}\",\"small_model\":\"genset/{model}\"}\n";

const struct gs_cli_tool gs_cli_tools[] = {
    {
        .name = "claude",
        .title = "Claude Code",
        .program = "claude",
        .install = NPM("@anthropic-ai/claude-code"),
        .env = claude_env,
    },
    {
        .name = "codex",
        .title = "Codex CLI",
        .program = "codex",
        .install = NPM("@openai/codex"),
        .env = "GENSET_TOKEN={key}\n",
        .args = codex_args,
    },
    {
        .name = "opencode",
        .title = "opencode",
        .program = "opencode",
        .install = NPM("opencode-ai"),
        .env = opencode_env,
    },
    {
        .name = "qwen",
        .title = "Qwen Code",
        .program = "qwen",
        .install = NPM("@qwen-code/qwen-code"),
        .env = "OPENAI_BASE_URL={url}/v1\nOPENAI_API_KEY={key}\nOPENAI_MODEL={model}\n",
        .args = "--auth-type\nopenai\n",
    },
    {
        .name = "cline",
        .title = "Cline CLI",
        .program = "cline",
        .install = NPM("cline"),
        .env = "CLINE_DATA_DIR={folder}\nOPENAI_API_KEY={key}\n",
        .files = {{"settings/providers.json",
                   "{\"version\":1,\"lastUsedProvider\":\"openai-compatible\",\"modes\":{},"
                   "\"providers\":{\"openai-compatible\":{\"settings\":{"
                   "\"provider\":\"openai-compatible\",\"model\":{\"model\"},"
                   "\"baseUrl\":\"{url}/v1\"},\"tokenSource\":\"manual\","
                   "\"updatedAt\":\"2026-01-01T00:00:00.000Z\"}}}\n"}},
    },
    {
        .name = "copilot",
        .title = "GitHub Copilot CLI",
        .program = "copilot",
        .install = NPM("@github/copilot"),
        .env = "COPILOT_PROVIDER_BASE_URL={url}/v1\n"
               "COPILOT_PROVIDER_TYPE=openai\n"
               "COPILOT_PROVIDER_WIRE_API=completions\n"
               "COPILOT_PROVIDER_API_KEY={key}\n"
               "COPILOT_MODEL={model}\n"
               "{?COPILOT_PROVIDER_MAX_PROMPT_TOKENS={prompt}\n?}"
               "{?COPILOT_PROVIDER_MAX_OUTPUT_TOKENS={answer}\n?}",
    },
    {
        .name = "gemini",
        .title = "Gemini CLI",
        .refusal = "Gemini CLI speaks only Google's own API, which genset does not serve",
    },
    {
        .name = "aider",
        .title = "aider",
        .program = "aider",
        .install = "Install it with: python3 -m pip install aider-install && aider-install",
        .env = "OPENAI_API_BASE={url}/v1\n"
               "OPENAI_API_KEY={key}\n"
               "AIDER_MODEL=openai/{model}\n"
               "AIDER_MODEL_METADATA_FILE={folder}/models.json\n",
        .files = {{"models.json", "{\"openai/{model}\":{"
                                  "{?\"max_input_tokens\":{ctx},\"max_tokens\":{answer},?}"
                                  "\"litellm_provider\":\"openai\",\"mode\":\"chat\","
                                  "\"input_cost_per_token\":0,\"output_cost_per_token\":0}}\n"}},
    },
    {
        .name = "goose",
        .title = "goose",
        .program = "goose",
        .install = "Install it as https://block.github.io/goose says",
        .env = "GOOSE_PROVIDER=openai\n"
               "GOOSE_MODEL={model}\n"
               "OPENAI_HOST={url}\n"
               "OPENAI_BASE_PATH=v1/chat/completions\n"
               "OPENAI_API_KEY={key}\n"
               "{?GOOSE_CONTEXT_LIMIT={ctx}\n?}",
    },
    {
        .name = "crush",
        .title = "Crush",
        .program = "crush",
        .install = NPM("@charmland/crush"),
        .env =
            "CRUSH_GLOBAL_CONFIG={folder}\nCRUSH_GLOBAL_DATA={folder}/data\nGENSET_TOKEN={key}\n",
        .files = {{"crush.json",
                   "{\"providers\":{\"genset\":{\"type\":\"openai-compat\",\"name\":\"genset\","
                   "\"base_url\":\"{url}/v1\",\"api_key\":\"$GENSET_TOKEN\",\"models\":[{"
                   "\"id\":{\"model\"},\"name\":{\"model\"}"
                   "{?,\"context_window\":{ctx},\"default_max_tokens\":{answer}?}"
                   "}]}},\"models\":{"
                   "\"large\":{\"provider\":\"genset\",\"model\":{\"model\"}},"
                   "\"small\":{\"provider\":\"genset\",\"model\":{\"model\"}}}}\n"}},
    },
    {
        .name = "vscode",
        .title = "Visual Studio Code",
        .settings =
            "Visual Studio Code, GitHub Copilot Chat: open the model picker, choose \"Manage\n"
            "Models...\", then Ollama, and enter\n\n"
            "    URL      {url}\n\n"
            "Models with \"tools\" can then be chosen in agent mode; {model} is one of those "
            "there.\n",
    },
    {
        .name = "jetbrains",
        .title = "JetBrains AI Assistant",
        .settings =
            "JetBrains IDEs: Settings > Tools > AI Assistant > Models, third-party providers\n\n"
            "    Ollama               {url}\n\n"
            "or OpenAI-compatible\n\n"
            "    URL                  {url}/v1\n"
            "    API key              {key}\n"
            "    Model                {model}\n",
    },
    {
        .name = "open-webui",
        .title = "Open WebUI",
        .settings = "Open WebUI: Admin Panel > Settings > Connections, or its environment\n\n"
                    "    OLLAMA_BASE_URL={url}\n\n"
                    "or, as an OpenAI connection\n\n"
                    "    OPENAI_API_BASE_URL={url}/v1\n"
                    "    OPENAI_API_KEY={key}\n\n"
                    "In a container {url} is the container itself: there use the host's\n"
                    "address, and serve on it with --listen and an API key.\n",
    },
    {
        .name = "n8n",
        .title = "n8n",
        .settings = "n8n: Credentials > New > Ollama\n\n"
                    "    Base URL             {url}\n\n"
                    "or > OpenAI\n\n"
                    "    Base URL             {url}/v1\n"
                    "    API key              {key}\n\n"
                    "Then, in a chat model node, choose {model}.\n",
    },
    {
        .name = "marimo",
        .title = "marimo",
        .settings = "marimo: Settings > AI > AI Providers > Ollama, or in marimo.toml\n\n"
                    "    [ai.ollama]\n"
                    "    base_url = \"{url}/v1\"\n\n"
                    "    [ai.models]\n"
                    "    chat_model = \"ollama/{model}\"\n",
    },
    {.name = NULL},
};
