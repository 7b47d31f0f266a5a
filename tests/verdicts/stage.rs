//! A campaign over a scenario in virtual time, what the report finds in it, and what would have been told meanwhile.

use std::time::Duration;

use tetherline::analyse::compare::{Alarm, Findings};
use tetherline::dataset::{Dataset, RoundSummary};
use tetherline::lab::Scenario;
use tetherline::model::WallTime;
use tetherline::report::{self, Lookout};

use crate::played::{Played, play};

/// One false alarm in so much time is allowed.
pub(crate) const ONE_FALSE_IN: Duration = Duration::from_secs(30 * 86_400);

/// A campaign, given as its file, that was played over a scenario. No events are declared.
pub(crate) fn campaign(scenario: &Scenario, campaign: &str) -> Played {
    play(&scenario.clone().at_speed(1.0), campaign, false)
}

/// The findings of such a campaign.
pub(crate) fn findings(scenario: &Scenario, file: &str) -> Findings {
    report::findings(&campaign(scenario, file).dataset, &[]).expect("findings")
}

/// What was told after each round that began at such a time, with that time.
pub(crate) fn alarms(dataset: &Dataset, at: impl Fn(WallTime) -> bool) -> Vec<(WallTime, Alarm)> {
    let rounds = dataset.rounds().expect("rounds");
    let watched = Dataset::open_read_only(dataset.path()).expect("opened");
    let mut lookout = Lookout::from_the_beginning(watched, ONE_FALSE_IN).expect("tables");
    let look = |round: &RoundSummary| {
        let told = lookout.look(Some(round.header.id)).expect("looked");
        told.into_iter().map(|alarm| (round.header.started_at, alarm)).collect::<Vec<_>>()
    };
    rounds.iter().filter(|round| at(round.header.started_at)).flat_map(look).collect()
}
