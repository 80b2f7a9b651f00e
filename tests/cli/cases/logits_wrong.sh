# status 1
echo '[1, 2, 99999999]' >ids.json
"$genset" logits standin --tokens ids.json --out a.f32
