# status 3
"$genset" dequant standin nonsense.weight --out a.f32
