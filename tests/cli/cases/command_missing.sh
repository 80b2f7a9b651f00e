# status 2
"$genset"
