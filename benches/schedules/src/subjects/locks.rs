//! What goes wrong around locks: `account`, `lazy01`, `deadlock01`, `carter01`, `phase01`, `wronglock`, `fsbench` and `din_phil`.

use super::Version::{self, Buggy};
use super::{Corrected, Small, Subject};
use crate::primitives::{Lock, Shared, Work, crew, times};

const fn subject(
    name: &'static str,
    program: fn() -> Work,
    corrected: fn() -> Work,
    small: fn() -> Work,
) -> Subject {
    Subject { name, program, corrected: Some(Corrected { program: corrected, small: Some(small) }) }
}

const fn dining(name: &'static str, program: fn() -> Work, corrected: fn() -> Work) -> Subject {
    subject(name, program, corrected, || Box::pin(din_phil(2, Version::Corrected)))
}

pub(super) const SUBJECTS: &[Subject] = &[
    subject(
        "account",
        || Box::pin(account(Buggy)),
        || Box::pin(account(Version::Corrected)),
        || Box::pin(account_of_two()),
    ),
    subject(
        "lazy01",
        || Box::pin(lazy01(Buggy)),
        || Box::pin(lazy01(Version::Corrected)),
        || Box::pin(lazy01(Version::Corrected)),
    ),
    subject(
        "deadlock01",
        || Box::pin(deadlock01(Buggy)),
        || Box::pin(deadlock01(Version::Corrected)),
        || Box::pin(deadlock01(Version::Corrected)),
    ),
    subject(
        "carter01",
        || Box::pin(carter01(Buggy)),
        || Box::pin(carter01(Version::Corrected)),
        || Box::pin(exclusion()),
    ),
    subject(
        "phase01",
        || Box::pin(phase01(Buggy)),
        || Box::pin(phase01(Version::Corrected)),
        || Box::pin(phase01(Version::Corrected)),
    ),
    subject(
        "wronglock",
        || Box::pin(wronglock(7, Buggy)),
        || Box::pin(wronglock(7, Version::Corrected)),
        || Box::pin(wronglock(1, Version::Corrected)),
    ),
    subject(
        "wronglock_3",
        || Box::pin(wronglock(3, Buggy)),
        || Box::pin(wronglock(3, Version::Corrected)),
        || Box::pin(wronglock(1, Version::Corrected)),
    ),
    subject(
        "fsbench",
        || Box::pin(fsbench(27, 26)),
        || Box::pin(fsbench(26, 26)),
        || Box::pin(fsbench(2, 2)),
    ),
    dining(
        "din_phil2",
        || Box::pin(din_phil(2, Buggy)),
        || Box::pin(din_phil(2, Version::Corrected)),
    ),
    dining(
        "din_phil3",
        || Box::pin(din_phil(3, Buggy)),
        || Box::pin(din_phil(3, Version::Corrected)),
    ),
    dining(
        "din_phil4",
        || Box::pin(din_phil(4, Buggy)),
        || Box::pin(din_phil(4, Version::Corrected)),
    ),
    dining(
        "din_phil5",
        || Box::pin(din_phil(5, Buggy)),
        || Box::pin(din_phil(5, Version::Corrected)),
    ),
    dining(
        "din_phil6",
        || Box::pin(din_phil(6, Buggy)),
        || Box::pin(din_phil(6, Version::Corrected)),
    ),
    dining(
        "din_phil7",
        || Box::pin(din_phil(7, Buggy)),
        || Box::pin(din_phil(7, Version::Corrected)),
    ),
];

pub(super) const SMALL: &[Small] = &[
    Small { name: "deadlock01", program: || Box::pin(deadlock01(Buggy)), depth: 2 },
    Small { name: "carter01", program: || Box::pin(carter01(Buggy)), depth: 2 },
    Small { name: "wronglock", program: || Box::pin(wronglock(1, Buggy)), depth: 2 },
];

/// What was on the account, what is deposited, what is withdrawn.
const ACCOUNT: [i32; 3] = [1, 2, 4];

#[derive(Clone)]
struct Account {
    lock: Lock,
    balance: Shared<i32>,
    is_deposited: Shared<bool>,
    is_withdrawn: Shared<bool>,
}

impl Account {
    fn new() -> Self {
        let (is_deposited, is_withdrawn) = (Shared::new(false), Shared::new(false));
        Self { lock: Lock::new(), balance: Shared::new(ACCOUNT[0]), is_deposited, is_withdrawn }
    }

    fn book(&self, amount: i32, done: &Shared<bool>) -> Work {
        let (account, done) = (self.clone(), done.clone());
        Box::pin(async move {
            account.lock.acquire().await;
            account.balance.add(amount).await;
            done.write(true).await;
            account.lock.release().await;
        })
    }

    fn check(&self, expected: i32) -> Work {
        let account = self.clone();
        Box::pin(async move {
            account.lock.acquire().await;
            if account.is_deposited.read().await && account.is_withdrawn.read().await {
                assert_eq!(account.balance.read().await, expected, "the balance after both");
            }
            account.lock.release().await;
        })
    }
}

/// A balance is checked after a deposit and a withdrawal. SCTBench, `account_bad`.
///
/// Goes wrong where the check comes last: it expects that the deposit was taken away.
async fn account(version: Version) {
    let (account, [before, deposit, withdrawal]) = (Account::new(), ACCOUNT);
    let expected = match version {
        Buggy => before - deposit - withdrawal,
        Version::Corrected => before + deposit - withdrawal,
    };
    let check = account.check(expected);
    let deposit = account.book(deposit, &account.is_deposited);
    let withdraw = account.book(-withdrawal, &account.is_withdrawn);
    crew([check, deposit, withdraw]).await;
}

/// The same with a withdrawal alone.
async fn account_of_two() {
    let (account, [before, _, withdrawal]) = (Account::new(), ACCOUNT);
    account.is_deposited.write(true).await;
    let check = account.check(before - withdrawal);
    crew([check, account.book(-withdrawal, &account.is_withdrawn)]).await;
}

/// Two add to a number, a third does not want to see the sum. SCTBench, `lazy01_bad`.
///
/// Goes wrong where the third comes last. The corrected one does not mind.
async fn lazy01(version: Version) {
    let (lock, data) = (Lock::new(), Shared::new(0));
    let add = |amount| -> Work {
        let (lock, data) = (lock.clone(), data.clone());
        Box::pin(async move {
            lock.acquire().await;
            data.add(amount).await;
            lock.release().await;
        })
    };
    let (first, second) = (add(1), add(2));
    let look: Work = Box::pin(async move {
        lock.acquire().await;
        let data = data.read().await;
        assert!(data < 3 || version == Version::Corrected, "both were added");
        lock.release().await;
    });
    crew([first, second, look]).await;
}

/// Two locks are taken in one order and in the other. SCTBench, `deadlock01_bad`.
///
/// Goes wrong where each has one of them. In the corrected program both take them in the same order.
async fn deadlock01(version: Version) {
    let (a, b, counter) = (Lock::new(), Lock::new(), Shared::new(1));
    let count = |outer: &Lock, inner: &Lock, amount| -> Work {
        let (outer, inner, counter) = (outer.clone(), inner.clone(), counter.clone());
        Box::pin(async move {
            outer.acquire().await;
            inner.acquire().await;
            counter.add(amount).await;
            inner.release().await;
            outer.release().await;
        })
    };
    let up = count(&a, &b, 1);
    let down = if version == Buggy { count(&b, &a, -1) } else { count(&a, &b, -1) };
    crew([up, down]).await;
}

/// Two classes of operations that exclude each other; the first of a class locks for all of it. SCTBench, `carter01_bad`.
///
/// Goes wrong where the first of one class waits for the other class while it holds the lock of the counters, which the last of the
/// other class needs to leave. In the corrected program each class has a lock of its own for its counter. The original's two
/// tasks that do nothing are left out.
async fn carter01(version: Version) {
    let (exclusion, of_all) = (Lock::new(), Lock::new());
    let operation = || -> Work {
        let exclusion = exclusion.clone();
        let counters = if version == Buggy { of_all.clone() } else { Lock::new() };
        let count = Shared::new(0);
        Box::pin(async move {
            counters.acquire().await;
            count.add(1).await;
            if count.read().await == 1 {
                exclusion.acquire().await;
            }
            counters.release().await;
            counters.acquire().await;
            count.add(-1).await;
            if count.read().await == 0 {
                exclusion.release().await;
            }
            counters.release().await;
        })
    };
    crew([operation(), operation()]).await;
}

/// The locks of the corrected [`carter01`], whose counters nobody shares.
async fn exclusion() {
    let exclusion = Lock::new();
    let operation = |_| -> Work {
        let (exclusion, counters) = (exclusion.clone(), Lock::new());
        Box::pin(async move {
            for locks in [true, false] {
                counters.acquire().await;
                if locks {
                    exclusion.acquire().await;
                } else {
                    exclusion.release().await;
                }
                counters.release().await;
            }
        })
    };
    crew(times(2, operation)).await;
}

/// Two locks are taken one after the other. SCTBench, `phase01_bad`.
///
/// Goes wrong in every schedule: the first lock is not released the second time, and the other task waits for ever.
async fn phase01(version: Version) {
    let (x, y) = (Lock::new(), Lock::new());
    let phases = |_| -> Work {
        let (x, y) = (x.clone(), y.clone());
        Box::pin(async move {
            x.acquire().await;
            x.release().await;
            x.acquire().await;
            if version == Version::Corrected {
                x.release().await;
            }
            y.acquire().await;
            y.release().await;
        })
    };
    crew(times(2, phases)).await;
}

/// A number is counted up by one task under a lock, and by `others` under another lock. SCTBench, `wronglock_bad`.
///
/// Goes wrong where another counts between the reads and the write of the first. In the corrected program all use the same lock.
async fn wronglock(others: usize, version: Version) {
    let (lock, data) = (Lock::new(), Shared::new(0));
    let other_lock = if version == Buggy { Lock::new() } else { lock.clone() };
    let first: Work = {
        let data = data.clone();
        Box::pin(async move {
            lock.acquire().await;
            let before = data.read().await;
            data.add(1).await;
            assert_eq!(data.read().await, before + 1, "nobody else has counted");
            lock.release().await;
        })
    };
    let other = |_| -> Work {
        let (lock, data) = (other_lock.clone(), data.clone());
        Box::pin(async move {
            lock.acquire().await;
            data.add(1).await;
            lock.release().await;
        })
    };
    crew([first].into_iter().chain(times(others, other))).await;
}

/// Each task looks for a free block for its file. SCTBench, `fsbench_bad`, after Flanagan and Godefroid (POPL 2005).
///
/// Goes wrong in every schedule where there are more tasks than blocks: the last has no lock.
async fn fsbench(tasks: usize, blocks: usize) {
    let file_locks: Vec<Lock> = (0..blocks).map(|_| Lock::new()).collect();
    let block_locks: Vec<Lock> = (0..blocks).map(|_| Lock::new()).collect();
    let is_busy: Vec<Shared<bool>> = (0..blocks).map(|_| Shared::new(false)).collect();
    let block_of: Vec<Shared<usize>> = (0..tasks).map(|_| Shared::new(0)).collect();
    let allocate = |task: usize| -> Work {
        let (file_locks, block_locks) = (file_locks.clone(), block_locks.clone());
        let (is_busy, block_of) = (is_busy.clone(), block_of.clone());
        Box::pin(async move {
            assert!(task < blocks, "there is no lock for file {task}");
            file_locks[task].acquire().await;
            if block_of[task].read().await == 0 {
                for block in (0..blocks / 2).map(|nth| (2 * task + nth) % blocks) {
                    block_locks[block].acquire().await;
                    let was_free = !is_busy[block].read().await;
                    if was_free {
                        is_busy[block].write(true).await;
                        block_of[task].write(block + 1).await;
                    }
                    block_locks[block].release().await;
                    if was_free {
                        break;
                    }
                }
            }
            file_locks[task].release().await;
        })
    };
    crew(times(tasks, allocate)).await;
}

/// Philosophers at a round table, one of whom takes both forks at a time. SCTBench, `din_phil*_sat`.
///
/// There is no deadlock. Goes wrong where all have eaten, which is what the assertion denies; up to four they are counted without the lock, and
/// a count may be lost. Who eats in the corrected program is not counted.
async fn din_phil(seats: usize, version: Version) {
    let (table, eaten) = (Lock::new(), Shared::new(0));
    let forks: Vec<Lock> = (0..seats).map(|_| Lock::new()).collect();
    let counts_alone = seats > 4;
    let dine = |seat: usize| -> Work {
        let (table, eaten) = (table.clone(), eaten.clone());
        let (left, right) = (forks[seat].clone(), forks[(seat + 1) % seats].clone());
        Box::pin(async move {
            table.acquire().await;
            right.acquire().await;
            left.acquire().await;
            left.release().await;
            right.release().await;
            table.release().await;
            if version == Version::Corrected {
                return;
            }
            if counts_alone {
                table.acquire().await;
            }
            eaten.add(1).await;
            assert!(eaten.read().await as usize != seats, "all have eaten");
            if counts_alone {
                table.release().await;
            }
        })
    };
    crew(times(seats, dine)).await;
}
