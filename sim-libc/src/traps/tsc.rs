//! The processor's cycle counter (rdtsc, rdtscp; prctl(2), `PR_SET_TSC`): virtual time at 3 GHz.
//!
//! A reading is three cycles for each nanosecond of virtual time and a jitter below what a reading costs, so that readings only grow.
//! Without jitter all differences would be alike, and libraries that gather entropy from them refuse such a processor.

#![expect(unsafe_code, reason = "the true counter is read by an instruction")]

use super::frame::Frame;
use super::scratch;
use super::text;
use crate::real;
use crate::world::{World, glance, is_member, with};
use core::arch::x86_64::_rdtsc;
use sim_core::backend::Backend;
use sim_core::choice::{Site, mix};

const PR_SET_TSC: usize = 26;
const PR_TSC_ENABLE: usize = 1;
const PR_TSC_SIGSEGV: usize = 2;

const RDTSC: &[u8] = &[0x0f, 0x31];
const RDTSCP: &[u8] = &[0x0f, 0x01, 0xf9];

/// Cycles in a nanosecond.
const CYCLES: u64 = 3;
/// What a reading costs, in virtual nanoseconds.
const LOOK_NS: u64 = 8;

/// The seed of the jitter, drawn at the first reading.
const SEED: Site = Site::new("host.tsc.seed");

/// What a world knows of its counter.
#[derive(Debug, Default)]
pub struct Counter {
    jitter: Option<u64>,
}

/// Makes the instructions trap in the calling thread. False if the system cannot.
pub(super) fn trap() -> bool {
    set(PR_TSC_SIGSEGV)
}

fn set(mode: usize) -> bool {
    real::syscall(libc::SYS_prctl, [PR_SET_TSC, mode, 0, 0, 0, 0]) == 0
}

/// Carries the instruction out if it is one that reads the counter. Otherwise the fault is the program's own.
pub(super) fn answer(frame: Frame) -> bool {
    let at = frame.register(libc::REG_RIP);
    let len = if frame.begins_with(RDTSC) {
        RDTSC.len()
    } else if frame.begins_with(RDTSCP) {
        // The number of the processor, which is as sched_getcpu(3) answers.
        frame.set_register(libc::REG_RCX, 0);
        RDTSCP.len()
    } else {
        return false;
    };
    let value = if is_member() { scratch::run(reading, at) } else { true_reading() };
    frame.set_register(libc::REG_RAX, value as u32 as usize);
    frame.set_register(libc::REG_RDX, (value >> 32) as usize);
    frame.set_register(libc::REG_RIP, at + len);
    true
}

/// The reading that the program gets.
extern "C" fn reading(at: usize) -> u64 {
    if text::is_vdso(at) {
        let text = "the C library or the program has read the system's clock past the world";
        with(|world| world.env.trace.notice(text));
        return true_reading();
    }
    glance(World::cycles)
}

/// The processor's own counter.
fn true_reading() -> u64 {
    set(PR_TSC_ENABLE);
    // SAFETY: the instruction is there on every processor of the architecture, and was just allowed.
    let value = unsafe { _rdtsc() };
    set(PR_TSC_SIGSEGV);
    value
}

impl World {
    /// The counter's reading, which costs a moment.
    fn cycles(&mut self) -> u64 {
        self.charge(LOOK_NS);
        let state = match self.counter.jitter {
            Some(state) => state,
            None => {
                let path = self.universe.host_path(self.host());
                let mut stream = self.env.choices.stream(SEED, path);
                self.env.choices.entropy_seed(&mut stream)
            }
        };
        self.counter.jitter = Some(mix::step(state));
        let jitter = mix::scale(mix::mix(mix::step(state)), CYCLES * LOOK_NS);
        self.env.now.as_nanos() * CYCLES + jitter
    }
}
