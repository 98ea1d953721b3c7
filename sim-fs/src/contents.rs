//! The bytes of one regular file, in pages.
//!
//! A page that was never written does not exist and reads as zeros, so a sparse file costs what was written. A page
//! is kept only up to its last written byte, so a small file costs its own length. Appending touches the last page
//! and no other.
//!
//! The length is kept apart from the pages. In the volatile view no page reaches beyond it. While a crash image is
//! put together one may: a write inside the file can survive although the write that made the file so long did not.
//! [`Contents::trim`] ends that state.
//!
//! A file of the layer below begins as a length and a source. Its pages are read from there as long as nobody has written
//! to them; the first write to a page copies it.

use crate::image::SECTOR;
use crate::lower::Source;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// Bytes of a page, and of a block of the medium: the block size that ext4, xfs and btrfs choose on x86-64.
pub(crate) const PAGE: u64 = 4096;

#[derive(Clone, Debug, Default)]
pub(crate) struct Contents {
    len: u64,
    pages: BTreeMap<u64, Vec<u8>>,
    /// Where bytes come from that no page holds.
    source: Option<Source>,
}

/// The numbers of the pages that `len` bytes at `offset` lie in. `len` is not 0.
pub(crate) fn pages_of(offset: u64, len: u64) -> RangeInclusive<u64> {
    offset / PAGE..=(offset + len - 1) / PAGE
}

impl Contents {
    /// What a file of the layer below holds.
    pub(crate) fn from_below(source: Source) -> Self {
        Self { len: source.len, pages: BTreeMap::new(), source: Some(source) }
    }

    /// Where the content comes from, if it is that of a file of the layer below to the last byte.
    pub(crate) fn untouched(&self) -> Option<&Source> {
        let source = self.source.as_ref()?;
        (self.pages.is_empty() && source.is_whole() && source.len == self.len).then_some(source)
    }

    /// The room that stat(2) says it takes, in its unit.
    pub(crate) fn sectors(&self) -> u64 {
        let below = self.source.as_ref().map_or(0, |source| source.len.div_ceil(SECTOR));
        below.max(self.pages.len() as u64 * (PAGE / SECTOR))
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// How many blocks of the medium the contents take.
    pub(crate) fn blocks(&self) -> u64 {
        self.pages.len() as u64
    }

    /// Up to `len` bytes at `offset`; fewer at the end of the file.
    pub(crate) fn read(&self, offset: u64, len: usize) -> Bytes {
        let len = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX).min(len);
        if len == 0 {
            return Bytes::new();
        }
        if let Some(source) = &self.source {
            return self.read_through(source, offset, len);
        }
        let mut data = Vec::with_capacity(len);
        for (&number, page) in self.pages.range(pages_of(offset, len as u64)) {
            let start = number * PAGE;
            // A hole lies before this page, or the read begins inside it.
            data.resize(
                usize::try_from(start.saturating_sub(offset))
                    .expect("a page in range lies inside the read"),
                0,
            );
            let skip = usize::try_from(offset.saturating_sub(start))
                .expect("the first page holds the offset");
            let wanted = len - data.len();
            let written = page.get(skip..).unwrap_or_default();
            data.extend_from_slice(&written[..written.len().min(wanted)]);
            // The tail of a page that is shorter than PAGE is filled by the next turn or after the loop.
        }
        data.resize(len, 0);
        data.into()
    }

    /// As [`Contents::read`], within the length of a file with a source.
    fn read_through(&self, source: &Source, offset: u64, len: usize) -> Bytes {
        let mut data = vec![0; len];
        source.read(offset, &mut data);
        let end = offset + len as u64;
        for (&number, page) in self.pages.range(pages_of(offset, len as u64)) {
            let start = number * PAGE;
            let (from, to) = (start.max(offset), (start + PAGE).min(end));
            let place = &mut data[(from - offset) as usize..(to - offset) as usize];
            let written = page.get((from - start) as usize..).unwrap_or_default();
            let copied = written.len().min(place.len());
            place[..copied].copy_from_slice(&written[..copied]);
            place[copied..].fill(0);
        }
        data.into()
    }

    /// Puts `data` at `offset`, making at most `free` new pages, and answers how much of it found room.
    ///
    /// The length stays as it is: it belongs to the operation, not to the bytes.
    pub(crate) fn put(&mut self, offset: u64, data: &[u8], mut free: u64) -> usize {
        let mut done = 0;
        while done < data.len() {
            let at = offset + done as u64;
            let (number, start) = (at / PAGE, (at % PAGE) as usize);
            let part = (PAGE as usize - start).min(data.len() - done);
            if !self.pages.contains_key(&number) {
                if free == 0 {
                    break;
                }
                free -= 1;
            }
            let below = self.source.as_ref();
            let page = self
                .pages
                .entry(number)
                .or_insert_with(|| below.map(|source| source.page(number)).unwrap_or_default());
            write_page(page, start, &data[done..done + part]);
            done += part;
        }
        done
    }

    /// Sets the length. What lies beyond it is gone, and reads as zeros should the file grow again.
    pub(crate) fn set_len(&mut self, len: u64) {
        self.len = len;
        if let Some(source) = &mut self.source {
            source.cut(len);
        }
        self.trim();
    }

    /// Drops what lies beyond the length.
    pub(crate) fn trim(&mut self) {
        let (boundary, keep) = (self.len / PAGE, (self.len % PAGE) as usize);
        while let Some(last) = self.pages.last_entry() {
            let number = *last.key();
            if number > boundary || (number == boundary && keep == 0) {
                last.remove();
                continue;
            }
            if number == boundary {
                last.into_mut().truncate(keep);
            }
            break;
        }
    }
}

/// Writes `data` at `start` of a page, with zeros before it where nothing was written yet.
fn write_page(page: &mut Vec<u8>, start: usize, data: &[u8]) {
    if page.len() < start {
        page.resize(start, 0);
    }
    let overwritten = (page.len() - start).min(data.len());
    page[start..start + overwritten].copy_from_slice(&data[..overwritten]);
    page.extend_from_slice(&data[overwritten..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MANY: u64 = u64::MAX;

    fn write(contents: &mut Contents, offset: u64, data: &[u8]) {
        contents.put(offset, data, MANY);
        contents.set_len(contents.len().max(offset + data.len() as u64));
    }

    #[test]
    fn a_hole_costs_nothing_and_reads_as_zeros() {
        let mut contents = Contents::default();
        write(&mut contents, 1 << 40, b"x");
        assert_eq!((contents.len(), contents.blocks()), ((1 << 40) + 1, 1));
        assert_eq!(contents.read((1 << 40) - 2, 10), &b"\0\0x"[..]);
        assert_eq!(contents.read(5, 3), &b"\0\0\0"[..]);
    }

    #[test]
    fn without_room_a_write_ends_at_a_page() {
        let mut contents = Contents::default();
        assert_eq!(contents.put(100, &[1; 10_000], 2), 2 * 4096 - 100);
        assert_eq!(contents.put(0, &[2; 10_000], 0), 8192, "pages that exist need no room");
    }

    #[test]
    fn bytes_beyond_the_length_wait_for_it() {
        let mut contents = Contents::default();
        contents.put(4, b"late", MANY);
        assert_eq!(contents.read(0, 100), Bytes::new());
        let mut grown = contents.clone();
        grown.len = 8;
        assert_eq!(grown.read(0, 100), &b"\0\0\0\0late"[..]);
        contents.trim();
        assert_eq!(contents.blocks(), 0);
    }

    proptest! {
        /// Against a plain vector, around the borders of pages.
        #[test]
        fn like_a_vector(steps in prop::collection::vec((0..3_u8, 0..20_000_u64, 0..9_000_usize), 1..30)) {
            let (mut contents, mut model) = (Contents::default(), Vec::new());
            for (byte, (kind, at, len)) in (1..).zip(steps) {
                match kind {
                    0 => {
                        write(&mut contents, at, &vec![byte; len]);
                        if len > 0 || at as usize > model.len() {
                            model.resize(model.len().max(at as usize + len), 0);
                            model[at as usize..at as usize + len].fill(byte);
                        }
                    }
                    1 => {
                        contents.set_len(at);
                        model.resize(at as usize, 0);
                    }
                    _ => {
                        let from = (at as usize).min(model.len());
                        let to = (from + len).min(model.len());
                        prop_assert_eq!(&contents.read(at, len)[..], &model[from..to]);
                    }
                }
                prop_assert_eq!(contents.len(), model.len() as u64);
                prop_assert!(contents.blocks() <= contents.len().div_ceil(PAGE));
            }
            prop_assert_eq!(&contents.read(0, usize::MAX)[..], &model[..]);
        }
    }
}
