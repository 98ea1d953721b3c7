//! Builds the object that is loaded before unmodified programs, so that the tool carries it and nobody has to install two files.
//!
//! A build of its own, in the release profile and in a folder of its own: cargo cannot make a shared object a part of an executable,
//! and the object must be fast however the tool was built.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The packages that the object is made of.
const SOURCES: [&str; 9] = [
    "sim-abi",
    "sim-time",
    "sim-core",
    "sim-net",
    "sim-fs",
    "sim-world",
    "sim-worker",
    "sim-libc",
    "Cargo.lock",
];

fn main() {
    let variable = |name: &str| env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"));
    let root = Path::new(&variable("CARGO_MANIFEST_DIR")).join("..");
    let target = Path::new(&variable("OUT_DIR")).join("object");
    for source in SOURCES {
        println!("cargo::rerun-if-changed={}", root.join(source).display());
    }
    let mut command = Command::new(variable("CARGO"));
    command.args(["build", "--release", "--package", "sim-libc", "--locked", "--quiet"]);
    command.arg("--manifest-path").arg(root.join("Cargo.toml")).arg("--target-dir").arg(&target);
    // What the tool itself is compiled with is not for the object: coverage, sanitizers, another target's linker.
    for name in ["CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS", "CARGO_BUILD_TARGET"] {
        command.env_remove(name);
    }
    command.env("CARGO_PROFILE_RELEASE_DEBUG", "0").env("CARGO_PROFILE_RELEASE_STRIP", "debuginfo");
    let status =
        command.status().unwrap_or_else(|error| panic!("cargo cannot be started: {error}"));
    assert!(status.success(), "the object for unmodified programs does not build, see above");
    let object: PathBuf = target.join("release").join("libsim_libc.so");
    println!("cargo::rustc-env=SIM_OBJECT={}", object.display());
}
