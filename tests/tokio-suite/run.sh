#!/bin/sh
# Compiles tokio's own integration tests, which cargo's registry holds with the crate, once against tokio as it is and once
# through the tokio door, runs both outside any world, and says how many of those that pass on the one pass on the other.
#
#   tests/tokio-suite/run.sh [VERSION] [ARGUMENTS OF cargo test]      such as: run.sh 1.54.1 --test rt_common
#
# Nothing of tokio is kept in this repository: a package is made below the target folder, and its tests are links.
# Exit code 1 if it is less than 98 %.
set -eu

version=${1:-1.54.1}
[ $# -gt 0 ] && shift
repository=$(cd "$(dirname "$0")/../.." && pwd)
suite=${CARGO_TARGET_DIR:-$repository/target}/tokio-suite/$version
host=$(rustc -vV | sed -n 's/^host: //p')
mkdir -p "$suite/src"
: > "$suite/src/lib.rs"

cat > "$suite/Cargo.toml" <<MANIFEST
[package]
name = "tokio-suite"
version = "0.0.0"
edition = "2021"

[workspace]

# The tests ask for tokio's features by name, of the package that they are in.
[features]
default = ["full", "fs", "io-std", "io-util", "macros", "net", "process", "rt", "rt-multi-thread", "signal", "sync", "time", "test-util"]
full = []
fs = []
io-std = []
io-util = []
macros = []
net = []
process = []
rt = []
rt-multi-thread = []
signal = []
sync = []
time = []
test-util = []

[dependencies]
tokio = { version = "=$version", features = ["full", "test-util"] }

[dev-dependencies]
async-stream = "0.3"
backtrace = "0.3"
bytes = "1"
futures = { version = "0.3", features = ["async-await"] }
futures-concurrency = "7.6"
futures-test = "0.3"
libc = "0.2"
mio = { version = "1", features = ["os-poll", "os-ext", "net"] }
mockall = "0.13"
pin-project-lite = "0.2"
nix = { version = "0.31", default-features = false, features = ["aio", "fs", "socket"] }
proptest = "1"
rand = "0.9"
socket2 = { version = "0.6", features = ["all"] }
tempfile = "3"
tokio-stream = "0.1"
tokio-test = "0.4"

[profile.dev]
debug = false
incremental = false

[lints.rust]
unexpected_cfgs = "allow"
MANIFEST

cd "$suite"
cargo fetch --quiet
source=$(cargo metadata --format-version 1 --offline | tr '{' '\n' |
    sed -n 's|.*"manifest_path":"\([^"]*/tokio-'"$version"'\)/Cargo.toml".*|\1|p' | head -n 1)
[ -d "$source/tests" ] || { echo "the registry's tokio $version has no tests" >&2; exit 2; }
rm -rf tests && mkdir tests && ln -s "$source"/tests/* tests/

# Lines "file test" of what passed, sorted.
passed() {
    awk '/^ *Running / { sub(/.*tests\//, ""); sub(/\.rs.*/, ""); file = $0 }
         /^test .* \.\.\. ok$/ { name = $0; sub(/^test /, "", name); sub(/ \.\.\. ok$/, "", name); print file, name }' "$1" |
        sort -u
}

run() { # name, arguments of cargo
    name=$1
    shift
    echo "tokio $version, $name: building and running" >&2
    cargo test --target "$host" --tests --no-fail-fast --target-dir "$suite/target-$name" "$@" \
        > "$suite/$name.log" 2>&1 || true
    passed "$suite/$name.log" > "$suite/$name.passed"
}

# What does not compile against tokio as it is wants something that this package has not.
cargo build --target "$host" --tests --keep-going --target-dir "$suite/target-stock" > build.log 2>&1 || true
for test in $(sed -n 's/^error: could not compile `tokio-suite` (test "\([^"]*\)").*/\1/p' build.log); do
    echo "tokio $version: left out, does not compile against it as it is: $test"
    rm "tests/$test.rs"
done

run stock "$@"
(cd "$repository" && cargo build --quiet -p sim-cli)
wrapper=${CARGO_TARGET_DIR:-$repository/target}/debug/cargo-sim
copies=$suite/copies
rm -rf "$copies" && mkdir -p "$copies"
# A change of the door is no change to cargo.
rm -rf "$suite/target-door/$host/debug/.fingerprint"/tokio-[0-9a-f]*
RUSTC_WRAPPER=$wrapper SIM_TOKIO_COPIES=$copies run door "$@"

stock=$(wc -l < stock.passed)
both=$(comm -12 stock.passed door.passed | wc -l)
cat "$copies/tokio.txt"
echo "tokio $version: $stock tests pass on it as it is, $both of them through the door"
comm -23 stock.passed door.passed | sed 's/^/  not through the door: /'
[ "$stock" -gt 0 ] && [ $((both * 100)) -ge $((stock * 98)) ]
