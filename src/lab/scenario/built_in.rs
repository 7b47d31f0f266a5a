//! The scenarios that the program carries, all of them about AS131279.

use super::{Scenario, read};
use crate::model::FileErrors;

/// A scenario that the program carries.
#[derive(Clone, Copy, Debug)]
pub struct BuiltIn {
    /// Stands for it wherever the file of a scenario can be given.
    pub name: &'static str,
    /// What it is about, in one line.
    pub about: &'static str,
    pub(super) file: &'static str,
    pub(super) text: &'static str,
}

/// All of them, that of the demo first.
const BUILT_INS: [BuiltIn; 3] = [
    BuiltIn {
        name: "october-2017",
        about: "1 October 2017 in short, and the loss of AS4837, which never happened: the demo's",
        file: "october_2017.toml",
        text: include_str!("../october_2017.toml"),
    },
    BuiltIn {
        name: "october-2017-exact",
        about: "the week from 1 October 2017 on, every change at its second",
        file: "october_2017_exact.toml",
        text: include_str!("../october_2017_exact.toml"),
    },
    BuiltIn {
        name: "december-2014",
        about: "the outage of 22 December 2014, when there was one line only",
        file: "december_2014.toml",
        text: include_str!("../december_2014.toml"),
    },
];

impl BuiltIn {
    /// All of them.
    #[must_use]
    pub const fn all() -> &'static [Self] {
        &BUILT_INS
    }

    /// The one of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        BUILT_INS.iter().find(|built_in| built_in.name == name)
    }

    /// Their names, for a message.
    pub(super) fn names() -> String {
        let names: Vec<&str> = BUILT_INS.iter().map(|built_in| built_in.name).collect();
        names.join(", ")
    }

    /// Reads it.
    ///
    /// # Errors
    /// None in a released build: a test reads them all.
    pub fn scenario(&self) -> Result<Scenario, FileErrors> {
        read::parse(self.file, self.text, None)
    }
}

#[cfg(test)]
mod tests;
