//! A campaign over a scenario in virtual time, and what the report finds in it.

use tetherline::analyse::compare::Findings;
use tetherline::lab::Scenario;
use tetherline::report;

use crate::played::play;

/// The findings of a campaign, given as its file, over a scenario. No events are declared.
pub(crate) fn findings(scenario: &Scenario, campaign: &str) -> Findings {
    let played = play(&scenario.clone().at_speed(1.0), campaign, false);
    report::findings(&played.dataset, &[]).expect("findings")
}
