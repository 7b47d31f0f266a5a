//! Where are we: on the Internet, in a closed laboratory, or nowhere?
//!
//! A rehearsal may skip the rule that a campaign names a person to write to, because nothing that it
//! sends can reach anybody. This module decides whether that is so, from the links of the network
//! namespace alone: not from names, addresses or settings, which anyone can choose. Whatever it does
//! not know for certain to be closed is [`Territory::Internet`].
//!
//! ```text
//!   lo                                    harmless: ends in itself
//!   veth whose peer is in this namespace  closed: what enters one end leaves the other, here
//!   veth whose peer is elsewhere          a way out
//!   a tunnel that is down                 harmless: the kernel makes some in every namespace
//!   anything else, up or down             a way out
//! ```

use std::collections::BTreeMap;

use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::link::{InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkMessage};

use super::netlink::{self, NetlinkError};

/// What a network namespace is connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Territory {
    /// Closed: every way out of it leads back into it.
    Lab,
    /// No interface but loopback is up, and none is there that could be.
    Isolated,
    /// There is a way out, or there may be one.
    Internet,
}

impl Territory {
    /// Whether nothing that is sent here can reach anybody.
    #[must_use]
    pub const fn is_closed(self) -> bool {
        matches!(self, Self::Lab | Self::Isolated)
    }
}

/// Decides where the calling thread is.
///
/// # Errors
/// If the kernel does not describe all links. Take that as [`Territory::Internet`].
pub fn territory() -> Result<Territory, NetlinkError> {
    let mut links = Vec::new();
    netlink::dump(RouteNetlinkMessage::GetLink(LinkMessage::default()), |message| {
        if let RouteNetlinkMessage::NewLink(link) = message {
            links.push(LinkDescription::from(&link));
        }
    })?;
    Ok(decide(&links))
}

/// What matters of a network interface here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct LinkDescription {
    /// Its index, unique in its namespace only.
    index: u32,
    /// What it is.
    kind: LinkKind,
    /// Whether it is set up.
    up: bool,
    /// The index of the interface that it is tied to, if it is tied to one (`IFLA_LINK`).
    tied_to: Option<u32>,
    /// Whether that one is in another namespace (`IFLA_LINK_NETNSID` is there).
    tied_elsewhere: bool,
}

/// Kinds of interfaces, as far as they matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LinkKind {
    /// Packets sent into it come back.
    Loopback,
    /// One end of a virtual cable.
    Veth,
    /// A tunnel that needs another interface to carry its packets.
    Tunnel,
    /// Hardware, a bridge, a tun device, or anything that this program does not know.
    Other,
}

impl From<&LinkMessage> for LinkDescription {
    fn from(link: &LinkMessage) -> Self {
        let attributes = &link.attributes;
        Self {
            index: link.header.index,
            kind: LinkKind::of(link),
            up: link.header.flags.contains(LinkFlags::Up),
            tied_to: attributes.iter().find_map(|attribute| match attribute {
                LinkAttribute::Link(index) => Some(*index),
                _ => None,
            }),
            tied_elsewhere: attributes.iter().any(|a| matches!(a, LinkAttribute::LinkNetNsId(_))),
        }
    }
}

impl LinkKind {
    fn of(link: &LinkMessage) -> Self {
        if link.header.flags.contains(LinkFlags::Loopback) {
            return Self::Loopback;
        }
        let infos = link.attributes.iter().filter_map(|attribute| match attribute {
            LinkAttribute::LinkInfo(infos) => Some(infos),
            _ => None,
        });
        let kind = infos.flatten().find_map(|info| match info {
            LinkInfo::Kind(kind) => Some(kind),
            _ => None,
        });
        kind.map_or(Self::Other, Self::named)
    }

    fn named(kind: &InfoKind) -> Self {
        match kind {
            InfoKind::Veth => Self::Veth,
            InfoKind::IpIp
            | InfoKind::Ip6Tnl
            | InfoKind::SitTun
            | InfoKind::GreTun
            | InfoKind::GreTun6
            | InfoKind::GreTap
            | InfoKind::GreTap6
            | InfoKind::Vti
            | InfoKind::Vti6
            | InfoKind::ErSpan
            | InfoKind::Ip6ErSpan => Self::Tunnel,
            _ => Self::Other,
        }
    }
}

fn decide(links: &[LinkDescription]) -> Territory {
    let by_index: BTreeMap<u32, &LinkDescription> = links.iter().map(|link| (link.index, link)).collect();
    let mut ways = links.iter().filter(|link| !is_harmless(link)).peekable();
    if ways.peek().is_none() {
        return Territory::Isolated;
    }
    if ways.all(|link| leads_back(link, &by_index)) { Territory::Lab } else { Territory::Internet }
}

/// Whether no packet can leave through it, whatever else is there.
fn is_harmless(link: &LinkDescription) -> bool {
    match link.kind {
        LinkKind::Loopback => true,
        LinkKind::Tunnel => !link.up && !link.tied_elsewhere,
        LinkKind::Veth | LinkKind::Other => false,
    }
}

/// Whether it is one end of a cable whose other end is here, and both ends say so.
fn leads_back(link: &LinkDescription, by_index: &BTreeMap<u32, &LinkDescription>) -> bool {
    let is_end = |end: &LinkDescription| end.kind == LinkKind::Veth && !end.tied_elsewhere;
    let peer = link.tied_to.and_then(|index| by_index.get(&index));
    is_end(link) && peer.is_some_and(|peer| is_end(peer) && peer.tied_to == Some(link.index))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LO: LinkDescription = LinkDescription {
        index: 1,
        kind: LinkKind::Loopback,
        up: true,
        tied_to: None,
        tied_elsewhere: false,
    };

    fn veth(index: u32, peer: u32) -> LinkDescription {
        LinkDescription { index, kind: LinkKind::Veth, tied_to: Some(peer), ..LO }
    }

    #[test]
    fn only_what_certainly_leads_back_is_a_lab() {
        let hardware = LinkDescription { index: 2, kind: LinkKind::Other, ..LO };
        let hardware_down = LinkDescription { up: false, ..hardware };
        let tunnel = LinkDescription { index: 9, kind: LinkKind::Tunnel, up: false, ..LO };
        let elsewhere = LinkDescription { tied_elsewhere: true, ..veth(2, 3) };
        let table = [
            ("nothing at all", vec![], Territory::Isolated),
            ("loopback", vec![LO], Territory::Isolated),
            ("a tunnel that is down", vec![LO, tunnel], Territory::Isolated),
            ("a pair", vec![LO, veth(2, 3), veth(3, 2)], Territory::Lab),
            ("two pairs", vec![LO, veth(2, 3), veth(3, 2), veth(4, 5), veth(5, 4)], Territory::Lab),
            ("a pair and a tunnel that is down", vec![veth(2, 3), veth(3, 2), tunnel], Territory::Lab),
            ("hardware", vec![LO, hardware], Territory::Internet),
            ("hardware that may come up", vec![LO, hardware_down], Territory::Internet),
            ("a pair beside hardware", vec![hardware, veth(4, 5), veth(5, 4)], Territory::Internet),
            ("a tunnel that is up", vec![LO, LinkDescription { up: true, ..tunnel }], Territory::Internet),
            (
                "a tunnel out of another namespace",
                vec![LO, LinkDescription { tied_elsewhere: true, ..tunnel }],
                Territory::Internet,
            ),
            ("one end", vec![LO, veth(2, 3)], Territory::Internet),
            (
                "an end without a peer",
                vec![LinkDescription { tied_to: None, ..veth(2, 0) }],
                Territory::Internet,
            ),
            ("an end tied to itself elsewhere", vec![elsewhere, veth(3, 2)], Territory::Internet),
            (
                "an index that only looks like the peer",
                vec![elsewhere, veth(3, 4), veth(4, 3)],
                Territory::Internet,
            ),
            (
                "a pair of which one end is disputed",
                vec![veth(2, 3), veth(3, 4), veth(4, 3)],
                Territory::Internet,
            ),
            (
                "a veth tied to hardware",
                vec![veth(3, 2), LinkDescription { tied_to: Some(3), ..hardware }],
                Territory::Internet,
            ),
        ];
        for (name, links, expected) in table {
            assert_eq!(decide(&links), expected, "{name}");
        }
    }

    #[test]
    fn a_kind_that_nobody_knows_is_a_way_out() {
        let mut link = LinkMessage::default();
        link.header.index = 7;
        assert_eq!(decide(&[LinkDescription::from(&link)]), Territory::Internet);
        let unknown = LinkInfo::Kind(InfoKind::Other("vethx".to_owned()));
        link.attributes.push(LinkAttribute::LinkInfo(vec![unknown]));
        assert_eq!(decide(&[LinkDescription::from(&link)]), Territory::Internet);
    }
}
