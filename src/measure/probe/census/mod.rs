//! The census: every path to all of a unit, for all units at once, with a known chance of missing one.
//!
//! Diamond-miner (Vermeulen et al. 2020) in its idea: MDA for a prefix and not for an address, the flows
//! spread over the prefix's addresses, in waves. Each unit has a [`search`] of its own; a [`wave`] is what all
//! of them want at a time, sent in one seeded order.
//!
//! ```text
//!            the last probe was given out             the last probe is decided
//!   Asking ────────────────────────────────▶ Waiting ───────────────────────────▶ nothing wanted: Done
//!     ▲                                                         │
//!     └──────────────── more is wanted: the next wave ◀─────────┘
//! ```
//!
//! Nothing is kept of a probe that was sent: a probe follows from its position in the order, and the position
//! from the probe ([`Sweep`]). What is kept is what was answered, and how many flows each hop was asked with.
//! A round resumes from its blocks and one integer, the position up to which everything is decided.

mod search;
#[cfg(test)]
mod tests;
mod vertices;
mod wave;

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use search::{Rules, Search, Surroundings};
use vertices::{Vertex, Vertices};
use wave::{Block, Cell, Wave};

use super::{News, Next, Prober, Sweep, Targets, Way};
use crate::measure::schedule::{Draw, Spread};
use crate::model::{Asked, FlowId, MonoTime, Probe, RoundId, SkipReason, Ttl, Unit};
use crate::multipath::{Splits, StoppingRule};

/// What one round of a census asks.
#[derive(Clone, Debug)]
pub struct CensusOrder {
    /// The round.
    pub round: RoundId,
    /// The addresses to which the flows of each unit go.
    pub targets: Arc<Targets>,
    /// How; nothing is asked for a second time because it was not answered.
    pub way: Way,
    /// When a balancer has been asked enough, if it stands alone.
    pub stopping: StoppingRule,
    /// For how many balancers together that is to hold; `None`: as many as the census finds routers.
    pub balancers: Option<u32>,
    /// The smallest share of flows that a branch is taken to have, above 0 and at most 0.5; `None` for
    /// equal branches, until flows speak against it.
    pub narrowest: Option<f64>,
    /// Whether every address is asked, also where fewer would tell all ways.
    pub every_address: bool,
    /// Packets that a unit gets at most; what is then still open stays open.
    pub budget: u32,
    /// Seed of the flows: the same in every round, so that these are pinned.
    pub flow_seed: u64,
    /// Seed of the order.
    pub seed: u64,
}

/// How far an interrupted census had come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CensusProgress {
    /// All blocks that were asked, each with the number of its wave.
    pub asked: Vec<(u32, Asked)>,
    /// The position up to which everything is decided.
    pub decided: u64,
}

/// One round of a census.
#[derive(Debug)]
pub struct CensusProber {
    order: CensusOrder,
    searches: Vec<Search>,
    vertices: Vertices,
    splits: Splits,
    wave: Wave,
    stage: Stage,
    /// The position of the next probe.
    next: u64,
    /// Probes of the wave that are decided.
    decided: u64,
    /// Positions that an interrupted run decided out of turn.
    recalled: HashSet<u64>,
    asked: Vec<(Option<u32>, Asked)>,
    over_budget: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Asking,
    Waiting,
    Done,
}

/// Tells these draws from those of other purposes.
const PURPOSE: u64 = 0x666c_6f77_7321_2121;

impl CensusProber {
    /// A round from its beginning. A budget of zero is taken as 1.
    #[must_use]
    pub fn new(order: CensusOrder) -> Self {
        let order = CensusOrder { way: order.way.sound(), ..order };
        let hops = usize::from(order.way.hops());
        Self {
            searches: vec![Search::new(hops); order.targets.units()],
            vertices: Vertices::default(),
            splits: Splits::default(),
            wave: Wave::new((order.seed, 0), 0, Vec::new()),
            stage: Stage::Waiting,
            next: 0,
            decided: 0,
            recalled: HashSet::new(),
            asked: Vec::new(),
            over_budget: 0,
            order,
        }
    }

    /// A round that was interrupted; what was recorded of it must be recalled.
    #[must_use]
    pub fn resumed(order: CensusOrder, progress: &CensusProgress) -> Self {
        let mut prober = Self::new(order);
        let waves =
            progress.asked.iter().map(|(wave, _)| *wave).max().map_or(0, |last| last.saturating_add(1));
        for number in 0..waves {
            let of_wave = progress.asked.iter().filter(|(wave, _)| *wave == number);
            let blocks = of_wave.filter_map(|(_, asked)| prober.block_of(asked)).collect();
            prober.begin(number, blocks);
            prober.take_as_asked();
        }
        prober.next = progress.decided.clamp(prober.wave.start(), prober.wave.end());
        prober.decided = prober.next.saturating_sub(prober.wave.start());
        prober
    }

    /// Takes the blocks of the wave for asked by their searches.
    fn take_as_asked(&mut self) {
        for block in self.wave.blocks() {
            let search = usize::try_from(block.unit).ok().and_then(|unit| self.searches.get_mut(unit));
            if let Some(search) = search {
                search.ask(block);
            }
        }
    }

    fn begin(&mut self, number: u32, blocks: Vec<Block>) {
        let end = self.wave.end();
        self.wave = Wave::new((self.order.seed, number), end, blocks);
        self.next = end;
        self.decided = 0;
        self.recalled.clear();
        self.stage = Stage::Asking;
    }

    /// Counts how the flows of the last wave went on, and begins the wave that all searches want now; if that is
    /// nothing, the round is over.
    fn plan(&mut self) {
        let rules = self.rules();
        let Self { searches, vertices, splits, order, .. } = self;
        for (search, unit) in searches.iter_mut().zip(0..) {
            search.pool(vertices, home(&order.targets, unit), splits);
        }
        let (mut blocks, mut left) = (Vec::new(), Vec::new());
        for ((search, unit), number) in searches.iter_mut().zip(0..).zip(0_u32..) {
            let near = Surroundings {
                rules: &rules,
                splits,
                vertices,
                home: home(&order.targets, unit),
                addresses: order.targets.of_unit(unit).len(),
            };
            let (asked, never) = search.plan(number, &near);
            blocks.extend(asked);
            left.extend(never);
        }
        self.tell(None, &left);
        self.over_budget = self.over_budget.saturating_add(left.iter().map(Block::probes).sum());
        if blocks.is_empty() {
            self.stage = Stage::Done;
            return;
        }
        let number = if self.wave.size() == 0 { 0 } else { self.wave.number().saturating_add(1) };
        self.begin(number, blocks);
        let blocks = self.wave.blocks().to_vec();
        self.tell(Some(number), &blocks);
    }

    fn rules(&self) -> Rules {
        let way = &self.order.way;
        let routers = u32::try_from(self.vertices.count()).unwrap_or(u32::MAX);
        let balancers = self.order.balancers.unwrap_or(routers);
        Rules {
            stopping: self.order.stopping.together(balancers),
            narrowest: self.order.narrowest,
            gap_limit: usize::from(way.gap_limit),
            hops: usize::from(way.hops()),
            budget: u64::from(self.order.budget.max(1)),
            every_address: self.order.every_address,
        }
    }

    /// Lets it be told what is asked, or will not be.
    fn tell(&mut self, wave: Option<u32>, blocks: &[Block]) {
        let asked = blocks.iter().filter_map(|block| {
            Some(Asked {
                unit: self.order.targets.unit(usize::try_from(block.unit).ok()?)?,
                ttl: self.ttl(block.hop)?,
                first_flow: block.first_flow,
                flows: block.flows,
                first_attempt: block.first_attempt,
                attempts: block.attempts,
            })
        });
        let asked: Vec<_> = asked.map(|asked| (wave, asked)).collect();
        self.asked.extend(asked);
    }

    fn block_of(&self, asked: &Asked) -> Option<Block> {
        Some(Block {
            unit: u32::try_from(self.order.targets.index_of(asked.unit)?).ok()?,
            hop: self.hop(asked.ttl)?,
            first_attempt: asked.first_attempt,
            attempts: asked.attempts,
            first_flow: asked.first_flow,
            flows: asked.flows,
        })
    }

    fn ttl(&self, hop: u8) -> Option<Ttl> {
        Ttl::new(self.order.way.first_ttl.get().checked_add(hop)?)
    }

    fn hop(&self, ttl: Ttl) -> Option<u8> {
        ttl.get().checked_sub(self.order.way.first_ttl.get())
    }

    /// The order in which the flows of a unit go to its addresses.
    fn spread(&self, unit: Unit, addresses: usize) -> Spread {
        let bits = match unit.0.network() {
            IpAddr::V4(network) => u128::from(network.to_bits()),
            IpAddr::V6(network) => network.to_bits(),
        };
        let [high, low] =
            [bits >> 64, bits & u128::from(u64::MAX)].map(|half| u64::try_from(half).unwrap_or(0));
        let seed = Draw::new(self.order.flow_seed, PURPOSE).bits(high, low);
        Spread::new(seed, u32::try_from(addresses).unwrap_or(u32::MAX))
    }

    fn probe(&self, cell: Cell) -> Option<Probe> {
        let unit = usize::try_from(cell.unit).ok()?;
        let addresses = self.order.targets.of_unit(unit);
        let flow = usize::from(cell.flow);
        let (turn, place) = (flow.checked_div(addresses.len())?, flow.checked_rem(addresses.len())?);
        let spread = self.spread(self.order.targets.unit(unit)?, addresses.len());
        let address = usize::try_from(spread.at(u32::try_from(place).ok()?)?).ok()?;
        Some(Probe {
            round: self.order.round,
            target: *addresses.get(address)?,
            protocol: self.order.way.protocol,
            port: self.order.way.port,
            flow: FlowId(u16::try_from(turn).ok()?),
            ttl: self.ttl(cell.hop)?,
            attempt: cell.attempt,
        })
    }

    fn cell(&self, probe: &Probe) -> Option<Cell> {
        let (unit, first) = self.first_flow_to(probe.target)?;
        let addresses = self.order.targets.of_unit(unit).len();
        let flow = usize::from(probe.flow.0).checked_mul(addresses)?.checked_add(first)?;
        let ours = (probe.round, probe.protocol, probe.port);
        if ours != (self.order.round, self.order.way.protocol, self.order.way.port) {
            return None;
        }
        Some(Cell {
            unit: u32::try_from(unit).ok()?,
            hop: self.hop(probe.ttl)?,
            flow: u16::try_from(flow).ok()?,
            attempt: probe.attempt,
        })
    }

    /// The unit of an address, and the first of the unit's flows that goes there.
    fn first_flow_to(&self, target: IpAddr) -> Option<(usize, usize)> {
        let (unit, place) = self.order.targets.place(target)?;
        let spread = self.spread(self.order.targets.unit(unit)?, self.order.targets.of_unit(unit).len());
        let flow = spread.position_of(u32::try_from(place).ok()?)?;
        Some((unit, usize::try_from(flow).ok()?))
    }

    /// Takes in what became of a probe; an answer from the address that was asked is from no router.
    fn learn(&mut self, cell: Cell, probe: &Probe, news: News<'_>) {
        let Some(search) = usize::try_from(cell.unit).ok().and_then(|unit| self.searches.get_mut(unit))
        else {
            return;
        };
        match news {
            News::Reply(reply) => {
                let at_home = reply.from == probe.target;
                let from = if at_home { Vertex::TARGET } else { self.vertices.number(reply.from) };
                let ends = reply.ends_way_to(probe.target);
                search.note((cell.hop, cell.flow, cell.attempt), from, ends);
            }
            News::NotSent => search.refuse(),
            News::TimedOut => {}
        }
    }
}

/// How the addresses of a unit are called where they answer: all of them by its network.
fn home(targets: &Targets, unit: usize) -> IpAddr {
    let unspecified = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);
    targets.unit(unit).map_or(unspecified, |unit| unit.0.network())
}

impl Prober for CensusProber {
    fn next(&mut self, _now: MonoTime) -> Next {
        loop {
            match self.stage {
                Stage::Done => return Next::Done,
                Stage::Waiting if self.decided >= self.wave.size() => self.plan(),
                Stage::Waiting => return Next::Wait(MonoTime::NEVER),
                Stage::Asking if self.next >= self.wave.end() => self.stage = Stage::Waiting,
                Stage::Asking => {
                    let position = self.next;
                    self.next = position.saturating_add(1);
                    let fresh = !self.recalled.contains(&position);
                    if let Some(probe) = self.probe_at(position).filter(|_| fresh) {
                        return Next::Probe(probe);
                    }
                }
            }
        }
    }

    fn settle(&mut self, probe: &Probe, news: News<'_>, _now: MonoTime) {
        let Some(cell) = self.cell(probe) else { return };
        self.decided = self.decided.saturating_add(1);
        self.learn(cell, probe, news);
    }

    fn recall(&mut self, probe: &Probe, news: News<'_>) {
        let Some(cell) = self.cell(probe) else { return };
        self.learn(cell, probe, news);
        let undecided = self.wave.position_of(cell).filter(|position| *position >= self.next);
        if undecided.is_some_and(|position| self.recalled.insert(position)) {
            self.decided = self.decided.saturating_add(1);
        }
    }

    fn take_skipped(&mut self) -> Vec<(SkipReason, u64)> {
        let skipped = std::mem::take(&mut self.over_budget);
        if skipped == 0 { Vec::new() } else { vec![(SkipReason::OverBudget, skipped)] }
    }

    fn progress(&self) -> (u64, u64) {
        (self.wave.end(), self.next)
    }

    fn sweep(&self) -> Option<&dyn Sweep> {
        Some(self)
    }

    fn take_asked(&mut self) -> Vec<(Option<u32>, Asked)> {
        std::mem::take(&mut self.asked)
    }
}

impl Sweep for CensusProber {
    fn position_of(&self, probe: &Probe) -> Option<u64> {
        self.wave.position_of(self.cell(probe)?)
    }

    fn probe_at(&self, position: u64) -> Option<Probe> {
        self.probe(self.wave.at(position)?)
    }

    fn find(
        &self,
        target: IpAddr,
        flow: Option<FlowId>,
        is_it: &mut dyn FnMut(&Probe) -> bool,
    ) -> Option<Probe> {
        let (unit, first) = self.first_flow_to(target)?;
        let addresses = self.order.targets.of_unit(unit).len();
        let cells = self.wave.of_unit(u32::try_from(unit).ok()?).iter().flat_map(|block| {
            let end = usize::from(block.first_flow).saturating_add(block.flows.into());
            let flows = (0..).zip((first..end).step_by(addresses.max(1)));
            let flows = flows.filter(|(_, flow)| *flow >= block.first_flow.into());
            let attempts = block.first_attempt..block.first_attempt.saturating_add(block.attempts);
            flows.flat_map(move |(turn, _)| attempts.clone().map(move |attempt| (block.hop, turn, attempt)))
        });
        let meant = cells.filter(|(_, turn, _)| flow.is_none_or(|flow| flow.0 == *turn));
        let mut probes = meant.filter_map(|(hop, turn, attempt)| {
            Some(Probe {
                round: self.order.round,
                target,
                protocol: self.order.way.protocol,
                port: self.order.way.port,
                flow: FlowId(turn),
                ttl: self.ttl(hop)?,
                attempt,
            })
        });
        probes.find(|probe| is_it(probe))
    }
}
