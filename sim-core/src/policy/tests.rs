//! What policies do to small programs: who runs, how often, with which chance.

use crate::choice::{Choices, Odometer, Path, Seed};
use crate::enabled::{EnabledSet, Member, Runnable};
use crate::env::Env;
use crate::id::EventId;
use crate::object::{Object, ObjectKind};
use crate::policy::{Lesson, POLICY_NAMES, PolicyBox, PolicyKind};
use std::collections::BTreeMap;

/// Actors that are all there from the start; each touches its objects one after the other.
struct Program(Vec<Vec<Object>>);

impl Program {
    /// `events` of each actor, each on an object of its own.
    fn of(events: &[u32]) -> Self {
        let own = |actor: usize, event| {
            Object::new(ObjectKind::Lock, path(actor as u32), u64::from(event))
        };
        Self(
            events
                .iter()
                .enumerate()
                .map(|(actor, &n)| (0..n).map(|event| own(actor, event)).collect())
                .collect(),
        )
    }

    fn member(&self, actor: usize, event: usize) -> Member {
        let runnable = Runnable::Event(EventId(actor as u64));
        let level = (actor % 3) as u8;
        let member = Member { level, ..Member::new(runnable, path(actor as u32), event as u32) };
        member.on(self.0[actor][event])
    }

    /// Whose event came when, and what the run taught, and the choices as they are afterwards.
    fn run(&self, choices: Choices, policy: PolicyBox) -> (Vec<usize>, Lesson, Choices) {
        let mut env = Env::new(choices);
        let mut set = EnabledSet::new(policy, &env.choices);
        set.count();
        (0..self.0.len()).for_each(|actor| _ = set.insert(self.member(actor, 0)));
        let mut order = Vec::new();
        let mut syncs = vec![0; self.0.len()];
        while let Some(member) = set.next(&mut env) {
            let Runnable::Event(EventId(actor)) = member.runnable else {
                unreachable!("only events were entered")
            };
            let actor = actor as usize;
            let mut event = member.ordinal as usize;
            loop {
                order.push(actor);
                set.charge(member.path, 100);
                event += 1;
                let Some(&object) = self.0[actor].get(event) else { break };
                syncs[actor] += 1;
                if set.sync(&mut env, member.path, syncs[actor] - 1, object) {
                    set.insert(self.member(actor, event));
                    break;
                }
            }
        }
        let lesson = set.lesson().unwrap();
        (order, lesson, env.choices)
    }

    /// Whose event came when under `kind`, with what the first-in-first-out run has taught.
    fn order(&self, kind: PolicyKind, seed: u64) -> Vec<usize> {
        let fifo = Choices::seeded(Seed::default());
        let policy = PolicyKind::Fifo.build(&fifo, &Lesson::default());
        let (_, lesson, _) = self.run(fifo, policy);
        let choices = Choices::seeded(Seed::from_u64(seed));
        let policy = kind.build(&choices, &lesson);
        self.run(choices, policy).0
    }

    /// How often each order came in `runs` runs.
    fn orders(&self, kind: PolicyKind, runs: u64) -> BTreeMap<Vec<usize>, u64> {
        let mut orders = BTreeMap::new();
        (0..runs).for_each(|seed| *orders.entry(self.order(kind, seed)).or_default() += 1);
        orders
    }
}

fn path(actor: u32) -> Path {
    Path::WORLD.child("m", actor)
}

/// The order in which `actors` members run when each comes back `rounds` times.
fn order(kind: PolicyKind, seed: u64, actors: u32, rounds: u32) -> Vec<u32> {
    let mut env = Env::new(Choices::seeded(Seed::from_u64(seed)));
    let lesson = Lesson::of_choices(actors * rounds);
    let mut set = EnabledSet::new(kind.build(&env.choices, &lesson), &env.choices);
    for n in 0..actors {
        let runnable = Runnable::Event(EventId(u64::from(n)));
        set.insert(Member { level: (n % 3) as u8, ..Member::new(runnable, path(n), 0) });
    }
    let mut turns = Vec::new();
    let mut left = vec![rounds; actors as usize];
    while let Some(m) = set.next(&mut env) {
        let Runnable::Event(EventId(n)) = m.runnable else {
            unreachable!("only events were entered")
        };
        turns.push(n as u32);
        set.charge(m.path, 100);
        left[n as usize] -= 1;
        if left[n as usize] > 0 {
            set.insert(m);
        }
    }
    turns
}

/// Pearson's statistic of counts that should all be equal.
fn chi_square(counts: impl Iterator<Item = u64> + Clone) -> f64 {
    let (n, sum) = counts.clone().fold((0.0, 0.0), |(n, sum), count| (n + 1.0, sum + count as f64));
    let expected = sum / n;
    counts.map(|count| (count as f64 - expected).powi(2) / expected).sum()
}

#[test]
fn every_policy_runs_everybody() {
    for name in POLICY_NAMES {
        let kind: PolicyKind = name.parse().unwrap();
        let mut turns = order(kind, 1, 5, 4);
        assert_eq!(turns.len(), 20, "{name}");
        turns.sort_unstable();
        assert_eq!(turns, (0..5).flat_map(|n| [n; 4]).collect::<Vec<_>>(), "{name}");
    }
}

#[test]
fn fifo_and_fair_go_round() {
    let round: Vec<u32> = (0..4).flat_map(|_| 0..3).collect();
    assert_eq!(order(PolicyKind::Fifo, 1, 3, 4), round);
    assert_eq!(order(PolicyKind::Fair, 1, 3, 4), round);
}

#[test]
fn priority_prefers_low_levels_and_starves_nobody() {
    let turns = order(PolicyKind::Priority, 1, 3, 300);
    assert_eq!(turns[..20], [0; 20]);
    assert!(turns[..200].contains(&2), "two levels are made up for by 128 steps of waiting");
}

#[test]
fn pct_of_depth_one_switches_only_when_it_must() {
    let turns = order(PolicyKind::Pct { depth: 1 }, 7, 4, 5);
    let switches = turns.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert_eq!(switches, 3);
}

#[test]
fn pct_meets_its_bound() {
    // A bug of depth 2: actor 1 begins between the two turns of actor 0.
    let (n, k, d) = (3_u32, 6_u32, 2_u32);
    let is_hit = |seed: &u64| {
        let turns = order(PolicyKind::Pct { depth: d }, *seed, n, 2);
        let nth =
            |actor, nth| turns.iter().enumerate().filter(|(_, a)| **a == actor).nth(nth).unwrap().0;
        (nth(0, 0)..nth(0, 1)).contains(&nth(1, 0))
    };
    let hits = (0..20_000).filter(is_hit).count();
    let bound = 20_000.0 / f64::from(n * k.pow(d - 1));
    assert!(hits as f64 >= bound, "{hits} of 20000, bound {bound}");
}

#[test]
fn every_policy_runs_every_event_at_sync_points() {
    for name in POLICY_NAMES {
        let program = Program::of(&[3, 1, 4]);
        let mut order = program.order(name.parse().unwrap(), 5);
        order.sort_unstable();
        assert_eq!(order, [0, 0, 0, 1, 2, 2, 2, 2], "{name}");
    }
}

#[test]
fn first_in_first_out_is_never_preempted() {
    assert_eq!(Program::of(&[2, 3, 1]).order(PolicyKind::Fifo, 1), [0, 0, 1, 1, 1, 2]);
}

#[test]
fn an_odometer_visits_every_interleaving_once() {
    let program = Program::of(&[2, 1, 2]);
    let (mut odometer, mut orders) = (Odometer::new(), BTreeMap::<_, u64>::new());
    loop {
        let choices = Choices::odometer(odometer);
        let policy = PolicyKind::Fifo.build(&choices, &Lesson::default());
        let (order, _, choices) = program.run(choices, policy);
        *orders.entry(order).or_default() += 1;
        odometer = choices.into_odometer().unwrap();
        if !odometer.advance() {
            break;
        }
    }
    // 5! / (2! 1! 2!) interleavings.
    assert_eq!(orders.len(), 30);
    assert!(orders.values().all(|&count| count == 1), "{orders:?}");
}

#[test]
fn a_uniform_walk_is_uniform_over_interleavings() {
    let orders = Program::of(&[2, 1, 2]).orders(PolicyKind::Urw, 30_000);
    assert_eq!(orders.len(), 30);
    let statistic = chi_square(orders.values().copied());
    // The 99.9 % quantile of chi-square with 29 degrees of freedom.
    assert!(statistic < 58.3, "{statistic} {orders:?}");
    let walk = Program::of(&[2, 1, 2]).orders(PolicyKind::Random, 30_000);
    assert!(chi_square(walk.values().copied()) > 1000.0, "a plain walk is not");
}

#[test]
fn a_selective_walk_is_uniform_over_the_orders_of_the_object() {
    let shared = Object::new(ObjectKind::Lock, Path::WORLD, 0);
    let noise = |n: u32, actor| Program::of(&[0, n, n]).0.swap_remove(actor);
    // Twenty events of their own before, between and behind two each on what they share.
    let script = |actor| {
        let mut script = noise(20, actor);
        script.insert(15, shared);
        script.insert(5 * actor, shared);
        script
    };
    let program = Program(vec![script(1), script(2)]);
    let mut orders: BTreeMap<Vec<usize>, u64> = BTreeMap::new();
    for seed in 0..6_000 {
        let mut seen = [0; 2];
        let order = program.order(PolicyKind::Surw, seed);
        let touches = order.into_iter().filter(|&actor| {
            seen[actor] += 1;
            program.0[actor][seen[actor] - 1] == shared
        });
        *orders.entry(touches.collect()).or_default() += 1;
    }
    assert_eq!(orders.len(), 6);
    let statistic = chi_square(orders.values().copied());
    // The 99.9 % quantile of chi-square with 5 degrees of freedom.
    assert!(statistic < 20.5, "{statistic} {orders:?}");
}

#[test]
fn partial_order_sampling_holds_an_event_back_through_many_others() {
    // Actor 1 touches what actor 0 touches after fifty events of its own: a walk would have to lose fifty coins.
    let shared = Object::new(ObjectKind::Channel, Path::WORLD, 0);
    let mut program = Program::of(&[50, 0]);
    program.0[0].push(shared);
    program.0[1].push(shared);
    let is_late = |seed| program.order(PolicyKind::Pos, seed).last() == Some(&1);
    let hits = (0..3_000).filter(|&seed| is_late(seed)).count();
    // One in 52 is expected, 58 of 3,000, with a standard deviation of 7.5.
    assert!((30..90).contains(&hits), "{hits}");
    let walk = |seed| program.order(PolicyKind::Random, seed).last() == Some(&1);
    assert!(!(0..3_000).any(walk));
}

/// The order of the events of actors, in which the highest of the next ones' priorities comes first.
fn order_by_priorities(events: &[u32], priorities: &[u32]) -> Vec<usize> {
    let first = |actor: usize| events[..actor].iter().sum::<u32>();
    let mut done = vec![0; events.len()];
    let mut order = Vec::new();
    let next = |done: &[u32], actor: usize| {
        let is_left = done[actor] < events[actor];
        is_left.then(|| (priorities[(first(actor) + done[actor]) as usize], actor))
    };
    while let Some((_, actor)) = (0..events.len()).filter_map(|actor| next(&done, actor)).max() {
        done[actor] += 1;
        order.push(actor);
    }
    order
}

/// All orders of `0..n`.
fn permutations(n: u32) -> Vec<Vec<u32>> {
    let Some(last) = n.checked_sub(1) else { return vec![Vec::new()] };
    let insert = |shorter: Vec<u32>| {
        (0..=shorter.len()).map(move |at| {
            let mut longer = shorter.clone();
            longer.insert(at, last);
            longer
        })
    };
    permutations(last).into_iter().flat_map(insert).collect()
}

#[test]
fn partial_order_sampling_deals_one_priority_to_each_event() {
    // Nobody races, so that an event keeps its priority until it comes, whether it was interrupted at a sync point or not.
    let events = [3, 2];
    let mut expected: BTreeMap<Vec<usize>, f64> = BTreeMap::new();
    let dealt = permutations(5);
    for priorities in &dealt {
        *expected.entry(order_by_priorities(&events, priorities)).or_default() += 1.0;
    }
    let orders = Program::of(&events).orders(PolicyKind::Pos, 24_000);
    let statistic: f64 = expected
        .iter()
        .map(|(order, &count)| {
            let count = count * 24_000.0 / dealt.len() as f64;
            (orders.get(order).map_or(0.0, |&seen| seen as f64) - count).powi(2) / count
        })
        .sum();
    assert_eq!((expected.len(), orders.len()), (10, 10));
    // The 99.9 % quantile of chi-square with 9 degrees of freedom.
    assert!(statistic < 27.9, "{statistic} {orders:?} {expected:?}");
}

#[test]
fn a_log_gives_the_same_interleaving_again() {
    let program = Program::of(&[3, 2, 4]);
    for seed in 0..50 {
        let mut choices = Choices::seeded(Seed::from_u64(seed));
        choices.record();
        (0..3).for_each(|n| choices.names.note(path(n), Path::WORLD, "m", n));
        let policy = PolicyKind::Pos.build(&choices, &Lesson::default());
        let (order, _, choices) = program.run(choices, policy);
        assert_eq!(
            order,
            program.order(PolicyKind::Pos, seed),
            "a recorded run is the one searched"
        );
        let replay = Choices::replay(&choices.log().unwrap());
        let policy = PolicyKind::Fifo.build(&replay, &Lesson::default());
        let (replayed, _, replay) = program.run(replay, policy);
        assert_eq!((replayed, replay.drift()), (order, 0));
    }
}

#[test]
fn a_sticky_walk_switches_at_its_rate() {
    let turns = order(PolicyKind::Sticky { one_in: 8 }, 3, 4, 2_000);
    let switches = turns.windows(2).filter(|pair| pair[0] != pair[1]).count();
    // Three quarters of an eighth of about 8,000 choices: a switch may draw the same again.
    assert!((600..900).contains(&switches), "{switches}");
}

#[test]
fn delays_bound_how_often_the_first_is_skipped() {
    let base = order(PolicyKind::Fifo, 1, 4, 5);
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..500 {
        let turns = order(PolicyKind::Delay { delays: 1 }, seed, 4, 5);
        let parted = turns.iter().zip(&base).position(|(a, b)| a != b);
        seen.insert(parted);
    }
    assert!(seen.len() > 10, "a delay may come anywhere: {seen:?}");
}

#[test]
fn an_unfair_policy_hands_over_in_the_end() {
    let mut env = Env::new(Choices::seeded(Seed::from_u64(2)));
    let kind = PolicyKind::Pct { depth: 1 };
    let mut set = EnabledSet::new(kind.build(&env.choices, &Lesson::of_choices(1)), &env.choices);
    for n in 0..2 {
        set.insert(Member::new(Runnable::Event(EventId(n)), path(n as u32), 0));
    }
    let mut turns = [0_u32; 2];
    for _ in 0..11_000 {
        let member = set.next(&mut env).unwrap();
        let Runnable::Event(EventId(n)) = member.runnable else { unreachable!("an event") };
        turns[n as usize] += 1;
        set.insert(member);
    }
    // Strict priorities for 10,000 choices, and then a coin each.
    assert!(turns.iter().all(|&turns| turns > 400), "{turns:?}");
    assert!(turns.iter().any(|&turns| turns > 10_000), "{turns:?}");
}
