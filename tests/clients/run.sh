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
opencode=1.18.33    # by platform: no lock file can name platforms that a registry lacks
qwen_code=0.24.4

skipped() {
    echo "skipped: $1"
    exit $skip
}

install() {
    command -v npm > /dev/null || skipped "npm is not installed"
    mkdir -p "$work"
    cp "$here"/*.mjs "$work" # modules find packages beside themselves
    if cat "$here/package-lock.json" "$here/run.sh" | cmp -s - "$work/installed"; then
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
    arch=$(uname -m | sed 's/x86_64/x64/; s/aarch64/arm64/')
    set -- "@qwen-code/qwen-code@$qwen_code" \
        "opencode-linux-$(echo "$arch" | sed 's/x64/x64-baseline/')@$opencode"
    if [ "$(node -p 'process.versions.node.split(".")[0]')" -lt "$node_major" ]; then
        set -- "node-linux-$arch@$node_package" "$@"
    fi
    npm install --prefix "$work" --no-save "$@" >> "$work/install.log" 2>&1 || {
        cat "$work/install.log"
        exit 1
    }
    cat "$here/package-lock.json" "$here/run.sh" > "$work/installed"
}

if [ "$2" = install ]; then
    install
    exit 0
fi
[ -f "$work/installed" ] || skipped "the clients were not installed from npm"
node=$(ls "$work"/node_modules/node-linux-*/bin/node 2> /dev/null || command -v node)
GENSET=$2 exec "$node" "$work/$3"
