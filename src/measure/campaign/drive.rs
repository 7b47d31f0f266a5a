//! Turns the engine with a link: send what it wants sent, bring it what arrives. The same few lines drive
//! real sockets and virtual time.

use super::engine::{Engine, Report, Step};
use crate::measure::net::Link;
use crate::model::MonoTime;

/// After how many packets sent in a row the receiving side is looked at.
const SENT_IN_A_ROW: u32 = 16;

/// Turns the engine until `until`, or until `proceed` says no, which is asked before each packet and at
/// least every 50 ms. What the engine has to tell goes to `tell`.
pub fn drive(
    engine: &mut Engine,
    link: &mut dyn Link,
    until: MonoTime,
    proceed: &dyn Fn() -> bool,
    tell: &mut dyn FnMut(Vec<Report>),
) {
    let mut in_a_row = 0_u32;
    while proceed() {
        let now = link.now();
        if now >= until {
            return;
        }
        match engine.poll(now) {
            Step::Send(permit) => {
                let probe = *permit.probe();
                let result = link.send(permit);
                engine.sent(&probe, result, link.now());
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
    }
}

/// Waits for the first arrival, then takes whatever else is there already.
fn receive(engine: &mut Engine, link: &mut dyn Link, until: MonoTime) {
    let mut deadline = until;
    while let Some(arrival) = link.wait(deadline) {
        engine.hear(arrival, link.now());
        deadline = MonoTime::default();
    }
}
