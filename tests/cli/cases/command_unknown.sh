# status 2
"$genset" serv
