//! What a person sees of all ways: the text of [`super::ways`], drawn anew while it grows.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::net::IpAddr;

use console::Term;

use super::ways;
use crate::analyse::origin::OriginTable;
use crate::analyse::ways::{Searches, Ways};
use crate::dataset::ProbeRecord;
use crate::limits::Train;
use crate::model::{Asn, Untrusted};

/// Whose address it is, and what its owner is called.
#[derive(Clone, Copy)]
pub(super) struct Labels<'a> {
    pub(super) origins: &'a OriginTable,
    pub(super) names: &'a BTreeMap<Asn, Untrusted>,
}

impl Labels<'_> {
    pub(super) fn asn(&self, address: IpAddr) -> Option<Asn> {
        self.origins.lookup(address).asn()
    }

    pub(super) fn name(&self, asn: Asn) -> Option<String> {
        self.names.get(&asn).map(Untrusted::to_string)
    }
}

/// Writes ways, to a stream or on a screen.
pub(super) struct View<'a> {
    labels: Labels<'a>,
}

/// What stands on the screen now.
pub(super) struct Screen<'a> {
    view: &'a View<'a>,
    term: Option<Term>,
    lines: usize,
    shown: usize,
}

impl<'a> View<'a> {
    pub(super) const fn new(labels: Labels<'a>) -> Self {
        Self { labels }
    }

    pub(super) const fn labels(&self) -> Labels<'a> {
        self.labels
    }

    /// Writes what was found; nothing if nothing was asked.
    pub(super) fn write(&self, out: &mut dyn Write, records: &[ProbeRecord]) -> io::Result<()> {
        let colours = io::stdout().is_terminal() && console::colors_enabled();
        self.text(records, colours).map_or(Ok(()), |text| out.write_all(text.as_bytes()))
    }

    /// A screen that shows how the ways grow, if there is a terminal to talk to.
    pub(super) fn on_screen(&'a self) -> Screen<'a> {
        let term = Term::stderr();
        Screen { view: self, term: term.is_term().then_some(term), lines: 0, shown: 0 }
    }

    fn text(&self, records: &[ProbeRecord], colours: bool) -> Option<String> {
        let ways = ways_of(records)?;
        Some(ways::text(&ways, records, self.labels, colours))
    }
}

impl Screen<'_> {
    /// Draws what is known by now, as much of it as the screen can hold.
    pub(super) fn show(&mut self, records: &[ProbeRecord]) {
        if records.len() == self.shown {
            return;
        }
        let Some(text) =
            self.term.as_ref().and_then(|_| self.view.text(records, console::colors_enabled_stderr()))
        else {
            return;
        };
        self.clear();
        let Some(term) = &self.term else { return };
        let (height, width) = term.size();
        let lines = fitting(&text, &status(records), usize::from(height.saturating_sub(1)));
        for line in &lines {
            // A terminal that goes away must not stop the measurement.
            let _ = term.write_line(&console::truncate_str(line, usize::from(width), ""));
        }
        (self.lines, self.shown) = (lines.len(), records.len());
    }

    /// Takes away what was drawn.
    pub(super) fn clear(&mut self) {
        if let Some(term) = &self.term {
            let _ = term.clear_last_lines(self.lines);
        }
        self.lines = 0;
    }
}

/// What goes on now, for somebody who waits.
fn status(records: &[ProbeRecord]) -> String {
    let testing = records.last().filter(|record| Train::of(record.probe.attempt).is_some());
    let doing = testing.map_or_else(
        || "searching".to_owned(),
        |record| format!("testing whether a router at TTL {} limits its answers", record.probe.ttl),
    );
    format!("{doing}: {} packets decided; Ctrl-C ends it", records.len())
}

/// The lines of a text and of the status below it, so many at most; what has no room is counted.
fn fitting(text: &str, status: &str, room: usize) -> Vec<String> {
    let all: Vec<&str> = text.lines().collect();
    let for_text = room.saturating_sub(1);
    let mut lines: Vec<String> = all.iter().take(for_text).map(|line| (*line).to_owned()).collect();
    if all.len() > for_text {
        let _ = lines.pop();
        lines.push(format!("… {} lines more", all.len().saturating_sub(lines.len())));
    }
    lines.push(status.to_owned());
    lines
}

/// The ways that the records of one search tell of.
pub(super) fn ways_of(records: &[ProbeRecord]) -> Option<Ways> {
    let mut searches = Searches::default();
    for record in records {
        searches.add(record);
    }
    searches.finish().into_iter().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_screen_that_is_too_low_says_how_much_it_leaves_out() {
        let text = "title\na\nb\nc\n";
        assert_eq!(fitting(text, "status", 24), ["title", "a", "b", "c", "status"]);
        assert_eq!(fitting(text, "status", 4), ["title", "a", "… 2 lines more", "status"]);
        assert_eq!(fitting(text, "status", 1).len(), 2, "a screen of one line is none");
    }
}
