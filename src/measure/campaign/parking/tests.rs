use std::net::IpAddr;

use super::*;
use crate::model::{FlowId, Prefix, Protocol, Ttl};

fn time(seconds: u64) -> MonoTime {
    MonoTime::from_nanos(seconds * 1_000_000_000)
}

fn responder(number: u8) -> Gate {
    Gate::Responder(IpAddr::from([192, 0, 2, number]))
}

fn parked(round: u64, turn: u64) -> Parked {
    let probe = Probe {
        round: RoundId(round),
        target: IpAddr::from([198, 51, 100, 1]),
        protocol: Protocol::Icmp,
        port: None,
        flow: FlowId(u16::try_from(turn).unwrap()),
        ttl: Ttl::TO_THE_END,
        attempt: 0,
    };
    let unit = Unit(Prefix::covering(probe.target, 24).unwrap());
    Parked { turn, probe, question: (unit, Method::Trace) }
}

#[test]
fn the_lowest_turn_goes_first_when_the_gate_opens_and_not_before() {
    let mut parking = Parking::default();
    for turn in [3, 1, 2] {
        parking.park(parked(1, turn), responder(1), time(5));
    }
    assert_eq!((parking.earliest(), parking.pop(time(4))), (time(5), None));
    let turns: Vec<u64> = std::iter::from_fn(|| parking.pop(time(5))).map(|parked| parked.turn).collect();
    assert_eq!(turns, [1, 2, 3]);
    assert_eq!(parking.earliest(), MonoTime::NEVER);
}

#[test]
fn whoever_finds_a_gate_closed_again_spares_the_others_the_look() {
    let mut parking = Parking::default();
    for turn in 1..=1000 {
        parking.park(parked(1, turn), responder(1), time(1));
    }
    for second in 1..=1000 {
        let passes = parking.pop(time(second)).unwrap();
        assert_eq!(passes.turn, second);
        let Some(next) = parking.pop(time(second)) else { break };
        parking.park(next, responder(1), time(second + 1));
        assert_eq!(parking.pop(time(second)), None, "nobody else is looked at");
    }
    assert_eq!(parking.earliest(), MonoTime::NEVER);
}

#[test]
fn one_closed_gate_does_not_hold_up_the_line_before_another() {
    let mut parking = Parking::default();
    parking.park(parked(1, 1), responder(1), time(9));
    parking.park(parked(1, 2), responder(2), time(2));
    assert_eq!(parking.pop(time(3)).map(|parked| parked.turn), Some(2));
    assert_eq!((parking.pop(time(3)), parking.earliest()), (None, time(9)));
}

#[test]
fn a_round_that_has_many_waiting_is_full_until_some_have_gone() {
    let mut parking = Parking::default();
    for turn in 0..2048 {
        assert!(!parking.is_full(RoundId(1)));
        parking.park(parked(1, turn), responder(1), time(1));
    }
    assert!(parking.is_full(RoundId(1)) && !parking.is_full(RoundId(2)));
    parking.pop(time(1)).unwrap();
    assert!(!parking.is_full(RoundId(1)));
}
