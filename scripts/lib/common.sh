# shellcheck shell=bash
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

# Words in front of a command that give it the privilege that installing packages and loading eBPF programs need:
# none for root, else sudo. sudo drops the environment, so OTEL_*, SIGHTLINE_* and the variables named by the
# arguments are passed on by name.
ROOT_PREFIX=()
# shellcheck disable=SC2120
find_root_prefix() {
    ROOT_PREFIX=()
    if is_root; then
        return
    fi
    command -v sudo >/dev/null 2>&1 || die "this needs root, and there is no sudo: run it as root, or install sudo"
    local names keep
    names="$(compgen -e | grep -E '^(OTEL_|SIGHTLINE_)' || true)"
    keep="$(printf '%s\n' $names "$@" | paste -sd, -)"
    ROOT_PREFIX=(sudo ${keep:+--preserve-env="$keep"} --)
}

as_root() {
    find_root_prefix
    "${ROOT_PREFIX[@]}" "$@"
}

# Runs a command as the owner of the checkout, so that "sudo npm …" leaves no file of root's behind.
as_owner() {
    local owner
    owner="$(stat -c %u "$ROOT_DIR")"
    if ! is_root || [ "$owner" -eq 0 ]; then
        "$@"
        return
    fi
    # npm hands its scripts the caller's own files by these variables: root's cache is not for the owner.
    local foreign=(-u npm_config_cache -u npm_config_userconfig -u npm_config_init_module)
    local name home
    name="$(getent passwd "$owner" | cut -d: -f1)"
    home="$(getent passwd "$owner" | cut -d: -f6)"
    if [ -n "$name" ]; then
        runuser -u "$name" -- env "${foreign[@]}" HOME="$home" USER="$name" LOGNAME="$name" "$@"
    else
        # A checkout mounted into a container may belong to a user that is unknown there: it is lent a home.
        local as=(setpriv --reuid "$owner" --regid "$(stat -c %g "$ROOT_DIR")" --clear-groups)
        "${as[@]}" mkdir -p "$ROOT_DIR/.output/home"
        "${as[@]}" env "${foreign[@]}" HOME="$ROOT_DIR/.output/home" "$@"
    fi
}
