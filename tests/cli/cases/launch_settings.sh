# Programs that are set up by hand.
for tool in vscode jetbrains open-webui n8n marimo; do
    "$genset" launch $tool --listen 127.0.0.1:9
done 2>/dev/null
