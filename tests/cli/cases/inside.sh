# A model inside the program takes the place of other versions' in the cache that no process uses; what
# is anybody else's stays.
command -v flock >/dev/null || exit 77
mkdir -p .cache/genset
cd .cache/genset
old=standin-00000000000000
for folder in elsewhere ${old}a1 ${old}b2 ${old}c3 ${old}d4 ${old}A1 standin-mine pilot-00000000000000a1; do
    mkdir $folder
    echo old >$folder/standin.gguf
done
echo notes >${old}c3/notes
ln -sf ../elsewhere/standin.gguf ${old}d4/standin.gguf
ln -s elsewhere ${old}e5
ls >before
left() {
    find . -mindepth 2 ! -path "$ours/*" | sort
    ls -d ${old}d4 ${old}e5
}

flock -s ${old}b2 "$genset" tokens standin hi
ours=./$(ls | grep -v -x -F -f before)
left
rm -r "$ours"
echo "and where nobody uses it:"
"$genset" tokens standin hi
left
# while it runs it uses its own
ours=$(ls | grep -v -x -F -f before)
{
    while flock -n "$ours" true; do :; done
    echo held
} | "$genset" tokens standin
