# status 3
printf 'GGUF\003\000\000\000garbage' >damaged.gguf
"$genset" show damaged.gguf
