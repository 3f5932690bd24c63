#!/usr/bin/env bash
# Builds the BPF object, the addon and the TypeScript, each only when one of its inputs is newer.
. "$(dirname "$0")/lib/common.sh"

if is_root && [ "$(stat -c %u "$ROOT_DIR")" -ne 0 ]; then
    as_owner bash scripts/build.sh
    exit
fi

bash scripts/build-native.sh

stamp=dist/.stamp
if [ -e "$stamp" ] && [ -z "$(find src tsconfig.json package.json -newer "$stamp" -print -quit)" ]; then
    say "TypeScript: up to date"
else
    say "compiling TypeScript"
    rm -rf dist
    node_modules/.bin/tsc -p tsconfig.json
    chmod +x dist/cli/main.js
    touch "$stamp"
fi
