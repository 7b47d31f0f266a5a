//! What a census asks at a time: blocks of probes, sent in a seeded order of all of them together. Probe and
//! position follow from each other, so that nothing is kept of what was sent.

use crate::measure::schedule::{Draw, Permutation};

/// Tells these draws from those of other purposes.
const PURPOSE: u64 = 0x6365_6e73_7573_2121;

/// Some flows of a unit at one hop, each some times over. Hops count from 0 at the first TTL that is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Block {
    pub(super) unit: u32,
    pub(super) hop: u8,
    pub(super) first_attempt: u8,
    pub(super) attempts: u8,
    pub(super) first_flow: u16,
    pub(super) flows: u16,
}

/// One probe of a census.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) unit: u32,
    pub(super) hop: u8,
    pub(super) flow: u16,
    pub(super) attempt: u8,
}

impl Block {
    pub(super) fn probes(&self) -> u64 {
        u64::from(self.flows).saturating_mul(self.attempts.into())
    }

    /// As many of them as there is room for, and the others. A block has one flow, or one attempt.
    pub(super) fn split(self, room: u64) -> (Option<Self>, Option<Self>) {
        let room = u16::try_from(room).unwrap_or(u16::MAX);
        let (now, never) = if self.attempts > 1 {
            let attempts = u8::try_from(room).unwrap_or(u8::MAX).min(self.attempts);
            let first_attempt = self.first_attempt.saturating_add(attempts);
            let others = self.attempts.saturating_sub(attempts);
            (Self { attempts, ..self }, Self { first_attempt, attempts: others, ..self })
        } else {
            let flows = room.min(self.flows);
            let first_flow = self.first_flow.saturating_add(flows);
            (Self { flows, ..self }, Self { first_flow, flows: self.flows.saturating_sub(flows), ..self })
        };
        let some = |block: Self| Some(block).filter(|block| block.probes() > 0);
        (some(now), some(never))
    }

    fn at(&self, offset: u64) -> Option<Cell> {
        let flows = u64::from(self.flows);
        let (turn, flow) = (offset.checked_div(flows)?, offset.checked_rem(flows)?);
        Some(Cell {
            unit: self.unit,
            hop: self.hop,
            flow: self.first_flow.checked_add(u16::try_from(flow).ok()?)?,
            attempt: self.first_attempt.checked_add(u8::try_from(turn).ok()?)?,
        })
    }

    fn offset_of(&self, cell: Cell) -> Option<u64> {
        let flow = cell.flow.checked_sub(self.first_flow).filter(|flow| *flow < self.flows)?;
        let turn = cell.attempt.checked_sub(self.first_attempt).filter(|turn| *turn < self.attempts)?;
        u64::from(turn).checked_mul(self.flows.into())?.checked_add(flow.into())
    }
}

/// Blocks that are asked together, and the positions of their probes.
#[derive(Clone, Debug)]
pub(super) struct Wave {
    number: u32,
    /// The position of the first probe, counted over all waves.
    start: u64,
    /// In order.
    blocks: Vec<Block>,
    /// How many probes there are up to the end of each block.
    ends: Vec<u64>,
    order: Permutation,
}

impl Wave {
    /// These blocks, behind `start` probes of earlier waves.
    pub(super) fn new((seed, number): (u64, u32), start: u64, mut blocks: Vec<Block>) -> Self {
        blocks.retain(|block| block.probes() > 0);
        blocks.sort_unstable();
        let ends: Vec<u64> = blocks
            .iter()
            .scan(0_u64, |end, block| {
                *end = end.saturating_add(block.probes());
                Some(*end)
            })
            .collect();
        let size = ends.last().copied().unwrap_or(0);
        let order = Permutation::new(Draw::new(seed, PURPOSE).bits(number.into(), 0), size);
        Self { number, start, blocks, ends, order }
    }

    pub(super) const fn number(&self) -> u32 {
        self.number
    }

    pub(super) const fn start(&self) -> u64 {
        self.start
    }

    /// How many probes it has.
    pub(super) const fn size(&self) -> u64 {
        self.order.size()
    }

    /// The position behind the last of its probes.
    pub(super) const fn end(&self) -> u64 {
        self.start.saturating_add(self.size())
    }

    pub(super) fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// The blocks of a unit.
    pub(super) fn of_unit(&self, unit: u32) -> &[Block] {
        let first = self.blocks.partition_point(|block| block.unit < unit);
        let end = self.blocks.partition_point(|block| block.unit <= unit);
        self.blocks.get(first..end).unwrap_or_default()
    }

    pub(super) fn at(&self, position: u64) -> Option<Cell> {
        let index = self.order.at(position.checked_sub(self.start)?)?;
        let block = self.ends.partition_point(|end| *end <= index);
        let before = block.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.blocks.get(block)?.at(index.checked_sub(before)?)
    }

    pub(super) fn position_of(&self, cell: Cell) -> Option<u64> {
        let first = self.blocks.partition_point(|block| (block.unit, block.hop) < (cell.unit, cell.hop));
        let blocks = self.blocks.iter().enumerate().skip(first);
        let here = blocks.take_while(|(_, block)| (block.unit, block.hop) == (cell.unit, cell.hop));
        let mut found = here.filter_map(|(index, block)| Some((index, block.offset_of(cell)?)));
        let (block, offset) = found.next()?;
        let before = block.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.order.position_of(before.saturating_add(offset))?.checked_add(self.start)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    prop_compose! {
        fn any_block()(
            unit in 0_u32..4,
            hop in 0_u8..6,
            first_flow in 0_u16..300,
            flows in 0_u16..20,
            first_attempt in 0_u8..9,
            attempts in 0_u8..4,
        ) -> Block {
            Block { unit, hop, first_attempt, attempts, first_flow, flows }
        }
    }

    proptest! {
        #[test]
        fn every_probe_of_a_wave_has_one_position_and_is_found_there(
            blocks in prop::collection::vec(any_block(), 0..12), seed: u64, start in 0_u64..1_000_000,
        ) {
            // At most one block a hop: that is what units ask for.
            let mut blocks = blocks;
            blocks.sort_by_key(|block| (block.unit, block.hop));
            blocks.dedup_by_key(|block| (block.unit, block.hop));
            let wave = Wave::new((seed, 3), start, blocks.clone());
            prop_assert_eq!(wave.size(), blocks.iter().map(Block::probes).sum::<u64>());
            for position in wave.start()..wave.end() {
                prop_assert_eq!(wave.position_of(wave.at(position).unwrap()), Some(position));
            }
            prop_assert_eq!(wave.at(wave.end()), None);
            let of_one = wave.of_unit(1).iter().filter(|block| block.unit == 1).count();
            prop_assert_eq!(of_one, blocks.iter().filter(|block| block.unit == 1 && block.probes() > 0).count());
        }
    }

    #[test]
    fn what_no_block_holds_has_no_position() {
        let block = Block { unit: 1, hop: 2, first_attempt: 1, attempts: 2, first_flow: 6, flows: 3 };
        let wave = Wave::new((1, 0), 10, vec![block]);
        let cell = Cell { unit: 1, hop: 2, flow: 6, attempt: 1 };
        assert!(wave.position_of(cell).is_some());
        for other in [
            Cell { flow: 5, ..cell },
            Cell { flow: 9, ..cell },
            Cell { attempt: 0, ..cell },
            Cell { attempt: 3, ..cell },
            Cell { hop: 1, ..cell },
            Cell { unit: 2, ..cell },
        ] {
            assert_eq!(wave.position_of(other), None, "{other:?}");
        }
    }
}
