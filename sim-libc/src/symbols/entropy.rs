//! Random bytes (getrandom(2), getentropy(3), arc4random(3)). The devices of that name are in [`super::io`].

#![expect(unsafe_code, reason = "the symbols of the C library")]

use super::{answer, answer_int, call};
use crate::memory::Out;
use crate::real::next;
use crate::world::is_member;
use core::ffi::{c_int, c_uint};
use sim_core::Errno;
use sim_core::backend::Backend;

/// Fills `into` from the host's generator.
pub fn fill(into: &mut [u8]) {
    call(|world| {
        let host = world.host();
        world.universe.entropy(&mut world.env, host, into);
    });
}

fn word() -> u32 {
    let mut bytes = [0; 4];
    fill(&mut bytes);
    u32::from_le_bytes(bytes)
}

#[unsafe(no_mangle)]
extern "C" fn getrandom(into: Out<u8>, len: usize, flags: c_uint) -> isize {
    if !is_member() {
        return next!(c"getrandom"(into: Out<u8>, len: usize, flags: c_uint) -> isize);
    }
    fill(into.slice(len));
    answer(Ok(len))
}

#[unsafe(no_mangle)]
extern "C" fn getentropy(into: Out<u8>, len: usize) -> c_int {
    if !is_member() {
        return next!(c"getentropy"(into: Out<u8>, len: usize) -> c_int);
    }
    if len > 256 {
        return answer_int(Err(Errno::EIO));
    }
    fill(into.slice(len));
    0
}

#[unsafe(no_mangle)]
extern "C" fn arc4random() -> u32 {
    if !is_member() {
        return next!(c"arc4random"() -> u32);
    }
    word()
}

#[unsafe(no_mangle)]
extern "C" fn arc4random_buf(into: Out<u8>, len: usize) {
    if !is_member() {
        return next!(c"arc4random_buf"(into: Out<u8>, len: usize) -> ());
    }
    fill(into.slice(len));
}

#[unsafe(no_mangle)]
extern "C" fn arc4random_uniform(bound: u32) -> u32 {
    if !is_member() {
        return next!(c"arc4random_uniform"(bound: u32) -> u32);
    }
    if bound == 0 { 0 } else { ((u64::from(word()) * u64::from(bound)) >> 32) as u32 }
}
