//! What all kinds of measurement tell of an answer.

use std::net::IpAddr;

use crate::formats::import::Batch;
use crate::formats::import::scamper::says;
use crate::model::{Protocol, ReplyKind};

/// What an answer says, as a record has it.
pub(super) struct Says {
    /// Type and code, if it came by ICMP.
    pub(super) icmp: Option<(u8, u8)>,
    /// The flags, if it came by TCP.
    pub(super) tcp: Option<u8>,
}

impl Says {
    /// From whom an answer came to a probe of this protocol, and what it says, in a measurement of this family.
    /// `None`, and counted, if it has no place in our records.
    pub(super) fn kept(
        &self,
        from: Option<IpAddr>,
        (protocol, is_ipv4): (Protocol, bool),
        batch: &mut Batch,
    ) -> Option<(IpAddr, ReplyKind)> {
        let Some(from) = from else {
            batch.count("answers without an address or TTL");
            return None;
        };
        Some((from, says(protocol, is_ipv4, self.icmp, self.tcp, batch)?))
    }
}
