#!/usr/bin/env bash
# Builds the real Collector, Jaeger and Prometheus from Go modules, once, into a cache outside the checkout.
# Prints the folder that holds them. Needs Go 1.25 or newer, or one since 1.21, which fetches it, and the Go module proxy.
. "$(dirname "$0")/../lib/common.sh"

COLLECTOR_VERSION=v0.155.0
COLLECTOR_PROVIDERS_VERSION=v1.61.0
JAEGER_VERSION=v1.76.0
PROMETHEUS_VERSION=v0.315.0

CACHE="${SIGHTLINE_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sightline-tests}"
BIN="$CACHE/bin"
mkdir -p "$BIN"

command -v go >/dev/null 2>&1 || die "Go is not installed: the real backends cannot be built"
go_minor="$(go env GOVERSION | sed -nE 's/^go1\.([0-9]+).*/\1/p')"
[ "${go_minor:-0}" -ge 21 ] ||
    die "$(go env GOVERSION) is too old to build the real backends: 1.21 or newer is needed"
# Modules only ever come from the proxy: a version-control fallback could not be pinned.
GOPROXY="$(go env GOPROXY | sed 's/,direct//')"
export GOPROXY GOFLAGS=-mod=mod CGO_ENABLED=0

# build_wrapped NAME MODULE VERSION TAGS PACKAGE…: builds programs of a module that "go install" refuses
# (it has replace directives), from a module of our own that requires it with its own checksums.
build_wrapped() {
    local name="$1" module="$2" version="$3" tags="$4" package
    shift 4
    local work="$CACHE/build/$name"
    rm -rf "$work"
    mkdir -p "$work"
    cd "$work" || return
    go mod init "sightline.test/$name" 2>/dev/null
    local source
    source="$(go mod download -json "$module@$version" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')"
    cp "$source/go.sum" go.sum
    chmod u+w go.sum
    for package in "$@"; do
        go get -tool "$module/$package@$version"
    done
    for package in "$@"; do
        go build -trimpath -ldflags='-s -w' ${tags:+-tags "$tags"} \
            -o "$BIN/$(basename "$package")" "$module/$package"
    done
    cd "$ROOT_DIR" || return
}

build_collector() {
    local work="$CACHE/build/collector"
    rm -rf "$work"
    mkdir -p "$work"
    GOBIN="$BIN" go install "go.opentelemetry.io/collector/cmd/builder@$COLLECTOR_VERSION"
    local core=go.opentelemetry.io/collector contrib=github.com/open-telemetry/opentelemetry-collector-contrib
    cat >"$work/manifest.yaml" <<MANIFEST
dist:
  name: otelcol
  output_path: $work/out
receivers:
  - gomod: $core/receiver/otlpreceiver $COLLECTOR_VERSION
processors:
  - gomod: $core/processor/memorylimiterprocessor $COLLECTOR_VERSION
  - gomod: $core/processor/batchprocessor $COLLECTOR_VERSION
exporters:
  - gomod: $core/exporter/debugexporter $COLLECTOR_VERSION
  - gomod: $core/exporter/otlpexporter $COLLECTOR_VERSION
  - gomod: $core/exporter/otlphttpexporter $COLLECTOR_VERSION
  - gomod: $contrib/exporter/fileexporter $COLLECTOR_VERSION
extensions:
  - gomod: $contrib/extension/healthcheckextension $COLLECTOR_VERSION
providers:
  - gomod: $core/confmap/provider/envprovider $COLLECTOR_PROVIDERS_VERSION
  - gomod: $core/confmap/provider/fileprovider $COLLECTOR_PROVIDERS_VERSION
  - gomod: $core/confmap/provider/yamlprovider $COLLECTOR_PROVIDERS_VERSION
MANIFEST
    # The builder's own "go mod tidy" trips over test-only dependencies; a tidy that tolerates them does not.
    "$BIN/builder" --config "$work/manifest.yaml" --skip-compilation >/dev/null 2>&1 || true
    cd "$work/out" || return
    go mod tidy -e >/dev/null 2>&1
    go build -trimpath -ldflags='-s -w' -o "$BIN/otelcol" .
    cd "$ROOT_DIR" || return
}

ensure() {
    local program="$1" version="$2"
    shift 2
    if [ -x "$BIN/$program" ] && [ "$(cat "$BIN/$program.version" 2>/dev/null)" = "$version" ]; then
        return
    fi
    say "building $program $version (minutes, once)"
    "$@" >&2
    printf %s "$version" >"$BIN/$program.version"
}

ensure otelcol "$COLLECTOR_VERSION" build_collector
ensure jaeger "$JAEGER_VERSION" build_wrapped jaeger github.com/jaegertracing/jaeger "$JAEGER_VERSION" "" cmd/jaeger
ensure prometheus "$PROMETHEUS_VERSION" build_wrapped prometheus github.com/prometheus/prometheus \
    "$PROMETHEUS_VERSION" remove_all_sd cmd/prometheus cmd/promtool
echo "$BIN"
