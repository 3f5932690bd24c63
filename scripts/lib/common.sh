# Shared by the scripts beside this folder: where the checkout is, how to speak, and who may do what.
# Sourced, never run.

set -euo pipefail

ROOT_DIR="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
cd "$ROOT_DIR"

say() {
    printf '[sightline] %s\n' "$*" >&2
}

die() {
    printf '[sightline] error: %s\n' "$*" >&2
    exit 1
}

is_root() {
    [ "$(id -u)" -eq 0 ]
}

# Runs a command with the privilege that installing packages and loading eBPF programs need.
# OTEL_* and SIGHTLINE_* are passed on by name, because sudo drops the environment.
as_root() {
    if is_root; then
        "$@"
        return
    fi
    command -v sudo >/dev/null 2>&1 || die "this needs root and there is no sudo: run it as root"
    local keep
    keep="$(compgen -e | grep -E '^(OTEL_|SIGHTLINE_)' | paste -sd, - || true)"
    sudo ${keep:+--preserve-env="$keep"} "$@"
}

# Runs a command as the owner of the checkout, so that "sudo npm …" leaves no file of root's behind.
as_owner() {
    local owner
    owner="$(stat -c %u "$ROOT_DIR")"
    if ! is_root || [ "$owner" -eq 0 ]; then
        "$@"
        return
    fi
    local name home
    name="$(getent passwd "$owner" | cut -d: -f1)"
    home="$(getent passwd "$owner" | cut -d: -f6)"
    if [ -n "$name" ]; then
        runuser -u "$name" -- env HOME="$home" USER="$name" LOGNAME="$name" "$@"
    else
        setpriv --reuid "$owner" --regid "$(stat -c %g "$ROOT_DIR")" --clear-groups \
            env HOME=/tmp "$@"
    fi
}
