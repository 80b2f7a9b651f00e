# status 2
"$genset" embed standin
