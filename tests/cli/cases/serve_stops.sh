# The line that says where it listens, and a graceful end.
mkfifo log
"$genset" serve standin --listen 127.0.0.1:0 2>log &
server=$!
exec 3<log
while read -r line <&3; do
    case $line in
    *"listening on http://127.0.0.1:"[1-9]*)
        echo listening
        break
        ;;
    *) echo "$line" ;;
    esac
done
kill -TERM $server
wait $server
echo "status $?"
