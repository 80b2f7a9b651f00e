command -v python3 >/dev/null || { echo "skipped: python3 is not installed"; exit 77; }
"$genset" show standin | sed -n '1,/^context/p' | cut -c 1-16
"$genset" show standin --json --tensors | python3 -c '
import json, sys
s = json.load(sys.stdin)
print(s["architecture"], s["context_tokens"] > 0, s["memory"]["kv_bytes_per_token"] > 0)
print(sum(s["memory"]["weights"].values()) == sum(t["bytes"] for t in s["tensors"]))
'
