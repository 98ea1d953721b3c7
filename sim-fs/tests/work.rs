//! The work that operations cost, counted: pages written to and operations pending, not seconds.

mod support;

use bytes::Bytes;
use sim_core::backend::{Op, OpenOptions};
use sim_core::choice::{Choices, Odometer};
use sim_core::{Env, Fd};
use sim_fs::{Delay, Disk, Timing};
use support::{APPEND, CREATE, NOW, disk, put, read, sync};

#[test]
fn ten_thousand_appends_with_their_syncs_are_linear() {
    let mut disk = disk();
    put(&mut disk, "wal", CREATE, b"");
    sync(&mut disk, "wal");
    let wal = disk.open(NOW, "wal", APPEND).unwrap();
    let (records, record) = (10_000_u64, Bytes::from(vec![7; 100]));
    let mut most = 0;
    for count in 1..=records {
        let before = disk.usage().pages_touched;
        disk.write(NOW, wal, None, &record).unwrap();
        assert_eq!(disk.usage().pending_operations, 1);
        disk.sync(wal, count % 2 == 0).unwrap();
        assert_eq!((disk.usage().pending_operations, disk.usage().pending_bytes), (0, 0));
        most = most.max(disk.usage().pages_touched - before);
    }
    // A record lies in one page or across two, in memory and on the medium.
    assert_eq!(most, 4);
    let crossings =
        (1..records * 100 / 4096 + 1).filter(|page| page * 4096 % 100 != 0).count() as u64;
    assert_eq!(disk.usage().pages_touched, 2 * (records + crossings));
    let blocks = (records * 100).div_ceil(4096) + 2;
    assert_eq!(disk.usage().used_bytes, blocks * 4096, "the contents, the root and /tmp");
}

#[test]
fn what_else_is_pending_costs_a_sync_nothing() {
    let mut disk = disk();
    for n in 0..1_000 {
        put(&mut disk, &format!("other{n}"), CREATE, b"data");
    }
    let wal = put(&mut disk, "wal", CREATE, b"");
    assert_eq!(disk.usage().pending_operations, 2_001);
    let before = disk.usage().pages_touched;
    disk.sync(wal, false).unwrap();
    disk.write(NOW, wal, None, &Bytes::from("x")).unwrap();
    disk.sync(wal, false).unwrap();
    assert_eq!(disk.usage().pending_operations, 2_000, "the others are still pending");
    assert_eq!(disk.usage().pages_touched - before, 2);
}

#[test]
fn a_program_that_never_syncs_is_bounded() {
    let mut disk = disk();
    disk.set_dirty_limit(10_000);
    for n in 0..10_000 {
        let path = format!("f{}", n % 7);
        let id = put(&mut disk, &path, CREATE, &[1; 50]);
        disk.close(id).unwrap();
        disk.remove_file(NOW, &path).unwrap();
        assert!(disk.usage().pending_bytes <= 10_000);
    }
    assert!(disk.usage().pending_operations < 80);
    assert_eq!(disk.usage().used_bytes, 2 * 4096);
}

#[test]
fn a_sparse_terabyte_costs_a_page() {
    let mut disk = disk();
    let id = put(&mut disk, "big", CREATE, b"");
    disk.truncate(NOW, id, 1 << 40).unwrap();
    disk.write(NOW, id, Some(1 << 39), &Bytes::from("middle")).unwrap();
    disk.sync(id, false).unwrap();
    assert_eq!(disk.usage().used_bytes, 3 * 4096);
    assert_eq!(disk.read(NOW, id, Some((1 << 39) - 1), 8).unwrap(), &b"\0middle\0"[..]);
    disk.truncate(NOW, id, 3).unwrap();
    assert_eq!(read(&mut disk, "big"), [0; 3]);
}

#[test]
fn space_is_given_back_by_the_last_close() {
    let mut disk = disk();
    disk.set_capacity(3 * 4096);
    let id = put(&mut disk, "a", CREATE, &[1; 4096]);
    let other = disk.open(NOW, "b", CREATE).unwrap();
    let write = |disk: &mut Disk| disk.write(NOW, other, Some(0), &Bytes::from("x"));
    assert_eq!(write(&mut disk), Err(sim_core::Errno::ENOSPC));
    disk.remove_file(NOW, "a").unwrap();
    assert_eq!(write(&mut disk), Err(sim_core::Errno::ENOSPC), "it is still open");
    disk.close(id).unwrap();
    assert_eq!(write(&mut disk), Ok(1));
}

#[test]
fn latency_is_its_base_and_a_choice() {
    let fd = Fd::new(3);
    let (path, options) = ("f".into(), OpenOptions::default());
    let ops = [
        Op::Read { fd, offset: None, len: 1 },
        Op::Open { path, options },
        Op::Sync { fd, data_only: true },
    ];
    // Dull choices: nothing but the base.
    let mut env = support::with_mode(0);
    let mut disk = Disk::new(&mut env, support::host());
    assert_eq!(ops.clone().map(|op| disk.latency(&mut env, &op)), [2_000, 10_000, 1_000_000]);
    // Every choice there is.
    let plain = Delay { base_ns: 5, jitter_ns: 0 };
    let timing = Timing { contents: plain, names: plain, sync: Delay { base_ns: 7, jitter_ns: 3 } };
    let (mut odometer, mut seen) = (Odometer::new(), Vec::new());
    loop {
        let mut env = Env::new(Choices::odometer(odometer));
        let mut disk = Disk::new(&mut env, support::host());
        disk.set_timing(timing);
        seen.push(ops.clone().map(|op| disk.latency(&mut env, &op)));
        odometer = env.choices.into_odometer().unwrap();
        if !odometer.advance() {
            break;
        }
    }
    assert_eq!(seen, [[5, 5, 7], [5, 5, 8], [5, 5, 9], [5, 5, 10]]);
}
