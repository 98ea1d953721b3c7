//! The object's own memory, apart from the program's.
//!
//! The program's memory comes from the C library, and where it lies must depend on what the program does alone: not on whether the world
//! keeps a trace, on how long the orders were, or on how many threads' names are remembered. So nothing of the world is allocated there.

#![expect(unsafe_code, reason = "a region of address space is mapped and handed to an allocator")]

use crate::real;
use core::alloc::Layout;
use talc::TalcLock;
use talc::base::Talc;
use talc::base::binning::Binning;
use talc::source::Source;

#[global_allocator]
static HEAP: TalcLock<spinning_top::RawSpinlock, Region> =
    TalcLock::new(Region { is_mapped: false });

/// Where the region begins, if nothing lies there: far from where the system maps by itself.
const START: usize = 0x6000_0000_0000;
/// How large the region is. Only what is touched takes memory.
const LEN: usize = 64 << 30;

/// The region, mapped at the first allocation.
#[derive(Debug)]
struct Region {
    is_mapped: bool,
}

// SAFETY: `acquire` makes a system call and allocates nothing.
unsafe impl Source for Region {
    fn acquire<B: Binning>(talc: &mut Talc<Self, B>, _: Layout) -> Result<(), ()> {
        if core::mem::replace(&mut talc.source.is_mapped, true) {
            return Err(());
        }
        let protection = (libc::PROT_READ | libc::PROT_WRITE) as usize;
        let anywhere = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        let map = |at: usize, flags: i32| {
            real::syscall(libc::SYS_mmap, [at, LEN, protection, flags as usize, usize::MAX, 0])
        };
        let mut mapped = map(START, anywhere | libc::MAP_FIXED_NOREPLACE);
        if mapped < 0 {
            mapped = map(0, anywhere);
        }
        if mapped < 0 {
            return Err(());
        }
        // SAFETY: the region was just mapped for this, and is never unmapped.
        unsafe { talc.claim(mapped as *mut u8, LEN) }.map(drop).ok_or(())
    }
}
