//! A vantage whose own line goes down, at the very time at which a link is said to be lost, must not find that anything
//! was lost: its control targets fall silent, too.

use std::fmt::Write as _;

use tetherline::analyse::compare::{Findings, Reach};
use tetherline::report;

use crate::played::play;
use crate::world::{Network, World};

/// How many vantages die.
const VANTAGES: u64 = 40;

/// Two of the world's networks, the second as a control or not.
fn campaign(world: &World, two: [&Network; 2], with_control: bool) -> String {
    let wall = world.length.mul_f64(world.speed);
    let mut toml = format!(
        "[campaign]\nname = \"dead\"\nduration = \"{}s\"\n[vantage]\nname = \"vp\"\n\
         [rates]\ntotal = 100\nper_unit = 50\nper_responder = 50\nliveness_per_unit_hour = 3600\n\
         [output]\nmin_free = \"0KiB\"\n[[events]]\nat = \"{}\"\nchange = \"lost\"\nlink = \"AS100-AS107\"\n",
        wall.as_secs(),
        world.start.after(wall / 2)
    );
    for (network, control) in two.into_iter().zip([false, with_control]) {
        let hosts: Vec<String> = network.hosts.iter().map(|host| format!("\"{host}\"")).collect();
        let _ = write!(
            toml,
            "[[targets]]\nprefix = \"{}\"\nselect = \"hitlist\"\nhitlist = [{}]\ncontrol = {control}\n",
            network.prefix,
            hosts.join(", ")
        );
    }
    toml + "[[probers]]\nname = \"echo\"\nkind = \"echo\"\nevery = \"60s\"\nechoes = 3\n\
            [[probers]]\nname = \"trace\"\nkind = \"trace\"\nevery = \"120s\"\nflows = 2\n"
}

fn findings(world: &World, toml: &str) -> Findings {
    report::findings(&play(&world.scenario, toml, false).dataset, &[]).expect("findings")
}

/// Whether anything is said to be lost, although only the vantage was.
fn cries_wolf(findings: &Findings) -> Option<String> {
    let measured = findings.units.iter().filter(|unit| !unit.control);
    let mut wolves = measured.filter(|unit| {
        let lost = |sentence: &String| sentence.contains("lost upstream") || sentence.contains("cut off");
        unit.by_epoch.iter().any(|epoch| epoch.reach == Reach::Unreachable) || unit.verdict.iter().any(lost)
    });
    wolves.next().map(|unit| format!("{}: {:?}", unit.unit, unit.verdict))
}

fn two_networks(world: &World) -> [&Network; 2] {
    let mut plain = world.networks.iter().filter(|network| !network.translated);
    [plain.next().expect("a network"), plain.next().expect("two networks")]
}

#[test]
fn without_controls_a_dead_vantage_looks_like_a_lost_link() {
    let deceived = (0..8).any(|seed| {
        let world = World::with_a_dead_vantage(seed);
        cries_wolf(&findings(&world, &campaign(&world, two_networks(&world), false))).is_some()
    });
    assert!(deceived, "the worlds of the other test would show nothing");
}

#[test]
fn a_dead_vantage_never_finds_a_lost_link() {
    let (mut judged, mut wolves) = (0, Vec::new());
    for seed in 0..VANTAGES {
        let world = World::with_a_dead_vantage(seed);
        let findings = findings(&world, &campaign(&world, two_networks(&world), true));
        // Where no control ever answered, nothing tells the vantage's own trouble apart, and the report says so.
        let mut controls = findings.units.iter().filter(|unit| unit.control);
        if controls.any(|unit| unit.by_epoch.first().is_some_and(|epoch| epoch.reach == Reach::Reachable)) {
            judged += 1;
            wolves.extend(cries_wolf(&findings).map(|wolf| format!("seed {seed}: {wolf}")));
        }
    }
    assert!(wolves.is_empty(), "{wolves:#?}");
    assert!(judged > VANTAGES / 2, "only {judged} vantages had a control that answered");
}
