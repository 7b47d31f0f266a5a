//! Hops and links against the truth of the lab: whoever is said to stand somewhere stood there, and whatever
//! is said to be linked is.
//!
//! What cannot be judged, and is counted:
//! - the ways of packets while something changes or is being learnt, since a hop behind another may then lie on
//!   another way;
//! - links in a world with a router that draws the way of each packet, for the same reason;
//! - answers from a translated network, whose senders may bear the translator's address.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use tetherline::analyse::path::{HopState, Traces};
use tetherline::analyse::ways::Searches;
use tetherline::dataset::ProbeRecord;
use tetherline::lab::{TrueEnd, TruePath, Truth};
use tetherline::model::{Method, MonoTime, Outcome, Probe, Reply, ReplyKind, RoundId, Unreachable};

use crate::invariants::Court;
use crate::stage::Sending;

pub(crate) fn judge(court: &mut Court<'_>) {
    let truth = Truth::new(&court.played.world.scenario);
    Bench { truth, court }.judge();
}

struct Bench<'c, 'p> {
    truth: Truth,
    court: &'c mut Court<'p>,
}

/// A flow of one prober's round to one target, at a TTL.
type Cell = ((RoundId, IpAddr, u16), u8);

impl Bench<'_, '_> {
    fn judge(&mut self) {
        for record in &self.court.played.records {
            if let Outcome::Answered { reply, .. } | Outcome::Late { reply, .. } = &record.outcome {
                self.hop(record, reply);
            }
        }
        self.traces();
        self.searches();
    }

    /// The way of the very packet that was recorded.
    fn path_of(&self, sending: &Sending) -> TruePath {
        let question = sending.result.expect("it left");
        let (at, packet) = &self.court.played.injected[question];
        let clock = tetherline::model::ClockPair::new(MonoTime::default(), self.court.played.world.start);
        let wall = clock.squeezed(self.court.played.world.speed).wall(*at);
        self.truth.path(packet, wall).expect("an IP packet")
    }

    fn is_translated(&self, target: IpAddr) -> bool {
        let networks = &self.court.played.world.networks;
        networks.iter().any(|network| network.translated && network.prefix.contains(target))
    }

    /// Until when an answer may still have been on its way.
    fn late_window(&self, sending: &Sending) -> MonoTime {
        sending.at.after(self.court.timeouts[&sending.probe.round] * 2)
    }

    fn hop(&mut self, record: &ProbeRecord, reply: &Reply) {
        let Some(sending) = self.court.sending_of(record) else { return };
        let world = &self.court.played.world;
        let target = record.probe.target;
        if self.is_translated(target) {
            return;
        }
        let speaker = world.router_with(reply.from);
        if reply.from != target && speaker.is_none() {
            let how = format!("{} answered {:?}", reply.from, record.probe);
            return self.court.say("whoever answers exists", how);
        }
        if speaker.is_some_and(|speaker| world.routers[speaker].silent) {
            return self.court.say("silent routers are silent", format!("{:?}: {reply:?}", record.probe));
        }
        if world.per_packet || !world.is_quiet(sending.at, self.late_window(sending)) {
            return;
        }
        self.court.seen.hops += 1;
        let path = self.path_of(sending);
        if !self.stands_there(record.probe, reply, &path) {
            let how =
                format!("{:?} was answered by {reply:?}; the truth is {}", record.probe, shown(&path));
            self.court.say("whoever answers stood there", how);
        }
    }

    fn stands_there(&self, probe: Probe, reply: &Reply, path: &TruePath) -> bool {
        let counted: Vec<_> = path.hops.iter().filter(|hop| hop.counts_ttl).collect();
        let last = path.hops.last().and_then(|hop| hop.answers_from);
        let from_target = reply.from == probe.target;
        match reply.kind {
            ReplyKind::TimeExceeded => {
                let index = usize::from(probe.ttl.get()) - 1;
                let here = counted.get(index);
                let lets_through = here.is_some_and(|hop| self.lets_zero_through(&hop.router));
                let may_be = here.into_iter().chain(counted.get(index + 1).filter(|_| lets_through));
                may_be.into_iter().any(|hop| hop.answers_from == Some(reply.from))
            }
            ReplyKind::EchoReply
            | ReplyKind::TimestampReply
            | ReplyKind::SynAck
            | ReplyKind::Rst
            | ReplyKind::UdpReply
            | ReplyKind::Unreachable(Unreachable::Port) => path.end == TrueEnd::Arrived && from_target,
            ReplyKind::Unreachable(_) | ReplyKind::OtherIcmp => {
                path.end != TrueEnd::Arrived && last == Some(reply.from)
            }
        }
    }

    fn lets_zero_through(&self, name: &str) -> bool {
        self.court.played.world.routers.iter().any(|router| router.name == name && router.zero_ttl)
    }

    /// The ways of some packets, one for each flow; `None` if they cannot be judged.
    fn ways_of(&self, sendings: &[&Sending]) -> Option<Vec<TruePath>> {
        let world = &self.court.played.world;
        let first = sendings.iter().map(|sending| sending.at).min()?;
        let last = sendings.iter().map(|sending| self.late_window(sending)).max()?;
        let translated = sendings.iter().any(|sending| self.is_translated(sending.probe.target));
        if world.per_packet || translated || !world.is_quiet(first, last) {
            return None;
        }
        let flows: BTreeMap<u16, &Sending> =
            sendings.iter().map(|sending| (sending.probe.flow.0, *sending)).collect();
        Some(flows.into_values().map(|sending| self.path_of(sending)).collect())
    }

    /// Links of traces, as the analysis reads them: two hops in a row that both answered.
    fn traces(&mut self) {
        let mut traces = Traces::default();
        let mut cells: BTreeMap<Cell, Vec<&Sending>> = BTreeMap::new();
        for record in self.court.played.records.iter().filter(|record| record.method == Method::Trace) {
            traces.add(record);
            let flow = (record.probe.round, record.probe.target, record.probe.flow.0);
            cells.entry((flow, record.probe.ttl.get())).or_default().extend(self.court.sending_of(record));
        }
        for trace in traces.finish() {
            let flow = (trace.key.round, trace.key.target, trace.key.flow.0);
            for pair in trace.hops.windows(2) {
                let next = pair[0].ttl.get() + 1 == pair[1].ttl.get();
                let both = pair.iter().all(|hop| hop.state() == HopState::Answered);
                let (Some(from), Some(to)) = (pair[0].address(), pair[1].address()) else { continue };
                if next && both {
                    let ttls = pair[0].ttl.get()..=pair[1].ttl.get();
                    let cells = ttls.filter_map(|ttl| cells.get(&(flow, ttl))).flatten().copied();
                    let ways = self.ways_of(&cells.collect::<Vec<_>>());
                    self.link(trace.key.target, (from, to), ways.as_deref(), "traces");
                }
            }
        }
    }

    /// Links of multipath searches.
    fn searches(&mut self) {
        let mut searches = Searches::default();
        let mut packets: BTreeMap<(RoundId, IpAddr), Vec<&Sending>> = BTreeMap::new();
        for record in self.court.played.records.iter().filter(|record| record.method == Method::Multipath) {
            searches.add(record);
            let question = (record.probe.round, record.probe.target);
            packets.entry(question).or_default().extend(self.court.sending_of(record));
        }
        for found in searches.finish() {
            let target = found.key.target;
            let ways = packets.get(&(found.key.round, target)).and_then(|packets| self.ways_of(packets));
            for link in &found.links {
                self.link(target, (link.from, link.to), ways.as_deref(), "searches");
            }
        }
    }

    fn link(&mut self, target: IpAddr, link: (IpAddr, IpAddr), ways: Option<&[TruePath]>, whose: &str) {
        let Some(paths) = ways else {
            self.court.seen.links_unjudged += 1;
            return;
        };
        self.court.seen.links += 1;
        if paths.iter().any(|path| links_of(path, target).contains(&link)) {
            return;
        }
        if paths.iter().any(|path| self.seeming_links(path, target).contains(&link)) {
            self.court.seen.links_seeming += 1;
            return;
        }
        let ways: BTreeSet<String> = paths.iter().map(shown).collect();
        let how = format!("{whose}: {} to {} on the way to {target}: {ways:?}", link.0, link.1);
        self.court.say("every link exists", how);
    }

    /// Links that are none, and that no packet tells from true ones: past the last router to a host, which quotes nothing,
    /// or to a router that was never heard at its own place, if the one between lets packets through with TTL 0.
    fn seeming_links(&self, path: &TruePath, target: IpAddr) -> BTreeSet<(IpAddr, IpAddr)> {
        let routers: Vec<_> = path.hops.iter().filter(|hop| hop.counts_ttl).collect();
        let end = (path.end == TrueEnd::Arrived).then_some(target);
        let address = |index: usize| match routers.get(index) {
            Some(hop) => hop.answers_from,
            None => end.filter(|_| index == routers.len()),
        };
        let mut links = BTreeSet::new();
        for index in 0..routers.len() {
            let past = address(index).zip(address(index + 2));
            let between = routers.get(index + 1);
            let let_through = between.is_some_and(|hop| self.lets_zero_through(&hop.router));
            links.extend(past.filter(|_| let_through));
        }
        links
    }
}

/// A way in one line.
fn shown(path: &TruePath) -> String {
    let hop = |hop: &tetherline::lab::TrueHop| {
        let from = hop.answers_from.map_or("*".to_owned(), |from| from.to_string());
        format!("{}{} {from}", hop.router, if hop.counts_ttl { "" } else { " (hidden)" })
    };
    let hops: Vec<String> = path.hops.iter().map(hop).collect();
    format!("{} ({:?})", hops.join(", "), path.end)
}

/// The links of a way, as whoever counts TTLs sees them; the last one leads to the target.
fn links_of(path: &TruePath, target: IpAddr) -> BTreeSet<(IpAddr, IpAddr)> {
    let seen = path.hops.iter().filter(|hop| hop.counts_ttl).map(|hop| hop.answers_from);
    let end = (path.end == TrueEnd::Arrived).then_some(Some(target));
    let seen: Vec<Option<IpAddr>> = seen.chain(end).collect();
    seen.windows(2).filter_map(|pair| Some((pair[0]?, pair[1]?))).collect()
}
