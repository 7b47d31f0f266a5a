//! What the formats have in common: names, times, spans, and words for what an answer says.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use crate::model::{Name, ReplyKind, Rtt, RttSource, WallTime};

/// Attempts at one TTL along a flow that are recorded: from 128 on they test the limits of a router.
pub(super) const MOST_ATTEMPTS: u8 = 128;

/// The longest round-trip time that is believed: a day.
const LONGEST_RTT: Duration = Duration::from_secs(86_400);

/// The nearest name of ours to somebody else's text: what a name may not hold becomes `-`.
pub(super) fn name(text: &str) -> Option<Name> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let mapped: String = text.chars().map(|c| if allowed(c) { c } else { '-' }).collect();
    let begins_well = mapped.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    begins_well.chars().take(64).collect::<String>().parse().ok()
}

/// The name of a vantage of which only the address is known.
pub(super) fn name_of_address(address: IpAddr) -> Option<Name> {
    name(&match address {
        IpAddr::V4(address) => address.to_string(),
        // An address may begin with a colon, a name may not.
        IpAddr::V6(address) => format!("v6-{address}"),
    })
}

/// Seconds and microseconds since the epoch.
pub(super) fn seconds(seconds: i64, micros: i64) -> Option<WallTime> {
    let nanos = seconds.checked_mul(1_000_000_000)?.checked_add(micros.checked_mul(1000)?)?;
    Some(WallTime::from_nanos(nanos))
}

/// An address; `None` for any other text.
pub(super) fn address<'de, D: Deserializer<'de>>(from: D) -> Result<Option<IpAddr>, D::Error> {
    let text: Option<Cow<'de, str>> = Option::deserialize(from)?;
    Ok(text.and_then(|text| text.parse().ok()))
}

/// A round-trip time in milliseconds, to the nanosecond; not told if it is none.
pub(super) fn rtt_of_ms(ms: f64, source: RttSource) -> Rtt {
    let span = Duration::try_from_secs_f64(ms / 1e3).ok().filter(|span| *span <= LONGEST_RTT);
    span.map_or(Rtt::NOT_TOLD, |span| Rtt { span, source })
}

/// What a TCP answer says by its flags, as they stand in the header (RFC 9293 §3.1).
pub(super) const fn kind_of_tcp(flags: u8) -> ReplyKind {
    const RST: u8 = 0x04;
    if flags & RST == 0 { ReplyKind::SynAck } else { ReplyKind::Rst }
}
