#!/usr/bin/env bash
# Sets up and runs every test that needs no other registry than npm and Debian, the real-kernel ones included.
. "$(dirname "$0")/lib/common.sh"

bash scripts/setup.sh --test
exec node_modules/.bin/mocha --config .mocharc.json --reporter test/support/reporter.cjs \
    --spec 'test/kernel/**/*.test.ts' "$@"
