//! Waiting for words of memory (futex(2)): what std's locks, channels and parking are made of.
//!
//! A queue is found by the address of its word, which is compared and never ordered by in any decision; its waiters are woken first come,
//! first served, as by Linux among threads of equal priority.

use super::{call, duration};
use crate::memory::In;
use crate::thread::{self, WaitsFor};
use crate::world::{World, me, with};
use core::ffi::c_int;
use core::sync::atomic::Ordering;
use core::time::Duration;
use libc::timespec;
use sim_core::{Errno, Result};
use sim_time::Instant;
use std::collections::{BTreeMap, VecDeque};

/// Who waits for words, by the word's address.
#[derive(Debug, Default)]
pub struct Queues(BTreeMap<usize, VecDeque<Waiting>>);

#[derive(Clone, Copy, Debug)]
struct Waiting {
    thread: u32,
    /// Only wakes with one of these bits are for it.
    bits: u32,
}

impl Queues {
    fn enter(&mut self, address: usize, waiting: Waiting) {
        self.0.entry(address).or_default().push_back(waiting);
    }

    /// Takes a thread out. Whether it was there: nobody has woken it.
    fn leave(&mut self, address: usize, thread: u32) -> bool {
        let Some(queue) = self.0.get_mut(&address) else { return false };
        let before = queue.len();
        queue.retain(|waiting| waiting.thread != thread);
        let was_there = queue.len() < before;
        if queue.is_empty() {
            self.0.remove(&address);
        }
        was_there
    }

    /// Takes out the first `count` waiters with one of `bits`.
    fn take(&mut self, address: usize, count: usize, bits: u32) -> Vec<Waiting> {
        let Some(queue) = self.0.get_mut(&address) else { return Vec::new() };
        let mut taken = Vec::new();
        queue.retain(|waiting| {
            let is_meant = taken.len() < count && waiting.bits & bits != 0;
            if is_meant {
                taken.push(*waiting);
            }
            !is_meant
        });
        if queue.is_empty() {
            self.0.remove(&address);
        }
        taken
    }
}

impl World {
    /// Wakes up to `count` threads that wait at `address`.
    pub fn wake_waiting(&mut self, address: usize, count: usize, bits: u32) -> usize {
        let woken = self.queues.take(address, count, bits);
        woken.iter().for_each(|waiting| self.release(waiting.thread));
        woken.len()
    }
}

/// Waits at `address` until woken (true) or until `deadline` (false).
pub fn wait_at(address: usize, bits: u32, deadline: Option<Instant>) -> bool {
    with(|world| world.queues.enter(address, Waiting { thread: me(), bits }));
    loop {
        thread::wait(WaitsFor::Futex, deadline);
        let (is_waiting, is_late) = with(|world| {
            let queue = world.queues.0.get(&address);
            let is_waiting =
                queue.is_some_and(|queue| queue.iter().any(|waiting| waiting.thread == me()));
            (is_waiting, deadline.is_some_and(|deadline| world.env.now >= deadline))
        });
        if !is_waiting {
            return true;
        }
        if is_late {
            return !with(|world| world.queues.leave(address, me()));
        }
    }
}

/// The arguments of futex(2), by position.
#[derive(Clone, Copy, Debug)]
pub struct Arguments {
    /// The word.
    pub word: In<AtomicWord>,
    /// The operation with its flags.
    pub operation: c_int,
    /// The value expected, or how many to wake.
    pub value: u32,
    /// A time, or how many to move.
    pub time: usize,
    /// The second word.
    pub other: usize,
    /// The third value.
    pub value3: u32,
}

/// A word of memory as C has it.
pub type AtomicWord = u32;

fn load(word: In<AtomicWord>) -> u32 {
    // A plain read: no other thread of the world runs, and what others do is no part of it.
    let read = word.get().unwrap_or_default();
    core::sync::atomic::fence(Ordering::SeqCst);
    read
}

/// Carries out futex(2).
pub fn futex(arguments: Arguments) -> Result<usize> {
    let Arguments { word, operation, value, time, other, value3 } = arguments;
    let address = word.address();
    let at_most = |count: u32| count.min(i32::MAX as u32) as usize;
    match operation & libc::FUTEX_CMD_MASK {
        libc::FUTEX_WAIT => wait(word, value, u32::MAX, relative(In(time as *const timespec))?),
        libc::FUTEX_WAIT_BITSET => {
            let realtime = operation & libc::FUTEX_CLOCK_REALTIME != 0;
            wait(word, value, value3, absolute(In(time as *const timespec), realtime)?)
        }
        libc::FUTEX_WAKE => Ok(call(|world| world.wake_waiting(address, at_most(value), u32::MAX))),
        libc::FUTEX_WAKE_BITSET => {
            Ok(call(|world| world.wake_waiting(address, at_most(value), value3)))
        }
        libc::FUTEX_REQUEUE | libc::FUTEX_CMP_REQUEUE => {
            let is_compared = operation & libc::FUTEX_CMD_MASK == libc::FUTEX_CMP_REQUEUE;
            if is_compared && load(word) != value3 {
                return Err(Errno::EAGAIN);
            }
            Ok(call(|world| {
                let woken = world.wake_waiting(address, at_most(value), u32::MAX);
                let moved = world.queues.take(address, time, u32::MAX);
                moved.iter().for_each(|waiting| world.queues.enter(other, *waiting));
                woken + if is_compared { moved.len() } else { 0 }
            }))
        }
        _ => Err(with(|world| {
            world.refuse(&format!("futex operation {operation}"));
            Errno::ENOSYS
        })),
    }
}

fn wait(
    word: In<AtomicWord>,
    expected: u32,
    bits: u32,
    deadline: Option<Instant>,
) -> Result<usize> {
    if bits == 0 {
        return Err(Errno::EINVAL);
    }
    call(|_| ());
    if load(word) != expected {
        return Err(Errno::EAGAIN);
    }
    if wait_at(word.address(), bits, deadline) { Ok(0) } else { Err(Errno::ETIMEDOUT) }
}

/// A time from now on; null is no limit.
fn relative(time: In<timespec>) -> Result<Option<Instant>> {
    let Some(time) = time.get() else { return Ok(None) };
    let time = duration(time).ok_or(Errno::EINVAL)?;
    Ok(Some(with(|world| world.env.now.saturating_add(time))))
}

/// A reading of a clock; null is no limit.
fn absolute(time: In<timespec>, realtime: bool) -> Result<Option<Instant>> {
    let Some(time) = time.get() else { return Ok(None) };
    let time: Duration = duration(time).ok_or(Errno::EINVAL)?;
    let clock = if realtime { libc::CLOCK_REALTIME } else { libc::CLOCK_MONOTONIC };
    Ok(Some(with(|world| world.instant_at(clock, time))))
}
