# status 2
"$genset" completion tcsh
