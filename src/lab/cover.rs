//! Which of many prefixes cover an address.

use std::iter::successors;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use prefix_trie::PrefixMap;

use crate::model::Prefix;

/// Prefixes by their positions in a list.
#[derive(Debug, Default)]
pub(super) struct Cover {
    v4: PrefixMap<Ipv4Net, usize>,
    v6: PrefixMap<Ipv6Net, usize>,
    /// Of each prefix, the longest that is shorter and covers it.
    wider: Vec<Option<usize>>,
}

impl Cover {
    /// The first prefix has position 0.
    pub(super) fn of(prefixes: &[Prefix]) -> Self {
        let mut cover = Self::default();
        for (position, prefix) in prefixes.iter().enumerate() {
            match prefix.as_net() {
                IpNet::V4(net) => cover.v4.insert(net, position),
                IpNet::V6(net) => cover.v6.insert(net, position),
            };
        }
        cover.wider = prefixes.iter().map(|prefix| cover.wider_than(prefix.as_net())).collect();
        cover
    }

    fn wider_than(&self, net: IpNet) -> Option<usize> {
        let length = net.prefix_len();
        match net {
            IpNet::V4(net) => {
                let wider = self.v4.cover(&net).filter(|(other, _)| other.prefix_len() < length);
                wider.last().map(|(_, position)| *position)
            }
            IpNet::V6(net) => {
                let wider = self.v6.cover(&net).filter(|(other, _)| other.prefix_len() < length);
                wider.last().map(|(_, position)| *position)
            }
        }
    }

    /// The positions of all that cover an address, the longest prefix first.
    pub(super) fn covering(&self, address: IpAddr) -> impl Iterator<Item = usize> + '_ {
        successors(self.longest(address), |position| self.wider.get(*position).copied().flatten())
    }

    /// The position of the longest that covers an address.
    pub(super) fn longest(&self, address: IpAddr) -> Option<usize> {
        match address {
            IpAddr::V4(v4) => self.v4.get_lpm(&Ipv4Net::from(v4)).map(|(_, position)| *position),
            IpAddr::V6(v6) => self.v6.get_lpm(&Ipv6Net::from(v6)).map(|(_, position)| *position),
        }
    }
}
