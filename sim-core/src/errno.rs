//! Error numbers, as Linux answers them (errno(3)).

use core::fmt;
use std::io;

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident = $number:literal;)*) => {
        impl Errno {
            $($(#[$doc])* pub const $name: Self = Self($number);)*

            /// The name in the manual, such as `ECONNREFUSED`; `None` for a number not used here.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 { $($number => Some(stringify!($name)),)* _ => None }
            }
        }
    };
}

/// A Linux error number (x86-64 values; they are the same on aarch64).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Errno(u16);

numbers! {
    /// Operation not permitted.
    EPERM = 1;
    /// No such file or directory.
    ENOENT = 2;
    /// No such process.
    ESRCH = 3;
    /// Interrupted by a signal.
    EINTR = 4;
    /// Input/output error.
    EIO = 5;
    /// No such device or address.
    ENXIO = 6;
    /// Bad descriptor.
    EBADF = 9;
    /// Would block; try again.
    EAGAIN = 11;
    /// Out of memory.
    ENOMEM = 12;
    /// Permission denied.
    EACCES = 13;
    /// Bad address.
    EFAULT = 14;
    /// Device or resource busy.
    EBUSY = 16;
    /// File exists.
    EEXIST = 17;
    /// Cross-device link.
    EXDEV = 18;
    /// No such device.
    ENODEV = 19;
    /// Not a directory.
    ENOTDIR = 20;
    /// Is a directory.
    EISDIR = 21;
    /// Invalid argument.
    EINVAL = 22;
    /// Too many open files of the host.
    ENFILE = 23;
    /// Too many open files of the process.
    EMFILE = 24;
    /// File too large.
    EFBIG = 27;
    /// No space left on device.
    ENOSPC = 28;
    /// Illegal seek.
    ESPIPE = 29;
    /// Read-only file system.
    EROFS = 30;
    /// Broken pipe.
    EPIPE = 32;
    /// File name too long.
    ENAMETOOLONG = 36;
    /// Function not implemented.
    ENOSYS = 38;
    /// Directory not empty.
    ENOTEMPTY = 39;
    /// Too many levels of symbolic links.
    ELOOP = 40;
    /// A text that is not in its encoding.
    EILSEQ = 84;
    /// Not a socket.
    ENOTSOCK = 88;
    /// Destination address required.
    EDESTADDRREQ = 89;
    /// Message too long.
    EMSGSIZE = 90;
    /// Wrong type of protocol for the socket.
    EPROTOTYPE = 91;
    /// Protocol not available.
    ENOPROTOOPT = 92;
    /// Protocol not supported.
    EPROTONOSUPPORT = 93;
    /// Socket type not supported.
    ESOCKTNOSUPPORT = 94;
    /// Operation not supported. Also the answer to what is not modelled, with a notice.
    EOPNOTSUPP = 95;
    /// Address family not supported.
    EAFNOSUPPORT = 97;
    /// Address in use.
    EADDRINUSE = 98;
    /// Address not available.
    EADDRNOTAVAIL = 99;
    /// Network is down.
    ENETDOWN = 100;
    /// Network unreachable.
    ENETUNREACH = 101;
    /// Connection aborted.
    ECONNABORTED = 103;
    /// Connection reset.
    ECONNRESET = 104;
    /// No buffer space.
    ENOBUFS = 105;
    /// Is connected.
    EISCONN = 106;
    /// Is not connected.
    ENOTCONN = 107;
    /// Timed out.
    ETIMEDOUT = 110;
    /// Connection refused.
    ECONNREFUSED = 111;
    /// Host unreachable.
    EHOSTUNREACH = 113;
    /// Already in progress.
    EALREADY = 114;
    /// Now in progress.
    EINPROGRESS = 115;
}

impl Errno {
    /// The error of this number.
    #[must_use]
    pub const fn from_raw(number: u16) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn raw(self) -> u16 {
        self.0
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "errno {}", self.0),
        }
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl core::error::Error for Errno {}

impl From<Errno> for io::Error {
    fn from(errno: Errno) -> Self {
        Self::from_raw_os_error(i32::from(errno.0))
    }
}

/// What a call into a kernel answers.
pub type Result<T> = core::result::Result<T, Errno>;
