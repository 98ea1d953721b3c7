//! The caller's memory: pointers that a C caller hands in, as types.
//!
//! Nothing can check such a pointer. That it is valid for the size that the manual page names is the contract of every
//! function of the C library; these types are where it is relied on, so that the functions themselves need no unsafe code.

#![expect(unsafe_code, reason = "a C caller's pointers are dereferenced here and nowhere else")]

use core::ffi::{CStr, c_char, c_void};
use core::slice;

/// What the caller lets us read: null, or valid for what the function's page says.
#[derive(Debug)]
#[repr(transparent)]
pub struct In<T>(pub *const T);

/// What the caller lets us write.
#[derive(Debug)]
#[repr(transparent)]
pub struct Out<T>(pub *mut T);

// By hand, because a pointer is copied whatever it points to.
impl<T> Clone for In<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for In<T> {}

impl<T> Clone for Out<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Out<T> {}

impl<T> In<T> {
    /// The address, which is only ever compared or handed back.
    pub fn address(self) -> usize {
        self.0 as usize
    }
}

impl<T> Out<T> {
    /// The address, which is only ever compared or handed back.
    pub fn address(self) -> usize {
        self.0 as usize
    }
}

impl<T: Copy> In<T> {
    /// The value; `None` for null.
    pub fn get(self) -> Option<T> {
        // SAFETY: not null, hence valid for a read by the contract of the calling function; its alignment is not relied on.
        (!self.0.is_null()).then(|| unsafe { self.0.read_unaligned() })
    }

    /// `len` values in a row; none for null.
    pub fn slice<'a>(self, len: usize) -> &'a [T] {
        if self.0.is_null() || len == 0 {
            return &[];
        }
        // SAFETY: valid for `len` values by the contract of the calling function, for as long as that call lasts.
        unsafe { slice::from_raw_parts(self.0, len) }
    }
}

impl In<c_char> {
    /// The text; `None` for null.
    pub fn text<'a>(self) -> Option<&'a CStr> {
        // SAFETY: not null, hence a text with an end by the contract of the calling function.
        (!self.0.is_null()).then(|| unsafe { CStr::from_ptr(self.0) })
    }
}

impl<T: Copy> Out<T> {
    /// Whether there is a place.
    pub fn is_null(self) -> bool {
        self.0.is_null()
    }

    /// The value there; `None` for null.
    pub fn get(self) -> Option<T> {
        In(self.0.cast_const()).get()
    }

    /// Writes a value, if there is a place.
    pub fn set(self, value: T) {
        if !self.0.is_null() {
            // SAFETY: not null, hence valid for a write by the contract of the calling function; alignment is not relied on.
            unsafe { self.0.write_unaligned(value) };
        }
    }

    /// The `n`-th place of an array.
    pub fn at(self, n: usize) -> Self {
        Self(self.0.wrapping_add(n))
    }

    /// `len` values in a row; none for null.
    pub fn slice<'a>(self, len: usize) -> &'a mut [T] {
        if self.0.is_null() || len == 0 {
            return &mut [];
        }
        // SAFETY: valid for `len` values by the contract of the calling function, for as long as that call lasts, in which the
        // caller does not touch them.
        unsafe { slice::from_raw_parts_mut(self.0, len) }
    }
}

/// The parts of a message that is gathered or scattered (readv(2)).
pub fn parts<'a>(vector: In<libc::iovec>, count: usize) -> impl Iterator<Item = &'a mut [u8]> {
    vector.slice(count).iter().map(|part| Out(part.iov_base.cast::<u8>()).slice(part.iov_len))
}

/// What of C consists of numbers and texts only, so that all zeros are a value.
pub trait Plain: Copy {}

impl Plain for libc::stat64 {}
impl Plain for libc::statx {}
impl Plain for libc::statx_timestamp {}
impl Plain for libc::dirent64 {}

/// A value of zeros.
pub fn zeroed<T: Plain>() -> T {
    // SAFETY: the trait says that zeros are a value.
    unsafe { core::mem::zeroed() }
}

/// Memory that the C library's `free` takes back.
pub fn allocate(len: usize) -> *mut c_void {
    // SAFETY: any size is allowed; what it answers is checked by whoever uses it through `Out`.
    unsafe { libc::calloc(1, len) }
}

/// Gives memory of [`allocate`] back.
pub fn free<T>(memory: Out<T>) {
    // SAFETY: the caller hands back what `allocate` gave, once.
    unsafe { libc::free(memory.0.cast()) };
}
