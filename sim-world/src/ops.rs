//! Submissions under way: file operations and name look-ups.
//!
//! An operation is planned for the instant its disk takes, takes effect then, and its output waits to
//! be taken. One that nobody will take still takes effect, as on Linux, where a blocked thread
//! cannot be called back. A crash of the host takes it away.

use crate::agenda::Planned;
use crate::host::HostState;
use crate::pipes::end_of;
use crate::table::{DescriptionId, Object};
use crate::universe::Universe;
use sim_core::backend::{FileKind, Op, OpenOptions, Output, Place, Waiter};
use sim_core::trace::Kind;
use sim_core::{Env, Errno, Fd, HostId, OpId, Result};
use sim_fs::FileId;
use sim_net::pipe::Opened;
use std::net::IpAddr;

/// How long a name look-up takes: a resolver on the same machine.
const RESOLVE_NS: u64 = 50_000;

#[derive(Debug)]
struct Submission {
    host: HostId,
    incarnation: u32,
    state: State,
    /// The file it works on, which lives as long as the operation does.
    on: Option<DescriptionId>,
}

#[derive(Debug)]
enum State {
    /// It will take effect; the waiter, if anybody still waits, is released then.
    Planned(Op, Option<Waiter>),
    /// It takes effect right now.
    UnderWay,
    /// It has opened a pipe by name, and is done when the other end is opened too (fifo(7)).
    HeldBack(Fd, Option<Waiter>),
    /// Its output is to be taken.
    Finished(Result<Output>),
}

/// The submissions of a world, by number.
#[derive(Debug, Default)]
pub(crate) struct Ops {
    places: Vec<Option<Submission>>,
    free: Vec<u64>,
}

impl Ops {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    fn insert(&mut self, submission: Submission) -> OpId {
        match self.free.pop() {
            Some(index) => {
                self.places[index as usize] = Some(submission);
                OpId(index)
            }
            None => {
                self.places.push(Some(submission));
                OpId((self.places.len() - 1) as u64)
            }
        }
    }

    fn get_mut(&mut self, op: OpId) -> Option<&mut Submission> {
        self.places.get_mut(op.0 as usize)?.as_mut()
    }

    /// An operation that is held back went with its host.
    pub(crate) fn forget_held_back(&mut self, op: OpId) {
        if matches!(self.get_mut(op), Some(Submission { state: State::HeldBack(..), .. })) {
            self.remove(op);
        }
    }

    fn remove(&mut self, op: OpId) -> Option<Submission> {
        let submission = self.places.get_mut(op.0 as usize)?.take();
        if submission.is_some() {
            self.free.push(op.0);
        }
        submission
    }
}

impl Universe {
    /// Plans an operation.
    pub(crate) fn submit_op(
        &mut self,
        env: &mut Env,
        host: HostId,
        op: Op,
        waiter: Waiter,
    ) -> OpId {
        let delay_ns = match &op {
            Op::Resolve { .. } => RESOLVE_NS,
            _ => self.host(host).disk(env).latency(env, &op),
        };
        let on = file_of(&op).and_then(|fd| self.table.id(fd).ok());
        if let Some(on) = on {
            self.table.refer(on);
        }
        let path = env.open("op");
        let incarnation = self.host(host).incarnation;
        let submission =
            Submission { host, incarnation, state: State::Planned(op, Some(waiter)), on };
        let id = self.ops.insert(submission);
        let at = env.now.saturating_add_nanos(delay_ns);
        self.agenda.plan(env, at, Planned::Completion(id), path, 0);
        id
    }

    /// Takes a completion, or leaves `waiter` to be released by it.
    pub(crate) fn take_op(&mut self, id: OpId, waiter: Waiter) -> Option<Result<Output>> {
        let Some(submission) = self.ops.get_mut(id) else { return Some(Err(Errno::EBADF)) };
        if let State::Planned(_, waiting) | State::HeldBack(_, waiting) = &mut submission.state {
            *waiting = Some(waiter);
            return None;
        }
        match self.ops.remove(id).map(|submission| submission.state) {
            Some(State::Finished(result)) => Some(result),
            _ => unreachable!("it was just seen finished"),
        }
    }

    /// Nobody will take the completion: an output that is a descriptor is closed.
    pub(crate) fn forget_op(&mut self, env: &mut Env, id: OpId) {
        match self.ops.get_mut(id).map(|submission| &mut submission.state) {
            Some(State::Planned(_, waiter)) => *waiter = None,
            Some(State::HeldBack(fd, _)) => {
                let fd = *fd;
                self.ops.remove(id);
                self.close_number(env, fd).unwrap_or_default();
            }
            Some(State::Finished(_)) => {
                let finished = self.ops.remove(id).map(|submission| submission.state);
                if let Some(State::Finished(Ok(Output::Fd(fd)))) = finished {
                    self.close_number(env, fd).unwrap_or_default();
                }
            }
            Some(State::UnderWay) | None => {}
        }
    }

    /// An operation's instant has come: it takes effect.
    pub(crate) fn complete_op(&mut self, env: &mut Env, id: OpId) {
        let Some(submission) = self.ops.get_mut(id) else { return };
        let (host, incarnation, on) =
            (submission.host, submission.incarnation, submission.on.take());
        let State::Planned(op, waiter) = core::mem::replace(&mut submission.state, State::UnderWay)
        else {
            unreachable!("an operation completes once");
        };
        let machine = self.host(host);
        let is_gone = machine.incarnation != incarnation || machine.state == HostState::Down;
        if is_gone {
            self.ops.remove(id);
            self.release_operand(env, on);
            return;
        }
        let (result, opened) = match op {
            Op::Open { path, options } => match self.open_path(env, host, &path, options) {
                Ok((fd, opened)) => (Ok(Output::Fd(fd)), opened),
                Err(errno) => (Err(errno), Opened::Now),
            },
            op => (self.perform(env, host, op, on), Opened::Now),
        };
        self.release_operand(env, on);
        match (result, opened) {
            (Ok(Output::Fd(fd)), Opened::Waits) => {
                let submission = self.ops.get_mut(id).expect("it is under way");
                submission.state = State::HeldBack(fd, waiter);
                self.hold_back(fd, id);
            }
            (result, _) => self.finish_op(env, id, result, waiter),
        }
    }

    /// The other end of a pipe was opened.
    pub(crate) fn finish_held_back(&mut self, env: &mut Env, id: OpId) {
        let Some(submission) = self.ops.get_mut(id) else { return };
        if let State::HeldBack(fd, waiter) = submission.state {
            submission.state = State::UnderWay;
            self.finish_op(env, id, Ok(Output::Fd(fd)), waiter);
        }
    }

    /// An operation is done: its output is to be taken, unless nobody will.
    fn finish_op(
        &mut self,
        env: &mut Env,
        id: OpId,
        result: Result<Output>,
        waiter: Option<Waiter>,
    ) {
        let (len, error) = match &result {
            Ok(Output::Data(data)) => (data.len() as u64, 0),
            Ok(Output::Len(len)) => (*len, 0),
            Ok(_) => (0, 0),
            Err(errno) => (0, u64::from(errno.raw())),
        };
        let submission = self.ops.get_mut(id).expect("it is under way");
        let path = self.hosts[submission.host.index()].path;
        env.event(Kind::Complete, path, id.0, len, error);
        match waiter {
            Some(waiter) => {
                submission.state = State::Finished(result);
                env.woken.push(waiter);
            }
            None => {
                self.ops.remove(id);
                if let Ok(Output::Fd(fd)) = result {
                    self.close_number(env, fd).unwrap_or_default();
                }
            }
        }
    }

    /// Opens what a path names: a file of the disk, or the pipe that it stands for.
    fn open_path(
        &mut self,
        env: &mut Env,
        host: HostId,
        path: &str,
        options: OpenOptions,
    ) -> Result<(Fd, Opened)> {
        let machine = self.host(host);
        let now = machine.clock.realtime(env.now);
        let file = machine.disk(env).open(now, path, options)?;
        if machine.disk(env).stat_fd(file)?.kind == FileKind::Fifo {
            return self.open_fifo(env, host, file, end_of(options));
        }
        Ok((self.table.open(host, Object::File(file)).0, Opened::Now))
    }

    /// The file an operation worked on may go now.
    fn release_operand(&mut self, env: &mut Env, on: Option<DescriptionId>) {
        if let Some(on) = on {
            self.release_description(env, on);
        }
    }

    /// What an operation does.
    fn perform(
        &mut self,
        env: &mut Env,
        host: HostId,
        op: Op,
        on: Option<DescriptionId>,
    ) -> Result<Output> {
        let now = self.host(host).clock.realtime(env.now);
        let file = |universe: &Self| -> Result<FileId> {
            match on.and_then(|on| universe.table.get(on)).map(|open| &open.object) {
                Some(Object::File(file)) => Ok(*file),
                Some(_) => Err(Errno::EINVAL),
                None => Err(Errno::EBADF),
            }
        };
        // What is besides the content, which a pipe with a name has on the disk as well.
        let named = |universe: &Self| -> Result<FileId> {
            match on.and_then(|on| universe.table.get(on)).map(|open| &open.object) {
                Some(Object::Pipe(end)) => end.file.map_or_else(|| file(universe), Ok),
                _ => file(universe),
            }
        };
        match op {
            Op::Read { offset, len, .. } => {
                let file = file(self)?;
                self.host(host).disk(env).read(now, file, offset, len).map(Output::Data)
            }
            Op::Write { offset, data, .. } => {
                let file = file(self)?;
                self.host(host).disk(env).write(now, file, offset, &data).map(Output::Len)
            }
            Op::Truncate { len, .. } => {
                let file = file(self)?;
                self.host(host).disk(env).truncate(now, file, len).map(|()| Output::Done)
            }
            Op::Sync { data_only, .. } => {
                let file = file(self)?;
                self.host(host).disk(env).sync(file, data_only).map(|()| Output::Done)
            }
            Op::SyncAll => {
                self.host(host).disk(env).sync_all();
                Ok(Output::Done)
            }
            Op::Seek { to, .. } => {
                let file = file(self)?;
                self.host(host).disk(env).seek(file, to).map(Output::Len)
            }
            Op::StatFd { .. } => {
                let file = named(self)?;
                self.host(host).disk(env).stat_fd(file).map(Output::Metadata)
            }
            Op::Rename { from, to } => {
                self.host(host).disk(env).rename(now, &from, &to).map(|()| Output::Done)
            }
            Op::RemoveFile { path } => {
                self.host(host).disk(env).remove_file(now, &path).map(|()| Output::Done)
            }
            Op::CreateDir { path, mode } => {
                let disk = self.host(host).disk(env);
                disk.create_dir_with(now, &path, mode.unwrap_or(0o777)).map(|()| Output::Done)
            }
            Op::MakeFifo { path, mode } => {
                let disk = self.host(host).disk(env);
                disk.create_fifo(now, &path, mode.unwrap_or(0o666)).map(|()| Output::Done)
            }
            Op::RemoveDir { path } => {
                self.host(host).disk(env).remove_dir(now, &path).map(|()| Output::Done)
            }
            Op::ReadDir { path } => self.host(host).disk(env).read_dir(&path).map(Output::Entries),
            Op::ReadDirFd { .. } => {
                let file = file(self)?;
                self.host(host).disk(env).read_dir_fd(file).map(Output::Entries)
            }
            Op::Stat { path, follow: true } => {
                self.host(host).disk(env).stat(&path).map(Output::Metadata)
            }
            Op::Stat { path, follow: false } => {
                self.host(host).disk(env).stat_link(&path).map(Output::Metadata)
            }
            Op::Link { from, to } => {
                self.host(host).disk(env).link(now, &from, &to).map(|()| Output::Done)
            }
            Op::Symlink { target, path } => {
                self.host(host).disk(env).symlink(now, &target, &path).map(|()| Output::Done)
            }
            Op::ReadLink { path } => self.host(host).disk(env).read_link(&path).map(Output::Target),
            Op::SetAttributes { of: Place::Path { path, follow }, change } => {
                let disk = self.host(host).disk(env);
                disk.set_attributes(now, &path, follow, change).map(|()| Output::Done)
            }
            Op::SetAttributes { of: Place::Fd(_), change } => {
                let file = named(self)?;
                let disk = self.host(host).disk(env);
                disk.set_attributes_fd(now, file, change).map(|()| Output::Done)
            }
            Op::Lock { lock, .. } => {
                let file = file(self)?;
                self.host(host).disk(env).lock(file, lock).map(|()| Output::Done)
            }
            Op::TestLock { lock, .. } => {
                let file = file(self)?;
                self.host(host).disk(env).test_lock(file, lock).map(Output::Lock)
            }
            Op::Resolve { name } => self.resolve(&name).map(Output::Addresses),
            other => {
                env.trace.notice(format!(
                    "the operation {other:?} is not modelled: it answered EOPNOTSUPP"
                ));
                Err(Errno::EOPNOTSUPP)
            }
        }
    }

    /// The addresses of a name (getaddrinfo(3): an unknown one is `EAI_NONAME`, told as `ENOENT`).
    fn resolve(&mut self, name: &str) -> Result<Vec<IpAddr>> {
        self.addresses_of(name).map(<[IpAddr]>::to_vec).ok_or(Errno::ENOENT)
    }
}

/// The descriptor an operation works on.
fn file_of(op: &Op) -> Option<Fd> {
    match op {
        Op::Read { fd, .. }
        | Op::Write { fd, .. }
        | Op::Truncate { fd, .. }
        | Op::Sync { fd, .. }
        | Op::Seek { fd, .. }
        | Op::ReadDirFd { fd }
        | Op::SetAttributes { of: Place::Fd(fd), .. }
        | Op::Lock { fd, .. }
        | Op::TestLock { fd, .. }
        | Op::StatFd { fd } => Some(*fd),
        _ => None,
    }
}
