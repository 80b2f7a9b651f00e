command -v python3 >/dev/null || { echo "skipped: python3 is not installed"; exit 77; }
"$genset" bench standin -p 32 -n 8 -t 2 -r 2 --json | python3 -c '
import json, sys
b = json.load(sys.stdin)
print(b["threads"], [b[k] > 0 for k in ("pp_tps", "tg_tps", "load_s", "rss_bytes")])
'
"$genset" bench standin -p 32 -n 8 -r 1 | cut -d ' ' -f 1
