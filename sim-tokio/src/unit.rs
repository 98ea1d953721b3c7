//! Which unit a command line of rustc compiles, as cargo writes it.

use std::ffi::{OsStr, OsString};
use std::path::Path;

/// What of cargo's environment names the package.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Package {
    /// `CARGO_PKG_NAME`; empty where cargo only asks rustc about itself.
    pub name: String,
    /// `CARGO_PKG_VERSION`.
    pub version: String,
}

/// What the wrapper makes of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// The library of tokio 1.x for the target; the position of its `src/lib.rs` among the arguments.
    Tokio {
        /// Index into the arguments.
        source: usize,
    },
    /// Anything else, which is compiled as it stands.
    Other,
}

impl Unit {
    /// Recognises the unit that `args`, without the compiler itself, compile.
    ///
    /// Cargo passes `--target` for target units only, if it was given `--target` itself, so a tokio without it is one
    /// that a build script or a procedural macro runs at build time.
    #[must_use]
    pub fn of(args: &[OsString], package: &Package) -> Self {
        let is_tokio = package.name == "tokio" && package.version.starts_with("1.");
        let is_test = args.iter().any(|arg| arg == "--test");
        if !is_tokio || is_test || option(args, "--crate-name") != Some(OsStr::new("tokio")) {
            return Self::Other;
        }
        if option(args, "--target").is_none() {
            return Self::Other;
        }
        let is_source = |arg: &OsString| Path::new(arg).ends_with("src/lib.rs");
        args.iter().position(is_source).map_or(Self::Other, |source| Self::Tokio { source })
    }
}

/// The value of `--name value` or `--name=value`.
#[must_use]
pub fn option<'a>(args: &'a [OsString], name: &str) -> Option<&'a OsStr> {
    args.iter().enumerate().find_map(|(index, arg)| {
        if arg == name {
            return args.get(index + 1).map(OsString::as_os_str);
        }
        let value = arg.to_str()?.strip_prefix(name)?.strip_prefix('=')?;
        Some(OsStr::new(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        text.split_whitespace().map(OsString::from).collect()
    }

    fn of(args: &str, name: &str, version: &str) -> Unit {
        Unit::of(&words(args), &Package { name: name.to_owned(), version: version.to_owned() })
    }

    const LIBRARY: &str = "--crate-name tokio --edition=2021 /r/tokio-1.54.1/src/lib.rs --crate-type lib --emit=dep-info,metadata,link";

    #[test]
    fn only_the_target_library_of_tokio_1_is_meant() {
        let target = format!("{LIBRARY} --target x86_64-unknown-linux-gnu");
        assert_eq!(of(&target, "tokio", "1.54.1"), Unit::Tokio { source: 3 });
        let joined = format!("{LIBRARY} --target=x86_64-unknown-linux-gnu");
        assert_eq!(of(&joined, "tokio", "1.54.1"), Unit::Tokio { source: 3 });
        for (args, name, version) in [
            (LIBRARY, "tokio", "1.54.1"),
            (&target, "tokio", "0.2.25"),
            (&target, "tokio-util", "1.0.0"),
            (&format!("{target} --test"), "tokio", "1.54.1"),
            (&target.replace("--crate-name tokio", "--crate-name time_sleep"), "tokio", "1.54.1"),
            ("-vV", "", ""),
            ("- --crate-name ___ --print=file-names --target x", "tokio", "1.54.1"),
        ] {
            assert_eq!(of(args, name, version), Unit::Other, "{args}");
        }
    }

    #[test]
    fn a_check_is_the_same_unit() {
        let check =
            "--crate-name tokio /r/tokio-1.54.1/src/lib.rs --emit=dep-info,metadata --target x";
        assert_eq!(of(check, "tokio", "1.54.1"), Unit::Tokio { source: 2 });
    }
}
