//! Which addresses are on one router? Judged by the same Internets.

use std::collections::BTreeMap;

use tetherline::analyse::aliases::Aliases;

use super::{Seen, World};

/// Pairs of addresses on one router.
#[derive(Default)]
struct Pairs {
    told: usize,
    right: usize,
    /// That there are among the addresses that answered.
    all: usize,
}

fn pairs(number: usize) -> usize {
    number * number.saturating_sub(1) / 2
}

impl Pairs {
    fn judge(&mut self, world: &World, seen: &Seen) {
        let aliases = Aliases::new(&seen.traces, &world.origins);
        let mut routers: BTreeMap<&str, usize> = BTreeMap::new();
        for name in seen.names.values() {
            *routers.entry(name).or_default() += 1;
        }
        self.all += routers.values().map(|number| pairs(*number)).sum::<usize>();
        for addresses in aliases.routers().values() {
            let mut of: BTreeMap<&str, usize> = BTreeMap::new();
            for address in addresses {
                *of.entry(&seen.names[address]).or_default() += 1;
            }
            self.told += pairs(addresses.len());
            self.right += of.values().map(|number| pairs(*number)).sum::<usize>();
        }
    }
}

/// Also what `cargo test --test borders -- --nocapture aliases` prints.
#[test]
fn aliases_that_are_told_are_on_one_router() {
    let mut sum = Pairs::default();
    for seed in 1..4 {
        let world = World::new(seed, 400);
        sum.judge(&world, &Seen::new(&world, 12));
    }
    let Pairs { told, right, all } = sum;
    eprintln!("pairs of addresses on one router: {all}; told: {told}; of these right: {right}");
    assert!(told > 20 && right * 100 >= told * 95, "{right} of {told}");
}
