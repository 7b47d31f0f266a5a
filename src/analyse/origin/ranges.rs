//! Longest-prefix match in a table that is built once and then only asked.
//!
//! Nested prefixes are flattened into ranges that do not overlap. To ask is then a binary search among the starts of those in
//! one /16. What takes time are places in memory that no cache holds: so the starts are cut to the bits behind the /16, some
//! thirty to a cache line, and what is known of a prefix is copied to each of its ranges.

use std::ops::Range;

/// The addresses of one family, as numbers.
pub(super) trait Bits: Copy + Ord + Default {
    /// What is left of an address of which the first 16 bits are known.
    type Rest: Copy + Ord;
    /// The last address of the prefix of this length that begins here.
    fn last_of(self, length: u8) -> Self;
    /// The address behind; `None` behind the last.
    fn next(self) -> Option<Self>;
    /// The first 16 bits.
    fn block(self) -> u16;
    /// The others.
    fn rest(self) -> Self::Rest;
}

impl Bits for u32 {
    type Rest = u16;

    fn last_of(self, length: u8) -> Self {
        self | Self::MAX.checked_shr(u32::from(length)).unwrap_or(0)
    }

    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }

    fn block(self) -> u16 {
        u16::try_from(self >> 16).unwrap_or(u16::MAX)
    }

    fn rest(self) -> u16 {
        let [_, _, high, low] = self.to_be_bytes();
        u16::from_be_bytes([high, low])
    }
}

impl Bits for u128 {
    /// All of it, in halves.
    type Rest = (u64, u64);

    fn last_of(self, length: u8) -> Self {
        self | Self::MAX.checked_shr(u32::from(length)).unwrap_or(0)
    }

    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }

    fn block(self) -> u16 {
        u16::try_from(self >> 112).unwrap_or(u16::MAX)
    }

    fn rest(self) -> (u64, u64) {
        let half = |bits: Self| u64::try_from(bits).unwrap_or(u64::MAX);
        (half(self >> 64), half(self & Self::from(u64::MAX)))
    }
}

/// How many /16 there are.
const BLOCKS: usize = 1 << 16;

/// A frozen table: what is known of the longest prefix around an address. Asked as it was before anything was put in, it
/// knows nothing.
#[derive(Clone, Debug)]
pub(super) struct Ranges<B: Bits, V> {
    /// Where ranges start, without the first 16 bits.
    starts: Vec<B::Rest>,
    /// `None`: no prefix covers the range.
    values: Vec<Option<V>>,
    /// For each /16, and one behind the last: how many ranges start before it.
    blocks: Vec<u32>,
}

impl<B: Bits, V> Default for Ranges<B, V> {
    fn default() -> Self {
        Self { starts: Vec::new(), values: Vec::new(), blocks: Vec::new() }
    }
}

/// Ranges while they are made.
struct Making<B, V> {
    starts: Vec<B>,
    values: Vec<Option<V>>,
    /// The prefixes that are not yet behind, by their last addresses, the outermost first.
    open: Vec<(B, V)>,
}

impl<B: Bits, V: Copy + Eq> Ranges<B, V> {
    /// Of prefixes as start and length, each once, sorted, with what is known of each. Neighbours of which the same is
    /// known become one.
    pub(super) fn new(prefixes: impl IntoIterator<Item = (B, u8, V)>) -> Self {
        let mut making = Making { starts: Vec::new(), values: Vec::new(), open: Vec::new() };
        for (start, length, value) in prefixes {
            making.close_before(Some(start));
            making.begin(start, Some(value));
            making.open.push((start.last_of(length), value));
        }
        making.close_before(None);
        let Making { starts, mut values, .. } = making;
        values.shrink_to_fit();
        Self { starts: starts.iter().map(|start| start.rest()).collect(), values, blocks: blocks(&starts) }
    }

    /// What is known of the longest prefix around an address.
    #[inline]
    pub(super) fn find(&self, address: B) -> Option<V> {
        let among = self.among(address)?;
        let (starts, rest) = (self.starts.get(among.clone())?, address.rest());
        let before = starts.partition_point(|start| *start <= rest);
        // Where none of the block starts before it, the last of an earlier block goes on.
        let place = among.start.saturating_add(before).checked_sub(1)?;
        *self.values.get(place)?
    }

    /// The ranges that start in the /16 of an address.
    #[inline]
    fn among(&self, address: B) -> Option<Range<usize>> {
        let block = usize::from(address.block());
        match self.blocks.get(block..=block.saturating_add(1)) {
            Some([first, behind]) => Some((*first as usize)..(*behind as usize)),
            _ => None,
        }
    }
}

impl<B: Bits, V: Copy + Eq> Making<B, V> {
    /// A range begins; one that began at the same place was empty.
    fn begin(&mut self, start: B, value: Option<V>) {
        if self.starts.last() == Some(&start) {
            self.starts.pop();
            self.values.pop();
        }
        if self.values.last() != Some(&value) {
            self.starts.push(start);
            self.values.push(value);
        }
    }

    /// Ends the open prefixes that end before an address, or all of them: behind each, the one around it goes on.
    fn close_before(&mut self, start: Option<B>) {
        while let Some((last, _)) = self.open.last().copied() {
            if start.is_some_and(|start| last >= start) {
                return;
            }
            self.open.pop();
            if let Some(next) = last.next() {
                self.begin(next, self.open.last().map(|(_, value)| *value));
            }
        }
    }
}

fn blocks<B: Bits>(starts: &[B]) -> Vec<u32> {
    if starts.is_empty() {
        return Vec::new();
    }
    let mut blocks = vec![0_u32; BLOCKS.saturating_add(1)];
    for start in starts {
        if let Some(count) = blocks.get_mut(usize::from(start.block()).saturating_add(1)) {
            *count = count.saturating_add(1);
        }
    }
    let mut before = 0_u32;
    for count in &mut blocks {
        before = before.saturating_add(*count);
        *count = before;
    }
    blocks
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same by looking at every prefix.
    fn longest<B: Bits>(prefixes: &[(B, u8)], address: B) -> Option<usize> {
        let covering = prefixes
            .iter()
            .enumerate()
            .filter(|(_, (start, length))| *start <= address && address <= start.last_of(*length));
        covering.max_by_key(|(_, (_, length))| *length).map(|(row, _)| row)
    }

    /// What is known of a prefix is its place in the list.
    fn of_rows<B: Bits>(prefixes: &[(B, u8)]) -> Ranges<B, usize> {
        Ranges::new(prefixes.iter().enumerate().map(|(row, (start, length))| (*start, *length, row)))
    }

    fn of_bits<B: Bits + std::ops::BitAnd<Output = B> + std::ops::Not<Output = B>>(
        drawn: Vec<(B, u8)>,
    ) -> Vec<(B, u8)> {
        let zero = B::default();
        let mut prefixes: Vec<(B, u8)> =
            drawn.into_iter().map(|(bits, length)| (bits & !zero.last_of(length), length)).collect();
        prefixes.sort_unstable();
        prefixes.dedup();
        prefixes
    }

    proptest! {
        #[test]
        fn every_address_finds_the_longest_prefix_around_it_whatever_is_nested(
            drawn in prop::collection::vec((any::<u32>(), 0_u8..=32), 0..60),
            near in prop::collection::vec((any::<prop::sample::Index>(), -1_i64..=1, any::<bool>()), 0..20),
            anywhere in any::<u32>(),
        ) {
            let prefixes = of_bits(drawn);
            let ranges = of_rows(&prefixes);
            let mut addresses = vec![anywhere, 0, u32::MAX];
            for (index, by, at_end) in near {
                if prefixes.is_empty() { continue }
                let (start, length) = prefixes[index.index(prefixes.len())];
                let edge = if at_end { start.last_of(length) } else { start };
                addresses.push(u32::try_from(i64::from(edge) + by).unwrap_or(edge));
            }
            for address in addresses {
                prop_assert_eq!(ranges.find(address), longest(&prefixes, address));
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4))]
        #[test]
        fn a_large_table_of_either_family_answers_the_same(
            drawn in prop::collection::vec((any::<u32>(), 12_u8..=28), 400..600),
            drawn_v6 in prop::collection::vec((any::<u128>(), 0_u8..=128), 400..600),
        ) {
            let prefixes = of_bits(drawn);
            let ranges = of_rows(&prefixes);
            for (start, length) in &prefixes {
                for address in [*start, start.last_of(*length), start.wrapping_sub(1)] {
                    prop_assert_eq!(ranges.find(address), longest(&prefixes, address));
                }
            }
            let prefixes = of_bits(drawn_v6);
            let ranges = of_rows(&prefixes);
            for (start, length) in &prefixes {
                for address in [*start, start.last_of(*length), start.wrapping_sub(1)] {
                    prop_assert_eq!(ranges.find(address), longest(&prefixes, address));
                }
            }
        }
    }
}
