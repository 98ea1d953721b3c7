//! What is known of the places in tokio where a leaf future begins its poll.
//!
//! A place that is not listed is a sync point all the same, of a kind that is called after its file, with no object.

/// A leaf future.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leaf {
    /// The file, from `src/`.
    pub(crate) file: &'static str,
    /// The function that its poll is.
    pub(crate) function: &'static str,
    /// What the primitive is called.
    pub(crate) kind: &'static str,
    /// An expression of the object's address at that place, as a reference. Empty where there is no object.
    pub(crate) object: &'static str,
}

const fn leaf(
    file: &'static str,
    function: &'static str,
    kind: &'static str,
    object: &'static str,
) -> Leaf {
    Leaf { file, function, kind, object }
}

/// The leaves whose objects are known. Two halves of a channel name the same object.
pub(crate) const LEAVES: &[Leaf] = &[
    leaf("sync/batch_semaphore.rs", "poll", "tokio.sync.semaphore", "self.semaphore"),
    leaf("sync/mutex.rs", "acquire", "tokio.sync.mutex", "&self.s"),
    leaf("sync/mpsc/bounded.rs", "reserve_inner", "tokio.sync.mpsc.send", "self.chan.semaphore()"),
    leaf("sync/mpsc/chan.rs", "recv", "tokio.sync.mpsc.recv", "&self.inner.semaphore"),
    leaf("sync/mpsc/chan.rs", "recv_many", "tokio.sync.mpsc.recv", "&self.inner.semaphore"),
    leaf("sync/broadcast.rs", "poll", "tokio.sync.broadcast.recv", "&*self.receiver.shared"),
    leaf(
        "sync/oneshot.rs",
        "poll_closed",
        "tokio.sync.oneshot.closed",
        "&**self.inner.as_ref().unwrap()",
    ),
    leaf("sync/oneshot.rs", "poll_recv", "tokio.sync.oneshot.recv", "self"),
    leaf("sync/watch.rs", "changed_impl", "tokio.sync.watch.changed", "shared"),
    leaf("sync/watch.rs", "closed", "tokio.sync.watch.closed", "&*self.shared"),
    leaf("sync/barrier.rs", "wait_internal", "tokio.sync.barrier", "self"),
    leaf("sync/once_cell.rs", "get_or_init", "tokio.sync.once_cell", "self"),
    leaf("sync/once_cell.rs", "get_or_try_init", "tokio.sync.once_cell", "self"),
    leaf("runtime/io/registration.rs", "poll_ready", "tokio.io.ready", "&*self.shared"),
    leaf("runtime/task/join.rs", "poll", "tokio.task.join", "self.raw.header()"),
    leaf("task/yield_now.rs", "poll", "tokio.task.yield", ""),
    leaf("task/yield_now.rs", "yield_now", "tokio.task.yield", ""),
    leaf("task/consume_budget.rs", "consume_budget", "tokio.task.budget", ""),
    leaf("task/coop/consume_budget.rs", "consume_budget", "tokio.task.budget", ""),
    leaf("time/sleep.rs", "poll_elapsed", "tokio.time.sleep", ""),
    leaf("process/mod.rs", "poll", "tokio.process.wait", "&*self"),
    leaf("fs/file.rs", "poll_read", "tokio.fs.read", "&self.std"),
    leaf("fs/file.rs", "poll_complete", "tokio.fs.seek", "&self.std"),
    leaf("fs/file.rs", "poll_write", "tokio.fs.write", "&self.std"),
    leaf("fs/file.rs", "poll_write_vectored", "tokio.fs.write", "&self.std"),
    leaf("fs/file.rs", "poll_flush", "tokio.fs.flush", "&self.std"),
    leaf("fs/file.rs", "poll_shutdown", "tokio.fs.flush", "&self.std"),
    leaf("fs/file.rs", "poll_complete_inflight", "tokio.fs.flush", ""),
    leaf("io/util/mem.rs", "poll_read", "tokio.io.pipe.read", "&*self"),
    leaf("io/util/mem.rs", "poll_read_deferred", "tokio.io.pipe.read", "&*self"),
    leaf("io/util/mem.rs", "poll_write", "tokio.io.pipe.write", "&*self"),
    leaf("io/util/mem.rs", "poll_write_deferred", "tokio.io.pipe.write", "&*self"),
    leaf("io/util/mem.rs", "poll_write_vectored", "tokio.io.pipe.write", "&*self"),
    leaf("io/util/mem.rs", "poll_write_vectored_deferred", "tokio.io.pipe.write", "&*self"),
    leaf("io/util/copy.rs", "poll_copy", "tokio.io.copy", "&*self"),
    leaf("io/util/empty.rs", "poll_read", "tokio.io.empty", ""),
    leaf("io/util/empty.rs", "poll_fill_buf", "tokio.io.empty", ""),
    leaf("io/util/empty.rs", "poll_write", "tokio.io.empty", ""),
    leaf("io/util/empty.rs", "poll_write_vectored", "tokio.io.empty", ""),
    leaf("io/util/empty.rs", "poll_flush", "tokio.io.empty", ""),
    leaf("io/util/empty.rs", "poll_shutdown", "tokio.io.empty", ""),
    leaf("io/util/empty.rs", "poll_complete", "tokio.io.empty", ""),
    leaf("io/util/sink.rs", "poll_write", "tokio.io.sink", ""),
    leaf("io/util/sink.rs", "poll_write_vectored", "tokio.io.sink", ""),
    leaf("io/util/sink.rs", "poll_flush", "tokio.io.sink", ""),
    leaf("io/util/sink.rs", "poll_shutdown", "tokio.io.sink", ""),
    leaf("io/util/repeat.rs", "poll_read", "tokio.io.repeat", ""),
];
