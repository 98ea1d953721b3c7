//! Descriptor numbers, the open descriptions behind them, and who waits at each.
//!
//! One number space for the whole world. A description remembers its host; it lives as long as a
//! number or an operation under way refers to it. The lowest free number is given, as by Linux.

use crate::epoll::Epoll;
use sim_core::backend::{Readiness, Waiter};
use sim_core::{Errno, Fd, HostId, Result};
use sim_fs::FileId;
use sim_net::SocketId;
use std::collections::BTreeSet;

/// An open description's place, and the generation of that place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DescriptionId {
    index: u32,
    generation: u32,
}

/// What is behind a description.
#[derive(Debug)]
pub(crate) enum Object {
    Socket(SocketId),
    File(FileId),
    Epoll(Epoll),
    Signals(SignalSet),
}

/// Signals that a descriptor takes, and those that have come.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SignalSet {
    pub(crate) taken: u32,
    pub(crate) pending: u32,
}

/// An entry of a wait queue.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Entry {
    /// Released by the first event of its interest, and then forgotten.
    Once(Waiter, Readiness),
    /// An epoll object that watches the description under this number.
    Epoll(DescriptionId, Fd),
}

/// An open description.
#[derive(Debug)]
pub(crate) struct OpenDescription {
    pub(crate) host: HostId,
    pub(crate) object: Object,
    pub(crate) queue: Vec<Entry>,
    /// Numbers and operations under way that refer to it.
    pub(crate) references: u32,
}

#[derive(Debug)]
struct Place {
    generation: u32,
    open: Option<OpenDescription>,
}

/// The table of a world.
#[derive(Debug)]
pub(crate) struct Table {
    numbers: Vec<Option<DescriptionId>>,
    free_numbers: BTreeSet<u32>,
    places: Vec<Place>,
    free_places: Vec<u32>,
}

/// The first number given: 0 to 2 are the standard streams of every process.
const FIRST_NUMBER: u32 = 3;

impl Table {
    pub(crate) fn new() -> Self {
        Self {
            numbers: vec![None; FIRST_NUMBER as usize],
            free_numbers: BTreeSet::new(),
            places: Vec::new(),
            free_places: Vec::new(),
        }
    }

    /// Opens a description under the lowest free number.
    pub(crate) fn open(&mut self, host: HostId, object: Object) -> (Fd, DescriptionId) {
        let open = OpenDescription { host, object, queue: Vec::new(), references: 0 };
        let index = match self.free_places.pop() {
            Some(index) => {
                self.places[index as usize].open = Some(open);
                index
            }
            None => {
                self.places.push(Place { generation: 0, open: Some(open) });
                (self.places.len() - 1) as u32
            }
        };
        let id = DescriptionId { index, generation: self.places[index as usize].generation };
        (self.number(id), id)
    }

    /// Another number for a description.
    pub(crate) fn number(&mut self, id: DescriptionId) -> Fd {
        self.refer(id);
        match self.free_numbers.pop_first() {
            Some(number) => {
                self.numbers[number as usize] = Some(id);
                Fd::new(number)
            }
            None => {
                self.numbers.push(Some(id));
                Fd::new((self.numbers.len() - 1) as u32)
            }
        }
    }

    /// The description behind a number.
    #[inline]
    pub(crate) fn id(&self, fd: Fd) -> Result<DescriptionId> {
        self.numbers.get(fd.index()).copied().flatten().ok_or(Errno::EBADF)
    }

    #[inline]
    pub(crate) fn get(&self, id: DescriptionId) -> Option<&OpenDescription> {
        let place = self.places.get(id.index as usize)?;
        if place.generation == id.generation { place.open.as_ref() } else { None }
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: DescriptionId) -> Option<&mut OpenDescription> {
        let place = self.places.get_mut(id.index as usize)?;
        if place.generation == id.generation { place.open.as_mut() } else { None }
    }

    /// The description behind a number, to be read.
    pub(crate) fn of(&self, fd: Fd) -> Result<&OpenDescription> {
        self.get(self.id(fd)?).ok_or(Errno::EBADF)
    }

    /// The description behind a number.
    pub(crate) fn of_mut(&mut self, fd: Fd) -> Result<&mut OpenDescription> {
        let id = self.id(fd)?;
        self.get_mut(id).ok_or(Errno::EBADF)
    }

    /// One more number or operation refers to it.
    pub(crate) fn refer(&mut self, id: DescriptionId) {
        self.get_mut(id).expect("only an open description is referred to").references += 1;
    }

    /// Gives a number back.
    pub(crate) fn forget_number(&mut self, fd: Fd) -> Result<DescriptionId> {
        let id = self.id(fd)?;
        self.numbers[fd.index()] = None;
        self.free_numbers.insert(fd.number());
        Ok(id)
    }

    /// One number or operation fewer refers to it; the last one takes it out of the table.
    #[must_use = "a description that nothing refers to is to be closed"]
    pub(crate) fn release(&mut self, id: DescriptionId) -> Option<OpenDescription> {
        let open = self.get_mut(id)?;
        open.references -= 1;
        if open.references > 0 { None } else { self.take(id) }
    }

    fn take(&mut self, id: DescriptionId) -> Option<OpenDescription> {
        let place = &mut self.places[id.index as usize];
        place.generation += 1;
        self.free_places.push(id.index);
        place.open.take()
    }

    /// Takes everything of a host out: its kernel is gone.
    pub(crate) fn forget_host(&mut self, host: HostId) -> Vec<OpenDescription> {
        let of_host = |place: &Place| place.open.as_ref().is_some_and(|open| open.host == host);
        for number in FIRST_NUMBER..self.numbers.len() as u32 {
            let fd = Fd::new(number);
            if self.of(fd).is_ok_and(|open| open.host == host) {
                let forgotten = self.forget_number(fd);
                debug_assert!(
                    forgotten.is_ok(),
                    "a number of an open description can be given back"
                );
            }
        }
        let indexes: Vec<usize> =
            (0..self.places.len()).filter(|&index| of_host(&self.places[index])).collect();
        let ids = indexes.into_iter().map(|index| DescriptionId {
            index: index as u32,
            generation: self.places[index].generation,
        });
        let ids: Vec<DescriptionId> = ids.collect();
        ids.into_iter().filter_map(|id| self.take(id)).collect()
    }

    /// Every number in use.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Fd, &OpenDescription)> {
        (0..self.numbers.len() as u32)
            .filter_map(|number| Some((Fd::new(number), self.of(Fd::new(number)).ok()?)))
    }
}
