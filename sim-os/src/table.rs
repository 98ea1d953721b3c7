//! Descriptor numbers and the open descriptions behind them.
//!
//! The numbers are a space of our own, lowest free first; the operating system's numbers are not
//! seen outside. A description lives until its last number is closed. Its descriptor is shared with
//! the threads of the pool, so that a file can be closed while an operation on it is still running.
//!
//! Calls act on the description, so a second number needs no second descriptor, with one exception:
//! an epoll object tells the numbers of one description apart (epoll(7), question 0). For its sake
//! `dup` makes a real duplicate, which is used in epoll_ctl(2) alone.

use crate::errno::Answer;
use crate::poller::Key;
use crate::queue::WaitQueue;
use crate::signal::Signals;
use rustix::io::fcntl_dupfd_cloexec;
use sim_core::backend::{ClockId, Domain, SocketKind};
use sim_core::{Errno, Fd, HostId, Result};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// What an open description is.
#[derive(Debug)]
pub(crate) enum Kind {
    Socket(Socket),
    Epoll,
    Signals(Signals),
    Counter,
    /// An end of a pipe.
    Pipe,
    /// What came with a message and is no socket.
    Received,
    Timer(ClockId),
    /// A file, with the path by which it was opened.
    File(Box<str>),
}

/// What has to be known about a socket beyond what the kernel tells.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Socket {
    pub(crate) domain: Domain,
    pub(crate) kind: SocketKind,
    /// Whether it has an address or will get one from the kernel.
    pub(crate) bound: bool,
    /// Whether the last close(2) would block until the peer has everything, or time is up.
    pub(crate) lingers: bool,
}

/// An open description.
#[derive(Debug)]
pub(crate) struct Description {
    pub(crate) file: Arc<OwnedFd>,
    pub(crate) kind: Kind,
    pub(crate) host: HostId,
    pub(crate) queue: WaitQueue,
    numbers: u32,
}

impl Description {
    /// A description without a number.
    pub(crate) fn new(file: OwnedFd, kind: Kind, host: HostId) -> Self {
        Self { file: Arc::new(file), kind, host, queue: WaitQueue::default(), numbers: 0 }
    }

    /// The operating system's descriptor.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

#[derive(Debug)]
struct Number {
    place: u32,
    /// The duplicate made by `dup`; the first number is the description's own descriptor.
    duplicate: Option<OwnedFd>,
}

#[derive(Debug)]
struct Place {
    generation: u32,
    description: Option<Description>,
}

/// What closing a number came to.
#[derive(Debug)]
#[must_use = "a description that has gone has waiters to release"]
pub(crate) enum Closed {
    /// The description has other numbers.
    Number,
    /// It was the last one.
    Description(Box<Description>),
}

/// All numbers and descriptions.
#[derive(Debug, Default)]
pub(crate) struct Table {
    numbers: Vec<Option<Number>>,
    free_numbers: BinaryHeap<Reverse<u32>>,
    places: Vec<Place>,
    free_places: Vec<u32>,
}

impl Table {
    /// Gives a description its first number.
    pub(crate) fn insert(&mut self, description: Description) -> Fd {
        let place = self.free_places.pop().unwrap_or_else(|| {
            self.places.push(Place { generation: 0, description: None });
            self.places.len() as u32 - 1
        });
        self.places[place as usize].description = Some(description);
        self.number(Number { place, duplicate: None })
    }

    /// Gives `fd`'s description one more number.
    pub(crate) fn dup(&mut self, fd: Fd) -> Result<Fd> {
        let place = self.entry(fd)?.place;
        let duplicate = fcntl_dupfd_cloexec(self.get(fd)?.fd(), 0).answer()?;
        Ok(self.number(Number { place, duplicate: Some(duplicate) }))
    }

    /// Frees a number.
    pub(crate) fn close(&mut self, fd: Fd) -> Result<Closed> {
        let number = self.numbers.get_mut(fd.index()).and_then(Option::take).ok_or(Errno::EBADF)?;
        self.free_numbers.push(Reverse(fd.number()));
        let place = &mut self.places[number.place as usize];
        let description = place.description.as_mut().expect("a number's description is open");
        description.numbers -= 1;
        if description.numbers > 0 {
            return Ok(Closed::Number);
        }
        place.generation = place.generation.wrapping_add(1);
        self.free_places.push(number.place);
        let description = place.description.take().expect("it was there a moment ago");
        Ok(Closed::Description(Box::new(description)))
    }

    /// The description of a number.
    #[inline]
    pub(crate) fn get(&self, fd: Fd) -> Result<&Description> {
        let place = self.entry(fd)?.place;
        Ok(self.places[place as usize]
            .description
            .as_ref()
            .expect("a number's description is open"))
    }

    /// The description of a number, with its key.
    #[inline]
    pub(crate) fn get_mut(&mut self, fd: Fd) -> Result<(Key, &mut Description)> {
        let at = self.entry(fd)?.place;
        let place = &mut self.places[at as usize];
        let description = place.description.as_mut().expect("a number's description is open");
        Ok((Key::new(at, place.generation), description))
    }

    /// The description of a key, unless it has been closed since.
    pub(crate) fn by_key(&mut self, key: Key) -> Option<&mut Description> {
        let place = self.places.get_mut(key.place())?;
        if place.generation == key.generation() { place.description.as_mut() } else { None }
    }

    /// The descriptor by which an epoll object knows this very number.
    pub(crate) fn for_epoll(&self, fd: Fd) -> Result<BorrowedFd<'_>> {
        let number = self.entry(fd)?;
        match &number.duplicate {
            Some(duplicate) => Ok(duplicate.as_fd()),
            None => Ok(self.get(fd)?.fd()),
        }
    }

    /// Every open description, once, by its lowest number.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Fd, &Description)> {
        let mut seen = vec![false; self.places.len()];
        self.numbers.iter().enumerate().filter_map(move |(index, number)| {
            let place = number.as_ref()?.place as usize;
            let description = self.places[place].description.as_ref()?;
            let first = !std::mem::replace(&mut seen[place], true);
            first.then(|| (Fd::new(index as u32), description))
        })
    }

    fn entry(&self, fd: Fd) -> Result<&Number> {
        self.numbers.get(fd.index()).and_then(Option::as_ref).ok_or(Errno::EBADF)
    }

    fn number(&mut self, number: Number) -> Fd {
        let description = self.places[number.place as usize].description.as_mut();
        description.expect("only an open description gets a number").numbers += 1;
        let free = self.free_numbers.pop().map(|Reverse(free)| free);
        let at = free.unwrap_or_else(|| {
            self.numbers.push(None);
            self.numbers.len() as u32 - 1
        });
        self.numbers[at as usize] = Some(number);
        Fd::new(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::{EventfdFlags, eventfd};

    fn description() -> Description {
        Description::new(eventfd(0, EventfdFlags::CLOEXEC).unwrap(), Kind::Epoll, HostId::ROOT)
    }

    #[test]
    fn the_lowest_free_number_is_given() {
        let mut table = Table::default();
        let all: Vec<Fd> = (0..4).map(|_| table.insert(description())).collect();
        assert_eq!(all, (0..4).map(Fd::new).collect::<Vec<_>>());
        for fd in [3, 1, 2] {
            let _ = table.close(Fd::new(fd)).unwrap();
        }
        assert_eq!(table.dup(Fd::new(0)), Ok(Fd::new(1)));
        assert_eq!(table.insert(description()), Fd::new(2));
    }

    #[test]
    fn a_description_goes_with_its_last_number_and_its_key_with_it() {
        let mut table = Table::default();
        let first = table.insert(description());
        let (key, _) = table.get_mut(first).unwrap();
        let second = table.dup(first).unwrap();
        assert!(matches!(table.close(first), Ok(Closed::Number)));
        assert_eq!(table.get(first).err(), Some(Errno::EBADF));
        assert!(table.by_key(key).is_some());
        assert!(matches!(table.close(second), Ok(Closed::Description(_))));
        let third = table.insert(description());
        assert!(table.by_key(key).is_none(), "the place is used again, under another generation");
        assert_eq!(table.iter().map(|(fd, _)| fd).collect::<Vec<_>>(), [third]);
    }
}
