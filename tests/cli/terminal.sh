#!/bin/sh
# terminal.sh PROGRAM: terminal.py, or a word why it is skipped.
if ! command -v python3 >/dev/null; then
    echo "skipped: python3 is not installed"
    exit 77
fi
exec python3 "$(dirname "$0")/terminal.py" "$1"
