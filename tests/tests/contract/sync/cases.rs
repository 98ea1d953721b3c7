// Included once for each implementation, which is in scope as `sync`.

use crate::{on_both, settle};
use futures_util::FutureExt;
use sim::spawn;
use sim::task::yield_now;
use std::cell::{Cell, RefCell};
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use sync::{Barrier, Mutex, Notify, OnceCell, RwLock, Semaphore, broadcast, mpsc, oneshot, watch};

type List<T> = Rc<RefCell<Vec<T>>>;

/// A list that tasks write into.
fn list<T>() -> (List<T>, List<T>) {
    let list = Rc::new(RefCell::new(Vec::new()));
    (Rc::clone(&list), list)
}

async fn a_mutex_serves_in_the_order_of_asking() -> io::Result<()> {
    let lock = Rc::new(Mutex::new(()));
    let (asked, order) = list();
    let guard = lock.lock().await;
    let tasks: Vec<_> = (0..5)
        .map(|n| {
            let (lock, asked) = (Rc::clone(&lock), Rc::clone(&asked));
            spawn(async move {
                asked.borrow_mut().push((0, n));
                let _guard = lock.lock().await;
                asked.borrow_mut().push((1, n));
                yield_now().await;
            })
        })
        .collect();
    settle().await;
    drop(guard);
    assert!(lock.try_lock().is_err(), "it was handed to whoever waited first");
    for task in tasks {
        task.await.unwrap();
    }
    let of = |what| order.borrow().iter().filter(|(w, _)| *w == what).map(|(_, n)| *n).collect();
    let (asked, served): (Vec<i32>, Vec<i32>) = (of(0), of(1));
    assert_eq!(asked, served);
    Ok(())
}

/// A task that is aborted while it waits for the lock must not keep it (tokio 1898).
async fn a_mutex_forgets_who_gave_up() -> io::Result<()> {
    let lock = Arc::new(Mutex::new(0));
    let guard = lock.lock().await;
    let waits = Arc::clone(&lock);
    let aborted = spawn(async move { *waits.lock().await += 100 });
    settle().await;
    drop(guard);
    aborted.abort();
    assert!(aborted.await.unwrap_err().is_cancelled());
    *lock.lock().await += 1;
    assert_eq!(*Arc::clone(&lock).lock_owned().await, 1);
    assert_eq!(*lock.try_lock().unwrap(), 1);
    assert_eq!(Arc::into_inner(lock).unwrap().into_inner(), 1);
    Ok(())
}

async fn readers_do_not_pass_a_writer_that_waits() -> io::Result<()> {
    let lock = Arc::new(RwLock::new(0));
    let first = lock.read().await;
    assert!(lock.try_read().is_ok(), "readers share");
    let for_writer = Arc::clone(&lock);
    let writer = spawn(async move { *for_writer.write().await += 1 });
    settle().await;
    assert!(lock.try_read().is_err() && lock.try_write().is_err());
    let for_reader = Arc::clone(&lock);
    let reader = spawn(async move { *for_reader.read_owned().await });
    settle().await;
    assert!(!reader.is_finished() && !writer.is_finished());
    drop(first);
    assert_eq!(reader.await.unwrap(), 1, "after the writer, who came before");
    writer.await.unwrap();
    let shared = (lock.read().await, Arc::clone(&lock).try_read_owned().unwrap());
    drop(shared);
    *Arc::clone(&lock).write_owned().await += 1;
    assert_eq!(*lock.read().await, 2);
    Ok(())
}

async fn a_semaphore_serves_in_the_order_of_asking() -> io::Result<()> {
    let semaphore = Arc::new(Semaphore::new(3));
    let held = Arc::clone(&semaphore).acquire_many_owned(2).await.unwrap();
    let (big, small) = (Arc::clone(&semaphore), Arc::clone(&semaphore));
    let big = spawn(async move { big.acquire_many(3).await.map(|permit| permit.forget()) });
    settle().await;
    let small = spawn(async move { small.acquire().await.map(|permit| permit.forget()) });
    settle().await;
    assert!(!big.is_finished() && !small.is_finished(), "one permit is free, and the line waits");
    assert!(semaphore.try_acquire().is_err());
    big.abort();
    assert!(big.await.unwrap_err().is_cancelled());
    small.await.unwrap().expect("what the other had gathered is given back");
    assert_eq!(semaphore.available_permits(), 0);
    drop(held);
    assert_eq!(semaphore.available_permits(), 2);
    assert_eq!(semaphore.forget_permits(5), 2);
    let waits = Arc::clone(&semaphore);
    let closed = spawn(async move { waits.acquire().await.is_err() });
    settle().await;
    semaphore.close();
    assert!(closed.await.unwrap() && semaphore.is_closed());
    assert!(matches!(semaphore.try_acquire(), Err(sync::TryAcquireError::Closed)));
    Ok(())
}

async fn one_notification_is_kept() -> io::Result<()> {
    let notify = Notify::new();
    notify.notify_waiters();
    assert!(notify.notified().now_or_never().is_none(), "nobody waited, and nothing is kept");
    notify.notify_one();
    notify.notify_one();
    notify.notified().await;
    assert!(notify.notified().now_or_never().is_none(), "one is kept, not two");
    let mut first = pin!(notify.notified());
    notify.notify_waiters();
    first.as_mut().await;
    let mut second = pin!(notify.notified());
    assert!(!second.as_mut().enable());
    notify.notify_one();
    assert!(second.as_mut().enable());
    second.await;
    Ok(())
}

/// Whoever was notified and gave up before it noticed passes the notification on.
async fn a_notification_is_passed_on() -> io::Result<()> {
    let notify = Notify::new();
    let mut second = Box::pin(notify.notified());
    {
        let mut first = pin!(notify.notified());
        assert!(!first.as_mut().enable());
        assert!(!second.as_mut().enable());
        notify.notify_one();
    }
    second.as_mut().await;
    let (mut first, mut last) = (pin!(notify.notified()), pin!(notify.notified()));
    assert!(!first.as_mut().enable() && !last.as_mut().enable());
    notify.notify_last();
    last.await;
    assert!(first.as_mut().now_or_never().is_none());
    Ok(())
}

async fn a_barrier_has_one_leader_a_round() -> io::Result<()> {
    let barrier = Rc::new(Barrier::new(3));
    let (rounds, leaders) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let tasks: Vec<_> = (0..3)
        .map(|_| {
            let (barrier, rounds) = (Rc::clone(&barrier), Rc::clone(&rounds));
            let leaders = Rc::clone(&leaders);
            spawn(async move {
                for round in 0..4 {
                    assert!(rounds.get() / 3 == round, "nobody is a round ahead");
                    rounds.set(rounds.get() + 1);
                    if barrier.wait().await.is_leader() {
                        leaders.set(leaders.get() + 1);
                    }
                    barrier.wait().await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!((rounds.get(), leaders.get()), (12, 4));
    assert!(Barrier::new(0).wait().await.is_leader(), "a barrier for none is one for one");
    Ok(())
}

async fn a_cell_is_filled_once() -> io::Result<()> {
    let cell = Rc::new(OnceCell::new());
    let made = Rc::new(Cell::new(0));
    assert_eq!(cell.get_or_try_init(async || Err::<u32, _>("no")).await, Err("no"));
    let stuck = Rc::clone(&cell);
    let aborted = spawn(async move { *stuck.get_or_init(async || std::future::pending().await).await });
    settle().await;
    assert!(cell.set(1).is_err(), "somebody is making it");
    let tasks: Vec<_> = (0..3)
        .map(|_| {
            let (cell, made) = (Rc::clone(&cell), Rc::clone(&made));
            spawn(async move {
                *cell
                    .get_or_init(async || {
                        made.set(made.get() + 1);
                        yield_now().await;
                        7
                    })
                    .await
            })
        })
        .collect();
    settle().await;
    aborted.abort();
    for task in tasks {
        assert_eq!(task.await.unwrap(), 7);
    }
    assert_eq!((made.get(), cell.get(), cell.initialized()), (1, Some(&7), true));
    assert!(cell.set(8).is_err());
    Ok(())
}

async fn a_channel_holds_so_many() -> io::Result<()> {
    let (sender, mut receiver) = mpsc::channel(2);
    sender.send(1).await.unwrap();
    let permit = sender.reserve().await.unwrap();
    assert!(matches!(sender.try_send(9), Err(mpsc::error::TrySendError::Full(9))));
    let (asked, order) = list();
    let tasks: Vec<_> = (10..14)
        .map(|n| {
            let (sender, asked) = (sender.clone(), Rc::clone(&asked));
            spawn(async move {
                asked.borrow_mut().push(n);
                sender.send(n).await.unwrap();
            })
        })
        .collect();
    settle().await;
    let lost = spawn({
        let sender = sender.clone();
        async move { sender.send(99).await }
    });
    settle().await;
    lost.abort();
    assert!(lost.await.unwrap_err().is_cancelled());
    permit.send(2);
    let mut got = Vec::new();
    for _ in 0..6 {
        got.push(receiver.recv().await.unwrap());
        // The room goes to whoever asked first; let that one send.
        settle().await;
    }
    assert_eq!((&got[..2], &got[2..]), (&[1, 2][..], &order.borrow()[..]));
    for task in tasks {
        task.await.unwrap();
    }
    assert!(receiver.recv().now_or_never().is_none(), "what was cancelled was not sent");
    Ok(())
}

async fn a_closed_channel_gives_what_it_has() -> io::Result<()> {
    let (sender, mut receiver) = mpsc::channel(4);
    let weak = sender.downgrade();
    let permit = sender.clone().reserve_owned().await.unwrap();
    sender.send(1).await.unwrap();
    receiver.close();
    assert!(sender.is_closed());
    assert_eq!(sender.send(2).await.unwrap_err().0, 2);
    assert_eq!(receiver.recv().await, Some(1));
    assert!(receiver.recv().now_or_never().is_none(), "room for one more is kept");
    drop(permit.send(3));
    let mut rest = Vec::new();
    assert_eq!((receiver.recv_many(&mut rest, 10).await, &rest[..]), (1, &[3][..]));
    assert_eq!(receiver.recv().await, None);
    sender.closed().await;
    drop(sender);
    assert!(weak.upgrade().is_none());
    let (sender, mut receiver) = mpsc::unbounded_channel();
    (0..5).for_each(|n| sender.send(n).unwrap());
    drop(sender);
    assert_eq!((receiver.recv_many(&mut rest, 3).await, &rest[1..]), (3, &[0, 1, 2][..]));
    assert_eq!((receiver.recv().await, receiver.recv().await), (Some(3), Some(4)));
    assert_eq!(receiver.try_recv(), Err(mpsc::error::TryRecvError::Disconnected));
    Ok(())
}

/// A `recv` that loses against something else has taken nothing.
async fn a_cancelled_recv_takes_nothing() -> io::Result<()> {
    let (sender, mut receiver) = mpsc::channel(1);
    let producer = spawn(async move {
        for n in 0..50 {
            sender.send(n).await.unwrap();
            yield_now().await;
        }
    });
    let mut got = Vec::new();
    while got.len() < 50 {
        futures_util::select_biased! {
            n = receiver.recv().fuse() => got.extend(n),
            () = yield_now().fuse() => {}
        }
    }
    assert_eq!(got, (0..50).collect::<Vec<_>>());
    producer.await.unwrap();
    Ok(())
}

async fn one_value_or_none() -> io::Result<()> {
    let (sender, receiver) = oneshot::channel();
    let later = spawn(receiver);
    settle().await;
    sender.send(5).unwrap();
    assert_eq!(later.await.unwrap(), Ok(5));
    let (sender, receiver) = oneshot::channel::<u32>();
    drop(sender);
    assert!(receiver.await.is_err());
    let (mut sender, receiver) = oneshot::channel();
    let closed = spawn(async move {
        sender.closed().await;
        sender
    });
    settle().await;
    drop(receiver);
    assert_eq!(closed.await.unwrap().send(6), Err(6));
    let (sender, mut receiver) = oneshot::channel();
    assert_eq!(receiver.try_recv(), Err(oneshot::error::TryRecvError::Empty));
    sender.send(7).unwrap();
    receiver.close();
    assert_eq!(receiver.try_recv(), Ok(7), "what was sent before is there");
    Ok(())
}

async fn a_broadcast_reaches_all_who_keep_up() -> io::Result<()> {
    use broadcast::error::{RecvError, TryRecvError};
    let (sender, mut slow) = broadcast::channel(2);
    let mut quick = sender.subscribe();
    let waits = spawn(async move { (quick.recv().await, quick) });
    settle().await;
    assert_eq!(sender.send(0).unwrap(), 2);
    let (first, mut quick) = waits.await.unwrap();
    assert_eq!(first, Ok(0));
    (1..4).for_each(|n| assert_eq!(sender.send(n).unwrap(), 2));
    let mut late = slow.resubscribe();
    assert_eq!(late.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(slow.recv().await, Err(RecvError::Lagged(2)));
    assert_eq!((slow.recv().await, slow.recv().await), (Ok(2), Ok(3)));
    assert_eq!(quick.recv().await, Err(RecvError::Lagged(1)));
    drop(sender);
    assert_eq!((quick.recv().await, quick.recv().await), (Ok(2), Ok(3)));
    assert_eq!(quick.recv().await, Err(RecvError::Closed));
    assert_eq!(late.recv().await, Err(RecvError::Closed));
    drop((slow, quick, late));
    let (sender, receiver) = broadcast::channel(1);
    drop(receiver);
    assert_eq!(sender.send(1).unwrap_err().0, 1, "nobody is there");
    Ok(())
}

async fn a_watch_shows_the_latest() -> io::Result<()> {
    let (sender, mut receiver) = watch::channel(0);
    assert_eq!(receiver.has_changed().ok(), Some(false));
    assert!(receiver.changed().now_or_never().is_none());
    sender.send(1).unwrap();
    sender.send(2).unwrap();
    assert!(receiver.borrow().has_changed());
    receiver.changed().await.unwrap();
    assert_eq!(*receiver.borrow(), 2);
    assert!(receiver.changed().now_or_never().is_none(), "both sends were one change");
    assert!(!sender.send_if_modified(|value| { *value = 3; false }));
    assert!(receiver.changed().now_or_never().is_none(), "a quiet change is none");
    assert_eq!(*receiver.borrow_and_update(), 3);
    receiver.mark_changed();
    receiver.changed().await.unwrap();
    let mut other = receiver.clone();
    let waits = spawn(async move { other.wait_for(|value| *value > 10).await.map(|value| *value).ok() });
    for n in 9..13 {
        settle().await;
        sender.send_modify(|value| *value = n);
    }
    assert_eq!(waits.await.unwrap(), Some(11));
    assert_eq!(sender.receiver_count(), 1);
    Ok(())
}

async fn a_watch_that_is_closed() -> io::Result<()> {
    let (sender, mut receiver) = watch::channel(0);
    let mut other = receiver.clone();
    let waits = spawn(async move { other.changed().await.is_err() });
    settle().await;
    sender.send(1).unwrap();
    assert!(!waits.await.unwrap());
    drop(sender);
    assert!(receiver.has_changed().is_err());
    assert!(receiver.changed().await.is_ok(), "there is one change to see");
    assert!(receiver.changed().await.is_err());
    assert_eq!(receiver.wait_for(|value| *value == 1).await.map(|value| *value).ok(), Some(1));
    assert!(receiver.wait_for(|value| *value == 2).await.is_err());
    let (sender, receiver) = watch::channel(0);
    let sender = Rc::new(sender);
    let watches = Rc::clone(&sender);
    let closed = spawn(async move { watches.closed().await });
    settle().await;
    drop(receiver);
    closed.await.unwrap();
    assert!(sender.is_closed());
    assert_eq!(sender.send(1).unwrap_err().0, 1);
    assert_eq!((sender.send_replace(2), *sender.borrow()), (0, 2));
    let mut again = sender.subscribe();
    assert!(again.changed().now_or_never().is_none(), "it has seen what was there");
    Ok(())
}

on_both!(
    a_mutex_serves_in_the_order_of_asking,
    a_mutex_forgets_who_gave_up,
    readers_do_not_pass_a_writer_that_waits,
    a_semaphore_serves_in_the_order_of_asking,
    one_notification_is_kept,
    a_notification_is_passed_on,
    a_barrier_has_one_leader_a_round,
    a_cell_is_filled_once,
    a_channel_holds_so_many,
    a_closed_channel_gives_what_it_has,
    a_cancelled_recv_takes_nothing,
    one_value_or_none,
    a_broadcast_reaches_all_who_keep_up,
    a_watch_shows_the_latest,
    a_watch_that_is_closed,
);
