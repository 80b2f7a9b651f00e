# status 7
# A tool gets its environment and its arguments, and genset its exit status; the server that is
# started for it answers the next tool too.
mkdir bin
cat >bin/claude <<'TOOL'
env | grep -E '^(ANTHROPIC|CLAUDE|DISABLE)_' | LC_ALL=C sort | sed "s/:$port\$/:PORT/"
for arg; do echo "argument: $arg"; done
exit 7
TOOL
chmod +x bin/claude
export PATH="$PWD/bin:$PATH"

# a port that was free a moment ago
mkfifo log
"$genset" serve pilot --listen 127.0.0.1:0 2>log &
server=$!
port=$(sed -n 's/.*listening on .*:\([0-9]*\)$/\1/p;T;q' log)
kill -TERM $server
wait $server
export port

"$genset" launch claude --listen "127.0.0.1:$port" 2>notes
echo "status $?"
server=$(sed -n 's/.*started a server at http:.*, process \([0-9]*\),.*/\1/p' notes)
sed -e "s/:$port/:PORT/" -e "s/process $server/process N/" -e "s|$PWD|HOME|" -e "s/$port/PORT/" notes
"$genset" launch claude --listen "127.0.0.1:$port" --model pilot -- -p "two words" >second
status=$?
grep argument second
"$genset" launch claude --listen "127.0.0.1:$port" --model other 2>&1 | sed "s/:$port/:PORT/"
"$genset" launch claude --listen "127.0.0.1:$port" --dry-run | head -2 | sed "s/:$port/:PORT/"
kill -TERM "$server"
exit $status
