//! What can be kept of a line of which a value is not of its type. Which probes nobody answered is told by what is
//! sent and not answered: where one of these is in doubt, the answers are kept and no silence.

use super::{Answer, Hop, Line, Node, Probe, Response, Target};
use crate::formats::import::mended::{Fields, LeftOut, list};

/// The rest of a line; `None` if it would say something else, or nothing.
pub(super) fn mend(line: &str, left_out: &mut LeftOut) -> Option<String> {
    let mut line = Fields::of(line)?;
    line.mend_list("hops", |hop| mend_hop(hop, left_out));
    line.mend_list("responses", |response| mend_response(response, left_out));
    line.mend_list("nodes", |node| mend_node(node, left_out));
    let bad = line.take_bad(left_out, |one| serde_json::from_str::<Line<'_>>(one).is_ok());
    let has = |keys: &[&str]| bad.iter().any(|key| keys.contains(&key.as_str()));
    left_out.sent_is_unknown |= has(&["flags", "firsthop", "hop_count", "attempts", "ping_sent"]);
    let decides = has(&["type", "method", "dst", "start", "ttl", "hops", "responses", "nodes"]);
    (!decides).then(|| line.text())
}

fn mend_hop(hop: &str, left_out: &mut LeftOut) -> Option<String> {
    const DECIDE: &[&str] = &["addr", "probe_ttl", "probe_id", "icmp_type", "icmp_code", "tcp_flags"];
    mend_answer(hop, left_out, DECIDE, |one| serde_json::from_str::<Hop<'_>>(one).is_ok())
}

fn mend_response(response: &str, left_out: &mut LeftOut) -> Option<String> {
    const DECIDE: &[&str] = &["from", "seq", "icmp_type", "icmp_code", "tcp_flags"];
    mend_answer(response, left_out, DECIDE, |one| serde_json::from_str::<Response>(one).is_ok())
}

/// `None` for an answer of which is not known by whom it is, to which probe, or what it says.
fn mend_answer(
    answer: &str,
    left_out: &mut LeftOut,
    decide: &[&str],
    is_sound: impl Fn(&str) -> bool,
) -> Option<String> {
    let mended = Fields::sound(answer, left_out, decide, is_sound);
    left_out.sent_is_unknown |= mended.is_none();
    mended.map(|answer| answer.text())
}

/// Between nodes stand links, on every link its hops, at every hop those who answered, of each its probes.
fn mend_node(node: &str, left_out: &mut LeftOut) -> Option<String> {
    let mut node = Fields::of(node)?;
    node.mend_list("links", |link| list(link, |target| mend_target(target, left_out)));
    let is_sound = |one: &str| serde_json::from_str::<Node>(one).is_ok();
    Fields::sound(&node.text(), left_out, &["links"], is_sound).map(|node| node.text())
}

fn mend_target(target: &str, left_out: &mut LeftOut) -> Option<String> {
    let mut target = Fields::of(target)?;
    target.mend_list("probes", |probe| mend_probe(probe, left_out));
    let is_sound = |one: &str| serde_json::from_str::<Target>(one).is_ok();
    Fields::sound(&target.text(), left_out, &["addr", "probes"], is_sound).map(|target| target.text())
}

/// A probe tells its answers; one of which is not known whether it was answered is left out.
fn mend_probe(probe: &str, left_out: &mut LeftOut) -> Option<String> {
    let mut probe = Fields::of(probe)?;
    let mut all_read = true;
    probe.mend_list("replies", |reply| {
        const DECIDE: &[&str] = &["icmp_type", "icmp_code", "tcp_flags"];
        let is_sound = |one: &str| serde_json::from_str::<Answer>(one).is_ok();
        let reply = Fields::sound(reply, left_out, DECIDE, is_sound);
        all_read &= reply.is_some();
        reply.map(|reply| reply.text())
    });
    let is_sound = |one: &str| serde_json::from_str::<Probe>(one).is_ok();
    let decide = &["tx", "ttl", "attempt", "flowid", "replies"];
    Fields::sound(&probe.text(), left_out, decide, is_sound).filter(|_| all_read).map(|probe| probe.text())
}
