//! Probers: which packets a round asks for. Pure state machines: they take `now` and news, and give back
//! probes and deadlines. No sockets, no clocks, no threads; timeouts are watched by the engine, which
//! tells the prober what became of each probe.

mod census;
mod echo;
mod limit_test;
mod multipath;
mod targets;
mod tcp;
mod trace;

pub use census::{CensusOrder, CensusProber, CensusProgress};
pub use echo::EchoProber;
pub use limit_test::LimitTested;
pub use multipath::{Algorithm, MultipathOrder, MultipathProber};
pub use targets::Targets;
pub use tcp::TcpProber;
pub use trace::{TraceOrder, TraceProber};

use std::net::IpAddr;

use crate::model::{Asked, FlowId, MonoTime, Port, Probe, Protocol, Reply, SkipReason, Ttl};

/// How the routers on a way are asked: in what, from which hop to which, and when silence is enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// What probes are carried in.
    pub protocol: Protocol,
    /// The destination port; `None` for ICMP, and only for it.
    pub port: Option<Port>,
    /// The first TTL asked.
    pub first_ttl: Ttl,
    /// The last TTL asked, unless the way ends before; never below the first.
    pub max_ttl: Ttl,
    /// Silent hops in a row after which the way is given up: 1 or more.
    pub gap_limit: u8,
    /// How often a silent flow is asked at a hop: 1 or more.
    pub attempts: u8,
}

impl Way {
    /// How many TTLs there are.
    #[must_use]
    pub const fn hops(&self) -> u8 {
        self.max_ttl.get().saturating_sub(self.first_ttl.get()).saturating_add(1)
    }

    /// With what is below its least raised to it.
    fn sound(self) -> Self {
        Self {
            gap_limit: self.gap_limit.max(1),
            attempts: self.attempts.max(1),
            max_ttl: self.max_ttl.max(self.first_ttl),
            ..self
        }
    }
}

/// One round of one prober.
///
/// ```text
///            next() = Probe(p)            settle(p, news)
///   wanted ───────────────────▶ asked ───────────────────▶ settled
///      │                                                      ▲
///      └── recall(p, news): settled before a crash ───────────┘
/// ```
///
/// Every probe given out by `next` is settled exactly once; after `Done` nothing more is given out.
pub trait Prober: Send {
    /// The next probe that may go out, or what to wait for.
    fn next(&mut self, now: MonoTime) -> Next;

    /// Tells what became of a probe that `next` gave out.
    fn settle(&mut self, probe: &Probe, news: News<'_>, now: MonoTime);

    /// Tells of a probe that an interrupted run of the same round already recorded: it is not asked for
    /// again. Called before the first `next`.
    fn recall(&mut self, probe: &Probe, news: News<'_>);

    /// Probes that this round will not ask for after all, by reason, since the last call.
    fn take_skipped(&mut self) -> Vec<(SkipReason, u64)>;

    /// How many probes the round can ask for at most, and how many of them are asked for or skipped so
    /// far: for progress bars.
    fn progress(&self) -> (u64, u64);

    /// Tells when a probe was sent that belongs to no sweep.
    fn note_sent(&mut self, _probe: &Probe, _at: MonoTime) {}

    /// The order of sending, if nothing is to be kept of a probe but its place in it.
    fn sweep(&self) -> Option<&dyn Sweep> {
        None
    }

    /// Blocks of a sweep that are asked for from now on, each with the number of its wave, and those that were
    /// wanted and will not be asked for, without one; since the last call.
    fn take_asked(&mut self) -> Vec<(Option<u32>, Asked)> {
        Vec::new()
    }
}

/// An order of sending from which every probe follows, and in which every probe is found again: whoever sends
/// by it need not remember what was sent.
pub trait Sweep {
    /// Where a probe stands, counted over the whole round; `None` if it does not belong to the part that is being
    /// sent.
    fn position_of(&self, probe: &Probe) -> Option<u64>;

    /// The probe at a position of that part.
    fn probe_at(&self, position: u64) -> Option<Probe>;

    /// The first probe of that part that an answer may be about, and of which `is_it` says that it is: one to
    /// this target, in the flow of which the answer speaks, if it speaks of one.
    fn find(
        &self,
        target: IpAddr,
        flow: Option<FlowId>,
        is_it: &mut dyn FnMut(&Probe) -> bool,
    ) -> Option<Probe>;
}

/// What a prober wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// This packet, as soon as it may.
    Probe(Probe),
    /// Nothing before this time, or before news; [`MonoTime::NEVER`] if only news can help.
    Wait(MonoTime),
    /// Nothing any more.
    Done,
}

/// What became of a probe, as far as a prober must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News<'a> {
    /// The first valid reply.
    Reply(&'a Reply),
    /// No reply in time.
    TimedOut,
    /// It never left: the guard or the system refused it.
    NotSent,
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;
    use crate::model::ReplyKind;

    pub(super) fn targets(count: u8) -> Vec<IpAddr> {
        (0..count).map(|last| Ipv4Addr::new(175, 45, 176, last).into()).collect()
    }

    pub(super) fn way(protocol: Protocol, port: Option<Port>) -> Way {
        let max_ttl = Ttl::new(30).unwrap();
        Way { protocol, port, first_ttl: Ttl::FIRST, max_ttl, gap_limit: 5, attempts: 2 }
    }

    pub(super) fn reply(from: &str, kind: ReplyKind) -> Reply {
        Reply::plain(from.parse().unwrap(), kind)
    }

    /// Runs a round to its end, with news for each probe at once and waits obeyed.
    pub(super) fn drain<'a>(
        prober: &mut dyn Prober,
        mut news: impl FnMut(&Probe) -> News<'a>,
    ) -> Vec<(Probe, MonoTime)> {
        let mut now = MonoTime::default();
        let mut asked = Vec::new();
        loop {
            match prober.next(now) {
                Next::Probe(probe) => {
                    asked.push((probe, now));
                    prober.settle(&probe, news(&probe), now);
                }
                Next::Wait(until) => {
                    assert!(until > now && until != MonoTime::NEVER, "a round that nothing can move");
                    now = until;
                }
                Next::Done => return asked,
            }
        }
    }
}
