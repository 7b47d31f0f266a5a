//! Tables as collectors wrote them until about 2008: the records of the kind `TABLE_DUMP` (RFC 6396 §4.2), one for
//! each route.

use super::as_path::Attributes;
use super::bytes::Bytes;
use super::rib::PeerName;
use crate::model::Prefix;

/// A route of such a table. Its AS path has numbers of two bytes.
#[derive(Debug)]
pub(super) struct DumpedRoute<'a> {
    pub(super) prefix: Prefix,
    pub(super) peer: PeerName,
    pub(super) attributes: Attributes<'a>,
}

impl<'a> DumpedRoute<'a> {
    /// Reads a record. `None` if it is none.
    pub(super) fn read(subtype: u16, body: &'a [u8]) -> Option<Self> {
        let is_v6 = match subtype {
            1 => false,
            2 => true,
            _ => return None,
        };
        let mut bytes = Bytes(body);
        let (_view, _sequence) = (bytes.u16()?, bytes.u16()?);
        let (network, length) = (bytes.address(is_v6)?, bytes.u8()?);
        let (_status, _since) = (bytes.u8()?, bytes.u32()?);
        let peer = (bytes.address(is_v6)?, u32::from(bytes.u16()?));
        let attributes = Attributes::read(bytes.counted()?)?;
        Some(Self { prefix: Prefix::covering(network, length)?, peer, attributes })
    }
}
