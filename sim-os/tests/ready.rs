//! Wait queues and epoll objects: nobody is left out, nobody waits twice.

mod common;

use common::{ROOT, Scratch, TAKE, World, waiter};
use sim_core::backend::{
    Backend, ClockId, EpollControl, EpollEvent, EpollInterest, OpenOptions, Readiness, Shutdown,
    SocketKind, Waited, Waiter,
};
use sim_core::enabled::EnabledSet;
use sim_core::policy::{Fifo, PolicyBox};
use sim_core::{Env, Errno, Fd};
use sim_time::Instant;
use std::time::Duration;

fn interest(readiness: Readiness) -> EpollInterest {
    EpollInterest { readiness, edge: false, oneshot: false, data: 7 }
}

/// What an epoll object reports now.
fn take(w: &mut World, epoll: Fd) -> Vec<String> {
    let mut events = Vec::new();
    let taken = w.os.epoll_take(&mut w.env, epoll, 16, &mut events).unwrap();
    assert_eq!(taken, events.len());
    events.iter().map(|EpollEvent { readiness, data }| format!("{data}:{readiness}")).collect()
}

#[test]
fn who_is_released_is_forgotten() {
    let mut w = World::new();
    let (client, server) = w.connection();
    w.os.subscribe(&mut w.env, server, Readiness::IN, waiter(1)).unwrap();
    assert_eq!(w.released_within(20), []);
    w.os.send(&mut w.env, client, b"x").unwrap();
    w.until_released(waiter(1));
    w.os.send(&mut w.env, client, b"x").unwrap();
    assert_eq!(w.released_within(20), [], "it is still readable, but nobody waits");
    w.os.subscribe(&mut w.env, server, Readiness::IN, waiter(1)).unwrap();
    w.until_released(waiter(1));
}

#[test]
fn each_waiter_gets_what_it_waits_for() {
    let mut w = World::new();
    let (client, server) = w.connection();
    let all = [Readiness::OUT, Readiness::IN, Readiness::RDHUP, Readiness::IN];
    for (n, interest) in (0..).zip(all) {
        w.os.subscribe(&mut w.env, server, interest, waiter(n)).unwrap();
    }
    assert_eq!(w.released_within(20), [waiter(0)]);
    w.os.send(&mut w.env, client, b"x").unwrap();
    assert_eq!(w.released_within(20), [waiter(1), waiter(3)]);
    w.os.shutdown(&mut w.env, client, Shutdown::Write).unwrap();
    assert_eq!(w.released_within(20), [waiter(2)]);
}

#[test]
fn a_waiter_is_in_the_queue_once() {
    let mut w = World::new();
    let (client, server) = w.connection();
    for (n, [first, then]) in
        [[Readiness::PRI, Readiness::IN], [Readiness::IN, Readiness::PRI]].into_iter().enumerate()
    {
        w.os.subscribe(&mut w.env, server, first, waiter(n as u32)).unwrap();
        w.os.subscribe(&mut w.env, server, then, waiter(n as u32)).unwrap();
    }
    w.os.send(&mut w.env, client, b"x").unwrap();
    assert_eq!(
        w.released_within(20),
        [waiter(0), waiter(1)],
        "it waits for both interests, and is released once"
    );
}

#[test]
fn errors_and_hangups_release_everybody() {
    let mut w = World::new();
    let (client, server) = w.connection();
    w.os.send(&mut w.env, client, b"unread").unwrap();
    w.os.subscribe(&mut w.env, client, Readiness::NONE, waiter(1)).unwrap();
    w.os.subscribe(&mut w.env, client, Readiness::PRI, waiter(2)).unwrap();
    assert_eq!(w.released_within(20), []);
    w.os.close(&mut w.env, server).unwrap();
    assert_eq!(w.released_within(20), [waiter(1), waiter(2)]);
}

#[test]
fn who_leaves_is_not_released() {
    let mut w = World::new();
    let (client, server) = w.connection();
    for n in 0..3 {
        w.os.subscribe(&mut w.env, server, Readiness::IN, waiter(n)).unwrap();
    }
    w.os.unsubscribe(&mut w.env, server, waiter(1)).unwrap();
    w.os.unsubscribe(&mut w.env, server, waiter(9)).unwrap();
    w.os.send(&mut w.env, client, b"x").unwrap();
    assert_eq!(w.released_within(20), [waiter(0), waiter(2)]);
    assert_eq!(w.os.send(&mut w.env, client, b"x"), Ok(1));
    w.os.subscribe(&mut w.env, server, Readiness::IN, waiter(1)).unwrap();
    w.os.unsubscribe(&mut w.env, server, waiter(1)).unwrap();
    assert_eq!(w.released_within(20), []);
}

#[test]
fn a_description_outlives_one_of_its_numbers() {
    let mut w = World::new();
    let (client, server) = w.connection();
    let second = w.os.dup(&mut w.env, server).unwrap();
    w.os.subscribe(&mut w.env, server, Readiness::IN, waiter(1)).unwrap();
    w.os.close(&mut w.env, server).unwrap();
    assert_eq!(w.released_within(20), [], "the description is open under its second number");
    w.os.send(&mut w.env, client, b"x").unwrap();
    w.until_released(waiter(1));
    assert_eq!(w.recv(second).unwrap(), b"x");
    assert_eq!(w.os.readiness(&mut w.env, server), Err(Errno::EBADF));
    w.os.close(&mut w.env, second).unwrap();
    assert_eq!(w.recv(client), Ok(vec![]), "the last number closes the connection");
}

#[test]
fn the_last_close_releases_everybody() {
    let mut w = World::new();
    let (_client, server) = w.connection();
    while w.socket(SocketKind::Stream) < server {}
    w.os.subscribe(&mut w.env, server, Readiness::IN, waiter(1)).unwrap();
    w.os.subscribe(&mut w.env, server, Readiness::PRI, waiter(2)).unwrap();
    w.os.close(&mut w.env, server).unwrap();
    assert_eq!(w.env.woken, [waiter(1), waiter(2)]);
    let again = w.socket(SocketKind::Stream);
    assert_eq!(again, server, "the lowest free number is given again");
    w.os.subscribe(&mut w.env, again, Readiness::PRI, waiter(3)).unwrap();
    w.env.woken.clear();
    assert_eq!(
        w.released_within(20),
        [waiter(3)],
        "a fresh socket hangs up; the old waiters are gone"
    );
}

#[test]
fn a_thread_and_a_combinator_wait_like_a_task() {
    let mut w = World::new();
    let (client, server) = w.connection();
    let all = [Waiter::Thread(sim_core::ThreadId(5)), Waiter::Waker(5), waiter(5)];
    for waiter in all {
        w.os.subscribe(&mut w.env, server, Readiness::IN, waiter).unwrap();
    }
    w.os.send(&mut w.env, client, b"x").unwrap();
    assert_eq!(w.released_within(20), all);
}

#[test]
fn more_ready_descriptors_than_one_round_takes() {
    let mut w = World::new();
    let sender = w.socket(SocketKind::Datagram);
    let sockets: Vec<Fd> = (0..300).map(|_| w.socket(SocketKind::Datagram)).collect();
    for (n, &fd) in (0..).zip(&sockets) {
        w.os.bind(&mut w.env, fd, common::inet("127.0.0.1:0")).unwrap();
        w.os.subscribe(&mut w.env, fd, Readiness::IN, waiter(n)).unwrap();
        let to = w.local(fd);
        w.os.send_to(&mut w.env, sender, b"x", to).unwrap();
    }
    let mut released = w.released_within(100);
    released.sort_unstable();
    assert_eq!(released, (0..300).map(waiter).collect::<Vec<_>>());
}

#[test]
fn epoll_level() {
    let mut w = World::new();
    let (client, server) = w.connection();
    let epoll = w.os.epoll_create(&mut w.env, ROOT).unwrap();
    w.os.epoll_control(&mut w.env, epoll, server, EpollControl::Add(interest(Readiness::READ)))
        .unwrap();
    assert!(take(&mut w, epoll).is_empty());
    w.os.subscribe(&mut w.env, epoll, Readiness::IN, waiter(1)).unwrap();
    w.os.send(&mut w.env, client, b"x").unwrap();
    w.until_released(waiter(1));
    assert_eq!(w.ready(epoll), "IN");
    for _ in 0..2 {
        assert_eq!(take(&mut w, epoll), ["7:IN"]);
    }
    assert_eq!(w.recv(server).unwrap(), b"x");
    assert!(take(&mut w, epoll).is_empty());
    w.os.shutdown(&mut w.env, client, Shutdown::Write).unwrap();
    assert_eq!(take(&mut w, epoll), ["7:IN|RDHUP"]);
    w.os.epoll_control(&mut w.env, epoll, server, EpollControl::Delete).unwrap();
    assert!(take(&mut w, epoll).is_empty());
}

#[test]
fn epoll_edge() {
    let mut w = World::new();
    let (client, server) = w.connection();
    let epoll = w.os.epoll_create(&mut w.env, ROOT).unwrap();
    let edge = EpollInterest { edge: true, ..interest(Readiness::IN) };
    w.os.epoll_control(&mut w.env, epoll, server, EpollControl::Add(edge)).unwrap();
    for _ in 0..2 {
        w.os.send(&mut w.env, client, b"x").unwrap();
        assert_eq!(take(&mut w, epoll), ["7:IN"], "each arrival is reported, unread data or not");
        assert!(take(&mut w, epoll).is_empty());
    }
    w.os.epoll_control(&mut w.env, epoll, server, EpollControl::Modify(edge)).unwrap();
    assert_eq!(take(&mut w, epoll), ["7:IN"], "modifying looks again");
}

#[test]
fn epoll_oneshot() {
    let mut w = World::new();
    let (client, server) = w.connection();
    let epoll = w.os.epoll_create(&mut w.env, ROOT).unwrap();
    let oneshot = EpollInterest { oneshot: true, ..interest(Readiness::IN) };
    w.os.epoll_control(&mut w.env, epoll, server, EpollControl::Add(oneshot)).unwrap();
    w.os.send(&mut w.env, client, b"x").unwrap();
    assert_eq!(take(&mut w, epoll), ["7:IN"]);
    w.os.send(&mut w.env, client, b"x").unwrap();
    assert!(take(&mut w, epoll).is_empty());
    w.os.epoll_control(&mut w.env, epoll, server, EpollControl::Modify(oneshot)).unwrap();
    assert_eq!(take(&mut w, epoll), ["7:IN"]);
}

#[test]
fn epoll_errors() {
    let scratch = Scratch::new();
    let mut w = scratch.world();
    let epoll = w.os.epoll_create(&mut w.env, ROOT).unwrap();
    let socket = w.socket(SocketKind::Stream);
    let file =
        w.open("f", OpenOptions { write: true, create: true, ..OpenOptions::default() }).unwrap();
    let (add, modify) =
        (EpollControl::Add(interest(Readiness::IN)), EpollControl::Modify(interest(Readiness::IN)));
    let mut control = |on: Fd, fd: Fd, control| w.os.epoll_control(&mut w.env, on, fd, control);
    assert_eq!(control(epoll, socket, modify), Err(Errno::ENOENT));
    assert_eq!(control(epoll, socket, EpollControl::Delete), Err(Errno::ENOENT));
    assert_eq!(control(epoll, socket, add), Ok(()));
    assert_eq!(control(epoll, socket, add), Err(Errno::EEXIST));
    assert_eq!(control(epoll, epoll, add), Err(Errno::EINVAL));
    assert_eq!(control(epoll, file, add), Err(Errno::EPERM));
    assert_eq!(control(epoll, Fd::new(99), add), Err(Errno::EBADF));
    assert_eq!(control(socket, epoll, add), Err(Errno::EINVAL));
    assert_eq!(w.os.epoll_take(&mut w.env, epoll, 0, &mut Vec::new()), Err(Errno::EINVAL));
    assert_eq!(w.os.epoll_take(&mut w.env, socket, 1, &mut Vec::new()), Err(Errno::EINVAL));
    assert_eq!(w.os.subscribe(&mut w.env, file, Readiness::IN, waiter(1)), Err(Errno::EPERM));
    assert_eq!(w.ready(file), "IN|OUT", "a regular file is always ready (poll(2))");
    assert_eq!(w.released_within(10), []);
}

/// epoll(7), questions 0 and 6.
#[test]
fn epoll_tells_the_numbers_of_a_description_apart() {
    let mut w = World::new();
    let (client, server) = w.connection();
    let epoll = w.os.epoll_create(&mut w.env, ROOT).unwrap();
    let second = w.os.dup(&mut w.env, server).unwrap();
    let add = |data| EpollControl::Add(EpollInterest { data, ..interest(Readiness::IN) });
    w.os.epoll_control(&mut w.env, epoll, server, add(1)).unwrap();
    assert_eq!(
        w.os.epoll_control(&mut w.env, epoll, second, EpollControl::Delete),
        Err(Errno::ENOENT)
    );
    w.os.epoll_control(&mut w.env, epoll, second, add(2)).unwrap();
    w.os.send(&mut w.env, client, b"x").unwrap();
    let mut both = take(&mut w, epoll);
    both.sort_unstable();
    assert_eq!(both, ["1:IN", "2:IN"]);
    w.os.close(&mut w.env, server).unwrap();
    assert_eq!(take(&mut w, epoll).len(), 2, "both stay until the description goes");
    assert_eq!(
        w.os.epoll_control(&mut w.env, epoll, server, EpollControl::Delete),
        Err(Errno::EBADF)
    );
    w.os.close(&mut w.env, second).unwrap();
    assert!(take(&mut w, epoll).is_empty());
}

#[test]
fn an_epoll_object_in_another() {
    let mut w = World::new();
    let (client, server) = w.connection();
    let [inner, outer] = [(); 2].map(|()| w.os.epoll_create(&mut w.env, ROOT).unwrap());
    w.os.epoll_control(&mut w.env, inner, server, EpollControl::Add(interest(Readiness::IN)))
        .unwrap();
    w.os.epoll_control(&mut w.env, outer, inner, EpollControl::Add(interest(Readiness::IN)))
        .unwrap();
    w.os.subscribe(&mut w.env, outer, Readiness::IN, waiter(1)).unwrap();
    assert_eq!(w.released_within(10), []);
    w.os.send(&mut w.env, client, b"x").unwrap();
    w.until_released(waiter(1));
    assert_eq!(take(&mut w, outer), ["7:IN"]);
}

#[test]
fn admitting_looks_without_waiting() {
    let mut w = World::new();
    let (client, server) = w.connection();
    let mut enabled = EnabledSet::new(PolicyBox::Fifo(Fifo), &w.env.choices);
    w.os.subscribe(&mut w.env, server, Readiness::IN, waiter(1)).unwrap();
    let start = std::time::Instant::now();
    w.os.admit(&mut w.env, &mut enabled);
    assert_eq!(w.env.woken, []);
    w.os.send(&mut w.env, client, b"x").unwrap();
    w.os.admit(&mut w.env, &mut enabled);
    assert_eq!(w.env.woken, [waiter(1)]);
    assert!(start.elapsed() < Duration::from_secs(1));
    assert!(enabled.members().is_empty());
    assert_eq!(w.env.due, Instant::MAX);
}

#[test]
fn waiting_keeps_to_its_deadline() {
    let mut w = World::new();
    for micros in [0, 300, 1_000, 2_700, 20_000] {
        let deadline = w.deadline(Duration::from_micros(micros));
        assert_eq!(w.os.wait(&mut w.env, Some(deadline)), Waited::Again);
        assert!(w.env.now >= deadline, "{} is before {deadline}", w.env.now);
        assert!(w.env.now < deadline + Duration::from_secs(5));
    }
    let past = Instant::ZERO;
    assert_eq!(w.os.wait(&mut w.env, Some(past)), Waited::Again);
}

#[test]
fn waiting_does_not_sleep_on_the_released() {
    let mut w = World::new();
    w.env.woken.push(waiter(1));
    assert_eq!(w.os.wait(&mut w.env, None), Waited::Again);
    assert_eq!(w.env.woken, [waiter(1)]);
}

#[test]
fn another_thread_ends_a_wait() {
    let mut w = World::new();
    let waker = w.os.waker();
    let thread = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(30));
        waker.wake();
    });
    let start = std::time::Instant::now();
    assert_eq!(w.os.wait(&mut w.env, None), Waited::Again);
    assert!(start.elapsed() >= Duration::from_millis(30));
    assert!(w.env.now.as_nanos() >= 30_000_000, "waiting sets the time");
    thread.join().unwrap();
    let waker = w.os.waker();
    drop(w);
    waker.wake();
}

#[test]
fn the_clocks_go_on() {
    let mut w = World::new();
    let read = |w: &mut World, clock| w.os.clock_ns(&mut w.env, ROOT, clock);
    let [mono, wall] = [ClockId::Monotonic, ClockId::Realtime].map(|clock| read(&mut w, clock));
    let _ = w.released_within(5);
    assert!(read(&mut w, ClockId::Monotonic) >= mono + 5_000_000);
    assert!(read(&mut w, ClockId::Realtime) > wall);
    assert!(wall > 1_700_000_000_000_000_000, "the calendar is past 2023");
    assert_eq!(w.os.instant_of(&mut w.env, ROOT, 123), Instant::from_nanos(123));
    assert!(!w.os.time_is_virtual());
}

#[test]
fn entropy_is_not_constant() {
    let mut w = World::new();
    let mut draw = |len: usize| {
        let mut bytes = vec![0; len];
        w.os.entropy(&mut w.env, ROOT, &mut bytes);
        bytes
    };
    assert_ne!(draw(32), draw(32));
    let long = draw(100_000);
    let tail = &long[long.len() - 64..];
    assert!(tail.iter().any(|&byte| byte != 0), "all of a long buffer is filled");
    assert!(draw(0).is_empty());
}

#[test]
#[should_panic(expected = "puts no events into the enabled set")]
fn there_are_no_events_to_run() {
    let mut w = World::new();
    let env: &mut Env = &mut w.env;
    w.os.run(env, sim_core::EventId(3));
}

#[test]
fn what_is_open_is_told_once() {
    let mut w = World::new();
    let (client, server) = w.connection();
    let second = w.os.dup(&mut w.env, client).unwrap();
    let epoll = w.os.epoll_create(&mut w.env, ROOT).unwrap();
    let (local, peer) =
        (w.os.local_addr(&mut w.env, client).unwrap(), w.os.peer_addr(&mut w.env, client).unwrap());
    let mut texts: Vec<(Fd, String)> =
        w.os.descriptions().into_iter().map(|open| (open.fd, open.text)).collect();
    texts.sort_unstable();
    let mut expected = vec![
        (client.min(second), format!("tcp {local} -> {peer}")),
        (server, format!("tcp {peer} -> {local}")),
        (epoll, String::from("epoll")),
    ];
    expected.sort_unstable();
    assert_eq!(texts, expected);
    let _ = w.os.recv(&mut w.env, client, &mut [0], TAKE);
}
