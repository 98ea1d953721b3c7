//! Where the code of the process lies, and whose it is.

use crate::real;
use core::ops::Range;
use std::fs;
use std::sync::OnceLock;

/// The objects that make up the C library, by the beginning of their files' names: what they ask of the kernel was asked of a symbol
/// first, or concerns the process alone.
const C_LIBRARY: [&str; 8] =
    ["libc.so", "libc-", "ld-linux", "ld-2", "libpthread", "librt", "libresolv", "libnss_"];

/// The code of the object that the kernel maps into every process (vdso(7)).
const VDSO: &str = "[vdso]";

/// A piece of code.
#[derive(Clone, Debug)]
struct Text {
    at: Range<usize>,
    path: Box<str>,
}

impl Text {
    fn file_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    fn is_of_c_library(&self) -> bool {
        C_LIBRARY.iter().any(|name| self.file_name().starts_with(name))
    }
}

static TEXTS: OnceLock<Vec<Text>> = OnceLock::new();

/// Looks at the process as it is now: what is loaded later is none of the C library's.
pub fn survey() {
    texts();
}

fn texts() -> &'static [Text] {
    TEXTS.get_or_init(mapped)
}

fn mapped() -> Vec<Text> {
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    maps.lines().filter_map(read).collect()
}

/// A line of `/proc/self/maps` that is code (proc_pid_maps(5)).
fn read(line: &str) -> Option<Text> {
    let mut fields = line.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let is_code = fields.next()?.contains('x');
    let address = |text| usize::from_str_radix(text, 16).ok();
    let path = fields.nth(3).unwrap_or_default().into();
    is_code.then_some(Text { at: address(start)?..address(end)?, path })
}

fn of(address: usize) -> Option<&'static Text> {
    texts().iter().find(|text| text.at.contains(&address))
}

/// The code that makes system calls without being asked whether it may: the C library's largest piece.
pub fn library() -> Option<Range<usize>> {
    let is_libc = |text: &&Text| {
        text.file_name().starts_with("libc.so") || text.file_name().starts_with("libc-")
    };
    texts().iter().filter(is_libc).max_by_key(|text| text.at.len()).map(|text| text.at.clone())
}

/// Every piece whose system calls pass: the C library's and this object's.
pub fn trusted() -> Vec<Range<usize>> {
    let is_trusted = |text: &&Text| text.is_of_c_library() || is_own(text.at.start);
    texts().iter().filter(is_trusted).map(|text| text.at.clone()).collect()
}

/// Whether the code at an address is the C library's.
pub fn is_of_c_library(address: usize) -> bool {
    of(address).is_some_and(Text::is_of_c_library)
}

/// Whether the code at an address is the object that the kernel maps into every process.
pub fn is_vdso(address: usize) -> bool {
    of(address).is_some_and(|text| &*text.path == VDSO)
}

/// Whether the code at an address is this object's.
pub fn is_own(address: usize) -> bool {
    let own = of(real::syscall as *const () as usize);
    own.is_some_and(|own| of(address).is_some_and(|text| text.path == own.path))
}

/// Whose code lies at an address now, for reports.
pub fn name(address: usize) -> String {
    let now = mapped();
    let text = now.iter().find(|text| text.at.contains(&address));
    match text.map(|text| &*text.path) {
        None | Some("") => String::from("code that the program has made itself"),
        Some(path) => path.to_owned(),
    }
}
