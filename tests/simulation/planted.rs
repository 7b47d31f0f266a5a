//! Mistakes planted on purpose, around the product and never in it: each must be found out, and for what it is.

use std::path::Path;
use std::time::Duration;

use tetherline::measure::net::Arrival;
use tetherline::model::{MonoTime, Outcome, ReplyKind};
use tetherline::wire::Codec;

use crate::invariants::judge;
use crate::stage::{Played, Sending, Trouble, play};

/// A mistake between the program and its network or disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plant {
    Nothing,
    /// An answer is given to another probe that is out.
    SwapsAnswers,
    /// Answers are read three milliseconds early.
    ReadsEarly,
    /// Every fifth answer is overlooked.
    OverlooksAnswers,
    /// Whoever says that a TTL ran out is noted under another address.
    MistakesRouters,
    /// A restarted program uses the key of the one before.
    KeepsTheKey,
    /// A row that was acknowledged is gone when the next run begins.
    LosesARow,
}

impl Plant {
    /// What the link of the program gives out instead of an arrival.
    pub(crate) fn alter(self, arrival: Arrival, codec: &Codec, sendings: &[Sending]) -> Option<Arrival> {
        let Arrival::Answer { mut answer, at, kernel } = arrival else { return Some(arrival) };
        match self {
            Self::SwapsAnswers => {
                let probe = |sending: &&Sending| {
                    let other = codec.key_of(&sending.probe);
                    other != answer.key
                        && other.target == answer.key.target
                        && other.protocol == answer.key.protocol
                };
                let other = sendings.iter().rev().find(probe);
                answer.key = other.map_or(answer.key, |other| codec.key_of(&other.probe));
            }
            Self::ReadsEarly => {
                let at = MonoTime::from_nanos(at.as_nanos().saturating_sub(3_000_000));
                return Some(Arrival::Answer { answer, at, kernel: kernel.map(|_| at) });
            }
            Self::OverlooksAnswers if at.as_nanos() % 5 == 0 => return None,
            Self::MistakesRouters if answer.kind == ReplyKind::TimeExceeded => {
                answer.from = answer.key.target;
            }
            _ => {}
        }
        Some(Arrival::Answer { answer, at, kernel })
    }

    /// What happens to a dataset between two runs of the program.
    pub(crate) fn tamper(self, dataset: &Path) {
        let catalogue = dataset.join("catalog.sqlite");
        if self != Self::LosesARow || !catalogue.exists() {
            return;
        }
        let connection = rusqlite::Connection::open(catalogue).expect("a catalogue");
        let sql = "DELETE FROM in_flight WHERE seq = (SELECT min(seq) FROM in_flight)";
        // A run that was killed very early leaves no tables.
        let _deleted = connection.execute(sql, []);
    }

    /// What the key of a run is drawn from.
    pub(crate) fn key_seed(self, seed: u64, run: usize) -> u64 {
        let run = if self == Self::KeepsTheKey { 0 } else { run as u64 };
        seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(run)
    }
}

/// A mistake breaks this rule, at the latest in one of so many seeds.
fn is_caught(plant: Plant, spoil: fn(&mut Played), rule: &str) {
    let mut broken = Vec::new();
    for seed in 0..16 {
        let mut played = play(seed, Trouble::Drawn, plant);
        spoil(&mut played);
        broken.extend(judge(&played).0.iter().map(|broken| broken.rule));
        if broken.contains(&rule) {
            return;
        }
    }
    panic!("{plant:?} breaks only {broken:?}");
}

fn expect(plant: Plant, rule: &str) {
    is_caught(plant, |_| {}, rule);
}

fn expect_spoilt(spoil: fn(&mut Played), rule: &str) {
    is_caught(Plant::Nothing, spoil, rule);
}

const BELONGS: &str = "every reply belongs to the probe under which it is recorded";

#[test]
fn a_reply_matched_to_the_wrong_probe_is_caught() {
    expect(Plant::SwapsAnswers, BELONGS);
}

#[test]
fn a_reply_to_a_packet_of_an_earlier_run_is_caught() {
    // It answers the same question, but not the packet that was sent last: its identification tells.
    expect(Plant::KeepsTheKey, BELONGS);
}

#[test]
fn a_wrong_round_trip_time_is_caught() {
    expect(Plant::ReadsEarly, "round-trip times are right to a millisecond");
}

#[test]
fn an_overlooked_answer_is_caught() {
    expect(Plant::OverlooksAnswers, "no answer is missed");
}

#[test]
fn a_router_under_a_wrong_address_is_caught() {
    expect(Plant::MistakesRouters, BELONGS);
}

#[test]
fn a_row_lost_between_two_runs_is_caught() {
    expect(Plant::LosesARow, "what is decided is durable in time");
}

#[test]
fn a_row_lost_at_the_end_is_caught() {
    let lose = |played: &mut Played| drop(played.records.pop());
    expect_spoilt(lose, "every packet that was sent has a row");
    expect_spoilt(lose, "the ledger agrees with the rows");
}

#[test]
fn a_row_written_twice_is_caught() {
    expect_spoilt(
        |played| played.records.extend(played.records.last().cloned()),
        "no probe is recorded twice",
    );
}

#[test]
fn a_row_that_changed_is_caught() {
    let change = |played: &mut Played| {
        if let Some(record) = played.records.first_mut() {
            record.outcome = Outcome::Silent;
        }
    };
    expect_spoilt(change, "what is durable stays as it is");
}

#[test]
fn a_link_that_does_not_exist_is_caught() {
    // Every router but the first answers in the name of the one two hops nearer.
    let mislead = |played: &mut Played| {
        let known: Vec<_> = played.records.clone();
        for record in &mut played.records {
            let nearer = known.iter().find(|other| {
                other.probe.flow == record.probe.flow
                    && other.probe.target == record.probe.target
                    && other.probe.round == record.probe.round
                    && other.probe.ttl.get() + 3 == record.probe.ttl.get()
            });
            let from = nearer.and_then(|nearer| match &nearer.outcome {
                Outcome::Answered { reply, .. } => Some(reply.from),
                _ => None,
            });
            if let (Outcome::Answered { reply, .. }, Some(from)) = (&mut record.outcome, from) {
                reply.from = from;
            }
        }
    };
    expect_spoilt(mislead, "whoever answers stood there");
    expect_spoilt(mislead, "every link exists");
}

#[test]
fn a_packet_to_a_forbidden_address_is_caught() {
    let stray = |played: &mut Played| {
        if let Some((at, mut packet)) = played.injected.last().cloned() {
            // Another byte of the destination: the last of IPv4, one in the middle of IPv6.
            packet[19] ^= 0x40;
            packet[31] ^= 0x40;
            played.injected.push((at, packet));
        }
    };
    expect_spoilt(stray, "no packet goes to a forbidden address");
}

#[test]
fn a_rate_that_is_exceeded_is_caught() {
    let hurry = |played: &mut Played| {
        for sending in &mut played.sendings {
            sending.at = MonoTime::from_nanos(sending.at.as_nanos() / 50);
        }
    };
    expect_spoilt(hurry, "rates are held in every window");
}

#[test]
fn a_row_under_a_wrong_date_is_caught() {
    let misdate = |played: &mut Played| {
        for record in &mut played.records {
            record.sent_at = record.sent_at.map(|at| at.after(Duration::from_secs(7)));
        }
    };
    expect_spoilt(misdate, "rows are dated by the vantage's clock");
}
