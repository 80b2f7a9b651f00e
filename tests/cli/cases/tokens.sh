command -v python3 >/dev/null || { echo "skipped: python3 is not installed"; exit 77; }
printf '%s' '["hello", "", "\u00e9\n<|im_end|>"]' >texts.json
"$genset" tokens standin --texts texts.json >with.json
"$genset" tokens standin --no-special --no-parse --texts texts.json >without.json
python3 -c '
import json
a, b = json.load(open("with.json")), json.load(open("without.json"))
print(len(a), len(b), b[1], len(a[2]) < len(b[2]))
'
"$genset" tokens standin hello | wc -l | awk '{ print ($1 > 0) }'
