//! A queue of ASes in the order of how good their routes are: by want, then by length.

use super::graph::Node;
use super::key::{Key, Want};

const WANTS: [Want; 3] = [Want::Customer, Want::Peer, Want::Provider];

/// One bucket for each want and length. What is taken out leaves room for what is put in later.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    buckets: [Vec<Vec<Node>>; 3],
    waiting: usize,
}

impl Queue {
    pub(super) fn put(&mut self, node: Node, key: Key) {
        let Some(buckets) = key.want().and_then(|want| self.buckets.get_mut(want as usize)) else { return };
        let length = key.length() as usize;
        if buckets.len() <= length {
            buckets.resize(length.saturating_add(1), Vec::new());
        }
        if let Some(bucket) = buckets.get_mut(length) {
            bucket.push(node);
            self.waiting = self.waiting.saturating_add(1);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// How many lengths there are buckets for.
    pub(super) fn lengths(&self, want: Want) -> usize {
        self.buckets.get(want as usize).map_or(0, Vec::len)
    }

    /// All of one bucket; [`Queue::give_back`] returns its memory.
    pub(super) fn take(&mut self, want: Want, length: usize) -> Vec<Node> {
        let bucket = self.buckets.get_mut(want as usize).and_then(|buckets| buckets.get_mut(length));
        let nodes = bucket.map(std::mem::take).unwrap_or_default();
        self.waiting = self.waiting.saturating_sub(nodes.len());
        nodes
    }

    pub(super) fn give_back(&mut self, want: Want, length: usize, mut nodes: Vec<Node>) {
        nodes.clear();
        if let Some(bucket) =
            self.buckets.get_mut(want as usize).and_then(|buckets| buckets.get_mut(length))
            && bucket.is_empty()
        {
            *bucket = nodes;
        }
    }

    /// The wants, the best first.
    pub(super) const fn wants() -> [Want; 3] {
        WANTS
    }
}
