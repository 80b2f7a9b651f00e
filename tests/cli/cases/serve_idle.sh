# A server that nobody asks ends by itself.
"$genset" serve standin --listen 127.0.0.1:0 --idle-exit 50ms 2>log
echo "status $?"
sed 's/^[^ ]* //; s/:[0-9]*$/:PORT/' log
