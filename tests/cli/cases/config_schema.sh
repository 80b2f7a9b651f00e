# The schema is JSON and knows every key that "config show" knows.
command -v python3 >/dev/null || { echo "skipped: python3 is not installed"; exit 77; }
"$genset" config schema | python3 -c '
import json, sys
s = json.load(sys.stdin)
p = s["properties"]
print(p["kv_type"]["enum"], p["sampling"]["properties"]["top_k"]["default"])
print(list(p)[-6:])
print(list(p["routes"]["items"]["properties"]["deadlines"]["properties"]))
'
