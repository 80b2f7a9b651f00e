# A hermit answers this machine, by HTTP and in the terminal, and nobody else.
mkfifo log
ASAN_OPTIONS="$ASAN_OPTIONS:detect_leaks=0" # a leak check would reach into the process
export ASAN_OPTIONS
"$genset" serve standin --hermit --listen 127.0.0.1:0 2>log &
server=$!
port=$(sed -n 's/.*listening on .*:\([0-9]*\)$/\1/p;T;q' log)
cat log >/dev/null &
grep '^Seccomp:' /proc/$server/status
python3 -c "import urllib.request
print(urllib.request.urlopen('http://127.0.0.1:$port/api/version').status)"
kill -TERM $server
wait $server
"$genset" run --hermit --temperature 0 standin "hello" >answer
head -c 20 answer
echo
"$genset" serve standin --hermit --listen 0.0.0.0:0 --api-key x
echo "status $?"
