# status 2
"$genset" run standin </dev/null
