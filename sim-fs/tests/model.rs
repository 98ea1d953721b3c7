//! Random scripts against a reference that has no inodes: paths are strings, a file is a vector of bytes.

mod support;

use bytes::Bytes;
use proptest::prelude::*;
use sim_core::backend::{FileKind, OpenOptions, SeekTo};
use sim_core::{Errno, Result};
use sim_fs::{Disk, FileId};
use std::collections::{BTreeMap, BTreeSet};
use support::{NOW, Picture, READ, disk, picture};

#[derive(Clone, Debug)]
enum Step {
    Open(String, OpenOptions),
    Close(usize),
    Read(usize, Option<u64>, usize),
    Write(usize, Option<u64>, usize),
    Truncate(usize, u64),
    Seek(usize, SeekTo),
    Sync(usize, bool),
    Rename(String, String),
    RemoveFile(String),
    CreateDir(String),
    RemoveDir(String),
    ReadDir(String),
    Stat(String),
}

/// Paths of up to three short names: few enough to meet often, and every one already in its plain form.
fn path() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(vec!["a", "b", "c"]), 1..4)
        .prop_map(|names| format!("/{}", names.join("/")))
}

fn options() -> impl Strategy<Value = OpenOptions> {
    let bits = (any::<bool>(), any::<bool>(), 0..8_u8, 0..4_u8, 0..3_u8, 0..8_u8);
    bits.prop_map(|(read, write, append, truncate, create, create_new)| OpenOptions {
        read,
        write,
        append: append == 0,
        truncate: truncate == 0,
        create: create != 0,
        create_new: create_new == 0,
        ..OpenOptions::default()
    })
}

fn step() -> impl Strategy<Value = Step> {
    let (file, offset) = (0..6_usize, || prop::option::of(0..9_000_u64));
    let seek = prop_oneof![
        (0..9_000_u64).prop_map(SeekTo::Start),
        (-5_000..5_000_i64).prop_map(SeekTo::Current),
        (-5_000..5_000_i64).prop_map(SeekTo::End),
    ];
    prop_oneof![
        6 => (path(), options()).prop_map(|(path, options)| Step::Open(path, options)),
        1 => file.clone().prop_map(Step::Close),
        4 => (file.clone(), offset(), 0..10_000_usize).prop_map(|(file, at, len)| Step::Read(file, at, len)),
        4 => (file.clone(), offset(), 0..6_000_usize).prop_map(|(file, at, len)| Step::Write(file, at, len)),
        1 => (file.clone(), 0..9_000_u64).prop_map(|(file, len)| Step::Truncate(file, len)),
        1 => (file.clone(), seek).prop_map(|(file, to)| Step::Seek(file, to)),
        1 => (file, any::<bool>()).prop_map(|(file, data_only)| Step::Sync(file, data_only)),
        3 => (path(), path()).prop_map(|(from, to)| Step::Rename(from, to)),
        2 => path().prop_map(Step::RemoveFile),
        3 => path().prop_map(Step::CreateDir),
        1 => path().prop_map(Step::RemoveDir),
        1 => path().prop_map(Step::ReadDir),
        2 => path().prop_map(Step::Stat),
    ]
}

/// Every answer in one form: a number, bytes, or an error.
type Answer = Result<(u64, Vec<u8>)>;

/// The reference. A file is an index into `contents`, so that one without a name can still be read.
#[derive(Default)]
struct Model {
    names: BTreeMap<String, usize>,
    dirs: BTreeSet<String>,
    contents: Vec<Vec<u8>>,
    handles: Vec<Option<Handle>>,
}

#[derive(Clone)]
struct Handle {
    file: Option<usize>,
    options: OpenOptions,
    position: u64,
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').unwrap().0
}

impl Model {
    fn is_dir(&self, path: &str) -> bool {
        path.is_empty() || self.dirs.contains(path)
    }

    fn exists(&self, path: &str) -> bool {
        self.is_dir(path) || self.names.contains_key(path)
    }

    /// Whether the way to the last name is there and made of directories.
    fn reach(&self, path: &str) -> Result<()> {
        for (at, _) in path.match_indices('/').skip(1) {
            if self.names.contains_key(&path[..at]) {
                return Err(Errno::ENOTDIR);
            }
            if !self.is_dir(&path[..at]) {
                return Err(Errno::ENOENT);
            }
        }
        Ok(())
    }

    fn children(&self, dir: &str) -> Vec<u8> {
        let mut names: Vec<&str> = self
            .names
            .keys()
            .chain(&self.dirs)
            .filter(|path| parent(path) == dir)
            .map(|path| &**path)
            .collect();
        names.sort_unstable();
        names.concat().into()
    }

    fn open(&mut self, path: &str, options: OpenOptions) -> Result<Handle> {
        if !(options.read || options.write || options.append) {
            return Err(Errno::EINVAL);
        }
        self.reach(path)?;
        let creates = options.create || options.create_new;
        let changes = creates || options.write || options.append || options.truncate;
        if self.exists(path) && options.create_new {
            return Err(Errno::EEXIST);
        }
        if self.is_dir(path) {
            return if changes {
                Err(Errno::EISDIR)
            } else {
                Ok(Handle { file: None, options, position: 0 })
            };
        }
        if !self.exists(path) {
            if !creates {
                return Err(Errno::ENOENT);
            }
            self.contents.push(Vec::new());
            self.names.insert(path.to_owned(), self.contents.len() - 1);
        }
        let file = self.names[path];
        if options.truncate {
            self.contents[file].clear();
        }
        Ok(Handle { file: Some(file), options, position: 0 })
    }

    fn read(&self, handle: &mut Handle, offset: Option<u64>, len: usize) -> Answer {
        if !handle.options.read {
            return Err(Errno::EBADF);
        }
        let content = &self.contents[handle.file.ok_or(Errno::EISDIR)?];
        let from = (offset.unwrap_or(handle.position) as usize).min(content.len());
        let data = content[from..(from + len).min(content.len())].to_vec();
        if offset.is_none() {
            handle.position += data.len() as u64;
        }
        Ok((0, data))
    }

    fn write(&mut self, handle: &mut Handle, offset: Option<u64>, data: &[u8]) -> Answer {
        if !(handle.options.write || handle.options.append) {
            return Err(Errno::EBADF);
        }
        let content =
            &mut self.contents[handle.file.expect("a directory is not opened for writing")];
        if data.is_empty() {
            return Ok((0, vec![]));
        }
        let at = if handle.options.append {
            content.len()
        } else {
            offset.unwrap_or(handle.position) as usize
        };
        content.resize(content.len().max(at + data.len()), 0);
        content[at..at + data.len()].copy_from_slice(data);
        if offset.is_none() {
            handle.position = (at + data.len()) as u64;
        }
        Ok((data.len() as u64, vec![]))
    }

    fn truncate(&mut self, handle: &Handle, len: u64) -> Answer {
        match handle.file {
            Some(file) if handle.options.write || handle.options.append => {
                self.contents[file].resize(len as usize, 0);
                Ok((0, vec![]))
            }
            _ => Err(Errno::EINVAL),
        }
    }

    fn seek(&self, handle: &mut Handle, to: SeekTo) -> Answer {
        let len = handle.file.map_or(4096, |file| self.contents[file].len() as i64);
        let position = match to {
            SeekTo::Start(offset) => offset as i64,
            SeekTo::Current(delta) => handle.position as i64 + delta,
            SeekTo::End(delta) => len + delta,
        };
        handle.position = u64::try_from(position).map_err(|_| Errno::EINVAL)?;
        Ok((handle.position, vec![]))
    }

    fn rename(&mut self, from: &str, to: &str) -> Answer {
        self.reach(from)?;
        self.reach(to)?;
        if !self.exists(from) {
            return Err(Errno::ENOENT);
        }
        let inside = |path: &str, dir: &str| {
            path.strip_prefix(dir).is_some_and(|rest| rest.starts_with('/'))
        };
        if inside(to, from) {
            return Err(Errno::EINVAL);
        }
        if inside(from, to) {
            return Err(Errno::ENOTEMPTY);
        }
        match (self.is_dir(from), self.is_dir(to)) {
            _ if from == to => return Ok((0, vec![])),
            (false, true) => return Err(Errno::EISDIR),
            (true, false) if self.exists(to) => return Err(Errno::ENOTDIR),
            (true, true) if !self.children(to).is_empty() => return Err(Errno::ENOTEMPTY),
            _ => {}
        }
        self.names.remove(to);
        self.dirs.remove(to);
        let moved = |path: &str| path == from || inside(path, from);
        let anew = |path: &str| format!("{to}{}", &path[from.len()..]);
        self.dirs = self
            .dirs
            .iter()
            .map(|path| if moved(path) { anew(path) } else { path.clone() })
            .collect();
        self.names = self
            .names
            .iter()
            .map(|(path, &file)| (if moved(path) { anew(path) } else { path.clone() }, file))
            .collect();
        Ok((0, vec![]))
    }

    fn remove_file(&mut self, path: &str) -> Answer {
        self.reach(path)?;
        if self.is_dir(path) {
            return Err(Errno::EISDIR);
        }
        self.names.remove(path).map(|_| (0, vec![])).ok_or(Errno::ENOENT)
    }

    fn create_dir(&mut self, path: &str) -> Answer {
        self.reach(path)?;
        if self.exists(path) {
            return Err(Errno::EEXIST);
        }
        self.dirs.insert(path.to_owned());
        Ok((0, vec![]))
    }

    fn remove_dir(&mut self, path: &str) -> Answer {
        self.list(path)?;
        if !self.children(path).is_empty() {
            return Err(Errno::ENOTEMPTY);
        }
        self.dirs.remove(path);
        Ok((0, vec![]))
    }

    fn list(&self, path: &str) -> Answer {
        self.reach(path)?;
        if !self.exists(path) {
            return Err(Errno::ENOENT);
        }
        if self.is_dir(path) { Ok((0, self.children(path))) } else { Err(Errno::ENOTDIR) }
    }

    fn stat(&self, path: &str) -> Answer {
        self.reach(path)?;
        if self.is_dir(path) {
            let subdirs = self.dirs.iter().filter(|dir| parent(dir) == path).count();
            return Ok((2 + subdirs as u64, b"directory 4096".to_vec()));
        }
        let file = self.names.get(path).ok_or(Errno::ENOENT)?;
        Ok((1, format!("file {}", self.contents[*file].len()).into()))
    }

    fn with_handle(
        &mut self,
        index: usize,
        call: impl FnOnce(&mut Self, &mut Handle) -> Answer,
    ) -> Answer {
        let mut handle = self.handles.get(index).cloned().flatten().ok_or(Errno::EBADF)?;
        let answer = call(self, &mut handle);
        self.handles[index] = Some(handle);
        answer
    }

    fn step(&mut self, step: &Step, data: &[u8]) -> Answer {
        match step {
            Step::Open(path, options) => {
                let handle = self.open(path, *options)?;
                self.handles.push(Some(handle));
                Ok((0, vec![]))
            }
            Step::Close(file) => {
                let handle = self.handles.get_mut(*file).and_then(Option::take);
                handle.map(|_| (0, vec![])).ok_or(Errno::EBADF)
            }
            Step::Read(file, at, len) => {
                self.with_handle(*file, |model, handle| model.read(handle, *at, *len))
            }
            Step::Write(file, at, _) => {
                self.with_handle(*file, |model, handle| model.write(handle, *at, data))
            }
            Step::Truncate(file, len) => {
                self.with_handle(*file, |model, handle| model.truncate(handle, *len))
            }
            Step::Seek(file, to) => {
                self.with_handle(*file, |model, handle| model.seek(handle, *to))
            }
            Step::Sync(file, _) => self.with_handle(*file, |_, _| Ok((0, vec![]))),
            Step::Rename(from, to) => self.rename(from, to),
            Step::RemoveFile(path) => self.remove_file(path),
            Step::CreateDir(path) => self.create_dir(path),
            Step::RemoveDir(path) => self.remove_dir(path),
            Step::ReadDir(path) => self.list(path),
            Step::Stat(path) => self.stat(path),
        }
    }

    fn picture(&self) -> Picture {
        let files = self
            .names
            .iter()
            .map(|(path, &file)| (path.clone(), Some(self.contents[file].clone())));
        files.chain(self.dirs.iter().map(|path| (path.clone(), None))).collect()
    }
}

/// The same step on the disk, with the answer in the same form.
fn step_disk(disk: &mut Disk, files: &mut Vec<FileId>, step: &Step, data: &[u8]) -> Answer {
    let id = |file: &usize| files.get(*file).copied().ok_or(Errno::EBADF);
    let none = |()| (0, vec![]);
    match step {
        Step::Open(path, options) => {
            files.push(disk.open(NOW, path, *options)?);
            Ok((0, vec![]))
        }
        Step::Close(file) => disk.close(id(file)?).map(none),
        Step::Read(file, at, len) => {
            disk.read(NOW, id(file)?, *at, *len).map(|data| (0, data.into()))
        }
        Step::Write(file, at, _) => disk
            .write(NOW, id(file)?, *at, &Bytes::copy_from_slice(data))
            .map(|taken| (taken, vec![])),
        Step::Truncate(file, len) => disk.truncate(NOW, id(file)?, *len).map(none),
        Step::Seek(file, to) => disk.seek(id(file)?, *to).map(|position| (position, vec![])),
        Step::Sync(file, data_only) => disk.sync(id(file)?, *data_only).map(none),
        Step::Rename(from, to) => disk.rename(NOW, from, to).map(none),
        Step::RemoveFile(path) => disk.remove_file(NOW, path).map(none),
        Step::CreateDir(path) => disk.create_dir(NOW, path).map(none),
        Step::RemoveDir(path) => disk.remove_dir(NOW, path).map(none),
        Step::ReadDir(path) => disk.read_dir(path).map(|entries| {
            let dir = path.as_str();
            (
                0,
                entries
                    .iter()
                    .flat_map(|entry| format!("{dir}/{}", entry.name).into_bytes())
                    .collect(),
            )
        }),
        Step::Stat(path) => disk.stat(path).map(|stat| {
            let kind = if stat.kind == FileKind::File { "file" } else { "directory" };
            (u64::from(stat.links), format!("{kind} {}", stat.len).into())
        }),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_answer_is_the_reference_model_s(steps in prop::collection::vec(step(), 1..80), dirty_limit in 0..40_000_u64) {
        let (mut disk, mut model, mut files) = (disk(), Model::default(), Vec::new());
        disk.remove_dir(NOW, "/tmp").unwrap();
        // What is written back when must not be seen by anybody.
        disk.set_dirty_limit(dirty_limit);
        for (index, step) in steps.iter().enumerate() {
            let len = if let Step::Write(_, _, len) = step { *len } else { 0 };
            let data = vec![index as u8 + 1; len];
            let (ours, expected) = (step_disk(&mut disk, &mut files, step, &data), model.step(step, &data));
            prop_assert_eq!(ours, expected, "step {}: {:?}", index, step);
            prop_assert!(disk.usage().pending_bytes <= dirty_limit);
        }
        prop_assert_eq!(picture(&mut disk), model.picture());
        let open = model.handles.iter().flatten().count();
        prop_assert_eq!(disk.usage().open_files, open);
    }
}

#[test]
fn closed_and_crashed_ids_answer_ebadf() {
    let mut env = support::with_mode(0);
    let mut disk = Disk::new(&mut env, support::host());
    let first = disk.open(NOW, "/", READ).unwrap();
    disk.close(first).unwrap();
    let second = disk.open(NOW, "/", READ).unwrap();
    assert_ne!(first, second, "the place is the same, the generation is not");
    assert_eq!(disk.close(first), Err(Errno::EBADF));
    disk.crash(&mut env);
    assert_eq!(disk.stat_fd(second).unwrap_err(), Errno::EBADF);
    assert_eq!(disk.usage().open_files, 0);
}
