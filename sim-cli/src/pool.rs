//! Several processes that are told runs of one test, for a search that says which.

use crate::exit::Stop;
use crate::list::Test;
use crate::worker::{Ask, Pause, Said, Scratch, Talk};
use sim_core::simtrace::Simtrace;
use sim_worker::run::FAULTS;
use std::path::Path;
use std::time::Duration;

/// Whoever wants runs performed.
pub(crate) trait Search {
    /// At most `free` runs to perform now. None while others are out: wait. None while none are: it is over.
    fn next(&mut self, free: usize) -> Vec<Ask>;

    /// What became of a run; `trace` holds its events, if it was to be traced.
    fn take(&mut self, number: u64, said: Said, trace: &Path) -> Result<(), Stop>;

    /// Whether nothing that is out could matter any more.
    fn is_over(&self) -> bool;
}

/// The processes.
#[derive(Debug)]
pub(crate) struct Pool<'a> {
    test: &'a Test,
    /// The faults of the failure that is looked at.
    faults: Option<String>,
    scratch: &'a Scratch,
    stall: Duration,
    jobs: usize,
    talks: Vec<Talk>,
}

impl<'a> Pool<'a> {
    /// At most `jobs` processes of `test` for the failure in `file`, started when there is work for them.
    pub(crate) fn new(
        test: &'a Test,
        file: &Simtrace,
        scratch: &'a Scratch,
        stall: Duration,
        jobs: usize,
    ) -> Self {
        let faults = file.config.get(FAULTS).cloned();
        Self { test, faults, scratch, stall, jobs: jobs.max(1), talks: Vec::new() }
    }

    /// Performs what `search` asks for, until it is over.
    pub(crate) fn work(&mut self, search: &mut impl Search) -> Result<(), Stop> {
        let mut pause = Pause::default();
        // What another search left in the middle of a run is of no use to this one.
        self.talks.retain(Talk::is_idle);
        while !search.is_over() {
            let busy = self.talks.iter().filter(|talk| !talk.is_idle()).count();
            let asks = search.next(self.jobs - busy);
            if asks.is_empty() && busy == 0 {
                break;
            }
            for ask in &asks {
                self.give(ask)?;
            }
            match self.take(search)? {
                true => pause = Pause::default(),
                false => pause.sleep(),
            }
        }
        Ok(())
    }

    /// Performs one run.
    pub(crate) fn perform(&mut self, ask: Ask) -> Result<(Said, Option<Vec<u8>>), Stop> {
        let mut one = One { ask: Some(ask), said: None };
        self.work(&mut one)?;
        one.said.ok_or_else(|| Stop::defect("a run was asked for and nothing became of it"))
    }

    fn give(&mut self, ask: &Ask) -> Result<(), Stop> {
        let at = match self.talks.iter().position(Talk::is_idle) {
            Some(at) => at,
            None => {
                self.talks.push(Talk::start(
                    self.test,
                    self.faults.as_deref(),
                    self.scratch,
                    self.stall,
                )?);
                self.talks.len() - 1
            }
        };
        self.talks[at].ask(ask);
        Ok(())
    }

    /// Whether a run has ended.
    fn take(&mut self, search: &mut impl Search) -> Result<bool, Stop> {
        let mut has_ended = false;
        let mut at = 0;
        while at < self.talks.len() {
            let Some((number, said)) = self.talks[at].poll()? else {
                at += 1;
                continue;
            };
            has_ended = true;
            let died = matches!(said, Said::Died(_));
            search.take(number, said, &self.talks[at].trace)?;
            if died {
                self.talks.swap_remove(at);
            } else {
                at += 1;
            }
        }
        Ok(has_ended)
    }
}

/// A search for what becomes of one run.
struct One {
    ask: Option<Ask>,
    said: Option<(Said, Option<Vec<u8>>)>,
}

impl Search for One {
    fn next(&mut self, _free: usize) -> Vec<Ask> {
        self.ask.take().into_iter().collect()
    }

    fn take(&mut self, _number: u64, said: Said, trace: &Path) -> Result<(), Stop> {
        self.said = Some((said, std::fs::read(trace).ok()));
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.said.is_some()
    }
}
