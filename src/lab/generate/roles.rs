//! Which ASes are special, and what every AS has: IPv6, networks, several routes at once.

use std::collections::BTreeSet;

use super::dice::{Dice, Purpose};
use super::graph::{AsGraph, Id};
use super::plan::AsPlan;
use super::{CannotGenerate, Recipe};
use crate::model::Asn;

/// How many ASes have IPv6: those with customers, and those without.
const DUAL: [f64; 2] = [0.9, 0.4];
/// How many of those with customers use several routes at once.
const MULTIPATH: f64 = 0.1;
/// How many networks ASes have: those with customers, those without, and the target.
const NETWORKS: [&[(usize, f64)]; 2] = [&[(0, 0.7), (1, 0.3)], &[(1, 0.8), (2, 0.15), (3, 0.05)]];
const NETWORKS_OF_TARGET: usize = 4;

/// Who measures, and who is measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Roles {
    pub(super) vantage: Id,
    pub(super) target: Id,
}

impl Roles {
    /// Those that a recipe names. Others are drawn: a target with several providers, and a vantage behind none of
    /// them; or what comes nearest to that.
    pub(super) fn of(recipe: &Recipe<'_>, graph: &AsGraph) -> Result<Self, CannotGenerate> {
        let named = |number: Option<Asn>| {
            let find = |number| graph.find(number).ok_or(CannotGenerate::Unknown(number));
            number.map(find).transpose()
        };
        if let (Some(one), Some(other)) = (recipe.vantage, recipe.target)
            && one == other
        {
            return Err(CannotGenerate::Same(one));
        }
        let (vantage, target) = (named(recipe.vantage)?, named(recipe.target)?);
        let mut dice = Dice::new(recipe.seed, Purpose::Roles);
        let target =
            target.or_else(|| draw_target(graph, vantage, &mut dice)).ok_or(CannotGenerate::NoStubs)?;
        let vantage =
            vantage.or_else(|| draw_vantage(graph, target, &mut dice)).ok_or(CannotGenerate::NoStubs)?;
        let roles = Self { vantage, target };
        if graph.reached_from(vantage).contains(&target) { Ok(roles) } else { Err(roles.no_route(graph)) }
    }

    /// The same in a part of the graph; `None` if one of them is not in it.
    pub(super) fn within(&self, part: &BTreeSet<Id>) -> Option<Self> {
        let place = |id: Id| part.iter().position(|other| *other == id);
        Some(Self { vantage: place(self.vantage)?, target: place(self.target)? })
    }

    pub(super) fn no_route(&self, graph: &AsGraph) -> CannotGenerate {
        match (graph.number(self.vantage), graph.number(self.target)) {
            (Some(vantage), Some(target)) => CannotGenerate::NoRoute { vantage, target },
            _ => CannotGenerate::NoStubs,
        }
    }

    /// Decides what an AS has beside routers.
    pub(super) fn furnish(&self, asys: &mut AsPlan, (graph, id): (&AsGraph, Id), dice: &mut Dice) {
        let [dual_transit, dual_stub] = DUAL;
        let [of_transit, of_stubs] = NETWORKS;
        let is_stub = graph.is_stub(id);
        let special = id == self.target || id == self.vantage;
        asys.dual = dice.happens(if is_stub { dual_stub } else { dual_transit }) || special;
        asys.multipath = dice.happens(MULTIPATH) && !is_stub;
        let networks = dice.weighed(if is_stub { of_stubs } else { of_transit }).unwrap_or(1);
        asys.networks = match id {
            _ if id == self.target => NETWORKS_OF_TARGET,
            _ if id == self.vantage => networks.max(1),
            _ => networks,
        };
    }
}

fn draw_target(graph: &AsGraph, vantage: Option<Id>, dice: &mut Dice) -> Option<Id> {
    let stubs = |providers: usize| -> Vec<Id> {
        let fits = |id: &Id| graph.is_stub(*id) && graph.at(*id).providers.len() >= providers;
        graph.ids().filter(|id| fits(id) && Some(*id) != vantage).collect()
    };
    dice.pick(&stubs(2)).or_else(|| dice.pick(&stubs(1)))
}

fn draw_vantage(graph: &AsGraph, target: Id, dice: &mut Dice) -> Option<Id> {
    let providers = &graph.at(target).providers;
    let stubs: Vec<Id> = graph
        .ids()
        .filter(|id| *id != target && graph.is_stub(*id) && !graph.at(*id).providers.is_empty())
        .collect();
    let shares = |id: &Id| graph.at(*id).providers.iter().any(|provider| providers.contains(provider));
    let elsewhere: Vec<Id> = stubs.iter().copied().filter(|id| !shares(id)).collect();
    dice.pick(&elsewhere).or_else(|| dice.pick(&stubs))
}
