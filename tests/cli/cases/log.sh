# What a server was asked is in its ledger when the answer has ended: one that was answered, one that
# was refused.
"$genset" log 2>&1 | sed "s|$HOME|HOME|"
mkfifo log
"$genset" serve standin --listen 127.0.0.1:0 --no-any-name 2>log &
server=$!
port=$(sed -n 's/.*listening on .*:\([0-9]*\)$/\1/p;T;q' log)
cat log >/dev/null &
python3 - "$port" <<'REQUESTS'
import sys, urllib.error, urllib.request
def ask(path, body):
    url = f"http://127.0.0.1:{sys.argv[1]}{path}"
    request = urllib.request.Request(url, body.encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request) as answer:
            answer.read()
            print(answer.status, answer.headers["x-genset-served-by"])
    except urllib.error.HTTPError as e:
        print(e.code, e.headers["x-genset-served-by"])
message = '"messages": [{"role": "user", "content": "hello"}], "max_tokens": 7'
ask("/v1/messages", '{"model": "standin", %s}' % message)
ask("/v1/messages/count_tokens", '{"model": "standin", %s}' % message)
ask("/v1/chat/completions", '{"model": "nobody\\u001b[31m", %s, "stream": true}' % message)
REQUESTS
kill -TERM $server
wait $server
hide() {
    sed -e 's/req_[0-9a-f]*/ID/; s/"at":"[^"]*"/"at":"T"/' -e 's/\(_us\|per_s\)":[0-9.][0-9.]*/\1":N/g' \
        -e 's/^\( *[0-9]*\)  *[0-9.]* s  /\1 T/' \
        -e 's/^20[0-9 :-]*ID\( *[0-9.]* s\)* *-*/T /' -e 's/\( *[0-9.]* s\)* *[0-9.]*  local/ T  local/'
}
"$genset" log --json | hide
"$genset" log | hide
"$genset" log --failed -n 5 | wc -l
"$genset" log "$("$genset" log -n 1 | tail -n 1 | cut -c 22-33)" | hide
"$genset" log --totals | hide
"$genset" log --totals --json | hide
"$genset" log --since 1h --failed | wc -l
