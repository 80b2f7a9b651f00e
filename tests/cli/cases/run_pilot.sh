# Without a model pilot answers: it says what it is, and knows the program.
"$genset" run --temperature 0 <<'END'
who are you?
END
"$genset" run pilot --temperature 0 "How do I connect Codex?"
find .cache/genset -type f | sed 's/-[0-9a-f]*/-N/'
