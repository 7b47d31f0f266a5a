//! The scenario's prefixes and who announces them, as CAIDA's pfx2as files write it: prefix, length and origin
//! AS number, separated by tabs, a prefix a line.

use std::io;

use super::scenario::Scenario;
use crate::model::{Asn, Prefix};

/// Writes all prefixes of a scenario, those of the infrastructure too, in the order of addresses.
///
/// # Errors
/// Those of the writer.
pub fn write_origins(scenario: &Scenario, mut to: impl io::Write) -> io::Result<()> {
    for (prefix, origin) in origins(scenario) {
        writeln!(to, "{}\t{}\t{}", prefix.network(), prefix.length(), origin.get())?;
    }
    to.flush()
}

fn origins(scenario: &Scenario) -> Vec<(Prefix, Asn)> {
    let origin = |announced: &super::scenario::Announced| {
        let asys = scenario.ases.get(announced.origin.0)?;
        Some((announced.prefix, asys.number))
    };
    let mut origins: Vec<(Prefix, Asn)> = scenario.prefixes.iter().filter_map(origin).collect();
    origins.sort_unstable();
    origins
}
