[ -d "$shared/golden/embed" ] || { echo "no $shared/golden: skipped"; exit 77; }
"$genset" embed "$shared/golden/embed/bert-rerank.gguf" --rerank "hello" "what is" "world peace" | cut -c1-6
"$genset" embed "$shared/golden/embed/bert-rerank.gguf" --raw --rerank "hello" "what is" | cut -c1-6
"$genset" embed standin --rerank "hello" "what is" 2>&1
true
