#!/usr/bin/env bash
# Sets up what is missing and observes this host until stopped. Arguments go to "sightline run".
. "$(dirname "$0")/lib/common.sh"

bash scripts/setup.sh
find_root_prefix
exec "${ROOT_PREFIX[@]}" "$(command -v node)" dist/cli/main.js run "$@"
