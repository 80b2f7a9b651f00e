# A server that cannot start says why: here the model file is cut off.
mkdir bin
printf '#!/bin/sh\nexit 0\n' >bin/qwen
chmod +x bin/qwen
export PATH="$PWD/bin:$PATH"
head -c 300 "$models/standin.gguf" >cut.gguf
mkfifo log
"$genset" serve standin --listen 127.0.0.1:0 2>log &
server=$!
port=$(sed -n 's/.*listening on .*:\([0-9]*\)$/\1/p;T;q' log)
kill -TERM $server
wait $server
"$genset" launch qwen --listen "127.0.0.1:$port" --model cut.gguf 2>notes
echo "status $?"
sed -e "s/:$port/:PORT/;s/-$port/-PORT/" -e "s/process [0-9]*/process N/" -e "s|$PWD|HOME|" notes
