//! Turns the engine with a link: send what it wants sent, bring it what arrives. The same few lines drive
//! real sockets and virtual time.

use super::engine::{Engine, Report, Step};
use crate::measure::net::{Link, LinkLost};
use crate::model::MonoTime;

/// After how many packets sent in a row the receiving side is looked at.
const SENT_IN_A_ROW: u32 = 16;

/// Turns the engine until `until`, or until `proceed` says no, which is asked before each packet and at
/// least every 50 ms. What the engine has to tell goes to `tell`.
///
/// # Errors
/// If the link is lost. What was out then stays undecided: nobody can tell any more what became of it.
pub fn drive(
    engine: &mut Engine,
    link: &mut dyn Link,
    until: MonoTime,
    proceed: &dyn Fn() -> bool,
    tell: &mut dyn FnMut(Vec<Report>),
) -> Result<(), LinkLost> {
    let mut in_a_row = 0_u32;
    while proceed() {
        let now = link.now();
        if now >= until {
            return Ok(());
        }
        match engine.poll(now) {
            Step::Send(permit) => {
                let probe = *permit.probe();
                match link.send(permit) {
                    // Not refused for what it is: it is asked again when there is a link.
                    Err(_) if link.lost().is_some() => {}
                    result => engine.sent(&probe, result, link.now()),
                }
                in_a_row = in_a_row.saturating_add(1);
                if in_a_row >= SENT_IN_A_ROW {
                    in_a_row = 0;
                    receive(engine, link, MonoTime::default());
                }
            }
            Step::Wait(deadline) => receive(engine, link, deadline.min(until)),
            Step::Idle => receive(engine, link, until),
        }
        engine.note_kernel_drops(link.kernel_drops());
        let reports = engine.take_reports();
        if !reports.is_empty() {
            tell(reports);
        }
        if let Some(lost) = link.lost() {
            return Err(lost);
        }
    }
    Ok(())
}

/// Waits for the first arrival, then takes whatever else is there already.
fn receive(engine: &mut Engine, link: &mut dyn Link, until: MonoTime) {
    let mut deadline = until;
    while let Some(arrival) = link.wait(deadline) {
        engine.hear(arrival, link.now());
        deadline = MonoTime::default();
    }
}
