//! MPLS tunnels: which packets go into one, how TTLs count inside, and what errors show of it.
//!
//! ```text
//! ingress ──▶ switches labels … ──▶ switches labels ──▶ egress
//! pushes                            pops (RFC 3031 §3.16), but for "opaque"
//! ```
//!
//! "explicit" and "implicit" copy the packet's TTL to the label and back (RFC 3443, uniform model): the
//! TTL runs out inside, and the quote shows the TTL that the packet had behind the ingress. The error goes on
//! to the egress and only there turns back (RFC 3032 §2.3.2). "opaque" and "invisible" give the label a TTL of
//! 255 (pipe model): nothing runs out inside. Whoever pops the label of an invisible tunnel leaves the lower
//! of both TTLs, as routers do (Vanaubel et al. 2019); only answers sent with 255 notice.

use crate::lab::answer::ShownLabel;
use crate::lab::balance::Choose;
use crate::lab::scenario::{Link, LinkIndex, RouterIndex, Tunnel, TunnelIndex, TunnelKind};
use crate::lab::walk::{Decision, Destination, End, Network, Position, Walked};

/// TTL of a label that hides the packet's.
const PIPE_TTL: u8 = 255;

/// The label of a packet in a tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::lab) struct Labelled {
    pub(in crate::lab) tunnel: TunnelIndex,
    /// Where the packet is, as a position in the tunnel's routers.
    pub(in crate::lab) step: usize,
    /// The label's own TTL.
    pub(in crate::lab) ttl: u8,
}

impl Tunnel {
    fn egress(&self) -> usize {
        self.routers.len().saturating_sub(1)
    }

    fn switches_at(&self, step: usize) -> bool {
        step > 0 && step < self.egress()
    }
}

impl<C: Choose> Network<C> {
    /// The tunnel in whose inside a packet is, neither at its ingress nor at its egress.
    fn inside(&self, label: Option<Labelled>) -> Option<(Labelled, &Tunnel)> {
        let label = label?;
        let tunnel = self.topology.tunnel(label.tunnel)?;
        tunnel.switches_at(label.step).then_some((label, tunnel))
    }

    /// Whether the router looks only at the packet's label.
    pub(in crate::lab) fn is_switched(&self, here: &Position) -> bool {
        self.inside(here.label).is_some()
    }

    /// Whether the packet passes the router without its TTL being counted.
    pub(in crate::lab) fn is_hidden(&self, here: &Position) -> bool {
        self.inside(here.label).is_some_and(|(_, tunnel)| !tunnel.kind.propagates_ttl())
    }

    /// What a router inside a tunnel does with a packet; `None` outside.
    pub(in crate::lab) fn switch(&self, here: &Position) -> Option<Decision> {
        let (label, tunnel) = self.inside(here.label)?;
        if label.ttl <= 1 && !here.made_here {
            return Some(Decision::End(End::Expired));
        }
        let next = *tunnel.routers.get(label.step.saturating_add(1))?;
        let link = self.choose(&self.cheapest_links(here, next), here);
        Some(link.map_or(Decision::End(End::Lost), Decision::Send))
    }

    /// The links to a neighbour that are there, as routes inside the AS would use them.
    fn cheapest_links(&self, here: &Position, next: RouterIndex) -> Vec<LinkIndex> {
        let ports = self.topology.ports(here.router).iter().copied();
        let there = ports.filter_map(|index| {
            let link: &Link = self.topology.link(index)?;
            let leads = link.other_end(here.router) == Some(next) && self.topology.is_up(index, here.at);
            leads.then_some((link.cost, index))
        });
        let there: Vec<(u32, LinkIndex)> = there.collect();
        let cheapest = there.iter().map(|(cost, _)| *cost).min();
        there.iter().filter(|(cost, _)| Some(*cost) == cheapest).map(|(_, link)| *link).collect()
    }

    /// Gives a packet that leaves by a link the label of the longest tunnel that lies on its way. What is
    /// addressed to a router of a tunnel does not go into it.
    pub(in crate::lab) fn enter_tunnel(&self, by: LinkIndex, to: &Destination, here: &mut Position) {
        let tunnels = self.topology.tunnels_from(here.router);
        if tunnels.is_empty() || self.is_switched(here) {
            return;
        }
        let mut ways = tunnels.iter().copied().filter(|index| {
            let tunnel = self.topology.tunnel(*index);
            tunnel.is_some_and(|tunnel| self.leads_through(tunnel, by, to, here))
        });
        if let Some(tunnel) = ways.next() {
            here.label = Some(Labelled { tunnel, step: 0, ttl: PIPE_TTL });
        }
    }

    fn leads_through(&self, tunnel: &Tunnel, by: LinkIndex, to: &Destination, here: &Position) -> bool {
        if to.router.is_some_and(|router| tunnel.routers.contains(&router)) {
            return false;
        }
        let mut leaves_by = Some(by);
        tunnel.routers.windows(2).all(|pair| {
            let [near, far] = pair else { return false };
            let there = Position { router: *near, ..*here };
            let link = leaves_by.take().or_else(|| match self.route(to, &there) {
                Some(Decision::Send(link)) => Some(link),
                _ => None,
            });
            let link = link.and_then(|link| self.topology.link(link));
            link.and_then(|link| link.other_end(*near)) == Some(*far)
        })
    }

    /// Counts down what counts where a packet is, as it leaves a router.
    pub(in crate::lab) fn count_down(&self, here: &mut Position) {
        let in_tunnel = here.label.and_then(|label| Some((label, self.topology.tunnel(label.tunnel)?)));
        let on = in_tunnel.filter(|(label, tunnel)| label.step < tunnel.egress());
        let Some((mut label, tunnel)) = on else {
            here.label = None;
            here.ttl = here.ttl_behind();
            return;
        };
        if label.step == 0 {
            here.ttl = here.ttl_behind();
            label.ttl = if tunnel.kind.propagates_ttl() { here.ttl } else { PIPE_TTL };
        } else {
            label.ttl = label.ttl.saturating_sub(u8::from(!here.made_here));
        }
        label.step = label.step.saturating_add(1);
        let popped = label.step == tunnel.egress() && tunnel.kind != TunnelKind::Opaque;
        here.ttl = match tunnel.kind {
            TunnelKind::Explicit | TunnelKind::Implicit if popped => label.ttl,
            TunnelKind::Invisible if popped => here.ttl.min(label.ttl),
            _ => here.ttl,
        };
        here.label = Some(label).filter(|_| !popped);
    }

    /// The label with which an error sets out: that of the packet it is about, so that it turns back at the
    /// egress.
    pub(in crate::lab) fn label_of_answer(&self, question: &Walked) -> Option<Labelled> {
        let (label, _) = self.inside(question.label)?;
        Some(Labelled { ttl: PIPE_TTL, ..label })
    }

    /// The label stack that a router shows in an error about a packet: that of the packet's tunnel, or else
    /// the router's own. Only the outermost label was counted down.
    pub(in crate::lab) fn shown_labels(&self, question: &Walked) -> Vec<ShownLabel> {
        let came_with = question.label.filter(|label| label.step > 0);
        let in_tunnel = came_with.and_then(|label| Some((label, self.topology.tunnel(label.tunnel)?)));
        let Some((label, tunnel)) = in_tunnel else {
            let own = self.topology.router(question.router).map(|router| router.labels.as_slice());
            return own
                .unwrap_or_default()
                .iter()
                .map(|value| ShownLabel { value: *value, ttl: 1 })
                .collect();
        };
        if !tunnel.kind.shows_labels() {
            return Vec::new();
        }
        let pushed_with = if tunnel.kind.propagates_ttl() { question.ttl } else { PIPE_TTL };
        let ttls = std::iter::once(label.ttl).chain(std::iter::repeat(pushed_with));
        tunnel.labels.iter().zip(ttls).map(|(value, ttl)| ShownLabel { value: *value, ttl }).collect()
    }
}
