//! A vantage made ready to measure: interface, sockets, key, guard, pacer and engine for one campaign.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::config::{Campaign, ProberKind, TooFast, VantageConfig};
use super::engine::{Engine, EngineParts};
use super::plan::Plan;
use crate::measure::guard::{Guard, GuardRules, OptOut, Refusal, Territory};
use crate::measure::net::{
    self, Link, NetlinkError, NoRawAccess, PacketPath, RawError, RawLink, UnprivilegedError,
    UnprivilegedLink, Vantage, VantageError, raw_access, territory,
};
use crate::measure::schedule::{Pacer, PacerRates};
use crate::model::{BlockRule, ClockPair, FileErrors, Pps, SystemClock};
use crate::wire::{BadAttribution, Codec, Sources, TagKey};

/// A vantage, ready to measure.
pub struct Station {
    /// The engine, behind its guard.
    pub engine: Engine,
    /// The way to the network.
    pub link: Box<dyn Link + Send>,
    /// Names the key of the probes' tags, and tells nothing of it.
    pub key_fingerprint: String,
    /// Where the probes come from.
    pub sources: Sources,
    /// Whether this is a closed laboratory, from which nothing can leave.
    pub rehearsal: bool,
}

/// Why a vantage cannot measure this campaign.
#[derive(Debug, thiserror::Error)]
pub enum StationError {
    /// Targets that the guard refuses; nothing was sent.
    #[error("{}", list(.0))]
    Refused(Vec<Refusal>),
    /// The opt-out file is wrong.
    #[error(transparent)]
    OptOuts(#[from] FileErrors),
    /// A rate that a real network must not be sent.
    #[error(transparent)]
    TooFast(#[from] TooFast),
    /// The operator's URL cannot be put into packets.
    #[error("operator.url cannot be put into probes")]
    Attribution(#[from] BadAttribution),
    /// No interface or address to measure from.
    #[error(transparent)]
    Vantage(#[from] VantageError),
    /// The kernel does not say what interfaces there are.
    #[error(transparent)]
    Kernel(#[from] NetlinkError),
    /// The privilege to open raw sockets is missing.
    #[error(transparent)]
    Privilege(#[from] NoRawAccess),
    /// The raw sockets could not be set up.
    #[error(transparent)]
    Raw(#[from] RawError),
    /// The unprivileged sockets could not be set up.
    #[error(transparent)]
    Unprivileged(#[from] UnprivilegedError),
}

impl StationError {
    /// Whether the vantage is at fault, and not what the user wrote.
    #[must_use]
    pub const fn is_vantage_unfit(&self) -> bool {
        !matches!(self, Self::Refused(_) | Self::OptOuts(_) | Self::TooFast(_) | Self::Attribution(_))
    }
}

fn list(refusals: &[Refusal]) -> String {
    let lines: Vec<String> = refusals.iter().take(20).map(|refusal| format!("\n  {refusal}")).collect();
    let more = refusals.len().saturating_sub(lines.len());
    let rest = if more > 0 { format!("\n  and {more} more") } else { String::new() };
    format!("{} targets must not be probed:{}{rest}", refusals.len(), lines.concat())
}

/// What a vantage is to be made ready for.
pub struct StationOrder {
    /// Name, interface and source addresses.
    pub vantage: VantageConfig,
    /// What may be probed; where the packets go is found out here.
    pub rules: GuardRules,
    /// The targets, all of which the guard must accept.
    pub targets: Vec<IpAddr>,
    /// How fast.
    pub rates: PacerRates,
    /// Whether that is too fast for a real network, and why.
    pub too_fast: Option<TooFast>,
    /// The URI that echo and UDP probes carry (RFC 9511).
    pub attribution: Option<String>,
    /// If echoes are all that is asked for: how long the unprivileged engine may listen, should the
    /// privilege be missing.
    pub unprivileged: Option<Duration>,
}

/// Makes this machine ready to measure. Nothing is sent.
///
/// # Errors
/// If a target is refused, or the vantage is not fit; the error says what to do.
pub fn prepare(order: StationOrder, clock: SystemClock, pair: ClockPair) -> Result<Station, StationError> {
    let rehearsal = territory()?.is_closed();
    refuse_haste(order.too_fast, rehearsal)?;
    let guard = checked_guard(order.rules, &order.targets, rehearsal)?;
    let wish = &order.vantage;
    let vantage = Vantage::find(wish.interface.as_deref(), wish.source_v4, wish.source_v6)?;
    let key = TagKey::from_bytes(rand::random());
    let key_fingerprint = key.fingerprint();
    let codec = Codec::new(key, vantage.sources, order.attribution.as_deref())?;
    let exit = Exit { path: wish.packet_path, rate: order.rates.total, unprivileged: order.unprivileged };
    let link = open_link(&exit, &vantage, &codec, clock)?;
    let engine = engine(&order.vantage, order.rates, guard, codec, pair);
    Ok(Station { engine, link, key_fingerprint, sources: vantage.sources, rehearsal })
}

/// What a campaign needs of its vantage, with a wall clock that runs `speed` times as fast as real time.
///
/// # Errors
/// If the opt-out file is wrong.
pub fn order(campaign: &Campaign, speed: f64) -> Result<StationOrder, FileErrors> {
    let opt_outs = campaign.opt_outs.as_deref().map(OptOut::load).transpose()?.unwrap_or_default();
    let longest = campaign.probers.iter().map(|spec| spec.timeout).max().unwrap_or_default();
    Ok(StationOrder {
        vantage: campaign.vantage.clone(),
        rules: campaign.guard_rules(Territory::Internet, opt_outs, speed),
        targets: campaign.targets().iter().map(|target| target.address).collect(),
        rates: campaign.rates.pacer().squeezed(speed),
        too_fast: campaign.rates.too_high(),
        attribution: campaign.operator.as_ref().and_then(|operator| operator.url.clone()),
        unprivileged: only_echoes(campaign).then(|| longest.saturating_mul(2)),
    })
}

/// An engine for a network in virtual time. The key is drawn from the seed, so that the same seed gives
/// the same packets. Returns the key's fingerprint beside engine and codec.
///
/// # Errors
/// If a target is refused or the operator's URL cannot be put into packets.
pub fn prepare_virtual(
    order: StationOrder,
    seed: u64,
    sources: Sources,
    pair: ClockPair,
) -> Result<(Engine, Codec, String), StationError> {
    let guard = checked_guard(order.rules, &order.targets, true)?;
    let key = TagKey::from_bytes((u128::from(seed) << 64).to_be_bytes());
    let key_fingerprint = key.fingerprint();
    let codec = Codec::new(key, sources, order.attribution.as_deref())?;
    Ok((engine(&order.vantage, order.rates, guard, codec.clone(), pair), codec, key_fingerprint))
}

/// What a campaign would send from where this process is. Sends nothing.
///
/// # Errors
/// If the opt-out file is wrong, or a rate too high for the network that this process is in.
pub fn plan(campaign: &Campaign) -> Result<Plan, StationError> {
    let is_closed = territory().is_ok_and(net::Territory::is_closed);
    refuse_haste(campaign.rates.too_high(), is_closed)?;
    let territory = if is_closed { Territory::Lab } else { Territory::Internet };
    let rules = GuardRules { territory, ..order(campaign, 1.0)?.rules };
    Ok(Plan::new(campaign, &Guard::new(rules)))
}

/// What is too fast for a real network is refused, unless nothing can leave.
fn refuse_haste(too_fast: Option<TooFast>, is_closed: bool) -> Result<(), StationError> {
    too_fast.filter(|_| !is_closed).map_or(Ok(()), |too_fast| Err(too_fast.into()))
}

/// The guard, after it has looked at every target. An opt-out takes targets away and leaves the campaign
/// going, or it could not be resumed after one; anything else that is refused was a mistake.
fn checked_guard(rules: GuardRules, targets: &[IpAddr], rehearsal: bool) -> Result<Guard, StationError> {
    let territory = if rehearsal { Territory::Lab } else { Territory::Internet };
    let guard = Guard::new(GuardRules { territory, ..rules });
    let refused: Vec<Refusal> = targets.iter().filter_map(|target| guard.check(*target).err()).collect();
    let mistake = refused.iter().any(|refusal| refusal.rule != BlockRule::OptOut);
    if mistake || (!refused.is_empty() && refused.len() == targets.len()) {
        return Err(StationError::Refused(refused));
    }
    if let Some(first) = refused.first() {
        tracing::warn!("{} of {} targets are left out; {first}", refused.len(), targets.len());
    }
    Ok(guard)
}

fn engine(
    vantage: &VantageConfig,
    rates: PacerRates,
    guard: Guard,
    codec: Codec,
    pair: ClockPair,
) -> Engine {
    Engine::new(EngineParts {
        vantage: vantage.name.clone(),
        codec: Arc::new(codec),
        clock: pair,
        guard,
        pacer: Pacer::new(rates),
    })
}

/// How packets are to leave.
struct Exit {
    path: PacketPath,
    rate: Pps,
    unprivileged: Option<Duration>,
}

/// The raw packet path, or, where echoes are all that is asked for and the privilege is missing, the
/// unprivileged engine.
fn open_link(
    exit: &Exit,
    vantage: &Vantage,
    codec: &Codec,
    clock: SystemClock,
) -> Result<Box<dyn Link + Send>, StationError> {
    match (raw_access(), exit.unprivileged) {
        (Ok(()), _) => Ok(Box::new(RawLink::open(vantage, codec.clone(), clock, exit.path, exit.rate)?)),
        (Err(missing), None) => Err(missing.into()),
        (Err(missing), Some(patience)) => {
            tracing::warn!("{missing}; measuring without it: round-trip times are user-space ones");
            Ok(Box::new(UnprivilegedLink::open(vantage.sources, codec.clone(), patience, clock)?))
        }
    }
}

fn only_echoes(campaign: &Campaign) -> bool {
    campaign.probers.iter().all(|spec| matches!(spec.kind, ProberKind::Echo { .. }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn haste_is_refused_wherever_packets_can_leave() {
        let text = include_str!("../../../probes.toml").replace("total = 100", "total = 20000");
        let too_fast = Campaign::parse("probes.toml", &text).unwrap().rates.too_high();
        assert!(refuse_haste(too_fast, true).is_ok());
        let refusal = refuse_haste(too_fast, false).unwrap_err();
        assert!(!refusal.is_vantage_unfit(), "a mistake in the file: {refusal}");
    }
}
