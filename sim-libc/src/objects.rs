//! What the program's tasks share, named so that strategies can tell it apart.
//!
//! A gate knows an object by its address, which is no name: it depends on what was allocated before. So an object is the
//! how many-th of its kind to be used in the run. Under another schedule the number may be another's, which costs a strategy a
//! good guess and nothing else.

use sim_core::choice::Path;
use sim_core::object::{Object, ObjectKind};
use std::collections::BTreeMap;

/// The objects of a world, by address.
#[derive(Debug, Default)]
pub struct Objects {
    known: BTreeMap<(ObjectKind, usize), Object>,
    counts: BTreeMap<ObjectKind, u64>,
}

impl Objects {
    /// The object that the primitive `primitive` (`tokio.sync.mutex`) uses at `address`; unknown if it has none.
    pub fn at(&mut self, primitive: &str, address: usize) -> Object {
        if address == 0 {
            return Object::UNKNOWN;
        }
        let (kind, counts) = (kind_of(primitive), &mut self.counts);
        *self.known.entry((kind, address)).or_insert_with(|| {
            let count = counts.entry(kind).or_default();
            *count += 1;
            Object::new(kind, Path::WORLD, *count)
        })
    }
}

fn kind_of(primitive: &str) -> ObjectKind {
    const KINDS: [(&str, ObjectKind); 6] = [
        ("tokio.sync.mutex", ObjectKind::Lock),
        ("tokio.sync.semaphore", ObjectKind::Lock),
        ("tokio.sync.barrier", ObjectKind::Lock),
        ("tokio.fs", ObjectKind::File),
        ("tokio.io.pipe", ObjectKind::Channel),
        ("tokio.io", ObjectKind::Socket),
    ];
    let known = KINDS.iter().find(|(prefix, _)| primitive.starts_with(prefix));
    known.map_or(ObjectKind::Channel, |(_, kind)| *kind)
}
