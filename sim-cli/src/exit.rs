//! How the tool ends: the documented exit codes, and the one-line errors that lead to them.

use std::fmt;

/// Why the tool ends. The numbers are part of the contract with CI systems.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Code {
    /// Nothing failed.
    #[default]
    Passed = 0,
    /// A test failed.
    Failed = 1,
    /// Wrong use or configuration.
    Usage = 2,
    /// The same choices gave two executions.
    Diverged = 3,
    /// The simulated world cannot run this.
    Refused = 4,
    /// A defect of the tool itself.
    Defect = 70,
    /// The build failed.
    Build = 101,
}

impl Code {
    /// What is reported where several apply: the later of 0, 1, 3, 4, 2, 101, 70.
    #[must_use]
    pub(crate) fn worst(self, other: Self) -> Self {
        const ORDER: [Code; 7] = [
            Code::Passed,
            Code::Failed,
            Code::Diverged,
            Code::Refused,
            Code::Usage,
            Code::Build,
            Code::Defect,
        ];
        let rank = |code| ORDER.iter().position(|listed| *listed == code);
        if rank(other) > rank(self) { other } else { self }
    }
}

/// An end before the work is done: a line for standard error and a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stop {
    pub(crate) code: Code,
    /// One line with advice; empty where somebody else, such as cargo, has said it already.
    pub(crate) text: String,
}

impl Stop {
    /// A mistake of the user's.
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self { code: Code::Usage, text: text.into() }
    }

    /// Something that this world cannot run.
    pub(crate) fn refused(text: impl Into<String>) -> Self {
        Self { code: Code::Refused, text: text.into() }
    }

    /// A defect of ours, or of the machine below us.
    pub(crate) fn defect(text: impl Into<String>) -> Self {
        Self { code: Code::Defect, text: text.into() }
    }

    /// The build failed, and cargo has said why.
    pub(crate) fn build() -> Self {
        Self { code: Code::Build, text: String::new() }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_code_wins_in_the_documented_order() {
        let order = [
            Code::Defect,
            Code::Build,
            Code::Usage,
            Code::Refused,
            Code::Diverged,
            Code::Failed,
            Code::Passed,
        ];
        for (rank, code) in order.into_iter().enumerate() {
            for other in &order[rank..] {
                assert_eq!((code.worst(*other), other.worst(code)), (code, code));
            }
        }
    }
}
