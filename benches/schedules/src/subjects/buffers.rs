//! Containers whose users disagree about what they contain: `circular_buffer`, `queue`, `stack` and `stringbuffer`.

use super::Version::{self, Buggy};
use super::{Corrected, Small, Subject};
use crate::primitives::{Lock, Shared, Work, crew};

const fn corrected(program: fn() -> Work, small: fn() -> Work) -> Option<Corrected> {
    Some(Corrected { program, small: Some(small) })
}

pub(super) const SUBJECTS: &[Subject] = &[
    Subject {
        name: "circular_buffer",
        program: || Box::pin(circular_buffer(7, Buggy)),
        corrected: corrected(
            || Box::pin(circular_buffer(7, Version::Corrected)),
            || Box::pin(circular_buffer(1, Version::Corrected)),
        ),
    },
    Subject {
        name: "queue",
        program: || Box::pin(queue(20)),
        corrected: corrected(|| Box::pin(queue_at_once(20)), || Box::pin(queue_at_once(1))),
    },
    Subject {
        name: "stack",
        program: || Box::pin(stack(10, Buggy)),
        corrected: corrected(
            || Box::pin(stack(10, Version::Corrected)),
            || Box::pin(stack(1, Version::Corrected)),
        ),
    },
    Subject {
        name: "stringbuffer",
        program: || Box::pin(stringbuffer(Buggy)),
        corrected: corrected(
            || Box::pin(stringbuffer(Version::Corrected)),
            || Box::pin(stringbuffer(Version::Corrected)),
        ),
    },
];

pub(super) const SMALL: &[Small] =
    &[Small { name: "stringbuffer", program: || Box::pin(stringbuffer(Buggy)), depth: 3 }];

/// Two sides that take turns by flags under a lock.
#[derive(Clone)]
struct Turns {
    lock: Lock,
    may_send: Shared<bool>,
    may_receive: Shared<bool>,
}

impl Turns {
    fn new() -> Self {
        Self { lock: Lock::new(), may_send: Shared::new(true), may_receive: Shared::new(false) }
    }

    async fn sent(&self) {
        self.may_send.write(false).await;
        self.may_receive.write(true).await;
    }

    async fn received(&self) {
        self.may_receive.write(false).await;
        self.may_send.write(true).await;
    }
}

/// A log that is filled and emptied in turns. SCTBench, `circular_buffer_bad`.
///
/// Goes wrong where a side comes round while it is not its turn: it counts the round as if it had had it, and what it expects next is not
/// what the other has put there. The corrected reader asks what was put there.
async fn circular_buffer(rounds: i32, version: Version) {
    let (turns, elements, last) = (Turns::new(), Shared::new(Vec::new()), Shared::new(-1));
    let first = Shared::new(0_usize);
    let writer: Work = {
        let (turns, elements, last) = (turns.clone(), elements.clone(), last.clone());
        Box::pin(async move {
            for round in 0..rounds {
                turns.lock.acquire().await;
                if turns.may_send.read().await {
                    elements.update(|elements| elements.push(round)).await;
                    last.write(round).await;
                    turns.sent().await;
                }
                turns.lock.release().await;
            }
        })
    };
    let reader: Work = Box::pin(async move {
        for round in 0..rounds {
            turns.lock.acquire().await;
            if turns.may_receive.read().await {
                let at = first.update(|first| core::mem::replace(first, *first + 1)).await;
                let element = elements.update(|elements| elements[at]).await;
                let expected = if version == Buggy { round } else { last.read().await };
                assert_eq!(element, expected, "elements come out as they went in");
                turns.received().await;
            }
            turns.lock.release().await;
        }
    });
    crew([writer, reader]).await;
}

/// A queue beside a list of what was put into it. SCTBench, `queue_bad`.
///
/// Goes wrong as [`circular_buffer`] does: each side counts rounds in which it was not its turn, and so the place in the list and the place in
/// the queue part.
async fn queue(size: usize) {
    let turns = Turns::new();
    let (elements, stored) = (Shared::new(Vec::new()), Shared::new(vec![0; size]));
    let head = Shared::new(0_usize);
    let enqueue: Work = {
        let (turns, elements, stored) = (turns.clone(), elements.clone(), stored.clone());
        Box::pin(async move {
            let mut value = 0;
            turns.lock.acquire().await;
            elements.update(|elements| elements.push(value)).await;
            stored.update(|stored| stored[0] = value).await;
            turns.lock.release().await;
            for round in 1..size {
                turns.lock.acquire().await;
                if turns.may_send.read().await {
                    value += 1;
                    elements.update(|elements| elements.push(value)).await;
                    stored.update(|stored| stored[round] = value).await;
                    turns.sent().await;
                }
                turns.lock.release().await;
            }
        })
    };
    let dequeue: Work = Box::pin(async move {
        for round in 0..size {
            turns.lock.acquire().await;
            if turns.may_receive.read().await {
                let at = head.update(|head| core::mem::replace(head, *head + 1)).await;
                // A queue that is read past its end gives what lies there: nothing yet.
                let element = elements.update(|elements| elements.get(at).copied()).await;
                let expected = stored.update(|stored| stored[round]).await;
                assert_eq!(element.unwrap_or(0), expected, "the queue keeps the order");
                turns.received().await;
            }
            turns.lock.release().await;
        }
    });
    crew([enqueue, dequeue]).await;
}

/// As [`queue`], but each side does all its rounds in its turn.
async fn queue_at_once(size: usize) {
    let turns = Turns::new();
    let (elements, stored) = (Shared::new(Vec::new()), Shared::new(vec![0; size]));
    let enqueue: Work = {
        let (turns, elements, stored) = (turns.clone(), elements.clone(), stored.clone());
        Box::pin(async move {
            turns.lock.acquire().await;
            if turns.may_send.read().await {
                for round in 0..size {
                    elements.update(|elements| elements.push(round)).await;
                    stored.update(|stored| stored[round] = round).await;
                }
                turns.sent().await;
            }
            turns.lock.release().await;
        })
    };
    let dequeue: Work = Box::pin(async move {
        turns.lock.acquire().await;
        if turns.may_receive.read().await {
            for round in 0..size {
                let element = elements.update(|elements| elements[round]).await;
                let expected = stored.update(|stored| stored[round]).await;
                assert_eq!(element, expected, "the queue keeps the order");
            }
            turns.received().await;
        }
        turns.lock.release().await;
    });
    crew([enqueue, dequeue]).await;
}

/// A stack that is popped as often as it is pushed. SCTBench, `stack_bad`.
///
/// Goes wrong where the popping side overtakes the pushing one: a flag says that something was pushed once, and not that something is left.
async fn stack(size: usize, version: Version) {
    let (lock, was_pushed, top) = (Lock::new(), Shared::new(false), Shared::new(0_usize));
    let slots = Shared::new(vec![0; size]);
    let push: Work = {
        let (lock, was_pushed) = (lock.clone(), was_pushed.clone());
        let (top, slots) = (top.clone(), slots.clone());
        Box::pin(async move {
            for value in 0..size {
                lock.acquire().await;
                let at = top.read().await;
                assert!(at < size, "the stack overflows");
                slots.update(|slots| slots[at] = value).await;
                top.write(at + 1).await;
                was_pushed.write(true).await;
                lock.release().await;
            }
        })
    };
    let pop: Work = Box::pin(async move {
        for _ in 0..size {
            lock.acquire().await;
            let pops = match version {
                Buggy => was_pushed.read().await,
                Version::Corrected => top.read().await > 0,
            };
            if pops {
                let at = top.read().await;
                assert!(at > 0, "the stack underflows");
                top.write(at - 1).await;
                slots.update(|slots| slots[at - 1]).await;
            }
            lock.release().await;
        }
    });
    crew([push, pop]).await;
}

/// A text with a lock of its own.
#[derive(Clone)]
struct StringBuffer {
    lock: Lock,
    count: Shared<usize>,
    value: Shared<String>,
}

impl StringBuffer {
    fn new(text: &str) -> Self {
        let (count, value) = (Shared::new(text.len()), Shared::new(text.to_owned()));
        Self { lock: Lock::new(), count, value }
    }

    async fn erase(&self, start: usize, end: usize) {
        self.lock.acquire().await;
        let count = self.count.read().await;
        let end = end.min(count);
        assert!(start <= end, "what is erased begins before its end");
        self.value.update(|value| value.replace_range(start..end, "")).await;
        self.count.write(count - (end - start)).await;
        self.lock.release().await;
    }

    async fn append(&self, text: &str) {
        self.lock.acquire().await;
        let count = self.count.read().await;
        self.value.update(|value| value.push_str(text)).await;
        self.count.write(count + text.len()).await;
        self.lock.release().await;
    }

    async fn length(&self) -> usize {
        self.lock.acquire().await;
        let count = self.count.read().await;
        self.lock.release().await;
        count
    }

    async fn characters(&self, end: usize) -> String {
        self.lock.acquire().await;
        let text = self.unlocked_characters(end).await;
        self.lock.release().await;
        text
    }

    async fn unlocked_characters(&self, end: usize) -> String {
        let count = self.count.read().await;
        assert!(end <= count, "there are {count} characters, not {end}");
        self.value.update(|value| value[..end].to_owned()).await
    }

    /// All of it, by its length and then by its characters.
    async fn copy(&self, version: Version) -> String {
        if version == Buggy {
            let length = self.length().await;
            return self.characters(length).await;
        }
        self.lock.acquire().await;
        let length = self.count.read().await;
        let text = self.unlocked_characters(length).await;
        self.lock.release().await;
        text
    }
}

/// A string buffer that is appended to another while it is changed. SCTBench, `stringbuffer-jdk1.4`; the defect was one of JDK 1.4.
///
/// Goes wrong where the text is erased between the question for its length and the one for its characters, each of which is under the lock.
async fn stringbuffer(version: Version) {
    let buffer = StringBuffer::new("abc");
    let change: Work = {
        let buffer = buffer.clone();
        Box::pin(async move {
            buffer.erase(0, 3).await;
            buffer.append("abc").await;
        })
    };
    let append: Work = Box::pin(async move {
        let text = buffer.copy(version).await;
        assert!(text.is_empty() || text == "abc", "a text that never was: {text}");
    });
    crew([change, append]).await;
}
