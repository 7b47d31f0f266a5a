//! Small tables for a paper (LaTeX, package `booktabs`): reachability and upstreams by unit and epoch, and what
//! became of diversity from epoch to epoch.
//! Everything that is not plain text to TeX is escaped.

use std::fmt::Write as _;

use crate::analyse::compare::{Findings, UnitEpoch, UnitFindings};

use super::{number, wording};

/// All tables: name and content of each file.
#[must_use]
pub fn latex_files(findings: &Findings) -> Vec<(&'static str, String)> {
    vec![
        ("reachability.tex", reachability(findings)),
        ("upstreams.tex", upstreams(findings)),
        ("diversity.tex", diversity(findings)),
    ]
}

/// One line of a table's body.
type Line = [String; 5];

fn reachability(findings: &Findings) -> String {
    let caption = format!(
        "Share of probes answered, of those to addresses that ever answered, with {} Wilson intervals.",
        wording::confidence(findings)
    );
    let head = ["Unit", "Epoch", "Method", "Answered", r"Share [\%]"];
    table("reachability", &caption, head, lines(findings, reachability_lines))
}

fn reachability_lines(_: &UnitFindings, epoch: &UnitEpoch) -> Vec<[String; 3]> {
    let lines = epoch.reachability.iter().map(|entry| {
        let counts = format!("{} of {}", number::count(entry.answered), number::count(entry.probes));
        let share =
            entry.share.map_or_else(|| "---".to_owned(), |share| wording::estimate(&share).joined());
        [entry.method.as_str().to_owned(), counts, share]
    });
    lines.collect()
}

fn upstreams(findings: &Findings) -> String {
    let caption = format!(
        "Traced flows by upstream, of those whose upstream is known, with {} Wilson intervals by cluster.",
        wording::confidence(findings)
    );
    let head = ["Unit", "Epoch", "Upstream", "Flows", r"Share [\%]"];
    table("upstreams", &caption, head, lines(findings, upstream_lines))
}

fn upstream_lines(_: &UnitFindings, epoch: &UnitEpoch) -> Vec<[String; 3]> {
    let lines = epoch.upstreams.iter().map(|entry| {
        let counts =
            format!("{} of {}", number::count(entry.flows), number::count(wording::known_flows(epoch)));
        [entry.upstream.to_string(), counts, wording::estimate(&entry.share).joined()]
    });
    lines.collect()
}

fn diversity(findings: &Findings) -> String {
    let level = wording::confidence(findings);
    let caption = format!(
        "Differences in path diversity from one epoch to the next, with {level} intervals: cluster bootstrap over \
         targets or flows, for links at equal effort that of rarefaction; counts of what was seen have none."
    );
    let head = ["Unit", "Epochs", "Measure", "Before, after", "Difference"];
    table("diversity", &caption, head, super::diversity::lines(findings))
}

fn lines(findings: &Findings, of: fn(&UnitFindings, &UnitEpoch) -> Vec<[String; 3]>) -> Vec<Line> {
    let mut lines = Vec::new();
    for unit in &findings.units {
        for (index, epoch) in unit.by_epoch.iter().enumerate() {
            let name =
                if unit.control { format!("{} (control)", unit.unit) } else { unit.unit.to_string() };
            for [what, counts, share] in of(unit, epoch) {
                let share = share.replacen(" %", "", 1);
                lines.push([name.clone(), index.saturating_add(1).to_string(), what, counts, share]);
            }
        }
    }
    lines
}

fn table(label: &str, caption: &str, head: [&str; 5], lines: Vec<Line>) -> String {
    let mut text = String::from("\\begin{table}\n  \\centering\n");
    let _ = writeln!(text, "  \\caption{{{}}}\n  \\label{{tab:{label}}}", escaped(caption));
    let _ = writeln!(
        text,
        "  \\begin{{tabular}}{{llllr}}\n    \\toprule\n    {} \\\\\n    \\midrule",
        head.join(" & ")
    );
    let mut unit = String::new();
    for line in lines {
        if !unit.is_empty() && unit != line[0] {
            text.push_str("    \\addlinespace\n");
        }
        let shown = if unit == line[0] { "" } else { line[0].as_str() };
        let cells = [shown, &line[1], &line[2], &line[3], &line[4]].map(escaped);
        let _ = writeln!(text, "    {} \\\\", cells.join(" & "));
        unit.clone_from(&line[0]);
    }
    text.push_str("    \\bottomrule\n  \\end{tabular}\n\\end{table}\n");
    text
}

/// The ten characters that mean something to TeX, and what it has no glyph for.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' => safe.push_str(r"\textbackslash{}"),
            '~' => safe.push_str(r"\textasciitilde{}"),
            '^' => safe.push_str(r"\textasciicircum{}"),
            '<' => safe.push_str(r"\textless{}"),
            '>' => safe.push_str(r"\textgreater{}"),
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => safe.extend(['\\', character]),
            ' '..='\u{7e}' => safe.push(character),
            _ => safe.push('?'),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_can_be_a_command_to_tex() {
        let safe = escaped("\\input{/etc/passwd} 50% _ # $x^2$ ~ & \u{202e}");
        assert_eq!(
            safe,
            "\\textbackslash{}input\\{/etc/passwd\\} 50\\% \\_ \\# \\$x\\textasciicircum{}2\\$ \
             \\textasciitilde{} \\& ?"
        );
    }
}
