#!/bin/sh
# run.sh PROGRAM FOLDER KIND [NAME...]: check.py of the golden data, or a word why it is skipped.
program=$1
folder=$2
shift 2
if [ ! -f "$folder/check.py" ]; then
    echo "skipped: no golden data in $folder"
    exit 77
fi
if ! command -v python3 >/dev/null; then
    echo "skipped: python3 is not installed"
    exit 77
fi
GENSET=$program exec python3 "$folder/check.py" "$@"
