#!/bin/sh
# run.sh WORK_DIR install           get the clients from npm
# run.sh WORK_DIR GENSET test.mjs   run one test with them against `GENSET serve`
#
# Everything that is fetched goes to WORK_DIR. Exit status 77 means skipped: the registry cannot be
# reached, or this machine has no npm.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$1
skip=77
node_major=22       # what openai 7 needs
node_package=24.9.0 # what is fetched where the machine's own node is older

skipped() {
    echo "skipped: $1"
    exit $skip
}

install() {
    command -v npm > /dev/null || skipped "npm is not installed"
    mkdir -p "$work"
    cp "$here"/*.mjs "$work" # modules find packages beside themselves
    if [ -f "$work/installed" ] && cmp -s "$here/package-lock.json" "$work/installed"; then
        return
    fi
    rm -f "$work/installed"
    cp "$here/package.json" "$here/package-lock.json" "$here/.npmrc" "$work"
    npm view --prefix "$work" --fetch-retries=0 --fetch-timeout=20000 ollama version \
        > "$work/registry.log" 2>&1 ||
        skipped "the npm registry cannot be reached (see $work/registry.log)"
    npm ci --prefix "$work" > "$work/install.log" 2>&1 || {
        cat "$work/install.log"
        exit 1
    }
    if [ "$(node -p 'process.versions.node.split(".")[0]')" -lt "$node_major" ]; then
        arch=$(uname -m | sed 's/x86_64/x64/; s/aarch64/arm64/')
        npm install --prefix "$work" --no-save "node-linux-$arch@$node_package" \
            >> "$work/install.log" 2>&1 || {
            cat "$work/install.log"
            exit 1
        }
    fi
    cp "$here/package-lock.json" "$work/installed"
}

if [ "$2" = install ]; then
    install
    exit 0
fi
[ -f "$work/installed" ] || skipped "the clients were not installed from npm"
node=$(ls "$work"/node_modules/node-linux-*/bin/node 2> /dev/null || command -v node)
GENSET=$2 exec "$node" "$work/$3"
