//! The codec of a campaign at a vantage: what builds its probes and reads what comes back.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{
    Answer, BadAttribution, EncodeError, Malformed, MatchKey, TagKey, attribution, decode, encode,
};
use crate::model::Probe;

/// The addresses that probes leave from; a family without one is not measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// Source of probes to IPv4 targets.
    pub v4: Option<Ipv4Addr>,
    /// Source of probes to IPv6 targets.
    pub v6: Option<Ipv6Addr>,
}

impl Sources {
    /// Whether probes leave from this address.
    pub(super) fn has(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => self.v4 == Some(address),
            IpAddr::V6(address) => self.v6 == Some(address),
        }
    }
}

/// Builds probes and reads what comes back. Holds the campaign's key, the source addresses and the
/// attribution text, and no state: the same question always gets the same answer.
#[derive(Clone, Debug)]
pub struct Codec {
    key: TagKey,
    pub(super) sources: Sources,
    /// What payloads begin with: attribution, zero, padding to an even length.
    pub(super) lead: Vec<u8>,
}

/// What a packet turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// It reads as an answer to a probe. Whether it is one, its tag must tell.
    Answer(Answer),
    /// One of our own probes, seen leaving.
    OwnProbe(MatchKey),
    /// Nothing to do with us.
    Foreign,
}

impl Codec {
    /// A codec for one campaign at one vantage. `attribution` is a URI that says who probes and why
    /// (RFC 9511): at most 200 bytes of printable ASCII, as `mailto:` or `https:`.
    ///
    /// # Errors
    /// If the attribution is too long, or no URI.
    pub fn new(key: TagKey, sources: Sources, attribution: Option<&str>) -> Result<Self, BadAttribution> {
        Ok(Self { key, sources, lead: attribution::lead(attribution)? })
    }

    /// What names this probe while it is outstanding.
    #[must_use]
    pub fn key_of(&self, probe: &Probe) -> MatchKey {
        MatchKey::new(probe.target, probe.protocol, self.tag_of(probe))
    }

    /// The tag of this probe, as it is sent.
    pub(super) fn tag_of(&self, probe: &Probe) -> u32 {
        self.key.tag(probe)
    }

    /// Writes the whole IP packet of a probe, IP header first, in place of what `packet` held. Allocates
    /// only while `packet` has not yet the capacity of the longest probe.
    ///
    /// # Errors
    /// If there is no source address of the target's family, or no packet for so high a flow.
    pub fn encode(&self, probe: &Probe, packet: &mut Vec<u8>) -> Result<(), EncodeError> {
        encode::encode(self, probe, packet)
    }

    /// Reads a packet that was seen on the interface; it begins at the IP header.
    ///
    /// # Errors
    /// If it is addressed to us, or is of no known IP version, and contradicts itself or ends too early.
    pub fn decode(&self, packet: &[u8]) -> Result<Received, Malformed> {
        decode::decode(self, packet)
    }
}
