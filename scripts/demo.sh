#!/usr/bin/env bash
# Shows a real agent's turn: starts a local model server and an agent built on a real SDK, observes it, prints the trace.
. "$(dirname "$0")/lib/common.sh"

bash scripts/setup.sh
# Only the observer gets privilege. The variables are those by which the agent finds and trusts the server.
find_root_prefix NODE_EXTRA_CA_CERTS OPENAI_BASE_URL OPENAI_API_KEY
node="$(command -v node)"
exec "$node" --import tsx demo/run.ts "${ROOT_PREFIX[@]}" "$node" dist/cli/main.js exec --
