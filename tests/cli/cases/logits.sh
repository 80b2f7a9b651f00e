# One float for each token and word of the vocabulary.
command -v python3 >/dev/null || { echo "skipped: python3 is not installed"; exit 77; }
echo '[1, 2, 3, 4, 5]' >ids.json
"$genset" logits standin --tokens ids.json --out a.f32 -t 1
"$genset" logits standin --tokens ids.json --out b.f32 -t 2
cmp a.f32 b.f32
"$genset" show standin --json | python3 -c '
import json, os, sys
print(os.path.getsize("a.f32") == 5 * 4 * json.load(sys.stdin)["vocabulary"])
'
