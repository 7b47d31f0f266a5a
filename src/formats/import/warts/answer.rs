//! What all kinds of measurement tell of an answer.

use std::net::IpAddr;

use crate::formats::import::Batch;
use crate::formats::import::fields::kind_of_tcp;
use crate::model::ReplyKind;
use crate::wire::icmp_says;

/// What an answer says, as a record has it.
pub(super) struct Says {
    /// Type and code, if it came by ICMP.
    pub(super) icmp: Option<(u8, u8)>,
    /// The flags, if it came by TCP.
    pub(super) tcp: Option<u8>,
}

impl Says {
    /// From whom an answer came and what it says, in a measurement of this family. `None`, and counted, if it has no
    /// place in our records.
    pub(super) fn kept(
        &self,
        from: Option<IpAddr>,
        is_ipv4: bool,
        batch: &mut Batch,
    ) -> Option<(IpAddr, ReplyKind)> {
        let Some(from) = from else {
            batch.count("answers without an address or TTL");
            return None;
        };
        match (self.icmp, self.tcp) {
            (Some(icmp), _) => Some((from, icmp_says(is_ipv4, icmp))),
            (None, Some(tcp)) => Some((from, kind_of_tcp(tcp))),
            (None, None) => {
                batch.count("answers in UDP");
                None
            }
        }
    }
}
