//! The tables of a scenario: who originates which prefix, and what the ASes are called.
//!
//! `lab` hands them to the command that runs in it: it writes them into a private temporary folder, which
//! goes when the command has ended, and names them in two environment variables. `run` and `trace` heed
//! these only where they have seen for themselves that nothing can leave.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use super::exit::{Code, Failure};
use crate::dataset::{Dataset, DatasetError};
use crate::lab::{Scenario, write_as_names, write_origins};

/// Where the origin table of a scenario lies in a dataset.
pub(super) const ORIGINS: &str = "origins/lab.pfx2as";

/// Where the AS names of a scenario lie in a dataset.
pub(super) const AS_NAMES: &str = "origins/lab.as-names.tsv";

/// Names the origin table to commands in a lab.
const ORIGINS_AT: &str = "TETHERLINE_LAB_ORIGINS";

/// Names the AS names to commands in a lab.
const AS_NAMES_AT: &str = "TETHERLINE_LAB_AS_NAMES";

/// Both tables, as they stand in their files.
pub(super) struct LabTables {
    origins: Vec<u8>,
    as_names: Vec<u8>,
}

impl LabTables {
    /// Those of a scenario.
    pub(super) fn of(scenario: &Scenario) -> io::Result<Self> {
        let (mut origins, mut as_names) = (Vec::new(), Vec::new());
        write_origins(scenario, &mut origins)?;
        write_as_names(scenario, &mut as_names)?;
        Ok(Self { origins, as_names })
    }

    /// Those that the lab around this process handed over; `None` if there is no lab.
    ///
    /// # Errors
    /// If they cannot be read.
    pub(super) fn handed_over() -> Result<Option<Self>, Failure> {
        let Some((origins, as_names)) = paths() else { return Ok(None) };
        let read = |variable: &str, path: &Path| {
            fs::read(path).map_err(|error| {
                let text = format!("{}, named by {variable}: cannot be read: {error}", path.display());
                Failure::new(Code::Usage, text)
            })
        };
        let (origins, as_names) = (read(ORIGINS_AT, &origins)?, read(AS_NAMES_AT, &as_names)?);
        Ok(Some(Self { origins, as_names }))
    }

    /// Writes them into a folder, and names them to a command.
    pub(super) fn hand_over(&self, folder: &Path, command: &mut Command) -> io::Result<()> {
        let tables = [("origins", ORIGINS_AT, &self.origins), ("as-names", AS_NAMES_AT, &self.as_names)];
        for (name, variable, bytes) in tables {
            let path = folder.join(name);
            fs::write(&path, bytes)?;
            command.env(variable, path);
        }
        Ok(())
    }

    /// Puts those into a dataset that its manifest names and that are not there yet.
    pub(super) fn keep(&self, dataset: &mut Dataset) -> Result<(), DatasetError> {
        for (name, bytes) in [(ORIGINS, &self.origins), (AS_NAMES, &self.as_names)] {
            let manifest = dataset.manifest();
            let named = manifest.origins.iter().chain(&manifest.as_names).any(|other| other == name);
            if named && !dataset.path().join(name).exists() {
                dataset.write_file(name, bytes)?;
            }
        }
        Ok(())
    }
}

/// Where the tables lie that the lab around this process handed over: origins, and AS names; `None` if
/// there is no lab.
pub(super) fn paths() -> Option<(PathBuf, PathBuf)> {
    let path = |variable| env::var_os(variable).map(PathBuf::from);
    path(ORIGINS_AT).zip(path(AS_NAMES_AT))
}
