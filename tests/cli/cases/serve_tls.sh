# HTTPS with a certificate made here; a tool is launched over it, and told whom to trust.
command -v openssl >/dev/null || exit 77
openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost 2>/dev/null
mkdir bin
printf '#!/bin/sh\nenv | grep -E "^(OPENAI_BASE|NODE_EXTRA)" | LC_ALL=C sort\n' >bin/qwen
chmod +x bin/qwen
export PATH="$PWD/bin:$PATH"
mkfifo log
"$genset" serve standin --listen 127.0.0.1:0 --tls-cert cert.pem --tls-key key.pem 2>log &
server=$!
port=$(sed -n 's/.*listening on https:.*:\([0-9]*\)$/\1/p;T;q' log)
"$genset" launch qwen --listen "127.0.0.1:$port" --tls-cert cert.pem | sed "s|$PWD|HOME|;s/:$port/:PORT/"
"$genset" launch qwen --listen "127.0.0.1:$port" 2>&1 | sed "s/:$port/:PORT/"
kill -TERM $server
wait $server
echo "status $?"
"$genset" serve standin --listen 127.0.0.1:0 --tls-cert cert.pem
echo "status $?"
"$genset" serve standin --listen 127.0.0.1:0 --tls-cert key.pem --tls-key key.pem 2>&1 | sed 's/ (.*)//'
