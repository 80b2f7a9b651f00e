# What is told of providers, from a ledger with a known history and no server.
"$genset" status --listen 127.0.0.1:1 2>&1 | sed "s|$HOME|HOME|"
mkfifo log
"$genset" serve standin --listen 127.0.0.1:0 2>log &
server=$!
port=$(sed -n 's/.*listening on .*:\([0-9]*\)$/\1/p;T;q' log)
cat log >/dev/null &
"$genset" status --json --listen "127.0.0.1:$port" | python3 -c 'import json, sys; print(sorted(json.load(sys.stdin)))'
"$genset" trace req_0 --listen "127.0.0.1:$port" 2>&1 | sed "s/$port/PORT/"
kill -TERM $server
wait $server
python3 - "$HOME/.local/share/genset/ledger.db" <<'HISTORY'
import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1])
now = int(time.time()) * 10**6
today = now // 10**6 // 86400
minute = 60 * 10**6

def mark(provider, day, up, down):
    bits = [0, 0]
    for i, minutes in enumerate((up, down)):
        for m in minutes:
            bits[i] |= 1 << m
    db.execute("INSERT INTO uptime VALUES (?,?,?,?)",
               (provider, day, *(b.to_bytes(180, "little") for b in bits)))

for back in range(2, 60):  # noon is of one day nearly everywhere
    mark("anthropic", today - back, range(700, 720), range(720, 730) if back in (9, 30) else [])
mark("garage\x1b[31m", today - 5, [], range(710, 720))
begin = ((today - 9) * 1440 + 720) * minute
row = "INSERT INTO attempt VALUES (NULL,?,?,?,?,?,1,2,?,?,?,0,?,?,4000,500,?,60,0,?,?,?,-1,?,?)"
for i in range(3):
    at = begin + i * minute
    db.execute(row, (f"req_{i}", 1, "anthropic", "claude-large", at, -1, 1000, "overloaded", 0, 529, 100, 0, 0, 0,
                     at + 1000, 1))
    if i < 2:
        db.execute(row, (f"req_{i}", 2, "local", "small\x1b[2J", at, 250000, 1250000, "none", i, 0, 100, 11, 0, 0,
                         at + 1250000, 0))
for day in (0, 1):
    at = now - day * 86400 * 10**6
    local = time.localtime(at // 10**6)
    number = (int(time.mktime((local[0], local[1], local[2], 12, 0, 0, 0, 0, -1))) - time.timezone) // 86400
    db.execute("INSERT INTO spent VALUES (?,'anthropic','claude-large',10,1,1000,600,100,200,?,?)",
               (number, 1234567890 * (day + 1), day))
    db.execute("INSERT INTO spent_key VALUES (?,'anna',?)", (number, 250000000))
    db.execute("INSERT INTO spent VALUES (?,'local','small\x1b[2J',2,0,200,60,0,22,0,0)", (number,))
db.execute("INSERT INTO request VALUES (NULL,'req_0',?,'anthropic','claude-large','local/small',200,1,0,'',100,60,11,0,"
           "251000,1260000,2,0,0,4000,'redact','email 2','anna')", (begin,))
db.execute("INSERT INTO breaker VALUES ('anthropic/claude-large',3,1,?,'overloaded')", (now + 3600 * 10**6,))
db.commit()
HISTORY
when() {
    sed -e 's/20[0-9][0-9]-[0-9-]* [0-9:]*/WHEN/' -e 's/20[0-9][0-9]-[0-9-]*/DAY/' -e 's/"at":"[^"]*"/"at":"T"/g' \
        -e 's/[0-9.]* this month/N this month/' # of yesterday, on its first day
}
"$genset" status --listen 127.0.0.1:1 2>&1 | when
"$genset" status --json --listen 127.0.0.1:1 2>/dev/null |
    python3 -c 'import json, sys; v = json.load(sys.stdin); print({k: len(v[k]) for k in v}, len(v["uptime"][0]["days"]))'
"$genset" log | when
"$genset" log req_0 | when
"$genset" log req_0 --json | when
"$genset" log req_9
"$genset" cost --since 1d | when
mkdir -p "$HOME/.config/genset"
cat >"$HOME/.config/genset/config.yaml" <<'BUDGETS'
providers: {anthropic: {kind: anthropic, url: "https://api.anthropic.com", key: client}}
budgets: {anthropic: {day: 5 USD, month: 60 USD}}
keys: {anna: {budget: {day: 2 USD}}}
BUDGETS
"$genset" cost --by provider | sed 's/[0-9.]* of 5/N of 5/; s/[0-9.]* of 60/N of 60/;
    /^key/s/[0-9.]* this/N this/'
"$genset" cost --by model | sed '/today/d'
"$genset" cost --json | python3 -c 'import json, sys; v = json.load(sys.stdin); print(len(v["days"]), v["days"][-1]["cost_usd"], v["keys"][0]["key"], v["keys"][0]["day_usd"])'
