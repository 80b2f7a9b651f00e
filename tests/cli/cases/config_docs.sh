# The table in docs/routes.md has every key, as the schema says it (tools/routes-table prints it), and
# its examples are right.
command -v python3 >/dev/null || { echo "skipped: python3 is not installed"; exit 77; }
root=$(cd "$(dirname "$0")/../../.." && pwd)
"$genset" config schema | python3 "$root/tools/routes-table" >wanted
sed '1,/^## Every key/d' "$root/docs/routes.md" | grep '^|' >there
diff -u wanted there
awk '/^```yaml/ { n++; on = 1; next } /^```/ { on = 0 } on { print > n ".yaml" }' "$root/docs/routes.md"
for file in [0-9]*.yaml; do
    "$genset" config check $file 2>/dev/null | head -1
done
