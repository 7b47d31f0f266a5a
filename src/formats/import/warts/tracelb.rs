//! A warts load-balancer traceroute: nodes, and between them links with the probes that found them.

use std::net::IpAddr;

use super::Context;
use super::answer::Says;
use super::cursor::{Bad, Cursor};
use crate::formats::import::scamper::{Heard, Nodes, Probes};
use crate::formats::import::{Batch, Measurement, Sent};
use crate::model::{FlowId, Method, Outcome, Port, Protocol, Rtt, RttSource, Ttl, WallTime};

/// Reads the body of a record.
pub(super) fn read(context: &Context, body: &[u8], batch: &mut Batch) -> Result<(), Bad> {
    let mut cursor = Cursor::new(body, &context.addresses);
    let params = cursor.params()?;
    let list = cursor.long_if(params, 1)?;
    let cycle = cursor.long_if(params, 2)?;
    let old_source = cursor.old_address_if(params, 3)?;
    let old_target = cursor.old_address_if(params, 4)?;
    let at = cursor.time_if(params, 5)?;
    let _source_port = cursor.short_if(params, 6)?;
    let port = cursor.short_if(params, 7)?.unwrap_or(0);
    let _size = cursor.short_if(params, 8)?;
    let kind = cursor.byte_if(params, 9)?.unwrap_or(0);
    for number in 10..=15 {
        // First hop, times to wait, attempts, confidence, type of service.
        cursor.byte_if(params, number)?;
    }
    let nodes = cursor.short_if(params, 16)?.unwrap_or(0);
    let links = cursor.short_if(params, 17)?.unwrap_or(0);
    let _probes = (cursor.long_if(params, 18)?, cursor.long_if(params, 19)?);
    let _gap_limit = cursor.byte_if(params, 20)?;
    let source = cursor.address_if(params, 21)?.or(old_source);
    let target = cursor.address_if(params, 22)?.or(old_target).ok_or(Bad::NoTarget)?;
    cursor.end(params);

    batch.count("load-balancer traceroutes");
    let Some((protocol, has_port)) = method(kind) else {
        batch.count("traceroutes of an unknown method");
        return Ok(());
    };
    let nodes = (0..nodes).map(|_| node(&mut cursor)).collect::<Result<_, _>>()?;
    let mut found = Found {
        target,
        protocol,
        nodes,
        stand: Nodes::default(),
        probes: Probes::default(),
        duplicates: 0,
    };
    (0..links).try_for_each(|_| found.link(&mut cursor, batch))?;
    found.stand.answers().for_each(|sent| found.probes.add(sent));
    let (duplicates, probes) = (found.duplicates, found.probes.numbered(batch));
    batch.measured(Measurement {
        vantage: context.vantage(list, cycle, source).ok_or(Bad::NoTarget)?,
        source,
        series: context.series(list).ok_or(Bad::NoTarget)?,
        method: Method::Multipath,
        target,
        protocol,
        port: if has_port { Port::new(port) } else { None },
        at: at.ok_or(Bad::NoTime)?,
        probes,
        duplicates,
        cycle: context.cycle(cycle),
        is_part_of_sweep: false,
    });
    Ok(())
}

/// What it is carried in, and whether all flows go to one port: where the destination port makes the flow, it
/// stands in the flow.
const fn method(kind: u8) -> Option<(Protocol, bool)> {
    match kind {
        1 => Some((Protocol::Udp, false)),
        2 => Some((Protocol::Icmp, false)),
        3 => Some((Protocol::Udp, true)),
        4 | 5 => Some((Protocol::Tcp, true)),
        _ => None,
    }
}

/// An address, and the TTL that its router quoted.
type Node = (Option<IpAddr>, Option<u8>);

fn node(cursor: &mut Cursor<'_>) -> Result<Node, Bad> {
    let params = cursor.params()?;
    let old_address = cursor.old_address_if(params, 1)?;
    let _flags = cursor.byte_if(params, 2)?;
    let _links = cursor.short_if(params, 3)?;
    let quoted_ttl = cursor.byte_if(params, 4)?;
    let address = cursor.address_if(params, 5)?.or(old_address);
    cursor.end(params);
    Ok((address, quoted_ttl))
}

struct Found {
    target: IpAddr,
    protocol: Protocol,
    nodes: Vec<Node>,
    stand: Nodes,
    probes: Probes,
    duplicates: u64,
}

impl Found {
    fn link(&mut self, cursor: &mut Cursor<'_>, batch: &mut Batch) -> Result<(), Bad> {
        let params = cursor.params()?;
        let [from, to] = [cursor.short_if(params, 1)?, cursor.short_if(params, 2)?]
            .map(|end| end.and_then(|end| self.nodes.get(usize::from(end)).copied()));
        let hops = cursor.byte_if(params, 3)?.unwrap_or(0);
        cursor.end(params);
        to.and_then(|(address, _)| address).into_iter().for_each(|to| self.stand.lead_to(to));
        for hop in 0..hops {
            let params = cursor.params()?;
            let probes = cursor.short_if(params, 1)?.unwrap_or(0);
            cursor.end(params);
            let from = from.filter(|_| hop == 0);
            (0..probes).try_for_each(|_| self.probe(cursor, from, batch))?;
        }
        Ok(())
    }

    /// A probe, and from which node it went here.
    fn probe(&mut self, cursor: &mut Cursor<'_>, from: Option<Node>, batch: &mut Batch) -> Result<(), Bad> {
        let params = cursor.params()?;
        let at = cursor.time_if(params, 1)?;
        let flow = FlowId(cursor.short_if(params, 2)?.unwrap_or(0));
        let ttl = cursor.byte_if(params, 3)?;
        let attempt = cursor.byte_if(params, 4)?.unwrap_or(0);
        let replies = cursor.short_if(params, 5)?.unwrap_or(0);
        cursor.end(params);
        let mut outcome = None;
        let mut further = 0_u64;
        for _ in 0..replies {
            match self.reply(cursor, at, batch)? {
                Some(answer) if outcome.is_none() => outcome = Some(answer),
                Some(_) => further = further.saturating_add(1),
                None => {}
            }
        }
        let Some(ttl) = ttl.and_then(Ttl::new) else {
            batch.count("probes without a TTL");
            return Ok(());
        };
        if let Some((Some(node), quoted_ttl)) = from {
            self.stand.went_through(node, quoted_ttl, (flow, ttl));
        }
        if replies > 0 && outcome.is_none() {
            return Ok(());
        }
        let outcome = outcome.unwrap_or(Outcome::Silent);
        self.duplicates = self.duplicates.saturating_add(further);
        self.probes.add(Sent { flow, ttl, attempt, at, outcome });
        Ok(())
    }

    fn reply(
        &self,
        cursor: &mut Cursor<'_>,
        sent: Option<WallTime>,
        batch: &mut Batch,
    ) -> Result<Option<Outcome>, Bad> {
        let params = cursor.params()?;
        let came = cursor.time_if(params, 1)?;
        let ip_id = cursor.short_if(params, 2)?;
        let reply_ttl = cursor.byte_if(params, 3)?;
        let _flags = cursor.byte_if(params, 4)?;
        let icmp = cursor.short_if(params, 5)?.map(|both| both.to_be_bytes().into());
        let tcp = cursor.byte_if(params, 6)?;
        let (mpls, others) = cursor.extensions_if(params, 7)?;
        let quoted_ttl = cursor.byte_if(params, 8)?;
        let _service = cursor.byte_if(params, 9)?;
        let old_from = cursor.old_address_if(params, 10)?;
        let from = cursor.address_if(params, 11)?.or(old_from);
        cursor.end(params);

        batch.count_many("ICMP extension objects other than MPLS labels", others);
        let says = Says { icmp, tcp }.kept(from, (self.protocol, self.target.is_ipv4()), batch);
        let Some((from, kind)) = says else { return Ok(None) };
        let heard = Heard { from, kind, icmp, reply_ttl, quoted_ttl, mpls, size: None, ip_id };
        Ok(Some(Outcome::Answered { reply: heard.reply(), rtt: rtt(sent, came) }))
    }
}

/// The difference of two times of the wall clock, which is all that a file tells.
pub(in crate::formats::import) fn rtt(sent: Option<WallTime>, came: Option<WallTime>) -> Rtt {
    match (sent, came) {
        (Some(sent), Some(came)) if came >= sent => {
            Rtt { span: came.since(sent), source: RttSource::UserSpace }
        }
        _ => Rtt::NOT_TOLD,
    }
}
