//! All addresses of a family, cut into stretches that no prefix of a table tells apart: what a table says of
//! one address, found in whatever way, holds for its whole stretch.

use std::net::IpAddr;

use super::Prefix;

/// Cuts all addresses of a family into stretches, and holds what was found out about each. Memory: one entry
/// for each end of a prefix.
#[derive(Clone, Debug)]
pub struct Stretches<T> {
    /// The first address of each stretch, in order; the first of all is 0.
    starts: Vec<u128>,
    /// One entry a stretch.
    known: Vec<Option<T>>,
    /// The stretch that was last asked for.
    last: usize,
}

impl<T> Default for Stretches<T> {
    fn default() -> Self {
        Self::cut_by([])
    }
}

impl<T> Stretches<T> {
    /// Cut wherever one of these prefixes, all of one family, begins or ends.
    #[must_use]
    pub fn cut_by(prefixes: impl IntoIterator<Item = Prefix>) -> Self {
        let ends = prefixes.into_iter().flat_map(|prefix| {
            let net = prefix.as_net();
            [Some(bits(net.network())), bits(net.broadcast()).checked_add(1)]
        });
        let mut starts: Vec<u128> = ends.flatten().chain([0]).collect();
        starts.sort_unstable();
        starts.dedup();
        let known = starts.iter().map(|_| None).collect();
        Self { starts, known, last: 0 }
    }

    /// In one piece, about which everything is known.
    #[must_use]
    pub fn all(known: T) -> Self {
        Self { starts: vec![0], known: vec![Some(known)], last: 0 }
    }
}

impl<T: Copy> Stretches<T> {
    /// What is known of the stretch of this address; `ask` finds it out where nothing is.
    pub fn of(&mut self, address: IpAddr, ask: impl FnOnce() -> T) -> T {
        let address = bits(address);
        if !self.holds(self.last, address) {
            self.last = self.starts.partition_point(|start| *start <= address).saturating_sub(1);
        }
        match self.known.get_mut(self.last) {
            Some(known) => *known.get_or_insert_with(ask),
            None => ask(),
        }
    }

    fn holds(&self, stretch: usize, address: u128) -> bool {
        let end = self.starts.get(stretch.saturating_add(1));
        self.starts.get(stretch).is_some_and(|start| *start <= address)
            && end.is_none_or(|end| address < *end)
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Prefixes that nest, touch and leave gaps, and addresses near them.
    fn prefixes() -> impl Strategy<Value = Vec<Prefix>> {
        let prefix = (0_u32..64, 26_u8..=32).prop_map(|(low, length)| {
            Prefix::covering(IpAddr::from((0xC633_6400 | low).to_be_bytes()), length).unwrap()
        });
        prop::collection::vec(prefix, 0..12)
    }

    proptest! {
        /// The routes that cover an address are the same as at the address that was asked for its stretch.
        #[test]
        fn within_a_stretch_every_prefix_covers_all_addresses_or_none(prefixes in prefixes()) {
            let covering = |address: IpAddr| -> Vec<bool> {
                prefixes.iter().map(|prefix| prefix.contains(address)).collect()
            };
            let mut stretches = Stretches::cut_by(prefixes.iter().copied());
            for low in (0_u32..80).chain((0..80).rev()) {
                let address = IpAddr::from((0xC633_63F8_u32 + low).to_be_bytes());
                let asked = stretches.of(address, || address);
                prop_assert_eq!(covering(address), covering(asked), "{} asked for {}", address, asked);
            }
            let most = 2 * prefixes.len() + 1;
            prop_assert!(stretches.known.len() <= most, "no more is asked than there are ends");
        }
    }

    #[test]
    fn the_last_address_of_all_ends_no_stretch() {
        for whole in ["0.0.0.0/0", "::/0", "ffff::/16", "255.255.255.255/32"] {
            let prefix: Prefix = whole.parse().unwrap();
            let last = prefix.as_net().broadcast();
            let mut stretches = Stretches::cut_by([prefix]);
            assert_eq!(stretches.of(last, || 1), 1);
            assert_eq!(stretches.of(last, || 2), 1, "{whole}");
        }
    }
}
