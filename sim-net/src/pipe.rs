//! A pipe (pipe(7)): bytes one way, in 16 pages.
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

/// A pipe with both its ends.
#[derive(Debug)]
pub struct Pipe {
    pages: VecDeque<Page>,
    len: usize,
    reader: bool,
    writer: bool,
}

impl Default for Pipe {
    fn default() -> Self {
        Self::new()
    }
}

impl Pipe {
    /// An empty pipe with a reader and a writer.
    #[must_use]
    pub const fn new() -> Self {
        Self { pages: VecDeque::new(), len: 0, reader: true, writer: true }
    }

    /// Writes (write(2)): how much was taken. `EPIPE` without a reader, `EAGAIN` without room.
    pub fn write(&mut self, data: &[u8]) -> Result<(usize, PipeDuty)> {
        if data.is_empty() {
            return Ok((0, PipeDuty::Nothing));
        }
        if !self.reader {
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
            return if self.writer { Err(Errno::EAGAIN) } else { Ok((0, PipeDuty::Nothing)) };
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

    /// The last descriptor of the reading end is gone.
    pub fn close_reader(&mut self) {
        self.reader = false;
    }

    /// The last descriptor of the writing end is gone.
    pub fn close_writer(&mut self) {
        self.writer = false;
    }

    /// Whether both ends are gone.
    #[must_use]
    pub const fn is_gone(&self) -> bool {
        !self.reader && !self.writer
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

    /// What the reading end is ready for: `IN` with data, `HUP` without a writer.
    #[must_use]
    pub fn reader_readiness(&self) -> Readiness {
        let input = if self.is_empty() { Readiness::NONE } else { Readiness::IN };
        let end = if self.writer { Readiness::NONE } else { Readiness::HUP };
        input | end
    }

    /// What the writing end is ready for: `OUT` while a page is free, `ERR` without a reader.
    #[must_use]
    pub fn writer_readiness(&self) -> Readiness {
        let output = if self.is_full() { Readiness::NONE } else { Readiness::OUT };
        let end = if self.reader { Readiness::NONE } else { Readiness::ERR };
        output | end
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

    /// As Linux 6.18 answered when it was asked.
    #[test]
    fn room_is_whole_pages() {
        let mut pipe = Pipe::new();
        assert_eq!(
            (write(&mut pipe, 100_000), write(&mut pipe, 1)),
            (Ok(65_536), Err(Errno::EAGAIN))
        );
        assert_eq!((read(&mut pipe, 4095), write(&mut pipe, 1)), (Ok(4095), Err(Errno::EAGAIN)));
        assert_eq!(pipe.writer_readiness(), Readiness::NONE);
        assert_eq!(pipe.read(&mut [0]), Ok((1, PipeDuty::TellWriter)));
        assert_eq!((pipe.writer_readiness(), write(&mut pipe, 5000)), (Readiness::OUT, Ok(4096)));
        let mut pipe = Pipe::new();
        assert_eq!((0..100).take_while(|_| write(&mut pipe, 3000).is_ok()).count(), 16);
        assert_eq!((write(&mut pipe, 1096), write(&mut pipe, 1)), (Ok(1096), Err(Errno::EAGAIN)));
    }

    #[test]
    fn ends_end() {
        let mut pipe = Pipe::new();
        write(&mut pipe, 3).unwrap();
        pipe.close_writer();
        assert_eq!(pipe.reader_readiness().to_string(), "IN|HUP");
        assert_eq!((read(&mut pipe, 9), read(&mut pipe, 9)), (Ok(3), Ok(0)));
        assert_eq!(pipe.reader_readiness().to_string(), "HUP");
        let mut pipe = Pipe::new();
        pipe.close_reader();
        assert_eq!(pipe.writer_readiness().to_string(), "OUT|ERR");
        assert_eq!((write(&mut pipe, 1), write(&mut pipe, 0)), (Err(Errno::EPIPE), Ok(0)));
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
                    let was_ready = pipe.writer_readiness() == Readiness::OUT;
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
                    let was_ready = pipe.writer_readiness() == Readiness::OUT;
                    match pipe.read(&mut into) {
                        Ok((done, duty)) => {
                            prop_assert_eq!(done, size.min(model.len()));
                            prop_assert!(into[..done].iter().copied().eq(model.drain(..done)));
                            let ready = pipe.writer_readiness() == Readiness::OUT;
                            prop_assert_eq!(duty == PipeDuty::TellWriter, ready && !was_ready);
                        }
                        Err(error) => prop_assert!(error == Errno::EAGAIN && model.is_empty()),
                    }
                }
                prop_assert_eq!(pipe.len(), model.len());
                prop_assert_eq!(pipe.reader_readiness() == Readiness::IN, !model.is_empty());
            }
        }
    }
}
