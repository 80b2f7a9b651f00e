# status 2
"$genset" prompt
