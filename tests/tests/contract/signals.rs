//! Signals as events.

use crate::{on_both, settle};
use sim::signal::{Signal, Signals};
use std::io;
use std::process::Command;
use std::time::Duration;

/// Sends a signal to the caller's process.
fn send(signal: Signal) {
    if sim::in_simulation() {
        assert!(sim::host::current().signal(signal), "somebody takes it");
        return;
    }
    let name = match signal {
        Signal::Interrupt => "-INT",
        Signal::Terminate => "-TERM",
    };
    let sent = Command::new("kill").args([name, &std::process::id().to_string()]).status();
    assert!(sent.expect("there is a kill(1)").success());
}

/// One case, because signals are the process's and cases run side by side in it.
async fn signals_arrive() -> io::Result<()> {
    let mut signals = Signals::new(&[Signal::Interrupt, Signal::Terminate])?;
    send(Signal::Terminate);
    assert_eq!(signals.recv().await?, Signal::Terminate);
    let early = sim::time::timeout(Duration::from_millis(20), signals.recv()).await;
    assert!(early.is_err(), "a signal is told once");
    for _ in 0..3 {
        send(Signal::Interrupt);
    }
    settle().await;
    send(Signal::Terminate);
    settle().await;
    assert_eq!(
        signals.recv().await?,
        Signal::Interrupt,
        "the lowest number first, and three merge into one"
    );
    assert_eq!(signals.recv().await?, Signal::Terminate);
    let mut others = Signals::new(&[Signal::Interrupt])?;
    let waiting = sim::spawn(async move { others.recv().await });
    settle().await;
    send(Signal::Interrupt);
    assert_eq!(waiting.await.unwrap()?, Signal::Interrupt);
    assert_eq!(signals.recv().await?, Signal::Interrupt, "each stream has its own");
    Ok(())
}

on_both!(signals_arrive);
