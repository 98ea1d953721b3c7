//! What a crash may leave of small programs: every image is enumerated and counted.
//!
//! The rows quoted are what ext4, xfs and btrfs were seen to leave.

mod support;

use bytes::Bytes;
use sim_core::choice::{Choices, Log};
use sim_core::{Env, Errno};
use sim_fs::{Crash, Disk};
use std::collections::BTreeSet;
use support::{
    APPEND, BOTH, CREATE, NOW, Picture, READ, REWRITE, crash_images, picture, put, read, sync,
};

/// A tree in words: `name=content`, directories as `name/`.
fn words(picture: &Picture) -> String {
    let entries = picture.iter().map(|(path, content)| match content {
        Some(content) => {
            format!("{}={}", &path[1..], str::from_utf8(content).unwrap().replace('\0', "0"))
        }
        None => format!("{}/", &path[1..]),
    });
    entries.collect::<Vec<_>>().join(" ")
}

/// Every image that a crash after `program` can leave, with the number of runs it takes to enumerate them.
fn images(program: impl Fn(&mut Disk)) -> (Vec<String>, usize) {
    let (images, runs) = crash_images(program);
    (images.iter().map(words).collect(), runs)
}

fn old(disk: &mut Disk) {
    put(disk, "f", CREATE, b"old");
    disk.sync_all();
}

fn write_tmp(disk: &mut Disk) {
    old(disk);
    put(disk, "t", CREATE, b"new");
}

fn rename(disk: &mut Disk) {
    disk.rename(NOW, "t", "f").unwrap();
}

#[test]
fn create_and_write() {
    // Modes 0 and 1; in mode 2 the name is lost, or it is there and the write is asked about.
    let (found, runs) = images(|disk| _ = put(disk, "f", CREATE, b"new"));
    assert_eq!((found, runs), (vec!["".into(), "f=".into(), "f=new".into()], 2 + 3));
    let (found, runs) = images(|disk| {
        put(disk, "f", CREATE, b"new");
        sync(disk, "f");
    });
    assert_eq!((found, runs), (vec!["f=new".into()], 1), "its name is durable with it");
    let (found, runs) = images(|disk| {
        put(disk, "f", CREATE, b"new");
        sync(disk, "/");
    });
    assert_eq!(
        (found, runs),
        (vec!["f=".into(), "f=new".into()], 2),
        "a directory's sync is not its files'"
    );
}

#[test]
fn two_writes_are_independent() {
    let (found, runs) = images(|disk| {
        old(disk);
        let f = put(disk, "f", APPEND, b"AA");
        disk.write(NOW, f, None, &Bytes::from("BB")).unwrap();
    });
    assert_eq!(
        (found, runs),
        (vec!["f=old".into(), "f=old00BB".into(), "f=oldAA".into(), "f=oldAABB".into()], 2 + 4)
    );
}

#[test]
fn a_rewrite_is_old_or_empty_or_new_and_never_mixed() {
    let (found, runs) = images(|disk| {
        put(disk, "f", CREATE, b"old old");
        disk.sync_all();
        put(disk, "f", REWRITE, b"new");
    });
    // A write that made the file grow carries its length, so without the truncation it ends the file as well.
    assert_eq!((found, runs), (vec!["f=".into(), "f=new".into(), "f=old old".into()], 2 + 4));
}

#[test]
fn a_synced_file_is_where_its_directories_lead_now() {
    let (found, runs) = images(|disk| {
        disk.create_dir(NOW, "d").unwrap();
        put(disk, "d/f", CREATE, b"new");
        disk.sync_all();
        disk.rename(NOW, "d", "e").unwrap();
        sync(disk, "e/f");
    });
    assert_eq!((found, runs), (vec!["e/ e/f=new".into()], 1));
}

#[test]
fn a_kept_write_inside_a_lost_growth_shows_when_the_length_reaches_it() {
    let (found, _) = images(|disk| {
        let f = put(disk, "f", CREATE, b"");
        disk.sync(f, false).unwrap();
        for (at, data) in [(0, "AAAA"), (1, "B"), (4, "C")] {
            disk.write(NOW, f, Some(at), &Bytes::from(data)).unwrap();
        }
    });
    assert_eq!(found, ["f=", "f=0000C", "f=0B00C", "f=AAAA", "f=AAAAC", "f=ABAA", "f=ABAAC"]);
}

#[test]
fn what_survived_beyond_the_end_of_a_file_is_gone() {
    // Of two writes the first, which made the file so long, is lost; the second, inside it, survives.
    let log =
        Log::parse(["fs.crash.mode host 0 2", "fs.crash.keep host 0 1"].into_iter(), 1).unwrap();
    let mut env = Env::new(Choices::replay(&log));
    let mut disk = Disk::new(&mut env, support::host());
    let f = put(&mut disk, "f", CREATE, b"");
    disk.sync(f, false).unwrap();
    disk.write(NOW, f, None, &Bytes::from("AAAA")).unwrap();
    disk.write(NOW, f, Some(1), &Bytes::from("B")).unwrap();
    assert_eq!(disk.crash(&mut env), Crash { kept: 1, lost: 1 });
    assert_eq!(disk.usage().used_bytes, 2 * 4096);
    let f = put(&mut disk, "f", BOTH, b"");
    disk.truncate(NOW, f, 4).unwrap();
    assert_eq!(read(&mut disk, "f"), [0; 4], "a file grows by zeros");
}

#[test]
fn replace_by_rename() {
    // Nothing synced: the name of the new file, its data, and the rename, which needs the name.
    let (found, runs) = images(|disk| {
        write_tmp(disk);
        rename(disk);
    });
    assert_eq!(found, ["f=", "f=new", "f=old", "f=old t=", "f=old t=new"]);
    assert_eq!(runs, 2 + 1 + 2 + 2);
    // The row "tmp+fsync+rename, no dir fsync" has the old content and tmp; with time the rename may get there.
    let (found, runs) = images(|disk| {
        write_tmp(disk);
        sync(disk, "t");
        rename(disk);
    });
    assert_eq!((found, runs), (vec!["f=new".into(), "f=old t=new".into()], 2));
    // "+ fsync(dir) or fsync(renamed file)": new.
    for synced in ["/", "f"] {
        let (found, runs) = images(|disk| {
            write_tmp(disk);
            sync(disk, "t");
            rename(disk);
            sync(disk, synced);
        });
        assert_eq!((found, runs), (vec!["f=new".into()], 1), "after fsync({synced})");
    }
    // "tmp (no fsync)+rename+fsync(dir)": new or empty.
    let (found, runs) = images(|disk| {
        write_tmp(disk);
        rename(disk);
        sync(disk, "/");
    });
    assert_eq!((found, runs), (vec!["f=".into(), "f=new".into()], 2));
}

#[test]
fn removed_names_may_come_back_until_the_directory_is_synced() {
    let remove = |disk: &mut Disk| {
        old(disk);
        disk.remove_file(NOW, "f").unwrap();
    };
    assert_eq!(images(remove), (vec!["".into(), "f=old".into()], 2));
    let (found, runs) = images(|disk| {
        remove(disk);
        sync(disk, "/");
    });
    assert_eq!((found, runs), (vec!["".into()], 1));
    // Another file under the name, synced, ends it too: the place is taken.
    let (found, runs) = images(|disk| {
        remove(disk);
        put(disk, "f", CREATE, b"new");
        sync(disk, "f");
    });
    assert_eq!((found, runs), (vec!["f=new".into()], 1));
}

#[test]
fn a_file_made_and_removed_leaves_nothing_to_ask_about_once_it_is_synced() {
    let (found, runs) = images(|disk| {
        let f = put(disk, "f", CREATE, b"scratch");
        disk.remove_file(NOW, "f").unwrap();
        disk.sync(f, false).unwrap();
        disk.write(NOW, f, None, &Bytes::from("more")).unwrap();
        assert_eq!(disk.usage().pending_operations, 0);
    });
    assert_eq!((found, runs), (vec!["".into()], 1));
}

/// Writes back the oldest pending operations but for one.
fn write_back_all_but_one(disk: &mut Disk) {
    disk.set_dirty_limit(disk.usage().pending_bytes / disk.usage().pending_operations as u64);
    assert_eq!(disk.usage().pending_operations, 1);
    disk.set_dirty_limit(u64::MAX);
}

#[test]
fn what_is_needed_is_still_known_when_what_came_before_was_written_back() {
    let (found, _) = images(|disk| {
        put(disk, "a", CREATE, b"");
        disk.remove_file(NOW, "a").unwrap();
        write_back_all_but_one(disk);
        put(disk, "a", CREATE, b"new");
    });
    assert_eq!(found, ["", "a=", "a=new"]);
    let (found, _) = images(|disk| {
        disk.create_dir(NOW, "d").unwrap();
        disk.rename(NOW, "d", "e").unwrap();
        write_back_all_but_one(disk);
        put(disk, "e/f", CREATE, b"");
    });
    assert_eq!(found, ["d/", "e/", "e/ e/f="]);
}

#[test]
fn a_deleted_file_does_not_come_back_under_a_name_used_again() {
    // The program after which btrfs brings the deleted b back; ext4 and xfs do not, nor is it allowed.
    let (found, _) = images(|disk| {
        put(disk, "b", CREATE, b"old");
        disk.sync_all();
        disk.remove_file(NOW, "b").unwrap();
        put(disk, "b", CREATE, b"new");
        sync(disk, "b");
        disk.rename(NOW, "b", "c").unwrap();
        sync(disk, "c");
    });
    assert_eq!(found, ["c=new"]);
}

#[test]
fn a_move_between_directories_is_one() {
    let prepare = |disk: &mut Disk| {
        old(disk);
        disk.create_dir(NOW, "d").unwrap();
        disk.rename(NOW, "f", "d/f").unwrap();
    };
    let (found, runs) = images(prepare);
    assert_eq!(
        (found, runs),
        (vec!["d/ d/f=old".into(), "d/ f=old".into(), "f=old".into()], 2 + 3)
    );
    for synced in ["/", "d", "d/f"] {
        let (found, _) = images(|disk| {
            prepare(disk);
            sync(disk, synced);
        });
        assert_eq!(found, ["d/ d/f=old"], "after fsync({synced})");
    }
}

#[test]
fn no_directory_ends_up_in_itself() {
    // p/q/r; q moves to the top, then p moves below r: alone, the second move would cut p off from the root.
    let (found, _) = images(|disk| {
        for dir in ["p", "p/q", "p/q/r"] {
            disk.create_dir(NOW, dir).unwrap();
        }
        disk.sync_all();
        disk.rename(NOW, "p/q", "q").unwrap();
        disk.rename(NOW, "p", "q/r/p").unwrap();
    });
    assert_eq!(found, ["p/ p/q/ p/q/r/", "p/ q/ q/r/", "q/ q/r/ q/r/p/"]);
}

#[test]
fn a_directory_is_removed_only_with_what_emptied_it() {
    let (found, _) = images(|disk| {
        disk.create_dir(NOW, "d").unwrap();
        put(disk, "d/f", CREATE, b"old");
        disk.sync_all();
        disk.rename(NOW, "d/f", "f").unwrap();
        disk.remove_dir(NOW, "d").unwrap();
    });
    assert_eq!(found, ["d/ d/f=old", "d/ f=old", "f=old"]);
}

#[test]
fn data_only_leaves_the_time_behind() {
    let mut env = support::with_mode(1);
    let mut disk = Disk::new(&mut env, support::host());
    let f = put(&mut disk, "f", CREATE, b"old");
    disk.sync(f, false).unwrap();
    let later = |ns| sim_time::WallTime::from_nanos(NOW.as_nanos() + ns);
    disk.write(later(1), f, Some(0), &Bytes::from("new")).unwrap();
    disk.sync(f, true).unwrap();
    let mut second = support::with_mode(1);
    disk.crash(&mut second);
    assert_eq!((&read(&mut disk, "f")[..], disk.stat("f").unwrap().modified), (&b"new"[..], NOW));
    let f = put(&mut disk, "f", BOTH, b"");
    disk.write(later(2), f, Some(0), &Bytes::from("newer")).unwrap();
    disk.sync(f, true).unwrap();
    disk.crash(&mut env);
    assert_eq!(disk.stat("f").unwrap().modified, later(2), "a new length brings the inode along");
}

#[test]
fn crashes_are_recorded_and_replayed() {
    let program = |disk: &mut Disk| {
        for name in ["a", "b", "c", "d"] {
            put(disk, name, CREATE, name.as_bytes());
        }
    };
    let mut different = BTreeSet::new();
    for seed in 0..64 {
        let mut env = support::seeded(seed);
        env.choices.record();
        env.choices.names.note(support::host(), sim_core::choice::Path::WORLD, "host", 0);
        let mut disk = Disk::new(&mut env, support::host());
        program(&mut disk);
        disk.crash(&mut env);
        let log = env.choices.log().unwrap();
        let mut replayed = Env::new(Choices::replay(&log));
        let mut again = Disk::new(&mut replayed, support::host());
        program(&mut again);
        again.crash(&mut replayed);
        assert_eq!((picture(&mut again), replayed.choices.drift()), (picture(&mut disk), 0));
        assert!(again.open(NOW, "missing", READ) == Err(Errno::ENOENT));
        different.insert(picture(&mut disk));
    }
    assert!(different.len() > 12, "{} images in 64 seeds", different.len());
}
