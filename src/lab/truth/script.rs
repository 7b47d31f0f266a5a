//! Choices for the truth: as a balancer makes them for one flow, or all that different flows may meet, one
//! after the other.
//!
//! A step of a walk that is tried under a script either needs no choice that is still open, or ends in a
//! [`Fork`]: the choices that there are, each with its share of the flows. It is then tried again, once for
//! each of them, with that choice pinned. Pins are kept along the way: an AS sends a flow to one
//! neighbour only, and what a router before a tunnel was told of the routers in it holds when they are
//! reached.

use std::cell::RefCell;
use std::collections::BTreeSet;

use super::flows::Flows;
use crate::lab::balance::{Balancers, Choose, Seen};
use crate::lab::scenario::{AsIndex, Balance, LinkIndex, RouterIndex};
use crate::lab::walk::Flow;

/// A choice that has been made for some flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Pin {
    Neighbour(AsIndex, AsIndex),
    Link(RouterIndex, LinkIndex),
}

/// All choices that have been made for some flows.
pub(super) type Pins = BTreeSet<Pin>;

/// Choices of which one must be made, each with its share.
pub(super) type Fork = Vec<(Pin, f64)>;

/// A chooser that follows a script while there is one.
#[derive(Debug)]
pub(super) struct Script {
    balancers: Balancers,
    asked: RefCell<Option<Asked>>,
}

#[derive(Debug)]
struct Asked {
    flows: Flows,
    pins: Pins,
    fork: Option<Fork>,
}

impl Script {
    pub(super) fn new(balancers: Balancers) -> Self {
        Self { balancers, asked: RefCell::new(None) }
    }

    /// Tries something under pins.
    ///
    /// # Errors
    /// The first choice that is still open; what was tried is then worth nothing.
    pub(super) fn attempt<T>(
        &self,
        flows: Flows,
        pins: &Pins,
        step: impl FnOnce() -> T,
    ) -> Result<T, Fork> {
        self.asked.replace(Some(Asked { flows, pins: pins.clone(), fork: None }));
        let done = step();
        match self.asked.replace(None).and_then(|asked| asked.fork) {
            Some(fork) => Err(fork),
            None => Ok(done),
        }
    }
}

impl Asked {
    /// The choice among several that is pinned; if none is, the first, and the choice is told to be open.
    fn choose<T: Copy + PartialEq>(
        &mut self,
        options: &[T],
        pin: impl Fn(T) -> Pin,
        weight: impl Fn(T) -> u16,
    ) -> Option<T> {
        let pinned = options.iter().copied().find(|option| self.pins.contains(&pin(*option)));
        if pinned.is_none() && self.fork.is_none() {
            let whole: f64 = options.iter().map(|option| f64::from(weight(*option))).sum();
            let share = |option: &T| (pin(*option), f64::from(weight(*option)) / whole);
            self.fork = Some(options.iter().map(share).collect());
        }
        pinned.or_else(|| options.first().copied())
    }
}

impl Choose for Script {
    fn link(
        &self,
        (router, balance): (RouterIndex, &Balance),
        links: &[LinkIndex],
        weight: impl Fn(LinkIndex) -> u16,
        seen: Seen<'_>,
    ) -> Option<LinkIndex> {
        match &mut *self.asked.borrow_mut() {
            Some(asked) if links.len() > 1 && asked.flows.are_spread_by(balance) => {
                asked.choose(links, |link| Pin::Link(router, link), weight)
            }
            _ => self.balancers.link((router, balance), links, weight, seen),
        }
    }

    fn neighbour(&self, home: AsIndex, next: &[AsIndex], flow: &Flow) -> Option<AsIndex> {
        match &mut *self.asked.borrow_mut() {
            Some(asked) if next.len() > 1 => asked.choose(next, |next| Pin::Neighbour(home, next), |_| 1),
            _ => self.balancers.neighbour(home, next, flow),
        }
    }
}
