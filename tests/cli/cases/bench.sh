# status 2
command -v python3 >/dev/null || { echo "skipped: python3 is not installed"; exit 77; }
"$genset" bench standin -p 32,64 -n 8 -d 0,16 --together 1,3 -t 2 -r 2 --json | python3 -c '
import json, sys
b = json.load(sys.stdin)
print(b["threads"], b["load_s"] > 0, b["first_token_s"] > b["load_s"])
for test, size in ("prompt", "tokens"), ("answer", "depth"), ("together", "answers"):
    print(test, [(p[size], p["tps"] > 0) for p in b[test]])
print(0 < b["anon_bytes"] <= b["rss_bytes"] <= b["rss_peak_bytes"])
'
"$genset" bench standin -p 32 -n 8 --together 2 -r 1 | cut -d ' ' -f 1
"$genset" bench standin -p 32,x
"$genset" bench standin --together 65
