//! What is neither socket nor file: counters, timers and pipes (eventfd(2), timerfd_create(2), pipe(7)).

use crate::{on_both, settle};
use sim::Errno;
use sim_core::backend::{
    Backend, ClockId, Control, EpollControl, EpollInterest, Message, Readiness, RecvFlags,
    SocketKind, TimerSetting,
};
use sim_core::rt::{self, WakerSlot};
use sim_core::{Env, Fd, HostId, Result};
use std::future::poll_fn;
use std::io;
use std::time::Duration;

fn call<R>(f: impl FnOnce(&mut dyn Backend, &mut Env) -> Result<R>) -> Result<R> {
    rt::call(f)
}

/// A call that names the host it is made on.
fn on_host<R>(f: impl FnOnce(&mut dyn Backend, &mut Env, HostId) -> R) -> R {
    let host = rt::with(|runtime| runtime.host());
    rt::call(|b, env| f(b, env, host))
}

fn now(clock: ClockId) -> Duration {
    Duration::from_nanos(on_host(|b, env, host| b.clock_ns(env, host, clock)))
}

fn counter(initial: u32, semaphore: bool) -> Result<Fd> {
    on_host(|b, env, host| b.eventfd(env, host, initial, semaphore))
}

fn timer(clock: ClockId) -> Result<Fd> {
    on_host(|b, env, host| b.timerfd_create(env, host, clock))
}

fn bits(fd: Fd) -> Result<String> {
    Ok(call(|b, env| b.readiness(env, fd))?.to_string())
}

fn close(fd: Fd) -> Result<()> {
    call(|b, env| b.close(env, fd))
}

/// Reads 8 bytes as a number.
fn take(fd: Fd) -> Result<u64> {
    let mut into = [0; 8];
    match call(|b, env| b.read(env, fd, &mut into))? {
        8 => Ok(u64::from_ne_bytes(into)),
        len => panic!("{len} bytes were read"),
    }
}

fn add(fd: Fd, number: u64) -> Result<usize> {
    call(|b, env| b.write(env, fd, &number.to_ne_bytes()))
}

/// Reads 8 bytes when there are some.
async fn taken(fd: Fd) -> Result<u64> {
    let mut slot = WakerSlot::new();
    let mut into = [0; 8];
    poll_fn(|context| {
        rt::poll_call(context, &mut slot, fd, Readiness::IN, |b, env| b.read(env, fd, &mut into))
    })
    .await?;
    Ok(u64::from_ne_bytes(into))
}

async fn counters_count() -> io::Result<()> {
    let fd = counter(0, false)?;
    assert_eq!((bits(fd)?.as_str(), take(fd)), ("OUT", Err(Errno::EAGAIN)));
    assert_eq!((add(fd, 2)?, add(fd, 3)?, bits(fd)?.as_str()), (8, 8, "IN|OUT"));
    assert_eq!((take(fd), take(fd)), (Ok(5), Err(Errno::EAGAIN)));
    assert_eq!(add(fd, u64::MAX), Err(Errno::EINVAL));
    assert_eq!((add(fd, u64::MAX - 1)?, bits(fd)?.as_str()), (8, "IN"));
    assert_eq!((add(fd, 1), add(fd, 0)), (Err(Errno::EAGAIN), Ok(8)));
    assert_eq!(take(fd), Ok(u64::MAX - 1));
    assert_eq!(call(|b, env| b.read(env, fd, &mut [0; 7])), Err(Errno::EINVAL));
    assert_eq!(call(|b, env| b.write(env, fd, &[0; 7])), Err(Errno::EINVAL));
    close(fd)?;
    let fd = counter(2, true)?;
    assert_eq!((take(fd), take(fd), take(fd)), (Ok(1), Ok(1), Err(Errno::EAGAIN)));
    close(fd)?;
    Ok(())
}

async fn a_counter_wakes_who_waits() -> io::Result<()> {
    let fd = counter(0, false)?;
    let reader = sim::spawn(async move { taken(fd).await });
    settle().await;
    assert!(!reader.is_finished());
    add(fd, 7)?;
    assert_eq!(reader.await.unwrap(), Ok(7));
    add(fd, u64::MAX - 1)?;
    let writer = sim::spawn(async move {
        let mut slot = WakerSlot::new();
        poll_fn(|context| {
            rt::poll_call(context, &mut slot, fd, Readiness::OUT, |b, env| {
                b.write(env, fd, &1_u64.to_ne_bytes())
            })
        })
        .await
    });
    settle().await;
    assert!(!writer.is_finished());
    take(fd)?;
    assert_eq!(writer.await.unwrap(), Ok(8));
    close(fd)?;
    Ok(())
}

/// What a reactor's own bell needs: each write is an edge, whether or not the last one was read.
async fn every_write_of_a_counter_is_an_edge() -> io::Result<()> {
    let (fd, epoll) = (counter(0, false)?, on_host(|b, env, host| b.epoll_create(env, host))?);
    let interest = EpollInterest { readiness: Readiness::IN, edge: true, oneshot: false, data: 9 };
    call(|b, env| b.epoll_control(env, epoll, fd, EpollControl::Add(interest)))?;
    let reports = || {
        let mut events = Vec::new();
        call(|b, env| b.epoll_take(env, epoll, 8, &mut events))
    };
    assert_eq!(reports(), Ok(0));
    for _ in 0..2 {
        add(fd, 1)?;
        assert_eq!((reports(), reports()), (Ok(1), Ok(0)));
    }
    [fd, epoll].into_iter().try_for_each(close)?;
    Ok(())
}

async fn sockets_calls_refuse_counters() -> io::Result<()> {
    let fd = counter(1, false)?;
    assert_eq!(call(|b, env| b.send(env, fd, &[0; 8])), Err(Errno::ENOTSOCK));
    let recv = call(|b, env| b.recv(env, fd, &mut [0; 8], RecvFlags::default()));
    assert_eq!(recv, Err(Errno::ENOTSOCK));
    assert_eq!(call(|b, env| b.timerfd_get(env, fd)), Err(Errno::EINVAL));
    close(fd)?;
    Ok(())
}

fn setting(value: Duration, interval: Duration) -> TimerSetting {
    TimerSetting { value, interval }
}

const MS: Duration = Duration::from_millis(1);

async fn a_timer_expires_once() -> io::Result<()> {
    for clock in [ClockId::Monotonic, ClockId::Realtime] {
        let fd = timer(clock)?;
        let off = TimerSetting::default();
        assert_eq!(call(|b, env| b.timerfd_get(env, fd)), Ok(off));
        let old = call(|b, env| b.timerfd_set(env, fd, setting(30 * MS, Duration::ZERO), false))?;
        assert_eq!((old, bits(fd)?.as_str(), take(fd)), (off, "-", Err(Errno::EAGAIN)));
        let left = call(|b, env| b.timerfd_get(env, fd))?;
        assert!(left.value > 20 * MS && left.value <= 30 * MS, "{left:?}");
        let begun = sim::time::Instant::now();
        assert_eq!(taken(fd).await, Ok(1));
        assert!(begun.elapsed() > 29 * MS);
        assert_eq!((bits(fd)?.as_str(), take(fd)), ("-", Err(Errno::EAGAIN)));
        assert_eq!(call(|b, env| b.timerfd_get(env, fd)), Ok(off));
        assert_eq!(call(|b, env| b.write(env, fd, &[0; 8])), Err(Errno::EINVAL));
        close(fd)?;
    }
    Ok(())
}

async fn a_timer_repeats_and_counts() -> io::Result<()> {
    let fd = timer(ClockId::Monotonic)?;
    call(|b, env| b.timerfd_set(env, fd, setting(10 * MS, 10 * MS), false))?;
    assert!(taken(fd).await? >= 1);
    sim::time::sleep(55 * MS).await;
    assert_eq!(bits(fd)?, "IN");
    assert!(take(fd)? >= 4, "the expirations while nobody read were counted");
    assert!(taken(fd).await? >= 1, "and it goes on");
    let old = call(|b, env| b.timerfd_set(env, fd, TimerSetting::default(), false))?;
    assert_eq!(old.interval, 10 * MS);
    sim::time::sleep(25 * MS).await;
    assert_eq!(take(fd), Err(Errno::EAGAIN));
    close(fd)?;
    Ok(())
}

async fn a_timer_takes_a_reading_of_its_clock() -> io::Result<()> {
    for clock in [ClockId::Monotonic, ClockId::Realtime] {
        let fd = timer(clock)?;
        let now = now(clock);
        let at = setting(now + 20 * MS, Duration::ZERO);
        call(|b, env| b.timerfd_set(env, fd, at, true))?;
        let begun = sim::time::Instant::now();
        assert_eq!(taken(fd).await, Ok(1));
        assert!(begun.elapsed() > 15 * MS);
        let past = setting(now, Duration::ZERO);
        call(|b, env| b.timerfd_set(env, fd, past, true))?;
        assert_eq!(taken(fd).await, Ok(1), "what has passed already is due at once");
        close(fd)?;
    }
    Ok(())
}

fn pipe() -> Result<(Fd, Fd)> {
    on_host(|b, env, host| b.pipe(env, host))
}

fn write(fd: Fd, data: &[u8]) -> Result<usize> {
    call(|b, env| b.write(env, fd, data))
}

fn read(fd: Fd, len: usize) -> Result<Vec<u8>> {
    let mut into = vec![0; len];
    let len = call(|b, env| b.read(env, fd, &mut into))?;
    into.truncate(len);
    Ok(into)
}

async fn a_pipe_is_full_by_pages() -> io::Result<()> {
    let (r, w) = pipe()?;
    assert_eq!(
        (bits(r)?.as_str(), bits(w)?.as_str(), read(r, 1)),
        ("-", "OUT", Err(Errno::EAGAIN))
    );
    assert_eq!(write(w, &vec![7; 100_000]), Ok(65_536));
    assert_eq!(
        (bits(r)?.as_str(), bits(w)?.as_str(), write(w, b"x")),
        ("IN", "-", Err(Errno::EAGAIN))
    );
    assert_eq!(call(|b, env| b.readable_bytes(env, r)), Ok(65_536));
    assert_eq!(
        (read(r, 4095)?.len(), bits(w)?.as_str(), write(w, b"x")),
        (4095, "-", Err(Errno::EAGAIN))
    );
    assert_eq!((read(r, 1)?.len(), bits(w)?.as_str()), (1, "OUT"));
    assert_eq!((write(w, &[8; 5000]), bits(w)?.as_str()), (Ok(4096), "-"));
    assert_eq!((read(w, 1), write(r, b"x")), (Err(Errno::EBADF), Err(Errno::EBADF)));
    assert_eq!(call(|b, env| b.send(env, w, b"x")), Err(Errno::ENOTSOCK));
    [r, w].into_iter().try_for_each(close)?;
    let (r, w) = pipe()?;
    assert_eq!((0..100).take_while(|_| write(w, &[7; 3000]).is_ok()).count(), 16);
    assert_eq!((write(w, &[7; 1097]), write(w, &[7; 1096])), (Err(Errno::EAGAIN), Ok(1096)));
    [r, w].into_iter().try_for_each(close)?;
    Ok(())
}

async fn ends_of_a_pipe() -> io::Result<()> {
    let (r, w) = pipe()?;
    let second = call(|b, env| b.dup(env, w))?;
    write(w, b"abc")?;
    close(w)?;
    assert_eq!(bits(r)?, "IN", "the description has another number");
    close(second)?;
    assert_eq!((bits(r)?.as_str(), read(r, 9)?.as_slice()), ("IN|HUP", &b"abc"[..]));
    assert_eq!((bits(r)?.as_str(), read(r, 9)?.len()), ("HUP", 0));
    close(r)?;
    let (r, w) = pipe()?;
    close(r)?;
    assert_eq!(
        (bits(w)?.as_str(), write(w, b"x"), write(w, b"")),
        ("OUT|ERR", Err(Errno::EPIPE), Ok(0))
    );
    close(w)?;
    Ok(())
}

async fn a_pipe_wakes_who_waits() -> io::Result<()> {
    let (r, w) = pipe()?;
    let reader = sim::spawn(async move {
        let mut all = Vec::new();
        loop {
            let (mut slot, mut into) = (WakerSlot::new(), [0; 5000]);
            let len = poll_fn(|context| {
                rt::poll_call(context, &mut slot, r, Readiness::IN, |b, env| {
                    b.read(env, r, &mut into)
                })
            })
            .await?;
            if len == 0 {
                return Result::Ok(all);
            }
            all.extend_from_slice(&into[..len]);
        }
    });
    let data: Vec<u8> = (0..200_000_u32).map(|n| n as u8).collect();
    let mut sent = 0;
    while sent < data.len() {
        let mut slot = WakerSlot::new();
        sent += poll_fn(|context| {
            rt::poll_call(context, &mut slot, w, Readiness::OUT, |b, env| {
                b.write(env, w, &data[sent..])
            })
        })
        .await?;
    }
    close(w)?;
    assert_eq!(reader.await.unwrap()?, data);
    close(r)?;
    Ok(())
}

/// An end of a pipe travels, and keeps the pipe open on its way.
async fn a_pipe_travels() -> io::Result<()> {
    let (r, w) = pipe()?;
    let (a, b) = on_host(|k, env, host| k.socket_pair(env, host, SocketKind::Stream))?;
    let message = Message { data: b"x", to: None, control: &[Control::Rights(vec![w])] };
    call(|k, env| k.send_message(env, a, message))?;
    close(w)?;
    assert_eq!((bits(r)?.as_str(), read(r, 1)), ("-", Err(Errno::EAGAIN)));
    let received = call(|k, env| k.recv_message(env, b, &mut [0; 8], RecvFlags::default()))?;
    let [Control::Rights(numbers)] = received.control.as_slice() else { panic!("{received:?}") };
    assert_eq!((write(numbers[0], b"through"), read(r, 9)), (Ok(7), Ok(b"through".to_vec())));
    close(numbers[0])?;
    assert_eq!(bits(r)?, "HUP");
    [r, a, b].into_iter().try_for_each(close)?;
    Ok(())
}

on_both!(
    a_pipe_is_full_by_pages,
    ends_of_a_pipe,
    a_pipe_wakes_who_waits,
    a_pipe_travels,
    counters_count,
    a_counter_wakes_who_waits,
    every_write_of_a_counter_is_an_edge,
    sockets_calls_refuse_counters,
    a_timer_expires_once,
    a_timer_repeats_and_counts,
    a_timer_takes_a_reading_of_its_clock,
);

#[test]
fn a_timer_follows_its_clock_when_that_is_stepped() {
    let run = sim::Builder::new().run(|| async {
        let fd = timer(ClockId::Realtime)?;
        let now = now(ClockId::Realtime);
        let hour = Duration::from_secs(3600);
        call(|b, env| b.timerfd_set(env, fd, setting(now + hour, Duration::ZERO), true))?;
        sim::host::current().step_clock(3_599_000_000_000);
        let begun = sim::time::Instant::now();
        assert_eq!(taken(fd).await, Ok(1));
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        close(fd)
    });
    assert!(matches!(run.output, Some(Ok(()))), "{:?}", run.report.end);
}
