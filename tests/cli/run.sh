#!/bin/sh
# run.sh [--update] PROGRAM CASE.sh...: run cases in an empty folder, with an empty environment but for
#
#   genset   the program            models   its folder, with standin.gguf in it
#   shared   ../shared              HOME     the empty folder
#
# and compare what they print with CASE.stdout and CASE.stderr (missing: nothing). A case ends with
# status 0, or with N if it says "# status N"; 77 skips it.
update=
if [ "$1" = --update ]; then
    update=yes
    shift
fi
program=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
shift
root=$(cd "$(dirname "$0")/../.." && pwd)
failed=0

for case in "$@"; do
    case=$(cd "$(dirname "$case")" && pwd)/$(basename "$case")
    expected=${case%.sh}
    wanted=$(sed -n 's/^# status \([0-9]*\)$/\1/p' "$case")
    work=$(mktemp -d) || exit 1
    mkdir "$work/home"
    (
        cd "$work/home" || exit 1
        env -i PATH="$PATH" HOME="$work/home" TERM=dumb genset="$program" \
            models="$(dirname "$program")" shared="$root/../shared" \
            ASAN_OPTIONS="$ASAN_OPTIONS" UBSAN_OPTIONS="$UBSAN_OPTIONS" \
            sh "$case" >"$work/stdout" 2>"$work/stderr" </dev/null
    )
    status=$?
    if [ "$status" -eq 77 ]; then
        cat "$work/stdout"
        rm -rf "$work"
        exit 77
    fi
    if [ "$status" -ne "${wanted:-0}" ]; then
        echo "$(basename "$case"): status $status, expected ${wanted:-0}"
        cat "$work/stderr"
        failed=1
    fi
    for stream in stdout stderr; do
        if [ -n "$update" ]; then
            rm -f "$expected.$stream"
            [ -s "$work/$stream" ] && cp "$work/$stream" "$expected.$stream"
        elif [ -f "$expected.$stream" ]; then
            diff -u "$expected.$stream" "$work/$stream" || failed=1
        elif [ -s "$work/$stream" ]; then
            diff -u /dev/null "$work/$stream" || failed=1
        fi
    done
    rm -rf "$work"
done
exit $failed
