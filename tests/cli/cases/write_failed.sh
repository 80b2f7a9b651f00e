# status 1
# A full disk and a closed pipe are noticed.
"$genset" help >/dev/full
test $? -eq 1 || exit 9
"$genset" run standin -n 8 hello >/dev/full
