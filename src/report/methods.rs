//! What a referee would ask: what the intervals are, against which null, and what was not seen.

use crate::analyse::compare::{Findings, Reach};

use super::{diversity, number, wording};

/// How the numbers are meant, one paragraph each, the general before the particular.
pub(super) fn notes(findings: &Findings) -> Vec<String> {
    let level = wording::confidence(findings);
    let mut notes = vec![
        format!(
            "Shares stand with their {level} interval in brackets, in percent (Wilson's score interval). That of answers takes \
             probes as independent; addresses can fall silent together, so the truth is wider. That of flows through an \
             upstream takes as one sample a target with all its traces, or, with fewer than 8 targets, a flow with all its \
             rounds, unless all flows to each target go one way: as many samples as their spread shows them to be worth \
             (Korn and Graubard 1998)."
        ),
        "Answers are counted only from addresses that answered by the same method at least once in the \
         campaign, so a silent address does not look like an outage. A unit is \"not observable\" where nothing \
         ever answered, too few probes were sent to tell silence from loss, or the vantage itself was in \
         trouble; that is not \"unreachable\"."
            .to_owned(),
        format!(
            "A change is the later epoch minus the one before, in percentage points for shares, with a {level} \
             interval (made of the two as Newcombe's hybrid score interval is; that of an upstream by how much the same flows \
             did alike before and after). The null is that both epochs have the same share: an \
             interval that holds 0 does not tell them apart. The intervals are not corrected for how many there \
             are. Numbers of paths are counts of what was seen: no interval is claimed for them, and more effort \
             finds more."
        ),
        "The upstream is the neighbour of the origin AS on the traced path. Where silent hops lie between them, \
         it is the last AS seen before the gap, and an AS inside the gap would have been missed."
            .to_owned(),
        "AS-disjoint paths are counted in the measured graph: a lower bound. \"In every path\" names the ASes, \
         other than the vantage's own and the origin, that every measured path crosses."
            .to_owned(),
        format!(
            "Changes of links that nobody declared are found in the pinned flows: a link is lost when most flows that used \
             it were seen again elsewhere, and neither they nor any others use it, and gained the other way round. The null is \
             that a load balancer only dealt the flows out anew (Fisher's exact test, where several flows moved joined \
             with the probability that all others stayed; times the number of rounds in which any flow moved). {} such tests were made; what is told has a false discovery rate of at most 1 % among \
             them (Benjamini and Hochberg). Flows that fell silent are no evidence. Links between addresses are asked the same by {} tests of their own.",
            number::count(findings.tests),
            number::count(findings.link_tests)
        ),
        format!(
            "Round-trip times are compared by rounds: the median over a unit's targets, each by what it is away from its own \
             median, so that other targets are no change; of a link, what its far end's answer took longer than its near \
             end's in the same trace. Levels are cut where that explains the rounds better than it costs (PELT, squares of \
             logarithms, a penalty of 3 ln n). A change of at least 1 ms is told if the two levels have at least six rounds each, \
             the {level} interval of the difference of their medians (order statistics; Zou and Donner) leaves out 0, and a rank-sum test \
             stands at a false discovery rate of 1 % among {} tests. Rounds that resemble the one before count for less \
             than one. A level that swings with the hour of the day changes twice a day.",
            number::count(findings.delays.tests)
        ),
        format!(
            "A unit is down when Trinocular's belief falls below 0.1 and chance, the vantage and single hosts are ruled \
             out: less than one such silence is expected in a thousand campaigns, or no trace came as far as the \
             upstream any more; a control target answered in that time; and three addresses or more fell silent, or \
             the traces show it too. Begin and end lie within the moments given, the inner ones at {level}."
        ),
    ];
    notes.extend(diversity::notes(findings));
    notes.extend(unseen(findings));
    notes
}

/// What this dataset does not show.
fn unseen(findings: &Findings) -> Vec<String> {
    let mut notes = Vec::new();
    let unjudged: Vec<String> = findings
        .units
        .iter()
        .filter(|unit| unit.by_epoch.iter().any(|epoch| is_unjudged(epoch.reach)))
        .map(|unit| unit.unit.to_string())
        .collect();
    if !unjudged.is_empty() {
        notes.push(format!("Reachability cannot be judged in every epoch for: {}.", unjudged.join(", ")));
    }
    let epochs = findings.units.iter().filter(|unit| !unit.control).flat_map(|unit| &unit.by_epoch);
    let unattributed = epochs.map(|epoch| epoch.unattributed).fold(0, u64::saturating_add);
    if unattributed > 0 {
        notes.push(format!(
            "{} traced flows towards units other than controls ended before any upstream could be told; \
                 they are in no share.",
            number::count(unattributed)
        ));
    }
    if findings.straddling > 0 {
        notes.push(format!(
            "{} traces had probes on both sides of an event; they are left out of all epochs and of the timeline.",
            number::count(findings.straddling)
        ));
    }
    notes.extend(wording::troubles(findings));
    notes.extend(wording::clock_steps(findings));
    notes.extend(wording::dropped(findings));
    notes.push(match findings.vantages.len() {
        0 | 1 => "There was one vantage: what it cannot see, this report does not know.".to_owned(),
        several => {
            format!("There were {several} vantages: what none of them can see, this report does not know.")
        }
    });
    notes
}

const fn is_unjudged(reach: Reach) -> bool {
    matches!(reach, Reach::NotObservable | Reach::NotMeasured)
}
