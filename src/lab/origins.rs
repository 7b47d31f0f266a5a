//! The scenario's prefixes and who announces them, as CAIDA's pfx2as files write it: prefix, length and origin
//! AS number, separated by tabs, a prefix a line. And what the ASes are called.

use std::io;

use super::scenario::Scenario;
use crate::model::{Asn, Prefix, Untrusted};

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

/// Writes the names of all ASes of a scenario: number and name, separated by a tab, an AS a line.
///
/// # Errors
/// Those of the writer.
pub fn write_as_names(scenario: &Scenario, mut to: impl io::Write) -> io::Result<()> {
    for asys in &scenario.ases {
        writeln!(to, "{}\t{}", asys.number, Untrusted::new(asys.name.as_str()))?;
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

    #[test]
    fn every_as_has_its_name_on_a_line_of_its_own() {
        let mut names = Vec::new();
        write_as_names(&Scenario::october_2017().unwrap(), &mut names).unwrap();
        let names = String::from_utf8(names).unwrap();
        assert!(names.lines().any(|line| line == "AS4837\tChina Unicom"), "{names}");
        assert_eq!(names.lines().count(), 8);
    }
}
