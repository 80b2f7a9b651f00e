echo '["the sun", "a little tree"]' >texts.json
"$genset" embed standin --texts texts.json --out a.f32
"$genset" embed standin "the sun" "a little tree" --out b.f32
cmp a.f32 b.f32 && "$genset" embed standin "the sun" | tr -cd ',' | wc -c | tr -d ' '
