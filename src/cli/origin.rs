//! `origin lookup`: what every source of origins says about an address, which one decides, and why. Sends nothing.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;

use serde_json::{Value, json};

use super::exit::{Code, Failure, OrFail};
use super::{LookupArgs, OriginArgs, OriginCommand, out, overrides};
use crate::analyse::origin::{OriginSource, OriginTable, SeenOrigin, Statement};
use crate::formats::as_names::load_as_names;
use crate::formats::origins::{
    FileReport, LinkEvidence, Loaded, OriginFile, TransitEvidence, load_origins,
};
use crate::measure::campaign::Campaign;
use crate::model::{Asn, Untrusted};

pub(super) fn run(args: &OriginArgs) -> Result<(), Failure> {
    match &args.subcommand {
        OriginCommand::Lookup(args) => lookup(args),
        OriginCommand::Hegemony(args) => super::hegemony::run(args),
    }
}

fn lookup(args: &LookupArgs) -> Result<(), Failure> {
    let campaign = args.campaign.as_deref().map(Campaign::load).transpose().or_fail(Code::Usage)?;
    let origins = campaign.as_ref().map(|campaign| &campaign.origins);
    let declared = origins.map(|origins| origins.tables.as_slice()).unwrap_or_default();
    let files: Vec<OriginFile> =
        args.origins.iter().chain(declared).map(|name| OriginFile::new(name)).collect();
    let loaded = load_origins(&files, args.until).or_fail(Code::Usage)?;
    let of_campaign = origins.map(|origins| origins.as_names.as_slice()).unwrap_or_default();
    let tables: Vec<_> = args.as_names.iter().chain(of_campaign).collect();
    let as_names = load_as_names(&tables).or_fail(Code::Usage)?;
    let answers = Answers::new(loaded, as_names, campaign.as_ref().and_then(overrides::source));
    for report in answers.reports.iter().filter(|report| !report.faults.is_empty()) {
        out::say(&report.faults);
    }
    if args.json {
        let object = answers.json(&args.addresses);
        return out::text(&format!("{object:#}\n"));
    }
    out::text(&answers.text(&args.addresses))
}

/// All that addresses are looked up in.
struct Answers {
    table: OriginTable,
    names: BTreeMap<Asn, Untrusted>,
    transit: TransitEvidence,
    reports: Vec<FileReport>,
}

impl Answers {
    /// Names from tables of names count before those that come with origins.
    fn new(loaded: Loaded, mut names: BTreeMap<Asn, Untrusted>, overrides: Option<OriginSource>) -> Self {
        for (asn, name) in loaded.names {
            names.entry(asn).or_insert(name);
        }
        let table = overrides.into_iter().fold(loaded.table, OriginTable::with_source);
        Self { table, names, transit: loaded.transit, reports: loaded.reports }
    }

    fn text(&self, addresses: &[IpAddr]) -> String {
        let mut text = String::new();
        for address in addresses {
            let found = self.table.lookup(*address);
            let asn = found.asn().map_or_else(|| "no AS".to_owned(), |asn| self.named(asn));
            let thin = if found.is_thin() { "; seen by too few peers to prove it" } else { "" };
            let _ = writeln!(text, "{address}: {asn}: {}{thin}", found.reason());
            for statement in self.table.statements(*address) {
                let _ = writeln!(text, "  {}", self.line(&statement));
            }
            for (provider, evidence) in found.asn().into_iter().flat_map(|asn| self.transit.providers(asn))
            {
                let _ = writeln!(text, "  upstream        {}", self.provider(provider, evidence));
            }
        }
        text
    }

    fn line(&self, statement: &Statement) -> String {
        let origins: Vec<String> = statement.origins.iter().map(|origin| self.origin(*origin)).collect();
        let origins = if origins.is_empty() { "-".to_owned() } else { origins.join(", ") };
        let note = if statement.note.is_empty() { String::new() } else { format!(" ({})", statement.note) };
        let decides = if statement.decides { "  <- decides" } else { "" };
        let Statement { kind, prefix, source, .. } = statement;
        let source = Untrusted::new(source.as_str());
        format!("{kind:<15} {:<20} {origins}{note}, by {source}{decides}", prefix.to_string())
    }

    fn origin(&self, origin: SeenOrigin) -> String {
        match origin.peers {
            0 => self.named(origin.asn),
            peers => format!("{}, seen by {}", self.named(origin.asn), counted(peers, "peer", "peers")),
        }
    }

    fn provider(&self, provider: Asn, evidence: LinkEvidence) -> String {
        let LinkEvidence { prefixes, peers, is_thin } = evidence;
        let thin = if is_thin { ": too little to believe" } else { "" };
        let (prefixes, peers) = (counted(prefixes, "prefix", "prefixes"), counted(peers, "peer", "peers"));
        format!("{}, on paths to {prefixes}, seen by {peers}{thin}", self.named(provider))
    }

    fn named(&self, asn: Asn) -> String {
        self.names.get(&asn).map_or_else(|| asn.to_string(), |name| format!("{asn} {name:.60}"))
    }

    fn json(&self, addresses: &[IpAddr]) -> Value {
        let sources: Vec<Value> = self.reports.iter().map(source).collect();
        let addresses: Vec<Value> = addresses.iter().map(|address| self.address(*address)).collect();
        json!({ "sources": sources, "addresses": addresses })
    }

    fn address(&self, address: IpAddr) -> Value {
        let found = self.table.lookup(address);
        let (asn, reason) = (found.asn(), found.reason());
        let name = asn.and_then(|asn| self.names.get(&asn)).map(ToString::to_string);
        let statements: Vec<Value> = self.table.statements(address).iter().map(statement).collect();
        let providers = asn.into_iter().flat_map(|asn| self.transit.providers(asn));
        let providers: Vec<Value> = providers
            .map(|(provider, LinkEvidence { prefixes, peers, is_thin })| {
                json!({ "asn": provider, "prefixes": prefixes, "peers": peers, "is_thin": is_thin })
            })
            .collect();
        json!({
            "address": address,
            "asn": asn,
            "as_name": name,
            "alternatives": found.alternatives(),
            "rule": reason.as_str(),
            "prefix": reason.prefix(),
            "is_thin": found.is_thin(),
            "why": reason.to_string(),
            "statements": statements,
            "upstreams": providers,
        })
    }
}

fn source(report: &FileReport) -> Value {
    let first: Vec<String> = report.faults.first.iter().map(ToString::to_string).collect();
    json!({
        "file": report.faults.file(),
        "kind": report.kind.as_str(),
        "rows": report.rows,
        "faults": report.faults.count,
        "first_faults": first,
    })
}

fn statement(said: &Statement) -> Value {
    let origins: Vec<Value> = said
        .origins
        .iter()
        .map(|origin| {
            let peers = (origin.peers > 0).then_some(origin.peers);
            json!({ "asn": origin.asn, "peers": peers, "is_thin": said.thin.contains(&origin.asn) })
        })
        .collect();
    json!({
        "source": said.source,
        "kind": said.kind,
        "prefix": said.prefix,
        "origins": origins,
        "note": Untrusted::new(said.note.as_str()).to_string(),
        "decides": said.decides,
    })
}
/// `1 peer`, `2 peers`.
fn counted<N: Copy + PartialEq + From<u8> + std::fmt::Display>(
    number: N,
    one: &str,
    several: &str,
) -> String {
    if number == N::from(1) { format!("1 {one}") } else { format!("{number} {several}") }
}
