//! A warts traceroute.

use std::time::Duration;

use super::Context;
use super::answer::Says;
use super::cursor::{Bad, Cursor};
use crate::formats::import::scamper::{Heard, HopAnswer, Told};
use crate::formats::import::{Batch, Measurement};
use crate::model::{FlowId, Method, Port, Protocol, Rtt, RttSource, Ttl};

/// Whether every hop is asked as often as a silent one.
const ALL_ATTEMPTS: u8 = 0x01;

/// Whether the trace began in the middle.
const DOUBLETREE: u8 = 0x10;

/// Whether the destination port stands for the ICMP checksum.
const CHECKSUM_IN_PORT: u8 = 0x20;

/// The clock of the link layer saw the probe leave, and the answer come.
const LINK_TX: u8 = 0x02;
const LINK_RX: u8 = 0x04;

/// Reads the body of a record.
pub(super) fn read(context: &Context, body: &[u8], batch: &mut Batch) -> Result<(), Bad> {
    let mut cursor = Cursor::new(body, &context.addresses);
    let params = cursor.params()?;
    let list = cursor.long_if(params, 1)?;
    let cycle = cursor.long_if(params, 2)?;
    let old_source = cursor.old_address_if(params, 3)?;
    let old_target = cursor.old_address_if(params, 4)?;
    let at = cursor.time_if(params, 5)?;
    let _stop = (cursor.byte_if(params, 6)?, cursor.byte_if(params, 7)?);
    let flags = cursor.byte_if(params, 8)?.unwrap_or(0);
    let attempts = cursor.byte_if(params, 9)?.unwrap_or(1);
    let _hop_limit = cursor.byte_if(params, 10)?;
    let kind = cursor.byte_if(params, 11)?.unwrap_or(0);
    let _size = cursor.short_if(params, 12)?;
    let source_port = cursor.short_if(params, 13)?.unwrap_or(0);
    let port = cursor.short_if(params, 14)?.unwrap_or(0);
    let first = cursor.byte_if(params, 15)?.unwrap_or(1);
    for number in 16..=18 {
        // Type of service, time-out, loops.
        cursor.byte_if(params, number)?;
    }
    let hop_count = cursor.short_if(params, 19)?;
    for number in 20..=22 {
        // What is done at gaps and loops.
        cursor.byte_if(params, number)?;
    }
    let _probes = cursor.short_if(params, 23)?;
    let _spacing = (cursor.byte_if(params, 24)?, cursor.byte_if(params, 25)?);
    let source = cursor.address_if(params, 26)?.or(old_source);
    let target = cursor.address_if(params, 27)?.or(old_target).ok_or(Bad::NoTarget)?;
    cursor.end(params);

    let Some(protocol) = protocol(kind) else {
        batch.count("traceroutes of an unknown method");
        return Ok(());
    };
    let flow = match protocol {
        Protocol::Icmp if flags & CHECKSUM_IN_PORT != 0 => port,
        Protocol::Icmp => 0,
        Protocol::Udp | Protocol::Tcp => source_port,
    };
    let answers = hops(&mut cursor, (protocol, target.is_ipv4()), batch)?;
    let told = Told {
        flow: FlowId(flow),
        first,
        last: hop_count
            .unwrap_or_else(|| answers.iter().map(|hop| hop.ttl.get().into()).max().unwrap_or(0)),
        attempts,
        all_attempts: flags & ALL_ATTEMPTS != 0,
        from_the_middle: flags & DOUBLETREE != 0,
        answers,
    };
    batch.count("traceroutes");
    let (probes, duplicates) = told.sent(batch);
    batch.measured(Measurement {
        vantage: context.vantage(list, cycle, source).ok_or(Bad::NoTarget)?,
        source,
        series: context.series(list).ok_or(Bad::NoTarget)?,
        method: Method::Trace,
        target,
        protocol,
        port: if protocol == Protocol::Icmp { None } else { Port::new(port) },
        at: at.ok_or(Bad::NoTime)?,
        probes,
        duplicates,
        cycle: context.cycle(cycle),
        is_part_of_sweep: false,
    });
    Ok(())
}

/// ICMP echo and its Paris kind, UDP and its, TCP SYN and ACK.
const fn protocol(kind: u8) -> Option<Protocol> {
    match kind {
        1 | 4 => Some(Protocol::Icmp),
        2 | 5 => Some(Protocol::Udp),
        3 | 6 => Some(Protocol::Tcp),
        _ => None,
    }
}

/// What stands behind the hops (path MTU, last-ditch probes, stop sets) has no place in our records.
fn hops(
    cursor: &mut Cursor<'_>,
    asked: (Protocol, bool),
    batch: &mut Batch,
) -> Result<Vec<HopAnswer>, Bad> {
    let number = cursor.short()?;
    let mut hops = Vec::new();
    for _ in 0..number {
        hops.extend(hop(cursor, asked, batch)?);
    }
    Ok(hops)
}

fn hop(
    cursor: &mut Cursor<'_>,
    asked: (Protocol, bool),
    batch: &mut Batch,
) -> Result<Option<HopAnswer>, Bad> {
    let params = cursor.params()?;
    let old_from = cursor.old_address_if(params, 1)?;
    let ttl = cursor.byte_if(params, 2)?;
    let reply_ttl = cursor.byte_if(params, 3)?;
    let flags = cursor.byte_if(params, 4)?.unwrap_or(0);
    let attempt = cursor.byte_if(params, 5)?.unwrap_or(0);
    let micros = cursor.long_if(params, 6)?;
    let icmp = cursor.short_if(params, 7)?.map(|both| both.to_be_bytes().into());
    let _probe_size = cursor.short_if(params, 8)?;
    let size = cursor.short_if(params, 9)?;
    let ip_id = cursor.short_if(params, 10)?;
    let _service = cursor.byte_if(params, 11)?;
    let _mtu = (cursor.short_if(params, 12)?, cursor.short_if(params, 13)?);
    let quoted_ttl = cursor.byte_if(params, 14)?;
    let tcp = cursor.byte_if(params, 15)?;
    let _quoted_service = cursor.byte_if(params, 16)?;
    let (mpls, others) = cursor.extensions_if(params, 17)?;
    let from = cursor.address_if(params, 18)?.or(old_from);
    let at = cursor.time_if(params, 19)?;
    cursor.end(params);

    batch.count_many("ICMP extension objects other than MPLS labels", others);
    let ttl = ttl.and_then(Ttl::new);
    let says = Says { icmp, tcp }.kept(from.filter(|_| ttl.is_some()), asked, batch);
    let (Some((from, kind)), Some(ttl)) = (says, ttl) else { return Ok(None) };
    // Only a quoted TTL other than 1 is told.
    let quoted_ttl = quoted_ttl.or(Some(1));
    let reply = Heard { from, kind, icmp, reply_ttl, quoted_ttl, mpls, size, ip_id }.reply();
    Ok(Some(HopAnswer {
        ttl,
        attempt,
        at,
        reply,
        rtt: rtt(micros, flags & LINK_TX != 0 && flags & LINK_RX != 0),
    }))
}

/// Of the kernel if both ends were seen where the packets passed; of the program otherwise.
pub(super) fn rtt(micros: Option<u32>, of_kernel: bool) -> Rtt {
    let source = if of_kernel { RttSource::Kernel } else { RttSource::UserSpace };
    micros.map_or(Rtt::NOT_TOLD, |micros| Rtt { span: Duration::from_micros(micros.into()), source })
}
