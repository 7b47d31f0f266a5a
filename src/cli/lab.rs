//! `lab`: runs any command inside a simulated Internet, from which no packet can leave, or looks at a scenario
//! without running it.

mod check;
mod child;
mod draw;
mod generate;

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use super::exit::{Code, Failure, OrFail};
use super::lab_tables::LabTables;
use super::{LabArgs, LabCommand};
use crate::lab::{Namespace, RealTimeLab, Scenario};
use crate::model::SystemClock;

pub(super) fn run(args: &LabArgs) -> Result<(), Failure> {
    match (&args.subcommand, &args.scenario) {
        (Some(LabCommand::Check(args)), _) => check::run(args),
        (Some(LabCommand::Draw(args)), _) => draw::run(args),
        (Some(LabCommand::Generate(args)), _) => generate::run(args),
        (None, Some(scenario)) => run_inside(scenario, &args.command),
        (None, None) => {
            Err(Failure::new(Code::Usage, "no scenario: give a file, or the name of a built-in one"))
        }
    }
}

fn run_inside(scenario: &Path, command: &[OsString]) -> Result<(), Failure> {
    let scenario = load(scenario)?;
    let Some((program, arguments)) = command.split_first() else {
        return Err(Failure::new(Code::Usage, "no command: give one after `--`"));
    };
    let signals = child::Held::hold().or_fail(Code::Failed)?;
    let namespace = Namespace::enter().or_fail(Code::VantageUnfit)?;
    let lab = RealTimeLab::start(&scenario, &namespace, SystemClock::start()).or_fail(Code::Failed)?;
    let mut command = Command::new(program);
    let folder = tempfile::Builder::new().prefix("tetherline-lab-").tempdir().or_fail(Code::Failed)?;
    let tables = LabTables::of(&scenario).or_fail(Code::Failed)?;
    tables.hand_over(folder.path(), &mut command).or_fail(Code::Failed)?;
    let code = signals.run(command.args(arguments)).map_err(|error| {
        Failure::new(Code::Failed, format!("cannot run {}: {error}", program.to_string_lossy()))
    })?;
    lab.shutdown();
    drop(folder);
    pass_on(code)
}

/// The scenario of a file, or a built-in one.
fn load(path: &Path) -> Result<Scenario, Failure> {
    Scenario::load(path).or_fail(Code::Usage)
}

/// The command's own exit code becomes this program's.
fn pass_on(code: i32) -> Result<(), Failure> {
    match code {
        0 => Ok(()),
        code => std::process::exit(code),
    }
}
