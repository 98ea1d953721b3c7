//! Open file descriptions: which inode, at which position, opened how (open(2), "Open file descriptions").

use crate::change::Ino;
use core::fmt;
use sim_core::{Errno, Result};

/// An open file description of a [`Disk`](crate::Disk): its place and the generation of that place.
///
/// One that was closed, or that a crash took, answers `EBADF` for ever: its place is used again with another
/// generation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId {
    index: u32,
    generation: u32,
}

impl fmt::Debug for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "file{}.{}", self.index, self.generation)
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Open {
    pub(crate) ino: Ino,
    pub(crate) position: u64,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    pub(crate) append: bool,
    /// How many of the inode's write-back errors this description has reported or does not care for.
    pub(crate) errors_seen: u32,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Files {
    places: Vec<Place>,
    free: Vec<u32>,
}

#[derive(Clone, Debug, Default)]
struct Place {
    generation: u32,
    open: Option<Open>,
}

impl Files {
    pub(crate) fn insert(&mut self, open: Open) -> FileId {
        let index = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place::default());
            u32::try_from(self.places.len() - 1).expect("fewer than 2^32 files are open")
        });
        let place = &mut self.places[index as usize];
        place.open = Some(open);
        FileId { index, generation: place.generation }
    }

    pub(crate) fn get(&self, id: FileId) -> Result<&Open> {
        let place =
            self.places.get(id.index as usize).filter(|place| place.generation == id.generation);
        place.and_then(|place| place.open.as_ref()).ok_or(Errno::EBADF)
    }

    pub(crate) fn get_mut(&mut self, id: FileId) -> Result<&mut Open> {
        let place = self
            .places
            .get_mut(id.index as usize)
            .filter(|place| place.generation == id.generation);
        place.and_then(|place| place.open.as_mut()).ok_or(Errno::EBADF)
    }

    pub(crate) fn remove(&mut self, id: FileId) -> Result<Open> {
        let open = *self.get(id)?;
        self.vacate(id.index);
        Ok(open)
    }

    /// Takes all away, as a crash does.
    pub(crate) fn clear(&mut self) {
        for index in 0..self.places.len() {
            if self.places[index].open.is_some() {
                self.vacate(index as u32);
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    fn vacate(&mut self, index: u32) {
        let place = &mut self.places[index as usize];
        place.open = None;
        place.generation = place.generation.wrapping_add(1);
        self.free.push(index);
    }
}
