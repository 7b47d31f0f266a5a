//! Turns the engine with a link: send what it wants sent, bring it what arrives. The same few lines drive
//! real sockets and virtual time.

use super::engine::{Engine, Report, Step};
use crate::measure::guard::Permit;
use crate::measure::net::{Link, LinkLost};
use crate::model::{MonoTime, Probe, SendFault};

/// How many packets that may leave at one time are handed over together.
const SENT_TOGETHER: usize = 64;

/// After how many packets sent in a row the receiving side is looked at.
const SENT_IN_A_ROW: usize = 64;

/// After how many arrivals in a row the sending side is looked at.
const HEARD_IN_A_ROW: usize = 256;

/// After how many reports they are passed on, before this function returns.
const REPORTS_TOGETHER: usize = 256;

/// Turns the engine until `until`, or until `proceed` says no, which is asked before packets are handed over
/// and at least every 50 ms. What the engine has to tell goes to `tell`, all of it before this returns.
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
    if engine.needs_punctuality() {
        link.be_punctual();
    }
    let driven = turn(engine, link, until, proceed, tell);
    pass_on(engine, 1, tell);
    driven
}

fn turn(
    engine: &mut Engine,
    link: &mut dyn Link,
    until: MonoTime,
    proceed: &dyn Fn() -> bool,
    tell: &mut dyn FnMut(Vec<Report>),
) -> Result<(), LinkLost> {
    let mut hand = Hand::default();
    while proceed() {
        let now = link.now();
        if now >= until {
            return Ok(());
        }
        let next = hand.fill(engine, now);
        if hand.is_empty() {
            hand.in_a_row = 0;
            receive(engine, link, next.min(until));
        } else {
            hand.over(engine, link);
        }
        engine.note_kernel_drops(link.kernel_drops());
        pass_on(engine, REPORTS_TOGETHER, tell);
        if let Some(lost) = link.lost() {
            return Err(lost);
        }
    }
    Ok(())
}

/// Passes on what there is to tell, if it is so much.
fn pass_on(engine: &mut Engine, least: usize, tell: &mut dyn FnMut(Vec<Report>)) {
    if engine.reports() >= least {
        tell(engine.take_reports());
    }
}

/// Packets on their way from the engine to the link; kept for its capacity.
#[derive(Default)]
struct Hand {
    permits: Vec<Permit>,
    sent: Vec<(Probe, Result<MonoTime, SendFault>)>,
    /// Packets handed over since the receiving side was looked at.
    in_a_row: usize,
}

impl Hand {
    fn is_empty(&self) -> bool {
        self.permits.is_empty()
    }

    /// Takes what may leave now; if that is nothing, says until when.
    fn fill(&mut self, engine: &mut Engine, now: MonoTime) -> MonoTime {
        while self.permits.len() < SENT_TOGETHER {
            match engine.poll(now) {
                Step::Send(permit) => self.permits.push(permit),
                Step::Wait(until) => return until,
                Step::Idle => return MonoTime::NEVER,
            }
        }
        now
    }

    /// Hands it over, and tells the engine what came of it.
    fn over(&mut self, engine: &mut Engine, link: &mut dyn Link) {
        self.in_a_row = self.in_a_row.saturating_add(self.permits.len());
        let sent = &mut self.sent;
        link.send_all(&mut self.permits, &mut |probe, result| sent.push((*probe, result)));
        for (probe, result) in self.sent.drain(..) {
            match result {
                // Not refused for what it is: it is asked again when there is a link.
                Err(_) if link.lost().is_some() => {}
                result => engine.sent(&probe, result, link.now()),
            }
        }
        if self.in_a_row >= SENT_IN_A_ROW {
            self.in_a_row = 0;
            receive(engine, link, MonoTime::default());
        }
    }
}

/// Waits for the first arrival, then takes what else is there already.
fn receive(engine: &mut Engine, link: &mut dyn Link, until: MonoTime) {
    let mut deadline = until;
    for _ in 0..HEARD_IN_A_ROW {
        let Some(arrival) = link.wait(deadline) else { return };
        engine.hear(arrival, link.now());
        deadline = MonoTime::default();
    }
}
