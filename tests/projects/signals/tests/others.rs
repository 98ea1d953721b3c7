//! Signals that mean what one likes, counted.

use std::time::Duration;
use tokio::signal::unix::{signal, SignalKind};

fn raise(number: i32) {
    // SAFETY: raise(3) reads no memory.
    assert_eq!(unsafe { libc::raise(number) }, 0);
}

#[tokio::test]
async fn two_listeners_hear_one_signal() {
    let mut one = signal(SignalKind::hangup()).unwrap();
    let mut other = signal(SignalKind::hangup()).unwrap();
    let mut user = signal(SignalKind::user_defined1()).unwrap();
    raise(libc::SIGHUP);
    assert_eq!(tokio::join!(one.recv(), other.recv()), (Some(()), Some(())));
    let silence = tokio::time::timeout(Duration::from_millis(50), user.recv()).await;
    assert!(silence.is_err(), "nobody sent SIGUSR1");
}

#[tokio::test]
async fn signals_that_come_together_may_be_heard_once() {
    let mut user = signal(SignalKind::user_defined2()).unwrap();
    let threads: Vec<_> = (0..3).map(|_| std::thread::spawn(|| raise(libc::SIGUSR2))).collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let mut heard = 0;
    while tokio::time::timeout(Duration::from_millis(20), user.recv()).await.is_ok() {
        heard += 1;
    }
    assert!((1..=3).contains(&heard), "{heard}");
}
