# Read by the scripts beside it: makes a package of tokio's own integration tests, which cargo's registry holds with the crate.
#
#   make_package VERSION        sets $suite (the package's folder, which becomes the working directory), $host and $tool
#   leave_out VERSION
#   build_tool                  makes $tool
#
# Nothing of tokio is kept in this repository: the package is made below the target folder, and its tests are links.

repository=$(cd "$(dirname "$0")/../.." && pwd)
host=$(rustc -vV | sed -n 's/^host: //p')
mkdir -p "${CARGO_TARGET_DIR:-$repository/target}"
target=$(cd "${CARGO_TARGET_DIR:-$repository/target}" && pwd)
tool=$target/debug/cargo-sim

build_tool() {
    (cd "$repository" && CARGO_TARGET_DIR=$target cargo build --quiet -p sim-cli)
}

make_package() { # version
    suite=$target/tokio-suite/$1
    mkdir -p "$suite/src"
    : > "$suite/src/lib.rs"
    manifest "$1" > "$suite/Cargo.toml.new"
    # Cargo looks at the time of a manifest; the same one is no new one.
    cmp -s "$suite/Cargo.toml.new" "$suite/Cargo.toml" || cp "$suite/Cargo.toml.new" "$suite/Cargo.toml"
    cd "$suite"
    cargo fetch --quiet
    source=$(cargo metadata --format-version 1 --offline | tr '{' '\n' |
        sed -n 's|.*"manifest_path":"\([^"]*/tokio-'"$1"'\)/Cargo.toml".*|\1|p' | head -n 1)
    [ -d "$source/tests" ] || { echo "the registry's tokio $1 has no tests" >&2; exit 2; }
    rm -rf tests && mkdir tests && ln -s "$source"/tests/* tests/
}

# Takes away what does not compile against tokio as it is, since it wants something that this package has not. It is found out once.
leave_out() { # version
    [ -f left-out.txt ] || cargo build --tests --keep-going --target-dir "$suite/target" 2>&1 |
        sed -n 's/^error: could not compile `tokio-suite` (test "\([^"]*\)").*/\1/p' > left-out.txt
    while read -r test; do
        echo "tokio $1: left out, does not compile against it as it is: $test"
        rm "tests/$test.rs"
    done < left-out.txt
}

manifest() { # version
    cat <<MANIFEST
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
tokio = { version = "=$1", features = ["full", "test-util"] }

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
}
