//! Against a name server of our own on the loopback interface; nothing here asks any other.

use proptest::prelude::*;

use crate::model::{Clock, SystemClock};

use super::name_server::{NameServer, PTR, Says, TXT, wire_name, wire_text};
use super::*;

fn lookups(server: &NameServer, rate: f64, timeout: Duration) -> DnsLookups {
    let rate = Pps::new(rate).unwrap();
    let settings = DnsSettings { resolver: server.address, rate, timeout };
    DnsLookups::new(&settings, DnsCache::default()).unwrap()
}

fn asn(number: u32) -> Asn {
    Asn::try_from(number).unwrap()
}

fn world(name: &str, kind: u16) -> Says {
    match (name, kind) {
        ("1.176.45.175.in-addr.arpa.", PTR) => {
            Says::Records(vec![wire_name("b.star.example"), wire_name("a.star.example")])
        }
        ("2.176.45.175.in-addr.arpa.", PTR) => Says::Records(vec![wire_name("evil\x1b[2J.example")]),
        ("4.176.45.175.in-addr.arpa.", PTR) => Says::Refused,
        ("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.", PTR) => {
            Says::Records(vec![wire_name("six.example")])
        }
        ("1.176.45.175.origin.asn.cymru.com.", TXT) => Says::Records(vec![
            wire_text(&["131279 | 175.45.176.0/22 | KP | apnic | 2009-12-21"]),
            wire_text(&["131279 4837 | 175.45.", "176.0/24 | KP | apnic | 2009-12-21"]),
        ]),
        (name, TXT) if name.ends_with(".origin6.asn.cymru.com.") => {
            Says::Records(vec![wire_text(&["64496 | 2001:db8::/32 | ZZ | | "])])
        }
        ("3.176.45.175.in-addr.arpa.", PTR) | (_, TXT) => Says::NoSuchName,
        _ => Says::NothingAtAll,
    }
}

const LONG: Duration = Duration::from_secs(20);

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[tokio::test]
async fn names_of_both_families_are_found_and_shown_harmless() {
    let server = NameServer::start(world);
    let lookups = lookups(&server, 1000.0, LONG);
    let name = lookups.reverse(address("175.45.176.1")).await.unwrap();
    assert_eq!(name.to_string(), "a.star.example");
    assert_eq!(lookups.reverse(address("2001:db8::1")).await.unwrap().to_string(), "six.example");
    let evil = lookups.reverse(address("175.45.176.2")).await.unwrap().to_string();
    assert!(!evil.contains('\x1b'), "{evil:?}");
}

#[tokio::test]
async fn the_longest_prefix_of_team_cymrus_answers_counts() {
    let server = NameServer::start(world);
    let lookups = lookups(&server, 1000.0, LONG);
    let (asns, prefix) = lookups.origin(address("175.45.176.1")).await.unwrap();
    assert_eq!((asns, prefix), (vec![asn(4837), asn(131_279)], "175.45.176.0/24".parse().unwrap()));
    let (asns, prefix) = lookups.origin(address("2001:db8::1")).await.unwrap();
    assert_eq!((asns, prefix), (vec![asn(64_496)], "2001:db8::/32".parse().unwrap()));
}

#[tokio::test]
async fn an_answer_is_asked_for_once_also_if_it_is_that_there_is_none_and_also_after_a_restart() {
    let server = NameServer::start(world);
    let lookups = lookups(&server, 1000.0, LONG);
    for _ in 0..3 {
        assert!(lookups.reverse(address("175.45.176.1")).await.is_some());
        assert!(lookups.reverse(address("175.45.176.3")).await.is_none());
        assert!(lookups.origin(address("175.45.176.1")).await.is_some());
        assert!(lookups.origin(address("175.45.176.3")).await.is_none());
    }
    assert_eq!(server.asked(), 4);
    let kept = DnsCache::from_json(&lookups.cache().to_json()).unwrap();
    assert_eq!(kept, lookups.cache());
    assert_eq!(kept.names().count(), 1);
    let origin =
        (address("175.45.176.1"), "175.45.176.0/24".parse().unwrap(), vec![asn(4837), asn(131_279)]);
    assert_eq!(kept.origins().collect::<Vec<_>>(), [origin]);
    let settings = DnsSettings { resolver: server.address, rate: lookups.rate, timeout: LONG };
    let restarted = DnsLookups::new(&settings, kept).unwrap();
    assert!(restarted.reverse(address("175.45.176.1")).await.is_some());
    assert!(restarted.origin(address("175.45.176.3")).await.is_none());
    assert_eq!(server.asked(), 4);
}

#[tokio::test]
async fn that_nobody_answered_is_not_taken_for_an_answer() {
    let server = NameServer::start(world);
    let lookups = lookups(&server, 1000.0, Duration::from_millis(50));
    for _ in 0..2 {
        assert!(lookups.reverse(address("175.45.176.9")).await.is_none());
        assert!(lookups.reverse(address("175.45.176.4")).await.is_none());
    }
    assert!(server.asked() >= 4, "asked {}", server.asked());
    assert_eq!(lookups.cache(), DnsCache::default());
}

#[tokio::test]
async fn questions_are_no_faster_than_the_rate_also_when_asked_for_at_once() {
    let server = NameServer::start(world);
    let lookups = lookups(&server, 20.0, LONG);
    let clock = SystemClock::start();
    let ask = |last: u8| lookups.origin(IpAddr::from([175, 45, 177, last]));
    futures_util::future::join_all((0..5).map(ask)).await;
    assert_eq!(server.asked(), 5);
    let taken = Duration::from_nanos(clock.mono().as_nanos());
    assert!(taken >= Duration::from_millis(199), "five questions in {taken:?}");
}

#[test]
fn a_cache_that_is_none_is_refused() {
    for bad in ["", "{}x", "[]", r#"{"names":{"x":null},"origins":{}}"#] {
        assert!(DnsCache::from_json(bad.as_bytes()).is_err(), "{bad:?} was taken");
    }
}

#[test]
fn names_of_ases_are_read_and_only_of_the_as_that_was_asked_about() {
    let parse = |text| parse_cymru_as(text, asn(23_028));
    assert_eq!(parse("23028 | US | arin | 2002-01-04 | TEAM | CYMRU, US"), Some("TEAM | CYMRU, US"));
    for none in ["", "23028 | US | arin | 2002-01-04 | ", "7 | US | arin | 2002-01-04 | X", "23028 | US"] {
        assert_eq!(parse(none), None, "{none}");
    }
    let without = DnsCache::from_json(br#"{"names":{},"origins":{}}"#).unwrap();
    assert_eq!(without, DnsCache::default(), "as it was kept before names of ASes were");
}

#[test]
fn team_cymrus_answers_are_read_in_every_form() {
    let parse = |texts: &[&str]| parse_cymru_origin(texts.iter().copied(), address("216.90.108.31"));
    let prefix: Prefix = "216.90.108.0/24".parse().unwrap();
    let one = parse(&["23028 | 216.90.108.0/24 | US | arin | 1998-09-25"]);
    assert_eq!(one, Some((vec![asn(23_028)], prefix)));
    let several = parse(&["701 1239 | 216.90.108.0/24 | US | arin |", "174 | 216.90.108.0/24 | US"]);
    assert_eq!(several, Some((vec![asn(174), asn(701), asn(1239)], prefix)));
    let longest_first = parse(&["1 | 216.90.108.0/24 |", "2 | 216.0.0.0/8 |", "3 | 198.51.100.0/25 |"]);
    assert_eq!(longest_first, Some((vec![asn(1)], prefix)));
    assert_eq!(parse(&["NA | 216.90.108.0/24 | US", "64512 | 216.90.108.0/24 | US", "", "|", "1|x"]), None);
}

proptest! {
    #[test]
    fn no_text_whatever_makes_reading_an_answer_panic(
        texts in proptest::collection::vec("[0-9a-f |./:]{0,30}|.*", 0..4), at in any::<IpAddr>()
    ) {
        if let Some((asns, prefix)) = parse_cymru_origin(texts.iter().map(String::as_str), at) {
            prop_assert!(prefix.contains(at) && !asns.is_empty());
        }
    }
}
