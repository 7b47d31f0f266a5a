//! `demo`: the whole job, from probes to report, against the simulated Internet of October 2017. Nothing
//! of it can leave this machine: the packets stay in a network namespace without a way out or, where the
//! system gives none, in virtual time without any socket.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use indicatif::ProgressBar;

use super::exit::{Code, Failure, OrFail};
use super::lab_tables::{AS_NAMES, LabTables, ORIGINS};
use super::rehearse::{VirtualRun, show};
use super::run::{circumstances, station_for, storage, turn};
use super::{DemoArgs, out, report as report_command};
use crate::dataset::Dataset;
use crate::lab::{Namespace, RealTimeLab, Scenario};
use crate::measure::campaign::{Campaign, Circumstances, Progress, RunEnd, Setup, manifest};
use crate::model::{Bytes, Clock, PairedClock, SystemClock};
use crate::report;

/// The campaign that is shipped, word for word.
const CAMPAIGN: &str = include_str!("../../probes.toml");

/// The built-in scenario over which it is run.
const SCENARIO: &str = "october-2017";

pub(super) fn run(args: &DemoArgs) -> Result<(), Failure> {
    let demo = Demo::new(args.keep.as_deref())?;
    let dataset = demo.measure(args.virtual_time)?;
    let findings = report::findings(&dataset, &[]).map_err(report_command::failure)?;
    report_command::print(&findings, false)?;
    if args.keep.is_some() {
        let folder = demo.folder.join("report");
        report::write_all(&findings, &folder).or_fail(Code::Storage)?;
        out::say(format_args!("\nkept: the dataset in {}", demo.folder.display()));
        out::say(format_args!("      the report in {}", folder.join("report.html").display()));
    } else {
        out::say(format_args!("\n`tetherline demo --keep DIR` keeps the dataset and an HTML report."));
    }
    Ok(())
}

/// The scenario, the campaign, and where its dataset goes.
struct Demo {
    scenario: Scenario,
    campaign: Arc<Campaign>,
    folder: PathBuf,
    /// Removes the folder when it is dropped, unless it is to be kept.
    _temporary: Option<tempfile::TempDir>,
}

impl Demo {
    fn new(keep: Option<&Path>) -> Result<Self, Failure> {
        let scenario = Scenario::load(SCENARIO.as_ref()).or_fail(Code::Failed)?;
        let mut campaign = Campaign::parse("probes.toml", CAMPAIGN).or_fail(Code::Failed)?;
        campaign.duration = Some(scenario.duration());
        campaign.min_free = Bytes(0);
        let temporary = match keep {
            Some(_) => None,
            None => Some(tempfile::Builder::new().prefix("tetherline-").tempdir().or_fail(Code::Storage)?),
        };
        let folder = match (keep, &temporary) {
            (Some(keep), _) => keep.to_owned(),
            (None, Some(temporary)) => temporary.path().join("demo"),
            (None, None) => PathBuf::from("demo"),
        };
        campaign.output.clone_from(&folder);
        Ok(Self { scenario, campaign: Arc::new(campaign), folder, _temporary: temporary })
    }

    fn measure(&self, virtual_time: bool) -> Result<Dataset, Failure> {
        if virtual_time {
            return self.measure_virtually();
        }
        match Namespace::enter() {
            Ok(namespace) => self.measure_for_real(&namespace),
            Err(refused) => {
                out::say(format_args!("{refused}; running the same demo in virtual time instead"));
                self.measure_virtually()
            }
        }
    }

    /// Real sockets, in a namespace of its own.
    fn measure_for_real(&self, namespace: &Namespace) -> Result<Dataset, Failure> {
        let clock = SystemClock::start();
        let lab = RealTimeLab::start(&self.scenario, namespace, clock).or_fail(Code::Failed)?;
        let pair = lab.clock();
        let station = station_for(&self.campaign, clock, pair)?;
        let now = pair.wall(clock.mono());
        let dataset = self.create_dataset(circumstances(&self.campaign, &station, (now, pair.speed())))?;
        let (start, duration) = (pair.wall(clock.mono()), self.scenario.duration());
        let setup = Setup {
            campaign: Arc::clone(&self.campaign),
            engine: station.engine,
            clock: Arc::new(PairedClock::new(clock, pair)),
            pair,
            once: false,
        };
        self.introduce("real sockets in a private network namespace");
        let end = turn(setup, station.link, dataset, move |bar: &ProgressBar, progress: &Progress| {
            let wall = progress.wall.unwrap_or(start);
            show(bar, wall, wall.since(start).as_secs_f64() / duration.as_secs_f64());
        })?;
        lab.shutdown();
        match end {
            RunEnd::Finished => Dataset::open_read_only(&self.folder).map_err(storage),
            RunEnd::Interrupted => Err(Failure::new(Code::Interrupted, "stopped")),
            RunEnd::Terminated => Err(Failure::new(Code::Terminated, "stopped")),
        }
    }

    /// No sockets; time passes as fast as it can be worked through.
    fn measure_virtually(&self) -> Result<Dataset, Failure> {
        self.introduce("virtual time");
        let (campaign, scenario) = (&self.campaign, &self.scenario);
        VirtualRun { campaign, config: CAMPAIGN, scenario, name: SCENARIO, once: false }.measure(&|| true)
    }

    /// A new dataset with the scenario's own origin table and AS names in it.
    fn create_dataset(&self, circumstances: Circumstances) -> Result<Dataset, Failure> {
        let origins = vec![ORIGINS.to_owned()];
        let as_names = vec![AS_NAMES.to_owned()];
        let circumstances = Circumstances { origins, as_names, ..circumstances };
        let manifest = manifest(&self.campaign, CAMPAIGN, circumstances);
        let mut dataset = Dataset::create(&self.folder, &manifest).map_err(storage)?;
        LabTables::of(&self.scenario).or_fail(Code::Failed)?.keep(&mut dataset).map_err(storage)?;
        Ok(dataset)
    }

    fn introduce(&self, how: &str) {
        out::say(format_args!(
            "North Korea's lines in October 2017, rehearsed with {how}.\n\
             Nothing leaves this machine. The campaign is the shipped probes.toml against 175.45.176.0/22."
        ));
        for event in self.scenario.events() {
            out::say(format_args!("  {} {event}", event.at));
        }
    }
}
