//! Records of every kind and a manifest, for the properties of this module and of `formats`.

use std::net::IpAddr;
use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::model::{
    BlockRule, FlowId, MatchQuality, Method, MplsLabel, Name, Outcome, Port, Prefix, Probe, Protocol,
    Reply, ReplyKind, RoundId, Rtt, RttSource, SendFault, SkipReason, Ttl, Unit, WallTime,
};

use super::{Manifest, ProbeRecord};

/// A rehearsal of a campaign without anything in it.
pub(crate) fn manifest() -> Manifest {
    Manifest {
        campaign: "kp".parse().unwrap(),
        vantage: vantage(),
        seed: 1,
        started_at: WallTime::from_nanos(0),
        program_version: "tetherline".to_owned(),
        key_fingerprint: "00".to_owned(),
        rehearsal: true,
        scenario: None,
        speed: 1.0,
        config_toml: String::new(),
        units: Vec::new(),
        events: Vec::new(),
        origins: Vec::new(),
        as_names: Vec::new(),
        sources: Vec::new(),
    }
}

/// The vantage of all records made here.
pub(crate) fn vantage() -> Name {
    "vp-1".parse().unwrap()
}

/// Any record of a round of the vantage.
pub(crate) fn record(round: RoundId) -> impl Strategy<Value = ProbeRecord> {
    let who = ("[a-z][a-z0-9._-]{0,8}", select(Method::ALL.to_vec()));
    let what = (probe(round), 0_u8..=32, any::<bool>(), option::of(any::<i64>()), outcome());
    (who, what).prop_map(|((prober, method), (probe, length, control, sent_at, outcome))| ProbeRecord {
        vantage: vantage(),
        prober: prober.parse().unwrap(),
        method,
        probe,
        unit: Unit(Prefix::covering(probe.target, length).unwrap()),
        control,
        sent_at: sent_at.map(WallTime::from_nanos),
        outcome,
    })
}

fn probe(round: RoundId) -> impl Strategy<Value = Probe> {
    let protocol = select(vec![Protocol::Icmp, Protocol::Udp, Protocol::Tcp]);
    let port = option::of((1..=u16::MAX).prop_map(|port| Port::new(port).unwrap()));
    (any::<IpAddr>(), protocol, port, any::<u16>(), 1..=u8::MAX, any::<u8>()).prop_map(
        move |(target, protocol, port, flow, ttl, attempt)| Probe {
            round,
            target,
            protocol,
            port,
            flow: FlowId(flow),
            ttl: Ttl::new(ttl).unwrap(),
            attempt,
        },
    )
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let faults: &[&str] =
        &["no_buffer", "no_route", "interface_down", "forbidden", "too_large", "no_source", "other"];
    let rules: &[&str] =
        &["special_purpose", "private_space", "opt_out", "no_operator", "not_a_target", "budget"];
    let reasons: &[&str] = &["beyond_end", "gap_limit", "settled", "stopped"];
    prop_oneof![
        (reply(), rtt()).prop_map(|(reply, rtt)| Outcome::Answered { reply, rtt }),
        (reply(), rtt()).prop_map(|(reply, rtt)| Outcome::Late { reply, rtt }),
        Just(Outcome::Silent),
        select(faults).prop_map(|name| Outcome::SendFailed(SendFault::from_name(name).unwrap())),
        select(rules).prop_map(|name| Outcome::Blocked(BlockRule::from_name(name).unwrap())),
        select(reasons).prop_map(|name| Outcome::Skipped(SkipReason::from_name(name).unwrap())),
    ]
}

fn reply() -> impl Strategy<Value = Reply> {
    let ttls = (option::of(any::<u8>()), option::of(any::<u8>()));
    let matched = select(vec![MatchQuality::Exact, MatchQuality::Tolerant]);
    let kind = select(ReplyKind::ALL.to_vec());
    let icmp = option::of(any::<(u8, u8)>());
    let header = (any::<u16>(), option::of(any::<u16>()));
    (any::<IpAddr>(), kind, icmp, ttls, vec(label(), 0..5), header, matched).prop_map(
        |(from, kind, icmp, (reply_ttl, quoted_ttl), mpls, (size, ip_id), matched)| Reply {
            from,
            kind,
            icmp,
            reply_ttl,
            quoted_ttl,
            mpls,
            size,
            ip_id,
            matched,
        },
    )
}

fn label() -> impl Strategy<Value = MplsLabel> {
    (0_u32..1 << 20, 0_u8..8, any::<bool>(), any::<u8>())
        .prop_map(|(label, class, bottom, ttl)| MplsLabel { label, class, bottom, ttl })
}

fn rtt() -> impl Strategy<Value = Rtt> {
    let source = select(vec![RttSource::Kernel, RttSource::Monotonic, RttSource::UserSpace]);
    let nanos = prop_oneof![0..10_000_000_000_u64, 0..=1_000_000_000_000_000_u64];
    let told =
        (nanos, source).prop_map(|(nanos, source)| Rtt { span: Duration::from_nanos(nanos), source });
    prop_oneof![9 => told, 1 => Just(Rtt::NOT_TOLD)]
}
