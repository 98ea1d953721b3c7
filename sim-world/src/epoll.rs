//! epoll objects (epoll(7)): an interest list and the list of those that may be ready.
//!
//! As in Linux, an event at a description queues the watching items, and the report asks each for its
//! readiness of that moment. A level-triggered item goes back to the end of the list, which is what
//! makes small reports take turns; an edge-triggered one waits for the next event.

use crate::table::DescriptionId;
use sim_core::backend::{EpollControl, EpollEvent, EpollInterest, Readiness};
use sim_core::{Errno, Fd, Result};
use std::collections::{BTreeMap, VecDeque};

/// Reported whether asked for or not.
pub(crate) const ALWAYS: Readiness =
    Readiness::from_bits(Readiness::ERR.bits() | Readiness::HUP.bits());

#[derive(Clone, Copy, Debug)]
struct Item {
    interest: EpollInterest,
    /// A one-shot item that has reported is not.
    armed: bool,
    queued: bool,
}

impl Item {
    fn wants(&self) -> Readiness {
        if self.armed { self.interest.readiness | ALWAYS } else { Readiness::NONE }
    }
}

/// A registration is of a number and the description it meant then: a number used again is another one.
pub(crate) type ItemKey = (DescriptionId, Fd);

/// An epoll object.
#[derive(Debug, Default)]
pub(crate) struct Epoll {
    items: BTreeMap<ItemKey, Item>,
    queue: VecDeque<ItemKey>,
}

/// After [`Epoll::control`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the description's wait queue is to agree with the interest list"]
pub(crate) enum Controlled {
    /// Enter the object into the description's wait queue, and look whether it is ready.
    Entered,
    /// Look whether the description is ready.
    Changed,
    /// Take the object out of the description's wait queue.
    Left,
}

impl Epoll {
    /// Changes the interest list.
    pub(crate) fn control(&mut self, key: ItemKey, control: EpollControl) -> Result<Controlled> {
        match (control, self.items.contains_key(&key)) {
            (EpollControl::Add(_), true) => Err(Errno::EEXIST),
            (EpollControl::Modify(_) | EpollControl::Delete, false) => Err(Errno::ENOENT),
            (EpollControl::Add(interest), false) => {
                self.items.insert(key, Item { interest, armed: true, queued: false });
                Ok(Controlled::Entered)
            }
            (EpollControl::Modify(interest), true) => {
                let item = self.items.get_mut(&key).expect("it was just seen");
                (item.interest, item.armed) = (interest, true);
                Ok(Controlled::Changed)
            }
            (EpollControl::Delete, true) => {
                self.forget(key);
                Ok(Controlled::Left)
            }
        }
    }

    /// The description is gone, or no longer watched.
    pub(crate) fn forget(&mut self, key: ItemKey) {
        self.items.remove(&key);
        self.queue.retain(|queued| *queued != key);
    }

    /// An event at a watched description. Answers whether the object has become worth looking at.
    pub(crate) fn event(&mut self, key: ItemKey, readiness: Readiness) -> bool {
        let Some(item) = self.items.get_mut(&key) else { return false };
        if item.queued || !item.wants().intersects(readiness) {
            return false;
        }
        item.queued = true;
        self.queue.push_back(key);
        true
    }

    /// The items that may be ready.
    pub(crate) fn queued(&self) -> impl Iterator<Item = ItemKey> {
        self.queue.iter().copied()
    }

    /// What an item is reported for, if it is `ready` so.
    pub(crate) fn wants(&self, key: ItemKey) -> Readiness {
        self.items.get(&key).map_or(Readiness::NONE, Item::wants)
    }

    /// Takes the first queued item.
    pub(crate) fn next(&mut self) -> Option<ItemKey> {
        let key = self.queue.pop_front()?;
        if let Some(item) = self.items.get_mut(&key) {
            item.queued = false;
        }
        Some(key)
    }

    /// Reports an item that was taken, if it is ready, and puts it back if it is level-triggered.
    pub(crate) fn report(&mut self, key: ItemKey, ready: Readiness) -> Option<EpollEvent> {
        let item = self.items.get_mut(&key)?;
        let readiness = ready & item.wants();
        if readiness.is_empty() {
            return None;
        }
        if item.interest.oneshot {
            item.armed = false;
        } else if !item.interest.edge {
            item.queued = true;
            self.queue.push_back(key);
        }
        Some(EpollEvent { readiness, data: item.interest.data })
    }

    /// Everything that is watched.
    pub(crate) fn keys(&self) -> impl Iterator<Item = ItemKey> {
        self.items.keys().copied()
    }
}
