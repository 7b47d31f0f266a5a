//! From tables to a [`Campaign`]: every rule that a file must keep. All that is wrong is told at once:
//! where a value is refused, its default stands in for it, so that the rest can be checked too.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fmt::{Debug, Display};
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use toml::Spanned;

use super::limits::{self, Limit};
use super::raw::{self, Number, Text, Whole};
use super::{Campaign, Operator, Origins, Rates, VantageConfig, probers};
use crate::measure::net::PacketPath;
use crate::model::{
    Asn, BadBytes, Bytes, Event, FileError, FileErrors, LinkChange, Name, Pps, Prefix, SourceText,
    WallTime, placed,
};

/// Turns the tables into a campaign; `folder` is what relative paths are relative to.
pub(super) fn campaign(
    source: SourceText<'_>,
    folder: &Path,
    file: &raw::File,
) -> Result<Campaign, FileErrors> {
    let mut check = Checker { source, errors: Vec::new() };
    let campaign = check.campaign(folder, file);
    if let Some(campaign) = campaign.as_ref().filter(|_| check.errors.is_empty()) {
        check.liveness(campaign, file);
    }
    check.errors.sort_by_key(|error| error.line);
    match campaign {
        Some(campaign) if check.errors.is_empty() => Ok(campaign),
        _ => Err(FileErrors(check.errors)),
    }
}

/// Collects what is wrong.
pub(super) struct Checker<'a> {
    pub(super) source: SourceText<'a>,
    pub(super) errors: Vec<FileError>,
}

/// Values, one by one.
impl Checker<'_> {
    /// Refuses a value.
    pub(super) fn refuse<T: Debug>(&mut self, key: &str, value: &Spanned<T>, rule: impl Display) {
        let found = format!("{key} = {:?}", value.get_ref());
        self.refuse_at(&value.span(), &found, rule);
    }

    pub(super) fn refuse_at(&mut self, span: &Range<usize>, found: &str, rule: impl Display) {
        self.errors.push(self.source.error_at(span, found, rule));
    }

    pub(super) fn whole(&mut self, key: &str, value: Option<&Whole>, limit: Limit<i64>) -> i64 {
        let Some(value) = value else { return limit.default };
        if limit.allows(value.get_ref()) {
            return *value.get_ref();
        }
        let range = format!("must be a whole number from {} to {}", limit.lowest, limit.highest);
        self.refuse(key, value, range);
        limit.default
    }

    pub(super) fn number(
        &mut self,
        key: &str,
        value: Option<&Number>,
        (limit, unit): (Limit<f64>, &str),
    ) -> f64 {
        let Some(value) = value else { return limit.default };
        if limit.allows(value.get_ref()) {
            return *value.get_ref();
        }
        let rule = format!("must be from {} to {} {unit}", limit.lowest, limit.highest);
        self.refuse_at(&value.span(), &format!("{key} = {}", value.get_ref()), rule);
        limit.default
    }

    pub(super) fn span_of_time(
        &mut self,
        key: &str,
        value: Option<&Text>,
        limit: Limit<Duration>,
    ) -> Duration {
        value.and_then(|value| self.given_span_of_time(key, value, limit)).unwrap_or(limit.default)
    }

    pub(super) fn given_span_of_time(
        &mut self,
        key: &str,
        value: &Text,
        limit: Limit<Duration>,
    ) -> Option<Duration> {
        let span = humantime::parse_duration(value.get_ref()).ok().filter(|span| limit.allows(span));
        if span.is_none() {
            let (lowest, highest) =
                (humantime::format_duration(limit.lowest), humantime::format_duration(limit.highest));
            let rule = format!(
                "must be a time with its unit, as in \"90s\" or \"30m\", from {lowest} to {highest}"
            );
            self.refuse(key, value, rule);
        }
        span
    }

    pub(super) fn parsed<T>(&mut self, key: &str, value: &Text) -> Option<T>
    where
        T: FromStr,
        T::Err: Display,
    {
        value.get_ref().parse().map_err(|error| self.refuse(key, value, error)).ok()
    }

    fn address<T: FromStr>(&mut self, key: &str, value: Option<&Text>, rule: &str) -> Option<T> {
        let value = value?;
        value.get_ref().parse().map_err(|_| self.refuse(key, value, rule)).ok()
    }

    /// A text for people: not empty, not long, nothing that could forge a line of a report or a header.
    fn words(&mut self, key: &str, value: &Text) -> String {
        let text = value.get_ref().trim();
        let length = text.chars().count();
        if text.is_empty() || length > limits::MAX_TEXT || text.chars().any(char::is_control) {
            let rule = format!("must be 1 to {} characters on one line", limits::MAX_TEXT);
            self.refuse(key, value, rule);
        }
        text.to_owned()
    }

    fn path(&mut self, key: &str, folder: &Path, value: &Text) -> PathBuf {
        if value.get_ref().trim().is_empty() || value.get_ref().contains('\0') {
            self.refuse(key, value, "must be a path");
        }
        folder.join(value.get_ref())
    }

    /// A path that may have a kind before it, as in `mrt:rib.bz2`.
    fn table(&mut self, key: &str, folder: &Path, value: &Text) -> PathBuf {
        self.path(key, folder, value);
        placed(folder, value.get_ref())
    }
}

/// Tables, in the order of the file.
impl Checker<'_> {
    fn campaign(&mut self, folder: &Path, file: &raw::File) -> Option<Campaign> {
        let name = self.parsed::<Name>("campaign.name", &file.campaign.name);
        let vantage = self.vantage(&file.vantage);
        let seed = self.whole("campaign.seed", file.campaign.seed.as_ref(), limits::SEED);
        let duration = file.campaign.duration.as_ref();
        let duration =
            duration.and_then(|text| self.given_span_of_time("campaign.duration", text, limits::DURATION));
        let operator = file.operator.as_ref().map(|table| self.operator(table));
        let rates = self.rates(&file.rates);
        let opt_outs = file.guard.opt_outs.as_ref().map(|path| self.path("guard.opt_outs", folder, path));
        let targets = self.target_sets(&file.targets);
        let probers = self.probers(&file.probers);
        let origins = self.origins(folder, &file.origins);
        let alarms = self.alarms(&file.alarms);
        let events = self.events(&file.events);
        let directory = file.output.directory.as_ref();
        let output = directory.map(|path| self.path("output.directory", folder, path));
        let min_free = self.min_free(file.output.min_free.as_ref());
        let name = name?;
        Some(Campaign {
            output: output.unwrap_or_else(|| folder.join(name.as_str())),
            min_free,
            name,
            seed: u64::try_from(seed).unwrap_or_default(),
            duration,
            operator,
            vantage: vantage?,
            rates,
            allow_private: file.guard.allow_private,
            targets,
            probers,
            origins,
            alarms,
            events,
            opt_outs,
        })
    }

    fn operator(&mut self, table: &raw::OperatorTable) -> Operator {
        let contact = self.words("operator.contact", &table.contact);
        let (user, host) = contact.split_once('@').unwrap_or_default();
        if user.is_empty() || !host.contains('.') || contact.contains(char::is_whitespace) {
            self.refuse("operator.contact", &table.contact, "must be a mail address that somebody reads");
        }
        if is_placeholder(host) {
            let rule = "is a placeholder: must be a mail address that somebody reads";
            self.refuse("operator.contact", &table.contact, rule);
        }
        Operator {
            name: self.words("operator.name", &table.name),
            url: table.url.as_ref().map(|url| self.url(url)),
            purpose: self.words("operator.purpose", &table.purpose),
            contact,
        }
    }

    fn url(&mut self, value: &Text) -> String {
        let url = self.words("operator.url", value);
        let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).unwrap_or_default();
        let host = rest.split(['/', ':', '?', '#']).next().unwrap_or_default();
        if host.is_empty() || !url.is_ascii() || url.contains(' ') {
            self.refuse("operator.url", value, "must be a page, as in https://probing.your-institute.org/");
        } else if is_placeholder(host) {
            self.refuse("operator.url", value, "is a placeholder: must be a page about this measurement");
        }
        url
    }

    fn vantage(&mut self, table: &raw::VantageTable) -> Option<VantageConfig> {
        let name = self.parsed("vantage.name", &table.name);
        let interface = table.interface.as_ref();
        // IFNAMSIZ of Linux leaves 15 characters.
        let odd = |text: &Text| {
            let name = text.get_ref();
            !(1..=15).contains(&name.len()) || name.contains(|c: char| c == '/' || !c.is_ascii_graphic())
        };
        if let Some(value) = interface.filter(|text| odd(text)) {
            self.refuse("vantage.interface", value, "must be the name of an interface, 1 to 15 characters");
        }
        let interface = interface.map(|value| value.get_ref().clone());
        let source_v4 =
            self.address("vantage.source_v4", table.source_v4.as_ref(), "must be an IPv4 address");
        let source_v6 =
            self.address("vantage.source_v6", table.source_v6.as_ref(), "must be an IPv6 address");
        let packet_path = self.packet_path(table.packet_path.as_ref());
        Some(VantageConfig { name: name?, interface, source_v4, source_v6, packet_path })
    }

    fn packet_path(&mut self, value: Option<&Text>) -> PacketPath {
        let Some(value) = value else { return PacketPath::default() };
        let named = PacketPath::ALL.into_iter().find(|path| path.as_str() == value.get_ref());
        if named.is_none() {
            self.refuse("vantage.packet_path", value, "must be \"auto\", \"packet\" or \"raw\"");
        }
        named.unwrap_or_default()
    }

    fn rates(&mut self, table: &raw::RatesTable) -> Rates {
        let per_second = |limit| (limit, "packets per second");
        let total = self.number("rates.total", table.total.as_ref(), per_second(limits::TOTAL));
        let within_total = |limit: Limit<f64>| Limit { default: limit.default.min(total), ..limit };
        let per_unit = per_second(within_total(limits::PER_UNIT));
        let per_responder = per_second(within_total(limits::PER_RESPONDER));
        let per_unit = self.rate_within("rates.per_unit", table.per_unit.as_ref(), total, per_unit);
        let per_responder =
            self.rate_within("rates.per_responder", table.per_responder.as_ref(), total, per_responder);
        let per_hour = (limits::LIVENESS, "packets to a unit and hour");
        let liveness = table.liveness_per_unit_hour.as_ref();
        Rates {
            total: pps(total),
            burst: self.burst(table.burst.as_ref(), total),
            per_unit: pps(per_unit),
            per_responder: pps(per_responder),
            liveness_per_unit_hour: self.number("rates.liveness_per_unit_hour", liveness, per_hour),
        }
    }

    fn rate_within(
        &mut self,
        key: &str,
        value: Option<&Number>,
        total: f64,
        limit: (Limit<f64>, &str),
    ) -> f64 {
        let rate = self.number(key, value, limit);
        if let Some(value) = value.filter(|_| rate > total) {
            let rule = format!("must be at most rates.total, which is {total}");
            self.refuse_at(&value.span(), &format!("{key} = {rate}"), rule);
        }
        rate
    }

    fn burst(&mut self, value: Option<&Whole>, total: f64) -> u32 {
        let most =
            (1..=limits::BURST.highest).rev().find(|burst| whole_to_f64(*burst) <= total).unwrap_or(1);
        let default = limits::BURST.default.min(most);
        let burst = self.whole("rates.burst", value, Limit { default, ..limits::BURST });
        if let Some(value) = value.filter(|_| burst > most) {
            let rule =
                format!("must be at most what rates.total allows in one second, which is {most} packets");
            self.refuse("rates.burst", value, rule);
        }
        u32::try_from(burst).unwrap_or(1)
    }

    fn origins(&mut self, folder: &Path, table: &raw::OriginsTable) -> Origins {
        let resolver = table.resolver.as_ref().and_then(|value| {
            let text = value.get_ref();
            let with_port = || text.parse::<IpAddr>().map(|address| SocketAddr::new(address, 53));
            let parsed = text.parse::<SocketAddr>().or_else(|_| with_port());
            let rule = "must be the address of a resolver, as in \"9.9.9.9\" or \"[2620:fe::fe]:53\"";
            parsed.map_err(|_| self.refuse("origins.resolver", value, rule)).ok()
        });
        let tables = table.tables.iter().map(|path| self.table("origins.tables", folder, path));
        let tables = tables.collect();
        let overrides = self.overrides(&table.overrides);
        let queries = table.queries_per_second.as_ref();
        let queries_per_second =
            self.number("origins.queries_per_second", queries, (limits::QUERIES, "look-ups per second"));
        let timeout = self.span_of_time("origins.timeout", table.timeout.as_ref(), limits::DNS_TIMEOUT);
        let as_names =
            table.as_names.iter().map(|path| self.path("origins.as_names", folder, path)).collect();
        let reverse_dns = self.look_ups("origins.reverse_dns", table.reverse_dns.as_ref(), table);
        let cymru = self.look_ups("origins.cymru", table.cymru.as_ref(), table);
        Origins { tables, overrides, as_names, reverse_dns, cymru, resolver, queries_per_second, timeout }
    }

    fn alarms(&mut self, table: &raw::AlarmsTable) -> Option<Duration> {
        let key = "alarms.one_false_in";
        let one_false_in = self.span_of_time(key, table.one_false_in.as_ref(), limits::ONE_FALSE_IN);
        table.enabled.unwrap_or(true).then_some(one_false_in)
    }

    fn overrides(&mut self, tables: &[raw::OverrideTable]) -> Vec<(Prefix, Asn)> {
        if let Some(table) = tables.get(limits::MAX_OVERRIDES) {
            let rule = format!("must be at most {} overrides: use a table", limits::MAX_OVERRIDES);
            self.refuse("origins.overrides.prefix", &table.prefix, rule);
        }
        let over = |table: &raw::OverrideTable| {
            let prefix = self.parsed("origins.overrides.prefix", &table.prefix);
            let asn = match table.asn.get_ref() {
                toml::Value::String(text) => text.parse(),
                other => other.to_string().parse(),
            };
            let asn: Option<Asn> =
                asn.map_err(|error| self.refuse("origins.overrides.asn", &table.asn, error)).ok();
            prefix.zip(asn)
        };
        tables.iter().filter_map(over).collect()
    }

    /// Whether look-ups of a kind are wanted; they need to be told whom to ask.
    fn look_ups(&mut self, key: &str, wanted: Option<&Spanned<bool>>, table: &raw::OriginsTable) -> bool {
        let Some(value) = wanted.filter(|value| *value.get_ref()) else { return false };
        if table.resolver.is_none() {
            self.refuse(key, value, "needs origins.resolver: the system's own is never asked");
        }
        true
    }

    fn min_free(&mut self, value: Option<&Text>) -> Bytes {
        let Limit { lowest, default, highest } = limits::MIN_FREE;
        let Some(value) = value else { return default };
        match value.get_ref().parse() {
            Ok(bytes) if limits::MIN_FREE.allows(&bytes) => return bytes,
            Ok(_) => self.refuse("output.min_free", value, format!("must be from {lowest} to {highest}")),
            Err(BadBytes) => self.refuse("output.min_free", value, BadBytes),
        }
        default
    }

    fn events(&mut self, tables: &[raw::EventTable]) -> Vec<Event> {
        let mut events = BTreeSet::new();
        for (index, table) in tables.iter().enumerate() {
            let Some(event) = self.event(table) else { continue };
            if !events.insert(event) {
                self.refuse("events.at", &table.at, "is declared twice");
            }
            if index == limits::MAX_EVENTS {
                let rule = format!("must be at most {} events", limits::MAX_EVENTS);
                self.refuse("events.at", &table.at, rule);
            }
        }
        events.into_iter().collect()
    }

    fn event(&mut self, table: &raw::EventTable) -> Option<Event> {
        let at = match table.at.get_ref() {
            toml::Value::String(text) => WallTime::parse_rfc3339(text),
            other => WallTime::parse_rfc3339(&other.to_string()),
        };
        let at = at.map_err(|error| self.refuse("events.at", &table.at, error)).ok();
        let change = match table.change.get_ref().as_str() {
            "added" => Some(LinkChange::Added),
            "lost" => Some(LinkChange::Lost),
            _ => {
                self.refuse("events.change", &table.change, "must be \"added\" or \"lost\"");
                None
            }
        };
        let link = self.parsed("events.link", &table.link);
        Some(Event { at: at?, change: change?, link: link? })
    }
}

/// Probers, and what they come to together.
impl Checker<'_> {
    fn probers(&mut self, tables: &[raw::ProberTable]) -> Vec<super::ProberSpec> {
        if tables.is_empty() {
            self.errors.push(self.source.error("nothing to ask: must hold at least one [[probers]] table"));
        }
        let mut names = BTreeSet::new();
        for (index, table) in tables.iter().enumerate() {
            if !names.insert(table.name.get_ref()) {
                self.refuse("probers.name", &table.name, "is the name of another prober above");
            }
            if index == limits::MAX_PROBERS {
                let rule = format!("must be at most {} probers", limits::MAX_PROBERS);
                self.refuse("probers.name", &table.name, rule);
            }
        }
        tables.iter().filter_map(|table| probers::prober(self, table)).collect()
    }

    /// Echo and TCP probers together must leave every unit within its sustained budget.
    fn liveness(&mut self, campaign: &Campaign, file: &raw::File) {
        let counts = campaign.targets_by_unit();
        let Some((unit, targets)) =
            counts.into_iter().max_by_key(|(unit, targets)| (*targets, Reverse(*unit)))
        else {
            return;
        };
        let sum: f64 = campaign.liveness_probers().map(|prober| prober.hourly_packets(targets)).sum();
        let terms: Vec<String> =
            campaign.liveness_probers().map(|prober| prober.hourly_term(targets)).collect();
        let allowed = campaign.rates.liveness_per_unit_hour;
        // Thousandths of a packet are rounding.
        if sum <= allowed + 0.001 {
            return;
        }
        let found = format!("rates.liveness_per_unit_hour = {allowed}");
        let rule = format!(
            "{unit} would get {} packets an hour: {}; probe fewer targets a unit, or less often",
            probers::tidy(sum),
            terms.join(" + ")
        );
        let given = file.rates.liveness_per_unit_hour.as_ref().map(Spanned::span);
        let first = file.probers.iter().find(|table| table.kind.get_ref() != "trace");
        match given.or_else(|| first.map(|table| table.name.span())) {
            Some(span) => self.refuse_at(&span, &found, rule),
            None => self.errors.push(self.source.error(rule)),
        }
    }
}

/// Domains that nobody reads (RFC 2606, RFC 6761).
fn is_placeholder(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    let reserved = ["example", "invalid", "test", "localhost", "example.com", "example.net", "example.org"];
    reserved
        .iter()
        .any(|name| host.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
}

/// A rate that was checked against its limits.
fn pps(rate: f64) -> Pps {
    Pps::new(rate).unwrap_or(Pps::SLOWEST)
}

fn whole_to_f64(number: i64) -> f64 {
    i32::try_from(number).map_or(f64::INFINITY, f64::from)
}
