command -v python3 >/dev/null || { echo "skipped: python3 is not installed"; exit 77; }
"$genset" run standin --json -n 8 hello | python3 -c '
import json, sys
a = json.load(sys.stdin)
print(sorted(a), a["stop"], a["answer_tokens"])
'
