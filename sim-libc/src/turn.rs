//! Who runs next, and how the turn is passed.
//!
//! The enabled set is asked by whoever gives up the turn, which carries the answer out: an event runs in place, a deadline
//! releases its thread, a thread is handed the turn, a gated task is granted and its carrier handed the turn.
//!
//! While a grant is outstanding nobody else is chosen: the threads that the grant has released carry it out, in the order in which they
//! were released. If none can (nobody drives the task's runtime just now), the grant is withdrawn, and the task runs when it is polled.

use crate::finish;
use crate::gate::Grant;
use crate::real;
use crate::thread::{Life, WaitsFor};
use crate::world::{World, me, with};
use sim_core::ThreadId;
use sim_core::backend::Waiter;
use sim_core::backend::{Backend, Waited};
use sim_core::enabled::Runnable;
use sim_core::rt::{Failure, FailureKind};
use sim_time::Instant;
use std::fmt::Write as _;

/// What is to be done by whoever gave up the turn.
#[derive(Clone, Copy, Debug)]
#[must_use = "a turn that is not carried out stops the world"]
enum Turn {
    /// Hand the turn to this thread.
    Thread(u32),
    /// Wake the runtime that drives this task, outside the world, and ask again.
    Grant(Grant),
    /// Nobody can run now.
    Nobody,
}

/// Gives up the turn until the calling thread has it again. What it waits for, or that it is ready, was noted before.
pub fn give_up() {
    loop {
        match with(|world| world.next(Idle::Wait)) {
            Turn::Thread(next) => {
                pass(next);
                return;
            }
            Turn::Grant(grant) => {
                let waits = with(|world| world.threads.get(me()).waits);
                grant.call();
                // The runtime's wake-up may have waited for a lock: then what was noted before is no longer so.
                if with(|world| world.threads.get(me()).waits) != waits {
                    with(|world| world.begin_thread(me()));
                    return;
                }
            }
            Turn::Nobody => unreachable!("a world that waits ends or goes on"),
        }
    }
}

/// A gated task on this thread has ended its turn. Returns when the thread may go on outside the gate.
pub fn give_up_at_gate() {
    match with(|world| world.next(Idle::Return)) {
        Turn::Grant(grant) => grant.call(),
        Turn::Thread(next) if next == me() => {}
        Turn::Thread(next) => {
            with(|world| world.end_thread_turn(Life::Ready));
            pass(next);
        }
        Turn::Nobody => {}
    }
}

/// Gives up the turn for good.
pub fn leave() {
    loop {
        match with(|world| world.next(Idle::Wait)) {
            Turn::Thread(next) => {
                return real::give_word(with(|world| world.threads.get(next).word));
            }
            Turn::Grant(grant) => grant.call(),
            Turn::Nobody => unreachable!("a world that waits ends or goes on"),
        }
    }
}

/// Hands the turn to `next` and returns when the calling thread has it.
fn pass(next: u32) {
    if next != me() {
        let (theirs, ours) =
            with(|world| (world.threads.get(next).word, world.threads.get(me()).word));
        real::give_word(theirs);
        real::take_word(ours);
        await_leaving();
    }
    with(|world| world.begin_thread(me()));
}

/// A thread that was just made waits for its first turn.
pub fn first(word: &'static core::sync::atomic::AtomicU32) {
    real::take_word(word);
    await_leaving();
    with(|world| world.begin_thread(me()));
}

fn await_leaving() {
    if let Some(tid) = with(|world| world.threads.take_leaving()) {
        real::await_gone(tid);
    }
}

/// What to do if nobody can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Idle {
    /// Let time pass.
    Wait,
    /// Say so.
    Return,
}

impl World {
    fn next(&mut self, idle: Idle) -> Turn {
        loop {
            self.check_limits();
            self.admit_due();
            if self.gates.is_granting() {
                match self.carrier() {
                    Some(thread) => return Turn::Thread(thread),
                    None => self.withdraw_grant(),
                }
                continue;
            }
            let Some(member) = self.enabled.next(&mut self.env) else {
                if idle == Idle::Return {
                    return Turn::Nobody;
                }
                self.idle();
                continue;
            };
            self.steps += 1;
            match member.runnable {
                Runnable::Thread(ThreadId(thread)) => {
                    if self.take_thread(thread) {
                        return Turn::Thread(thread);
                    }
                }
                Runnable::Task(task) => {
                    if let Some(grant) = self.grant(task) {
                        return Turn::Grant(grant);
                    }
                }
                Runnable::Timer(Waiter::Thread(ThreadId(thread))) => self.fire(&member, thread),
                Runnable::Timer(waiter) => {
                    unreachable!("{waiter:?} waits for time in a process world")
                }
                Runnable::Event(event) => {
                    self.env.actor =
                        sim_core::env::Actor { path: member.path, ..sim_core::env::Actor::WORLD };
                    self.universe.run(&mut self.env, event);
                    self.release_woken();
                }
            }
        }
    }

    /// The thread that carries out the grant: one that it released, else the first that is ready.
    fn carrier(&mut self) -> Option<u32> {
        if let Some(thread) = self.carriers.pop_front() {
            return Some(thread);
        }
        let is_thread = |runnable| matches!(runnable, Runnable::Thread(_));
        match self.enabled.remove_first(is_thread)? {
            Runnable::Thread(ThreadId(thread)) => self.take_thread(thread).then_some(thread),
            other => unreachable!("{other:?} is not a thread"),
        }
    }

    fn admit_due(&mut self) {
        if self.env.now >= self.timers_due {
            self.admit_timers();
        }
        if self.env.now >= self.env.due {
            self.universe.admit(&mut self.env, &mut self.enabled);
            self.release_woken();
        }
    }

    /// Nobody is enabled: lets time pass.
    fn idle(&mut self) {
        let until = self.timers.next_deadline();
        let waited = self.universe.wait(&mut self.env, until);
        self.release_woken();
        let limit = Instant::ZERO.saturating_add(self.config.time_max);
        if self.env.now > limit {
            let text = format!("the limit of {:?} virtual time was reached", self.config.time_max);
            self.fail(Failure::new(FailureKind::Timeout, text).with_details(self.who_waits()));
        } else if waited == Waited::Never {
            self.fail(self.deadlock());
        }
    }

    fn check_limits(&mut self) {
        if self.steps >= self.config.steps_max {
            let text = format!("{} steps were taken", self.config.steps_max);
            self.fail(Failure::new(FailureKind::Limit, text).with_details(self.who_waits()));
        }
    }

    fn deadlock(&self) -> Failure {
        Failure::new(
            FailureKind::Deadlock,
            "nothing can ever happen, and the program has not ended",
        )
        .with_details(self.who_waits())
    }

    /// Ends the run, and the process with it.
    pub fn fail(&mut self, failure: Failure) -> ! {
        finish::now(self, failure)
    }

    /// A line for each thread and task that has not ended: what it waits for, since when.
    pub fn who_waits(&self) -> String {
        let mut text = String::new();
        let names = &self.env.choices.names;
        for (number, thread) in self.threads.iter().filter(|(_, thread)| thread.life != Life::Ended)
        {
            let what = match thread.waits_for {
                WaitsFor::Nothing => String::from("runs"),
                WaitsFor::Sleep => String::from("sleeps"),
                WaitsFor::Futex => String::from("waits for a lock, a condition or a channel"),
                WaitsFor::Ready => String::from("waits for descriptors"),
                WaitsFor::Completion => String::from("waits for a file operation or a name"),
                WaitsFor::Lock => String::from("waits for a lock on a file"),
                WaitsFor::Join(other) => format!("waits for the end of thread {other}"),
            };
            let name = names.text(thread.path());
            let _ = writeln!(text, "  thread {number} {name} {what} since {}", thread.since);
        }
        text + &self.gates.who_waits(names)
    }
}
