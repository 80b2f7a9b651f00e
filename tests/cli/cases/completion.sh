# The bash script completes; the others are printed.
"$genset" completion bash >script
bash -c '
source ./script
complete_words() {
    COMP_WORDS=("$@")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _genset
    echo "${COMPREPLY[*]}"
}
complete_words genset s
complete_words genset run --t
complete_words genset run --kv-type q
complete_words genset completion f
complete_words genset tokens --no
complete_words genset launch c
complete_words genset env o
'
"$genset" completion zsh | head -n 1
"$genset" completion fish | head -n 1
