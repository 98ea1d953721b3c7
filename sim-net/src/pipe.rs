//! A pipe (pipe(7)): bytes one way, in 16 pages. One that has a name begins without ends, which are opened and closed as
//! programs like (fifo(7)).
//!
//! As in Linux, bytes lie in pages that are filled and emptied as they come: a page has room again when all of it has
//! been read, and a write joins the last page if its odd end fits there. So the writer is ready while a whole page is
//! free, a write of up to [`PIPE_ATOMIC_BYTES`] bytes is taken whole or not at all, and a pipe of small writes holds
//! 65,536 bytes only if they fit.
//!
//! Never: bytes out of order, a short write of few bytes, or data taken that nobody can ever read.

use sim_core::backend::{PIPE_ATOMIC_BYTES, Readiness};
use sim_core::{Errno, Result};
use std::collections::VecDeque;

/// A page, in bytes: what is never divided is what fits in one.
const PAGE_BYTES: usize = PIPE_ATOMIC_BYTES;
/// How many of them a pipe has.
const PAGES: usize = 16;

/// A page with what of it is filled and not read.
#[derive(Clone, Debug)]
struct Page {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Page {
    fn with(data: &[u8]) -> Self {
        let mut page = Self { bytes: vec![0; PAGE_BYTES].into(), start: 0, end: 0 };
        page.add(data);
        page
    }

    fn add(&mut self, data: &[u8]) {
        self.bytes[self.end..][..data.len()].copy_from_slice(data);
        self.end += data.len();
    }
}

/// What a write or a read has brought about at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the other end is to be told"]
pub enum PipeDuty {
    /// Nothing.
    Nothing,
    /// There is something to read: tell the reader `IN`.
    TellReader,
    /// A page is free, and none was before: tell the writer `OUT`.
    TellWriter,
}

/// What a description of a pipe is open for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Reading.
    Reader,
    /// Writing.
    Writer,
    /// Both, as only a pipe with a name can be (fifo(7)).
    Both,
}

impl End {
    /// Whether it reads.
    #[must_use]
    pub const fn reads(self) -> bool {
        matches!(self, Self::Reader | Self::Both)
    }

    /// Whether it writes.
    #[must_use]
    pub const fn writes(self) -> bool {
        matches!(self, Self::Writer | Self::Both)
    }
}

/// How many writers there had been when a reader was opened before the first of them: until another comes, nobody has hung up.
/// Any other reader's is [`Witness::default`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Witness(u32);

/// What became of opening a pipe with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "whoever waits is to be held back"]
pub enum Opened {
    /// It is open.
    Now,
    /// It is open, and whoever opens it waits until the other end is opened too.
    Waits,
}

/// A pipe with its ends.
#[derive(Debug)]
pub struct Pipe {
    pages: VecDeque<Page>,
    len: usize,
    readers: u32,
    writers: u32,
    /// How often it was opened to be written.
    writers_ever: u32,
}

impl Default for Pipe {
    fn default() -> Self {
        Self::new()
    }
}

impl Pipe {
    /// An empty pipe with a reader and a writer.
    #[must_use]
    pub fn new() -> Self {
        Self { readers: 1, writers: 1, writers_ever: 1, ..Self::named() }
    }

    /// An empty pipe that nobody has opened yet.
    #[must_use]
    pub const fn named() -> Self {
        Self { pages: VecDeque::new(), len: 0, readers: 0, writers: 0, writers_ever: 0 }
    }

    /// Opens an end (fifo(7)). Unless it `waits`, a writer without a reader gets `ENXIO`.
    pub fn open(&mut self, end: End, waits: bool) -> Result<(Witness, Opened)> {
        if end == End::Writer && self.readers == 0 && !waits {
            return Err(Errno::ENXIO);
        }
        let is_alone = match end {
            End::Reader => self.writers == 0,
            End::Writer => self.readers == 0,
            End::Both => false,
        };
        self.readers += u32::from(end.reads());
        self.writers += u32::from(end.writes());
        self.writers_ever = self.writers_ever.wrapping_add(u32::from(end.writes()));
        Ok(match (is_alone, waits) {
            (false, _) => (Witness::default(), Opened::Now),
            (true, true) => (Witness::default(), Opened::Waits),
            (true, false) => (Witness(self.writers_ever), Opened::Now),
        })
    }

    /// Writes (write(2)): how much was taken. `EPIPE` without a reader, `EAGAIN` without room.
    pub fn write(&mut self, data: &[u8]) -> Result<(usize, PipeDuty)> {
        if data.is_empty() {
            return Ok((0, PipeDuty::Nothing));
        }
        if self.readers == 0 {
            return Err(Errno::EPIPE);
        }
        let mut done = 0;
        let odd = data.len() % PAGE_BYTES;
        if let Some(last) = self.pages.back_mut()
            && last.end + odd <= PAGE_BYTES
        {
            last.add(&data[..odd]);
            done = odd;
        }
        while done < data.len() && self.pages.len() < PAGES {
            let end = data.len().min(done + PAGE_BYTES);
            self.pages.push_back(Page::with(&data[done..end]));
            done = end;
        }
        self.len += done;
        if done > 0 { Ok((done, PipeDuty::TellReader)) } else { Err(Errno::EAGAIN) }
    }

    /// Reads (read(2)): 0 is the end, when there is no writer. `EAGAIN` while there is nothing.
    pub fn read(&mut self, into: &mut [u8]) -> Result<(usize, PipeDuty)> {
        if into.is_empty() {
            return Ok((0, PipeDuty::Nothing));
        }
        if self.pages.is_empty() {
            return match self.writers {
                0 => Ok((0, PipeDuty::Nothing)),
                _ => Err(Errno::EAGAIN),
            };
        }
        let was_full = self.is_full();
        let mut done = 0;
        while done < into.len()
            && let Some(page) = self.pages.front_mut()
        {
            let len = (page.end - page.start).min(into.len() - done);
            into[done..][..len].copy_from_slice(&page.bytes[page.start..][..len]);
            page.start += len;
            done += len;
            if page.start == page.end {
                self.pages.pop_front();
            }
        }
        self.len -= done;
        let told = was_full && !self.is_full();
        Ok((done, if told { PipeDuty::TellWriter } else { PipeDuty::Nothing }))
    }

    /// A description of an end is gone.
    pub fn close(&mut self, end: End) {
        self.readers -= u32::from(end.reads());
        self.writers -= u32::from(end.writes());
    }

    /// Whether both ends are gone.
    #[must_use]
    pub const fn is_gone(&self) -> bool {
        self.readers == 0 && self.writers == 0
    }

    /// Whether one of the ends is gone and the other is not.
    #[must_use]
    pub const fn is_broken(&self) -> bool {
        (self.readers == 0) != (self.writers == 0)
    }

    /// How many bytes can be read now (`FIONREAD`).
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing can be read now.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn is_full(&self) -> bool {
        self.pages.len() == PAGES
    }

    /// What a description is ready for: to read, `IN` with data and `HUP` without a writer; to write, `OUT` while a page is free and
    /// `ERR` without a reader.
    #[must_use]
    pub fn readiness(&self, end: End, witness: Witness) -> Readiness {
        let when = |is_so: bool, readiness| if is_so { readiness } else { Readiness::NONE };
        let hung_up = self.writers == 0 && witness != Witness(self.writers_ever);
        let input = when(!self.is_empty(), Readiness::IN) | when(hung_up, Readiness::HUP);
        let output =
            when(!self.is_full(), Readiness::OUT) | when(self.readers == 0, Readiness::ERR);
        when(end.reads(), input) | when(end.writes(), output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn write(pipe: &mut Pipe, len: usize) -> Result<usize> {
        pipe.write(&vec![7; len]).map(|(done, _)| done)
    }

    fn read(pipe: &mut Pipe, len: usize) -> Result<usize> {
        pipe.read(&mut vec![0; len]).map(|(done, _)| done)
    }

    fn ready(pipe: &Pipe, end: End) -> Readiness {
        pipe.readiness(end, Witness::default())
    }

    /// As Linux 6.18 answered when it was asked.
    #[test]
    fn room_is_whole_pages() {
        let mut pipe = Pipe::new();
        assert_eq!(
            (write(&mut pipe, 100_000), write(&mut pipe, 1)),
            (Ok(65_536), Err(Errno::EAGAIN))
        );
        assert_eq!((read(&mut pipe, 4095), write(&mut pipe, 1)), (Ok(4095), Err(Errno::EAGAIN)));
        assert_eq!(ready(&pipe, End::Writer), Readiness::NONE);
        assert_eq!(pipe.read(&mut [0]), Ok((1, PipeDuty::TellWriter)));
        assert_eq!((ready(&pipe, End::Writer), write(&mut pipe, 5000)), (Readiness::OUT, Ok(4096)));
        let mut pipe = Pipe::new();
        assert_eq!((0..100).take_while(|_| write(&mut pipe, 3000).is_ok()).count(), 16);
        assert_eq!((write(&mut pipe, 1096), write(&mut pipe, 1)), (Ok(1096), Err(Errno::EAGAIN)));
    }

    #[test]
    fn ends_end() {
        let mut pipe = Pipe::new();
        write(&mut pipe, 3).unwrap();
        pipe.close(End::Writer);
        assert_eq!(ready(&pipe, End::Reader).to_string(), "IN|HUP");
        assert_eq!((read(&mut pipe, 9), read(&mut pipe, 9)), (Ok(3), Ok(0)));
        assert_eq!(ready(&pipe, End::Reader).to_string(), "HUP");
        let mut pipe = Pipe::new();
        pipe.close(End::Reader);
        assert_eq!(ready(&pipe, End::Writer).to_string(), "OUT|ERR");
        assert_eq!((write(&mut pipe, 1), write(&mut pipe, 0)), (Err(Errno::EPIPE), Ok(0)));
    }

    /// As Linux 6.18 answered when it was asked (`sim-os/tests/file.rs` asks again).
    #[test]
    fn a_reader_before_the_first_writer_has_nobody_to_hang_up() {
        let mut pipe = Pipe::named();
        assert_eq!(pipe.open(End::Writer, false), Err(Errno::ENXIO));
        let (witness, opened) = pipe.open(End::Reader, false).unwrap();
        assert_eq!((opened, read(&mut pipe, 1)), (Opened::Now, Ok(0)));
        assert_eq!(pipe.readiness(End::Reader, witness), Readiness::NONE);
        assert_eq!(pipe.open(End::Writer, true), Ok((Witness::default(), Opened::Now)));
        assert_eq!((write(&mut pipe, 3), read(&mut pipe, 9)), (Ok(3), Ok(3)));
        assert_eq!(read(&mut pipe, 1), Err(Errno::EAGAIN));
        pipe.close(End::Writer);
        assert!(pipe.is_broken());
        assert_eq!(pipe.readiness(End::Reader, witness).to_string(), "HUP");
        let (late, _) = pipe.open(End::Reader, false).unwrap();
        assert_eq!(pipe.readiness(End::Reader, late), Readiness::NONE);
    }

    #[test]
    fn whoever_opens_one_end_waits_for_the_other() {
        let mut pipe = Pipe::named();
        assert_eq!(pipe.open(End::Reader, true), Ok((Witness::default(), Opened::Waits)));
        assert_eq!(pipe.open(End::Writer, true), Ok((Witness::default(), Opened::Now)));
        let mut pipe = Pipe::named();
        assert_eq!(pipe.open(End::Writer, true), Ok((Witness::default(), Opened::Waits)));
        assert_eq!(pipe.readiness(End::Writer, Witness::default()).to_string(), "OUT|ERR");
        let mut pipe = Pipe::named();
        assert_eq!(pipe.open(End::Both, true), Ok((Witness::default(), Opened::Now)));
        assert_eq!((write(&mut pipe, 3), read(&mut pipe, 9)), (Ok(3), Ok(3)));
        pipe.close(End::Both);
        assert!(pipe.is_gone());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        /// Against a vector of bytes.
        #[test]
        fn a_pipe_is_its_bytes(steps in prop::collection::vec((any::<bool>(), prop_oneof![1..50_usize, 1..9000_usize]), 1..200)) {
            let (mut pipe, mut model, mut next) = (Pipe::new(), VecDeque::new(), 0_u8);
            for (writes, size) in steps {
                if writes {
                    let data: Vec<u8> = (0..size).map(|n| (n as u8).wrapping_add(next)).collect();
                    next = next.wrapping_add(31);
                    let was_ready = ready(&pipe, End::Writer) == Readiness::OUT;
                    match pipe.write(&data) {
                        Ok((done, duty)) => {
                            prop_assert_eq!(duty, PipeDuty::TellReader);
                            prop_assert!(done == size || size > PIPE_ATOMIC_BYTES);
                            model.extend(&data[..done]);
                        }
                        Err(error) => prop_assert!(error == Errno::EAGAIN && !was_ready),
                    }
                } else {
                    let mut into = vec![0; size];
                    let was_ready = ready(&pipe, End::Writer) == Readiness::OUT;
                    match pipe.read(&mut into) {
                        Ok((done, duty)) => {
                            prop_assert_eq!(done, size.min(model.len()));
                            prop_assert!(into[..done].iter().copied().eq(model.drain(..done)));
                            let ready = ready(&pipe, End::Writer) == Readiness::OUT;
                            prop_assert_eq!(duty == PipeDuty::TellWriter, ready && !was_ready);
                        }
                        Err(error) => prop_assert!(error == Errno::EAGAIN && model.is_empty()),
                    }
                }
                prop_assert_eq!(pipe.len(), model.len());
                prop_assert_eq!(ready(&pipe, End::Reader) == Readiness::IN, !model.is_empty());
            }
        }
    }
}
