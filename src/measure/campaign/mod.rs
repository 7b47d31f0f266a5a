//! A campaign: what one probes.toml asks for (`config`), what it would send (`plan`), and its running
//! loop. The loop's heart is the pure `engine`; `drive` turns it with a link, `recorder` writes down what
//! it says, `run` does so in real time and `rehearse` in virtual time. `station` makes a vantage ready.

mod agenda;
pub mod config;
mod drive;
mod engine;
mod manifest;
mod parking;
mod plan;
mod recorder;
mod rehearse;
mod rounds;
mod rtt;
mod run;
mod station;

pub use config::{
    Campaign, Operator, Origins, ProberKind, ProberSpec, Rates, Select, Target, TargetSet, VantageConfig,
};
pub use drive::drive;
pub use engine::{Engine, EngineParts, Report, RoundOrder, Step, SweptSoFar};
pub use manifest::{Circumstances, manifest};
pub use plan::{HeldBy, Plan, ProberPlan, Refused, UnitPlan};
pub use rehearse::{Onlooker, Rehearsal, rehearse};
pub use rounds::{Recorded, RoundMaker};
pub use run::{Cause, Progress, RunEnd, RunError, Setup, SharedProgress, run};
pub use station::{
    Station, StationError, StationOrder, order as station_order, plan, prepare, prepare_virtual,
};
