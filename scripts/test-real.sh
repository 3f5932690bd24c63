#!/usr/bin/env bash
# Runs the tests that need more than npm and Debian: Python SDKs from PyPI, a Collector, Jaeger and Prometheus from
# Go modules. Where one of those registries does not answer, says so and leaves out what needs it.
. "$(dirname "$0")/lib/common.sh"

bash scripts/setup.sh --test

specs=()
left_out=()

if ! dpkg-query -W -f='${db:Status-Status}' python3-venv 2>/dev/null | grep -qx installed; then
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        python3-venv >/dev/null
fi
python=""
if python="$(bash scripts/real/python-sdks.sh)"; then
    specs+=(test/real/python-sdk-clients.test.ts test/real/python-sdk-calls.test.ts)
else
    left_out+=("Python SDKs (PyPI did not give them)")
fi

backends=""
if ! command -v go >/dev/null 2>&1; then
    left_out+=("real backends (Go is not installed)")
elif ! backends="$(bash scripts/real/backends.sh)"; then
    left_out+=("real backends (Go is too old, or its module proxy did not give them: see above)")
elif [ -n "$python" ]; then
    specs+=(test/real/agents-in-backends.test.ts)
fi

# These bring their subjects from npm, and skip loudly what it does not have.
specs+=(test/real/agent-clis.test.ts test/real/locators.test.ts test/real/package.test.ts)
# TLS stacks byte for byte: runtimes from npm, OpenSSL 1.1.1 and Go 1.16 from PyPI, rustls from crates.io where there is a cargo.
specs+=(test/real/stacks/*.test.ts)

if [ ${#left_out[@]} -gt 0 ]; then
    say "left out: $(printf '%s; ' "${left_out[@]}")"
fi
export SIGHTLINE_TEST_PYTHON="$python" SIGHTLINE_TEST_BACKENDS="$backends"
exec node_modules/.bin/mocha --no-config --node-option import=tsx --timeout 180000 \
    --reporter test/support/reporter.cjs "${specs[@]}"
