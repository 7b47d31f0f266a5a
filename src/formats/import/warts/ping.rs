//! A warts ping.

use super::Context;
use super::answer::Says;
use super::cursor::{Bad, Cursor};
use super::trace::rtt;
use crate::formats::import::scamper::{Heard, PingKind, Pings, method_at};
use crate::formats::import::{Batch, Measurement};
use crate::model::{Outcome, Protocol, Ttl, WallTime};

/// The clock of the link layer saw the probe leave, and the answer come.
const LINK: u8 = 0x08 | 0x10;

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
    if let Some(length) = cursor.short_if(params, 8)?
        && params.has(9)
    {
        cursor.take(length.into())?;
    }
    let _count = cursor.short_if(params, 10)?;
    let _size = cursor.short_if(params, 11)?;
    let _wait = cursor.byte_if(params, 12)?;
    let ttl = cursor.byte_if(params, 13)?;
    let _replies = cursor.short_if(params, 14)?;
    let sent = cursor.short_if(params, 15)?;
    let kind = cursor.byte_if(params, 16)?.unwrap_or(0);
    let source_port = cursor.short_if(params, 17)?.unwrap_or(0);
    let port = cursor.short_if(params, 18)?.unwrap_or(0);
    let _user = cursor.long_if(params, 19)?;
    let source = cursor.address_if(params, 20)?.or(old_source);
    let target = cursor.address_if(params, 21)?.or(old_target).ok_or(Bad::NoTarget)?;
    cursor.end(params);

    batch.count("pings");
    let Some(kind) = PingKind::numbered(kind) else {
        batch.count("pings of an unknown method");
        return Ok(());
    };
    let ttl = ttl.and_then(Ttl::new).unwrap_or(Ttl::TO_THE_END);
    let method = method_at(kind.method, ttl, batch);
    let (port, flow) = kind.port_and_flow(source_port, port);
    let mut pings = Pings::new(kind, flow, ttl, sent.unwrap_or(0));
    for _ in 0..cursor.short()? {
        if let Some((number, at, outcome)) = reply(&mut cursor, (kind.protocol, target.is_ipv4()), batch)? {
            pings.add(number, at, outcome, batch);
        }
    }
    let (probes, duplicates) = pings.sent(batch);
    batch.measured(Measurement {
        vantage: context.vantage(list, cycle, source).ok_or(Bad::NoTarget)?,
        source,
        series: context.series(list).ok_or(Bad::NoTarget)?,
        method,
        target,
        protocol: kind.protocol,
        port,
        at: at.ok_or(Bad::NoTime)?,
        probes,
        duplicates,
        cycle: context.cycle(cycle),
        is_part_of_sweep: false,
    });
    Ok(())
}

/// The number of the probe, when it was sent, and what came of it.
type Answer = (u16, Option<WallTime>, Outcome);

fn reply(
    cursor: &mut Cursor<'_>,
    asked: (Protocol, bool),
    batch: &mut Batch,
) -> Result<Option<Answer>, Bad> {
    let params = cursor.params()?;
    let old_from = cursor.old_address_if(params, 1)?;
    let flags = cursor.byte_if(params, 2)?.unwrap_or(0);
    let reply_ttl = cursor.byte_if(params, 3)?;
    let size = cursor.short_if(params, 4)?;
    let icmp = cursor.short_if(params, 5)?.map(|both| both.to_be_bytes().into());
    let micros = cursor.long_if(params, 6)?;
    let number = cursor.short_if(params, 7)?.unwrap_or(0);
    let ip_id = cursor.short_if(params, 8)?;
    let _ip_id_of_probe = cursor.short_if(params, 9)?;
    let _protocol = cursor.byte_if(params, 10)?;
    let tcp = cursor.byte_if(params, 11)?;
    let from = cursor.address_if(params, 12)?.or(old_from);
    // Record route, and time stamps with or without addresses: these may name addresses that come again.
    if params.has(13) {
        let number = cursor.byte()?;
        (0..number).try_for_each(|_| cursor.address().map(drop))?;
    }
    if params.has(14) {
        let (stamps, addresses) = (cursor.byte()?, cursor.byte()?);
        (0..stamps).try_for_each(|_| cursor.long().map(drop))?;
        (0..addresses).try_for_each(|_| cursor.address().map(drop))?;
    }
    let _id = cursor.long_if(params, 15)?;
    let at = cursor.time_if(params, 16)?;
    cursor.end(params);

    let Some((from, kind)) = (Says { icmp, tcp }).kept(from, asked, batch) else { return Ok(None) };
    let heard = Heard { from, kind, icmp, reply_ttl, quoted_ttl: None, mpls: Vec::new(), size, ip_id };
    let reply = heard.reply();
    Ok(Some((number, at, Outcome::Answered { reply, rtt: rtt(micros, flags & LINK == LINK) })))
}
