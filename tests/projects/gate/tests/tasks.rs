//! Every way in which a tokio task is spawned, woken, cancelled and waited for. What is asserted holds in any order.

use futures::stream::{FuturesUnordered, StreamExt};
use futures::FutureExt;
use std::cell::Cell;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, Handle, LocalOptions, LocalRuntime};
use tokio::sync::{mpsc, oneshot, Barrier, Mutex, Notify};
use tokio::task::{self, JoinSet, LocalSet};

#[tokio::test]
async fn spawned_tasks_all_run() {
    let count = Arc::new(AtomicU32::new(0));
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            let count = Arc::clone(&count);
            tokio::spawn(async move {
                task::yield_now().await;
                count.fetch_add(1, Ordering::SeqCst)
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(count.load(Ordering::SeqCst), 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_multi_thread_runtime_shows_its_workers() {
    assert_eq!(Handle::current().metrics().num_workers(), 3);
    let tasks: Vec<_> = (0..50).map(|n| tokio::spawn(async move { n })).collect();
    let mut sum = 0;
    for task in tasks {
        sum += task.await.unwrap();
    }
    assert_eq!(sum, 49 * 50 / 2);
}

#[tokio::test]
async fn a_wake_while_running_is_not_lost() {
    let mut polls = 0;
    std::future::poll_fn(|cx| {
        polls += 1;
        cx.waker().wake_by_ref();
        if polls == 10 { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    assert_eq!(polls, 10);
}

#[tokio::test]
async fn a_task_can_be_aborted_in_every_state() {
    let waiting = tokio::spawn(std::future::pending::<()>());
    let fresh = tokio::spawn(async {});
    fresh.abort();
    task::yield_now().await;
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    assert!(fresh.await.unwrap_err().is_cancelled());
    let own = Arc::new(std::sync::Mutex::new(None));
    let aborts = Arc::clone(&own);
    let task = tokio::spawn(async move {
        loop {
            if let Some(handle) = aborts.lock().unwrap().take() {
                let handle: task::AbortHandle = handle;
                handle.abort();
            }
            task::yield_now().await;
        }
    });
    *own.lock().unwrap() = Some(task.abort_handle());
    assert!(task.await.unwrap_err().is_cancelled());
}

#[tokio::test]
async fn a_panic_is_the_tasks_own() {
    let failed = tokio::spawn(async { panic!("as it should") }).await.unwrap_err();
    assert!(failed.is_panic());
    assert_eq!(tokio::spawn(async { 5 }).await.unwrap(), 5);
    let caught = AssertUnwindSafe(async { panic!("caught") }).catch_unwind().await;
    assert!(caught.is_err());
}

#[test]
#[should_panic(expected = "out of block_on")]
fn a_panic_leaves_block_on() {
    Builder::new_current_thread().build().unwrap().block_on(async { panic!("out of block_on") });
}

#[test]
fn what_is_spawned_before_block_on_runs() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let early = runtime.spawn(async { 3 });
    assert_eq!(runtime.block_on(early).unwrap(), 3);
    let never = Builder::new_current_thread().build().unwrap();
    never.spawn(async { unreachable!("nobody drives its runtime") });
    assert_eq!(runtime.block_on(async { 4 }), 4);
}

#[test]
fn several_threads_block_on_one_runtime() {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let threads: Vec<_> = (0..4)
        .map(|n| {
            let handle = runtime.handle().clone();
            std::thread::spawn(move || handle.block_on(async move { tokio::spawn(async move { n }).await.unwrap() }))
        })
        .collect();
    let sum: i32 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert_eq!(sum, 6);
}

#[test]
fn a_local_set_is_driven_by_block_on() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let set = LocalSet::new();
    let count = Rc::new(Cell::new(0));
    for _ in 0..200 {
        let count = Rc::clone(&count);
        set.spawn_local(async move {
            task::yield_now().await;
            count.set(count.get() + 1);
        });
    }
    runtime.block_on(set);
    assert_eq!(count.get(), 200);
}

#[tokio::test]
async fn a_local_set_inside_a_task() {
    let set = LocalSet::new();
    let (tell, mut told) = mpsc::channel(1);
    let outside = tokio::spawn(async move {
        for n in 0..20 {
            tell.send(n).await.unwrap();
            task::yield_now().await;
        }
    });
    let sum = set
        .run_until(async {
            let inner: Vec<_> = (0..70)
                .map(|n| {
                    task::spawn_local(async move {
                        let deeper = task::spawn_local(async move { n });
                        task::yield_now().await;
                        deeper.await.unwrap()
                    })
                })
                .collect();
            inner[3].abort();
            let mut sum = 0;
            for task in inner {
                sum += task.await.unwrap_or(3);
            }
            while let Some(n) = told.recv().await {
                sum += n;
            }
            sum
        })
        .await;
    outside.await.unwrap();
    assert_eq!(sum, 69 * 70 / 2 + 19 * 20 / 2);
}

#[tokio::test]
async fn a_local_set_inside_a_local_set() {
    let outer = LocalSet::new();
    let value = outer
        .run_until(async {
            task::spawn_local(async {
                let inner = LocalSet::new();
                inner
                    .run_until(async {
                        let mutex = Rc::new(Mutex::new(0));
                        let tasks: Vec<_> = (0..10)
                            .map(|_| {
                                let mutex = Rc::clone(&mutex);
                                task::spawn_local(async move { *mutex.lock().await += 1 })
                            })
                            .collect();
                        for task in tasks {
                            task.await.unwrap();
                        }
                        let value = *mutex.lock().await;
                        value
                    })
                    .await
            })
            .await
            .unwrap()
        })
        .await;
    assert_eq!(value, 10);
}

#[test]
fn a_local_runtime() {
    let runtime = LocalRuntime::new().unwrap();
    let value = runtime.block_on(async {
        let shared = Rc::new(Cell::new(0));
        let tasks: Vec<_> = (0..10)
            .map(|n| {
                let shared = Rc::clone(&shared);
                task::spawn_local(async move {
                    task::yield_now().await;
                    shared.set(shared.get() + n);
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        shared.get()
    });
    assert_eq!(value, 45);
    let other = Builder::new_current_thread().build_local(LocalOptions::default()).unwrap();
    assert_eq!(other.block_on(other.spawn_local(async { 8 })).unwrap(), 8);
}

#[tokio::test]
async fn a_join_set() {
    let mut set: JoinSet<u32> = (0..30).map(|n| async move { n }).collect();
    set.spawn_blocking(|| 100);
    let mut sum = 0;
    while let Some(done) = set.join_next().await {
        sum += done.unwrap();
    }
    assert_eq!(sum, 29 * 30 / 2 + 100);
    set.spawn(std::future::pending());
    set.shutdown().await;
    assert!(set.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocking_in_place_lets_others_run() {
    let (tell, told) = std::sync::mpsc::channel();
    let task = tokio::spawn(async move { tell.send(11).unwrap() });
    // The other task has to run while this one blocks.
    let value = task::block_in_place(|| told.recv_timeout(Duration::from_secs(20)).unwrap());
    assert_eq!(value, 11);
    task.await.unwrap();
    let nested = task::block_in_place(|| {
        Handle::current().block_on(async { tokio::spawn(async { 12 }).await.unwrap() })
    });
    assert_eq!(nested, 12);
}

#[tokio::test]
async fn blocking_threads_wake_tasks() {
    let (tell, told) = oneshot::channel();
    let thread = task::spawn_blocking(move || tell.send(13).unwrap());
    assert_eq!(told.await.unwrap(), 13);
    thread.await.unwrap();
}

#[tokio::test]
async fn many_futures_in_one_task() {
    let notify = Arc::new(Notify::new());
    let barrier = Arc::new(Barrier::new(5));
    let mut all: FuturesUnordered<_> = (0..5)
        .map(|n| {
            let (notify, barrier) = (Arc::clone(&notify), Arc::clone(&barrier));
            async move {
                barrier.wait().await;
                notify.notify_one();
                notify.notified().await;
                n
            }
        })
        .collect();
    let mut sum = 0;
    while let Some(n) = all.next().await {
        sum += n;
        notify.notify_one();
    }
    assert_eq!(sum, 10);
}

#[tokio::test]
async fn a_future_that_is_polled_by_hand_is_not_lost() {
    let mutex = Mutex::new(1);
    assert!(mutex.lock().now_or_never().is_some());
    let (send, mut receive) = mpsc::channel(4);
    send.send(1).now_or_never().unwrap().unwrap();
    assert_eq!(receive.recv().now_or_never(), Some(Some(1)));
}

#[tokio::test]
async fn timers_and_sockets() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let (mut read, mut write) = stream.split();
        tokio::io::copy(&mut read, &mut write).await.unwrap()
    });
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(b"hello").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut text = String::new();
    tokio::time::timeout(Duration::from_secs(20), stream.read_to_string(&mut text)).await.unwrap().unwrap();
    assert_eq!((text.as_str(), server.await.unwrap()), ("hello", 5));
    tokio::time::sleep(Duration::from_millis(1)).await;
}

#[tokio::test]
async fn destructors_run_with_the_turn() {
    struct Tells(Option<oneshot::Sender<u32>>);
    impl Drop for Tells {
        fn drop(&mut self) {
            tokio::spawn(async {});
            let _ = self.0.take().unwrap().send(9);
        }
    }
    let (tell, told) = oneshot::channel();
    let tells = Tells(Some(tell));
    tokio::spawn(async move {
        let _tells = tells;
        task::yield_now().await;
    });
    assert_eq!(told.await.unwrap(), 9);
}


#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_runtime_ends_with_a_ready_task_and_an_idle_thread() {
    // The thread for blocking work waits for more, and is told of the end while a task that will never run has the turn.
    task::spawn_blocking(|| ()).await.unwrap();
    for _ in 0..3 {
        tokio::spawn(async {
            loop {
                task::yield_now().await;
            }
        });
    }
}
