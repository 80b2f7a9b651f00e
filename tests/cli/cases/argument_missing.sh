# status 2
"$genset" show
