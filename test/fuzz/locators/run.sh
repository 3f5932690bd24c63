#!/usr/bin/env bash
# Builds the locators with a fuzzer and sanitizers, and runs them on small programs of every kind that they know.
#   run.sh [SECONDS]     default: 60; a run that finds something ends with its status and leaves the file behind
# Needs clang with its run-time library (Debian: libclang-rt-dev) and Zydis (libzydis-dev).
set -euo pipefail
cd "$(dirname "$0")/../../.."

seconds="${1:-60}"
output=.output/fuzz/locators
corpus="$output/corpus"
mkdir -p "$corpus" "$output/findings"

sources=(native/elf-symbols.cpp)
for source in native/locators/*.cpp; do
    case "$source" in
        */locate-binding.cpp) ;;
        *) sources+=("$source") ;;
    esac
done
clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
    test/fuzz/locators/locate-fuzzer.cpp "${sources[@]}" -lZydis -o "$output/locate-fuzzer"

# Small seeds: no C library start-up, nothing that is not looked at.
seed() {
    local name="$1" source="$2"
    shift 2
    gcc -O2 -fno-reorder-blocks-and-partition -ffreestanding -fno-stack-protector -nostdlib -Wl,-e,main \
        -Wl,-z,noseparate-code -Wl,--unresolved-symbols=ignore-all \
        "$@" "test/unit/locators/subjects/$source" -o "$corpus/$name"
    cp "$corpus/$name" "$corpus/$name.stripped"
    strip -s "$corpus/$name.stripped"
}
seed boringssl boringssl.c -pie -fPIE
seed boringssl-fixed boringssl.c -no-pie -fno-pie
seed boringssl-bare boringssl.c -pie -fPIE -fno-asynchronous-unwind-tables
seed openssl3 openssl.c -DMAJOR=3 -pie -fPIE
seed openssl3-flags openssl.c -DMAJOR=3 -DWITH_FLAGS -shared -fPIC
seed openssl1 openssl.c -DMAJOR=1 -no-pie -fno-pie
seed rustls rustls.c -pie -fPIE
seed rustls-relr rustls.c -pie -fPIE -Wl,-z,pack-relative-relocs
seed rustls-fixed rustls.c -no-pie -fno-pie
seed placement placement.S -shared
seed gnutls gnutls.S -shared -DFORM=CALLS
for format in 120 116 12; do
    seed "go-$format" go.S -no-pie -DFORMAT="$format" -Wl,-e,_start
done
seed go-result go.S -no-pie -DFORMAT=120 -DRESULT=SUM -Wl,-e,_start

"$output/locate-fuzzer" "$corpus" -max_total_time="$seconds" -max_len=131072 -timeout=10 -rss_limit_mb=2048 \
    -artifact_prefix="$output/findings/" -print_final_stats=1
