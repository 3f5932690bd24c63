#!/usr/bin/env bash
# Removes what set-up made in the checkout. Distribution packages stay.
. "$(dirname "$0")/lib/common.sh"

rm -rf node_modules dist build coverage .output
say "removed node_modules, dist, build, coverage, .output; distribution packages stay"
