//! The project on this machine: where it is, what was built of it, and how its files are named to people.

use crate::args::CargoArgs;
use crate::build;
use crate::config;
use crate::door::{Door, DoorKind};
use crate::exit::Stop;
use crate::list::{self, Test};
use sim_core::simtrace::{self, FAILURES, Simtrace};
use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// A cargo project.
#[derive(Clone, Debug)]
pub(crate) struct Project {
    pub(crate) root: PathBuf,
    args: CargoArgs,
    /// Where cargo is started, if not here.
    folder: Option<PathBuf>,
}

impl Project {
    /// The project that `args` or the current folder mean.
    pub(crate) fn here(args: &CargoArgs) -> Result<Self, Stop> {
        Ok(Self { root: build::project_root(args, None)?, args: args.clone(), folder: None })
    }

    /// The project that the file of a failure is stored in; the one here where it lies elsewhere.
    pub(crate) fn of_file(args: &CargoArgs, file: &Path) -> Result<Self, Stop> {
        let file = file.canonicalize().unwrap_or_else(|_| file.to_owned());
        let root = file
            .parent()
            .filter(|folder| folder.ends_with(FAILURES))
            .and_then(|folder| folder.ancestors().nth(2));
        match root.filter(|root| root.join("Cargo.toml").is_file() && args.manifest_path.is_none())
        {
            Some(root) => Ok(Self {
                root: root.to_owned(),
                args: args.clone(),
                folder: Some(root.to_owned()),
            }),
            None => Self::here(args),
        }
    }

    /// Builds the project's tests and lists them.
    pub(crate) fn tests(&self) -> Result<Vec<Test>, Stop> {
        self.build(&self.args.words(), self.door()?)
    }

    /// Builds what the stored failure needs and finds its test.
    ///
    /// The options it was found with are used unless others are given: another profile or feature is another program.
    pub(crate) fn test_of(&self, failure: &Simtrace) -> Result<Test, Stop> {
        let said = |key: &str| {
            failure
                .config
                .get(key)
                .map(|words| words.split(' ').map(OsString::from))
                .into_iter()
                .flatten()
        };
        let mut words = self.args.words();
        if self.args.flavour().is_empty() {
            words.extend(said("build"));
        }
        let selects = CargoArgs {
            manifest_path: None,
            target_dir: None,
            locked: false,
            offline: false,
            frozen: false,
            ..self.args.clone()
        };
        if selects.words().len() == selects.flavour().len() {
            words.extend(["--package".into(), OsString::from(&failure.package)]);
            words.extend(said("target"));
        }
        let door = match failure.config.get("door") {
            Some(door) => door.parse::<DoorKind>().map_err(Stop::usage)?,
            None => DoorKind::Native,
        };
        let tests = self.build(&words, Some(door))?;
        let test = tests.into_iter().find(|test| test.name == failure.test);
        test.ok_or_else(|| {
            let (test, package) = (&failure.test, &failure.package);
            Stop::usage(format!("package {package} has no test {test}: if it was renamed, change 'test:' in the file"))
        })
    }

    /// The door that somebody named.
    fn door(&self) -> Result<Option<DoorKind>, Stop> {
        match self.args.door {
            Some(door) => Ok(Some(door)),
            None => config::door(&self.root),
        }
    }

    fn build(&self, words: &[OsString], door: Option<DoorKind>) -> Result<Vec<Test>, Stop> {
        let folder = self.folder.as_deref();
        let door = Door::open(door, &self.args, folder)?;
        list::tests(build::build(words, folder, &door)?)
    }

    /// The folder of the stored failures.
    pub(crate) fn failures(&self) -> PathBuf {
        self.root.join(FAILURES)
    }

    /// Every stored failure. One that cannot be read is an error: it would be a failure that nobody looks at.
    pub(crate) fn stored(&self) -> Result<Vec<(PathBuf, Simtrace)>, Stop> {
        let folder = self.failures();
        let listed = simtrace::stored_all(&folder);
        let listed = listed.map_err(|error| {
            Stop::usage(format!("{}: cannot be listed: {error}", folder.display()))
        })?;
        let read = |(path, read): (PathBuf, Result<Simtrace, _>)| match read {
            Ok(failure) => Ok((path, failure)),
            Err(error) => Err(Stop::usage(format!("{error}"))),
        };
        listed.into_iter().map(read).collect()
    }

    /// The options that change what is built, for the file of a failure.
    pub(crate) fn flavour(&self) -> Vec<String> {
        self.args.flavour()
    }

    /// The file that `target` names: as seen from here, else from the project's root.
    pub(crate) fn find(args: &CargoArgs, target: &Path) -> PathBuf {
        if target.exists() || target.is_absolute() {
            return target.to_owned();
        }
        match Self::here(args) {
            Ok(project) if project.root.join(target).exists() => project.root.join(target),
            _ => target.to_owned(),
        }
    }
}

/// A path as one would type it here.
pub(crate) fn shown(path: &Path) -> String {
    let here = env::current_dir().ok();
    let path = here.as_ref().and_then(|here| path.strip_prefix(here).ok()).unwrap_or(path);
    path.display().to_string()
}

/// A word as one would type it into a shell.
pub(crate) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_a_shell() {
        assert_eq!(quoted(".sim/failures/a.b-1.simtrace"), ".sim/failures/a.b-1.simtrace");
        assert_eq!(quoted("my project/it's"), "'my project/it'\\''s'");
        assert_eq!(quoted(""), "''");
    }
}
