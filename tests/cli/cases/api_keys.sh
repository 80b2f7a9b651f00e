# Keys from a file: what is wrong with it, and the first is a launched tool's; some editors begin
# a file with a mark.
printf '# nobody yet\n\n' >empty
printf '\357\273\277# two people\nfirst anna\n\n  second  \n' >keys
"$genset" serve standin --listen 127.0.0.1:0 --api-key-file empty
echo "status $?"
"$genset" serve standin --listen 127.0.0.1:0 --api-key-file missing
echo "status $?"
head -c 300 /dev/zero | tr '\0' k >long
"$genset" serve standin --listen 127.0.0.1:0 --api-key-file long
echo "status $?"
printf 'first anna\nsecret  ben marley\n' >named
"$genset" serve standin --listen 127.0.0.1:0 --api-key-file named
printf 'first anna\nsecond\nthird anna\n' >twice
"$genset" serve standin --listen 127.0.0.1:0 --api-key-file twice
printf 'first\nfirst anna\n' >same
"$genset" serve standin --listen 127.0.0.1:0 --api-key-file same
"$genset" env qwen --listen 127.0.0.1:9 --model standin --api-key-file keys
