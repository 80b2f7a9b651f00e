# status 3
"$genset" show missing
