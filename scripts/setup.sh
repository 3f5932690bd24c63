#!/usr/bin/env bash
# Installs what is missing and builds what is stale. A second run repeats nothing that is up to date.
#   --test   also what the tests drive: Python HTTP clients, curl
#   --ci     besides that, what holds every language against its style, and a Go compiler where there is none
. "$(dirname "$0")/lib/common.sh"

# openssl makes the certificate of the demo's model server.
BUILD_PACKAGES=(clang make g++ python3 pkg-config libbpf-dev libelf-dev zlib1g-dev
    libzydis-dev openssl)
# libclang-rt: the fuzzer and the sanitizers of test/fuzz/locators.
TEST_PACKAGES=(curl python3-requests python3-httpx python3-aiohttp python3-h2 python3-websockets
    nghttp2-client nghttp2-server nghttp2-proxy iproute2 util-linux libclang-rt-dev wget
    libssl-dev libgnutls28-dev libnss3-dev)
# curl on other TLS stacks, under the names of different releases; Debian 13 has none on NSS any more.
OPTIONAL_TEST_PACKAGES=(libcurl3-gnutls libcurl3t64-gnutls libcurl3-nss)
CI_PACKAGES=(clang-format shellcheck python3-pyflakes)

with_tests=false
with_ci=false
for argument in "$@"; do
    case "$argument" in
        --test) with_tests=true ;;
        --ci)
            with_tests=true
            with_ci=true
            ;;
        *) die "unknown argument '$argument': setup knows --test and --ci" ;;
    esac
done

require_node() {
    command -v node >/dev/null 2>&1 || die "Node.js 20.19 or newer is needed, and there is no 'node' on the PATH"
    node -e '
        const [major, minor] = process.versions.node.split(".").map(Number);
        process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1);
    ' || die "Node.js 20.19 or newer is needed; this is $(node --version)"
}

# The addon compiles against the headers of the running Node, which most installations have beside it.
node_headers_missing() {
    local prefix
    prefix="$(node -p 'require("node:path").resolve(process.execPath, "../..")')"
    [ ! -e "$prefix/include/node/node_api.h" ]
}

# The distribution's own Node has them in a package apart. For any other without them node-gyp fetches them.
is_distribution_node() {
    dpkg-query -S "$(readlink -f "$(command -v node)")" 2>/dev/null | grep -q '^nodejs:'
}

install_packages() {
    local wanted=("${BUILD_PACKAGES[@]}") missing=() package
    if node_headers_missing && command -v dpkg-query >/dev/null 2>&1 && is_distribution_node; then
        wanted+=(libnode-dev)
    fi
    if $with_tests; then
        wanted+=("${TEST_PACKAGES[@]}")
    fi
    if $with_ci; then
        wanted+=("${CI_PACKAGES[@]}")
        # 80 MB, and only some tests are about its programs: nobody else gets it unasked.
        command -v go >/dev/null 2>&1 || wanted+=(golang-go)
    fi
    if ! command -v dpkg-query >/dev/null 2>&1; then
        explain_other_distribution
        return
    fi
    for package in "${wanted[@]}"; do
        is_installed "$package" || missing+=("$package")
    done
    if [ ${#missing[@]} -gt 0 ]; then
        # One source of several that does not answer is no reason to give up.
        as_root apt-get update -qq ||
            say "not every package list could be renewed; going on with what is known"
    fi
    if $with_tests; then
        for package in "${OPTIONAL_TEST_PACKAGES[@]}"; do
            if ! is_installed "$package" && is_available "$package"; then
                missing+=("$package")
            fi
        done
    fi
    if [ ${#missing[@]} -eq 0 ]; then
        say "distribution packages: all there"
        return
    fi
    say "installing distribution packages: ${missing[*]}"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        "${missing[@]}" >/dev/null ||
        die "apt-get could not install them; what it said is above. Install them yourself and run this again"
}

is_installed() {
    dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed
}

# As far as the package lists say that are here; a name that others only provide is none.
is_available() {
    LC_ALL=C apt-cache policy "$1" 2>/dev/null | grep -q '^  Candidate: [0-9]'
}

# On another distribution nothing is installed; what is missing is named by what it is for.
explain_other_distribution() {
    local missing=()
    command -v clang >/dev/null 2>&1 || missing+=("clang (compiles the kernel programs)")
    command -v make >/dev/null 2>&1 || missing+=("make")
    command -v g++ >/dev/null 2>&1 || missing+=("a C++20 compiler as g++")
    command -v python3 >/dev/null 2>&1 || missing+=("python3 (node-gyp needs it)")
    [ -e /usr/include/bpf/libbpf.h ] || missing+=("libbpf's headers, 1.0 or newer (Fedora: libbpf-devel, Arch: libbpf)")
    [ -e /usr/include/libelf.h ] || missing+=("libelf's headers (Fedora: elfutils-libelf-devel, Arch: libelf)")
    [ -e /usr/include/zlib.h ] || missing+=("zlib's headers (Fedora: zlib-devel, Arch: zlib)")
    [ -e /usr/include/Zydis/Zydis.h ] || missing+=("Zydis's headers (Fedora: zydis-devel, Arch: zydis)")
    if node_headers_missing; then
        missing+=("Node.js headers (include/node beside the node program; nodejs.org's archives have them)")
    fi
    if [ ${#missing[@]} -eq 0 ]; then
        say "not a Debian system, but everything needed is there"
        return
    fi
    say "this is not Debian or Ubuntu, so packages are not installed for you. Please install:"
    printf '  - %s\n' "${missing[@]}" >&2
    exit 1
}

install_npm_packages() {
    local stamp=node_modules/.sightline-stamp want
    want="$(sha256sum package-lock.json | cut -d' ' -f1)"
    if [ "$(cat "$stamp" 2>/dev/null || true)" = "$want" ]; then
        say "npm packages: all there"
        return
    fi
    say "installing npm packages"
    as_owner npm ci --ignore-scripts --loglevel=error --no-progress >/dev/null ||
        die "npm could not install the packages; what it said is above"
    as_owner sh -c 'printf %s "$1" >"$2"' sh "$want" "$stamp"
}

require_node
install_packages
install_npm_packages
bash scripts/build.sh
say "set-up is complete"
