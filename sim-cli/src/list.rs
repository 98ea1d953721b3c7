//! The tests of the executables, and which of them are meant.

use crate::build::Executable;
use crate::exit::Stop;
use std::rc::Rc;

/// A test function, or a whole executable without libtest's harness.
#[derive(Clone, Debug)]
pub(crate) struct Test {
    /// Package, target unless it is the package's library, modules, function.
    pub(crate) name: String,
    /// What the executable knows it by; empty for a whole executable.
    pub(crate) path: String,
    pub(crate) executable: Rc<Executable>,
    is_ignored: bool,
}

impl Test {
    /// A test of an executable.
    pub(crate) fn new(executable: &Rc<Executable>, path: &str, is_ignored: bool) -> Self {
        Self {
            name: executable.full_name(path),
            path: path.to_owned(),
            executable: Rc::clone(executable),
            is_ignored,
        }
    }
}

/// Which tests are meant, in libtest's words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Selection {
    filters: Vec<String>,
    exact: bool,
    skip: Vec<String>,
    ignored: Ignored,
    /// Whether the tests' own output is shown.
    pub(crate) nocapture: bool,
}

/// What becomes of tests marked `#[ignore]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Ignored {
    #[default]
    Left,
    Included,
    Only,
}

impl Selection {
    /// Reads the filters and what stood behind `--`.
    pub(crate) fn new(filters: &[String], libtest: &[String]) -> Result<Self, Stop> {
        let mut selection = Self { filters: filters.to_vec(), ..Self::default() };
        let mut words = libtest.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--exact" => selection.exact = true,
                "--ignored" => selection.ignored = Ignored::Only,
                "--include-ignored" => selection.ignored = Ignored::Included,
                "--nocapture" | "--no-capture" => selection.nocapture = true,
                "--skip" => match words.next() {
                    Some(part) => selection.skip.push(part.clone()),
                    None => {
                        return Err(Stop::usage(
                            "--skip needs a part of a name, such as --skip slow",
                        ));
                    }
                },
                word if word.starts_with("--skip=") => {
                    selection.skip.push(word["--skip=".len()..].to_owned());
                }
                word if word.starts_with("--test-threads") => {
                    return Err(Stop::usage(
                        "--test-threads means nothing here: say --jobs J before the --",
                    ));
                }
                word if word.starts_with('-') => {
                    let known = "--exact, --skip, --ignored, --include-ignored, --nocapture";
                    return Err(Stop::usage(format!(
                        "'{word}' is not known behind --: there are {known}"
                    )));
                }
                filter => selection.filters.push(filter.to_owned()),
            }
        }
        Ok(selection)
    }

    /// The same, but only the test of this name.
    pub(crate) fn only(name: &str) -> Self {
        Self {
            filters: vec![name.to_owned()],
            exact: true,
            ignored: Ignored::Included,
            ..Self::default()
        }
    }

    fn takes(&self, test: &Test) -> bool {
        let is_wanted = match self.ignored {
            Ignored::Left => !test.is_ignored,
            Ignored::Included => true,
            Ignored::Only => test.is_ignored,
        };
        let matches = |part: &String| match self.exact {
            true => test.name == *part || test.path == *part,
            false => test.name.contains(part.as_str()),
        };
        is_wanted
            && (self.filters.is_empty() || self.filters.iter().any(matches))
            && !self.skip.iter().any(matches)
    }

    /// The tests that are meant. None at all is a mistake: a campaign that ran nothing must not look like one that passed.
    pub(crate) fn choose(&self, tests: &[Test]) -> Result<Vec<Test>, Stop> {
        let chosen: Vec<Test> = tests.iter().filter(|test| self.takes(test)).cloned().collect();
        if chosen.is_empty() { Err(Stop::usage(self.nothing(tests))) } else { Ok(chosen) }
    }

    fn nothing(&self, tests: &[Test]) -> String {
        let Some(filter) = self.filters.first() else {
            return match tests.len() {
                0 => String::from(
                    "there are no tests: write one with #[sim::test], or select another package with -p",
                ),
                n => format!(
                    "no test is selected: {n} are known, see --skip, --ignored, --include-ignored"
                ),
            };
        };
        let ignored =
            tests.iter().filter(|test| test.is_ignored && test.name.contains(filter)).count();
        if ignored > 0 && self.ignored == Ignored::Left {
            return format!("'{filter}' matches ignored tests only: add -- --include-ignored");
        }
        let distance = |test: &Test| {
            let last = test.name.rsplit("::").next().unwrap_or_default();
            let wanted = filter.rsplit("::").next().unwrap_or_default();
            (strsim::damerau_levenshtein(last, wanted), test.name.clone())
        };
        match tests.iter().map(distance).min() {
            Some((_, nearest)) => format!(
                "no test matches '{filter}': {} are known, did you mean {nearest}?",
                tests.len()
            ),
            None => format!("no test matches '{filter}': there are no tests in what was built"),
        }
    }
}

/// Asks every executable for its tests.
pub(crate) fn tests(executables: Vec<Executable>) -> Result<Vec<Test>, Stop> {
    let mut tests = Vec::new();
    for executable in executables.into_iter().map(Rc::new) {
        if !executable.has_harness {
            tests.push(Test::new(&executable, "", false));
            continue;
        }
        let ignored = list(&executable, &["--ignored"])?;
        for path in list(&executable, &[])? {
            tests.push(Test::new(&executable, &path, ignored.contains(&path)));
        }
    }
    tests.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(tests)
}

fn list(executable: &Executable, more: &[&str]) -> Result<Vec<String>, Stop> {
    let output = executable.command().args(["--list", "--format", "terse"]).args(more).output();
    let path = executable.path.display();
    let output =
        output.map_err(|error| Stop::refused(format!("{path} cannot be started: {error}")))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().next().unwrap_or_default();
        return Err(Stop::refused(format!(
            "{path} does not list its tests: {} {said}: if its manifest is to say harness = false, add that",
            output.status
        )));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect())
}

#[cfg(test)]
pub(crate) mod tests_of {
    use super::*;

    /// A test of an executable that does not exist.
    pub(crate) fn test(name: &str, is_ignored: bool) -> Test {
        let executable = Rc::new(Executable::fake("bank"));
        Test { is_ignored, ..Test::new(&executable, name, false) }
    }
}

#[cfg(test)]
mod tests {
    use super::tests_of::test;
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    fn chosen(filters: &str, libtest: &str) -> Result<Vec<String>, String> {
        let tests = [test("transfer", false), test("transfer::slow", false), test("audit", true)];
        let selection =
            Selection::new(&words(filters), &words(libtest)).map_err(|stop| stop.text)?;
        let tests = selection.choose(&tests).map_err(|stop| stop.text)?;
        Ok(tests.into_iter().map(|test| test.path).collect())
    }

    #[test]
    fn filters_are_libtests() {
        let ok = |text: &str| Ok(words(text));
        assert_eq!(chosen("", ""), ok("transfer transfer::slow"));
        assert_eq!(chosen("slow", ""), ok("transfer::slow"));
        assert_eq!(chosen("bank::transfer", "--exact"), ok("transfer"));
        assert_eq!(chosen("", "--exact transfer"), ok("transfer"));
        assert_eq!(chosen("", "--skip slow"), ok("transfer"));
        assert_eq!(chosen("", "--ignored"), ok("audit"));
        assert_eq!(chosen("", "--include-ignored --skip=transfer"), ok("audit"));
    }

    #[test]
    fn what_selects_nothing_is_one_line_with_advice() {
        for (filters, libtest, expected) in [
            (
                "tranfser",
                "",
                "no test matches 'tranfser': 3 are known, did you mean bank::transfer?",
            ),
            ("audit", "", "'audit' matches ignored tests only: add -- --include-ignored"),
            (
                "",
                "--skip bank",
                "no test is selected: 3 are known, see --skip, --ignored, --include-ignored",
            ),
            ("", "--skip", "--skip needs a part of a name, such as --skip slow"),
            (
                "",
                "--test-threads=1",
                "--test-threads means nothing here: say --jobs J before the --",
            ),
            (
                "",
                "--colour",
                "'--colour' is not known behind --: there are --exact, --skip, --ignored, --include-ignored, --nocapture",
            ),
        ] {
            assert_eq!(chosen(filters, libtest), Err(expected.to_owned()));
        }
    }
}
