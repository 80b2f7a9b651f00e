# A model that the server has not opened yet is loaded before the tool starts.
mkdir bin models
cp "$models/standin.gguf" models/two.gguf
printf '#!/bin/sh\nenv | grep ^GOOSE_ | LC_ALL=C sort\n' >bin/goose
chmod +x bin/goose
export PATH="$PWD/bin:$PATH"
mkfifo log
"$genset" serve standin --models models --listen 127.0.0.1:0 2>log &
server=$!
port=$(sed -n 's/.*listening on .*:\([0-9]*\)$/\1/p;T;q' log)
"$genset" launch goose --listen "127.0.0.1:$port" --model two 2>&1
"$genset" launch goose --listen "127.0.0.1:$port" --model two 2>&1 | head -1
kill -TERM $server
wait $server
