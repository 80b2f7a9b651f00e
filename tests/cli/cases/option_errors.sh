# status 2
"$genset" bench --repetition 3 --threads=many -n -1 --json=perhaps model.gguf
