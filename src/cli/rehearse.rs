//! `run --rehearse`: a whole campaign in virtual time over a scenario, a simulated week in seconds. There are
//! no sockets, and nothing is looked up, so nothing can leave this machine.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use indicatif::ProgressBar;

use super::exit::{Code, Failure, OrFail};
use super::lab_tables::LabTables;
use super::run::{ended_early, names_of, per_mille, progress_bar, storage, unfit, with_lab_tables};
use super::stop::Stop;
use super::{RunArgs, out, overrides};
use crate::dataset::{Dataset, Disk, ensure_room};
use crate::lab::{Scenario, VirtualInternet};
use crate::measure::campaign::{
    Campaign, Circumstances, Onlooker, Rehearsal, manifest, prepare_virtual, rehearse, station_order,
};
use crate::measure::guard::OptOut;
use crate::measure::net::VirtualLink;
use crate::model::{MonoTime, WallTime};
use crate::wire::Sources;

/// Rehearses the campaign of `run` over a scenario.
pub(super) fn run(args: &RunArgs, scenario: &Path) -> Result<(), Failure> {
    let path = &args.campaign.campaign;
    let mut campaign = Campaign::load(path).or_fail(Code::Usage)?;
    let config = fs::read_to_string(path).or_fail(Code::Usage)?;
    let name = scenario.display().to_string();
    // Where time costs nothing there is nothing to squeeze.
    let scenario = Scenario::load(scenario).or_fail(Code::Usage)?.at_speed(1.0);
    campaign.duration.get_or_insert(scenario.duration());
    if let Some(output) = &args.output {
        campaign.output.clone_from(output);
    }
    refuse_a_dataset(&campaign.output)?;
    ensure_room(&campaign.output, campaign.min_free).map_err(storage)?;
    let stop = Stop::listen().or_fail(Code::Failed)?;
    out::say(format_args!("rehearsing over {name} in virtual time, into {}", campaign.output.display()));
    let (campaign, config, scenario, once) = (&Arc::new(campaign), &config, &scenario, args.once);
    let run = VirtualRun { campaign, config, scenario, name: &name, once };
    let dataset = run.measure(&|| stop.seen().is_none())?;
    if let Some(code) = stop.seen() {
        return Err(Failure::new(code, STOPPED));
    }
    let rounds = dataset.rounds().map_err(storage)?.len();
    out::say(format_args!("{rounds} rounds\n{}", dataset.total_ledger().map_err(storage)?));
    Ok(())
}

const STOPPED: &str = "stopped; what was recorded is safe, but a rehearsal is not gone on with: the next one \
                       begins anew, in another folder";

/// A rehearsal mixes with nothing that was recorded before, not even with a rehearsal.
fn refuse_a_dataset(folder: &Path) -> Result<(), Failure> {
    if !folder.join("campaign.toml").exists() {
        return Ok(());
    }
    let message = format!(
        "{} holds a campaign already: a rehearsal begins anew, so give it an output folder of its own",
        folder.display()
    );
    Err(Failure::new(Code::Usage, message))
}

/// A campaign that is run in virtual time.
pub(super) struct VirtualRun<'a> {
    pub(super) campaign: &'a Arc<Campaign>,
    /// Its file, word for word.
    pub(super) config: &'a str,
    pub(super) scenario: &'a Scenario,
    /// What the dataset calls the scenario.
    pub(super) name: &'a str,
    /// One round of each prober, and no schedule.
    pub(super) once: bool,
}

impl VirtualRun<'_> {
    /// Measures into a new dataset for as long as `go_on` says yes.
    pub(super) fn measure(&self, go_on: &dyn Fn() -> bool) -> Result<Dataset, Failure> {
        let internet = VirtualInternet::new(self.scenario);
        let pair = internet.clock();
        let sources = sources_of(self.scenario);
        let order = station_order(self.campaign, pair.speed()).or_fail(Code::Usage)?;
        let opt_outs = order.rules.opt_outs.clone();
        let (engine, codec, key_fingerprint) =
            prepare_virtual(order, self.campaign.seed, sources, pair).map_err(unfit)?;
        let start = pair.wall(MonoTime::default());
        let now = with_lab_tables(Circumstances {
            started_at: start,
            key_fingerprint,
            rehearsal: true,
            scenario: Some(self.name.to_owned()),
            speed: pair.speed(),
            origins: names_of(&self.campaign.origins.tables),
            as_names: names_of(&self.campaign.origins.as_names),
            sources,
        });
        let dataset = self.create(overrides::with_overrides(self.campaign, now))?;
        let link = &mut VirtualLink::new(internet, codec, MonoTime::default());
        let rehearsal = Rehearsal { campaign: self.campaign, engine, link, pair, once: self.once };
        let duration = self.campaign.duration.unwrap_or_default();
        let mut viewer = Viewer { bar: progress_bar(), start, duration, opt_outs, go_on };
        let (dataset, _) = rehearse(rehearsal, dataset, &mut viewer).map_err(ended_early)?;
        viewer.bar.finish_and_clear();
        Ok(dataset)
    }

    /// A new dataset with the scenario's tables in it.
    fn create(&self, now: Circumstances) -> Result<Dataset, Failure> {
        let (folder, manifest) = (&self.campaign.output, manifest(self.campaign, self.config, now));
        let mut dataset = Dataset::create_on(Disk::unhurried(), folder, &manifest).map_err(storage)?;
        LabTables::of(self.scenario).or_fail(Code::Failed)?.keep(&mut dataset).map_err(storage)?;
        overrides::keep(self.campaign, &mut dataset).map_err(storage)?;
        Ok(dataset)
    }
}

/// Shows how far a rehearsal is, and ends it when it is not to go on.
struct Viewer<'a> {
    bar: ProgressBar,
    start: WallTime,
    duration: Duration,
    /// Noted in the dataset, as a real campaign does.
    opt_outs: Vec<OptOut>,
    go_on: &'a dyn Fn() -> bool,
}

impl Onlooker for Viewer<'_> {
    fn rhythm(&self) -> Duration {
        Duration::from_secs(10)
    }

    fn watch(&mut self, wall: WallTime) -> ControlFlow<()> {
        show(&self.bar, wall, wall.since(self.start).as_secs_f64() / self.duration.as_secs_f64());
        if (self.go_on)() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }

    fn opt_outs(&mut self) -> Vec<OptOut> {
        std::mem::take(&mut self.opt_outs)
    }
}

/// The vantage's addresses in a scenario.
pub(super) fn sources_of(scenario: &Scenario) -> Sources {
    use std::net::IpAddr;
    let v4 = match scenario.vantage_address(true) {
        Some(IpAddr::V4(address)) => Some(address),
        _ => None,
    };
    let v6 = match scenario.vantage_address(false) {
        Some(IpAddr::V6(address)) => Some(address),
        _ => None,
    };
    Sources { v4, v6 }
}

/// How far a scenario is.
pub(super) fn show(bar: &ProgressBar, wall: WallTime, share: f64) {
    if bar.is_hidden() {
        return;
    }
    bar.set_position(per_mille(share));
    bar.set_message(wall.to_string().chars().take(16).collect::<String>() + " UTC in the scenario");
}
