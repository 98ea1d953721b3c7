//! The farm: keeps so many processes at work, and reports each test when it is done.
//!
//! One thread looks after all of them; there is nothing to lock. Tests are reported in the order of
//! their names, whatever order they end in, so that two reports can be compared.

use crate::config::{Settings, StopAt};
use crate::exit::{Code, Stop};
use crate::judge::Judge;
use crate::list::Test;
use crate::plan::{Campaign, Nature, Reached, Task};
use crate::project::Project;
use crate::report::{Event, Failure, Report, TestDone};
use crate::worker::{Order, Outcome, Pause, Scratch, Surroundings, Worker};
use sim_core::simtrace::Simtrace;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// A test, its campaign, and what there is to say about it.
#[derive(Debug)]
struct Entry {
    test: Test,
    campaign: Campaign,
    stored: Vec<(PathBuf, Simtrace)>,
    began: Option<Instant>,
    /// What stored failures came to.
    replayed: Vec<Event>,
    /// How the test failed, if it is a plain one.
    plain: Option<Failure>,
    /// Its events, once it is done; empty after they were reported.
    events: Option<Vec<Event>>,
}

impl Entry {
    fn elapsed(&self) -> Duration {
        self.began.map_or(Duration::ZERO, |began| began.elapsed())
    }
}

#[derive(Debug)]
struct Running {
    entry: usize,
    task: Task,
    worker: Worker,
}

/// What a campaign came to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Total {
    pub(crate) code: Code,
    pub(crate) runs: u64,
    pub(crate) failures: u64,
    pub(crate) divergences: u64,
    pub(crate) sim_seconds: f64,
}

/// The processes and the tests they work for.
#[derive(Debug)]
pub(crate) struct Farm<'a> {
    judge: Judge<'a>,
    settings: &'a Settings,
    scratch: &'a Scratch,
    around: Surroundings,
    entries: Vec<Entry>,
    running: Vec<Running>,
    reported: usize,
    total: Total,
    /// Whether a failure has ended everything.
    is_stopped: bool,
}

impl<'a> Farm<'a> {
    /// A farm for `tests`, of which `stored` are the stored failures.
    pub(crate) fn new(
        project: &'a Project,
        settings: &'a Settings,
        scratch: &'a Scratch,
        tests: Vec<Test>,
        stored: &[(PathBuf, Simtrace)],
        shows_output: bool,
    ) -> Self {
        let goes_on = settings.stop_at == StopAt::Never;
        let entry = |test: Test| {
            let stored: Vec<_> =
                stored.iter().filter(|(_, file)| file.test == test.name).cloned().collect();
            let campaign =
                Campaign::new(settings.budget(&test.name), settings.shard, goes_on, stored.len());
            Entry {
                test,
                campaign,
                stored,
                began: None,
                replayed: Vec::new(),
                plain: None,
                events: None,
            }
        };
        Self {
            judge: Judge { project, settings, scratch },
            settings,
            scratch,
            around: Surroundings { shown: shows_output, ..Surroundings::default() },
            entries: tests.into_iter().map(entry).collect(),
            running: Vec::new(),
            reported: 0,
            total: Total::default(),
            is_stopped: false,
        }
    }

    /// Works until every test is done.
    pub(crate) fn work(mut self, report: &mut Report) -> Result<Total, Stop> {
        let mut pause = Pause::default();
        loop {
            self.start_workers()?;
            if self.take_ended()? == 0 {
                if self.running.is_empty() && !self.is_anything_left() {
                    break;
                }
                pause.sleep();
            } else {
                pause = Pause::default();
            }
            self.conclude()?;
            self.say(report);
        }
        Ok(self.total)
    }

    fn is_anything_left(&self) -> bool {
        !self.is_stopped && self.entries.iter().any(|entry| entry.events.is_none())
    }

    fn start_workers(&mut self) -> Result<(), Stop> {
        for index in 0..self.entries.len() {
            while self.running.len() < self.settings.jobs
                && !self.is_stopped
                && self.entries[index].events.is_none()
            {
                let entry = &mut self.entries[index];
                let elapsed = entry.elapsed();
                let Some(task) = entry.campaign.next(elapsed) else { break };
                entry.began.get_or_insert_with(Instant::now);
                let order = order(entry, task, self.settings, elapsed);
                let worker = Worker::start(
                    &entry.test,
                    &order,
                    self.scratch,
                    &self.around,
                    self.settings.stall,
                )?;
                self.running.push(Running { entry: index, task, worker });
            }
        }
        Ok(())
    }

    /// Takes what ended, and gives up what does not count any more. Returns how many processes ended.
    fn take_ended(&mut self) -> Result<usize, Stop> {
        let before = self.running.len();
        let mut kept = Vec::with_capacity(before);
        for mut running in std::mem::take(&mut self.running) {
            let entry = &mut self.entries[running.entry];
            if self.is_stopped || entry.campaign.is_moot(running.task) {
                entry.campaign.dropped(running.task);
                continue;
            }
            match running.worker.poll()? {
                Some(outcome) => absorb(&self.judge, entry, running.task, outcome)?,
                None => kept.push(running),
            }
        }
        let ended = before - kept.len();
        self.running = kept;
        Ok(ended)
    }

    /// Says what became of the tests that are done.
    fn conclude(&mut self) -> Result<(), Stop> {
        for entry in &mut self.entries {
            if entry.events.is_some() || self.is_stopped || !entry.campaign.is_over(entry.elapsed())
            {
                continue;
            }
            let events = events(entry, &self.judge)?;
            let failed = events
                .iter()
                .any(|event| matches!(event, Event::Failure(_) | Event::Divergence(_)));
            entry.events = Some(events);
            self.is_stopped |= failed && self.settings.stop_at == StopAt::All;
        }
        Ok(())
    }

    /// Reports the tests that are done and have no other before them that is not.
    fn say(&mut self, report: &mut Report) {
        while let Some(entry) = self.entries.get_mut(self.reported) {
            match entry.events.take() {
                Some(events) => events.iter().for_each(|event| {
                    self.total.count(event);
                    report.say(event);
                }),
                // The tests that a failure elsewhere has ended have nothing to report.
                None if self.is_stopped => {}
                None => break,
            }
            entry.events = Some(Vec::new());
            self.reported += 1;
        }
        report.progress(
            self.entries.iter().filter(|entry| entry.events.is_some()).count(),
            self.total.runs,
        );
    }
}

impl Total {
    fn count(&mut self, event: &Event) {
        match event {
            Event::Test(test) => {
                self.runs += test.runs;
                self.sim_seconds += test.sim_seconds;
            }
            Event::Failure(_) => {
                self.failures += 1;
                self.code = self.code.worst(Code::Failed);
            }
            Event::Divergence(_) => {
                self.divergences += 1;
                self.code = self.code.worst(Code::Diverged);
            }
            Event::Start { .. }
            | Event::Coverage { .. }
            | Event::Note { .. }
            | Event::Summary { .. } => {}
        }
    }
}

fn order(entry: &Entry, task: Task, settings: &Settings, elapsed: Duration) -> Order {
    let runs = |first, count| {
        let order = Order::runs(settings.base.to_string(), entry.campaign.strategy(), first, count);
        order.with_faults(settings.faults(entry.test.executable.door))
    };
    match task {
        Task::Stored(index) => Order::replay(&entry.stored[index].0),
        Task::Again { run } => runs(run, 1),
        Task::Batch { first, count } => Order {
            stop: settings.stop_at != StopAt::Never,
            own_runs: entry.campaign.has_own_runs(),
            deadline_ms: entry.campaign.time_left(elapsed).map(|left| left.as_millis() as u64),
            ..runs(first, count)
        },
    }
}

/// Takes note of what a worker came to.
fn absorb(judge: &Judge<'_>, entry: &mut Entry, task: Task, outcome: Outcome) -> Result<(), Stop> {
    outcome.check(&entry.test.name)?;
    match task {
        Task::Stored(index) => {
            let (path, file) = &entry.stored[index];
            let event = judge.stored(&entry.test, file, path, &outcome)?;
            let failed = matches!(event, Event::Failure(_) | Event::Divergence(_));
            entry.campaign.replayed(task, failed);
            entry.replayed.push(event);
        }
        Task::Again { .. } => {
            let fingerprint = outcome.runs.into_iter().next().map(|(_, end)| end.fingerprint);
            entry.campaign.performed_again(task, fingerprint);
        }
        Task::Batch { .. } if outcome.hello.is_none() => {
            entry.campaign.learn(Nature::Plain, None);
            entry.campaign.performed(task, Vec::new(), None);
            if let Some(failed) = outcome.plain_failure() {
                entry.plain = Some(plain(&entry.test, failed));
            }
        }
        Task::Batch { .. } => {
            if entry.campaign.nature().is_none() {
                entry
                    .campaign
                    .learn(Nature::Native, outcome.hello.as_ref().and_then(|hello| hello.runs));
            }
            let death = outcome.death();
            entry.campaign.performed(task, outcome.runs, death);
        }
    }
    Ok(())
}

fn plain(test: &Test, failed: crate::worker::Failed) -> Failure {
    let mut words = vec![String::from("cargo test -p"), test.executable.package.clone()];
    words.extend(test.executable.selection());
    if !test.path.is_empty() {
        words.extend([test.path.clone(), String::from("-- --exact --include-ignored")]);
    }
    Failure {
        test: test.name.clone(),
        replay: words.join(" "),
        kind: failed.kind,
        message: failed.message,
        location: failed.location,
        details: failed.details,
        ..Failure::default()
    }
}

/// The failure of a probe that none of `runs` runs has reached.
fn missed(test: &str, probe: Reached, runs: u64, settings: &Settings) -> Failure {
    let seed = settings.base.to_string();
    Failure {
        test: test.to_owned(),
        kind: String::from("unreached"),
        message: probe.message,
        location: Some(probe.place),
        details: format!("none of {runs} runs came by with the condition true"),
        replay: format!("cargo sim test {test} --seed {seed} --runs {runs}"),
        seed,
        ..Failure::default()
    }
}

/// What there is to say about a test that is done.
fn events(entry: &mut Entry, judge: &Judge<'_>) -> Result<Vec<Event>, Stop> {
    let campaign = &entry.campaign;
    let mut found = Vec::new();
    if let Some(run) = campaign.diverged() {
        let diverged = judge.divergence(&entry.test, &campaign.strategy(), run)?;
        found.push(Event::Divergence(Box::new(diverged)));
    }
    for finding in campaign.findings() {
        found.push(judge.finding(&entry.test, &campaign.strategy(), finding)?);
    }
    let tally = campaign.tally();
    let unreached = campaign.unreached(&tally);
    let is_plain = campaign.nature() == Some(Nature::Plain);
    let name = &entry.test.name;
    let is_failure = |event: &&Event| matches!(event, Event::Failure(_));
    let replayed = entry.replayed.iter().filter(is_failure).count() as u64;
    let diverged = |event: &Event| matches!(event, Event::Divergence(_));
    let mut events = vec![Event::Test(TestDone {
        test: name.clone(),
        plain: is_plain,
        runs: tally.runs + u64::from(is_plain),
        replayed: entry.stored.len() as u64,
        failures: tally.failures
            + replayed
            + u64::from(entry.plain.is_some())
            + unreached.len() as u64,
        diverged: found.iter().chain(&entry.replayed).any(diverged),
        sim_seconds: rounded(tally.simulated_ns as f64 / 1e9),
        wall_seconds: rounded(entry.elapsed().as_secs_f64()),
        fingerprint: if is_plain { String::new() } else { format!("{:016x}", tally.fingerprint) },
    })];
    if tally.runs > 0 {
        events.push(Event::Coverage {
            test: name.clone(),
            schedules: tally.schedules,
            executions: tally.executions,
            choices: tally.choices,
            probes: tally.probes,
        });
    }
    events.append(&mut entry.replayed);
    events.extend(entry.plain.take().map(|failure| Event::Failure(Box::new(failure))));
    events.extend(found);
    let missed = |probe| Event::Failure(Box::new(missed(name, probe, tally.runs, judge.settings)));
    events.extend(unreached.into_iter().map(missed));
    let remarks = tally.remarks.map(|remarks| match tally.remarked {
        1 => remarks,
        runs => format!("{remarks}\n(one of {runs} runs with remarks)"),
    });
    events.extend(remarks.map(|message| Event::Note { test: Some(name.clone()), message }));
    Ok(events)
}

/// To microseconds: a report is read, and its numbers are summed no further.
pub(crate) fn rounded(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e6
}
