"$genset" version
"$genset" --version
"$genset" version --json
