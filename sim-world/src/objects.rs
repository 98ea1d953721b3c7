//! The calls on what is neither socket nor file: counters and timers, and reading and writing whatever it is.

use crate::agenda::Planned;
use crate::counter::Counter;
use crate::host::Host;
use crate::table::{DescriptionId, Object};
use crate::timerfd::{Expired, Timer};
use crate::universe::Universe;
use sim_core::backend::{Backend, Call, ClockId, Message, Readiness, RecvFlags, TimerSetting};
use sim_core::trace::{Kind, payload_hash};
use sim_core::{Env, Errno, Fd, HostId, Result};
use sim_time::Instant;

impl Universe {
    /// A host whose kernel answers.
    pub(crate) fn check_up(&self, host: HostId) -> Result<()> {
        match self.host_state(host) {
            crate::HostState::Down => Err(Errno::ENETDOWN),
            _ => Ok(()),
        }
    }

    /// Opens an object that has no name of its own.
    pub(crate) fn open_object(
        &mut self,
        env: &mut Env,
        host: HostId,
        call: Call,
        object: Object,
    ) -> Result<Fd> {
        let result = self.check_up(host).map(|()| self.table.open(host, object).0);
        Self::note(env, call, &result, |_| 0);
        result
    }

    /// Reads from whatever it is (read(2)).
    pub(crate) fn read_object(&mut self, env: &mut Env, fd: Fd, into: &mut [u8]) -> Result<usize> {
        let id = self.table.id(fd)?;
        let result = match &mut self.table.of_mut(fd)?.object {
            Object::Socket(_) => return self.recv(env, fd, into, RecvFlags::default()),
            Object::Unix(_) => {
                return self.recv_unix(env, fd, Call::Read, into, RecvFlags::default());
            }
            Object::Signals(_) => return self.take_signals(fd, into),
            Object::Counter(counter) => counter.take(into),
            Object::Timer(_) => self.take_timer(env, id, into),
            Object::Pipe(end) => {
                let end = **end;
                self.read_pipe(env, end, into)
            }
            Object::File(_) | Object::Epoll(_) => return Err(Errno::EINVAL),
        };
        Self::note(env, Call::Read, &result, |&len| len as u64);
        if result.is_ok() && matches!(self.table.of(fd)?.object, Object::Counter(_)) {
            self.table.event(env, id, Readiness::OUT);
        }
        result
    }

    /// Writes to whatever it is (write(2)).
    pub(crate) fn write_object(&mut self, env: &mut Env, fd: Fd, data: &[u8]) -> Result<usize> {
        let id = self.table.id(fd)?;
        let result = match &mut self.table.of_mut(fd)?.object {
            Object::Socket(_) => return self.send(env, fd, data),
            Object::Unix(_) => {
                let message = Message { data, to: None, control: &[] };
                return self.send_unix(env, fd, Call::Write, message);
            }
            Object::Counter(counter) => counter.add(data),
            Object::Pipe(end) => {
                let end = **end;
                self.write_pipe(env, end, data)
            }
            Object::File(_) | Object::Epoll(_) | Object::Signals(_) | Object::Timer(_) => {
                return Err(Errno::EINVAL);
            }
        };
        Self::note_written(env, Call::Write, &result, data);
        if result.is_ok() && matches!(self.table.of(fd)?.object, Object::Counter(_)) {
            self.table.event(env, id, Readiness::IN);
        }
        result
    }

    /// Notes a call that took data, and the data.
    pub(crate) fn note_written(env: &mut Env, call: Call, result: &Result<usize>, data: &[u8]) {
        Self::note(env, call, result, |&len| len as u64);
        if let Ok(len) = *result {
            let ordinal = u64::from(env.actor.opened);
            let hash = payload_hash(&data[..len]);
            env.event(Kind::Send, env.actor.path, ordinal, len as u64, hash);
        }
    }

    /// Makes a counter.
    pub(crate) fn open_counter(
        &mut self,
        env: &mut Env,
        host: HostId,
        initial: u32,
        semaphore: bool,
    ) -> Result<Fd> {
        let counter = Counter::new(u64::from(initial), semaphore);
        self.open_object(env, host, Call::EventFd, Object::Counter(counter))
    }

    /// Makes a timer.
    pub(crate) fn open_timer(&mut self, env: &mut Env, host: HostId, clock: ClockId) -> Result<Fd> {
        let timer = Box::new(Timer::new(env.open("timerfd"), clock));
        self.open_object(env, host, Call::TimerFd, Object::Timer(timer))
    }

    /// Arms or disarms a timer.
    pub(crate) fn set_timer(
        &mut self,
        env: &mut Env,
        fd: Fd,
        setting: TimerSetting,
        absolute: bool,
    ) -> Result<TimerSetting> {
        let id = self.table.id(fd)?;
        let result =
            self.on_timer(env, id, |timer, now_ns| Ok(timer.set(now_ns, setting, absolute)));
        Self::note(env, Call::SetTimer, &result, |_| 0);
        result
    }

    /// What is left until a timer expires.
    pub(crate) fn timer_left(&mut self, env: &mut Env, fd: Fd) -> Result<TimerSetting> {
        let id = self.table.id(fd)?;
        self.on_timer(env, id, |timer, now_ns| Ok(timer.get(now_ns)))
    }

    fn take_timer(&mut self, env: &mut Env, id: DescriptionId, into: &mut [u8]) -> Result<usize> {
        self.on_timer(env, id, |timer, now_ns| timer.take(now_ns, into))
    }

    /// Does something with a timer at its clock's reading, and plans what has become of it.
    fn on_timer<T>(
        &mut self,
        env: &mut Env,
        id: DescriptionId,
        f: impl FnOnce(&mut Timer, u64) -> Result<T>,
    ) -> Result<T> {
        let Self { hosts, table, .. } = self;
        let open = table.get_mut(id).ok_or(Errno::EBADF)?;
        let machine = &hosts[open.host.index()];
        let Object::Timer(timer) = &mut open.object else { return Err(Errno::EINVAL) };
        let plan = timer.plan;
        let answer = f(timer, reading(machine, timer.clock, env.now));
        if timer.plan != plan {
            self.plan_timer(env, id);
        }
        answer
    }

    /// Puts a timer's next expiration onto the agenda.
    fn plan_timer(&mut self, env: &mut Env, id: DescriptionId) {
        let Self { hosts, table, agenda, .. } = self;
        let Some(open) = table.get(id) else { return };
        let Object::Timer(timer) = &open.object else { return };
        let Some(due_ns) = timer.wakes_at_ns() else { return };
        let at = instant(&hosts[open.host.index()], timer.clock, due_ns).max(env.now);
        agenda.plan(env, at, Planned::TimerFd(id, timer.plan), timer.path, timer.plan);
    }

    /// A timer's time has come, unless it was set anew.
    pub(crate) fn expire_timer(&mut self, env: &mut Env, id: DescriptionId, plan: u32) {
        let Self { hosts, table, .. } = self;
        let Some(open) = table.get_mut(id) else { return };
        let machine = &hosts[open.host.index()];
        let Object::Timer(timer) = &mut open.object else { return };
        let now_ns = reading(machine, timer.clock, env.now);
        match timer.expire(plan, now_ns) {
            Expired::Stale => {}
            Expired::Early => self.plan_timer(env, id),
            Expired::Now => {
                env.event(Kind::KernelTimer, timer.path, u64::from(plan), 0, 0);
                self.table.event(env, id, Readiness::IN);
            }
        }
    }

    /// A host's clocks have been changed: its timers expire at other instants than was planned.
    pub(crate) fn plan_timers_anew(&mut self, env: &mut Env, host: HostId) {
        for id in self.table.ids_of(host, |object| matches!(object, Object::Timer(_))) {
            self.plan_timer(env, id);
        }
    }
}

/// What a host's clock reads.
fn reading(host: &Host, clock: ClockId, now: Instant) -> u64 {
    match clock {
        ClockId::Monotonic => host.clock.monotonic_ns(now),
        ClockId::Realtime => host.clock.realtime(now).as_nanos(),
    }
}

/// When a host's clock reads so much, if nobody steps it.
fn instant(host: &Host, clock: ClockId, reading_ns: u64) -> Instant {
    match clock {
        ClockId::Monotonic => host.clock.true_instant_of_monotonic(reading_ns),
        ClockId::Realtime => host.clock.true_instant_of_realtime(reading_ns),
    }
}
