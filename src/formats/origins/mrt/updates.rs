//! Changes: the records of the kinds `BGP4MP` and `BGP4MP_ET` (RFC 6396 §4.4, add-path by RFC 8050 §3).

use super::as_path::Attributes;
use super::bytes::Bytes;
use super::rib::PeerName;
use crate::model::Prefix;

const UPDATE: u8 = 2;
const MARKER: usize = 16;
const IPV6: u16 = 2;
const UNICAST: u8 = 1;

/// What a record says.
#[derive(Debug)]
pub(super) enum Change<'a> {
    /// A session ended, and with it all routes of the peer.
    Down(PeerName),
    /// Routes that came and went.
    Update(Update<'a>),
    /// Something that changes no route.
    Nothing,
}

/// An UPDATE message of a peer.
#[derive(Debug)]
pub(super) struct Update<'a> {
    pub(super) peer: PeerName,
    pub(super) attributes: Attributes<'a>,
    pub(super) has_4_bytes: bool,
    has_path_ids: bool,
    withdrawn: &'a [u8],
    announced: &'a [u8],
}

/// The form of a record, by its subtype.
#[derive(Clone, Copy)]
struct Form {
    is_state: bool,
    has_4_bytes: bool,
    has_path_ids: bool,
}

impl Form {
    const fn of(subtype: u16) -> Option<Self> {
        let (is_state, has_4_bytes, has_path_ids) = match subtype {
            0 => (true, false, false),
            5 => (true, true, false),
            1 | 6 => (false, false, false),
            4 | 7 => (false, true, false),
            8 | 10 => (false, false, true),
            9 | 11 => (false, true, true),
            _ => return None,
        };
        Some(Self { is_state, has_4_bytes, has_path_ids })
    }
}

impl<'a> Change<'a> {
    /// Reads a record; the microseconds of `BGP4MP_ET` are taken off before. `None` if it is none.
    pub(super) fn read(subtype: u16, body: &'a [u8]) -> Option<Self> {
        let Some(form) = Form::of(subtype) else { return Some(Self::Nothing) };
        let mut bytes = Bytes(body);
        let mut asn = || if form.has_4_bytes { bytes.u32() } else { bytes.u16().map(u32::from) };
        let (peer_as, _local_as) = (asn()?, asn()?);
        let _interface = bytes.u16()?;
        let is_v6 = bytes.u16()? == IPV6;
        let (peer, _local) = (bytes.address(is_v6)?, bytes.address(is_v6)?);
        let peer = (peer, peer_as);
        if form.is_state { state(peer, bytes) } else { message(peer, form, bytes) }
    }
}

fn state(peer: PeerName, mut bytes: Bytes<'_>) -> Option<Change<'_>> {
    const ESTABLISHED: u16 = 6;
    let (before, now) = (bytes.u16()?, bytes.u16()?);
    let down = before == ESTABLISHED && now != ESTABLISHED;
    Some(if down { Change::Down(peer) } else { Change::Nothing })
}

fn message(peer: PeerName, form: Form, mut bytes: Bytes<'_>) -> Option<Change<'_>> {
    let _marker = bytes.take(MARKER)?;
    let length = usize::from(bytes.u16()?);
    let kind = bytes.u8()?;
    let mut bytes = Bytes(bytes.take(length.checked_sub(MARKER.saturating_add(3))?)?);
    if kind != UPDATE {
        return Some(Change::Nothing);
    }
    let withdrawn = bytes.counted()?;
    let attributes = Attributes::read(bytes.counted()?)?;
    let Form { has_4_bytes, has_path_ids, .. } = form;
    let announced = bytes.0;
    Some(Change::Update(Update { peer, attributes, has_4_bytes, has_path_ids, withdrawn, announced }))
}

/// A prefix that came or went, with which of several routes to it.
pub(super) type Route = (Prefix, u32);

impl<'a> Update<'a> {
    /// What went. `None` if part of it cannot be read.
    pub(super) fn withdrawn(&self) -> Option<Vec<Route>> {
        let mut routes = self.routes(false, self.withdrawn)?;
        if let Some(unreach) = self.attributes.unreach {
            let mut bytes = Bytes(unreach);
            if let Family::Unicast { is_v6 } = Family::read(&mut bytes)? {
                routes.extend(self.routes(is_v6, bytes.0)?);
            }
        }
        Some(routes)
    }

    /// What came. `None` if part of it cannot be read.
    pub(super) fn announced(&self) -> Option<Vec<Route>> {
        let mut routes = self.routes(false, self.announced)?;
        if let Some(reach) = self.attributes.reach {
            let mut bytes = Bytes(reach);
            if let Family::Unicast { is_v6 } = Family::read(&mut bytes)? {
                let next_hop = bytes.u8()?;
                bytes.take(usize::from(next_hop))?;
                let _reserved = bytes.u8()?;
                routes.extend(self.routes(is_v6, bytes.0)?);
            }
        }
        Some(routes)
    }

    fn routes(&self, is_v6: bool, routes: &'a [u8]) -> Option<Vec<Route>> {
        let (mut bytes, mut read) = (Bytes(routes), Vec::new());
        while !bytes.is_empty() {
            let path_id = if self.has_path_ids { bytes.u32()? } else { 0 };
            read.push((bytes.prefix(is_v6)?, path_id));
        }
        Some(read)
    }
}

/// Of which kind the routes are that follow.
enum Family {
    Unicast { is_v6: bool },
    Other,
}

impl Family {
    fn read(bytes: &mut Bytes<'_>) -> Option<Self> {
        let (family, kind) = (bytes.u16()?, bytes.u8()?);
        let known = matches!(family, 1 | IPV6) && kind == UNICAST;
        Some(if known { Self::Unicast { is_v6: family == IPV6 } } else { Self::Other })
    }
}
