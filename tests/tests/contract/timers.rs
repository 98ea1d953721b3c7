//! Time: sleeps, time-outs, intervals.
//!
//! On Linux a sleep is late by as much as the machine is busy. What is asserted is what holds anyway:
//! never early, ordered by deadline, scheduled instants exact.

use crate::on_both;
use futures_util::future::join_all;
use sim::time::{
    Elapsed, Instant, MissedTicks, SystemTime, interval, sleep, sleep_until, timeout, timeout_at,
};
use std::cell::RefCell;
use std::future::{Future, pending, poll_fn, ready};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

const fn ms(number: u64) -> Duration {
    Duration::from_millis(number)
}

/// Polls once.
async fn is_ready<F: Future + Unpin>(future: &mut F) -> bool {
    poll_fn(|context| Poll::Ready(Pin::new(&mut *future).poll(context).is_ready())).await
}

async fn a_sleep_is_never_early() -> io::Result<()> {
    for duration in [ms(0), Duration::from_nanos(1), Duration::from_micros(1500), ms(7), ms(30)] {
        let before = Instant::now();
        sleep(duration).await;
        assert!(before.elapsed() >= duration, "{duration:?} took {:?}", before.elapsed());
    }
    Ok(())
}

async fn deadlines_order_sleeps() -> io::Result<()> {
    let order = Rc::new(RefCell::new(Vec::new()));
    let start = Instant::now();
    let tasks: Vec<_> = [30_u64, 10, 50, 20, 40]
        .into_iter()
        .map(|number| {
            let order = Rc::clone(&order);
            sim::spawn(async move {
                sleep_until(start + ms(number)).await;
                order.borrow_mut().push(number);
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(order.take(), [10, 20, 30, 40, 50]);
    Ok(())
}

async fn sleeps_of_one_task_run_at_once() -> io::Result<()> {
    let start = Instant::now();
    let ends = join_all([30, 10, 20].map(|number| async move {
        sleep(ms(number)).await;
        Instant::now() - start
    }));
    let ends = ends.await;
    assert!(ends[1] <= ends[2] && ends[2] <= ends[0], "{ends:?}");
    assert!(ends.iter().zip([30, 10, 20]).all(|(end, number)| *end >= ms(number)));
    Ok(())
}

async fn a_time_out_ends_what_takes_too_long() -> io::Result<()> {
    assert_eq!(timeout(ms(5), ready(1)).await, Ok(1));
    assert_eq!(
        timeout(Duration::ZERO, ready(1)).await,
        Ok(1),
        "who is ready at the deadline has made it"
    );
    let before = Instant::now();
    let elapsed: Elapsed = timeout(ms(15), pending::<()>()).await.unwrap_err();
    assert!(before.elapsed() >= ms(15));
    assert_eq!(io::Error::from(elapsed).kind(), io::ErrorKind::TimedOut);
    assert!(timeout_at(Instant::now() + ms(5), sleep(Duration::from_secs(3600))).await.is_err());
    assert!(timeout(Duration::from_secs(3600), sleep(ms(5))).await.is_ok());
    Ok(())
}

async fn time_outs_nest() -> io::Result<()> {
    let outer = timeout(ms(10), timeout(Duration::from_secs(60), pending::<()>())).await;
    assert!(outer.is_err());
    let inner = timeout(Duration::from_secs(60), timeout(ms(10), pending::<()>())).await;
    assert!(inner.unwrap().is_err());
    Ok(())
}

async fn a_dropped_sleep_leaves_nothing() -> io::Result<()> {
    let before = Instant::now();
    let mut polled = sleep(Duration::from_secs(3600));
    assert!(!is_ready(&mut polled).await);
    drop((polled, sleep(Duration::from_secs(7200))));
    sleep(ms(5)).await;
    assert!(before.elapsed() < Duration::from_secs(60));
    let polls =
        || sim::task::all().iter().find(|task| Some(task.id) == sim::task::try_id()).unwrap().polls;
    let count = polls();
    let mut soon = sleep(ms(30));
    assert!(!is_ready(&mut soon).await);
    drop(soon);
    sleep(ms(60)).await;
    assert_eq!(polls() - count, 1, "the timer of a dropped sleep does not wake its task");
    Ok(())
}

async fn a_sleep_can_be_reset() -> io::Result<()> {
    let start = Instant::now();
    let mut later = sleep(ms(30));
    assert!(!is_ready(&mut later).await);
    later.reset(later.deadline_ns() + 25_000_000);
    (&mut later).await;
    assert!(start.elapsed() >= ms(55));
    assert!(later.is_elapsed());
    let mut sooner = sleep(Duration::from_secs(3600));
    assert!(!is_ready(&mut sooner).await);
    sooner.reset(later.deadline_ns());
    (&mut sooner).await;
    assert!(start.elapsed() < Duration::from_secs(60));
    sooner.reset(sooner.deadline_ns() + 3_600_000_000_000);
    assert!(!is_ready(&mut sooner).await, "and it can be used again after its end");
    assert!(!sooner.is_elapsed());
    Ok(())
}

async fn a_sleep_moves_to_the_task_that_polls_it() -> io::Result<()> {
    let mut first = sleep(ms(30));
    assert!(!is_ready(&mut first).await);
    let task = sim::spawn(first);
    task.await.unwrap();
    Ok(())
}

async fn the_past_is_over() -> io::Result<()> {
    let past = Instant::now();
    sleep(ms(2)).await;
    assert!(is_ready(&mut sleep_until(past)).await);
    assert!(is_ready(&mut sleep(Duration::ZERO)).await);
    Ok(())
}

async fn an_interval_keeps_its_beat() -> io::Result<()> {
    let start = Instant::now();
    let mut beat = interval(ms(10));
    let first = beat.tick().await;
    assert!(first >= start && first <= Instant::now());
    for n in 1..=4 {
        assert_eq!(beat.tick().await, first + ms(10 * n));
        assert!(Instant::now() >= first + ms(10 * n));
    }
    Ok(())
}

async fn missed_ticks_come_in_a_burst() -> io::Result<()> {
    let mut beat = interval(ms(40));
    let first = beat.tick().await;
    sleep(ms(130)).await;
    let late = Instant::now();
    for n in 1..=3 {
        assert_eq!(beat.tick().await, first + ms(40 * n), "each missed tick is given");
    }
    let next = beat.tick().await;
    assert_eq!(next, first + ms(160));
    assert!(Instant::now() >= next && late < next + ms(10_000));
    Ok(())
}

async fn missed_ticks_delay_the_beat() -> io::Result<()> {
    let mut beat = interval(ms(20));
    beat.set_missed_ticks(MissedTicks::Delay);
    let first = beat.tick().await;
    sleep(ms(70)).await;
    let late = beat.tick().await;
    assert!(
        late >= first + ms(20) && late < first + ms(60),
        "the tick that came late is given: {:?}",
        late - first
    );
    let late = Instant::now();
    let next = beat.tick().await;
    assert!(
        next >= first + ms(90) && next <= late + ms(20),
        "a period after the late tick: {:?}",
        next - first
    );
    Ok(())
}

async fn missed_ticks_are_skipped() -> io::Result<()> {
    let mut beat = interval(ms(20));
    beat.set_missed_ticks(MissedTicks::Skip);
    let first = beat.tick().await;
    sleep(ms(70)).await;
    let slept = Instant::now();
    assert_eq!(beat.tick().await, first + ms(20));
    let next = beat.tick().await;
    let since = (next - first).as_nanos();
    assert_eq!(since % ms(20).as_nanos(), 0, "the beat is the original one");
    assert!(next > slept && next >= first + ms(80));
    Ok(())
}

async fn a_tick_that_is_given_up_is_not_lost() -> io::Result<()> {
    let mut beat = interval(ms(100));
    let first = beat.tick().await;
    assert!(timeout(ms(1), beat.tick()).await.is_err());
    assert_eq!(beat.tick().await, first + ms(100));
    Ok(())
}

async fn clocks_go_on() -> io::Result<()> {
    let (monotonic, real) = (Instant::now(), SystemTime::now());
    sleep(ms(10)).await;
    assert!(Instant::now() - monotonic >= ms(10));
    assert!(SystemTime::now().duration_since(real).unwrap() >= ms(9));
    assert_eq!(monotonic - Instant::now(), Duration::ZERO, "a negative difference is none");
    assert_eq!(monotonic.checked_add(Duration::MAX), None);
    assert!(monotonic.checked_sub(Duration::from_secs(1 << 40)).is_none());
    Ok(())
}

on_both!(
    a_sleep_is_never_early,
    deadlines_order_sleeps,
    sleeps_of_one_task_run_at_once,
    a_time_out_ends_what_takes_too_long,
    time_outs_nest,
    a_dropped_sleep_leaves_nothing,
    a_sleep_can_be_reset,
    a_sleep_moves_to_the_task_that_polls_it,
    the_past_is_over,
    an_interval_keeps_its_beat,
    missed_ticks_come_in_a_burst,
    missed_ticks_delay_the_beat,
    missed_ticks_are_skipped,
    a_tick_that_is_given_up_is_not_lost,
    clocks_go_on,
);
