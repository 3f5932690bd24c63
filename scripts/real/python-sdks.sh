#!/usr/bin/env bash
# Makes a Python environment with the OpenAI and Anthropic SDKs from PyPI, at the versions that are tested, and
# prints the path of its interpreter. A second run with the same versions changes nothing.
#
#   PYTHON=$(scripts/real/python-sdks.sh [DIRECTORY])
set -euo pipefail

OPENAI_VERSION=3.54.0
ANTHROPIC_VERSION=2.12.0

root=$(cd "$(dirname "$0")/../.." && pwd)
directory=${1:-$root/.output/python-sdks}
stamp=$directory/versions.txt
wanted="openai==$OPENAI_VERSION anthropic==$ANTHROPIC_VERSION"

if [ ! -x "$directory/bin/python" ] || [ "$(cat "$stamp" 2>/dev/null || true)" != "$wanted" ]; then
    rm -rf "$directory"
    # Debian's interpreter: its libpython and libssl are the distribution's, as on a user's machine.
    if ! /usr/bin/python3 -m venv "$directory" >&2; then
        echo "python-sdks: cannot make a virtual environment; install the package python3-venv" >&2
        exit 1
    fi
    # shellcheck disable=SC2086
    "$directory/bin/python" -m pip install --quiet --disable-pip-version-check $wanted >&2
    printf '%s' "$wanted" >"$stamp"
fi
printf '%s\n' "$directory/bin/python"
