//! Generates scenarios: a whole Internet around one target, from a seed, as an ordinary file.
//!
//! ```text
//! seed ──▶ grow ─┐
//!                ├─▶ graph ─▶ roles ─▶ inside ─▶ between ─▶ addresses ─▶ habits, hosts ─▶ write
//! relations ─▶ cut ┘
//! ```
//!
//! The graph of ASes is grown, or taken from a list of relations and cut down. Everything else is drawn: where
//! ASes are, which routers they have, how these are linked, numbered and behave. Whoever wants it otherwise
//! edits the file, or lets a file of their own extend it.

mod addresses;
mod between;
mod cut;
mod dice;
mod graph;
mod grow;
mod habits;
mod hosts;
mod inside;
mod numbers;
mod places;
mod plan;
mod roles;
#[cfg(test)]
mod tests;
mod write;

use addresses::OutOfAddresses;
use dice::{Dice, Purpose};
use graph::{AsGraph, Id};
use inside::Cables;
use places::{Region, Regions};
use plan::{AsPlan, Plan, Vantage};
use roles::Roles;

use crate::model::{AsRelation, Asn};

/// What is to be generated.
#[derive(Clone, Copy, Debug, Default)]
pub struct Recipe<'a> {
    /// The relations between ASes; `None` to have them grown.
    pub relations: Option<&'a [AsRelation]>,
    /// How many ASes there should be; `None` for 1000, or for all of the relations. Those that the vantage cannot
    /// reach are left out, so that relations may give fewer.
    pub ases: Option<usize>,
    /// All chance comes from it.
    pub seed: u64,
    /// The AS in which the vantage is; `None` for some stub.
    pub vantage: Option<Asn>,
    /// The AS that is to be measured; `None` for some stub with several providers.
    pub target: Option<Asn>,
}

/// Why no scenario can be generated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotGenerate {
    /// Too few for a top, transit and stubs.
    #[error("{0} ASes: must be at least {FEWEST_ASES}")]
    TooFew(usize),
    /// More than a scenario can have.
    #[error("{0} ASes: must be at most {MOST_ASES}; cut them down with --ases")]
    TooMany(usize),
    /// It has no relation.
    #[error("{0}: must be an AS of the graph")]
    Unknown(Asn),
    /// There is nothing to measure.
    #[error("{0}: must be either the vantage's AS or the target")]
    Same(Asn),
    /// Nobody can be the target, or the vantage's AS.
    #[error("no AS has providers and no customers: name the vantage's AS and the target")]
    NoStubs,
    /// No valley-free way leads to the target.
    #[error("no route leads from {vantage} to {target}: choose others, or more ASes")]
    NoRoute {
        /// The vantage's AS.
        vantage: Asn,
        /// The target.
        target: Asn,
    },
    /// The ASes together have too many links.
    #[error("more links than there are addresses for: choose fewer ASes")]
    OutOfAddresses,
    /// Text could not be put together.
    #[error("cannot be written")]
    Unwritten,
}

const FEWEST_ASES: usize = 10;
/// As many as a scenario may have.
const MOST_ASES: usize = 20_000;
const USUAL_ASES: usize = 1000;

/// The text of a scenario. The same recipe gives the same bytes.
///
/// # Errors
/// A recipe that cannot be followed.
pub fn generate(recipe: &Recipe<'_>) -> Result<String, CannotGenerate> {
    let internet = match recipe.relations {
        None => grown(recipe)?,
        Some(relations) => taken(recipe, relations)?,
    };
    let about = about(recipe, &internet);
    let plan = build(recipe.seed, internet).map_err(|OutOfAddresses| CannotGenerate::OutOfAddresses)?;
    plan.write(&about).map_err(|_| CannotGenerate::Unwritten)
}

/// ASes with their places, and which of them are special.
struct Internet {
    graph: AsGraph,
    world: Regions,
    regions: Vec<Region>,
    roles: Roles,
}

fn grown(recipe: &Recipe<'_>) -> Result<Internet, CannotGenerate> {
    let count = sized(recipe.ases.unwrap_or(USUAL_ASES))?;
    let world = Regions::new(count, recipe.seed);
    let grow::Grown { graph, regions } = grow::grow(count, recipe.seed, &world);
    let roles = Roles::of(recipe, &graph)?;
    Ok(Internet { graph, world, regions, roles })
}

fn taken(recipe: &Recipe<'_>, relations: &[AsRelation]) -> Result<Internet, CannotGenerate> {
    let whole = AsGraph::of(relations);
    let most = sized(recipe.ases.map_or(whole.len(), |most| most.min(whole.len())))?;
    let roles = Roles::of(recipe, &whole)?;
    let part = cut::cut(&whole, (roles.vantage, roles.target), most, recipe.seed);
    let roles = roles.within(&part).ok_or_else(|| roles.no_route(&whole))?;
    let graph = whole.only(&part);
    let world = Regions::new(graph.len(), recipe.seed);
    let regions = places::settle(&graph, &world, recipe.seed);
    Ok(Internet { graph, world, regions, roles })
}

fn sized(count: usize) -> Result<usize, CannotGenerate> {
    match count {
        0..FEWEST_ASES => Err(CannotGenerate::TooFew(count)),
        FEWEST_ASES..=MOST_ASES => Ok(count),
        _ => Err(CannotGenerate::TooMany(count)),
    }
}

/// What stands at the beginning of the file.
fn about(recipe: &Recipe<'_>, internet: &Internet) -> String {
    let Internet { graph, roles, .. } = internet;
    let name = |id: Id| graph.number(id).map(|number| number.to_string()).unwrap_or_default();
    let providers: Vec<String> = graph.at(roles.target).providers.iter().map(|id| name(*id)).collect();
    let origin = if recipe.relations.is_some() { "taken from a table of relations" } else { "grown" };
    format!(
        "A generated Internet of {} ASes, {origin}, with seed {}.\nThe vantage is in {}, the target is {}; \
         providers of the target: {}.",
        graph.len(),
        recipe.seed,
        name(roles.vantage),
        name(roles.target),
        providers.join(", ")
    )
}

/// Draws everything that is not in the graph.
fn build(seed: u64, internet: Internet) -> Result<Plan, OutOfAddresses> {
    let Internet { graph, world, regions, roles } = internet;
    let mut ases: Vec<AsPlan> = regions.iter().map(|region| AsPlan::in_region(*region)).collect();
    let mut cables = Cables::new(&world, seed);
    let mut dice = Dice::new(seed, Purpose::Roles);
    for (id, asys) in ases.iter_mut().enumerate() {
        roles.furnish(asys, (&graph, id), &mut dice);
        if id == roles.target {
            let (site, access) = cables.target(id, asys.region, graph.at(id).providers.len());
            (asys.sites, asys.access) = (vec![site], access);
        } else if graph.is_stub(id) {
            let (site, access) = cables.stub(id, asys.region);
            (asys.sites, asys.access) = (vec![site], access);
        } else {
            asys.sites = cables.transit(&graph, &regions, id);
            asys.access = asys.sites.first().map(|site| site.edges.clone()).unwrap_or_default();
        }
    }
    between::interconnect(&graph, &ases, &mut cables, seed);
    let Cables { routers, links, .. } = cables;
    let vantage = Vantage { home: roles.vantage, ..Vantage::default() };
    let mut plan =
        Plan { seed, graph, vantage, target: roles.target, ases, routers, links, hosts: Vec::new() };
    addresses::number(&mut plan)?;
    habits::settle(&mut plan);
    hosts::move_in(&mut plan);
    Ok(plan)
}
