//! `plan`: what a campaign would send. Sends nothing and writes nothing.

use super::exit::{Code, Failure, OrFail};
use super::run::unfit;
use super::{CampaignArgs, out};
use crate::measure::campaign::{Campaign, plan};

pub(super) fn run(args: &CampaignArgs) -> Result<(), Failure> {
    let campaign = Campaign::load(&args.campaign).or_fail(Code::Usage)?;
    let plan = plan(&campaign).map_err(unfit)?;
    out::text(&format!("{plan}\n"))
}
