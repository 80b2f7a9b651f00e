command -v python3 >/dev/null || { echo "skipped: python3 is not installed"; exit 77; }
mkdir folder
cp "$models/standin.gguf" folder/small.gguf
"$genset" doctor --json --models folder -t 2 | python3 -c '
import json, sys
d = json.load(sys.stdin)
print(sorted(d))
print(d["threads"], d["cores"] > 0, d["memory_bytes"] > 0, d["models"][0]["name"], d["models"][0]["fits"])
'
"$genset" doctor --models folder | cut -c 1-16
