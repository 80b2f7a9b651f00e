# Keys from a file: what is wrong with it, and the first is a launched tool's.
printf '# nobody yet\n\n' >empty
printf '# two people\nfirst key\n\n  second  \n' >keys
"$genset" serve standin --listen 127.0.0.1:0 --api-key-file empty
echo "status $?"
"$genset" serve standin --listen 127.0.0.1:0 --api-key-file missing
echo "status $?"
head -c 300 /dev/zero | tr '\0' k >long
"$genset" serve standin --listen 127.0.0.1:0 --api-key-file long
echo "status $?"
"$genset" env qwen --listen 127.0.0.1:9 --model standin --api-key-file keys
