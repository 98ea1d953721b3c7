//! The doors by name.

use core::fmt;
use core::str::FromStr;
use sim_worker::Profile;

/// How a project enters the world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum DoorKind {
    /// Its tests are written against `sim`, which brings the world along.
    #[default]
    Native,
    /// A build of its own in which tokio lets us order tasks, with an object loaded before it.
    Tokio,
    /// The executables as cargo builds them, with an object loaded before them.
    Libc,
}

impl DoorKind {
    /// What befalls hosts and links where nobody says: a project that was not written for it is left in peace.
    pub(crate) const fn faults(self) -> Profile {
        match self {
            Self::Native => Profile::Light,
            Self::Tokio | Self::Libc => Profile::None,
        }
    }
}

impl fmt::Display for DoorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Native => "native",
            Self::Tokio => "tokio",
            Self::Libc => "libc",
        })
    }
}

impl FromStr for DoorKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "native" => Ok(Self::Native),
            "tokio" => Ok(Self::Tokio),
            "libc" => Ok(Self::Libc),
            _ => Err(format!("'{text}' is not a door: there are native, tokio and libc")),
        }
    }
}
