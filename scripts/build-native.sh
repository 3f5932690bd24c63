#!/usr/bin/env bash
# Compiles the kernel programs, embeds them and builds the addon around them; nothing when no input has changed.
#   --debug    with assertions and without optimization, into build/Debug
. "$(dirname "$0")/lib/common.sh"

OUTPUT_DIR=.output/bpf
OBJECT="$OUTPUT_DIR/agent.bpf.o"

configuration=Release
for argument in "$@"; do
    case "$argument" in
        --debug) configuration=Debug ;;
        *) die "unknown argument '$argument': build-native knows only --debug" ;;
    esac
done

require_tool() {
    command -v "$1" >/dev/null 2>&1 || die "'$1' is needed to build: $2"
}

# One line that changes whenever anything that the addon is made of does.
inputs_hash() {
    {
        find bpf native -type f | LC_ALL=C sort | xargs sha256sum
        sha256sum binding.gyp scripts/build-native.sh node_modules/node-addon-api/package.json
        node -p 'process.version + " " + process.arch'
        clang --version | head -n 1
        printf '%s\n' "$configuration"
    } | sha256sum | cut -d' ' -f1
}

# The headers of the running Node, so that nothing is downloaded. Empty when there are none beside it.
node_headers_dir() {
    local prefix
    prefix="$(node -p 'require("node:path").resolve(process.execPath, "../..")')"
    if [ -e "$prefix/include/node/node_api.h" ]; then
        printf '%s' "$prefix"
    fi
}

compile_kernel_programs() {
    local target="$1" output="$2"
    # Debian keeps asm/types.h in a folder of the machine's name; elsewhere that folder does not exist.
    clang -g -O2 -target bpf "-D__TARGET_ARCH_$target" -std=gnu11 \
        -Wall -Wextra -Wno-unused-parameter -Wpadded -Werror \
        -idirafter "/usr/include/$(uname -m)-linux-gnu" \
        -c bpf/agent.bpf.c -o "$output"
}

embed() {
    node -e '
        const { readFileSync, writeFileSync } = require("node:fs");
        const [input, output] = process.argv.slice(1);
        const bytes = readFileSync(input);
        const rows = [];
        for (let at = 0; at < bytes.length; at += 24) {
            rows.push(`    ${bytes.subarray(at, at + 24).join(", ")},`);
        }
        writeFileSync(output, [
            "// Generated from bpf/ by scripts/build-native.sh: the kernel programs as one ELF object.",
            "#pragma once",
            "alignas(8) static const unsigned char kAgentObject[] = {",
            ...rows,
            "};",
            "",
        ].join("\n"));
    ' "$1" "$2"
}

require_tool node "Node.js 20.19 or newer"
require_tool clang "install the package clang"
require_tool g++ "install the package g++"
require_tool make "install the package make"
[ -e node_modules/node-gyp/bin/node-gyp.js ] || die "node-gyp is not installed: run \"npm ci --ignore-scripts\""

# The addon relies on how libbpf reports errors from 1.0 on.
if command -v pkg-config >/dev/null 2>&1 && ! pkg-config --atleast-version=1.0 libbpf; then
    die "libbpf 1.0 or newer is needed to build, with its headers; there is $(pkg-config --modversion libbpf 2>/dev/null || echo none)"
fi

addon="build/$configuration/sightline.node"
stamp="build/$configuration/.sightline-inputs"
want="$(inputs_hash)"
if [ -e "$addon" ] && [ "$(cat "$stamp" 2>/dev/null || true)" = "$want" ]; then
    say "native addon: up to date"
    exit 0
fi

say "compiling the kernel programs"
mkdir -p "$OUTPUT_DIR"
case "$(uname -m)" in
    x86_64) this=x86 other=arm64 ;;
    aarch64) this=arm64 other=x86 ;;
    *) die "this machine ($(uname -m)) is not supported: x86_64 and aarch64 are" ;;
esac
compile_kernel_programs "$this" "$OBJECT"
# Kept compiling for the other machine, although nothing is done with the result.
compile_kernel_programs "$other" "$OUTPUT_DIR/agent.$other.bpf.o"
if command -v llvm-strip >/dev/null 2>&1; then
    # Debugging sections are a third of it; the kernel's type information (BTF) stays.
    llvm-strip -g "$OBJECT"
fi
embed "$OBJECT" "$OUTPUT_DIR/agent-object.h.new"
mv "$OUTPUT_DIR/agent-object.h.new" "$OUTPUT_DIR/agent-object.h"

say "building the native addon"
headers="$(node_headers_dir)"
log="$OUTPUT_DIR/node-gyp.log"
gyp=(node node_modules/node-gyp/bin/node-gyp.js ${headers:+--nodedir="$headers"})
build_arguments=(--jobs=2)
if [ "$configuration" = Debug ]; then
    build_arguments+=(--debug)
fi
if ! { "${gyp[@]}" configure "${build_arguments[@]}" && "${gyp[@]}" build "${build_arguments[@]}"; } >"$log" 2>&1; then
    cat "$log" >&2
    [ -n "$headers" ] ||
        say "$(command -v node) has no headers beside it, and so they were fetched from nodejs.org; an installation of Node.js with include/node needs no fetching"
    die "the native addon does not build; what the compiler said is above"
fi
printf '%s' "$want" >"$stamp"
say "built $addon"
