//! `origin hegemony`: through which ASes the peers of route collectors reach an origin. Sends nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::exit::{Code, Failure, OrFail};
use super::{HegemonyArgs, out};
use crate::analyse::collectors::{Hegemony, hegemony_of_views};
use crate::formats::as_names::load_as_names;
use crate::formats::origins::{Views, load_views};
use crate::model::{Asn, Untrusted};

pub(super) fn run(args: &HegemonyArgs) -> Result<(), Failure> {
    let names = load_as_names(&args.as_names).or_fail(Code::Usage)?;
    let origins: BTreeSet<Asn> = args.origins.iter().copied().collect();
    let (views, faults) = load_views(&args.rib, &origins, args.ipv6).or_fail(Code::Usage)?;
    for faults in faults.iter().filter(|faults| !faults.is_empty()) {
        out::say(faults);
    }
    let found = Found { views, names, is_v6: args.ipv6 };
    if args.json {
        let object = found.json(&origins);
        return out::text(&format!("{object:#}\n"));
    }
    out::text(&found.text(&origins))
}

struct Found {
    views: Views,
    names: BTreeMap<Asn, Untrusted>,
    is_v6: bool,
}

impl Found {
    /// `None` if no full feed has a route to it.
    fn hegemony(&self, origin: Asn) -> Option<Hegemony> {
        let found = hegemony_of_views(self.views.by_origin.get(&origin)?);
        (found.with_route > 0).then_some(found)
    }

    fn text(&self, origins: &BTreeSet<Asn>) -> String {
        let Views { full_feeds, peers, .. } = &self.views;
        let family = if self.is_v6 { "IPv6" } else { "IPv4" };
        let mut text = format!("full feeds: {full_feeds} of {peers} peers with routes of {family}\n");
        for origin in origins {
            let Some(found) = self.hegemony(*origin) else {
                let _ = writeln!(text, "\n{}: no full feed has a route to it", self.named(*origin));
                continue;
            };
            let Hegemony { viewpoints, with_route, .. } = found;
            let origin_name = self.named(*origin);
            let _ = writeln!(
                text,
                "\n{origin_name}: reached from {with_route} of {viewpoints} ASes with full feeds"
            );
            for (asn, score) in found.scores.iter().filter(|(asn, _)| asn != origin) {
                let _ = writeln!(text, "  {score:.4}  {}", self.named(*asn));
            }
        }
        text
    }

    fn named(&self, asn: Asn) -> String {
        self.names.get(&asn).map_or_else(|| asn.to_string(), |name| format!("{asn} {name:.60}"))
    }

    fn json(&self, origins: &BTreeSet<Asn>) -> Value {
        let of_origin = |origin: &Asn| {
            let found = self.hegemony(*origin);
            let scores: Vec<Value> = found
                .iter()
                .flat_map(|found| &found.scores)
                .filter(|(asn, _)| asn != origin)
                .map(|(asn, score)| json!({ "asn": asn, "as_name": self.name(*asn), "hegemony": score }))
                .collect();
            json!({
                "origin": origin,
                "as_name": self.name(*origin),
                "viewpoints": found.as_ref().map(|found| found.viewpoints),
                "viewpoints_with_route": found.as_ref().map(|found| found.with_route),
                "scores": scores,
            })
        };
        json!({
            "family": if self.is_v6 { "IPv6" } else { "IPv4" },
            "peers": self.views.peers,
            "full_feeds": self.views.full_feeds,
            "origins": origins.iter().map(of_origin).collect::<Vec<Value>>(),
        })
    }

    fn name(&self, asn: Asn) -> Option<String> {
        self.names.get(&asn).map(ToString::to_string)
    }
}
