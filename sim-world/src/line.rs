//! Which connections have an arrival in the enabled set: a table from a connection's name to the last of its chain.
//!
//! Every delivery enters its connection here and takes it out again, so the table is open addressing with
//! linear probing: a name is a hash already, and an ordered map would cost more than the rest of a delivery's
//! way through the agenda. It is never iterated, so the order inside decides nothing. A connection that comes while no other
//! is there, as most do in a world whose arrivals are spread over time, stands beside the table and costs no search.

use sim_core::choice::Path;

/// The connections in line.
#[derive(Debug, Default)]
pub(crate) struct Line {
    /// The connection that came while nobody was in line, and the last of its chain. It is not in the table.
    alone: Option<(Path, u32)>,
    /// (name, last entry of the chain); [`FREE`] in the second is a free cell. The length is a power of two.
    cells: Vec<(Path, u32)>,
    len: usize,
}

/// No entry: the agenda never has so many.
const FREE: u32 = u32::MAX;
/// So many cells are made at first.
const CELLS_MIN: usize = 16;

impl Line {
    /// Notes that `entry` is the last of its connection's chain; who was it before.
    #[inline]
    pub(crate) fn join(&mut self, connection: Path, entry: u32) -> Option<u32> {
        match &mut self.alone {
            Some((alone, last)) if *alone == connection => {
                return Some(core::mem::replace(last, entry));
            }
            None if self.len == 0 => {
                self.alone = Some((connection, entry));
                return None;
            }
            _ => {}
        }
        self.join_table(connection, entry)
    }

    fn join_table(&mut self, connection: Path, entry: u32) -> Option<u32> {
        if (self.len + 1) * 2 > self.cells.len() {
            self.grow();
        }
        let mask = self.cells.len() - 1;
        let mut at = home(connection) & mask;
        loop {
            let cell = &mut self.cells[at];
            if cell.1 == FREE {
                *cell = (connection, entry);
                self.len += 1;
                return None;
            }
            if cell.0 == connection {
                return Some(core::mem::replace(&mut cell.1, entry));
            }
            at = (at + 1) & mask;
        }
    }

    /// Notes that a connection's chain has ended.
    ///
    /// # Panics
    /// If the connection is not in line.
    #[inline]
    pub(crate) fn leave(&mut self, connection: Path) {
        if self.alone.is_some_and(|(alone, _)| alone == connection) {
            self.alone = None;
        } else {
            self.leave_table(connection);
        }
    }

    fn leave_table(&mut self, connection: Path) {
        assert!(self.len > 0, "a connection is in line until its chain ends");
        let mask = self.cells.len() - 1;
        let mut at = home(connection) & mask;
        while self.cells[at].0 != connection || self.cells[at].1 == FREE {
            assert!(self.cells[at].1 != FREE, "a connection is in line until its chain ends");
            at = (at + 1) & mask;
        }
        self.len -= 1;
        self.close_gap(at, mask);
    }

    /// Moves later cells of the run back, so that no search ends early at the gap.
    #[inline]
    fn close_gap(&mut self, mut gap: usize, mask: usize) {
        let mut at = gap;
        loop {
            at = (at + 1) & mask;
            let (connection, entry) = self.cells[at];
            if entry == FREE {
                break;
            }
            if (at.wrapping_sub(home(connection)) & mask) >= (at.wrapping_sub(gap) & mask) {
                self.cells[gap] = (connection, entry);
                gap = at;
            }
        }
        self.cells[gap].1 = FREE;
    }

    #[cold]
    fn grow(&mut self) {
        let cells = vec![(Path::WORLD, FREE); (self.cells.len() * 2).max(CELLS_MIN)];
        self.len = 0;
        for (connection, entry) in core::mem::replace(&mut self.cells, cells) {
            if entry != FREE {
                let before = self.join_table(connection, entry);
                debug_assert_eq!(before, None, "a connection is in the table once");
            }
        }
    }
}

/// Where a connection is looked for first.
#[inline]
fn home(connection: Path) -> usize {
    connection.to_bits() as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Against an ordered map, with names that share their first cell and some that wrap around the end.
    #[test]
    fn a_connection_is_in_line_until_it_leaves() {
        let (mut line, mut model) = (Line::default(), BTreeMap::new());
        let mut state = 1_u64;
        for entry in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let number =
                state >> 60 << 60 | (state >> 50 & 3) | if state >> 40 & 1 == 0 { 14 } else { 0 };
            let connection = Path::from_bits(number);
            if state >> 33 & 1 == 0 {
                assert_eq!(line.join(connection, entry), model.insert(connection, entry));
            } else if model.remove(&connection).is_some() {
                line.leave(connection);
            }
            assert_eq!(line.len + usize::from(line.alone.is_some()), model.len());
        }
        for connection in model.into_keys() {
            line.leave(connection);
        }
        assert!(line.alone.is_none() && line.cells.iter().all(|cell| cell.1 == FREE));
    }

    #[test]
    #[should_panic(expected = "until its chain ends")]
    fn nobody_leaves_twice() {
        let mut line = Line::default();
        line.join(Path::WORLD, 0);
        line.leave(Path::WORLD);
        line.leave(Path::WORLD);
    }
}
