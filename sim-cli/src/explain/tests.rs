//! Stories of executions that are made by hand.

use super::story::{Critical, Story, Teller, put_off, ran, wanted};
use super::text::text;
use super::turns;
use sim_core::choice::{Answer, Answered, Key, Names, Path};
use sim_core::trace::{Aside, Call, Event, Kind, Recorded};
use std::time::Duration;

/// An execution while it is made.
#[derive(Clone)]
struct Making {
    recorded: Recorded,
    names: Names,
    at: Duration,
}

impl Making {
    fn new() -> Self {
        let mut names = Names::default();
        names.keep();
        Self { recorded: Recorded::default(), names, at: Duration::ZERO }
    }

    /// The path of this text.
    fn path(&mut self, text: &str) -> Path {
        let mut path = Path::WORLD;
        for segment in text.split('/') {
            let (name, ordinal) = segment.rsplit_once('#').unwrap_or((segment, "0"));
            let child = path.child(name, ordinal.parse().unwrap());
            self.names.note(child, path, name, ordinal.parse().unwrap());
            path = child;
        }
        path
    }

    fn event(mut self, kind: Kind, actor: &str, object: u64, len: u64) -> Self {
        self.at += Duration::from_micros(1);
        let actor = self.path(actor);
        let at = sim_core::Env::new(sim_core::choice::Choices::replay(&Default::default())).now;
        let at = at.saturating_add(self.at);
        self.recorded.events.push(Event { at, kind, actor, object, len, data: 0 });
        self
    }

    fn poll(self, actor: &str, turn: u64) -> Self {
        self.event(Kind::Poll, actor, turn, 0)
    }

    fn aside(mut self, aside: impl FnOnce(&mut Self, u64) -> Aside) -> Self {
        let after = self.recorded.events.len() as u64;
        let aside = aside(&mut self, after);
        self.recorded.asides.push(aside);
        self
    }

    fn uses(self, actor: &str, kind: &str) -> Self {
        let kind = kind.to_owned();
        self.aside(|making, after| Aside::Touched {
            after,
            actor: making.path(actor),
            kind,
            object: 0,
        })
    }

    fn wakes(self, by: &str, whom: &str) -> Self {
        self.aside(|making, after| Aside::Woke {
            after,
            by: making.path(by),
            whom: making.path(whom),
        })
    }

    fn stands(self, actor: &str, turn: u32, place: &str) -> Self {
        let place = place.to_owned();
        self.aside(|making, _| Aside::Stood { actor: making.path(actor), turn, place })
    }

    fn spawned(self, actor: &str, place: &str) -> Self {
        let place = place.to_owned();
        self.aside(|making, _| Aside::Spawned { actor: making.path(actor), place })
    }

    fn answered(
        mut self,
        site: &str,
        (path, occurrence): (&str, u32),
        answer: Answer,
        turn: (&str, u32),
        first: Option<(&str, u32)>,
    ) -> Self {
        let key = Key { site: site.into(), path: path.into(), occurrence };
        let turn = (self.path(turn.0), turn.1);
        let first = first.map(|(actor, number)| (self.path(actor), number));
        self.recorded.answered.push(Answered { key, answer, turn, first });
        self
    }

    fn done(self) -> Recorded {
        Recorded { names: self.names, ..self.recorded }
    }
}

fn told(recorded: &Recorded, critical: Option<&Critical<'_>>) -> String {
    let story = Teller::new(recorded, false, critical).story();
    text(&Story {
        test: String::from("shop::sold_twice"),
        kind: String::from("panic"),
        message: String::from("sold twice\n  left: -1"),
        location: Some(String::from("tests/shop.rs:7:5")),
        shrunk: String::from("run 3 of base seed 0x1, shrunk from 16 choices in 13 runs"),
        replay: String::from("cargo sim replay x.simtrace --until 6"),
        debug: String::from("cargo sim replay --debug x.simtrace"),
        ..story
    })
}

/// Two customers of a shop: one gives up its turn between the look and the sale.
fn two_customers() -> Making {
    let sell = "shop::sell::{closure#0} at src/lib.rs:13\nshop::run at src/lib.rs:30\n";
    Making::new()
        .poll("main/root", 1)
        .event(Kind::Spawn, "main/root/shop::sell::{{closure}}", 0, 0)
        .spawned("main/root/shop::sell::{{closure}}", "src/lib.rs:23:13")
        .event(Kind::Spawn, "main/root/shop::sell::{{closure}}#1", 1, 0)
        .spawned("main/root/shop::sell::{{closure}}#1", "src/lib.rs:23:13")
        .poll("main/root/shop::sell::{{closure}}", 1)
        .uses("main/root/shop::sell::{{closure}}", "tokio.sync.mutex")
        .stands("main/root/shop::sell::{{closure}}", 1, sell)
        .answered(
            "sched.sync",
            ("main/root/shop::sell::{{closure}}", 2),
            Answer::Actor("main/root/shop::sell::{{closure}}#1".into(), 0),
            ("main/root/shop::sell::{{closure}}", 1),
            Some(("main/root/shop::sell::{{closure}}", 0)),
        )
        .poll("main/root/shop::sell::{{closure}}#1", 1)
        .uses("main/root/shop::sell::{{closure}}#1", "tokio.sync.mutex")
        .stands("main/root/shop::sell::{{closure}}#1", 1, sell)
        .event(Kind::End, "main/root/shop::sell::{{closure}}#1", 0, 0)
        .wakes("main/root/shop::sell::{{closure}}#1", "main/root")
        .poll("main/root/shop::sell::{{closure}}", 2)
        .stands("main/root/shop::sell::{{closure}}", 2, sell)
        .event(Kind::End, "main/root/shop::sell::{{closure}}", 0, 0)
        .wakes("main/root/shop::sell::{{closure}}", "main/root")
        .poll("main/root", 2)
        .event(Kind::End, "main/root", 2, 0)
}

#[test]
fn a_preemption_reads_like_this() {
    let recorded = two_customers().done();
    let (turns, answered) = (turns::of(&recorded), &recorded.answered[0]);
    let pair = ran(&recorded, &turns, answered).zip(put_off(&turns, answered));
    let critical = Critical { key: &answered.key, pair };
    insta::assert_snapshot!(told(&recorded, Some(&critical)));
}

#[test]
fn without_debug_information_functions_are_told_and_that_is_said() {
    let recorded = two_customers()
        .stands("main/root/shop::sell::{{closure}}", 1, "shop::sell::{closure#0}\n")
        .done();
    let story = Teller::new(&recorded, false, None).story();
    let place = "A turn 1 at shop::sell (no line: built without debug information)";
    assert!(story.choices[0].text.contains("shop::sell (no line"), "{place}: {:?}", story.choices);
    assert!(story.remarks[0].contains("line-tables-only"), "{:?}", story.remarks);
}

#[test]
fn a_reader_that_ran_first_reads_like_this() {
    let recorded = Making::new()
        .poll("main/root", 1)
        .event(Kind::Spawn, "main/root/set", 0, 0)
        .spawned("main/root/set", "src/lib.rs:36:15")
        .event(Kind::Spawn, "main/root/read", 0, 0)
        .spawned("main/root/read", "src/lib.rs:40:15")
        .stands("main/root", 1, "price at src/lib.rs:44\n")
        .answered(
            "sched.next",
            ("main/root", 1),
            Answer::Actor("main/root/read".into(), 0),
            ("main/root", 1),
            Some(("main/root/set", 0)),
        )
        .poll("main/root/read", 1)
        .event(Kind::End, "main/root/read", 0, 0)
        .poll("main/root/set", 1)
        .event(Kind::End, "main/root/set", 0, 0)
        .wakes("main/root/set", "main/root")
        .poll("main/root", 2)
        .event(Kind::End, "main/root", 2, 0)
        .done();
    let (turns, answered) = (turns::of(&recorded), &recorded.answered[0]);
    let pair = ran(&recorded, &turns, answered).zip(put_off(&turns, answered));
    let critical = Critical { key: &answered.key, pair };
    insta::assert_snapshot!(told(&recorded, Some(&critical)));
}

/// A client sends a request, and the answer comes after or before its patience has ended.
fn request(late: bool) -> Recorded {
    let flow = "b/server/socket";
    let mut making = Making::new()
        .poll("a/client", 1)
        .stands("a/client", 1, "client::ask at src/client.rs:8\n")
        .poll("b/server", 1)
        .event(Kind::Call, "b/server", Call::Send as u64, 12)
        .event(Kind::Send, flow, 3, 12)
        .stands("b/server", 1, "server::answer at src/server.rs:21\n");
    if late {
        making = making
            .answered("net.link.delay", (flow, 3), Answer::Value(1_500_000), ("b/server", 1), None)
            .event(Kind::Timer, "a/client", 1, 0)
            .wakes("a/client", "a/client");
    }
    making = making.event(Kind::Deliver, flow, 3, 12).wakes(flow, "a/client");
    making.poll("a/client", 2).event(Kind::End, "a/client", 2, 0).done()
}

#[test]
fn a_delayed_message_reads_like_this() {
    let (failing, passing) = (request(true), request(false));
    let pair = turns::parted(&turns::of(&failing), &turns::of(&passing));
    let critical = Critical { key: &failing.answered[0].key, pair };
    assert_eq!(wanted(&failing, Some(&critical)).len(), 2, "who waits for the timer, who sent");
    insta::assert_snapshot!(told(&failing, Some(&critical)));
}

#[test]
fn long_stories_leave_out_what_is_far_from_the_choices() {
    let mut making = Making::new().poll("main/root", 1);
    for turn in 2..200 {
        making =
            making.poll("main/root", turn).event(Kind::Call, "main/root", Call::Recv as u64, 7);
        if turn == 100 {
            making = making.answered(
                "app.rand.draw",
                ("main/root", 4),
                Answer::Value(3),
                ("main/root", 100),
                None,
            );
        }
    }
    let recorded = making.done();
    let story = Teller::new(&recorded, false, None).story();
    let told = story.rows.iter().filter(|row| row.left_out == 0).count();
    let left_out: usize = story.rows.iter().map(|row| row.left_out).sum();
    assert!(told < 15, "{told} rows");
    assert_eq!(
        told + left_out,
        100,
        "from the turn of the first choice, every turn is told or counted"
    );
    assert!(
        story.rows.iter().any(|row| row.marks == [1] && row.text.starts_with("turn 100: recv"))
    );
}

#[test]
fn a_failure_without_choices_says_so() {
    let recorded = Making::new().poll("main/root", 1).event(Kind::End, "main/root", 2, 0).done();
    let told = told(&recorded, None);
    assert!(told.contains("It fails in the dullest run of all"), "{told}");
    assert!(told.contains("no choice is needed") && !told.contains("Critical"), "{told}");
}
