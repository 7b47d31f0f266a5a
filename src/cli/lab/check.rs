//! `lab check`: reads a scenario and says everything that is wrong with it, or what is in it.

use crate::cli::exit::Failure;
use crate::cli::{ScenarioArgs, out};
use crate::lab::{Scenario, Summary};

pub(super) fn run(args: &ScenarioArgs) -> Result<(), Failure> {
    let scenario = super::load(&args.scenario)?;
    let lines = described(&args.scenario.display().to_string(), &scenario);
    out::data(|out| lines.iter().try_for_each(|(what, value)| writeln!(out, "{what:<9} {value}")))
}

/// What a scenario holds: a kind of thing and how much of it.
fn described(file: &str, scenario: &Scenario) -> Vec<(&'static str, String)> {
    let Summary { ases, routers, links, links_between_ases, networks, hosts, tunnels, forgers, events } =
        scenario.summary();
    vec![
        ("scenario", format!("{file}: nothing is wrong with it")),
        ("ASes", ases.to_string()),
        ("routers", routers.to_string()),
        ("links", format!("{links}, {links_between_ases} of them between ASes")),
        ("networks", networks.to_string()),
        ("hosts", hosts.to_string()),
        ("tunnels", tunnels.to_string()),
        ("forgers", forgers.to_string()),
        ("events", events.to_string()),
        ("start", scenario.start().to_string()),
        ("duration", duration(scenario)),
    ]
}

fn duration(scenario: &Scenario) -> String {
    let wall = scenario.duration();
    let real = std::time::Duration::from_secs(wall.div_f64(scenario.speed()).as_secs());
    let (wall, real) = (humantime::format_duration(wall), humantime::format_duration(real));
    if wall.to_string() == real.to_string() {
        wall.to_string()
    } else {
        format!("{wall}, in {real} of real time")
    }
}
