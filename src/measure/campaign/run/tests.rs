//! What a run that cannot go on says, against links that fail.

use std::net::Ipv4Addr;

use super::*;
use crate::measure::campaign::{Circumstances, manifest, prepare_virtual, station_order};
use crate::measure::guard::Permit;
use crate::measure::net::Arrival;
use crate::model::{MonoTime, SendFault, SystemClock};
use crate::wire::Sources;

const CAMPAIGN: &str = r#"
    [campaign]
    name = "failing"
    [vantage]
    name = "here"
    [[targets]]
    prefix = "175.45.176.0/24"
    per_unit = 2
    [[probers]]
    name = "echo"
    kind = "echo"
    every = "1h"
    [[probers]]
    name = "trace"
    kind = "trace"
    every = "1h"
"#;

const SOURCES: Sources = Sources { v4: Some(Ipv4Addr::new(188, 1, 144, 10)), v6: None };

/// A link on which the first packet fails, and nothing is ever heard.
struct Failing {
    clock: SystemClock,
    fail: fn() -> Option<LinkLost>,
    lost: Option<LinkLost>,
}

impl Link for Failing {
    fn now(&self) -> MonoTime {
        self.clock.mono()
    }

    fn send(&mut self, _: Permit) -> Result<MonoTime, SendFault> {
        self.lost = (self.fail)();
        Err(SendFault::NoRoute)
    }

    fn wait(&mut self, _: MonoTime) -> Option<Arrival> {
        None
    }

    fn kernel_drops(&self) -> u64 {
        3
    }

    fn lost(&self) -> Option<LinkLost> {
        self.lost.clone()
    }
}

/// Runs a round of each prober over a link that fails so; returns how that ended, how many records there
/// are, and the ledger.
fn run_failing(fail: fn() -> Option<LinkLost>) -> (Result<RunEnd, RunError>, usize, Ledger) {
    let folder = tempfile::tempdir().unwrap();
    let campaign = Arc::new(Campaign::parse("probes.toml", CAMPAIGN).unwrap());
    let clock = SystemClock::start();
    let pair = ClockPair::new(clock.mono(), clock.wall());
    let order = station_order(&campaign, 1.0).unwrap();
    let (engine, _, key_fingerprint) = prepare_virtual(order, 1, SOURCES, pair).unwrap();
    let circumstances = Circumstances {
        started_at: clock.wall(),
        key_fingerprint,
        rehearsal: true,
        speed: 1.0,
        origins: Vec::new(),
        as_names: Vec::new(),
        sources: SOURCES,
    };
    let dataset = Dataset::create(folder.path(), &manifest(&campaign, CAMPAIGN, circumstances)).unwrap();
    let setup = Setup { campaign, engine, clock: Arc::new(clock), pair, once: true };
    let link = Box::new(Failing { clock, fail, lost: None });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let end = runtime.block_on(run(setup, link, dataset, SharedProgress::default()));
    let dataset = Dataset::open_read_only(folder.path()).unwrap();
    (end, dataset.records().unwrap().count(), dataset.total_ledger().unwrap())
}

#[test]
fn an_interface_that_is_gone_ends_the_run_and_blames_no_target() {
    let gone = || Some(LinkLost { interface: "ppp0".to_owned() });
    let (end, records, ledger) = run_failing(gone);
    assert_eq!(
        end.unwrap_err().to_string(),
        "the interface \"ppp0\" is gone; round 1 of echo and round 2 of trace are not whole; the same \
         command goes on from there"
    );
    let expected = Ledger { kernel_dropped: 3, ..Ledger::default() };
    assert_eq!(ledger, expected, "what was counted beside is kept although no round was sealed");
    assert_eq!(records, 0, "what was being asked is asked again, and is no failure of a target");
}

#[test]
fn a_packet_thread_that_dies_ends_the_run_and_leaves_the_dataset_in_order() {
    let (end, records, _) = run_failing(|| panic!("as if by an error in the program"));
    let said = end.unwrap_err().to_string();
    assert!(said.starts_with("the packet thread ended unexpectedly; round 1 of echo"), "{said}");
    assert_eq!(records, 0);
}
