//! What becomes of a system call that arrives by number: the policy, as a table.
//!
//! A row says which of four things happens. A number without a row has a name for nobody, and is treated as [`Policy::Escape`].

use core::ffi::{CStr, c_long};

/// How a function of the C library says that it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// An `int`: -1, and the error in `errno`.
    Int,
    /// A `long`: -1, and the error in `errno`.
    Long,
    /// An `int` that is the error's number itself.
    Error,
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// It is the function of this name, with the same arguments, where this object defines it. Where it does not, the program's call of
    /// that function would reach the system, and so does this one.
    Function(Answer),
    /// It concerns the process's own memory, signals and limits: the system's answer is the world's.
    Harmless,
    /// It is the system's, and may differ from run to run: a notice says so.
    Noticed,
    /// It would leave the world: the run ends.
    Escape,
}

/// A row: the number, the name, what becomes of it.
pub type Row = (c_long, &'static CStr, Policy);

use Answer::{Error, Int, Long};
use Policy::{Escape, Function, Harmless, Noticed};

/// The rows of every architecture.
const ROWS: &[Row] = &[
    (libc::SYS_read, c"read", Function(Long)),
    (libc::SYS_write, c"write", Function(Long)),
    (libc::SYS_lseek, c"lseek", Function(Long)),
    (libc::SYS_pread64, c"pread64", Function(Long)),
    (libc::SYS_pwrite64, c"pwrite64", Function(Long)),
    (libc::SYS_readv, c"readv", Function(Long)),
    (libc::SYS_writev, c"writev", Function(Long)),
    (libc::SYS_preadv, c"preadv", Function(Long)),
    (libc::SYS_pwritev, c"pwritev", Function(Long)),
    (libc::SYS_sendfile, c"sendfile", Function(Long)),
    (libc::SYS_copy_file_range, c"copy_file_range", Function(Long)),
    (libc::SYS_splice, c"splice", Function(Long)),
    (libc::SYS_tee, c"tee", Function(Long)),
    (libc::SYS_readlinkat, c"readlinkat", Function(Long)),
    (libc::SYS_sendto, c"sendto", Function(Long)),
    (libc::SYS_recvfrom, c"recvfrom", Function(Long)),
    (libc::SYS_sendmsg, c"sendmsg", Function(Long)),
    (libc::SYS_recvmsg, c"recvmsg", Function(Long)),
    (libc::SYS_getrandom, c"getrandom", Function(Long)),
    (libc::SYS_listxattr, c"listxattr", Function(Long)),
    (libc::SYS_llistxattr, c"llistxattr", Function(Long)),
    (libc::SYS_flistxattr, c"flistxattr", Function(Long)),
    (libc::SYS_getxattr, c"getxattr", Function(Long)),
    (libc::SYS_lgetxattr, c"lgetxattr", Function(Long)),
    (libc::SYS_fgetxattr, c"fgetxattr", Function(Long)),
    (libc::SYS_setxattr, c"setxattr", Function(Int)),
    (libc::SYS_lsetxattr, c"lsetxattr", Function(Int)),
    (libc::SYS_fsetxattr, c"fsetxattr", Function(Int)),
    (libc::SYS_removexattr, c"removexattr", Function(Int)),
    (libc::SYS_lremovexattr, c"lremovexattr", Function(Int)),
    (libc::SYS_fremovexattr, c"fremovexattr", Function(Int)),
    (libc::SYS_close, c"close", Function(Int)),
    (libc::SYS_openat, c"openat", Function(Int)),
    (libc::SYS_fstat, c"fstat", Function(Int)),
    (libc::SYS_statx, c"statx", Function(Int)),
    (libc::SYS_fstatfs, c"fstatfs", Function(Int)),
    (libc::SYS_statfs, c"statfs", Function(Int)),
    (libc::SYS_truncate, c"truncate", Function(Int)),
    (libc::SYS_ftruncate, c"ftruncate", Function(Int)),
    (libc::SYS_faccessat, c"faccessat", Function(Int)),
    (libc::SYS_renameat, c"renameat", Function(Int)),
    (libc::SYS_renameat2, c"renameat2", Function(Int)),
    (libc::SYS_mkdirat, c"mkdirat", Function(Int)),
    (libc::SYS_mknodat, c"mknodat", Function(Int)),
    (libc::SYS_unlinkat, c"unlinkat", Function(Int)),
    (libc::SYS_linkat, c"linkat", Function(Int)),
    (libc::SYS_symlinkat, c"symlinkat", Function(Int)),
    (libc::SYS_fchmod, c"fchmod", Function(Int)),
    (libc::SYS_fchmodat, c"fchmodat", Function(Int)),
    (libc::SYS_fchown, c"fchown", Function(Int)),
    (libc::SYS_fchownat, c"fchownat", Function(Int)),
    (libc::SYS_utimensat, c"utimensat", Function(Int)),
    (libc::SYS_fsync, c"fsync", Function(Int)),
    (libc::SYS_fdatasync, c"fdatasync", Function(Int)),
    (libc::SYS_sync, c"sync", Function(Int)),
    (libc::SYS_syncfs, c"syncfs", Function(Int)),
    (libc::SYS_fallocate, c"fallocate", Function(Int)),
    (libc::SYS_flock, c"flock", Function(Int)),
    (libc::SYS_chdir, c"chdir", Function(Int)),
    (libc::SYS_fchdir, c"fchdir", Function(Int)),
    (libc::SYS_dup, c"dup", Function(Int)),
    (libc::SYS_dup3, c"dup3", Function(Int)),
    (libc::SYS_fcntl, c"fcntl", Function(Int)),
    (libc::SYS_ioctl, c"ioctl", Function(Int)),
    (libc::SYS_pipe2, c"pipe2", Function(Int)),
    (libc::SYS_ppoll, c"ppoll", Function(Int)),
    (libc::SYS_close_range, c"close_range", Function(Int)),
    (libc::SYS_epoll_create1, c"epoll_create1", Function(Int)),
    (libc::SYS_epoll_ctl, c"epoll_ctl", Function(Int)),
    (libc::SYS_epoll_pwait, c"epoll_pwait", Function(Int)),
    (libc::SYS_epoll_pwait2, c"epoll_pwait2", Function(Int)),
    (libc::SYS_timerfd_create, c"timerfd_create", Function(Int)),
    (libc::SYS_timerfd_settime, c"timerfd_settime", Function(Int)),
    (libc::SYS_timerfd_gettime, c"timerfd_gettime", Function(Int)),
    (libc::SYS_inotify_init1, c"inotify_init1", Function(Int)),
    (libc::SYS_inotify_add_watch, c"inotify_add_watch", Function(Int)),
    (libc::SYS_inotify_rm_watch, c"inotify_rm_watch", Function(Int)),
    (libc::SYS_socket, c"socket", Function(Int)),
    (libc::SYS_socketpair, c"socketpair", Function(Int)),
    (libc::SYS_bind, c"bind", Function(Int)),
    (libc::SYS_listen, c"listen", Function(Int)),
    (libc::SYS_accept, c"accept", Function(Int)),
    (libc::SYS_accept4, c"accept4", Function(Int)),
    (libc::SYS_connect, c"connect", Function(Int)),
    (libc::SYS_shutdown, c"shutdown", Function(Int)),
    (libc::SYS_getsockname, c"getsockname", Function(Int)),
    (libc::SYS_getpeername, c"getpeername", Function(Int)),
    (libc::SYS_setsockopt, c"setsockopt", Function(Int)),
    (libc::SYS_getsockopt, c"getsockopt", Function(Int)),
    (libc::SYS_sendmmsg, c"sendmmsg", Function(Int)),
    (libc::SYS_recvmmsg, c"recvmmsg", Function(Int)),
    (libc::SYS_clock_gettime, c"clock_gettime", Function(Int)),
    (libc::SYS_clock_getres, c"clock_getres", Function(Int)),
    (libc::SYS_gettimeofday, c"gettimeofday", Function(Int)),
    (libc::SYS_nanosleep, c"nanosleep", Function(Int)),
    (libc::SYS_uname, c"uname", Function(Int)),
    (libc::SYS_getppid, c"getppid", Function(Int)),
    (libc::SYS_kill, c"kill", Function(Int)),
    (libc::SYS_sched_yield, c"sched_yield", Function(Int)),
    (libc::SYS_setitimer, c"setitimer", Function(Int)),
    (libc::SYS_getitimer, c"getitimer", Function(Int)),
    (libc::SYS_eventfd2, c"eventfd", Function(Int)),
    (libc::SYS_newfstatat, c"fstatat", Function(Int)),
    (libc::SYS_faccessat2, c"faccessat", Function(Int)),
    (libc::SYS_fadvise64, c"posix_fadvise", Function(Error)),
    (libc::SYS_clock_nanosleep, c"clock_nanosleep", Function(Error)),
    (libc::SYS_mmap, c"mmap", Function(Long)),
    (libc::SYS_munmap, c"munmap", Harmless),
    (libc::SYS_mprotect, c"mprotect", Harmless),
    (libc::SYS_mremap, c"mremap", Harmless),
    (libc::SYS_madvise, c"madvise", Harmless),
    (libc::SYS_brk, c"brk", Harmless),
    (libc::SYS_mlock, c"mlock", Harmless),
    (libc::SYS_mlock2, c"mlock2", Harmless),
    (libc::SYS_munlock, c"munlock", Harmless),
    (libc::SYS_msync, c"msync", Harmless),
    (libc::SYS_mincore, c"mincore", Harmless),
    (libc::SYS_membarrier, c"membarrier", Harmless),
    (libc::SYS_memfd_create, c"memfd_create", Harmless),
    (libc::SYS_sigaltstack, c"sigaltstack", Harmless),
    (libc::SYS_prctl, c"prctl", Harmless),
    (libc::SYS_getuid, c"getuid", Harmless),
    (libc::SYS_geteuid, c"geteuid", Harmless),
    (libc::SYS_getgid, c"getgid", Harmless),
    (libc::SYS_getegid, c"getegid", Harmless),
    (libc::SYS_getresuid, c"getresuid", Harmless),
    (libc::SYS_getresgid, c"getresgid", Harmless),
    (libc::SYS_getgroups, c"getgroups", Harmless),
    (libc::SYS_getrlimit, c"getrlimit", Harmless),
    (libc::SYS_setrlimit, c"setrlimit", Harmless),
    (libc::SYS_prlimit64, c"prlimit64", Harmless),
    (libc::SYS_set_robust_list, c"set_robust_list", Harmless),
    (libc::SYS_rseq, c"rseq", Harmless),
    (libc::SYS_mbind, c"mbind", Harmless),
    (libc::SYS_get_mempolicy, c"get_mempolicy", Harmless),
    (libc::SYS_umask, c"umask", Function(Int)),
    (libc::SYS_seccomp, c"seccomp", Harmless),
    (libc::SYS_pkey_alloc, c"pkey_alloc", Harmless),
    (libc::SYS_pkey_free, c"pkey_free", Harmless),
    (libc::SYS_pkey_mprotect, c"pkey_mprotect", Harmless),
    (libc::SYS_getrusage, c"getrusage", Noticed),
    (libc::SYS_times, c"times", Noticed),
    (libc::SYS_sysinfo, c"sysinfo", Noticed),
    (libc::SYS_sched_setaffinity, c"sched_setaffinity", Noticed),
    (libc::SYS_sched_getparam, c"sched_getparam", Noticed),
    (libc::SYS_sched_setparam, c"sched_setparam", Noticed),
    (libc::SYS_sched_getscheduler, c"sched_getscheduler", Noticed),
    (libc::SYS_sched_setscheduler, c"sched_setscheduler", Noticed),
    (libc::SYS_getpriority, c"getpriority", Noticed),
    (libc::SYS_setpriority, c"setpriority", Noticed),
    (libc::SYS_getpgid, c"getpgid", Noticed),
    (libc::SYS_getsid, c"getsid", Noticed),
    (libc::SYS_setsid, c"setsid", Noticed),
    (libc::SYS_capget, c"capget", Noticed),
    (libc::SYS_signalfd4, c"signalfd4", Noticed),
    (libc::SYS_rt_sigpending, c"rt_sigpending", Noticed),
    (libc::SYS_rt_sigtimedwait, c"rt_sigtimedwait", Noticed),
    (libc::SYS_rt_sigsuspend, c"rt_sigsuspend", Noticed),
    (libc::SYS_timer_create, c"timer_create", Noticed),
    (libc::SYS_timer_settime, c"timer_settime", Noticed),
    (libc::SYS_timer_gettime, c"timer_gettime", Noticed),
    (libc::SYS_timer_delete, c"timer_delete", Noticed),
    (libc::SYS_getdents64, c"getdents64", Function(Long)),
    (libc::SYS_clone, c"clone", Escape),
    (libc::SYS_clone3, c"clone3", Escape),
    (libc::SYS_execve, c"execve", Escape),
    (libc::SYS_execveat, c"execveat", Escape),
    (libc::SYS_exit, c"exit", Escape),
    (libc::SYS_wait4, c"wait4", Escape),
    (libc::SYS_waitid, c"waitid", Escape),
    (libc::SYS_ptrace, c"ptrace", Escape),
    (libc::SYS_tkill, c"tkill", Escape),
    (libc::SYS_tgkill, c"tgkill", Escape),
    (libc::SYS_io_uring_enter, c"io_uring_enter", Escape),
    (libc::SYS_io_uring_register, c"io_uring_register", Escape),
    (libc::SYS_bpf, c"bpf", Escape),
    (libc::SYS_perf_event_open, c"perf_event_open", Escape),
    (libc::SYS_unshare, c"unshare", Escape),
    (libc::SYS_setns, c"setns", Escape),
    (libc::SYS_mount, c"mount", Escape),
    (libc::SYS_shmget, c"shmget", Escape),
    (libc::SYS_shmat, c"shmat", Escape),
    (libc::SYS_msgget, c"msgget", Escape),
    (libc::SYS_semget, c"semget", Escape),
    (libc::SYS_mq_open, c"mq_open", Escape),
    (libc::SYS_userfaultfd, c"userfaultfd", Escape),
    (libc::SYS_pidfd_open, c"pidfd_open", Escape),
    (libc::SYS_process_vm_readv, c"process_vm_readv", Escape),
    (libc::SYS_process_vm_writev, c"process_vm_writev", Escape),
];

/// Calls that newer architectures do not have any more.
#[cfg(target_arch = "x86_64")]
const OLD: &[Row] = &[
    (libc::SYS_readlink, c"readlink", Function(Long)),
    (libc::SYS_time, c"time", Function(Long)),
    (libc::SYS_open, c"open", Function(Int)),
    (libc::SYS_creat, c"creat", Function(Int)),
    (libc::SYS_stat, c"stat", Function(Int)),
    (libc::SYS_lstat, c"lstat", Function(Int)),
    (libc::SYS_access, c"access", Function(Int)),
    (libc::SYS_rename, c"rename", Function(Int)),
    (libc::SYS_mkdir, c"mkdir", Function(Int)),
    (libc::SYS_mknod, c"mknod", Function(Int)),
    (libc::SYS_rmdir, c"rmdir", Function(Int)),
    (libc::SYS_unlink, c"unlink", Function(Int)),
    (libc::SYS_link, c"link", Function(Int)),
    (libc::SYS_symlink, c"symlink", Function(Int)),
    (libc::SYS_chmod, c"chmod", Function(Int)),
    (libc::SYS_chown, c"chown", Function(Int)),
    (libc::SYS_lchown, c"lchown", Function(Int)),
    (libc::SYS_dup2, c"dup2", Function(Int)),
    (libc::SYS_pipe, c"pipe", Function(Int)),
    (libc::SYS_poll, c"poll", Function(Int)),
    (libc::SYS_select, c"select", Function(Int)),
    (libc::SYS_epoll_create, c"epoll_create", Function(Int)),
    (libc::SYS_epoll_wait, c"epoll_wait", Function(Int)),
    (libc::SYS_inotify_init, c"inotify_init", Function(Int)),
    (libc::SYS_alarm, c"alarm", Function(Int)),
    (libc::SYS_pause, c"pause", Function(Int)),
    (libc::SYS_arch_prctl, c"arch_prctl", Harmless),
    (libc::SYS_getpgrp, c"getpgrp", Noticed),
    (libc::SYS_getdents, c"getdents", Noticed),
    (libc::SYS_fork, c"fork", Escape),
    (libc::SYS_vfork, c"vfork", Escape),
];

/// Calls that newer architectures do not have any more.
#[cfg(not(target_arch = "x86_64"))]
const OLD: &[Row] = &[];

/// How many rows there are.
pub const COUNT: usize = ROWS.len() + OLD.len();

/// The row of a number, and its place.
#[must_use]
pub fn row(number: c_long) -> Option<(usize, Row)> {
    let mut rows = ROWS.iter().chain(OLD).copied().enumerate();
    rows.find(|(_, (known, ..))| *known == number)
}

/// The name of a call, for people.
#[must_use]
pub fn name(number: c_long) -> String {
    let known = row(number).map(|(_, (_, name, _))| name.to_string_lossy());
    known.map_or_else(|| format!("number {number}"), |name| format!("{name} ({number})"))
}
