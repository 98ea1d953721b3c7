//! Descriptor numbers, the open descriptions behind them, and who waits at each.
//!
//! One number space for the whole world. A description remembers its host; it lives as long as a
//! number or an operation under way refers to it. The lowest free number is given, as by Linux.

use crate::counter::Counter;
use crate::epoll::{ALWAYS, Epoll, ItemKey};
use crate::pipes::PipeEnd;
use crate::queue::{Entry, Queue, Waiting};
use crate::timerfd::Timer;
use sim_core::backend::Readiness;
use sim_core::{Env, Errno, Fd, HostId, Result, prefetch};
use sim_fs::FileId;
use sim_net::{SocketId, UnixId};
use std::collections::BTreeSet;

/// An open description's place, and the generation of that place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DescriptionId {
    index: u32,
    generation: u32,
}

impl DescriptionId {
    /// As a number, to travel in a message.
    pub(crate) const fn to_bits(self) -> u64 {
        (self.generation as u64) << 32 | self.index as u64
    }

    /// From such a number.
    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self { index: bits as u32, generation: (bits >> 32) as u32 }
    }
}

/// What is behind a description.
#[derive(Debug)]
pub(crate) enum Object {
    Socket(SocketId),
    Unix(UnixId),
    Pipe(Box<PipeEnd>),
    File(FileId),
    Epoll(Box<Epoll>),
    Signals(SignalSet),
    Counter(Counter),
    Timer(Box<Timer>),
}

/// Signals that a descriptor takes, and those that have come.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SignalSet {
    pub(crate) taken: u32,
    pub(crate) pending: u32,
}

/// An open description.
#[derive(Debug)]
pub(crate) struct OpenDescription {
    pub(crate) host: HostId,
    pub(crate) object: Object,
    pub(crate) queue: Queue,
    /// Numbers and operations under way that refer to it.
    pub(crate) references: u32,
}

/// A line of the cache: all that a wait and its release touch.
#[derive(Debug)]
#[repr(align(64))]
struct Place {
    generation: u32,
    open: Option<OpenDescription>,
}

const _: () = assert!(size_of::<Place>() == 64, "a place is a line of the cache");

/// The table of a world.
#[derive(Debug)]
pub(crate) struct Table {
    /// The place behind each number; [`NOWHERE`] if the number is free.
    numbers: Vec<u32>,
    free_numbers: BTreeSet<u32>,
    places: Vec<Place>,
    free_places: Vec<u32>,
}

/// The first number given: 0 to 2 are the standard streams of every process.
const FIRST_NUMBER: u32 = 3;
/// The place of no description: there are never so many.
const NOWHERE: u32 = u32::MAX;

impl Table {
    pub(crate) fn new() -> Self {
        Self {
            numbers: Vec::new(),
            free_numbers: BTreeSet::new(),
            places: Vec::new(),
            free_places: Vec::new(),
        }
    }

    /// Opens a description under the lowest free number.
    pub(crate) fn open(&mut self, host: HostId, object: Object) -> (Fd, DescriptionId) {
        let open = OpenDescription { host, object, queue: Queue::default(), references: 0 };
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
                self.numbers[number as usize] = id.index;
                Fd::new(number)
            }
            None => {
                if self.numbers.is_empty() {
                    self.numbers.resize(FIRST_NUMBER as usize, NOWHERE);
                }
                self.numbers.push(id.index);
                Fd::new((self.numbers.len() - 1) as u32)
            }
        }
    }

    /// The description behind a number.
    #[inline]
    pub(crate) fn id(&self, fd: Fd) -> Result<DescriptionId> {
        let index = *self.numbers.get(fd.index()).ok_or(Errno::EBADF)?;
        let place = self.places.get(index as usize).ok_or(Errno::EBADF)?;
        Ok(DescriptionId { index, generation: place.generation })
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

    /// The description behind a number, to be read. A number in use means what is in its place now.
    #[inline]
    pub(crate) fn of(&self, fd: Fd) -> Result<&OpenDescription> {
        let index = *self.numbers.get(fd.index()).ok_or(Errno::EBADF)?;
        self.places.get(index as usize).and_then(|place| place.open.as_ref()).ok_or(Errno::EBADF)
    }

    /// The description behind a number.
    #[inline]
    pub(crate) fn of_mut(&mut self, fd: Fd) -> Result<&mut OpenDescription> {
        let index = *self.numbers.get(fd.index()).ok_or(Errno::EBADF)?;
        self.places
            .get_mut(index as usize)
            .and_then(|place| place.open.as_mut())
            .ok_or(Errno::EBADF)
    }

    /// An event at a description: releases those who wait for it, and tells the epoll objects that watch it.
    #[inline]
    pub(crate) fn event(&mut self, env: &mut Env, id: DescriptionId, readiness: Readiness) {
        let Some(open) = self.get_mut(id) else { return };
        match open.queue.waiting() {
            Waiting::Nobody => {}
            Waiting::One(waiter, interest) => {
                if (interest | ALWAYS).intersects(readiness) {
                    open.queue.clear();
                    env.woken.push(waiter);
                }
            }
            Waiting::Others => self.event_for_many(env, id, readiness),
        }
    }

    fn event_for_many(&mut self, env: &mut Env, id: DescriptionId, readiness: Readiness) {
        let Some(open) = self.get_mut(id) else { return };
        let mut watching = Vec::new();
        open.queue.retain(|entry| match *entry {
            Entry::Once(waiter, interest) if (interest | ALWAYS).intersects(readiness) => {
                env.woken.push(waiter);
                false
            }
            Entry::Once(..) => true,
            Entry::Epoll(epoll, fd) => {
                watching.push((epoll, fd));
                true
            }
        });
        for (epoll, fd) in watching {
            self.tell_epoll(env, epoll, (id, fd), readiness);
        }
    }

    /// Queues an item of an epoll object; an object with something to report is readable itself.
    pub(crate) fn tell_epoll(
        &mut self,
        env: &mut Env,
        epoll: DescriptionId,
        item: ItemKey,
        ready: Readiness,
    ) {
        let Some(open) = self.get_mut(epoll) else { return };
        let Object::Epoll(object) = &mut open.object else {
            unreachable!("only an epoll object watches a description");
        };
        if object.event(item, ready) {
            self.event(env, epoll, Readiness::IN);
        }
    }

    /// Asks for the memory of a description.
    #[inline]
    pub(crate) fn get_ready(&self, id: DescriptionId) {
        if let Some(place) = self.places.get(id.index as usize) {
            prefetch(place, 1);
        }
    }

    /// One more number or operation refers to it.
    pub(crate) fn refer(&mut self, id: DescriptionId) {
        self.get_mut(id).expect("only an open description is referred to").references += 1;
    }

    /// Gives a number back.
    pub(crate) fn forget_number(&mut self, fd: Fd) -> Result<DescriptionId> {
        let id = self.id(fd)?;
        self.numbers[fd.index()] = NOWHERE;
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

    /// The descriptions of a host with such an object, in order of places.
    pub(crate) fn ids_of(&self, host: HostId, is: impl Fn(&Object) -> bool) -> Vec<DescriptionId> {
        let ids = self.places.iter().enumerate().filter_map(|(index, place)| {
            let open = place.open.as_ref().filter(|open| open.host == host && is(&open.object))?;
            debug_assert!(open.references > 0, "what is open is referred to");
            Some(DescriptionId { index: index as u32, generation: place.generation })
        });
        ids.collect()
    }

    /// Every number in use.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Fd, &OpenDescription)> {
        (0..self.numbers.len() as u32)
            .filter_map(|number| Some((Fd::new(number), self.of(Fd::new(number)).ok()?)))
    }
}
