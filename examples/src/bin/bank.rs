//! The bank, simulated or for real.
//!
//! Without arguments one simulated run is made; with `--real` the servers listen on loopback until
//! they are interrupted, and curl can talk to them.

use clap::Parser;
use sim::runtime::Runtime;
use sim::signal::{Signal, Signals};
use sim_examples::bank::{self, Retry};
use std::error::Error;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::Poll;

/// A bank on three hosts.
#[derive(Debug, Parser)]
struct Arguments {
    /// Run on the operating system: listen on loopback until interrupted.
    #[arg(long)]
    real: bool,
    /// The seed of the simulated run, decimal or 0x hexadecimal.
    #[arg(long, default_value = "0")]
    seed: sim::Seed,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    if arguments.real { real() } else { simulated(arguments.seed) }
}

/// One simulated run of the client that is right.
fn simulated(seed: sim::Seed) -> Result<(), Box<dyn Error>> {
    let builder = sim::Builder::new().seed(seed).policy(sim::PolicyKind::Random);
    let run = builder.run(|| bank::scenario(Retry::OnlyUnsent));
    let report = run.report;
    println!(
        "seed {seed}: {} steps, {} of virtual time, fingerprint {}",
        report.steps, report.elapsed, report.fingerprint
    );
    match report.end {
        sim::End::Done => Ok(()),
        sim::End::Failed(failure) => Err(failure.into()),
    }
}

/// The servers on loopback, until a signal comes or one of them fails.
fn real() -> Result<(), Box<dyn Error>> {
    let mut runtime = sim::OsRuntime::new()?;
    let signal = runtime.block_on(async {
        let mut signals = Signals::new(&[Signal::Interrupt, Signal::Terminate])?;
        let mut ledger = sim::host("ledger").spawn(bank::serve_ledger());
        let mut front = sim::host("front").spawn(bank::serve_front());
        println!("try: curl -X POST http://{}:{}/transfer", sim::host("front").ip(), bank::PORT);
        poll_fn(|context| {
            for server in [&mut ledger, &mut front] {
                if let Poll::Ready(ended) = Pin::new(server).poll(context) {
                    let ended = ended.map_err(io::Error::other).flatten();
                    let error = ended.err().unwrap_or_else(|| io::Error::other("a server ended"));
                    return Poll::Ready(Err(error));
                }
            }
            signals.poll_recv(context)
        })
        .await
    })?;
    println!("{signal:?}: goodbye");
    Ok(())
}
