//! `report`: what a dataset says, at the terminal and as files.

use std::io::IsTerminal;

use super::exit::{Code, Failure, OrFail};
use super::{ReportArgs, out};
use crate::analyse::compare::Findings;
use crate::dataset::Dataset;
use crate::report::{self, Style};

pub(super) fn run(args: &ReportArgs) -> Result<(), Failure> {
    let dataset = Dataset::open_read_only(&args.dataset).or_fail(Code::Storage)?;
    let findings = report::findings(&dataset, &args.origins).map_err(failure)?;
    if let Some(folder) = &args.output {
        for path in report::write_all(&findings, folder).or_fail(Code::Storage)? {
            out::say(format_args!("wrote {}", path.display()));
        }
    }
    print(&findings)
}

/// Prints the findings for a person.
pub(super) fn print(findings: &Findings) -> Result<(), Failure> {
    out::text(&report::terminal(findings, terminal_style()))
}

/// A dataset that cannot be read is one thing, a wrong origin table another.
pub(super) fn failure(error: report::RecomputeError) -> Failure {
    let code = match error {
        report::RecomputeError::Dataset(_) | report::RecomputeError::Names { .. } => Code::Storage,
        report::RecomputeError::Origins(_) => Code::Usage,
    };
    Failure::new(code, error)
}

/// Colour only where a person sees it and did not ask for none (<https://no-color.org>).
fn terminal_style() -> Style {
    let is_terminal = std::io::stdout().is_terminal();
    let colour = is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    Style { colour, width: 100, full: false }
}
