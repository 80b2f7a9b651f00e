# What would be done for each tool, where no server runs.
mkdir -p .local/share/genset/models folder
cp "$models/standin.gguf" .local/share/genset/models/small.gguf
ln -s "$models/standin.gguf" folder/standin.gguf
for tool in claude codex opencode qwen cline copilot aider goose crush; do
    "$genset" launch $tool --dry-run --listen 127.0.0.1:9 -- -x | sed "s|$PWD|HOME|g"
done
GENSET_API_KEY=secret "$genset" launch qwen --dry-run --listen '[::]:9' --models "$PWD/folder" | sed "s|$PWD|HOME|g"
test ! -e .local/state
