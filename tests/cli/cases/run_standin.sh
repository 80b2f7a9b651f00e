# Without a model the stand-in answers, and says what it is.
"$genset" run <<'END' >answer
hello
END
test -s answer && echo answered
ls .cache/genset | sed 's/[0-9][0-9]*/N/'
