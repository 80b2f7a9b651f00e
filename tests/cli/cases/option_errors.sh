# status 2
"$genset" bench --repetition 3 --threads=many -p -1 --json=perhaps model.gguf
