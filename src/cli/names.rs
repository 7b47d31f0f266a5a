//! Look-ups in the DNS beside a running campaign: the host names of the hops that were seen and, where no
//! table knows them, their ASes and what those are called.
//!
//! They have a thread of their own and learn of hops by reading rounds that are sealed, so nothing of
//! theirs holds up a packet or a record. Every address is asked about once in a run, and never again once
//! there was an answer.
//!
//! ```text
//!  Running ──▶ Finishing (what is left, for a bounded time) ──▶ saved
//!     └─────────────────▶ Stopped ─────────────────────────────▶ saved
//! ```

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::timeout;

use super::exit::{Code, Failure, OrFail};
use super::out;
use super::report::failure;
use crate::analyse::origin::{OriginReason, OriginTable};
use crate::dataset::{Dataset, DatasetError, ProbeRecord};
use crate::formats::as_names::load_as_names;
use crate::formats::dns::{DnsLookups, DnsSettings};
use crate::measure::campaign::{Origins, RunEnd};
use crate::model::{Asn, Outcome, Pps, RoundId};
use crate::report;

/// How often the dataset is looked at for rounds that were sealed.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How long what is left may take when the campaign is over.
const PATIENCE: Duration = Duration::from_secs(30);

/// After so many addresses the answers are saved.
const SAVE_EVERY: usize = 64;

/// The most addresses that a run asks about.
const MOST_ADDRESSES: usize = 100_000;

/// Look-ups that go on in the background.
pub(super) struct Names {
    phase: watch::Sender<Phase>,
    thread: JoinHandle<RunEnd>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    Finishing(Duration),
    Stopped,
}

impl Names {
    /// Begins them, if the campaign wants any.
    ///
    /// # Errors
    /// If the earlier answers or the origin tables cannot be read, or the system gives no thread.
    pub(super) fn begin(origins: &Origins, dataset: &Dataset) -> Result<Option<Self>, Failure> {
        let Some(settings) = settings(origins) else { return Ok(None) };
        let dataset = Dataset::open_read_only(dataset.path()).or_fail(Code::Storage)?;
        let cache = report::looked_up(&dataset).map_err(failure)?;
        let table = if origins.cymru {
            report::origin_table(&dataset, &[]).map_err(failure)?
        } else {
            OriginTable::default()
        };
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().or_fail(Code::Failed)?;
        let (lookups, signals) = {
            let _context = runtime.enter();
            let lookups = DnsLookups::new(&settings, cache).or_fail(Code::Failed)?;
            (lookups, Signals::listen().or_fail(Code::Failed)?)
        };
        let (reverse, cymru) = (origins.reverse_dns, origins.cymru);
        let named = load_as_names(&dataset.as_name_paths()).or_fail(Code::Usage)?.into_keys().collect();
        let worker = Worker { dataset, lookups, table, named, reverse, cymru, seen: Seen::default() };
        Self::spawn(runtime, worker, signals).map(Some).or_fail(Code::Failed)
    }

    fn spawn(runtime: Runtime, worker: Worker, signals: Signals) -> io::Result<Self> {
        let (phase, told) = watch::channel(Phase::Running);
        let thread = std::thread::Builder::new().name("names".to_owned());
        let thread = thread.spawn(move || runtime.block_on(worker.work(told, signals)))?;
        Ok(Self { phase, thread })
    }

    /// Ends them: after a campaign that came to its end, what is left is looked up for a bounded time, or
    /// until a signal; after one that was stopped, nothing more is.
    pub(super) fn end(self, campaign: RunEnd) -> RunEnd {
        self.end_within(campaign, PATIENCE)
    }

    fn end_within(self, campaign: RunEnd, patience: Duration) -> RunEnd {
        let finished = campaign == RunEnd::Finished;
        self.phase.send_replace(if finished { Phase::Finishing(patience) } else { Phase::Stopped });
        let end = self.thread.join().unwrap_or(RunEnd::Finished);
        if finished { end } else { campaign }
    }
}

/// What to ask and whom; `None` if nothing is wanted.
fn settings(origins: &Origins) -> Option<DnsSettings> {
    let wanted = origins.reverse_dns || origins.cymru;
    let resolver = origins.resolver.filter(|_| wanted)?;
    Some(DnsSettings { resolver, rate: Pps::new(origins.queries_per_second)?, timeout: origins.timeout })
}

/// SIGINT and SIGTERM, listened to from the beginning so that none is lost at the campaign's end.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> RunEnd {
        tokio::select! {
            _ = self.interrupt.recv() => RunEnd::Interrupted,
            _ = self.terminate.recv() => RunEnd::Terminated,
        }
    }
}

struct Worker {
    dataset: Dataset,
    lookups: DnsLookups,
    /// Empty unless Team Cymru are asked.
    table: OriginTable,
    /// ASes whose names are in a table, so that nobody is asked for them.
    named: BTreeSet<Asn>,
    reverse: bool,
    cymru: bool,
    seen: Seen,
}

/// What was seen in the dataset.
#[derive(Default)]
struct Seen {
    rounds: BTreeSet<RoundId>,
    addresses: BTreeSet<IpAddr>,
    /// Those of the addresses that were not asked about yet.
    queue: BTreeSet<IpAddr>,
    /// Whether there were more than a run asks about.
    full: bool,
}

impl Worker {
    async fn work(mut self, mut phase: watch::Receiver<Phase>, mut signals: Signals) -> RunEnd {
        while *phase.borrow_and_update() == Phase::Running {
            tokio::select! {
                () = self.look_up() => {}
                changed = phase.changed() => if changed.is_err() { break } else { continue },
            }
            if let Ok(Err(_)) = timeout(LOOK_EVERY, phase.changed()).await {
                break;
            }
        }
        let last = *phase.borrow();
        let end = match last {
            Phase::Finishing(patience) => self.finish(patience, &mut signals).await,
            Phase::Running | Phase::Stopped => RunEnd::Finished,
        };
        self.save();
        self.tell_what_is_missing();
        end
    }

    async fn finish(&mut self, patience: Duration, signals: &mut Signals) -> RunEnd {
        let shown = humantime::format_duration(patience);
        out::say(format_args!(
            "looking up the last host names, for at most {shown}; Ctrl-C leaves them out"
        ));
        tokio::select! {
            _ = timeout(patience, self.look_up()) => RunEnd::Finished,
            end = signals.next() => end,
        }
    }

    /// Asks about all that was sealed since. Can be dropped at any await; what is asked is asked again then.
    async fn look_up(&mut self) {
        if let Err(error) = self.read_sealed().await {
            tracing::warn!("a round cannot be read for look-ups: {error}");
        }
        self.ask_queued().await;
    }

    /// Stops to listen behind every round: a campaign that is resumed may have thousands.
    async fn read_sealed(&mut self) -> Result<(), DatasetError> {
        for round in self.dataset.rounds()? {
            let id = round.header.id;
            let traces = round.state.is_sealed() && !round.header.method.is_liveness();
            if traces && self.seen.rounds.insert(id) {
                let records = self.dataset.recorded(id)?;
                self.seen.note(records.iter().filter_map(answered_by));
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }

    async fn ask_queued(&mut self) {
        let mut unsaved = 0_usize;
        while let Some(address) = self.seen.queue.first().copied() {
            self.ask(address).await;
            self.seen.queue.remove(&address);
            unsaved = unsaved.saturating_add(1);
            if unsaved >= SAVE_EVERY || self.seen.queue.is_empty() {
                self.save();
                unsaved = 0;
            }
        }
    }

    /// The answers go into the cache of the look-ups. Nobody is asked about special-purpose space
    /// (RFC 6303).
    async fn ask(&self, address: IpAddr) {
        let known = self.table.lookup(address);
        if matches!(known.reason(), OriginReason::SpecialPurpose { .. }) {
            return;
        }
        if self.reverse {
            self.lookups.reverse(address).await;
        }
        if !self.cymru {
            return;
        }
        let asn = match known.asn() {
            Some(asn) => Some(asn),
            None => self.lookups.origin(address).await.and_then(|(asns, _)| asns.first().copied()),
        };
        if let Some(asn) = asn.filter(|asn| !self.named.contains(asn)) {
            self.lookups.as_name(asn).await;
        }
    }

    fn save(&self) {
        if let Err(error) = self.dataset.write_names(&self.lookups.cache().to_json()) {
            tracing::warn!("host names cannot be kept: {error}");
        }
    }

    fn tell_what_is_missing(&self) {
        let left = self.seen.queue.len();
        if left > 0 {
            out::say(format_args!("{left} addresses were not looked up; the next run asks about them"));
        }
        if self.seen.full {
            out::say(format_args!("only the first {MOST_ADDRESSES} addresses were looked up"));
        }
    }
}

impl Seen {
    fn note(&mut self, addresses: impl Iterator<Item = IpAddr>) {
        for address in addresses {
            if self.addresses.contains(&address) {
                continue;
            }
            if self.addresses.len() >= MOST_ADDRESSES {
                self.full = true;
                return;
            }
            self.addresses.insert(address);
            self.queue.insert(address);
        }
    }
}

fn answered_by(record: &ProbeRecord) -> Option<IpAddr> {
    match &record.outcome {
        Outcome::Answered { reply, .. } | Outcome::Late { reply, .. } => Some(reply.from),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
