//! Where the world of this process is found: by name, once.

use super::abi::{Abi, SYMBOL, VERSION};
use std::os::raw::{c_char, c_void};
use std::sync::OnceLock;

/// The world that the calling thread belongs to, if it does.
#[inline]
pub(super) fn joined() -> Option<&'static Abi> {
    table().filter(|world| (world.in_world)())
}

/// The world of this process, if there is one. Nobody enters one later than at the start of the process.
#[inline]
pub(super) fn table() -> Option<&'static Abi> {
    static TABLE: OnceLock<Option<&'static Abi>> = OnceLock::new();
    *TABLE.get_or_init(find)
}

#[cfg(target_os = "linux")]
fn find() -> Option<&'static Abi> {
    extern "C" {
        fn dlsym(handle: *mut c_void, symbol: *const c_char) -> *mut c_void;
    }
    /// `RTLD_DEFAULT` of Linux: every object of the process, in the order in which they were loaded.
    const EVERYWHERE: *mut c_void = std::ptr::null_mut();
    // SAFETY: dlsym(3) takes a terminated name, which a `CStr` is.
    let symbol = unsafe { dlsym(EVERYWHERE, SYMBOL.as_ptr()) };
    if symbol.is_null() {
        return None;
    }
    // SAFETY: the symbol of this name is a function of this type, by the contract of `abi`.
    let table = unsafe { std::mem::transmute::<*mut c_void, extern "C" fn() -> *const Abi>(symbol) };
    // SAFETY: it answers null or a table that stays. The version comes first in every table, so it can be read of any.
    let version = unsafe { table().cast::<u32>().as_ref() }?;
    assert!(
        *version == VERSION,
        "the simulated world speaks version {version} and this program was built for version {VERSION}: \
         build and run it with the same cargo-sim"
    );
    // SAFETY: as above, and a table of this version has this layout.
    unsafe { table().as_ref() }
}

#[cfg(not(target_os = "linux"))]
fn find() -> Option<&'static Abi> {
    None
}
