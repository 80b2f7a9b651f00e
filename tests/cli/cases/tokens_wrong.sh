# status 1
echo '["a", 1]' >texts.json
"$genset" tokens standin --texts texts.json
