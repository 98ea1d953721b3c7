//! What libc knows of a descriptor besides the kernel: whether its calls block, and for how long.
//!
//! Numbers given to the program begin at [`FIRST`], far above those of the system, so that a file of the system and a simulated socket
//! are told apart by their number alone, and no descriptor of the system is used up.

use crate::symbols::files::LARGE_FILE;
use crate::world::is_member;
use core::cell::{Cell, RefCell};
use core::ffi::c_int;
use core::time::Duration;
use sim_core::Fd;
use sim_core::backend::{Entry, SocketKind};
use std::rc::Rc;

/// The first number of a simulated descriptor.
pub const FIRST: c_int = 1 << 20;

/// The simulated descriptor that the program calls `fd`, if it is one and the caller belongs to a world.
#[inline]
pub fn simulated(fd: c_int) -> Option<Fd> {
    (fd >= FIRST && is_member()).then(|| Fd::new((fd - FIRST) as u32))
}

/// What the program calls a simulated descriptor.
pub fn number(fd: Fd) -> c_int {
    FIRST + fd.number() as c_int
}

/// Of an open description; its duplicates share it.
#[derive(Debug, Default)]
pub struct Status {
    /// What kind of socket it is, if it is one.
    pub kind: Option<SocketKind>,
    /// Of a file or a pipe: how it was opened, as `F_GETFL` tells it.
    pub opened: Option<c_int>,
    /// Of a directory that is read by getdents(2): what it lists, and how much of it was read.
    pub listed: RefCell<Option<(Vec<Entry>, usize)>>,
    /// `O_NONBLOCK`.
    pub nonblocking: Cell<bool>,
    /// `SO_RCVTIMEO`: how long a call that receives blocks; zero for ever.
    pub receive_timeout: Cell<Duration>,
    /// `SO_SNDTIMEO`: how long a call that sends blocks; zero for ever.
    pub send_timeout: Cell<Duration>,
}

#[derive(Debug)]
struct Descriptor {
    status: Rc<Status>,
    close_on_exec: bool,
}

/// The simulated descriptors of a process, by number.
#[derive(Debug, Default)]
pub struct Descriptors(Vec<Option<Descriptor>>);

impl Descriptors {
    /// A new description that is no socket.
    pub fn open(&mut self, fd: Fd, nonblocking: bool, close_on_exec: bool) {
        let status = Rc::new(Status { nonblocking: Cell::new(nonblocking), ..Status::default() });
        self.put(fd, Descriptor { status, close_on_exec });
    }

    /// A new file or end of a pipe, opened with these flags.
    pub fn open_file(&mut self, fd: Fd, flags: c_int) {
        const TOLD: c_int =
            libc::O_ACCMODE | libc::O_APPEND | libc::O_DIRECTORY | libc::O_NOFOLLOW | LARGE_FILE;
        let nonblocking = Cell::new(flags & libc::O_NONBLOCK != 0);
        let opened = Some(flags & TOLD);
        let status = Rc::new(Status { opened, nonblocking, ..Status::default() });
        self.put(fd, Descriptor { status, close_on_exec: flags & libc::O_CLOEXEC != 0 });
    }

    /// A new socket.
    pub fn open_socket(&mut self, fd: Fd, kind: SocketKind, flags: c_int) {
        let nonblocking = Cell::new(flags & libc::SOCK_NONBLOCK != 0);
        let status = Rc::new(Status { kind: Some(kind), nonblocking, ..Status::default() });
        self.put(fd, Descriptor { status, close_on_exec: flags & libc::SOCK_CLOEXEC != 0 });
    }

    /// Another number for the description of `from`.
    pub fn dup(&mut self, from: Fd, to: Fd, close_on_exec: bool) {
        let status = self.status(from);
        self.put(to, Descriptor { status, close_on_exec });
    }

    fn put(&mut self, fd: Fd, descriptor: Descriptor) {
        if self.0.len() <= fd.index() {
            self.0.resize_with(fd.index() + 1, || None);
        }
        self.0[fd.index()] = Some(descriptor);
    }

    /// A number is closed.
    pub fn close(&mut self, fd: Fd) {
        if let Some(place) = self.0.get_mut(fd.index()) {
            *place = None;
        }
    }

    /// The status of a description; of a number that is not open, one that nobody else sees.
    pub fn status(&self, fd: Fd) -> Rc<Status> {
        let known = self.0.get(fd.index()).and_then(Option::as_ref);
        known.map_or_else(Rc::default, |descriptor| Rc::clone(&descriptor.status))
    }

    /// Whether the number would be closed by an exec (`FD_CLOEXEC`).
    pub fn close_on_exec(&mut self, fd: Fd) -> Option<&mut bool> {
        let known = self.0.get_mut(fd.index()).and_then(Option::as_mut);
        known.map(|descriptor| &mut descriptor.close_on_exec)
    }
}
