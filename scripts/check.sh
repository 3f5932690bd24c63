#!/usr/bin/env bash
# What a change must pass before it is committed: format, lint, types, dead code, tests with coverage.
. "$(dirname "$0")/lib/common.sh"

node_modules/.bin/biome check .
clang_format="$(command -v clang-format || true)"
if [ -n "$clang_format" ]; then
    find bpf native -name '*.[ch]' -o -name '*.cpp' | xargs "$clang_format" --dry-run --Werror
else
    say "clang-format is not installed: C and C++ formatting not checked"
fi
node_modules/.bin/tsc -p tsconfig.check.json
node_modules/.bin/c8 --reporter=text-summary mocha
