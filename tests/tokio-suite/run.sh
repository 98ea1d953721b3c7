#!/bin/sh
# Compiles tokio's own integration tests, which cargo's registry holds with the crate, once against tokio as it is and once
# through the tokio door, runs both outside any world, and says how many of those that pass on the one pass on the other.
#
#   tests/tokio-suite/run.sh [VERSION] [ARGUMENTS OF cargo test]      such as: run.sh 1.54.1 --test rt_common
#
# Exit code 1 if it is less than 98 %.
set -eu

version=${1:-1.54.1}
[ $# -gt 0 ] && shift
. "$(dirname "$0")/package.sh"
make_package "$version"
leave_out "$version"

# Lines "file test" of what passed, sorted.
passed() {
    awk '/^ *Running / { sub(/.*tests\//, ""); sub(/\.rs.*/, ""); file = $0 }
         /^test .* \.\.\. ok$/ { name = $0; sub(/^test /, "", name); sub(/ \.\.\. ok$/, "", name); print file, name }' "$1" |
        sort -u
}

run() { # name, folder, arguments of cargo
    name=$1 folder=$2
    shift 2
    echo "tokio $version, $name: building and running" >&2
    cargo test --tests --no-fail-fast --target-dir "$suite/$folder" "$@" \
        > "$suite/$name.log" 2>&1 || true
    passed "$suite/$name.log" > "$suite/$name.passed"
}

run stock target "$@"
build_tool
copies=$suite/copies
rm -rf "$copies" && mkdir -p "$copies"
# A change of the door is no change to cargo.
rm -rf "$suite/target-door/$host/debug/.fingerprint"/tokio-[0-9a-f]*
RUSTC_WRAPPER=$tool SIM_TOKIO_COPIES=$copies run door target-door --target "$host" "$@"

stock=$(wc -l < stock.passed)
both=$(comm -12 stock.passed door.passed | wc -l)
cat "$copies/tokio.txt"
echo "tokio $version: $stock tests pass on it as it is, $both of them through the door"
comm -23 stock.passed door.passed | sed 's/^/  not through the door: /'
[ "$stock" -gt 0 ] && [ $((both * 100)) -ge $((stock * 98)) ]
