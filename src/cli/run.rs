//! `run`: a campaign on its schedule, begun or resumed.

use std::fs;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::alarms::Watcher;
use super::exit::{Code, Failure, OrFail};
use super::lab_tables::{AS_NAMES, LabTables, ORIGINS};
use super::names::Names;
use super::{RunArgs, out, overrides, rehearse};
use crate::dataset::{Dataset, DatasetError, Manifest, ensure_room};
use crate::measure::campaign::{
    Campaign, Circumstances, Progress, RunEnd, RunError, Setup, SharedProgress, Station, StationError,
    manifest, prepare, station_order,
};
use crate::measure::guard::outdated;
use crate::model::{Clock, ClockPair, SystemClock, WallTime, placed};

pub(super) fn run(args: &RunArgs) -> Result<(), Failure> {
    if let Some(scenario) = &args.rehearse {
        return rehearse::run(args, scenario);
    }
    let path = &args.campaign.campaign;
    let mut campaign = Campaign::load(path).or_fail(Code::Usage)?;
    if let Some(output) = &args.output {
        campaign.output.clone_from(output);
    }
    let campaign = Arc::new(campaign);
    let config = fs::read_to_string(path).or_fail(Code::Usage)?;
    let clock = SystemClock::start();
    let pair = ClockPair::read(&clock);
    if let Some(warning) = outdated(clock.wall()) {
        out::say(warning);
    }
    let station = station_for(&campaign, clock, pair)?;
    ensure_room(&campaign.output, campaign.min_free).map_err(storage)?;
    let tables = if station.rehearsal { LabTables::handed_over()? } else { None };
    let now = circumstances(&campaign, &station, (clock.wall(), 1.0));
    let now = if tables.is_some() { with_lab_tables(now) } else { now };
    let now = overrides::with_overrides(&campaign, now);
    let mut dataset = open_or_create(&campaign, &config, now)?;
    tables.map_or(Ok(()), |tables| tables.keep(&mut dataset)).map_err(storage)?;
    overrides::keep(&campaign, &mut dataset).map_err(storage)?;
    out::say(format_args!("recording into {}", dataset.path().display()));
    let names = Names::begin(&campaign.origins, &dataset)?;
    let setup = Setup { campaign, engine: station.engine, clock: Arc::new(clock), pair, once: args.once };
    let end = turn(setup, station.link, dataset, show_state)?;
    match names.map_or(end, |names| names.end(end)) {
        RunEnd::Finished => Ok(()),
        RunEnd::Interrupted => Err(Failure::new(Code::Interrupted, STOPPED)),
        RunEnd::Terminated => Err(Failure::new(Code::Terminated, STOPPED)),
    }
}

const STOPPED: &str = "stopped; everything recorded is safe, and the same command goes on from here";

/// This machine, made ready for a campaign.
pub(super) fn station_for(
    campaign: &Campaign,
    clock: SystemClock,
    pair: ClockPair,
) -> Result<Station, Failure> {
    let order = station_order(campaign, pair.speed()).or_fail(Code::Usage)?;
    prepare(order, clock, pair).map_err(unfit)
}

/// Runs a campaign on a small runtime of its own, with a progress line and alarms on standard error.
pub(super) fn turn(
    setup: Setup,
    link: Box<dyn crate::measure::net::Link + Send>,
    dataset: Dataset,
    show: impl Fn(&ProgressBar, &Progress) + Send + 'static,
) -> Result<RunEnd, Failure> {
    let progress: SharedProgress = Arc::new(Mutex::new(Progress::default()));
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().or_fail(Code::Failed)?;
    let bar = progress_bar();
    let watcher = Watcher::begin(setup.campaign.alarms, &dataset, &bar)?;
    let result = runtime.block_on(async {
        let shown = Arc::clone(&progress);
        let painted = bar.clone();
        let show_task = tokio::spawn(async move {
            let mut tick = tokio::time::interval(Duration::from_millis(200));
            loop {
                tick.tick().await;
                if let Ok(progress) = shown.lock() {
                    show(&painted, &progress);
                }
            }
        });
        let result = crate::measure::campaign::run(setup, link, dataset, progress).await;
        show_task.abort();
        result
    });
    bar.finish_and_clear();
    if let Some(watcher) = watcher {
        watcher.end(matches!(result, Ok(RunEnd::Finished)));
    }
    result.map_err(ended_early)
}

pub(super) fn ended_early(error: RunError) -> Failure {
    let code = match error {
        RunError::Dataset(_) => Code::Storage,
        RunError::System(_) => Code::Failed,
        RunError::Incomplete { .. } => Code::Incomplete,
    };
    Failure::new(code, error)
}

/// Hidden where nobody looks.
pub(super) fn progress_bar() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(1000);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {msg}") {
        bar.set_style(style);
    }
    bar
}

/// What runs, how far it is, and what came of it so far.
fn show_state(bar: &ProgressBar, progress: &Progress) {
    let least = progress.running.iter().map(|(_, share)| *share).fold(1.0, f64::min);
    let names: Vec<String> = progress.running.iter().map(|(name, _)| name.to_string()).collect();
    let doing = if names.is_empty() { "waiting for the next round".to_owned() } else { names.join(", ") };
    let ledger = progress.ledger;
    bar.set_position(per_mille(least));
    bar.set_message(format!(
        "{doing}; {} rounds done, {} sent, {} answered",
        progress.sealed, ledger.sent, ledger.answered
    ));
}

/// A share as the position of a progress bar.
pub(super) fn per_mille(share: f64) -> u64 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0 to 1000")]
    let position = (share.clamp(0.0, 1.0) * 1000.0) as u64;
    position
}

/// The dataset of the campaign, where an earlier run left it, or a new one.
fn open_or_create(campaign: &Campaign, config: &str, now: Circumstances) -> Result<Dataset, Failure> {
    let folder = &campaign.output;
    if !folder.join("campaign.toml").exists() {
        return Dataset::create(folder, &manifest(campaign, config, now)).map_err(storage);
    }
    let dataset = Dataset::open(folder).map_err(storage)?;
    let Manifest { rehearsal, scenario, .. } = dataset.manifest();
    if *rehearsal != now.rehearsal || scenario.is_some() {
        let what = if *rehearsal { "a rehearsal" } else { "a campaign on a real network" };
        let message = format!("{} holds {what}: give this one another output folder", folder.display());
        return Err(Failure::new(Code::Usage, message));
    }
    if dataset.manifest().config_toml != config {
        let message = format!(
            "{} holds a campaign with other settings: give this one another output folder, or restore \
             the settings, which are in its campaign.toml",
            folder.display()
        );
        return Err(Failure::new(Code::Usage, message));
    }
    Ok(dataset)
}

/// How a campaign is about to be run at this station.
pub(super) fn circumstances(
    campaign: &Campaign,
    station: &Station,
    (started_at, speed): (WallTime, f64),
) -> Circumstances {
    Circumstances {
        started_at,
        key_fingerprint: station.key_fingerprint.clone(),
        rehearsal: station.rehearsal,
        scenario: None,
        speed,
        origins: names_of(&campaign.origins.tables),
        as_names: names_of(&campaign.origins.as_names),
        sources: station.sources,
    }
}

/// Files as a dataset names them, which may be moved.
pub(super) fn names_of(paths: &[PathBuf]) -> Vec<String> {
    let here = std::env::current_dir().unwrap_or_default();
    let absolute = |path: &PathBuf| placed(&here, &path.display().to_string());
    paths.iter().map(|path| absolute(path).display().to_string()).collect()
}

/// In a lab its tables stand in for those that the campaign does not name.
pub(super) fn with_lab_tables(mut now: Circumstances) -> Circumstances {
    for (names, lab) in [(&mut now.origins, ORIGINS), (&mut now.as_names, AS_NAMES)] {
        if names.is_empty() {
            names.push(lab.to_owned());
        }
    }
    now
}

pub(super) fn storage(error: DatasetError) -> Failure {
    Failure::new(Code::Storage, error)
}

/// A vantage that cannot measure is one thing, targets that must not be probed another.
pub(super) fn unfit(error: StationError) -> Failure {
    let code = if error.is_vantage_unfit() { Code::VantageUnfit } else { Code::Usage };
    Failure::new(code, error)
}
