//! Probers: which packets a round asks for. Pure state machines: they take `now` and news, and give back
//! probes and deadlines. No sockets, no clocks, no threads; timeouts are watched by the engine, which
//! tells the prober what became of each probe.

mod echo;
mod multipath;
mod targets;
mod tcp;
mod trace;

pub use echo::EchoProber;
pub use multipath::{Algorithm, MultipathOrder, MultipathProber};
pub use targets::Targets;
pub use tcp::TcpProber;
pub use trace::{TraceOrder, TraceProber};

use crate::model::{MonoTime, Port, Probe, Protocol, Reply, SkipReason, Ttl};

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
