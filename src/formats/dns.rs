//! Look-ups in the DNS: the name of an address, and its origin AS by Team Cymru's zone.
//!
//! Off unless somebody makes a [`DnsLookups`]. Asks only the resolver that it is given, never the
//! system's, and reads no hosts file; one question at a time, no faster than the rate that it is given.
//! Answers are kept, so that no question is asked twice; that there is none is kept too, that nobody
//! answered is not. Probing never waits for any of this.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, RecordType};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, Interval, MissedTickBehavior};

use crate::model::{Asn, Pps, Prefix, Untrusted};

use super::origins::is_public;

/// How often the resolver library sends an unanswered question again, by itself, and how many times.
const RESEND_EVERY: Duration = Duration::from_millis(333);
const MOST_RESENDS: u128 = 3;

/// The most answers of each kind that are kept.
const MOST_KEPT: usize = 500_000;

/// Whom to ask, and how fast.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DnsSettings {
    /// The resolver, with its port.
    pub resolver: SocketAddr,
    /// Questions a second, repetitions included.
    pub rate: Pps,
    /// How long to wait for an answer.
    pub timeout: Duration,
}

/// Why no look-ups can be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up look-ups at {resolver}")]
pub struct DnsSetupError {
    resolver: SocketAddr,
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// The answers so far, as they are kept in the dataset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DnsCache {
    /// The name of an address; `null` if it has none.
    names: BTreeMap<IpAddr, Option<String>>,
    /// The origin of an address; `null` if it has none.
    origins: BTreeMap<IpAddr, Option<CymruOrigin>>,
    /// The name of an AS; `null` if it has none.
    #[serde(default)]
    as_names: BTreeMap<Asn, Option<String>>,
}

/// What Team Cymru says of an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CymruOrigin {
    asns: Vec<Asn>,
    prefix: Prefix,
}

impl DnsCache {
    /// Reads what [`DnsCache::to_json`] writes.
    ///
    /// # Errors
    /// Where it is something else.
    pub fn from_json(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// The host names that are known.
    pub fn names(&self) -> impl Iterator<Item = (IpAddr, Untrusted)> + '_ {
        let known = |(address, name): (&IpAddr, &Option<String>)| Some((*address, name.clone()?));
        self.names.iter().filter_map(known).map(|(address, name)| (address, Untrusted::new(name)))
    }

    /// What Team Cymru said, where they knew.
    pub fn origins(&self) -> impl Iterator<Item = (IpAddr, Prefix, Vec<Asn>)> + '_ {
        let known = |(address, origin): (&IpAddr, &Option<CymruOrigin>)| {
            origin.as_ref().map(|origin| (*address, origin.prefix, origin.asns.clone()))
        };
        self.origins.iter().filter_map(known)
    }

    /// The names of ASes that are known.
    pub fn as_names(&self) -> impl Iterator<Item = (Asn, Untrusted)> + '_ {
        let known = |(asn, name): (&Asn, &Option<String>)| Some((*asn, Untrusted::new(name.clone()?)));
        self.as_names.iter().filter_map(known)
    }

    /// The answers as JSON, for a file in the dataset.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// Paced look-ups at one resolver.
pub struct DnsLookups {
    resolver: TokioResolver,
    rate: Pps,
    timeout: Duration,
    /// Held while a question is open; `None` before the first.
    pace: tokio::sync::Mutex<Option<Interval>>,
    cache: Mutex<DnsCache>,
}

/// What came of a question.
enum Answer {
    /// The records; none if the resolver says that there are none.
    Records(Vec<RData>),
    /// Nobody answered, or not to the question.
    Nothing,
}

impl DnsLookups {
    /// Starts with what is known already.
    ///
    /// # Errors
    /// If the resolver library refuses the settings.
    pub fn new(settings: &DnsSettings, cache: DnsCache) -> Result<Self, DnsSetupError> {
        let failed = |source| DnsSetupError { resolver: settings.resolver, source };
        let config = ResolverConfig::from_parts(None, Vec::new(), vec![name_server(settings.resolver)]);
        let resolver = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            .with_options(options(settings.timeout))
            .build()
            .map_err(|error| failed(error.into()))?;
        let pace = tokio::sync::Mutex::new(None);
        let (rate, timeout) = (settings.rate, settings.timeout);
        Ok(Self { resolver, rate, timeout, pace, cache: Mutex::new(cache) })
    }

    /// The name of an address. `None` if it has none or nobody answers.
    pub async fn reverse(&self, address: IpAddr) -> Option<Untrusted> {
        if let Some(known) = self.with_cache(|cache| cache.names.get(&address).cloned()) {
            return known.map(Untrusted::new);
        }
        let zone = if address.is_ipv4() { "in-addr.arpa." } else { "ip6.arpa." };
        let question = format!("{}.{zone}", reversed(address));
        let Answer::Records(records) = self.ask(&question, RecordType::PTR).await else { return None };
        let name = records.iter().filter_map(pointer).min();
        self.with_cache(|cache| keep(&mut cache.names, address, name.clone()));
        name.map(Untrusted::new)
    }

    /// The ASes that originate the longest prefix around an address, by Team Cymru. `None` if there is
    /// none or nobody answers.
    pub async fn origin(&self, address: IpAddr) -> Option<(Vec<Asn>, Prefix)> {
        if let Some(known) = self.with_cache(|cache| cache.origins.get(&address).cloned()) {
            return known.map(|origin| (origin.asns, origin.prefix));
        }
        let zone = if address.is_ipv4() { "origin" } else { "origin6" };
        let question = format!("{}.{zone}.asn.cymru.com.", reversed(address));
        let Answer::Records(records) = self.ask(&question, RecordType::TXT).await else { return None };
        let texts: Vec<String> = records.iter().filter_map(text).collect();
        let origin = parse_cymru_origin(texts.iter().map(String::as_str), address);
        let known = origin.clone().map(|(asns, prefix)| CymruOrigin { asns, prefix });
        self.with_cache(|cache| keep(&mut cache.origins, address, known));
        origin
    }

    /// The name of an AS, by Team Cymru. `None` if it has none or nobody answers.
    pub async fn as_name(&self, asn: Asn) -> Option<Untrusted> {
        if let Some(known) = self.with_cache(|cache| cache.as_names.get(&asn).cloned()) {
            return known.map(Untrusted::new);
        }
        let question = format!("AS{}.asn.cymru.com.", asn.get());
        let Answer::Records(records) = self.ask(&question, RecordType::TXT).await else { return None };
        let texts: Vec<String> = records.iter().filter_map(text).collect();
        let name = texts.iter().find_map(|text| parse_cymru_as(text, asn)).map(str::to_owned);
        self.with_cache(|cache| keep(&mut cache.as_names, asn, name.clone()));
        name.map(Untrusted::new)
    }

    /// All answers so far.
    #[must_use]
    pub fn cache(&self) -> DnsCache {
        self.with_cache(|cache| cache.clone())
    }

    /// Asks one question when its turn has come.
    async fn ask(&self, question: &str, kind: RecordType) -> Answer {
        let mut pace = self.pace.lock().await;
        let interval = pace.get_or_insert_with(|| interval(self.rate));
        interval.tick().await;
        let asked_at = Instant::now();
        let answer = tokio::time::timeout(self.timeout, self.resolver.lookup(question, kind)).await;
        let resends = asked_at.elapsed().as_nanos().checked_div(RESEND_EVERY.as_nanos()).unwrap_or(0);
        for _ in 0..resends.min(MOST_RESENDS) {
            interval.tick().await;
        }
        match answer {
            Ok(Ok(lookup)) => {
                Answer::Records(lookup.answers().iter().map(|record| record.data.clone()).collect())
            }
            Ok(Err(error)) if error.is_no_records_found() => Answer::Records(Vec::new()),
            Ok(Err(_)) | Err(_) => Answer::Nothing,
        }
    }

    fn with_cache<T>(&self, work: impl FnOnce(&mut DnsCache) -> T) -> T {
        work(&mut self.cache.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl std::fmt::Debug for DnsLookups {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DnsLookups").field("rate", &self.rate).finish_non_exhaustive()
    }
}

fn name_server(resolver: SocketAddr) -> NameServerConfig {
    let with_port = |mut connection: ConnectionConfig| {
        connection.port = resolver.port();
        connection
    };
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(with_port);
    NameServerConfig::new(resolver.ip(), true, connections.to_vec())
}

fn options(timeout: Duration) -> ResolverOpts {
    let mut options = ResolverOpts::default();
    options.timeout = timeout;
    options.attempts = 0;
    options.use_hosts_file = ResolveHosts::Never;
    options.case_randomization = true;
    options.cache_size = 0;
    options
}

fn interval(rate: Pps) -> Interval {
    let mut interval = tokio::time::interval(rate.interval());
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

/// The octets of an IPv4 address or the nibbles of an IPv6 address, last first (RFC 1035 §3.5, RFC 3596
/// §2.5).
fn reversed(address: IpAddr) -> String {
    let labels: Vec<String> = match address {
        IpAddr::V4(address) => address.octets().iter().rev().map(u8::to_string).collect(),
        IpAddr::V6(address) => {
            let octets = address.octets().into_iter().rev();
            octets.flat_map(|octet| [octet & 15, octet >> 4]).map(|nibble| format!("{nibble:x}")).collect()
        }
    };
    labels.join(".")
}

fn pointer(data: &RData) -> Option<String> {
    match data {
        RData::PTR(name) => Some(name.to_ascii().trim_end_matches('.').to_owned()),
        _ => None,
    }
}

fn text(data: &RData) -> Option<String> {
    match data {
        RData::TXT(text) => Some(String::from_utf8_lossy(&text.txt_data.concat()).into_owned()),
        _ => None,
    }
}

fn keep<K: Ord, T>(kept: &mut BTreeMap<K, Option<T>>, asked: K, answer: Option<T>) {
    if kept.len() < MOST_KEPT {
        kept.insert(asked, answer);
    }
}

/// Reads Team Cymru's answer about an AS, as `"23028 | US | arin | 2002-01-04 | TEAM-CYMRU - Team Cymru Inc., US"`.
#[must_use]
pub fn parse_cymru_as(text: &str, asn: Asn) -> Option<&str> {
    let mut fields = text.splitn(5, '|').map(str::trim);
    let about: Asn = fields.next()?.parse().ok()?;
    let name = fields.nth(3)?;
    (about == asn && !name.is_empty()).then_some(name)
}

/// Reads Team Cymru's answers, as `"23028 | 216.90.108.0/24 | US | arin | 1998-09-25"`. Several may come,
/// one a covering prefix: the longest that covers the address counts. Several AS numbers, in one answer or
/// in several about the same prefix, are all given, without those that no public network can have.
#[must_use]
pub fn parse_cymru_origin<'a>(
    texts: impl IntoIterator<Item = &'a str>,
    address: IpAddr,
) -> Option<(Vec<Asn>, Prefix)> {
    let covering = |text| cymru_line(text).filter(|(_, prefix)| prefix.contains(address));
    let mut best: Option<(Vec<Asn>, Prefix)> = None;
    for (asns, prefix) in texts.into_iter().filter_map(covering) {
        match &mut best {
            Some((_, longest)) if longest.length() > prefix.length() => {}
            Some((known, longest)) if longest.length() == prefix.length() => known.extend(asns),
            _ => best = Some((asns, prefix)),
        }
    }
    let (mut asns, prefix) = best?;
    asns.sort_unstable();
    asns.dedup();
    Some((asns, prefix))
}

/// `None` if the line is of another form or names no public network.
fn cymru_line(text: &str) -> Option<(Vec<Asn>, Prefix)> {
    let mut fields = text.split('|').map(str::trim);
    let numbers = fields.next()?.split_ascii_whitespace();
    let asns: Vec<Asn> = numbers.filter_map(|number| number.parse().ok()).collect();
    let asns: Vec<Asn> = asns.into_iter().filter(|asn: &Asn| is_public(asn.get())).collect();
    let prefix = fields.next()?.parse().ok()?;
    (!asns.is_empty()).then_some((asns, prefix))
}

#[cfg(test)]
pub(crate) mod name_server;
#[cfg(test)]
mod tests;
