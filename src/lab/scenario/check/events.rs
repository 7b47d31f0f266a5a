//! Events: inside the scenario's time, about links that exist, and adding only what is away.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use toml::Spanned;

use super::Check;
use crate::lab::scenario::{Change, Changed, Link, raw};
use crate::model::{AsLink, LinkChange, WallTime};

impl Check<'_> {
    pub(super) fn events(
        &mut self,
        file: &raw::File,
        links: &[Link],
        time: RangeInclusive<WallTime>,
    ) -> Vec<Change> {
        let mut changes = Vec::new();
        for table in &file.events {
            let at = table.at.get_ref().0;
            if !time.contains(&at) {
                let rule = format!("must be from {} to {}", time.start(), time.end());
                self.error(&table.at, "event.at", at, rule);
            }
            let Some((how, ends)) = self.change(table) else { continue };
            let Some(what) = self.changed(ends, links) else { continue };
            changes.push((ends, Change { at, what, how }));
        }
        changes.sort_by_key(|(_, change)| change.at);
        self.take_turns(&changes);
        changes.into_iter().map(|(_, change)| change).collect()
    }

    fn change<'t>(&mut self, table: &'t raw::Event) -> Option<(LinkChange, &'t Spanned<raw::Ends>)> {
        match (&table.added, &table.lost) {
            (Some(link), None) => Some((LinkChange::Added, link)),
            (None, Some(link)) => Some((LinkChange::Lost, link)),
            _ => {
                let rule = "an event must say one thing: added = … or lost = …";
                self.error(&table.at, "event.at", table.at.get_ref().0, rule);
                None
            }
        }
    }

    fn changed(&mut self, ends: &Spanned<raw::Ends>, links: &[Link]) -> Option<Changed> {
        match ends.get_ref() {
            raw::Ends::AsLink(text) => self.as_link(ends, text),
            raw::Ends::Routers(names) => self.router_link(ends, names, links),
        }
    }

    fn as_link(&mut self, at: &Spanned<raw::Ends>, text: &str) -> Option<Changed> {
        let link: AsLink = match text.parse() {
            Ok(link) => link,
            Err(error) => {
                self.error(at, "event", text, error);
                return None;
            }
        };
        let (low, high) = link.ends();
        let known = self.ases.get(&low).zip(self.ases.get(&high));
        if !known.is_some_and(|(low, high)| self.neighbours.contains(&(*low, *high))) {
            let rule = "must be a link between ASes that are provider and customer, or peers";
            self.error(at, "event", link, rule);
            return None;
        }
        Some(Changed::AsLink(link))
    }

    fn router_link(
        &mut self,
        at: &Spanned<raw::Ends>,
        names: &[String; 2],
        links: &[Link],
    ) -> Option<Changed> {
        let [one, other] = names.each_ref().map(|name| self.routers.get(name).copied());
        let ends = one.zip(other).map(|(one, other)| [one.min(other), one.max(other)]);
        let exists = ends.is_some_and(|[low, high]| {
            links.iter().any(|link| link.ends == [low, high] || link.ends == [high, low])
        });
        if !exists {
            self.error(at, "event", names.join(", "), "must be two routers with a [[link]] between them");
        }
        ends.filter(|_| exists).map(Changed::RouterLink)
    }

    fn take_turns(&mut self, changes: &[(&Spanned<raw::Ends>, Change)]) {
        let mut latest: BTreeMap<Changed, LinkChange> = BTreeMap::new();
        for (ends, change) in changes {
            if latest.insert(change.what, change.how) == Some(change.how) {
                let rule = "a link must be added only while it is away, and lost only while it is there";
                self.error(ends, change.how.as_str(), shown(ends.get_ref()), rule);
            }
        }
    }
}

fn shown(ends: &raw::Ends) -> String {
    match ends {
        raw::Ends::AsLink(text) => text.clone(),
        raw::Ends::Routers(names) => names.join(", "),
    }
}
