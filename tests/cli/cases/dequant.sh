"$genset" dequant standin token_embd.weight --first 10 --out a.f32
wc -c <a.f32
"$genset" dequant standin token_embd.weight --first 10 --out - | cmp - a.f32
