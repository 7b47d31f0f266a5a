//! All ways to a target as one JSON object; `docs/formats.md` describes every key.

use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;

use super::view::{Labels, ways_of};
use super::{answer, ways};
use crate::analyse::voices::{Voice, Voices};
use crate::analyse::ways::{Ways, WaysHop, WaysRouter};
use crate::dataset::ProbeRecord;
use crate::model::Asn;

#[derive(Serialize)]
struct Object {
    target: String,
    protocol: &'static str,
    port: Option<u16>,
    packets: u64,
    reached: bool,
    chance_missed: f64,
    hops: Vec<HopObject>,
    links: Vec<LinkObject>,
    limits: Vec<LimitObject>,
}

#[derive(Serialize)]
struct LimitObject {
    router: Option<String>,
    ttl: u8,
    verdict: &'static str,
    asked_per_second: Option<f64>,
    answered_per_second: Option<f64>,
}

#[derive(Serialize)]
struct HopObject {
    ttl: u8,
    flows_asked: usize,
    flows_answered: usize,
    packets_sent: usize,
    packets_unanswered: usize,
    per_packet: bool,
    narrowest_branch: Option<f64>,
    chance_missed: f64,
    routers: Vec<RouterObject>,
}

#[derive(Serialize)]
struct RouterObject {
    address: String,
    asn: Option<u32>,
    as_name: Option<String>,
    flows: usize,
    rtt_us: Vec<f64>,
}

#[derive(Serialize)]
struct LinkObject {
    ttl: u8,
    from: String,
    to: String,
    flows: usize,
    share: f64,
}

/// Writes the object; nothing if nothing was asked.
pub(super) fn write(out: &mut dyn Write, records: &[ProbeRecord], labels: Labels<'_>) -> io::Result<()> {
    let Some(ways) = ways_of(records) else { return Ok(()) };
    serde_json::to_writer_pretty(&mut *out, &object(&ways, records, labels))?;
    writeln!(out)
}

fn object(ways: &Ways, records: &[ProbeRecord], labels: Labels<'_>) -> Object {
    Object {
        target: ways.key.target.to_string(),
        protocol: ways.key.protocol.as_str(),
        port: ways.key.port.map(crate::model::Port::get),
        packets: ways.packets,
        reached: ways.reached,
        chance_missed: ways.chance_missed,
        hops: ways.hops.iter().map(|hop| hop_object(hop, records, labels)).collect(),
        links: ways
            .links
            .iter()
            .map(|link| LinkObject {
                ttl: link.ttl.get(),
                from: link.from.to_string(),
                to: link.to.to_string(),
                flows: link.flows,
                share: link.share,
            })
            .collect(),
        limits: limits(records),
    }
}

/// What the tests of routers say whose answers thinned out.
fn limits(records: &[ProbeRecord]) -> Vec<LimitObject> {
    let mut voices = Voices::default();
    for record in records {
        voices.add(record);
    }
    let object = |voice: Voice| LimitObject {
        router: voice.router.map(|router| router.to_string()),
        ttl: voice.ttl.get(),
        verdict: voice.verdict.as_str(),
        asked_per_second: voice.asked_per_second,
        answered_per_second: voice.answered_per_second,
    };
    voices.finish().into_iter().map(object).collect()
}

fn hop_object(hop: &WaysHop, records: &[ProbeRecord], labels: Labels<'_>) -> HopObject {
    let (sent, unanswered) = ways::losses(records.iter().filter(|record| record.probe.ttl == hop.ttl));
    HopObject {
        ttl: hop.ttl.get(),
        flows_asked: hop.flows_asked,
        flows_answered: hop.flows_answered,
        packets_sent: sent,
        packets_unanswered: unanswered,
        per_packet: hop.per_packet,
        narrowest_branch: hop.narrowest,
        chance_missed: hop.chance_missed,
        routers: hop.routers.iter().map(|router| router_object(router, hop, records, labels)).collect(),
    }
}

/// To the nanosecond, with no more digits than it takes.
#[allow(clippy::cast_precision_loss, reason = "round-trip times stay far below 2^53 nanoseconds")]
fn microseconds(span: Duration) -> f64 {
    span.as_nanos() as f64 / 1000.0
}

fn router_object(
    router: &WaysRouter,
    hop: &WaysHop,
    records: &[ProbeRecord],
    labels: Labels<'_>,
) -> RouterObject {
    let here = records.iter().filter(|record| record.probe.ttl == hop.ttl).filter_map(answer);
    let asn = labels.asn(router.address);
    RouterObject {
        address: router.address.to_string(),
        asn: asn.map(Asn::get),
        as_name: asn.and_then(|asn| labels.name(asn)),
        flows: router.flows,
        rtt_us: here
            .filter(|(reply, _)| reply.from == router.address)
            .map(|(_, rtt)| microseconds(rtt.span))
            .collect(),
    }
}
