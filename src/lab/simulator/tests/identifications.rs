//! The identification of what routers and hosts send.

use super::*;
use crate::lab::testing::{Bench, HOSTS, with_v4_header};

/// Of an answer over IPv4.
fn id(answer: &[u8]) -> u16 {
    Ipv4Header::from_slice(answer).unwrap().0.identification
}

/// What router r2 answers to a probe of this identification.
fn asked(bench: &mut Bench, second: u64, number: u16) -> u16 {
    let probe = with_v4_header(echo_request(HOSTS[0], 2, 7, 1), 4, &number.to_be_bytes());
    let answer = bench.ask(Duration::from_secs(second), &probe).unwrap();
    // Every checksum holds.
    received(&answer);
    id(&answer)
}

#[test]
fn a_router_numbers_what_it_sends_by_its_habit() {
    let line = |habit: &str| Bench::line(&[("r2", &format!("ip_id = {habit}"))], "");
    let (mut zero, mut copied) = (line("\"zero\""), line("\"copied\""));
    assert_eq!([asked(&mut zero, 0, 99), asked(&mut zero, 1, 98)], [0, 0]);
    assert_eq!([asked(&mut copied, 0, 99), asked(&mut copied, 1, 4_000)], [99, 4_000]);
    let mut idle = line("{ counter = \"router\", per_second = 0 }");
    let first = asked(&mut idle, 0, 99);
    let next: Vec<u16> = (1..9).map(|second| asked(&mut idle, second, 99)).collect();
    assert_eq!(next, (1..9).map(|count| first.wrapping_add(count)).collect::<Vec<_>>());
    let mut busy = line("{ counter = \"router\", per_second = 100 }");
    let first = asked(&mut busy, 0, 99);
    let sent = asked(&mut busy, 3_000, 99).wrapping_sub(first);
    assert!((297_000..=303_000).contains(&(u32::from(sent) + 4 * 65_536)), "{sent}");
}

/// Its answers to echoes come from another address than its errors.
#[test]
fn a_counter_is_of_the_router_or_of_each_interface() {
    let steps = |over: &str| {
        let habit =
            format!("ip_id = {{ counter = \"{over}\", per_second = 0 }}\nanswers_from = \"router\"");
        let mut bench = Bench::line(&[("r2", &habit)], "");
        let own = bench.answers_from(Duration::ZERO, &echo_request(HOSTS[0], 2, 7, 1)).unwrap();
        assert_eq!(own.to_string(), "188.1.0.2");
        let mut of =
            |second: u64, probe: &[u8]| id(&bench.ask(Duration::from_secs(second), probe).unwrap());
        let error = echo_request(HOSTS[0], 2, 7, 1);
        let (one, echo) = (of(1, &error), of(2, &echo_request("188.1.12.2", 64, 7, 1)));
        (echo.wrapping_sub(one), of(3, &error).wrapping_sub(one))
    };
    let (echo, error) = steps("router");
    assert_eq!((echo, error), (1, 2));
    let (echo, error) = steps("interface");
    assert!(echo != 1 && error == 1, "{echo}, {error}");
}

#[test]
fn a_lab_with_counters_plays_the_same_twice() {
    let answers = || {
        let habit = "ip_id = { counter = \"router\", per_second = 50 }";
        let mut bench = Bench::line(&[("r2", habit), ("r3", habit)], "");
        (0..40).for_each(|step| {
            let probe = echo_request(HOSTS[0], 2 + step % 2, 7, u16::from(step));
            bench.send(Duration::from_millis(u64::from(step) * 700), &probe);
        });
        bench.arrivals()
    };
    assert_eq!(answers(), answers());
}
