//! The lab: a simulated Internet, the ground truth by which everything else is judged.
//!
//! A [`Scenario`] names ASes, routers, links, hosts and events. The simulator finds routes in its own way and
//! answers packets from its own reading of the RFCs; it must not use `wire`, `measure` or `analyse`,
//! so that a mistake of theirs is not repeated here. Nothing of it can reach the outside: in virtual
//! time there are no sockets at all, and in real time there is a private network namespace without a
//! way out.
//!
//! Scenarios are files; [`generate`] writes large ones. [`Truth`] knows what no measurement could know for certain.
//!
//! ```text
//! Scenario ──▶ topology ──▶ routing ──▶ walk ──▶ Simulator                       virtual time
//!                                         │                └─▶ RealTimeLab       veth pair in a Namespace
//!                                         └────▶ Truth
//! ```

mod answer;
mod balance;
mod chance;
mod cover;
mod draw;
mod forger;
mod generate;
mod habits;
mod history;
mod namespace;
mod origins;
mod packet;
mod real_time;
mod routing;
mod scenario;
mod simulator;
#[cfg(test)]
mod testing;
mod timeline;
mod topology;
mod truth;
mod walk;

pub use draw::write_picture;
pub use generate::{CannotGenerate, Recipe, generate};
pub use habits::TrueIpIds;
pub use namespace::{Namespace, NoNamespace};
pub use origins::{write_as_names, write_origins};
pub use real_time::{NoRealTimeLab, RealTimeLab};
pub use scenario::{BuiltIn, Scenario, Summary};
pub use simulator::{Simulator, VirtualInternet};
pub use truth::{
    Cut, CutMember, CutOf, Flows, Over, SeenLink, TrueEnd, TrueHop, TrueInterface, TrueLink, TruePath,
    TrueWays, Truth,
};
