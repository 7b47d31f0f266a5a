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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_names_the_origin_of_networks_and_of_infrastructure() {
        let mut table = Vec::new();
        write_origins(&Scenario::october_2017().unwrap(), &mut table).unwrap();
        let table = String::from_utf8(table).unwrap();
        for row in ["175.45.177.0\t24\t131279", "219.158.0.0\t16\t4837", "2001:df1:4b00::\t48\t131279"] {
            assert!(table.lines().any(|line| line == row), "{row} is not in:\n{table}");
        }
        assert_eq!(table.lines().count(), 18);
    }
}
