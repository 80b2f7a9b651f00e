# What cannot be launched, and why.
"$genset" launch nothing
echo "status $?"
"$genset" launch gemini
echo "status $?"
PATH=/nowhere "$genset" launch claude --model standin --listen 127.0.0.1:9
echo "status $?"
"$genset" launch claude --listen 127.0.0.1:0
echo "status $?"
"$genset" launch claude --listen 127.0.0.1:9 --model none.gguf
echo "status $?"
"$genset" env vscode --listen 127.0.0.1:9 --model standin
echo "status $?"
