//! What a step costs: the processor's time for each turn or sync point, under each strategy.
//!
//! Two programs of many tasks: one in which a step is a turn (`yields`), and one in which it is a sync point at one of a few shared objects
//! (`shares`). It is the time of the thread, so that a busy machine costs little accuracy; what slows it through its caches falls on all
//! strategies, whose runs alternate, and of each schedule the least of the rounds counts. A run's beginning and end are part of it; the programs are long enough for that not to matter.

use crate::campaign::{head, plain_run};
use crate::primitives::{Shared, Work, crew, times};
use rustix::time::{ClockId, clock_gettime};
use sim::{Lesson, PolicyKind, Seed};
use sim_worker::strategy::Strategy;
use std::time::Duration;

/// How many tasks there are.
pub const TASKS: usize = 1000;

/// How many steps each takes.
const STEPS: usize = 50;

/// How many objects they share.
const OBJECTS: usize = 250;

/// How many schedules of the portfolio make one figure: its members have very different costs.
const SCHEDULES: usize = 40;

/// A program of [`TASKS`] tasks.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// Its name in the table.
    pub name: &'static str,
    work: fn() -> Work,
}

/// The processor's time that this thread has had.
fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

/// The programs that are measured.
pub const PROGRAMS: [Program; 2] =
    [Program { name: "yields", work: yields }, Program { name: "shares", work: shares }];

fn yields() -> Work {
    let work = |_| -> Work {
        Box::pin(async {
            for _ in 0..STEPS {
                sim::yield_now().await;
            }
        })
    };
    Box::pin(crew(times(TASKS, work)))
}

fn shares() -> Work {
    Box::pin(async {
        let objects: Vec<Shared<u64>> = (0..OBJECTS).map(|_| Shared::new(0)).collect();
        let work = |number: usize| -> Work {
            let objects = objects.clone();
            Box::pin(async move {
                for step in 0..STEPS {
                    objects[(number + step) % OBJECTS].update(|value| *value += 1).await;
                }
            })
        };
        crew(times(TASKS, work)).await;
    })
}

/// A strategy and what its best round took for a step.
#[derive(Clone, Debug)]
pub struct Cost {
    /// Whose cost it is.
    pub name: String,
    /// The time for a step.
    pub step: Duration,
}

/// The times of a strategy's schedules, still to be measured.
fn schedules(strategy: Strategy) -> Vec<Duration> {
    let count = if strategy == Strategy::Portfolio { SCHEDULES } else { 1 };
    vec![Duration::MAX; count]
}

impl Program {
    /// The cost of a step under each of `strategies`. Each schedule counts with the best of its `rounds`.
    #[must_use]
    pub fn costs(self, strategies: &[Strategy], rounds: u32) -> Vec<Cost> {
        let lesson = head(self.work, Seed::from_u64(0)).lesson.unwrap_or_default();
        let mut best: Vec<Vec<Duration>> =
            strategies.iter().map(|&strategy| schedules(strategy)).collect();
        for _ in 0..rounds {
            for (best, &strategy) in best.iter_mut().zip(strategies) {
                self.round(strategy, &lesson, best);
            }
        }
        let cost = |(strategy, best): (&Strategy, Vec<Duration>)| {
            let steps = (best.len() * TASKS * STEPS) as u32;
            Cost { name: strategy.to_string(), step: best.iter().sum::<Duration>() / steps }
        };
        strategies.iter().zip(best).map(cost).collect()
    }

    fn round(self, strategy: Strategy, lesson: &Lesson, best: &mut [Duration]) {
        for (number, best) in (0..).zip(best) {
            let seed = Seed::from_u64(0).for_run(self.name, number);
            *best = (*best).min(self.run(strategy.policy(seed, false), seed, lesson));
        }
    }

    fn run(self, policy: PolicyKind, seed: Seed, lesson: &Lesson) -> Duration {
        let lesson = lesson.clone();
        let begin = thread_time();
        plain_run(seed).policy(policy).lesson(lesson).run(self.work).unwrap();
        thread_time() - begin
    }
}

/// The same turns in another explorer: as many tasks that yield as often.
#[cfg(feature = "shuttle")]
pub mod shuttle {
    use super::{Cost, STEPS, TASKS, thread_time};
    use ::shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
    use ::shuttle::{Config, Runner, future};
    use std::time::Duration;

    /// The cost of a step under its random walk and its PCT of depth 3, the best of `rounds`.
    #[must_use]
    pub fn costs(rounds: u32) -> Vec<Cost> {
        let best = |run: fn(u64) -> Duration| (0..rounds).map(|round| run(u64::from(round))).min();
        let cost =
            |name: &str, run| Cost { name: name.to_owned(), step: best(run).unwrap_or_default() };
        vec![
            cost("shuttle random", |seed| run(RandomScheduler::new_from_seed(seed, 1))),
            // Its first execution only counts steps; the second is the one that is meant.
            cost("shuttle pct:3", |seed| run(PctScheduler::new_from_seed(seed, 3, 2)) / 2),
        ]
    }

    fn run(scheduler: impl Scheduler + 'static) -> Duration {
        let mut config = Config::new();
        config.max_steps = ::shuttle::MaxSteps::None;
        let begin = thread_time();
        Runner::new(scheduler, config).run(|| {
            let work = || async {
                for _ in 0..STEPS {
                    future::yield_now().await;
                }
            };
            let tasks: Vec<_> = (0..TASKS).map(|_| future::spawn(work())).collect();
            future::block_on(async {
                for task in tasks {
                    task.await.expect("no task panics");
                }
            });
        });
        (thread_time() - begin) / (TASKS * STEPS) as u32
    }
}
