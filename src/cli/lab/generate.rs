//! `lab generate`: writes the scenario of a whole Internet, grown from a seed or taken from a table of AS
//! relationships.

use std::fs;
use std::path::Path;

use crate::cli::exit::{Code, Failure, OrFail};
use crate::cli::{GenerateArgs, out};
use crate::formats::as_rel::{AsRelTable, load_as_rel};
use crate::lab::{Recipe, generate};

pub(super) fn run(args: &GenerateArgs) -> Result<(), Failure> {
    let table = args.as_rel.as_deref().map(load).transpose()?;
    let recipe = Recipe {
        relations: table.as_ref().map(|table| table.relations.as_slice()),
        ases: args.ases,
        seed: args.seed,
        vantage: args.vantage_as,
        target: args.target_as,
    };
    let text = generate(&recipe).or_fail(Code::Usage)?;
    match &args.output {
        None => out::text(&text),
        Some(path) => fs::write(path, text).map_err(|error| {
            Failure::new(Code::Failed, format!("{}: cannot be written: {error}", path.display()))
        }),
    }
}

fn load(path: &Path) -> Result<AsRelTable, Failure> {
    let table = load_as_rel(path).or_fail(Code::Usage)?;
    if table.counts.contradicting > 0 {
        out::say(format_args!(
            "{}: left out what contradicts earlier lines about the same two ASes: {} lines",
            path.display(),
            table.counts.contradicting
        ));
    }
    Ok(table)
}
