//! `report`: what a dataset says, at the terminal and as files.

use std::io::IsTerminal;

use super::exit::{Code, Failure, OrFail};
use super::{ReportArgs, out};
use crate::analyse::compare::Findings;
use crate::dataset::Dataset;
use crate::report::{self, Style};

pub(super) fn run(args: &ReportArgs) -> Result<(), Failure> {
    let dataset = Dataset::open_read_only(&args.dataset).or_fail(Code::Storage)?;
    let Some(folder) = &args.output else {
        let findings = report::findings(&dataset, &args.origins).map_err(failure)?;
        return print(&findings, args.full);
    };
    let (findings, ways) = report::findings_and_ways(&dataset, &args.origins).map_err(failure)?;
    let mut written = report::write_all(&findings, folder).or_fail(Code::Storage)?;
    if !ways.is_empty() {
        written.extend(report::write_ways(&ways, folder).or_fail(Code::Storage)?);
    }
    for path in written {
        out::say(format_args!("wrote {}", path.display()));
    }
    print(&findings, args.full)
}

/// Prints the findings for a person: everything, or what fits a screen or two.
pub(super) fn print(findings: &Findings, full: bool) -> Result<(), Failure> {
    out::text(&report::terminal(findings, Style { full, ..terminal_style() }))
}

/// A dataset that cannot be read is one thing, a wrong origin table another.
pub(super) fn failure(error: report::RecomputeError) -> Failure {
    let code = match error {
        report::RecomputeError::Dataset(_)
        | report::RecomputeError::Names { .. }
        | report::RecomputeError::Alarms { .. }
        | report::RecomputeError::Csv(_) => Code::Storage,
        report::RecomputeError::Origins(_) => Code::Usage,
    };
    Failure::new(code, error)
}

/// Colour only where a person sees it and did not ask for none (<https://no-color.org>); as wide as the
/// terminal, and 100 characters elsewhere.
fn terminal_style() -> Style {
    if !std::io::stdout().is_terminal() {
        return Style { full: false, ..Style::PLAIN };
    }
    let colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let (_, columns) = console::Term::stdout().size();
    Style { colour, width: usize::from(columns), full: false }
}
