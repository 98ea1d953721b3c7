//! The calls on pipes (pipe(2), fifo(7)): descriptions of two ends, one pipe.
//!
//! A pipe without a name has one description of each end. One with a name is found by the inode of its name, has as many as
//! programs open, and is there while one of them is; whoever opens it and waits for the other end is an operation that is held
//! back until somebody opens that.

use crate::host::HostState;
use crate::table::{DescriptionId, Object};
use crate::universe::Universe;
use sim_core::backend::{Call, OpenOptions, Readiness};
use sim_core::{Env, Errno, Fd, HostId, OpId, Result};
use sim_fs::FileId;
use sim_net::pipe::{End, Opened, Pipe, PipeDuty, Witness};
use std::collections::BTreeMap;

/// The pipes of a world, by place.
#[derive(Debug, Default)]
pub(crate) struct Pipes {
    places: Vec<Option<Entry>>,
    free: Vec<u32>,
    /// Those that are open by a name, by its host and inode.
    names: BTreeMap<(HostId, u64), PipeId>,
}

#[derive(Debug)]
struct Entry {
    pipe: Pipe,
    /// The descriptions of its ends, those of both in both.
    readers: Vec<DescriptionId>,
    writers: Vec<DescriptionId>,
    name: Option<(HostId, u64)>,
    /// Operations that are held back until somebody opens the end that they have not.
    held_back: Vec<(OpId, End)>,
}

/// Which pipe, by its place: it is there while one of its ends is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct PipeId(u32);

/// An end of a pipe, as a description has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PipeEnd {
    pipe: PipeId,
    end: End,
    witness: Witness,
    /// The name by which it was opened, which stays an inode as long.
    pub(crate) file: Option<FileId>,
}

impl PipeEnd {
    /// For reports.
    pub(crate) const fn describe(self) -> &'static str {
        match self.end {
            End::Reader => "pipe, reading end",
            End::Writer => "pipe, writing end",
            End::Both => "pipe, both ends",
        }
    }
}

impl Pipes {
    fn insert(&mut self, pipe: Pipe, name: Option<(HostId, u64)>) -> PipeId {
        let (readers, writers, held_back) = (Vec::new(), Vec::new(), Vec::new());
        let entry = Some(Entry { pipe, readers, writers, name, held_back });
        let id = match self.free.pop() {
            Some(place) => {
                self.places[place as usize] = entry;
                PipeId(place)
            }
            None => {
                self.places.push(entry);
                PipeId((self.places.len() - 1) as u32)
            }
        };
        if let Some(name) = name {
            self.names.insert(name, id);
        }
        id
    }

    fn get(&self, id: PipeId) -> &Entry {
        self.places[id.0 as usize].as_ref().expect("a pipe is there while one of its ends is")
    }

    fn get_mut(&mut self, id: PipeId) -> &mut Entry {
        self.places[id.0 as usize].as_mut().expect("a pipe is there while one of its ends is")
    }

    /// Takes a pipe away that has no end left.
    fn remove(&mut self, id: PipeId) {
        if let Some(name) = self.places[id.0 as usize].take().and_then(|entry| entry.name) {
            self.names.remove(&name);
        }
        self.free.push(id.0);
    }

    /// What an end is ready for.
    pub(crate) fn readiness(&self, end: PipeEnd) -> Readiness {
        self.get(end.pipe).pipe.readiness(end.end, end.witness)
    }

    /// How many bytes can be read.
    pub(crate) fn len(&self, end: PipeEnd) -> usize {
        self.get(end.pipe).pipe.len()
    }

    /// Notes the description of an end.
    fn attach(&mut self, end: PipeEnd, id: DescriptionId) {
        let entry = self.get_mut(end.pipe);
        if end.end.reads() {
            entry.readers.push(id);
        }
        if end.end.writes() {
            entry.writers.push(id);
        }
    }
}

impl Universe {
    /// Makes a pipe: its reading end and its writing end.
    pub(crate) fn open_pipe(&mut self, env: &mut Env, host: HostId) -> Result<(Fd, Fd)> {
        self.check_up(host)?;
        let pipe = self.pipes.insert(Pipe::new(), None);
        let mut open = |end| {
            let end = PipeEnd { pipe, end, witness: Witness::default(), file: None };
            let (fd, id) = self.table.open(host, Object::Pipe(Box::new(end)));
            self.pipes.attach(end, id);
            fd
        };
        let ends = (open(End::Reader), open(End::Writer));
        Self::note(env, Call::Pipe, &Ok(()), |()| 0);
        Ok(ends)
    }

    /// Opens a pipe by its name, which is open on the disk as `file`. Whether whoever opens it is to be held back.
    pub(crate) fn open_fifo(
        &mut self,
        env: &mut Env,
        host: HostId,
        file: FileId,
        (end, waits): (End, bool),
    ) -> Result<(Fd, Opened)> {
        let inode = self.host(host).disk(env).stat_fd(file)?.inode;
        let known = self.pipes.names.get(&(host, inode)).copied();
        let pipe = known.unwrap_or_else(|| self.pipes.insert(Pipe::named(), Some((host, inode))));
        let (witness, opened) = match self.pipes.get_mut(pipe).pipe.open(end, waits) {
            Ok(opened) => opened,
            Err(errno) => {
                if self.pipes.get(pipe).pipe.is_gone() {
                    self.pipes.remove(pipe);
                }
                self.host(host).disk(env).close(file)?;
                return Err(errno);
            }
        };
        let end = PipeEnd { pipe, end, witness, file: Some(file) };
        let (fd, id) = self.table.open(host, Object::Pipe(Box::new(end)));
        self.pipes.attach(end, id);
        self.let_go(env, end);
        Ok((fd, opened))
    }

    /// An end was opened: the operations that were held back for it are done.
    fn let_go(&mut self, env: &mut Env, opened: PipeEnd) {
        let held_back = &mut self.pipes.get_mut(opened.pipe).held_back;
        let waits_for = |end: &End| match end {
            End::Reader => opened.end.writes(),
            End::Writer => opened.end.reads(),
            End::Both => false,
        };
        for (op, _) in held_back.extract_if(.., |(_, end)| waits_for(end)).collect::<Vec<_>>() {
            self.finish_held_back(env, op);
        }
    }

    /// Notes that an operation is held back, which has opened `fd` already.
    pub(crate) fn hold_back(&mut self, fd: Fd, op: OpId) {
        if let Ok(Object::Pipe(end)) = self.table.of(fd).map(|open| &open.object) {
            self.pipes.get_mut(end.pipe).held_back.push((op, end.end));
        }
    }

    /// Reads from a pipe.
    pub(crate) fn read_pipe(
        &mut self,
        env: &mut Env,
        end: PipeEnd,
        into: &mut [u8],
    ) -> Result<usize> {
        if !end.end.reads() {
            return Err(Errno::EBADF);
        }
        let read = self.pipes.get_mut(end.pipe).pipe.read(into);
        self.settle_pipe(env, end.pipe, read)
    }

    /// Writes to a pipe.
    pub(crate) fn write_pipe(&mut self, env: &mut Env, end: PipeEnd, data: &[u8]) -> Result<usize> {
        if !end.end.writes() {
            return Err(Errno::EBADF);
        }
        let written = self.pipes.get_mut(end.pipe).pipe.write(data);
        self.settle_pipe(env, end.pipe, written)
    }

    /// Tells the other end.
    fn settle_pipe(
        &mut self,
        env: &mut Env,
        id: PipeId,
        done: Result<(usize, PipeDuty)>,
    ) -> Result<usize> {
        let (len, duty) = done?;
        let Self { table, pipes, .. } = self;
        let Entry { readers, writers, .. } = pipes.get(id);
        match duty {
            PipeDuty::Nothing => {}
            PipeDuty::TellReader => {
                readers.iter().for_each(|&reader| table.event(env, reader, Readiness::IN));
            }
            PipeDuty::TellWriter => {
                writers.iter().for_each(|&writer| table.event(env, writer, Readiness::OUT));
            }
        }
        Ok(len)
    }

    /// An end of a pipe that nothing refers to any more.
    pub(crate) fn close_pipe(&mut self, env: &mut Env, host: HostId, closed: PipeEnd) {
        if let Some(file) = closed.file
            && self.hosts[host.index()].state != HostState::Down
        {
            self.host(host).disk(env).close(file).expect("a name behind a description is open");
        }
        let Self { table, pipes, .. } = self;
        let Entry { pipe, readers, writers, held_back, .. } = pipes.get_mut(closed.pipe);
        pipe.close(closed.end);
        if pipe.is_gone() {
            // Whoever is held back has an end open, unless its host is going.
            let held_back = core::mem::take(held_back);
            self.pipes.remove(closed.pipe);
            held_back.into_iter().for_each(|(op, _)| self.ops.forget_held_back(op));
            return;
        }
        for ids in [&mut *readers, &mut *writers] {
            ids.retain(|&id| table.get(id).is_some());
        }
        if pipe.is_broken() {
            let left: Vec<_> = readers.iter().chain(&*writers).copied().collect();
            for id in left {
                let ready = self.readiness_of(id);
                self.table.event(env, id, ready);
            }
        }
    }
}

/// What an open by name is for.
pub(crate) fn end_of(options: OpenOptions) -> (End, bool) {
    let end = match (options.read, options.write || options.append) {
        (true, true) => End::Both,
        (false, true) => End::Writer,
        _ => End::Reader,
    };
    (end, !options.nonblocking)
}
