# status 3
# A model is found by name in the data folder, and the names are told when it is not.
mkdir -p .local/share/genset/models
cp "$models/standin.gguf" .local/share/genset/models/small.gguf
"$genset" tokens small --json hello >ids || exit 1
"$genset" tokens .local/share/genset/models/small.gguf --json hello | cmp - ids || exit 1
"$genset" tokens smal hello
