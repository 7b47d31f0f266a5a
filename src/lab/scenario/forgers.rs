//! Forgers: somebody who cannot see the probes, and guesses what answers to them would look like.

use serde::Deserialize;

use crate::model::Prefix;

#[derive(Clone, Debug)]
pub(in crate::lab) struct Forger {
    /// Mean number of forged packets in a real second.
    pub(in crate::lab) per_second: f64,
    /// At least one; each packet is any of these.
    pub(in crate::lab) says: Vec<Forgery>,
    /// From where its ICMP errors claim to come.
    pub(in crate::lab) from: Prefix,
    /// Whom it claims that the vantage has probed; of the same family.
    pub(in crate::lab) about: Prefix,
}

/// What a forged packet pretends to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::lab) enum Forgery {
    TimeExceeded,
    PortUnreachable,
    EchoReply,
    SynAck,
    Rst,
}
