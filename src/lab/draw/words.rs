//! Labels: what stands beside things in a picture, in few words.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::lab::scenario::{AsIndex, Balance, Field, IcmpRate, Link, Loss, Router, Scenario};
use crate::model::{Untrusted, WallTime};

/// Lines as the label of something: a string of Graphviz, in which nothing is taken for an escape or an entity.
pub(super) fn quoted(lines: &[String]) -> String {
    let escaped = lines.iter().filter(|line| !line.is_empty()).map(|line| {
        let shown = Untrusted::new(line.as_str()).to_string();
        shown.replace('\\', "\\\\").replace('"', "\\\"").replace('&', "&amp;")
    });
    format!("\"{}\"", escaped.collect::<Vec<_>>().join("\\n"))
}

/// A time of the first day without its date.
pub(super) fn time(scenario: &Scenario, at: WallTime) -> String {
    let day = |time: WallTime| time.to_string().split('T').next().map(str::to_owned);
    let text = at.to_string();
    match text.split_once('T') {
        Some((date, time)) if day(scenario.start) != day(at) => {
            format!("{date} {}", time.trim_end_matches('Z'))
        }
        Some((_, time)) => time.trim_end_matches('Z').to_owned(),
        None => text,
    }
}

pub(super) fn span(span: Duration) -> String {
    if span.is_zero() { String::new() } else { humantime::format_duration(span).to_string() }
}

pub(super) fn rate(rate: IcmpRate) -> String {
    format!("ICMP {}/s, burst {}", rate.per_second, rate.burst)
}

/// Who hears of a prefix.
pub(super) fn told_to(scenario: &Scenario, only: &BTreeSet<AsIndex>) -> String {
    let number = |index: &AsIndex| scenario.ases.get(index.0).map(|asys| asys.number.to_string());
    let numbers: Vec<String> = only.iter().filter_map(number).collect();
    if numbers.is_empty() { "to nobody".to_owned() } else { format!("to {} only", numbers.join(", ")) }
}

/// How many addresses of a network answer.
pub(super) fn host_words(count: usize) -> String {
    match count {
        0 => "nobody".to_owned(),
        1 => "1 host".to_owned(),
        count => format!("{count} hosts"),
    }
}

/// The habits of a router that make it other than most, a line each.
pub(super) fn router_words(router: &Router) -> Vec<String> {
    let balance = match &router.balance {
        Balance::PerPacket => Some("balances per packet".to_owned()),
        Balance::None => Some("does not balance".to_owned()),
        Balance::Over(fields) if fields.as_slice() == Field::FLOW => None,
        Balance::Over(fields) => {
            let fields: Vec<&str> = fields.iter().map(|field| field.as_str()).collect();
            Some(format!("balances over {}", fields.join(", ")))
        }
    };
    let said = |holds: bool, words: &str| holds.then(|| words.to_owned());
    let filters = router.filters.iter().map(|filter| {
        let to = filter.to.map(|to| format!(" to {to}")).unwrap_or_default();
        Some(format!("filters {}{to}", filter.carrier.as_str()))
    });
    let habits = [
        said(router.silent, "silent"),
        router.icmp_rate.map(rate),
        said(router.forwards_zero_ttl, "forwards zero TTLs"),
        said(!router.nat.inward.is_empty(), "translates addresses"),
        balance,
    ];
    habits.into_iter().chain(filters).flatten().collect()
}

/// With as many digits as it takes, up to four behind the point.
fn percent(probability: f64) -> String {
    let digits = format!("{:.4}", probability * 100.0);
    format!("{} %", digits.trim_end_matches('0').trim_end_matches('.'))
}

/// Its delay, and what is not usual about it.
pub(super) fn link_words(link: &Link) -> Vec<String> {
    let hazards = link.hazards;
    let loss = match hazards.loss {
        Loss::Independent(probability) => probability,
        Loss::Bursts { mean, .. } => mean,
    };
    let said = |value: f64, what: &str| (value > 0.0).then(|| format!("{what} {}", percent(value)));
    let first = [link.name.clone(), Some(span(link.delay)).filter(|delay| !delay.is_empty())];
    let first: Vec<String> = first.into_iter().flatten().collect();
    let others = [
        (link.weight != 1).then(|| format!("weight {}", link.weight)),
        (link.cost != 1).then(|| format!("cost {}", link.cost)),
        said(loss, "loss"),
        said(hazards.reorder.probability, "reordered"),
        said(hazards.duplicate, "doubled"),
        link.mtu.map(|mtu| format!("MTU {mtu}")),
    ];
    std::iter::once(first.join(" ")).chain(others.into_iter().flatten()).collect()
}
