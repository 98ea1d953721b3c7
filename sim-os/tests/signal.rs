//! Signals as bytes. They reach the whole process, so these tests are one, in a process of their own.

mod common;

use common::{ROOT, TAKE, World, waiter};
use rustix::process::{getpid, kill_process};
use signal_hook::low_level::raise;
use sim_core::Errno;
use sim_core::backend::{Backend, Readiness, RecvFlags, Signal};

/// Sends to this thread, so that the handler has run when this returns; a signal to the process may reach any thread at any time.
fn send(signal: Signal) {
    raise(i32::from(signal as u8)).unwrap();
}

/// How many descriptors this process has open.
fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn signals_are_read_as_their_numbers() {
    let before = open_descriptors();
    let mut w = World::new();
    let mut into = [0; 8];
    let all =
        w.os.signals(&mut w.env, ROOT, &[Signal::Terminate, Signal::Interrupt, Signal::Terminate])
            .unwrap();
    let one = w.os.signals(&mut w.env, ROOT, &[Signal::Terminate]).unwrap();
    assert_eq!(w.os.signals(&mut w.env, ROOT, &[]), Err(Errno::EINVAL));
    assert_eq!(w.os.recv(&mut w.env, all, &mut into, TAKE), Err(Errno::EAGAIN));

    kill_process(getpid(), rustix::process::Signal::TERM).unwrap();
    assert_eq!(w.recv(all), Ok(vec![15]));
    assert_eq!(w.recv(one), Ok(vec![15]), "each description has its own pending signals");
    assert_eq!((w.ready(all), w.ready(one)), ("-".into(), "-".into()));

    // The same signal is merged until it is read; another one is not.
    for signal in [Signal::Terminate, Signal::Interrupt, Signal::Terminate, Signal::Terminate] {
        send(signal);
    }
    w.os.subscribe(&mut w.env, all, Readiness::IN, waiter(1)).unwrap();
    w.until_released(waiter(1));
    assert_eq!(w.os.readable_bytes(&mut w.env, all), Ok(2));
    let peek = RecvFlags { peek: true, ..TAKE };
    assert_eq!(w.os.recv(&mut w.env, all, &mut into, peek), Ok(2));
    assert_eq!(w.os.recv(&mut w.env, all, &mut into[..1], TAKE), Ok(1));
    assert_eq!(w.os.recv(&mut w.env, all, &mut into[1..], TAKE), Ok(1));
    assert_eq!(into[..2], [2, 15]);
    assert_eq!(w.os.recv(&mut w.env, all, &mut into, TAKE), Err(Errno::EAGAIN));

    let texts: Vec<String> = w.os.descriptions().into_iter().map(|open| open.text).collect();
    assert_eq!(texts, ["signals Interrupt|Terminate", "signals Terminate"]);

    // A second number is the same description; once both are closed the other one goes on.
    let second = w.os.dup(&mut w.env, all).unwrap();
    w.os.close(&mut w.env, all).unwrap();
    send(Signal::Interrupt);
    assert_eq!(w.recv(second), Ok(vec![2]));
    w.os.close(&mut w.env, second).unwrap();
    send(Signal::Interrupt);
    assert_eq!(w.recv(one), Ok(vec![15]), "its own, from the merged ones before");
    send(Signal::Terminate);
    assert_eq!(w.recv(one), Ok(vec![15]), "a signal that nobody watches any longer is ignored");

    w.os.close(&mut w.env, one).unwrap();
    drop(w);
    assert_eq!(
        open_descriptors(),
        before,
        "neither handlers nor the backend leave a descriptor behind"
    );
}
