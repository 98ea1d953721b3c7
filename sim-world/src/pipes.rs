//! The calls on pipes (pipe(2)): two descriptions, one pipe.

use crate::table::{DescriptionId, Object};
use crate::universe::Universe;
use sim_core::backend::{Call, Readiness};
use sim_core::{Env, Errno, Fd, HostId, Result};
use sim_net::pipe::{Pipe, PipeDuty};

/// The pipes of a world, by place, each with the descriptions of its ends.
#[derive(Debug, Default)]
pub(crate) struct Pipes {
    places: Vec<Option<Entry>>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Entry {
    pipe: Pipe,
    ends: [DescriptionId; 2],
}

/// Which pipe, by its place: it is there while one of its ends is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PipeId(u32);

/// Which end of a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Reader,
    Writer,
}

impl Pipes {
    fn place(&mut self) -> PipeId {
        PipeId(self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            (self.places.len() - 1) as u32
        }))
    }

    fn get(&self, id: PipeId) -> &Entry {
        self.places[id.0 as usize].as_ref().expect("a pipe is there while one of its ends is")
    }

    fn get_mut(&mut self, id: PipeId) -> &mut Entry {
        self.places[id.0 as usize].as_mut().expect("a pipe is there while one of its ends is")
    }

    /// What an end is ready for.
    pub(crate) fn readiness(&self, id: PipeId, end: End) -> Readiness {
        match end {
            End::Reader => self.get(id).pipe.reader_readiness(),
            End::Writer => self.get(id).pipe.writer_readiness(),
        }
    }

    /// How many bytes can be read.
    pub(crate) fn len(&self, id: PipeId) -> usize {
        self.get(id).pipe.len()
    }
}

impl Universe {
    /// Makes a pipe: its reading end and its writing end.
    pub(crate) fn open_pipe(&mut self, env: &mut Env, host: HostId) -> Result<(Fd, Fd)> {
        self.check_up(host)?;
        let id = self.pipes.place();
        let (reader, first) = self.table.open(host, Object::Pipe(id, End::Reader));
        let (writer, second) = self.table.open(host, Object::Pipe(id, End::Writer));
        self.pipes.places[id.0 as usize] = Some(Entry { pipe: Pipe::new(), ends: [first, second] });
        Self::note(env, Call::Pipe, &Ok(()), |()| 0);
        Ok((reader, writer))
    }

    /// Reads from a pipe.
    pub(crate) fn read_pipe(
        &mut self,
        env: &mut Env,
        (id, end): (PipeId, End),
        into: &mut [u8],
    ) -> Result<usize> {
        if end == End::Writer {
            return Err(Errno::EBADF);
        }
        let read = self.pipes.get_mut(id).pipe.read(into);
        self.settle_pipe(env, id, read)
    }

    /// Writes to a pipe.
    pub(crate) fn write_pipe(
        &mut self,
        env: &mut Env,
        (id, end): (PipeId, End),
        data: &[u8],
    ) -> Result<usize> {
        if end == End::Reader {
            return Err(Errno::EBADF);
        }
        let written = self.pipes.get_mut(id).pipe.write(data);
        self.settle_pipe(env, id, written)
    }

    /// Tells the other end.
    fn settle_pipe(
        &mut self,
        env: &mut Env,
        id: PipeId,
        done: Result<(usize, PipeDuty)>,
    ) -> Result<usize> {
        let (len, duty) = done?;
        let [reader, writer] = self.pipes.get(id).ends;
        match duty {
            PipeDuty::Nothing => {}
            PipeDuty::TellReader => self.table.event(env, reader, Readiness::IN),
            PipeDuty::TellWriter => self.table.event(env, writer, Readiness::OUT),
        }
        Ok(len)
    }

    /// An end of a pipe that nothing refers to any more.
    pub(crate) fn close_pipe(&mut self, env: &mut Env, (id, end): (PipeId, End)) {
        let Entry { pipe, ends: [reader, writer] } = self.pipes.get_mut(id);
        let (reader, writer) = (*reader, *writer);
        match end {
            End::Reader => pipe.close_reader(),
            End::Writer => pipe.close_writer(),
        }
        if pipe.is_gone() {
            self.pipes.places[id.0 as usize] = None;
            self.pipes.free.push(id.0);
            return;
        }
        match end {
            End::Reader => {
                let ready = self.pipes.readiness(id, End::Writer);
                self.table.event(env, writer, ready);
            }
            End::Writer => {
                let ready = self.pipes.readiness(id, End::Reader);
                self.table.event(env, reader, ready);
            }
        }
    }
}
