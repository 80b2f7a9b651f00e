"$genset" help >overview
cat overview
"$genset" --help | cmp - overview
"$genset" help dequant >command
cat command
"$genset" dequant --nonsense --help | cmp - command
