#!/usr/bin/env bash
# Sets up and runs every test that needs no other registry than npm and Debian, the real-kernel ones included.
# Arguments go to Mocha (--grep …).
. "$(dirname "$0")/lib/common.sh"

bash scripts/setup.sh --test
reporter=test/support/reporter.cjs
status=0
say "units, properties and contracts, a file a processor"
node_modules/.bin/mocha --parallel --jobs "$(nproc)" --reporter "$reporter" "$@" || status=1
# One after the other: each of them observes the whole host.
say "the real kernel"
node_modules/.bin/mocha --no-config --node-option import=tsx --timeout 20000 --reporter "$reporter" \
    "$@" 'test/kernel/**/*.test.ts' || status=1
exit "$status"
