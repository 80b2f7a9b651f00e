# What would be done for each tool, where no server runs.
mkdir -p .local/share/genset/models
cp "$models/standin.gguf" .local/share/genset/models/small.gguf
for tool in claude codex opencode qwen cline copilot aider goose crush; do
    "$genset" launch $tool --dry-run --listen 127.0.0.1:9 -- -x | sed "s|$PWD|HOME|g"
done
GENSET_API_KEY=secret "$genset" launch qwen --dry-run --listen '[::]:9' --models "$models" | sed "s|$PWD|HOME|g;s|$models|MODELS|g"
test ! -e .local/state
