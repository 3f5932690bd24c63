#!/usr/bin/env bash
# Sets up what is missing and observes this host until stopped. Arguments go to "sightline run".
. "$(dirname "$0")/lib/common.sh"

bash scripts/setup.sh
if is_root; then
    exec node dist/cli/main.js run "$@"
fi
as_root "$(command -v node)" dist/cli/main.js run "$@"
