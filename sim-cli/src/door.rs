//! How a project enters the world.

use core::fmt;
use core::str::FromStr;

/// How a project enters the world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Door {
    /// Its tests are written against `sim`, which brings the world along.
    #[default]
    Native,
    /// The executables as cargo builds them, with an object loaded before them.
    Libc,
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Native => "native",
            Self::Libc => "libc",
        })
    }
}

impl FromStr for Door {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "native" => Ok(Self::Native),
            "libc" => Ok(Self::Libc),
            "tokio" => Err(String::from(
                "the tokio door comes with a later version: --door libc runs a plain project as cargo builds it",
            )),
            _ => Err(format!("'{text}' is not a door: there are native and libc")),
        }
    }
}
