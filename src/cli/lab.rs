//! `lab`: runs any command inside a simulated Internet, from which no packet can leave, or looks at a scenario
//! without running it.

mod check;

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus};

use tokio::signal::unix::{SignalKind, signal};

use super::exit::{Code, Failure, OrFail};
use super::lab_tables::LabTables;
use super::{LabArgs, LabCommand};
use crate::lab::{Namespace, RealTimeLab, Scenario};
use crate::model::SystemClock;

pub(super) fn run(args: &LabArgs) -> Result<(), Failure> {
    match (&args.subcommand, &args.scenario) {
        (Some(LabCommand::Check(args)), _) => check::run(args),
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
    leave_interrupts_to_the_command().or_fail(Code::Failed)?;
    let namespace = Namespace::enter().or_fail(Code::VantageUnfit)?;
    let lab = RealTimeLab::start(&scenario, &namespace, SystemClock::start()).or_fail(Code::Failed)?;
    let mut command = Command::new(program);
    let folder = tempfile::Builder::new().prefix("tetherline-lab-").tempdir().or_fail(Code::Failed)?;
    let tables = LabTables::of(&scenario).or_fail(Code::Failed)?;
    tables.hand_over(folder.path(), &mut command).or_fail(Code::Failed)?;
    let status = command.args(arguments).status().map_err(|error| {
        Failure::new(Code::Failed, format!("cannot run {}: {error}", program.to_string_lossy()))
    })?;
    lab.shutdown();
    drop(folder);
    pass_on(status)
}

/// The scenario of a file, or a built-in one.
fn load(path: &Path) -> Result<Scenario, Failure> {
    Scenario::load(path).or_fail(Code::Usage)
}

/// A terminal sends ^C to the whole group, and the lab must stay until the command has come to its end. The
/// handler that is set here does nothing, stays for good, and is not handed on to the command.
fn leave_interrupts_to_the_command() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let _inside = runtime.enter();
    signal(SignalKind::interrupt()).map(drop)
}

/// The command's own exit code becomes this program's, as a shell would have it.
fn pass_on(status: ExitStatus) -> Result<(), Failure> {
    let code = status.code().or_else(|| status.signal().map(|signal| signal.saturating_add(128)));
    match code {
        Some(0) => Ok(()),
        code => std::process::exit(code.unwrap_or(1)),
    }
}
