#!/usr/bin/env bash
# Holds every language of the project against its formatter and its linter, without changing anything, and closes with
# one line of counts as the tests do. What is not installed is left out, and said.
. "$(dirname "$0")/lib/common.sh"

passed=0
failed=0

# check NAME PROGRAM ARGUMENTS…: passes when the program does.
check() {
    local name="$1"
    shift
    if ! command -v "$1" >/dev/null 2>&1; then
        say "*** LEFT OUT: $name ($1 is not installed)"
    elif "$@"; then
        passed=$((passed + 1))
    else
        say "FAILED: $name"
        failed=$((failed + 1))
    fi
}

# check_files NAME PATTERNS -- PROGRAM ARGUMENTS…: the same, with the files of the project that match.
check_files() {
    local name="$1" patterns=() files
    shift
    while [ "$1" != -- ]; do
        patterns+=("$1")
        shift
    done
    shift
    mapfile -t files < <(git ls-files "${patterns[@]}")
    check "$name" "$@" "${files[@]}"
}

# gofmt says what it would change, and succeeds all the same.
go_is_formatted() {
    local found
    found="$(gofmt -l "$@")"
    [ -z "$found" ] || {
        printf 'to be formatted: %s\n' "$found" >&2
        return 1
    }
}

check "TypeScript, JavaScript and JSON: format and lint" node_modules/.bin/biome check .
check "types" node_modules/.bin/tsc -p tsconfig.check.json
check_files "C and C++: format" '*.c' '*.h' '*.cpp' -- clang-format --dry-run --Werror
check_files "shell: lint" '*.sh' .ci/run -- shellcheck --external-sources --severity=warning
# The distribution's own Python has its packages, whichever comes first on the PATH.
if /usr/bin/python3 -c 'import pyflakes' 2>/dev/null; then
    check_files "Python: lint" '*.py' -- /usr/bin/python3 -m pyflakes
else
    say "*** LEFT OUT: Python: lint (python3-pyflakes is not installed)"
fi
if command -v gofmt >/dev/null 2>&1; then
    check_files "Go: format" '*.go' -- go_is_formatted
else
    say "*** LEFT OUT: Go: format (gofmt is not installed)"
fi
check_files "Rust: format" '*.rs' -- rustfmt --check --edition 2021

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
