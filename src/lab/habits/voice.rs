//! From which address a router answers, and how its answer sets out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::lab::answer::Complaint;
use crate::lab::balance::Choose;
use crate::lab::chance::NoDice;
use crate::lab::packet::{ICMP, ICMPV6};
use crate::lab::scenario::{AnswersFrom, LinkIndex, RouterIndex};
use crate::lab::walk::{Decision, End, Flow, Network, Position, Start, Walked};

/// Whose voice an ICMP error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::lab) struct Voice {
    /// The source of the error.
    pub(in crate::lab) address: IpAddr,
    /// The link by which it must leave, where the address says so.
    pub(in crate::lab) leaves_by: Option<LinkIndex>,
}

impl<C: Choose> Network<C> {
    /// The voice in which the last router complains about a question; `None` if it has no address of the
    /// family. A closed port is told from the address that was asked, unless the router always answers in
    /// one way of its own.
    pub(in crate::lab) fn voice(&self, question: &Walked, complaint: Complaint) -> Option<Voice> {
        let router = self.topology.router(question.router)?;
        let is_ipv4 = question.flow.destination.is_ipv4();
        let own = router.addresses.of(is_ipv4);
        let plain = |address: Option<IpAddr>| Some(Voice { address: address.or(own)?, leaves_by: None });
        match router.answers_from {
            AnswersFrom::Inbound if complaint == Complaint::PortClosed => {
                plain(Some(question.flow.destination))
            }
            AnswersFrom::Inbound => plain(self.interface(question.inbound, question.router, is_ipv4)),
            AnswersFrom::Router => plain(None),
            AnswersFrom::Addresses(addresses) => plain(addresses.of(is_ipv4)),
            AnswersFrom::Outbound => {
                let leaves_by = self.way_out(question);
                let address = self.interface(leaves_by, question.router, is_ipv4).or(own)?;
                Some(Voice { address, leaves_by })
            }
        }
    }

    fn interface(&self, link: Option<LinkIndex>, router: RouterIndex, is_ipv4: bool) -> Option<IpAddr> {
        self.topology.link(link?)?.addresses_at(router)?.of(is_ipv4)
    }

    /// The link by which the last router answers a question; `None` if not by a link. It is chosen before the
    /// answer has a source.
    fn way_out(&self, question: &Walked) -> Option<LinkIndex> {
        let (source, protocol) = match question.flow.source {
            IpAddr::V4(_) => (IpAddr::V4(Ipv4Addr::UNSPECIFIED), ICMP),
            IpAddr::V6(_) => (IpAddr::V6(Ipv6Addr::UNSPECIFIED), ICMPV6),
        };
        let destination = question.flow.source;
        let flow = Flow { source, destination, protocol, first_four: [0; 4], label: 0, tos: 0 };
        let here = Position::new(flow, self.start_of_answer(question));
        match self.decide(&self.destination(destination), &here) {
            Decision::Send(link) => Some(link),
            Decision::End(_) => None,
        }
    }

    /// How an answer begins that the last router, or the host behind it, makes at once; its TTL is 255.
    pub(in crate::lab) fn start_of_answer(&self, question: &Walked) -> Start {
        let symmetric = self.topology.home(question.router).and_then(|home| self.topology.asys(home));
        let symmetric = symmetric.is_some_and(|asys| asys.symmetric_replies);
        Start {
            router: question.router,
            at: question.at,
            ttl: u8::MAX,
            made_here: !matches!(question.end, End::AtHost(_)),
            way_back: question.entered.filter(|_| symmetric),
            leaves_by: None,
            label: self.label_of_answer(question),
            about: None,
            rigid_length: 0,
        }
    }

    /// The address from which an answer is seen at the vantage: a NAT may have changed it.
    pub(in crate::lab) fn seen_from(&self, question: &Walked, from: IpAddr, is_error: bool) -> IpAddr {
        if !self.topology.translates() {
            return from;
        }
        let destination = question.flow.source;
        let protocol = if from.is_ipv4() { ICMP } else { ICMPV6 };
        let flow = Flow { source: from, destination, protocol, first_four: [0; 4], label: 0, tos: 0 };
        let about = is_error.then_some(question.flow.destination);
        let start = Start { about, ..self.start_of_answer(question) };
        self.walk(Position::new(flow, start), &mut NoDice, |_| {}).flow.source
    }
}
