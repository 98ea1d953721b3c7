//! What a log amounts to, in one sentence.

use sim_core::choice::{Concern, Key, Log};

/// Where an episode begins.
const BEGIN: &str = "fault.episode.begin";

/// The kind of an episode, by the name under which it asks: `main/faults/crash#3`.
pub(crate) fn fault(path: &str) -> &str {
    let last = path.rsplit('/').next().unwrap_or(path);
    last.split('#').next().unwrap_or(last)
}

/// What it takes for a failure whose log this is.
pub(crate) fn of(log: &Log) -> String {
    let count = |is: &dyn Fn(&str) -> bool| log.iter().filter(|(key, _)| is(&key.site)).count();
    let about = |concern| count(&|site| Concern::of(site) == concern);
    let named = |end: &'static str| count(&|site: &str| site.ends_with(end));
    let begun = |kind: &str| {
        let is_one = |key: &Key| &*key.site == BEGIN && fault(&key.path) == kind;
        log.iter().filter(|(key, _)| is_one(key)).count()
    };
    let faults = [
        (begun("crash"), "crash", "crashes"),
        (begun("kill"), "kill", "kills"),
        (begun("pause"), "pause", "pauses"),
        (begun("partition"), "partition", "partitions"),
        (begun("cut"), "cut link", "cut links"),
        (begun("slow"), "slow link", "slow links"),
        (begun("loss"), "lossy link", "lossy links"),
        (begun("reset"), "reset", "resets"),
        (begun("clock") + about(Concern::Clock), "step of a clock", "steps of clocks"),
        (named("crash.mode").max(named("crash.keep")), "loss of power", "losses of power"),
        (named(".loss"), "lost message", "lost messages"),
        (named(".duplicate"), "duplicated message", "duplicated messages"),
    ];
    let rest = [
        (named(".reorder"), "message that overtakes", "messages that overtake"),
        (about(Concern::Schedule), "preemption", "preemptions"),
        (about(Concern::Delay), "delayed message", "delayed messages"),
        (count(&|site| site == "fs.disk.delay"), "slow disk operation", "slow disk operations"),
        (about(Concern::Branch), "branch of a select!", "branches of select!"),
        (about(Concern::Entropy), "seed of random bytes", "seeds of random bytes"),
        (count(&|site| site == "app.rand.draw"), "draw of the program", "draws of the program"),
    ];
    // What an episode asks besides, whom it befalls and for how long, is told with it.
    let details = count(&|site| site.starts_with("fault.episode.") && site != BEGIN);
    let told: usize = faults.iter().chain(&rest).map(|(n, ..)| n).sum::<usize>() + details;
    let others = (log.len().saturating_sub(told), "other choice", "other choices");
    let needed = faults.iter().any(|(count, ..)| *count > 0);
    let parts = faults.iter().chain(&rest).chain([&others]).filter(|(count, ..)| *count > 0);
    let parts: Vec<String> = parts.map(|(n, one, many)| counted(*n, one, many)).collect();
    match (parts.as_slice(), needed) {
        ([], _) => {
            String::from("it fails in the dullest run of all, first in line and with no delay")
        }
        (parts, true) => joined(parts),
        (parts, false) => format!("no fault needed: {}", joined(parts)),
    }
}

fn joined(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [only] => only.clone(),
        [before @ .., last] => format!("{} and {last}", before.join(", ")),
    }
}

fn counted(count: usize, one: &str, many: &str) -> String {
    const WORDS: [&str; 10] =
        ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
    let number = WORDS.get(count).map_or_else(|| count.to_string(), |word| String::from(*word));
    format!("{number} {}", if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentence(lines: &[&str]) -> String {
        of(&Log::parse(lines.iter().copied(), 1).unwrap())
    }

    #[test]
    fn choices_are_counted_by_what_they_are_about() {
        assert_eq!(
            sentence(&["sched.next a 1 @b", "sched.sync b 0 @a", "net.link.delay a>b 0 7"]),
            "no fault needed: two preemptions and one delayed message"
        );
        assert_eq!(
            sentence(&["net.link.loss a>b 0 1", "sched.next a 1 @b", "app.rand.draw a 0 7"]),
            "one lost message, one preemption and one draw of the program"
        );
        let crash = |word: &str| format!("fault.episode.{word} main/faults/crash#3 0 1");
        let episode = [crash("begin"), crash("whom"), crash("length")];
        let episode: Vec<&str> = episode.iter().map(String::as_str).collect();
        assert_eq!(sentence(&episode), "one crash");
        assert_eq!(sentence(&["net.port.pick a 0 7"]), "no fault needed: one other choice");
        assert_eq!(sentence(&["fs.disk.delay a 0 7"]), "no fault needed: one slow disk operation");
        assert_eq!(
            sentence(&[]),
            "it fails in the dullest run of all, first in line and with no delay"
        );
        let many: Vec<String> = (0..12).map(|n| format!("sched.next a {n} @b")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(sentence(&many), "no fault needed: 12 preemptions");
    }
}
