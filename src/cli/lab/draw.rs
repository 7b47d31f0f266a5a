//! `lab draw`: prints a picture of a scenario for Graphviz.

use crate::cli::exit::Failure;
use crate::cli::{ScenarioArgs, out};
use crate::lab::write_picture;

pub(super) fn run(args: &ScenarioArgs) -> Result<(), Failure> {
    let scenario = super::load(&args.scenario)?;
    out::data(|out| write_picture(&scenario, out))
}
