//! How a run ends whose link is lost or whose thread dies, and what it makes of a clock that is stepped.

use std::net::Ipv4Addr;
use std::sync::atomic::AtomicI64;

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
    [rates]
    per_unit = 20
    [[targets]]
    prefix = "175.45.176.0/24"
    per_unit = 2
    [[probers]]
    name = "echo"
    kind = "echo"
    every = "1h"
    timeout = "100ms"
    [[probers]]
    name = "trace"
    kind = "trace"
    every = "1h"
    timeout = "100ms"
    flows = 1
    gap_limit = 1
    attempts = 1
"#;

const SOURCES: Sources = Sources { v4: Some(Ipv4Addr::new(188, 1, 144, 10)), v6: None };

/// What sending comes to, and whether the link is lost by it.
type Sent = (Result<(), SendFault>, Option<LinkLost>);

/// A link that hears nothing.
struct Deaf {
    clock: SystemClock,
    send: Box<dyn Fn() -> Sent + Send>,
    lost: Option<LinkLost>,
}

impl Link for Deaf {
    fn now(&self) -> MonoTime {
        self.clock.mono()
    }

    fn send(&mut self, _: Permit) -> Result<MonoTime, SendFault> {
        let (sent, lost) = (self.send)();
        self.lost = lost;
        sent.map(|()| self.now())
    }

    fn wait(&mut self, _: MonoTime) -> Option<Arrival> {
        None
    }

    fn kernel_drops(&self) -> u64 {
        if self.lost.is_some() { 3 } else { 0 }
    }

    fn lost(&self) -> Option<LinkLost> {
        self.lost.clone()
    }
}

/// The system's clock, but for a wall clock that is so many nanoseconds ahead.
struct Stepped(SystemClock, Arc<AtomicI64>);

impl Clock for Stepped {
    fn mono(&self) -> MonoTime {
        self.0.mono()
    }

    fn wall(&self) -> WallTime {
        WallTime::from_nanos(self.0.wall().as_nanos() + self.1.load(Ordering::Relaxed))
    }
}

/// Runs a round of each prober over a deaf link, by a wall clock so far ahead of the system's; returns how
/// that ended, and the dataset.
fn run_deaf(
    send: impl Fn() -> Sent + Send + 'static,
    ahead: Arc<AtomicI64>,
) -> (Result<RunEnd, RunError>, Dataset, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let campaign = Arc::new(Campaign::parse("probes.toml", CAMPAIGN).unwrap());
    let clock = SystemClock::start();
    let pair = ClockPair::read(&clock);
    let order = station_order(&campaign, 1.0).unwrap();
    let (engine, _, key_fingerprint) = prepare_virtual(order, 1, SOURCES, pair).unwrap();
    let circumstances = Circumstances {
        started_at: clock.wall(),
        key_fingerprint,
        rehearsal: true,
        scenario: None,
        speed: 1.0,
        origins: Vec::new(),
        as_names: Vec::new(),
        sources: SOURCES,
    };
    let dataset = Dataset::create(folder.path(), &manifest(&campaign, CAMPAIGN, circumstances)).unwrap();
    let setup = Setup { campaign, engine, clock: Arc::new(Stepped(clock, ahead)), pair, once: true };
    let link = Box::new(Deaf { clock, send: Box::new(send), lost: None });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let end = runtime.block_on(run(setup, link, dataset, SharedProgress::default()));
    (end, Dataset::open_read_only(folder.path()).unwrap(), folder)
}

#[test]
fn an_interface_that_is_gone_ends_the_run_and_blames_no_target() {
    let gone = || (Err(SendFault::NoRoute), Some(LinkLost { interface: "ppp0".to_owned() }));
    let (end, dataset, _folder) = run_deaf(gone, Arc::default());
    assert_eq!(
        end.unwrap_err().to_string(),
        "the interface \"ppp0\" is gone; round 1 of echo and round 2 of trace are not whole; the same \
         command goes on from there"
    );
    let expected = Ledger { kernel_dropped: 3, ..Ledger::default() };
    assert_eq!(
        dataset.total_ledger().unwrap(),
        expected,
        "what was counted beside is kept although no round was sealed"
    );
    assert_eq!(dataset.rounds().unwrap()[0].dropped, 3, "the first was running, and is flagged");
    assert_eq!(
        dataset.records().unwrap().count(),
        0,
        "what was being asked is asked again, and is no failure of a target"
    );
}

#[test]
fn a_packet_thread_that_dies_ends_the_run_and_leaves_the_dataset_in_order() {
    let dies = || panic!("as if by an error in the program");
    let (end, dataset, _folder) = run_deaf(dies, Arc::default());
    let said = end.unwrap_err().to_string();
    assert!(said.starts_with("the packet thread ended unexpectedly; round 1 of echo"), "{said}");
    assert_eq!(dataset.records().unwrap().count(), 0);
}

/// The machine sleeps while the first packet is on its way.
#[test]
fn a_step_of_the_wall_clock_is_noted_and_dates_only_what_comes_after() {
    const HOUR: i64 = 3_600_000_000_000;
    let ahead = Arc::new(AtomicI64::new(0));
    let sleeps = {
        let ahead = Arc::clone(&ahead);
        move || {
            ahead.store(HOUR, Ordering::Relaxed);
            (Ok(()), None)
        }
    };
    let (end, dataset, _folder) = run_deaf(sleeps, ahead);
    assert_eq!(end.unwrap(), RunEnd::Finished);
    let steps = dataset.clock_steps().unwrap();
    let [step] = steps.as_slice() else { panic!("noted once: {steps:?}") };
    assert!((step.by_ns - HOUR).abs() < 1_000_000_000, "{step}");
    let before = dataset.manifest().started_at;
    let dates = dataset.records().unwrap().filter_map(|record| record.unwrap().sent_at);
    let first = dates.min().expect("a packet");
    assert!(
        first.since(before).as_nanos() < HOUR.unsigned_abs().into(),
        "the first is dated by the clock of then"
    );
    assert!(step.at.since(first).as_nanos() > u128::from(HOUR.unsigned_abs()));
}
