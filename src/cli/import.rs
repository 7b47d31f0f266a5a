//! `import`: what other people's programs measured, as a dataset.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::exit::{Code, Failure};
use super::{ImportArgs, out};
use crate::formats::import::{FAULTS, FileSummary, ImportError, ImportOptions, ImportSummary, import};
use crate::model::Untrusted;

/// Faults of a file that are told word for word.
const MOST_TOLD: usize = 5;

pub(super) fn run(args: &ImportArgs) -> Result<(), Failure> {
    let options = ImportOptions {
        format: args.format.map(Into::into),
        campaign: args.campaign.clone(),
        vantage: args.vantage.clone(),
        units: args.unit.clone(),
        origins: args.origins.clone(),
        as_names: args.as_names.clone(),
    };
    let bar = progress_bar();
    let imported = import(&args.files, &args.output, &options, &|bytes| bar.set_position(bytes));
    bar.finish_and_clear();
    let (_, summary) = imported.map_err(failure)?;
    tell(&summary, args);
    Ok(())
}

fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::no_length();
    if let Ok(style) = ProgressStyle::with_template("{elapsed_precise} {bytes} of text, {bytes_per_sec}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

fn failure(error: ImportError) -> Failure {
    if let ImportError::Nothing { files } = &error {
        files.iter().for_each(tell_file);
    }
    let code = match error {
        ImportError::File { .. } => Code::Usage,
        ImportError::Nothing { .. } | ImportError::TooMany { .. } => Code::Failed,
        ImportError::Dataset(_) => Code::Storage,
    };
    Failure::new(code, error)
}

fn tell(summary: &ImportSummary, args: &ImportArgs) {
    summary.files.iter().for_each(tell_file);
    let ImportSummary { records, rounds, vantages, units_left_out, .. } = summary;
    let folder = args.output.display();
    out::say(format_args!("{records} records of {vantages} vantages in {rounds} rounds: {folder}"));
    if *units_left_out > 0 {
        out::say(format_args!(
            "{units_left_out} measurements are of units that the dataset does not name, since it has more than 100000"
        ));
    }
}

fn tell_file(summary: &FileSummary) {
    let FileSummary { file, format, counts, faults } = summary;
    let told = counts.iter().filter(|(what, _)| **what != FAULTS);
    let told: Vec<String> = told.map(|(what, number)| format!("{number} {what}")).collect();
    let file = file.display();
    out::say(format_args!("{file} ({}): {}", format.as_str(), told.join(", ")));
    for fault in faults.iter().take(MOST_TOLD) {
        out::say(format_args!("{file}: byte {}: {}", fault.offset, Untrusted::new(fault.reason.as_str())));
    }
    let all = counts.get(FAULTS).copied().unwrap_or(0);
    if all > 0 {
        out::say(format_args!("{file}: {all} {FAULTS}, and left out"));
    }
}
