# Without a model the stand-in answers, and says what it is.
"$genset" run <<'END' >answer
hello
END
test -s answer && echo answered
find .cache/genset -type f | sed 's/-[0-9a-f]*/-N/'
