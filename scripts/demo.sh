#!/usr/bin/env bash
# Shows a real agent's turn: starts a local model server and an agent built on a real SDK, observes it, prints the trace.
. "$(dirname "$0")/lib/common.sh"

bash scripts/setup.sh
as_root "$(command -v node)" --import tsx demo/run.ts "$(command -v node)" dist/cli/main.js exec --
