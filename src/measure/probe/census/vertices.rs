//! Who answered, each kept once: searches name them by number.

use std::collections::HashMap;
use std::net::IpAddr;

/// The number of somebody who answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Vertex(u32);

impl Vertex {
    /// The address that was asked.
    pub(super) const TARGET: Self = Self(u32::MAX);
}

/// All who answered, but for the addresses that were asked.
#[derive(Clone, Debug, Default)]
pub(super) struct Vertices {
    addresses: Vec<IpAddr>,
    numbers: HashMap<IpAddr, Vertex>,
}

impl Vertices {
    /// The number of an address, which gets one if it has none.
    pub(super) fn number(&mut self, address: IpAddr) -> Vertex {
        let next = Vertex(u32::try_from(self.addresses.len()).unwrap_or(u32::MAX));
        let number = *self.numbers.entry(address).or_insert(next);
        if number == next && number != Vertex::TARGET {
            self.addresses.push(address);
        }
        number
    }

    /// Whose number it is; `None` for the address that was asked.
    pub(super) fn address(&self, vertex: Vertex) -> Option<IpAddr> {
        self.addresses.get(usize::try_from(vertex.0).ok()?).copied()
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.addresses.len()
    }
}
