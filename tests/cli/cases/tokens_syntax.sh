# status 1
printf '["a",' >texts.json
"$genset" tokens standin --texts texts.json
