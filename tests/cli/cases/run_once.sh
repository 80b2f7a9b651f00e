# An answer is the same for the same seed, with any number of threads, from an argument and from standard
# input.
"$genset" run "$models/standin.gguf" --seed 7 -n 24 "hello there" >a
"$genset" run "$models/standin.gguf" --seed 7 -n 24 -t 2 "hello" "there" >b
echo "hello there" | "$genset" run "$models/standin.gguf" --seed 7 -n 24 >c
cmp a b && cmp b c && test -s a && echo equal
