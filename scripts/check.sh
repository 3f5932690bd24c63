#!/usr/bin/env bash
# What a change must pass before it is committed: format, lint, types, dead code, tests with coverage.
. "$(dirname "$0")/lib/common.sh"

bash scripts/check-style.sh
node_modules/.bin/c8 --reporter=text-summary mocha
